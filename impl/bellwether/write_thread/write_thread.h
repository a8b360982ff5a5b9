// WriteThread: the queues of writers and their leaders, as RocksDB's class of that name.
//
//   JoinBatchGroup: LinkOne pushes the Writer on a lock-free list; who finds it empty leads, the
//     others AwaitState
//   EnterAsBatchGroupLeader: the leader collects a group: itself and the compatible writers queued
//     behind it
//   … the leader writes the log for its group …
//   ExitAsBatchGroupLeader: gives the leadership on (or leaves the queue empty), then completes its
//     followers; pipelined: links the group into the memtable queue instead
//   EnterAsMemTableWriter, LaunchParallelMemTableWriters, …: memtable_writers.h
//   BeginWriteStall, EndWriteStall: write_stall.h
//
// A list hangs from newest_writer_ by link_older; link_newer is made when a leader needs it.
// Incompatible writers are skipped, not stopped at: they are grafted behind the group in their
// order, and the oldest of them leads next.
//
// Invariants
//   INV_LEADER    a queue has one leader at a time: leadership comes only from an empty list or
//                 from the leader that leaves
//   INV_GROUP     a group is its leader and compatible writers in queue order; skipped writers keep
//                 their order and come next
//   INV_SEQUENCE  groups enter the memtable queue in the order of the log
//   INV_LIFETIME  no Writer is touched after STATE_COMPLETED is stored, no WriteGroup after its
//                 leader's is
//   INV_QUIET     with no write in flight both tails are null
//
// Thread safety: all functions may be called concurrently; each is for the role that its REQUIRES
// names.
#pragma once

#include <cstddef>
#include <cstdint>

#include "bellwether/sync/orders.h"
#include "bellwether/sync/sync.h"
#include "bellwether/write_thread/state_word.h"
#include "bellwether/write_thread/write_group.h"
#include "bellwether/write_thread/writer.h"

namespace bellwether {

template <SyncPolicy Sync, class Batch = WriteBatch>
class WriteThread {
 public:
  using Writer = bellwether::Writer<Sync, Batch>;
  using WriteGroup = bellwether::WriteGroup<Sync, Batch>;

  explicit WriteThread(const WritePathOptions& options)
      : options_(options),
        last_group_size_(1),
        behind_last_group_(false),
        write_stall_dummy_(WriteOptions{}, nullptr),
        newest_writer_(nullptr),
        newest_memtable_writer_(nullptr) {}
  WriteThread(const WriteThread&) = delete;
  WriteThread& operator=(const WriteThread&) = delete;

  // Queues `w` and waits until it leads, is called to the memtable phase, or is completed; returns
  // which. REQUIRES: w is new; the caller holds no lock that a leader takes.
  State JoinBatchGroup(Writer* w);

  // Before a sync: waits a little for the writers of the group that has just left, who are on their
  // way back, so that one sync does for all. REQUIRES: as EnterAsBatchGroupLeader, which follows.
  void GatherBatchGroup(Writer* leader);

  // Collects the group of `leader`.
  // REQUIRES: JoinBatchGroup(leader) returned STATE_GROUP_LEADER; leader->batch is not null;
  // write_group is new.
  void EnterAsBatchGroupLeader(Writer* leader, WriteGroup* write_group);

  // Hands the queue on, then completes the followers with write_group->status. The leader keeps its
  // own state. REQUIRES: the caller leads write_group, or is its last parallel writer; not
  // pipelined.
  void ExitAsBatchGroupLeader(WriteGroup* write_group);

  // The same by the last parallel writer, which completes the leader too.
  // REQUIRES: CompleteParallelMemTableWriter(w) returned true, and w does not lead its group.
  void ExitAsBatchGroupFollower(Writer* w);

  // Completes who does not go to the memtable, links the rest into the memtable queue, hands the
  // log queue on, and waits for the leader's own next state, which it returns. REQUIRES: the caller
  // leads write_group; pipelined.
  State ExitAsPipelinedBatchGroupLeader(WriteGroup* write_group);

  // Collects the memtable group of `leader`: all that are queued, up to a marker or the cap.
  // REQUIRES: `leader` was set to STATE_MEMTABLE_WRITER_LEADER; write_group is new.
  void EnterAsMemTableWriter(Writer* leader, WriteGroup* write_group);

  // Hands the memtable queue on, then completes the group with write_group->status, its leader
  // last. REQUIRES: the caller leads write_group, or is its last parallel writer; pipelined.
  void ExitAsMemTableWriter(WriteGroup* write_group);

  // Calls every writer of the group to insert its own batch.
  // REQUIRES: the caller leads write_group, and then inserts its own batch like the others.
  void LaunchParallelMemTableWriters(WriteGroup* write_group);

  // Launches the writers at every stride-th place from `w` on.
  // REQUIRES: w was set to STATE_PARALLEL_MEMTABLE_CALLER.
  void SetMemWritersEachStride(Writer* w);

  // True for the last writer of the group, which then acts for the leader; the others wait until
  // they are completed. REQUIRES: w was launched, and has inserted its batch with `status`.
  bool CompleteParallelMemTableWriter(Writer* w, const Status& status);

  // Waits until `w` leads the queue, alone: no write is logged until ExitUnbatched.
  // REQUIRES: w is new and has no batch.
  void EnterUnbatched(Writer* w);

  // REQUIRES: EnterUnbatched(w) returned.
  void ExitUnbatched(Writer* w);

  // Stalls the queue until `relieved()` holds: fails the queued writers with no_slowdown, and keeps
  // all others from the queue. Whoever makes `relieved` true calls NotifyStall afterwards.
  // REQUIRES: the caller leads the queue, and has not collected its group; w is its Writer, without
  // no_slowdown.
  template <class Relieved>
  void WriteStall(Writer* w, const Relieved& relieved);
  void NotifyStall();

  // Waits until the memtable queue is empty. REQUIRES: the caller leads the log queue, so that
  // nobody can link.
  void WaitForMemTableWriters();

  // INV_QUIET. REQUIRES: no write is in flight.
  bool Quiet() const {
    return newest_writer_.load(orders::ExitAsBatchGroupLeader_Load) == nullptr &&
           newest_memtable_writer_.load(orders::EnterAsMemTableWriter_Load) == nullptr;
  }

 private:
  using Tail = typename Sync::template Atomic<Writer*>;

  static constexpr std::uint8_t kMemTableStates =
      STATE_PARALLEL_MEMTABLE_CALLER | STATE_PARALLEL_MEMTABLE_WRITER | STATE_COMPLETED;

  bool LinkOne(Writer* w, Tail* newest_writer, const char* action);
  Writer* WaitForStallEnd(Tail* newest_writer);
  void BeginWriteStall(Writer* leader);
  void EndWriteStall();
  static void FailForStall(Writer* w);
  static bool LinkGroup(WriteGroup* write_group, Tail* newest_writer);
  static void CreateMissingNewerLinks(Writer* head);
  std::size_t MaxGroupSize(const Writer& leader) const;
  bool Compatible(const Writer& leader, const Writer& w, std::size_t group_bytes) const;
  static std::size_t Stride(std::size_t size);
  void Graft(Writer* last_writer, Writer* oldest_skipped, Writer* newest_skipped,
             Writer* newest_seen);
  void HandOff(Writer* last_writer);
  void InsertDummy(Writer* dummy, Writer* last_writer);
  void CompleteFollower(Writer* w, WriteGroup* write_group);
  void CompleteLeader(WriteGroup* write_group);

  const WritePathOptions options_;
  typename Sync::Mutex stall_mutex_;
  typename Sync::CondVar stall_cv_;  // the stall has ended, or may end
  // Belong to the leader: the size of the group before his, and whether he was queued behind it.
  typename Sync::template Plain<std::size_t> last_group_size_;
  typename Sync::template Plain<bool> behind_last_group_;
  Writer write_stall_dummy_;  // the tail while the queue is stalled
  alignas(Sync::kCacheLine) Tail newest_writer_;
  alignas(Sync::kCacheLine) Tail newest_memtable_writer_;
};

template <SyncPolicy Sync, class Batch>
State WriteThread<Sync, Batch>::JoinBatchGroup(Writer* w) {
  if (LinkOne(w, &newest_writer_, "LinkOne")) {
    w->state.store(STATE_GROUP_LEADER, orders::OwnState_Store);
    Sync::OnAction("JoinBatchGroup", w);
    return STATE_GROUP_LEADER;
  }
  return AwaitState(w, STATE_GROUP_LEADER | STATE_MEMTABLE_WRITER_LEADER | kMemTableStates,
                    JoinBatchGroup_AwaitState);
}

// True if the list was empty: the caller leads. While the queue is stalled nobody links: a writer
// with no_slowdown fails at once, the others wait for the end of the stall. `action` names the CAS.
template <SyncPolicy Sync, class Batch>
bool WriteThread<Sync, Batch>::LinkOne(Writer* w, Tail* newest_writer, const char* action) {
  Writer* newest = newest_writer->load(orders::LinkOne_Load);
  do {
    while (newest == &write_stall_dummy_ && w != &write_stall_dummy_) {
      if (w->no_slowdown) {
        FailForStall(w);
        w->state.store(STATE_COMPLETED, orders::OwnState_Store);
        Sync::OnAction("LinkOne_NoSlowdown", w);
        return false;
      }
      newest = WaitForStallEnd(newest_writer);
    }
    w->link_older.Set(newest);
  } while (!newest_writer->compare_exchange_weak(newest, w, orders::LinkOne_Cas));
  Sync::OnAction(action, w);
  return newest == nullptr;
}

template <SyncPolicy Sync, class Batch>
void WriteThread<Sync, Batch>::GatherBatchGroup(Writer* leader) {
  std::size_t queued = 1;
  std::size_t expected = 0;
  Writer* counted = leader;
  Sync::Linger([&] {
    Writer* const newest = newest_writer_.load(orders::GatherBatchGroup_Load);
    for (Writer* w = newest; w != counted; w = w->link_older.Get()) ++queued;
    counted = newest;
    if (expected == 0) expected = last_group_size_.Get() + (behind_last_group_.Get() ? queued : 0);
    return queued >= expected;
  });
}

template <SyncPolicy Sync, class Batch>
void WriteThread<Sync, Batch>::EnterAsBatchGroupLeader(Writer* leader, WriteGroup* write_group) {
  leader->write_group.Set(write_group);
  write_group->leader.Set(leader);

  Writer* const newest_writer = newest_writer_.load(orders::EnterAsBatchGroupLeader_Load);
  CreateMissingNewerLinks(newest_writer);

  std::size_t size = 1;
  std::size_t group_bytes = leader->batch->ByteSize();
  Writer* last_writer = leader;
  Writer* oldest_skipped = nullptr;
  Writer* newest_skipped = nullptr;
  for (Writer* w = leader; w != newest_writer;) {
    w = w->link_newer.Get();
    if (Compatible(*leader, *w, group_bytes)) {
      if (newest_skipped != nullptr) {
        last_writer->link_newer.Set(w);
        w->link_older.Set(last_writer);
      }
      w->write_group.Set(write_group);
      group_bytes += w->batch->ByteSize();
      last_writer = w;
      ++size;
    } else {
      if (newest_skipped != nullptr) {
        newest_skipped->link_newer.Set(w);
        w->link_older.Set(newest_skipped);
      } else {
        oldest_skipped = w;
      }
      newest_skipped = w;
    }
  }
  write_group->last_writer.Set(last_writer);
  write_group->size.Set(size);
  last_group_size_.Set(size);
  Sync::OnAction("EnterAsBatchGroupLeader", leader);
  if (newest_skipped != nullptr) {
    Graft(last_writer, oldest_skipped, newest_skipped, newest_writer);
    Sync::OnAction("EnterAsBatchGroupLeader_Graft", leader);
  }
}

// Puts the skipped writers behind the group: … last_writer, oldest_skipped … newest_skipped, later
// arrivals.
template <SyncPolicy Sync, class Batch>
void WriteThread<Sync, Batch>::Graft(Writer* last_writer, Writer* oldest_skipped,
                                     Writer* newest_skipped, Writer* newest_seen) {
  oldest_skipped->link_older.Set(last_writer);
  last_writer->link_newer.Set(oldest_skipped);
  newest_skipped->link_newer.Set(nullptr);
  Writer* newest = newest_seen;
  if (newest_writer_.compare_exchange_strong(newest, newest_skipped,
                                             orders::EnterAsBatchGroupLeader_GraftCas)) {
    return;
  }
  // Newer writers have arrived; the oldest of them still points at the tail that this leader saw.
  Writer* oldest_newcomer = newest;
  while (oldest_newcomer->link_older.Get() != newest_seen) {
    oldest_newcomer = oldest_newcomer->link_older.Get();
  }
  oldest_newcomer->link_older.Set(newest_skipped);
}

template <SyncPolicy Sync, class Batch>
void WriteThread<Sync, Batch>::ExitAsBatchGroupLeader(WriteGroup* write_group) {
  Writer* const leader = write_group->leader.Get();
  Writer* last_writer = write_group->last_writer.Get();
  const Status status = write_group->status.Get();
  leader->status.Set(status);
  // The next leader starts while this one still completes its followers, so the queue goes first.
  HandOff(last_writer);
  while (last_writer != leader) {
    last_writer->status.Set(status);
    // Read before the state: with STATE_COMPLETED the follower may return (INV_LIFETIME).
    Writer* const next = last_writer->link_older.Get();
    SetState(last_writer, STATE_COMPLETED, "ExitAsBatchGroupLeader_CompleteFollower");
    last_writer = next;
  }
}

template <SyncPolicy Sync, class Batch>
void WriteThread<Sync, Batch>::ExitAsBatchGroupFollower(Writer* w) {
  WriteGroup* const write_group = w->write_group.Get();
  Writer* const leader = write_group->leader.Get();
  ExitAsBatchGroupLeader(write_group);
  // Last, because the group lives in the leader's frame. (It has just completed w itself as well,
  // whose frame is ours.)
  SetState(leader, STATE_COMPLETED, "ExitAsBatchGroupFollower");
}

// Empties the queue, or makes the writer behind `last_writer` its leader.
template <SyncPolicy Sync, class Batch>
void WriteThread<Sync, Batch>::HandOff(Writer* last_writer) {
  Writer* head = newest_writer_.load(orders::ExitAsBatchGroupLeader_Load);
  behind_last_group_.Set(false);
  if (head == last_writer &&
      newest_writer_.compare_exchange_strong(head, nullptr, orders::ExitAsBatchGroupLeader_Cas)) {
    Sync::OnAction("ExitAsBatchGroupLeader", last_writer);
    return;
  }
  behind_last_group_.Set(true);
  CreateMissingNewerLinks(head);
  Writer* const next_leader = last_writer->link_newer.Get();
  next_leader->link_older.Set(nullptr);
  Sync::OnAction("ExitAsBatchGroupLeader", last_writer);
  SetState(next_leader, STATE_GROUP_LEADER, "ExitAsBatchGroupLeader_SetState");
}

template <SyncPolicy Sync, class Batch>
void WriteThread<Sync, Batch>::EnterUnbatched(Writer* w) {
  // A writer without a batch joins no group, so the only state that it can reach is
  // STATE_GROUP_LEADER.
  JoinBatchGroup(w);
  Sync::OnAction("EnterUnbatched", w);
  if (options_.enable_pipelined_write) WaitForMemTableWriters();
}

template <SyncPolicy Sync, class Batch>
void WriteThread<Sync, Batch>::ExitUnbatched(Writer* w) {
  HandOff(w);
}

template <SyncPolicy Sync, class Batch>
bool WriteThread<Sync, Batch>::Compatible(const Writer& leader, const Writer& w,
                                          std::size_t group_bytes) const {
  if (w.batch == nullptr) return false;      // an unbatched writer leads alone
  if (w.sync && !leader.sync) return false;  // this group will not be synced
  if (w.no_slowdown != leader.no_slowdown) return false;
  if (w.disable_wal != leader.disable_wal) return false;
  if (w.callback != nullptr && !w.callback->AllowWriteBatching()) return false;
  if (leader.callback != nullptr && !leader.callback->AllowWriteBatching()) return false;
  return group_bytes + w.batch->ByteSize() <= MaxGroupSize(leader);
}

template <SyncPolicy Sync, class Batch>
std::size_t WriteThread<Sync, Batch>::MaxGroupSize(const Writer& leader) const {
  const std::size_t max_size = options_.max_write_batch_group_size_bytes;
  const std::size_t leader_size = leader.batch->ByteSize();
  return leader_size <= max_size / 8 ? leader_size + max_size / 8 : max_size;
}

// Links the list forwards, from `head` back to the first writer that has its link_newer already.
template <SyncPolicy Sync, class Batch>
void WriteThread<Sync, Batch>::CreateMissingNewerLinks(Writer* head) {
  for (Writer* older = head->link_older.Get();
       older != nullptr && older->link_newer.Get() == nullptr; older = head->link_older.Get()) {
    older->link_newer.Set(head);
    head = older;
  }
}

}  // namespace bellwether

#include "bellwether/write_thread/memtable_writers.h"
#include "bellwether/write_thread/write_stall.h"
