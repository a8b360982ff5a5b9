// Where recovery goes on behind damage: what point_in_time and skip_corrupt keep, what they report
// of the rest, and what they leave on the disk. (That the other modes refuse: recovery_test,
// lost_file_test.)

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "store_fixture.h"

namespace bellwether {
namespace {

class SalvageTest : public StoreTest {
 protected:
  // Three logs: a, b and c; d and e; f. Each record is one put.
  void WriteLogs() {
    Reopen();
    for (const char* key : {"a", "b", "c"}) {
      Put(key, "of log 1", kSync);
      ends_.push_back(Read(Log(1)).size());
    }
    Reopen();
    for (const char* key : {"d", "e"}) Put(key, "of log 2", kSync);
    Reopen();
    Put("f", "of log 3", kSync);
    store_.reset();
    files_ = Files();
  }

  // Snapshots 2, of a, and 3, of a and b; files_ are those behind the second. Those before it.
  Contents CheckpointTwice() {
    Reopen();
    Put("a", "1");
    EXPECT_TRUE(store_->Checkpoint().ok());
    Contents before = Files();
    Put("b", "2");
    EXPECT_TRUE(store_->Checkpoint().ok());
    store_.reset();
    files_ = Files();
    return before;
  }

  // Opens `files`, and says what was left out.
  std::vector<RecoveryGap> Salvage(const Contents& files, RecoveryMode mode) {
    RestoreFiles(files);
    Reopen(mode);
    const auto gaps = store_->GetStats().recovery.gaps;
    return gaps != nullptr ? *gaps : std::vector<RecoveryGap>{};
  }

  std::string Keys() const {
    std::string keys;
    for (const auto& [key, value] : All()) keys += key;
    return keys;
  }

  RecoveryReport Report() const { return store_->GetStats().recovery; }

  // The next Open finds the same, and nothing wrong with it.
  void ExpectItStays() {
    const std::string keys = Keys();
    const SequenceNumber last = Report().last_sequence;
    disk_.Crash(1);
    Reopen(RecoveryMode::kAbsolute);
    EXPECT_EQ(Keys(), keys);
    EXPECT_EQ(store_->Put({}, "later", "").sequence, last + 1);
  }

  static void Expect(const RecoveryGap& gap, const std::string& file, uint64_t begin, uint64_t end,
                     SequenceNumber first, SequenceNumber next) {
    EXPECT_EQ(gap.file, file);
    EXPECT_EQ(gap.begin, begin);
    EXPECT_EQ(gap.end, end);
    EXPECT_EQ(gap.first, first);
    EXPECT_EQ(gap.next, next);
    EXPECT_FALSE(gap.what.empty());
  }

  static void Flip(std::string* file, size_t at) {
    (*file)[at] = static_cast<char>((*file)[at] ^ 1);
  }

  Contents files_;
  std::vector<uint64_t> ends_;  // of the records of log 1
};

TEST_F(SalvageTest, ADamagedRecord) {
  WriteLogs();
  Flip(&files_["000001.log"], ends_[0] + 10);
  auto gaps = Salvage(files_, RecoveryMode::kSkipCorrupt);
  ASSERT_EQ(gaps.size(), 1U);
  Expect(gaps[0], Log(1), ends_[0], ends_[1], 2, 3);
  EXPECT_EQ(Keys(), "acdef");
  EXPECT_EQ(Report().records, 5U);
  EXPECT_EQ(Report().logs, 3U);
  EXPECT_EQ(Report().last_sequence, 6U);
  EXPECT_EQ(Report().cut_bytes, 0U);
  EXPECT_EQ(Names(),
            (std::vector<std::string>{"000004.log", "000004.snapshot", "LOCK", "MANIFEST"}));
  ExpectItStays();

  gaps = Salvage(files_, RecoveryMode::kPointInTime);
  ASSERT_EQ(gaps.size(), 1U);
  Expect(gaps[0], Log(1), ends_[0], ends_[2], 2, 0);
  EXPECT_EQ(Keys(), "a");
  EXPECT_EQ(Report().removed_logs, 2U);
  EXPECT_EQ(Report().cut_bytes,
            ends_[2] - ends_[0] + files_["000002.log"].size() + files_["000003.log"].size());
  ExpectItStays();
}

TEST_F(SalvageTest, ATornEndBeforeAnotherLog) {
  WriteLogs();
  files_["000001.log"].resize(ends_[2] - 3);
  auto gaps = Salvage(files_, RecoveryMode::kSkipCorrupt);
  ASSERT_EQ(gaps.size(), 1U);
  Expect(gaps[0], Log(1), ends_[1], ends_[2] - 3, 3, 4);
  EXPECT_EQ(Keys(), "abdef");
  ExpectItStays();

  gaps = Salvage(files_, RecoveryMode::kPointInTime);
  ASSERT_EQ(gaps.size(), 1U);
  Expect(gaps[0], Log(1), ends_[1], ends_[2] - 3, 3, 0);
  EXPECT_EQ(Keys(), "ab");
  ExpectItStays();
}

TEST_F(SalvageTest, ATornEndBeforeABlankLogIsNoLoss) {
  WriteLogs();
  files_["000003.log"].pop_back();
  files_["000004.log"] = "";
  for (const RecoveryMode mode : {RecoveryMode::kSkipCorrupt, RecoveryMode::kPointInTime}) {
    EXPECT_TRUE(Salvage(files_, mode).empty());
    EXPECT_EQ(Keys(), "abcde");
    EXPECT_EQ(Report().logs, 2U) << "that hold records";
    ExpectItStays();
  }
}

// Nothing in its own log stands behind the damage.
TEST_F(SalvageTest, ARecordOfThePastAtTheEndOfALog) {
  WriteLogs();
  const std::string first = files_["000001.log"].substr(0, ends_[0]);
  files_["000001.log"].replace(ends_[1], std::string::npos, first);
  auto gaps = Salvage(files_, RecoveryMode::kSkipCorrupt);
  ASSERT_EQ(gaps.size(), 1U);
  Expect(gaps[0], Log(1), ends_[1], ends_[1] + first.size(), 3, 4);
  EXPECT_EQ(Keys(), "abdef");
  ExpectItStays();
}

TEST_F(SalvageTest, AMissingLog) {
  WriteLogs();
  files_.erase("000002.log");
  auto gaps = Salvage(files_, RecoveryMode::kSkipCorrupt);
  ASSERT_EQ(gaps.size(), 1U);
  Expect(gaps[0], Log(2), 0, 0, 4, 6);
  EXPECT_EQ(Keys(), "abcf");
  ExpectItStays();

  gaps = Salvage(files_, RecoveryMode::kPointInTime);
  ASSERT_EQ(gaps.size(), 1U);
  Expect(gaps[0], Log(2), 0, 0, 4, 0);
  EXPECT_EQ(Keys(), "abc");
  ExpectItStays();

  Flip(&files_["000001.log"], ends_[0] + 10);
  gaps = Salvage(files_, RecoveryMode::kPointInTime);
  ASSERT_EQ(gaps.size(), 1U) << "what stands behind the first defect is given up anyway";
  EXPECT_EQ(gaps[0].file, Log(1));
  EXPECT_EQ(Keys(), "a");
}

// The newest entry of the snapshot is older than its state, which ends with a delete.
TEST_F(SalvageTest, ADamagedSnapshotAndALogBehindIt) {
  Reopen();
  for (const char* key : {"b", "a", "c"}) Put(key, "1");
  ASSERT_TRUE(store_->Delete({}, "c").status.ok());
  const Contents before = Files();
  ASSERT_TRUE(store_->Checkpoint().ok());
  Put("d", "2", kSync);
  store_.reset();
  files_ = Files();
  files_["000001.log"] = before.at("000001.log");  // as if the checkpoint had died before this
  files_["000002.snapshot"].back() ^= 1;
  const auto gaps = Salvage(files_, RecoveryMode::kSkipCorrupt);
  ASSERT_EQ(gaps.size(), 2U) << "the footer, and what it would have said";
  EXPECT_EQ(gaps[0].file, SnapshotFile(2));
  EXPECT_EQ(gaps[1].file, SnapshotFile(2));
  EXPECT_EQ(Keys(), "abd");
  EXPECT_EQ(Report().snapshot_sequence, 2U) << "of its newest entry";
  EXPECT_EQ(Report().snapshot_entries, 2U);
  ExpectItStays();

  files_.erase("000001.log");
  files_["000002.log"].clear();
  EXPECT_EQ(Salvage(files_, RecoveryMode::kSkipCorrupt).size(), 2U);
  EXPECT_EQ(Report().last_sequence, 2U);
  ExpectItStays();
}

TEST_F(SalvageTest, AMissingSnapshot) {
  Reopen();
  Put("a", "1");
  ASSERT_TRUE(store_->Checkpoint().ok());
  Put("b", "2", kSync);
  Reopen();  // with a manifest that names it
  store_.reset();
  files_ = Files();
  files_.erase("000002.snapshot");
  const auto gaps = Salvage(files_, RecoveryMode::kSkipCorrupt);
  ASSERT_EQ(gaps.size(), 1U);
  EXPECT_EQ(gaps[0].file, SnapshotFile(2));
  EXPECT_EQ(Keys(), "b");
  ExpectItStays();
}

TEST_F(SalvageTest, AnOlderSnapshotServes) {
  const Contents before = CheckpointTwice();
  files_.erase("MANIFEST");
  files_["000002.snapshot"] = before.at("000002.snapshot");
  files_["000003.snapshot"].back() ^= 1;
  const auto gaps = Salvage(files_, RecoveryMode::kPointInTime);
  ASSERT_EQ(gaps.size(), 1U);
  EXPECT_EQ(gaps[0].file, SnapshotFile(3));
  EXPECT_EQ(Keys(), "a");
  EXPECT_EQ(Report().cut_bytes, files_["000003.snapshot"].size());
  ExpectItStays();
}

// Whatever stands there may be read again, in another mode, until the new snapshot is durable.
TEST_F(SalvageTest, NothingIsChangedBeforeWhatWasKeptIsDurable) {
  WriteLogs();
  Flip(&files_["000001.log"], ends_[0] + 10);
  files_["000003.log"].pop_back();
  files_["000002.snapshot.tmp"] = "unfinished";
  files_["MANIFEST.tmp"] = "unfinished";
  const auto expect_unchanged = [this] {
    RestoreFiles(files_);
    disk_.InjectFault({.operation = stress::FileOperation::kRename});
    EXPECT_EQ(Open(RecoveryMode::kSkipCorrupt).code(), Status::Code::kIOError);
    disk_.Kill();
    const Contents left = Files();
    for (const auto& [name, contents] : files_) {
      EXPECT_TRUE(left.contains(name) && left.at(name) == contents) << name;
    }
    Reopen(RecoveryMode::kSkipCorrupt);
    EXPECT_FALSE(Files().contains("MANIFEST.tmp"));
    EXPECT_FALSE(Files().contains("000002.snapshot.tmp"));
    ExpectItStays();
  };
  expect_unchanged();

  RestoreFiles({});
  const Contents before = CheckpointTwice();
  for (const auto& [name, contents] : before) files_.emplace(name, contents);
  files_["000003.snapshot"].back() ^= 1;
  expect_unchanged();
}

// By number, not by name.
TEST_F(SalvageTest, NumbersOfSevenDigitsComeBehindThoseOfSix) {
  Reopen();
  Put("a", "1", kSync);
  RestoreFiles({{"999999.log", Files().at("000001.log")}});
  Reopen();
  Put("b", "2", kSync);
  Reopen();
  EXPECT_EQ(Keys(), "ab");
  store_.reset();
  EXPECT_TRUE(Files().contains("1000000.log"));
  RestoreFiles({});
  const Contents before = CheckpointTwice();
  RestoreFiles({{"999999.snapshot", before.at("000002.snapshot")},
                {"1000000.snapshot", files_.at("000003.snapshot")}});
  options_.create_if_missing = false;
  Reopen();
  EXPECT_EQ(Keys(), "ab") << "the newer one";
}

}  // namespace
}  // namespace bellwether
