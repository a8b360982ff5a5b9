// The search against its yardstick: DPOR must meet exactly the Mazurkiewicz traces that plain
// depth-first search meets, and a search that drops one kind of dependence must be seen to miss
// some.
#include <gtest/gtest.h>

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "relacy_tests/lifetime_probe.h"
#include "relacy_tests/relacy_sync.h"
#include "relacy_tests/scenarios.h"

namespace bellwether::relacy {
namespace {

constexpr orders::LoadOrder kLoad{"load", std::memory_order::acquire};
constexpr orders::StoreOrder kStore{"store", std::memory_order::release};

using Traces = std::set<std::uint64_t>;

struct Found {
  Traces traces;
  Outcome outcome;
};

Found Search(const Subject& subject, Strategy strategy, std::optional<Family> ignored = {}) {
  Found found;
  RunOptions options;
  options.search.strategy = strategy;
  options.search.ignored_dependence = ignored;
  options.on_trace = [&](std::uint64_t trace) { found.traces.insert(trace); };
  found.outcome = Explore(subject, options);
  EXPECT_EQ(found.outcome.verdict, Verdict::kOk) << found.outcome.what << "\n"
                                                 << found.outcome.lanes;
  EXPECT_GT(found.outcome.executions, 0u);
  return found;
}

// What the threads of a small test share; made afresh for each execution.
struct Shared {
  RelacyMutex mutex;
  RelacyCondVar cond_var;
  RelacyAtomic<std::uint8_t> ready{std::uint8_t{0}};
  RelacyAtomic<std::uint8_t> x{std::uint8_t{0}};
  RelacyAtomic<std::uint8_t> y{std::uint8_t{0}};
};

alignas(Shared) unsigned char shared_memory[sizeof(Shared)];
Shared* shared = nullptr;

Subject OnShared(int threads, std::function<void(int)> thread) {
  return {threads, [] { shared = new (shared_memory) Shared; }, std::move(thread), nullptr,
          [] { shared->~Shared(); }};
}

Subject MutexAndAtomic() {
  return OnShared(3, [](int thread) {
    shared->mutex.lock();
    const auto seen = shared->x.load(kLoad);
    shared->x.store(static_cast<std::uint8_t>(seen + thread), kStore);
    shared->mutex.unlock();
    shared->y.store(static_cast<std::uint8_t>(thread), kStore);
  });
}

Subject CondVarAndMutex(int waiters) {
  return OnShared(waiters + 1, [waiters](int thread) {
    if (thread == waiters) {
      shared->mutex.lock();
      shared->ready.store(1, kStore);
      shared->cond_var.notify_all();
      shared->mutex.unlock();
      return;
    }
    shared->mutex.lock();
    while (shared->ready.load(kLoad) == 0) shared->cond_var.wait(shared->mutex);
    shared->mutex.unlock();
    static_cast<void>(shared->x.load(kLoad));
  });
}

Subject NotifyOne() {
  return OnShared(3, [](int thread) {
    if (thread == 2) {
      for (int i = 0; i < 2; ++i) {
        shared->mutex.lock();
        shared->ready.store(static_cast<std::uint8_t>(shared->ready.load(kLoad) + 1), kStore);
        shared->cond_var.notify_one();
        shared->mutex.unlock();
      }
      return;
    }
    shared->mutex.lock();
    while (shared->ready.load(kLoad) == 0) shared->cond_var.wait(shared->mutex);
    shared->ready.store(static_cast<std::uint8_t>(shared->ready.load(kLoad) - 1), kStore);
    shared->mutex.unlock();
  });
}

// A goal that is met, taken away and met again: the await races with what takes it away.
Subject AwaitOfATogglingWord() {
  return OnShared(2, [](int thread) {
    if (thread == 0) {
      for (const int value : {2, 0, 4})
        shared->ready.store(static_cast<std::uint8_t>(value), kStore);
      return;
    }
    static_cast<void>(shared->ready.Await(2 | 4, kLoad, Where::current()));
    static_cast<void>(shared->x.load(kLoad));
  });
}

Subject StoreBuffering() {
  return OnShared(3, [](int thread) {
    auto& mine = thread == 0 ? shared->x : shared->y;
    auto& other = thread == 0 ? shared->y : shared->x;
    mine.store(static_cast<std::uint8_t>(thread + 1), kStore);
    static_cast<void>(other.load(kLoad));
  });
}

Subject OfScenario(const std::string& name, bool one_step_links = false, bool assertions = true) {
  settings = {};
  settings.link_loop_as_one_step = one_step_links;
  settings.assertions = assertions;
  const Scenario* const scenario = FindScenario(name);
  EXPECT_NE(scenario, nullptr) << name;
  return MakeSubject(*scenario);
}

void ExpectSameTraces(const Subject& subject) {
  const Found dfs = Search(subject, Strategy::kDfs);
  const Found dpor = Search(subject, Strategy::kDpor);
  EXPECT_EQ(dfs.traces, dpor.traces);
  EXPECT_GT(dfs.traces.size(), 1u);
  EXPECT_EQ(dpor.outcome.executions, dpor.traces.size()) << "DPOR met a trace twice";
}

class SearchTest : public testing::Test {
 protected:
  SearchTest() {
    settings = {};
    EXPECT_TRUE(DestructorStoresAreKept());
  }
};

TEST_F(SearchTest, SerialTracesAreThoseOfDepthFirst) { ExpectSameTraces(OfScenario("serial_2x1")); }
TEST_F(SearchTest, SyncTracesAreThoseOfDepthFirst) { ExpectSameTraces(OfScenario("sync_2x1")); }
TEST_F(SearchTest, LogErrorTracesAreThoseOfDepthFirst) {
  ExpectSameTraces(OfScenario("log_error_2x1", true));
}
TEST_F(SearchTest, CloseTracesAreThoseOfDepthFirst) { ExpectSameTraces(OfScenario("close_1x1")); }
TEST_F(SearchTest, ParallelTracesAreThoseOfDepthFirst) {
  ExpectSameTraces(OfScenario("parallel_2x1", true));
}
TEST_F(SearchTest, TwoQueuesTracesAreThoseOfDepthFirst) {
  ExpectSameTraces(OfScenario("two_queues_1+1"));
}
TEST_F(SearchTest, BlockingTracesAreThoseOfDepthFirst) {
  ExpectSameTraces(OfScenario("blocking_2x1", true, false));
}
TEST_F(SearchTest, MutexTracesAreThoseOfDepthFirst) { ExpectSameTraces(MutexAndAtomic()); }
TEST_F(SearchTest, CondVarTracesAreThoseOfDepthFirst) { ExpectSameTraces(CondVarAndMutex(1)); }
TEST_F(SearchTest, TwoWaitersTracesAreThoseOfDepthFirst) { ExpectSameTraces(CondVarAndMutex(2)); }
TEST_F(SearchTest, NotifyOneTracesAreThoseOfDepthFirst) { ExpectSameTraces(NotifyOne()); }
TEST_F(SearchTest, ThreeThreadsOnTwoWords) { ExpectSameTraces(StoreBuffering()); }

TEST_F(SearchTest, AnAwaitRacesWithWhatTakesItsGoalAway) {
  const Found dfs = Search(AwaitOfATogglingWord(), Strategy::kDfs);
  const Found dpor = Search(AwaitOfATogglingWord(), Strategy::kDpor);
  EXPECT_EQ(dfs.traces, dpor.traces);
  EXPECT_EQ(dfs.traces.size(), 2u) << "after the first store, or after the third";
}

void ExpectMissesTraces(const Subject& subject, Family ignored) {
  const Found dfs = Search(subject, Strategy::kDfs);
  const Found dpor = Search(subject, Strategy::kDpor, ignored);
  EXPECT_LT(dpor.traces.size(), dfs.traces.size());
}

TEST_F(SearchTest, WithoutTheDependenceOfAtomicsTracesAreMissed) {
  ExpectMissesTraces(OfScenario("serial_2x1"), Family::kAtomic);
}
TEST_F(SearchTest, WithoutTheDependenceOfMutexesTracesAreMissed) {
  ExpectMissesTraces(MutexAndAtomic(), Family::kMutex);
}
TEST_F(SearchTest, WithoutTheDependenceOfCondVarsTracesAreMissed) {
  ExpectMissesTraces(NotifyOne(), Family::kCondVar);
}

// The shards of a search share nothing, and together explore what the whole does.
void ExpectShardsAddUp(const Subject& subject, Strategy strategy, std::uint64_t shards) {
  RunOptions options;
  options.search.strategy = strategy;
  options.search.context_bound = 2;
  options.search.executions = 1000;
  const std::uint64_t whole = Explore(subject, options).executions;
  std::uint64_t sum = 0;
  std::size_t busy = 0;
  options.search.shards = shards;
  Traces traces;
  options.on_trace = [&](std::uint64_t trace) { traces.insert(trace); };
  for (options.search.shard = 1; options.search.shard <= shards; ++options.search.shard) {
    const Outcome outcome = Explore(subject, options);
    EXPECT_EQ(outcome.verdict, Verdict::kOk);
    sum += outcome.executions;
    busy += outcome.executions > 0 ? 1 : 0;
  }
  EXPECT_EQ(sum, whole);
  EXPECT_EQ(busy, shards);
  if (strategy != Strategy::kDpor) return;
  EXPECT_EQ(traces.size(), whole) << "two shards met one trace";
}

TEST_F(SearchTest, ShardsAddUpToTheWhole) {
  for (const std::uint64_t shards : {2, 7}) {
    ExpectShardsAddUp(OfScenario("serial_3x1", true), Strategy::kDpor, shards);
    ExpectShardsAddUp(OfScenario("log_error_3x1", true), Strategy::kDpor, shards);
    ExpectShardsAddUp(OfScenario("pipelined_close_2x1", true), Strategy::kDpor, shards);
    ExpectShardsAddUp(OfScenario("blocking_2x1"), Strategy::kDpor, shards);
    ExpectShardsAddUp(OfScenario("serial_2x1"), Strategy::kDfs, shards);
    ExpectShardsAddUp(OfScenario("serial_3x1", true), Strategy::kContextBound, shards);
    ExpectShardsAddUp(OfScenario("pipelined_3x1", true), Strategy::kRandom, shards);
  }
}

TEST_F(SearchTest, AnExecutionTooShortToBeSplitIsExploredOnce) {
  const auto subject = [] { return OfScenario("two_queues_1+1"); };
  RunOptions options;
  const std::uint64_t whole = Explore(subject(), options).executions;
  options.search.shards = 1000;
  std::uint64_t sum = 0;
  for (options.search.shard = 1; options.search.shard <= 1000; ++options.search.shard) {
    sum += Explore(subject(), options).executions;
  }
  EXPECT_EQ(sum, whole);
}

TEST_F(SearchTest, RandomExecutionsGoOnWhereOthersEnded) {
  const auto traces = [](std::uint64_t first, std::uint64_t executions) {
    std::vector<std::uint64_t> found;
    RunOptions options;
    options.search.strategy = Strategy::kRandom;
    options.search.first = first;
    options.search.executions = executions;
    options.on_trace = [&](std::uint64_t trace) { found.push_back(trace); };
    Explore(OfScenario("pipelined_3x1"), options);
    return found;
  };
  std::vector<std::uint64_t> parts = traces(0, 20);
  const std::vector<std::uint64_t> rest = traces(20, 30);
  parts.insert(parts.end(), rest.begin(), rest.end());
  EXPECT_EQ(parts, traces(0, 50));
  EXPECT_GT(Traces(parts.begin(), parts.end()).size(), 40u);
}

TEST_F(SearchTest, ALostWakeIsADeadlock) {
  RunOptions options;
  const Outcome outcome =
      Explore(OnShared(2,
                       [](int thread) {
                         if (thread == 0) return shared->ready.store(1, kStore);
                         static_cast<void>(shared->ready.Await(2, kLoad, Where::current()));
                       }),
              options);
  EXPECT_EQ(outcome.verdict, Verdict::kDeadlock);
}

TEST_F(SearchTest, AWildPointerIsAFailureLikeAnyOther) {
  RunOptions options;
  const Outcome outcome = Explore(OnShared(2,
                                           [](int thread) {
                                             if (thread == 0) return;
                                             volatile int* volatile nowhere = nullptr;
                                             *nowhere = 1;
                                           }),
                                  options);
  EXPECT_EQ(outcome.verdict, Verdict::kUnsafe);
  EXPECT_EQ(outcome.what, "CRASH: an invalid pointer was used");
}

TEST_F(SearchTest, AFailureIsReplayedByItsChoices) {
  const auto subject = [] {
    return OnShared(2, [](int thread) {
      if (thread == 0) return shared->x.store(1, kStore);
      Check(shared->x.load(kLoad) == 0, "the store was seen");
    });
  };
  RunOptions options;
  const Outcome outcome = Explore(subject(), options);
  ASSERT_EQ(outcome.what, "the store was seen");
  options.search.strategy = Strategy::kReplay;
  options.search.replay = outcome.choices;
  const Outcome again = Explore(subject(), options);
  EXPECT_EQ(again.what, outcome.what);
  EXPECT_EQ(again.choices, outcome.choices);
  EXPECT_EQ(again.executions, 1u);
}

}  // namespace
}  // namespace bellwether::relacy
