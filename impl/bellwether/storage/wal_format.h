// The log's format: LevelDB's and RocksDB's own, byte for byte.
//
//   file := block*          blocks of 32768 bytes, the last one may be shorter
//   block := fragment* trailer
//   fragment := masked CRC-32C of type and payload (LE32) length (LE16) type (u8) payload
//   trailer := up to 6 zero bytes, where no header fits; with exactly 7 left stands a FIRST without
//   payload record := FULL | FIRST MIDDLE* LAST
//
// A record is one write group: one WriteBatch encoding with the operations of all its writers.
// Invariant (ReadFragment relies on it): FIRST and MIDDLE run to the end of their block, MIDDLE and
// LAST stand at the start of theirs. Thread safety: pure functions.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "bellwether/storage/coding.h"
#include "bellwether/storage/crc32c.h"
#include "bellwether/write_path/sequence.h"

namespace bellwether {

inline constexpr size_t kWalBlockSize = 32768;
inline constexpr size_t kWalHeaderSize = 4 + 2 + 1;
inline constexpr size_t kWalLengthOffset = 4;
inline constexpr size_t kWalTypeOffset = 6;

enum class FragmentType : uint8_t { kZero = 0, kFull = 1, kFirst = 2, kMiddle = 3, kLast = 4 };

// RocksDB's recyclable types have a longer header; types with bit 7 may be skipped by who does not
// know them.
inline constexpr uint8_t kFirstRecyclableType = 5;
inline constexpr uint8_t kLastRecyclableType = 8;
inline constexpr size_t kRecyclableHeaderSize = kWalHeaderSize + 4;
inline constexpr uint8_t kIgnorableTypeBit = 0x80;

// As the expected sequence of a log's first record: whatever it is.
inline constexpr SequenceNumber kAnySequence = 0;

// The masked CRC of a fragment. `covered` runs from the type to the end of the payload.
inline uint32_t FragmentCrc(std::string_view covered) { return MaskCrc(Crc32c(covered)); }

// Bytes from `offset` to the end of its block.
inline size_t LeftInBlock(uint64_t offset) {
  return kWalBlockSize - static_cast<size_t>(offset % kWalBlockSize);
}

struct Fragment {
  uint8_t type = 0;
  std::string_view payload;
  uint64_t end = 0;

  bool Is(FragmentType wanted) const { return type == static_cast<uint8_t>(wanted); }
  bool Starts() const { return Is(FragmentType::kFull) || Is(FragmentType::kFirst); }
  bool Continues() const { return Is(FragmentType::kMiddle) || Is(FragmentType::kLast); }
  bool Completes() const { return Is(FragmentType::kFull) || Is(FragmentType::kLast); }
};

// Reads the fragment at `offset` of a log. False if none stands there whole and with the right CRC.
inline bool ReadFragment(std::string_view log, uint64_t offset, Fragment* fragment) {
  const std::string_view rest =
      log.substr(static_cast<size_t>(offset)).substr(0, LeftInBlock(offset));
  if (rest.size() < kWalHeaderSize) return false;
  const auto type = static_cast<uint8_t>(rest[kWalTypeOffset]);
  if (type == static_cast<uint8_t>(FragmentType::kZero)) return false;
  const bool recyclable = type >= kFirstRecyclableType && type <= kLastRecyclableType;
  const size_t header = recyclable ? kRecyclableHeaderSize : kWalHeaderSize;
  const size_t length = DecodeFixed<uint16_t>(rest.data() + kWalLengthOffset);
  if (header + length > rest.size()) return false;
  *fragment = {type, rest.substr(header, length), offset + header + length};
  const bool to_block_end =
      fragment->Is(FragmentType::kFirst) || fragment->Is(FragmentType::kMiddle);
  if (to_block_end && fragment->end % kWalBlockSize != 0) return false;
  if (fragment->Continues() && offset % kWalBlockSize != 0) return false;
  const std::string_view covered = rest.substr(kWalTypeOffset, header - kWalTypeOffset + length);
  return FragmentCrc(covered) == DecodeFixed<uint32_t>(rest.data());
}

}  // namespace bellwether
