// A failing insert, where RocksDB's write path tells somebody the wrong thing. In every mode: the
// offender is told, nobody is told OK for what is not readable, nobody hangs.
//
//   L1  followers that fail take the leader's mutex, which exists only if the leader has blocked
//   L2  a follower finishes a failed parallel group last: the leader is told OK
//   L7  pipelined: the memtable group behind a failed one is published past it
//   L9  one writer inserts for all, and fails: only the leader is told, the offender is not
// For each CMakeLists.txt builds this file against a mutant that behaves so, which has to fail.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <thread>

#include "write_path_fixture.h"

namespace bellwether {
namespace {

class UpstreamDefectTest : public WritePathTest {
 protected:
  static bool Parallel() { return GetParam().options.allow_concurrent_memtable_write; }

  // The writes of one group, behind a group of one that succeeds.
  void RunGroup(const std::string& names) {
    LogOneByOne();
    Queue({'a'});
    for (const char name : names) Queue({name});
    Run();
  }

  // Everybody in the group that failed was told so, and all that was told OK is readable.
  void ExpectTold() {
    EXPECT_EQ(results_.front().status.code(), Code::kOk);
    for (std::size_t i = 1; i < results_.size(); ++i) {
      EXPECT_EQ(results_[i].status.code(), Code::kUnknownOutcome) << "write " << i;
    }
    for (const WriteResult& result : results_) {
      EXPECT_LE(result.sequence, path_.LastSequence());
    }
    EXPECT_EQ(path_.LastSequence(), 1u);
    const TestBatch later{'z'};
    EXPECT_EQ(path_.Write({}, &later).status.code(), Code::kAborted);
  }
};

TEST_P(UpstreamDefectTest, L1TwoFollowersFailAtOnce) {
  std::atomic<int> errors = 0;
  HookedSync::on_action = [&](std::string_view action) {
    Count(action);
    if (!Parallel() || action != "MemTableError") return;
    // Relaxed, so that nothing but the protocol orders what the two do next.
    errors.fetch_add(1, std::memory_order_relaxed);
    while (errors.load(std::memory_order_relaxed) < 2) std::this_thread::yield();
  };
  memtable_.fail_at = 'x';
  RunGroup("bxx");
  ExpectTold();
}

TEST_P(UpstreamDefectTest, L2AFollowerThatFailsFinishesLast) {
  Gate others_are_through;
  std::atomic<int> completed = 0;
  HookedSync::on_action = [&](std::string_view action) {
    Count(action);
    if (action == "CompleteParallelMemTableWriter" && ++completed == 2) others_are_through.Open();
  };
  memtable_.fail_at = 'x';
  memtable_.gate = &others_are_through;
  if (!Parallel()) others_are_through.Open();
  RunGroup("bxd");
  ExpectTold();
}

TEST_P(UpstreamDefectTest, L7TheGroupBehindAFailedOne) {
  Gate insert;
  memtable_.gate = &insert;
  memtable_.fail_at = 'x';
  Queue({'x'});
  Queue({'b'});
  gate_.Open();
  const bool pipelined = GetParam().options.enable_pipelined_write;
  while (pipelined && log_.Records() < 2) std::this_thread::yield();
  insert.Open();
  Run();
  EXPECT_EQ(results_[0].status.code(), Code::kUnknownOutcome);
  EXPECT_EQ(results_[1].status.code(), pipelined ? Code::kUnknownOutcome : Code::kAborted);
  EXPECT_EQ(path_.LastSequence(), 0u);
}

TEST_P(UpstreamDefectTest, L9AFollowerFailsInAGroup) {
  memtable_.fail_at = 'x';
  RunGroup("bxd");
  ExpectTold();
}

INSTANTIATE_TEST_SUITE_P(EveryMode, UpstreamDefectTest, ::testing::ValuesIn(kModes),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace bellwether
