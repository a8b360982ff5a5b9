// Each property holds of a behaviour and is violated by a state, or a step, made to violate it.

#include "model/properties.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <set>
#include <string>
#include <vector>

#include "model/tests/behaviour.h"

namespace bellwether::model {
namespace {

using ::testing::Contains;
using ::testing::IsEmpty;

Config ThreeThreads() {
  Config config;
  config.threads = 3;
  config.batch_count = 2;
  config.wal_errors = true;
  config.SetSync({1, 1});
  return config;
}

// t1 leads, t2 (sync) and t3 are queued behind it; t1 has taken t3 into its group and not yet put
// t2 behind it.
State Collected() {
  const Config config = ThreeThreads();
  State s = Initial(config);
  for (size_t t = 0; t < 3; t++) s = Join(config, s, t);
  return Take(config, s, {{0, Action::EnterAsBatchGroupLeader}});
}

State Grafted() {
  return Take(ThreeThreads(), Collected(), {{0, Action::EnterAsBatchGroupLeader_Graft}});
}

// The log has t1 and t3; nothing of it is in the memtable.
State Logged() { return Take(ThreeThreads(), Grafted(), {{0, Action::WriteToWAL}}); }

State Published() { return RunUntil(ThreeThreads(), Logged(), 0, Action::ExitAsBatchGroupLeader); }

// t1 has returned, t3 is completed and has not; t2 leads.
State HandedOver() { return RunUntil(ThreeThreads(), Published(), 0, Action::Write); }

// Every write has returned.
State Over() {
  const Config config = ThreeThreads();
  State s = RunUntil(config, HandedOver(), 1, Action::Write);
  return RunUntil(config, s, 2, Action::Write);
}

// The callback of t3 fails.
Config Pipelined() {
  Config config;
  config.mode = Mode::kPipelined;
  config.threads = 3;
  config.callback_fails.Add({2, 1});
  return config;
}

// The group of t1 and t2 stands in the memtable queue, which t1 leads; t3 is completed.
State InMemTableQueue() {
  const Config config = Pipelined();
  State s = Initial(config);
  for (size_t t = 0; t < 3; t++) s = Join(config, s, t);
  return RunUntil(config, s, 0, Action::EnterAsMemTableWriter_FirstError);
}

// t1 has published; t2 is about to be completed.
State MemTableGroupLeaves() {
  return RunUntil(Pipelined(), InMemTableQueue(), 0, Action::ExitAsMemTableWriter_CompleteWriter);
}

State PipelinedOver() {
  const Config config = Pipelined();
  State s = InMemTableQueue();
  for (size_t t = 0; t < 3; t++) s = RunUntil(config, s, t, Action::Write);
  return s;
}

std::vector<std::string> Violated(const Config& config, const State& s) {
  std::vector<std::string> names;
  for (const Property& property : Properties()) {
    if (!property.holds(config, s)) names.emplace_back(property.name);
  }
  return names;
}

struct Violation {
  std::string property;
  std::string what;
  std::function<State()> from;
  std::function<void(State*)> make;
  Config config = ThreeThreads();
};

std::vector<Violation> QueueViolations() {
  return {
      {"INV_LEADER", "a queued writer leads too", Logged,
       [](State* s) { s->state[1] = STATE_GROUP_LEADER; }},
      {"INV_LEADER", "a second writer found the queue empty", Logged,
       [](State* s) { s->pc[1] = Action::JoinBatchGroup; }},
      {"INV_GROUP", "a writer with sync in the group of one without", Logged,
       [](State* s) {
         s->link_newer[0] = {1, 1};
         s->last_writer[0] = {1, 1};
         s->write_group[1] = {0, 1};
       }},
      {"INV_GROUP", "the size is not that of the group", Logged,
       [](State* s) { s->group_size[0] = 3; }},
      {"INV_GROUP", "the group is not in queue order", Logged,
       [](State* s) { std::swap(s->arrival.items[0], s->arrival.items[2]); }},
      {"INV_GROUP", "a member does not know its group", Logged,
       [](State* s) { s->write_group[2] = Pointer(); }},
      {"INV_GROUP", "the links end before last_writer", Logged,
       [](State* s) { s->link_newer[0] = Pointer(); }},
      {"INV_GROUP", "a writer in two groups",
       [] {
         return RunUntil(ThreeThreads(), Published(), 0,
                         Action::ExitAsBatchGroupLeader_CompleteFollower);
       },
       [](State* s) {
         s->write_group[2] = {1, 1};
       }},
      {"INV_GROUP", "a waiting writer is not in the queue", Grafted,
       [](State* s) { s->newest_writer = Pointer(); }},
      {"INV_GROUP", "the next leader is not the oldest who waits",
       [] {
         return RunUntil(ThreeThreads(), Published(), 0, Action::ExitAsBatchGroupLeader_SetState);
       },
       [](State* s) {
         s->cursor[0] = {2, 1};
       }},
      {"INV_LIFETIME", "a dead Writer was dereferenced", Logged,
       [](State* s) { s->lifetime_ok = false; }},
      {"INV_QUIET", "a Writer is left in the queue", Over,
       [](State* s) {
         s->newest_writer = {0, 1};
       }},
      {"INV_QUIET", "a write is not published", Over, [](State* s) { s->last_sequence = 4; }},
  };
}

std::vector<Violation> PathViolations() {
  return {
      {"INV_SEQUENCE", "a hole in the log", Over,
       [](State* s) { s->log.items[1].first_sequence++; }},
      {"INV_SEQUENCE", "a write is logged twice", Over,
       [](State* s) {
         s->log.items[1].writers.items[0] = {0, 1};
       }},
      {"INV_SEQUENCE", "a batch in the memtable under another sequence", Over,
       [](State* s) { s->memtable[2][0] = 1; }},
      {"INV_PUBLISH", "published before it was inserted", Logged,
       [](State* s) { s->last_sequence = 4; }},
      {"INV_PUBLISH", "published beyond the log", Over, [](State* s) { s->last_sequence = 9; }},
      {"INV_ATOMIC", "half a batch is published", Published,
       [](State* s) { s->last_sequence = 3; }},
      {"INV_ACK", "acknowledged and not synced", Over, [](State* s) { s->synced = 1; }},
      {"INV_ACK", "acknowledged and not inserted", Over, [](State* s) { s->memtable[0][0] = 0; }},
      {"INV_ACK", "acknowledged under another sequence", Over,
       [](State* s) { s->outcome[2].items[0].sequence = 1; }},
      {"INV_STATUS", "a failed write is acknowledged", Over, [](State* s) { s->failed[0] = 1; }},
      {"INV_STATUS", "a write fails that met no error", Over,
       [](State* s) { s->outcome[0].items[0].status = WriteStatus::kUnknownOutcome; }},
      {"INV_STATUS", "a logged write is called refused", Over,
       [](State* s) {
         s->first_error = FirstError::kWalError;
         s->outcome[0].items[0].status = WriteStatus::kAborted;
       }},
  };
}

std::vector<Violation> PipelinedViolations() {
  std::vector<Violation> all = {
      {"INV_LEADER", "two lead the memtable queue", InMemTableQueue,
       [](State* s) { s->state[1] = STATE_MEMTABLE_WRITER_LEADER; }},
      {"INV_GROUP", "the size is not that of the memtable group", InMemTableQueue,
       [](State* s) { s->group_size[0] = 3; }},
      {"INV_GROUP", "who inserts nothing is in a memtable group", InMemTableQueue,
       [](State* s) {
         s->link_newer[1] = {2, 1};
         s->last_writer[0] = {2, 1};
         s->group_size[0] = 3;
         s->write_group[2] = {0, 1};
       }},
      {"INV_GROUP", "a writer in two memtable groups", MemTableGroupLeaves,
       [](State* s) { s->write_group[1] = Pointer(); }},
      {"INV_SEQUENCE", "the memtable queue is not in the order of the log", InMemTableQueue,
       [](State* s) { std::swap(s->sequence[0], s->sequence[1]); }},
      {"INV_STATUS", "a failed callback is not reported", PipelinedOver,
       [](State* s) { s->outcome[2].items[0].status = WriteStatus::kOK; }},
      {"INV_STATUS", "a callback is called failed that was not", PipelinedOver,
       [](State* s) { s->outcome[0].items[0].status = WriteStatus::kCallbackFailed; }},
      {"INV_STATUS", "a write whose callback failed is logged", PipelinedOver,
       [](State* s) {
         s->log.Append({3, {}});
         s->log.items[1].writers.Append({2, 1});
       }},
      {"INV_QUIET", "a Writer is left in the memtable queue", PipelinedOver,
       [](State* s) {
         s->newest_memtable_writer = {0, 1};
       }},
  };
  for (Violation& violation : all) violation.config = Pipelined();
  return all;
}

// t1 prepares, t2 writes, then t1 commits.
Config TwoQueues() {
  Config config;
  config.mode = Mode::kTwoQueues;
  config.writes = 2;
  config.disable_memtable.Add({0, 1});
  config.commits.Add({0, 2});
  return config;
}

// t1's prepare and t2's write lead a queue each; t2 has locked the log.
State TwoLead() {
  const Config config = TwoQueues();
  State s = Join(config, Join(config, Initial(config), 0), 1);
  s = RunUntil(config, s, 0, Action::WriteToWAL_FirstError);
  return RunUntil(config, s, 1, Action::WriteToWAL);
}

// Prepare, write and commit are logged, in this order, and returned.
State Committed() {
  const Config config = TwoQueues();
  State s = RunUntil(config, Join(config, Initial(config), 0), 0, Action::Write);
  s = RunUntil(config, Join(config, s, 1), 1, Action::Write);
  return RunUntil(config, Join(config, s, 0), 0, Action::Write);
}

std::vector<Violation> TwoQueuesViolations() {
  std::vector<Violation> all = {
      {"INV_LEADER", "two lead the main queue", TwoLead,
       [](State* s) {
         s->pc[0] = Action::JoinBatchGroup;
         s->incarnation[0] = 2;
       }},
      {"INV_GROUP", "who waits in the other queue is not in it", TwoLead,
       [](State* s) {
         s->pc[0] = Action::JoinBatchGroup_AwaitState;
         s->state[0] = STATE_INIT;
         s->write_group[0] = Pointer();
         s->newest_nonmem_writer = Pointer();
       }},
      {"INV_SEQUENCE", "more is allocated than logged", Committed,
       [](State* s) { s->allocated_sequence++; }},
      {"INV_SEQUENCE", "a commit stands before its prepare", Committed,
       [](State* s) {
         s->log.items[0].writers.items[0] = {0, 2};
         s->log.items[2].writers.items[0] = {0, 1};
       }},
      {"INV_QUIET", "the log stays locked", Committed, [](State* s) { s->log_mutex = 1; }},
      {"INV_QUIET", "a Writer is left in the other queue", Committed,
       [](State* s) {
         s->newest_nonmem_writer = {0, 1};
       }},
  };
  for (Violation& violation : all) violation.config = TwoQueues();
  return all;
}

// As they stand, t1 and t3 are a group.
std::vector<Violation> OptionViolations() {
  Violation no_wal{"INV_GROUP", "a writer with disable_wal in the group of one without", Logged,
                   [](State*) {}};
  no_wal.config.disable_wal.Add({2, 1});
  Violation no_slowdown{"INV_GROUP", "a writer with no_slowdown in the group of one without",
                        Logged, [](State*) {}};
  no_slowdown.config.no_slowdown.Add({2, 1});
  Violation pre_release{"INV_STATUS", "a write whose pre-release callback failed is acknowledged",
                        Over, [](State*) {}};
  pre_release.config.pre_release_fails.Add({1, 1});
  return {no_wal, no_slowdown, pre_release};
}

// t1 writes, t2 closes; t1 may stall.
Config Closing() {
  Config config;
  config.mode = Mode::kTwoQueues;
  config.closes.Add({1, 1});
  config.no_slowdown.Add({0, 1});
  config.max_log = 1;
  return config;
}

// t2 leads all queues; t1 waits.
State LeadsAllQueues() {
  const Config config = Closing();
  State s = Take(config, Initial(config), {{1, Action::Write}, {1, Action::RunUnbatched}});
  s = RunUntil(config, s, 1, Action::Close);
  return Join(config, RunUntil(config, s, kSecondPlace, Action::ExitUnbatched), 0);
}

// t1 has written, then t2 closed.
State Closed() {
  const Config config = Closing();
  State s = RunUntil(config, Join(config, Initial(config), 0), 0, Action::Write);
  s = Take(config, s, {{1, Action::Write}});
  s = RunUntil(config, s, 1, Action::Close);
  s = RunUntil(config, s, kSecondPlace, Action::ExitUnbatched);
  s = RunUntil(config, Take(config, s, {{1, Action::Close}}), kSecondPlace, Action::Write);
  return RunUntil(config, s, 1, Action::Write);
}

std::vector<Violation> UnbatchedViolations() {
  std::vector<Violation> all = {
      {"INV_LEADER", "a write leads beside an unbatched call", LeadsAllQueues,
       [](State* s) { s->state[0] = STATE_GROUP_LEADER; }},
      {"INV_GROUP", "who waits behind an unbatched call is not in the queue", LeadsAllQueues,
       [](State* s) {
         s->newest_writer = {1, 1};
       }},
      {"INV_GROUP", "who waits behind a stall is not in the queue", LeadsAllQueues,
       [](State* s) {
         s->newest_writer = kStallDummy;
         s->link_older[kStallPlace] = {1, 1};
       }},
      {"INV_ACK", "closed and not durable", Closed, [](State* s) { s->synced = 0; }},
      {"INV_ACK", "closed, and poisoned by something else", Closed,
       [](State* s) { s->first_error = FirstError::kWalError; }},
      {"INV_STATUS", "a logged write is called incomplete", Closed,
       [](State* s) { s->outcome[0].items[0].status = WriteStatus::kIncomplete; }},
      {"INV_QUIET", "a stall is still relieved", Closed, [](State* s) { s->relief = 1; }},
      {"INV_QUIET", "closed, and not all is published", Closed,
       [](State* s) { s->last_sequence = 0; }},
  };
  for (Violation& violation : all) violation.config = Closing();
  Violation impatient{"INV_STATUS", "a write without no_slowdown is called incomplete", Over,
                      [](State* s) {
                        s->log = {};
                        s->outcome[0].items[0].status = WriteStatus::kIncomplete;
                      }};
  all.push_back(impatient);
  return all;
}

std::vector<Violation> AllViolations() {
  std::vector<Violation> all = QueueViolations();
  for (Violation& violation : TwoQueuesViolations()) all.push_back(std::move(violation));
  for (Violation& violation : UnbatchedViolations()) all.push_back(std::move(violation));
  for (Violation& violation : OptionViolations()) all.push_back(std::move(violation));
  for (Violation& violation : PathViolations()) all.push_back(std::move(violation));
  for (Violation& violation : PipelinedViolations()) all.push_back(std::move(violation));
  return all;
}

TEST(Properties, HoldOfABehaviour) {
  for (const auto& state : {Collected, Grafted, Logged, Published, HandedOver, Over}) {
    EXPECT_THAT(Violated(ThreeThreads(), state()), IsEmpty())
        << CanonicalText(ThreeThreads(), state());
    EXPECT_EQ(FirstViolated(ThreeThreads(), state()), "");
  }
  for (const auto& state : {InMemTableQueue, MemTableGroupLeaves, PipelinedOver}) {
    EXPECT_THAT(Violated(Pipelined(), state()), IsEmpty()) << CanonicalText(Pipelined(), state());
  }
  for (const auto& state : {LeadsAllQueues, Closed}) {
    EXPECT_THAT(Violated(Closing(), state()), IsEmpty()) << CanonicalText(Closing(), state());
  }
  for (const auto& state : {TwoLead, Committed}) {
    EXPECT_THAT(Violated(TwoQueues(), state()), IsEmpty()) << CanonicalText(TwoQueues(), state());
  }
}

TEST(Properties, EachViolationIsDetected) {
  for (const Violation& violation : AllViolations()) {
    State s = violation.from();
    violation.make(&s);
    EXPECT_THAT(Violated(violation.config, s), Contains(violation.property)) << violation.what;
    EXPECT_NE(FirstViolated(violation.config, s), "") << violation.what;
  }
}

TEST(Properties, EachHasAViolation) {
  std::set<std::string> violated;
  for (const Violation& violation : AllViolations()) violated.insert(violation.property);
  for (const Property& property : Properties()) {
    EXPECT_EQ(violated.count(std::string(property.name)), 1u) << property.name;
  }
}

TEST(StepProperties, ThePublishedSequenceDoesNotGoBack) {
  State after = Published();
  EXPECT_EQ(FirstViolated(ThreeThreads(), Logged(), after), "");
  after.last_sequence = 2;
  EXPECT_EQ(FirstViolated(ThreeThreads(), Published(), after), "INV_PUBLISH_MONOTONE");
  EXPECT_EQ(StepProperties().size(), 1u);
}

}  // namespace
}  // namespace bellwether::model
