// CRC-32C (Castagnoli) by ISA-L, and the mask under which LevelDB and RocksDB store it.
//
// A CRC computed over bytes that hold their own CRC degenerates, hence the mask.
// Thread safety: pure functions.
#pragma once

#include <isa-l.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string_view>

namespace bellwether {

// The CRC of A followed by `data`, given the CRC of A (0 for an empty A).
inline uint32_t ExtendCrc32c(uint32_t crc, std::string_view data) {
  constexpr size_t kMaxPiece = std::numeric_limits<int>::max();
  while (!data.empty()) {
    const std::string_view piece = data.substr(0, std::min(data.size(), kMaxPiece));
    // ISA-L takes the buffer non-const and only reads it.
    auto* bytes = reinterpret_cast<unsigned char*>(const_cast<char*>(piece.data()));
    crc = ~crc32_iscsi(bytes, static_cast<int>(piece.size()), ~crc);
    data.remove_prefix(piece.size());
  }
  return crc;
}

inline uint32_t Crc32c(std::string_view data) { return ExtendCrc32c(0, data); }

inline constexpr uint32_t kCrcMaskDelta = 0xa282ead8U;

inline uint32_t MaskCrc(uint32_t crc) { return ((crc >> 15) | (crc << 17)) + kCrcMaskDelta; }

inline uint32_t UnmaskCrc(uint32_t masked) {
  const uint32_t rotated = masked - kCrcMaskDelta;
  return (rotated >> 17) | (rotated << 15);
}

}  // namespace bellwether
