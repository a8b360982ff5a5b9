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
template <class T>
T& At(PerThread<T>& field, Pointer p) {
  return field[p.thread()];
}
template <class T>
const T& At(const PerThread<T>& field, Pointer p) {
  return field[p.thread()];
}

inline bool InFlight(const State& s, size_t t) { return s.pc[t] != Action::Write; }

inline bool Live(const State& s, Pointer p) {
  return !p.null() && InFlight(s, p.thread()) && At(s.incarnation, p) == p.incarnation();
}

inline void Touch(Pointer p, State* s) { s->lifetime_ok = s->lifetime_ok && Live(*s, p); }

// p->field := value; through a null pointer nothing is stored: Touch has reported it.
template <class T>
void Store(PerThread<T>& field, Pointer p, T value) {
  if (!p.null()) At(field, p) = value;
}

// The writers from `from` to `to` by link_newer; it ends early where the links do.
inline Writers Chain(const State& s, Pointer from, Pointer to) {
  Writers chain;
  chain.Append(from);
  while (chain.last() != to && !At(s.link_newer, chain.last()).null() && chain.size < kMaxThreads) {
    chain.Append(At(s.link_newer, chain.last()));
  }
  return chain;
}

// The members of the group that t leads, oldest first.
inline Writers Group(const State& s, size_t t) { return Chain(s, Me(s, t), s.last_writer[t]); }

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
  return !config.Sync(w) || config.Sync(leader);
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

inline bool Write(const Config& config, size_t t, State* s) {
  if (s->pc[t] != Action::Write || s->incarnation[t] >= config.writes) return false;
  s->incarnation[t]++;
  s->pc[t] = Action::LinkOne;
  return true;
}

inline bool LinkOne(const Config&, size_t t, State* s) {
  if (s->pc[t] != Action::LinkOne) return false;
  s->link_older[t] = s->newest_writer;
  s->pc[t] = s->newest_writer.null() ? Action::JoinBatchGroup : Action::JoinBatchGroup_AwaitState;
  s->newest_writer = Me(*s, t);
  s->arrival.Append(Me(*s, t));
  return true;
}

inline bool JoinBatchGroup(const Config&, size_t t, State* s) {
  if (s->pc[t] != Action::JoinBatchGroup) return false;
  s->state[t] = STATE_GROUP_LEADER;
  s->pc[t] = Action::EnterAsBatchGroupLeader;
  return true;
}

inline bool JoinBatchGroup_AwaitState(const Config&, size_t t, State* s) {
  if (s->pc[t] != Action::JoinBatchGroup_AwaitState || s->state[t] == STATE_INIT) return false;
  s->pc[t] =
      s->state[t] == STATE_GROUP_LEADER ? Action::EnterAsBatchGroupLeader : Action::Write_Return;
  return true;
}

inline bool EnterAsBatchGroupLeader(const Config& config, size_t t, State* s) {
  if (s->pc[t] != Action::EnterAsBatchGroupLeader) return false;
  CreateMissingNewerLinks(s->newest_writer, s);
  const Writers queue = Chain(*s, Me(*s, t), s->newest_writer);
  for (const Pointer w : queue) Touch(w, s);
  if (queue.last() != s->newest_writer) Touch(Pointer(), s);
  const Writers members = SelectGroup(config, queue);
  const Writers skipped = queue.Select([&](Pointer w) { return !members.Contains(w); });
  Link(members, skipped, s);
  for (const Pointer w : members) At(s->write_group, w) = Me(*s, t);
  s->group_leader[t] = Me(*s, t);
  s->last_writer[t] = members.last();
  s->group_size[t] = members.size;
  if (skipped.empty()) {
    s->pc[t] = Action::WriteToWAL;
    return true;
  }
  s->tail_seen[t] = s->newest_writer;
  s->cursor[t] = skipped.last();
  s->pc[t] = Action::EnterAsBatchGroupLeader_Graft;
  return true;
}

inline bool EnterAsBatchGroupLeader_Graft(const Config&, size_t t, State* s) {
  if (s->pc[t] != Action::EnterAsBatchGroupLeader_Graft) return false;
  if (SameAddress(s->newest_writer, s->tail_seen[t])) {
    s->newest_writer = s->cursor[t];
  } else {
    // The newcomers, from the new tail to the one that linked behind the tail seen.
    Pointer p = s->newest_writer;
    Touch(p, s);
    while (!p.null() && !SameAddress(At(s->link_older, p), s->tail_seen[t])) {
      p = At(s->link_older, p);
      Touch(p, s);
    }
    Store(s->link_older, p, s->cursor[t]);
  }
  s->tail_seen[t] = Pointer();
  s->cursor[t] = Pointer();
  s->pc[t] = Action::WriteToWAL;
  return true;
}

// Where the leader goes once the queue is no longer its own: to the followers, newest first.
inline void GotoFollowers(size_t t, State* s) {
  const bool alone = s->last_writer[t] == Me(*s, t);
  s->cursor[t] = alone ? Pointer() : s->last_writer[t];
  s->pc[t] = alone ? Action::Write_Return : Action::ExitAsBatchGroupLeader_CompleteFollower;
}

inline bool ExitAsBatchGroupLeader(const Config&, size_t t, State* s) {
  if (s->pc[t] != Action::ExitAsBatchGroupLeader) return false;
  s->status[t] = s->group_status[t];
  if (SameAddress(s->newest_writer, s->last_writer[t])) {
    s->newest_writer = Pointer();
    GotoFollowers(t, s);
    return true;
  }
  CreateMissingNewerLinks(s->newest_writer, s);
  Touch(s->last_writer[t], s);
  const Pointer next_leader = At(s->link_newer, s->last_writer[t]);
  Touch(next_leader, s);
  Store(s->link_older, next_leader, Pointer());
  s->cursor[t] = next_leader;
  s->pc[t] = Action::ExitAsBatchGroupLeader_SetState;
  return true;
}

inline bool ExitAsBatchGroupLeader_SetState(const Config&, size_t t, State* s) {
  if (s->pc[t] != Action::ExitAsBatchGroupLeader_SetState) return false;
  Touch(s->cursor[t], s);
  Store(s->state, s->cursor[t], STATE_GROUP_LEADER);
  GotoFollowers(t, s);
  return true;
}

inline bool ExitAsBatchGroupLeader_CompleteFollower(const Config&, size_t t, State* s) {
  if (s->pc[t] != Action::ExitAsBatchGroupLeader_CompleteFollower) return false;
  const Pointer follower = s->cursor[t];
  const Pointer next = At(s->link_older, follower);
  const bool last = SameAddress(next, Me(*s, t));
  Touch(follower, s);
  At(s->status, follower) = s->group_status[t];
  At(s->state, follower) = STATE_COMPLETED;
  s->cursor[t] = last ? Pointer() : next;
  if (last) s->pc[t] = Action::Write_Return;
  return true;
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
  s->group_leader[t] = Pointer();
  s->last_writer[t] = Pointer();
  s->group_size[t] = 0;
  s->group_status[t] = WriteStatus::kOK;
  s->arrival = s->arrival.Select([&](Pointer p) { return p != Me(*s, t); });
  s->pc[t] = Action::Write;
  return true;
}

}  // namespace bellwether::model
