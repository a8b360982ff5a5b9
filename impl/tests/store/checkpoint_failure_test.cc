// Checkpoints: power failures, errors and a full disk at each of their steps, with mutants that
// forget a duty; snapshots that are damaged at each byte.

#include <gmock/gmock.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>

#include "store_fixture.h"
#include "stress/mutant_file_system.h"

namespace bellwether {
namespace {

using stress::FileOperation;
using stress::Mutant;
using stress::MutantFileSystem;
using testing::AnyOf;
using testing::HasSubstr;

// A checkpoint between writes, with the power cut at each of its steps in turn.
class InterruptedCheckpointTest : public StoreTest {
 protected:
  enum class Story : uint8_t { kPlain, kRenameFails, kDiesAfterRename };

  struct Verdict {
    uint64_t lives = 0;
    uint64_t violations = 0;
    std::string first;
  };

  // Keys are written in the order of the alphabet, so what is kept is told by the last one.
  void Step(bool sync) {
    const std::string key(1, static_cast<char>('a' + written_));
    if (!store_->Put({.sync = sync}, key, "value of " + key).status.ok()) return;
    ++written_;
    if (sync) kept_ = written_;
  }

  void TakeCheckpoint() {
    if (store_->Checkpoint().ok()) kept_ = written_;
  }

  // Empty: all is well.
  std::string AfterCrash() {
    const Status status = Open();
    if (!status.ok()) return status.ToString();
    const Contents found = All();
    if (found.size() < kept_) return "kept " + std::to_string(found.size()) + " of what it must";
    size_t index = 0;
    for (const auto& [key, value] : found) {
      if (key[0] != static_cast<char>('a' + index) || value != "value of " + key) return "a hole";
      ++index;
    }
    if (store_->GetStats().recovery.undecided != 1) return "the prepared transaction is lost";
    written_ = found.size();
    return "";
  }

  std::string Live(Story story, uint64_t step, uint64_t seed, bool* interrupted) {
    RestoreFiles({});
    written_ = kept_ = 0;
    if (Status status = Open(); !status.ok()) return status.ToString();
    WriteBatch prepared;
    if (!prepared.Put("zz", "1").ok() || !store_->Prepare(kSync, "x", &prepared).ok()) return "x";
    Step(true);
    TakeCheckpoint();
    Step(true);
    Step(false);
    if (story == Story::kRenameFails) disk_.InjectFault({.operation = FileOperation::kRename});
    if (story == Story::kDiesAfterRename) {
      disk_.InjectFault({.operation = FileOperation::kSyncDirectory, .nth = 3});
      TakeCheckpoint();
      Die();
      disk_.PowerOffAt(step);
      (void)Open();
    } else {
      disk_.PowerOffAt(step);
      TakeCheckpoint();
      Step(false);
      Step(true);
    }
    *interrupted = disk_.powered_off();
    store_.reset();
    disk_.Crash(seed);
    std::string violation = AfterCrash();
    if (!violation.empty()) return violation;
    Step(true);
    TakeCheckpoint();
    Step(true);
    store_.reset();
    disk_.Crash(seed + 1);
    return AfterCrash();
  }

  Verdict Run(std::optional<Mutant> mutant, uint64_t seeds) {
    MutantFileSystem file_system(&disk_, kDirectory, mutant);
    options_.file_system = &file_system;
    Verdict verdict;
    for (const Story story : {Story::kPlain, Story::kRenameFails, Story::kDiesAfterRename}) {
      bool interrupted = true;
      for (uint64_t step = 1; interrupted; ++step) {
        for (uint64_t seed = 0; seed < seeds; ++seed) {
          const std::string violation = Live(story, step, seed, &interrupted);
          ++verdict.lives;
          if (violation.empty()) continue;
          if (verdict.violations++ == 0) {
            verdict.first = "story " + std::to_string(static_cast<int>(story)) + " step " +
                            std::to_string(step) + " seed " + std::to_string(seed) + ": " +
                            violation;
          }
        }
      }
    }
    store_.reset();
    options_.file_system = PosixFileSystem::Default();
    return verdict;
  }

  size_t written_ = 0;
  size_t kept_ = 0;  // of those, how many no crash may take
};

TEST_F(InterruptedCheckpointTest, ThePowerFailsAtEachStep) {
  const Verdict verdict = Run(std::nullopt, 40);
  EXPECT_EQ(verdict.violations, 0U) << verdict.first;
  EXPECT_GE(verdict.lives, 400U);
}

TEST_F(InterruptedCheckpointTest, WithoutOneDutyDataIsLost) {
  for (const Mutant mutant : {Mutant::kNoRotatedLogFsync, Mutant::kNoSnapshotFsync,
                              Mutant::kNoRenameFsync, Mutant::kNoRecoveryFsync}) {
    EXPECT_GT(Run(mutant, 40).violations, 0U) << static_cast<int>(mutant);
  }
}

class FailingCheckpointTest : public StoreTest {
 protected:
  // Logs and a snapshot from before, and an undecided transaction.
  void Begin() {
    RestoreFiles({});
    Reopen();
    for (int i = 0; i < 20; ++i) Put("key" + std::to_string(i), std::string(10, 'v'));
    ASSERT_TRUE(store_->Checkpoint().ok());
    WriteBatch prepared;
    ASSERT_TRUE(prepared.Put("x", "1").ok() && store_->Prepare({}, "x", &prepared).ok());
    Put("key3", "new", kSync);
  }

  // Nothing is lost, and unless the log has failed the store goes on.
  void Check(const Status& failed) {
    Contents expected = All();
    const Status put = store_->Put(kSync, "later", "1").status;
    if (put.ok()) {
      expected["later"] = "1";
      const Status again = store_->Checkpoint();
      EXPECT_TRUE(again.ok()) << again.ToString();
    } else {
      EXPECT_EQ(put.code(), Status::Code::kAborted) << failed.ToString();
    }
    Die();
    Reopen(RecoveryMode::kAbsolute);
    EXPECT_EQ(All(), expected);
    EXPECT_EQ(store_->GetStats().recovery.undecided, 1U);
  }
};

TEST_F(FailingCheckpointTest, EachOperationFailsInTurn) {
  for (const FileOperation operation :
       {FileOperation::kCreate, FileOperation::kAppend, FileOperation::kSync,
        FileOperation::kSyncDirectory, FileOperation::kRemove, FileOperation::kRename}) {
    for (uint64_t nth = 1; nth < 20; ++nth) {
      SCOPED_TRACE(testing::Message() << static_cast<int>(operation) << " nth " << nth);
      Begin();
      disk_.InjectFault({.operation = operation, .nth = nth, .short_write = nth});
      const Status status = store_->Checkpoint();
      if (!status.ok()) {
        EXPECT_EQ(status.error_number(), EIO);
        EXPECT_FALSE(status.file().empty());
      }
      const bool hit = !status.ok() || operation == FileOperation::kRemove;
      if (!hit) break;
      Check(status);
    }
  }
}

TEST_F(FailingCheckpointTest, TheDiskIsFullAtEachByte) {
  Begin();
  uint64_t used = 0;
  for (const auto& [name, contents] : Files()) used += contents.size();
  bool failed = true;
  uint64_t failures = 0;
  for (uint64_t room = 0; failed; ++room) {
    SCOPED_TRACE(room);
    Begin();
    disk_.SetCapacity(used + room);
    const Status status = store_->Checkpoint();
    failed = !status.ok();
    if (failed) {
      ++failures;
      EXPECT_EQ(status.error_number(), ENOSPC);
      EXPECT_THAT(status.ToString(), AnyOf(HasSubstr("MANIFEST.tmp"), HasSubstr(".snapshot.tmp")));
      for (const std::string& name : Names()) EXPECT_THAT(name, testing::Not(HasSubstr("tmp")));
    }
    disk_.SetCapacity(std::numeric_limits<uint64_t>::max());
    Check(status);
  }
  EXPECT_GT(failures, 500U) << "at each byte of the snapshot";
}

class DamagedSnapshotTest : public StoreTest {
 protected:
  void Begin() {
    Reopen();
    for (const char* key : {"a", "b", "c"}) Put(key, std::string(20, *key));
    WriteBatch prepared;
    ASSERT_TRUE(prepared.Put("x", "1").ok() && store_->Prepare({}, "x", &prepared).ok());
    ASSERT_TRUE(store_->Sync().ok());
    before_ = Files();
    ASSERT_TRUE(store_->Checkpoint().ok());
    Put("d", "4", kSync);
    all_ = All();
    Die();
    files_ = Files();
  }

  void Check(const std::string& damaged) {
    Contents files = files_;
    files["000002.snapshot"] = damaged;
    for (const RecoveryMode mode :
         {RecoveryMode::kTolerateTornTail, RecoveryMode::kAbsolute, RecoveryMode::kPointInTime}) {
      RestoreFiles(files);
      const Status status = Open(mode);
      ASSERT_EQ(status.code(), Status::Code::kCorruption) << "less data, and nobody is told";
      EXPECT_EQ(status.file(), SnapshotFile(2));
      EXPECT_THAT(status.ToString(), HasSubstr("skip_corrupt"));
      EXPECT_EQ(Files(), files) << "a refused open changes nothing";
    }
    Reopen(RecoveryMode::kSkipCorrupt);
    EXPECT_NE(store_->GetStats().recovery.gaps, nullptr);
    const Contents salvaged = All();
    EXPECT_EQ(Get("d"), "4") << "the log behind the snapshot is whole";
    for (const auto& [key, value] : salvaged) EXPECT_EQ(all_[key], value);
    disk_.Crash(1);
    Reopen(RecoveryMode::kAbsolute);
    EXPECT_EQ(All(), salvaged) << "what was salvaged is durable";
    EXPECT_EQ(store_->GetStats().recovery.gaps, nullptr);
    // The logs from before the snapshot are still there: nothing is lost.
    files["000001.log"] = before_["000001.log"];
    RestoreFiles(files);
    EXPECT_EQ(Open().code(), Status::Code::kCorruption);
    Reopen(RecoveryMode::kPointInTime);
    EXPECT_EQ(All(), all_);
    EXPECT_EQ(store_->GetStats().recovery.undecided, 1U);
  }

  Contents before_, files_, all_;
};

TEST_F(DamagedSnapshotTest, EveryFlippedByte) {
  Begin();
  const std::string whole = files_["000002.snapshot"];
  ASSERT_GT(whole.size(), 100U);
  for (size_t at = 0; at < whole.size(); ++at) {
    SCOPED_TRACE(at);
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ (1 << (at % 8)));
    Check(damaged);
  }
}

TEST_F(DamagedSnapshotTest, CutAtEveryByteOrTooLong) {
  Begin();
  const std::string whole = files_["000002.snapshot"];
  for (size_t size = 0; size < whole.size(); ++size) {
    SCOPED_TRACE(size);
    Check(whole.substr(0, size));
  }
  Check(whole + "x");
  Check(whole + whole);
}

}  // namespace
}  // namespace bellwether
