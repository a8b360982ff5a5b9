// A statistic that anyone may read at any time. One thread at a time counts it (Add), or many
// (AddShared).
#pragma once

#include <cstdint>

#include "bellwether/sync/orders.h"
#include "bellwether/sync/sync.h"

namespace bellwether {

template <SyncPolicy Policy>
class Counter {
 public:
  Counter() : value_(0) {}

  // REQUIRES: no other thread counts. So it needs no read-modify-write.
  void Add(uint64_t n) { value_.store(Get() + n, orders::Counter_Store); }
  // REQUIRES: nobody calls Add.
  void AddShared(uint64_t n) { value_.fetch_add(n, orders::Counter_FetchAdd); }
  uint64_t Get() const { return value_.load(orders::Counter_Load); }

 private:
  typename Policy::template Atomic<uint64_t> value_;
};

}  // namespace bellwether
