// The serial write group, one interleaving at a time: the log holds the leader until the writers of
// the test are queued, so that each group is known in advance.
#include "bellwether/write_path/write_path.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
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
  Gate* gate = nullptr;                 // the first record passes it
  std::function<void()> before_second;  // pipelined: what the next group waits for, if anything
  std::vector<std::string> records;
  std::vector<SequenceNumber> firsts;
  std::string fail_record;
  bool fail_sync = false;

  template <class Group>
  Status AddRecord(SequenceNumber first, const Group& group) {
    if (records.empty()) gate->Pass();
    if (records.size() == 1 && before_second) before_second();
    std::string record;
    group.ForEach([&](const TestBatch& batch) { record += batch.name; });
    if (record == fail_record) return Status::IOError("append failed", "000001.log", 7, ENOSPC);
    const std::lock_guard lock(mutex);
    records.push_back(record);
    firsts.push_back(first);
    return Status::OK();
  }
  Status Sync() {
    if (fail_sync) return Status::IOError("sync failed", "000001.log", 9, EIO);
    if (!records.empty()) records.back() += '*';
    return Status::OK();
  }
  std::size_t Records() {
    const std::lock_guard lock(mutex);
    return records.size();
  }

  std::mutex mutex;
};

// Parallel writers insert in any order, so what was inserted is kept sorted.
class TestMemTable {
 public:
  Gate* gate = nullptr;  // passed by the batch that fails
  char fail_at = 0;

  Status InsertInto(const TestBatch& batch, SequenceNumber) {
    if (batch.name == fail_at) {
      if (gate != nullptr) gate->Pass();
      return Status::OutOfMemory("no room");
    }
    const std::lock_guard lock(mutex_);
    inserted_ += batch.name;
    return Status::OK();
  }
  std::string Inserted() const {
    std::string sorted = inserted_;
    std::sort(sorted.begin(), sorted.end());
    return sorted;
  }

 private:
  std::mutex mutex_;
  std::string inserted_;
};

class TestCallback : public WriteCallback {
 public:
  TestCallback(Status status, bool allow_write_batching)
      : status_(std::move(status)), allow_write_batching_(allow_write_batching) {}
  Status Callback() override { return status_; }
  bool AllowWriteBatching() const override { return allow_write_batching_; }

 private:
  const Status status_;
  const bool allow_write_batching_;
};

struct Mode {
  const char* name;
  WritePathOptions options;
};

WritePathOptions MakeOptions(bool parallel, bool pipelined, bool two_queues, bool stride = false) {
  return {.allow_concurrent_memtable_write = parallel,
          .enable_pipelined_write = pipelined,
          .two_write_queues = two_queues,
          .max_write_batch_group_size_bytes = 800,
          .parallel_stride_threshold = stride ? 2u : 20u};
}

const Mode kModes[] = {
    {"serial", MakeOptions(false, false, false)},
    {"parallel", MakeOptions(true, false, false)},
    {"parallel_stride", MakeOptions(true, false, false, true)},
    {"pipelined", MakeOptions(false, true, false)},
    {"pipelined_parallel", MakeOptions(true, true, false)},
    {"pipelined_parallel_stride", MakeOptions(true, true, false, true)},
    {"two_queues", MakeOptions(false, false, true)},
    {"two_queues_parallel", MakeOptions(true, false, true)},
};

class WritePathTest : public ::testing::TestWithParam<Mode> {
 protected:
  WritePathTest() {
    log_.gate = &gate_;
    HookedSync::on_action = [this](std::string_view action) { Count(action); };
  }

  // Queues a write behind those already queued.
  void Queue(TestBatch batch, bool sync = false) { Queue(batch, WriteOptions{.sync = sync}); }
  void Queue(TestBatch batch, const WriteOptions& options) {
    results_.emplace_back();
    const std::size_t index = results_.size() - 1;
    Start([this, batch, options, index] { results_[index] = path_.Write(options, &batch); });
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
  // The first group is through before the second is logged.
  void LogOneByOne() {
    log_.before_second = [this] {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] { return published_ > 0; });
    };
  }
  void Count(std::string_view action) {
    const std::lock_guard lock(mutex_);
    if (action == "LinkOne") ++linked_;
    if (action == "EnterAsBatchGroupLeader") ++entered_;
    if (action == "SetLastSequence") ++published_;
    changed_.notify_all();
  }
  int Linked() {
    const std::lock_guard lock(mutex_);
    return linked_;
  }

  Gate gate_;
  TestLog log_;
  TestMemTable memtable_;
  WritePath<HookedSync, TestBatch, TestLog, TestMemTable> path_{GetParam().options, &log_,
                                                                &memtable_, 0};
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
  int published_ = 0;
};

TEST_P(WritePathTest, WritersBehindALeaderFormOneGroup) {
  Queue({'a'});
  Queue({'b', 3});
  Queue({'c'});
  Queue({'d', 2});
  Run();
  EXPECT_THAT(log_.records, ElementsAre("a", "bcd"));
  EXPECT_THAT(log_.firsts, ElementsAre(1u, 2u));
  EXPECT_EQ(memtable_.Inserted(), "abcd");
  EXPECT_EQ(path_.LastSequence(), 7u);
  EXPECT_EQ(results_[1].sequence, 2u);
  EXPECT_EQ(results_[3].sequence, 6u);
}

TEST_P(WritePathTest, AnEmptyBatchIsLoggedAndTakesNoSequence) {
  Queue({'a', 0});
  Queue({'b', 1});
  Run();
  EXPECT_THAT(log_.records, ElementsAre("a", "b"));
  EXPECT_EQ(results_[0].sequence, 0u);
  EXPECT_EQ(results_[1].sequence, 1u);
  EXPECT_EQ(path_.LastSequence(), 1u);
}

TEST_P(WritePathTest, ASyncWriterIsSkippedByALeaderThatDoesNotSyncAndLeadsNext) {
  Queue({'a'});
  Queue({'b'});
  Queue({'c'}, /*sync=*/true);
  Queue({'d'});
  Queue({'e'}, /*sync=*/true);
  Queue({'f'});
  Run();
  EXPECT_THAT(log_.records, ElementsAre("a", "bdf", "ce*"));
}

TEST_P(WritePathTest, ASyncLeaderTakesEverybody) {
  Queue({'a'});
  Queue({'b'}, /*sync=*/true);
  Queue({'c'});
  Run();
  EXPECT_THAT(log_.records, ElementsAre("a", "bc*"));
}

TEST_P(WritePathTest, AWriterThatLinksBeforeTheGraftComesAfterTheSkippedOnes) {
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

TEST_P(WritePathTest, TheByteCapCutsAGroup) {
  Queue({'a'});
  Queue({'b', 1, 300});
  Queue({'c', 1, 300});
  Queue({'d', 1, 300});
  Queue({'e', 1, 200});
  Run();
  EXPECT_THAT(log_.records, ElementsAre("a", "bce", "d"));
}

TEST_P(WritePathTest, ASmallLeaderKeepsItsGroupSmall) {
  Queue({'a'});
  Queue({'b', 1, 100});
  Queue({'c', 1, 60});
  Queue({'d', 1, 60});
  Run();
  EXPECT_THAT(log_.records, ElementsAre("a", "bc", "d"));
}

TEST_P(WritePathTest, ALogErrorFailsTheWholeGroupAndPoisonsThePath) {
  LogOneByOne();
  log_.fail_record = "bc";
  Queue({'a'});
  Queue({'b'});
  Queue({'c'});
  Run();
  EXPECT_THAT(Codes(), ElementsAre(Code::kOk, Code::kUnknownOutcome, Code::kUnknownOutcome));
  EXPECT_EQ(memtable_.Inserted(), "a");
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

TEST_P(WritePathTest, ASyncErrorFailsTheWholeGroupAndPublishesNothingOfIt) {
  LogOneByOne();
  Queue({'a'});
  Queue({'b'}, /*sync=*/true);
  Queue({'c'});
  log_.fail_sync = true;
  Run();
  EXPECT_THAT(Codes(), ElementsAre(Code::kOk, Code::kUnknownOutcome, Code::kUnknownOutcome));
  EXPECT_EQ(memtable_.Inserted(), "a");
  EXPECT_EQ(path_.LastSequence(), 1u);
}

TEST_P(WritePathTest, AMemTableErrorFailsTheWholeGroupAndPublishesNothingOfIt) {
  LogOneByOne();
  memtable_.fail_at = 'c';
  Queue({'a'});
  Queue({'b'});
  Queue({'c'});
  Queue({'d'});
  Run();
  EXPECT_THAT(Codes(), ElementsAre(Code::kOk, Code::kUnknownOutcome, Code::kUnknownOutcome,
                                   Code::kUnknownOutcome));
  EXPECT_EQ(memtable_.Inserted(),
            GetParam().options.allow_concurrent_memtable_write ? "abd" : "ab");
  EXPECT_EQ(path_.LastSequence(), 1u);
  const TestBatch later{'e'};
  EXPECT_EQ(path_.Write({}, &later).status.code(), Code::kAborted);
}

TEST_P(WritePathTest, CloseWaitsForItsTurnAndRefusesWhoComesLater) {
  Queue({'a'});
  QueueClose();
  Queue({'b'}, /*sync=*/true);
  Run();
  EXPECT_THAT(log_.records, ElementsAre("a*"));
  EXPECT_TRUE(closed_.ok());
  EXPECT_THAT(Codes(), ElementsAre(Code::kOk, Code::kAborted));
  EXPECT_EQ(path_.Close().code(), Code::kAborted);
}

TEST_P(WritePathTest, AGroupThatIsLoggedBehindAFailedOneIsNotPublished) {
  Gate insert;
  memtable_.gate = &insert;
  memtable_.fail_at = 'a';
  Queue({'a'});
  Queue({'b'});
  gate_.Open();
  if (GetParam().options.enable_pipelined_write) {
    while (log_.Records() < 2) std::this_thread::yield();
  }
  insert.Open();
  Run();
  const bool logged = GetParam().options.enable_pipelined_write;
  EXPECT_THAT(Codes(),
              ElementsAre(Code::kUnknownOutcome, logged ? Code::kUnknownOutcome : Code::kAborted));
  EXPECT_EQ(path_.LastSequence(), 0u);
  EXPECT_EQ(memtable_.Inserted(), "");
}

TEST_P(WritePathTest, AFailingCallbackFailsItsWriteAlone) {
  TestCallback fails(Status::Busy("conflict", ""), true);
  TestCallback passes(Status::OK(), true);
  Queue({'a'});
  Queue({'b'});
  Queue({'c'}, WriteOptions{.callback = &fails});
  Queue({'d'}, WriteOptions{.callback = &passes});
  Run();
  EXPECT_THAT(log_.records, ElementsAre("a", "bd"));
  EXPECT_EQ(memtable_.Inserted(), "abd");
  EXPECT_THAT(Codes(), ElementsAre(Code::kOk, Code::kOk, Code::kBusy, Code::kOk));
  EXPECT_EQ(results_[3].sequence, 3u);
  EXPECT_EQ(path_.LastSequence(), 3u);
}

TEST_P(WritePathTest, ALeaderWhoseCallbackFailsStillWritesItsGroup) {
  TestCallback fails(Status::Busy("conflict", ""), true);
  Queue({'a'});
  Queue({'b'}, WriteOptions{.sync = true, .callback = &fails});
  Queue({'c'}, /*sync=*/true);
  Queue({'d'});
  Run();
  EXPECT_THAT(log_.records, ElementsAre("a", "cd*"));
  EXPECT_EQ(memtable_.Inserted(), "acd");
  EXPECT_THAT(Codes(), ElementsAre(Code::kOk, Code::kBusy, Code::kOk, Code::kOk));
}

TEST_P(WritePathTest, AGroupOfFailedCallbacksLogsNothing) {
  TestCallback fails(Status::Busy("conflict", ""), true);
  Queue({'a'});
  Queue({'b'}, WriteOptions{.sync = true, .callback = &fails});
  Run();
  EXPECT_THAT(log_.records, ElementsAre("a"));
  EXPECT_EQ(path_.LastSequence(), 1u);
}

TEST_P(WritePathTest, ACallbackThatRefusesCompanyIsLoggedAlone) {
  TestCallback alone(Status::OK(), false);
  Queue({'a'});
  Queue({'b'});
  Queue({'c'}, WriteOptions{.callback = &alone});
  Queue({'d'});
  Run();
  EXPECT_THAT(log_.records, ElementsAre("a", "bd", "c"));
}

TEST_P(WritePathTest, ALeaderThatRefusesCompanyLeadsAlone) {
  TestCallback alone(Status::OK(), false);
  Queue({'a'});
  Queue({'b'}, WriteOptions{.callback = &alone});
  Queue({'c'});
  Run();
  EXPECT_THAT(log_.records, ElementsAre("a", "b", "c"));
}

TEST_P(WritePathTest, AWriteWithoutMemtableIsLoggedAndTakesNoSequence) {
  Queue({'a'});
  Queue({'p', 3}, WriteOptions{.disable_memtable = true});
  Queue({'b'});
  Run();
  EXPECT_EQ(memtable_.Inserted(), "ab");
  EXPECT_THAT(Codes(), ElementsAre(Code::kOk, Code::kOk, Code::kOk));
  EXPECT_EQ(results_[1].sequence, 0u);
  EXPECT_EQ(results_[2].sequence, 2u);
  EXPECT_EQ(path_.LastSequence(), 2u);
  const std::size_t logged = log_.records.size();
  EXPECT_EQ(logged, GetParam().options.two_write_queues ? 3u : 2u);
}

TEST(WritePathOptions, PipelinedExcludesTwoQueues) {
  const auto check = WritePath<HookedSync, TestBatch, TestLog, TestMemTable>::CheckOptions;
  EXPECT_EQ(check(MakeOptions(false, true, true)).code(), Code::kInvalidArgument);
  for (const Mode& mode : kModes) EXPECT_TRUE(check(mode.options).ok()) << mode.name;
}

TEST_P(WritePathTest, ANullBatchIsRefused) {
  EXPECT_EQ(path_.Write({}, nullptr).status.code(), Code::kInvalidArgument);
  EXPECT_EQ(Linked(), 0);
}

INSTANTIATE_TEST_SUITE_P(EveryMode, WritePathTest, ::testing::ValuesIn(kModes),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace bellwether
