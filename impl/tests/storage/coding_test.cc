#include "bellwether/storage/coding.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>

#include "bellwether/storage/crc32c.h"

namespace bellwether {
namespace {

TEST(Crc32c, StandardResults) {  // RFC 3720, B.4
  EXPECT_EQ(Crc32c(std::string(32, '\0')), 0x8a9136aaU);
  EXPECT_EQ(Crc32c(std::string(32, '\xff')), 0x62a8ab43U);
  EXPECT_EQ(Crc32c("123456789"), 0xe3069283U);
  EXPECT_EQ(Crc32c(""), 0U);
}

TEST(Crc32c, ExtendsOverAnySplit) {
  const std::string data = "the quick brown fox jumps over the lazy dog";
  for (size_t i = 0; i <= data.size(); ++i) {
    EXPECT_EQ(ExtendCrc32c(Crc32c(data.substr(0, i)), data.substr(i)), Crc32c(data)) << i;
  }
}

TEST(Crc32c, MaskIsUpstreams) {
  EXPECT_EQ(MaskCrc(0), 0xa282ead8U);
  EXPECT_EQ(MaskCrc(0x00008000U), 0xa282ead9U);
  for (uint32_t crc : {0U, 1U, 0xe3069283U, 0xffffffffU}) {
    EXPECT_EQ(UnmaskCrc(MaskCrc(crc)), crc);
    EXPECT_NE(MaskCrc(crc), crc);
  }
}

TEST(Coding, FixedIsLittleEndian) {
  char bytes[8];
  EncodeFixed(bytes, uint64_t{0x0807060504030201});
  EXPECT_EQ(std::string(bytes, 8), "\x01\x02\x03\x04\x05\x06\x07\x08");
  EXPECT_EQ(DecodeFixed<uint64_t>(bytes), 0x0807060504030201U);
  EXPECT_EQ(DecodeFixed<uint32_t>(bytes), 0x04030201U);
  EXPECT_EQ(DecodeFixed<uint16_t>("\xff\xfe"), 0xfeffU);
}

TEST(Coding, Varint32RoundTripsAtEveryLength) {
  for (const uint32_t value :
       {0U, 127U, 128U, 16383U, 16384U, 2097151U, 2097152U, 268435455U, 268435456U, 0xffffffffU}) {
    std::string coded;
    PutVarint32(&coded, value);
    std::string_view input = coded;
    uint32_t decoded = 0;
    ASSERT_TRUE(GetVarint32(&input, &decoded));
    EXPECT_EQ(decoded, value);
    EXPECT_TRUE(input.empty());
    for (size_t size = 0; size < coded.size(); ++size) {
      input = std::string_view(coded).substr(0, size);
      EXPECT_FALSE(GetVarint32(&input, &decoded)) << value << " cut to " << size;
    }
  }
}

TEST(Coding, Varint32RefusesMoreThan32Bits) {
  uint32_t decoded = 0;
  for (const char* bytes : {"\xff\xff\xff\xff\x10", "\xff\xff\xff\xff\xff\x01"}) {
    std::string_view input = bytes;
    EXPECT_FALSE(GetVarint32(&input, &decoded));
  }
}

TEST(Coding, LengthPrefixedRefusesALengthBeyondTheInput) {
  std::string coded;
  PutLengthPrefixed(&coded, "value");
  std::string_view value;
  std::string_view input = coded;
  EXPECT_TRUE(GetLengthPrefixed(&input, &value));
  EXPECT_EQ(value, "value");
  input = std::string_view(coded).substr(0, coded.size() - 1);
  EXPECT_FALSE(GetLengthPrefixed(&input, &value));
}

}  // namespace
}  // namespace bellwether
