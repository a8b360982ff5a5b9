// write_path_model.h: spec/WritePath.tla as functions: what each action needs and does, and the
// whole as Enabled and Apply.
//
// The queue's actions are those of write_thread_model.h; here are the log, the memtable,
// publication and the errors of the environment. One function per action, of the action's name.
//
// Thread safety: functions of their arguments.

#pragma once

#include "model/write_thread_model.h"

namespace bellwether::model {

// The leader inserts the batches of its group, oldest first.
inline void BeginInsert(size_t t, State* s) {
  s->cursor[t] = Me(*s, t);
  s->pc[t] = Action::InsertInto;
}

inline bool WriteToWAL(const Config& config, size_t t, State* s) {
  if (s->pc[t] != Action::WriteToWAL) return false;
  const Writers group = Group(*s, t);
  for (const Pointer w : group) Touch(w, s);
  if (s->first_error != FirstError::kOK) {
    s->group_status[t] = WriteStatus::kAborted;
    s->pc[t] = Action::ExitAsBatchGroupLeader;
    return true;
  }
  const uint8_t first = static_cast<uint8_t>(s->last_sequence + 1);
  s->log.Append({first, group});
  uint8_t next = first;
  for (const Pointer w : group) {
    At(s->sequence, w) = next;
    next = static_cast<uint8_t>(next + config.batch_count);
  }
  if (config.Sync(Me(*s, t))) {
    s->pc[t] = Action::WriteToWAL_Sync;
  } else {
    BeginInsert(t, s);
  }
  return true;
}

inline bool WriteToWAL_Sync(const Config&, size_t t, State* s) {
  if (s->pc[t] != Action::WriteToWAL_Sync) return false;
  s->synced = s->log.size;
  BeginInsert(t, s);
  return true;
}

// Only the first error counts.
inline void PoisonBy(FirstError error, State* s) {
  if (s->first_error == FirstError::kOK) s->first_error = error;
}

// The group of t meets an error.
inline void FailGroup(size_t t, State* s) {
  s->group_status[t] = WriteStatus::kUnknownOutcome;
  for (const Pointer w : Group(*s, t)) s->SetFailed(w);
}

inline bool WalError(const Config& config, size_t t, State* s) {
  if (!config.wal_errors) return false;
  const bool appends = s->pc[t] == Action::WriteToWAL && s->first_error == FirstError::kOK;
  if (!appends && s->pc[t] != Action::WriteToWAL_Sync) return false;
  PoisonBy(FirstError::kWalError, s);
  FailGroup(t, s);
  s->pc[t] = Action::ExitAsBatchGroupLeader;
  return true;
}

inline bool InsertInto(const Config&, size_t t, State* s) {
  if (s->pc[t] != Action::InsertInto) return false;
  const Pointer w = s->cursor[t];
  const bool last = w == s->last_writer[t];
  Touch(w, s);
  At(s->memtable, w)[w.incarnation() - 1] = At(s->sequence, w);
  s->cursor[t] = last ? Pointer() : At(s->link_newer, w);
  if (last) s->pc[t] = Action::SetLastSequence;
  return true;
}

inline bool MemTableError(const Config& config, size_t t, State* s) {
  if (!config.memtable_errors || s->pc[t] != Action::InsertInto) return false;
  FailGroup(t, s);
  s->cursor[t] = Pointer();
  s->pc[t] = Action::Poison;
  return true;
}

inline bool Poison(const Config&, size_t t, State* s) {
  if (s->pc[t] != Action::Poison) return false;
  PoisonBy(FirstError::kMemTableError, s);
  s->pc[t] = Action::ExitAsBatchGroupLeader;
  return true;
}

inline bool SetLastSequence(const Config& config, size_t t, State* s) {
  if (s->pc[t] != Action::SetLastSequence) return false;
  Touch(s->last_writer[t], s);
  s->last_sequence =
      static_cast<uint8_t>(At(s->sequence, s->last_writer[t]) + config.batch_count - 1);
  s->pc[t] = Action::ExitAsBatchGroupLeader;
  return true;
}

inline bool Write_Return(const Config&, size_t t, State* s) {
  const WriteStatus status = s->status[t];
  const uint8_t sequence = status == WriteStatus::kOK ? s->sequence[t] : uint8_t{0};
  if (!FreeFrame(t, s)) return false;
  s->outcome[t].Append({status, sequence});
  return true;
}

inline State Initial(const Config&) { return {}; }

// The workload is over: the spec's Done, which is not a deadlock.
inline bool IsFinal(const Config& config, const State& s) {
  for (size_t t = 0; t < config.threads; t++) {
    if (InFlight(s, t) || s.incarnation[t] != config.writes) return false;
  }
  return true;
}

// Thread t takes `action`. False, and the state as it was, if the action is not enabled.
inline bool Apply(const Config& config, Action action, size_t t, State* s) {
  switch (action) {
#define BELLWETHER_ACTION(name, meaning) \
  case Action::name:                     \
    return name(config, t, s);
#define BELLWETHER_ENVIRONMENT_ACTION(name, meaning) BELLWETHER_ACTION(name, meaning)
#include "model/actions.def"
#undef BELLWETHER_ACTION
#undef BELLWETHER_ENVIRONMENT_ACTION
  }
  return false;
}

inline bool Enabled(const Config& config, const State& s, Action action, size_t t) {
  State next = s;
  return Apply(config, action, t, &next);
}

}  // namespace bellwether::model
