// WriteGroup: the writers that one leader logs, or inserts, together. It lives in the leader's
// frame.
//
// INV_GROUP: leader and last_writer are joined by link_newer; all between them are members,
// compatible with the leader and in queue order.
//
// Thread safety: belongs to the leader. From LaunchParallelMemTableWriters on its members may read
// it, `running` says how many of them still insert, `status` is guarded by the leader's
// state_mutex, and the last of them owns the group.
#pragma once

#include <cstddef>
#include <cstdint>

#include "bellwether/write_thread/writer.h"

namespace bellwether {

template <SyncPolicy Sync, class Batch = WriteBatch>
struct WriteGroup {
  using GroupWriter = Writer<Sync, Batch>;
  template <class T>
  using Plain = typename Sync::template Plain<T>;

  WriteGroup() : leader(nullptr), last_writer(nullptr), size(0), last_sequence(0), running(0) {}
  WriteGroup(const WriteGroup&) = delete;
  WriteGroup& operator=(const WriteGroup&) = delete;

  // Calls visit(GroupWriter*), oldest first.
  template <class Visit>
  void ForEachWriter(Visit&& visit) const {
    GroupWriter* const last = last_writer.Get();
    for (GroupWriter* w = leader.Get();; w = w->link_newer.Get()) {
      visit(w);
      if (w == last) return;
    }
  }

  // Calls visit(const Batch&) for what is to be logged, oldest first: a Log appends it as one
  // record.
  template <class Visit>
  void ForEach(Visit&& visit) const {
    ForEachWriter([&](const GroupWriter* w) {
      if (w->ShouldWriteToWAL()) visit(*w->batch);
    });
  }

  Plain<GroupWriter*> leader;
  Plain<GroupWriter*> last_writer;
  Plain<std::size_t> size;
  Plain<SequenceNumber>
      last_sequence;  // of the newest operation; publishing the group publishes up to it
  Plain<Status> status;
  typename Sync::template Atomic<std::size_t> running;
};

}  // namespace bellwether
