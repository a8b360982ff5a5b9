// behaviour.h: states of the model that tests start from, reached by named steps.

#pragma once

#include <gtest/gtest.h>

#include <initializer_list>
#include <string>

#include "model/write_path_model.h"

namespace bellwether::model {

struct TestStep {
  size_t thread;  // from 0
  Action action;
};

// Takes `steps` from `state` on; each has to be enabled.
inline State Take(const Config& config, State state, std::initializer_list<TestStep> steps) {
  for (const TestStep& step : steps) {
    EXPECT_TRUE(Apply(config, step.action, step.thread, &state))
        << ActionName(step.action) << " of t" << step.thread + 1 << " is not enabled in\n"
        << CanonicalText(config, state);
  }
  return state;
}

// Takes whatever thread t may do next, until its next action is `until`.
inline State RunUntil(const Config& config, State state, size_t t, Action until) {
  while (state.pc[t] != until) {
    if (!Apply(config, state.pc[t], t, &state)) {
      ADD_FAILURE() << "t" << t + 1 << " is blocked in\n" << CanonicalText(config, state);
      return state;
    }
  }
  return state;
}

// The next write of t, up to its wait for a leader (or, if it found the queue empty, to its
// leadership).
inline State Join(const Config& config, const State& state, size_t t) {
  State next = Take(config, state, {{t, Action::Write}, {t, Action::LinkOne}});
  if (next.pc[t] == Action::JoinBatchGroup) Apply(config, Action::JoinBatchGroup, t, &next);
  return next;
}

}  // namespace bellwether::model
