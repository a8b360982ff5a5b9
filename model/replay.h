// replay.h: a state of the model on the way through a recorded trace.
//
// Take lets a thread's next event happen, if it is an enabled action that reads and writes what was
// recorded. The search for an order is conform.cc's.
//
// Unbatched calls. Which one it is, Close or Checkpoint, follows from what the call does later. Two
// steps are not told, because they show nothing, and are taken when the next one is: that of a call
// which finds the path poisoned and does not do what it came for, and the end of the second Writer.
// How large the log is the model does not know: a PreprocessWrite that has looked at relief found
// it too large.
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

  // Whose step the thread's event would be: its own, or, within an unbatched call, that of the
  // call's second Writer, which does its part before the call goes on.
  size_t FrameOf(const RecordedEvent& event) const {
    const bool second = state_.pc[kSecondPlace] == event.action && event.action != Action::Write &&
                        Caller(config_, state_) == event.thread;
    return second ? kSecondPlace : event.thread;
  }
  // The write of t is an unbatched call that others may see the end of: it relieves.
  bool Relieves(size_t t) const { return config_.Stalls() && config_.Unbatched(Me(state_, t)); }

  // REQUIRES: Next of its thread. Unless the event fits, what is left is of no use.
  Fit Take(const RecordedEvent& event) {
    const size_t t = event.thread;
    if (event.action == Action::Write) Prepare(event);
    if (event.action == Action::WriteToWAL || event.action == Action::WriteToWAL_Sync) {
      PrepareRelease(event);
    }
    if (event.action == Action::ExitAsBatchGroupLeader) TakeRefused(t);
    const size_t frame = FrameOf(event);
    const State before = state_;
    if (!ApplyRecorded(event, frame)) return {false, "not enabled"};
    if (!state_.lifetime_ok) return {true, "it touches a Writer that is dead (INV_LIFETIME)"};
    if (event.action == Action::WriteToWAL) Number(before);
    Fit fit{true, Difference(event, before, frame)};
    if (frame == kSecondPlace) (void)Apply(config_, Action::Write_Return, frame, &state_);
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
    Set(&config_.no_slowdown, w, event.Flag("no_slowdown"));
    Set(&config_.callback_fails, w, CallbackFails(event));
    config_.pre_release_fails.Remove(w);
    const bool unbatched = event.Flag("unbatched");
    Set(&config_.closes, w, unbatched && Closes(event));
    config_.checkpointers[t] = unbatched && !config_.closes.Contains(w);
  }

  // The call finds the path poisoned: it does not do what it came for.
  void TakeRefused(size_t t) {
    const Action next = state_.pc[t];
    const bool comes = next == Action::Close || next == Action::Checkpoint;
    if (comes && Poisoned(state_)) (void)Apply(config_, next, t, &state_);
  }

  // The event's action, as the model has it.
  bool ApplyRecorded(const RecordedEvent& event, size_t frame) {
    const uint8_t before = state_.incarnation[frame];
    if (event.action == Action::Write && config_.Checkpoints(frame)) {
      if (!Apply(config_, Action::BeginCheckpoint, frame, &state_)) return false;
      state_.incarnation[frame] = static_cast<uint8_t>(before + 1);
      return true;
    }
    if (event.action != Action::PreprocessWrite) {
      return Apply(config_, event.action, frame, &state_);
    }
    Config sized = config_;
    sized.max_log = event.fields.contains("read") ? 0 : UINT8_MAX;
    return Apply(sized, event.action, frame, &state_);
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

  // Does an event of the write that begins tell so?
  template <class Predicate>
  bool LaterOne(const RecordedEvent& begin, Predicate&& tells) const {
    const auto& events = trace_->threads[begin.thread];
    for (size_t i = begin.number; i < events.size() && events[i].write == begin.write; i++) {
      if (tells(events[i])) return true;
    }
    return false;
  }
  bool CallbackFails(const RecordedEvent& begin) const {
    return begin.Flag("callback") && LaterOne(begin, [](const RecordedEvent& event) {
             return event.Text("status") == "CallbackFailed";
           });
  }
  bool Closes(const RecordedEvent& begin) const {
    return LaterOne(begin, [](const RecordedEvent& event) {
      return event.action == Action::Close || event.action == Action::CloseError;
    });
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

  std::string Difference(const RecordedEvent& event, const State& before, size_t frame) const {
    if (event.action == Action::Write) return {};
    const ExpectedFields fields =
        ExpectedEvent(config_, sequences_, before, state_, frame).Of(event.action);
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
    s.checkpoint = 0;
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
