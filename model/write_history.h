// write_history.h: what the log, the memtable and the results say of a write.
//
// Thread safety: functions of their arguments.

#pragma once

#include <algorithm>

#include "model/write_path_model.h"

namespace bellwether::model {

inline int EndSequence(const Config& config, const LogRecord& record) {
  return record.first_sequence + Operations(config, record.writers) - 1;
}

inline int LastOf(const Config& config, const Records& records) {
  return records.empty() ? 0 : EndSequence(config, records.last());
}

template <class Predicate>
bool AllOfWrites(const Config& config, Predicate&& predicate) {
  const auto writes = AllWrites(config);
  return std::all_of(writes.begin(), writes.end(), predicate);
}

// Where a writer stands in the log.
struct Place {
  size_t record = 0;  // counted from 1
  int sequence = 0;
};

// Calls visit(Place) for each place of w.
template <class Visit>
void ForEachPlace(const Config& config, const State& s, Pointer w, Visit&& visit) {
  for (size_t i = 0; i < s.log.size; i++) {
    int sequence = s.log[i].first_sequence;
    for (const Pointer logged : s.log[i].writers) {
      if (logged == w) visit(Place{i + 1, sequence});
      if (config.Inserts(logged)) sequence += config.Count(logged);
    }
  }
}

inline int CountPlaces(const Config& config, const State& s, Pointer w) {
  int places = 0;
  ForEachPlace(config, s, w, [&](Place) { places++; });
  return places;
}

// Does `predicate` hold of every place of every write?
template <class Predicate>
bool AllPlaces(const Config& config, const State& s, Predicate&& predicate) {
  bool all = true;
  for (const Pointer w : AllWrites(config)) {
    ForEachPlace(config, s, w, [&](Place place) { all = all && predicate(w, place); });
  }
  return all;
}

inline int Inserted(const State& s, Pointer w) { return At(s.memtable, w)[w.incarnation() - 1]; }

inline bool Returned(const State& s, Pointer w) { return w.incarnation() <= At(s.outcome, w).size; }
inline const Outcome& OutcomeOf(const State& s, Pointer w) {
  return At(s.outcome, w)[w.incarnation() - 1];
}
inline bool Acknowledged(const State& s, Pointer w) {
  return Returned(s, w) && OutcomeOf(s, w).status == WriteStatus::kOK;
}

// What a write relies on that was told OK.
inline bool AcknowledgementHolds(const Config& config, const State& s, Pointer w) {
  bool holds = false;
  ForEachPlace(config, s, w, [&](Place place) {
    const bool inserted = place.sequence == OutcomeOf(s, w).sequence &&
                          Inserted(s, w) == place.sequence &&
                          place.sequence + config.Count(w) - 1 <= s.last_sequence;
    holds = holds ||
            ((!config.Sync(w) || place.record <= s.synced) && (!config.Inserts(w) || inserted));
  });
  return holds;
}

// Was the caller of w told what concerns it, on a path that was poisoned or not?
// REQUIRES: w has returned.
inline bool StatusIsRight(const Config& config, const State& s, Pointer w, bool poisoned) {
  const WriteStatus status = OutcomeOf(s, w).status;
  if ((status == WriteStatus::kUnknownOutcome) != s.Failed(w)) return false;
  const bool incomplete = status == WriteStatus::kIncomplete;
  const bool callback_failed = !config.Logs(w) && !incomplete;
  if ((status == WriteStatus::kCallbackFailed) != callback_failed) return false;
  if (incomplete && !config.no_slowdown.Contains(w)) return false;
  if (status == WriteStatus::kOK && config.pre_release_fails.Contains(w)) return false;
  if (status == WriteStatus::kAborted && !poisoned) return false;
  const bool unlogged = incomplete || callback_failed || status == WriteStatus::kAborted;
  return !unlogged || CountPlaces(config, s, w) == 0;
}

}  // namespace bellwether::model
