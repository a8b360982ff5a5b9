// The ledger's rules for transactions, checkpoints and writes with disable_wal: a real store does
// one thing, the table notes another, and each such history is rejected by the rule that it breaks.

#include <gtest/gtest.h>

#include <functional>
#include <utility>
#include <vector>

#include "bellwether/storage/snapshot_file.h"
#include "bellwether/storage/wal_writer.h"
#include "stress/ledger.h"
#include "stress/simulated_file_system.h"

namespace bellwether::stress {
namespace {

constexpr const char* kDirectory = "/store";

class HistoryTest : public testing::Test {
 protected:
  HistoryTest()
      : workload_({.seed = 3,
                   .keys = 4,
                   .sync_percent = 0,
                   .transaction_percent = 60,
                   .disable_wal_percent = 50}),
        table_(Workload::kMaxThreads, 4),
        ledger_(workload_, Workload::kMaxThreads) {
    Open();
  }

  void Open() {
    const Status status = Store::Open({.file_system = &disk_}, kDirectory, &store_);
    ASSERT_TRUE(status.ok()) << status.ToString();
  }

  // The first write of a thread that has none yet.
  WriteId Next(Way way, bool disable_wal = false) {
    for (;;) {
      const WriteId id = MakeWriteId(next_thread_++, 1);
      if (workload_.WayOf(id) == way && workload_.DisableWal(id) == disable_wal) return id;
    }
  }

  WriteBatch BatchOf(WriteId id) const {
    WriteBatch batch;
    EXPECT_TRUE(workload_.Fill(id, &batch).ok());
    return batch;
  }

  // What the store does.
  SequenceNumber DoWrite(WriteId id) {
    const WriteBatch batch = BatchOf(id);
    const WriteResult result = store_->Write({.disable_wal = workload_.DisableWal(id)}, &batch);
    EXPECT_TRUE(result.status.ok()) << result.status.ToString();
    return result.sequence;
  }
  void DoPrepare(WriteId id) {
    const WriteBatch batch = BatchOf(id);
    EXPECT_TRUE(store_->Prepare({}, Workload::Xid(id), &batch).ok());
  }
  SequenceNumber DoCommit(WriteId id) { return store_->Commit({}, Workload::Xid(id)).sequence; }
  void DoRollback(WriteId id) { EXPECT_TRUE(store_->Rollback({}, Workload::Xid(id)).ok()); }

  // What the table says of it.
  void NoteWrite(WriteId id, SequenceNumber sequence) {
    table_.Begin(ThreadOf(id));
    table_.Return(ThreadOf(id), Outcome::kAcknowledged, sequence);
  }
  void NotePrepare(WriteId id) {
    table_.Begin(ThreadOf(id), Phase::kPreparing);
    table_.Prepared(ThreadOf(id));
  }
  void NoteDecision(WriteId id, SequenceNumber sequence) {
    table_.Decide(ThreadOf(id));
    table_.Return(ThreadOf(id), Outcome::kAcknowledged, sequence);
  }

  void Write(WriteId id) { NoteWrite(id, DoWrite(id)); }
  void Commit(WriteId id) {
    NotePrepare(id);
    DoPrepare(id);
    NoteDecision(id, DoCommit(id));
  }

  void Reopen() {
    store_.reset();
    Open();
  }

  // Of the store, opened again after its process died.
  std::string_view Rule(Survival survival = Survival::kAcknowledged) {
    Reopen();
    ledger_.EndLife(table_, /*closed=*/false);
    return Check(*store_, survival);
  }

  template <class AnyStore>
  std::string_view Check(const AnyStore& store, Survival survival = Survival::kAcknowledged) {
    const auto violation = ledger_.CheckRecovered(&disk_, kDirectory, store, survival);
    return violation ? violation->rule : "none";
  }

  SimulatedFileSystem disk_;
  const Workload workload_;
  AckTable table_;
  Ledger ledger_;
  std::unique_ptr<Store> store_;
  uint32_t next_thread_ = 0;
};

using TransactionHistoryTest = HistoryTest;

TEST_F(TransactionHistoryTest, AcceptsWhatWasNoted) {
  Write(Next(Way::kWrite));
  Commit(Next(Way::kCommit));
  const WriteId rolled_back = Next(Way::kRollback);
  NotePrepare(rolled_back);
  DoPrepare(rolled_back);
  NoteDecision(rolled_back, 0);
  DoRollback(rolled_back);
  const WriteId undecided = Next(Way::kLeaveUndecided);
  NotePrepare(undecided);
  DoPrepare(undecided);
  EXPECT_EQ(Rule(), "none");
  EXPECT_EQ(ledger_.recovered(), 2U);
}

TEST_F(TransactionHistoryTest, CommitThatNobodyAskedFor) {
  const WriteId id = Next(Way::kCommit);
  NotePrepare(id);
  DoPrepare(id);
  DoCommit(id);
  EXPECT_EQ(Rule(), "kPhantom");
}

TEST_F(TransactionHistoryTest, RollbackThatCommitted) {
  const WriteId id = Next(Way::kRollback);
  NotePrepare(id);
  DoPrepare(id);
  NoteDecision(id, 0);
  DoCommit(id);
  EXPECT_EQ(Rule(), "kPhantom");
}

TEST_F(TransactionHistoryTest, PrepareThatWasRefused) {
  const WriteId id = Next(Way::kCommit);
  table_.Begin(ThreadOf(id), Phase::kPreparing);
  table_.Return(ThreadOf(id), Outcome::kRefused, 0);
  DoPrepare(id);
  EXPECT_EQ(Rule(), "kPhantom");
}

TEST_F(TransactionHistoryTest, LostPrepare) {
  NotePrepare(Next(Way::kLeaveUndecided));
  EXPECT_EQ(Rule(), "kLost");
}

TEST_F(TransactionHistoryTest, LostCommit) {
  const WriteId id = Next(Way::kCommit);
  NotePrepare(id);
  DoPrepare(id);
  NoteDecision(id, 1);
  EXPECT_EQ(Rule(), "kLost");
}

TEST_F(TransactionHistoryTest, LostRollback) {
  const WriteId id = Next(Way::kRollback);
  NotePrepare(id);
  DoPrepare(id);
  NoteDecision(id, 0);
  EXPECT_EQ(Rule(), "kLost");
}

TEST_F(TransactionHistoryTest, CommitThatMoved) {
  const WriteId id = Next(Way::kCommit);
  NotePrepare(id);
  DoPrepare(id);
  NoteDecision(id, DoCommit(id) + 1);
  EXPECT_EQ(Rule(), "kMoved");
}

TEST_F(TransactionHistoryTest, DecisionInFlightMayBeThereOrNot) {
  for (const bool there : {true, false}) {
    const WriteId id = Next(Way::kCommit);
    NotePrepare(id);
    DoPrepare(id);
    table_.Decide(ThreadOf(id));
    if (there) DoCommit(id);
  }
  EXPECT_EQ(Rule(), "none");
}

TEST_F(TransactionHistoryTest, WhoeverMetAnErrorHasToBeToldSo) {
  const WriteId told = Next(Way::kWrite);
  table_.Begin(ThreadOf(told));
  table_.Return(ThreadOf(told), Outcome::kUnknown, 0);
  const WriteId other = Next(Way::kWrite);
  Write(other);
  ledger_.EndLife(table_, /*closed=*/false);
  EXPECT_FALSE(ledger_.CheckToldUnknown(told));
  EXPECT_EQ(ledger_.CheckToldUnknown(other)->rule, "INV_STATUS");
}

// A store that says something else of its transactions.
struct Liar {
  using Iterator = Store::Iterator;
  Status RecoveredTransactions(std::vector<RecoveredTransaction>* transactions) const {
    *transactions = offered;
    return Status::OK();
  }
  Snapshot GetSnapshot() const { return store->GetSnapshot(); }
  Status NewIterator(const ReadOptions& options, std::unique_ptr<Iterator>* iterator) const {
    return store->NewIterator(options, iterator);
  }

  const Store* store;
  std::vector<RecoveredTransaction> offered;
};

TEST_F(TransactionHistoryTest, StoreThatOffersOthersThanTheLogs) {
  const WriteId id = Next(Way::kLeaveUndecided);
  NotePrepare(id);
  DoPrepare(id);
  Reopen();
  ledger_.EndLife(table_, /*closed=*/false);
  const RecoveredTransaction right{Workload::Xid(id), BatchOf(id)};
  const WriteId other = Next(Way::kLeaveUndecided);
  EXPECT_EQ(Check(Liar{store_.get(), {}}), "kRecovered");
  EXPECT_EQ(Check(Liar{store_.get(), {{Workload::Xid(id), BatchOf(other)}}}), "kRecovered");
  EXPECT_EQ(Check(Liar{store_.get(), {{"foreign", BatchOf(id)}}}), "kRecovered");
  EXPECT_EQ(Check(Liar{store_.get(), {right, {Workload::Xid(other), BatchOf(other)}}}),
            "kRecovered");
  EXPECT_EQ(Check(Liar{store_.get(), {right}}), "none");
}

// Logs that no store would write, or open.
class TornTransactionTest : public HistoryTest {
 protected:
  WriteBatch PrepareOf(WriteId id, const WriteBatch& operations) const {
    WriteBatch prepare = operations;
    EXPECT_TRUE(prepare.MarkPrepare(Workload::Xid(id)).ok());
    return prepare;
  }

  std::string_view RuleOf(const std::vector<WriteBatch>& batches) {
    std::unique_ptr<WritableFile> file;
    const std::string path = std::string(kDirectory) + "/" + LogName(2);
    EXPECT_TRUE(disk_.NewWritableFile(path, &file).ok());
    WalWriter log(std::move(file));
    SequenceNumber next = 1;
    for (const WriteBatch& batch : batches) {
      struct {
        const WriteBatch& batch;
        void ForEach(const std::function<void(const WriteBatch&)>& visit) const { visit(batch); }
      } const group{batch};
      EXPECT_TRUE(log.AddRecord(next, group).ok());
      next += batch.Count();
    }
    LoggedWrites logged;
    const auto violation = ReadLoggedWrites(workload_, &disk_, kDirectory, &logged);
    EXPECT_TRUE(disk_.RemoveFile(path).ok());
    return violation ? violation->rule : "none";
  }
};

TEST_F(TornTransactionTest, EachMarkHasItsTransaction) {
  const WriteId id = Next(Way::kCommit);
  const WriteId other = Next(Way::kCommit);
  const WriteBatch prepare = PrepareOf(id, BatchOf(id));
  WriteBatch commit;
  WriteBatch rollback;
  ASSERT_TRUE(commit.MarkCommit(Workload::Xid(id), prepare).ok());
  ASSERT_TRUE(rollback.MarkRollback(Workload::Xid(id)).ok());
  EXPECT_EQ(RuleOf({prepare, commit}), "none");
  EXPECT_EQ(RuleOf({prepare, rollback}), "none");
  EXPECT_EQ(RuleOf({prepare, prepare}), "kTorn");
  EXPECT_EQ(RuleOf({commit}), "kTorn");
  EXPECT_EQ(RuleOf({prepare, commit, rollback}), "kTorn");
  EXPECT_EQ(RuleOf({PrepareOf(id, BatchOf(other))}), "kTorn") << "under another's xid";
}

TEST_F(TornTransactionTest, PrepareOfAPart) {
  WriteId id = Next(Way::kCommit);
  while (workload_.Operations(id).size() < 2) id = Next(Way::kCommit);
  WriteBatch part;
  ASSERT_TRUE(part.Put(Workload::Key(ThreadOf(id)), workload_.Value({id, 0})).ok());
  EXPECT_EQ(RuleOf({PrepareOf(id, part)}), "kTorn");
}

class CheckpointHistoryTest : public HistoryTest {
 protected:
  void Checkpoint() { EXPECT_TRUE(store_->Checkpoint().ok()); }

  // Writes the snapshot anew, without the entry of `key`.
  void DropFromSnapshot(const std::string& key) {
    struct Copy {
      Status Entry(std::string_view k, SequenceNumber sequence, std::string_view value) {
        if (k != key) entries.push_back({std::string(k), {sequence, std::string(value)}});
        return Status::OK();
      }
      Status Prepare(std::string_view) { return Status::OK(); }
      const std::string& key;
      std::vector<std::pair<std::string, std::pair<SequenceNumber, std::string>>> entries = {};
    } copy{key};
    const std::string path = std::string(kDirectory) + "/" + SnapshotName(2);
    std::string contents;
    ASSERT_TRUE(disk_.ReadFile(path, &contents).ok());
    SnapshotReader reader(path, contents);
    ASSERT_TRUE(reader.Read(&copy).ok());
    ASSERT_TRUE(disk_.RemoveFile(path).ok());
    std::unique_ptr<WritableFile> file;
    ASSERT_TRUE(disk_.NewWritableFile(path, &file).ok());
    SnapshotWriter writer(std::move(file), reader.FindFooter()->sequence);
    for (const auto& [k, entry] : copy.entries) {
      ASSERT_TRUE(writer.Add(k, entry.first, entry.second).ok());
    }
    ASSERT_TRUE(writer.Finish().ok());
  }
};

TEST_F(CheckpointHistoryTest, AcceptsWhatWasNoted) {
  Write(Next(Way::kWrite));
  const WriteId in_flight = Next(Way::kWrite);
  table_.Begin(ThreadOf(in_flight));
  DoWrite(in_flight);
  const WriteId across = Next(Way::kCommit);
  NotePrepare(across);
  DoPrepare(across);
  const WriteId undecided = Next(Way::kLeaveUndecided);
  NotePrepare(undecided);
  DoPrepare(undecided);
  Checkpoint();
  NoteDecision(across, DoCommit(across));
  Write(Next(Way::kWrite));
  EXPECT_EQ(Rule(), "none");
  EXPECT_EQ(ledger_.recovered(), 4U);
}

// Its sequence says that it is in the snapshot, which has another there.
TEST_F(CheckpointHistoryTest, WriteThatTheSnapshotHasLost) {
  const WriteId there = Next(Way::kWrite);
  const SequenceNumber sequence = DoWrite(there);
  NoteWrite(there, sequence);
  NoteWrite(Next(Way::kWrite), sequence);
  Checkpoint();
  EXPECT_EQ(Rule(), "kDuplicate");
}

// The log behind the snapshot hides it from whoever reads the store.
TEST_F(CheckpointHistoryTest, EntryThatTheSnapshotHasLost) {
  const WriteId id = Next(Way::kWrite);
  Write(id);
  Checkpoint();
  const WriteId again = MakeWriteId(ThreadOf(id), 2);
  NoteWrite(again, DoWrite(again));
  DropFromSnapshot(Workload::Key(ThreadOf(id)));
  EXPECT_EQ(Rule(), "kValue");
}

TEST_F(CheckpointHistoryTest, WriteThatWasNeverBegun) {
  DoWrite(Next(Way::kWrite));
  Checkpoint();
  EXPECT_EQ(Rule(), "kPhantom");
}

TEST_F(CheckpointHistoryTest, WriteThatMoved) {
  const WriteId id = Next(Way::kWrite);
  NoteWrite(id, DoWrite(id) + 1);
  Checkpoint();
  EXPECT_EQ(Rule(), "kMoved");
}

TEST_F(CheckpointHistoryTest, PrepareThatTheSnapshotHasLost) {
  NotePrepare(Next(Way::kLeaveUndecided));
  Write(Next(Way::kWrite));
  Checkpoint();
  EXPECT_EQ(Rule(), "kLost");
}

TEST_F(CheckpointHistoryTest, WhatCameBeforeACheckpointIsDurable) {
  Write(Next(Way::kWrite));
  const WriteId lost = Next(Way::kWrite);
  NoteWrite(lost, 100);
  EXPECT_EQ(Rule(Survival::kDurable), "none");
}

TEST_F(CheckpointHistoryTest, WhatCameBeforeACheckpointIsNotLostWithThePower) {
  Write(Next(Way::kWrite));
  const WriteId lost = Next(Way::kWrite);
  NoteWrite(lost, 100);
  table_.Checkpointed(Now() + 1);
  EXPECT_EQ(Rule(Survival::kDurable), "kLost");
}

using UnloggedHistoryTest = CheckpointHistoryTest;

TEST_F(UnloggedHistoryTest, GoesWithTheProcess) {
  Write(Next(Way::kWrite, /*disable_wal=*/true));
  Commit(Next(Way::kCommit));
  Write(Next(Way::kWrite, /*disable_wal=*/true));
  EXPECT_EQ(Rule(), "none");
  EXPECT_EQ(ledger_.recovered(), 1U);
  // The gap stays.
  Reopen();
  EXPECT_EQ(Check(*store_), "none");
  Checkpoint();
  Reopen();
  EXPECT_EQ(Check(*store_), "none");
}

TEST_F(UnloggedHistoryTest, InFlightMayHaveTakenSequences) {
  const WriteId id = Next(Way::kWrite, /*disable_wal=*/true);
  table_.Begin(ThreadOf(id));
  DoWrite(id);
  Commit(Next(Way::kCommit));
  EXPECT_EQ(Rule(), "none");
}

TEST_F(UnloggedHistoryTest, GapThatNobodyMade) {
  DoWrite(Next(Way::kWrite, /*disable_wal=*/true));
  Commit(Next(Way::kCommit));
  EXPECT_EQ(Rule(), "kLost");
}

TEST_F(UnloggedHistoryTest, StaysBehindACheckpoint) {
  Write(Next(Way::kWrite, /*disable_wal=*/true));
  Checkpoint();
  table_.Checkpointed(Now());
  EXPECT_EQ(Rule(), "none");
  EXPECT_EQ(ledger_.recovered(), 1U);
}

TEST_F(UnloggedHistoryTest, LostBehindACheckpoint) {
  Write(Next(Way::kWrite, /*disable_wal=*/true));
  table_.Checkpointed(Now() + 1);
  EXPECT_EQ(Rule(), "kLost");
}

}  // namespace
}  // namespace bellwether::stress
