// explorer.h: breadth-first search over every state that the model can reach.
//
// Protocol: states are numbered in the order in which they are found; the queue of the search is
// that numbering itself. Each state remembers the step that found it first, which gives the
// shortest behaviour that leads to a violation. Edges are not stored: ForEachEdge takes each step
// again.
//
// Thread safety: none.

#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>
#include <vector>

#include "model/action.h"
#include "model/mutants.h"
#include "model/state.h"

namespace bellwether::model {

// A step that the search took: which action, by which thread; of the store's actions: by which
// reader, or which of the ways in which it can be taken.
struct Step {
  Action action;
  uint8_t thread;
};

struct Edge {
  uint32_t source;
  Step step;
  uint32_t target;
};

enum class SearchOutcome { kComplete, kLimit, kDeadlock, kViolation };

// The steps of the write path.
class PathSteps {
 public:
  using State = model::State;

  explicit PathSteps(const Config& config, ApplyFunction apply = Apply)
      : config_(config), frames_(Frames(config)), apply_(apply) {}

  const Config& config() const { return config_; }
  State Initial() const { return model::Initial(config_); }
  bool IsFinal(const State& s) const { return model::IsFinal(config_, s); }

  // Calls visit(action, thread, next) for each step from `source`.
  template <class Visit>
  void ForEach(const State& source, const Visit& visit) const {
    State next = source;
    for (const uint8_t thread : frames_) {
      for (const ActionInfo& info : kActions) {
        if (!apply_(config_, info.action, thread, &next)) continue;
        visit(info.action, thread, next);
        next = source;
      }
    }
  }

 private:
  const Config config_;
  const Sequence<uint8_t, kFrames> frames_;
  const ApplyFunction apply_;
};

// Of PathSteps, or of RecoverySteps (recovery_model.h).
template <class Steps>
class BasicExplorer {
 public:
  using Outcome = SearchOutcome;
  using State = typename Steps::State;

  template <class... Mutant>
  explicit BasicExplorer(const Config& config, Mutant... mutant) : steps_(config, mutant...) {}

  // Searches until every reachable state is known, a property is violated, a state that is not
  // final has no step, or more than `limit` distinct states were found. `on_progress` is called now
  // and then with the number of distinct states.
  Outcome Run(uint64_t limit, const std::function<void(uint64_t)>& on_progress);

  uint64_t distinct() const { return states_.size(); }
  // As TLC counts: every initial state and every step taken, whether or not it led to a new state.
  uint64_t generated() const { return generated_; }
  // The number of states on the longest of the shortest behaviours, the initial state included.
  uint64_t depth() const { return depth_; }
  // How often each action was taken, in the order of actions.def.
  const std::vector<uint64_t>& taken() const { return taken_; }

  const State& state(uint32_t index) const { return states_[index]; }

  // REQUIRES: Run returned kDeadlock or kViolation.
  // The name of the violated property ("deadlock"), and the shortest behaviour that leads there.
  std::string_view violated() const { return violated_; }
  const std::vector<Edge>& counterexample() const { return counterexample_; }

  // REQUIRES: Run returned kComplete.
  void ForEachEdge(const std::function<void(const Edge&)>& visit) const;

 private:
  static constexpr uint32_t kNone = UINT32_MAX;

  // The hash saves most comparisons of states, and growing without a look at them.
  struct Slot {
    uint32_t index = kNone;
    uint32_t hash = 0;
  };

  struct Origin {
    uint32_t parent;
    Step step;
  };

  // The slot that holds `state`, or the free one where it belongs.
  size_t SlotOf(const State& state, uint32_t hash) const;
  // The number of `state`, which is added if it is new.
  uint32_t Insert(const State& state, uint32_t parent, Step step);
  void Grow();
  // The steps that lead to state `index`.
  std::vector<Edge> PathTo(uint32_t index) const;
  // Takes every step of state `index`; false if a property does not hold in what it leads to.
  bool Expand(uint32_t index);
  // One of these steps, which leads to `next`.
  void Take(uint32_t index, const State& source, Step step, const State& next);

  const Steps steps_;
  std::vector<State> states_;
  std::vector<Origin> origins_;
  std::vector<Slot> slots_;  // open addressing, a power of two
  std::vector<uint64_t> taken_;
  uint64_t generated_ = 0;
  uint64_t depth_ = 0;
  std::string_view violated_;
  std::vector<Edge> counterexample_;
};

class RecoverySteps;
using Explorer = BasicExplorer<PathSteps>;
using RecoveryExplorer = BasicExplorer<RecoverySteps>;

}  // namespace bellwether::model
