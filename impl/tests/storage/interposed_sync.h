// StdSync with a hand in it: one named order weakened to relaxed, or something done just before
// each strong CAS, where otherwise only a race would put it.
#pragma once

#include <atomic>
#include <functional>
#include <string_view>

#include "bellwether/sync/std_sync.h"

namespace bellwether::testing {

struct InterposedSync : StdSync {
  static inline std::string_view weakened_order;
  static inline std::function<void(std::string_view order)> before_cas;

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
      if (before_cas) before_cas(order.name);
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

}  // namespace bellwether::testing
