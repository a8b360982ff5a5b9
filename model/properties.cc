#include "model/properties.h"

#include <algorithm>

#include "model/write_thread_model.h"

namespace bellwether::model {

namespace {

using WriterSet = uint64_t;  // bit thread * 8 + incarnation; NULL, which a broken chain meets: 63

WriterSet Bit(Pointer p) {
  return uint64_t{1} << (p.null() ? 63 : p.thread() * 8 + p.incarnation());
}

// t holds the leadership: it found the queue empty, or was made leader, and has not given it on.
bool Leads(const State& s, size_t t) {
  if (s.pc[t] == Action::JoinBatchGroup) return true;
  return s.state[t] == STATE_GROUP_LEADER &&
         s.pc[t] != Action::ExitAsBatchGroupLeader_CompleteFollower &&
         s.pc[t] != Action::Write_Return;
}

bool INV_LEADER(const Config& config, const State& s) {
  int leaders = 0;
  for (size_t t = 0; t < config.threads; t++) leaders += Leads(s, t);
  return leaders <= 1;
}

// The members of t's group that t may still touch.
WriterSet Members(const State& s, size_t t) {
  if (s.last_writer[t].null()) return 0;
  const Pointer me = Me(s, t);
  if (s.pc[t] == Action::Write_Return) return Bit(me);
  WriterSet members = 0;
  if (s.pc[t] == Action::ExitAsBatchGroupLeader_CompleteFollower) {
    Pointer p = s.cursor[t];
    for (; !p.null() && !SameAddress(p, me) && (members & Bit(p)) == 0; p = At(s.link_older, p)) {
      members |= Bit(p);
    }
    return members | Bit(p);
  }
  for (const Pointer w : Group(s, t)) members |= Bit(w);
  return members;
}

// Queued, in no group, and not made leader.
bool Waiting(const State& s, Pointer p) {
  return At(s.pc, p) == Action::JoinBatchGroup_AwaitState && At(s.state, p) == STATE_INIT &&
         At(s.write_group, p).null();
}

bool InArrivalOrder(const State& s, const Writers& writers) {
  return writers == s.arrival.Select([&](Pointer p) { return writers.Contains(p); });
}

// A group is its leader followed by compatible writers in queue order.
bool GroupIsWellFormed(const Config& config, const State& s, size_t t) {
  const Writers members = Group(s, t);
  if (!InArrivalOrder(s, members) || members.last() != s.last_writer[t]) return false;
  if (members.size != s.group_size[t] || members.size > config.max_group) return false;
  return std::all_of(members.begin(), members.end(), [&](Pointer w) {
    return At(s.write_group, w) == Me(s, t) && Compatible(config, Me(s, t), w);
  });
}

// The writers that wait, from the tail back to the first that does not wait, oldest first.
Writers WaitingUpTo(const State& s, Pointer tail) {
  Writers newest_first;
  for (Pointer p = tail; !p.null() && Waiting(s, p) && newest_first.size < kMaxThreads;
       p = At(s.link_older, p)) {
    newest_first.Append(p);
  }
  Writers oldest_first;
  for (size_t i = newest_first.size; i > 0; i--) oldest_first.Append(newest_first[i - 1]);
  return oldest_first;
}

// Skipped writers keep their order and come next: the queue is who waits, in the order of arrival.
bool QueueIsWhoWaits(const Config& config, const State& s) {
  for (size_t t = 0; t < config.threads; t++) {
    if (s.pc[t] == Action::EnterAsBatchGroupLeader_Graft) return true;
  }
  const Writers waiting = s.arrival.Select([&](Pointer p) { return Waiting(s, p); });
  if (WaitingUpTo(s, s.newest_writer) != waiting) return false;
  for (size_t t = 0; t < config.threads; t++) {
    if (s.pc[t] != Action::ExitAsBatchGroupLeader_SetState) continue;
    if (waiting.empty() || s.cursor[t] != waiting[0]) return false;
  }
  return true;
}

bool INV_GROUP(const Config& config, const State& s) {
  WriterSet taken = 0;
  for (size_t t = 0; t < config.threads; t++) {
    if (Leads(s, t) && !s.last_writer[t].null() && !GroupIsWellFormed(config, s, t)) return false;
    const WriterSet members = Members(s, t);
    if ((taken & members) != 0) return false;
    taken |= members;
  }
  return QueueIsWhoWaits(config, s);
}

bool INV_LIFETIME(const Config&, const State& s) { return s.lifetime_ok; }

int EndSequence(const Config& config, const LogRecord& record) {
  return record.first_sequence + config.batch_count * record.writers.size - 1;
}

int LogEnd(const Config& config, const State& s) {
  return s.log.empty() ? 0 : EndSequence(config, s.log.last());
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
      sequence += config.batch_count;
    }
  }
}

int CountPlaces(const Config& config, const State& s, Pointer w) {
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

int Inserted(const State& s, Pointer w) { return At(s.memtable, w)[w.incarnation() - 1]; }

bool Returned(const State& s, Pointer w) { return w.incarnation() <= At(s.outcome, w).size; }
const Outcome& OutcomeOf(const State& s, Pointer w) {
  return At(s.outcome, w)[w.incarnation() - 1];
}

bool INV_SEQUENCE(const Config& config, const State& s) {
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
  return true;
}

bool INV_PUBLISH(const Config& config, const State& s) {
  return s.last_sequence <= LogEnd(config, s) && AllPlaces(config, s, [&](Pointer w, Place place) {
           return place.sequence > s.last_sequence || Inserted(s, w) == place.sequence;
         });
}

bool INV_PUBLISH_MONOTONE(const Config&, const State& before, const State& after) {
  return after.last_sequence >= before.last_sequence;
}

bool INV_ATOMIC(const Config& config, const State& s) {
  return AllPlaces(config, s, [&](Pointer, Place place) {
    return s.last_sequence < place.sequence ||
           place.sequence + config.batch_count - 1 <= s.last_sequence;
  });
}

bool Acknowledged(const Config& config, const State& s, Pointer w) {
  bool holds = false;
  ForEachPlace(config, s, w, [&](Place place) {
    holds = holds ||
            (place.sequence == OutcomeOf(s, w).sequence &&
             (!config.Sync(w) || place.record <= s.synced) && Inserted(s, w) == place.sequence &&
             place.sequence + config.batch_count - 1 <= s.last_sequence);
  });
  return holds;
}

bool INV_ACK(const Config& config, const State& s) {
  const auto writes = AllWrites(config);
  return std::all_of(writes.begin(), writes.end(), [&](Pointer w) {
    return !Returned(s, w) || OutcomeOf(s, w).status != WriteStatus::kOK ||
           Acknowledged(config, s, w);
  });
}

bool INV_STATUS(const Config& config, const State& s) {
  for (const Pointer w : AllWrites(config)) {
    if (!Returned(s, w)) continue;
    const WriteStatus status = OutcomeOf(s, w).status;
    if ((status == WriteStatus::kUnknownOutcome) != s.Failed(w)) return false;
    if (status == WriteStatus::kAborted &&
        (s.first_error == FirstError::kOK || CountPlaces(config, s, w) != 0)) {
      return false;
    }
  }
  return true;
}

bool INV_QUIET(const Config& config, const State& s) {
  for (size_t t = 0; t < config.threads; t++) {
    if (InFlight(s, t)) return true;
  }
  if (!s.newest_writer.null() || !s.arrival.empty()) return false;
  return s.first_error != FirstError::kOK || s.last_sequence == LogEnd(config, s);
}

constexpr auto kProperties = std::to_array<Property>({
    {"INV_LEADER", INV_LEADER},
    {"INV_GROUP", INV_GROUP},
    {"INV_SEQUENCE", INV_SEQUENCE},
    {"INV_PUBLISH", INV_PUBLISH},
    {"INV_ATOMIC", INV_ATOMIC},
    {"INV_ACK", INV_ACK},
    {"INV_STATUS", INV_STATUS},
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
