// Durable watermarks: what a power failure leaves is told apart from what was lost afterwards, in
// whatever order unsynced pages reached the disk.
#include <gtest/gtest.h>

#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "bellwether/storage/wal_reader.h"
#include "bellwether/storage/wal_writer.h"
#include "test_log.h"

namespace bellwether {
namespace {

using testing::BatchOfSize;
using testing::FileJournal;
using testing::MemoryFile;
using testing::TestGroup;

constexpr size_t kPage = 512;

struct Log {
  std::string contents;
  std::vector<uint64_t> ends;  // of the records
  uint64_t synced = 0;
  uint64_t watermark = 0;  // in the last record
};

// Records of many sizes, some of them synced; the last ones never are.
Log WriteLog(unsigned seed, bool watermarks) {
  std::mt19937 random(seed);
  FileJournal journal;
  WalWriter writer(std::make_unique<MemoryFile>(&journal), {1, watermarks});
  Log log;
  for (SequenceNumber sequence = 1; sequence <= 40; ++sequence) {
    const size_t size = random() % 8 == 0 ? kWalBlockSize : 200 + random() % 2000;
    EXPECT_TRUE(writer.AddRecord(sequence, TestGroup{{BatchOfSize(size)}}).ok());
    log.ends.push_back(journal.contents.size());
    log.watermark = log.synced;
    if (sequence < 30 && random() % 5 == 0) {
      EXPECT_TRUE(writer.Sync().ok());
      log.synced = journal.contents.size();
    }
  }
  log.contents = journal.contents;
  return log;
}

// What the disk holds after a power failure in a preallocated file: of each page that was not
// synced what was there before, or what was written.
std::string AfterPowerFailure(const Log& log, unsigned seed) {
  std::mt19937 random(seed);
  std::string contents = log.contents + std::string(3 * kPage, '\0');
  for (uint64_t page = log.synced / kPage * kPage; page < contents.size(); page += kPage) {
    const uint64_t begin = std::max(page, log.synced);
    if (random() % 2 == 0)
      contents.replace(begin, page + kPage - begin, page + kPage - begin, '\0');
  }
  return contents;
}

// The number of records read.
size_t Read(const std::string& contents, WalEnd* end) {
  WalReader reader("log", contents, 1);
  size_t records = 0;
  for (WalRecord record; reader.ReadRecord(&record);) ++records;
  *end = reader.end();
  return records;
}

TEST(DurableWatermark, NoPowerFailureLooksLikeCorruption) {
  size_t without = 0;
  for (unsigned seed = 0; seed < 200; ++seed) {
    const Log log = WriteLog(seed, true);
    WalEnd end{};
    const size_t records = Read(AfterPowerFailure(log, seed), &end);
    ASSERT_NE(end, WalEnd::kCorruption) << "seed " << seed;
    ASSERT_GE(records == 0 ? 0 : log.ends[records - 1], log.synced) << "seed " << seed;
    (void)Read(AfterPowerFailure(WriteLog(seed, false), seed), &end);
    without += end == WalEnd::kCorruption;
  }
  EXPECT_GT(without, 100U) << "what the watermarks are for";
}

TEST(DurableWatermark, DamageToWhatWasSyncedBeforeTheLastRecordIsCorruption) {
  const Log log = WriteLog(1, true);
  ASSERT_GT(log.watermark, 5000U);
  for (uint64_t byte = 0; byte < log.contents.size(); byte += 61) {
    std::string contents = log.contents;
    contents[byte] = static_cast<char>(contents[byte] ^ 4);
    WalEnd end{};
    (void)Read(contents, &end);
    ASSERT_EQ(end, byte < log.watermark ? WalEnd::kCorruption : WalEnd::kTornTail) << byte;
  }
}

TEST(DurableWatermark, ASyncThatFailedVouchesForNothing) {
  FileJournal journal;
  journal.fail_sync = 1;
  WalWriter writer(std::make_unique<MemoryFile>(&journal), {1, true});
  const TestGroup group{{BatchOfSize(100)}};
  ASSERT_TRUE(writer.AddRecord(1, group).ok());
  ASSERT_FALSE(writer.Sync().ok());
  ASSERT_FALSE(writer.AddRecord(2, group).ok());
}

// The only witness begins so near to the end of a block that its watermark stands in the next one.
TEST(DurableWatermark, IsReadAcrossABlock) {
  for (size_t first = 0; first <= kMaxHeadSize; ++first) {
    FileJournal journal;
    WalWriter writer(std::make_unique<MemoryFile>(&journal), {1, true});
    const size_t watermark =
        kMaxHeadSize - 2 - kGapAnnotation.size() - 2 * sizeof(uint64_t) - kBatchHeaderSize;
    const size_t size = kWalBlockSize - 3 * kWalHeaderSize - 2 * watermark - 100 - first;
    ASSERT_TRUE(writer.AddRecord(1, TestGroup{{BatchOfSize(100)}}).ok());
    const size_t second = journal.contents.size();
    ASSERT_TRUE(writer.AddRecord(2, TestGroup{{BatchOfSize(size)}}).ok());
    ASSERT_EQ(journal.contents.size(), kWalBlockSize - kWalHeaderSize - first);
    ASSERT_TRUE(writer.Sync().ok());
    ASSERT_TRUE(writer.AddRecord(3, TestGroup{{BatchOfSize(500)}}).ok());
    std::string contents = journal.contents;
    contents[second + 100] ^= 1;
    WalEnd end{};
    (void)Read(contents, &end);
    EXPECT_EQ(end, WalEnd::kCorruption) << first;
  }
}

// Each file counts for itself.
TEST(DurableWatermark, BeginsAnewInTheNextFile) {
  FileJournal first, second;
  WalWriter writer(std::make_unique<MemoryFile>(&first), {1, true});
  const TestGroup group{{BatchOfSize(100)}};
  ASSERT_TRUE(writer.AddRecord(1, group).ok());
  ASSERT_TRUE(writer.Rotate(std::make_unique<MemoryFile>(&second)).ok());
  ASSERT_TRUE(writer.AddRecord(2, group).ok());
  EXPECT_EQ(GetAnnotations(second.contents.substr(kWalHeaderSize)).synced, 0U);
}

}  // namespace
}  // namespace bellwether
