// config.h: the constants of the spec: how many threads write what, and what may go wrong.
//
// Thread safety: a plain value.

#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <type_traits>

#include "model/pointer.h"

namespace bellwether::model {
inline namespace BELLWETHER_MODEL_BOUNDS {

enum class Mode : uint8_t {
  kSerial,
  kParallel,
  kPipelined,
  kPipelinedParallel,
  kTwoQueues,
  kTwoQueuesParallel,
};

struct ModeInfo {
  Mode mode;
  std::string_view name;
};

inline constexpr auto kModes = std::to_array<ModeInfo>({
    {Mode::kSerial, "serial"},
    {Mode::kParallel, "parallel"},
    {Mode::kPipelined, "pipelined"},
    {Mode::kPipelinedParallel, "pipelined_parallel"},
    {Mode::kTwoQueues, "two_queues"},
    {Mode::kTwoQueuesParallel, "two_queues_parallel"},
});

static_assert(kMaxWrites < 16);  // a WriteSet has at most 16 bits of each thread

// A set of writes.
class WriteSet {
 public:
  // Neither NULL nor a Writer of another place is in one.
  constexpr bool Contains(Pointer w) const {
    return w.thread() < kMaxThreads && (bits_[w.thread()] >> w.incarnation() & 1) != 0;
  }
  constexpr bool empty() const { return *this == WriteSet(); }
  constexpr void Add(Pointer w) {
    bits_[w.thread()] = static_cast<Bits>(bits_[w.thread()] | 1u << w.incarnation());
  }
  constexpr void Remove(Pointer w) {
    bits_[w.thread()] = static_cast<Bits>(bits_[w.thread()] & ~(1u << w.incarnation()));
  }

  friend constexpr bool operator==(const WriteSet&, const WriteSet&) = default;

 private:
  using Bits = std::conditional_t<(kMaxWrites < 8), uint8_t, uint16_t>;

  std::array<Bits, kMaxThreads> bits_ = {};  // bit k: write k of the thread
};

struct Config {
  Mode mode = Mode::kSerial;
  uint8_t threads = 2;
  uint8_t writes = 1;  // of each thread
  WriteSet sync;
  WriteSet callback_fails;     // the callback fails
  WriteSet callback_alone;     // AllowWriteBatching() is false
  WriteSet disable_memtable;   // logged, not inserted
  WriteSet disable_wal;        // inserted, not logged
  WriteSet no_slowdown;        // fails where it would wait for a stall to end
  WriteSet pre_release_fails;  // the pre-release callback fails
  WriteSet commits;            // commits what its thread's write before it prepared
  WriteSet closes;             // no write, but a call of Close
  std::array<bool, kMaxThreads> checkpointers = {};  // make checkpoints, endlessly, instead
  uint8_t max_log = 0;                               // max_log_bytes, in records; 0: no stall
  uint8_t stride_threshold = 20;    // groups of at least this size are launched by callers
  uint8_t max_group = kMaxThreads;  // max_write_batch_group_size_bytes, in writers
  uint8_t batch_count = 1;          // operations in every batch
  // And so many more in those of each thread. In the spec all batches are as large.
  std::array<uint8_t, kMaxThreads> more_operations = {};
  bool wal_errors = false;
  bool memtable_errors = false;
  // Of the store around the write path: see recovery_model.h.
  uint8_t readers = 0;  // each reads once in the life of a store
  uint8_t crashes = 0;  // how often it goes down
  bool process_crashes = true;
  bool power_losses = true;

  bool Parallel() const {
    return mode == Mode::kParallel || mode == Mode::kPipelinedParallel ||
           mode == Mode::kTwoQueuesParallel;
  }
  bool Pipelined() const { return mode == Mode::kPipelined || mode == Mode::kPipelinedParallel; }
  bool TwoQueues() const { return mode == Mode::kTwoQueues || mode == Mode::kTwoQueuesParallel; }
  // Another leader, of the memtable queue or of the other write queue, may poison the path
  // meanwhile: then each load of first_error is a step.
  bool SharesFirstError() const { return Pipelined() || TwoQueues(); }
  // Two queues: a write that inserts nothing has a queue of its own.
  bool UsesNonmem(Pointer w) const {
    return TwoQueues() && (w == kSecond || disable_memtable.Contains(w));
  }
  bool Stalls() const { return max_log > 0; }
  bool Checkpoints(size_t t) const { return t < kMaxThreads && checkpointers[t]; }
  // No write, but a call that leads all queues, without a batch.
  bool Unbatched(Pointer w) const {
    return w == kSecond || Checkpoints(w.thread()) || closes.Contains(w);
  }
  bool HasSecond() const {
    return (Pipelined() || TwoQueues()) &&
           (!closes.empty() || checkpointers != std::array<bool, kMaxThreads>{});
  }
  // Writer::ShouldWriteToWAL and ShouldWriteToMemtable, as long as its status is OK.
  bool Logs(Pointer w) const { return !callback_fails.Contains(w); }
  bool Inserts(Pointer w) const { return Logs(w) && !disable_memtable.Contains(w); }
  // Operations. REQUIRES: w is a write.
  uint8_t Count(Pointer w) const {
    return static_cast<uint8_t>(batch_count + more_operations[w.thread()]);
  }
  bool Sync(Pointer w) const { return sync.Contains(w); }
  void SetSync(Pointer w) { sync.Add(w); }
};

// Every write of the workload, by thread and then by number.
inline Sequence<Pointer, kMaxThreads * kMaxWrites> AllWrites(const Config& config) {
  Sequence<Pointer, kMaxThreads * kMaxWrites> writes;
  for (size_t t = 0; t < config.threads; t++) {
    for (size_t k = 1; k <= config.writes; k++) {
      if (!config.Unbatched({t, k})) writes.Append({t, k});
    }
  }
  return writes;
}

// What takes steps: the threads, and the second Writer of an unbatched call, in its place.
inline Sequence<uint8_t, kFrames> Frames(const Config& config) {
  Sequence<uint8_t, kFrames> frames;
  for (uint8_t t = 0; t < config.threads; t++) frames.Append(t);
  if (config.HasSecond()) frames.Append(kSecondPlace);
  return frames;
}

}  // namespace BELLWETHER_MODEL_BOUNDS
}  // namespace bellwether::model
