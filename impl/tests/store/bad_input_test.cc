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

TEST_P(BadInputTest, OptionsThatNobodyKnows) {
  EXPECT_EQ(Open(static_cast<RecoveryMode>(77)).code(), Status::Code::kInvalidArgument);
  std::vector<std::string> names;
  ASSERT_TRUE(disk_.ListDirectory("/", &names).ok());
  EXPECT_TRUE(names.empty()) << "a refused open creates nothing";
}

INSTANTIATE_TEST_SUITE_P(EveryMode, BadInputTest, testing::ValuesIn(stress::kModes),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace bellwether
