// WriteThread: the queue of writers and its leader, as RocksDB's class of that name.
//
//   JoinBatchGroup           LinkOne pushes the Writer on a lock-free list; who finds it empty
//   leads, the others AwaitState EnterAsBatchGroupLeader  the leader collects a group: itself and
//   the compatible writers queued behind it … the leader writes the log and the memtable for its
//   group … ExitAsBatchGroupLeader   gives the leadership on (or leaves the queue empty), then
//   completes its followers
//
// The list hangs from newest_writer_ by link_older; link_newer is made when a leader needs it.
// Incompatible writers are skipped, not stopped at: they are grafted behind the group in their
// order, and the oldest of them leads next.
//
// Invariants
//   INV_LEADER    one leader at a time: leadership comes only from an empty list or from the leader
//   that leaves INV_GROUP     a group is its leader and compatible writers in queue order; skipped
//   writers keep their order, come next INV_LIFETIME  no Writer is touched after its terminal state
//   is stored INV_WAKEUP    SetState wakes a blocked Writer for every state that it awaits
//   INV_QUIET     with no write in flight newest_writer_ is null
//
// Thread safety: all functions may be called concurrently; each is for the role that its REQUIRES
// names.
#pragma once

#include <cstddef>
#include <cstdint>

#include "bellwether/sync/orders.h"
#include "bellwether/sync/sync.h"
#include "bellwether/write_thread/write_group.h"
#include "bellwether/write_thread/writer.h"

namespace bellwether {

template <SyncPolicy Sync, class Batch = WriteBatch>
class WriteThread {
 public:
  using Writer = bellwether::Writer<Sync, Batch>;
  using WriteGroup = bellwether::WriteGroup<Sync, Batch>;

  explicit WriteThread(std::size_t max_write_batch_group_size_bytes)
      : max_write_batch_group_size_bytes_(max_write_batch_group_size_bytes),
        newest_writer_(nullptr) {}
  WriteThread(const WriteThread&) = delete;
  WriteThread& operator=(const WriteThread&) = delete;

  // Queues `w` and waits until it leads (STATE_GROUP_LEADER) or its leader has written it
  // (STATE_COMPLETED); returns which. REQUIRES: w is new; the caller holds no lock that a leader
  // takes.
  State JoinBatchGroup(Writer* w);

  // Collects the group of `leader`.
  // REQUIRES: JoinBatchGroup(leader) returned STATE_GROUP_LEADER; leader->batch is not null;
  // write_group is new.
  void EnterAsBatchGroupLeader(Writer* leader, WriteGroup* write_group);

  // Hands the queue on, then completes the followers with `status`. The leader keeps its own state.
  // REQUIRES: the caller leads write_group.
  void ExitAsBatchGroupLeader(WriteGroup& write_group, const Status& status);

  // Waits until `w` leads the queue, alone: no write is logged or inserted until ExitUnbatched.
  // REQUIRES: w is new and has no batch.
  void EnterUnbatched(Writer* w);

  // REQUIRES: EnterUnbatched(w) returned.
  void ExitUnbatched(Writer* w);

  // INV_QUIET. REQUIRES: no write is in flight.
  bool Quiet() const { return newest_writer_.load(orders::ExitAsBatchGroupLeader_Load) == nullptr; }

 private:
  bool LinkOne(Writer* w);
  State AwaitState(Writer* w, std::uint8_t goal_mask);
  std::uint8_t BlockingAwaitState(Writer* w, std::uint8_t goal_mask);
  void SetState(Writer* w, State new_state, const char* action);
  static void CreateMissingNewerLinks(Writer* head);
  std::size_t MaxGroupSize(const Writer& leader) const;
  bool Compatible(const Writer& leader, const Writer& w, std::size_t group_bytes) const;
  void Graft(Writer* last_writer, Writer* oldest_skipped, Writer* newest_skipped,
             Writer* newest_seen);
  void HandOff(Writer* last_writer);

  const std::size_t max_write_batch_group_size_bytes_;
  alignas(Sync::kCacheLine) typename Sync::template Atomic<Writer*> newest_writer_;
};

template <SyncPolicy Sync, class Batch>
State WriteThread<Sync, Batch>::JoinBatchGroup(Writer* w) {
  if (LinkOne(w)) {
    w->state.store(STATE_GROUP_LEADER, orders::JoinBatchGroup_Store);
    Sync::OnAction("JoinBatchGroup", w);
    return STATE_GROUP_LEADER;
  }
  const State state = AwaitState(w, STATE_GROUP_LEADER | STATE_COMPLETED);
  Sync::OnAction("JoinBatchGroup_AwaitState", w);
  return state;
}

// True if the list was empty: the caller leads.
template <SyncPolicy Sync, class Batch>
bool WriteThread<Sync, Batch>::LinkOne(Writer* w) {
  Writer* newest = newest_writer_.load(orders::LinkOne_Load);
  do {
    w->link_older.Set(newest);
  } while (!newest_writer_.compare_exchange_weak(newest, w, orders::LinkOne_Cas));
  Sync::OnAction("LinkOne", w);
  return newest == nullptr;
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
void WriteThread<Sync, Batch>::ExitAsBatchGroupLeader(WriteGroup& write_group,
                                                      const Status& status) {
  Writer* const leader = write_group.leader.Get();
  Writer* last_writer = write_group.last_writer.Get();
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

// Empties the queue, or makes the writer behind `last_writer` its leader.
template <SyncPolicy Sync, class Batch>
void WriteThread<Sync, Batch>::HandOff(Writer* last_writer) {
  Writer* head = newest_writer_.load(orders::ExitAsBatchGroupLeader_Load);
  if (head == last_writer &&
      newest_writer_.compare_exchange_strong(head, nullptr, orders::ExitAsBatchGroupLeader_Cas)) {
    Sync::OnAction("ExitAsBatchGroupLeader", last_writer);
    return;
  }
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
  return group_bytes + w.batch->ByteSize() <= MaxGroupSize(leader);
}

template <SyncPolicy Sync, class Batch>
std::size_t WriteThread<Sync, Batch>::MaxGroupSize(const Writer& leader) const {
  const std::size_t leader_size = leader.batch->ByteSize();
  const std::size_t min_batch_size = max_write_batch_group_size_bytes_ / 8;
  return leader_size <= min_batch_size ? leader_size + min_batch_size
                                       : max_write_batch_group_size_bytes_;
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

template <SyncPolicy Sync, class Batch>
State WriteThread<Sync, Batch>::AwaitState(Writer* w, std::uint8_t goal_mask) {
  std::uint8_t state = Sync::SpinUntil(w->state, goal_mask, orders::AwaitState_Load);
  if ((state & goal_mask) == 0) state = BlockingAwaitState(w, goal_mask);
  return static_cast<State>(state);
}

template <SyncPolicy Sync, class Batch>
std::uint8_t WriteThread<Sync, Batch>::BlockingAwaitState(Writer* w, std::uint8_t goal_mask) {
  std::uint8_t state = w->state.load(orders::BlockingAwaitState_Load);
  if ((state & goal_mask) != 0) return state;
  // STATE_LOCKED_WAITING obliges whoever sets the state to use the mutex. If the CAS fails the goal
  // was met meanwhile.
  if (!w->state.compare_exchange_strong(state, STATE_LOCKED_WAITING,
                                        orders::BlockingAwaitState_Cas)) {
    return state;
  }
  w->state_mutex.lock();
  state = w->state.load(orders::BlockingAwaitState_LockedLoad);
  while (state == STATE_LOCKED_WAITING) {
    w->state_cv.wait(w->state_mutex);
    state = w->state.load(orders::BlockingAwaitState_LockedLoad);
  }
  w->state_mutex.unlock();
  return state;
}

// The action is the store, so it is told here, under its caller's name. If new_state is terminal,
// the owner may return as soon as the CAS succeeded or the mutex is unlocked: nothing of *w is
// touched after that. (Store, then notify without the mutex, as std::atomic's wait and notify_one
// do, would touch it.)
template <SyncPolicy Sync, class Batch>
void WriteThread<Sync, Batch>::SetState(Writer* w, State new_state, const char* action) {
  std::uint8_t state = w->state.load(orders::SetState_Load);
  if (state != STATE_LOCKED_WAITING &&
      w->state.compare_exchange_strong(state, new_state, orders::SetState_Cas)) {
    Sync::OnAction(action, w);
    return;
  }
  w->state_mutex.lock();
  w->state.store(new_state, orders::SetState_LockedStore);
  Sync::OnAction(action, w);
  w->state_cv.notify_one();
  w->state_mutex.unlock();
}

}  // namespace bellwether
