// lockstep.h: the model follows an execution of the implementation, action by action.
//
// Each action that the implementation tells has to be one that the thread which executes it can
// take in the model, and has to lead to the same observable state. A load may be stale: it is then
// the same load, made earlier. So an action that only loads may come before actions of others that
// were told already, if these and all that depends on them can as well follow it (TakeEarlier).
// What the history holds in the end is an interleaving of the spec, step by step.
//
// What is compared: the atomics after every action, whoever took it; the plain fields where they
// have an owner who cannot be in the middle of writing them.
//
// Thread safety: none. No heap.

#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "model/write_path_model.h"

namespace bellwether::model {

// One action of an execution.
struct Taken {
  Action action = Action::Write;
  uint8_t thread = 0;
  friend constexpr bool operator==(const Taken&, const Taken&) = default;
};

inline constexpr size_t kMaxActions = kMaxThreads * kMaxWrites * 20;
using History = Sequence<Taken, kMaxActions>;
static_assert(kMaxActions < 256, "the size of a History is one byte");

// What the implementation shows right after an action.
struct Observed {
  Pointer newest_writer;
  uint8_t last_sequence = 0;
  bool poisoned = false;
  // Of the Writers in flight; one that blocks (STATE_LOCKED_WAITING) still has STATE_INIT.
  PerThread<WriterState> state = {};
  PerThread<uint8_t> sequence = {};
  PerThread<WriteStatus> status = {};
  // What an action that loads the tail has loaded. It may be stale.
  Pointer loaded;
  // The Writer that the action was told with; null: it was told with none.
  Pointer writer;
  // Of the group that the acting thread leads; null: it leads none.
  Pointer last_writer;
  uint8_t group_size = 0;
};

class Lockstep {
 public:
  explicit Lockstep(const Config& config) : config_(config), state_(Initial(config)) {}

  // Thread t has taken `action`, and then the implementation shows `seen`. Empty if that is a step
  // of the model; else what is wrong: "not enabled", or the variable that differs. After that the
  // model stays where it was.
  std::string_view Take(Action action, size_t t, const Observed& seen) {
    if (history_.size == kMaxActions) return "not enabled";
    State next = state_;
    std::string_view wrong = Step(action, t, seen, &next);
    if (wrong.empty()) {
      history_.Append({action, static_cast<uint8_t>(t)});
      state_ = next;
      return wrong;
    }
    if (Loads(action) && TakeEarlier(action, t, seen)) return {};
    return wrong;
  }

  const State& state() const { return state_; }
  const History& history() const { return history_; }
  // How many loads were stale.
  size_t moved() const { return moved_; }

 private:
  // It acts on a load that no read-modify-write checks. (ExitAsBatchGroupLeader: unless its CAS
  // succeeds, which loads the newest.)
  static bool Loads(Action action) {
    return action == Action::EnterAsBatchGroupLeader || action == Action::ExitAsBatchGroupLeader;
  }

  std::string_view Step(Action action, size_t t, const Observed& seen, State* next) const {
    const Pointer told = Told(*next, action, t);
    const bool stale = Loads(action) && seen.loaded != next->newest_writer;
    if (!Apply(config_, action, t, next)) return "not enabled";
    if (!told.null() && told != seen.writer) return "the Writer of the action";
    if (stale) return "newest_writer, as it was loaded";
    return Difference(action, t, *next, seen);
  }

  // The Writer that `action` is about, if that is not always its thread's own.
  static Pointer Told(const State& s, Action action, size_t t) {
    switch (action) {
      case Action::InsertInto:
      case Action::ExitAsBatchGroupLeader_SetState:
      case Action::ExitAsBatchGroupLeader_CompleteFollower:
        return s.cursor[t];
      case Action::ExitAsBatchGroupLeader:
        return s.last_writer[t];
      default:
        return {};
    }
  }

  std::string_view Difference(Action action, size_t t, const State& s, const Observed& seen) const {
    if (!s.lifetime_ok) return "lifetime_ok";
    if (seen.newest_writer != s.newest_writer) return "newest_writer";
    if (seen.last_sequence != s.last_sequence) return "last_sequence";
    if (seen.poisoned != (s.first_error != FirstError::kOK)) return "first_error";
    for (size_t u = 0; u < config_.threads; u++) {
      if (!InFlight(s, u)) continue;
      if (seen.state[u] != s.state[u]) return "state";
      // A group that fails has sequences that nobody asks for.
      if (!seen.poisoned && seen.sequence[u] != s.sequence[u]) return "sequence";
      if (s.state[u] == STATE_COMPLETED && seen.status[u] != s.status[u]) return "status";
    }
    if (action == Action::Write_Return) return OutcomeDifference(s.outcome[t].last(), t, seen);
    if (!seen.last_writer.null()) {
      if (seen.last_writer != s.last_writer[t]) return "last_writer";
      if (seen.group_size != s.group_size[t]) return "group_size";
    }
    return {};
  }

  static std::string_view OutcomeDifference(const Outcome& told, size_t t, const Observed& seen) {
    if (seen.status[t] != told.status) return "status";
    const bool ok = told.status == WriteStatus::kOK;
    return ok && seen.sequence[t] != told.sequence ? "sequence" : std::string_view();
  }

  // Takes `action` before the latest action of the history that allows it. What depends on that
  // one, directly or not, then follows too; all else, t's own actions among it, comes first.
  bool TakeEarlier(Action action, size_t t, const Observed& seen) {
    for (size_t place = history_.size; place-- > 0;) {
      History history;
      History later;
      State state = Initial(config_);
      for (size_t i = 0; i < history_.size; i++) {
        const Taken step = history_[i];
        if (i == place || (i > place && !Commutes(state, step, later))) {
          later.Append(step);
        } else {
          Apply(config_, step.action, step.thread, &state);
          history.Append(step);
        }
      }
      const auto own = [&](Taken step) { return step.thread == t; };
      if (!later.Select(own).empty() || state.newest_writer != seen.loaded) continue;
      history.Append({action, static_cast<uint8_t>(t)});
      if (!Apply(config_, action, t, &state) || !Play(later, &state)) continue;
      if (!Difference(action, t, state, seen).empty()) continue;
      for (const Taken step : later) history.Append(step);
      history_ = history;
      state_ = state;
      moved_++;
      return true;
    }
    return false;
  }

  bool Play(const History& steps, State* state) const {
    for (const Taken step : steps) {
      if (!Apply(config_, step.action, step.thread, state)) return false;
    }
    return true;
  }

  // From `state`, `later` and then `step` lead to what `step` and then `later` lead to.
  bool Commutes(const State& state, Taken step, const History& later) const {
    State last = state;
    State first = state;
    return Play(later, &last) && Apply(config_, step.action, step.thread, &last) &&
           Apply(config_, step.action, step.thread, &first) && Play(later, &first) && first == last;
  }

  const Config config_;
  State state_;
  History history_;
  size_t moved_ = 0;
};

}  // namespace bellwether::model
