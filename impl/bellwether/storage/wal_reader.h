// WalReader: the records of one log, and a verdict on how it ends (format: wal_format.h).
//
// Protocol: construct over the whole log, call ReadRecord until it returns false, ask
// Verdict(mode); carry position() on to the next log.
//
// How a log ends
//   kClean        after a whole record
//   kZeros        in zeros up to the end of the file (a file whose size outlived its data)
//   kTornTail     in a defect behind which no later record stands: the append that a crash cut; or,
//                 in a log with durable watermarks, none that was written after a sync of the place
//   kCorruption   in a defect before a later record, in a whole record that does not continue the
//                 sequence, or in one that is no write batch: something was lost that was once
//                 written
// With skip_corrupt: SkipDefect goes on behind a kCorruption, and gaps() says what was lost.
// Limits: a flipped bit in the last record cannot be told from a torn tail. Without watermarks, nor
// can unsynced pages that reached the disk out of order from corruption. SkipDefect may take a log
// that is part of a damaged value for records.
//
// Invariants: INV_SEQUENCE (each record yielded starts where the last one ended, counting what that
// consumed: a prepare nothing, a commit its prepare's operations; or it names the gap) and with it
// CRASH_PREFIX (what is yielded is a prefix of the groups logged, never with a hole): a
// zeroed page between whole records, which a reader that believes zeros steps over, ends the log as
// kCorruption. Thread safety: one thread at a time.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

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
  kSkipCorrupt,       // all: keeps what can be read before and behind defects
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

// What SkipDefect stepped over.
struct WalGap {
  uint64_t begin = 0;  // offsets in the log
  uint64_t end = 0;
  SequenceNumber first = 0;  // the sequences that may have been lost: from first to next - 1
  SequenceNumber next = 0;   // 0: to the end of the log
  std::string what;
};

// What a log continues: where the ones before it have ended.
struct WalPosition {
  WalPosition(SequenceNumber next) : next_sequence(next) {}  // NOLINT(google-explicit-constructor)

  // From here on something is missing: any later sequence may follow.
  void AcceptGap() {
    if (next_sequence != kAnySequence) at_least = next_sequence;
    next_sequence = kAnySequence;
  }

  SequenceNumber next_sequence;  // kAnySequence: unknown, but
  SequenceNumber at_least = 0;
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

  // Goes on with the next record behind the defect that ended the log. False if it did not end in
  // kCorruption, or if no later record follows.
  bool SkipDefect() {
    if (end_ != WalEnd::kCorruption || OutOfMemory()) return false;
    try {
      const std::optional<uint64_t> later = FindRecord(skip_from_, &WalReader::IsLater);
      gaps_.push_back({defect_.offset(), later.value_or(log_.size()), FirstMissing(), 0,
                       std::string(defect_.what())});
      if (!later.has_value()) return false;
      position_ = *later;
    } catch (const std::bad_alloc&) {
      defect_ = Status::OutOfMemory("no memory to read a record of the log");
      return false;
    }
    next_.AcceptGap();
    end_.reset();
    defect_ = Status::OK();
    return true;
  }

  const std::vector<WalGap>& gaps() const { return gaps_; }

  // OK if `mode` accepts the end of this log, else what is wrong, where, and the way in.
  Status Verdict(RecoveryMode mode) const {
    if (OutOfMemory()) return defect_;
    switch (mode) {
      case RecoveryMode::kAbsolute:
        return defect_;
      case RecoveryMode::kTolerateTornTail:
        return end_ == WalEnd::kCorruption ? defect_ : Status::OK();
      case RecoveryMode::kPointInTime:
      case RecoveryMode::kSkipCorrupt:
        return Status::OK();
    }
    return Status::InvalidArgument("unknown recovery mode");
  }

 private:
  bool OutOfMemory() const { return defect_.code() == Status::Code::kOutOfMemory; }

  SequenceNumber FirstMissing() const {
    return next_.next_sequence != kAnySequence ? next_.next_sequence : next_.at_least;
  }

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
          position_, fragment.end);
    }
    position_ = fragment.end;
    return false;
  }

  bool Yield(uint64_t start, uint64_t end, std::string_view payload, WalRecord* record) {
    const BatchShape shape = ShapeOf(payload);
    if (shape.defect != nullptr) return EndInCorruption(shape.defect, start, end);
    const auto sequence = DecodeFixed<SequenceNumber>(payload.data());
    const LogAnnotations annotations = GetAnnotations(payload);
    if (!Continues(sequence, annotations)) {
      return EndInCorruption("record with sequence " + std::to_string(sequence) + " where " +
                                 std::to_string(FirstMissing()) + " has to follow",
                             start, sequence > FirstMissing() ? start : end);
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
        EndInCorruption(std::string(status.what()), start, end);
        if (status.code() == Status::Code::kOutOfMemory) defect_ = status;
        return false;
      }
    }
    if (sequence > kMaxSequenceNumber || found.count > kMaxSequenceNumber - sequence) {
      return EndInCorruption("record with a sequence beyond the largest", start, end);
    }
    *record = found;
    has_watermarks_ = has_watermarks_ || annotations.synced.has_value();
    if (!gaps_.empty() && gaps_.back().next == 0) gaps_.back().next = sequence;
    next_.next_sequence = next;
    position_ = end;
    return true;
  }

  // Whether a record with this sequence comes next, perhaps behind a gap that it names.
  bool Continues(SequenceNumber sequence, const LogAnnotations& annotations) const {
    const SequenceNumber expected = next_.next_sequence;
    if (expected == kAnySequence) return sequence >= next_.at_least;
    if (sequence == expected) return true;
    const std::optional<LogAnnotations::Gap>& gap = annotations.gap;
    return gap.has_value() && gap->first <= expected && expected < sequence &&
           gap->next == sequence;
  }

  // All End* functions return false, for their callers to pass on.
  bool EndInDefect(std::string_view what, uint64_t at) {
    defect_at_ = at;
    if (const std::optional<uint64_t> later = FindRecord(at, &WalReader::ShowsLoss)) {
      return EndInCorruption(
          std::string(what) + " before a valid one at offset " + std::to_string(*later), at,
          BehindDamage(at));
    }
    end_ = WalEnd::kTornTail;
    defect_ = Corruption(std::string(what) + " at the end of the log", at, "tolerate_torn_tail");
    return false;
  }

  // `skip_from` is where what can still be read may begin.
  bool EndInCorruption(const std::string& what, uint64_t at, uint64_t skip_from) {
    end_ = WalEnd::kCorruption;
    skip_from_ = skip_from;
    defect_ = Corruption(what, at, "point_in_time");
    return false;
  }

  Status Corruption(const std::string& what, uint64_t at, const std::string& way_in) const {
    return Status::Corruption(
        what + "; open with recovery mode " + way_in + " to keep everything before it", path_, at);
  }

  // Most damage spares the length: then what the damaged payload holds is no record.
  uint64_t BehindDamage(uint64_t at) const {
    const std::string_view rest = Rest(at).substr(0, LeftInBlock(at));
    Fragment next;
    if (rest.size() < kWalHeaderSize) return at;
    const uint64_t end =
        at + kWalHeaderSize + DecodeFixed<uint16_t>(rest.data() + kWalLengthOffset);
    return end > at + kWalHeaderSize && ReadFragment(log_, std::min(end, log_.size()), &next) ? end
                                                                                              : at;
  }

  // The first record at or behind `at` that `matches`. Within the block nothing says where a
  // fragment starts once one is damaged, so every offset is tried.
  template <class Matches>
  std::optional<uint64_t> FindRecord(uint64_t at, Matches matches) const {
    for (Fragment fragment; at + kWalHeaderSize <= log_.size();) {
      // The type first: a CRC at every offset would cost seconds a megabyte.
      const auto type = static_cast<uint8_t>(log_[at + kWalTypeOffset]);
      const bool valid = type >= static_cast<uint8_t>(FragmentType::kFull) &&
                         type <= static_cast<uint8_t>(FragmentType::kLast) &&
                         ReadFragment(log_, at, &fragment);
      if (valid && fragment.Starts() && (this->*matches)(fragment)) return at;
      at = valid && fragment.Continues() ? fragment.end : at + 1;
    }
    return std::nullopt;
  }

  // Whether the record that starts here was written later than all yielded so far.
  bool IsLater(const Fragment& start) const {
    const std::string head = HeadOf(start);
    // A FIRST that ends its block with a valid CRC is no accident, even if its sequence is lost.
    if (head.size() < sizeof(SequenceNumber)) return start.Is(FragmentType::kFirst);
    return DecodeFixed<SequenceNumber>(head.data()) >= FirstMissing();
  }

  // Whether it shows that the bytes at the defect were there when it was written, or synced if the
  // log says up to where it was.
  bool ShowsLoss(const Fragment& start) const {
    if (!IsLater(start)) return false;
    const std::optional<uint64_t> synced = GetAnnotations(HeadOf(start)).synced;
    return synced.has_value() ? *synced > defect_at_ : !has_watermarks_;
  }

  // The beginning of a record's payload, long enough for its annotations, if it is there.
  std::string HeadOf(const Fragment& start) const {
    std::string head(start.payload.substr(0, kMaxHeadSize));
    Fragment next;
    if (start.Is(FragmentType::kFirst) && head.size() < kMaxHeadSize &&
        ReadFragment(log_, start.end, &next) && next.Continues()) {
      head.append(next.payload.substr(0, kMaxHeadSize - head.size()));
    }
    return head;
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
  std::vector<WalGap> gaps_;
  uint64_t defect_at_ = 0;
  uint64_t skip_from_ = 0;
  bool has_watermarks_ = false;
  std::optional<WalEnd> end_;
  Status defect_;
};

}  // namespace bellwether
