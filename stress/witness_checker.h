// The witness checker: is a history strictly serializable, in the order that it claims itself?
//
// Each acknowledged write carries its sequence, each read its snapshot. In the order of these
// witnesses no search is needed, so a history of any length is checked in O(n log n):
//   kContiguous   the writes cover base + 1 … last without a gap (INV_SEQUENCE)
//   kDuplicate    … and without an overlap, each write once
//   kRealTime     an operation that was over before another began comes before it (LIN)
//   kTornBatch    no snapshot lies inside a batch (INV_ATOMIC)
//   kValue        each read saw what replaying the writes up to its snapshot gives (LIN,
//   INV_PUBLISH)
//
// It trusts the witnesses where it cannot see: a wrong order that no read and no clock contradicts
// passes. Thread safety: pure functions.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "stress/history.h"
#include "stress/workload.h"

namespace bellwether::stress {

struct Violation {
  std::string_view rule;
  std::string what;
};

// All versions of all keys, as the writes made them.
class Replay {
 public:
  explicit Replay(const Workload& workload) : workload_(workload) {}

  // REQUIRES: in the order of the sequences.
  void Apply(WriteId id, SequenceNumber sequence) {
    uint32_t index = 0;
    for (const KeyOperation& operation : workload_.Operations(id)) {
      const ValueId value = operation.deletion ? ValueId{} : ValueId{id, index};
      versions_[operation.key].push_back({sequence + index, value});
      ++index;
    }
  }

  ValueId Get(uint32_t key, SequenceNumber snapshot) const {
    const auto found = versions_.find(key);
    if (found == versions_.end()) return {};
    const std::vector<Version>& versions = found->second;
    const auto newer = std::upper_bound(versions.begin(), versions.end(), snapshot,
                                        [](SequenceNumber sequence, const Version& version) {
                                          return sequence < version.sequence;
                                        });
    return newer == versions.begin() ? ValueId{} : std::prev(newer)->value;
  }

 private:
  struct Version {
    SequenceNumber sequence = 0;
    ValueId value;
  };

  const Workload& workload_;
  std::map<uint32_t, std::vector<Version>> versions_;
};

namespace internal {

inline std::string ValueName(ValueId value) {
  if (value == ValueId{}) return "nothing";
  if (value == kForeignValue) return "a value that no write put there";
  return "operation " + std::to_string(value.index) + " of " + Name(value.write);
}

inline std::optional<Violation> CheckSequences(const std::vector<WriteEvent>& writes,
                                               SequenceNumber last_sequence) {
  SequenceNumber next = 1;
  std::unordered_map<WriteId, SequenceNumber> seen;
  seen.reserve(writes.size());
  for (const WriteEvent& write : writes) {
    if (const auto [at, fresh] = seen.emplace(write.id, write.sequence);
        !fresh && write.id != kLostWrite) {
      return Violation{"kDuplicate", Name(write.id) + " stands at sequence " +
                                         std::to_string(at->second) + " and at " +
                                         std::to_string(write.sequence)};
    }
    if (write.sequence < next) {
      return Violation{"kDuplicate", Name(write.id) + " claims sequence " +
                                         std::to_string(write.sequence) +
                                         ", which the write before it has"};
    }
    if (write.sequence > next) {
      return Violation{"kContiguous", "no write has sequence " + std::to_string(next) + "; " +
                                          Name(write.id) + " comes next, with " +
                                          std::to_string(write.sequence)};
    }
    next = write.sequence + write.count;
  }
  if (next != last_sequence + 1) {
    return Violation{"kContiguous", "the writes end at sequence " + std::to_string(next - 1) +
                                        ", the store at " + std::to_string(last_sequence)};
  }
  return std::nullopt;
}

// A point of the serial order: a write at its sequence, a read right behind its snapshot.
struct Point {
  SequenceNumber at = 0;
  bool read = false;
  uint64_t invoked = 0;
  uint64_t returned = 0;
  WriteId write = 0;
};

inline std::vector<Point> SerialOrder(const std::vector<WriteEvent>& writes,
                                      const std::vector<ReadEvent>& reads) {
  std::vector<Point> points;
  points.reserve(writes.size() + reads.size());
  for (const WriteEvent& write : writes) {
    points.push_back({write.last(), false, write.invoked, write.returned, write.id});
  }
  for (const ReadEvent& read : reads) {
    points.push_back({read.snapshot, true, read.invoked, read.returned, 0});
  }
  std::stable_sort(points.begin(), points.end(), [](const Point& a, const Point& b) {
    return a.at != b.at ? a.at < b.at : a.read < b.read;
  });
  return points;
}

inline std::string PointName(const Point& point) {
  return point.read ? "a read at snapshot " + std::to_string(point.at)
                    : Name(point.write) + " (up to sequence " + std::to_string(point.at) + ")";
}

// Reads of one snapshot commute, so they are compared with other points only.
inline std::optional<Violation> CheckRealTime(const std::vector<Point>& points) {
  const Point* first_to_return = nullptr;  // of those that come later in the order
  for (size_t end = points.size(); end > 0;) {
    size_t begin = end - 1;
    while (begin > 0 && points[begin].read && points[begin - 1].read &&
           points[begin - 1].at == points[begin].at) {
      --begin;
    }
    for (size_t i = begin; i < end; ++i) {
      if (first_to_return != nullptr && first_to_return->returned < points[i].invoked) {
        return Violation{"kRealTime", PointName(*first_to_return) + " was over before " +
                                          PointName(points[i]) + " began, but comes behind it"};
      }
    }
    for (size_t i = begin; i < end; ++i) {
      if (first_to_return == nullptr || points[i].returned < first_to_return->returned) {
        first_to_return = &points[i];
      }
    }
    end = begin;
  }
  return std::nullopt;
}

inline std::optional<Violation> CheckReads(const Workload& workload,
                                           const std::vector<WriteEvent>& writes,
                                           const std::vector<ReadEvent>& reads) {
  Replay replay(workload);
  std::vector<SequenceNumber> ends{0};
  for (const WriteEvent& write : writes) {
    if (write.id != kLostWrite) replay.Apply(write.id, write.sequence);
    ends.push_back(write.last());
  }
  for (const ReadEvent& read : reads) {
    if (!std::binary_search(ends.begin(), ends.end(), read.snapshot)) {
      return Violation{"kTornBatch", "snapshot " + std::to_string(read.snapshot) +
                                         " is not the end of any batch"};
    }
    for (const Observation& seen : read.observations) {
      const ValueId expected = replay.Get(seen.key, read.snapshot);
      if (seen.value == expected) continue;
      return Violation{"kValue", "at snapshot " + std::to_string(read.snapshot) + " " +
                                     Workload::Key(seen.key) + " was read as " +
                                     ValueName(seen.value) + ", written as " + ValueName(expected)};
    }
  }
  return std::nullopt;
}

}  // namespace internal

// `writes`: those that took effect, at their sequences. None: the history holds.
inline std::optional<Violation> CheckWitness(const Workload& workload,
                                             std::vector<WriteEvent> writes,
                                             const std::vector<ReadEvent>& reads,
                                             SequenceNumber last_sequence) {
  std::sort(writes.begin(), writes.end(), [](const WriteEvent& a, const WriteEvent& b) {
    return a.sequence != b.sequence ? a.sequence < b.sequence : a.id < b.id;
  });
  std::optional<Violation> violation = internal::CheckSequences(writes, last_sequence);
  if (!violation) violation = internal::CheckRealTime(internal::SerialOrder(writes, reads));
  if (!violation) violation = internal::CheckReads(workload, writes, reads);
  return violation;
}

}  // namespace bellwether::stress
