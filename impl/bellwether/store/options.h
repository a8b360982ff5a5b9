// What a Store is opened with, and what it counts.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

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
  // With max_log_bytes the store takes checkpoints itself: see Store.
  WritePathOptions write_path = {};
  // Each record of the log says up to where the log was synced before it (27 bytes), so that what a
  // power failure left of unsynced pages, in any order, is never taken for damage.
  bool durable_watermark = false;
  // A new log is filled with so many zeros first, so that a sync within them writes data only. It
  // implies durable_watermark. 0: logs grow as they are written.
  uint64_t preallocate_log_bytes = 0;
  // Has to outlive the store.
  FileSystem* file_system = PosixFileSystem::Default();
};

// The state of a store up to one sequence number. It stays readable as long as the store is open.
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

// What an Open could not read, and left out: with point_in_time the defect behind which all is
// given up, with skip_corrupt each part.
struct RecoveryGap {
  std::string file;
  uint64_t begin = 0;  // offsets in it
  uint64_t end = 0;
  // Sequences that may be lost: from first to next - 1; next 0: all from first on; both 0: entries
  // of a snapshot.
  SequenceNumber first = 0;
  SequenceNumber next = 0;
  std::string what;
};

// What Open found and did.
struct RecoveryReport {
  SequenceNumber last_sequence = 0;
  SequenceNumber snapshot_sequence = 0;  // 0: there was no snapshot
  uint64_t snapshot_entries = 0;
  uint64_t logs = 0;       // that hold records
  uint64_t records = 0;    // each was a write group
  uint64_t undecided = 0;  // transactions that are prepared and not decided
  uint64_t cut_bytes = 0;
  uint64_t removed_logs =
      0;  // empty and covered ones, and with point_in_time those behind the defect
  uint64_t log_number = 0;  // of the new log
  // Null: nothing was left out.
  std::shared_ptr<const std::vector<RecoveryGap>> gaps = nullptr;
};

struct Stats {
  static constexpr size_t kLargestGroup = 64;

  uint64_t groups = 0;     // records appended to the log since Open
  uint64_t writers = 0;    // writes in them
  uint64_t log_bytes = 0;  // appended since Open
  uint64_t syncs = 0;
  uint64_t waits = 0;  // writes that had to sleep, once or more, in a queue or for a stall
  uint64_t rotations = 0;
  uint64_t checkpoints = 0;
  uint64_t failed_checkpoints = 0;
  uint64_t snapshot_bytes = 0;  // written by checkpoints, failed ones too
  uint64_t memtable_bytes = 0;  // of memory that the memtable holds
  // group_sizes[n]: groups of n writers; the last one: of that many or more.
  std::array<uint64_t, kLargestGroup + 1> group_sizes = {};
  RecoveryReport recovery = {};
};

}  // namespace bellwether
