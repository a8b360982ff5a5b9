// The ledger: what was written over the lives of one store, and what has to be there after each.
//
// After a reopen it reads the snapshot and the logs themselves, cuts their records back into
// batches, and checks
//   kTorn       every record is whole batches of the workload, and whole marks of its transactions
//   kPhantom    every batch that is there was begun, and was not refused; what was committed or is
//               prepared was asked to be
//   kMoved      an acknowledged one stands at the sequence that its caller was told
//   kLost       whatever has to be there is there: writes, prepares, and what became of these; and
//               a gap between sequences is no larger than the disable_wal writes that are gone
//   kRecovered  the store offers the transactions to be decided that the logs leave undecided
// and then, by the witness checker, that these batches are without another gap and in the order of
// real time, and that the snapshot file and the store read as replaying them gives (CRASH_PREFIX,
// INV_ACK). An acknowledged write at or before the snapshot's sequence is taken to be in it.
//
// While a store is open CheckLive compares what it publishes with what was acknowledged: all of
// that and nothing else (INV_STATUS, INV_PUBLISH).
// Thread safety: one thread.
#pragma once

#include <algorithm>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "bellwether/store/store.h"
#include "stress/ack_table.h"
#include "stress/history.h"
#include "stress/logged_writes.h"
#include "stress/witness_checker.h"
#include "stress/workers.h"
#include "stress/workload.h"

namespace bellwether::stress {

// What has happened since the last life, and so what has to be there.
enum class Survival : uint8_t {
  kDurable,  // the power failed: calls acknowledged with sync, closed, recovered before, or
             // followed by a checkpoint, and all that were acknowledged before one that is there
             // was begun
  kAcknowledged,  // the process died: all that were acknowledged, since the page cache goes on
  // Of writes with disable_wal, either way: those followed by a checkpoint or recovered before.
};

// A violation of the ledger's own rules, not of the witness checker's.
inline bool IsLoss(const Violation& violation) {
  return violation.rule == "kTorn" || violation.rule == "kPhantom" || violation.rule == "kMoved" ||
         violation.rule == "kLost" || violation.rule == "kRecovered";
}

class Ledger {
 public:
  explicit Ledger(const Workload& workload, uint32_t threads)
      : workload_(workload), next_number_(threads, 1) {}

  // Number of the next write of each thread.
  const std::vector<uint64_t>& next_number() const { return next_number_; }

  // Takes over what a life noted. `closed`: the store was, so that all of it is durable.
  void EndLife(const AckTable& table, bool closed) {
    for (uint32_t thread = 0; thread < table.threads(); ++thread) {
      for (uint64_t n = 0; n < table.Begun(thread); ++n) {
        NoteWrite(MakeWriteId(thread, next_number_[thread]++), table.Get(thread, n));
      }
    }
    for (Entry& entry : entries_) {
      for (std::optional<Call>* call : {&entry.prepare, &entry.effect}) {
        if (!call->has_value() || !(*call)->acknowledged()) continue;
        const bool in_checkpoint = (*call)->returned < table.LastCheckpoint();
        if (in_checkpoint || (closed && !workload_.DisableWal(entry.id))) (*call)->durable = true;
      }
    }
  }

  uint64_t acknowledged() const { return acknowledged_; }  // writes, commits and rollbacks
  uint64_t recovered() const { return recovered_; }
  uint64_t dropped() const { return dropped_; }
  // Transactions, by another life than prepared them.
  uint64_t decided_later() const { return decided_later_; }

  // Compares the reopened store with what was noted. What is there now has to stay.
  template <class AnyStore>
  std::optional<Violation> CheckRecovered(FileSystem* file_system, const std::string& directory,
                                          const AnyStore& store, Survival survival,
                                          std::vector<ReadEvent> reads = {}) {
    LoggedWrites logged;
    std::optional<Violation> violation =
        ReadLoggedWrites(workload_, file_system, directory, &logged);
    if (!violation) violation = CheckUndecided(store, logged.undecided);
    if (!violation) violation = MatchGaps(logged);
    if (!violation) violation = Match(logged, survival);
    if (logged.contents) reads.push_back(*std::move(logged.contents));
    if (!violation) violation = CheckLive(store, std::move(reads));
    return violation;
  }

  // Compares what the open store publishes with what was acknowledged. REQUIRES: at rest.
  template <class AnyStore>
  std::optional<Violation> CheckLive(const AnyStore& store, std::vector<ReadEvent> reads) {
    std::vector<WriteEvent> writes;
    for (const Entry& entry : entries_) {
      if (!entry.Applied()) continue;
      const Call& call = *entry.effect;
      writes.push_back({entry.id, call.invoked, call.returned, entry.sequence, CountOf(entry.id),
                        call.outcome, workload_.Sync(entry.id)});
    }
    recovered_ = writes.size();
    for (const SequenceGap& gap : gaps_) {
      WriteEvent& lost = writes.emplace_back();
      lost.sequence = gap.first;
      lost.count = static_cast<uint32_t>(gap.next - gap.first);
    }
    const Snapshot snapshot = store.GetSnapshot();
    reads.push_back(Scan(workload_, store, snapshot));
    reads.back().invoked = reads.back().returned = Now();
    return CheckWitness(workload_, std::move(writes), reads, snapshot.sequence());
  }

  // Commits, rolls back, or leaves what the store has recovered, and notes it.
  // REQUIRES: CheckRecovered has just passed.
  template <class AnyStore>
  void DecideRecovered(AnyStore* store, Random* random) {
    for (Entry& entry : entries_) {
      if (!entry.Undecided() || random->Percent(20)) continue;
      const WriteOptions options{.sync = workload_.Sync(entry.id)};
      entry.effect.emplace(Call{.invoked = Now()});
      entry.commits = random->Percent(50);
      WriteResult result;
      if (entry.commits) {
        result = store->Commit(options, Workload::Xid(entry.id));
      } else {
        result.status = store->Rollback(options, Workload::Xid(entry.id));
      }
      entry.effect->returned = Now();
      entry.sequence = result.sequence;
      if (result.status.ok()) {
        ++decided_later_;
        Note(Outcome::kAcknowledged, &entry);
      } else {
        const bool unknown = result.status.code() == Status::Code::kUnknownOutcome;
        Note(unknown ? Outcome::kUnknown : Outcome::kRefused, &entry);
      }
    }
  }

  // INV_STATUS: whoever met an error was told that nobody knows its outcome.
  std::optional<Violation> CheckToldUnknown(WriteId id) const {
    for (const Entry& entry : entries_) {
      if (entry.id == id && entry.effect && entry.effect->outcome == Outcome::kUnknown) {
        return std::nullopt;
      }
    }
    return Violation{"INV_STATUS", Name(id) + " met an error, and was told something else"};
  }

 private:
  // A write, a prepare, or a decision.
  struct Call {
    bool acknowledged() const { return outcome == Outcome::kAcknowledged; }

    uint64_t invoked = 0;
    uint64_t returned = kNever;
    Outcome outcome = Outcome::kUnknown;
    bool durable = false;
  };

  enum class Found : uint8_t { kAbsent, kUndecided, kApplied };

  struct Entry {
    bool Applied() const { return effect && effect->acknowledged() && commits; }
    bool Undecided() const { return prepare && prepare->acknowledged() && !effect; }

    WriteId id = 0;
    SequenceNumber sequence = 0;
    std::optional<Call> prepare = {};  // of a transaction
    std::optional<Call> effect =
        {};               // the write, the commit or the rollback, if it was not refused
    bool commits = true;  // the effect is no rollback
    Found found = Found::kAbsent;
  };

  uint32_t CountOf(WriteId id) const {
    return static_cast<uint32_t>(workload_.Operations(id).size());
  }

  void NoteWrite(WriteId id, const AckTable::Slot& slot) {
    Entry entry{.id = id, .sequence = slot.sequence};
    const bool sync = workload_.Sync(id);
    if (slot.phase == Phase::kPreparing) {
      if (slot.outcome == Outcome::kRefused) return;
      entry.prepare = {slot.invoked, slot.returned, slot.outcome, false};
    } else if (slot.phase != Phase::kWriting) {
      entry.prepare = {slot.invoked, slot.prepared, Outcome::kAcknowledged, sync};
    }
    if (slot.phase == Phase::kWriting || slot.phase == Phase::kDeciding) {
      const bool decides = slot.phase == Phase::kDeciding;
      entry.effect = {decides ? slot.decided : slot.invoked, slot.returned, slot.outcome, false};
      entry.commits = !decides || workload_.WayOf(id) == Way::kCommit;
      Note(slot.outcome, &entry);
    }
    if (entry.prepare || entry.effect) entries_.push_back(entry);
  }

  // How the effect of an entry ended.
  void Note(Outcome outcome, Entry* entry) {
    entry->effect->outcome = outcome;
    if (outcome == Outcome::kRefused) {
      entry->effect.reset();
    } else if (outcome == Outcome::kAcknowledged) {
      ++acknowledged_;
      entry->effect->durable = workload_.Sync(entry->id);
    }
  }

  // The store offers what the logs say, as it was prepared.
  template <class AnyStore>
  std::optional<Violation> CheckUndecided(const AnyStore& store,
                                          const std::set<WriteId>& undecided) const {
    std::vector<RecoveredTransaction> recovered;
    const Status status = store.RecoveredTransactions(&recovered);
    if (!status.ok()) return Violation{"kRecovered", status.ToString()};
    std::set<WriteId> offered;
    for (const RecoveredTransaction& transaction : recovered) {
      const WriteId id = Workload::ParseXid(transaction.xid).value_or(0);
      WriteBatch batch;
      if (id == 0 || !workload_.Fill(id, &batch).ok() ||
          batch.Operations() != transaction.batch.Operations()) {
        return Violation{"kRecovered", "transaction " + transaction.xid + " is not as prepared"};
      }
      offered.insert(id);
    }
    if (offered == undecided) return std::nullopt;
    return Violation{"kRecovered", std::to_string(offered.size()) + " transactions are offered, " +
                                       std::to_string(undecided.size()) +
                                       " undecided ones are in the logs, or others"};
  }

  std::optional<Violation> Match(const LoggedWrites& logged, Survival survival) {
    std::unordered_map<WriteId, Entry*> by_id;
    by_id.reserve(entries_.size());
    for (Entry& entry : entries_) {
      entry.found = Found::kAbsent;
      by_id.emplace(entry.id, &entry);
    }
    for (Entry& entry : entries_) {
      if (entry.Applied() && entry.sequence <= logged.snapshot) entry.found = Found::kApplied;
    }
    for (const LoggedWrite& write : logged.applied) {
      const auto found = by_id.find(write.id);
      if (found == by_id.end() || !found->second->effect || !found->second->commits) {
        return Violation{"kPhantom", Name(write.id) + " took effect at sequence " +
                                         std::to_string(write.sequence) +
                                         ", though it was refused, never begun, not to be "
                                         "committed, or lost before"};
      }
      Entry& entry = *found->second;
      if (entry.effect->acknowledged() && entry.sequence != write.sequence) {
        return Violation{"kMoved", Name(write.id) + " was told sequence " +
                                       std::to_string(entry.sequence) + " and stands at " +
                                       std::to_string(write.sequence)};
      }
      entry.sequence = write.sequence;
      entry.found = Found::kApplied;
    }
    for (const WriteId id : logged.undecided) {
      const auto found = by_id.find(id);
      if (found == by_id.end() || !found->second->prepare) {
        return Violation{"kPhantom", Name(id) +
                                         " is prepared, though that was refused, never "
                                         "begun, or lost before"};
      }
      found->second->found = Found::kUndecided;
    }
    return KeepFound(survival);
  }

  // A gap that is new has room for what was told OK there, and for writes that were in flight.
  std::optional<Violation> MatchGaps(const LoggedWrites& logged) {
    uint64_t in_flight = 0;
    for (const Entry& entry : entries_) {
      const bool unknown = entry.effect && !entry.effect->acknowledged();
      if (unknown && workload_.DisableWal(entry.id)) in_flight += CountOf(entry.id);
    }
    const std::vector<SequenceGap> known = gaps_;
    std::erase_if(gaps_, [&](const SequenceGap& gap) { return gap.first > logged.snapshot; });
    for (const SequenceGap& gap : logged.gaps) {
      if (std::find(known.begin(), known.end(), gap) != known.end()) {
        gaps_.push_back(gap);
        continue;
      }
      uint64_t missing = gap.next - gap.first;
      for (const Entry& entry : entries_) {
        const bool within = entry.sequence >= gap.first && entry.sequence < gap.next;
        if (within && entry.Applied() && workload_.DisableWal(entry.id))
          missing -= CountOf(entry.id);
      }
      if (missing > in_flight) {
        return Violation{"kLost", "no write with disable_wal had the " + std::to_string(missing) +
                                      " sequences that are missing between " +
                                      std::to_string(gap.first) + " and " +
                                      std::to_string(gap.next)};
      }
      in_flight -= missing;
      gaps_.push_back(gap);
    }
    return std::nullopt;
  }

  // What is not there, though it has to be, is a violation; what may be missing is forgotten.
  std::optional<Violation> KeepFound(Survival survival) {
    uint64_t newest = 0;
    for (const Entry& entry : entries_) {
      if (entry.found == Found::kAbsent) continue;
      const Call& call = entry.found == Found::kApplied ? *entry.effect : *entry.prepare;
      newest = std::max(newest, call.invoked);
    }
    for (const Entry& entry : entries_) {
      const auto expected = [&](const std::optional<Call>& call) {
        if (!call || !call->acknowledged()) return false;
        if (call->durable || workload_.DisableWal(entry.id)) return call->durable;
        return survival == Survival::kAcknowledged || call->returned < newest;
      };
      const bool rolled_back = entry.effect && !entry.commits;
      const bool lost = entry.found == Found::kUndecided ? expected(entry.effect)
                        : entry.found == Found::kApplied || rolled_back
                            ? false
                            : expected(entry.effect) || expected(entry.prepare);
      if (lost) return Violation{"kLost", LostText(entry)};
    }
    for (const Entry& entry : entries_) {
      if (entry.found == Found::kAbsent && entry.commits) ++dropped_;
    }
    std::erase_if(entries_, [](const Entry& entry) { return entry.found == Found::kAbsent; });
    for (Entry& entry : entries_) {
      if (entry.found == Found::kUndecided) entry.effect.reset();
      for (std::optional<Call>* call : {&entry.prepare, &entry.effect}) {
        if (!call->has_value()) continue;
        (*call)->outcome = Outcome::kAcknowledged;
        (*call)->durable = true;
      }
    }
    return std::nullopt;
  }

  std::string LostText(const Entry& entry) const {
    const char* const what = entry.found == Found::kUndecided ? "is undecided again"
                             : entry.effect                   ? "is not there"
                                                              : "is not prepared any more";
    return Name(entry.id) + ", acknowledged" + (workload_.Sync(entry.id) ? " with sync" : "") +
           " at sequence " + std::to_string(entry.sequence) + ", " + what;
  }

  const Workload& workload_;
  std::vector<uint64_t> next_number_;
  std::vector<Entry> entries_;
  std::vector<SequenceGap> gaps_;
  uint64_t acknowledged_ = 0;
  uint64_t recovered_ = 0;
  uint64_t dropped_ = 0;
  uint64_t decided_later_ = 0;
};

}  // namespace bellwether::stress
