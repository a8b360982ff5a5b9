// The text of a state is TLC's, and two states are equal exactly when their bytes are.

#include "model/state.h"

#include <gtest/gtest.h>

#include <cstring>

#include "model/action.h"
#include "model/tests/behaviour.h"

namespace bellwether::model {
namespace {

Config TwoThreads() {
  Config config;
  config.threads = 2;
  config.writes = 2;
  config.batch_count = 2;
  config.SetSync({1, 1});
  return config;
}

TEST(CanonicalText, OfTheInitialState) {
  EXPECT_EQ(CanonicalText(TwoThreads(), Initial(TwoThreads())),
            "/\\ arrival = <<>>"
            " /\\ cursor = (t1:>NULL@@t2:>NULL)"
            " /\\ failed = {}"
            " /\\ first_error = \"OK\""
            " /\\ group_leader = (t1:>NULL@@t2:>NULL)"
            " /\\ group_size = (t1:>0@@t2:>0)"
            " /\\ group_status = (t1:>\"OK\"@@t2:>\"OK\")"
            " /\\ incarnation = (t1:>0@@t2:>0)"
            " /\\ last_sequence = 0"
            " /\\ last_writer = (t1:>NULL@@t2:>NULL)"
            " /\\ lifetime_ok = TRUE"
            " /\\ link_newer = (t1:>NULL@@t2:>NULL)"
            " /\\ link_older = (t1:>NULL@@t2:>NULL)"
            " /\\ log = <<>>"
            " /\\ memtable = {}"
            " /\\ newest_memtable_writer = NULL"
            " /\\ newest_writer = NULL"
            " /\\ outcome = (t1:><<>>@@t2:><<>>)"
            " /\\ pc = (t1:>\"Write\"@@t2:>\"Write\")"
            " /\\ running = (t1:>0@@t2:>0)"
            " /\\ sequence = (t1:>0@@t2:>0)"
            " /\\ state = (t1:>\"STATE_INIT\"@@t2:>\"STATE_INIT\")"
            " /\\ status = (t1:>\"OK\"@@t2:>\"OK\")"
            " /\\ synced = 0"
            " /\\ tail_seen = (t1:>NULL@@t2:>NULL)"
            " /\\ write_group = (t1:>NULL@@t2:>NULL)");
}

// t1 returned from its first write; t2, queued behind it, was made leader and has synced; t1's
// second write waits.
TEST(CanonicalText, OfAQueueInUse) {
  const Config config = TwoThreads();
  State s = Join(config, Initial(config), 0);
  s = Join(config, s, 1);
  s = RunUntil(config, s, 0, Action::Write);
  s = Take(config, s, {{1, Action::JoinBatchGroup_AwaitState}});
  s = Join(config, s, 0);
  s = RunUntil(config, s, 1, Action::InsertInto);
  EXPECT_EQ(CanonicalText(config, s),
            "/\\ arrival = <<<<t2,1>>,<<t1,2>>>>"
            " /\\ cursor = (t1:>NULL@@t2:><<t2,1>>)"
            " /\\ failed = {}"
            " /\\ first_error = \"OK\""
            " /\\ group_leader = (t1:>NULL@@t2:><<t2,1>>)"
            " /\\ group_size = (t1:>0@@t2:>2)"
            " /\\ group_status = (t1:>\"OK\"@@t2:>\"OK\")"
            " /\\ incarnation = (t1:>2@@t2:>1)"
            " /\\ last_sequence = 2"
            " /\\ last_writer = (t1:>NULL@@t2:><<t1,2>>)"
            " /\\ lifetime_ok = TRUE"
            " /\\ link_newer = (t1:>NULL@@t2:><<t1,2>>)"
            " /\\ link_older = (t1:><<t2,1>>@@t2:>NULL)"
            " /\\ log = <<<<1,<<<<t1,1>>>>>>,<<3,<<<<t2,1>>,<<t1,2>>>>>>>>"
            " /\\ memtable = {<<<<t1,1>>,1>>}"
            " /\\ newest_memtable_writer = NULL"
            " /\\ newest_writer = <<t1,2>>"
            " /\\ outcome = (t1:><<<<\"OK\",1>>>>@@t2:><<>>)"
            " /\\ pc = (t1:>\"JoinBatchGroup_AwaitState\"@@t2:>\"InsertInto\")"
            " /\\ running = (t1:>0@@t2:>0)"
            " /\\ sequence = (t1:>5@@t2:>3)"
            " /\\ state = (t1:>\"STATE_INIT\"@@t2:>\"STATE_GROUP_LEADER\")"
            " /\\ status = (t1:>\"OK\"@@t2:>\"OK\")"
            " /\\ synced = 2"
            " /\\ tail_seen = (t1:>NULL@@t2:>NULL)"
            " /\\ write_group = (t1:><<t2,1>>@@t2:><<t2,1>>)");
}

TEST(CanonicalText, TellsPoisonAndItsVictims) {
  Config config = TwoThreads();
  config.wal_errors = true;
  State s = Join(config, Initial(config), 0);
  s = RunUntil(config, s, 0, Action::WriteToWAL);
  s = Take(config, s, {{0, Action::WalError}});
  s = RunUntil(config, s, 0, Action::Write);
  s = RunUntil(config, Join(config, s, 1), 1, Action::Write);
  const std::string text = CanonicalText(config, s);
  EXPECT_NE(text.find("failed = {<<t1,1>>}"), text.npos) << text;
  EXPECT_NE(text.find("first_error = \"WalError\""), text.npos) << text;
  EXPECT_NE(text.find("(t1:><<<<\"UnknownOutcome\",0>>>>@@t2:><<<<\"Aborted\",0>>>>)"), text.npos)
      << text;
}

// The dummy is one more place of Writers, printed last.
TEST(CanonicalText, OfTheDummy) {
  Config config;
  config.mode = Mode::kPipelined;
  config.max_group = 1;
  State s = Join(config, Join(config, Initial(config), 0), 1);
  s = RunUntil(config, s, 0, Action::ExitAsBatchGroupLeader_Dummy);
  EXPECT_NE(CanonicalText(config, s).find(" link_newer = (t1:><<t2,1>>@@t2:>NULL@@DUMMY:>NULL) "),
            std::string::npos);
  s = Take(config, s, {{0, Action::ExitAsBatchGroupLeader_Dummy}});
  const std::string text = CanonicalText(config, s);
  EXPECT_NE(text.find(" link_newer = (t1:><<t2,1>>@@t2:>NULL@@DUMMY:><<t2,1>>) "), text.npos)
      << text;
  EXPECT_NE(text.find(" link_older = (t1:>NULL@@t2:><<DUMMY,0>>@@DUMMY:>NULL) "), text.npos)
      << text;
}

// So are the second Writer of an unbatched call, and the dummies of a stall.
TEST(CanonicalText, OfAnUnbatchedCallAndAStall) {
  Config config;
  config.mode = Mode::kTwoQueues;
  config.max_log = 1;
  config.closes.Add({1, 1});
  State s = Take(config, Initial(config), {{1, Action::Write}, {1, Action::RunUnbatched}});
  const std::string begins = CanonicalText(config, s);
  EXPECT_NE(begins.find(" /\\ relief = 1 /\\ running = (t1:>0@@t2:>0@@\"SECOND\":>0) "),
            begins.npos)
      << begins;
  s = Take(config, s, {{1, Action::LinkOne}, {1, Action::JoinBatchGroup}});
  s = Take(config, s, {{1, Action::EnterUnbatched}, {kSecondPlace, Action::LinkOne}});
  s = Take(config, s, {{kSecondPlace, Action::JoinBatchGroup}});
  s = Take(config, s, {{kSecondPlace, Action::EnterUnbatched}});
  const std::string leads_all = CanonicalText(config, s);
  EXPECT_NE(leads_all.find(" /\\ newest_nonmem_writer = <<\"SECOND\",0>> "), leads_all.npos)
      << leads_all;
  EXPECT_NE(leads_all.find("(t1:>\"Write\"@@t2:>\"Close\"@@\"SECOND\":>\"ExitUnbatched\")"),
            leads_all.npos)
      << leads_all;
  EXPECT_NE(leads_all.find(" /\\ link_newer = (t1:>NULL@@t2:>NULL@@\"STALL\":>NULL@@"
                           "\"SECOND\":>NULL@@\"NONMEM_STALL\":>NULL) "),
            leads_all.npos)
      << leads_all;
}

// What one mode needs alone is printed in that mode alone.
TEST(CanonicalText, OfTwoQueues) {
  Config config;
  config.mode = Mode::kTwoQueues;
  config.disable_memtable.Add({0, 1});
  State s = RunUntil(config, Join(config, Initial(config), 0), 0, Action::WriteToWAL);
  const std::string text = CanonicalText(config, s);
  EXPECT_EQ(text.find("/\\ allocated_sequence = 0 /\\ arrival"), 0u) << text;
  EXPECT_NE(text.find(" /\\ log_mutex = t1 /\\ memtable"), text.npos) << text;
  EXPECT_NE(text.find(" /\\ newest_nonmem_writer = <<t1,1>> /\\ newest_writer = NULL"), text.npos)
      << text;
  config.mode = Mode::kSerial;
  EXPECT_EQ(CanonicalText(config, s).find("nonmem"), text.npos);
}

// The explorer compares bytes: what a finished write leaves behind has to be zero again.
TEST(State, EqualStatesHaveEqualBytes) {
  const Config config = TwoThreads();
  const State left = RunUntil(config, Join(config, Initial(config), 0), 0, Action::Write);
  State again = Take(config, Initial(config), {{1, Action::Write}});
  again = RunUntil(config, Join(config, again, 0), 0, Action::Write);
  again.pc[1] = Action::Write;
  again.incarnation[1] = 0;
  EXPECT_EQ(left, again);
  EXPECT_EQ(std::memcmp(&left, &again, sizeof(State)), 0);
}

TEST(State, AnActionThatIsNotEnabledLeavesTheStateAlone) {
  const Config config = TwoThreads();
  const State s = Join(config, Join(config, Initial(config), 0), 1);
  for (const ActionInfo& info : kActions) {
    for (size_t t = 0; t < config.threads; t++) {
      State next = s;
      const bool applied = Apply(config, info.action, t, &next);
      EXPECT_EQ(applied, Enabled(config, s, info.action, t)) << info.name;
      EXPECT_EQ(applied, next != s) << info.name;
    }
  }
}

TEST(Action, NamesAreFoundAgain) {
  for (const ActionInfo& info : kActions) EXPECT_EQ(ParseAction(info.name), info.action);
  EXPECT_EQ(ParseAction("MarkJoined"), std::nullopt);
}

TEST(Pointer, ACasComparesAddressesOnly) {
  EXPECT_TRUE(SameAddress({1, 1}, {1, 2}));
  EXPECT_NE(Pointer(1, 1), Pointer(1, 2));
  EXPECT_FALSE(SameAddress({1, 1}, {0, 1}));
  EXPECT_FALSE(SameAddress({0, 1}, Pointer()));
  EXPECT_TRUE(SameAddress(Pointer(), Pointer()));
}

}  // namespace
}  // namespace bellwether::model
