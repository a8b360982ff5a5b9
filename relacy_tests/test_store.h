// The log and the memtable of the explorations: plain arrays of race-checked slots, so that a
// missing happens-before anywhere on a write's way is a race on the slot of that write, in whatever
// order the accesses ran.
//
// Thread safety: that of the interfaces which they stand for (LogConcept, MemTableConcept).
#pragma once

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>

#include "bellwether/write_path/sequence.h"
#include "bellwether/write_path/status.h"
#include "relacy_tests/relacy_sync.h"
#include "relacy_tests/scenarios.h"

namespace bellwether::relacy {

inline constexpr std::size_t kMaxOperations = 24;
inline constexpr std::string_view kTestLogName = "000001.log";

struct TestBatch {
  int id = 0;  // of the write, from 1 on
  std::uint32_t count = 1;
  std::size_t bytes = 1;

  std::uint32_t Count() const { return count; }
  std::size_t ByteSize() const { return bytes; }
};

// The one fault of an execution: each place where it may strike is a choice.
class FaultPoint {
 public:
  explicit FaultPoint(bool armed) : armed_(armed) {}

  bool Strikes() {
    if (!armed_ || Choose(2) == 0) return false;
    armed_ = false;
    return true;
  }
  Status Error(std::uint64_t offset) const {
    return Status::IOError("injected", kTestLogName, offset, EIO);
  }

 private:
  bool armed_;
};

class TestLog {
 public:
  explicit TestLog(bool may_fail) : fault_(may_fail), end_(1), synced_(0) {}

  template <class Group>
  Status AddRecord(SequenceNumber first, const Group& group) {
    Check(!failed_, "INV_STATUS: the log is used after an error");
    Check(first == end_.Get(), "INV_SEQUENCE: a record does not start where the last one ended");
    const bool strikes = fault_.Strikes();
    failed_ = strikes;
    SequenceNumber next = first;
    group.ForEach([&](const TestBatch& batch) {
      group_of_[static_cast<std::size_t>(batch.id)] = records_;
      for (std::uint32_t i = 0; i < batch.count && !strikes; ++i) slot_[next++].Set(batch.id);
    });
    ++records_;
    if (strikes) return fault_.Error(end_.Get());
    end_.Set(next);
    return Status::OK();
  }

  Status Sync() {
    Check(!failed_, "INV_STATUS: the log is used after an error");
    if (fault_.Strikes()) {
      failed_ = true;
      return fault_.Error(end_.Get());
    }
    for (SequenceNumber s = synced_.Get() + 1; s < end_.Get(); ++s) durable_[s].Set(true);
    synced_.Set(end_.Get() - 1);
    return Status::OK();
  }

  // For the writer that was told OK: its own slots only.
  int At(SequenceNumber sequence) const { return slot_[sequence].Get(); }
  bool Durable(SequenceNumber sequence) const { return durable_[sequence].Get(); }
  // For the closer, and after the execution.
  SequenceNumber End() const { return end_.Get(); }
  SequenceNumber Synced() const { return synced_.Get(); }

  // Which record a write went to, or was about to; -1: none. After the execution.
  int RecordOf(int id) const { return group_of_[static_cast<std::size_t>(id)]; }
  int Records() const { return records_; }
  void ForgetRecords() { group_of_.fill(-1); }

 private:
  FaultPoint fault_;
  RelacyPlain<SequenceNumber> end_;     // the next sequence to log
  RelacyPlain<SequenceNumber> synced_;  // the last that is durable
  std::array<RelacyPlain<int>, kMaxOperations> slot_;
  std::array<RelacyPlain<bool>, kMaxOperations> durable_;
  // Not race-checked: only read when the execution is over.
  std::array<int, kMaxOperations> group_of_{};
  int records_ = 0;
  bool failed_ = false;
};

class TestMemTable {
 public:
  explicit TestMemTable(bool may_fail) : fault_(may_fail) {}

  // An error leaves a part of the batch behind.
  Status InsertInto(const TestBatch& batch, SequenceNumber first) {
    const bool strikes = fault_.Strikes();
    for (std::uint32_t i = 0; i < batch.count; ++i) {
      const bool last = i + 1 == batch.count;
      if (last && strikes) return Status::OutOfMemory("injected");
      slot_[first + i].Set(Entry{batch.id, i, batch.count});
    }
    return Status::OK();
  }

  struct Entry {
    int id = 0;
    std::uint32_t index = 0;
    std::uint32_t count = 0;
  };
  Entry At(SequenceNumber sequence) const { return slot_[sequence].Get(); }

 private:
  FaultPoint fault_;
  std::array<RelacyPlain<Entry>, kMaxOperations> slot_;
};

}  // namespace bellwether::relacy
