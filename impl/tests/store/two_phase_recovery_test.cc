// Logs with two-phase commits, cut at every byte and damaged at every byte: what is recovered is
// the state behind the last whole record, with the transactions that were undecided there.

#include <algorithm>
#include <iterator>
#include <utility>

#include "store_fixture.h"
#include "stress/modes.h"

namespace bellwether {
namespace {

// What a store holds: contents, the transactions that can be decided, and the newest sequence.
struct State {
  Contents contents;
  std::map<std::string, Contents> undecided;
  SequenceNumber last_sequence = 0;
  bool operator==(const State&) const = default;
};

enum class Call { kPut, kPrepare, kCommit, kRollback };

struct Step {
  Call call = Call::kPut;
  std::string name;  // the key, or the xid
  Contents puts = {};
};

// The handler that WriteBatch::Iterate calls.
struct Puts {
  Status Put(std::string_view key, std::string_view value) {
    contents.emplace(key, value);
    return Status::OK();
  }
  Status Delete(std::string_view key) { return Put(key, "deleted"); }

  Contents contents;
};

class TwoPhaseRecoveryTest : public StoreTest, public testing::WithParamInterface<stress::Mode> {
 protected:
  TwoPhaseRecoveryTest() { write_path_ = GetParam().options; }

  // Two logs; transactions that are decided in their own log, in the next one, and never.
  void WriteLogs() {
    Reopen();
    for (const Step& step :
         {Step{Call::kPut, "a"}, Step{Call::kPrepare, "w", {{"w", "1"}}},
          Step{Call::kPrepare, "x", {{"x", "1"}, {"xx", "2"}}}, Step{Call::kCommit, "w"}}) {
      Take(step);
    }
    Reopen();
    ends_ = {{0, state_}};
    for (const Step& step :
         {Step{Call::kPut, "a"}, Step{Call::kPrepare, "y", {{"a", "y"}, {"y", "1"}}},
          Step{Call::kCommit, "x"}, Step{Call::kPut, "b"}, Step{Call::kRollback, "y"},
          Step{Call::kPrepare, "y", {{"y", "2"}}}, Step{Call::kPrepare, "z", {{"a", "z"}}},
          Step{Call::kCommit, "y"}, Step{Call::kPut, "c"}}) {
      Take(step);
      ends_.push_back({Read(Log(2)).size(), state_});
    }
    older_ = Read(Log(1));
    newest_ = Read(Log(2));
  }

  // A store whose newest log is `log`.
  Status OpenOn(const std::string& log, RecoveryMode mode = RecoveryMode::kTolerateTornTail) {
    Die();
    for (const std::string& name : Names()) {
      EXPECT_TRUE(disk_.RemoveFile(std::string(kDirectory) + "/" + name).ok());
    }
    Create(Log(1), older_);
    Create(Log(2), log);
    return Open(mode);
  }

  // Behind the last record that is whole in the first `size` bytes.
  const State& StateAt(uint64_t size) const {
    const auto behind = [](uint64_t at, const End& end) { return at < end.offset; };
    return std::prev(std::upper_bound(ends_.begin(), ends_.end(), size, behind))->state;
  }

  State Observe() const {
    if (store_ == nullptr) return {{{"no store", "is open"}}, {}, 0};
    State state{All(), {}, store_->GetSnapshot().sequence()};
    std::vector<RecoveredTransaction> transactions;
    EXPECT_TRUE(store_->RecoveredTransactions(&transactions).ok());
    for (const RecoveredTransaction& transaction : transactions) {
      Puts puts;
      EXPECT_TRUE(transaction.batch.Iterate(&puts).ok());
      state.undecided.emplace(transaction.xid, puts.contents);
    }
    return state;
  }

  // What is undecided can be decided, and is then decided for good.
  void ExpectDecidable(Call decision) {
    state_ = Observe();
    const State found = state_;
    for (const auto& [xid, puts] : found.undecided) Take({decision, xid});
    for (int opened = 0; opened < 2; ++opened) {
      ASSERT_EQ(Observe(), state_) << "reopened " << opened << " times";
      Reopen();
    }
  }

  // The state after all steps.
  State state_;
  std::string newest_;

 private:
  struct End {
    uint64_t offset = 0;
    State state;
  };

  // By the store, and by the model.
  void Take(const Step& step) {
    ASSERT_NE(store_, nullptr);
    Status status;
    WriteBatch batch;
    for (const auto& [key, value] : step.puts) EXPECT_TRUE(batch.Put(key, value).ok());
    if (step.call == Call::kPut) {
      const std::string value = std::to_string(++state_.last_sequence);
      status = store_->Put({}, step.name, value).status;
      state_.contents[step.name] = value;
    } else if (step.call == Call::kPrepare) {
      status = store_->Prepare({}, step.name, &batch);
      state_.undecided[step.name] = step.puts;
    } else if (step.call == Call::kRollback) {
      status = store_->Rollback({}, step.name);
      state_.undecided.erase(step.name);
    } else {
      status = store_->Commit({}, step.name).status;
      const Contents puts = state_.undecided[step.name];
      for (const auto& [key, value] : puts) state_.contents[key] = value;
      state_.last_sequence += puts.size();
      state_.undecided.erase(step.name);
    }
    ASSERT_TRUE(status.ok()) << status.ToString();
  }

  void Create(const std::string& path, const std::string& contents) {
    std::unique_ptr<WritableFile> file;
    ASSERT_TRUE(disk_.NewWritableFile(path, &file).ok());
    ASSERT_TRUE(file->Append(contents).ok());
  }

  std::string older_;
  std::vector<End> ends_;  // of the records of the newest log, after its beginning
};

TEST_P(TwoPhaseRecoveryTest, TornAtEveryByte) {
  WriteLogs();
  if (HasFatalFailure()) return;
  for (size_t size = 0; size <= newest_.size(); ++size) {
    for (const Call decision : {Call::kCommit, Call::kRollback}) {
      const Status status = OpenOn(newest_.substr(0, size));
      ASSERT_TRUE(status.ok()) << status.ToString();
      ASSERT_EQ(Observe(), StateAt(size)) << size << " bytes of " << newest_.size();
      ExpectDecidable(decision);
      if (HasFatalFailure()) return;
    }
  }
}

TEST_P(TwoPhaseRecoveryTest, DamagedAtEveryByte) {
  WriteLogs();
  if (HasFatalFailure()) return;
  for (size_t at = 0; at < newest_.size(); ++at) {
    std::string damaged = newest_;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x10);
    const Status status = OpenOn(damaged);
    if (status.ok()) {
      ASSERT_EQ(StateAt(at), StateAt(newest_.size() - 1)) << "only the last record may seem torn";
    } else {
      ASSERT_EQ(status.code(), Status::Code::kCorruption) << status.ToString();
      ASSERT_EQ(status.file(), Log(2));
      ASSERT_TRUE(OpenOn(damaged, RecoveryMode::kPointInTime).ok());
    }
    ASSERT_EQ(Observe(), StateAt(at)) << "damaged at " << at;
    ExpectDecidable(Call::kCommit);
    if (HasFatalFailure()) return;
  }
}

INSTANTIATE_TEST_SUITE_P(EveryMode, TwoPhaseRecoveryTest, testing::ValuesIn(stress::kModes),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace bellwether
