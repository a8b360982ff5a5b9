// Stalls, no_slowdown and disable_wal, in every mode.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <thread>

#include "tests/write_path/write_path_fixture.h"

namespace bellwether {
namespace {

using ::testing::ElementsAre;

class WriteStallTest : public WritePathTest {
 protected:
  // The group behind the first one finds the log too large.
  void StallTheSecondGroup() {
    log_.bytes = 1000;
    gate_.Open();
    WaitForStall();
  }
};

TEST_P(WriteStallTest, AWriteWithoutLogIsInsertedAndHasAGroupOfItsOwnKind) {
  Queue({'a'});
  Queue({'b'});
  Queue({'c', 2}, WriteOptions{.disable_wal = true});
  Queue({'d'});
  Run();
  EXPECT_THAT(log_.records, ElementsAre("a", "bd"));
  EXPECT_EQ(memtable_.Inserted(), "abcd");
  EXPECT_EQ(path_.LastSequence(), 5u);
  EXPECT_EQ(results_[2].sequence, 4u);
}

TEST_P(WriteStallTest, DisableWalExcludesWhatNeedsTheLog) {
  const TestBatch batch{'a'};
  EXPECT_EQ(path_.Write({.sync = true, .disable_wal = true}, &batch).status.code(),
            Code::kInvalidArgument);
  EXPECT_EQ(path_.Write({.disable_wal = true, .disable_memtable = true}, &batch).status.code(),
            Code::kInvalidArgument);
  EXPECT_EQ(Linked(), 0);
}

TEST_P(WriteStallTest, WritersWithAndWithoutNoSlowdownDoNotMix) {
  Queue({'a'});
  Queue({'b'});
  Queue({'c'}, WriteOptions{.no_slowdown = true});
  Queue({'d'});
  Run();
  EXPECT_THAT(log_.records, ElementsAre("a", "bd", "c"));
}

TEST_P(WriteStallTest, AStallFailsNoSlowdownAtOnceAndEndsWithTheCheckpoint) {
  Queue({'a'});
  Queue({'b'});
  Queue({'c'}, WriteOptions{.no_slowdown = true});
  Queue({'d'});
  Queue({'e'}, WriteOptions{.no_slowdown = true});
  StallTheSecondGroup();
  const TestBatch refused{'f'};
  EXPECT_EQ(path_.Write({.no_slowdown = true}, &refused).status.code(), Code::kIncomplete);
  std::thread waits([&] {
    const TestBatch late{'g'};
    EXPECT_TRUE(path_.Write({}, &late).status.ok());
  });
  const Status checkpoint = path_.RunUnbatched([&] {
    log_.bytes = 0;
    return Status::OK();
  });
  EXPECT_TRUE(checkpoint.ok());
  waits.join();
  Run();
  EXPECT_THAT(Codes(),
              ElementsAre(Code::kOk, Code::kOk, Code::kIncomplete, Code::kOk, Code::kIncomplete));
  EXPECT_EQ(memtable_.Inserted(), "abdg");
  EXPECT_EQ(path_.LastSequence(), 4u);
  // It relieves once, and the limit itself is not too large.
  log_.bytes = 100;
  EXPECT_TRUE(path_.Write({.no_slowdown = true}, &refused).status.ok());
  log_.bytes = 101;
  EXPECT_EQ(path_.Write({.no_slowdown = true}, &refused).status.code(), Code::kIncomplete);
}

TEST_P(WriteStallTest, AWriteWithoutMemtableStallsToo) {
  gate_.Open();
  log_.bytes = 1000;
  Gate blocks;
  HookedSync::before_blocking = [&] { blocks.Open(); };
  std::thread prepares([&] {
    const TestBatch prepare{'p'};
    EXPECT_TRUE(path_.Write({.disable_memtable = true}, &prepare).status.ok());
  });
  blocks.Pass();
  EXPECT_TRUE(path_
                  .RunUnbatched([&] {
                    log_.bytes = 0;
                    return Status::OK();
                  })
                  .ok());
  prepares.join();
  HookedSync::Unhook();
  EXPECT_TRUE(path_.Quiet());
}

TEST_P(WriteStallTest, ALeaderWithNoSlowdownFailsItsGroupInsteadOfStalling) {
  Queue({'a'});
  Queue({'b'}, WriteOptions{.no_slowdown = true});
  Queue({'c'}, WriteOptions{.no_slowdown = true});
  log_.bytes = 1000;
  Run();
  EXPECT_THAT(log_.records, ElementsAre("a"));
  EXPECT_THAT(Codes(), ElementsAre(Code::kOk, Code::kIncomplete, Code::kIncomplete));
  EXPECT_EQ(path_.LastSequence(), 1u);
  log_.bytes = 0;
  const TestBatch later{'d'};
  EXPECT_TRUE(path_.Write({}, &later).status.ok()) << "the refusal has poisoned the path";
}

TEST_P(WriteStallTest, CloseEndsAStall) {
  Queue({'a'});
  Queue({'b'});
  StallTheSecondGroup();
  EXPECT_TRUE(path_.Close().ok());
  Run();
  EXPECT_THAT(Codes(), ElementsAre(Code::kOk, Code::kOk));
}

TEST_P(WriteStallTest, APoisonedPathDoesNotStall) {
  if (!GetParam().options.enable_pipelined_write) {
    // Elsewhere nobody else can meet an error while the leader stalls: the path is poisoned first.
    log_.fail_record += 'a';
    Queue({'a'});
    Queue({'b'});
    log_.bytes = 1000;
    Run();
    EXPECT_THAT(Codes(), ElementsAre(Code::kUnknownOutcome, Code::kAborted));
    const TestBatch later{'c'};
    EXPECT_EQ(path_.Write({.no_slowdown = true}, &later).status.code(), Code::kAborted);
    return;
  }
  Gate insert;
  memtable_.gate = &insert;
  memtable_.fail_at = 'a';
  Queue({'a'});
  Queue({'b'});
  StallTheSecondGroup();
  insert.Open();
  Run();
  EXPECT_THAT(Codes(), ElementsAre(Code::kUnknownOutcome, Code::kAborted));
}

INSTANTIATE_TEST_SUITE_P(EveryMode, WriteStallTest, ::testing::ValuesIn(kModes),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace bellwether
