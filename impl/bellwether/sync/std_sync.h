// StdSync: the production policy. Each member is the bare C++ thing; nothing here pays for being
// checkable. Thread safety: as the C++ standard library's.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <thread>
#include <utility>

#include "bellwether/sync/sync.h"

namespace bellwether {

struct StdSync {
  // 64 bytes is the line of x86-64 and of most AArch64; std::hardware_destructive_interference_size
  // varies with -mtune.
  static constexpr std::size_t kCacheLine = 64;

  template <class T>
  class Atomic {
   public:
    explicit Atomic(T value) : value_(value) {}
    Atomic(const Atomic&) = delete;
    Atomic& operator=(const Atomic&) = delete;

    [[gnu::always_inline]] T load(const orders::LoadOrder& order) const {
      return value_.load(order.order);
    }
    [[gnu::always_inline]] void store(T value, const orders::StoreOrder& order) {
      value_.store(value, order.order);
    }
    [[gnu::always_inline]] bool compare_exchange_weak(T& expected, T desired,
                                                      const orders::CasOrder& order) {
      return value_.compare_exchange_weak(expected, desired, order.success, order.failure);
    }
    [[gnu::always_inline]] bool compare_exchange_strong(T& expected, T desired,
                                                        const orders::CasOrder& order) {
      return value_.compare_exchange_strong(expected, desired, order.success, order.failure);
    }
    [[gnu::always_inline]] T exchange(T value, const orders::RmwOrder& order) {
      return value_.exchange(value, order.order);
    }
    [[gnu::always_inline]] T fetch_add(T value, const orders::RmwOrder& order) {
      return value_.fetch_add(value, order.order);
    }
    [[gnu::always_inline]] T fetch_sub(T value, const orders::RmwOrder& order) {
      return value_.fetch_sub(value, order.order);
    }

   private:
    std::atomic<T> value_;
  };

  template <class T>
  class Plain {
   public:
    Plain() : value_() {}
    explicit Plain(T value) : value_(std::move(value)) {}
    Plain(const Plain&) = delete;
    Plain& operator=(const Plain&) = delete;

    T Get() const { return value_; }
    void Set(T value) { value_ = std::move(value); }

   private:
    T value_;
  };

  using Mutex = std::mutex;

  class CondVar {
   public:
    // REQUIRES: the caller holds `mutex`.
    void wait(Mutex& mutex) {
      ++blocked_waits_;
      std::unique_lock<Mutex> lock(mutex, std::adopt_lock);
      cond_var_.wait(lock);
      lock.release();
    }
    void notify_one() { cond_var_.notify_one(); }
    void notify_all() { cond_var_.notify_all(); }

   private:
    std::condition_variable cond_var_;
  };

  // Spins, then yields while that pays, as RocksDB's AwaitState does (write_thread_max_yield_usec,
  // write_thread_slow_yield_usec). Whether it pays is learned at each site: one wait in 256 yields
  // in any case, and moves the site's credit up if the goal came within the time, else down.
  template <class T>
  static T SpinUntil(const Atomic<T>& word, T goal_mask, const orders::LoadOrder& order,
                     const AwaitSite& site) {
    T value = word.load(order);
    for (int i = 0; (value & goal_mask) == 0 && i < kSpins; ++i) {
      Pause();
      value = word.load(order);
    }
    if ((value & goal_mask) != 0) return value;
    std::atomic<std::int32_t>& credit = credit_[site.index].value;
    const bool sample = RandomBits() % 256 == 0;
    if (!sample && credit.load(std::memory_order::relaxed) < 0) return value;
    bool too_slow = false;
    value = YieldUntil(word, goal_mask, order, &too_slow);
    if (sample || too_slow) Learn(&credit, (value & goal_mask) != 0);
    return value;
  }

  // Yields to those that it waits for. Whether they come is learned: while mostly they do not, one
  // call in 16 still waits for them.
  template <class Enough>
  static void Linger(const Enough& enough) {
    using Clock = std::chrono::steady_clock;
    if (enough()) return;
    const std::int32_t credit = linger_credit_.value.load(std::memory_order::relaxed);
    if (credit < 0 && RandomBits() % 16 != 0) return;
    const Clock::time_point end = Clock::now() + kMaxLinger;
    bool paid = false;
    while (!paid && Clock::now() < end) {
      std::this_thread::yield();
      paid = enough();
    }
    const std::int32_t next =
        std::clamp(credit + (paid ? 1 : -1), -kMaxLingerCredit, kMaxLingerCredit);
    linger_credit_.value.store(next, std::memory_order::relaxed);
  }

  // How often the calling thread has blocked on a CondVar, ever: for a Store's statistics.
  static std::uint64_t BlockedWaits() { return blocked_waits_; }

  static void OnAction(const char*, const void*) {}

  template <class Condition>
  static void Assert(const Condition&, const char*) {}

 private:
  // About a microsecond: longer than a hand-off between two running threads.
  static constexpr int kSpins = 200;
  // About half of what a sync takes.
  static constexpr auto kMaxLinger = std::chrono::microseconds(150);
  static constexpr std::int32_t kMaxLingerCredit = 8;
  static constexpr auto kMaxYield = std::chrono::microseconds(100);
  // A yield that takes longer has let another thread run; three of them, and the core is wanted.
  static constexpr auto kSlowYield = std::chrono::microseconds(3);
  static constexpr int kMaxSlowYields = 3;

  struct alignas(kCacheLine) Credit {
    std::atomic<std::int32_t> value;  // 0 at first: waiting is given a try
  };
  static inline std::array<Credit, kAwaitSites> credit_;
  static inline Credit linger_credit_{kMaxLingerCredit};
  static inline constinit thread_local std::uint64_t blocked_waits_ = 0;

  template <class T>
  static T YieldUntil(const Atomic<T>& word, T goal_mask, const orders::LoadOrder& order,
                      bool* too_slow) {
    using Clock = std::chrono::steady_clock;
    const Clock::time_point begin = Clock::now();
    int slow_yields = 0;
    for (Clock::time_point before = begin; before - begin <= kMaxYield;) {
      std::this_thread::yield();
      const T value = word.load(order);
      if ((value & goal_mask) != 0) return value;
      const Clock::time_point now = Clock::now();
      // A clock that stands still measures nothing: counted as slow.
      if (now == before || now - before >= kSlowYield) ++slow_yields;
      *too_slow = slow_yields == kMaxSlowYields;
      if (*too_slow) break;
      before = now;
    }
    return word.load(order);
  }

  // Decays by 1/1024 a sample, so it stays within 1024 steps, which an int32 holds. Lost updates of
  // concurrent samples do not matter.
  static void Learn(std::atomic<std::int32_t>* credit, bool paid) {
    constexpr std::int32_t kStep = 131072;
    const std::int32_t old = credit->load(std::memory_order::relaxed);
    credit->store(old - old / 1024 + (paid ? kStep : -kStep), std::memory_order::relaxed);
  }

  static std::uint32_t RandomBits() {
    thread_local std::uint32_t state = 2463534242u;
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    return state;
  }

  static void Pause() {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#else
    std::atomic_signal_fence(std::memory_order::seq_cst);
#endif
  }
};

static_assert(SyncPolicy<StdSync>);

}  // namespace bellwether
