#include "bellwether/storage/wal_writer.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>

#include "bellwether/storage/wal_reader.h"
#include "test_log.h"

namespace bellwether {
namespace {

using std::string_view_literals::operator""sv;
using testing::BatchOfSize;
using testing::BuildLogOfSizes;
using testing::FileJournal;
using testing::MemoryFile;
using testing::TestGroup;
using testing::TestLog;

char TypeAt(const TestLog& log, uint64_t offset) { return log.contents[offset + kWalTypeOffset]; }
constexpr char kFull = 1, kFirst = 2, kMiddle = 3, kLast = 4;

TEST(WalWriter, ARecordByteForByte) {
  FileJournal journal;
  WalWriter writer(std::make_unique<MemoryFile>(&journal));
  WriteBatch batch;
  ASSERT_TRUE(batch.Put("k", "v").ok());
  ASSERT_TRUE(writer.AddRecord(5, TestGroup{{batch}}).ok());
  // The CRC was computed by an independent, bitwise implementation.
  EXPECT_EQ(journal.contents,
            "\xc9\x6f\x53\xf5\x11\x00\x01"
            "\x05\0\0\0\0\0\0\0\x01\0\0\0"
            "\x01\x01k\x01v"sv);
}

TEST(WalWriter, AGroupIsOneRecordWithTheBatchesConcatenated) {
  FileJournal journal;
  WalWriter writer(std::make_unique<MemoryFile>(&journal));
  TestGroup group{{WriteBatch(), WriteBatch(), WriteBatch()}};
  ASSERT_TRUE(group.batches[0].Put("a", "1").ok());
  ASSERT_TRUE(group.batches[2].Put("b", "2").ok());
  ASSERT_TRUE(group.batches[2].Delete("c").ok());
  ASSERT_TRUE(writer.AddRecord(7, group).ok());
  EXPECT_EQ(journal.appends, 1) << "a group must not be torn by a write of its own";
  EXPECT_EQ(std::string_view(journal.contents).substr(kWalHeaderSize),
            "\x07\0\0\0\0\0\0\0\x03\0\0\0"
            "\x01\x01"
            "a\x01"
            "1"
            "\x01\x01"
            "b\x01"
            "2"
            "\0\x01"
            "c"sv);
  EXPECT_EQ(TypeAt({journal.contents, {}}, 0), kFull);
}

// The last block boundary is met with every number of bytes left in the block.
TEST(WalWriter, BlockBoundaries) {
  for (size_t left = 0; left <= 2 * kWalHeaderSize + 1; ++left) {
    SCOPED_TRACE(left);
    const TestLog log = BuildLogOfSizes({kWalBlockSize - kWalHeaderSize - left, 100});
    ASSERT_EQ(log.records.size(), 2U);
    if (left < kWalHeaderSize) {
      EXPECT_EQ(log.contents.substr(kWalBlockSize - left, left), std::string(left, '\0'));
      EXPECT_EQ(TypeAt(log, kWalBlockSize), kFull);
      EXPECT_EQ(log.contents.size(), kWalBlockSize + kWalHeaderSize + 100);
    } else {
      EXPECT_EQ(TypeAt(log, kWalBlockSize - left), kFirst);
      EXPECT_EQ(DecodeFixed<uint16_t>(&log.contents[kWalBlockSize - left + kWalLengthOffset]),
                left - kWalHeaderSize);
      EXPECT_EQ(TypeAt(log, kWalBlockSize), kLast);
    }
    const auto result = testing::Read(log, log.contents);
    EXPECT_EQ(result.records, 2U);
    EXPECT_TRUE(result.all_right);
    EXPECT_EQ(result.end, WalEnd::kClean);
  }
}

TEST(WalWriter, ALongRecordTakesWholeBlocks) {
  const TestLog log = BuildLogOfSizes({100, 3 * kWalBlockSize});
  EXPECT_EQ(TypeAt(log, 0), kFull);
  EXPECT_EQ(TypeAt(log, log.records[1].begin), kFirst);
  EXPECT_EQ(TypeAt(log, kWalBlockSize), kMiddle);
  EXPECT_EQ(TypeAt(log, 2 * kWalBlockSize), kMiddle);
  EXPECT_EQ(TypeAt(log, 3 * kWalBlockSize), kLast);
}

TEST(WalWriter, NothingIsAppendedOrSyncedAfterAFailedAppend) {
  FileJournal journal;
  journal.fail_append = 2;
  WalWriter writer(std::make_unique<MemoryFile>(&journal));
  const TestGroup group{{BatchOfSize(100)}};
  ASSERT_TRUE(writer.AddRecord(1, group).ok());
  const Status error = writer.AddRecord(2, group);
  EXPECT_EQ(error.code(), Status::Code::kIOError);
  EXPECT_EQ(error.error_number(), ENOSPC);
  EXPECT_EQ(error.file(), "000001.log");
  EXPECT_GT(error.offset(), uint64_t{100});
  const std::string before = journal.contents;
  const Status refused = writer.AddRecord(3, group);
  EXPECT_EQ(refused.code(), Status::Code::kAborted);
  EXPECT_EQ(refused.error_number(), ENOSPC) << "a refusal names the first error";
  EXPECT_EQ(writer.Sync().code(), Status::Code::kAborted);
  EXPECT_EQ(journal.contents, before);
  EXPECT_EQ(journal.appends, 2);
  EXPECT_EQ(journal.syncs, 0);
}

TEST(WalWriter, AFailedSyncIsNeverRetried) {
  FileJournal journal;
  journal.fail_sync = 1;
  WalWriter writer(std::make_unique<MemoryFile>(&journal));
  const TestGroup group{{BatchOfSize(100)}};
  ASSERT_TRUE(writer.AddRecord(1, group).ok());
  const Status error = writer.Sync();
  EXPECT_EQ(error.code(), Status::Code::kIOError);
  EXPECT_EQ(error.error_number(), EIO);
  EXPECT_EQ(writer.Sync().code(), Status::Code::kAborted);
  EXPECT_EQ(writer.AddRecord(2, group).code(), Status::Code::kAborted);
  EXPECT_EQ(journal.syncs, 1);
  EXPECT_EQ(journal.appends, 1);
}

TEST(WalWriter, TheLargestSequenceIsTheLastOne) {
  FileJournal journal;
  WalWriter writer(std::make_unique<MemoryFile>(&journal));
  const TestGroup group{{BatchOfSize(100)}};
  ASSERT_TRUE(writer.AddRecord(kMaxSequenceNumber - 1, group).ok());
  const std::string whole = journal.contents;
  EXPECT_EQ(writer.AddRecord(kMaxSequenceNumber, group).code(), Status::Code::kInvalidArgument);
  EXPECT_EQ(journal.contents, whole);
  WalReader reader("log", whole, kAnySequence);
  WalRecord record;
  EXPECT_TRUE(reader.ReadRecord(&record)) << "what is written can be read";
  EXPECT_FALSE(reader.ReadRecord(&record));
  EXPECT_EQ(reader.end(), WalEnd::kClean);
}

TEST(WalWriter, RotateLeavesTheOldFileDurableAndGoesOnInTheNewOne) {
  FileJournal first, second;
  WalWriter writer(std::make_unique<MemoryFile>(&first), {1});
  const TestGroup group{{BatchOfSize(100)}};
  ASSERT_TRUE(writer.AddRecord(1, group).ok());
  EXPECT_EQ(writer.BytesSinceCheckpoint(), first.contents.size());
  ASSERT_TRUE(writer.Rotate(std::make_unique<MemoryFile>(&second)).ok());
  EXPECT_EQ(first.syncs, 1);
  EXPECT_EQ(first.closes, 1) << "what was preallocated behind its end goes";
  EXPECT_EQ(writer.BytesSinceCheckpoint(), 0U);
  // Sequences go on, so a gap across the files is named.
  ASSERT_TRUE(writer.AddRecord(5, group).ok());
  EXPECT_EQ(first.contents.size(), kWalHeaderSize + 100);
  WalReader reader("log", second.contents, 2);
  WalRecord record;
  EXPECT_TRUE(reader.ReadRecord(&record));
  EXPECT_EQ(record.sequence, 5U);
}

TEST(WalWriter, NothingIsWrittenBehindAFileThatCouldNotBeSynced) {
  FileJournal first, second;
  first.fail_sync = 1;
  WalWriter writer(std::make_unique<MemoryFile>(&first));
  const TestGroup group{{BatchOfSize(100)}};
  ASSERT_TRUE(writer.AddRecord(1, group).ok());
  EXPECT_EQ(writer.Rotate(std::make_unique<MemoryFile>(&second)).code(), Status::Code::kIOError);
  EXPECT_EQ(writer.AddRecord(2, group).code(), Status::Code::kAborted);
  EXPECT_EQ(writer.Rotate(std::make_unique<MemoryFile>(&second)).code(), Status::Code::kAborted);
  EXPECT_TRUE(second.contents.empty());
}

}  // namespace
}  // namespace bellwether
