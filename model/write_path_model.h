// write_path_model.h: spec/WritePath.tla as functions: what each action needs and does, and the
// whole as Enabled and Apply.
//
// The queue's actions are those of write_thread_model.h; here are the log, the memtable,
// publication and the errors of the environment. One function per action, of the action's name.
//
// Thread safety: functions of their arguments.

#pragma once

#include "model/write_stall_model.h"

namespace bellwether::model {

// How many operations of these writers consume a sequence number.
inline uint8_t Operations(const Config& config, const Writers& writers) {
  size_t operations = 0;
  for (const Pointer w : writers) operations += config.Inserts(w) ? config.Count(w) : 0u;
  return static_cast<uint8_t>(operations);
}

// To the insert of the first of the group from place i on whose batch is to be inserted.
inline void GotoInsert(const Config& config, size_t t, size_t i, State* s) {
  const Writers members = Group(*s, t);
  while (i < members.size && !config.Inserts(members[i])) i++;
  const bool more = i < members.size;
  s->cursor[t] = more ? members[i] : Pointer();
  s->pc[t] = more ? Action::InsertInto : Action::SetLastSequence;
}

// The memtable phase of the group of t begins.
inline void BeginMemTablePhase(const Config& config, size_t t, State* s) {
  if (InsertsInParallel(config, *s, t)) {
    s->pc[t] = Action::LaunchParallelMemTableWriters;
  } else {
    GotoInsert(config, t, 0, s);
  }
}

// What follows on the log, if all is well.
inline void GotoAfterLog(const Config& config, size_t t, State* s) {
  if (config.Pipelined() || config.UsesNonmem(Me(*s, t))) {
    s->pc[t] = ExitFromLog(config);
  } else {
    BeginMemTablePhase(config, t, s);
  }
}

// What follows on the record, and its sync: the pre-release callbacks, which only the leader sees
// unless one fails.
inline void GotoAfterRecord(const Config& config, size_t t, State* s) {
  for (const Pointer w : Group(*s, t)) {
    if (!config.pre_release_fails.Contains(w) || !config.Logs(w)) continue;
    s->pc[t] = Action::PreReleaseError;
    return;
  }
  s->log_mutex = 0;
  GotoAfterLog(config, t, s);
}

inline bool Poisoned(const State& s) { return s.first_error != FirstError::kOK; }

// A poisoned path refuses the group of t: nothing of it is logged.
inline void Refuse(const Config& config, size_t t, State* s) {
  s->group_status[t] = WriteStatus::kAborted;
  s->pc[t] = ExitFromLog(config);
}

inline bool WriteToWAL_FirstError(const Config& config, size_t t, State* s) {
  if (s->pc[t] != Action::WriteToWAL_FirstError || s->log_mutex != 0) return false;
  if (Poisoned(*s)) {
    Refuse(config, t, s);
  } else {
    if (config.TwoQueues()) s->log_mutex = static_cast<uint8_t>(t + 1);
    s->pc[t] = Action::WriteToWAL;
  }
  return true;
}

inline bool WriteToWAL(const Config& config, size_t t, State* s) {
  if (s->pc[t] != Action::WriteToWAL) return false;
  const Writers group = Group(*s, t);
  for (const Pointer w : group) Touch(w, s);
  if (Poisoned(*s) && !config.SharesFirstError()) {
    Refuse(config, t, s);
    return true;
  }
  const Writers logged = group.Select([&](Pointer w) { return config.Logs(w); });
  const uint8_t first = static_cast<uint8_t>(s->allocated_sequence + 1);
  if (!logged.empty()) s->log.Append({first, logged});
  uint8_t next = first;
  for (const Pointer w : logged) {
    At(s->sequence, w) = next;
    if (config.Inserts(w)) next = static_cast<uint8_t>(next + config.Count(w));
  }
  s->allocated_sequence = static_cast<uint8_t>(next - 1);
  if (!logged.empty() && config.Sync(Me(*s, t))) {
    s->pc[t] = Action::WriteToWAL_Sync;
  } else {
    GotoAfterRecord(config, t, s);
  }
  return true;
}

inline bool WriteToWAL_Sync(const Config& config, size_t t, State* s) {
  if (s->pc[t] != Action::WriteToWAL_Sync) return false;
  // Behind an error of the log a sync makes nothing durable, whatever it returns.
  if (s->first_error != FirstError::kWalError) s->synced = s->log.size;
  GotoAfterRecord(config, t, s);
  return true;
}

// Only the first error counts.
inline void PoisonBy(FirstError error, State* s) {
  if (s->first_error == FirstError::kOK) s->first_error = error;
}

// The group in the frame of t meets an error. A write whose callback failed is not concerned.
inline void FailGroup(const Config& config, size_t t, State* s) {
  s->group_status[t] = WriteStatus::kUnknownOutcome;
  for (const Pointer w : Group(*s, t)) {
    if (config.Logs(w)) s->SetFailed(w);
  }
}

// The group of t fails while it has the log.
inline void FailOnLog(const Config& config, FirstError error, size_t t, State* s) {
  PoisonBy(error, s);
  FailGroup(config, t, s);
  s->log_mutex = 0;
  s->pc[t] = ExitFromLog(config);
}

inline bool WalError(const Config& config, size_t t, State* s) {
  if (!config.wal_errors) return false;
  const auto logs = [&](Pointer w) { return config.Logs(w) && !config.disable_wal.Contains(w); };
  const bool appends = s->pc[t] == Action::WriteToWAL &&
                       (config.SharesFirstError() || !Poisoned(*s)) &&
                       !Group(*s, t).Select(logs).empty();
  if (!appends && s->pc[t] != Action::WriteToWAL_Sync) return false;
  FailOnLog(config, FirstError::kWalError, t, s);
  return true;
}

inline bool PreReleaseError(const Config& config, size_t t, State* s) {
  if (s->pc[t] != Action::PreReleaseError) return false;
  FailOnLog(config, FirstError::kPreReleaseError, t, s);
  return true;
}

inline bool EnterAsMemTableWriter_FirstError(const Config& config, size_t t, State* s) {
  if (s->pc[t] != Action::EnterAsMemTableWriter_FirstError) return false;
  if (Poisoned(*s)) {
    FailGroup(config, t, s);
    s->pc[t] = ExitLabel(config);
  } else {
    BeginMemTablePhase(config, t, s);
  }
  return true;
}

// A parallel writer inserts its own batch.
inline bool InsertsOwn(const State& s, size_t t) {
  return s.state[t] == STATE_PARALLEL_MEMTABLE_WRITER;
}

inline bool InsertInto(const Config& config, size_t t, State* s) {
  if (s->pc[t] != Action::InsertInto) return false;
  const Pointer w = InsertsOwn(*s, t) ? Me(*s, t) : s->cursor[t];
  Touch(w, s);
  At(s->memtable, w)[w.incarnation() - 1] = At(s->sequence, w);
  if (InsertsOwn(*s, t)) {
    s->pc[t] = Action::CompleteParallelMemTableWriter;
  } else {
    GotoInsert(config, t, Position(Group(*s, t), w) + 1, s);
  }
  return true;
}

inline bool MemTableError(const Config& config, size_t t, State* s) {
  if (!config.memtable_errors || s->pc[t] != Action::InsertInto) return false;
  Touch(s->write_group[t], s);
  FailGroup(config, Frame(*s, t), s);
  s->cursor[t] = Pointer();
  s->pc[t] = InsertsOwn(*s, t) ? Action::CompleteParallelMemTableWriter
                               : PublishLabel(config, WriteStatus::kUnknownOutcome);
  return true;
}

// What the last inserting writer of the group of t ends with.
inline uint8_t GroupLastSequence(const Config& config, const State& s, size_t t) {
  uint8_t last = s.last_sequence;
  for (const Pointer w : Group(s, t)) {
    if (!config.Inserts(w)) continue;
    last = static_cast<uint8_t>(At(s.sequence, w) + config.Count(w) - 1);
  }
  return last;
}

inline bool SetLastSequence(const Config& config, size_t t, State* s) {
  if (s->pc[t] != Action::SetLastSequence) return false;
  Touch(s->write_group[t], s);
  s->last_sequence = GroupLastSequence(config, *s, Frame(*s, t));
  s->pc[t] = ExitLabel(config);
  return true;
}

inline bool SetLastSequence_FirstError(const Config& config, size_t t, State* s) {
  if (s->pc[t] != Action::SetLastSequence_FirstError) return false;
  s->pc[t] = Poisoned(*s) ? ExitLabel(config) : Action::Poison;
  return true;
}

inline bool Poison(const Config& config, size_t t, State* s) {
  if (s->pc[t] != Action::Poison) return false;
  PoisonBy(FirstError::kMemTableError, s);
  s->pc[t] = ExitLabel(config);
  return true;
}

inline bool Write_Return(const Config& config, size_t t, State* s) {
  const Pointer me = Me(*s, t);
  const bool failed =
      config.callback_fails.Contains(me) && s->status[t] != WriteStatus::kIncomplete;
  const WriteStatus status = failed ? WriteStatus::kCallbackFailed : s->status[t];
  const uint8_t sequence = s->sequence[t];
  if (!FreeFrame(t, s)) return false;
  if (t == kSecondPlace) return true;
  if (config.Stalls() && config.Unbatched(me)) s->relief--;
  if (config.Checkpoints(t)) return true;
  const bool has_sequence = status == WriteStatus::kOK && config.Inserts(me);
  s->outcome[t].Append({status, has_sequence ? sequence : uint8_t{0}});
  return true;
}

// The log holds as much behind the last checkpoint as it may. A group of disable_wal writers stands
// in it for its sequences, but not in the file.
inline bool LogTooLarge(const Config& config, const State& s) {
  size_t records = 0;
  for (size_t i = s.checkpoint; i < s.log.size; i++) {
    const auto in_file = [&](Pointer w) { return !config.disable_wal.Contains(w); };
    records += s.log[i].writers.Select(in_file) == s.log[i].writers;
  }
  return records >= config.max_log;
}

// A leader that must stall and has no_slowdown is refused.
inline void StallOrRefuse(const Config& config, size_t t, State* s) {
  if (config.no_slowdown.Contains(Me(*s, t))) {
    Incomplete(t, s);
  } else {
    s->pc[t] = Action::BeginWriteStall;
  }
}

inline bool PreprocessWrite(const Config& config, size_t t, State* s) {
  if (s->pc[t] != Action::PreprocessWrite || s->log_mutex != 0) return false;
  const bool poisoned = Poisoned(*s) && !config.SharesFirstError();
  if (!LogTooLarge(config, *s) || s->relief > 0 || poisoned) {
    s->pc[t] = Action::EnterAsBatchGroupLeader;
  } else if (config.SharesFirstError()) {
    s->pc[t] = Action::PreprocessWrite_FirstError;
  } else {
    StallOrRefuse(config, t, s);
  }
  return true;
}

inline bool PreprocessWrite_FirstError(const Config& config, size_t t, State* s) {
  if (s->pc[t] != Action::PreprocessWrite_FirstError) return false;
  if (Poisoned(*s)) {
    s->pc[t] = Action::EnterAsBatchGroupLeader;
  } else {
    StallOrRefuse(config, t, s);
  }
  return true;
}

inline bool EndWriteStall(const Config& config, size_t t, State* s) {
  const bool relieved = s->relief > 0 || Poisoned(*s);
  if (s->pc[t] != Action::EndWriteStall || !relieved) return false;
  EndStall(config, t, s);
  return true;
}

inline bool RunUnbatched(const Config&, size_t t, State* s) {
  if (s->pc[t] != Action::RunUnbatched) return false;
  s->relief++;
  s->pc[t] = Action::LinkOne;
  return true;
}

inline bool Close(const Config& config, size_t t, State* s) {
  if (s->pc[t] != Action::Close || !LeadsAll(config, *s)) return false;
  LeaveAll(config, t, s);
  if (Poisoned(*s)) {
    s->status[t] = WriteStatus::kAborted;
  } else {
    s->synced = s->log.size;
  }
  PoisonBy(FirstError::kClose, s);
  return true;
}

inline bool CloseError(const Config& config, size_t t, State* s) {
  if (!config.wal_errors || s->pc[t] != Action::Close || !LeadsAll(config, *s) || Poisoned(*s)) {
    return false;
  }
  LeaveAll(config, t, s);
  s->status[t] = WriteStatus::kUnknownOutcome;
  PoisonBy(FirstError::kClose, s);
  return true;
}

inline bool Checkpoint(const Config& config, size_t t, State* s) {
  if (s->pc[t] != Action::Checkpoint || !LeadsAll(config, *s)) return false;
  LeaveAll(config, t, s);
  if (!Poisoned(*s)) s->checkpoint = s->log.size;
  return true;
}

inline bool BeginCheckpoint(const Config& config, size_t t, State* s) {
  if (!config.Checkpoints(t) || s->pc[t] != Action::Write) return false;
  s->incarnation[t] = 1;
  Begin(config, t, s);
  return true;
}

inline State Initial(const Config&) { return {}; }

// The workload is over: the spec's Done, which is not a deadlock.
inline bool IsFinal(const Config& config, const State& s) {
  for (size_t t = 0; t < config.threads; t++) {
    if (config.Checkpoints(t)) continue;
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
    default:  // a label alone, or an action of the store (recovery_model.h)
      return false;
  }
}

// Apply, or what stands in for it.
using ApplyFunction = bool (*)(const Config&, Action, size_t t, State*);

inline bool Enabled(const Config& config, const State& s, Action action, size_t t) {
  State next = s;
  return Apply(config, action, t, &next);
}

}  // namespace bellwether::model
