// The encoding of a write batch: RocksDB's, byte for byte.
//
//   batch := sequence (LE64) count (LE32) operation*        sequence is that of the first operation
//   operation := 1 key value | 0 key                        put, delete
//              | 3 blob                                      LogData: for whoever reads the log
//              | 9 operation* 10 xid | 11 xid | 12 xid       prepare, commit, rollback
//              | 13                                          Noop
//   key, value, blob, xid := length (varint32) bytes
//
// `count` counts the puts and deletes. What a batch consumes of the sequence is something else:
// one for each put and delete outside a prepare, and a commit those of its prepare.
// Thread safety: pure functions.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "bellwether/storage/coding.h"
#include "bellwether/write_path/sequence.h"
#include "bellwether/write_path/status.h"

namespace bellwether {

inline constexpr size_t kMaxKeySize = size_t{8} << 20;
inline constexpr size_t kMaxValueSize = size_t{512} << 20;
inline constexpr size_t kMaxBatchSize = size_t{1} << 30;
inline constexpr size_t kMaxXidSize = 512;

// The tag of an operation in the log; the memtable knows the first two.
enum class ValueType : uint8_t {
  kTypeDeletion = 0,
  kTypeValue = 1,
  kTypeLogData = 3,
  kTypeBeginPrepareXID = 9,
  kTypeEndPrepareXID = 10,
  kTypeCommitXID = 11,
  kTypeRollbackXID = 12,
  kTypeNoop = 13,
};

struct BatchOperation {
  ValueType type = ValueType::kTypeNoop;
  std::string_view key;    // or blob, or xid
  std::string_view value;  // of a put

  bool IsData() const { return type == ValueType::kTypeDeletion || type == ValueType::kTypeValue; }
  bool IsMark() const {
    return type >= ValueType::kTypeBeginPrepareXID && type <= ValueType::kTypeRollbackXID;
  }
};

inline constexpr size_t kBatchCountOffset = sizeof(SequenceNumber);
inline constexpr size_t kBatchHeaderSize = kBatchCountOffset + sizeof(uint32_t);

// Takes one operation from the front of `input`. False if it does not begin with a whole one within
// the limits.
inline bool GetBatchOperation(std::string_view* input, BatchOperation* operation) {
  if (input->empty()) return false;
  operation->type = static_cast<ValueType>(input->front());
  operation->key = operation->value = {};
  input->remove_prefix(1);
  size_t max_key_size = kMaxKeySize;
  switch (operation->type) {
    case ValueType::kTypeBeginPrepareXID:
    case ValueType::kTypeNoop:
      return true;
    case ValueType::kTypeLogData:
      max_key_size = kMaxValueSize;
      break;
    case ValueType::kTypeEndPrepareXID:
    case ValueType::kTypeCommitXID:
    case ValueType::kTypeRollbackXID:
      max_key_size = kMaxXidSize;
      break;
    case ValueType::kTypeDeletion:
    case ValueType::kTypeValue:
      break;
    default:
      return false;
  }
  if (!GetLengthPrefixed(input, &operation->key) || operation->key.size() > max_key_size) {
    return false;
  }
  if (operation->type != ValueType::kTypeValue) return true;
  return GetLengthPrefixed(input, &operation->value) && operation->value.size() <= kMaxValueSize;
}

// Who wants to know of LogData, and of the marks of two-phase commit. A handler that does not is
// given only the operations that the batch itself makes readable: none inside a prepare.
template <class Handler>
concept LogDataHandler = requires(Handler& handler, std::string_view text) {
  { handler.LogData(text) } -> std::same_as<Status>;
};
template <class Handler>
concept TransactionHandler = requires(Handler& handler, std::string_view text) {
  { handler.MarkBeginPrepare() } -> std::same_as<Status>;
  { handler.MarkEndPrepare(text) } -> std::same_as<Status>;
  { handler.MarkCommit(text) } -> std::same_as<Status>;
  { handler.MarkRollback(text) } -> std::same_as<Status>;
};

template <class Handler>
Status HandMark(const BatchOperation& operation, Handler* handler) {
  switch (operation.type) {
    case ValueType::kTypeBeginPrepareXID:
      return handler->MarkBeginPrepare();
    case ValueType::kTypeEndPrepareXID:
      return handler->MarkEndPrepare(operation.key);
    case ValueType::kTypeCommitXID:
      return handler->MarkCommit(operation.key);
    default:
      return handler->MarkRollback(operation.key);
  }
}

// Calls handler.Put(key, value), handler.Delete(key) and, if it has them, LogData(blob) and the
// Mark functions, which return a Status, for each operation of an encoded batch, until one fails.
// REQUIRES: FindBatchDefect(batch) is null.
template <class Handler>
Status IterateBatch(std::string_view batch, Handler* handler) {
  std::string_view input = batch.substr(kBatchHeaderSize);
  bool in_prepare = false;
  Status status;
  for (BatchOperation operation; status.ok() && GetBatchOperation(&input, &operation);) {
    if (operation.IsMark()) {
      in_prepare = operation.type == ValueType::kTypeBeginPrepareXID;
      if constexpr (TransactionHandler<Handler>) status = HandMark(operation, handler);
    } else if (operation.type == ValueType::kTypeLogData) {
      if constexpr (LogDataHandler<Handler>) status = handler->LogData(operation.key);
    } else if (operation.IsData() && (TransactionHandler<Handler> || !in_prepare)) {
      status = operation.type == ValueType::kTypeValue
                   ? handler->Put(operation.key, operation.value)
                   : handler->Delete(operation.key);
    }
  }
  return status;
}

struct BatchShape {
  const char* defect = nullptr;  // what is wrong with it, or null
  uint32_t own = 0;              // puts and deletes outside a prepare
  bool marked = false;           // holds marks of two-phase commit
};

inline BatchShape ShapeOf(std::string_view batch) {
  BatchShape shape;
  const auto wrong = [&shape](const char* defect) {
    shape.defect = defect;
    return shape;
  };
  if (batch.size() < kBatchHeaderSize) return wrong("write batch shorter than its header");
  const auto count = DecodeFixed<uint32_t>(batch.data() + kBatchCountOffset);
  std::string_view input = batch.substr(kBatchHeaderSize);
  uint32_t found = 0;
  bool in_prepare = false;
  for (BatchOperation operation; !input.empty();) {
    if (!GetBatchOperation(&input, &operation)) {
      return wrong("write batch with an operation that is unknown, cut or too long");
    }
    if (operation.IsMark()) {
      if (in_prepare != (operation.type == ValueType::kTypeEndPrepareXID)) {
        return wrong("write batch with a prepare that does not begin or does not end");
      }
      in_prepare = operation.type == ValueType::kTypeBeginPrepareXID;
      shape.marked = true;
    } else if (operation.IsData()) {
      if (found++ == count) return wrong("write batch holds more operations than its count");
      if (!in_prepare) ++shape.own;
    }
  }
  if (in_prepare) return wrong("write batch with a prepare that does not begin or does not end");
  return found == count ? shape : wrong("write batch holds fewer operations than its count");
}

// What is wrong with an encoded batch, or null if nothing is.
inline const char* FindBatchDefect(std::string_view batch) { return ShapeOf(batch).defect; }

}  // namespace bellwether
