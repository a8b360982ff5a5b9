// Readers, crashes and recovery: every state, each property, each mutant, and TLC's text.

#include <gtest/gtest.h>

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "model/explorer.h"
#include "model/properties.h"
#include "model/recovery_model.h"
#include "model/recovery_mutants.h"
#include "model/tests/behaviour.h"

namespace bellwether::model {
namespace {

using Images = std::vector<Image>;

// As spec/mc/SerialCrash2x1.cfg: batches of two, t2's write with sync, a reader.
Config OfMode(Mode mode, uint8_t crashes) {
  Config config;
  config.mode = mode;
  config.batch_count = 2;
  config.readers = 1;
  config.crashes = crashes;
  config.SetSync({1, 1});
  return config;
}
Config Serial() { return OfMode(Mode::kSerial, 2); }

// Takes `action`: by thread or reader `who`, or in the way of that number.
RecoveryState TakeStep(const RecoveryState& s, Action action, size_t who = 0) {
  std::optional<RecoveryState> taken;
  RecoverySteps(Serial()).ForEach(s, [&](Action a, uint8_t w, const RecoveryState& next) {
    if (a == action && w == who) taken = next;
  });
  EXPECT_TRUE(taken) << ActionName(action) << " is not enabled in\n" << CanonicalText(Serial(), s);
  return taken.value_or(s);
}

// A crash that leaves the records of one log as they are given.
RecoveryState CrashLeaving(const RecoveryState& s, const Images& images) {
  std::optional<RecoveryState> crashed;
  Crash(Serial(), s, [&](size_t, const RecoveryState& next) {
    Images left;
    for (const LogFile& file : next.files) {
      for (const Entry& entry : file.cache) left.push_back(entry.image);
    }
    if (left == images) crashed = next;
  });
  EXPECT_TRUE(crashed) << "no crash leaves that of\n" << CanonicalText(Serial(), s);
  return crashed.value_or(s);
}

RecoveryState Write(RecoveryState s, size_t t, Action until = Action::Write) {
  s.path = RunUntil(Serial(), Join(Serial(), s.path, t), t, until);
  return s;
}

// Recovery, from its next action until `until`.
RecoveryState RecoverUntil(RecoveryState s, Action until) {
  while (s.phase != until) s = TakeStep(s, s.phase);
  return s;
}

// t1's write is acknowledged, and not synced.
RecoveryState Acknowledged1() { return Write({}, 0); }
// Then t2's is logged, not yet synced.
RecoveryState Logged2() { return Write(Acknowledged1(), 1, Action::WriteToWAL_Sync); }
// Then both are synced and acknowledged.
RecoveryState Acknowledged2() { return Write(Acknowledged1(), 1); }

TEST(Crash, KeepsAnySubsetOfUnsyncedPages) {
  size_t ways = 0;
  std::set<std::string> left;
  Crash(Serial(), Logged2(), [&](size_t choice, const RecoveryState& next) {
    EXPECT_EQ(choice, ways++);
    left.insert(CanonicalText(Serial(), next));
  });
  // Of each of two records all, its first page, or nothing; damaged ones at the end are not there.
  // A crash of the process leaves both, in the page cache.
  EXPECT_EQ(ways, 10u);
  EXPECT_EQ(left.size(), 10u);
}

TEST(Crash, TakesNothingThatIsSynced) {
  size_t ways = 0;
  Crash(Serial(), Acknowledged2(), [&](size_t, const RecoveryState& next) {
    ways++;
    EXPECT_EQ(ReadLogs(Serial(), next.files).records, next.path.log);
  });
  EXPECT_EQ(ways, 2u);
}

// An append that is under way may have left its beginning.
TEST(Crash, MayTearTheRecordThatIsBeingAppended) {
  const RecoveryState s = CrashLeaving(Write({}, 0, Action::WriteToWAL), {Image::kTorn});
  EXPECT_TRUE(s.files[0].cache[0].record.writers.empty());
  EXPECT_TRUE(RecoverUntil(s, Action::Write).path.log.empty());
}

TEST(Crash, HappensAsOftenAsItMay) {
  RecoveryState s = Acknowledged1();
  for (int crash = 0; crash < 2; crash++) {
    s = RecoverUntil(CrashLeaving(s, {Image::kWhole}), Action::Write);
  }
  Crash(Serial(), s, [](size_t, const RecoveryState&) { ADD_FAILURE() << "a third crash"; });
}

TEST(Recover, CutsATornTail) {
  RecoveryState s = CrashLeaving(Logged2(), {Image::kWhole, Image::kTorn});
  s = TakeStep(s, Action::Recover_ReadLogs);
  s = TakeStep(s, Action::Recover_CutTail);
  EXPECT_EQ(s.files[0].cache.size, 1);
  EXPECT_EQ(s.files[0].uncut.size, 2);
  s = RecoverUntil(s, Action::Write);
  EXPECT_EQ(s.path.log, Acknowledged1().path.log);
  EXPECT_EQ(s.path.last_sequence, 2);
  EXPECT_EQ(s.path.outcome[1].last().status, WriteStatus::kUnknownOutcome);
}

TEST(Recover, RefusesDamageBeforeARecordOnce) {
  RecoveryState s = CrashLeaving(Logged2(), {Image::kDamaged, Image::kWhole});
  Recover_ReadLogs(Serial(), s, [](size_t, const RecoveryState&) { ADD_FAILURE() << "opened"; });
  s = TakeStep(s, Action::Recover_Refuse);
  EXPECT_TRUE(RecoverUntil(s, Action::Write).path.log.empty());
}

// Before the cut is synced a power loss may bring back what was cut off.
TEST(Recover, MayCrashItself) {
  RecoveryState s = CrashLeaving(Logged2(), {Image::kWhole, Image::kTorn});
  s = RecoverUntil(s, Action::Recover_SyncFile);
  EXPECT_EQ(CrashLeaving(s, {Image::kWhole}).crashes, 2);
  EXPECT_EQ(CrashLeaving(s, {Image::kWhole, Image::kTorn}).phase, Action::Recover_ReadLogs);
}

TEST(Get, FindsWhatTheSnapshotReaches) {
  RecoveryState s = TakeStep(Acknowledged1(), Action::GetSnapshot);
  s = Write(s, 1);
  s = TakeStep(TakeStep(s, Action::Get), Action::Get);
  WriteSet first;
  first.Add({0, 1});
  for (const WriteSet& found : s.seen[0]) EXPECT_EQ(found, first);
  Get(Serial(), s, [](size_t, const RecoveryState&) { ADD_FAILURE() << "a third key"; });
}

TEST(CanonicalText, OfACrash) {
  RecoveryState s = TakeStep(TakeStep(Acknowledged1(), Action::GetSnapshot), Action::Get);
  const std::string open = CanonicalText(Serial(), s);
  for (const char* part :
       {" /\\ base = 0 /\\ crashes = 0 /\\ cursor = ", " /\\ files = <<>> /\\ first_error = ",
        " /\\ found = <<>> /\\ group_leader = ", " /\\ log_named = TRUE /\\ memtable = ",
        " /\\ phase = \"open\" /\\ recovery_mode = \"tolerate_torn_tail\" /\\ running = ",
        " /\\ seen = (r1:><<{<<t1,1>>}>>) /\\ sequence = ", " /\\ snapshot = (r1:><<2>>) "}) {
    EXPECT_NE(open.find(part), open.npos) << part << " is not in\n" << open;
  }
  const std::string crashed = CanonicalText(Serial(), CrashLeaving(s, {Image::kTorn}));
  for (const char* part : {" /\\ crashes = 1 ", " /\\ first_error = \"Crash\" ",
                           " /\\ seen = (r1:><<>>) ", " /\\ phase = \"Recover_ReadLogs\" ",
                           " /\\ files = <<[cache|-><<<<<<1,<<<<t1,1>>>>>>,\"torn\">>>>,"
                           "disk|-><<<<<<1,<<<<t1,1>>>>>>,\"torn\">>>>,uncut|-><<>>]>> "}) {
    EXPECT_NE(crashed.find(part), crashed.npos) << part << " is not in\n" << crashed;
  }
  Config nobody = Serial();
  nobody.readers = 0;
  EXPECT_NE(CanonicalText(nobody, s).find(" /\\ seen = <<>> "), std::string::npos);
}

TEST(RecoveryProperties, EachViolationIsDetected) {
  const auto violated = [](const RecoveryState& s) {
    std::set<std::string> names;
    for (const RecoveryProperty& property : RecoveryProperties()) {
      if (!property.holds(Serial(), s)) names.emplace(property.name);
    }
    return names;
  };
  using Names = std::set<std::string>;
  RecoveryState s =
      RecoverUntil(CrashLeaving(Acknowledged2(), {Image::kWhole, Image::kWhole}), Action::Write);
  EXPECT_EQ(FirstViolated(Serial(), s), "");
  EXPECT_EQ(violated(s), Names());
  RecoveryState lost = s;
  lost.path.log = s.path.log.Prefix(1);
  EXPECT_EQ(violated(lost), Names({"INV_ACK_Crash"})) << "an acknowledged write with sync is lost";
  lost.path.log = {};
  lost.path.outcome[1] = {};
  EXPECT_EQ(violated(lost), Names()) << "one without sync may be";
  lost.crashes = 0;
  EXPECT_EQ(violated(lost), Names({"INV_ACK_Crash"})) << "but by a crash alone";
  s.path.outcome[0].items[0].status = WriteStatus::kAborted;
  EXPECT_EQ(violated(s), Names({"INV_STATUS_Crash"})) << "a logged write is called refused";
  s.path.last_sequence = 9;
  EXPECT_EQ(FirstViolated(Serial(), s), "INV_PUBLISH") << "of the write path";
}

TEST(RecoveryProperties, EachStepThatViolatesOneIsDetected) {
  std::set<std::string_view> detected;
  const auto expect = [&](const RecoveryState& before, const RecoveryState& after,
                          std::string_view name) {
    detected.insert(name);
    EXPECT_EQ(FirstViolated(Serial(), before, after), name);
  };
  const RecoveryState found =
      RecoverUntil(CrashLeaving(Acknowledged2(), {Image::kWhole, Image::kWhole}), Action::Recover);
  RecoveryState recovered = TakeStep(found, Action::Recover);
  expect(found, recovered, "");
  recovered.path.log = recovered.path.log.Prefix(1);
  expect(found, recovered, "CRASH_PREFIX");
  recovered.path.log.Append({4, recovered.path.log[0].writers});
  expect(found, recovered, "CRASH_PREFIX");

  const RecoveryState torn =
      RecoverUntil(CrashLeaving(Logged2(), {Image::kWhole, Image::kTorn}), Action::Recover_CutTail);
  RecoveryState cut = TakeStep(torn, Action::Recover_CutTail);
  expect(torn, cut, "");
  cut.files.items[0].disk = {};
  expect(torn, cut, "CRASH_IDEMPOTENT");
  cut.files.items[0].cache = {};
  expect(torn, cut, "CRASH_IDEMPOTENT");

  const RecoveryState open = Acknowledged1();
  RecoveryState reads = TakeStep(open, Action::GetSnapshot);
  expect(open, reads, "");
  const RecoveryState snapshot = reads;
  reads.snapshot[0].items[0] = 1;
  expect(open, reads, "LIN");
  reads = TakeStep(snapshot, Action::Get);
  expect(snapshot, reads, "");
  reads.seen[0].items[0] = {};
  expect(snapshot, reads, "LIN");

  for (const RecoveryStepProperty& property : RecoveryStepProperties()) {
    EXPECT_EQ(detected.count(property.name), 1u) << property.name;
  }
}

SearchOutcome Search(RecoveryExplorer& explorer) {
  return explorer.Run(100'000, [](uint64_t) {});
}

TEST(RecoveryExplorer, FindsEveryStateAndTakesEveryAction) {
  struct Expected {
    Config config;
    uint64_t distinct, depth;
  };
  Config errors = OfMode(Mode::kSerial, 1);
  errors.wal_errors = true;
  errors.memtable_errors = true;
  Config prepares = OfMode(Mode::kTwoQueues, 1);
  prepares.disable_memtable.Add({0, 1});
  for (const Expected& expected :
       {Expected{Serial(), 4756, 33}, Expected{errors, 6238, 28},
        Expected{OfMode(Mode::kParallel, 1), 2638, 31},
        Expected{OfMode(Mode::kPipelined, 1), 6380, 46}, Expected{prepares, 2536, 28}}) {
    RecoveryExplorer explorer(expected.config);
    EXPECT_EQ(Search(explorer), SearchOutcome::kComplete) << explorer.violated();
    EXPECT_EQ(explorer.distinct(), expected.distinct);
    EXPECT_EQ(explorer.depth(), expected.depth);
    for (const ActionInfo& info : kStoreActions) {
      EXPECT_GT(explorer.taken()[static_cast<size_t>(info.action)], 0u) << info.name;
    }
  }
}

// Those that violate nothing model_parity_test has to see.
TEST(RecoveryExplorer, NamesWhatAMutantViolates) {
  for (const StoreMutant& mutant : kStoreMutants) {
    RecoveryExplorer explorer(Serial(), mutant.distort);
    const SearchOutcome outcome = Search(explorer);
    EXPECT_EQ(explorer.violated(), mutant.violates) << mutant.name;
    EXPECT_EQ(outcome == SearchOutcome::kComplete, mutant.violates.empty()) << mutant.name;
  }
}

TEST(RecoveryExplorer, EdgesAndCounterexamplesAreSteps) {
  RecoveryExplorer explorer(OfMode(Mode::kSerial, 1));
  ASSERT_EQ(Search(explorer), SearchOutcome::kComplete);
  uint64_t edges = 0;
  explorer.ForEachEdge([&](const Edge& edge) {
    edges++;
    ASSERT_LT(edge.target, explorer.distinct());
  });
  EXPECT_EQ(edges + 1, explorer.generated());

  RecoveryExplorer loses(Serial(), DistortNameLost);
  ASSERT_EQ(Search(loses), SearchOutcome::kViolation);
  size_t crashes = 0;
  for (const Edge& edge : loses.counterexample()) crashes += edge.step.action == Action::Crash;
  EXPECT_EQ(crashes, 2u);
}

}  // namespace
}  // namespace bellwether::model
