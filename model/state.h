// state.h: the variables of spec/WritePath.tla and spec/WriteThread.tla, under the same names, as a
// plain value.
//
// A function of the threads is an array. All bytes of a State are significant and whatever the spec
// does not have (threads and writes beyond the configuration, the rest of a sequence) is zero, so
// two states are equal exactly when their bytes are.
//
// Thread safety: a plain value, without heap.

#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <type_traits>

#include "model/action.h"
#include "model/config.h"
#include "model/pointer.h"

namespace bellwether::model {
inline namespace BELLWETHER_MODEL_BOUNDS {

// Prefixed as in RocksDB, whose names they are.
enum WriterState : uint8_t {
  STATE_INIT,
  STATE_GROUP_LEADER,
  STATE_MEMTABLE_WRITER_LEADER,
  STATE_PARALLEL_MEMTABLE_CALLER,
  STATE_PARALLEL_MEMTABLE_WRITER,
  STATE_COMPLETED,
};

enum class WriteStatus : uint8_t {
  kOK,
  kUnknownOutcome,
  kAborted,
  kCallbackFailed,
  kIncomplete,
};

enum class FirstError : uint8_t {
  kOK,
  kWalError,
  kMemTableError,
  kPreReleaseError,
  kClose,
  kCrash,
};

// One record of the log.
struct LogRecord {
  uint8_t first_sequence = 0;
  Writers writers;
  friend constexpr bool operator==(const LogRecord&, const LogRecord&) = default;
};

// What a caller was told.
struct Outcome {
  WriteStatus status = WriteStatus::kOK;
  uint8_t sequence = 0;
  friend constexpr bool operator==(const Outcome&, const Outcome&) = default;
};

inline constexpr size_t kMaxRecords = kMaxThreads * kMaxWrites;
using Records = Sequence<LogRecord, kMaxRecords>;

template <class T>
using PerThread = std::array<T, kMaxThreads>;
// Of the threads and of the second Writer of an unbatched call.
template <class T>
using PerFrame = std::array<T, kFrames>;
// Of all places of Writers.
template <class T>
using PerPlace = std::array<T, kPlaces>;

struct State {
  PerFrame<Action> pc = {};  // the next action; Action::Write: no write in flight
  PerFrame<uint8_t> incarnation = {};
  Pointer newest_writer;
  Pointer newest_memtable_writer;
  Pointer newest_nonmem_writer;
  PerFrame<WriterState> state = {};
  PerPlace<Pointer> link_older = {};
  PerPlace<Pointer> link_newer = {};
  PerFrame<Pointer> write_group = {};
  PerFrame<uint8_t> sequence = {};
  PerFrame<WriteStatus> status = {};
  PerFrame<Pointer> group_leader = {};
  PerFrame<Pointer> last_writer = {};
  PerFrame<uint8_t> group_size = {};
  PerFrame<WriteStatus> group_status = {};
  PerFrame<uint8_t> running = {};
  PerFrame<Pointer> tail_seen = {};
  PerFrame<Pointer> cursor = {};
  Writers arrival;
  bool lifetime_ok = true;

  Records log;
  uint8_t synced = 0;
  uint8_t allocated_sequence = 0;
  uint8_t relief = 0;
  uint8_t checkpoint = 0;
  uint8_t log_mutex = 0;  // the number of the thread that holds it, from 1; 0: nobody
  PerThread<std::array<uint8_t, kMaxWrites>> memtable = {};  // sequence of write k; 0: not inserted
  uint8_t last_sequence = 0;
  FirstError first_error = FirstError::kOK;
  PerThread<Sequence<Outcome, kMaxWrites>> outcome = {};
  PerThread<uint8_t> failed = {};  // bit k-1: write k was in a group that met an error

  bool Failed(Pointer w) const { return (failed[w.thread()] >> (w.incarnation() - 1) & 1) != 0; }
  void SetFailed(Pointer w) {
    failed[w.thread()] = static_cast<uint8_t>(failed[w.thread()] | 1u << (w.incarnation() - 1));
  }

  friend constexpr bool operator==(const State&, const State&) = default;
};

static_assert(Action{} == Action::Write && STATE_INIT == 0, "a State of zeros is the initial one");
static_assert(std::is_trivially_copyable_v<State>);
static_assert(std::has_unique_object_representations_v<State>);

}  // namespace BELLWETHER_MODEL_BOUNDS

// The state as `spec/tlc dump` has it, on one line: every variable that the mode needs as
// ` /\ name = value`, sorted by name, no whitespace within a value.
std::string CanonicalText(const Config& config, const State& state);

}  // namespace bellwether::model
