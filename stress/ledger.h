// The ledger: what was written over the lives of one store, and what has to be there after each.
//
// After a reopen it reads the logs themselves, cuts their records back into batches, and checks
//   kTorn       every record is whole batches of the workload
//   kPhantom    every batch in the log was begun, and was not refused
//   kMoved      an acknowledged one stands at the sequence that its caller was told
//   kLost       whatever has to be there is there
// and then, by the witness checker, that these batches are without a gap and in the order of real
// time, and that the store reads as replaying them gives (CRASH_PREFIX, INV_ACK).
// Thread safety: one thread.
#pragma once

#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "bellwether/storage/wal_reader.h"
#include "bellwether/store/recovery.h"
#include "bellwether/store/store.h"
#include "stress/ack_table.h"
#include "stress/history.h"
#include "stress/witness_checker.h"
#include "stress/workers.h"
#include "stress/workload.h"

namespace bellwether::stress {

// What has happened since the last life, and so what has to be there.
enum class Survival : uint8_t {
  kDurable,       // the power failed: writes acknowledged with sync, closed, or recovered before
  kAcknowledged,  // the process died: all that were acknowledged, since the page cache goes on
};

// A violation of the ledger's own rules, not of the witness checker's.
inline bool IsLoss(const Violation& violation) {
  return violation.rule == "kTorn" || violation.rule == "kPhantom" || violation.rule == "kMoved" ||
         violation.rule == "kLost";
}

struct LoggedWrite {
  WriteId id = 0;
  SequenceNumber sequence = 0;
};

// Cuts the records of all logs of `directory` back into the batches of the workload.
inline std::optional<Violation> ReadLoggedWrites(const Workload& workload, FileSystem* file_system,
                                                 const std::string& directory,
                                                 std::vector<LoggedWrite>* writes);

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
        const AckTable::Slot slot = table.Get(thread, n);
        Entry entry;
        entry.event.id = MakeWriteId(thread, next_number_[thread]++);
        entry.event.invoked = slot.invoked;
        entry.event.returned = slot.returned;
        entry.event.sequence = slot.sequence;
        entry.event.outcome = slot.outcome;
        entry.event.sync = workload_.Sync(entry.event.id);
        entry.event.count = static_cast<uint32_t>(workload_.Operations(entry.event.id).size());
        const bool acknowledged = slot.outcome == Outcome::kAcknowledged;
        entry.durable = acknowledged && (entry.event.sync || closed);
        if (acknowledged) ++acknowledged_;
        entries_.push_back(entry);
      }
    }
  }

  uint64_t acknowledged() const { return acknowledged_; }
  uint64_t recovered() const { return recovered_; }
  uint64_t dropped() const { return dropped_; }

  // Compares the reopened store with what was noted. What is there now has to stay.
  template <SyncPolicy Sync>
  std::optional<Violation> CheckRecovered(FileSystem* file_system, const std::string& directory,
                                          const BasicStore<Sync>& store, Survival survival,
                                          const std::vector<ReadEvent>& reads = {}) {
    std::vector<LoggedWrite> logged;
    std::optional<Violation> violation =
        ReadLoggedWrites(workload_, file_system, directory, &logged);
    std::vector<WriteEvent> writes;
    if (!violation) violation = Match(logged, survival, &writes);
    if (violation) return violation;
    recovered_ = writes.size();
    const Snapshot snapshot = store.GetSnapshot();
    std::vector<ReadEvent> all_reads = reads;
    all_reads.push_back(Scan(workload_, store, snapshot));
    all_reads.back().invoked = all_reads.back().returned = Now();
    return CheckWitness(workload_, std::move(writes), all_reads, snapshot.sequence());
  }

 private:
  struct Entry {
    WriteEvent event;
    bool durable = false;
    bool there = false;
  };

  std::optional<Violation> Match(const std::vector<LoggedWrite>& logged, Survival survival,
                                 std::vector<WriteEvent>* writes) {
    std::unordered_map<WriteId, Entry*> by_id;
    by_id.reserve(entries_.size());
    for (Entry& entry : entries_) {
      entry.there = false;
      by_id.emplace(entry.event.id, &entry);
    }
    for (const LoggedWrite& write : logged) {
      const auto found = by_id.find(write.id);
      if (found == by_id.end() || found->second->event.outcome == Outcome::kRefused) {
        return Violation{"kPhantom", Name(write.id) + " is in the log at sequence " +
                                         std::to_string(write.sequence) +
                                         ", though it was refused, never begun, or lost before"};
      }
      WriteEvent& event = found->second->event;
      if (event.outcome == Outcome::kAcknowledged && event.sequence != write.sequence) {
        return Violation{"kMoved", Name(write.id) + " was told sequence " +
                                       std::to_string(event.sequence) + " and stands at " +
                                       std::to_string(write.sequence)};
      }
      event.sequence = write.sequence;
      found->second->there = true;
      writes->push_back(event);
    }
    return DropAbsent(survival);
  }

  std::optional<Violation> DropAbsent(Survival survival) {
    for (const Entry& entry : entries_) {
      const bool expected = entry.durable || (survival == Survival::kAcknowledged &&
                                              entry.event.outcome == Outcome::kAcknowledged);
      if (expected && !entry.there) {
        return Violation{"kLost", Name(entry.event.id) + ", acknowledged" +
                                      (entry.event.sync ? " with sync" : "") + " at sequence " +
                                      std::to_string(entry.event.sequence) + ", is not there"};
      }
    }
    dropped_ += std::erase_if(entries_, [](const Entry& entry) { return !entry.there; });
    for (Entry& entry : entries_) entry.durable = true;
    return std::nullopt;
  }

  const Workload& workload_;
  std::vector<uint64_t> next_number_;
  std::vector<Entry> entries_;
  uint64_t acknowledged_ = 0;
  uint64_t recovered_ = 0;
  uint64_t dropped_ = 0;
};

namespace internal {

// Takes the batches of one record off its front.
inline std::optional<Violation> CutRecord(const Workload& workload, const std::string& path,
                                          const WalRecord& record,
                                          std::vector<LoggedWrite>* writes) {
  const auto torn = [&](const std::string& what) {
    return Violation{"kTorn", path + ", offset " + std::to_string(record.offset) + ": " + what};
  };
  std::string_view input = record.batch.substr(kBatchHeaderSize);
  SequenceNumber sequence = record.sequence;
  while (!input.empty()) {
    std::string_view peek = input;
    BatchOperation operation;
    if (!GetBatchOperation(&peek, &operation)) return torn("a cut operation");
    const uint32_t marker = Workload::KeyNumber(operation.key).value_or(workload.keys());
    const std::optional<ValueId> id = workload.Decode(marker, operation.value);
    if (!id || id->index != 0) return torn("an operation outside any batch");
    uint32_t index = 0;
    for (const KeyOperation& expected : workload.Operations(id->write)) {
      const bool whole =
          GetBatchOperation(&input, &operation) && operation.key == Workload::Key(expected.key) &&
          (operation.type == ValueType::kTypeDeletion) == expected.deletion &&
          (expected.deletion || operation.value == workload.Value({id->write, index}));
      if (!whole) return torn("a part of " + Name(id->write));
      ++index;
    }
    writes->push_back({id->write, sequence});
    sequence += index;
  }
  return std::nullopt;
}

}  // namespace internal

inline std::optional<Violation> ReadLoggedWrites(const Workload& workload, FileSystem* file_system,
                                                 const std::string& directory,
                                                 std::vector<LoggedWrite>* writes) {
  std::vector<std::string> names;
  Status status = file_system->ListDirectory(directory, &names);
  for (const std::string& name : names) {
    if (!status.ok()) break;
    uint64_t number = 0;
    if (!ParseLogName(name, &number)) continue;
    const std::string path = directory + "/" + name;
    std::string contents;
    status = file_system->ReadFile(path, &contents);
    if (!status.ok()) break;
    WalReader reader(path, std::move(contents), kAnySequence);
    for (WalRecord record; reader.ReadRecord(&record);) {
      std::optional<Violation> violation = internal::CutRecord(workload, path, record, writes);
      if (violation) return violation;
    }
    status = reader.Verdict(RecoveryMode::kAbsolute);
  }
  if (!status.ok()) return Violation{"kTorn", "after recovery: " + status.ToString()};
  return std::nullopt;
}

}  // namespace bellwether::stress
