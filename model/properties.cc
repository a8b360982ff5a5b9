#include "model/properties.h"

#include <algorithm>

#include "model/write_history.h"

namespace bellwether::model {

namespace {

// Leaving a group's phase as the leader, or as the last parallel writer in its place.
bool Finishing(const State& s, size_t t) {
  return s.pc[t] == Action::SetLastSequence || s.pc[t] == Action::SetLastSequence_FirstError ||
         s.pc[t] == Action::Poison;
}

// t holds the leadership: it found the queue empty, or was made leader, and has not given it on.
// While a group inserts in parallel its leader holds it; then the last writer.
bool Leads(const Config& config, const State& s, size_t t) {
  const Action pc = s.pc[t];
  if (pc == Action::JoinBatchGroup || pc == Action::ExitAsBatchGroupLeader ||
      pc == Action::ExitAsBatchGroupLeader_SetState) {
    return true;
  }
  const bool pipelined = config.Pipelined();
  if (s.state[t] == STATE_GROUP_LEADER && pc != Action::ExitAsBatchGroupLeader_AwaitState &&
      pc != Action::Write_Return &&
      (pipelined || pc != Action::ExitAsBatchGroupLeader_CompleteFollower)) {
    return true;
  }
  if (pipelined) return pc == Action::LinkGroup || pc == Action::LinkGroup_SetState;
  return s.running[t] > 0 || Finishing(s, t);
}

// t holds the leadership of the memtable queue.
bool LeadsMemTable(const Config& config, const State& s, size_t t) {
  if (!config.Pipelined()) return false;
  const Action pc = s.pc[t];
  const bool leads = s.state[t] == STATE_MEMTABLE_WRITER_LEADER &&
                     pc != Action::ExitAsMemTableWriter_CompleteWriter &&
                     pc != Action::ExitAsMemTableWriter_CompleteLeader;
  return leads || s.running[t] > 0 || Finishing(s, t) || pc == Action::ExitAsMemTableWriter ||
         pc == Action::ExitAsMemTableWriter_SetState;
}

bool INV_LEADER(const Config& config, const State& s) {
  int leaders[] = {0, 0};  // of each queue
  int memtable_leaders = 0;
  for (const size_t t : Frames(config)) {
    leaders[config.UsesNonmem(Me(s, t))] += Leads(config, s, t);
    memtable_leaders += LeadsMemTable(config, s, t);
  }
  return leaders[0] <= 1 && leaders[1] <= 1 && memtable_leaders <= 1;
}

// Queued, in no group, not logged, and not made leader.
bool Waiting(const State& s, Pointer p) {
  return p.thread() < kFrames && Live(s, p) && At(s.pc, p) == Action::JoinBatchGroup_AwaitState &&
         At(s.state, p) == STATE_INIT && At(s.write_group, p).null() && At(s.sequence, p) == 0;
}

bool InArrivalOrder(const State& s, const Writers& writers) {
  return writers == s.arrival.Select([&](Pointer p) { return writers.Contains(p); });
}

using LeadsFunction = bool (*)(const Config&, const State&, size_t t);

// Somebody who leads acts for the group in the frame of t.
bool IsLed(const Config& config, const State& s, size_t t, LeadsFunction leads) {
  if (s.last_writer[t].null()) return false;
  for (size_t u = 0; u < config.threads; u++) {
    if (leads(config, s, u) && s.write_group[u] == Me(s, t)) return true;
  }
  return false;
}

// The group in the frame of t is a whole one of the main queue.
bool IsBatchGroup(const Config& config, const State& s, size_t t) {
  if (!config.Pipelined()) return IsLed(config, s, t, Leads);
  const Action pc = s.pc[t];
  const bool on_the_log = pc == Action::EnterAsBatchGroupLeader_Graft ||
                          pc == Action::WriteToWAL_FirstError || pc == Action::WriteToWAL ||
                          pc == Action::WriteToWAL_Sync ||
                          pc == Action::ExitAsBatchGroupLeader_Dummy || pc == Action::LinkGroup;
  return on_the_log && s.group_size[t] > 0;
}

// A group is its leader followed by compatible writers in queue order.
bool GroupIsSound(const Config& config, const State& s, size_t t) {
  const Writers members = Group(s, t);
  if (!InArrivalOrder(s, members) || members.last() != s.last_writer[t]) return false;
  if (members.size != s.group_size[t] || members.size > config.max_group) return false;
  return std::all_of(members.begin(), members.end(), [&](Pointer w) {
    return At(s.write_group, w) == Me(s, t) && (!config.Sync(w) || config.Sync(Me(s, t))) &&
           (!config.callback_alone.Contains(w) || members.size == 1) &&
           config.no_slowdown.Contains(w) == config.no_slowdown.Contains(members[0]) &&
           config.disable_wal.Contains(w) == config.disable_wal.Contains(members[0]) &&
           !config.Unbatched(w);
  });
}

bool MemTableGroupIsSound(const Config& config, const State& s, size_t t) {
  const Writers members = Group(s, t);
  if (members.last() != s.last_writer[t] || members.size != s.group_size[t]) return false;
  if (!config.Parallel() && members.size > config.max_group) return false;
  return std::all_of(members.begin(), members.end(), [&](Pointer w) {
    return At(s.write_group, w) == Me(s, t) && config.Inserts(w);
  });
}

// The writers that wait, from the tail back to the first that does not wait, oldest first.
Writers WaitingUpTo(const State& s, Pointer tail) {
  Writers newest_first;
  const bool stalled = tail == kStallDummy || tail == kNonmemStallDummy;
  for (Pointer p = stalled ? At(s.link_older, tail) : tail;
       !p.null() && Waiting(s, p) && newest_first.size < kFrames; p = At(s.link_older, p)) {
    newest_first.Append(p);
  }
  Writers oldest_first;
  for (size_t i = newest_first.size; i > 0; i--) oldest_first.Append(newest_first[i - 1]);
  return oldest_first;
}

// Skipped writers keep their order and come next: the queue is who waits, in the order of arrival.
// The queue is the main one, or that of the writes that insert nothing.
bool QueueIsInOrder(const Config& config, const State& s, bool nonmem) {
  const auto here = [&](size_t t) { return config.UsesNonmem(Me(s, t)) == nonmem; };
  for (const size_t t : Frames(config)) {
    if (here(t) && s.pc[t] == Action::EnterAsBatchGroupLeader_Graft) return true;
  }
  const Writers waiting =
      s.arrival.Select([&](Pointer p) { return config.UsesNonmem(p) == nonmem && Waiting(s, p); });
  if (WaitingUpTo(s, nonmem ? s.newest_nonmem_writer : s.newest_writer) != waiting) return false;
  for (const size_t t : Frames(config)) {
    if (!here(t) || s.pc[t] != Action::ExitAsBatchGroupLeader_SetState) continue;
    if (waiting.empty() || s.cursor[t] != waiting[0]) return false;
  }
  return true;
}

bool INV_GROUP(const Config& config, const State& s) {
  for (size_t t = 0; t < config.threads; t++) {
    if (IsBatchGroup(config, s, t) && !GroupIsSound(config, s, t)) return false;
    if (config.Pipelined() && IsLed(config, s, t, LeadsMemTable) &&
        !MemTableGroupIsSound(config, s, t)) {
      return false;
    }
    // Who is still to be completed is in the group of whoever does it.
    const bool completes = s.pc[t] == Action::ExitAsBatchGroupLeader_CompleteFollower ||
                           s.pc[t] == Action::ExitAsMemTableWriter_CompleteWriter;
    if (completes && Live(s, s.cursor[t]) && At(s.write_group, s.cursor[t]) != s.write_group[t]) {
      return false;
    }
  }
  return QueueIsInOrder(config, s, false) &&
         (!config.TwoQueues() || QueueIsInOrder(config, s, true));
}

bool INV_LIFETIME(const Config&, const State& s) { return s.lifetime_ok; }

// The memtable queue stands in the order of the log, without a hole.
bool MemTableQueueIsInOrder(const Config& config, const State& s) {
  Pointer newer;
  Pointer p = s.newest_memtable_writer;
  for (size_t i = 0; !p.null() && i < kFrames; i++, p = At(s.link_older, p)) {
    if (p == kSecond) continue;  // the marker
    if (!newer.null() && At(s.sequence, newer) != At(s.sequence, p) + config.Count(p)) {
      return false;
    }
    newer = p;
  }
  return true;
}

// A commit stands behind its prepare.
bool CommitsAreBehind(const Config& config, const State& s) {
  return AllPlaces(config, s, [&](Pointer w, Place place) {
    if (!config.commits.Contains(w)) return true;
    bool prepared = false;
    ForEachPlace(config, s, {w.thread(), w.incarnation() - 1},
                 [&](Place before) { prepared = prepared || before.record < place.record; });
    return prepared;
  });
}

bool INV_SEQUENCE(const Config& config, const State& s) {
  if (s.allocated_sequence != LastOf(config, s.log) || !CommitsAreBehind(config, s)) return false;
  int end = 0;
  for (const LogRecord& record : s.log) {
    if (record.first_sequence != end + 1) return false;
    end = EndSequence(config, record);
  }
  for (const Pointer w : AllWrites(config)) {
    if (CountPlaces(config, s, w) > 1) return false;
    if (Inserted(s, w) == 0) continue;
    bool logged = false;
    ForEachPlace(config, s, w,
                 [&](Place place) { logged = logged || place.sequence == Inserted(s, w); });
    if (!logged) return false;
  }
  return MemTableQueueIsInOrder(config, s);
}

bool INV_PUBLISH(const Config& config, const State& s) {
  // What a checkpoint covers is published: its records are no longer needed.
  for (size_t i = 0; i < s.checkpoint; i++) {
    if (EndSequence(config, s.log[i]) > s.last_sequence) return false;
  }
  return s.last_sequence <= LastOf(config, s.log) &&
         AllPlaces(config, s, [&](Pointer w, Place place) {
           return !config.Inserts(w) || place.sequence > s.last_sequence ||
                  Inserted(s, w) == place.sequence;
         });
}

bool INV_PUBLISH_MONOTONE(const Config&, const State& before, const State& after) {
  return after.last_sequence >= before.last_sequence;
}

bool INV_ATOMIC(const Config& config, const State& s) {
  return AllPlaces(config, s, [&](Pointer w, Place place) {
    return !config.Inserts(w) || s.last_sequence < place.sequence ||
           place.sequence + config.Count(w) - 1 <= s.last_sequence;
  });
}

// A path that was closed stays as it is, and is durable.
bool StaysClosed(const Config& config, const State& s) {
  bool closed = false;
  for (size_t t = 0; t < config.threads; t++) {
    for (size_t k = 1; k <= s.outcome[t].size; k++) {
      closed = closed ||
               (config.closes.Contains({t, k}) && OutcomeOf(s, {t, k}).status == WriteStatus::kOK);
    }
  }
  return !closed || (s.synced == s.log.size && s.last_sequence == LastOf(config, s.log) &&
                     s.first_error == FirstError::kClose);
}

bool INV_ACK(const Config& config, const State& s) {
  return StaysClosed(config, s) && AllOfWrites(config, [&](Pointer w) {
           return !Acknowledged(s, w) || AcknowledgementHolds(config, s, w);
         });
}

bool INV_STATUS(const Config& config, const State& s) {
  return AllOfWrites(config, [&](Pointer w) {
    return !Returned(s, w) || StatusIsRight(config, s, w, Poisoned(s));
  });
}

bool INV_QUIET(const Config& config, const State& s) {
  for (const size_t t : Frames(config)) {
    if (InFlight(s, t)) return true;
  }
  if (!s.newest_writer.null() || !s.newest_memtable_writer.null() ||
      !s.newest_nonmem_writer.null() || !s.arrival.empty() || s.log_mutex != 0 || s.relief != 0) {
    return false;
  }
  return (Poisoned(s) && s.first_error != FirstError::kClose) ||
         (s.last_sequence == s.allocated_sequence && s.allocated_sequence == LastOf(config, s.log));
}

constexpr auto kProperties = std::to_array<Property>({
    {"INV_LEADER", INV_LEADER},
    {"INV_GROUP", INV_GROUP},
    {"INV_SEQUENCE", INV_SEQUENCE},
    {"INV_PUBLISH", INV_PUBLISH},
    {"INV_ATOMIC", INV_ATOMIC},
    {"INV_ACK", INV_ACK, false},
    {"INV_STATUS", INV_STATUS, false},
    {"INV_LIFETIME", INV_LIFETIME},
    {"INV_QUIET", INV_QUIET},
});

constexpr auto kStepProperties = std::to_array<StepProperty>({
    {"INV_PUBLISH_MONOTONE", INV_PUBLISH_MONOTONE},
});

}  // namespace

std::span<const Property> Properties() { return kProperties; }
std::span<const StepProperty> StepProperties() { return kStepProperties; }

std::string_view FirstViolated(const Config& config, const State& state) {
  for (const Property& property : kProperties) {
    if (!property.holds(config, state)) return property.name;
  }
  return {};
}

std::string_view FirstViolated(const Config& config, const State& before, const State& after) {
  for (const StepProperty& property : kStepProperties) {
    if (!property.holds(config, before, after)) return property.name;
  }
  return {};
}

}  // namespace bellwether::model
