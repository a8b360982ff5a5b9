// Transactions: two-phase commit over a WritePath (RocksDB's write-committed policy).
//
//   Prepare    logs the operations under their xid: takes no sequence, publishes nothing
//   Commit     logs the mark, inserts what was prepared, publishes it at the mark's sequence
//   Rollback   logs the mark: takes no sequence, publishes nothing
//
// Prepare and Rollback are writes with disable_memtable: with two queues they take the one that
// only logs.
//
// Invariants
//   INV_ACK      a transaction has one call in flight at most: of two that decide it one wins, and
//                a decision stands behind its prepare in the log
//   INV_STATUS   a refused call leaves the transaction as it was; after an unknown outcome it takes
//                no more calls: the next Open says whether it is undecided, decided or unknown
//   Undecided()  is what the log says while no write is in flight: the table follows a mark just
//                before the leader logs it, and if that fails the path is poisoned
// Thread safety: all functions may be called concurrently.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bellwether/storage/prepared_transactions.h"
#include "bellwether/storage/write_batch.h"
#include "bellwether/sync/sync.h"
#include "bellwether/write_path/status.h"
#include "bellwether/write_path/write_options.h"

namespace bellwether {

// Prepared before the store was opened, and not decided since.
struct RecoveredTransaction {
  std::string xid;
  WriteBatch batch;
};

// What allocates may throw bad_alloc: before anything has happened.
template <SyncPolicy Policy, class Path>
class Transactions {
 public:
  // REQUIRES: path outlives this.
  Transactions(Path* path, const PreparedTransactions::Map& recovered) : path_(path) {
    for (const auto& [xid, prepare] : recovered) {
      table_.emplace(xid, Transaction{prepare, /*recovered=*/true, /*undecided=*/true});
    }
  }
  Transactions(const Transactions&) = delete;
  Transactions& operator=(const Transactions&) = delete;

  Status Prepare(const WriteOptions& options, std::string_view xid, const WriteBatch& batch) {
    Status status = Check(options, xid);
    if (!status.ok()) return status;
    if (!batch.status().ok()) return batch.status();
    Table reserved;
    Entry entry = reserved.try_emplace(std::string(xid)).first;
    entry->second.prepare = batch;
    entry->second.in_flight = true;
    status = entry->second.prepare.MarkPrepare(xid);
    if (status.ok()) status = Reserve(reserved.extract(entry), &entry);
    if (!status.ok()) return status;
    status = Log(options, entry->second.prepare, entry, Effect::kPrepares).status;
    Settle(entry, Effect::kPrepares, status);
    return status;
  }

  WriteResult Commit(const WriteOptions& options, std::string_view xid) {
    return Decide(options, xid, [xid](const WriteBatch& prepare, WriteBatch* commit) {
      return commit->MarkCommit(xid, prepare);
    });
  }

  Status Rollback(const WriteOptions& options, std::string_view xid) {
    return Decide(options, xid,
                  [xid](const WriteBatch&, WriteBatch* rollback) {
                    return rollback->MarkRollback(xid);
                  })
        .status;
  }

  // Ascending by xid.
  Status Recovered(std::vector<RecoveredTransaction>* transactions) const {
    std::vector<RecoveredTransaction> found;
    const Lock lock(&mutex_);
    for (const auto& [xid, transaction] : table_) {
      if (!transaction.recovered) continue;
      WriteBatch commit;
      Status status = commit.MarkCommit(xid, transaction.prepare);
      found.push_back({xid, {}});
      if (status.ok()) status = commit.Iterate(&found.back().batch);
      if (!status.ok()) return status;
    }
    transactions->swap(found);
    return Status::OK();
  }

  // By xid: the prepare. REQUIRES: the caller leads all queues of the path.
  PreparedTransactions::Map Undecided() const {
    PreparedTransactions::Map undecided;
    const Lock lock(&mutex_);
    for (const auto& [xid, transaction] : table_) {
      if (transaction.undecided) undecided.emplace(xid, transaction.prepare);
    }
    return undecided;
  }

 private:
  struct Transaction {
    WriteBatch prepare;
    bool recovered = false;
    bool undecided = false;  // prepared, and not decided, in the log
    bool in_flight = false;  // a call works on it
    bool unknown = false;    // a call has failed with kUnknownOutcome
  };
  using Table = std::map<std::string, Transaction, std::less<>>;
  using Entry = typename Table::iterator;

  enum class Effect : bool { kDecides, kPrepares };

  class Lock {
   public:
    explicit Lock(typename Policy::Mutex* mutex) : mutex_(mutex) { mutex_->lock(); }
    Lock(const Lock&) = delete;
    Lock& operator=(const Lock&) = delete;
    ~Lock() { mutex_->unlock(); }

   private:
    typename Policy::Mutex* const mutex_;
  };

  // Runs behind the caller's own, if that lets the write pass.
  class FollowMark final : public WriteCallback {
   public:
    FollowMark(Transactions* owner, Entry entry, Effect effect, WriteCallback* callers)
        : owner_(owner), entry_(entry), effect_(effect), callers_(callers) {}

    Status Callback() override {
      if (callers_ != nullptr) {
        Status status = callers_->Callback();
        if (!status.ok()) return status;
      }
      const Lock lock(&owner_->mutex_);
      entry_->second.undecided = effect_ == Effect::kPrepares;
      return Status::OK();
    }

    bool AllowWriteBatching() const override {
      return callers_ == nullptr || callers_->AllowWriteBatching();
    }

   private:
    Transactions* const owner_;
    const Entry entry_;
    const Effect effect_;
    WriteCallback* const callers_;
  };

  static Status Check(const WriteOptions& options, std::string_view xid) {
    if (options.disable_wal || options.disable_memtable) {
      return Status::InvalidArgument(
          "a transaction is logged, and inserted by its commit: leave disable_wal and "
          "disable_memtable off");
    }
    if (xid.empty() || xid.size() > kMaxXidSize) {
      return Status::InvalidArgument("xid that is empty or longer than 512 bytes");
    }
    return Status::OK();
  }

  // OK if a call may begin to work on it.
  static Status Free(const Transaction& transaction) {
    if (transaction.unknown) {
      return Status::Aborted(
          "the outcome of an earlier call on this transaction is unknown: open the store again, "
          "and see whether RecoveredTransactions has it");
    }
    if (transaction.in_flight) return Status::Busy("another call works on this transaction", "");
    return Status::OK();
  }

  Status Reserve(typename Table::node_type reserved, Entry* entry) {
    const Lock lock(&mutex_);
    auto inserted = table_.insert(std::move(reserved));
    *entry = inserted.position;
    if (inserted.inserted) return Status::OK();
    Status free = Free(inserted.position->second);
    return free.ok() ? Status::InvalidArgument(
                           "the xid is prepared already: commit it or roll it back first")
                     : free;
  }

  Status Claim(std::string_view xid, Entry* entry) {
    const Lock lock(&mutex_);
    *entry = table_.find(xid);
    if (*entry == table_.end()) {
      return Status::NotFound(
          "no undecided transaction has this xid: it is decided, or not yet "
          "prepared");
    }
    Transaction& transaction = (*entry)->second;
    Status free = Free(transaction);
    if (free.ok()) transaction.in_flight = true;
    return free;
  }

  template <class MakeMark>
  WriteResult Decide(const WriteOptions& options, std::string_view xid, const MakeMark& make_mark) {
    WriteBatch mark;
    Entry entry;
    WriteResult result{Check(options, xid)};
    if (result.status.ok()) result.status = Claim(xid, &entry);
    if (!result.status.ok()) return result;
    result.status = make_mark(entry->second.prepare, &mark);
    if (result.status.ok()) result = Log(options, mark, entry, Effect::kDecides);
    Settle(entry, Effect::kDecides, result.status);
    return result;
  }

  WriteResult Log(WriteOptions options, const WriteBatch& mark, Entry entry, Effect effect) {
    FollowMark follow(this, entry, effect, options.callback);
    options.callback = &follow;
    options.disable_memtable = mark.Count() == 0;
    return path_->Write(options, &mark);
  }

  // What the end of a call makes of its transaction.
  void Settle(Entry entry, Effect effect, const Status& status) {
    const Lock lock(&mutex_);
    Transaction& transaction = entry->second;
    const bool prepares = effect == Effect::kPrepares;
    const bool followed = transaction.undecided == prepares;
    transaction.in_flight = false;
    if (status.code() == Status::Code::kUnknownOutcome && followed) {
      transaction.unknown = true;
    } else if (status.ok() == prepares) {
      transaction.undecided = true;
    } else {
      table_.erase(entry);
    }
  }

  Path* const path_;
  mutable typename Policy::Mutex mutex_;  // guards table_, but for the prepares, which never change
  Table table_;
};

}  // namespace bellwether
