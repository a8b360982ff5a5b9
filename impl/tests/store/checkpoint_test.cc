// Checkpoints: what they keep and what they remove, in every mode; that no stall waits for ever;
// one that fails holds nobody up.

#include <gmock/gmock.h>

#include <cerrno>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "store_fixture.h"
#include "stress/modes.h"

namespace bellwether {
namespace {

using stress::FileOperation;
using testing::ElementsAre;

class CheckpointTest : public StoreTest, public testing::WithParamInterface<stress::Mode> {
 protected:
  CheckpointTest() { write_path_ = GetParam().options; }

  void Checkpoint() {
    const Status status = store_->Checkpoint();
    ASSERT_TRUE(status.ok()) << status.ToString();
  }

  uint64_t Undecided() const { return store_->GetStats().recovery.undecided; }
};

TEST_P(CheckpointTest, TheLogsGoAndTheStateStays) {
  Reopen();
  for (int i = 0; i < 100; ++i) Put("key" + std::to_string(i % 40), std::to_string(i));
  ASSERT_TRUE(store_->Delete({}, "key7").status.ok());
  const Contents before = All();
  std::unique_ptr<WritableFile> unfinished;
  ASSERT_TRUE(disk_.NewWritableFile("/store/000001.snapshot.tmp", &unfinished).ok());
  Checkpoint();
  EXPECT_EQ(All(), before);
  EXPECT_THAT(Names(), ElementsAre("000002.log", "000002.snapshot", "LOCK", "MANIFEST"));
  EXPECT_EQ(store_->GetStats().snapshot_bytes, Read(SnapshotFile(2)).size());
  EXPECT_EQ(store_->Put({}, "later", "1").sequence, 102U);
  disk_.Kill();
  Reopen(RecoveryMode::kAbsolute);
  Contents after = before;
  after["later"] = "1";
  EXPECT_EQ(All(), after);
  const RecoveryReport& report = store_->GetStats().recovery;
  EXPECT_EQ(report.snapshot_sequence, 101U);
  EXPECT_EQ(report.snapshot_entries, 39U);
  EXPECT_EQ(report.records, 1U);
  EXPECT_EQ(report.gaps, nullptr);
  std::unique_ptr<Store::Iterator> iterator;
  ASSERT_TRUE(store_->NewIterator({}, &iterator).ok());
  iterator->Seek("key39");
  EXPECT_EQ(iterator->sequence(), 80U) << "entries keep their own sequence";
}

TEST_P(CheckpointTest, AgainAndAgainLeavesOneOfEach) {
  Reopen();
  Checkpoint();
  for (int i = 0; i < 5; ++i) {
    Put("key", std::to_string(i));
    Checkpoint();
    Checkpoint();
    Reopen();
    EXPECT_EQ(Get("key"), std::to_string(i));
  }
  EXPECT_EQ(Names().size(), 4U);
  Reopen();
  EXPECT_EQ(Names().size(), 4U);
  EXPECT_EQ(store_->Put({}, "key", "5").sequence, 6U);
}

TEST_P(CheckpointTest, SnapshotsAndIteratorsGoOn) {
  Reopen();
  Put("a", "old");
  const Snapshot snapshot = store_->GetSnapshot();
  std::unique_ptr<Store::Iterator> iterator;
  ASSERT_TRUE(store_->NewIterator({}, &iterator).ok());
  Put("a", "new");
  Checkpoint();
  Put("a", "newer");
  EXPECT_EQ(Get("a", &snapshot), "old");
  iterator->SeekToFirst();
  EXPECT_EQ(iterator->value(), "old");
}

TEST_P(CheckpointTest, KeepsWhatWasNotLogged) {
  Reopen();
  Put("lost", "1", {.disable_wal = true});
  disk_.Crash(1);
  Reopen();
  EXPECT_EQ(All(), Contents{}) << "what disable_wal costs";
  Put("a", "1", {.disable_wal = true});
  Put("b", "2");
  Put("c", "3", {.disable_wal = true});
  Checkpoint();
  Put("d", "4", {.disable_wal = true});
  Put("e", "5", kSync);
  disk_.Crash(2);
  Reopen(RecoveryMode::kAbsolute);
  EXPECT_EQ(All(), (Contents{{"a", "1"}, {"b", "2"}, {"c", "3"}, {"e", "5"}}));
}

// The log names the gap from where it ended, not from where the snapshot would have.
TEST_P(CheckpointTest, AGapAcrossARotationWithoutItsSnapshotIsNamed) {
  Reopen();
  Put("a", "1");
  Put("b", "2", {.disable_wal = true});
  disk_.InjectFault({.operation = FileOperation::kRename});
  EXPECT_EQ(store_->Checkpoint().error_number(), EIO);
  Put("c", "3", kSync);
  disk_.Crash(3);
  Reopen(RecoveryMode::kAbsolute);
  EXPECT_EQ(All(), (Contents{{"a", "1"}, {"c", "3"}}));
}

TEST_P(CheckpointTest, UndecidedTransactionsStandInTheSnapshot) {
  Reopen();
  WriteBatch x, y, z;
  ASSERT_TRUE(x.Put("x", "1").ok() && y.Put("y", "1").ok() && z.Put("z", "1").ok());
  ASSERT_TRUE(store_->Prepare({}, "x", &x).ok());
  ASSERT_TRUE(store_->Prepare({}, "y", &y).ok());
  ASSERT_TRUE(store_->Prepare({}, "z", &z).ok());
  ASSERT_TRUE(store_->Commit({}, "z").status.ok());
  Checkpoint();
  ASSERT_TRUE(store_->Rollback(kSync, "y").ok());
  disk_.Crash(1);
  Reopen(RecoveryMode::kAbsolute);
  EXPECT_EQ(Undecided(), 1U);
  Checkpoint();
  disk_.Crash(2);
  Reopen(RecoveryMode::kAbsolute);
  EXPECT_EQ(Undecided(), 1U);
  ASSERT_TRUE(store_->Commit(kSync, "x").status.ok());
  disk_.Crash(3);
  Reopen(RecoveryMode::kAbsolute);
  EXPECT_EQ(Undecided(), 0U);
  EXPECT_EQ(All(), (Contents{{"x", "1"}, {"z", "1"}}));
}

TEST_P(CheckpointTest, WritersGoOnMeanwhile) {
  Reopen();
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 300; ++i) {
        const std::string key = std::to_string(t) + "-" + std::to_string(i % 50);
        EXPECT_TRUE(store_->Put({.sync = i % 7 == 0}, key, std::to_string(i)).status.ok());
      }
    });
  }
  for (int i = 0; i < 20; ++i) Checkpoint();
  for (std::thread& thread : threads) thread.join();
  EXPECT_TRUE(store_->Quiet());
  const Contents before = All();
  EXPECT_EQ(before.size(), 150U);
  EXPECT_EQ(store_->GetStats().checkpoints, 20U);
  EXPECT_EQ(store_->GetStats().rotations, 20U);
  Die();
  Reopen(RecoveryMode::kAbsolute);
  EXPECT_EQ(All(), before);
}

TEST_P(CheckpointTest, CloseEndsIt) {
  Reopen();
  for (int i = 0; i < 2000; ++i) Put(std::to_string(i), "v");
  const Contents before = All();
  std::thread checkpoint([&] {
    const Status status = store_->Checkpoint();
    EXPECT_TRUE(status.ok() || status.code() == Status::Code::kAborted) << status.ToString();
  });
  EXPECT_TRUE(store_->Close().ok());
  EXPECT_EQ(store_->Checkpoint().code(), Status::Code::kAborted);
  checkpoint.join();
  Reopen(RecoveryMode::kAbsolute);
  EXPECT_EQ(All(), before);
}

TEST_P(CheckpointTest, APoisonedPathTakesNone) {
  Reopen();
  Put("a", "1", kSync);
  disk_.InjectFault({.operation = FileOperation::kSync});
  EXPECT_FALSE(store_->Put(kSync, "b", "2").status.ok());
  EXPECT_FALSE(store_->Checkpoint().ok());
  EXPECT_THAT(Names(), ElementsAre("000001.log", "LOCK", "MANIFEST"));
  EXPECT_EQ(store_->GetStats().failed_checkpoints, 1U);
}

// The rotated log's own sync fails: the log is the store's last word, as after any failed sync.
TEST_P(CheckpointTest, AFailedSyncOfTheRotatedLogPoisons) {
  Reopen();
  Put("a", "1", kSync);
  Put("b", "2");
  disk_.InjectFault({.operation = FileOperation::kSync, .nth = 3});
  const Status failed = store_->Checkpoint();
  EXPECT_EQ(failed.error_number(), EIO);
  EXPECT_EQ(failed.file(), Log(1));
  for (const WriteOptions& options : {WriteOptions{}, kSync, WriteOptions{.disable_wal = true}}) {
    const Status refused = store_->Put(options, "c", "3").status;
    EXPECT_EQ(refused.code(), Status::Code::kAborted);
    EXPECT_EQ(refused.error_number(), EIO);
  }
  EXPECT_EQ(Get("b"), "2");
  EXPECT_FALSE(store_->Close().ok());
  disk_.Crash(1);
  Reopen();
  EXPECT_EQ(Get("a"), "1");
}

class MaxLogBytesTest : public CheckpointTest {
 protected:
  static constexpr size_t kLimit = 4000;
  MaxLogBytesTest() { write_path_.max_log_bytes = kLimit; }

  void WriteFromThreads(int threads, int writes, const WriteOptions& options = {}) {
    std::vector<std::thread> running;
    for (int t = 0; t < threads; ++t) {
      running.emplace_back([&, t] {
        for (int i = 0; i < writes; ++i) {
          const std::string key = std::to_string(t) + "-" + std::to_string(i);
          const Status status = store_->Put(options, key, std::string(100, 'v')).status;
          EXPECT_TRUE(status.ok() ||
                      (options.no_slowdown && status.code() == Status::Code::kIncomplete))
              << status.ToString();
        }
      });
    }
    for (std::thread& thread : running) thread.join();
  }
};

TEST_P(MaxLogBytesTest, TheWriterThatCrossesItTakesACheckpoint) {
  Reopen();
  WriteFromThreads(1, 200);
  const Stats stats = store_->GetStats();
  EXPECT_EQ(stats.checkpoints, stats.log_bytes / (kLimit + 130));
  EXPECT_EQ(stats.failed_checkpoints, 0U);
  EXPECT_THAT(Names(), testing::SizeIs(4));
  Reopen(RecoveryMode::kAbsolute);
  EXPECT_EQ(All().size(), 200U);
}

TEST_P(MaxLogBytesTest, NobodyWaitsForEver) {
  Reopen();
  WriteFromThreads(8, 200);
  EXPECT_TRUE(store_->Quiet());
  EXPECT_GE(store_->GetStats().checkpoints, 5U);
  Die();
  Reopen(RecoveryMode::kAbsolute);
  EXPECT_EQ(All().size(), 1600U);
}

TEST_P(MaxLogBytesTest, WithoutSlowdownTheWriterStillTakesIt) {
  Reopen();
  WriteFromThreads(4, 200, {.no_slowdown = true});
  EXPECT_GE(store_->GetStats().checkpoints, 2U);
  EXPECT_TRUE(store_->Put({.no_slowdown = true}, "last", "").status.ok());
}

TEST_P(MaxLogBytesTest, TransactionsCountToo) {
  Reopen();
  WriteBatch batch;
  ASSERT_TRUE(batch.Put("k", std::string(kLimit, 'v')).ok());
  ASSERT_TRUE(store_->Prepare({}, "x", &batch).ok());
  EXPECT_EQ(store_->GetStats().checkpoints, 1U);
  ASSERT_TRUE(store_->Commit({}, "x").status.ok());
  EXPECT_EQ(store_->GetStats().checkpoints, 1U) << "a commit is short";
}

TEST_P(MaxLogBytesTest, CheckpointsThatFailHoldNobodyUp) {
  for (const FileOperation operation :
       {FileOperation::kCreate, FileOperation::kRename, FileOperation::kSyncDirectory}) {
    Reopen();
    disk_.InjectFault({.operation = operation, .error_number = ENOSPC, .sticky = true});
    WriteFromThreads(4, 100);
    const Stats stats = store_->GetStats();
    EXPECT_EQ(stats.checkpoints, 0U);
    EXPECT_GE(stats.failed_checkpoints, 2U);
    EXPECT_LE(stats.failed_checkpoints, stats.log_bytes / kLimit) << "not at each write";
    EXPECT_EQ(store_->Checkpoint().error_number(), ENOSPC);
    disk_.Kill();
    Reopen(RecoveryMode::kAbsolute);
    EXPECT_EQ(All().size(), 400U);
    RestoreFiles({});
  }
}

TEST_P(MaxLogBytesTest, PoisonEndsIt) {
  Reopen();
  // After those of the new log and the manifest: of the log that it takes the place of.
  disk_.InjectFault({.operation = FileOperation::kSync, .nth = 3, .sticky = true});
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 100; ++i) (void)store_->Put({}, "k", std::string(100, 'v'));
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(store_->Put({}, "k", "").status.code(), Status::Code::kAborted);
  EXPECT_LE(store_->GetStats().failed_checkpoints, 2U) << "not at each write";
}

INSTANTIATE_TEST_SUITE_P(EveryMode, CheckpointTest, testing::ValuesIn(stress::kModes),
                         [](const auto& info) { return std::string(info.param.name); });
INSTANTIATE_TEST_SUITE_P(EveryMode, MaxLogBytesTest, testing::ValuesIn(stress::kModes),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace bellwether
