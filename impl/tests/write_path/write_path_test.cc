// The serial write group, one interleaving at a time: the log holds the leader until the writers of
// the test are queued, so that each group is known in advance.
#include "bellwether/write_path/write_path.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "bellwether/sync/std_sync.h"

namespace bellwether {
namespace {

using ::testing::ElementsAre;
using Code = Status::Code;

// StdSync, with each action told to the test.
struct HookedSync : StdSync {
  static inline std::function<void(std::string_view)> on_action;
  static void OnAction(const char* action, const void*) { on_action(action); }
  template <class Condition>
  static void Assert(const Condition& condition, const char* tag) {
    EXPECT_TRUE(condition()) << tag;
  }
};

struct TestBatch {
  char name = ' ';
  std::uint32_t count = 1;
  std::size_t bytes = 10;
  std::uint32_t Count() const { return count; }
  std::size_t ByteSize() const { return bytes; }
};

class Gate {
 public:
  void Open() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }
  void Pass() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return open_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = false;
};

// A record is the names of its batches, "*" appended for each sync behind it.
struct TestLog {
  Gate* gate = nullptr;  // the first record passes it
  std::vector<std::string> records;
  std::vector<SequenceNumber> firsts;
  std::string fail_record;
  bool fail_sync = false;

  template <class Group>
  Status AddRecord(SequenceNumber first, const Group& group) {
    if (records.empty()) gate->Pass();
    std::string record;
    group.ForEach([&](const TestBatch& batch) { record += batch.name; });
    if (record == fail_record) return Status::IOError("append failed", "000001.log", 7, ENOSPC);
    records.push_back(record);
    firsts.push_back(first);
    return Status::OK();
  }
  Status Sync() {
    if (fail_sync) return Status::IOError("sync failed", "000001.log", 9, EIO);
    if (!records.empty()) records.back() += '*';
    return Status::OK();
  }
};

struct TestMemTable {
  std::string inserted;
  char fail_at = 0;
  Status InsertInto(const TestBatch& batch, SequenceNumber) {
    if (batch.name == fail_at) return Status::OutOfMemory("no room");
    inserted += batch.name;
    return Status::OK();
  }
};

class WritePathTest : public ::testing::Test {
 protected:
  WritePathTest() {
    log_.gate = &gate_;
    HookedSync::on_action = [this](std::string_view action) { Count(action); };
  }

  // Queues a write behind those already queued.
  void Queue(TestBatch batch, bool sync = false) {
    results_.emplace_back();
    const std::size_t index = results_.size() - 1;
    Start([this, batch, sync, index] {
      results_[index] = path_.Write(WriteOptions{.sync = sync}, &batch);
    });
  }
  void QueueClose() {
    Start([this] { closed_ = path_.Close(); });
  }

  // Lets the first leader go, and waits for all.
  void Run() {
    gate_.Open();
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
    EXPECT_TRUE(path_.Quiet());
  }

  std::vector<Code> Codes() const {
    std::vector<Code> codes;
    for (const WriteResult& result : results_) codes.push_back(result.status.code());
    return codes;
  }

  void Start(std::function<void()> write) {
    const int linked = Linked();
    threads_.emplace_back(std::move(write));
    std::unique_lock lock(mutex_);
    // The first writer has its group to itself: nobody links before it has chosen.
    changed_.wait(lock, [&] { return linked_ > linked && entered_ > 0; });
  }
  void WaitForLinked(int count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return linked_ >= count; });
  }
  void Count(std::string_view action) {
    const std::lock_guard lock(mutex_);
    if (action == "LinkOne") ++linked_;
    if (action == "EnterAsBatchGroupLeader") ++entered_;
    changed_.notify_all();
  }
  int Linked() {
    const std::lock_guard lock(mutex_);
    return linked_;
  }

  Gate gate_;
  TestLog log_;
  TestMemTable memtable_;
  WritePath<HookedSync, TestBatch, TestLog, TestMemTable> path_{
      {.max_write_batch_group_size_bytes = 800}, &log_, &memtable_, 0};
  std::vector<WriteResult> results_ = [] {
    std::vector<WriteResult> results;
    results.reserve(16);  // threads write into it
    return results;
  }();
  Status closed_ = Status::Aborted("not closed");
  std::vector<std::thread> threads_;
  std::mutex mutex_;
  std::condition_variable changed_;
  int linked_ = 0;
  int entered_ = 0;
};

TEST_F(WritePathTest, WritersBehindALeaderFormOneGroup) {
  Queue({'a'});
  Queue({'b', 3});
  Queue({'c'});
  Queue({'d', 2});
  Run();
  EXPECT_THAT(log_.records, ElementsAre("a", "bcd"));
  EXPECT_THAT(log_.firsts, ElementsAre(1u, 2u));
  EXPECT_EQ(memtable_.inserted, "abcd");
  EXPECT_EQ(path_.LastSequence(), 7u);
  EXPECT_EQ(results_[1].sequence, 2u);
  EXPECT_EQ(results_[3].sequence, 6u);
}

TEST_F(WritePathTest, AnEmptyBatchIsLoggedAndTakesNoSequence) {
  Queue({'a', 0});
  Queue({'b', 1});
  Run();
  EXPECT_THAT(log_.records, ElementsAre("a", "b"));
  EXPECT_EQ(results_[0].sequence, 0u);
  EXPECT_EQ(results_[1].sequence, 1u);
  EXPECT_EQ(path_.LastSequence(), 1u);
}

TEST_F(WritePathTest, ASyncWriterIsSkippedByALeaderThatDoesNotSyncAndLeadsNext) {
  Queue({'a'});
  Queue({'b'});
  Queue({'c'}, /*sync=*/true);
  Queue({'d'});
  Queue({'e'}, /*sync=*/true);
  Queue({'f'});
  Run();
  EXPECT_THAT(log_.records, ElementsAre("a", "bdf", "ce*"));
}

TEST_F(WritePathTest, ASyncLeaderTakesEverybody) {
  Queue({'a'});
  Queue({'b'}, /*sync=*/true);
  Queue({'c'});
  Run();
  EXPECT_THAT(log_.records, ElementsAre("a", "bc*"));
}

TEST_F(WritePathTest, AWriterThatLinksBeforeTheGraftComesAfterTheSkippedOnes) {
  int entered = 0;
  std::thread newcomer;
  HookedSync::on_action = [&](std::string_view action) {
    Count(action);
    // The second leader has chosen its group, and not grafted yet: a newcomer makes its CAS fail.
    if (action != "EnterAsBatchGroupLeader" || ++entered != 2) return;
    newcomer = std::thread([this] {
      const TestBatch batch{'e'};
      EXPECT_TRUE(path_.Write({}, &batch).status.ok());
    });
    WaitForLinked(5);
  };
  Queue({'a'});
  Queue({'b'});
  Queue({'c'}, /*sync=*/true);
  Queue({'d'});
  Run();
  newcomer.join();
  EXPECT_THAT(log_.records, ElementsAre("a", "bd", "ce*"));
}

TEST_F(WritePathTest, TheByteCapCutsAGroup) {
  Queue({'a'});
  Queue({'b', 1, 300});
  Queue({'c', 1, 300});
  Queue({'d', 1, 300});
  Queue({'e', 1, 200});
  Run();
  EXPECT_THAT(log_.records, ElementsAre("a", "bce", "d"));
}

TEST_F(WritePathTest, ASmallLeaderKeepsItsGroupSmall) {
  Queue({'a'});
  Queue({'b', 1, 100});
  Queue({'c', 1, 60});
  Queue({'d', 1, 60});
  Run();
  EXPECT_THAT(log_.records, ElementsAre("a", "bc", "d"));
}

TEST_F(WritePathTest, ALogErrorFailsTheWholeGroupAndPoisonsThePath) {
  log_.fail_record = "bc";
  Queue({'a'});
  Queue({'b'});
  Queue({'c'});
  Run();
  EXPECT_THAT(Codes(), ElementsAre(Code::kOk, Code::kUnknownOutcome, Code::kUnknownOutcome));
  EXPECT_EQ(memtable_.inserted, "a");
  EXPECT_EQ(path_.LastSequence(), 1u);
  EXPECT_EQ(results_[2].status.error_number(), ENOSPC);
  EXPECT_EQ(results_[2].status.file(), "000001.log");
  EXPECT_EQ(results_[2].sequence, 0u);

  TestBatch later{'d'};
  const WriteResult refused = path_.Write({}, &later);
  EXPECT_EQ(refused.status.code(), Code::kAborted);
  EXPECT_EQ(refused.status.error_number(), ENOSPC);
  EXPECT_THAT(log_.records, ElementsAre("a"));
  EXPECT_EQ(path_.Close().error_number(), ENOSPC);
}

TEST_F(WritePathTest, ASyncErrorFailsTheWholeGroupAndPublishesNothingOfIt) {
  Queue({'a'});
  Queue({'b'}, /*sync=*/true);
  Queue({'c'});
  log_.fail_sync = true;
  Run();
  EXPECT_THAT(Codes(), ElementsAre(Code::kOk, Code::kUnknownOutcome, Code::kUnknownOutcome));
  EXPECT_EQ(memtable_.inserted, "a");
  EXPECT_EQ(path_.LastSequence(), 1u);
}

TEST_F(WritePathTest, AMemTableErrorFailsTheWholeGroupAndPublishesNothingOfIt) {
  memtable_.fail_at = 'c';
  Queue({'a'});
  Queue({'b'});
  Queue({'c'});
  Queue({'d'});
  Run();
  EXPECT_THAT(Codes(), ElementsAre(Code::kOk, Code::kUnknownOutcome, Code::kUnknownOutcome,
                                   Code::kUnknownOutcome));
  EXPECT_EQ(memtable_.inserted, "ab");
  EXPECT_EQ(path_.LastSequence(), 1u);
}

TEST_F(WritePathTest, CloseWaitsForItsTurnAndRefusesWhoComesLater) {
  Queue({'a'});
  QueueClose();
  Queue({'b'}, /*sync=*/true);
  Run();
  EXPECT_THAT(log_.records, ElementsAre("a*"));
  EXPECT_TRUE(closed_.ok());
  EXPECT_THAT(Codes(), ElementsAre(Code::kOk, Code::kAborted));
  EXPECT_EQ(path_.Close().code(), Code::kAborted);
}

TEST_F(WritePathTest, ANullBatchIsRefused) {
  EXPECT_EQ(path_.Write({}, nullptr).status.code(), Code::kInvalidArgument);
  EXPECT_EQ(Linked(), 0);
}

}  // namespace
}  // namespace bellwether
