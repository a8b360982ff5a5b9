// Bugs that RocksDB's write path has had, in every mode. (The defects that it still has:
// upstream_defects_test.cc.)
//
//   #3201           the leader's log error does not reach its followers
//   #4838           a leader whose callback fails takes the log away from its group
//   #1730           a prepare in a group takes sequences
//   #3641           the queue that only logs publishes as well
//   #3656, #8746    the log is appended to, or synced, by two at once
//   #6113           who needs all inserts done does not wait for those that are pending
//   #7199           a mutex is taken twice by one thread
//   #14313, #14864  the next write is numbered from what is published, not from what is allocated
// For each CMakeLists.txt builds this file against a mutant that behaves so, which has to fail.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "write_path_fixture.h"

namespace bellwether {
namespace {

using ::testing::ElementsAre;

class PastBugTest : public WritePathTest {
 protected:
  static const WritePathOptions& Options() { return GetParam().options; }

  // Those that have inserted wait for `gate` before they publish.
  void HoldBehindInsert(Gate* gate) {
    HookedSync::on_action = [this, gate](std::string_view action) {
      if (action == "InsertInto") gate->Pass();
      Count(action);
    };
  }

  // Somebody comes for the log, by the other queue if there is one, while `call` of it is under
  // way. True if he gets in; else he blocks.
  bool TwoAtTheLog(std::string_view call, const WriteOptions& options) {
    Gate met;
    std::atomic<int> inside = 0;
    std::atomic<bool> two = false;
    std::thread other;
    HookedSync::before_blocking = [&] { met.Open(); };
    log_.during = [&](std::string_view name) {
      if (inside++ > 0) {
        two = true;
        met.Open();
      } else if (name == call && !other.joinable()) {
        other = std::thread([this] {
          const TestBatch prepare{'p'};
          EXPECT_TRUE(path_.Write({.disable_memtable = true}, &prepare).status.ok());
        });
        met.Pass();
      }
      --inside;
    };
    gate_.Open();
    const TestBatch batch{'a'};
    EXPECT_TRUE(path_.Write(options, &batch).status.ok());
    other.join();
    HookedSync::before_blocking = [] {};
    return two;
  }
};

TEST_P(PastBugTest, Bug3201TheLogsErrorReachesTheWholeGroup) {
  LogOneByOne();
  log_.fail_record = "bcd";
  for (const char name : {'a', 'b', 'c', 'd'}) Queue({name});
  Run();
  EXPECT_THAT(Codes(), ElementsAre(Code::kOk, Code::kUnknownOutcome, Code::kUnknownOutcome,
                                   Code::kUnknownOutcome));
}

TEST_P(PastBugTest, Bug4838AFailedCallbackOfTheLeaderIsItsOwn) {
  TestCallback fails(Status::Busy("conflict", ""), true);
  Queue({'a'});
  Queue({'b'}, WriteOptions{.callback = &fails});
  Queue({'c'});
  Run();
  EXPECT_THAT(log_.records, ElementsAre("a", "c"));
  EXPECT_THAT(Codes(), ElementsAre(Code::kOk, Code::kBusy, Code::kOk));
}

TEST_P(PastBugTest, Bug1730APrepareTakesNoSequence) {
  Queue({'a'});
  Queue({'p', 3}, WriteOptions{.disable_memtable = true});
  Queue({'b'});
  Queue({'c'});
  Run();
  EXPECT_EQ(results_[2].sequence, 2u);
  EXPECT_EQ(results_[3].sequence, 3u);
  EXPECT_EQ(path_.LastSequence(), 3u);
}

TEST_P(PastBugTest, Bug3641OnlyWhoInsertsPublishes) {
  Gate inserted;
  HoldBehindInsert(&inserted);
  gate_.Open();
  Queue({'a'});
  // Logged, not published: the queue that only logs goes past it.
  while (log_.Records() < 1) std::this_thread::yield();
  const TestBatch prepare{'p'};
  if (Options().two_write_queues) {
    EXPECT_EQ(path_.Write({.disable_memtable = true}, &prepare).status.code(), Code::kOk);
  }
  EXPECT_EQ(path_.LastSequence(), 0u);
  inserted.Open();
  Run();
  EXPECT_EQ(path_.LastSequence(), 1u);
}

TEST_P(PastBugTest, Bug3656NobodyAppendsBesideAnAppend) {
  EXPECT_FALSE(TwoAtTheLog("AddRecord", {}));
}

TEST_P(PastBugTest, Bug8746NobodyAppendsBesideASync) {
  EXPECT_FALSE(TwoAtTheLog("Sync", {.sync = true}));
}

// HookedSync::Mutex says so.
TEST_P(PastBugTest, Bug7199NoMutexIsTakenTwice) {
  gate_.Open();
  log_.fail_record = "x";
  const TestBatch a{'a'}, p{'p'}, x{'x'};
  EXPECT_EQ(path_.Write({.sync = true}, &a).status.code(), Code::kOk);
  EXPECT_EQ(path_.Write({.sync = true, .disable_memtable = true}, &p).status.code(), Code::kOk);
  EXPECT_EQ(path_.Write({.disable_memtable = true}, &x).status.code(), Code::kUnknownOutcome);
  EXPECT_EQ(path_.Write({}, &a).status.code(), Code::kAborted);
  EXPECT_EQ(path_.Close().code(), Code::kIOError);
}

TEST_P(PastBugTest, Bug6113NoInsertIsPendingWhereNoWriteIsInFlight) {
  Gate inserted;
  const bool pipelined = Options().enable_pipelined_write;
  HookedSync::on_action = [&](std::string_view action) {
    if (action == "InsertInto") inserted.Pass();
    if (action == "WaitForMemTableWriters_LinkOne") inserted.Open();
    Count(action);
  };
  gate_.Open();
  Queue({'a'});
  while (log_.Records() < 1) std::this_thread::yield();
  SequenceNumber published = 0;
  Start([&] {
    const Status status = path_.RunUnbatched([&] {
      published = path_.LastSequence();
      inserted.Open();
      return Status::OK();
    });
    EXPECT_TRUE(status.ok());
  });
  if (!pipelined) inserted.Open();
  Run();
  EXPECT_EQ(published, 1u);
}

TEST_P(PastBugTest, Bug14313SequencesGoOnFromTheAllocatedOnes) {
  Gate inserted;
  HoldBehindInsert(&inserted);
  gate_.Open();
  Queue({'a', 2});
  Queue({'b'});
  // Pipelined: the second is logged before the first is published.
  while (Options().enable_pipelined_write && log_.Records() < 2) std::this_thread::yield();
  inserted.Open();
  Run();
  EXPECT_THAT(log_.firsts, ElementsAre(1u, 3u));
  EXPECT_EQ(path_.LastSequence(), 3u);
}

INSTANTIATE_TEST_SUITE_P(EveryMode, PastBugTest, ::testing::ValuesIn(kModes),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace bellwether
