// What a caller asks of one write, what it is told, and the modes of the path.
#pragma once

#include <cstddef>
#include <cstdint>

#include "bellwether/write_path/sequence.h"
#include "bellwether/write_path/status.h"

namespace bellwether {

// Runs when the write is about to be logged, in the leader's thread, with no write in between. A
// failure fails this write alone: it takes no sequence, and nothing of it reaches the log.
// REQUIRES (of both kinds): it throws nothing, and calls nothing of the store or the path that
// writes, syncs or closes: that would wait for the leader, which is its own thread.
class WriteCallback {
 public:
  WriteCallback() = default;
  WriteCallback(const WriteCallback&) = delete;
  WriteCallback& operator=(const WriteCallback&) = delete;
  virtual ~WriteCallback() = default;

  virtual Status Callback() = 0;

  // False: the write is logged in a group of its own.
  virtual bool AllowWriteBatching() const = 0;
};

// Runs after the write was logged (and synced, if its group is), before anything of its group is in
// the memtable: in the leader's thread, one write after the other in the order of the log. A
// failure is met with the write in the log, so it fails the whole group (kUnknownOutcome) and
// poisons the path, as an error of the log does.
class PreReleaseCallback {
 public:
  PreReleaseCallback() = default;
  PreReleaseCallback(const PreReleaseCallback&) = delete;
  PreReleaseCallback& operator=(const PreReleaseCallback&) = delete;
  virtual ~PreReleaseCallback() = default;

  // `sequence` is that of the write's first operation, or, if is_mem_disabled, of the next write's.
  // `log_number` names the log that holds it; 0: none (disable_wal). The write is number `index`
  // among the `total` of its group that have such a callback.
  virtual Status Callback(SequenceNumber sequence, bool is_mem_disabled, std::uint64_t log_number,
                          std::size_t index, std::size_t total) = 0;
};

struct WriteOptions {
  // The write is acknowledged only after the log was synced (fdatasync) behind it.
  bool sync = false;
  // The write is not logged: it is lost unless a checkpoint follows. Excludes sync and
  // disable_memtable.
  bool disable_wal = false;
  // Log only: the batch takes no sequence and nothing of it is published (Prepare, Rollback).
  bool disable_memtable = false;
  // The write fails at once (kIncomplete) where it would wait for a write stall to end.
  bool no_slowdown = false;
  // Not owned; outlives the call.
  WriteCallback* callback = nullptr;
  // Not owned; outlives the call.
  PreReleaseCallback* pre_release_callback = nullptr;
  // The number of the log that holds the prepare which this write commits (that Prepare's
  // log_used); 0: none. Handed on to a memtable that takes it (MemTableConcept).
  std::uint64_t log_ref = 0;
};

struct WriteResult {
  Status status;
  // Of the first operation of the batch; 0 if the write failed or took no sequence.
  SequenceNumber sequence = 0;
  // The number of the log that holds the write; 0 if none does.
  std::uint64_t log_used = 0;
};

// RocksDB's options of the same names. enable_pipelined_write excludes two_write_queues.
struct WritePathOptions {
  // The writers of a group insert into the memtable in parallel.
  bool allow_concurrent_memtable_write = false;
  // The next group is logged while this one is inserted.
  bool enable_pipelined_write = false;
  // Writes with disable_memtable have a queue of their own.
  bool two_write_queues = false;
  // Upper bound on the bytes of a write group's batches. A group whose leader has a small batch (at
  // most an eighth) is kept small as well, so that a small write does not wait for a large one.
  std::size_t max_write_batch_group_size_bytes = std::size_t{1} << 20;
  // A leader stalls the queue while the log behind the last checkpoint is larger. 0: never.
  std::size_t max_log_bytes = 0;
  // From this many writers on, a parallel group is launched by stride callers, about sqrt(n) of
  // them.
  std::size_t parallel_stride_threshold = 20;
};

}  // namespace bellwether
