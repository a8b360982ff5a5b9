// write_thread_model.h: spec/WriteThread.tla, one function per action: the queue and its leader.
//
// An action is `bool Name(const Config&, size_t t, State*)`: thread t takes it. Unless its guard
// holds it returns false and leaves the state alone. A dereference of a Writer that is not alive is
// recorded in lifetime_ok (Touch); memory is addressed by thread, so it is harmless here.
//
// Thread safety: functions of their arguments.

#pragma once

#include "model/config.h"
#include "model/state.h"

namespace bellwether::model {

inline Pointer Me(const State& s, size_t t) { return {t, s.incarnation[t]}; }

// p->field
template <class T, size_t kSize>
T& At(std::array<T, kSize>& field, Pointer p) {
  return field[p.thread()];
}
template <class T, size_t kSize>
const T& At(const std::array<T, kSize>& field, Pointer p) {
  return field[p.thread()];
}

inline bool InFlight(const State& s, size_t t) { return s.pc[t] != Action::Write; }

// The dummy is in the frame of a thread that is about to.
inline bool HasDummy(const State& s, size_t t) {
  return s.pc[t] == Action::ExitAsBatchGroupLeader_CompleteFollower ||
         s.pc[t] == Action::ExitAsBatchGroupLeader_CompleteLeader || s.pc[t] == Action::LinkGroup ||
         s.pc[t] == Action::LinkGroup_SetState || s.pc[t] == Action::ExitAsBatchGroupLeader;
}

inline bool DummyIsLive(const State& s) {
  for (size_t t = 0; t < kMaxThreads; t++) {
    if (HasDummy(s, t)) return true;
  }
  return false;
}

inline bool Live(const State& s, Pointer p) {
  if (p == kDummy) return DummyIsLive(s);
  if (p == kStallDummy || p == kNonmemStallDummy) return true;
  return !p.null() && InFlight(s, p.thread()) && At(s.incarnation, p) == p.incarnation();
}

inline void Touch(Pointer p, State* s) { s->lifetime_ok = s->lifetime_ok && Live(*s, p); }

// p->field := value; through a null pointer nothing is stored: Touch has reported it.
template <class T, size_t kSize>
void Store(std::array<T, kSize>& field, Pointer p, T value) {
  if (!p.null()) At(field, p) = value;
}

// The writers from `from` to `to` by link_newer; it ends early where the links do.
inline Writers Chain(const State& s, Pointer from, Pointer to) {
  Writers chain;
  chain.Append(from);
  while (chain.last() != to && !At(s.link_newer, chain.last()).null() && chain.size < kFrames) {
    chain.Append(At(s.link_newer, chain.last()));
  }
  return chain;
}

// The members of the WriteGroup of t, oldest first.
inline Writers Group(const State& s, size_t t) {
  return Chain(s, s.group_leader[t], s.last_writer[t]);
}

// The thread in whose frame the group of t is: its leader, for which t acts if it finished last.
inline size_t Frame(const State& s, size_t t) { return s.write_group[t].thread(); }

// link_newer, made from head back to the first writer that has it.
inline void CreateMissingNewerLinks(Pointer head, State* s) {
  Touch(head, s);
  for (Pointer older = At(s->link_older, head); !older.null(); older = At(s->link_older, head)) {
    Touch(older, s);
    if (!At(s->link_newer, older).null()) return;
    At(s->link_newer, older) = head;
    head = older;
  }
}

// May w be taken into the group of `leader`?
inline bool Compatible(const Config& config, Pointer leader, Pointer w) {
  const auto alike = [&](const WriteSet& option) {
    return option.Contains(w) == option.Contains(leader);
  };
  return (!config.Sync(w) || config.Sync(leader)) && !config.callback_alone.Contains(w) &&
         !config.callback_alone.Contains(leader) && alike(config.no_slowdown) &&
         alike(config.disable_wal) && !config.Unbatched(w);
}

// The leader of a queue and the compatible writers behind it, up to the cap.
inline Writers SelectGroup(const Config& config, const Writers& queue) {
  const Pointer leader = queue[0];
  Writers members;
  for (const Pointer w : queue) {
    if (members.size == config.max_group) break;
    if (w == leader || Compatible(config, leader, w)) members.Append(w);
  }
  return members;
}

// Both links of the writers of `members` and then of `skipped`, so that they stand in this order.
// The oldest keeps its link_older; the newest has no link_newer.
inline void Link(const Writers& members, const Writers& skipped, State* s) {
  Pointer previous;
  for (const Writers* part : {&members, &skipped}) {
    for (const Pointer w : *part) {
      if (!previous.null()) {
        At(s->link_older, w) = previous;
        At(s->link_newer, previous) = w;
      }
      previous = w;
    }
  }
  At(s->link_newer, previous) = Pointer();
}

// The call of t begins. Who is to lead all queues ends a stall first.
inline void Begin(const Config& config, size_t t, State* s) {
  const bool relieves = config.Stalls() && config.Unbatched(Me(*s, t));
  s->pc[t] = relieves ? Action::RunUnbatched : Action::LinkOne;
}

inline bool Write(const Config& config, size_t t, State* s) {
  if (s->pc[t] != Action::Write || t == kSecondPlace || config.Checkpoints(t)) return false;
  if (s->incarnation[t] >= config.writes) return false;
  s->incarnation[t]++;
  Begin(config, t, s);
  return true;
}

// The tail of the queue to which the write of t goes.
inline Pointer& Tail(const Config& config, size_t t, State* s) {
  return config.UsesNonmem(Me(*s, t)) ? s->newest_nonmem_writer : s->newest_writer;
}

inline bool LinkOne(const Config& config, size_t t, State* s) {
  if (s->pc[t] != Action::LinkOne) return false;
  Pointer& tail = Tail(config, t, s);
  if (tail == kStallDummy || tail == kNonmemStallDummy) return false;  // it waits
  s->link_older[t] = tail;
  s->pc[t] = tail.null() ? Action::JoinBatchGroup : Action::JoinBatchGroup_AwaitState;
  tail = Me(*s, t);
  s->arrival.Append(Me(*s, t));
  return true;
}

// What a new leader does.
inline Action LeaderLabel(const Config& config, const State& s, size_t t) {
  if (config.Unbatched(Me(s, t))) return Action::EnterUnbatched;
  return config.Stalls() ? Action::PreprocessWrite : Action::EnterAsBatchGroupLeader;
}

inline bool JoinBatchGroup(const Config& config, size_t t, State* s) {
  if (s->pc[t] != Action::JoinBatchGroup) return false;
  s->state[t] = STATE_GROUP_LEADER;
  s->pc[t] = LeaderLabel(config, *s, t);
  return true;
}

// What a parallel writer does once it is launched.
inline Action InsertLabel(const Config& config, const State& s, size_t t) {
  return config.Inserts(Me(s, t)) ? Action::InsertInto : Action::CompleteParallelMemTableWriter;
}

// What a state calls its writer to. REQUIRES: it is not STATE_INIT.
inline Action Called(const Config& config, const State& s, size_t t) {
  switch (s.state[t]) {
    case STATE_GROUP_LEADER:
      return LeaderLabel(config, s, t);
    case STATE_MEMTABLE_WRITER_LEADER:
      return Action::EnterAsMemTableWriter;
    case STATE_PARALLEL_MEMTABLE_CALLER:
      return Action::SetMemWritersEachStride_Caller;
    case STATE_PARALLEL_MEMTABLE_WRITER:
      return InsertLabel(config, s, t);
    default:
      return Action::Write_Return;
  }
}

inline bool JoinBatchGroup_AwaitState(const Config& config, size_t t, State* s) {
  if (s->pc[t] != Action::JoinBatchGroup_AwaitState || s->state[t] == STATE_INIT) return false;
  s->pc[t] = Called(config, *s, t);
  return true;
}

inline Action ExitFromLog(const Config& config) {
  return config.Pipelined() ? Action::ExitAsBatchGroupLeader_Dummy : Action::ExitAsBatchGroupLeader;
}

inline Action WriteToWALLabel(const Config& config, const State& s, size_t t) {
  // Refused by PreprocessWrite.
  if (s.group_status[t] != WriteStatus::kOK) return ExitFromLog(config);
  return config.SharesFirstError() ? Action::WriteToWAL_FirstError : Action::WriteToWAL;
}

// t collects `members` as its WriteGroup.
inline void TakeGroup(size_t t, const Writers& members, State* s) {
  for (const Pointer w : members) At(s->write_group, w) = Me(*s, t);
  s->group_leader[t] = Me(*s, t);
  s->last_writer[t] = members.last();
  s->group_size[t] = members.size;
}

// The WriteGroup in the frame of t dies.
inline void ClearGroup(size_t t, State* s) {
  s->group_leader[t] = Pointer();
  s->last_writer[t] = Pointer();
  s->group_size[t] = 0;
  s->group_status[t] = WriteStatus::kOK;
  s->running[t] = 0;
}

inline bool EnterAsBatchGroupLeader(const Config& config, size_t t, State* s) {
  if (s->pc[t] != Action::EnterAsBatchGroupLeader) return false;
  const Pointer tail = Tail(config, t, s);
  CreateMissingNewerLinks(tail, s);
  const Writers queue = Chain(*s, Me(*s, t), tail);
  for (const Pointer w : queue) Touch(w, s);
  if (queue.last() != tail) Touch(Pointer(), s);
  const Writers members = SelectGroup(config, queue);
  const Writers skipped = queue.Select([&](Pointer w) { return !members.Contains(w); });
  Link(members, skipped, s);
  TakeGroup(t, members, s);
  if (skipped.empty()) {
    s->pc[t] = WriteToWALLabel(config, *s, t);
    return true;
  }
  s->tail_seen[t] = tail;
  s->cursor[t] = skipped.last();
  s->pc[t] = Action::EnterAsBatchGroupLeader_Graft;
  return true;
}

inline bool EnterAsBatchGroupLeader_Graft(const Config& config, size_t t, State* s) {
  if (s->pc[t] != Action::EnterAsBatchGroupLeader_Graft) return false;
  Pointer& tail = Tail(config, t, s);
  if (SameAddress(tail, s->tail_seen[t])) {
    tail = s->cursor[t];
  } else {
    // The newcomers, from the new tail to the one that linked behind the tail seen.
    Pointer p = tail;
    Touch(p, s);
    while (!p.null() && !SameAddress(At(s->link_older, p), s->tail_seen[t])) {
      p = At(s->link_older, p);
      Touch(p, s);
    }
    Store(s->link_older, p, s->cursor[t]);
  }
  s->tail_seen[t] = Pointer();
  s->cursor[t] = Pointer();
  s->pc[t] = WriteToWALLabel(config, *s, t);
  return true;
}

// Not pipelined: once the queue is no longer its own, t goes to the followers, newest first.
inline void GotoFollowers(size_t t, State* s) {
  const Pointer newest = s->last_writer[Frame(*s, t)];
  const bool alone = newest == s->write_group[t];
  s->cursor[t] = alone ? Pointer() : newest;
  s->pc[t] = alone ? Action::Write_Return : Action::ExitAsBatchGroupLeader_CompleteFollower;
}

// t hands the queue on; the newest writer of its group, or its dummy, is `last`.
inline void HandOff(const Config& config, size_t t, Pointer last, State* s) {
  CreateMissingNewerLinks(Tail(config, t, s), s);
  Touch(last, s);
  const Pointer next_leader = At(s->link_newer, last);
  Touch(next_leader, s);
  if (last == kDummy) At(s->link_newer, kDummy) = Pointer();
  Store(s->link_older, next_leader, Pointer());
  s->cursor[t] = next_leader;
  s->pc[t] = Action::ExitAsBatchGroupLeader_SetState;
}

// Pipelined: the dummy leaves the queue, which is empty, or the next leader's.
inline void ExitWithDummy(const Config& config, size_t t, State* s) {
  if (!SameAddress(s->newest_writer, kDummy)) return HandOff(config, t, kDummy, s);
  s->newest_writer = Pointer();
  s->pc[t] = Action::ExitAsBatchGroupLeader_AwaitState;
}

// An unbatched call leaves its queue; the main one when the second Writer has left.
inline bool ExitUnbatched(const Config& config, size_t t, State* s) {
  const bool second_left = !config.HasSecond() || s->pc[kSecondPlace] == Action::Write;
  if (t != kSecondPlace && !second_left) return false;
  Pointer& tail = Tail(config, t, s);
  if (!SameAddress(tail, Me(*s, t))) {
    HandOff(config, t, Me(*s, t), s);
    return true;
  }
  tail = Pointer();
  s->pc[t] = Action::Write_Return;
  return true;
}

inline bool ExitAsBatchGroupLeader(const Config& config, size_t t, State* s) {
  if (s->pc[t] != Action::ExitAsBatchGroupLeader) return false;
  if (config.Unbatched(Me(*s, t))) return ExitUnbatched(config, t, s);
  if (config.Pipelined()) {
    ExitWithDummy(config, t, s);
    return true;
  }
  const size_t frame = Frame(*s, t);
  Store(s->status, s->write_group[t], s->group_status[frame]);
  Pointer& tail = Tail(config, t, s);
  if (SameAddress(tail, s->last_writer[frame])) {
    tail = Pointer();
    Touch(s->write_group[t], s);
    GotoFollowers(t, s);
  } else {
    HandOff(config, t, s->last_writer[frame], s);
  }
  return true;
}

inline bool ExitAsBatchGroupLeader_SetState(const Config& config, size_t t, State* s) {
  if (s->pc[t] != Action::ExitAsBatchGroupLeader_SetState) return false;
  Touch(s->cursor[t], s);
  Store(s->state, s->cursor[t], STATE_GROUP_LEADER);
  const bool unbatched = config.Unbatched(Me(*s, t));
  if (config.Pipelined() || unbatched) {
    s->cursor[t] = Pointer();
    s->pc[t] = unbatched ? Action::Write_Return : Action::ExitAsBatchGroupLeader_AwaitState;
  } else {
    GotoFollowers(t, s);
  }
  return true;
}

// Not pipelined. A delegate completes itself in its turn, and the leader last.
inline void CompleteFollower(size_t t, State* s) {
  const Pointer follower = s->cursor[t];
  const Pointer next = At(s->link_older, follower);
  const bool last = SameAddress(next, s->write_group[t]);
  Touch(follower, s);
  Touch(s->write_group[t], s);
  At(s->status, follower) = s->group_status[Frame(*s, t)];
  At(s->state, follower) = STATE_COMPLETED;
  s->cursor[t] = last ? Pointer() : next;
  if (!last) return;
  const bool leads = s->write_group[t] == Me(*s, t);
  s->pc[t] = leads ? Action::Write_Return : Action::ExitAsBatchGroupFollower;
}

// The queue's part of Write_Return: the Writer, and the WriteGroup that it led, are dead.
inline bool FreeFrame(size_t t, State* s) {
  if (s->pc[t] != Action::Write_Return) return false;
  s->state[t] = STATE_INIT;
  s->link_older[t] = Pointer();
  s->link_newer[t] = Pointer();
  s->write_group[t] = Pointer();
  s->sequence[t] = 0;
  s->status[t] = WriteStatus::kOK;
  ClearGroup(t, s);
  s->arrival = s->arrival.Select([&](Pointer p) { return p != Me(*s, t); });
  s->pc[t] = Action::Write;
  return true;
}

}  // namespace bellwether::model
