// WalWriter: the Log that a WritePath appends its write groups to (format: wal_format.h).
//
// Protocol: AddRecord appends a group as one record by one Append of the file; Sync makes all
// records before it durable; Rotate goes on in a new file. Sequences that are skipped (disable_wal)
// are named by the next record. With durable_watermark each record says up to where its file was
// synced before it.
// Invariants
//   INV_ACK       the log's half: OK from AddRecord: the whole record is in the file; OK from Sync:
//                 on the disk. After any error nothing is appended or synced ever again: a torn
//                 record may stand at the end, and the kernel may have dropped the pages that a
//                 failed sync did not write. No file is written to before the one before it is
//                 whole on the disk
//   INV_SEQUENCE  a record that could not be read as the next one is refused
// Thread safety: one thread at a time (who leads the log's queue, or holds its mutex).
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <utility>

#include "bellwether/storage/file_system.h"
#include "bellwether/storage/log_annotation.h"
#include "bellwether/storage/wal_format.h"
#include "bellwether/storage/write_batch.h"
#include "bellwether/write_path/sequence.h"
#include "bellwether/write_path/status.h"

namespace bellwether {

struct WalWriterOptions {
  // The sequence at which the logs before this one have ended; kAnySequence: none has to follow.
  SequenceNumber next_sequence = kAnySequence;
  // 27 bytes a record, which make the reader's verdict on unsynced damage exact.
  bool durable_watermark = false;
};

class WalWriter {
 public:
  using Batch = WriteBatch;

  // REQUIRES: `file` is new: a log is written by one WalWriter from its first byte on.
  explicit WalWriter(std::unique_ptr<WritableFile> file, WalWriterOptions options = {})
      : file_(std::move(file)),
        next_sequence_(options.next_sequence),
        durable_watermark_(options.durable_watermark) {}

  // Appends the batches that batches.ForEach(f) hands to f(const WriteBatch&), oldest first, as one
  // record that begins at sequence `first`. REQUIRES: each consumes what its Count() says.
  template <class Group>
  Status AddRecord(SequenceNumber first, const Group& batches) {
    if (!error_.ok()) return Refused();
    if (first < next_sequence_) {
      return Keep(Status::InvalidArgument("write group with a sequence that the log has passed"));
    }
    SequenceNumber next = first;
    try {
      if (!SerializeGroup(first, batches, &next)) {
        return Keep(Status::InvalidArgument("write group with more than 2^32-1 operations"));
      }
      if (next > kMaxSequenceNumber) {
        return Keep(Status::InvalidArgument("write group beyond the largest sequence"));
      }
      Fragmentize();
    } catch (const std::bad_alloc&) {
      return Keep(Status::OutOfMemory("no memory for the record of the write group"));
    }
    Status status = Keep(file_->Append(fragments_));
    if (status.ok()) next_sequence_ = next;
    return status;
  }

  Status Sync() {
    if (!error_.ok()) return Refused();
    Status status = Keep(file_->Sync());
    if (status.ok()) synced_ = file_->size();
    return status;
  }

  // Syncs and closes the file, and goes on in `file`. REQUIRES: `file` is new, and its name
  // durable.
  Status Rotate(std::unique_ptr<WritableFile> file) {
    Status status = Sync();
    if (status.ok()) status = Keep(file_->Close());
    if (!status.ok()) return status;
    file_ = std::move(file);
    synced_ = 0;
    return status;
  }

  // Does not sync.
  Status Close() { return file_->Close(); }

  // Of the record that would leave no gap.
  SequenceNumber next_sequence() const { return next_sequence_; }
  // A checkpoint rotates: what stands in older files is its business.
  uint64_t BytesSinceCheckpoint() const { return file_->size(); }
  uint64_t size() const { return file_->size(); }
  const std::string& path() const { return file_->path(); }

 private:
  // The first error, as the answer to a request that was not even tried.
  Status Refused() const { return error_.With(Status::Code::kAborted); }

  Status Keep(Status status) {
    if (!status.ok()) error_ = status;
    return status;
  }

  template <class Group>
  bool SerializeGroup(SequenceNumber first, const Group& batches, SequenceNumber* next) {
    uint64_t count = 0;
    payload_.assign(kBatchHeaderSize, '\0');
    if (next_sequence_ != kAnySequence && first > next_sequence_) {
      PutGap(&payload_, {next_sequence_, first});
    }
    if (durable_watermark_) PutSynced(&payload_, synced_);
    batches.ForEach([&](const WriteBatch& batch) {
      count += batch.WalCount();
      *next += batch.Count();
      payload_.append(batch.WalOperations());
    });
    EncodeFixed(payload_.data(), first);
    EncodeFixed(payload_.data() + kBatchCountOffset, static_cast<uint32_t>(count));
    return count <= std::numeric_limits<uint32_t>::max();
  }

  // Cuts payload_ into the fragments of a record, with the trailer before it if one is due.
  void Fragmentize() {
    fragments_.clear();
    std::string_view left = payload_;
    bool begins = true;
    do {
      const size_t room = LeftInBlock(file_->size() + fragments_.size());
      if (room < kWalHeaderSize) {
        fragments_.append(room, '\0');
        continue;
      }
      const std::string_view piece = left.substr(0, room - kWalHeaderSize);
      left.remove_prefix(piece.size());
      const bool ends = left.empty();
      AppendFragment(begins ? (ends ? FragmentType::kFull : FragmentType::kFirst)
                            : (ends ? FragmentType::kLast : FragmentType::kMiddle),
                     piece);
      begins = false;
    } while (!left.empty());
  }

  void AppendFragment(FragmentType type, std::string_view payload) {
    const size_t start = fragments_.size();
    fragments_.append(kWalHeaderSize, '\0');
    fragments_.append(payload);
    char* header = fragments_.data() + start;
    EncodeFixed(header + kWalLengthOffset, static_cast<uint16_t>(payload.size()));
    header[kWalTypeOffset] = static_cast<char>(type);
    const std::string_view covered = std::string_view(fragments_).substr(start + kWalTypeOffset);
    EncodeFixed(header, FragmentCrc(covered));
  }

  std::unique_ptr<WritableFile> file_;
  SequenceNumber next_sequence_;
  const bool durable_watermark_;
  uint64_t synced_ = 0;
  Status error_ = Status::OK();
  std::string payload_;  // kept from record to record for their memory
  std::string fragments_;
};

}  // namespace bellwether
