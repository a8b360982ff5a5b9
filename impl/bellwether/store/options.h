// What a Store is opened with, and what it counts.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "bellwether/storage/file_system.h"
#include "bellwether/storage/posix_file_system.h"
#include "bellwether/storage/wal_reader.h"
#include "bellwether/write_path/sequence.h"
#include "bellwether/write_path/write_options.h"

namespace bellwether {

struct StoreOptions {
  // Without it, opening a directory that holds no store is an error.
  bool create_if_missing = true;
  RecoveryMode recovery_mode = RecoveryMode::kTolerateTornTail;
  WritePathOptions write_path = {};
  // Has to outlive the store.
  FileSystem* file_system = PosixFileSystem::Default();
};

// The state of a store up to one sequence number. It stays readable as long as the store does.
class Snapshot {
 public:
  explicit Snapshot(SequenceNumber sequence) : sequence_(sequence) {}
  SequenceNumber sequence() const { return sequence_; }

 private:
  SequenceNumber sequence_;
};

struct ReadOptions {
  // Null: the newest published state.
  const Snapshot* snapshot = nullptr;
};

// What Open found and did.
struct RecoveryReport {
  SequenceNumber last_sequence = 0;
  uint64_t logs = 0;       // that hold records
  uint64_t records = 0;    // each was a write group
  uint64_t undecided = 0;  // transactions that are prepared and not decided
  uint64_t cut_bytes = 0;
  uint64_t removed_logs = 0;  // empty ones, and with point_in_time those behind the defect
  uint64_t log_number = 0;    // of the new log
};

struct Stats {
  static constexpr size_t kLargestGroup = 64;

  uint64_t groups = 0;     // records appended to the log since Open
  uint64_t writers = 0;    // writes in them
  uint64_t log_bytes = 0;  // appended since Open
  uint64_t syncs = 0;
  // group_sizes[n]: groups of n writers; the last one: of that many or more.
  std::array<uint64_t, kLargestGroup + 1> group_sizes = {};
  RecoveryReport recovery = {};
};

}  // namespace bellwether
