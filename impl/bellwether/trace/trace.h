// Trace: what the threads of a write path did, one bounded ring of events for each.
//
//   Begin: from here on a TracingSync records every action of every thread that it sees
//   Record: the acting thread writes to its own ring; no other thread's cache line is touched
//   End: nothing is recorded any more; the rings may be read (trace_writer.h)
//
// A ring that is full drops what comes later and counts it: a part of a history proves nothing.
//
// Thread safety: Record is for concurrent use. REQUIRES, for Begin, End and everything that reads:
// no traced write is in flight; the threads that write are started after Begin, or synchronise with
// it. One Trace records at a time.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <string_view>
#include <vector>

#include "bellwether/sync/std_sync.h"

namespace bellwether {

// One action. Pointers are kept as numbers: what they point at may be gone.
struct TraceEvent {
  const char* action = nullptr;
  std::uintptr_t object = 0;    // told with the action, mostly the Writer that it is about
  std::uint64_t time = 0;       // steady clock, ns, read after the action: it orders nothing
  const char* order = nullptr;  // the entry of orders.h of the thread's last access; null: none
  std::uint64_t read = 0;       // the value that access saw
  std::uint64_t wrote = 0;      // the value that it stored; the same as `read` if it stored none
  std::uint64_t first = 0;      // two values of the action (TraceDetail)
  std::uint64_t second = 0;
};

class Trace {
 public:
  struct Ring {
    std::vector<TraceEvent> events;
    std::uint64_t dropped = 0;
  };

  explicit Trace(std::size_t events_of_a_thread) : capacity_(events_of_a_thread) {}
  Trace(const Trace&) = delete;
  Trace& operator=(const Trace&) = delete;
  ~Trace() { End(); }

  void Begin() {
    ++generation_;
    current_ = this;
  }
  void End() {
    if (current_ == this) current_ = nullptr;
  }

  const std::vector<std::unique_ptr<Ring>>& rings() const { return rings_; }

  std::uint64_t dropped() const {
    std::uint64_t dropped = lost_;
    for (const auto& ring : rings_) dropped += ring->dropped;
    return dropped;
  }

  static bool Recording() { return current_ != nullptr; }

  // The calling thread's last access to an atomic; it belongs to the thread's next event.
  static void NoteAccess(const char* order, std::uint64_t read, std::uint64_t wrote) {
    noted_ = {.order = order, .read = read, .wrote = wrote};
  }

  // What was noted is used up: the next event has accesses of its own.
  static void Record(const char* action, const void* object, std::uint64_t first,
                     std::uint64_t second) {
    if (current_ == nullptr) return;
    if (own_.generation != generation_) own_ = {current_->NewRing(), generation_};
    Ring* const ring = own_.ring;
    if (ring == nullptr) return;
    if (ring->events.size() == ring->events.capacity()) {
      ++ring->dropped;
      return;
    }
    TraceEvent& event = ring->events.emplace_back(noted_);
    noted_ = {};
    event.action = action;
    event.object = reinterpret_cast<std::uintptr_t>(object);
    event.time = Now();
    event.first = first;
    event.second = second;
  }

 private:
  struct Own {
    Ring* ring;
    std::uint64_t generation;
  };

  static std::uint64_t Now() {
    return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(
                                          std::chrono::steady_clock::now().time_since_epoch())
                                          .count());
  }

  // Of a thread that acts for the first time; without memory for it the trace is incomplete.
  Ring* NewRing() {
    mutex_.lock();
    Ring* ring = nullptr;
    try {
      auto made = std::make_unique<Ring>();
      made->events.reserve(capacity_);
      rings_.push_back(std::move(made));
      ring = rings_.back().get();
    } catch (const std::bad_alloc&) {
      ++lost_;
    }
    mutex_.unlock();
    return ring;
  }

  static inline Trace* current_ = nullptr;
  static inline std::uint64_t generation_ = 0;
  static inline constinit thread_local Own own_{nullptr, 0};
  static inline constinit thread_local TraceEvent noted_{};

  const std::size_t capacity_;
  StdSync::Mutex mutex_;  // guards rings_ and lost_
  std::vector<std::unique_ptr<Ring>> rings_;
  std::uint64_t lost_ = 0;  // threads that got no ring
};

}  // namespace bellwether
