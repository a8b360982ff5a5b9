// The properties of spec/Recovery.tla.

#include <algorithm>

#include "model/properties.h"
#include "model/recovery_files.h"
#include "model/write_history.h"

namespace bellwether::model {

namespace {

// A crash may take what was acknowledged without being synced.
bool LostToCrash(const Config& config, const RecoveryState& s, Pointer w) {
  return s.crashes > 0 && !config.Sync(w) && CountPlaces(config, s.path, w) == 0;
}

bool INV_ACK_Crash(const Config& config, const RecoveryState& s) {
  return AllOfWrites(config, [&](Pointer w) {
    return !Acknowledged(s.path, w) || AcknowledgementHolds(config, s.path, w) ||
           LostToCrash(config, s, w);
  });
}

// A recovery ends the poison.
bool INV_STATUS_Crash(const Config& config, const RecoveryState& s) {
  return AllOfWrites(config, [&](Pointer w) {
    return !Returned(s.path, w) ||
           StatusIsRight(config, s.path, w, Poisoned(s.path) || s.crashes > 0);
  });
}

// Recovery yields a prefix of the logged groups, with everything that was synced, and so every
// acknowledged write with sync.
bool CRASH_PREFIX(const Config& config, const RecoveryState& before, const RecoveryState& after) {
  if (before.open() || !after.open()) return true;
  const Records& found = after.path.log;
  if (found.size < before.path.synced || found.size > before.path.log.size) return false;
  if (found != before.path.log.Prefix(found.size)) return false;
  return AllOfWrites(config, [&](Pointer w) {
    return !config.Sync(w) || !Acknowledged(before.path, w) ||
           CountPlaces(config, after.path, w) > 0;
  });
}

// What the recoveries after a power loss would find, each once.
std::vector<Records> Found(const Config& config, const Files& files) {
  std::vector<Records> all;
  for (const Files& left : AllAfterPowerLoss(files)) {
    const Records records = ReadLogs(config, left).records;
    if (std::find(all.begin(), all.end(), records) == all.end()) all.push_back(records);
  }
  return all;
}

// No step of recovery changes what another would find, whatever crash comes between.
bool CRASH_IDEMPOTENT(const Config& config, const RecoveryState& before,
                      const RecoveryState& after) {
  if (before.open() || after.crashes != before.crashes || after.files == before.files) return true;
  if (ReadLogs(config, after.files).records != ReadLogs(config, before.files).records) {
    return false;
  }
  const std::vector<Records> had = Found(config, before.files);
  const std::vector<Records> has = Found(config, after.files);
  return std::all_of(has.begin(), has.end(), [&](const Records& records) {
    return std::find(had.begin(), had.end(), records) != had.end();
  });
}

// Does w stand in the log, and end at or before sequence `last`?
bool EndsUpTo(const Config& config, const State& s, Pointer w, int last) {
  bool ends = false;
  ForEachPlace(config, s, w, [&](Place place) {
    ends = ends || place.sequence + config.batch_count - 1 <= last;
  });
  return ends;
}

// A new snapshot holds every write that was acknowledged before it.
bool SnapshotHolds(const Config& config, const State& s, int snapshot) {
  return AllOfWrites(config, [&](Pointer w) {
    return !Acknowledged(s, w) || !config.Inserts(w) || CountPlaces(config, s, w) == 0 ||
           EndsUpTo(config, s, w, snapshot);
  });
}

// A reader finds a key of exactly the batches that are in its snapshot as a whole.
bool FindsWholeBatches(const Config& config, const State& s, int snapshot, const WriteSet& found) {
  return AllOfWrites(config, [&](Pointer w) {
    return found.Contains(w) == (config.Inserts(w) && EndsUpTo(config, s, w, snapshot));
  });
}

bool LIN(const Config& config, const RecoveryState& before, const RecoveryState& after) {
  for (size_t r = 0; r < config.readers; r++) {
    const bool takes_snapshot = before.snapshot[r].empty() && !after.snapshot[r].empty();
    if (takes_snapshot && !SnapshotHolds(config, before.path, after.snapshot[r][0])) return false;
    if (after.seen[r].size <= before.seen[r].size) continue;
    if (!FindsWholeBatches(config, before.path, before.snapshot[r][0], after.seen[r].last())) {
      return false;
    }
  }
  return true;
}

constexpr auto kProperties = std::to_array<RecoveryProperty>({
    {"INV_ACK_Crash", INV_ACK_Crash},
    {"INV_STATUS_Crash", INV_STATUS_Crash},
});

constexpr auto kStepProperties = std::to_array<RecoveryStepProperty>({
    {"CRASH_PREFIX", CRASH_PREFIX},
    {"CRASH_IDEMPOTENT", CRASH_IDEMPOTENT},
    {"LIN", LIN},
});

}  // namespace

std::span<const RecoveryProperty> RecoveryProperties() { return kProperties; }
std::span<const RecoveryStepProperty> RecoveryStepProperties() { return kStepProperties; }

std::string_view FirstViolated(const Config& config, const RecoveryState& state) {
  for (const Property& property : Properties()) {
    if (property.whatever_crashes && !property.holds(config, state.path)) return property.name;
  }
  for (const RecoveryProperty& property : kProperties) {
    if (!property.holds(config, state)) return property.name;
  }
  return {};
}

std::string_view FirstViolated(const Config& config, const RecoveryState& before,
                               const RecoveryState& after) {
  for (const RecoveryStepProperty& property : kStepProperties) {
    if (!property.holds(config, before, after)) return property.name;
  }
  return {};
}

}  // namespace bellwether::model
