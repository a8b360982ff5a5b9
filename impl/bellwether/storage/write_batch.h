// WriteBatch: the operations that one Write makes atomic (encoding: batch_format.h).
//
//   a plain batch   Put, Delete, PutLogData
//   a prepare       a plain batch, then MarkPrepare: consumes no sequence, makes nothing readable
//   a commit        MarkCommit(xid, prepare): the log gets the mark alone, the memtable the
//                   prepare's operations, which the mark consumes
//   a rollback      MarkRollback: consumes nothing
//
// Invariant: a batch holds whole operations, counted in its header. An operation that is refused
// (limits, memory) leaves it as it was and makes it refuse to be written (status()), so that a
// caller who overlooks the refusal does not make half of his batch durable.
// Thread safety: as std::string; many may read, nobody may read while one writes.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <new>
#include <string>
#include <string_view>

#include "bellwether/storage/batch_format.h"
#include "bellwether/storage/coding.h"
#include "bellwether/storage/log_annotation.h"
#include "bellwether/write_path/sequence.h"
#include "bellwether/write_path/status.h"

namespace bellwether {

class WriteBatch {
 public:
  WriteBatch() = default;
  // Copy only: a moved-from batch would have lost its header.
  WriteBatch(const WriteBatch&) = default;
  WriteBatch& operator=(const WriteBatch&) = default;

  Status Put(std::string_view key, std::string_view value) {
    if (value.size() > kMaxValueSize) return Refuse("value larger than 512 MiB: split it");
    return AddData(ValueType::kTypeValue, key, value);
  }

  Status Delete(std::string_view key) { return AddData(ValueType::kTypeDeletion, key, {}); }

  // For whoever reads the log: it is neither counted nor readable.
  Status PutLogData(std::string_view blob) {
    if (blob.size() > kMaxValueSize) return Refuse("LogData larger than 512 MiB: split it");
    if (blob.starts_with(kAnnotationPrefix)) {
      return Refuse("LogData that begins with 'bellwether:' is the log's own: rename it");
    }
    return Add(ValueType::kTypeLogData, blob, {});
  }

  // Makes it the prepare of transaction `xid`.
  Status MarkPrepare(std::string_view xid) {
    if (Status status = CheckXid(xid); !status.ok()) return status;
    Status status = Guard([&] {
      rep_.reserve(rep_.size() + 2 + kMaxVarint32Size + xid.size());
      rep_.insert(kBatchHeaderSize, 1, static_cast<char>(ValueType::kTypeBeginPrepareXID));
      rep_.push_back(static_cast<char>(ValueType::kTypeEndPrepareXID));
      PutLengthPrefixed(&rep_, xid);
    });
    if (status.ok()) Marked(0, rep_.size());
    return status;
  }

  // Makes an empty batch the commit of transaction `xid`, which `prepare` prepared.
  Status MarkCommit(std::string_view xid, const WriteBatch& prepare) {
    if (rep_.size() > kBatchHeaderSize) return Refuse("commit in a batch that is not empty");
    std::string_view input = prepare.Operations();
    BatchOperation operation;
    if (!GetBatchOperation(&input, &operation) ||
        operation.type != ValueType::kTypeBeginPrepareXID) {
      return Refuse("commit of a batch that is no prepare: call MarkPrepare first");
    }
    const std::string_view begin = input;
    std::string_view end = input;
    while (GetBatchOperation(&input, &operation) && !operation.IsMark()) end = input;
    if (operation.key != xid || !input.empty()) {
      return Refuse("commit of another transaction's prepare: give the one of this xid");
    }
    const std::string_view operations = begin.substr(0, begin.size() - end.size());
    Status status = Guard([&] { rep_.reserve(rep_.size() + xid.size() + operations.size() + 6); });
    if (status.ok()) status = AddMark(ValueType::kTypeCommitXID, xid);
    if (!status.ok()) return status;
    const size_t wal_size = rep_.size();
    rep_.append(operations);
    EncodeFixed(rep_.data() + kBatchCountOffset, prepare.HeaderCount());
    Marked(prepare.HeaderCount(), wal_size);
    return status;
  }

  // Makes an empty batch the rollback of transaction `xid`.
  Status MarkRollback(std::string_view xid) {
    if (rep_.size() > kBatchHeaderSize) return Refuse("rollback in a batch that is not empty");
    Status status = AddMark(ValueType::kTypeRollbackXID, xid);
    if (status.ok()) Marked(0, rep_.size());
    return status;
  }

  void Clear() {
    rep_.assign(kBatchHeaderSize, '\0');
    status_ = Status::OK();
    count_ = 0;
    wal_size_ = 0;
  }

  // Copies an encoded batch, but for what a log says of itself in front of it: in another log that
  // would be a lie. Corruption, with *batch as it was, if it is malformed.
  static Status Parse(std::string_view encoded, WriteBatch* batch) {
    const BatchShape shape = ShapeOf(encoded);
    if (shape.defect != nullptr) return Status::Corruption(shape.defect, "", 0);
    Status status = batch->Guard([&] { batch->rep_.assign(encoded); });
    if (!status.ok()) return status;
    batch->rep_.erase(kBatchHeaderSize, GetAnnotations(batch->rep_).end - kBatchHeaderSize);
    batch->count_ = shape.own;
    batch->wal_size_ = shape.marked ? batch->rep_.size() : 0;
    return status;
  }

  template <class Handler>
  Status Iterate(Handler* handler) const {
    return IterateBatch(rep_, handler);
  }

  // The first refusal since construction or Clear.
  const Status& status() const { return status_; }
  // The sequence numbers that it consumes.
  uint32_t Count() const { return count_; }
  // Part of a two-phase commit: takes no more operations.
  bool marked() const { return wal_size_ != 0; }
  size_t ByteSize() const { return rep_.size(); }
  std::string_view Data() const { return rep_; }
  std::string_view Operations() const { return Data().substr(kBatchHeaderSize); }

  // What of it goes to the log.
  std::string_view WalOperations() const {
    return Operations().substr(0, (marked() ? wal_size_ : rep_.size()) - kBatchHeaderSize);
  }
  uint32_t WalCount() const { return !marked() || wal_size_ == rep_.size() ? HeaderCount() : 0; }

 private:
  uint32_t HeaderCount() const { return DecodeFixed<uint32_t>(rep_.data() + kBatchCountOffset); }

  void Marked(uint32_t count, size_t wal_size) {
    count_ = count;
    wal_size_ = wal_size;
  }

  Status CheckXid(std::string_view xid) {
    if (marked()) return Refuse("the batch belongs to a two-phase commit already: take a new one");
    if (xid.empty() || xid.size() > kMaxXidSize) {
      return Refuse("xid that is empty or longer than 512 bytes");
    }
    return Status::OK();
  }

  Status AddMark(ValueType type, std::string_view xid) {
    Status status = CheckXid(xid);
    return status.ok() ? Add(type, xid, {}) : status;
  }

  Status AddData(ValueType type, std::string_view key, std::string_view value) {
    if (key.size() > kMaxKeySize) return Refuse("key longer than 8 MiB: shorten it");
    Status status = Add(type, key, value);
    if (!status.ok()) return status;
    EncodeFixed(rep_.data() + kBatchCountOffset, ++count_);
    return status;
  }

  Status Add(ValueType type, std::string_view key, std::string_view value) {
    if (marked()) return Refuse("the batch belongs to a two-phase commit: take a new one");
    if (rep_.size() + 1 + 2 * kMaxVarint32Size + key.size() + value.size() > kMaxBatchSize) {
      return Refuse("batch larger than 1 GiB: split it");
    }
    const size_t old_size = rep_.size();
    Status status = Guard([&] {
      rep_.push_back(static_cast<char>(type));
      PutLengthPrefixed(&rep_, key);
      if (type == ValueType::kTypeValue) PutLengthPrefixed(&rep_, value);
    });
    if (!status.ok()) rep_.resize(old_size);
    return status;
  }

  Status Refuse(std::string_view what) { return Keep(Status::InvalidArgument(what)); }

  template <class Operation>
  Status Guard(const Operation& operation) {
    try {
      operation();
      return Status::OK();
    } catch (const std::bad_alloc&) {
      return Keep(Status::OutOfMemory("no memory for the write batch"));
    }
  }

  Status Keep(Status status) {
    if (status_.ok()) status_ = status;
    return status;
  }

  std::string rep_ = std::string(kBatchHeaderSize, '\0');
  Status status_ = Status::OK();
  uint32_t count_ = 0;
  size_t wal_size_ = 0;  // of a marked batch: of what goes to the log, with the header
};

}  // namespace bellwether
