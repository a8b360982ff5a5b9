// What the log of a store counts, and when it says that a checkpoint is due.
#include "bellwether/store/store_log.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "../storage/test_log.h"
#include "bellwether/sync/std_sync.h"

namespace bellwether {
namespace {

using testing::BatchOfSize;
using testing::FileJournal;
using testing::MemoryFile;
using testing::TestGroup;

class StoreLogTest : public ::testing::Test {
 protected:
  static constexpr size_t kRecord = 100;
  static constexpr uint64_t kLimit = 2 * kRecord;

  // A group of so many writers, which takes a hundred bytes or more of the log.
  void Add(size_t writers = 1) {
    TestGroup group{{BatchOfSize(kRecord - kWalHeaderSize)}};
    group.batches.resize(writers);
    ASSERT_TRUE(log_.AddRecord(next_++, group).ok());
  }

  void Rotate(uint64_t number) {
    ASSERT_TRUE(log_.Rotate(std::make_unique<MemoryFile>(&second_), number).ok());
  }

  Stats Counted() const {
    Stats stats;
    log_.CountInto(&stats);
    return stats;
  }

  FileJournal first_, second_;
  SequenceNumber next_ = 1;
  StoreLog<StdSync> log_{std::make_unique<MemoryFile>(&first_), 7, {.next_sequence = 1}, kLimit};
};

TEST_F(StoreLogTest, CountsGroupsBySize) {
  for (const size_t writers : {1U, 63U, 64U, 65U, 1000U}) Add(writers);
  const Stats stats = Counted();
  EXPECT_EQ(stats.groups, 5U);
  EXPECT_EQ(stats.writers, 1193U);
  EXPECT_EQ(stats.group_sizes[1], 1U);
  EXPECT_EQ(stats.group_sizes[63], 1U);
  EXPECT_EQ(stats.group_sizes[64], 3U);
  EXPECT_EQ(stats.log_bytes, first_.contents.size());
}

TEST_F(StoreLogTest, CountsWhatSucceedsOnly) {
  Add();
  EXPECT_TRUE(log_.Sync().ok());
  Rotate(8);
  EXPECT_EQ(log_.LogNumber(), 8U);
  EXPECT_EQ(Counted().syncs, 2U) << "a rotation syncs";
  EXPECT_EQ(Counted().rotations, 1U);
  second_.fail_sync = 1;
  EXPECT_FALSE(log_.Sync().ok());
  EXPECT_FALSE(log_.AddRecord(next_, TestGroup{{BatchOfSize(kRecord)}}).ok());
  FileJournal third;
  EXPECT_FALSE(log_.Rotate(std::make_unique<MemoryFile>(&third), 9).ok());
  EXPECT_EQ(log_.LogNumber(), 8U);
  EXPECT_EQ(Counted().syncs, 2U);
  EXPECT_EQ(Counted().rotations, 1U);
  EXPECT_EQ(Counted().groups, 1U);
  EXPECT_TRUE(log_.Close().ok());
  EXPECT_EQ(second_.closes, 1);
}

TEST_F(StoreLogTest, ACheckpointIsDueBehindTheLimit) {
  Add();
  Add();
  EXPECT_EQ(first_.contents.size(), kLimit);
  EXPECT_FALSE(log_.CheckpointDue());
  Add();
  EXPECT_TRUE(log_.CheckpointDue());
  log_.PutOff();
  EXPECT_FALSE(log_.CheckpointDue());
  EXPECT_EQ(log_.BytesSinceCheckpoint(), 0U);
  Add();
  Add();
  EXPECT_FALSE(log_.CheckpointDue());
  Add();
  EXPECT_TRUE(log_.CheckpointDue());
  Rotate(8);
  EXPECT_FALSE(log_.CheckpointDue());
  EXPECT_EQ(log_.BytesSinceCheckpoint(), 0U) << "what was put off was another file's";
  for (int i = 0; i < 3; ++i) Add();
  EXPECT_TRUE(log_.CheckpointDue());
  log_.NeverDue();
  EXPECT_FALSE(log_.CheckpointDue());
}

}  // namespace
}  // namespace bellwether
