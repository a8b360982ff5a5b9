// The scenarios: each a small workload on the real WritePath<RelacySync, …>, named after the race
// that it holds.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "relacy_tests/harness.h"

namespace bellwether::relacy {

enum class Fault : std::uint8_t { kNone, kLog, kMemTable };

inline constexpr int kMaxWriters = 6;

struct Scenario {
  std::string_view name;
  std::string_view what;
  int writers = 2;
  int writes = 1;   // of each writer
  int readers = 0;  // threads that read the published prefix, twice
  int closers = 0;  // threads that call Close
  unsigned sync_writers = 0;               // one bit a writer
  std::array<std::uint32_t, kMaxWriters> counts{1, 1, 1, 1, 1, 1};  // operations of a writer's batch
  std::size_t batch_bytes = 1;
  std::size_t max_write_batch_group_size_bytes = 1 << 20;
  Fault fault = Fault::kNone;  // at most one in an execution, at every place where it can happen
  bool blocking_wait = false;
};

const std::vector<Scenario>& Scenarios();
const Scenario* FindScenario(std::string_view name);

// Sets `settings` as the scenario wants them.
Subject MakeSubject(const Scenario& scenario);

}  // namespace bellwether::relacy
