// MemTable: the versions of all keys, readable at any sequence.
//
// Protocol: InsertInto adds a batch's operations at their sequences; a reader takes the published
// sequence as his snapshot and sees, of each key, the newest version not after it.
// Invariants: versions are never changed or removed, so what a snapshot sees never changes; with
// INV_PUBLISH (nothing is published before it is wholly inserted) that gives INV_ATOMIC. Thread
// safety: all functions may be called concurrently; an Iterator belongs to one thread. Keys and
// values that are handed out live as long as the memtable.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "bellwether/storage/arena.h"
#include "bellwether/storage/skiplist.h"
#include "bellwether/storage/write_batch.h"
#include "bellwether/sync/orders.h"
#include "bellwether/sync/sync.h"
#include "bellwether/write_path/sequence.h"
#include "bellwether/write_path/status.h"

namespace bellwether {

template <SyncPolicy Sync>
class MemTable {
 public:
  class Iterator;

  explicit MemTable(size_t memory_limit = SIZE_MAX)
      : arena_(memory_limit), entries_(&arena_), operations_(0) {}
  MemTable(const MemTable&) = delete;
  MemTable& operator=(const MemTable&) = delete;

  // On failure a part of the batch may have been inserted: its sequences must never be published.
  // REQUIRES: sequences first to first + batch.Count() - 1 were not inserted before.
  Status InsertInto(const WriteBatch& batch, SequenceNumber first) {
    Inserter inserter{&entries_, first};
    Status status = batch.Iterate(&inserter);
    operations_.fetch_add(inserter.sequence - first, orders::MemTable_OperationsAdd);
    return status;
  }

  // The value of `key` at `snapshot`, if it has one.
  std::optional<std::string_view> Get(std::string_view key, SequenceNumber snapshot) const {
    const Entry* const entry = entries_.Seek(key, NewestTag(snapshot));
    if (entry == nullptr || entry->key() != key || entry->type() == ValueType::kTypeDeletion) {
      return std::nullopt;
    }
    return entry->value();
  }

  // Operations inserted: puts and deletes, all versions.
  uint64_t Operations() const { return operations_.load(orders::MemTable_OperationsLoad); }

  // Bytes taken from the system.
  size_t MemoryUsage() const { return arena_.MemoryUsage(); }

 private:
  using Entries = SkipList<Sync>;
  using Entry = typename Entries::Node;

  // The handler that WriteBatch::Iterate calls.
  struct Inserter {
    Status Put(std::string_view key, std::string_view value) {
      return Insert(ValueType::kTypeValue, key, value);
    }
    Status Delete(std::string_view key) { return Insert(ValueType::kTypeDeletion, key, {}); }

    Status Insert(ValueType type, std::string_view key, std::string_view value) {
      if (!entries->Insert(key, PackTag(sequence, type), value)) {
        return Status::OutOfMemory(
            "no memory for the memtable: close the store or raise its limit");
      }
      ++sequence;
      return Status::OK();
    }

    Entries* entries;
    SequenceNumber sequence;
  };

  // Not before any version that `snapshot` sees, and behind all that it does not.
  static uint64_t NewestTag(SequenceNumber snapshot) {
    return PackTag(snapshot, ValueType::kTypeValue);
  }

  Arena<Sync> arena_;
  Entries entries_;
  typename Sync::template Atomic<uint64_t> operations_;
};

// The keys that have a value at a snapshot, ascending. Writers may insert while it walks.
template <SyncPolicy Sync>
class MemTable<Sync>::Iterator {
 public:
  // Not valid before a Seek. REQUIRES: memtable outlives this.
  Iterator(const MemTable* memtable, SequenceNumber snapshot)
      : entries_(&memtable->entries_), snapshot_(snapshot) {}

  bool Valid() const { return entry_ != nullptr; }

  void SeekToFirst() { FindVisible(entries_->First()); }

  // To the first key not before `key`.
  void Seek(std::string_view key) { FindVisible(entries_->Seek(key, NewestTag(snapshot_))); }

  // REQUIRES (of all below): Valid().
  void Next() { FindVisible(SkipVersions(entry_, 0)); }

  std::string_view key() const { return entry_->key(); }
  std::string_view value() const { return entry_->value(); }
  SequenceNumber sequence() const { return entry_->sequence(); }

 private:
  // To the first key from `entry` on whose newest version at the snapshot is a value.
  void FindVisible(const Entry* entry) {
    while (entry != nullptr) {
      if (entry->sequence() > snapshot_) {
        entry = SkipVersions(entry, NewestTag(snapshot_));
      } else if (entry->type() == ValueType::kTypeDeletion) {
        entry = SkipVersions(entry, 0);
      } else {
        break;
      }
    }
    entry_ = entry;
  }

  // The first entry behind `entry` that is not a version of its key above `tag`. A key that is
  // overwritten for ever must not make its neighbours slow, so many versions are skipped by a seek.
  const Entry* SkipVersions(const Entry* entry, uint64_t tag) const {
    const Entry* const next = Entries::Next(entry);
    const bool skip = next != nullptr && next->tag() > tag && next->key() == entry->key();
    return skip ? entries_->Seek(entry->key(), tag) : next;
  }

  const Entries* const entries_;
  const SequenceNumber snapshot_;
  const Entry* entry_ = nullptr;
};

}  // namespace bellwether
