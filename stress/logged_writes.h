// What the files of a store hold, cut back into the batches of the workload.
//
// A batch that is written, or prepared, begins with the marker key of its thread; so the records of
// write groups can be cut without knowing how the groups were made, and a snapshot names the last
// write of each thread that it holds.
// Thread safety: pure functions.
#pragma once

#include <algorithm>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bellwether/storage/snapshot_file.h"
#include "bellwether/storage/wal_reader.h"
#include "bellwether/store/store_files.h"
#include "stress/history.h"
#include "stress/witness_checker.h"
#include "stress/workload.h"

namespace bellwether::stress {

struct LoggedWrite {
  WriteId id = 0;
  SequenceNumber sequence = 0;
};

// Sequences that the logs leave out, and say so: those of writes with disable_wal.
struct SequenceGap {
  SequenceNumber first = 0;
  SequenceNumber next = 0;
  bool operator==(const SequenceGap&) const = default;
};

struct LoggedWrites {
  SequenceNumber snapshot = 0;        // that of the snapshot file; 0: there is none
  std::optional<ReadEvent> contents;  // what that holds, as if somebody had read it all
  // Written, or committed: in the logs, or the last of its thread that the snapshot holds.
  std::vector<LoggedWrite> applied;
  std::set<WriteId> undecided;  // prepared only
  std::vector<SequenceGap> gaps;
};

namespace internal {

// Cuts one record after the other, in the order of the logs.
class RecordCutter {
 public:
  RecordCutter(const Workload& workload, LoggedWrites* writes)
      : workload_(workload), writes_(writes) {}

  // The first record has to continue the snapshot.
  std::optional<Violation> Cut(const std::string& path, const WalRecord& record) {
    const SequenceNumber expected = std::max(next_, writes_->snapshot + 1);
    if (record.sequence > expected) writes_->gaps.push_back({expected, record.sequence});
    input_ = record.batch.substr(kBatchHeaderSize);
    sequence_ = record.sequence;
    std::optional<std::string> torn;
    while (!torn && !input_.empty()) torn = CutPart();
    next_ = sequence_;
    if (!torn) return std::nullopt;
    return Violation{"kTorn", path + ", offset " + std::to_string(record.offset) + ": " + *torn};
  }

 private:
  // A batch, or a mark, or what the log says of itself. Returns what is wrong with it.
  std::optional<std::string> CutPart() {
    std::string_view peek = input_;
    BatchOperation operation;
    if (!GetBatchOperation(&peek, &operation)) return "a cut operation";
    if (operation.type == ValueType::kTypeBeginPrepareXID) {
      input_ = peek;
      return CutPrepare();
    }
    if (operation.type == ValueType::kTypeLogData || operation.IsMark()) {
      input_ = peek;
      return operation.IsMark() ? Decide(operation) : std::nullopt;
    }
    WriteId id = 0;
    if (auto torn = CutBatch(&id)) return torn;
    Applied(id);
    return std::nullopt;
  }

  std::optional<std::string> CutBatch(WriteId* write) {
    std::string_view peek = input_;
    BatchOperation operation;
    if (!GetBatchOperation(&peek, &operation)) return "a cut operation";
    const uint32_t marker = Workload::KeyNumber(operation.key).value_or(workload_.keys());
    const std::optional<ValueId> id = workload_.Decode(marker, operation.value);
    if (!id || id->index != 0) return "an operation outside any batch";
    uint32_t index = 0;
    for (const KeyOperation& expected : workload_.Operations(id->write)) {
      const bool whole =
          GetBatchOperation(&input_, &operation) && operation.key == Workload::Key(expected.key) &&
          (operation.type == ValueType::kTypeDeletion) == expected.deletion &&
          (expected.deletion || operation.value == workload_.Value({id->write, index}));
      if (!whole) return "a part of " + Name(id->write);
      ++index;
    }
    *write = id->write;
    return std::nullopt;
  }

  std::optional<std::string> CutPrepare() {
    WriteId id = 0;
    if (auto torn = CutBatch(&id)) return torn;
    BatchOperation end;
    const bool whole = GetBatchOperation(&input_, &end) &&
                       end.type == ValueType::kTypeEndPrepareXID && end.key == Workload::Xid(id);
    if (!whole) return "a prepare of " + Name(id) + " that does not end";
    if (!writes_->undecided.insert(id).second) return "a second prepare of " + Name(id);
    return std::nullopt;
  }

  std::optional<std::string> Decide(const BatchOperation& mark) {
    const WriteId id = Workload::ParseXid(mark.key).value_or(0);
    if (writes_->undecided.erase(id) == 0) {
      return "a decision of " + std::string(mark.key) + ", which is not prepared";
    }
    if (mark.type == ValueType::kTypeCommitXID) Applied(id);
    return std::nullopt;
  }

  void Applied(WriteId id) {
    writes_->applied.push_back({id, sequence_});
    sequence_ += workload_.Operations(id).size();
  }

  const Workload& workload_;
  LoggedWrites* const writes_;
  std::string_view input_;
  SequenceNumber sequence_ = 0;
  SequenceNumber next_ = 0;
};

// The visitor of SnapshotReader.
class SnapshotCutter {
 public:
  SnapshotCutter(const Workload& workload, std::string path, RecordCutter* cutter,
                 LoggedWrites* writes)
      : workload_(workload),
        path_(std::move(path)),
        cutter_(cutter),
        writes_(writes),
        values_(workload.keys()) {}

  Status Entry(std::string_view key, SequenceNumber sequence, std::string_view value) {
    const uint32_t number = Workload::KeyNumber(key).value_or(workload_.keys());
    if (number >= workload_.keys()) return Status::Corruption("foreign key", path_, 0);
    values_[number] = workload_.Decode(number, value).value_or(kForeignValue);
    const ValueId id = values_[number];
    if (number < Workload::kMaxThreads && id.index == 0 && id != kForeignValue) {
      writes_->applied.push_back({id.write, sequence});
    }
    return Status::OK();
  }

  Status Prepare(std::string_view prepare) {
    WalRecord record;
    record.batch = prepare;
    const auto torn = cutter_->Cut(path_, record);
    return torn ? Status::Corruption(torn->what, path_, 0) : Status::OK();
  }

  // REQUIRES: all was visited.
  void Finish() {
    ReadEvent read;
    read.snapshot = writes_->snapshot;
    for (uint32_t key = 0; key < workload_.keys(); ++key) {
      read.observations.push_back({key, values_[key]});
    }
    writes_->contents = std::move(read);
  }

 private:
  const Workload& workload_;
  const std::string path_;
  RecordCutter* const cutter_;
  LoggedWrites* const writes_;
  std::vector<ValueId> values_;
};

inline Status ReadSnapshot(const Workload& workload, FileSystem* file_system,
                           const std::string& path, RecordCutter* cutter, LoggedWrites* writes) {
  std::string contents;
  Status status = file_system->ReadFile(path, &contents);
  if (!status.ok()) return status;
  SnapshotReader reader(path, std::move(contents));
  const std::optional<SnapshotFooter> footer = reader.FindFooter();
  SnapshotCutter snapshot(workload, path, cutter, writes);
  status = reader.Read(&snapshot);
  if (!status.ok()) return status;
  writes->snapshot = footer->sequence;
  snapshot.Finish();
  return status;
}

inline std::optional<Violation> ReadLog(FileSystem* file_system, const std::string& path,
                                        RecordCutter* cutter) {
  std::string contents;
  Status status = file_system->ReadFile(path, &contents);
  if (status.ok()) {
    WalReader reader(path, std::move(contents), kAnySequence);
    for (WalRecord record; reader.ReadRecord(&record);) {
      std::optional<Violation> violation = cutter->Cut(path, record);
      if (violation) return violation;
    }
    status = reader.Verdict(RecoveryMode::kAbsolute);
  }
  if (status.ok()) return std::nullopt;
  return Violation{"kTorn", "after recovery: " + status.ToString()};
}

}  // namespace internal

// Cuts the newest snapshot and the logs behind it. REQUIRES: the store has been opened again, so
// that all that is there counts.
inline std::optional<Violation> ReadLoggedWrites(const Workload& workload, FileSystem* file_system,
                                                 const std::string& directory,
                                                 LoggedWrites* writes) {
  internal::RecordCutter cutter(workload, writes);
  StoreFiles files;
  Status status = ListFiles(file_system, directory, &files);
  const uint64_t base = files.snapshots.empty() ? 0 : files.snapshots.back();
  if (status.ok() && base != 0) {
    status = internal::ReadSnapshot(workload, file_system, directory + "/" + SnapshotName(base),
                                    &cutter, writes);
  }
  if (!status.ok()) return Violation{"kTorn", "after recovery: " + status.ToString()};
  for (const uint64_t number : files.logs) {
    if (number < base) continue;
    const std::string path = directory + "/" + LogName(number);
    std::optional<Violation> violation = internal::ReadLog(file_system, path, &cutter);
    if (violation) return violation;
  }
  return std::nullopt;
}

}  // namespace bellwether::stress
