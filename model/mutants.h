// mutants.h: deliberate faults of the model, to show that what judges it can fail.
//
// A mutant stands in for Apply. The properties catch some; the others keep every property, so that
// only the comparison with the spec can tell.
//
// Thread safety: functions of their arguments.

#pragma once

#include <array>
#include <string_view>

#include "model/write_path_model.h"

namespace bellwether::model {

// Deadlock: the next leader is never told.
inline bool ApplyLostHandOff(const Config& config, Action action, size_t t, State* s) {
  const State before = *s;
  if (!Apply(config, action, t, s)) return false;
  if (action == Action::ExitAsBatchGroupLeader_SetState) s->state = before.state;
  return true;
}

// INV_ACK: a write with sync is acknowledged although nothing was synced.
inline bool ApplyLostSync(const Config& config, Action action, size_t t, State* s) {
  const State before = *s;
  if (!Apply(config, action, t, s)) return false;
  if (action == Action::WriteToWAL_Sync) s->synced = before.synced;
  return true;
}

// INV_PUBLISH_MONOTONE: a write that returns takes the published sequence back.
inline bool ApplyPublishBack(const Config& config, Action action, size_t t, State* s) {
  if (!Apply(config, action, t, s)) return false;
  if (action == Action::Write_Return) s->last_sequence = 0;
  return true;
}

// Other states, no property: the leader keeps the cursor of its last insert.
inline bool ApplyKeptCursor(const Config& config, Action action, size_t t, State* s) {
  const State before = *s;
  if (!Apply(config, action, t, s)) return false;
  if (s->pc[t] == Action::SetLastSequence) s->cursor = before.cursor;
  return true;
}

// The same states, other edges: the sync goes by the name of the append.
inline bool ApplyRenamedSync(const Config& config, Action action, size_t t, State* s) {
  if (action == Action::WriteToWAL_Sync) return false;
  return Apply(config, action, t, s) ||
         (action == Action::WriteToWAL && Apply(config, Action::WriteToWAL_Sync, t, s));
}

// Parallel. Other states: the leader keeps the cursor of the last writer that it launched.
inline bool ApplyLaunchKeptCursor(const Config& config, Action action, size_t t, State* s) {
  const Pointer before = s->cursor[t];
  if (!Apply(config, action, t, s)) return false;
  const bool launched = s->pc[t] == Action::InsertInto && s->cursor[t].null();
  if (action == Action::LaunchParallelMemTableWriters_SetState && launched) s->cursor[t] = before;
  return true;
}

// Strides. The same states, other edges: a caller's own state goes by the name of a leader's.
inline bool ApplyRenamedCaller(const Config& config, Action action, size_t t, State* s) {
  if (action == Action::SetMemWritersEachStride_Caller) return false;
  return Apply(config, action, t, s) ||
         (action == Action::LaunchParallelMemTableWriters_Leader &&
          Apply(config, Action::SetMemWritersEachStride_Caller, t, s));
}

// Callbacks. Other states: a write whose callback failed is told a sequence, though it has none.
inline bool ApplyFailedIsNumbered(const Config& config, Action action, size_t t, State* s) {
  const Writers group =
      action == Action::WriteToWAL && !s->last_writer[t].null() ? Group(*s, t) : Writers();
  if (!Apply(config, action, t, s)) return false;
  for (const Pointer w : group) {
    if (!config.Logs(w)) At(s->sequence, w) = 9;
  }
  return true;
}

// Callbacks that refuse company. Fewer states: then nobody has company.
inline bool ApplyAloneForAll(const Config& config, Action action, size_t t, State* s) {
  Config alone = config;
  alone.max_group = 1;
  return Apply(config.callback_alone.empty() ? config : alone, action, t, s);
}

// disable_memtable. Other states: a write that only logs is told no sequence.
inline bool ApplyPrepareUnnumbered(const Config& config, Action action, size_t t, State* s) {
  if (!Apply(config, action, t, s)) return false;
  for (const Pointer w : AllWrites(config)) {
    if (Live(*s, w) && config.disable_memtable.Contains(w)) At(s->sequence, w) = 0;
  }
  return true;
}

// Pipelined. Other states: the WriteGroup of the log outlives the leader's wait.
inline bool ApplyKeptGroup(const Config& config, Action action, size_t t, State* s) {
  const State before = *s;
  if (!Apply(config, action, t, s)) return false;
  if (action == Action::ExitAsBatchGroupLeader_AwaitState) s->last_writer = before.last_writer;
  return true;
}

// Pipelined. Fewer states: the memtable leader loads the tail and first_error_ in one step.
inline bool ApplyCoarseEnter(const Config& config, Action action, size_t t, State* s) {
  if (!Apply(config, action, t, s)) return false;
  if (action == Action::EnterAsMemTableWriter) {
    Apply(config, Action::EnterAsMemTableWriter_FirstError, t, s);
  }
  return true;
}

// Pipelined. More states: a poisoned path is poisoned again, which changes nothing.
inline bool ApplyPoisonAgain(const Config& config, Action action, size_t t, State* s) {
  if (!Apply(config, action, t, s)) return false;
  if (action == Action::SetLastSequence_FirstError) s->pc[t] = Action::Poison;
  return true;
}

// Two queues. More states: an append without sync keeps nobody else from the log.
inline bool ApplyUnlocksEarly(const Config& config, Action action, size_t t, State* s) {
  if (!Apply(config, action, t, s)) return false;
  if (action == Action::WriteToWAL_FirstError && !config.Sync(Me(*s, t))) s->log_mutex = 0;
  return true;
}

// disable_wal. More edges: the append of a group that logs nothing fails as well.
inline bool ApplyNoWalFails(const Config& config, Action action, size_t t, State* s) {
  Config logging = config;
  logging.disable_wal = {};
  return Apply(action == Action::WalError ? logging : config, action, t, s);
}

// Pre-release callbacks. Other states: the error goes by the name of the log's.
inline bool ApplyRenamedPreRelease(const Config& config, Action action, size_t t, State* s) {
  if (!Apply(config, action, t, s)) return false;
  if (action == Action::PreReleaseError) s->first_error = FirstError::kWalError;
  return true;
}

// Deadlock: a stall ends by a poison alone, not for who waits to lead all queues.
inline bool ApplyStallIgnoresRelief(const Config& config, Action action, size_t t, State* s) {
  if (action == Action::EndWriteStall && !Poisoned(*s)) return false;
  return Apply(config, action, t, s);
}

// INV_ACK: Close is acknowledged while the writers of the memtable queue still are at work.
inline bool ApplyCloseDoesNotWait(const Config& config, Action action, size_t t, State* s) {
  Config alone = config;
  alone.mode = Mode::kSerial;  // where there is no second Writer
  if (action != Action::Close || s->pc[t] != Action::Close) return Apply(config, action, t, s);
  return Apply(alone, action, t, s);
}

// Stalls. Other states: a failed writer is cut out of links that have not been made.
inline bool ApplyRelinksAlways(const Config& config, Action action, size_t t, State* s) {
  const Pointer failed = s->cursor[t];
  if (!Apply(config, action, t, s)) return false;
  if (action != Action::BeginWriteStall_CompleteWriter) return true;
  const Pointer older = At(s->link_older, failed);
  At(s->link_newer, older) = StallDummy(config, *s, t);
  return true;
}

// no_slowdown. Other states: a writer that fails unlinked has arrived.
inline bool ApplyFailedArrives(const Config& config, Action action, size_t t, State* s) {
  if (!Apply(config, action, t, s)) return false;
  if (action == Action::LinkOne_NoSlowdown) s->arrival.Append(Me(*s, t));
  return true;
}

// Unbatched. Other states: a caller without a batch is in a group, its own.
inline bool ApplyUnbatchedInGroup(const Config& config, Action action, size_t t, State* s) {
  if (!Apply(config, action, t, s)) return false;
  if (action == Action::EnterUnbatched) s->write_group[t] = Me(*s, t);
  return true;
}

// Close. Other states: the error goes by the name of the log's.
inline bool ApplyCloseErrorIsWalError(const Config& config, Action action, size_t t, State* s) {
  if (!Apply(config, action, t, s)) return false;
  if (action == Action::CloseError) s->first_error = FirstError::kWalError;
  return true;
}

// Checkpoint. Other states: it covers all of the log but its last record.
inline bool ApplyCheckpointsTooLittle(const Config& config, Action action, size_t t, State* s) {
  if (!Apply(config, action, t, s)) return false;
  if (action == Action::Checkpoint && s->checkpoint > 0) s->checkpoint--;
  return true;
}

struct Mutant {
  std::string_view name;
  ApplyFunction apply;
  bool violates = false;  // a property, or it deadlocks
};

inline constexpr auto kMutants = std::to_array<Mutant>({
    {"lost_hand_off", ApplyLostHandOff, true},
    {"lost_sync", ApplyLostSync, true},
    {"publish_back", ApplyPublishBack, true},
    {"kept_cursor", ApplyKeptCursor},
    {"renamed_sync", ApplyRenamedSync},
    {"launch_kept_cursor", ApplyLaunchKeptCursor},
    {"renamed_caller", ApplyRenamedCaller},
    {"failed_is_numbered", ApplyFailedIsNumbered},
    {"alone_for_all", ApplyAloneForAll},
    {"prepare_unnumbered", ApplyPrepareUnnumbered},
    {"kept_group", ApplyKeptGroup},
    {"coarse_enter", ApplyCoarseEnter},
    {"poison_again", ApplyPoisonAgain},
    {"unlocks_early", ApplyUnlocksEarly},
    {"no_wal_fails", ApplyNoWalFails},
    {"renamed_pre_release", ApplyRenamedPreRelease},
    {"stall_ignores_relief", ApplyStallIgnoresRelief, true},
    {"close_does_not_wait", ApplyCloseDoesNotWait, true},
    {"relinks_always", ApplyRelinksAlways},
    {"failed_arrives", ApplyFailedArrives},
    {"unbatched_in_group", ApplyUnbatchedInGroup},
    {"close_error_is_wal_error", ApplyCloseErrorIsWalError},
    {"checkpoints_too_little", ApplyCheckpointsTooLittle},
});

}  // namespace bellwether::model
