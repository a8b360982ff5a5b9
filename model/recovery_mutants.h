// recovery_mutants.h: deliberate faults of recovery and readers; as mutants.h.
//
// A mutant distorts a step that was taken, or does not take it.
//
// Thread safety: functions of their arguments.

#pragma once

#include <array>
#include <string_view>

#include "model/recovery_model.h"

namespace bellwether::model {

// LIN: a reader takes whatever is in the memtable.
inline bool DistortReachesEverything(Action action, const RecoveryState& before,
                                     RecoveryState* after) {
  if (action != Action::Get) return true;
  for (size_t r = 0; r < kMaxReaders; r++) {
    auto& seen = after->seen[r];
    if (seen == before.seen[r]) continue;
    WriteSet& found = seen.items[seen.size - 1u];
    for (size_t t = 0; t < kMaxThreads; t++) {
      for (size_t k = 0; k < kMaxWrites; k++) {
        if (before.path.memtable[t][k] != 0) found.Add({t, k + 1});
      }
    }
  }
  return true;
}

// LIN: a snapshot is taken of what was published before the last operation.
inline bool DistortOldSnapshot(Action action, const RecoveryState& before, RecoveryState* after) {
  if (action != Action::GetSnapshot) return true;
  for (size_t r = 0; r < kMaxReaders; r++) {
    auto& snapshot = after->snapshot[r];
    if (snapshot == before.snapshot[r] || snapshot[0] == 0) continue;
    snapshot.items[0] = static_cast<uint8_t>(snapshot[0] - 1);
  }
  return true;
}

// CRASH_PREFIX: a power loss takes the newest log, synced or not.
inline bool DistortTakesSynced(Action action, const RecoveryState&, RecoveryState* after) {
  if (action == Action::Crash && !after->files.empty()) {
    after->files = after->files.Prefix(after->files.size - 1u);
  }
  return true;
}

// CRASH_IDEMPOTENT: the cut takes the last whole record too.
inline bool DistortCutsBefore(Action action, const RecoveryState&, RecoveryState* after) {
  if (action != Action::Recover_CutTail) return true;
  Content& cut = after->files.items[after->files.size - 1u].cache;
  if (!cut.empty()) cut = cut.Prefix(cut.size - 1u);
  return true;
}

// CRASH_PREFIX, by a second crash: the log that was recovered is not synced.
inline bool DistortSyncsNothing(Action action, const RecoveryState& before, RecoveryState* after) {
  if (action == Action::Recover_SyncFile) after->files = before.files;
  return true;
}

// CRASH_PREFIX, by a second crash: the directory is not synced, and the new log's name is lost.
inline bool DistortNameLost(Action action, const RecoveryState&, RecoveryState* after) {
  if (action == Action::Recover) after->log_named = false;
  return true;
}

// INV_STATUS_Crash: whose call the crash has ended is told that it was refused.
inline bool DistortToldAborted(Action action, const RecoveryState& before, RecoveryState* after) {
  if (action != Action::Recover) return true;
  for (size_t t = 0; t < kMaxThreads; t++) {
    auto& told = after->path.outcome[t];
    if (told == before.path.outcome[t]) continue;
    told.items[told.size - 1u].status = WriteStatus::kAborted;
  }
  return true;
}

// INV_ACK_Crash: a write with sync is acknowledged although nothing was synced.
inline bool DistortLostSync(Action action, const RecoveryState& before, RecoveryState* after) {
  if (action == Action::WriteToWAL_Sync) after->path.synced = before.path.synced;
  return true;
}

// Deadlock: a log that is refused once is refused for ever.
inline bool DistortRefusesForEver(Action action, const RecoveryState&, RecoveryState*) {
  return action != Action::Recover_Refuse;
}

// Fewer states: no record is ever torn.
inline bool DistortTearsNothing(Action action, const RecoveryState&, RecoveryState* after) {
  if (action != Action::Crash) return true;
  for (const LogFile& file : after->files) {
    for (const Entry& entry : file.cache) {
      if (entry.image == Image::kTorn) return false;
    }
  }
  return true;
}

// Fewer states: the store does not go down while it recovers.
inline bool DistortRecoversInPeace(Action action, const RecoveryState& before, RecoveryState*) {
  return action != Action::Crash || before.open();
}

// Other states: what was read for the recovery is kept behind it.
inline bool DistortKeepsFound(Action action, const RecoveryState& before, RecoveryState* after) {
  if (action == Action::Recover) after->found = before.found;
  return true;
}

struct StoreMutant {
  std::string_view name;
  DistortFunction distort;
  std::string_view violates = {};  // a property, or "deadlock"; empty: only the comparison tells
};

inline constexpr auto kStoreMutants = std::to_array<StoreMutant>({
    {"reaches_everything", DistortReachesEverything, "LIN"},
    {"old_snapshot", DistortOldSnapshot, "LIN"},
    {"takes_synced", DistortTakesSynced, "CRASH_PREFIX"},
    {"cuts_before", DistortCutsBefore, "CRASH_IDEMPOTENT"},
    {"syncs_nothing", DistortSyncsNothing, "CRASH_PREFIX"},
    {"name_lost", DistortNameLost, "CRASH_PREFIX"},
    {"lost_sync", DistortLostSync, "INV_ACK_Crash"},
    {"told_aborted", DistortToldAborted, "INV_STATUS_Crash"},
    {"refuses_for_ever", DistortRefusesForEver, "deadlock"},
    {"tears_nothing", DistortTearsNothing},
    {"recovers_in_peace", DistortRecoversInPeace},
    {"keeps_found", DistortKeepsFound},
});

}  // namespace bellwether::model
