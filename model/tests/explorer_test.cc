// The explorer finds every state and the shortest way to each fault; its counts are the spec's.

#include "model/explorer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/tests/behaviour.h"

namespace bellwether::model {
namespace {

using Outcome = Explorer::Outcome;

constexpr uint64_t kNoLimit = 10'000'000;

Explorer::Outcome Search(Explorer& explorer, uint64_t limit = kNoLimit) {
  return explorer.Run(limit, [](uint64_t) {});
}

Config WithSync(uint8_t threads, uint8_t writes, std::initializer_list<Pointer> sync) {
  Config config;
  config.threads = threads;
  config.writes = writes;
  for (const Pointer w : sync) config.SetSync(w);
  return config;
}

Config LastPrepares() {
  Config config = WithSync(3, 1, {});
  config.disable_memtable.Add({2, 1});
  return config;
}

Config InMode(Mode mode, Config config) {
  config.mode = mode;
  return config;
}

// t2 closes after a write with no_slowdown; the log holds one record.
Config StallClose() {
  Config config = WithSync(2, 2, {});
  config.no_slowdown.Add({1, 1});
  config.closes.Add({1, 2});
  config.max_log = 1;
  return config;
}

// t2 makes checkpoints; the log holds one record.
Config Checkpoints() {
  Config config = WithSync(2, 2, {});
  config.checkpointers[1] = true;
  config.max_log = 1;
  return config;
}

// t2 closes.
Config Closes() {
  Config config = WithSync(2, 1, {});
  config.closes.Add({1, 1});
  config.memtable_errors = true;
  return config;
}

ApplyFunction MutantNamed(std::string_view name) {
  for (const Mutant& mutant : kMutants) {
    if (mutant.name == name) return mutant.apply;
  }
  ADD_FAILURE() << "no mutant " << name;
  return Apply;
}

TEST(Explorer, FindsEveryState) {
  struct Expected {
    Mode mode;
    Config config;
    uint64_t distinct, depth;
  };
  for (const Expected& expected :
       {Expected{Mode::kSerial, WithSync(2, 1, {}), 124, 19},
        Expected{Mode::kSerial, WithSync(3, 1, {}), 2294, 28},
        Expected{Mode::kSerial, WithSync(3, 1, {{1, 1}}), 2104, 29},
        Expected{Mode::kParallel, WithSync(3, 1, {}), 3974, 31},
        Expected{Mode::kPipelined, WithSync(3, 1, {}), 14294, 54},
        Expected{Mode::kPipelinedParallel, WithSync(3, 1, {}), 20258, 55},
        Expected{Mode::kTwoQueues, LastPrepares(), 3122, 29},
        Expected{Mode::kTwoQueuesParallel, LastPrepares(), 4210, 31},
        Expected{Mode::kSerial, StallClose(), 451, 39},
        Expected{Mode::kPipelined, Checkpoints(), 729, 57}}) {
    Explorer explorer(InMode(expected.mode, expected.config));
    EXPECT_EQ(Search(explorer), Outcome::kComplete);
    EXPECT_EQ(explorer.distinct(), expected.distinct);
    EXPECT_EQ(explorer.depth(), expected.depth);
  }
}

// Searches all of `config`, and adds how often each action was taken.
void AddTaken(const Config& config, std::vector<uint64_t>* taken) {
  Explorer explorer(config);
  EXPECT_EQ(Search(explorer), Outcome::kComplete) << explorer.violated();
  for (size_t i = 0; i < taken->size(); i++) (*taken)[i] += explorer.taken()[i];
}

// In one mode or another: three writers, so that one can be between two others, with every option.
TEST(Explorer, EveryActionIsTaken) {
  std::vector<uint64_t> taken(kActions.size(), 0);
  Config pre_release = WithSync(2, 1, {});
  pre_release.pre_release_fails.Add({1, 1});
  AddTaken(pre_release, &taken);
  AddTaken(Checkpoints(), &taken);
  Config stall_close = InMode(Mode::kPipelined, StallClose());
  stall_close.wal_errors = true;
  AddTaken(stall_close, &taken);
  for (const ModeInfo& mode : kModes) {
    Config config = InMode(mode.mode, WithSync(3, 1, {{1, 1}}));
    config.wal_errors = true;
    config.memtable_errors = true;
    config.callback_fails.Add({0, 1});
    if (config.TwoQueues()) config.disable_memtable.Add({2, 1});
    for (const uint8_t stride_threshold : {uint8_t{2}, uint8_t{20}}) {
      config.stride_threshold = stride_threshold;
      AddTaken(config, &taken);
    }
  }
  for (const ActionInfo& info : kActions) {
    EXPECT_GT(taken[static_cast<size_t>(info.action)], 0u) << info.name;
  }
}

TEST(Explorer, EdgesAreTheStepsTaken) {
  Explorer explorer(WithSync(2, 2, {}));
  ASSERT_EQ(Search(explorer), Outcome::kComplete);
  uint64_t edges = 0;
  explorer.ForEachEdge([&](const Edge& edge) {
    edges++;
    ASSERT_LT(edge.target, explorer.distinct());
    State next = explorer.state(edge.source);
    ASSERT_TRUE(Apply(WithSync(2, 2, {}), edge.step.action, edge.step.thread, &next));
    ASSERT_EQ(next, explorer.state(edge.target));
  });
  EXPECT_EQ(edges + 1, explorer.generated());
}

TEST(Explorer, ALimitIsNotAPass) {
  Explorer explorer(WithSync(3, 1, {}));
  EXPECT_EQ(Search(explorer, 100), Outcome::kLimit);
  EXPECT_GT(explorer.distinct(), 100u);
}

TEST(Explorer, NamesWhatAMutantViolates) {
  struct Expected {
    std::string_view mutant;
    Config config;
    Outcome outcome;
    std::string_view violated;
  };
  const Config sync = WithSync(2, 1, {{1, 1}});
  for (const Expected& expected :
       {Expected{"lost_hand_off", sync, Outcome::kDeadlock, "deadlock"},
        Expected{"lost_sync", sync, Outcome::kViolation, "INV_ACK"},
        Expected{"publish_back", sync, Outcome::kViolation, "INV_PUBLISH_MONOTONE"},
        Expected{"stall_ignores_relief", StallClose(), Outcome::kDeadlock, "deadlock"},
        Expected{"close_does_not_wait", InMode(Mode::kPipelined, Closes()), Outcome::kViolation,
                 "INV_ACK"}}) {
    Explorer explorer(expected.config, MutantNamed(expected.mutant));
    EXPECT_EQ(Search(explorer), expected.outcome) << expected.mutant;
    EXPECT_EQ(explorer.violated(), expected.violated);
  }
}

TEST(Explorer, ACounterexampleIsABehaviour) {
  const Config config = WithSync(2, 1, {{1, 1}});
  const ApplyFunction mutant = MutantNamed("publish_back");
  Explorer explorer(config, mutant);
  ASSERT_EQ(Search(explorer), Outcome::kViolation);
  ASSERT_FALSE(explorer.counterexample().empty());
  State s = Initial(config);
  for (const Edge& edge : explorer.counterexample()) {
    ASSERT_EQ(s, explorer.state(edge.source));
    ASSERT_TRUE(mutant(config, edge.step.action, edge.step.thread, &s));
    ASSERT_EQ(s, explorer.state(edge.target));
  }
  EXPECT_EQ(explorer.counterexample().back().step.action, Action::Write_Return);
}

// Close holds in every mode, beside errors of the memtable.
TEST(Explorer, CloseInEveryMode) {
  for (const ModeInfo& mode : kModes) {
    for (Config config : {InMode(mode.mode, Closes()), InMode(mode.mode, StallClose())}) {
      config.wal_errors = true;
      Explorer explorer(config);
      EXPECT_EQ(Search(explorer), Outcome::kComplete) << mode.name << explorer.violated();
    }
  }
}

// These the properties cannot see; model_parity_test has to, mechanism by mechanism.
TEST(Explorer, SomeMutantsKeepEveryProperty) {
  Config config = WithSync(3, 1, {{1, 1}});
  config.callback_fails.Add({0, 1});
  config.disable_memtable.Add({2, 1});
  config.memtable_errors = true;
  for (const Mutant& mutant : kMutants) {
    if (mutant.violates) continue;
    for (const ModeInfo& mode : kModes) {
      for (const Config& workload : {config, StallClose(), Checkpoints()}) {
        Explorer explorer(InMode(mode.mode, workload), mutant.apply);
        EXPECT_EQ(Search(explorer), Outcome::kComplete)
            << mutant.name << " in " << mode.name << " violates " << explorer.violated();
      }
    }
  }
}

}  // namespace
}  // namespace bellwether::model
