// StoreLog: the Log of a Store's WritePath: a WalWriter that counts.
//
// The counters live here and not in the protocol, so that the protocol carries nothing that only
// statistics need. Thread safety: as WalWriter, except CountInto, which anyone may call at any
// time.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

#include "bellwether/storage/wal_writer.h"
#include "bellwether/store/options.h"
#include "bellwether/sync/orders.h"
#include "bellwether/sync/sync.h"

namespace bellwether {

template <SyncPolicy Policy>
class StoreLog {
 public:
  using Batch = WriteBatch;

  StoreLog(std::unique_ptr<WritableFile> file, uint64_t number)
      : wal_(std::move(file)), number_(number) {}

  template <class Group>
  Status AddRecord(SequenceNumber first, const Group& batches) {
    Status status = wal_.AddRecord(first, batches);
    if (!status.ok()) return status;
    size_t writers = 0;
    batches.ForEach([&](const WriteBatch&) { ++writers; });
    groups_.Add(1);
    writers_.Add(writers);
    group_sizes_[std::min(writers, Stats::kLargestGroup)].Add(1);
    log_bytes_.Set(wal_.size());
    return status;
  }

  Status Sync() {
    Status status = wal_.Sync();
    if (status.ok()) syncs_.Add(1);
    return status;
  }

  uint64_t LogNumber() const { return number_; }

  // There are no checkpoints yet, so it is all of this log.
  uint64_t BytesSinceCheckpoint() const { return wal_.size(); }

  // Does not sync.
  Status Close() { return wal_.Close(); }

  void CountInto(Stats* stats) const {
    stats->groups = groups_.Get();
    stats->writers = writers_.Get();
    stats->log_bytes = log_bytes_.Get();
    stats->syncs = syncs_.Get();
    for (size_t size = 0; size < group_sizes_.size(); ++size) {
      stats->group_sizes[size] = group_sizes_[size].Get();
    }
  }

 private:
  // Written by one thread at a time, so it needs no read-modify-write.
  class Counter {
   public:
    Counter() : value_(0) {}
    void Add(uint64_t n) { Set(Get() + n); }
    void Set(uint64_t value) { value_.store(value, orders::StoreLog_CounterStore); }
    uint64_t Get() const { return value_.load(orders::StoreLog_CounterLoad); }

   private:
    typename Policy::template Atomic<uint64_t> value_;
  };

  WalWriter wal_;
  const uint64_t number_;
  Counter groups_;
  Counter writers_;
  Counter log_bytes_;
  Counter syncs_;
  std::array<Counter, Stats::kLargestGroup + 1> group_sizes_;
};

}  // namespace bellwether
