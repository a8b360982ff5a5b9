// The seeded workload: what each write holds follows from the seed and the write's name alone, so
// that whoever finds a value anywhere can say which write it came from, and whether all of it is
// there.
//
// The first operation of a batch puts the marker key of its thread; so a log, too, can be cut back
// into the batches that its groups were made of. Keys are few and shared by all threads.
// Thread safety: immutable after construction.
#pragma once

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bellwether/storage/coding.h"
#include "bellwether/storage/write_batch.h"
#include "bellwether/write_path/status.h"

namespace bellwether::stress {

// A bijection of 64-bit words that leaves no pattern (Steele, Lea, Flood: SplitMix64's finalizer).
inline uint64_t Mix(uint64_t word) {
  word += 0x9e3779b97f4a7c15U;
  word = (word ^ (word >> 30)) * 0xbf58476d1ce4e5b9U;
  word = (word ^ (word >> 27)) * 0x94d049bb133111ebU;
  return word ^ (word >> 31);
}

// A small generator for decisions that need no quality but reproducibility.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  uint64_t Next() { return Mix(state_++); }
  // REQUIRES: bound > 0.
  uint64_t Below(uint64_t bound) { return Next() % bound; }
  bool Percent(uint64_t percent) { return Below(100) < percent; }

 private:
  uint64_t state_;
};

// A write: which thread's, and the how-manieth of that thread, from 1 on. 0 is no write.
using WriteId = uint64_t;
inline constexpr int kNumberBits = 40;
inline constexpr WriteId MakeWriteId(uint32_t thread, uint64_t number) {
  return (static_cast<uint64_t>(thread) << kNumberBits) | number;
}
inline constexpr uint32_t ThreadOf(WriteId id) { return static_cast<uint32_t>(id >> kNumberBits); }
inline constexpr uint64_t NumberOf(WriteId id) { return id & ((uint64_t{1} << kNumberBits) - 1); }
inline std::string Name(WriteId id) {
  return "write " + std::to_string(NumberOf(id)) + " of thread " + std::to_string(ThreadOf(id));
}

struct KeyOperation {
  uint32_t key = 0;
  bool deletion = false;
  bool operator==(const KeyOperation&) const = default;
};

// A value: the write that put it, and the position of that Put in its batch. Write 0: no value.
struct ValueId {
  WriteId write = 0;
  uint32_t index = 0;
  bool operator==(const ValueId&) const = default;
};

// How a write comes to its end: at once, or as a transaction that is prepared first.
enum class Way : uint8_t { kWrite, kCommit, kRollback, kLeaveUndecided };

enum class CallbackKind : uint8_t { kNone, kPasses, kFails };

struct WorkloadOptions {
  uint64_t seed = 1;
  uint32_t keys = 256;           // shared ones
  uint32_t max_operations = 5;   // of a batch, its marker included; at least 1
  uint32_t max_value_size = 96;  // at least kMinValueSize
  uint32_t sync_percent = 10;
  uint32_t delete_percent = 15;
  uint32_t transaction_percent = 0;
  uint32_t callback_percent = 0;     // every second one fails
  uint32_t disable_wal_percent = 0;  // of the writes that are neither sync nor a transaction
  uint32_t no_slowdown_percent = 0;
};

// Stands for a value that no write put under its key.
inline constexpr ValueId kForeignValue{~WriteId{0}, 0};

class Workload {
 public:
  static constexpr uint32_t kMaxThreads = 64;
  static constexpr uint32_t kMinValueSize = sizeof(WriteId) + sizeof(uint32_t);

  explicit Workload(const WorkloadOptions& options) : options_(options) {}

  const WorkloadOptions& options() const { return options_; }
  // Marker keys come first, one for each thread.
  uint32_t keys() const { return kMaxThreads + options_.keys; }

  bool Sync(WriteId id) const { return Mix(Base(id)) % 100 < options_.sync_percent; }

  Way WayOf(WriteId id) const {
    Random random(Base(id) + 2);
    if (!random.Percent(options_.transaction_percent)) return Way::kWrite;
    if (random.Percent(60)) return Way::kCommit;
    return random.Percent(60) ? Way::kRollback : Way::kLeaveUndecided;
  }

  CallbackKind CallbackOf(WriteId id) const {
    Random random(Base(id) + 3);
    if (!random.Percent(options_.callback_percent)) return CallbackKind::kNone;
    return random.Percent(50) ? CallbackKind::kFails : CallbackKind::kPasses;
  }

  // The log does not have it, so it may go with the process.
  bool DisableWal(WriteId id) const {
    return !Sync(id) && WayOf(id) == Way::kWrite &&
           Random(Base(id) + 4).Percent(options_.disable_wal_percent);
  }

  bool NoSlowdown(WriteId id) const {
    return Random(Base(id) + 5).Percent(options_.no_slowdown_percent);
  }

  static std::string Xid(WriteId id) { return "xid" + std::to_string(id); }

  static std::optional<WriteId> ParseXid(std::string_view xid) {
    WriteId id = 0;
    if (!xid.starts_with("xid")) return std::nullopt;
    (void)std::from_chars(xid.data() + 3, xid.data() + xid.size(), id);
    return Xid(id) == xid ? std::optional(id) : std::nullopt;
  }

  std::vector<KeyOperation> Operations(WriteId id) const {
    Random random(Base(id) + 1);
    std::vector<KeyOperation> operations{{ThreadOf(id), false}};
    const uint64_t more = random.Below(options_.max_operations);
    for (uint64_t i = 0; i < more; ++i) {
      const auto key = static_cast<uint32_t>(kMaxThreads + random.Below(options_.keys));
      operations.push_back({key, random.Percent(options_.delete_percent)});
    }
    return operations;
  }

  static std::string Key(uint32_t key) {
    char text[16];
    return std::string(text,
                       static_cast<size_t>(std::snprintf(text, sizeof(text), "key%06u", key)));
  }

  static std::optional<uint32_t> KeyNumber(std::string_view key) {
    if (key.size() != 9 || !key.starts_with("key")) return std::nullopt;
    uint32_t number = 0;
    for (const char digit : key.substr(3)) {
      if (digit < '0' || digit > '9') return std::nullopt;
      number = 10 * number + static_cast<uint32_t>(digit - '0');
    }
    return number;
  }

  std::string Value(ValueId id) const {
    Random random(Base(id.write) ^ Mix(id.index));
    const uint64_t padding = random.Below(options_.max_value_size - kMinValueSize + 1);
    std::string value(kMinValueSize + padding, static_cast<char>('a' + random.Below(26)));
    EncodeFixed(value.data(), id.write);
    EncodeFixed(value.data() + sizeof(WriteId), id.index);
    return value;
  }

  // Which Put of this workload wrote `value` under `key`; none if no Put did, or not all of it.
  std::optional<ValueId> Decode(uint32_t key, std::string_view value) const {
    if (value.size() < kMinValueSize) return std::nullopt;
    const ValueId id{DecodeFixed<WriteId>(value.data()),
                     DecodeFixed<uint32_t>(value.data() + sizeof(WriteId))};
    const std::vector<KeyOperation> operations = Operations(id.write);
    if (id.index >= operations.size()) return std::nullopt;
    if (operations[id.index] != KeyOperation{key, false}) return std::nullopt;
    if (Value(id) != value) return std::nullopt;
    return id;
  }

  Status Fill(WriteId id, WriteBatch* batch) const {
    batch->Clear();
    uint32_t index = 0;
    for (const KeyOperation& operation : Operations(id)) {
      const Status status = operation.deletion ? batch->Delete(Key(operation.key))
                                               : batch->Put(Key(operation.key), Value({id, index}));
      if (!status.ok()) return status;
      ++index;
    }
    return Status::OK();
  }

 private:
  uint64_t Base(WriteId id) const { return Mix(options_.seed) ^ Mix(id); }

  const WorkloadOptions options_;
};

}  // namespace bellwether::stress
