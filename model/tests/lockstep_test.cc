// The model follows what it can take, stale loads included, and names what it cannot.
#include "model/lockstep.h"

#include <gtest/gtest.h>

#include <initializer_list>
#include <random>
#include <vector>

#include "model/tests/behaviour.h"

namespace bellwether::model {
namespace {

bool LoadsTheMemTableTail(Action action) {
  return action == Action::EnterAsMemTableWriter || action == Action::ExitAsMemTableWriter ||
         action == Action::WaitForMemTableWriters;
}

// What an implementation shows that takes `action` by thread t from `before` to `s`.
Observed Shown(const Config& config, const State& before, const State& s, Action action, size_t t) {
  Observed seen;
  seen.newest_writer = s.newest_writer;
  seen.newest_memtable_writer = s.newest_memtable_writer;
  seen.newest_nonmem_writer = s.newest_nonmem_writer;
  seen.allocated_sequence = s.allocated_sequence;
  seen.last_sequence = s.last_sequence;
  seen.poisoned = Poisoned(s);
  seen.state = s.state;
  seen.sequence = s.sequence;
  seen.status = s.status;
  if (action == Action::Write_Return && !config.Unbatched(Me(before, t))) {
    seen.sequence[t] = before.sequence[t];
    seen.status[t] = s.outcome[t].last().status;
  }
  seen.loads = true;
  State loaded = before;
  seen.loaded =
      LoadsTheMemTableTail(action) ? before.newest_memtable_writer : Tail(config, t, &loaded);
  seen.loaded_poisoned = Poisoned(before);
  seen.stalls = LogTooLarge(config, before) && before.relief == 0;
  seen.writer = WriterOf(config, before, action, t);
  if (s.write_group[t].null()) return seen;
  seen.last_writer = s.last_writer[Frame(s, t)];
  seen.group_size = s.group_size[Frame(s, t)];
  seen.running = s.running[Frame(s, t)];
  return seen;
}

class LockstepTest : public testing::Test {
 protected:
  std::string_view Follow(Action action, size_t t) {
    State next = state_;
    EXPECT_TRUE(Apply(config_, action, t, &next)) << ActionName(action);
    const std::string_view wrong =
        lockstep_.Take(action, t, Shown(config_, state_, next, action, t));
    if (wrong.empty()) state_ = next;
    return wrong;
  }

  void FollowAll(std::initializer_list<TestStep> steps) {
    for (const TestStep& step : steps) EXPECT_EQ(Follow(step.action, step.thread), "");
  }

  const Config config_;
  Lockstep lockstep_{config_};
  State state_;
};

TEST_F(LockstepTest, FollowsTheModel) {
  FollowAll({{0, Action::Write}, {0, Action::LinkOne}, {0, Action::JoinBatchGroup}});
  EXPECT_EQ(lockstep_.state(), state_);
  EXPECT_EQ(lockstep_.history().size, 3);
}

TEST_F(LockstepTest, RejectsAnActionThatIsNotEnabled) {
  FollowAll({{0, Action::Write}});
  EXPECT_EQ(lockstep_.Take(Action::JoinBatchGroup, 0, {}), "not enabled");
  EXPECT_EQ(lockstep_.state(), state_);
}

TEST_F(LockstepTest, RejectsTheActionOfAnotherThread) {
  FollowAll({{0, Action::Write}});
  EXPECT_EQ(lockstep_.Take(Action::LinkOne, 1, {}), "not enabled");
}

TEST_F(LockstepTest, NamesTheVariableThatDiffers) {
  FollowAll({{0, Action::Write}});
  State next = state_;
  ASSERT_TRUE(Apply(config_, Action::LinkOne, 0, &next));
  const Observed right = Shown(config_, state_, next, Action::LinkOne, 0);
  const auto take = [&](auto&& change) {
    Observed wrong = right;
    change(wrong);
    return Lockstep(lockstep_).Take(Action::LinkOne, 0, wrong);
  };
  EXPECT_EQ(take([](Observed& seen) { seen.newest_writer = Pointer(1, 1); }), "newest_writer");
  EXPECT_EQ(take([](Observed& seen) { seen.newest_memtable_writer = Pointer(0, 1); }),
            "newest_memtable_writer");
  EXPECT_EQ(take([](Observed& seen) { seen.newest_nonmem_writer = Pointer(0, 1); }),
            "newest_nonmem_writer");
  EXPECT_EQ(take([](Observed& seen) { seen.allocated_sequence = 1; }), "allocated_sequence");
  EXPECT_EQ(take([](Observed& seen) { seen.last_sequence = 1; }), "last_sequence");
  EXPECT_EQ(take([](Observed& seen) { seen.poisoned = true; }), "first_error");
  EXPECT_EQ(take([](Observed& seen) { seen.state[0] = STATE_COMPLETED; }), "state");
  EXPECT_EQ(take([](Observed& seen) { seen.blocked[0] = true; }), "state");
  EXPECT_EQ(take([](Observed& seen) { seen.sequence[0] = 7; }), "sequence");
  EXPECT_EQ(take([](Observed&) {}), "");
}

TEST_F(LockstepTest, NamesTheWriterThatDiffers) {
  FollowAll({{0, Action::Write},
             {0, Action::LinkOne},
             {0, Action::JoinBatchGroup},
             {0, Action::EnterAsBatchGroupLeader},
             {0, Action::WriteToWAL}});
  State next = state_;
  ASSERT_TRUE(Apply(config_, Action::InsertInto, 0, &next));
  Observed seen = Shown(config_, state_, next, Action::InsertInto, 0);
  seen.writer = Pointer(1, 1);
  EXPECT_EQ(lockstep_.Take(Action::InsertInto, 0, seen), "the Writer of the action");
}

TEST_F(LockstepTest, NamesTheResultThatDiffers) {
  State next = RunUntil(config_, Join(config_, state_, 0), 0, Action::Write_Return);
  FollowAll({{0, Action::Write},
             {0, Action::LinkOne},
             {0, Action::JoinBatchGroup},
             {0, Action::EnterAsBatchGroupLeader},
             {0, Action::WriteToWAL},
             {0, Action::InsertInto},
             {0, Action::SetLastSequence},
             {0, Action::ExitAsBatchGroupLeader}});
  ASSERT_EQ(next, state_);
  ASSERT_TRUE(Apply(config_, Action::Write_Return, 0, &next));
  Observed seen = Shown(config_, state_, next, Action::Write_Return, 0);
  seen.sequence[0] = 1;
  seen.status[0] = WriteStatus::kAborted;
  EXPECT_EQ(Lockstep(lockstep_).Take(Action::Write_Return, 0, seen), "status");
  seen.status[0] = WriteStatus::kOK;
  seen.sequence[0] = 2;
  EXPECT_EQ(Lockstep(lockstep_).Take(Action::Write_Return, 0, seen), "sequence");
  seen.sequence[0] = 1;
  EXPECT_EQ(Lockstep(lockstep_).Take(Action::Write_Return, 0, seen), "");
}

// t2 links behind the leader t1, which loads the tail from before: it leads alone.
class StaleLoadTest : public LockstepTest {
 protected:
  void SetUp() override {
    FollowAll({{0, Action::Write},
               {1, Action::Write},
               {0, Action::LinkOne},
               {1, Action::LinkOne},
               {0, Action::JoinBatchGroup}});
    seen_ = Shown(config_, state_, state_, Action::EnterAsBatchGroupLeader, 0);
    seen_.loaded = Pointer(0, 1);
    seen_.last_writer = Pointer(0, 1);
    seen_.group_size = 1;
  }
  Observed seen_;
};

TEST_F(StaleLoadTest, ComesBeforeWhatItDidNotSee) {
  EXPECT_EQ(lockstep_.Take(Action::EnterAsBatchGroupLeader, 0, seen_), "");
  EXPECT_EQ(lockstep_.moved(), 1u);
  // t1's own JoinBatchGroup still precedes it, and t2's LinkOne follows.
  const History& history = lockstep_.history();
  ASSERT_EQ(history.size, 6);
  EXPECT_EQ(history[3], (Taken{Action::JoinBatchGroup, 0}));
  EXPECT_EQ(history[4], (Taken{Action::EnterAsBatchGroupLeader, 0}));
  EXPECT_EQ(history[5], (Taken{Action::LinkOne, 1}));
  EXPECT_EQ(lockstep_.state().newest_writer, Pointer(1, 1));
}

TEST_F(StaleLoadTest, OfAGroupThatItCannotHaveSeenIsRejected) {
  seen_.group_size = 2;
  EXPECT_EQ(lockstep_.Take(Action::EnterAsBatchGroupLeader, 0, seen_),
            "newest_writer, as it was loaded");
  EXPECT_EQ(lockstep_.history().size, 5);
}

// A tail from before its own LinkOne cannot be seen any more.
TEST_F(StaleLoadTest, FromBeforeItsOwnStepIsRejected) {
  seen_.loaded = Pointer();
  EXPECT_EQ(lockstep_.Take(Action::EnterAsBatchGroupLeader, 0, seen_),
            "newest_writer, as it was loaded");
}

Config EveryOption(Mode mode) {
  Config config;
  config.mode = mode;
  config.threads = 3;
  config.writes = 2;
  config.wal_errors = true;
  config.memtable_errors = true;
  config.SetSync({1, 1});
  config.callback_fails.Add({2, 1});
  config.disable_memtable.Add({0, 2});
  return config;
}

// Two calls of Close by t4, which end the stalls of the others.
Config WithStalls(Mode mode) {
  Config config = EveryOption(mode);
  config.threads = 4;
  config.max_log = 1;
  config.closes.Add({3, 1});
  config.closes.Add({3, 2});
  config.no_slowdown.Add({0, 1});
  config.no_slowdown.Add({1, 2});
  config.disable_wal.Add({2, 2});
  config.pre_release_fails.Add({1, 2});
  return config;
}

struct Behaviour {
  std::vector<TestStep> steps;
  std::vector<State> states;  // one more than steps
};

// Some thread takes some step, until none can: a behaviour for each seed.
Behaviour Random(const Config& config, unsigned seed) {
  Behaviour behaviour;
  State s = Initial(config);
  behaviour.states.push_back(s);
  std::minstd_rand random(seed + 1);
  for (;;) {
    std::vector<TestStep> enabled;
    for (const size_t t : Frames(config)) {
      for (const ActionInfo& info : kActions) {
        if (Enabled(config, s, info.action, t)) enabled.push_back({t, info.action});
      }
    }
    if (enabled.empty()) return behaviour;
    const TestStep step = enabled[random() % enabled.size()];
    Apply(config, step.action, step.thread, &s);
    behaviour.steps.push_back(step);
    behaviour.states.push_back(s);
  }
}

void FollowBehaviours(const Config& config) {
  for (unsigned seed = 0; seed < 100; seed++) {
    const Behaviour behaviour = Random(config, seed);
    Lockstep lockstep(config);
    for (size_t i = 0; i < behaviour.steps.size(); i++) {
      const TestStep step = behaviour.steps[i];
      const Observed seen =
          Shown(config, behaviour.states[i], behaviour.states[i + 1], step.action, step.thread);
      ASSERT_EQ(lockstep.Take(step.action, step.thread, seen), "")
          << "seed " << seed << ", step " << i << " " << ActionName(step.action);
    }
    EXPECT_EQ(lockstep.state(), behaviour.states.back());
    EXPECT_EQ(lockstep.moved(), 0u);
    EXPECT_TRUE(IsFinal(config, lockstep.state()));
  }
}

TEST(LockstepOfEveryMode, FollowsWholeBehaviours) {
  for (const ModeInfo& mode : kModes) {
    SCOPED_TRACE(mode.name);
    FollowBehaviours(EveryOption(mode.mode));
    FollowBehaviours(WithStalls(mode.mode));
  }
}

// t3 leads, behind a record that makes the log too large; t4 is about to close.
class StallTest : public testing::Test {
 protected:
  void SetUp() override {
    Follow(1, Action::Write);
    while (InFlight(state_, 1)) Follow(1, state_.pc[1]);
    for (const Action action : {Action::Write, Action::LinkOne, Action::JoinBatchGroup}) {
      Follow(2, action);
    }
    Follow(3, Action::Write);
  }

  void Follow(size_t t, Action action) {
    const State before = state_;
    ASSERT_TRUE(Apply(config_, action, t, &state_)) << ActionName(action);
    ASSERT_EQ(lockstep_.Take(action, t, Shown(config_, before, state_, action, t)), "");
  }

  std::string_view Preprocess(bool stalls) {
    State next = state_;
    EXPECT_TRUE(Apply(config_, Action::PreprocessWrite, 2, &next));
    Observed seen = Shown(config_, state_, next, Action::PreprocessWrite, 2);
    seen.stalls = stalls;
    return lockstep_.Take(Action::PreprocessWrite, 2, seen);
  }

  const Config config_ = WithStalls(Mode::kSerial);
  Lockstep lockstep_{config_};
  State state_;
};

TEST_F(StallTest, ALookFromBeforeTheReliefComesBeforeIt) {
  Follow(3, Action::RunUnbatched);
  EXPECT_EQ(Preprocess(true), "");
  EXPECT_EQ(lockstep_.moved(), 1u);
  EXPECT_EQ(lockstep_.history().last(), (Taken{Action::RunUnbatched, 3}));
}

TEST_F(StallTest, ReliefThatNobodyGaveIsRejected) {
  EXPECT_EQ(Preprocess(false), "whether it stalls");
}

TEST_F(StallTest, AnActionThatIsNotToldHasToBeEnabled) {
  EXPECT_FALSE(lockstep_.TakeUntold(Action::Close, 3));
  EXPECT_TRUE(lockstep_.TakeUntold(Action::RunUnbatched, 3));
  EXPECT_EQ(lockstep_.state().relief, 1);
}

// A writer that blocks while it waits shows STATE_LOCKED_WAITING in place of what it was.
TEST(LockstepOfEveryMode, ABlockedWriterIsOneThatWaits) {
  const Config config = EveryOption(Mode::kPipelinedParallel);
  size_t blocked = 0;
  for (unsigned seed = 0; seed < 20; seed++) {
    const Behaviour behaviour = Random(config, seed);
    Lockstep lockstep(config);
    for (size_t i = 0; i < behaviour.steps.size(); i++) {
      const TestStep step = behaviour.steps[i];
      const State& next = behaviour.states[i + 1];
      Observed seen = Shown(config, behaviour.states[i], next, step.action, step.thread);
      for (size_t u = 0; u < config.threads; u++) {
        bool stuck = InFlight(next, u);
        for (const ActionInfo& info : kActions)
          stuck = stuck && !Enabled(config, next, info.action, u);
        seen.blocked[u] = stuck;
        blocked += stuck;
        if (stuck) seen.state[u] = STATE_COMPLETED;  // not looked at
      }
      ASSERT_EQ(lockstep.Take(step.action, step.thread, seen), "");
    }
  }
  EXPECT_GT(blocked, 0u);
}

TEST(LockstepOfEveryMode, NamesWhatDiffersInTheGroup) {
  Config config;
  config.mode = Mode::kParallel;
  Lockstep lockstep(config);
  for (const TestStep step : {TestStep{0, Action::Write},
                              {0, Action::LinkOne},
                              {0, Action::JoinBatchGroup},
                              {1, Action::Write},
                              {1, Action::LinkOne},
                              {0, Action::EnterAsBatchGroupLeader},
                              {0, Action::WriteToWAL}}) {
    Observed seen;
    State next = lockstep.state();
    ASSERT_TRUE(Apply(config, step.action, step.thread, &next));
    seen = Shown(config, lockstep.state(), next, step.action, step.thread);
    ASSERT_EQ(lockstep.Take(step.action, step.thread, seen), "");
  }
  State next = lockstep.state();
  ASSERT_TRUE(Apply(config, Action::LaunchParallelMemTableWriters, 0, &next));
  const Observed right =
      Shown(config, lockstep.state(), next, Action::LaunchParallelMemTableWriters, 0);
  const auto take = [&](auto&& change) {
    Observed wrong = right;
    change(wrong);
    return Lockstep(lockstep).Take(Action::LaunchParallelMemTableWriters, 0, wrong);
  };
  EXPECT_EQ(take([](Observed& seen) { seen.running = 1; }), "running");
  EXPECT_EQ(take([](Observed& seen) { seen.group_size = 1; }), "group_size");
  EXPECT_EQ(take([](Observed& seen) { seen.last_writer = Pointer(0, 1); }), "last_writer");
  EXPECT_EQ(take([](Observed&) {}), "");
}

// t1's group poisoned the path after t2 began to log; t2 saw no error yet.
TEST(LockstepOfEveryMode, AStaleLookAtFirstErrorComesBeforeThePoison) {
  Config config;
  config.mode = Mode::kPipelined;
  config.memtable_errors = true;
  config.max_group = 1;
  Lockstep lockstep(config);
  const auto take = [&](size_t t, Action action) {
    State next = lockstep.state();
    EXPECT_TRUE(Apply(config, action, t, &next)) << ActionName(action);
    const Observed seen = Shown(config, lockstep.state(), next, action, t);
    EXPECT_EQ(lockstep.Take(action, t, seen), "") << ActionName(action);
  };
  const auto run_until = [&](size_t t, Action until) {
    while (lockstep.state().pc[t] != until) take(t, lockstep.state().pc[t]);
  };
  take(0, Action::Write);
  run_until(0, Action::InsertInto);
  take(1, Action::Write);
  run_until(1, Action::WriteToWAL_FirstError);
  take(0, Action::MemTableError);
  run_until(0, Action::ExitAsMemTableWriter);
  ASSERT_TRUE(Poisoned(lockstep.state()));

  State next = lockstep.state();
  next.pc[1] = Action::WriteToWAL;
  Observed seen = Shown(config, lockstep.state(), next, Action::WriteToWAL_FirstError, 1);
  seen.loaded_poisoned = false;
  EXPECT_EQ(lockstep.Take(Action::WriteToWAL_FirstError, 1, seen), "");
  EXPECT_EQ(lockstep.moved(), 1u);
  EXPECT_EQ(lockstep.state(), next);
  EXPECT_EQ(lockstep.history()[lockstep.history().size - 1u], (Taken{Action::Poison, 0}));
}

}  // namespace
}  // namespace bellwether::model
