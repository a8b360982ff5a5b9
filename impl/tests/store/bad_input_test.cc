// What a caller may do wrong, and what may be wrong before he calls: each call says so, and nothing
// of it is logged. (Damage of files: recovery_test, checkpoint_failure_test, lost_file_test; the
// disk: disk_full_test; memory: out_of_memory_test; transactions: transactions_test.)

#include <gmock/gmock.h>

#include <cerrno>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "store_fixture.h"
#include "stress/modes.h"

namespace bellwether {
namespace {

class BadInputTest : public StoreTest, public testing::WithParamInterface<stress::Mode> {
 protected:
  BadInputTest() { write_path_ = GetParam().options; }

  using Calls = std::vector<std::pair<const char*, std::function<Status()>>>;

  // Every call that logs, with arguments that it would take.
  Calls Writes() {
    EXPECT_TRUE(batch_.status().ok() && (batch_.Count() > 0 || batch_.Put("k", "v").ok()));
    return {
        {"Write", [this] { return store_->Write({}, &batch_).status; }},
        {"Write, sync", [this] { return store_->Write(kSync, &batch_).status; }},
        {"Write, disable_wal", [this] { return store_->Write(kUnlogged, &batch_).status; }},
        {"Put", [this] { return store_->Put({}, "k", "v").status; }},
        {"Delete", [this] { return store_->Delete({}, "k").status; }},
        {"Prepare", [this] { return store_->Prepare({}, "new", &batch_); }},
        {"Commit", [this] { return store_->Commit({}, "x").status; }},
        {"Rollback", [this] { return store_->Rollback({}, "x"); }},
        {"Sync", [this] { return store_->Sync(); }},
        {"Checkpoint", [this] { return store_->Checkpoint(); }},
    };
  }

  Calls Reads() {
    return {
        {"Get", [this] { return store_->Get({}, "k", &value_); }},
        {"MultiGet", [this] { return store_->MultiGet({}, {}, &values_); }},
        {"NewIterator", [this] { return store_->NewIterator({}, &iterator_); }},
        {"RecoveredTransactions", [this] { return store_->RecoveredTransactions(&recovered_); }},
    };
  }

  // With a transaction to be decided.
  void Begin() {
    Reopen();
    ASSERT_TRUE(prepare_.Put("of x", "1").ok());
    ASSERT_TRUE(store_->Prepare(kSync, "x", &prepare_).ok());
    Put("kept", "1", kSync);
  }

  void KeepsWhatItHad() {
    disk_.Crash(1);
    Reopen();
    EXPECT_EQ(All(), (Contents{{"kept", "1"}}));
    EXPECT_EQ(store_->GetStats().recovery.undecided, 1U);
  }

  static constexpr WriteOptions kUnlogged{.disable_wal = true};

  WriteBatch batch_;
  WriteBatch prepare_;
  std::string value_;
  std::vector<std::optional<std::string>> values_;
  std::unique_ptr<Store::Iterator> iterator_;
  std::vector<RecoveredTransaction> recovered_;
};

TEST_P(BadInputTest, AfterCloseEveryCallIsRefused) {
  Begin();
  ASSERT_TRUE(store_->Close().ok());
  // The directory may be another's by now.
  disk_.InjectFault({.operation = stress::FileOperation::kCreate});
  for (const Calls& calls : {Writes(), Reads()}) {
    for (const auto& [name, call] : calls) {
      const Status status = call();
      EXPECT_EQ(status.code(), Status::Code::kAborted) << name;
      EXPECT_THAT(status.ToString(), testing::HasSubstr("closed")) << name;
    }
  }
  EXPECT_EQ(store_->Close().code(), Status::Code::kAborted);
  EXPECT_EQ(iterator_, nullptr);
  KeepsWhatItHad();
}

TEST_P(BadInputTest, AfterACloseThatFailedToo) {
  Begin();
  disk_.InjectFault({.operation = stress::FileOperation::kSync});
  EXPECT_EQ(store_->Close().error_number(), EIO);
  for (const Calls& calls : {Writes(), Reads()}) {
    for (const auto& [name, call] : calls) {
      EXPECT_EQ(call().code(), Status::Code::kAborted) << name;
    }
  }
  KeepsWhatItHad();
}

TEST_P(BadInputTest, AfterAnErrorOfTheLogEveryWriteIsRefused) {
  Begin();
  disk_.InjectFault({.operation = stress::FileOperation::kSync});
  const Status error = store_->Sync();
  EXPECT_EQ(error.code(), Status::Code::kUnknownOutcome);
  for (const auto& [name, call] : Writes()) {
    const Status status = call();
    EXPECT_FALSE(status.ok()) << name;
    EXPECT_EQ(status.error_number(), EIO) << name;
    EXPECT_EQ(status.file(), Log(1)) << name;
    EXPECT_EQ(status.offset(), error.offset()) << name;
    const bool logs = name != std::string("Checkpoint");
    EXPECT_EQ(status.code() == Status::Code::kAborted, logs) << name;
  }
  value_ = "untouched";
  for (const auto& [name, call] : Reads()) {
    const Status status = call();
    EXPECT_TRUE(status.ok() || status.IsNotFound()) << name << ": " << status.ToString();
  }
  EXPECT_EQ(value_, "untouched");
  EXPECT_EQ(store_->Close().error_number(), EIO);
  KeepsWhatItHad();
}

TEST_P(BadInputTest, WhatIsTooLargeOrNoBatchIsRefused) {
  Begin();
  const std::string long_key(kMaxKeySize + 1, 'k');
  const std::string long_xid(kMaxXidSize + 1, 'x');
  // Nobody looks at what is too large.
  const std::string_view huge(long_key.data(), kMaxValueSize + 1);
  WriteBatch half;
  ASSERT_TRUE(half.Put("half", "1").ok());
  ASSERT_FALSE(half.Put("half", huge).ok());
  WriteBatch marked = prepare_;
  ASSERT_TRUE(marked.MarkPrepare("y").ok());
  const uint64_t groups = store_->GetStats().groups;
  const Calls calls{
      {"no batch", [&] { return store_->Write({}, nullptr).status; }},
      {"long key", [&] { return store_->Put({}, long_key, "").status; }},
      {"long key to delete", [&] { return store_->Delete({}, long_key).status; }},
      {"huge value", [&] { return store_->Put({}, "k", huge).status; }},
      {"half a batch", [&] { return store_->Write({}, &half).status; }},
      {"a batch with marks", [&] { return store_->Write({}, &marked).status; }},
      {"sync without a log",
       [&] { return store_->Put({.sync = true, .disable_wal = true}, "k", "").status; }},
      {"nothing to do", [&] { return store_->Put({.disable_memtable = true}, "k", "").status; }},
      {"no batch to prepare", [&] { return store_->Prepare({}, "y", nullptr); }},
      {"half a batch to prepare", [&] { return store_->Prepare({}, "y", &half); }},
      {"a batch with marks to prepare", [&] { return store_->Prepare({}, "y", &marked); }},
      {"no xid", [&] { return store_->Prepare({}, "", &prepare_); }},
      {"long xid", [&] { return store_->Prepare({}, long_xid, &prepare_); }},
      {"xid taken", [&] { return store_->Prepare({}, "x", &prepare_); }},
      {"prepare without a log", [&] { return store_->Prepare(kUnlogged, "y", &prepare_); }},
      {"commit without a log", [&] { return store_->Commit(kUnlogged, "x").status; }},
      {"commit of a long xid", [&] { return store_->Commit({}, long_xid).status; }},
      {"rollback without an xid", [&] { return store_->Rollback({}, ""); }},
  };
  for (const auto& [name, call] : calls) {
    const Status status = call();
    EXPECT_EQ(status.code(), Status::Code::kInvalidArgument) << name << ": " << status.ToString();
    EXPECT_FALSE(status.what().empty()) << name;
  }
  EXPECT_TRUE(store_->Commit({}, "unknown").status.IsNotFound());
  EXPECT_TRUE(store_->Rollback({}, "unknown").IsNotFound());
  EXPECT_EQ(store_->GetStats().groups, groups) << "nothing was logged";
  KeepsWhatItHad();
}

TEST_P(BadInputTest, NowhereToPutTheResult) {
  Begin();
  const Calls calls{
      {"Open", [&] { return Store::Open({.file_system = &disk_}, kDirectory, nullptr); }},
      {"Get", [&] { return store_->Get({}, "kept", nullptr); }},
      {"MultiGet", [&] { return store_->MultiGet({}, {}, nullptr); }},
      {"NewIterator", [&] { return store_->NewIterator({}, nullptr); }},
      {"RecoveredTransactions", [&] { return store_->RecoveredTransactions(nullptr); }},
  };
  for (const auto& [name, call] : calls) {
    EXPECT_EQ(call().code(), Status::Code::kInvalidArgument) << name;
  }
  KeepsWhatItHad();
}

// It would show what is not published yet, or miss what a checkpoint has dropped.
TEST_P(BadInputTest, ASnapshotFromElsewhere) {
  Begin();
  const Snapshot old = store_->GetSnapshot();
  const Snapshot beyond(old.sequence() + 1);
  const auto refused = [&](const Snapshot& snapshot) {
    const ReadOptions options{.snapshot = &snapshot};
    for (const Status& status :
         {store_->Get(options, "kept", &value_), store_->MultiGet(options, {}, &values_),
          store_->NewIterator(options, &iterator_)}) {
      EXPECT_EQ(status.code(), Status::Code::kInvalidArgument) << status.ToString();
    }
  };
  refused(beyond);
  Put("kept", "2");
  EXPECT_EQ(All(&old), (Contents{{"kept", "1"}}));
  EXPECT_EQ(All(&beyond), (Contents{{"kept", "2"}}));
  ASSERT_TRUE(store_->Checkpoint().ok());
  EXPECT_EQ(All(&old), (Contents{{"kept", "1"}}));
  Reopen();
  refused(old);
  EXPECT_EQ(All(&beyond), (Contents{{"kept", "2"}}));
}

// What a log says of itself is no part of a batch: it would be a lie in the next one.
TEST_P(BadInputTest, ABatchOutOfAnotherLog) {
  options_.durable_watermark = true;
  Reopen();
  Put("unlogged", "1", kUnlogged);
  Put("synced", "1", kSync);
  Put("copied", "1");
  const std::string log = Read(Log(1));
  WalReader reader(Log(1), log, kAnySequence);
  std::vector<WriteBatch> copies;
  for (WalRecord record; reader.ReadRecord(&record);) {
    EXPECT_NE(record.batch.find("bellwether:"), std::string_view::npos);
    ASSERT_TRUE(WriteBatch::Parse(record.batch, &copies.emplace_back()).ok());
  }
  ASSERT_EQ(copies.size(), 2U);
  RestoreFiles({});
  options_.durable_watermark = false;
  Reopen();
  Put("another", "1", kUnlogged);
  for (const WriteBatch& copy : copies) {
    EXPECT_EQ(copy.Data().find("bellwether:"), std::string_view::npos);
    Put("unlogged", "2", kUnlogged);
    ASSERT_TRUE(store_->Write({}, &copy).status.ok());
  }
  store_.reset();
  const Contents files = Files();
  Reopen();
  EXPECT_EQ(All(), (Contents{{"copied", "1"}, {"synced", "1"}}));
  Contents torn = files;
  torn["000001.log"].pop_back();
  RestoreFiles(torn);
  Reopen();
  EXPECT_EQ(All(), (Contents{{"synced", "1"}}));
}

TEST_P(BadInputTest, OptionsThatNobodyKnows) {
  const std::string zero("/store\0", 7);
  EXPECT_EQ(Store::Open({.file_system = &disk_}, zero, &store_).code(),
            Status::Code::kInvalidArgument);
  EXPECT_EQ(Open(static_cast<RecoveryMode>(77)).code(), Status::Code::kInvalidArgument);
  std::vector<std::string> names;
  ASSERT_TRUE(disk_.ListDirectory("/", &names).ok());
  EXPECT_TRUE(names.empty()) << "a refused open creates nothing";
}

INSTANTIATE_TEST_SUITE_P(EveryMode, BadInputTest, testing::ValuesIn(stress::kModes),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace bellwether
