// replay.h: a state of the model on the way through a recorded trace.
//
// Take lets a thread's next event happen, if it is an enabled action that reads and writes what was
// recorded. The search for an order is conform.cc's.
//
// Forgetting. The model's state keeps the whole history, which a trace is too long for. What no
// later action looks at is dropped: results, all records but the last, the number of each write
// (its incarnation counts modulo kMaxWrites: a Writer that died so many writes ago is dereferenced
// by nobody, INV_LIFETIME), and sequences count from the oldest that is still used.
//
// Thread safety: a value.

#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

#include "model/expected_event.h"
#include "model/trace_file.h"

namespace bellwether::model {
inline namespace BELLWETHER_MODEL_BOUNDS {

class Replay {
 public:
  using Taken = std::array<uint32_t, kMaxThreads>;  // events of each thread

  // Why an event does not fit: "not enabled", or what it says and what it had to say.
  struct Fit {
    bool enabled = false;
    std::string difference;  // empty: it fits
  };

  // REQUIRES: the trace outlives this, and has no more than kMaxThreads threads.
  Replay(const RecordedTrace& trace, const Config& config)
      : trace_(&trace), config_(config), sequences_(trace.last_sequence) {}

  const Config& config() const { return config_; }
  const State& state() const { return state_; }
  const Taken& taken() const { return taken_; }
  // How many events have their place.
  size_t total() const { return total_; }
  // The last sequence that was given out, as the engine counts.
  uint64_t LastSequence() const { return sequences_.end(state_.allocated_sequence); }

  // Null: all events of t have their place.
  const RecordedEvent* Next(size_t t) const {
    const auto& events = trace_->threads[t];
    return taken_[t] < events.size() ? &events[taken_[t]] : nullptr;
  }

  // REQUIRES: Next of its thread. Unless the event fits, what is left is of no use.
  Fit Take(const RecordedEvent& event) {
    const size_t t = event.thread;
    if (event.action == Action::Write) Prepare(event);
    if (event.action == Action::WriteToWAL || event.action == Action::WriteToWAL_Sync) {
      PrepareRelease(event);
    }
    const State before = state_;
    if (!Apply(config_, event.action, t, &state_)) return {false, "not enabled"};
    if (!state_.lifetime_ok) return {true, "it touches a Writer that is dead (INV_LIFETIME)"};
    if (event.action == Action::WriteToWAL) Number(before);
    Fit fit{true, Difference(event, before)};
    taken_[t]++;
    total_++;
    if (event.action == Action::Write_Return) Forget(t);
    return fit;
  }

 private:
  // Renumber when so many sequences were published; what is further behind is used by nobody: a
  // thread has one write in flight.
  static constexpr uint8_t kManySequences = 100;
  static constexpr uint8_t kWindow = 50;
  static_assert(kWindow > 2 * kMaxThreads && kManySequences + kWindow < 255);

  // The options of the write that begins, and its number in the model.
  void Prepare(const RecordedEvent& event) {
    const size_t t = event.thread;
    const auto k = static_cast<uint8_t>((event.write - 1) % kMaxWrites + 1);
    state_.incarnation[t] = static_cast<uint8_t>(k - 1);
    const Pointer w(t, k);
    Set(&config_.sync, w, event.Flag("sync"));
    Set(&config_.disable_memtable, w, event.Flag("disable_memtable"));
    Set(&config_.disable_wal, w, event.Flag("disable_wal"));
    Set(&config_.callback_alone, w, event.Flag("callback_alone"));
    Set(&config_.callback_fails, w, CallbackFails(event));
    config_.pre_release_fails.Remove(w);
  }

  // The group's record is written and synced: whether a pre-release callback fails then is told by
  // what follows. Whose it was makes no difference.
  void PrepareRelease(const RecordedEvent& event) {
    const auto& events = trace_->threads[event.thread];
    const bool told = event.number < events.size();
    if (!told || events[event.number].action != Action::PreReleaseError) return;
    for (const Pointer w : Group(state_, event.thread)) config_.pre_release_fails.Add(w);
  }

  static void Set(WriteSet* set, Pointer w, bool contains) {
    set->Remove(w);
    if (contains) set->Add(w);
  }

  // The write's own last event tells.
  bool CallbackFails(const RecordedEvent& begin) const {
    if (!begin.Flag("callback")) return false;
    const auto& events = trace_->threads[begin.thread];
    for (size_t i = begin.number; i < events.size() && events[i].write == begin.write; i++) {
      const auto status = events[i].fields.find("status");
      if (status != events[i].fields.end()) return status->second == "CallbackFailed";
    }
    return false;
  }

  // The engine's sequences of the writes that were logged.
  void Number(const State& before) {
    if (state_.log == before.log) return;
    for (const Pointer w : state_.log.last().writers) {
      if (config_.Inserts(w)) sequences_.Add(At(state_.sequence, w), Count(w));
    }
  }

  // Operations of the write that w is at.
  uint64_t Count(Pointer w) const {
    const auto& events = trace_->threads[w.thread()];
    for (size_t i = taken_[w.thread()]; i-- > 0;) {
      if (events[i].action == Action::Write) return events[i].Number("count");
    }
    return 0;
  }

  std::string Difference(const RecordedEvent& event, const State& before) const {
    if (event.action == Action::Write) return {};
    const ExpectedFields fields =
        ExpectedEvent(config_, sequences_, before, state_, event.thread).Of(event.action);
    std::string difference;
    for (const auto& [name, recorded] : event.fields) {
      const auto field = std::find_if(fields.begin(), fields.end(),
                                      [&](const auto& f) { return f.first == name; });
      const std::string wanted = field == fields.end() ? "nothing" : field->second;
      if (recorded == wanted) continue;
      if (!difference.empty()) difference.append(", ");
      difference.append("'").append(name).append("' is ").append(recorded);
      difference.append(", not ").append(wanted);
    }
    return difference;
  }

  // Thread t has no write in flight any more.
  void Forget(size_t t) {
    State& s = state_;
    s.outcome[t] = {};
    s.memtable[t] = {};
    s.failed[t] = 0;
    s.synced = 0;
    if (s.log.size > 1) {
      const LogRecord last = s.log.last();
      s.log = {};
      s.log.Append(last);
    }
    if (s.last_sequence > kManySequences) Renumber();
  }

  // A wrong trace may have a thread that stands still while others go on: its sequence becomes the
  // oldest one, so that no number leaves its byte.
  void Renumber() {
    State& s = state_;
    const uint8_t end = s.allocated_sequence;
    uint8_t oldest = std::min(s.last_sequence, s.log.last().first_sequence);
    for (const uint8_t sequence : s.sequence) {
      if (sequence != 0) oldest = std::min(oldest, sequence);
    }
    oldest = std::max<uint8_t>(oldest, s.last_sequence - kWindow);
    const auto shift = static_cast<uint8_t>(oldest - 1);
    const auto renumber = [&](uint8_t* sequence) {
      *sequence = static_cast<uint8_t>(std::max(*sequence, oldest) - shift);
    };
    for (uint8_t& sequence : s.sequence) {
      if (sequence != 0) renumber(&sequence);
    }
    // What is in the memtable is read by nobody: only that it is there.
    for (auto& writes : s.memtable) {
      for (uint8_t& sequence : writes) sequence = 0;
    }
    renumber(&s.last_sequence);
    renumber(&s.allocated_sequence);
    renumber(&s.log.items[0].first_sequence);
    sequences_.Forget(shift, end);
  }

  const RecordedTrace* trace_;
  State state_;
  Config config_;
  Sequences sequences_;
  Taken taken_ = {};
  size_t total_ = 0;
};

}  // namespace BELLWETHER_MODEL_BOUNDS
}  // namespace bellwether::model
