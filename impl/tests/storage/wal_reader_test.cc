#include "bellwether/storage/wal_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <utility>
#include <vector>

#include "test_log.h"

namespace bellwether {
namespace {

using testing::BuildLog;
using testing::BuildLogOfSizes;
using ::testing::HasSubstr;
using testing::RawFragment;
using testing::Read;
using testing::ReadResult;
using testing::TestLog;

constexpr size_t kHeader = kWalHeaderSize;

// Records of many sizes over three blocks: trailers, a FIRST without payload, a record of three
// fragments.
TestLog MixedLog() {
  return BuildLogOfSizes({16, 40, 300, 17, 9000, kWalBlockSize - 9373 - 6 * kHeader - kHeader, 500,
                          kWalBlockSize + 1000, 25, 60});
}

// One block.
TestLog SmallLog() {
  std::vector<WriteBatch> batches(6);
  for (size_t i = 0; i < batches.size(); ++i) {
    const std::string key = "key" + std::to_string(i);
    EXPECT_TRUE(batches[i].Put(key, "value of " + key).ok());
    EXPECT_TRUE(batches[i].Delete("key0").ok());
  }
  return BuildLog(batches);
}

std::string WithFlippedBit(std::string contents, size_t byte, size_t bit) {
  contents[byte] = static_cast<char>(contents[byte] ^ (1 << bit));
  return contents;
}

TEST(WalReader, ReadsWhatWasWritten) {
  const TestLog log = MixedLog();
  const ReadResult result = Read(log, log.contents);
  EXPECT_EQ(result.records, log.records.size());
  EXPECT_TRUE(result.all_right);
  EXPECT_EQ(result.end, WalEnd::kClean);
  EXPECT_EQ(result.end_offset, log.contents.size());
  EXPECT_EQ(result.next_sequence, log.records.back().sequence + 1);
  EXPECT_TRUE(result.absolute.ok());
}

TEST(WalReader, MixedLogMeetsABoundaryWithSevenBytesLeft) {
  const TestLog log = MixedLog();
  EXPECT_EQ(log.records[6].begin % kWalBlockSize, kWalBlockSize - kHeader);
}

TEST(WalReader, AnEmptyLogIsClean) {
  const ReadResult result = Read({}, "");
  EXPECT_EQ(result.records, 0U);
  EXPECT_EQ(result.end, WalEnd::kClean);
  EXPECT_EQ(result.next_sequence, 1U);
}

TEST(WalReader, EveryTruncationYieldsTheWholeRecordsBeforeIt) {
  const TestLog log = MixedLog();
  for (size_t size = 0; size < log.contents.size(); ++size) {
    const ReadResult result = Read(log, log.contents.substr(0, size));
    const size_t whole = log.WholeRecords(size);
    ASSERT_EQ(result.records, whole) << "cut to " << size;
    ASSERT_TRUE(result.all_right) << "cut to " << size;
    ASSERT_NE(result.end, WalEnd::kCorruption) << "cut to " << size;
    ASSERT_TRUE(result.tolerate.ok()) << "cut to " << size;
    const uint64_t end = whole == 0 ? 0 : log.records[whole - 1].end;
    const bool at_boundary =
        size == end || (whole < log.records.size() && size <= log.records[whole].begin);
    ASSERT_EQ(result.end == WalEnd::kClean, at_boundary) << "cut to " << size;
    ASSERT_EQ(result.absolute.ok(), at_boundary) << "cut to " << size;
    ASSERT_LE(result.end_offset - end, at_boundary ? kHeader : 6) << "cut to " << size;
  }
}

// `flip` lies before the last record, or in it.
void ExpectDetected(const TestLog& log, size_t byte, size_t bit) {
  SCOPED_TRACE("byte " + std::to_string(byte) + " bit " + std::to_string(bit));
  const ReadResult result = Read(log, WithFlippedBit(log.contents, byte, bit));
  ASSERT_TRUE(result.all_right);
  ASSERT_EQ(result.records, log.WholeRecords(byte));
  ASSERT_TRUE(result.point_in_time.ok());
  if (byte >= log.records.back().begin) {
    ASSERT_EQ(result.end, WalEnd::kTornTail);
    ASSERT_TRUE(result.tolerate.ok());
    ASSERT_EQ(result.absolute.code(), Status::Code::kCorruption);
    return;
  }
  ASSERT_EQ(result.end, WalEnd::kCorruption);
  ASSERT_EQ(result.tolerate.code(), Status::Code::kCorruption);
  ASSERT_EQ(result.tolerate.file(), "000001.log");
  ASSERT_LE(result.tolerate.offset(), byte);
  ASSERT_THAT(result.tolerate.ToString(), HasSubstr("point_in_time"));
}

TEST(WalReader, EveryFlippedBitOfASmallLogIsDetected) {
  const TestLog log = SmallLog();
  for (size_t byte = 0; byte < log.contents.size(); ++byte) {
    for (size_t bit = 0; bit < 8; ++bit) ASSERT_NO_FATAL_FAILURE(ExpectDetected(log, byte, bit));
  }
}

TEST(WalReader, AFlipInEveryByteOfSeveralBlocksIsDetected) {
  const TestLog log = MixedLog();
  for (size_t byte = 0; byte < log.contents.size(); ++byte) {
    ASSERT_NO_FATAL_FAILURE(ExpectDetected(log, byte, byte % 8));
  }
}

TEST(WalReader, EveryFlippedBitOfEveryHeaderIsDetected) {
  const TestLog log = MixedLog();
  for (const TestLog::Record& record : log.records) {
    for (size_t byte = record.begin; byte < record.begin + kHeader; ++byte) {
      for (size_t bit = 0; bit < 8; ++bit) ASSERT_NO_FATAL_FAILURE(ExpectDetected(log, byte, bit));
    }
  }
}

TEST(WalReader, EveryFlippedBitOfABlocksTrailerIsDetected) {
  for (size_t trailer = 1; trailer < kHeader; ++trailer) {
    const TestLog log = BuildLogOfSizes({kWalBlockSize - kHeader - trailer, 20, 30});
    for (size_t byte = kWalBlockSize - trailer; byte < kWalBlockSize; ++byte) {
      for (size_t bit = 0; bit < 8; ++bit) ASSERT_NO_FATAL_FAILURE(ExpectDetected(log, byte, bit));
    }
  }
}

// A record that straddles blocks and comes last: its intact later fragments are no later record.
TEST(WalReader, AFlipInAnyFragmentOfTheLastRecordIsATornTail) {
  const TestLog log = BuildLogOfSizes({100, 3 * kWalBlockSize});
  for (const size_t byte : {log.records[1].begin, kWalBlockSize - 1, kWalBlockSize,
                            kWalBlockSize + 9, 3 * kWalBlockSize - 1, 3 * kWalBlockSize + 5}) {
    ExpectDetected(log, byte, 3);
  }
}

TEST(WalReader, EveryZeroedRangeIsAPrefixOrCorruption) {
  const TestLog log = MixedLog();
  constexpr size_t kSector = 512;
  for (size_t size : {kSector, 8 * kSector, kWalBlockSize}) {
    for (size_t begin = 0; begin < log.contents.size(); begin += kSector) {
      std::string contents = log.contents;
      const size_t zeroed = std::min(size, contents.size() - begin);
      contents.replace(begin, zeroed, zeroed, '\0');
      const ReadResult result = Read(log, contents);
      ASSERT_TRUE(result.all_right) << begin;
      ASSERT_LE(result.records, log.WholeRecords(begin)) << begin;
      const bool rest_is_zero = begin + zeroed == contents.size();
      ASSERT_EQ(result.end == WalEnd::kCorruption,
                !rest_is_zero && begin + zeroed <= log.records.back().begin)
          << begin;
    }
  }
}

// One zeroed page, aligned so that no record is cut: RocksDB and LevelDB read on behind the hole.
TEST(WalReader, AHoleBetweenWholeRecordsIsCorruption) {
  const TestLog log = BuildLogOfSizes(std::vector<size_t>(128, 1024 - kHeader));
  ASSERT_EQ(log.records[32].begin, kWalBlockSize);
  std::string contents = log.contents;
  contents.replace(kWalBlockSize, 4096, 4096, '\0');
  const ReadResult result = Read(log, contents);
  EXPECT_EQ(result.records, 32U);
  EXPECT_EQ(result.end, WalEnd::kCorruption);
  EXPECT_EQ(result.tolerate.offset(), kWalBlockSize);
  EXPECT_EQ(result.end_offset, kWalBlockSize);
}

TEST(WalReader, AMissingBlockIsCorruptionByItsSequences) {
  const TestLog log = BuildLogOfSizes(std::vector<size_t>(96, 1024 - kHeader));
  std::string contents = log.contents;
  contents.erase(kWalBlockSize, kWalBlockSize);
  const ReadResult result = Read(log, contents);
  EXPECT_EQ(result.records, 32U);
  EXPECT_EQ(result.end, WalEnd::kCorruption);
  EXPECT_THAT(result.tolerate.ToString(), HasSubstr("sequence 65 where 33"));
}

TEST(WalReader, ARepeatedRecordIsCorruption) {
  const TestLog log = SmallLog();
  const ReadResult result = Read(log, log.contents + log.contents);
  EXPECT_EQ(result.records, log.records.size());
  EXPECT_EQ(result.end, WalEnd::kCorruption);
}

TEST(WalReader, TheFirstRecordMustBeTheOneExpected) {
  const TestLog log = SmallLog();
  EXPECT_EQ(Read(log, log.contents, 2).end, WalEnd::kCorruption);
  EXPECT_EQ(Read(log, log.contents, kAnySequence).records, log.records.size());
}

TEST(WalReader, ZerosAreAcceptedOnlyToTheEndOfTheFile) {
  const TestLog log = SmallLog();
  for (const size_t zeros : {size_t{1}, size_t{6}, size_t{7}, size_t{100}, 2 * kWalBlockSize}) {
    const ReadResult padded = Read(log, log.contents + std::string(zeros, '\0'));
    EXPECT_EQ(padded.records, log.records.size());
    EXPECT_EQ(padded.end, WalEnd::kZeros);
    EXPECT_EQ(padded.end_offset, log.contents.size());
    EXPECT_TRUE(padded.tolerate.ok());
    EXPECT_FALSE(padded.absolute.ok());
  }
  const TestLog more = BuildLogOfSizes({100, 100, 100});
  std::string contents = more.contents;
  contents.replace(more.records[1].begin, more.records[1].end - more.records[1].begin,
                   more.records[1].end - more.records[1].begin, '\0');
  EXPECT_EQ(Read(more, contents).end, WalEnd::kCorruption);
}

TEST(WalReader, GarbageBehindTheRecordsIsATornTail) {
  const TestLog log = SmallLog();
  std::mt19937 random(301);
  for (int round = 0; round < 200; ++round) {
    std::string contents = log.contents;
    const size_t size = 1 + random() % 3000;
    for (size_t i = 0; i < size; ++i) contents += static_cast<char>(1 + random() % 255);
    const ReadResult result = Read(log, contents);
    ASSERT_EQ(result.records, log.records.size()) << "round " << round;
    ASSERT_TRUE(result.all_right);
    ASSERT_EQ(result.end, WalEnd::kTornTail);
    ASSERT_EQ(result.end_offset, log.contents.size());
  }
}

// A value may hold a log: the fragments in a torn record's payload are no later records unless
// their sequences say so.
TEST(WalReader, AnOlderLogInsideATornValueIsNoLaterRecord) {
  const TestLog inner = SmallLog();
  std::vector<WriteBatch> batches(20);
  for (WriteBatch& batch : batches) ASSERT_TRUE(batch.Put("k", "v").ok());
  ASSERT_TRUE(batches.back().Put("log", inner.contents + "end").ok());
  const TestLog log = BuildLog(batches);
  const ReadResult result = Read(log, log.contents.substr(0, log.contents.size() - 1));
  EXPECT_EQ(result.records, log.records.size() - 1);
  EXPECT_EQ(result.end, WalEnd::kTornTail);
}

// Several wounds at once, of every kind a disk or a bad copy gives: what is read stays a prefix.
TEST(WalReader, WhateverHappensToALogWhatIsReadIsAPrefix) {
  const TestLog log = MixedLog();
  for (unsigned seed = 0; seed < 500; ++seed) {
    std::mt19937 random(seed);
    std::string contents = log.contents;
    for (size_t wounds = 1 + random() % 3; wounds > 0 && !contents.empty(); --wounds) {
      const size_t at = random() % contents.size();
      const size_t from = random() % contents.size() / 512 * 512;
      const size_t size =
          std::min({size_t{512} << random() % 7, contents.size() - at, contents.size() - from});
      switch (random() % 6) {
        case 0:
          contents = WithFlippedBit(contents, at, random() % 8);
          break;
        case 1:
          contents.resize(at);
          break;
        case 2:
          contents.replace(at, size, size, '\0');
          break;
        case 3:
          contents.replace(at, size, contents.substr(from, size));
          break;
        case 4:
          contents.insert(at / 512 * 512, contents.substr(from, size));
          break;
        default:
          contents.erase(from, size);
      }
    }
    const ReadResult result = Read(log, contents);
    ASSERT_TRUE(result.all_right) << "seed " << seed;
    ASSERT_TRUE(result.absolute.ok() == (result.end == WalEnd::kClean)) << "seed " << seed;
    ASSERT_LE(result.end_offset, contents.size()) << "seed " << seed;
  }
}

// No writer leaves a block unfinished, so such fragments are part of a value, not of the log.
TEST(WalReader, FragmentsWhereNoWriterPutsThemAreNoRecords) {
  const TestLog log = SmallLog();
  std::string payload = log.records[0].payload;
  EncodeFixed(payload.data(), log.records.back().sequence + 2);
  const auto first = static_cast<uint8_t>(FragmentType::kFirst);
  const auto last = static_cast<uint8_t>(FragmentType::kLast);
  const std::string split =
      RawFragment(first, payload.substr(0, 15)) + RawFragment(last, payload.substr(15));
  for (const std::string& tail : {split, "x" + split}) {
    const ReadResult result = Read(log, log.contents + tail);
    EXPECT_EQ(result.records, log.records.size());
    EXPECT_EQ(result.end, WalEnd::kTornTail);
  }
  // The end of a record whose beginning is lost, even if it looks like one.
  const ReadResult end = Read(log, RawFragment(last, log.records[0].payload));
  EXPECT_EQ(end.records, 0U);
  EXPECT_EQ(end.end, WalEnd::kTornTail);
}

TEST(WalReader, AWholeRecordThatIsNoBatchIsCorruptionEvenAtTheEnd) {
  const TestLog log = SmallLog();
  std::string short_count = log.records[1].payload;
  EncodeFixed(short_count.data(), log.records.back().sequence + 2);
  for (const std::string& payload : {std::string("short"), short_count + "x"}) {
    const ReadResult result = Read(log, log.contents + RawFragment(1, payload));
    EXPECT_EQ(result.records, log.records.size());
    EXPECT_EQ(result.end, WalEnd::kCorruption);
  }
}

TEST(WalReader, ForeignTypesAreSkippedOrNamedNeverTakenForATornTail) {
  const TestLog log = SmallLog();
  const ReadResult ignorable = Read(log, RawFragment(130, "x") + log.contents);
  EXPECT_EQ(ignorable.records, log.records.size());
  EXPECT_EQ(ignorable.end, WalEnd::kClean);
  const ReadResult compressed = Read(log, log.contents + RawFragment(9, "x"));
  EXPECT_EQ(compressed.end, WalEnd::kCorruption);
  EXPECT_THAT(compressed.tolerate.ToString(), HasSubstr("type 9"));
  // A recyclable fragment's length does not count the four bytes of its log number.
  for (uint8_t type = kFirstRecyclableType; type <= kLastRecyclableType; ++type) {
    std::string recyclable = RawFragment(type, std::string("\x01\0\0\0payload", 11));
    recyclable[kWalLengthOffset] = 7;
    EncodeFixed(recyclable.data(),
                FragmentCrc(std::string_view(recyclable).substr(kWalTypeOffset)));
    EXPECT_EQ(Read(log, log.contents + recyclable).end, WalEnd::kCorruption) << int{type};
  }
}

TEST(WalReader, SequencesBeyondTheLargestAreCorruption) {
  WriteBatch batch;
  ASSERT_TRUE(batch.Put("k", "v").ok());
  for (const SequenceNumber sequence : {kMaxSequenceNumber, ~SequenceNumber{0}}) {
    std::string payload(batch.Data());
    EncodeFixed(payload.data(), sequence);
    EXPECT_EQ(Read({}, RawFragment(1, payload), kAnySequence).end, WalEnd::kCorruption);
  }
}

TEST(WalReader, AFirstWithoutItsRestIsATornTailUnlessARecordFollows) {
  const TestLog log = BuildLogOfSizes({kWalBlockSize, 100});
  const size_t second_block = kWalBlockSize;
  const ReadResult torn = Read(log, log.contents.substr(0, second_block));
  EXPECT_EQ(torn.records, 0U);
  EXPECT_EQ(torn.end, WalEnd::kTornTail);
  EXPECT_EQ(torn.end_offset, 0U);
  const TestLog next = BuildLogOfSizes({100});
  const ReadResult cut = Read(log, log.contents.substr(0, second_block) + next.contents);
  EXPECT_EQ(cut.records, 0U);
  EXPECT_EQ(cut.end, WalEnd::kCorruption);
  EXPECT_EQ(cut.tolerate.offset(), second_block);
}

// So little of it is left that its sequence is lost, but it was written.
TEST(WalReader, TheShortestFirstShowsThatARecordFollowed) {
  const TestLog log = BuildLogOfSizes({100, kWalBlockSize - 3 * kHeader - 100 - 4, 500});
  ASSERT_EQ(log.records[2].begin, kWalBlockSize - kHeader - 4);
  const std::string cut = WithFlippedBit(log.contents.substr(0, kWalBlockSize), 50, 0);
  EXPECT_EQ(Read(log, cut).end, WalEnd::kCorruption);
  EXPECT_EQ(Read(log, WithFlippedBit(cut, kWalBlockSize - 1, 0)).end, WalEnd::kCorruption)
      << "by the record between";
  const std::string alone = WithFlippedBit(cut, 300, 0);
  EXPECT_EQ(Read(log, alone).end, WalEnd::kCorruption);
  EXPECT_EQ(Read(log, WithFlippedBit(alone, kWalBlockSize - 1, 0)).end, WalEnd::kTornTail);
}

}  // namespace
}  // namespace bellwether
