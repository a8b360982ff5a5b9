// Each memory order of arena and skiplist that carries an invariant, weakened to relaxed: TSan must
// see a race where there was none, else the tests beside this one could not fail.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "bellwether/storage/arena.h"
#include "bellwether/storage/memtable.h"
#include "interposed_sync.h"

// One race is enough; NOLINTNEXTLINE(bugprone-reserved-identifier): TSan's name.
extern "C" const char* __tsan_default_options() { return "halt_on_error=1"; }

namespace bellwether {
namespace {

using testing::InterposedSync;

// Two threads insert while two read; they share nothing but the memtable. The readers go on until
// they have found it filled, which no order tells them: so whatever the schedule, they read what
// others wrote.
void InsertAndRead() {
  constexpr SequenceNumber kBatches = 4000;
  const auto table = std::make_unique<MemTable<InterposedSync>>();
  std::atomic<int> inserting = 2;
  std::atomic<size_t> seen = 0;
  std::vector<std::thread> threads;
  for (SequenceNumber t = 0; t < 2; ++t) {
    threads.emplace_back([&, t] {
      for (SequenceNumber n = 0; n < kBatches; ++n) {
        WriteBatch batch;
        (void)batch.Put("key" + std::to_string(n * 7919 % 500), std::string(400, 'v'));
        (void)table->InsertInto(batch, 1 + 2 * n + t);
      }
      inserting.fetch_sub(1, std::memory_order_relaxed);
    });
    threads.emplace_back([&] {
      size_t bytes = 0;
      for (bool filled = false; !filled;) {
        filled = inserting.load(std::memory_order_relaxed) == 0;
        MemTable<InterposedSync>::Iterator iterator(table.get(), kMaxSequenceNumber);
        for (iterator.SeekToFirst(); iterator.Valid(); iterator.Next()) {
          bytes += static_cast<size_t>(iterator.value().back());
        }
      }
      seen.fetch_add(bytes, std::memory_order_relaxed);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

// Two threads take pieces of several blocks, and share nothing else: whoever comes second has to do
// with a block that the first has made.
void Allocate() {
  Arena<InterposedSync> arena(SIZE_MAX);
  std::vector<std::thread> threads;
  for (int t = 0; t < 2; ++t) {
    threads.emplace_back([&arena] {
      constexpr size_t kPiece = 100'000;
      for (int n = 0; n < 50; ++n) std::memset(arena.Allocate(kPiece), 'v', kPiece);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

// Whether TSan reported a race, by its exit code.
bool RacesWith(std::string_view order, void (*run)()) {
  constexpr int kTsanExitCode = 66;
  const pid_t child = ::fork();
  if (child == 0) {
    (void)!std::freopen("/dev/null", "w", stderr);
    InterposedSync::weakened_order = order;
    run();
    std::exit(0);
  }
  int status = -1;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status)) << status;
  EXPECT_TRUE(WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == kTsanExitCode) << status;
  return WEXITSTATUS(status) == kTsanExitCode;
}

TEST(MemTableOrders, NoneWeakenedIsNoRace) {
  EXPECT_FALSE(RacesWith("", InsertAndRead));
  EXPECT_FALSE(RacesWith("", Allocate));
}

TEST(MemTableOrders, EachWeakenedIsARace) {
  for (const std::string_view order :
       {orders::SkipList_NextLoad.name, orders::SkipList_LinkCas.name}) {
    EXPECT_TRUE(RacesWith(order, InsertAndRead)) << order;
  }
  for (const std::string_view order :
       {orders::Arena_CurrentLoad.name, orders::Arena_CurrentCas.name}) {
    EXPECT_TRUE(RacesWith(order, Allocate)) << order;
  }
}

}  // namespace
}  // namespace bellwether
