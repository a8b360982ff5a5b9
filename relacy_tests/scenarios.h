// The scenarios: each a small workload on the real WritePath<RelacySync, …>, named
// MODE_RACE_WRITERSxWRITES; serial is not said before a race. With two queues, 2+1 are two writers
// that insert and one that does not.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "bellwether/write_path/write_options.h"
#include "relacy_tests/harness.h"

namespace bellwether::relacy {

// The environment's choice at the start of an execution: nothing fails, or this does.
enum class Fault : std::uint8_t {
  kNone,
  kLog,         // the append, or the sync behind it, of the record with a write, or each sync
  kPreRelease,  // the PreReleaseCallback of a write
  kMemTable,    // the inserts of any writes
  kEveryInsert,
};

// When leaders stall, until a checkpoint.
enum class LogSize : std::uint8_t { kSmall, kTooLarge, kTooLargeAfterARecord };

inline constexpr int kMaxWriters = 6;
inline constexpr int kNoWriter = -1;
inline constexpr std::size_t kMaxWrites = 12;
inline constexpr std::size_t kMaxOperations = 24;

// The masks hold one bit a writer.
struct Scenario {
  std::string name{};
  std::string_view what{};
  std::string_view mode{};
  int writers = 2;
  int writes = 1;         // of each writer
  int readers = 0;        // threads that read the published prefix, twice
  int closers = 0;        // threads that call Close
  int checkpointers = 0;  // threads that empty the log, unbatched
  unsigned sync = 0;
  unsigned no_slowdown = 0;
  unsigned disable_wal = 0;
  unsigned disable_memtable = 0;
  unsigned failing_callback = 0;
  unsigned callback_alone = 0;   // a callback that succeeds and allows no batching
  int relief_after = kNoWriter;  // checkpointers wait for the return of this writer
  std::array<std::uint32_t, kMaxWriters> counts{1, 1, 1, 1, 1, 1};  // operations of a batch
  Fault fault = Fault::kNone;
  bool blocking_wait = false;
  bool linger = false;
  bool relief_first = false;  // writers wait for the checkpointer's return, and it empties nothing
  LogSize log_size = LogSize::kSmall;
  WritePathOptions options{};
};

const std::vector<Scenario>& Scenarios();
const Scenario* FindScenario(std::string_view name);

// Sets `settings` as the scenario wants them.
Subject MakeSubject(const Scenario& scenario);

}  // namespace bellwether::relacy
