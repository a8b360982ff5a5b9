// The table of undecided transactions over a path that the test plays: what is asked of the path,
// what the table says at the moment of logging, and what each outcome makes of a transaction.
// CMakeLists.txt builds this file against mutants of the table, each of which has to fail.

#include "bellwether/store/transactions.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "bellwether/sync/std_sync.h"

namespace bellwether {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using Code = Status::Code;

struct FakePath {
  WriteResult Write(const WriteOptions& options, const WriteBatch*) {
    asked = options;
    alone = !options.callback->AllowWriteBatching();
    const Status passed = options.callback->Callback();
    if (!passed.ok()) return {passed};
    if (while_logging) while_logging();
    return {outcome};
  }

  WriteOptions asked;
  bool alone = false;
  Status outcome;
  std::function<void()> while_logging;
};

class TransactionsTest : public testing::Test {
 protected:
  Status Prepare(const WriteOptions& options = {}, const std::string& xid = "x") {
    WriteBatch batch;
    EXPECT_TRUE(batch.Put("key", "of " + xid).ok());
    return transactions_.Prepare(options, xid, batch);
  }
  Status Commit(const WriteOptions& options = {}) {
    return transactions_.Commit(options, "x").status;
  }
  Status Rollback(const WriteOptions& options = {}) { return transactions_.Rollback(options, "x"); }

  std::vector<std::string> Undecided() const {
    std::vector<std::string> xids;
    for (const auto& [xid, prepare] : transactions_.Undecided()) xids.push_back(xid);
    return xids;
  }

  // The next call ends so.
  void Fail(Code code) { path_.outcome = Status::IOError("write", "log", 1, 5).With(code); }
  void Succeed() { path_.outcome = Status::OK(); }

  FakePath path_;
  Transactions<StdSync, FakePath> transactions_{&path_, {}};
};

TEST_F(TransactionsTest, APrepareAndARollbackAreOnlyLoggedACommitIsInserted) {
  for (const bool sync : {false, true}) {
    const WriteOptions options{.sync = sync, .no_slowdown = true};
    const auto expect = [&](const Status& status, bool only_logged) {
      EXPECT_TRUE(status.ok()) << status.ToString();
      EXPECT_EQ(path_.asked.sync, sync);
      EXPECT_TRUE(path_.asked.no_slowdown);
      EXPECT_EQ(path_.asked.disable_memtable, only_logged);
    };
    expect(Prepare(options), true);
    expect(Rollback(options), true);
    expect(Prepare(options), true);
    expect(Commit(options), false);
  }
}

TEST_F(TransactionsTest, TheTableFollowsTheLog) {
  path_.while_logging = [&] { EXPECT_THAT(Undecided(), ElementsAre("x")); };
  EXPECT_TRUE(Prepare().ok());
  EXPECT_THAT(Undecided(), ElementsAre("x"));
  for (const bool commits : {true, false}) {
    path_.while_logging = [&] { EXPECT_THAT(Undecided(), IsEmpty()); };
    EXPECT_TRUE((commits ? Commit() : Rollback()).ok());
    EXPECT_THAT(Undecided(), IsEmpty());
    path_.while_logging = nullptr;
    EXPECT_TRUE(Prepare().ok());
  }
}

TEST_F(TransactionsTest, OneCallAtATimeWorksOnATransaction) {
  int calls = 0;
  path_.while_logging = [&] {
    ++calls;
    EXPECT_EQ(Prepare().code(), Code::kBusy);
    EXPECT_EQ(Commit().code(), Code::kBusy);
    EXPECT_EQ(Rollback().code(), Code::kBusy);
  };
  EXPECT_TRUE(Prepare().ok());
  EXPECT_TRUE(Rollback().ok());
  EXPECT_TRUE(Prepare().ok());
  EXPECT_TRUE(Commit().ok());
  EXPECT_EQ(calls, 4) << "what is busy was not even asked of the path";
}

TEST_F(TransactionsTest, WhatIsRefusedChangesNothing) {
  Fail(Code::kAborted);
  EXPECT_EQ(Prepare().code(), Code::kAborted);
  EXPECT_THAT(Undecided(), IsEmpty());
  EXPECT_EQ(Commit().code(), Code::kNotFound);
  Succeed();
  EXPECT_TRUE(Prepare().ok());
  for (const Code refusal : {Code::kAborted, Code::kIncomplete}) {
    Fail(refusal);
    EXPECT_EQ(Commit().code(), refusal);
    EXPECT_EQ(Rollback().code(), refusal);
    EXPECT_THAT(Undecided(), ElementsAre("x"));
  }
  Succeed();
  EXPECT_TRUE(Commit().ok());
  EXPECT_EQ(Rollback().code(), Code::kNotFound) << "decided once";
}

TEST_F(TransactionsTest, AfterAnUnknownOutcomeItTakesNoMoreCalls) {
  Fail(Code::kUnknownOutcome);
  EXPECT_EQ(Prepare().code(), Code::kUnknownOutcome);
  Succeed();
  for (const Status& status : {Prepare(), Commit(), Rollback()}) {
    EXPECT_EQ(status.code(), Code::kAborted);
  }
  EXPECT_TRUE(Prepare({}, "y").ok()) << "the others are as they were";
}

class Answer final : public WriteCallback {
 public:
  Answer(Code code, bool batching) : code_(code), batching_(batching) {}
  Status Callback() override {
    return code_ == Code::kOk ? Status::OK() : Status::NotFound("the callback says no").With(code_);
  }
  bool AllowWriteBatching() const override { return batching_; }

 private:
  const Code code_;
  const bool batching_;
};

TEST_F(TransactionsTest, TheCallersCallbackDecidesFirst) {
  Answer yes(Code::kOk, false), no(Code::kUnknownOutcome, true);
  EXPECT_EQ(Prepare({.callback = &no}).code(), Code::kUnknownOutcome);
  EXPECT_FALSE(path_.alone);
  EXPECT_TRUE(Prepare({.callback = &yes}).ok()) << "nothing of the first was logged";
  EXPECT_EQ(Rollback({.callback = &no}).code(), Code::kUnknownOutcome);
  EXPECT_THAT(Undecided(), ElementsAre("x"));
  EXPECT_TRUE(Commit({.callback = &yes}).ok());
  EXPECT_TRUE(path_.alone);
}

TEST_F(TransactionsTest, RecoveredOnesAreThereUntilDecided) {
  WriteBatch prepare;
  ASSERT_TRUE(prepare.Put("a", "1").ok() && prepare.Delete("b").ok());
  const std::string operations(prepare.Operations());
  ASSERT_TRUE(prepare.MarkPrepare("x").ok());
  Transactions<StdSync, FakePath> transactions(&path_, {{"x", prepare}});
  std::vector<RecoveredTransaction> recovered;
  ASSERT_TRUE(transactions.Recovered(&recovered).ok());
  ASSERT_EQ(recovered.size(), 1U);
  EXPECT_EQ(recovered[0].xid, "x");
  EXPECT_EQ(recovered[0].batch.Operations(), operations);
  EXPECT_FALSE(recovered[0].batch.marked());
  EXPECT_EQ(transactions.Undecided().at("x").Data(), prepare.Data());
  Fail(Code::kAborted);
  EXPECT_EQ(transactions.Commit({}, "x").status.code(), Code::kAborted);
  ASSERT_TRUE(transactions.Recovered(&recovered).ok());
  EXPECT_EQ(recovered.size(), 1U);
  Succeed();
  EXPECT_TRUE(transactions.Commit({}, "x").status.ok());
  ASSERT_TRUE(transactions.Recovered(&recovered).ok());
  EXPECT_THAT(recovered, IsEmpty());
}

}  // namespace
}  // namespace bellwether
