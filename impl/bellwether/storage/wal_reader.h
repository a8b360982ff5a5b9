// WalReader: the records of one log, and a verdict on how it ends (format: wal_format.h).
//
// Protocol: construct over the whole log, call ReadRecord until it returns false, ask
// Verdict(mode); carry position() on to the next log.
//
// How a log ends
//   kClean        after a whole record
//   kZeros        in zeros up to the end of the file (a file whose size outlived its data)
//   kTornTail     in a defect behind which no later record stands: the append that a crash cut
//   kCorruption   in a defect before a later record, in a whole record that does not continue the
//                 sequence, or in one that is no write batch: something was lost that was once
//                 written
// Limit: a flipped bit in the last record cannot be told from a torn tail.
//
// Invariants: INV_SEQUENCE (each record yielded starts where the last one ended, counting what that
// consumed: a prepare nothing, a commit its prepare's operations; or it names the gap) and with it
// CRASH_PREFIX (what is yielded is a prefix of the groups logged, never with a hole): a
// zeroed page between whole records, which a reader that believes zeros steps over, ends the log as
// kCorruption. Thread safety: one thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "bellwether/storage/batch_format.h"
#include "bellwether/storage/log_annotation.h"
#include "bellwether/storage/prepared_transactions.h"
#include "bellwether/storage/wal_format.h"
#include "bellwether/write_path/sequence.h"
#include "bellwether/write_path/status.h"

namespace bellwether {

// Which ends of a log an open accepts.
enum class RecoveryMode : uint8_t {
  kTolerateTornTail,  // all but kCorruption: what a crash may leave
  kAbsolute,          // kClean only
  kPointInTime,       // all: keeps everything before the defect, gives up everything behind it
};

enum class WalEnd : uint8_t { kClean, kZeros, kTornTail, kCorruption };

struct WalRecord {
  SequenceNumber sequence = 0;
  uint32_t count = 0;   // sequences that it consumes
  uint64_t offset = 0;  // of its first fragment
  // Valid WriteBatch encodings, which live until the next ReadRecord: what stands in the log, and
  // what that makes readable from `sequence` on (a commit: what was prepared; else the same).
  std::string_view batch;
  std::string_view effect;
};

// What a log continues: where the ones before it have ended.
struct WalPosition {
  WalPosition(SequenceNumber next) : next_sequence(next) {}  // NOLINT(google-explicit-constructor)

  SequenceNumber next_sequence;  // kAnySequence: unknown
  // Logs before these were dropped, so that a commit may lack its prepare.
  bool begins_in_the_middle = next_sequence == kAnySequence;
  PreparedTransactions prepared = {};
};

class WalReader {
 public:
  // `path` is for messages. `log` is the whole file.
  WalReader(std::string path, std::string log, WalPosition position)
      : path_(std::move(path)), log_(std::move(log)), next_(std::move(position)) {}
  WalReader(const WalReader&) = delete;
  WalReader& operator=(const WalReader&) = delete;

  // False at the end of the log, and ever after.
  bool ReadRecord(WalRecord* record) {
    try {
      while (!end_.has_value()) {
        if (SkipTrailer() && ReadRecordAt(position_, record)) return true;
      }
    } catch (const std::bad_alloc&) {
      end_ = WalEnd::kCorruption;
      defect_ = Status::OutOfMemory("no memory to read a record of the log");
    }
    return false;
  }

  // REQUIRES (of all below): ReadRecord returned false.
  WalEnd end() const { return *end_; }

  // Where the records end. What stands behind it is not part of the log, and has to be cut off and
  // the cut synced before a new log is written (else the log would be one with a hole).
  uint64_t end_offset() const { return position_; }

  // That of the record which would come next.
  SequenceNumber next_sequence() const { return next_.next_sequence; }
  const WalPosition& position() const { return next_; }

  // OK if `mode` accepts the end of this log, else what is wrong, where, and the way in.
  Status Verdict(RecoveryMode mode) const {
    if (defect_.code() == Status::Code::kOutOfMemory) return defect_;
    switch (mode) {
      case RecoveryMode::kAbsolute:
        return defect_;
      case RecoveryMode::kTolerateTornTail:
        return end_ == WalEnd::kCorruption ? defect_ : Status::OK();
      case RecoveryMode::kPointInTime:
        return Status::OK();
    }
    return Status::InvalidArgument("unknown recovery mode");
  }

 private:
  // Takes position_ to where the next fragment may start. False if that ended the log.
  bool SkipTrailer() {
    const size_t left = LeftInBlock(position_);
    if (left < kWalHeaderSize) {
      const std::string_view trailer = Rest(position_).substr(0, left);
      if (trailer.find_first_not_of('\0') != std::string_view::npos) {
        return EndInDefect("bytes other than zero between two blocks", position_);
      }
      position_ += trailer.size();
    }
    if (position_ == log_.size()) {
      end_ = WalEnd::kClean;
    } else if (Rest(position_).find_first_not_of('\0') == std::string_view::npos) {
      end_ = WalEnd::kZeros;
      defect_ = Corruption("zeros up to the end of the file", position_, "tolerate_torn_tail");
    }
    return !end_.has_value();
  }

  // Reads the record at `start` and takes position_ behind it. False if there was none to yield:
  // the log has ended, or an ignorable fragment was skipped.
  bool ReadRecordAt(uint64_t start, WalRecord* record) {
    Fragment fragment;
    if (!ReadFragment(log_, start, &fragment)) return EndInDefect("damaged record", start);
    if (!fragment.Starts() && !fragment.Continues()) return SkipForeign(fragment);
    if (!fragment.Starts()) return EndInDefect("record without its beginning", start);
    std::string_view payload = fragment.payload;
    if (!fragment.Completes()) {
      assembled_.assign(payload);
      do {
        const uint64_t at = fragment.end;
        if (!ReadFragment(log_, at, &fragment)) return EndInDefect("damaged record", at);
        if (!fragment.Continues()) return EndInDefect("record without its end", at);
        assembled_.append(fragment.payload);
      } while (!fragment.Completes());
      payload = assembled_;
    }
    return Yield(start, fragment.end, payload, record);
  }

  bool SkipForeign(const Fragment& fragment) {
    if ((fragment.type & kIgnorableTypeBit) == 0) {
      return EndInCorruption(
          "record of type " + std::to_string(fragment.type) + ", which this reader does not know",
          position_);
    }
    position_ = fragment.end;
    return false;
  }

  bool Yield(uint64_t start, uint64_t end, std::string_view payload, WalRecord* record) {
    const BatchShape shape = ShapeOf(payload);
    if (shape.defect != nullptr) return EndInCorruption(shape.defect, start);
    const auto sequence = DecodeFixed<SequenceNumber>(payload.data());
    if (!Continues(sequence, payload)) {
      return EndInCorruption("record with sequence " + std::to_string(sequence) + " where " +
                                 std::to_string(next_.next_sequence) + " has to follow",
                             start);
    }
    WalRecord found{sequence, shape.own, start, payload, payload};
    SequenceNumber next = sequence + shape.own;
    if (shape.marked) {
      const Status status = next_.prepared.Apply(payload, &effect_);
      if (status.ok()) {
        found.effect = effect_;
        found.count = DecodeFixed<uint32_t>(effect_.data() + kBatchCountOffset);
        next = sequence + found.count;
      } else if (status.IsNotFound() && next_.begins_in_the_middle) {
        next = kAnySequence;
      } else {
        EndInCorruption(std::string(status.what()), start);
        if (status.code() == Status::Code::kOutOfMemory) defect_ = status;
        return false;
      }
    }
    if (sequence > kMaxSequenceNumber || found.count > kMaxSequenceNumber - sequence) {
      return EndInCorruption("record with a sequence beyond the largest", start);
    }
    *record = found;
    next_.next_sequence = next;
    position_ = end;
    return true;
  }

  // Whether a record with this sequence comes next, perhaps behind a gap that it names.
  bool Continues(SequenceNumber sequence, std::string_view payload) const {
    const SequenceNumber expected = next_.next_sequence;
    if (expected == kAnySequence || sequence == expected) return true;
    const std::optional<LogAnnotations::Gap> gap = GetAnnotations(payload).gap;
    return gap.has_value() && gap->first <= expected && expected < sequence &&
           gap->next == sequence;
  }

  // All End* functions return false, for their callers to pass on.
  bool EndInDefect(std::string_view what, uint64_t at) {
    if (const std::optional<uint64_t> later = FindLaterRecord(at)) {
      return EndInCorruption(
          std::string(what) + " before a valid one at offset " + std::to_string(*later), at);
    }
    end_ = WalEnd::kTornTail;
    defect_ = Corruption(std::string(what) + " at the end of the log", at, "tolerate_torn_tail");
    return false;
  }

  bool EndInCorruption(const std::string& what, uint64_t at) {
    end_ = WalEnd::kCorruption;
    defect_ = Corruption(what, at, "point_in_time");
    return false;
  }

  Status Corruption(const std::string& what, uint64_t at, const std::string& way_in) const {
    return Status::Corruption(
        what + "; open with recovery mode " + way_in + " to keep everything before it", path_, at);
  }

  // The first record behind a defect at `at` that was written later than all yielded so far. Within
  // the block nothing says where a fragment starts once one is damaged, so every offset is tried.
  std::optional<uint64_t> FindLaterRecord(uint64_t at) const {
    for (Fragment fragment; at + kWalHeaderSize <= log_.size();) {
      // The type first: a CRC at every offset would cost seconds a megabyte.
      const auto type = static_cast<uint8_t>(log_[at + kWalTypeOffset]);
      const bool valid = type >= static_cast<uint8_t>(FragmentType::kFull) &&
                         type <= static_cast<uint8_t>(FragmentType::kLast) &&
                         ReadFragment(log_, at, &fragment);
      if (valid && fragment.Starts() && StartsLaterRecord(fragment)) return at;
      at = valid && fragment.Continues() ? fragment.end : at + 1;
    }
    return std::nullopt;
  }

  bool StartsLaterRecord(const Fragment& start) const {
    std::string sequence(start.payload.substr(0, sizeof(SequenceNumber)));
    Fragment next;
    if (start.Is(FragmentType::kFirst) && sequence.size() < sizeof(SequenceNumber) &&
        ReadFragment(log_, start.end, &next) && next.Continues()) {
      sequence.append(next.payload.substr(0, sizeof(SequenceNumber) - sequence.size()));
    }
    // A FIRST that ends its block with a valid CRC is no accident, even if its sequence is lost.
    if (sequence.size() < sizeof(SequenceNumber)) return start.Is(FragmentType::kFirst);
    return DecodeFixed<SequenceNumber>(sequence.data()) >= next_.next_sequence;
  }

  std::string_view Rest(uint64_t offset) const {
    return std::string_view(log_).substr(static_cast<size_t>(offset));
  }

  const std::string path_;
  const std::string log_;
  uint64_t position_ = 0;
  WalPosition next_;
  std::string assembled_;
  std::string effect_;
  std::optional<WalEnd> end_;
  Status defect_;
};

}  // namespace bellwether
