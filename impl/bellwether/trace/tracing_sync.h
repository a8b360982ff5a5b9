// TracingSync: a Sync policy that records every action of the protocol in a Trace, on top of
// another policy (StdSync, or one with assertions).
//
// An event holds the action, the Writer that it is about, what the action's access read and wrote,
// and what the acting thread knows of its own Writer and WriteGroup. Nothing is recorded that the
// thread may not read at that moment: no Writer of another thread is dereferenced, but for those of
// a group that it leads (INV_LIFETIME).
//
// Thread safety: as the policy below. Nothing is shared that was not before.
#pragma once

#include <cstdint>
#include <type_traits>

#include "bellwether/sync/std_sync.h"
#include "bellwether/trace/trace.h"
#include "bellwether/write_thread/write_group.h"
#include "bellwether/write_thread/writer.h"

namespace bellwether {

// What Write's event says of its options.
enum TraceOption : std::uint64_t {
  kTraceSync = 1,
  kTraceDisableWal = 2,
  kTraceDisableMemtable = 4,
  kTraceNoSlowdown = 8,
  kTraceCallbackAlone = 16,
  kTraceUnbatched = 32,
  kTraceCallback = 64,
};

// What Write_Return's event says instead of a Status::Code, if the write's callback failed.
inline constexpr std::uint64_t kTraceCallbackFailed = 255;
// … and of an unbatched call, whose Writer has no status.
inline constexpr std::uint64_t kTraceNoStatus = 254;

// Two values of the action.
struct TraceValues {
  std::uint64_t first = 0;
  std::uint64_t second = 0;
};

template <class TracedWriter>
TraceValues TraceOfBegin(const TracedWriter& w) {
  std::uint64_t options = 0;
  if (w.sync) options |= kTraceSync;
  if (w.disable_wal) options |= kTraceDisableWal;
  if (w.disable_memtable) options |= kTraceDisableMemtable;
  if (w.no_slowdown) options |= kTraceNoSlowdown;
  if (w.callback != nullptr) options |= kTraceCallback;
  if (w.callback != nullptr && !w.callback->AllowWriteBatching()) options |= kTraceCallbackAlone;
  // An unbatched writer has none.
  if (w.batch == nullptr) return {options | kTraceUnbatched, 0};
  return {std::uint64_t{w.batch->Count()} << 8 | options, w.batch->ByteSize()};
}

template <class TracedWriter>
TraceValues TraceOfReturn(const TracedWriter& w) {
  if (w.batch == nullptr) return {kTraceNoStatus, 0};
  if (w.CallbackFailed()) return {kTraceCallbackFailed, 0};
  const Status status = w.status.Get();
  const bool published = status.ok() && !w.disable_memtable && w.batch->Count() > 0;
  return {static_cast<std::uint64_t>(status.code()), published ? w.sequence.Get() : 0};
}

// Of the actions whose object is the acting thread's own Writer, or one of the group that it leads;
// any other object is not looked at.
template <class TracedWriter>
TraceValues TraceDetail(std::string_view action, const TracedWriter* w) {
  if (action == "Write") return TraceOfBegin(*w);
  if (action == "Write_Return") return TraceOfReturn(*w);
  if (action == "InsertInto") return {w->sequence.Get(), 0};
  if (action == "EnterAsBatchGroupLeader" || action == "EnterAsMemTableWriter") {
    const auto* const group = w->write_group.Get();
    return {group->size.Get(), reinterpret_cast<std::uintptr_t>(group->last_writer.Get())};
  }
  if (action == "WriteToWAL") {
    const auto* const group = w->write_group.Get();
    return {group->status.Get().ok() ? 1u : 0u, group->last_sequence.Get()};
  }
  return {};
}

template <class Batch, class Base = StdSync>
struct TracingSync : Base {
  template <class T>
  class Atomic : public Base::template Atomic<T> {
    using Untraced = typename Base::template Atomic<T>;

   public:
    using Untraced::Untraced;

    T load(const orders::LoadOrder& order) const {
      const T value = Untraced::load(order);
      Note(order.name.data(), value, value);
      return value;
    }
    void store(T value, const orders::StoreOrder& order) {
      Untraced::store(value, order);
      Note(order.name.data(), T{}, value);
    }
    bool compare_exchange_weak(T& expected, T desired, const orders::CasOrder& order) {
      const bool stored = Untraced::compare_exchange_weak(expected, desired, order);
      Note(order.name.data(), expected, stored ? desired : expected);
      return stored;
    }
    bool compare_exchange_strong(T& expected, T desired, const orders::CasOrder& order) {
      const bool stored = Untraced::compare_exchange_strong(expected, desired, order);
      Note(order.name.data(), expected, stored ? desired : expected);
      return stored;
    }
    T exchange(T value, const orders::RmwOrder& order) {
      const T old = Untraced::exchange(value, order);
      Note(order.name.data(), old, value);
      return old;
    }
    T fetch_add(T value, const orders::RmwOrder& order) {
      const T old = Untraced::fetch_add(value, order);
      Note(order.name.data(), old, static_cast<T>(old + value));
      return old;
    }
    T fetch_sub(T value, const orders::RmwOrder& order) {
      const T old = Untraced::fetch_sub(value, order);
      Note(order.name.data(), old, static_cast<T>(old - value));
      return old;
    }
  };

  template <class T>
  static T SpinUntil(const Atomic<T>& word, T goal_mask, const orders::LoadOrder& order,
                     const AwaitSite& site) {
    const T value = Base::SpinUntil(word, goal_mask, order, site);
    Note(order.name.data(), value, value);
    return value;
  }

  static void OnAction(const char* action, const void* object) {
    if (!Trace::Recording()) return Base::OnAction(action, object);
    // Not in a declaration: a Writer needs the whole policy.
    const TraceValues values =
        TraceDetail(action, static_cast<const Writer<TracingSync, Batch>*>(object));
    Trace::Record(action, object, values.first, values.second);
    Base::OnAction(action, object);
  }

 private:
  template <class T>
  static std::uint64_t ToWord(T value) {
    if constexpr (std::is_pointer_v<T>) {
      return reinterpret_cast<std::uintptr_t>(value);
    } else {
      return static_cast<std::uint64_t>(value);
    }
  }

  template <class T>
  static void Note(const char* order, T read, T wrote) {
    Trace::NoteAccess(order, ToWord(read), ToWord(wrote));
  }
};

}  // namespace bellwether
