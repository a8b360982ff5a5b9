// Two-phase commit in the batch and in the log: RocksDB's tags, and what each record consumes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bellwether/storage/prepared_transactions.h"
#include "bellwether/storage/wal_reader.h"
#include "bellwether/storage/wal_writer.h"
#include "bellwether/storage/write_batch.h"
#include "test_log.h"

namespace bellwether {
namespace {

using std::string_view_literals::operator""sv;
using ::testing::ElementsAre;
using testing::FileJournal;
using ::testing::HasSubstr;
using testing::MemoryFile;
using testing::TestGroup;

WriteBatch Puts(const std::vector<std::string>& keys) {
  WriteBatch batch;
  for (const std::string& key : keys) EXPECT_TRUE(batch.Put(key, "v").ok());
  return batch;
}

WriteBatch Prepare(const std::string& xid, const std::vector<std::string>& keys) {
  WriteBatch batch = Puts(keys);
  EXPECT_TRUE(batch.MarkPrepare(xid).ok());
  return batch;
}

WriteBatch Commit(const std::string& xid, const WriteBatch& prepare) {
  WriteBatch batch;
  EXPECT_TRUE(batch.MarkCommit(xid, prepare).ok());
  return batch;
}

WriteBatch Rollback(const std::string& xid) {
  WriteBatch batch;
  EXPECT_TRUE(batch.MarkRollback(xid).ok());
  return batch;
}

// What a memtable is given.
struct Keys {
  Status Put(std::string_view key, std::string_view) {
    keys.emplace_back(key);
    return Status::OK();
  }
  Status Delete(std::string_view) { return Status::OK(); }

  std::vector<std::string> keys;
};

struct Everything : Keys {
  Status LogData(std::string_view blob) { return Add("log data ", blob); }
  Status MarkBeginPrepare() { return Add("begin", ""); }
  Status MarkEndPrepare(std::string_view xid) { return Add("end ", xid); }
  Status MarkCommit(std::string_view xid) { return Add("commit ", xid); }
  Status MarkRollback(std::string_view xid) { return Add("rollback ", xid); }

  Status Add(const char* what, std::string_view of) {
    keys.push_back(what + std::string(of));
    return Status::OK();
  }
};

template <class Handler>
std::vector<std::string> Iterate(std::string_view batch) {
  Handler handler;
  EXPECT_TRUE(IterateBatch(batch, &handler).ok());
  return handler.keys;
}

TEST(TwoPhase, EncodesAsRocksDB) {
  const WriteBatch prepare = Prepare("x", {"a", "b", "c"});
  EXPECT_EQ(prepare.Data(),
            "\0\0\0\0\0\0\0\0\x03\0\0\0"
            "\x09\x01\x01"
            "a\x01v\x01\x01"
            "b\x01v\x01\x01"
            "c\x01v\x0a\x01x"sv);
  EXPECT_EQ(prepare.Count(), 0U);
  EXPECT_EQ(prepare.WalCount(), 3U);
  const WriteBatch commit = Commit("x", prepare);
  EXPECT_EQ(commit.WalOperations(), "\x0b\x01x"sv);
  EXPECT_EQ(commit.WalCount(), 0U);
  EXPECT_EQ(commit.Count(), 3U);
  const WriteBatch rollback = Rollback("x");
  EXPECT_EQ(rollback.WalOperations(), "\x0c\x01x"sv);
  EXPECT_EQ(rollback.Count(), 0U);
}

TEST(TwoPhase, AMemtableIsGivenWhatTheBatchItselfMakesReadable) {
  const WriteBatch prepare = Prepare("x", {"a", "b"});
  EXPECT_TRUE(Iterate<Keys>(prepare.Data()).empty());
  EXPECT_THAT(Iterate<Keys>(Commit("x", prepare).Data()), ElementsAre("a", "b"));
  EXPECT_THAT(Iterate<Everything>(prepare.Data()), ElementsAre("begin", "a", "b", "end x"));
  EXPECT_THAT(Iterate<Everything>(Commit("x", prepare).Data()), ElementsAre("commit x", "a", "b"));
  EXPECT_THAT(Iterate<Everything>(Rollback("x").Data()), ElementsAre("rollback x"));
}

TEST(TwoPhase, LogDataAndNoopAreNeitherCountedNorReadable) {
  WriteBatch batch = Puts({"a"});
  ASSERT_TRUE(batch.PutLogData("blob").ok());
  EXPECT_EQ(batch.Count(), 1U);
  const std::string with_noop = std::string(batch.Data()) + "\x0d";
  EXPECT_EQ(FindBatchDefect(with_noop), nullptr);
  EXPECT_THAT(Iterate<Keys>(with_noop), ElementsAre("a"));
  EXPECT_THAT(Iterate<Everything>(with_noop), ElementsAre("a", "log data blob"));
}

TEST(TwoPhase, WhatMakesNoSenseIsRefused) {
  const WriteBatch prepare = Prepare("x", {"a"});
  WriteBatch batch = prepare;
  EXPECT_FALSE(batch.Put("k", "v").ok());
  EXPECT_FALSE(batch.MarkPrepare("y").ok());
  EXPECT_EQ(batch.Data(), prepare.Data());
  EXPECT_FALSE(batch.status().ok());
  batch.Clear();
  EXPECT_FALSE(batch.MarkCommit("y", prepare).ok()) << "of another transaction";
  EXPECT_FALSE(batch.MarkCommit("x", Puts({"a"})).ok()) << "of what was not prepared";
  EXPECT_FALSE(batch.MarkPrepare("").ok());
  EXPECT_FALSE(batch.MarkPrepare(std::string(kMaxXidSize + 1, 'x')).ok());
  EXPECT_FALSE(batch.PutLogData("bellwether:gap").ok());
  EXPECT_EQ(batch.Data(), WriteBatch().Data());
  batch = Puts({"a"});
  EXPECT_FALSE(batch.MarkCommit("x", prepare).ok()) << "not empty";
  EXPECT_FALSE(batch.MarkRollback("x").ok()) << "not empty";
  batch.Clear();
  EXPECT_TRUE(batch.MarkPrepare(std::string(kMaxXidSize, 'x')).ok()) << "the longest";
  batch.Clear();
  EXPECT_FALSE(batch.marked());
  EXPECT_TRUE(batch.Put("k", "v").ok()) << "Clear forgets the mark";
}

TEST(TwoPhase, ParseKeepsTheMarks) {
  const WriteBatch x = Prepare("x", {"a"});
  WriteBatch parsed;
  for (const WriteBatch& batch : {x, Rollback("x")}) {
    ASSERT_TRUE(WriteBatch::Parse(batch.Data(), &parsed).ok());
    EXPECT_EQ(parsed.Data(), batch.Data());
    EXPECT_EQ(parsed.Count(), 0U);
    EXPECT_TRUE(parsed.marked());
  }
  ASSERT_TRUE(WriteBatch::Parse(x.Data(), &parsed).ok());
  EXPECT_EQ(Commit("x", parsed).Data(), Commit("x", x).Data());
  // More than a prepare.
  std::string more(x.Data());
  more += Puts({"b"}).Operations();
  EncodeFixed(more.data() + kBatchCountOffset, uint32_t{2});
  ASSERT_TRUE(WriteBatch::Parse(more, &parsed).ok());
  WriteBatch commit;
  EXPECT_FALSE(commit.MarkCommit("x", parsed).ok());
}

std::string Encoded(uint32_t count, std::string_view operations) {
  std::string encoded(kBatchHeaderSize, '\0');
  EncodeFixed(encoded.data() + kBatchCountOffset, count);
  return encoded.append(operations);
}

TEST(TwoPhase, MarksOutOfOrderAreDefects) {
  const std::string_view begin = "\x09", put = "\x01\x01k\x01v", end = "\x0a\x01x",
                         commit = "\x0b\x01x";
  const auto cat = [](std::vector<std::string_view> parts) {
    std::string all;
    for (std::string_view part : parts) all.append(part);
    return all;
  };
  EXPECT_EQ(FindBatchDefect(Encoded(1, cat({begin, put, end}))), nullptr);
  EXPECT_EQ(FindBatchDefect(Encoded(2, cat({begin, put, end, put, commit}))), nullptr);
  for (const std::string& operations :
       {cat({begin, put}), cat({put, end}), cat({begin, begin, put, end}),
        cat({begin, put, commit, end}), cat({begin, put, end, end}), cat({begin, put, commit})}) {
    EXPECT_THAT(FindBatchDefect(Encoded(1, operations)), HasSubstr("prepare"));
  }
  EXPECT_NE(FindBatchDefect(Encoded(0, cat({begin, put, end}))), nullptr) << "they are counted";
}

// A log, and what its records are said to consume.
class TwoPhaseLog : public ::testing::Test {
 protected:
  void Add(SequenceNumber first, const std::vector<WriteBatch>& batches) {
    const Status status = writer_.AddRecord(first, TestGroup{batches});
    ASSERT_TRUE(status.ok()) << status.ToString();
  }

  // The keys that each record makes readable, its sequence in front.
  std::vector<std::string> ReadAll(WalReader* reader) {
    std::vector<std::string> records;
    for (WalRecord record; reader->ReadRecord(&record);) {
      std::string text = std::to_string(record.sequence);
      for (const std::string& key : Iterate<Keys>(record.effect)) text += " " + key;
      EXPECT_EQ(Iterate<Keys>(record.effect).size(), record.count);
      records.push_back(text);
    }
    return records;
  }

  FileJournal journal_;
  WalWriter writer_{std::make_unique<MemoryFile>(&journal_), {1}};
};

TEST_F(TwoPhaseLog, APrepareConsumesNothingACommitItsPreparesOperations) {
  const WriteBatch x = Prepare("x", {"x1", "x2", "x3"}), y = Prepare("y", {"y1"});
  Add(1, {Puts({"a"})});
  Add(2, {x});
  Add(2, {Puts({"b"}), y, Puts({"c"})});
  Add(4, {Commit("x", x)});
  Add(7, {Puts({"d"}), Rollback("z")});
  WalReader reader("log", journal_.contents, 1);
  EXPECT_THAT(ReadAll(&reader), ElementsAre("1 a", "2", "2 b c", "4 x1 x2 x3", "7 d"));
  EXPECT_EQ(reader.end(), WalEnd::kClean) << reader.Verdict(RecoveryMode::kAbsolute).ToString();
  EXPECT_EQ(reader.next_sequence(), 8U);
  ASSERT_EQ(reader.position().prepared.undecided().size(), 1U);
  EXPECT_EQ(reader.position().prepared.undecided().at("y").Data(), y.Data());
}

TEST_F(TwoPhaseLog, APrepareIsCommittedInALaterLog) {
  const WriteBatch x = Prepare("x", {"x1", "x2"});
  Add(1, {x});
  WalReader first("log", journal_.contents, 1);
  EXPECT_THAT(ReadAll(&first), ElementsAre("1"));
  FileJournal journal;
  WalWriter writer(std::make_unique<MemoryFile>(&journal), {1});
  ASSERT_TRUE(writer.AddRecord(1, TestGroup{{Commit("x", x)}}).ok());
  WalReader second("log", journal.contents, first.position());
  EXPECT_THAT(ReadAll(&second), ElementsAre("1 x1 x2"));
  EXPECT_EQ(second.next_sequence(), 3U);
  EXPECT_TRUE(second.position().prepared.undecided().empty());
}

TEST_F(TwoPhaseLog, ACommitWithoutItsPrepareIsCorruptionUnlessLogsWereDropped) {
  const WriteBatch x = Prepare("x", {"x1", "x2"});
  Add(1, {Puts({"a"})});
  Add(2, {Commit("x", x)});
  Add(4, {Puts({"b"})});
  WalReader strict("log", journal_.contents, 1);
  EXPECT_THAT(ReadAll(&strict), ElementsAre("1 a"));
  EXPECT_EQ(strict.end(), WalEnd::kCorruption);
  EXPECT_THAT(strict.Verdict(RecoveryMode::kTolerateTornTail).ToString(), HasSubstr("commit of"));
  WalReader middle("log", journal_.contents, kAnySequence);
  WalRecord record;
  for (const SequenceNumber sequence : {1U, 2U, 4U}) {
    ASSERT_TRUE(middle.ReadRecord(&record));
    EXPECT_EQ(record.sequence, sequence);
  }
  EXPECT_FALSE(middle.ReadRecord(&record));
  EXPECT_EQ(middle.end(), WalEnd::kClean);
}

TEST_F(TwoPhaseLog, ARefusedRecordChangesNothingThatIsPrepared) {
  const WriteBatch x = Prepare("x", {"x1"}), y = Prepare("y", {"y1"});
  Add(1, {x});
  Add(1, {y, x});
  WalReader reader("log", journal_.contents, 1);
  EXPECT_THAT(ReadAll(&reader), ElementsAre("1"));
  EXPECT_EQ(reader.end(), WalEnd::kCorruption) << "x is prepared twice";
  EXPECT_EQ(reader.position().prepared.undecided().size(), 1U);
}

// The writers of a group follow each other in one record.
TEST_F(TwoPhaseLog, ARecordMayHoldManyMarks) {
  const WriteBatch x = Prepare("x", {"x1"}), y = Prepare("y", {"y1", "y2"});
  const WriteBatch again = Prepare("x", {"x3"});
  Add(1, {x, Puts({"a"}), y});
  Add(2, {Commit("x", x), again, Rollback("y"), y});
  Add(3, {Rollback("x"), Commit("y", y), x, Commit("x", x)});
  WalReader reader("log", journal_.contents, 1);
  EXPECT_THAT(ReadAll(&reader), ElementsAre("1 a", "2 x1", "3 y1 y2 x1"));
  EXPECT_EQ(reader.end(), WalEnd::kClean) << reader.Verdict(RecoveryMode::kAbsolute).ToString();
  EXPECT_TRUE(reader.position().prepared.undecided().empty());
  PreparedTransactions prepared;
  std::string effect;
  WalReader parts("log", journal_.contents, 1);
  WalRecord record;
  ASSERT_TRUE(parts.ReadRecord(&record));
  ASSERT_TRUE(prepared.Apply(record.batch, &effect).ok());
  EXPECT_EQ(prepared.undecided().at("x").Data(), x.Data());
  EXPECT_EQ(prepared.undecided().at("y").Data(), y.Data());
  ASSERT_TRUE(parts.ReadRecord(&record));
  ASSERT_TRUE(prepared.Apply(record.batch, &effect).ok());
  EXPECT_EQ(prepared.undecided().at("x").Data(), again.Data());
}

// Consumption decides what follows: the same log with a count of the header's instead.
TEST_F(TwoPhaseLog, ARecordBehindWhatAPrepareSeemsToConsumeIsCorruption) {
  Add(1, {Prepare("x", {"x1", "x2"})});
  FileJournal journal;
  WalWriter other(std::make_unique<MemoryFile>(&journal));
  ASSERT_TRUE(other.AddRecord(3, TestGroup{{Puts({"a"})}}).ok());
  WalReader reader("log", journal_.contents + journal.contents, 1);
  EXPECT_THAT(ReadAll(&reader), ElementsAre("1"));
  EXPECT_EQ(reader.end(), WalEnd::kCorruption);
}

}  // namespace
}  // namespace bellwether
