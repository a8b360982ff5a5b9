// recovery_model.h: spec/Recovery.tla as functions: a store that is read from, goes down at any
// step, and is recovered.
//
// An action is `void Name(const Config&, const RecoveryState&, const Visit&)`: it calls
// visit(choice, next) for each way to take it. The choice is the reader, or counts what a crash may
// leave. While the store is open the write path takes the steps of write_path_model.h.
//
// Thread safety: functions of their arguments.

#pragma once

#include "model/explorer.h"
#include "model/recovery_files.h"

namespace bellwether::model {

// Every frame, the queues, the memtable and the readers are gone. What callers have learnt, and
// what was logged and published, is kept as history until the recovery is over.
inline State WithoutMemory(const State& before) {
  State s;
  s.lifetime_ok = before.lifetime_ok;
  s.incarnation = before.incarnation;
  s.log = before.log;
  s.synced = before.synced;
  s.allocated_sequence = before.allocated_sequence;
  s.checkpoint = before.checkpoint;
  s.last_sequence = before.last_sequence;
  s.outcome = before.outcome;
  s.failed = before.failed;
  s.first_error = FirstError::kCrash;
  for (size_t t = 0; t < kMaxThreads; t++) {
    for (size_t k = 0; k < kMaxWrites; k++) {
      if (before.memtable[t][k] <= before.last_sequence) s.memtable[t][k] = before.memtable[t][k];
    }
  }
  return s;
}

template <class Visit>
void Crash(const Config& config, const RecoveryState& s, const Visit& visit) {
  if (s.crashes == config.crashes) return;
  RecoveryState next = s;
  next.crashes++;
  next.path = WithoutMemory(s.path);
  next.phase = Action::Recover_ReadLogs;
  next.recovery_mode = RecoveryMode::kTolerateTornTail;
  next.found = {};
  next.snapshot = {};
  next.seen = {};
  size_t choice = 0;
  for (const Files& files : AfterCrash(config, s)) {
    next.files = files;
    visit(choice++, next);
  }
}

template <class Visit>
void Recover_Refuse(const Config& config, const RecoveryState& s, const Visit& visit) {
  if (s.phase != Action::Recover_ReadLogs || !ReadLogs(config, s.files).corrupt) return;
  if (s.recovery_mode != RecoveryMode::kTolerateTornTail) return;
  RecoveryState next = s;
  next.recovery_mode = RecoveryMode::kPointInTime;
  visit(0, next);
}

template <class Visit>
void Recover_ReadLogs(const Config& config, const RecoveryState& s, const Visit& visit) {
  if (s.phase != Action::Recover_ReadLogs) return;
  const Reading reading = ReadLogs(config, s.files);
  if (reading.corrupt && s.recovery_mode != RecoveryMode::kPointInTime) return;
  RecoveryState next = s;
  next.found = reading.records;
  next.phase = reading.ended ? Action::Recover_CutTail : Action::Recover_SyncFile;
  visit(0, next);
}

template <class Visit>
void Recover_CutTail(const Config& config, const RecoveryState& s, const Visit& visit) {
  if (s.phase != Action::Recover_CutTail) return;
  const Reading reading = ReadLogs(config, s.files);
  const LogFile& last = s.files[reading.last - 1];
  RecoveryState next = s;
  next.files = s.files.Prefix(reading.last - 1);
  next.files.Append({last.cache.Prefix(reading.at), last.disk, last.cache});
  next.phase = Action::Recover_SyncFile;
  visit(0, next);
}

template <class Visit>
void Recover_SyncFile(const Config&, const RecoveryState& s, const Visit& visit) {
  if (s.phase != Action::Recover_SyncFile) return;
  RecoveryState next = s;
  if (!s.files.empty()) next.files.items[s.files.size - 1u] = Settled(s.files.last().cache);
  next.phase = Action::Recover_NewLog;
  visit(0, next);
}

template <class Visit>
void Recover_NewLog(const Config&, const RecoveryState& s, const Visit& visit) {
  if (s.phase != Action::Recover_NewLog) return;
  RecoveryState next = s;
  next.log_named = false;
  next.phase = Action::Recover;
  visit(0, next);
}

// The operations of the records that were found, as the memtable holds them.
inline void Replay(const Config& config, const Records& records, State* path) {
  path->memtable = {};
  for (const LogRecord& record : records) {
    uint8_t sequence = record.first_sequence;
    for (const Pointer w : record.writers) {
      if (!config.Inserts(w)) continue;
      At(path->memtable, w)[w.incarnation() - 1] = sequence;
      sequence = static_cast<uint8_t>(sequence + config.batch_count);
    }
  }
}

// Where the boundary between two logs is that are durable and whole does not matter.
inline Files Joined(const Files& logs, const Records& found) {
  const auto whole = [](const Entry& entry) { return entry.image == Image::kWhole; };
  const auto settled = [&](const LogFile& log) {
    return log == Settled(log.cache) && std::all_of(log.cache.begin(), log.cache.end(), whole);
  };
  if (!std::all_of(logs.begin(), logs.end(), settled)) return logs;
  Files joined;
  if (!found.empty()) joined.Append(Settled(Whole(found, 0)));
  return joined;
}

// Whose call the crash has ended is told nothing: the outcome is unknown.
inline void EndCalls(State* path) {
  for (size_t t = 0; t < kMaxThreads; t++) {
    if (path->incarnation[t] <= path->outcome[t].size) continue;
    path->SetFailed({t, path->incarnation[t]});
    path->outcome[t].Append({WriteStatus::kUnknownOutcome, 0});
  }
}

template <class Visit>
void Recover(const Config& config, const RecoveryState& s, const Visit& visit) {
  if (s.phase != Action::Recover) return;
  RecoveryState next = s;
  next.log_named = true;
  next.phase = Action::Write;
  next.files = Joined(s.files, s.found);
  next.recovery_mode = RecoveryMode::kTolerateTornTail;
  next.found = {};
  next.base = s.found.size;
  next.path.log = s.found;
  next.path.synced = s.found.size;
  next.path.last_sequence = static_cast<uint8_t>(LastOf(config, s.found));
  next.path.allocated_sequence = next.path.last_sequence;
  next.path.first_error = FirstError::kOK;
  Replay(config, s.found, &next.path);
  EndCalls(&next.path);
  visit(0, next);
}

template <class Visit>
void GetSnapshot(const Config& config, const RecoveryState& s, const Visit& visit) {
  if (!s.open()) return;
  for (size_t r = 0; r < config.readers; r++) {
    if (!s.snapshot[r].empty()) continue;
    RecoveryState next = s;
    next.snapshot[r].Append(s.path.last_sequence);
    visit(r, next);
  }
}

// In which batches key number `key` (counted from 0) is found up to sequence `last`.
inline WriteSet WritesWithKey(const Config& config, const State& path, size_t key, uint8_t last) {
  WriteSet found;
  for (const Pointer w : AllWrites(config)) {
    const uint8_t sequence = At(path.memtable, w)[w.incarnation() - 1];
    if (sequence == 0 || sequence + key > last) continue;
    found.Add(w);
  }
  return found;
}

template <class Visit>
void Get(const Config& config, const RecoveryState& s, const Visit& visit) {
  if (!s.open()) return;
  for (size_t r = 0; r < config.readers; r++) {
    if (s.snapshot[r].empty() || s.seen[r].size == config.batch_count) continue;
    RecoveryState next = s;
    next.seen[r].Append(WritesWithKey(config, s.path, s.seen[r].size, s.snapshot[r][0]));
    visit(r, next);
  }
}

// Of a mutant: what it makes of a step that was taken; false: it does not take it.
using DistortFunction = bool (*)(Action action, const RecoveryState& before, RecoveryState* after);

// The steps of the store, as the explorer takes them (explorer.h).
class RecoverySteps {
 public:
  using State = RecoveryState;

  explicit RecoverySteps(const Config& config, DistortFunction distort = nullptr)
      : path_(config), distort_(distort) {}

  const Config& config() const { return path_.config(); }
  State Initial() const { return {}; }
  bool IsFinal(const State& s) const { return s.open() && path_.IsFinal(s.path); }

  // Calls visit(action, who, next) for each step from `source`.
  template <class Visit>
  void ForEach(const State& source, const Visit& visit) const {
    const auto take = [&](Action action, size_t who, const State& next) {
      State after = next;
      if (distort_ != nullptr && !distort_(action, source, &after)) return;
      visit(action, static_cast<uint8_t>(who), after);
    };
    if (source.open()) TakePath(source, take);
#define BELLWETHER_ACTION(name, meaning)
#define BELLWETHER_ENVIRONMENT_ACTION(name, meaning)
#define BELLWETHER_STORE_ACTION(name, meaning) \
  name(config(), source, [&](size_t who, const State& next) { take(Action::name, who, next); });
#include "model/actions.def"
#undef BELLWETHER_ACTION
#undef BELLWETHER_ENVIRONMENT_ACTION
#undef BELLWETHER_STORE_ACTION
  }

 private:
  template <class Take>
  void TakePath(const State& source, const Take& take) const {
    State next = source;
    path_.ForEach(source.path, [&](Action action, uint8_t thread, const model::State& path) {
      next.path = path;
      take(action, thread, next);
    });
  }

  const PathSteps path_;
  const DistortFunction distort_;
};

}  // namespace bellwether::model
