// Writer: one write in flight. It lives in the frame of the calling thread, so its address is used
// again by that thread's next write.
//
// States, and who stores them
//   STATE_INIT            the caller, at construction
//   STATE_GROUP_LEADER    the caller, if it found the queue empty (JoinBatchGroup); else the leader
//   that leaves
//                         -> the caller leads a group, or, unbatched, holds the queue alone.
//                         Terminal.
//   STATE_COMPLETED       the leader of its group (ExitAsBatchGroupLeader). Terminal: the caller
//   returns at once. STATE_LOCKED_WAITING  the caller, when it blocks (BlockingAwaitState) -> the
//   state that it waited for
//
// Thread safety: `state`, `state_mutex` and `state_cv` are for concurrent use. The plain fields
// belong to the caller until LinkOne, then to the leader of the queue, and from its terminal state
// on to the caller again (INV_LIFETIME: whoever stores a terminal state may not touch the Writer
// afterwards).
#pragma once

#include <cstdint>

#include "bellwether/sync/sync.h"
#include "bellwether/write_path/sequence.h"
#include "bellwether/write_path/status.h"

namespace bellwether {

class WriteBatch;

template <SyncPolicy Sync, class Batch>
struct WriteGroup;

// RocksDB's values. A set of states is a mask.
enum State : std::uint8_t {
  STATE_INIT = 1,
  STATE_GROUP_LEADER = 2,
  STATE_COMPLETED = 16,
  STATE_LOCKED_WAITING = 32,
};

template <SyncPolicy Sync, class Batch = WriteBatch>
struct alignas(Sync::kCacheLine) Writer {
  template <class T>
  using Plain = typename Sync::template Plain<T>;

  // An unbatched writer, which leads alone, has no batch (EnterUnbatched).
  Writer(const Batch* writer_batch, bool writer_sync)
      : batch(writer_batch),
        sync(writer_sync),
        write_group(nullptr),
        sequence(0),
        link_older(nullptr),
        link_newer(nullptr),
        state(STATE_INIT) {}
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  const Batch* const batch;
  const bool sync;

  Plain<WriteGroup<Sync, Batch>*> write_group;
  Plain<SequenceNumber> sequence;  // of the first operation of the batch
  Plain<Status> status;
  Plain<Writer*> link_older;  // set by LinkOne, before the Writer can be seen
  Plain<Writer*> link_newer;  // made lazily, by the leader (CreateMissingNewerLinks)

  typename Sync::template Atomic<std::uint8_t> state;
  typename Sync::Mutex state_mutex;
  typename Sync::CondVar state_cv;
};

}  // namespace bellwether
