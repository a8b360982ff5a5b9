// WriteBatch: the operations that one Write makes atomic, in RocksDB's encoding.
//
//   batch := sequence (LE64) count (LE32) operation*        sequence is that of the first operation
//   operation := 1 key value | 0 key                        put, delete; each consumes one sequence
//   key, value := length (varint32) bytes
//
// Invariant: a batch holds exactly Count() whole operations. An operation that is refused (limits,
// memory) leaves it as it was and makes it refuse to be written (status()), so that a caller who
// overlooks the refusal does not make half of his batch durable.
// Thread safety: as std::string; many may read, nobody may read while one writes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>
#include <string>
#include <string_view>

#include "bellwether/storage/coding.h"
#include "bellwether/write_path/sequence.h"
#include "bellwether/write_path/status.h"

namespace bellwether {

inline constexpr size_t kMaxKeySize = size_t{8} << 20;
inline constexpr size_t kMaxValueSize = size_t{512} << 20;
inline constexpr size_t kMaxBatchSize = size_t{1} << 30;

// The tag of an operation, in the log and in the memtable.
enum class ValueType : uint8_t { kTypeDeletion = 0, kTypeValue = 1 };

struct BatchOperation {
  ValueType type = ValueType::kTypeDeletion;
  std::string_view key;
  std::string_view value;  // empty for a deletion
};

inline constexpr size_t kBatchCountOffset = sizeof(SequenceNumber);
inline constexpr size_t kBatchHeaderSize = kBatchCountOffset + sizeof(uint32_t);

// Takes one operation from the front of `input`. False if it does not begin with a whole one within
// the limits.
inline bool GetBatchOperation(std::string_view* input, BatchOperation* operation) {
  if (input->empty()) return false;
  const auto tag = static_cast<uint8_t>(input->front());
  if (tag > static_cast<uint8_t>(ValueType::kTypeValue)) return false;
  operation->type = static_cast<ValueType>(tag);
  operation->value = {};
  input->remove_prefix(1);
  if (!GetLengthPrefixed(input, &operation->key) || operation->key.size() > kMaxKeySize)
    return false;
  if (operation->type == ValueType::kTypeDeletion) return true;
  return GetLengthPrefixed(input, &operation->value) && operation->value.size() <= kMaxValueSize;
}

// Calls handler.Put(key, value) or handler.Delete(key), which return a Status, for each operation
// of an encoded batch, until one fails. REQUIRES: FindBatchDefect(batch) is null.
template <class Handler>
Status IterateBatch(std::string_view batch, Handler* handler) {
  std::string_view input = batch.substr(kBatchHeaderSize);
  BatchOperation operation;
  while (GetBatchOperation(&input, &operation)) {
    Status status = operation.type == ValueType::kTypeValue
                        ? handler->Put(operation.key, operation.value)
                        : handler->Delete(operation.key);
    if (!status.ok()) return status;
  }
  return Status::OK();
}

// What is wrong with an encoded batch, or null if nothing is.
inline const char* FindBatchDefect(std::string_view batch) {
  if (batch.size() < kBatchHeaderSize) return "write batch shorter than its header";
  const auto count = DecodeFixed<uint32_t>(batch.data() + kBatchCountOffset);
  std::string_view input = batch.substr(kBatchHeaderSize);
  uint32_t found = 0;
  for (BatchOperation operation; !input.empty(); ++found) {
    if (found == count) return "write batch holds more operations than its count";
    if (!GetBatchOperation(&input, &operation)) {
      return "write batch with an operation that is unknown, cut or too long";
    }
  }
  return found == count ? nullptr : "write batch holds fewer operations than its count";
}

class WriteBatch {
 public:
  WriteBatch() = default;
  // Copy only: a moved-from batch would have lost its header.
  WriteBatch(const WriteBatch&) = default;
  WriteBatch& operator=(const WriteBatch&) = default;

  Status Put(std::string_view key, std::string_view value) {
    if (value.size() > kMaxValueSize) return Refuse("value larger than 512 MiB: split it");
    return Add(ValueType::kTypeValue, key, value);
  }

  Status Delete(std::string_view key) { return Add(ValueType::kTypeDeletion, key, {}); }

  void Clear() {
    rep_.assign(kBatchHeaderSize, '\0');
    status_ = Status::OK();
  }

  // Copies an encoded batch. Corruption, with *batch as it was, if it is malformed.
  static Status Parse(std::string_view encoded, WriteBatch* batch) {
    if (const char* defect = FindBatchDefect(encoded)) return Status::Corruption(defect, "", 0);
    return batch->Guard([&] { batch->rep_.assign(encoded); });
  }

  template <class Handler>
  Status Iterate(Handler* handler) const {
    return IterateBatch(rep_, handler);
  }

  // The first refusal since construction or Clear.
  const Status& status() const { return status_; }
  uint32_t Count() const { return DecodeFixed<uint32_t>(rep_.data() + kBatchCountOffset); }
  size_t ByteSize() const { return rep_.size(); }
  std::string_view Data() const { return rep_; }
  std::string_view Operations() const { return Data().substr(kBatchHeaderSize); }

 private:
  Status Add(ValueType type, std::string_view key, std::string_view value) {
    if (key.size() > kMaxKeySize) return Refuse("key longer than 8 MiB: shorten it");
    if (rep_.size() + 1 + 2 * kMaxVarint32Size + key.size() + value.size() > kMaxBatchSize) {
      return Refuse("batch larger than 1 GiB: split it");
    }
    const size_t old_size = rep_.size();
    Status status = Guard([&] {
      rep_.push_back(static_cast<char>(type));
      PutLengthPrefixed(&rep_, key);
      if (type == ValueType::kTypeValue) PutLengthPrefixed(&rep_, value);
    });
    if (!status.ok()) {
      rep_.resize(old_size);
      return status;
    }
    EncodeFixed(rep_.data() + kBatchCountOffset, Count() + 1);
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
};

}  // namespace bellwether
