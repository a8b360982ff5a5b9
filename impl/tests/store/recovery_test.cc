// Recovery: damage at every byte, in every mode; crashes and errors at every operation of an Open.

#include "bellwether/store/recovery.h"

#include <gmock/gmock.h>

#include <cerrno>
#include <functional>

#include "store_fixture.h"

namespace bellwether {
namespace {

using testing::HasSubstr;

TEST(LogNameTest, OnlyOurNames) {
  EXPECT_EQ(LogName(1), "000001.log");
  EXPECT_EQ(LogName(1234567), "1234567.log");
  uint64_t number = 0;
  EXPECT_TRUE(ParseLogName("000012.log", &number));
  EXPECT_EQ(number, 12U);
  EXPECT_TRUE(ParseLogName("1234567.log", &number));
  for (const char* name : {"", ".log", "12.log", "0000012.log", "000012.LOG", "000012.log.tmp",
                           "-00012.log", "00001a.log", "18446744073709551615.log", "LOCK"}) {
    EXPECT_FALSE(ParseLogName(name, &number)) << name;
  }
}

class RecoveryTest : public StoreTest {
 protected:
  // A store with three records in its first log: what each reader must find after how many bytes.
  void WriteThree() {
    Reopen();
    states_ = {{}};
    ends_ = {0};
    for (const char* key : {"a", "b", "c"}) {
      Put(key, std::string(20, *key), kSync);
      states_.push_back(All());
      ends_.push_back(Read(Log(1)).size());
    }
    Die();
    log_ = Read(Log(1));
  }

  static Contents Logs(const std::vector<std::string>& logs) {
    Contents files;
    for (size_t i = 0; i < logs.size(); ++i) files[LogName(i + 1)] = logs[i];
    return files;
  }

  // A fresh disk that holds these logs, synced.
  void Restore(const std::vector<std::string>& logs) { RestoreFiles(Logs(logs)); }

  static std::string Flip(std::string log, size_t at, int bit = 0) {
    log[at] = static_cast<char>(log[at] ^ (1 << bit));
    return log;
  }

  // How many of the three records end at or before `size`.
  size_t RecordsWithin(size_t size) const {
    size_t records = 0;
    while (records + 1 < ends_.size() && ends_[records + 1] <= size) ++records;
    return records;
  }

  std::vector<Contents> states_;
  std::vector<size_t> ends_;
  std::string log_;
};

TEST_F(RecoveryTest, TruncatedAtEveryByte) {
  WriteThree();
  for (size_t size = 0; size <= log_.size(); ++size) {
    SCOPED_TRACE(size);
    const size_t records = RecordsWithin(size);
    const bool torn = size != ends_[records];
    Restore({log_.substr(0, size)});
    const Status absolute = Open(RecoveryMode::kAbsolute);
    EXPECT_EQ(absolute.ok(), !torn);
    if (torn) {
      EXPECT_EQ(absolute.code(), Status::Code::kCorruption);
      EXPECT_EQ(absolute.file(), Log(1));
      EXPECT_EQ(absolute.offset(), ends_[records]);
      Reopen();
      EXPECT_EQ(store_->GetStats().recovery.cut_bytes, size - ends_[records]);
    }
    EXPECT_EQ(All(), states_[records]);
    disk_.Crash(size);
    Reopen(RecoveryMode::kAbsolute);
    EXPECT_EQ(All(), states_[records]) << "the cut is durable";
  }
}

TEST_F(RecoveryTest, EveryFlippedBit) {
  WriteThree();
  for (size_t at = 0; at < log_.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      SCOPED_TRACE(testing::Message() << "byte " << at << " bit " << bit);
      const size_t records = RecordsWithin(at);
      const std::string damaged = Flip(log_, at, bit);
      Restore({damaged});
      const Status status = Open();
      if (records < 2) {
        ASSERT_EQ(status.code(), Status::Code::kCorruption);
        EXPECT_EQ(status.file(), Log(1));
        EXPECT_EQ(status.offset(), ends_[records]);
        EXPECT_THAT(status.ToString(), HasSubstr("point_in_time"));
        EXPECT_EQ(Read(Log(1)), damaged) << "a refused open changes nothing";
        Reopen(RecoveryMode::kPointInTime);
      } else {
        ASSERT_TRUE(status.ok()) << "in the last record it is a torn tail: " << status.ToString();
      }
      EXPECT_EQ(All(), states_[records]);
    }
  }
}

TEST_F(RecoveryTest, ManyLogsContinueEachOther) {
  std::vector<std::string> logs;
  for (int life = 0; life < 4; ++life) {
    Reopen();
    for (int i = 0; i < 3; ++i) Put("key" + std::to_string(i), std::to_string(life), kSync);
    const std::string path = Log(store_->GetStats().recovery.log_number);
    Die();
    logs.push_back(Read(path));
  }
  Restore(logs);
  Reopen(RecoveryMode::kAbsolute);
  EXPECT_EQ(store_->GetStats().recovery.last_sequence, 12U);
  EXPECT_EQ(store_->GetStats().recovery.logs, 4U);

  Restore({logs[0], logs[2], logs[3]});
  const Status missing = Open();
  EXPECT_EQ(missing.code(), Status::Code::kCorruption);
  EXPECT_EQ(missing.file(), Log(2));
  EXPECT_EQ(missing.offset(), 0U);

  Restore({logs[0], logs[1].substr(0, logs[1].size() - 1), logs[2]});
  const Status torn = Open();
  EXPECT_EQ(torn.code(), Status::Code::kCorruption) << "only the last log may end torn";
  EXPECT_EQ(torn.file(), Log(2));
  EXPECT_THAT(torn.ToString(), HasSubstr("point_in_time"));
  Reopen(RecoveryMode::kPointInTime);
  EXPECT_EQ(store_->GetStats().recovery.last_sequence, 5U);
  EXPECT_EQ(store_->GetStats().recovery.removed_logs, 1U);
  EXPECT_EQ(Get("key1"), "1");
  EXPECT_EQ(Get("key2"), "0");
  Die();
  Reopen(RecoveryMode::kAbsolute);
  EXPECT_EQ(store_->GetStats().recovery.last_sequence, 5U);
}

// As a checkpoint leaves it that died before it removed anything, twice.
TEST_F(RecoveryTest, WhatASnapshotCoversGoes) {
  Reopen();
  Contents files;
  for (const char* key : {"a", "b"}) {
    Put(key, "1", kSync);
    files.merge(Files());
    ASSERT_TRUE(store_->Checkpoint().ok());
  }
  for (const auto& [name, contents] : Files()) files[name] = contents;
  for (const char* name : {"000001.snapshot.tmp", "000009.snapshot.tmp", "MANIFEST.tmp"}) {
    files[name] = "unfinished";
  }
  RestoreFiles(files);
  ASSERT_EQ(Names().size(), 9U) << "three logs, two snapshots, a manifest, and the unfinished ones";
  Reopen(RecoveryMode::kAbsolute);
  EXPECT_EQ(Names(),
            (std::vector<std::string>{"000003.snapshot", "000004.log", "LOCK", "MANIFEST"}));
  EXPECT_EQ(store_->GetStats().recovery.removed_logs, 3U);
  EXPECT_EQ(All(), (Contents{{"a", "1"}, {"b", "1"}}));
}

TEST_F(RecoveryTest, ZerosAtTheEndAreNoDamage) {
  WriteThree();
  Restore({log_ + std::string(10'000, '\0')});
  Reopen();
  EXPECT_EQ(All(), states_[3]);
  Restore({log_ + std::string(10'000, '\0') + "x"});
  EXPECT_TRUE(Open().ok()) << "garbage without a record in it is a torn tail";
  EXPECT_EQ(All(), states_[3]);
}

// CRASH_IDEMPOTENT: the power fails, the process dies, or an operation fails at each step of an
// Open in turn. Then it opens to the same state, which with all that is synced then outlives the
// power.
class InterruptedRecoveryTest : public RecoveryTest {
 protected:
  // `unsynced` is what a process does to the files before it dies.
  void InterruptEverywhere(
      RecoveryMode mode, const Contents& files, const Contents& expected,
      const std::function<void()>& unsynced = [] {}) {
    for (uint64_t step = 1;; ++step) {
      uint64_t interrupted = 0;
      for (uint64_t seed = 0; seed < 80; ++seed) {
        SCOPED_TRACE(testing::Message() << "step " << step << " seed " << seed);
        RestoreFiles(files);
        unsynced();
        disk_.Kill();
        disk_.PowerOffAt(step);
        if (!Open(mode).ok()) ++interrupted;
        store_.reset();
        if (seed % 2 == 0) {
          disk_.Crash(seed);
        } else {
          disk_.Kill();
        }
        Reopen(mode);
        EXPECT_EQ(All(), expected);
        Put("later", "1", kSync);
        disk_.Crash(seed + 1);
        Reopen();
        Contents later = expected;
        later["later"] = "1";
        EXPECT_EQ(All(), later);
      }
      if (interrupted == 0) return;
    }
  }

  void FailEverywhere(RecoveryMode mode, const Contents& files, const Contents& expected) {
    using stress::FileOperation;
    for (const FileOperation operation :
         {FileOperation::kCreate, FileOperation::kAppend, FileOperation::kSync,
          FileOperation::kSyncDirectory, FileOperation::kSyncFile, FileOperation::kTruncate,
          FileOperation::kRemove, FileOperation::kLock, FileOperation::kRead,
          FileOperation::kCreateDirectory}) {
      for (uint64_t nth = 1; nth < 20; ++nth) {
        SCOPED_TRACE(testing::Message()
                     << "operation " << static_cast<int>(operation) << " nth " << nth);
        RestoreFiles(files);
        disk_.InjectFault({.operation = operation, .nth = nth, .error_number = EIO});
        const Status status = Open(mode);
        const bool hit = !status.ok();
        if (hit) {
          EXPECT_EQ(status.code(), Status::Code::kIOError);
          EXPECT_EQ(status.error_number(), EIO);
          EXPECT_FALSE(status.file().empty());
        }
        Die();
        Reopen(mode);
        EXPECT_EQ(All(), expected);
        if (!hit) break;
      }
    }
  }
};

TEST_F(InterruptedRecoveryTest, TornTail) {
  WriteThree();
  const Contents torn = Logs({log_.substr(0, log_.size() - 5)});
  InterruptEverywhere(RecoveryMode::kTolerateTornTail, torn, states_[2]);
  FailEverywhere(RecoveryMode::kTolerateTornTail, torn, states_[2]);
}

TEST_F(InterruptedRecoveryTest, PointInTimeGivesUpLaterLogs) {
  WriteThree();
  Reopen();
  Put("d", "4", kSync);
  Die();
  const std::string second = Read(Log(2));
  Reopen();
  Put("e", "5", kSync);
  Die();
  const std::string third = Read(Log(3));
  // Cut, the first log would seem to be continued by the second: it must not outlive it.
  const Contents logs = Logs({log_ + "garbage", second, third, ""});
  InterruptEverywhere(RecoveryMode::kPointInTime, logs, states_[3]);
  FailEverywhere(RecoveryMode::kPointInTime, logs, states_[3]);
  InterruptEverywhere(RecoveryMode::kPointInTime, Logs({Flip(log_, ends_[1] + 3), second, third}),
                      states_[1]);
}

// Cut to nothing, a log that the manifest names is still there until the next one is written.
TEST_F(InterruptedRecoveryTest, TornFirstRecord) {
  WriteThree();
  Reopen();
  Put("d", "4");
  Die();
  Contents files = Files();
  files[LogName(2)].resize(5);
  InterruptEverywhere(RecoveryMode::kTolerateTornTail, files, states_[3]);
  FailEverywhere(RecoveryMode::kTolerateTornTail, files, states_[3]);
}

// A checkpoint takes its new log back, and dies before the name of the manifest that says so is
// durable: the log must not go before that.
TEST_F(InterruptedRecoveryTest, ManifestWithoutADurableName) {
  WriteThree();
  Reopen();
  Die();
  InterruptEverywhere(RecoveryMode::kTolerateTornTail, Files(), states_[3], [this] {
    disk_.InjectFault({.operation = stress::FileOperation::kSyncDirectory});
    ASSERT_FALSE(WriteManifest(&disk_, kDirectory, {.snapshots = {}, .logs = {1}}).ok());
  });
}

TEST_F(InterruptedRecoveryTest, FirstOpen) {
  InterruptEverywhere(RecoveryMode::kTolerateTornTail, {}, {});
}

}  // namespace
}  // namespace bellwether
