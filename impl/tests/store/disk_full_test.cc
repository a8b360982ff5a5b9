// The disk is full at each byte: of each kind of write in every mode, and of an Open. What was
// acknowledged is there, what was refused is not, and the errors say what, where and what to do.

#include <gmock/gmock.h>

#include <cerrno>
#include <functional>
#include <limits>
#include <set>
#include <string>
#include <vector>

#include "store_fixture.h"
#include "stress/modes.h"

namespace bellwether {
namespace {

using testing::HasSubstr;

constexpr uint64_t kNoLimit = std::numeric_limits<uint64_t>::max();

class DiskFullTest : public StoreTest {
 protected:
  uint64_t Used() {
    uint64_t used = 0;
    for (const auto& [name, contents] : Files()) used += contents.size();
    return used;
  }

  std::set<std::string> Undecided() const {
    std::vector<RecoveredTransaction> transactions;
    EXPECT_TRUE(store_->RecoveredTransactions(&transactions).ok());
    std::set<std::string> xids;
    for (const RecoveredTransaction& transaction : transactions) xids.insert(transaction.xid);
    return xids;
  }
};

class FullWhileWritingTest : public DiskFullTest, public testing::WithParamInterface<stress::Mode> {
 protected:
  FullWhileWritingTest() { write_path_ = GetParam().options; }

  struct Step {
    std::function<Status()> call;
    std::function<void()> effect;
  };

  std::vector<Step> Steps() {
    return {
        {[this] { return store_->Put({}, "a", std::string(50, 'a')).status; },
         [this] { kept_["a"] = std::string(50, 'a'); }},
        {[this] { return store_->Prepare({}, "x", &of_x_); }, [this] { undecided_ = {"x"}; }},
        {[this] { return store_->Sync(); }, [] {}},
        {[this] { return store_->Put(kSync, "b", "2").status; }, [this] { kept_["b"] = "2"; }},
        {[this] { return store_->Prepare(kSync, "y", &of_y_); },
         [this] { undecided_.insert("y"); }},
        {[this] { return store_->Commit({}, "x").status; },
         [this] {
           undecided_.erase("x");
           kept_["x"] = "1";
         }},
        {[this] { return store_->Delete({}, "a").status; }, [this] { kept_.erase("a"); }},
        {[this] { return store_->Rollback({}, "y"); }, [this] { undecided_.erase("y"); }},
    };
  }

  // Fills the disk with so much room left. False if it was enough.
  bool Fill(uint64_t room) {
    RestoreFiles({});
    Reopen();
    disk_.SetCapacity(Used() + room);
    kept_.clear();
    undecided_.clear();
    Status error;
    for (const Step& step : Steps()) {
      const Status status = step.call();
      if (status.ok()) {
        EXPECT_TRUE(error.ok());
        step.effect();
        continue;
      }
      // A transaction that was not prepared cannot be decided.
      if (!error.ok() && status.IsNotFound()) continue;
      const bool first = error.ok();
      if (first) error = status;
      const bool unknown_before = status.ToString().find("earlier call") != std::string::npos;
      EXPECT_EQ(status.code(), first ? Status::Code::kUnknownOutcome : Status::Code::kAborted);
      if (unknown_before) continue;
      EXPECT_EQ(status.error_number(), ENOSPC);
      EXPECT_EQ(status.file(), Log(1));
      EXPECT_EQ(status.offset(), error.offset());
    }
    if (!error.ok()) {
      EXPECT_EQ(store_->Checkpoint().error_number(), ENOSPC);
      EXPECT_EQ(store_->Put({.disable_wal = true}, "c", "").status.code(), Status::Code::kAborted);
    }
    EXPECT_EQ(All(), kept_) << "reads go on";
    EXPECT_EQ(store_->Close().ok(), error.ok());
    return !error.ok();
  }

  WriteBatch of_x_;
  WriteBatch of_y_;
  Contents kept_;
  std::set<std::string> undecided_;
};

TEST_P(FullWhileWritingTest, AtEachByte) {
  ASSERT_TRUE(of_x_.Put("x", "1").ok() && of_y_.Put("y", "1").ok());
  bool failed = true;
  uint64_t failures = 0;
  for (uint64_t room = 0; failed; ++room) {
    SCOPED_TRACE(room);
    failed = Fill(room);
    if (failed) ++failures;
    disk_.Kill();
    Reopen();
    EXPECT_EQ(All(), kept_);
    EXPECT_EQ(Undecided(), undecided_);
  }
  EXPECT_GT(failures, 200U);
}

INSTANTIATE_TEST_SUITE_P(EveryMode, FullWhileWritingTest, testing::ValuesIn(stress::kModes),
                         [](const auto& info) { return std::string(info.param.name); });

class FullWhileOpeningTest : public DiskFullTest {
 protected:
  // A snapshot, a log behind it, an undecided transaction; its last record is torn.
  Contents TornStore() {
    Reopen();
    for (int i = 0; i < 10; ++i) Put("key" + std::to_string(i), std::string(20, 'v'));
    EXPECT_TRUE(store_->Checkpoint().ok());
    WriteBatch batch;
    EXPECT_TRUE(batch.Put("x", "1").ok() && store_->Prepare({}, "x", &batch).ok());
    Put("key3", "new", kSync);
    expected_ = All();
    Put("torn", "1", kSync);
    Die();
    Contents files = Files();
    files["000002.log"].pop_back();
    return files;
  }

  // Returns at how many bytes it failed.
  uint64_t OpenAtEachByte(const Contents& files, RecoveryMode mode) {
    for (uint64_t room = 0;; ++room) {
      SCOPED_TRACE(room);
      RestoreFiles(files);
      disk_.SetCapacity(Used() + room);
      const Status status = Open(mode);
      disk_.SetCapacity(kNoLimit);
      if (status.ok()) {
        EXPECT_EQ(All(), expected_);
        return room;
      }
      EXPECT_EQ(status.code(), Status::Code::kIOError);
      EXPECT_EQ(status.error_number(), ENOSPC);
      EXPECT_THAT(std::string(status.file()), HasSubstr(kDirectory));
      EXPECT_THAT(status.ToString(), HasSubstr("free space"));
      EXPECT_EQ(store_, nullptr);
      disk_.Crash(room);
      Reopen(mode);
      EXPECT_EQ(All(), expected_);
      EXPECT_EQ(store_->GetStats().recovery.undecided, undecided_);
    }
  }

  Contents expected_;
  uint64_t undecided_ = 1;
};

TEST_F(FullWhileOpeningTest, ANewStore) {
  undecided_ = 0;
  EXPECT_GT(OpenAtEachByte({}, RecoveryMode::kTolerateTornTail), 10U) << "the manifest's";
}

TEST_F(FullWhileOpeningTest, AgainAndAgainLeavesOneLog) {
  Reopen();
  Put("a", "1", kSync);
  Reopen();
  Die();
  disk_.SetCapacity(Used());
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(Open().error_number(), ENOSPC);
    EXPECT_LE(Names().size(), 6U) << "two logs, one that was begun, LOCK, MANIFEST, MANIFEST.tmp";
  }
  disk_.SetCapacity(kNoLimit);
  Reopen();
  EXPECT_EQ(Names().size(), 4U);
  EXPECT_EQ(Get("a"), "1");
}

TEST_F(FullWhileOpeningTest, APreallocatedLog) {
  undecided_ = 0;
  options_.preallocate_log_bytes = 300;
  EXPECT_GT(OpenAtEachByte({}, RecoveryMode::kTolerateTornTail), 300U);
}

TEST_F(FullWhileOpeningTest, ATornTail) {
  const Contents files = TornStore();
  EXPECT_GT(OpenAtEachByte(files, RecoveryMode::kTolerateTornTail), 10U);
  EXPECT_GT(OpenAtEachByte(files, RecoveryMode::kPointInTime), 10U);
}

TEST_F(FullWhileOpeningTest, TheSnapshotOfWhatSkipCorruptKept) {
  Contents files = TornStore();
  files["000002.log"][3] ^= 1;
  undecided_ = 0;
  expected_["key3"] = "new";
  EXPECT_GT(OpenAtEachByte(files, RecoveryMode::kSkipCorrupt), 300U);
}

}  // namespace
}  // namespace bellwether
