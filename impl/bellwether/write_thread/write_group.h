// WriteGroup: the writers that one leader logs and inserts together. It lives in the leader's
// frame.
//
// INV_GROUP: leader and last_writer are joined by link_newer; all between them are members,
// compatible with the leader and in queue order.
//
// Thread safety: belongs to the leader.
#pragma once

#include <cstddef>

#include "bellwether/write_thread/writer.h"

namespace bellwether {

template <SyncPolicy Sync, class Batch = WriteBatch>
struct WriteGroup {
  using GroupWriter = Writer<Sync, Batch>;

  WriteGroup() : leader(nullptr), last_writer(nullptr), size(0) {}
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

  // Calls visit(const Batch&), oldest first: what a Log appends as one record.
  template <class Visit>
  void ForEach(Visit&& visit) const {
    ForEachWriter([&](const GroupWriter* w) { visit(*w->batch); });
  }

  typename Sync::template Plain<GroupWriter*> leader;
  typename Sync::template Plain<GroupWriter*> last_writer;
  typename Sync::template Plain<std::size_t> size;
};

}  // namespace bellwether
