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

inline constexpr std::string_view kTestLogName = "000001.log";

struct TestBatch {
  int id = 0;  // of the write
  std::uint32_t count = 1;
  bool inserts = true;

  std::uint32_t Count() const { return count; }
  std::size_t ByteSize() const { return 1; }
};

inline constexpr int kNoWrite = -1;
inline constexpr int kAnyWrite = -2;              // even none
inline constexpr std::uint64_t kTooLarge = 1000;  // larger than any max_log_bytes of a scenario

class TestLog {
 public:
  // The record with write `append_fails` is not appended, that with `sync_fails` not synced.
  TestLog(int append_fails, int sync_fails, LogSize size)
      : append_fails_(append_fails),
        sync_fails_(sync_fails),
        end_(1),
        grows_(size == LogSize::kTooLargeAfterARecord),
        bytes_(size == LogSize::kTooLarge ? kTooLarge : 0) {
    record_of_.fill(kNoWrite);
  }

  template <class Group>
  Status AddRecord(SequenceNumber first, const Group& group) {
    Check(!failed_, "INV_STATUS: the log is used after an error");
    Check(first >= end_.Get(), "INV_SEQUENCE: a record starts before the last one ended");
    gaps_ = gaps_ || first != end_.Get();
    sync_fails_now_ = false;
    group.ForEach([&](const TestBatch& batch) {
      record_of_[Index(batch)] = records_;
      failed_ = failed_ || batch.id == append_fails_;
      sync_fails_now_ = sync_fails_now_ || batch.id == sync_fails_;
    });
    ++records_;
    if (failed_) return Error();
    SequenceNumber next = first;
    group.ForEach([&](const TestBatch& batch) {
      first_[Index(batch)].Set(next);
      unsynced_[Index(batch)] = true;
      if (batch.inserts) next += batch.count;
    });
    end_.Set(next);
    if (grows_) bytes_.Set(kTooLarge);
    return Status::OK();
  }

  Status Sync() {
    Check(!failed_, "INV_STATUS: the log is used after an error");
    failed_ = sync_fails_now_ || sync_fails_ == kAnyWrite;
    if (failed_) return Error();
    for (std::size_t i = 0; i < kMaxWrites; ++i) {
      if (unsynced_[i]) durable_[i].Set(true);
      unsynced_[i] = false;
    }
    return Status::OK();
  }

  std::uint64_t BytesSinceCheckpoint() const { return bytes_.Get(); }
  std::uint64_t LogNumber() const { return 1; }
  void Checkpoint() {
    grows_ = false;
    bytes_.Set(0);
  }

  // For the writer that was told OK, about its own write. 0: it is not in the log.
  SequenceNumber FirstOf(const TestBatch& batch) const { return first_[Index(batch)].Get(); }
  bool Durable(const TestBatch& batch) const { return durable_[Index(batch)].Get(); }
  // After the execution: the record that the write went to, or was about to.
  int RecordOf(const TestBatch& batch) const { return record_of_[Index(batch)]; }
  SequenceNumber End() const { return end_.Get(); }
  // A record did not start where the last one ended: only writes that are not logged excuse it.
  bool Gaps() const { return gaps_; }

 private:
  static std::size_t Index(const TestBatch& batch) { return static_cast<std::size_t>(batch.id); }
  Status Error() const { return Status::IOError("injected", kTestLogName, end_.Get(), EIO); }

  const int append_fails_;
  const int sync_fails_;
  RelacyPlain<SequenceNumber> end_;  // the next sequence to log: whoever appends races here
  bool grows_;                       // until a checkpoint; belongs to whoever appends, as bytes_
  RelacyPlain<std::uint64_t> bytes_;
  std::array<RelacyPlain<SequenceNumber>, kMaxWrites> first_;
  std::array<RelacyPlain<bool>, kMaxWrites> durable_;
  // Belong to whoever appends, as end_, which would race first.
  std::array<bool, kMaxWrites> unsynced_{};
  std::array<int, kMaxWrites> record_of_{};
  int records_ = 0;
  bool gaps_ = false;
  bool sync_fails_now_ = false;
  bool failed_ = false;
};

class TestMemTable {
 public:
  struct Entry {
    int id = kNoWrite;
    std::uint32_t index = 0;
    std::uint32_t count = 0;
  };

  // The inserts of the writes in `fails` fail, one bit a write.
  explicit TestMemTable(unsigned fails) : fails_(fails) {}

  // An error leaves a part of the batch behind.
  Status InsertInto(const TestBatch& batch, SequenceNumber first) {
    for (std::uint32_t i = 0; i < batch.count; ++i) {
      const bool fails = (fails_ >> batch.id & 1) != 0;
      if (i + 1 == batch.count && fails) return Status::OutOfMemory("injected");
      slot_[first + i].Set(Entry{batch.id, i, batch.count});
    }
    return Status::OK();
  }

  Entry At(SequenceNumber sequence) const { return slot_[sequence].Get(); }

 private:
  const unsigned fails_;
  std::array<RelacyPlain<Entry>, kMaxOperations> slot_;
};

}  // namespace bellwether::relacy
