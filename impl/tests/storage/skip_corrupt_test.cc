// skip_corrupt: what stands behind a defect is read, and what was lost is named.
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "bellwether/storage/wal_reader.h"
#include "bellwether/storage/wal_writer.h"
#include "test_log.h"

namespace bellwether {
namespace {

using testing::BuildLog;
using testing::BuildLogOfSizes;
using testing::FileJournal;
using testing::MemoryFile;
using testing::RawFragment;
using testing::TestGroup;
using testing::TestLog;

TestLog MixedLog() {
  return BuildLogOfSizes(
      {16, 40, 300, 17, 9000, kWalBlockSize - 9422, 500, kWalBlockSize + 1000, 25, 60});
}

struct Salvage {
  std::vector<SequenceNumber> sequences;
  bool all_right = true;  // each record read is the one that was written with its sequence
  std::vector<WalGap> gaps;
  WalEnd end = WalEnd::kClean;
};

// REQUIRES: record i of `log` has sequence i + 1.
Salvage ReadSkipping(const TestLog& log, const std::string& contents) {
  Salvage salvage;
  WalReader reader("log", contents, 1);
  do {
    for (WalRecord record; reader.ReadRecord(&record);) {
      salvage.sequences.push_back(record.sequence);
      salvage.all_right = salvage.all_right && record.sequence <= log.records.size() &&
                          record.batch == log.records[record.sequence - 1].payload;
    }
  } while (reader.SkipDefect());
  salvage.gaps = reader.gaps();
  salvage.end = reader.end();
  EXPECT_TRUE(reader.Verdict(RecoveryMode::kSkipCorrupt).ok());
  return salvage;
}

std::vector<SequenceNumber> AllBut(const TestLog& log, SequenceNumber first, SequenceNumber next) {
  std::vector<SequenceNumber> sequences;
  for (SequenceNumber sequence = 1; sequence <= log.records.size(); ++sequence) {
    if (sequence < first || sequence >= next) sequences.push_back(sequence);
  }
  return sequences;
}

void ExpectOneGap(const TestLog& log, const std::string& contents, SequenceNumber first,
                  SequenceNumber next) {
  const Salvage salvage = ReadSkipping(log, contents);
  ASSERT_TRUE(salvage.all_right);
  ASSERT_EQ(salvage.sequences, AllBut(log, first, next));
  ASSERT_EQ(salvage.gaps.size(), 1U);
  ASSERT_EQ(salvage.gaps[0].first, first);
  ASSERT_EQ(salvage.gaps[0].next, next);
  ASSERT_LT(salvage.gaps[0].begin, salvage.gaps[0].end + 1);
  ASSERT_FALSE(salvage.gaps[0].what.empty());
  ASSERT_EQ(salvage.end, WalEnd::kClean);
}

TEST(SkipCorrupt, AFlipInEveryByteLosesTheRecordThatHeldIt) {
  const TestLog log = MixedLog();
  for (size_t byte = 0; byte < log.records.back().begin; byte += byte < 200 ? 1 : 7) {
    SCOPED_TRACE(byte);
    std::string contents = log.contents;
    contents[byte] = static_cast<char>(contents[byte] ^ (1 << byte % 8));
    const SequenceNumber lost = log.WholeRecords(byte) + 1;
    const bool in_record = byte >= log.records[lost - 1].begin;
    ASSERT_NO_FATAL_FAILURE(ExpectOneGap(log, contents, lost, in_record ? lost + 1 : lost));
  }
}

TEST(SkipCorrupt, ADamagedTailIsNoGap) {
  const TestLog log = MixedLog();
  const Salvage salvage = ReadSkipping(log, log.contents.substr(0, log.contents.size() - 1));
  EXPECT_EQ(salvage.sequences, AllBut(log, log.records.size(), log.records.size() + 1));
  EXPECT_TRUE(salvage.gaps.empty());
  EXPECT_EQ(salvage.end, WalEnd::kTornTail);
}

TEST(SkipCorrupt, AHoleAndAMissingBlockAreOneGap) {
  const TestLog log = BuildLogOfSizes(std::vector<size_t>(128, 1024 - kWalHeaderSize));
  std::string hole = log.contents, missing = log.contents;
  hole.replace(kWalBlockSize, 4096, 4096, '\0');
  ExpectOneGap(log, hole, 33, 37);
  missing.erase(kWalBlockSize, kWalBlockSize);
  ExpectOneGap(log, missing, 33, 65);
}

TEST(SkipCorrupt, RecordsOfThePastAreReadOnce) {
  const TestLog log = MixedLog();
  const std::string block = log.contents.substr(0, kWalBlockSize);
  const Salvage salvage = ReadSkipping(log, block + log.contents);
  EXPECT_TRUE(salvage.all_right);
  EXPECT_TRUE(std::is_sorted(salvage.sequences.begin(), salvage.sequences.end()));
  EXPECT_EQ(salvage.sequences, AllBut(log, 0, 0));
  EXPECT_FALSE(salvage.gaps.empty());
}

// The length survived, so what stands in the damaged value is not taken for records.
TEST(SkipCorrupt, ALogInADamagedValueIsNoRecord) {
  FileJournal inner_journal, journal;
  WalWriter inner(std::make_unique<MemoryFile>(&inner_journal));
  WriteBatch put;
  ASSERT_TRUE(put.Put("inner", "v").ok());
  ASSERT_TRUE(inner.AddRecord(50, TestGroup{{put}}).ok());
  WriteBatch holder;
  ASSERT_TRUE(holder.Put("log", inner_journal.contents).ok());
  WalWriter writer(std::make_unique<MemoryFile>(&journal));
  ASSERT_TRUE(writer.AddRecord(1, TestGroup{{holder}}).ok());
  ASSERT_TRUE(writer.AddRecord(2, TestGroup{{put}}).ok());
  std::string contents = journal.contents;
  contents[kWalHeaderSize + kBatchHeaderSize + 2] ^= 1;
  WalReader reader("log", contents, 1);
  WalRecord record;
  EXPECT_FALSE(reader.ReadRecord(&record));
  ASSERT_TRUE(reader.SkipDefect());
  ASSERT_TRUE(reader.ReadRecord(&record));
  EXPECT_EQ(record.sequence, 2U);
}

// Nor is what stands in a whole fragment of a damaged record, or in a record of the past.
TEST(SkipCorrupt, ALogInAWholeValueIsNoRecord) {
  WriteBatch put, holder, large;
  ASSERT_TRUE(put.Put("inner", "v").ok());
  std::string inner(put.Data());
  EncodeFixed(inner.data(), SequenceNumber{50});
  inner = RawFragment(1, inner);
  ASSERT_TRUE(holder.Put("log", inner).ok());
  ASSERT_TRUE(large.Put("log", std::string(kWalBlockSize, 'v') + inner).ok());
  const TestLog log = BuildLog({holder, large, put});
  std::string damaged = log.contents;
  damaged[log.records[1].begin + 100] ^= 1;
  ExpectOneGap(log, damaged, 2, 3);
  const std::string repeated = log.contents.substr(0, log.records[0].end);
  const Salvage salvage = ReadSkipping(log, repeated + log.contents.substr(0, log.records[0].end));
  EXPECT_EQ(salvage.sequences, (std::vector<SequenceNumber>{1}));
}

TEST(SkipCorrupt, BehindAMissingLogOnlyLaterRecordsFollow) {
  const TestLog log = BuildLogOfSizes({20, 30, 40});
  WalPosition position(3);
  position.AcceptGap();
  WalReader reader("log", log.contents, position);
  WalRecord record;
  EXPECT_FALSE(reader.ReadRecord(&record)) << "it was read before";
  EXPECT_EQ(reader.end(), WalEnd::kCorruption);
  ASSERT_TRUE(reader.SkipDefect());
  ASSERT_TRUE(reader.ReadRecord(&record));
  EXPECT_EQ(record.sequence, 3U);
}

TEST(SkipCorrupt, ACommitWhoseTransactionWasLostIsAGap) {
  FileJournal journal;
  WalWriter writer(std::make_unique<MemoryFile>(&journal));
  WriteBatch put, prepare, commit;
  ASSERT_TRUE(put.Put("k", "v").ok());
  ASSERT_TRUE(prepare.Put("x", "v").ok() && prepare.MarkPrepare("x").ok());
  ASSERT_TRUE(commit.MarkCommit("x", prepare).ok());
  const WriteBatch* const batches[] = {&put, &prepare, &commit, &put};
  const SequenceNumber sequences[] = {1, 2, 2, 3};
  for (int i = 0; i < 4; ++i) {
    ASSERT_TRUE(writer.AddRecord(sequences[i], TestGroup{{*batches[i]}}).ok());
  }
  std::string contents = journal.contents;
  contents[2 * kWalHeaderSize + put.ByteSize() + 1] ^= 1;
  WalReader reader("log", contents, 1);
  std::vector<SequenceNumber> read;
  do {
    for (WalRecord record; reader.ReadRecord(&record);) read.push_back(record.sequence);
  } while (reader.SkipDefect());
  EXPECT_EQ(read, (std::vector<SequenceNumber>{1, 3}));
  EXPECT_EQ(reader.gaps().size(), 2U);
}

// Whatever the wounds: what is read was written, once, and in order.
TEST(SkipCorrupt, ManyWounds) {
  const TestLog log = BuildLogOfSizes(std::vector<size_t>(100, 1000));
  size_t behind_gaps = 0;
  for (unsigned seed = 0; seed < 300; ++seed) {
    std::mt19937 random(seed);
    std::string contents = log.contents;
    for (int wounds = 0; wounds < 5; ++wounds) {
      const size_t at = random() % contents.size();
      const size_t size = std::min<size_t>(random() % 3000, contents.size() - at);
      const size_t from = random() % (contents.size() - size + 1);
      random() % 2 == 0 ? contents.replace(at, size, size, '\0')
                        : contents.replace(at, size, contents.substr(from, size));
    }
    const Salvage salvage = ReadSkipping(log, contents);
    ASSERT_TRUE(salvage.all_right) << "seed " << seed;
    ASSERT_TRUE(
        std::is_sorted(salvage.sequences.begin(), salvage.sequences.end(), std::less_equal<>()))
        << "seed " << seed;
    for (const WalGap& gap : salvage.gaps) {
      ASSERT_LE(gap.begin, gap.end) << "seed " << seed;
      behind_gaps += gap.next != 0;
    }
  }
  EXPECT_GT(behind_gaps, 300U);
}

}  // namespace
}  // namespace bellwether
