// Writer: one write in flight. It lives in the frame of the calling thread, so its address is used
// again by that thread's next write.
//
// States, who stores them, and what follows
//   STATE_INIT
//     the caller, at construction -> any state below
//   STATE_GROUP_LEADER
//     the caller, if it found the queue empty (JoinBatchGroup); else the leader that leaves
//     -> the caller leads a group, or, unbatched, holds the queue alone
//   STATE_MEMTABLE_WRITER_LEADER
//     pipelined: who linked its group into an empty memtable queue (LinkGroup), or the memtable
//     leader that leaves (ExitAsMemTableWriter) -> it leads a memtable group
//   STATE_PARALLEL_MEMTABLE_CALLER
//     the leader of a large group (LaunchParallelMemTableWriters)
//     -> the caller launches every stride-th writer, itself too
//   STATE_PARALLEL_MEMTABLE_WRITER
//     the leader or a caller -> the caller inserts its own batch
//   STATE_COMPLETED
//     the leader of its group, or the last parallel writer in its place -> the caller returns
//   STATE_LOCKED_WAITING
//     the caller, when it blocks (BlockingAwaitState) -> the state that it waited for
//
// Thread safety: `state`, `state_mutex` and `state_cv` are for concurrent use. The plain fields
// belong to the caller until LinkOne, then to the leader of the queue that the Writer is in, and
// from STATE_COMPLETED on to the caller again (INV_LIFETIME: whoever stores it may not touch the
// Writer afterwards). A parallel memtable writer may read its own.
#pragma once

#include <cstdint>

#include "bellwether/sync/sync.h"
#include "bellwether/write_path/sequence.h"
#include "bellwether/write_path/status.h"
#include "bellwether/write_path/write_options.h"

namespace bellwether {

class WriteBatch;

template <SyncPolicy Sync, class Batch>
struct WriteGroup;

// RocksDB's values. A set of states is a mask.
enum State : std::uint8_t {
  STATE_INIT = 1,
  STATE_GROUP_LEADER = 2,
  STATE_MEMTABLE_WRITER_LEADER = 4,
  STATE_PARALLEL_MEMTABLE_WRITER = 8,
  STATE_COMPLETED = 16,
  STATE_LOCKED_WAITING = 32,
  STATE_PARALLEL_MEMTABLE_CALLER = 64,
};

template <SyncPolicy Sync, class Batch = WriteBatch>
struct alignas(Sync::kCacheLine) Writer {
  template <class T>
  using Plain = typename Sync::template Plain<T>;

  // An unbatched writer, which leads alone, has no batch (EnterUnbatched, WaitForMemTableWriters).
  Writer(const WriteOptions& options, const Batch* writer_batch)
      : batch(writer_batch),
        sync(options.sync),
        no_slowdown(options.no_slowdown),
        disable_wal(options.disable_wal),
        disable_memtable(options.disable_memtable),
        callback(options.callback),
        pre_release_callback(options.pre_release_callback),
        log_ref(options.log_ref),
        write_group(nullptr),
        sequence(0),
        log_used(0),
        link_older(nullptr),
        link_newer(nullptr),
        state(STATE_INIT) {}
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  // REQUIRES (the next four): the caller owns the Writer, or leads its group.
  bool CallbackFailed() const { return !callback_status.Get().ok(); }
  bool ShouldWriteToMemtable() const {
    return !disable_memtable && !CallbackFailed() && status.Get().ok();
  }
  bool ShouldWriteToWAL() const { return !disable_wal && !CallbackFailed(); }
  Status FinalStatus() const { return CallbackFailed() ? callback_status.Get() : status.Get(); }

  const Batch* const batch;
  const bool sync;
  const bool no_slowdown;
  const bool disable_wal;
  const bool disable_memtable;
  WriteCallback* const callback;
  PreReleaseCallback* const pre_release_callback;
  const std::uint64_t log_ref;

  Plain<WriteGroup<Sync, Batch>*> write_group;
  Plain<SequenceNumber> sequence;  // of the first operation of the batch
  Plain<std::uint64_t> log_used;   // the log that holds the batch; 0: none
  Plain<Status> status;            // of the log and of the memtable
  Plain<Status> callback_status;
  Plain<Writer*> link_older;  // set by LinkOne, before the Writer can be seen
  Plain<Writer*> link_newer;  // made lazily, by the leader (CreateMissingNewerLinks)

  typename Sync::template Atomic<std::uint8_t> state;
  typename Sync::Mutex state_mutex;
  typename Sync::CondVar state_cv;
};

}  // namespace bellwether
