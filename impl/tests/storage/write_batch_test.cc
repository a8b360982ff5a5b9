#include "bellwether/storage/write_batch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

namespace bellwether {
namespace {

using std::string_view_literals::operator""sv;

struct Collector {
  std::vector<std::string> operations;

  Status Put(std::string_view key, std::string_view value) {
    operations.push_back("put " + std::string(key) + " " + std::string(value));
    return Status::OK();
  }
  Status Delete(std::string_view key) {
    operations.push_back("delete " + std::string(key));
    return Status::OK();
  }
};

WriteBatch Sample() {
  WriteBatch batch;
  EXPECT_TRUE(batch.Put("key", "value").ok());
  EXPECT_TRUE(batch.Delete("gone").ok());
  EXPECT_TRUE(batch.Put("", std::string(200, 'x')).ok());
  return batch;
}

TEST(WriteBatch, EncodesAsRocksDB) {
  WriteBatch batch;
  ASSERT_TRUE(batch.Put("key", "value").ok());
  ASSERT_TRUE(batch.Delete("gone").ok());
  EXPECT_EQ(batch.Data(),
            "\0\0\0\0\0\0\0\0\x02\0\0\0"
            "\x01\x03key\x05value"
            "\0\x04gone"sv);
  EXPECT_EQ(batch.Count(), 2U);
  EXPECT_EQ(batch.ByteSize(), batch.Data().size());
}

TEST(WriteBatch, IteratesInOrder) {
  Collector collector;
  ASSERT_TRUE(Sample().Iterate(&collector).ok());
  EXPECT_THAT(collector.operations, testing::ElementsAre("put key value", "delete gone",
                                                         "put  " + std::string(200, 'x')));
}

struct Stubborn : Collector {
  Status Delete(std::string_view) { return Status::NotFound("delete"); }
};

TEST(WriteBatch, IterationStopsAtTheHandlersError) {
  Stubborn stubborn;
  EXPECT_EQ(Sample().Iterate(&stubborn).code(), Status::Code::kNotFound);
  EXPECT_THAT(stubborn.operations, testing::ElementsAre("put key value"));
}

TEST(WriteBatch, ClearForgets) {
  WriteBatch batch = Sample();
  EXPECT_FALSE(batch.Put(std::string(kMaxKeySize + 1, 'k'), "").ok());
  batch.Clear();
  EXPECT_EQ(batch.Data(), WriteBatch().Data());
  EXPECT_TRUE(batch.status().ok());
}

TEST(WriteBatch, CopiesAndWhatWasMovedFromStayWhole) {
  WriteBatch batch = Sample();
  const WriteBatch copy = std::move(batch);
  EXPECT_EQ(copy.Data(), Sample().Data());
  EXPECT_EQ(batch.Count(), 3U);  // NOLINT(bugprone-use-after-move): that is the point
}

TEST(WriteBatch, TheLongestKeyIsTaken) {
  WriteBatch batch;
  EXPECT_TRUE(batch.Put(std::string(kMaxKeySize, 'k'), "v").ok());
  EXPECT_EQ(FindBatchDefect(batch.Data()), nullptr);
}

TEST(WriteBatch, RefusesWhatIsTooLargeAndRemembers) {
  WriteBatch batch = Sample();
  const std::string before(batch.Data());
  const std::string long_key(kMaxKeySize + 1, 'k');
  EXPECT_EQ(batch.Put(long_key, "v").code(), Status::Code::kInvalidArgument);
  EXPECT_EQ(batch.Data(), before);
  EXPECT_EQ(batch.status().code(), Status::Code::kInvalidArgument);
  const std::string first_refusal = batch.status().ToString();
  EXPECT_EQ(batch.Delete(long_key).code(), Status::Code::kInvalidArgument);
  // The limits are checked before a byte of the value is looked at.
  const std::string_view long_value("v", kMaxValueSize + 1);
  EXPECT_EQ(batch.Put("k", long_value).code(), Status::Code::kInvalidArgument);
  EXPECT_EQ(batch.PutLogData(long_value).code(), Status::Code::kInvalidArgument);
  EXPECT_EQ(batch.Data(), before);
  EXPECT_TRUE(batch.Put("k", "v").ok());
  EXPECT_EQ(batch.status().ToString(), first_refusal) << "it sticks until Clear";
}

TEST(WriteBatch, ParseCopiesAValidBatch) {
  WriteBatch parsed;
  ASSERT_TRUE(WriteBatch::Parse(Sample().Data(), &parsed).ok());
  EXPECT_EQ(parsed.Data(), Sample().Data());
  EXPECT_EQ(parsed.Count(), 3U);
}

TEST(WriteBatch, EveryTruncationIsCorruption) {
  WriteBatch ends_in_delete = Sample();
  ASSERT_TRUE(ends_in_delete.Delete("key").ok());
  for (const WriteBatch& batch : {Sample(), ends_in_delete}) {
    for (size_t size = 0; size < batch.ByteSize(); ++size) {
      WriteBatch parsed;
      EXPECT_EQ(WriteBatch::Parse(batch.Data().substr(0, size), &parsed).code(),
                Status::Code::kCorruption)
          << size;
      EXPECT_EQ(parsed.Count(), 0U);
    }
  }
}

TEST(WriteBatch, OperationsBeyondTheLimitsAreNone) {
  struct Case {
    std::string head;  // tag, and the key of a put
    size_t limit;
  };
  for (const Case& c :
       {Case{{0}, kMaxKeySize}, Case{{1, 1, 'k'}, kMaxValueSize}, Case{{3}, kMaxValueSize},
        Case{{10}, kMaxXidSize}, Case{{11}, kMaxXidSize}, Case{{12}, kMaxXidSize}}) {
    for (const size_t excess : {0U, 1U}) {
      std::string encoded = c.head;
      PutVarint32(&encoded, static_cast<uint32_t>(c.limit + excess));
      // Nobody looks at the text behind the lengths.
      std::string_view input(encoded.data(), encoded.size() + c.limit + excess);
      BatchOperation operation;
      EXPECT_EQ(GetBatchOperation(&input, &operation), excess == 0) << int{c.head[0]};
    }
  }
}

TEST(WriteBatch, EveryChangedByteIsRefusedOrStillWholeOperations) {
  const WriteBatch batch = Sample();
  size_t refused = 0;
  for (size_t at = 0; at < batch.ByteSize(); ++at) {
    for (int change = 1; change < 256; ++change) {
      std::string changed(batch.Data());
      changed[at] = static_cast<char>(changed[at] ^ change);
      WriteBatch parsed;
      if (!WriteBatch::Parse(changed, &parsed).ok()) {
        ++refused;
        continue;
      }
      Collector collector;
      EXPECT_TRUE(parsed.Iterate(&collector).ok());
      EXPECT_EQ(collector.operations.size(), parsed.Count());
    }
  }
  // All changes of the count, and nearly all of tags and lengths.
  EXPECT_GT(refused, size_t{4 * 255 + 3 * 250});
}

TEST(WriteBatch, UnknownTagsAreCorruption) {
  for (int tag = 2; tag < 256; ++tag) {
    if (tag == 3 || (tag >= 9 && tag <= 13)) continue;  // LogData, two-phase commit, Noop
    std::string encoded(WriteBatch().Data());
    encoded[kBatchCountOffset] = 1;
    encoded += static_cast<char>(tag);
    encoded += "\x01k\x01v";
    EXPECT_NE(FindBatchDefect(encoded), nullptr) << tag;
  }
}

TEST(WriteBatch, TheCountMustBeThatOfTheOperations) {
  for (const char count : {'\0', '\2', '\4'}) {
    std::string encoded(Sample().Data());
    encoded[kBatchCountOffset] = count;
    EXPECT_NE(FindBatchDefect(encoded), nullptr) << int{count};
  }
}

}  // namespace
}  // namespace bellwether
