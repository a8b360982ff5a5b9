// Sequences that no log holds (disable_wal): the next record names them, or it is corruption.
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "bellwether/storage/log_annotation.h"
#include "bellwether/storage/wal_reader.h"
#include "bellwether/storage/wal_writer.h"
#include "test_log.h"

namespace bellwether {
namespace {

using testing::FileJournal;
using testing::MemoryFile;
using testing::RawFragment;
using testing::TestGroup;

struct Log {
  explicit Log(SequenceNumber next) : writer(std::make_unique<MemoryFile>(&journal), {next}) {}

  // One put.
  Status Add(SequenceNumber first) {
    WriteBatch batch;
    EXPECT_TRUE(batch.Put("k", "v").ok());
    return writer.AddRecord(first, TestGroup{{batch}});
  }

  // The sequences that are read when `next` is expected; the last one is the verdict's: 0, clean.
  std::vector<SequenceNumber> Read(SequenceNumber next) const {
    WalReader reader("log", journal.contents, next);
    std::vector<SequenceNumber> sequences;
    for (WalRecord record; reader.ReadRecord(&record);) sequences.push_back(record.sequence);
    sequences.push_back(reader.end() == WalEnd::kClean ? 0 : 1);
    return sequences;
  }

  FileJournal journal;
  WalWriter writer;
};

using Sequences = std::vector<SequenceNumber>;

TEST(SequenceGap, IsNamedByTheNextRecordAndRead) {
  Log log(1);
  for (const SequenceNumber first : {1U, 2U, 7U, 8U}) ASSERT_TRUE(log.Add(first).ok());
  EXPECT_EQ(log.Read(1), (Sequences{1, 2, 7, 8, 0}));
  EXPECT_EQ(log.writer.next_sequence(), 9U);
}

TEST(SequenceGap, NothingIsNamedWhereThereIsNone) {
  Log with(1), without(kAnySequence);
  for (const SequenceNumber first : {1U, 2U}) {
    ASSERT_TRUE(with.Add(first).ok());
    ASSERT_TRUE(without.Add(first).ok());
  }
  EXPECT_EQ(with.journal.contents, without.journal.contents);
}

TEST(SequenceGap, ThatNobodyNamesIsCorruption) {
  Log log(kAnySequence);
  ASSERT_TRUE(log.Add(7).ok());
  EXPECT_EQ(log.Read(3), (Sequences{1}));
}

// A gap that begins before a checkpoint and ends behind it: recovery expects what follows the
// checkpoint.
TEST(SequenceGap, MayHaveBegunBeforeWhatIsExpected) {
  Log log(3);
  ASSERT_TRUE(log.Add(9).ok());
  for (const SequenceNumber expected : {3U, 5U, 9U})
    EXPECT_EQ(log.Read(expected), (Sequences{9, 0}));
  EXPECT_EQ(log.Read(2), (Sequences{1})) << "2 is neither in a log nor in the gap";
  EXPECT_EQ(log.Read(10), (Sequences{1})) << "a record of the past";
}

TEST(SequenceGap, OfAnotherRecordDoesNotServe) {
  for (const SequenceNumber sequence : {5U, 6U}) {
    std::string payload(kBatchHeaderSize, '\0');
    PutGap(&payload, {1, 5});
    EncodeFixed(payload.data(), sequence);
    WalReader reader("log", RawFragment(1, payload), 1);
    WalRecord record;
    EXPECT_EQ(reader.ReadRecord(&record), sequence == 5);
    EXPECT_EQ(reader.end() == WalEnd::kCorruption, sequence == 6);
  }
}

TEST(SequenceGap, IsNamedInFrontOfARecordOnly) {
  const std::string header(kBatchHeaderSize, '\0');
  std::string gap, user, put;
  PutGap(&gap, {1, 5});
  WriteBatch batch;
  ASSERT_TRUE(batch.PutLogData("a user's").ok());
  user = batch.Operations();
  batch.Clear();
  ASSERT_TRUE(batch.Put("k", "v").ok());
  put = batch.Operations();
  EXPECT_TRUE(GetAnnotations(header + gap + user + put).gap.has_value());
  EXPECT_FALSE(GetAnnotations(header + user + gap + put).gap.has_value());
  EXPECT_FALSE(GetAnnotations(header + put + gap).gap.has_value());
  // Of another version perhaps: not taken for more than it is.
  std::string cut;
  const uint64_t value = 1;
  PutAnnotation(&cut, kGapAnnotation, &value, 1);
  EXPECT_FALSE(GetAnnotations(header + cut + put).gap.has_value());
  EXPECT_EQ(GetAnnotations(header + cut + gap + put).end, header.size() + cut.size() + gap.size());
}

TEST(SequenceGap, ARecordOfThePastIsRefusedByTheWriter) {
  Log log(5);
  EXPECT_EQ(log.Add(4).code(), Status::Code::kInvalidArgument);
  EXPECT_EQ(log.Add(5).code(), Status::Code::kAborted) << "nothing is logged behind it";
  EXPECT_TRUE(log.journal.contents.empty());
}

}  // namespace
}  // namespace bellwether
