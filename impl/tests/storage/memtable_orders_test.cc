// Each memory order of arena and skiplist that carries an invariant, weakened to relaxed: TSan must
// see a race where there was none, else the tests beside this one could not fail.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "bellwether/storage/memtable.h"
#include "interposed_sync.h"

// One race is enough; NOLINTNEXTLINE(bugprone-reserved-identifier): TSan's name.
extern "C" const char* __tsan_default_options() { return "halt_on_error=1"; }

namespace bellwether {
namespace {

using testing::InterposedSync;

// Two threads insert into several blocks while two read; they share nothing but the memtable.
void InsertAndRead() {
  constexpr SequenceNumber kBatches = 4000;
  const auto table = std::make_unique<MemTable<InterposedSync>>();
  std::atomic<size_t> seen = 0;
  std::vector<std::thread> threads;
  for (SequenceNumber t = 0; t < 2; ++t) {
    threads.emplace_back([&, t] {
      for (SequenceNumber n = 0; n < kBatches; ++n) {
        WriteBatch batch;
        (void)batch.Put("key" + std::to_string(n * 7919 % 500), std::string(400, 'v'));
        (void)table->InsertInto(batch, 1 + 2 * n + t);
      }
    });
    threads.emplace_back([&] {
      size_t bytes = 0;
      for (int round = 0; round < 10; ++round) {
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

// Whether TSan reported a race, by its exit code.
bool RacesWith(std::string_view order) {
  constexpr int kTsanExitCode = 66;
  const pid_t child = ::fork();
  if (child == 0) {
    (void)!std::freopen("/dev/null", "w", stderr);
    InterposedSync::weakened_order = order;
    InsertAndRead();
    std::exit(0);
  }
  int status = -1;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status)) << status;
  EXPECT_TRUE(WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == kTsanExitCode) << status;
  return WEXITSTATUS(status) == kTsanExitCode;
}

TEST(MemTableOrders, NoneWeakenedIsNoRace) { EXPECT_FALSE(RacesWith("")); }

TEST(MemTableOrders, EachWeakenedIsARace) {
  for (const std::string_view order :
       {orders::SkipList_NextLoad.name, orders::SkipList_LinkCas.name,
        orders::Arena_CurrentLoad.name, orders::Arena_CurrentCas.name}) {
    EXPECT_TRUE(RacesWith(order)) << order;
  }
}

}  // namespace
}  // namespace bellwether
