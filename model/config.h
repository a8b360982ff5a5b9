// config.h: the constants of the spec: how many threads write what, and what may go wrong.
//
// Thread safety: a plain value.

#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "model/pointer.h"

namespace bellwether::model {

enum class Mode : uint8_t { kSerial };

struct ModeInfo {
  Mode mode;
  std::string_view name;
};

inline constexpr auto kModes = std::to_array<ModeInfo>({{Mode::kSerial, "serial"}});

struct Config {
  Mode mode = Mode::kSerial;
  uint8_t threads = 2;
  uint8_t writes = 1;                          // of each thread
  std::array<uint8_t, kMaxThreads> sync = {};  // bit k-1: write k of the thread has sync
  uint8_t max_group = kMaxThreads;             // max_write_batch_group_size_bytes, in writers
  uint8_t batch_count = 1;                     // operations in every batch
  bool wal_errors = false;
  bool memtable_errors = false;

  bool Sync(Pointer w) const { return (sync[w.thread()] >> (w.incarnation() - 1) & 1) != 0; }
  void SetSync(Pointer w) {
    sync[w.thread()] = static_cast<uint8_t>(sync[w.thread()] | 1u << (w.incarnation() - 1));
  }
};

// Every write of the workload, by thread and then by number.
constexpr Sequence<Pointer, kMaxThreads * kMaxWrites> AllWrites(const Config& config) {
  Sequence<Pointer, kMaxThreads * kMaxWrites> writes;
  for (size_t t = 0; t < config.threads; t++) {
    for (size_t k = 1; k <= config.writes; k++) writes.Append({t, k});
  }
  return writes;
}

}  // namespace bellwether::model
