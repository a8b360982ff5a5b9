// memtable_writers_model.h: spec/MemTableWriters.tla, one function per action: parallel writers,
// and the second queue of pipelined writes.
//
// As write_thread_model.h.
//
// Thread safety: functions of their arguments.

#pragma once

#include "model/write_thread_model.h"

namespace bellwether::model {

// The root of the size: the leader and each caller launch about as many writers.
inline size_t Stride(size_t size) {
  size_t stride = 1;
  while ((stride + 1) * (stride + 1) <= size) stride++;
  return stride;
}

inline bool InsertsInParallel(const Config& config, const State& s, size_t t) {
  return config.Parallel() && s.group_size[t] > 1;
}

inline bool WithCallers(const Config& config, const State& s, size_t t) {
  return s.group_size[t] >= config.stride_threshold;
}

// Where a stands in `queue`, from 0.
inline size_t Position(const Writers& queue, Pointer a) {
  size_t i = 0;
  while (i < queue.size && !SameAddress(queue[i], a)) i++;
  return i;
}

inline bool LaunchParallelMemTableWriters(const Config& config, size_t t, State* s) {
  if (s->pc[t] != Action::LaunchParallelMemTableWriters) return false;
  s->running[t] = s->group_size[t];
  if (!WithCallers(config, *s, t)) {
    s->pc[t] = Action::LaunchParallelMemTableWriters_Leader;
  } else if (Stride(s->group_size[t]) > 1) {
    s->cursor[t] = s->link_newer[t];
    s->pc[t] = Action::LaunchParallelMemTableWriters_SetState;
  } else {
    s->pc[t] = Action::SetMemWritersEachStride_Caller;
  }
  return true;
}

inline bool LaunchParallelMemTableWriters_Leader(const Config&, size_t t, State* s) {
  if (s->pc[t] != Action::LaunchParallelMemTableWriters_Leader) return false;
  s->state[t] = STATE_PARALLEL_MEMTABLE_WRITER;
  s->cursor[t] = s->link_newer[t];
  s->pc[t] = Action::LaunchParallelMemTableWriters_SetState;
  return true;
}

inline bool LaunchParallelMemTableWriters_SetState(const Config& config, size_t t, State* s) {
  if (s->pc[t] != Action::LaunchParallelMemTableWriters_SetState) return false;
  const Pointer w = s->cursor[t];
  const bool callers = WithCallers(config, *s, t);
  const size_t last = (callers ? Stride(s->group_size[t]) : s->group_size[t]) - 1u;
  const bool done = Position(Group(*s, t), w) == last;
  Touch(w, s);
  Store(s->state, w, callers ? STATE_PARALLEL_MEMTABLE_CALLER : STATE_PARALLEL_MEMTABLE_WRITER);
  s->cursor[t] = done ? Pointer() : At(s->link_newer, w);
  if (!done) return true;
  s->pc[t] = callers ? Action::SetMemWritersEachStride_Caller : InsertLabel(config, *s, t);
  return true;
}

// To the writer that is a stride behind p, or to the insert.
inline void GotoEachStride(const Config& config, size_t t, Pointer p, State* s) {
  const size_t frame = Frame(*s, t);
  const Writers members = Group(*s, frame);
  const size_t place = Position(members, p) + Stride(s->group_size[frame]);
  const bool more = place < members.size;
  s->cursor[t] = more ? members[place] : Pointer();
  s->pc[t] = more ? Action::SetMemWritersEachStride : InsertLabel(config, *s, t);
}

inline bool SetMemWritersEachStride_Caller(const Config& config, size_t t, State* s) {
  if (s->pc[t] != Action::SetMemWritersEachStride_Caller) return false;
  for (const Pointer w : Group(*s, Frame(*s, t))) Touch(w, s);
  s->state[t] = STATE_PARALLEL_MEMTABLE_WRITER;
  GotoEachStride(config, t, Me(*s, t), s);
  return true;
}

inline bool SetMemWritersEachStride(const Config& config, size_t t, State* s) {
  if (s->pc[t] != Action::SetMemWritersEachStride) return false;
  Touch(s->cursor[t], s);
  Store(s->state, s->cursor[t], STATE_PARALLEL_MEMTABLE_WRITER);
  GotoEachStride(config, t, s->cursor[t], s);
  return true;
}

// What follows once a group is inserted, or is not to be.
inline Action PublishLabel(const Config& config, WriteStatus outcome) {
  if (outcome == WriteStatus::kOK) return Action::SetLastSequence;
  return config.SharesFirstError() ? Action::SetLastSequence_FirstError : Action::Poison;
}

inline Action ExitLabel(const Config& config) {
  return config.Pipelined() ? Action::ExitAsMemTableWriter : Action::ExitAsBatchGroupLeader;
}

inline bool CompleteParallelMemTableWriter(const Config& config, size_t t, State* s) {
  if (s->pc[t] != Action::CompleteParallelMemTableWriter) return false;
  Touch(s->write_group[t], s);
  const size_t frame = Frame(*s, t);
  s->pc[t] = s->running[frame] > 1 ? Action::CompleteParallelMemTableWriter_AwaitState
                                   : PublishLabel(config, s->group_status[frame]);
  s->running[frame]--;
  return true;
}

inline bool CompleteParallelMemTableWriter_AwaitState(const Config&, size_t t, State* s) {
  if (s->pc[t] != Action::CompleteParallelMemTableWriter_AwaitState) return false;
  if (s->state[t] != STATE_COMPLETED) return false;
  s->pc[t] = Action::Write_Return;
  return true;
}

inline bool ExitAsBatchGroupFollower(const Config&, size_t t, State* s) {
  if (s->pc[t] != Action::ExitAsBatchGroupFollower) return false;
  Touch(s->write_group[t], s);
  Store(s->state, s->write_group[t], STATE_COMPLETED);
  s->pc[t] = Action::Write_Return;
  return true;
}

// Does w go on to the memtable queue, if its group has this status?
inline bool GoesOn(const Config& config, Pointer w, WriteStatus outcome) {
  return outcome == WriteStatus::kOK && config.Inserts(w);
}

// After the newest follower among the first `count` members that leaves: the older ones; then the
// leader, if it leaves; then the memtable queue, if any remain.
inline void GotoLeaving(const Config& config, size_t t, const Writers& members, size_t count,
                        State* s) {
  const WriteStatus outcome = s->group_status[t];
  while (count > 1 && GoesOn(config, members[count - 1], outcome)) count--;
  if (count > 1) {
    s->cursor[t] = members[count - 1];
    s->pc[t] = Action::ExitAsBatchGroupLeader_CompleteFollower;
    return;
  }
  s->cursor[t] = Pointer();
  s->pc[t] = GoesOn(config, Me(*s, t), outcome) ? Action::LinkGroup
                                                : Action::ExitAsBatchGroupLeader_CompleteLeader;
}

inline bool ExitAsBatchGroupLeader_Dummy(const Config& config, size_t t, State* s) {
  if (s->pc[t] != Action::ExitAsBatchGroupLeader_Dummy) return false;
  const Writers members = Group(*s, t);
  if (SameAddress(s->newest_writer, s->last_writer[t])) {
    s->newest_writer = kDummy;
  } else {
    CreateMissingNewerLinks(s->newest_writer, s);
    Touch(s->last_writer[t], s);
    const Pointer next_leader = At(s->link_newer, s->last_writer[t]);
    Touch(next_leader, s);
    Store(s->link_older, next_leader, kDummy);
    At(s->link_newer, kDummy) = next_leader;
  }
  for (const Pointer w : members) At(s->status, w) = s->group_status[t];
  GotoLeaving(config, t, members, members.size, s);
  return true;
}

// Pipelined: a follower that does not go on is taken out of the group, and completed.
inline void CompletePipelined(const Config& config, size_t t, State* s) {
  const Writers members = Group(*s, t);
  const Pointer w = s->cursor[t];
  const Pointer older = At(s->link_older, w);
  const Pointer newer = At(s->link_newer, w);
  const bool last = w == s->last_writer[t];
  Touch(w, s);
  Touch(older, s);
  if (!last) Touch(newer, s);
  Store(s->link_newer, older, last ? Pointer() : newer);
  if (last) {
    s->last_writer[t] = older;
  } else {
    Store(s->link_older, newer, older);
  }
  s->group_size[t]--;
  Store(s->state, w, STATE_COMPLETED);
  GotoLeaving(config, t, members, Position(members, w), s);
}

inline bool ExitAsBatchGroupLeader_CompleteFollower(const Config& config, size_t t, State* s) {
  if (s->pc[t] != Action::ExitAsBatchGroupLeader_CompleteFollower) return false;
  if (config.Pipelined()) {
    CompletePipelined(config, t, s);
  } else {
    CompleteFollower(t, s);
  }
  return true;
}

inline bool ExitAsBatchGroupLeader_CompleteLeader(const Config&, size_t t, State* s) {
  if (s->pc[t] != Action::ExitAsBatchGroupLeader_CompleteLeader) return false;
  s->state[t] = STATE_COMPLETED;
  if (s->group_size[t] > 1) {
    Touch(s->link_newer[t], s);
    Store(s->link_older, s->link_newer[t], Pointer());
    s->group_leader[t] = s->link_newer[t];
    s->pc[t] = Action::LinkGroup;
  } else {
    s->pc[t] = Action::ExitAsBatchGroupLeader;
  }
  s->group_size[t]--;
  return true;
}

inline bool LinkGroup(const Config&, size_t t, State* s) {
  if (s->pc[t] != Action::LinkGroup) return false;
  const Writers members = Group(*s, t);
  for (const Pointer w : members) Touch(w, s);
  for (const Pointer w : members) {
    At(s->link_newer, w) = Pointer();
    At(s->write_group, w) = Pointer();
  }
  Store(s->link_older, s->group_leader[t], s->newest_memtable_writer);
  s->pc[t] = s->newest_memtable_writer.null() ? Action::LinkGroup_SetState
                                              : Action::ExitAsBatchGroupLeader;
  s->newest_memtable_writer = s->last_writer[t];
  return true;
}

inline bool LinkGroup_SetState(const Config&, size_t t, State* s) {
  if (s->pc[t] != Action::LinkGroup_SetState) return false;
  Touch(s->group_leader[t], s);
  Store(s->state, s->group_leader[t], STATE_MEMTABLE_WRITER_LEADER);
  s->pc[t] = Action::ExitAsBatchGroupLeader;
  return true;
}

inline bool ExitAsBatchGroupLeader_AwaitState(const Config& config, size_t t, State* s) {
  if (s->pc[t] != Action::ExitAsBatchGroupLeader_AwaitState) return false;
  if (s->state[t] == STATE_GROUP_LEADER) return false;
  ClearGroup(t, s);
  s->pc[t] = Called(config, *s, t);
  return true;
}

inline bool EnterAsMemTableWriter(const Config& config, size_t t, State* s) {
  if (s->pc[t] != Action::EnterAsMemTableWriter) return false;
  CreateMissingNewerLinks(s->newest_memtable_writer, s);
  const Writers queue = Chain(*s, Me(*s, t), s->newest_memtable_writer);
  for (const Pointer w : queue) Touch(w, s);
  if (queue.last() != s->newest_memtable_writer) Touch(Pointer(), s);
  Writers members;
  for (const Pointer w : queue) {
    // A marker ends the group; the cap ends a group only if its leader inserts for all.
    if (w == kSecond || (!config.Parallel() && members.size == config.max_group)) break;
    members.Append(w);
  }
  TakeGroup(t, members, s);
  s->pc[t] = Action::EnterAsMemTableWriter_FirstError;
  return true;
}

// To the next of the group to complete, oldest first, the leader last.
inline void GotoMembers(size_t t, State* s) {
  const Pointer oldest = s->write_group[t];
  const bool alone = s->last_writer[Frame(*s, t)] == oldest;
  s->cursor[t] = alone ? Pointer() : At(s->link_newer, oldest);
  s->pc[t] = alone ? Action::ExitAsMemTableWriter_CompleteLeader
                   : Action::ExitAsMemTableWriter_CompleteWriter;
}

inline bool ExitAsMemTableWriter(const Config&, size_t t, State* s) {
  if (s->pc[t] != Action::ExitAsMemTableWriter) return false;
  const Pointer last = s->last_writer[Frame(*s, t)];
  if (SameAddress(s->newest_memtable_writer, last)) {
    Touch(s->write_group[t], s);
    s->newest_memtable_writer = Pointer();
    GotoMembers(t, s);
    return true;
  }
  CreateMissingNewerLinks(s->newest_memtable_writer, s);
  const Pointer next_leader = At(s->link_newer, last);
  Touch(s->write_group[t], s);
  Touch(last, s);
  Touch(next_leader, s);
  Store(s->link_older, next_leader, Pointer());
  s->cursor[t] = next_leader;
  s->pc[t] = Action::ExitAsMemTableWriter_SetState;
  return true;
}

inline bool ExitAsMemTableWriter_SetState(const Config&, size_t t, State* s) {
  if (s->pc[t] != Action::ExitAsMemTableWriter_SetState) return false;
  Touch(s->cursor[t], s);
  Store(s->state, s->cursor[t], STATE_MEMTABLE_WRITER_LEADER);
  GotoMembers(t, s);
  return true;
}

inline bool ExitAsMemTableWriter_CompleteWriter(const Config&, size_t t, State* s) {
  if (s->pc[t] != Action::ExitAsMemTableWriter_CompleteWriter) return false;
  const Pointer w = s->cursor[t];
  const bool last = w == s->last_writer[Frame(*s, t)];
  Touch(w, s);
  Touch(s->write_group[t], s);
  Store(s->status, w, s->group_status[Frame(*s, t)]);
  Store(s->state, w, STATE_COMPLETED);
  s->cursor[t] = last ? Pointer() : At(s->link_newer, w);
  if (last) s->pc[t] = Action::ExitAsMemTableWriter_CompleteLeader;
  return true;
}

inline bool ExitAsMemTableWriter_CompleteLeader(const Config&, size_t t, State* s) {
  if (s->pc[t] != Action::ExitAsMemTableWriter_CompleteLeader) return false;
  Touch(s->write_group[t], s);
  Store(s->status, s->write_group[t], s->group_status[Frame(*s, t)]);
  Store(s->state, s->write_group[t], STATE_COMPLETED);
  s->pc[t] = Action::Write_Return;
  return true;
}

}  // namespace bellwether::model
