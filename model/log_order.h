// log_order.h: in which order the groups of two queues were logged, as far as a trace says it.
//
// Who logs holds the log mutex, from its look at first_error_ (WriteToWAL_FirstError) on. The
// groups of one queue follow each other anyhow. Between the queues:
//   - a group of writes that insert nothing ends with the last sequence that was given out before
//     it: it comes behind the main group that gave it out, and before the next one;
//   - a group that met an error is the last that saw none.
// Both follow from values that were recorded, so an order that breaks them explains no trace.
//
// Thread safety: immutable.

#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "model/replay.h"

namespace bellwether::model {
inline namespace BELLWETHER_MODEL_BOUNDS {

class LogOrder {
 public:
  // REQUIRES: the trace outlives this, and has no more than kMaxThreads threads.
  LogOrder(const Config& config, const RecordedTrace& trace) : trace_(trace) {
    if (!config.TwoQueues()) return;
    for (size_t t = 0; t < trace.threads.size(); t++) Collect(t);
  }

  // Of a WriteToWAL_FirstError: the trace says when it is due.
  bool Known(const RecordedEvent& look) const {
    const Group* const group = GroupOf(look);
    return group == nullptr || group->fails || group->has_last_sequence;
  }

  // May the event come next, behind those that were taken?
  bool Due(const RecordedEvent& event, const Replay& replay) const {
    const Group* const group = GroupOf(event);
    if (group == nullptr) return true;
    const Replay::Taken& taken = replay.taken();
    const uint64_t end = replay.LastSequence();
    if (group->fails && !IsLast(*group, taken)) return false;
    if (!group->has_last_sequence) return true;
    if (group->nonmem) return group->last_sequence == end;
    return group->last_sequence <= end || !NonmemIsDue(taken, end);
  }

  // What is done under the log mutex.
  static bool OfTheLog(Action action) {
    return action == Action::WriteToWAL_FirstError || action == Action::WriteToWAL ||
           action == Action::WriteToWAL_Sync || Fails(action);
  }

 private:
  static bool Fails(Action action) {
    return action == Action::WalError || action == Action::PreReleaseError;
  }

  // A group that is logged, or is to be: its leader saw no error.
  struct Group {
    size_t look;  // which event of the thread
    bool nonmem;
    bool fails;
    bool has_last_sequence;
    uint64_t last_sequence;
  };

  void Collect(size_t t) {
    const std::vector<RecordedEvent>& events = trace_.threads[t];
    bool nonmem = false;
    for (size_t i = 0; i < events.size(); i++) {
      const RecordedEvent& event = events[i];
      if (event.action == Action::Write) nonmem = event.Flag("disable_memtable");
      if (event.action != Action::WriteToWAL_FirstError || event.Flag("read")) continue;
      Group group{i, nonmem, false, false, 0};
      size_t next = i + 1;
      for (; next < events.size() && OfTheLog(events[next].action); next++) {
        group.fails = group.fails || Fails(events[next].action);
        if (!events[next].fields.contains("last_sequence")) continue;
        group.has_last_sequence = true;
        group.last_sequence = events[next].Number("last_sequence");
      }
      if (next == i + 1) continue;  // refused, and `read` was not recorded
      groups_[t].push_back(group);
    }
  }

  // Null: the event is no look of a leader that then logs, or there is one queue alone.
  const Group* GroupOf(const RecordedEvent& event) const {
    if (event.action != Action::WriteToWAL_FirstError) return nullptr;
    const Group* const group = FirstFrom(event.thread, event.number - 1);
    return group == nullptr || group->look != event.number - 1 ? nullptr : group;
  }

  // The first group of t whose look is event number `from` or a later one; null if there is none.
  const Group* FirstFrom(size_t t, size_t from) const {
    const auto found =
        std::lower_bound(groups_[t].begin(), groups_[t].end(), from,
                         [](const Group& group, size_t look) { return group.look < look; });
    return found == groups_[t].end() ? nullptr : &*found;
  }

  bool IsLast(const Group& group, const Replay::Taken& taken) const {
    for (size_t t = 0; t < trace_.threads.size(); t++) {
      const Group* const next = FirstFrom(t, taken[t]);
      if (next != nullptr && next != &group) return false;
    }
    return true;
  }

  // Some group that inserts nothing ends with `end` and is not logged yet.
  bool NonmemIsDue(const Replay::Taken& taken, uint64_t end) const {
    for (size_t t = 0; t < trace_.threads.size(); t++) {
      const Group* next = FirstFrom(t, taken[t]);
      while (next != nullptr && !next->nonmem) next = FirstFrom(t, next->look + 1);
      if (next != nullptr && next->has_last_sequence && next->last_sequence == end) return true;
    }
    return false;
  }

  const RecordedTrace& trace_;
  std::array<std::vector<Group>, kMaxThreads> groups_;
};

}  // namespace BELLWETHER_MODEL_BOUNDS
}  // namespace bellwether::model
