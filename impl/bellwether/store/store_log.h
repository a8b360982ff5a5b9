// StoreLog: the Log of a Store's WritePath: a WalWriter that counts, and says when a checkpoint is
// due.
//
// The counters live here and not in the protocol, so that the protocol carries nothing that only
// statistics need. Invariant: whoever appends the record that makes the log larger than
// max_log_bytes leaves CheckpointDue() true, until Rotate or PutOff. Thread safety: as WalWriter,
// except CheckpointDue and CountInto, which anyone may call at any time.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

#include "bellwether/storage/wal_writer.h"
#include "bellwether/store/counter.h"
#include "bellwether/store/options.h"
#include "bellwether/sync/orders.h"
#include "bellwether/sync/sync.h"

namespace bellwether {

template <SyncPolicy Policy>
class StoreLog {
 public:
  using Batch = WriteBatch;

  // max_log_bytes 0: no checkpoint is ever due.
  StoreLog(std::unique_ptr<WritableFile> file, uint64_t number, const WalWriterOptions& options,
           uint64_t max_log_bytes)
      : wal_(std::move(file), options), number_(number), max_log_bytes_(max_log_bytes), due_(0) {}

  template <class Group>
  Status AddRecord(SequenceNumber first, const Group& batches) {
    const uint64_t old_size = wal_.size();
    Status status = wal_.AddRecord(first, batches);
    if (!status.ok()) return status;
    size_t writers = 0;
    batches.ForEach([&](const WriteBatch&) { ++writers; });
    groups_.Add(1);
    writers_.Add(writers);
    group_sizes_[std::min(writers, Stats::kLargestGroup)].Add(1);
    log_bytes_.Add(wal_.size() - old_size);
    if (max_log_bytes_ != 0 && BytesSinceCheckpoint() > max_log_bytes_) SetDue(1);
    return status;
  }

  Status Sync() {
    Status status = wal_.Sync();
    if (status.ok()) syncs_.Add(1);
    return status;
  }

  uint64_t LogNumber() const { return number_; }

  // Syncs and closes the file, and goes on in `file`, which is log `number`. An error is the log's
  // last word. REQUIRES: `file` is new, and its name durable; no write is in flight.
  Status Rotate(std::unique_ptr<WritableFile> file, uint64_t number) {
    Status status = wal_.Rotate(std::move(file));
    if (!status.ok()) return status;
    syncs_.Add(1);
    rotations_.Add(1);
    number_ = number;
    put_off_ = 0;
    SetDue(0);
    return status;
  }

  // The checkpoint did not come about: let max_log_bytes more bytes pass before the next one.
  // REQUIRES: no write is in flight.
  void PutOff() {
    put_off_ = wal_.size();
    SetDue(0);
  }

  // REQUIRES: nothing is appended any more.
  void NeverDue() { SetDue(0); }

  uint64_t BytesSinceCheckpoint() const { return wal_.BytesSinceCheckpoint() - put_off_; }
  bool CheckpointDue() const { return due_.load(orders::CheckpointDue_Load) != 0; }

  // Does not sync.
  Status Close() { return wal_.Close(); }

  void CountInto(Stats* stats) const {
    stats->groups = groups_.Get();
    stats->writers = writers_.Get();
    stats->log_bytes = log_bytes_.Get();
    stats->syncs = syncs_.Get();
    stats->rotations = rotations_.Get();
    for (size_t size = 0; size < group_sizes_.size(); ++size) {
      stats->group_sizes[size] = group_sizes_[size].Get();
    }
  }

 private:
  void SetDue(uint8_t due) { due_.store(due, orders::CheckpointDue_Store); }

  WalWriter wal_;
  uint64_t number_;
  const uint64_t max_log_bytes_;
  uint64_t put_off_ = 0;  // bytes of the file that count no more
  Counter<Policy> groups_;
  Counter<Policy> writers_;
  Counter<Policy> log_bytes_;
  Counter<Policy> syncs_;
  Counter<Policy> rotations_;
  std::array<Counter<Policy>, Stats::kLargestGroup + 1> group_sizes_;
  // Every write looks at it, so it does not share its line with what every group counts.
  alignas(Policy::kCacheLine) typename Policy::template Atomic<uint8_t> due_;
};

}  // namespace bellwether
