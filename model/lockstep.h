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
inline namespace BELLWETHER_MODEL_BOUNDS {

// One action of an execution.
struct Taken {
  Action action = Action::Write;
  uint8_t thread = 0;
  friend constexpr bool operator==(const Taken&, const Taken&) = default;
};

inline constexpr size_t kMaxActions = kMaxThreads * kMaxWrites * 32;
using History = Sequence<Taken, kMaxActions>;

// What the implementation shows right after an action.
struct Observed {
  Pointer newest_writer;
  Pointer newest_memtable_writer;
  Pointer newest_nonmem_writer;
  uint8_t allocated_sequence = 0;
  uint8_t last_sequence = 0;
  bool poisoned = false;
  // Of the Writers in flight. The status of one that returns is what its caller is told.
  PerFrame<WriterState> state = {};
  PerFrame<bool> blocked = {};  // STATE_LOCKED_WAITING: `state` is then not looked at
  PerFrame<uint8_t> sequence = {};
  PerFrame<WriteStatus> status = {};
  // What the action has loaded of a tail or of first_error_, which may be stale. Not if a
  // read-modify-write succeeded: it loads the newest. PreprocessWrite and LinkOne_NoSlowdown may
  // have looked before others acted, whatever they looked at.
  bool loads = false;
  Pointer loaded;
  bool loaded_poisoned = false;
  bool stalls = false;  // PreprocessWrite found the log too large, and no relief
  // The Writer that the action was told with; null: it was told with none.
  Pointer writer;
  // Of the group that the acting thread leads, or finishes for its leader; null: there is none.
  Pointer last_writer;
  uint8_t group_size = 0;
  uint8_t running = 0;
};

// The Writer that thread t tells `action` with in state s, if that is not always its own; else
// null.
inline Pointer WriterOf(const Config& config, const State& s, Action action, size_t t) {
  switch (action) {
    case Action::InsertInto:
      return InsertsOwn(s, t) ? Me(s, t) : s.cursor[t];
    case Action::ExitAsBatchGroupLeader_SetState:
    case Action::ExitAsBatchGroupLeader_CompleteFollower:
    case Action::LaunchParallelMemTableWriters_SetState:
    case Action::SetMemWritersEachStride:
    case Action::ExitAsMemTableWriter_SetState:
    case Action::ExitAsMemTableWriter_CompleteWriter:
    case Action::BeginWriteStall_CompleteWriter:
      return s.cursor[t];
    case Action::BeginWriteStall:
      return StallDummy(config, s, t);
    case Action::EndWriteStall:
      return At(s.link_older, StallDummy(config, s, t));
    case Action::WaitForMemTableWriters_LinkOne:
    case Action::WaitForMemTableWriters_AwaitState:
      return kSecond;
    case Action::ExitAsBatchGroupLeader:
      if (config.Unbatched(Me(s, t))) return Me(s, t);
      if (config.Pipelined()) return kDummy;
      return s.write_group[t].null() ? Pointer() : s.last_writer[Frame(s, t)];
    case Action::ExitAsBatchGroupLeader_Dummy:
      return kDummy;
    case Action::LinkGroup:
      return s.last_writer[t];
    case Action::LinkGroup_SetState:
      return s.group_leader[t];
    case Action::SetLastSequence:
    case Action::SetLastSequence_FirstError:
    case Action::ExitAsBatchGroupFollower:
    case Action::ExitAsMemTableWriter:
    case Action::ExitAsMemTableWriter_CompleteLeader:
      return s.write_group[t];
    default:
      return {};
  }
}

class Lockstep {
 public:
  explicit Lockstep(const Config& config, ApplyFunction apply = Apply)
      : config_(config), frames_(Frames(config)), apply_(apply), state_(Initial(config)) {}

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
    if (seen.loads && TakeEarlier(action, t, seen)) return {};
    return wrong;
  }

  // The same for an action that is not told, because it shows nothing. False if it is not enabled.
  bool TakeUntold(Action action, size_t t) {
    if (history_.size == kMaxActions || !apply_(config_, action, t, &state_)) return false;
    history_.Append({action, static_cast<uint8_t>(t)});
    return true;
  }

  const State& state() const { return state_; }
  const History& history() const { return history_; }
  // How many loads were stale.
  size_t moved() const { return moved_; }

 private:
  // Did the action load something else than what is there now? Empty, or which variable.
  std::string_view Stale(const State& s, Action action, size_t t, const Observed& seen) const {
    if (!seen.loads) return {};
    switch (action) {
      case Action::EnterAsBatchGroupLeader:
      case Action::ExitAsBatchGroupLeader_Dummy:
      case Action::ExitAsBatchGroupLeader:
        if (config_.UsesNonmem(Me(s, t))) {
          return seen.loaded == s.newest_nonmem_writer ? ""
                                                       : "newest_nonmem_writer, as it was loaded";
        }
        return seen.loaded == s.newest_writer ? "" : "newest_writer, as it was loaded";
      case Action::EnterAsMemTableWriter:
      case Action::ExitAsMemTableWriter:
        return seen.loaded == s.newest_memtable_writer ? ""
                                                       : "newest_memtable_writer, as it was loaded";
      case Action::WaitForMemTableWriters:
        return seen.loaded.null() == s.newest_memtable_writer.null()
                   ? ""
                   : "newest_memtable_writer, as it was loaded";
      case Action::PreprocessWrite_FirstError:
      case Action::WriteToWAL_FirstError:
      case Action::EnterAsMemTableWriter_FirstError:
      case Action::SetLastSequence_FirstError:
        return seen.loaded_poisoned == Poisoned(s) ? "" : "first_error, as it was loaded";
      default:
        return {};
    }
  }

  std::string_view Step(Action action, size_t t, const Observed& seen, State* next) const {
    const Pointer told = WriterOf(config_, *next, action, t);
    const std::string_view stale = Stale(*next, action, t, seen);
    if (!apply_(config_, action, t, next)) return "not enabled";
    if (!told.null() && told != seen.writer) return "the Writer of the action";
    return stale.empty() ? Difference(action, t, *next, seen) : stale;
  }

  // u waits for a state that is not there.
  static bool Awaits(const State& s, size_t u) {
    switch (s.pc[u]) {
      case Action::JoinBatchGroup_AwaitState:
        return s.state[u] == STATE_INIT;
      case Action::ExitAsBatchGroupLeader_AwaitState:
        return s.state[u] == STATE_GROUP_LEADER;
      case Action::CompleteParallelMemTableWriter_AwaitState:
        return s.state[u] != STATE_COMPLETED;
      default:
        return false;
    }
  }

  std::string_view Difference(Action action, size_t t, const State& s, const Observed& seen) const {
    if (!s.lifetime_ok) return "lifetime_ok";
    if (seen.newest_writer != s.newest_writer) return "newest_writer";
    if (seen.newest_memtable_writer != s.newest_memtable_writer) return "newest_memtable_writer";
    if (seen.newest_nonmem_writer != s.newest_nonmem_writer) return "newest_nonmem_writer";
    if (seen.last_sequence != s.last_sequence) return "last_sequence";
    if (seen.poisoned != Poisoned(s)) return "first_error";
    // A group that fails has sequences that nobody asks for.
    if (!seen.poisoned && seen.allocated_sequence != s.allocated_sequence) {
      return "allocated_sequence";
    }
    for (const size_t u : frames_) {
      if (!InFlight(s, u)) continue;
      if (seen.blocked[u] ? !Awaits(s, u) : seen.state[u] != s.state[u]) return "state";
      if (!seen.poisoned && seen.sequence[u] != s.sequence[u]) return "sequence";
      if (s.state[u] == STATE_COMPLETED && seen.status[u] != s.status[u]) return "status";
    }
    // What an unbatched call returns is told later.
    if (action == Action::Write_Return && !config_.Unbatched(Me(s, t))) {
      return OutcomeDifference(s.outcome[t].last(), t, seen);
    }
    if (action == Action::PreprocessWrite && StallDiffers(s, t, seen)) return "whether it stalls";
    return seen.last_writer.null() ? "" : GroupDifference(s, t, seen);
  }

  // A leader that nobody can poison meanwhile looks at first_error in the same step.
  bool StallDiffers(const State& s, size_t t, const Observed& seen) const {
    if (Poisoned(s) && !config_.SharesFirstError()) return false;
    const bool refused = s.group_status[t] == WriteStatus::kIncomplete;
    return seen.stalls != (refused || s.pc[t] != Action::EnterAsBatchGroupLeader);
  }

  static std::string_view GroupDifference(const State& s, size_t t, const Observed& seen) {
    if (s.write_group[t].null()) return "write_group";
    const size_t frame = Frame(s, t);
    if (seen.last_writer != s.last_writer[frame]) return "last_writer";
    if (seen.group_size != s.group_size[frame]) return "group_size";
    return seen.running == s.running[frame] ? "" : "running";
  }

  static std::string_view OutcomeDifference(const Outcome& told, size_t t, const Observed& seen) {
    if (seen.status[t] != told.status) return "status";
    // A write that inserts nothing is told no sequence.
    const bool numbered = told.sequence != 0;
    return numbered && seen.sequence[t] != told.sequence ? "sequence" : std::string_view();
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
          apply_(config_, step.action, step.thread, &state);
          history.Append(step);
        }
      }
      const auto own = [&](Taken step) { return step.thread == t; };
      if (!later.Select(own).empty() || !Stale(state, action, t, seen).empty()) continue;
      history.Append({action, static_cast<uint8_t>(t)});
      if (!apply_(config_, action, t, &state) || !Play(later, &state)) continue;
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
      if (!apply_(config_, step.action, step.thread, state)) return false;
    }
    return true;
  }

  // From `state`, `later` and then `step` lead to what `step` and then `later` lead to.
  bool Commutes(const State& state, Taken step, const History& later) const {
    State last = state;
    State first = state;
    return Play(later, &last) && apply_(config_, step.action, step.thread, &last) &&
           apply_(config_, step.action, step.thread, &first) && Play(later, &first) &&
           first == last;
  }

  const Config config_;
  const Sequence<uint8_t, kFrames> frames_;
  const ApplyFunction apply_;
  State state_;
  History history_;
  size_t moved_ = 0;
};

}  // namespace BELLWETHER_MODEL_BOUNDS
}  // namespace bellwether::model
