// Two-phase commit in the store, in every mode: what each call promises, what recovery makes of
// every prefix of a log, who wins, and what a failed call leaves. CMakeLists.txt builds this file
// against mutants of the store, each of which has to fail.

#include <gmock/gmock.h>

#include <array>
#include <atomic>
#include <functional>
#include <thread>
#include <utility>

#include "store_fixture.h"
#include "stress/modes.h"

namespace bellwether {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using Code = Status::Code;

class TwoPhaseStoreTest : public StoreTest, public testing::WithParamInterface<stress::Mode> {
 protected:
  TwoPhaseStoreTest() { write_path_ = GetParam().options; }

  // Puts `value` under each key.
  static WriteBatch Puts(const std::vector<std::string>& keys, const std::string& value = "v") {
    WriteBatch batch;
    for (const std::string& key : keys) EXPECT_TRUE(batch.Put(key, value).ok());
    return batch;
  }

  Status Prepare(const std::string& xid, const std::vector<std::string>& keys,
                 const WriteOptions& options = {}) {
    const WriteBatch batch = Puts(keys, xid);
    return store_->Prepare(options, xid, &batch);
  }

  void Prepared(const std::string& xid, const std::vector<std::string>& keys,
                const WriteOptions& options = {}) {
    const Status status = Prepare(xid, keys, options);
    ASSERT_TRUE(status.ok()) << status.ToString();
  }

  void Committed(const std::string& xid, const WriteOptions& options = {}) {
    const Status status = store_->Commit(options, xid).status;
    ASSERT_TRUE(status.ok()) << status.ToString();
  }

  void RolledBack(const std::string& xid, const WriteOptions& options = {}) {
    const Status status = store_->Rollback(options, xid);
    ASSERT_TRUE(status.ok()) << status.ToString();
  }

  // Each as "xid: key value …".
  std::vector<std::string> Recovered() const {
    std::vector<RecoveredTransaction> transactions;
    const Status status = store_->RecoveredTransactions(&transactions);
    if (!status.ok()) return {status.ToString()};
    std::vector<std::string> texts;
    for (const RecoveredTransaction& transaction : transactions) {
      EXPECT_FALSE(transaction.batch.marked());
      Writer writer{transaction.xid + ":"};
      EXPECT_TRUE(transaction.batch.Iterate(&writer).ok());
      texts.push_back(writer.text);
    }
    return texts;
  }

  SequenceNumber LastSequence() const { return store_->GetSnapshot().sequence(); }

 private:
  struct Writer {
    Status Put(std::string_view key, std::string_view value) {
      text.append(" ").append(key).append(" ").append(value);
      return Status::OK();
    }
    Status Delete(std::string_view key) { return Put(key, "deleted"); }

    std::string text;
  };
};

TEST_P(TwoPhaseStoreTest, ACommitPublishesWhatWasPreparedAsOne) {
  Reopen();
  Put("a", "1");
  Prepared("x", {"b", "c"});
  EXPECT_EQ(All(), (Contents{{"a", "1"}}));
  EXPECT_EQ(LastSequence(), 1U) << "a prepare takes no sequence and publishes nothing";
  Put("a", "2");
  const Snapshot before = store_->GetSnapshot();
  const WriteResult result = store_->Commit({}, "x");
  ASSERT_TRUE(result.status.ok()) << result.status.ToString();
  EXPECT_EQ(result.sequence, 3U);
  EXPECT_EQ(LastSequence(), 4U);
  EXPECT_EQ(All(), (Contents{{"a", "2"}, {"b", "x"}, {"c", "x"}}));
  EXPECT_EQ(All(&before), (Contents{{"a", "2"}}));
  Put("d", "4");
  Reopen();
  EXPECT_EQ(All(), (Contents{{"a", "2"}, {"b", "x"}, {"c", "x"}, {"d", "4"}}));
  EXPECT_EQ(LastSequence(), 5U);
  EXPECT_THAT(Recovered(), IsEmpty());
}

TEST_P(TwoPhaseStoreTest, ARollbackForgetsWhatWasPrepared) {
  Reopen();
  Prepared("x", {"a"});
  RolledBack("x");
  EXPECT_EQ(LastSequence(), 0U);
  EXPECT_EQ(store_->Commit({}, "x").status.code(), Code::kNotFound);
  EXPECT_EQ(store_->Rollback({}, "x").code(), Code::kNotFound);
  Prepared("x", {"b"});
  Committed("x");
  Reopen();
  EXPECT_EQ(All(), (Contents{{"b", "x"}}));
  EXPECT_THAT(Recovered(), IsEmpty());
}

TEST_P(TwoPhaseStoreTest, UndecidedOnesComeBackAndAreDecidedThen) {
  Reopen();
  for (const char* xid : {"w", "x", "y", "z"}) Prepared(xid, {std::string("of ") + xid});
  Committed("w");
  Put("a", "1");
  Reopen();
  EXPECT_EQ(store_->GetStats().recovery.undecided, 3U);
  EXPECT_THAT(Recovered(), ElementsAre("x: of x x", "y: of y y", "z: of z z"));
  Committed("y");
  RolledBack("x");
  Prepared("v", {"of v"});
  EXPECT_THAT(Recovered(), ElementsAre("z: of z z")) << "v was not recovered, the others decided";
  Reopen();
  EXPECT_THAT(Recovered(), ElementsAre("v: of v v", "z: of z z"));
  Committed("v");
  RolledBack("z");
  Reopen();
  EXPECT_THAT(Recovered(), IsEmpty());
  EXPECT_EQ(All(), (Contents{{"a", "1"}, {"of v", "v"}, {"of w", "w"}, {"of y", "y"}}));
  EXPECT_EQ(LastSequence(), 4U);
}

TEST_P(TwoPhaseStoreTest, DeletesAndEmptyBatchesToo) {
  Reopen();
  Put("a", "1");
  WriteBatch batch;
  ASSERT_TRUE(batch.Delete("a").ok());
  ASSERT_TRUE(store_->Prepare({}, "delete", &batch).ok());
  Prepared("nothing", {});
  EXPECT_EQ(store_->Commit({}, "nothing").sequence, 0U);
  Prepared(std::string(kMaxXidSize, 'l'), {"long"});
  Reopen();
  EXPECT_THAT(Recovered(), ElementsAre("delete: a deleted", testing::StartsWith("lll")));
  Committed("delete");
  Committed(std::string(kMaxXidSize, 'l'));
  EXPECT_EQ(All().count("a"), 0U);
  EXPECT_EQ(LastSequence(), 3U);
}

TEST_P(TwoPhaseStoreTest, WhatMakesNoSenseIsRefusedAndChangesNothing) {
  Reopen();
  Prepared("x", {"a"});
  const uint64_t bytes = store_->GetStats().log_bytes;
  const WriteBatch batch = Puts({"b"});
  WriteBatch marked = batch, refused = batch;
  ASSERT_TRUE(marked.MarkPrepare("y").ok());
  ASSERT_FALSE(refused.Put(std::string(kMaxKeySize + 1, 'k'), "").ok());
  const std::string oversized(kMaxXidSize + 1, 'x');
  const auto expect = [&](Code code, const char* text, const Status& status) {
    EXPECT_EQ(status.code(), code) << status.ToString();
    EXPECT_THAT(status.ToString(), HasSubstr(text));
  };
  const Code invalid = Code::kInvalidArgument;
  expect(invalid, "prepared already", store_->Prepare({}, "x", &batch));
  expect(invalid, "null", store_->Prepare({}, "y", nullptr));
  expect(invalid, "two-phase commit already", store_->Prepare({}, "y", &marked));
  expect(invalid, "two-phase commit", store_->Write({}, &marked).status);
  expect(invalid, "longer than 8 MiB", store_->Prepare({}, "y", &refused));
  for (const std::string& xid : {std::string(), oversized}) {
    expect(invalid, "longer than 512", store_->Prepare({}, xid, &batch));
    expect(invalid, "longer than 512", store_->Commit({}, xid).status);
    expect(invalid, "longer than 512", store_->Rollback({}, xid));
  }
  for (const WriteOptions& options :
       {WriteOptions{.disable_wal = true}, WriteOptions{.disable_memtable = true}}) {
    expect(invalid, "leave disable_wal", store_->Prepare(options, "y", &batch));
    expect(invalid, "leave disable_wal", store_->Commit(options, "x").status);
    expect(invalid, "leave disable_wal", store_->Rollback(options, "x"));
  }
  expect(Code::kNotFound, "no undecided transaction", store_->Commit({}, "y").status);
  expect(Code::kNotFound, "no undecided transaction", store_->Rollback({}, "y"));
  EXPECT_EQ(store_->GetStats().log_bytes, bytes) << "nothing of it was logged";
  Committed("x");
  expect(Code::kNotFound, "no undecided transaction", store_->Commit({}, "x").status);
  EXPECT_EQ(All(), (Contents{{"a", "x"}}));
  ASSERT_TRUE(store_->Close().ok());
  expect(Code::kAborted, "closed", store_->Prepare({}, "z", &batch));
  expect(Code::kAborted, "closed", store_->Commit({}, "z").status);
  expect(Code::kAborted, "closed", store_->Rollback({}, "z"));
  EXPECT_THAT(Recovered(), ElementsAre(HasSubstr("closed")));
}

class FailOnce final : public WriteCallback {
 public:
  Status Callback() override {
    return std::exchange(failed_, true) ? Status::OK() : Status::Incomplete("not now");
  }
  bool AllowWriteBatching() const override { return true; }

 private:
  bool failed_ = false;
};

TEST_P(TwoPhaseStoreTest, AFailingCallbackFailsItsCallAlone) {
  Reopen();
  FailOnce prepare, commit, rollback;
  const WriteBatch batch = Puts({"a"}, "x");
  EXPECT_EQ(store_->Prepare({.callback = &prepare}, "x", &batch).code(), Code::kIncomplete);
  EXPECT_EQ(store_->Commit({}, "x").status.code(), Code::kNotFound);
  EXPECT_TRUE(store_->Prepare({.callback = &prepare}, "x", &batch).ok());
  EXPECT_EQ(store_->Rollback({.callback = &rollback}, "x").code(), Code::kIncomplete);
  EXPECT_EQ(store_->Commit({.callback = &commit}, "x").status.code(), Code::kIncomplete);
  EXPECT_THAT(All(), IsEmpty());
  Committed("x", {.callback = &commit});
  EXPECT_EQ(LastSequence(), 1U);
  Reopen();
  EXPECT_EQ(All(), (Contents{{"a", "x"}}));
}

// Deciders of one transaction: as many rounds as it takes to see both decisions win.
TEST_P(TwoPhaseStoreTest, OfManyWhoDecideOneWins) {
  Reopen();
  SequenceNumber commits = 0;
  for (int round = 0; round < 40; ++round) {
    const std::string xid = "x" + std::to_string(round);
    Prepared(xid, {xid});
    std::atomic<int> ready = 0, wins = 0, commits_now = 0, strange = 0;
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&, i] {
        for (++ready; ready < 4;) std::this_thread::yield();
        const Status status =
            i % 2 == 0 ? store_->Commit({}, xid).status : store_->Rollback({}, xid);
        if (status.ok()) ++wins;
        if (status.ok() && i % 2 == 0) ++commits_now;
        const bool lost = status.code() == Code::kBusy || status.IsNotFound();
        if (!status.ok() && !lost) ++strange;
      });
    }
    for (std::thread& thread : threads) thread.join();
    ASSERT_EQ(wins, 1);
    ASSERT_EQ(strange, 0);
    ASSERT_EQ(Get(xid), commits_now == 1 ? xid : "Not found");
    commits += static_cast<SequenceNumber>(commits_now);
  }
  EXPECT_EQ(LastSequence(), commits);
  const Contents before = All();
  Reopen();
  EXPECT_EQ(All(), before);
  EXPECT_THAT(Recovered(), IsEmpty());
}

// A decision must not overtake its prepare on the way to the log, whatever queue that takes.
TEST_P(TwoPhaseStoreTest, NobodyDecidesBeforeThePrepareHasReturned) {
  Reopen();
  for (int round = 0; round < 40; ++round) {
    const std::string xid = "x" + std::to_string(round);
    std::thread preparer([&] { Prepared(xid, {xid}); });
    Status status;
    do {
      status = store_->Commit({}, xid).status;
    } while (status.IsNotFound() || status.code() == Code::kBusy);
    ASSERT_TRUE(status.ok()) << status.ToString();
    preparer.join();
  }
  const Contents before = All();
  EXPECT_EQ(before.size(), 40U);
  Reopen();
  EXPECT_EQ(All(), before);
}

INSTANTIATE_TEST_SUITE_P(EveryMode, TwoPhaseStoreTest, testing::ValuesIn(stress::kModes),
                         [](const auto& info) { return std::string(info.param.name); });

// Faults and crashes: the state after each is one that the calls allow.
class TwoPhaseCrashTest : public TwoPhaseStoreTest {
 protected:
  using Step = std::function<Status(Store*)>;

  // Whether some power failure takes what step i did, though `options` asked for sync.
  bool Loses(const WriteOptions& options) {
    for (uint64_t seed = 0; seed < 30; ++seed) {
      Reopen(RecoveryMode::kPointInTime);
      const std::string n = std::to_string(seed);
      for (const char* xid : {"p", "c", "r"}) Prepared(xid + n, {xid + n}, kSync);
      Prepared("new" + n, {"new"}, options);
      if (!Survives(seed, [&] { return FindRecovered("new" + n); })) return true;
      Committed("c" + n, options);
      if (!Survives(seed, [&] { return Get("c" + n) == "c" + n; })) return true;
      RolledBack("r" + n, options);
      if (!Survives(seed, [&] { return !FindRecovered("r" + n); })) return true;
      if (!FindRecovered("p" + n)) return true;
    }
    return false;
  }

 private:
  template <class Holds>
  bool Survives(uint64_t seed, const Holds& holds) {
    disk_.Crash(seed);
    Reopen(RecoveryMode::kPointInTime);
    return holds();
  }

  bool FindRecovered(const std::string& xid) const {
    for (const std::string& text : Recovered()) {
      if (text.starts_with(xid + ":")) return true;
    }
    return false;
  }
};

TEST_P(TwoPhaseCrashTest, SyncHoldsForAllThree) { EXPECT_FALSE(Loses(kSync)); }

TEST_P(TwoPhaseCrashTest, WithoutSyncItWouldBeSeen) { EXPECT_TRUE(Loses({})); }

// A prepare, a commit or a rollback that the log fails: refused ever after, until reopen decides.
TEST_P(TwoPhaseCrashTest, AfterAnUnknownOutcomeTheNextOpenDecides) {
  for (const stress::FileOperation operation :
       {stress::FileOperation::kAppend, stress::FileOperation::kSync}) {
    for (const std::string call : {"prepare", "commit", "rollback"}) {
      Reopen();
      const std::string xid = call + std::to_string(static_cast<int>(operation));
      if (call != "prepare") Prepared(xid, {xid}, kSync);
      Put("k", "v", kSync);
      disk_.InjectFault({.operation = operation});
      const Status failed = call == "prepare"  ? Prepare(xid, {xid}, kSync)
                            : call == "commit" ? store_->Commit(kSync, xid).status
                                               : store_->Rollback(kSync, xid);
      EXPECT_EQ(failed.code(), Code::kUnknownOutcome) << failed.ToString();
      EXPECT_EQ(failed.error_number(), EIO);
      EXPECT_EQ(Get(xid), "Not found") << "nothing of it is published";
      for (const Status& later :
           {store_->Commit({}, xid).status, store_->Rollback({}, xid), Prepare(xid, {xid})}) {
        EXPECT_EQ(later.code(), Code::kAborted);
        EXPECT_THAT(later.ToString(), HasSubstr("open the store again"));
      }
      EXPECT_EQ(Prepare("other", {"o"}).code(), Code::kAborted) << "the path is poisoned";
      Die();
      Reopen();
      // A failed append left half a record, which is cut; a failed sync left a whole one.
      const bool logged = operation == stress::FileOperation::kSync;
      const bool undecided = logged == (call == "prepare");
      EXPECT_THAT(Recovered(), undecided ? ElementsAre(xid + ": " + xid + " " + xid)
                                         : testing::Matcher<std::vector<std::string>>(IsEmpty()));
      EXPECT_EQ(Get(xid), logged && call == "commit" ? xid : "Not found");
      if (undecided) RolledBack(xid);
      if (!undecided) Prepared(xid, {xid});
      if (!undecided) RolledBack(xid);
    }
  }
}

TEST_P(TwoPhaseCrashTest, ARefusedDecisionLeavesItUndecided) {
  Reopen();
  Prepared("x", {"a"}, kSync);
  disk_.InjectFault({.operation = stress::FileOperation::kSync});
  EXPECT_EQ(store_->Put(kSync, "k", "v").status.code(), Code::kUnknownOutcome);
  EXPECT_EQ(store_->Commit({}, "x").status.code(), Code::kAborted);
  EXPECT_EQ(store_->Rollback({}, "x").code(), Code::kAborted);
  EXPECT_EQ(store_->Commit({}, "x").status.code(), Code::kAborted) << "refused, not unknown";
  Reopen();
  EXPECT_THAT(Recovered(), ElementsAre("x: a x"));
}

INSTANTIATE_TEST_SUITE_P(EveryMode, TwoPhaseCrashTest, testing::ValuesIn(stress::kModes),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace bellwether
