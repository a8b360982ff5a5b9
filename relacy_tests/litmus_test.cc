// What this checker sees, and what it cannot: one litmus test each. "Seen" are the outcomes of all
// executions by plain depth-first search.
#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <string>

#include "relacy_tests/harness.h"
#include "relacy_tests/relacy_sync.h"

namespace bellwether::relacy {
namespace {

using enum std::memory_order;

constexpr orders::LoadOrder kLoadRelaxed{"load", relaxed};
constexpr orders::LoadOrder kLoadAcquire{"load", acquire};
constexpr orders::LoadOrder kLoadSeqCst{"load", seq_cst};
constexpr orders::StoreOrder kStoreRelaxed{"store", relaxed};
constexpr orders::StoreOrder kStoreRelease{"store", release};
constexpr orders::StoreOrder kStoreSeqCst{"store", seq_cst};
constexpr orders::RmwOrder kAddRelaxed{"add", relaxed};
constexpr orders::CasOrder kCasRelaxed{"cas", relaxed, relaxed};

using Word = RelacyAtomic<int>;

struct Memory {
  Word x{0};
  Word y{0};
  RelacyPlain<int> data;
};

alignas(Memory) unsigned char memory_bytes[sizeof(Memory)];
Memory* m = nullptr;
int r[4];

struct Seen {
  std::set<std::string> outcomes;  // the registers, "01"
  std::string failure;             // of the first execution that failed
  bool Has(const std::string& outcome) const { return outcomes.count(outcome) != 0; }
};

// Runs the threads in every way and collects r[0..registers-1].
Seen Explored(int threads, int registers, const std::function<void(int)>& thread,
              int stale_depth = 1, const std::function<void()>& finally = nullptr) {
  Seen seen;
  settings = {};
  RunOptions options;
  options.search.strategy = Strategy::kDfs;
  options.stale_depth = stale_depth;
  const Subject subject = {threads,
                           [] {
                             m = new (memory_bytes) Memory;
                             for (int& value : r) value = -1;
                           },
                           thread,
                           [&] {
                             if (finally) finally();
                             std::string outcome;
                             for (int i = 0; i < registers; ++i) outcome += std::to_string(r[i]);
                             seen.outcomes.insert(outcome);
                           },
                           [] { m->~Memory(); }};
  const Outcome outcome = Explore(subject, options);
  seen.failure = outcome.what;
  return seen;
}

Seen StoreBuffering(const orders::StoreOrder& store, const orders::LoadOrder& load) {
  return Explored(2, 2, [&](int thread) {
    (thread == 0 ? m->x : m->y).store(1, store);
    r[thread] = (thread == 0 ? m->y : m->x).load(load);
  });
}

TEST(Litmus, StoreBufferingIsSeen) {
  EXPECT_TRUE(StoreBuffering(kStoreRelaxed, kLoadRelaxed).Has("00"));
  EXPECT_TRUE(StoreBuffering(kStoreRelease, kLoadAcquire).Has("00"));
  EXPECT_FALSE(StoreBuffering(kStoreSeqCst, kLoadSeqCst).Has("00"));
}

Seen MessagePassing(const orders::StoreOrder& store, const orders::LoadOrder& load) {
  return Explored(2, 2, [&](int thread) {
    if (thread == 0) {
      m->x.store(1, kStoreRelaxed);
      m->y.store(1, store);
    } else {
      r[0] = m->y.load(load);
      r[1] = m->x.load(kLoadRelaxed);
    }
  });
}

TEST(Litmus, MessagePassingIsSeen) {
  EXPECT_TRUE(MessagePassing(kStoreRelaxed, kLoadRelaxed).Has("10"));
  EXPECT_TRUE(MessagePassing(kStoreRelease, kLoadRelaxed).Has("10"));
  EXPECT_TRUE(MessagePassing(kStoreRelaxed, kLoadAcquire).Has("10"));
  EXPECT_FALSE(MessagePassing(kStoreRelease, kLoadAcquire).Has("10"));
}

Seen PublishPlainData(const orders::StoreOrder& store, const orders::LoadOrder& load) {
  return Explored(2, 1, [&](int thread) {
    if (thread == 0) {
      m->data.Set(1);
      m->y.store(1, store);
    } else if (m->y.load(load) == 1) {
      r[0] = m->data.Get();
    }
  });
}

TEST(Litmus, ARaceOnPlainDataIsSeen) {
  EXPECT_EQ(PublishPlainData(kStoreRelease, kLoadAcquire).failure, "");
  EXPECT_EQ(PublishPlainData(kStoreRelaxed, kLoadAcquire).failure, "DATA RACE");
  EXPECT_EQ(PublishPlainData(kStoreRelease, kLoadRelaxed).failure, "DATA RACE");
}

Seen IndependentReads(const orders::StoreOrder& store, const orders::LoadOrder& load) {
  return Explored(4, 4, [&](int thread) {
    if (thread < 2) return (thread == 0 ? m->x : m->y).store(1, store);
    const int i = 2 * (thread - 2);
    r[i] = (thread == 2 ? m->x : m->y).load(load);
    r[i + 1] = (thread == 2 ? m->y : m->x).load(load);
  });
}

TEST(Litmus, IndependentReadsOfIndependentWritesAreSeen) {
  EXPECT_TRUE(IndependentReads(kStoreRelease, kLoadAcquire).Has("1010"));
  EXPECT_FALSE(IndependentReads(kStoreSeqCst, kLoadSeqCst).Has("1010"));
}

TEST(Litmus, AThreadNeverReadsBackwards) {
  const Seen seen = Explored(2, 2, [](int thread) {
    if (thread == 0) return m->x.store(1, kStoreRelaxed);
    r[0] = m->x.load(kLoadRelaxed);
    r[1] = m->x.load(kLoadRelaxed);
  });
  EXPECT_TRUE(seen.Has("01"));
  EXPECT_FALSE(seen.Has("10"));
}

TEST(Litmus, AUseAfterTheDestructorIsSeen) {
  const auto reuse = [](bool late) {
    return Explored(2, 0,
                    [late](int thread) {
                      alignas(Word) static unsigned char bytes[sizeof(Word)];
                      if (thread == 0) {
                        Word* const word = new (bytes) Word(0);
                        if (!late) word->store(1, kStoreRelaxed);
                        word->~Word();
                        if (late) word->store(1, kStoreRelaxed);
                      }
                    })
        .failure;
  };
  EXPECT_EQ(reuse(false), "");
  EXPECT_EQ(reuse(true), "ACCESS TO FREED MEMORY");
}

TEST(Litmus, AUseThatIsNotOrderedBeforeTheDestructorIsSeen) {
  const auto destroy = [](const orders::StoreOrder& done) {
    return Explored(2, 0,
                    [&done](int thread) {
                      alignas(Word) static unsigned char bytes[sizeof(Word)];
                      static Word* word = nullptr;
                      if (thread == 0) {
                        word = new (bytes) Word(0);
                        m->x.store(1, kStoreRelease);
                        static_cast<void>(m->y.Await(1, kLoadAcquire, Where::current()));
                        word->~Word();
                      } else {
                        static_cast<void>(m->x.Await(1, kLoadAcquire, Where::current()));
                        static_cast<void>(word->load(kLoadRelaxed));
                        m->y.store(1, done);
                      }
                    })
        .failure;
  };
  EXPECT_EQ(destroy(kStoreRelease), "");
  EXPECT_EQ(destroy(kStoreRelaxed), "DATA RACE");
}

// Thread 0 releases y, thread 1 changes it, thread 2 acquires what thread 1 left.
Seen ReleaseThenChange(bool read_modify_write) {
  return Explored(3, 1, [=](int thread) {
    if (thread == 0) {
      m->data.Set(1);
      m->y.store(1, kStoreRelease);
    } else if (thread == 1) {
      static_cast<void>(m->y.Await(1, kLoadRelaxed, Where::current()));
      if (read_modify_write) {
        static_cast<void>(m->y.fetch_add(1, kAddRelaxed));
      } else {
        m->y.store(2, kStoreRelaxed);
      }
    } else if (m->y.load(kLoadAcquire) == 2) {
      r[0] = m->data.Get();
    }
  });
}

TEST(Litmus, AReleaseSequenceGoesOnThroughReadModifyWritesOnly) {
  EXPECT_EQ(ReleaseThenChange(true).failure, "");
  EXPECT_EQ(ReleaseThenChange(false).failure, "DATA RACE");
}

TEST(Litmus, AWeakCasFailsSpuriouslyIfThatIsAskedFor) {
  const auto cas = [](bool spurious) {
    return Explored(2, 1, [spurious](int thread) {
      settings.spurious = spurious;
      if (thread != 0) return;
      int expected = 0;
      r[0] = m->x.compare_exchange_weak(expected, 1, kCasRelaxed) ? 1 : 0;
    });
  };
  EXPECT_FALSE(cas(false).Has("0"));
  EXPECT_TRUE(cas(true).Has("0"));
  EXPECT_TRUE(cas(true).Has("1"));
}

// --- limits: C++20 allows the outcome, this checker does not show it
// --------------------------------

TEST(LitmusLimit, LoadBufferingIsNotSeen) {
  const Seen seen = Explored(2, 2, [](int thread) {
    r[thread] = (thread == 0 ? m->x : m->y).load(kLoadRelaxed);
    (thread == 0 ? m->y : m->x).store(1, kStoreRelaxed);
  });
  EXPECT_FALSE(seen.Has("11"));
}

TEST(LitmusLimit, ModificationOrderIsExecutionOrder) {
  const Seen seen = Explored(
      2, 2,
      [](int thread) {
        (thread == 0 ? m->x : m->y).store(1, kStoreRelaxed);
        (thread == 0 ? m->y : m->x).store(2, kStoreRelaxed);
      },
      1,
      [] {
        r[0] = m->x.load(kLoadRelaxed);
        r[1] = m->y.load(kLoadRelaxed);
      });
  EXPECT_FALSE(seen.Has("11")) << "2+2W";
  EXPECT_TRUE(seen.Has("22"));
}

TEST(LitmusLimit, AFailedCasReadsTheNewestValue) {
  const Seen seen = Explored(2, 2, [](int thread) {
    if (thread == 0) {
      m->x.store(1, kStoreRelaxed);
      m->y.store(1, kStoreRelaxed);
    } else {
      r[0] = m->y.load(kLoadRelaxed);
      int expected = 7;
      static_cast<void>(m->x.compare_exchange_strong(expected, 8, kCasRelaxed));
      r[1] = expected;
    }
  });
  EXPECT_TRUE(seen.Has("11"));
  EXPECT_FALSE(seen.Has("10"));
}

TEST(LitmusLimit, ARelaxedReadModifyWriteIsNotReordered) {
  // As store buffering, with a read-modify-write of the other word: on hardware it may pass the
  // store before it.
  const Seen seen = Explored(2, 2, [](int thread) {
    (thread == 0 ? m->x : m->y).store(1, kStoreRelaxed);
    r[thread] = (thread == 0 ? m->y : m->x).fetch_add(2, kAddRelaxed);
  });
  EXPECT_FALSE(seen.Has("00"));
}

TEST(LitmusLimit, ReleaseSequencesAreThoseOfCxx11) {
  // C++20: the relaxed store heads no release sequence, so the read of data is a race.
  const Seen seen = Explored(2, 1, [](int thread) {
    if (thread == 0) {
      m->data.Set(1);
      m->y.store(1, kStoreRelease);
      m->y.store(2, kStoreRelaxed);
    } else if (m->y.load(kLoadAcquire) == 2) {
      r[0] = m->data.Get();
    }
  });
  EXPECT_EQ(seen.failure, "");
}

TEST(LitmusLimit, ALoadReadsOneOlderStoreOrTwo) {
  const auto with_depth = [](int depth) {
    return Explored(
        2, 2,
        [](int thread) {
          if (thread == 0) {
            for (int value = 1; value <= 3; ++value) m->x.store(value, kStoreRelaxed);
            m->y.store(1, kStoreRelaxed);
          } else {
            r[0] = m->y.load(kLoadRelaxed);
            r[1] = m->x.load(kLoadRelaxed);
          }
        },
        depth);
  };
  EXPECT_TRUE(with_depth(1).Has("12"));
  EXPECT_FALSE(with_depth(1).Has("11"));
  EXPECT_TRUE(with_depth(2).Has("11"));
  EXPECT_FALSE(with_depth(2).Has("10")) << "Relacy keeps three values";
}

// --- Relacy's own full search leaves out executions of code that blocks
// -----------------------------

// Three threads: 0 and 1 hand a baton to and fro, 2 stores x and reads y. That 0 reads x == 1 at
// its start, and 2 reads y == 1, stored at its end, is legal: 2 pauses while the others run. Relacy
// applies yield fairness whenever a thread parks, so its 2 is never passed over for so long.
int both_seen = 0;

void Baton(int thread, const std::function<void(int)>& give, const std::function<void(int)>& take,
           const std::function<int(bool)>& load, const std::function<void(bool)>& store) {
  if (thread == 0) {
    r[0] = load(true);
    for (const int baton : {0, 2}) {
      give(baton);
      take(baton + 1);
    }
    store(false);
  } else if (thread == 1) {
    for (const int baton : {0, 2}) {
      take(baton);
      give(baton + 1);
    }
  } else {
    store(true);
    r[1] = load(false);
  }
}

struct StockSuite : rl::test_suite<StockSuite, 3> {
  rl::atomic<int> x{0};
  rl::atomic<int> y{0};
  rl::atomic<int> batons[4];
  int waiting[4];

  void before() {
    for (int i = 0; i < 4; ++i) {
      batons[i].store(0, rl::mo_relaxed, rl::debug_info());
      waiting[i] = -1;
    }
  }
  void thread(unsigned index) {
    Baton(
        static_cast<int>(index), [this](int i) { Give(i); }, [this](int i) { Take(i); },
        [this](bool first) { return (first ? x : y).load(rl::mo_acquire, rl::debug_info()); },
        [this](bool first) { (first ? x : y).store(1, rl::mo_release, rl::debug_info()); });
  }
  void after() { both_seen += r[0] == 1 && r[1] == 1 ? 1 : 0; }

  void Give(int i) {
    batons[i].store(1, rl::mo_release, rl::debug_info());
    if (waiting[i] >= 0) rl::ctx().unpark_thread(waiting[i], false, rl::debug_info());
    waiting[i] = -1;
  }
  // Parks until the baton is given, as an await does that is worth exploring.
  void Take(int i) {
    rl::thread_info_base* const self = rl::ctx().threadx_;
    for (int seen = 0; seen == 0;) {
      if (batons[i].debug_value() == 0) {
        waiting[i] = CurrentThread();
        rl::ctx().park_current_thread(false, false, false, rl::debug_info());
      }
      seen = batons[i].load(rl::mo_acquire, rl::debug_info());
      self->last_yield_ = self->own_acq_rel_order_;  // a stale value is not read twice
    }
  }
};

TEST(StockFullSearch, MissesALegalExecution) {
  both_seen = 0;
  rl::test_params params;
  std::ofstream nowhere("/dev/null");
  params.progress_stream = &nowhere;
  params.output_stream = &nowhere;
  params.search_type = rl::sched_full;
  rl::ostringstream state;
  const auto result = rl::run_test<StockSuite, rl::full_search_scheduler<3>>(params, state, false);
  EXPECT_EQ(result, rl::test_result_success) << "it calls its search complete";
  EXPECT_GT(params.stop_iteration, 1000u);
  EXPECT_EQ(both_seen, 0);
}

TEST(StockFullSearch, OursSeesIt) {
  for (const Strategy strategy : {Strategy::kDfs, Strategy::kDpor}) {
    both_seen = 0;
    settings = {};
    static Word* batons[4];
    alignas(Word) static unsigned char bytes[4][sizeof(Word)];
    const Subject subject = {
        3,
        [] {
          m = new (memory_bytes) Memory;
          for (int i = 0; i < 4; ++i) batons[i] = new (bytes[i]) Word(0);
        },
        [](int thread) {
          Baton(
              thread, [](int i) { batons[i]->store(1, kStoreRelease); },
              [](int i) { static_cast<void>(batons[i]->Await(1, kLoadAcquire, Where::current())); },
              [](bool first) { return (first ? m->x : m->y).load(kLoadAcquire); },
              [](bool first) { (first ? m->x : m->y).store(1, kStoreRelease); });
        },
        [] { both_seen += r[0] == 1 && r[1] == 1 ? 1 : 0; },
        [] {
          for (Word* word : batons) word->~Word();
          m->~Memory();
        }};
    RunOptions options;
    options.search.strategy = strategy;
    EXPECT_EQ(Explore(subject, options).verdict, Verdict::kOk);
    EXPECT_GT(both_seen, 0);
  }
}

}  // namespace
}  // namespace bellwether::relacy
