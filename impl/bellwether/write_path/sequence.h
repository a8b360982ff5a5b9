// Sequence numbers: each operation of a batch consumes one, in log order (INV_SEQUENCE).
#pragma once

#include <cstdint>

namespace bellwether {

using SequenceNumber = std::uint64_t;

// The top byte of a packed internal key holds the type of the operation, as in LevelDB and RocksDB.
inline constexpr SequenceNumber kMaxSequenceNumber = (SequenceNumber{1} << 56) - 1;

}  // namespace bellwether
