// Little-endian and varint coding as LevelDB and RocksDB have it.
//
// Get* functions consume what they return from the front of `input`; they return false, and leave
// it unspecified, if it does not hold a whole value. Thread safety: pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

namespace bellwether {

inline constexpr size_t kMaxVarint32Size = 5;

template <class Integer>
inline void EncodeFixed(char* to, Integer value) {
  for (size_t i = 0; i < sizeof(Integer); ++i) {
    to[i] = static_cast<char>(static_cast<unsigned char>(value >> (8 * i)));
  }
}

template <class Integer>
inline Integer DecodeFixed(const char* from) {
  Integer value = 0;
  for (size_t i = 0; i < sizeof(Integer); ++i) {
    value = static_cast<Integer>(
        value |
        static_cast<Integer>(static_cast<Integer>(static_cast<unsigned char>(from[i])) << (8 * i)));
  }
  return value;
}

inline void PutVarint32(std::string* to, uint32_t value) {
  while (value >= 0x80) {
    to->push_back(static_cast<char>(static_cast<unsigned char>(value | 0x80)));
    value >>= 7;
  }
  to->push_back(static_cast<char>(static_cast<unsigned char>(value)));
}

inline bool GetVarint32(std::string_view* input, uint32_t* value) {
  uint64_t result = 0;
  for (size_t i = 0; i < kMaxVarint32Size && i < input->size(); ++i) {
    const auto byte = static_cast<unsigned char>((*input)[i]);
    result |= static_cast<uint64_t>(byte & 0x7f) << (7 * i);
    if ((byte & 0x80) == 0) {
      input->remove_prefix(i + 1);
      *value = static_cast<uint32_t>(result);
      return result <= std::numeric_limits<uint32_t>::max();
    }
  }
  return false;
}

// REQUIRES: value.size() fits 32 bits.
inline void PutLengthPrefixed(std::string* to, std::string_view value) {
  PutVarint32(to, static_cast<uint32_t>(value.size()));
  to->append(value);
}

inline bool GetLengthPrefixed(std::string_view* input, std::string_view* value) {
  uint32_t size = 0;
  if (!GetVarint32(input, &size) || size > input->size()) return false;
  *value = input->substr(0, size);
  input->remove_prefix(size);
  return true;
}

}  // namespace bellwether
