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

using ApplyFunction = bool (*)(const Config&, Action, size_t t, State*);

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

struct Mutant {
  std::string_view name;
  ApplyFunction apply;
};

inline constexpr auto kMutants = std::to_array<Mutant>({
    {"lost_hand_off", ApplyLostHandOff},
    {"lost_sync", ApplyLostSync},
    {"publish_back", ApplyPublishBack},
    {"kept_cursor", ApplyKeptCursor},
    {"renamed_sync", ApplyRenamedSync},
});

}  // namespace bellwether::model
