// The model follows what it can take, stale loads included, and names what it cannot.
#include "model/lockstep.h"

#include <gtest/gtest.h>

#include <initializer_list>

#include "model/tests/behaviour.h"

namespace bellwether::model {
namespace {

// What an implementation shows that is in `s`, right after thread t has taken `action`.
Observed Shown(const State& before, const State& s, size_t t) {
  Observed seen;
  seen.newest_writer = s.newest_writer;
  seen.last_sequence = s.last_sequence;
  seen.poisoned = s.first_error != FirstError::kOK;
  seen.state = s.state;
  seen.sequence = s.sequence;
  seen.status = s.status;
  seen.loaded = before.newest_writer;
  seen.writer = before.cursor[t].null() ? before.last_writer[t] : before.cursor[t];
  return seen;
}

class LockstepTest : public testing::Test {
 protected:
  std::string_view Follow(Action action, size_t t) {
    State next = state_;
    EXPECT_TRUE(Apply(config_, action, t, &next)) << ActionName(action);
    const std::string_view wrong = lockstep_.Take(action, t, Shown(state_, next, t));
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
  EXPECT_EQ(lockstep_.Take(Action::JoinBatchGroup, 0, Shown(state_, state_, 0)), "not enabled");
  EXPECT_EQ(lockstep_.state(), state_);
}

TEST_F(LockstepTest, RejectsTheActionOfAnotherThread) {
  FollowAll({{0, Action::Write}});
  EXPECT_EQ(lockstep_.Take(Action::LinkOne, 1, Shown(state_, state_, 1)), "not enabled");
}

TEST_F(LockstepTest, NamesTheVariableThatDiffers) {
  FollowAll({{0, Action::Write}});
  State next = state_;
  ASSERT_TRUE(Apply(config_, Action::LinkOne, 0, &next));
  const Observed right = Shown(state_, next, 0);
  const auto take = [&](auto&& change) {
    Observed wrong = right;
    change(wrong);
    return Lockstep(lockstep_).Take(Action::LinkOne, 0, wrong);
  };
  EXPECT_EQ(take([](Observed& seen) { seen.newest_writer = Pointer(1, 1); }), "newest_writer");
  EXPECT_EQ(take([](Observed& seen) { seen.last_sequence = 1; }), "last_sequence");
  EXPECT_EQ(take([](Observed& seen) { seen.poisoned = true; }), "first_error");
  EXPECT_EQ(take([](Observed& seen) { seen.state[0] = STATE_COMPLETED; }), "state");
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
  Observed seen = Shown(state_, next, 0);
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
  Observed seen = Shown(state_, next, 0);
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
    seen_ = Shown(state_, state_, 0);
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

}  // namespace
}  // namespace bellwether::model
