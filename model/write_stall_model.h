// write_stall_model.h: spec/WriteStall.tla, one function per action: unbatched calls, and stalls.
//
// As write_thread_model.h.
//
// Thread safety: functions of their arguments.

#pragma once

#include "model/memtable_writers_model.h"

namespace bellwether::model {

inline bool EnterUnbatched(const Config& config, size_t t, State* s) {
  if (s->pc[t] != Action::EnterUnbatched) return false;
  if (t == kSecondPlace) {
    s->pc[t] = Action::ExitUnbatched;
    return true;
  }
  s->pc[t] = config.closes.Contains(Me(*s, t)) ? Action::Close : Action::Checkpoint;
  if (config.HasSecond()) {
    s->pc[kSecondPlace] = config.Pipelined() ? Action::WaitForMemTableWriters : Action::LinkOne;
  }
  return true;
}

// The second Writer has done what it has to do: its call leads all queues.
inline bool LeadsAll(const Config& config, const State& s) {
  return !config.HasSecond() ||
         s.pc[kSecondPlace] == (config.Pipelined() ? Action::Write : Action::ExitUnbatched);
}

// The call of t has done what it came for: the queues are left, the main one last.
inline void LeaveAll(const Config& config, size_t t, State* s) {
  s->pc[t] = Action::ExitAsBatchGroupLeader;
  if (config.TwoQueues()) s->pc[kSecondPlace] = Action::ExitAsBatchGroupLeader;
}

inline bool WaitForMemTableWriters(const Config&, size_t t, State* s) {
  if (s->pc[t] != Action::WaitForMemTableWriters) return false;
  s->pc[t] =
      s->newest_memtable_writer.null() ? Action::Write : Action::WaitForMemTableWriters_LinkOne;
  return true;
}

inline bool WaitForMemTableWriters_LinkOne(const Config&, size_t t, State* s) {
  if (s->pc[t] != Action::WaitForMemTableWriters_LinkOne) return false;
  s->link_older[t] = s->newest_memtable_writer;
  s->pc[t] = s->newest_memtable_writer.null() ? Action::WaitForMemTableWriters_Store
                                              : Action::WaitForMemTableWriters_AwaitState;
  s->newest_memtable_writer = Me(*s, t);
  return true;
}

inline bool WaitForMemTableWriters_AwaitState(const Config&, size_t t, State* s) {
  if (s->pc[t] != Action::WaitForMemTableWriters_AwaitState) return false;
  if (s->state[t] != STATE_MEMTABLE_WRITER_LEADER) return false;
  s->pc[t] = Action::WaitForMemTableWriters_Store;
  return true;
}

inline bool WaitForMemTableWriters_Store(const Config&, size_t t, State* s) {
  if (s->pc[t] != Action::WaitForMemTableWriters_Store) return false;
  s->newest_memtable_writer = Pointer();
  s->state[t] = STATE_INIT;
  s->link_older[t] = Pointer();
  s->pc[t] = Action::Write;
  return true;
}

// A leader that has not collected its group is refused with all whom it takes.
inline void Incomplete(size_t t, State* s) {
  s->group_status[t] = WriteStatus::kIncomplete;
  s->pc[t] = Action::EnterAsBatchGroupLeader;
}

// The write_stall_dummy_ of the queue to which the write of t goes.
inline Pointer StallDummy(const Config& config, const State& s, size_t t) {
  return config.UsesNonmem(Me(s, t)) ? kNonmemStallDummy : kStallDummy;
}

// To the newest writer with no_slowdown from p back to the leader t, or to the wait.
inline void GotoFailing(const Config& config, size_t t, Pointer p, State* s) {
  while (!p.null() && p != Me(*s, t) && !config.no_slowdown.Contains(p)) p = At(s->link_older, p);
  const bool more = !p.null() && p != Me(*s, t);
  s->cursor[t] = more ? p : Pointer();
  s->pc[t] = more ? Action::BeginWriteStall_CompleteWriter : Action::EndWriteStall;
}

inline bool BeginWriteStall(const Config& config, size_t t, State* s) {
  if (s->pc[t] != Action::BeginWriteStall) return false;
  Pointer& tail = Tail(config, t, s);
  for (Pointer p = tail; !p.null() && p != Me(*s, t); p = At(s->link_older, p)) Touch(p, s);
  const Pointer newest = tail;
  tail = StallDummy(config, *s, t);
  At(s->link_older, tail) = newest;
  GotoFailing(config, t, newest, s);
  return true;
}

inline bool BeginWriteStall_CompleteWriter(const Config& config, size_t t, State* s) {
  if (s->pc[t] != Action::BeginWriteStall_CompleteWriter) return false;
  const Pointer w = s->cursor[t];
  const Pointer older = At(s->link_older, w);
  Pointer newer = Tail(config, t, s);
  while (At(s->link_older, newer) != w) newer = At(s->link_older, newer);
  for (const Pointer p : {w, older, newer}) Touch(p, s);
  Store(s->link_older, newer, older);
  // Where it has not been made it stays so, or the repair of links would stop there too early.
  if (!At(s->link_newer, older).null()) At(s->link_newer, older) = newer;
  Store(s->status, w, WriteStatus::kIncomplete);
  Store(s->state, w, STATE_COMPLETED);
  GotoFailing(config, t, older, s);
  return true;
}

// The wait and the exchange of the tail, under stall_mutex_: see write_path_model.h for the guard.
inline void EndStall(const Config& config, size_t t, State* s) {
  const Pointer dummy = StallDummy(config, *s, t);
  const Pointer newest = At(s->link_older, dummy);
  Touch(newest, s);
  Store(s->link_newer, newest, Pointer());
  Tail(config, t, s) = newest;
  At(s->link_older, dummy) = Pointer();
  s->pc[t] = Action::EnterAsBatchGroupLeader;
}

inline bool LinkOne_NoSlowdown(const Config& config, size_t t, State* s) {
  if (s->pc[t] != Action::LinkOne || !config.no_slowdown.Contains(Me(*s, t))) return false;
  if (Tail(config, t, s) != StallDummy(config, *s, t)) return false;
  s->status[t] = WriteStatus::kIncomplete;
  s->state[t] = STATE_COMPLETED;
  s->pc[t] = Action::JoinBatchGroup_AwaitState;
  return true;
}

}  // namespace bellwether::model
