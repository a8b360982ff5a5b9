// What a log says of itself: LogData entries of ours at the front of a record. RocksDB's readers
// pass over them; LevelDB's do not know LogData.
//
//   "bellwether:gap" first (LE64) next (LE64)   sequences first to next - 1 are in no log
//                                               (disable_wal); the record begins at next
//   "bellwether:synced" offset (LE64)           durable watermark: the file was synced up to there
//                                               before this record was appended
//
// Thread safety: pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "bellwether/storage/batch_format.h"
#include "bellwether/storage/coding.h"
#include "bellwether/write_path/sequence.h"

namespace bellwether {

// LogData of callers must not begin with it.
inline constexpr std::string_view kAnnotationPrefix = "bellwether:";
inline constexpr std::string_view kGapAnnotation = "bellwether:gap";
inline constexpr std::string_view kSyncedAnnotation = "bellwether:synced";

// No record's annotations reach further into its payload.
inline constexpr size_t kMaxHeadSize = kBatchHeaderSize + 2 + kGapAnnotation.size() +
                                       2 * sizeof(uint64_t) + 2 + kSyncedAnnotation.size() +
                                       sizeof(uint64_t);

struct LogAnnotations {
  struct Gap {
    SequenceNumber first = 0;
    SequenceNumber next = 0;
  };
  std::optional<Gap> gap;
  std::optional<uint64_t> synced;
  size_t end = kBatchHeaderSize;  // of the last one, in the payload
};

inline void PutAnnotation(std::string* record, std::string_view name, const uint64_t* values,
                          size_t size) {
  std::string blob(name);
  for (size_t i = 0; i < size; ++i) {
    blob.append(sizeof(uint64_t), '\0');
    EncodeFixed(blob.data() + blob.size() - sizeof(uint64_t), values[i]);
  }
  record->push_back(static_cast<char>(ValueType::kTypeLogData));
  PutLengthPrefixed(record, blob);
}

inline void PutGap(std::string* record, const LogAnnotations::Gap& gap) {
  const uint64_t values[] = {gap.first, gap.next};
  PutAnnotation(record, kGapAnnotation, values, 2);
}

inline void PutSynced(std::string* record, uint64_t offset) {
  PutAnnotation(record, kSyncedAnnotation, &offset, 1);
}

// Those at the front of a record's payload, or of the part of it that there is.
inline LogAnnotations GetAnnotations(std::string_view payload) {
  LogAnnotations annotations;
  if (payload.size() < kBatchHeaderSize) return annotations;
  std::string_view left = payload.substr(kBatchHeaderSize);
  for (BatchOperation entry; GetBatchOperation(&left, &entry);) {
    if (entry.type != ValueType::kTypeLogData || !entry.key.starts_with(kAnnotationPrefix)) break;
    annotations.end = payload.size() - left.size();
    const auto values = [&entry](std::string_view name, size_t size) -> const char* {
      const bool is_it =
          entry.key.starts_with(name) && entry.key.size() == name.size() + size * sizeof(uint64_t);
      return is_it ? entry.key.data() + name.size() : nullptr;
    };
    if (const char* gap = values(kGapAnnotation, 2)) {
      annotations.gap = {DecodeFixed<uint64_t>(gap), DecodeFixed<uint64_t>(gap + sizeof(uint64_t))};
    } else if (const char* synced = values(kSyncedAnnotation, 1)) {
      annotations.synced = DecodeFixed<uint64_t>(synced);
    }
  }
  return annotations;
}

}  // namespace bellwether
