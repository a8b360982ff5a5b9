// A memtable whose nth insert from now on fails, with a part of the batch inserted.
//
// Thread safety: as MemTable's; Arm and Disarm while no insert is in flight.
#pragma once

#include <atomic>
#include <cstdint>

#include "bellwether/storage/memtable.h"
#include "stress/workload.h"

namespace bellwether::stress {

// The fault of all FaultyMemTables of the process.
class MemTableFault {
 public:
  // `swallowed`: the memtable does not tell of its error: a mutant.
  static void Arm(uint64_t nth, bool swallowed) {
    swallowed_ = swallowed;
    failed_ = 0;
    inserts_to_go_ = nth;
  }

  // The write whose insert has failed, if one has.
  static WriteId Disarm() {
    inserts_to_go_ = 0;
    return failed_.exchange(0);
  }

  // True for the insert that has to fail.
  static bool Strikes() { return inserts_to_go_.load() > 0 && inserts_to_go_.fetch_sub(1) == 1; }
  static void Struck(WriteId id) { failed_ = id; }
  static bool swallowed() { return swallowed_; }

 private:
  static inline std::atomic<uint64_t> inserts_to_go_{0};
  static inline std::atomic<WriteId> failed_{0};
  static inline std::atomic<bool> swallowed_{false};
};

template <SyncPolicy Sync>
class FaultyMemTable : public MemTable<Sync> {
 public:
  Status InsertInto(const WriteBatch& batch, SequenceNumber first) {
    if (batch.Count() == 0 || !MemTableFault::Strikes()) {
      return MemTable<Sync>::InsertInto(batch, first);
    }
    FirstPut first_put;
    (void)batch.Iterate(&first_put);
    (void)MemTable<Sync>::InsertInto(first_put.part, first);
    MemTableFault::Struck(DecodeFixed<WriteId>(first_put.value.data()));
    return MemTableFault::swallowed() ? Status::OK() : Status::OutOfMemory("injected");
  }

 private:
  // The handler that WriteBatch::Iterate calls. A batch of the workload begins with a put, whose
  // value begins with the name of the write.
  struct FirstPut {
    Status Put(std::string_view key, std::string_view put_value) {
      value = put_value;
      (void)part.Put(key, put_value);
      return Status::Incomplete("the first is enough");
    }
    Status Delete(std::string_view) { return Status::OK(); }

    WriteBatch part;
    std::string_view value;
  };
};

}  // namespace bellwether::stress
