// The snapshot file: the state of a store up to one sequence number, sorted by key.
//
//   file    := block* footer
//   block   := crc (LE32) length (LE32) type (u8) payload[length]     the CRC-32C, masked as in the
//                                                                     log, covers all behind it
//   type 1, entries  := (sequence (LE64) key value)*    keys ascending; a deleted key has none
//   type 2, prepares := (encoded write batch)*          transactions undecided at that state
//   type 3, footer   := sequence (LE64) entries (LE64) prepares (LE64)
//   key, value, batch := length (varint32) bytes
//
// Protocol: SnapshotWriter: Add every entry, AddPrepare, Finish. SnapshotReader: construct over the
// whole file, Check, then Read; or Salvage.
// Invariants: what Finish left is durable. Check finds every flipped byte, every missing, doubled
// or foreign part: a state with less than what was written is never taken for whole. Thread safety:
// one thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bellwether/storage/coding.h"
#include "bellwether/storage/crc32c.h"
#include "bellwether/storage/file_system.h"
#include "bellwether/storage/write_batch.h"
#include "bellwether/write_path/sequence.h"
#include "bellwether/write_path/status.h"

namespace bellwether {

enum class SnapshotBlock : uint8_t { kEntries = 1, kPrepares = 2, kFooter = 3 };

// A block is closed when it has grown to this; one entry may make it larger.
inline constexpr size_t kSnapshotBlockSize = size_t{64} << 10;
inline constexpr size_t kSnapshotLengthOffset = 4;
inline constexpr size_t kSnapshotTypeOffset = 8;
inline constexpr size_t kSnapshotHeaderSize = 9;
inline constexpr size_t kSnapshotFooterSize = kSnapshotHeaderSize + 3 * sizeof(uint64_t);

struct SnapshotFooter {
  SequenceNumber sequence = 0;
  uint64_t entries = 0;
  uint64_t prepares = 0;
};

class SnapshotWriter {
 public:
  // REQUIRES: `file` is new.
  SnapshotWriter(std::unique_ptr<WritableFile> file, SequenceNumber sequence)
      : file_(std::move(file)), footer_{sequence, 0, 0} {}

  // REQUIRES: key is larger than that of the entry before; no prepare was added yet.
  Status Add(std::string_view key, SequenceNumber sequence, std::string_view value) {
    ++footer_.entries;
    return AddTo(SnapshotBlock::kEntries, [&](std::string* block) {
      PutInteger(block, sequence);
      PutLengthPrefixed(block, key);
      PutLengthPrefixed(block, value);
    });
  }

  Status AddPrepare(const WriteBatch& prepare) {
    ++footer_.prepares;
    return AddTo(SnapshotBlock::kPrepares,
                 [&](std::string* block) { PutLengthPrefixed(block, prepare.Data()); });
  }

  // Ends the file, and makes it durable: not its name.
  Status Finish() {
    Status status = EndBlock();
    if (status.ok()) {
      status = AddTo(SnapshotBlock::kFooter, [&](std::string* block) {
        PutInteger(block, footer_.sequence);
        PutInteger(block, footer_.entries);
        PutInteger(block, footer_.prepares);
      });
    }
    if (status.ok()) status = EndBlock();
    if (status.ok()) status = file_->Sync();
    if (status.ok()) status = file_->Close();
    return status;
  }

  uint64_t size() const { return file_->size(); }

 private:
  static void PutInteger(std::string* to, uint64_t value) {
    to->append(sizeof(value), '\0');
    EncodeFixed(to->data() + to->size() - sizeof(value), value);
  }

  template <class Put>
  Status AddTo(SnapshotBlock type, const Put& put) {
    if (!block_.empty() && (type != type_ || block_.size() >= kSnapshotBlockSize)) {
      Status status = EndBlock();
      if (!status.ok()) return status;
    }
    try {
      type_ = type;
      if (block_.empty()) block_.assign(kSnapshotHeaderSize, '\0');
      put(&block_);
    } catch (const std::bad_alloc&) {
      return Status::OutOfMemory("no memory for a block of the snapshot");
    }
    return Status::OK();
  }

  Status EndBlock() {
    if (block_.empty()) return Status::OK();
    EncodeFixed(block_.data() + kSnapshotLengthOffset,
                static_cast<uint32_t>(block_.size() - kSnapshotHeaderSize));
    block_[kSnapshotTypeOffset] = static_cast<char>(type_);
    EncodeFixed(block_.data(),
                MaskCrc(Crc32c(std::string_view(block_).substr(kSnapshotLengthOffset))));
    Status status = file_->Append(block_);
    block_.clear();
    return status;
  }

  const std::unique_ptr<WritableFile> file_;
  SnapshotFooter footer_;
  SnapshotBlock type_ = SnapshotBlock::kEntries;
  std::string block_;
};

// A part of a snapshot that Salvage could not read.
struct SnapshotGap {
  uint64_t begin = 0;
  uint64_t end = 0;
  std::string what;
};

class SnapshotReader {
 public:
  // `path` is for messages. `file` is the whole file.
  SnapshotReader(std::string path, std::string file)
      : path_(std::move(path)), file_(std::move(file)) {}
  SnapshotReader(const SnapshotReader&) = delete;
  SnapshotReader& operator=(const SnapshotReader&) = delete;

  // OK if all of it is there. Corruption, with file and offset, if not.
  Status Check() {
    struct Ignore {
      Status Entry(std::string_view, SequenceNumber, std::string_view) { return Status::OK(); }
      Status Prepare(std::string_view) { return Status::OK(); }
    } ignore;
    return Read(&ignore);
  }

  // Calls visitor->Entry(key, sequence, value) in the order of keys, then visitor->Prepare(batch),
  // until one fails or the file does.
  template <class Visitor>
  Status Read(Visitor* visitor) {
    Scan scan;
    const std::optional<SnapshotFooter> footer = FindFooter();
    if (!footer.has_value()) {
      return Corruption("snapshot without its end", file_.size());
    }
    const uint64_t end = file_.size() - kSnapshotFooterSize;
    for (uint64_t at = 0; at < end;) {
      const std::optional<Block> block = ReadBlock(at);
      if (!block.has_value() || block->end > end || block->type == SnapshotBlock::kFooter) {
        return Corruption("damaged block of a snapshot", at);
      }
      Status status = VisitBlock(*block, footer->sequence, &scan, visitor);
      if (!status.ok()) return status;
      at = block->end;
    }
    if (scan.entries != footer->entries || scan.prepares != footer->prepares) {
      return Corruption("snapshot with more or fewer entries than it counts", end);
    }
    return Status::OK();
  }

  // Reads the blocks that are whole, and says what the others were. What is there is in order.
  template <class Visitor>
  Status Salvage(Visitor* visitor, std::vector<SnapshotGap>* gaps) {
    Scan scan;
    const SequenceNumber newest =
        FindFooter().value_or(SnapshotFooter{kMaxSequenceNumber}).sequence;
    for (uint64_t at = 0; at < file_.size();) {
      const std::optional<Block> block = ReadBlock(at);
      Status status = Corruption("damaged block of a snapshot", at);
      if (block.has_value()) status = VisitBlock(*block, newest, &scan, visitor);
      if (status.ok()) {
        at = block->end;
        continue;
      }
      if (status.code() != Status::Code::kCorruption) return status;
      const uint64_t next = block.has_value() ? block->end : BehindDamage(at);
      gaps->push_back({at, next, std::string(status.what())});
      at = next;
    }
    if (!FindFooter().has_value()) {
      gaps->push_back({file_.size(), file_.size(), "snapshot without its end"});
    }
    return Status::OK();
  }

  // Of the footer, if that is whole.
  std::optional<SnapshotFooter> FindFooter() const {
    if (file_.size() < kSnapshotFooterSize) return std::nullopt;
    const std::optional<Block> block = ReadBlock(file_.size() - kSnapshotFooterSize);
    if (!block.has_value() || block->type != SnapshotBlock::kFooter ||
        block->payload.size() != kSnapshotFooterSize - kSnapshotHeaderSize) {
      return std::nullopt;
    }
    const char* const values = block->payload.data();
    return SnapshotFooter{DecodeFixed<uint64_t>(values),
                          DecodeFixed<uint64_t>(values + sizeof(uint64_t)),
                          DecodeFixed<uint64_t>(values + 2 * sizeof(uint64_t))};
  }

 private:
  struct Block {
    SnapshotBlock type = SnapshotBlock::kEntries;
    std::string_view payload;
    uint64_t begin = 0;
    uint64_t end = 0;
  };

  // How far a reader has come.
  struct Scan {
    std::optional<std::string_view> last_key;
    uint64_t entries = 0;
    uint64_t prepares = 0;
  };

  std::optional<Block> ReadBlock(uint64_t at) const {
    const std::string_view rest = std::string_view(file_).substr(static_cast<size_t>(at));
    if (rest.size() < kSnapshotHeaderSize) return std::nullopt;
    const auto type = static_cast<uint8_t>(rest[kSnapshotTypeOffset]);
    const size_t length = DecodeFixed<uint32_t>(rest.data() + kSnapshotLengthOffset);
    const bool known = type >= static_cast<uint8_t>(SnapshotBlock::kEntries) &&
                       type <= static_cast<uint8_t>(SnapshotBlock::kFooter);
    if (!known || length > rest.size() - kSnapshotHeaderSize) return std::nullopt;
    const std::string_view covered =
        rest.substr(kSnapshotLengthOffset, kSnapshotHeaderSize - kSnapshotLengthOffset + length);
    if (MaskCrc(Crc32c(covered)) != DecodeFixed<uint32_t>(rest.data())) return std::nullopt;
    return Block{static_cast<SnapshotBlock>(type), rest.substr(kSnapshotHeaderSize, length), at,
                 at + kSnapshotHeaderSize + length};
  }

  template <class Visitor>
  Status VisitBlock(const Block& block, SequenceNumber newest, Scan* scan, Visitor* visitor) const {
    std::string_view input = block.payload;
    Status status;
    while (status.ok() && !input.empty() && block.type != SnapshotBlock::kFooter) {
      std::string_view key, value;
      if (block.type == SnapshotBlock::kPrepares) {
        if (!GetLengthPrefixed(&input, &value) || FindBatchDefect(value) != nullptr) {
          return Corruption("prepare of a snapshot that is no write batch", block.begin);
        }
        ++scan->prepares;
        status = visitor->Prepare(value);
        continue;
      }
      if (input.size() < sizeof(SequenceNumber)) return Corruption("cut entry", block.begin);
      const auto sequence = DecodeFixed<SequenceNumber>(input.data());
      input.remove_prefix(sizeof(SequenceNumber));
      if (!GetLengthPrefixed(&input, &key) || !GetLengthPrefixed(&input, &value)) {
        return Corruption("cut entry", block.begin);
      }
      if (scan->prepares > 0 || sequence > newest ||
          (scan->last_key.has_value() && key <= *scan->last_key)) {
        return Corruption("entry of a snapshot that does not stand where it has to", block.begin);
      }
      scan->last_key = key;
      ++scan->entries;
      status = visitor->Entry(key, sequence, value);
    }
    return status;
  }

  // The next whole block behind a damaged one. Most damage spares the length; where it does not,
  // nothing says where a block begins, so every offset is tried.
  uint64_t BehindDamage(uint64_t at) const {
    if (file_.size() - at >= kSnapshotHeaderSize) {
      const uint64_t end = at + kSnapshotHeaderSize +
                           DecodeFixed<uint32_t>(file_.data() + at + kSnapshotLengthOffset);
      if (end < file_.size() && ReadBlock(end).has_value()) return end;
    }
    for (uint64_t next = at + 1; next < file_.size(); ++next) {
      if (ReadBlock(next).has_value()) return next;
    }
    return file_.size();
  }

  Status Corruption(std::string_view what, uint64_t at) const {
    return Status::Corruption(what, path_, at);
  }

  const std::string path_;
  const std::string file_;
};

}  // namespace bellwether
