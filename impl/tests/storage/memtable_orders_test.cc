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
#include "bellwether/sync/std_sync.h"

// One race is enough; NOLINTNEXTLINE(bugprone-reserved-identifier): TSan's name.
extern "C" const char* __tsan_default_options() { return "halt_on_error=1"; }

namespace bellwether {
namespace {

std::string_view weakened_order;

// StdSync, but for the one order that is named.
struct WeakenedSync : StdSync {
  template <class T>
  class Atomic {
   public:
    explicit Atomic(T value) : value_(value) {}
    Atomic(const Atomic&) = delete;
    Atomic& operator=(const Atomic&) = delete;

    T load(const orders::LoadOrder& order) const { return value_.load(Weaken(order)); }
    void store(T value, const orders::StoreOrder& order) { value_.store(value, Weaken(order)); }
    bool compare_exchange_weak(T& expected, T desired, const orders::CasOrder& order) {
      return value_.compare_exchange_weak(expected, desired, Weaken(order));
    }
    bool compare_exchange_strong(T& expected, T desired, const orders::CasOrder& order) {
      return value_.compare_exchange_strong(expected, desired, Weaken(order));
    }
    T fetch_add(T value, const orders::RmwOrder& order) {
      return value_.fetch_add(value, Weaken(order));
    }
    T fetch_sub(T value, const orders::RmwOrder& order) {
      return value_.fetch_sub(value, Weaken(order));
    }

   private:
    template <class Order>
    static Order Weaken(Order order) {
      if (order.name != weakened_order) return order;
      if constexpr (requires { order.success; }) {
        order.success = order.failure = std::memory_order::relaxed;
      } else {
        order.order = std::memory_order::relaxed;
      }
      return order;
    }

    StdSync::Atomic<T> value_;
  };

  // The policy asks for it; a memtable does not wait.
  template <class T, class... Rest>
  static T SpinUntil(const Atomic<T>& word, T, const orders::LoadOrder& order, const Rest&...) {
    return word.load(order);
  }
};

// Two threads insert into several blocks while two read; they share nothing but the memtable.
void InsertAndRead() {
  constexpr SequenceNumber kBatches = 4000;
  const auto table = std::make_unique<MemTable<WeakenedSync>>();
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
        MemTable<WeakenedSync>::Iterator iterator(table.get(), kMaxSequenceNumber);
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
    weakened_order = order;
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
