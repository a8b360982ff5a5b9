// StdSync: the production policy. Each member is the bare C++ thing; nothing here pays for being
// checkable. Thread safety: as the C++ standard library's.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>
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
      std::unique_lock<Mutex> lock(mutex, std::adopt_lock);
      cond_var_.wait(lock);
      lock.release();
    }
    void notify_one() { cond_var_.notify_one(); }
    void notify_all() { cond_var_.notify_all(); }

   private:
    std::condition_variable cond_var_;
  };

  // About a microsecond: longer than a hand-off between two running threads, shorter than a futex
  // round trip.
  static constexpr int kSpins = 200;

  template <class T>
  static T SpinUntil(const Atomic<T>& word, T goal_mask, const orders::LoadOrder& order) {
    T value = word.load(order);
    for (int i = 0; (value & goal_mask) == 0 && i < kSpins; ++i) {
      Pause();
      value = word.load(order);
    }
    return value;
  }

  static void OnAction(const char*, const void*) {}

  template <class Condition>
  static void Assert(const Condition&, const char*) {}

 private:
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
