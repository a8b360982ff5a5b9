// memtable_queue_order.h: who empties the memtable queue may have to let another look at it first.
//
// A call that leads all queues looks at that queue once (WaitForMemTableWriters). If it says which
// tail it saw, it came before the exit that took that tail away.
//
// Thread safety: immutable.

#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <string_view>
#include <vector>

#include "model/replay.h"

namespace bellwether::model {
inline namespace BELLWETHER_MODEL_BOUNDS {

class MemTableQueueOrder {
 public:
  // REQUIRES: the trace outlives this, and has no more than kMaxThreads threads.
  explicit MemTableQueueOrder(const RecordedTrace& trace) {
    for (size_t t = 0; t < trace.threads.size(); t++) {
      for (const RecordedEvent& event : trace.threads[t]) {
        if (event.action == Action::WaitForMemTableWriters) looks_[t].push_back(&event);
      }
    }
  }

  // Of an ExitAsMemTableWriter: may a look at the tail that it takes away still be to come? What a
  // thread looks at first it sees first, so only its next look counts.
  bool MayBeSeen(const RecordedEvent& exit, const Replay& replay) const {
    for (size_t t = 0; t < kMaxThreads; t++) {
      const auto next = std::upper_bound(
          looks_[t].begin(), looks_[t].end(), replay.taken()[t],
          [](size_t taken, const RecordedEvent* look) { return taken < look->number; });
      if (next == looks_[t].end()) continue;
      const std::string_view saw = (*next)->Text("read");
      if (saw.empty() || saw == exit.Text("read")) return true;
    }
    return false;
  }

 private:
  std::array<std::vector<const RecordedEvent*>, kMaxThreads> looks_;
};

}  // namespace BELLWETHER_MODEL_BOUNDS
}  // namespace bellwether::model
