// What the threads of a stress run did and saw, in the order of each thread.
//
// Times are those of one monotonic clock; they only decide which of two operations was over before
// the other began. Thread safety: each thread records into its own History; Append joins them.
#pragma once

#include <chrono>
#include <cstdint>
#include <limits>
#include <vector>

#include "bellwether/write_path/sequence.h"
#include "stress/workload.h"

namespace bellwether::stress {

inline constexpr uint64_t kNever = std::numeric_limits<uint64_t>::max();

inline uint64_t Now() {
  return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(
                                   std::chrono::steady_clock::now().time_since_epoch())
                                   .count());
}

enum class Outcome : uint8_t {
  kAcknowledged,
  kUnknown,  // it failed with "outcome unknown until reopen", or the process died in it
  kRefused,  // it failed with "refused, not logged"
};

// Stands for writes with disable_wal that are gone: their sequences are taken, and nothing is
// there.
inline constexpr WriteId kLostWrite = 0;

struct WriteEvent {
  WriteId id = kLostWrite;
  uint64_t invoked = 0;
  uint64_t returned = kNever;   // kNever: not seen to return
  SequenceNumber sequence = 0;  // of its first operation: its witness
  uint32_t count = 0;           // of its operations
  Outcome outcome = Outcome::kUnknown;
  bool sync = false;

  SequenceNumber last() const { return sequence + count - 1; }
};

struct Observation {
  uint32_t key = 0;
  ValueId value;
};

struct ReadEvent {
  uint64_t invoked = 0;
  uint64_t returned = kNever;
  SequenceNumber snapshot = 0;  // its witness
  std::vector<Observation> observations;
};

struct History {
  std::vector<WriteEvent> writes;
  std::vector<ReadEvent> reads;

  void Append(const History& other) {
    writes.insert(writes.end(), other.writes.begin(), other.writes.end());
    reads.insert(reads.end(), other.reads.begin(), other.reads.end());
  }
};

}  // namespace bellwether::stress
