#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

#include "rocksdb_fixture.h"

namespace bellwether::testing {
namespace {

TEST_F(RocksDB, OpensOurLogWithEqualKeysAndSequences) {
  const std::vector<Operations> writes = SampleWrites();
  const TestLog log = OurLog(writes);
  const rocksdb::Status status = OpenWithLog(log.contents);
  ASSERT_TRUE(status.ok()) << status.ToString();
  EXPECT_EQ(All(), ContentsAfter(writes));
  EXPECT_EQ(db_->GetLatestSequenceNumber(), CountOperations(writes));
  std::vector<Record> expected;
  for (const TestLog::Record& record : log.records) {
    expected.emplace_back(record.sequence, record.payload.substr(sizeof(SequenceNumber)));
  }
  EXPECT_EQ(RecordsByRocksDB(), expected);
}

TEST_F(RocksDB, RefusesOurLogWithAFlippedBit) {
  const TestLog log = OurLog(SampleWrites());
  std::string contents = log.contents;
  contents[log.records[3].begin + kWalHeaderSize] ^= 1;
  EXPECT_TRUE(OpenWithLog(contents).IsCorruption());
}

TEST_F(RocksDB, WeReadItsLog) {
  const std::vector<Operations> writes = SampleWrites();
  ASSERT_TRUE(Open().ok());
  for (const Operations& write : writes) ASSERT_TRUE(Write(write).ok());
  EXPECT_EQ(RecordsByUs(), RecordsByRocksDB());
  db_.reset();
  EXPECT_EQ(ReadLog(), OurLog(writes).contents) << "not byte for byte";
}

TEST_F(RocksDB, OpensOurPreallocatedLogWithWatermarks) {
  const std::vector<Operations> writes = SampleWrites();
  const rocksdb::Status status = OpenWithLog(OurPreallocatedLog(writes));
  ASSERT_TRUE(status.ok()) << status.ToString();
  EXPECT_EQ(All(), ContentsAfter(writes));
  EXPECT_EQ(db_->GetLatestSequenceNumber(), CountOperations(writes));
  EXPECT_EQ(RecordsByRocksDB().size(), writes.size());
  ASSERT_TRUE(db_->Put({}, "next", "value").ok());
  EXPECT_EQ(db_->GetLatestSequenceNumber(), CountOperations(writes) + 1);
}

TEST_F(RocksDB, WeReadItsLogThatEndsInZeros) {
  const std::vector<Operations> writes = SampleWrites();
  ASSERT_TRUE(Open().ok());
  for (const Operations& write : writes) ASSERT_TRUE(Write(write).ok());
  const std::vector<Record> records = RecordsByRocksDB();
  WriteLog(ReadLog() + std::string(3 * kWalBlockSize, '\0'));
  EXPECT_EQ(RecordsByUs(WalEnd::kZeros), records);
}

TEST_F(RocksDB, WeReadTheGroupsOfItsThreads) {
  constexpr int kThreads = 8;
  ASSERT_TRUE(Open().ok());
  std::vector<std::thread> threads;
  for (int thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([this] {
      for (const Operations& write : SampleWrites()) EXPECT_TRUE(Write(write).ok());
    });
  }
  for (std::thread& thread : threads) thread.join();
  const std::vector<Record> records = RecordsByUs();
  EXPECT_EQ(records, RecordsByRocksDB());
  EXPECT_EQ(db_->GetLatestSequenceNumber(), kThreads * CountOperations(SampleWrites()));
}

// GetUpdatesSince would end at a gap, as it does in logs of RocksDB's own.
TEST_F(RocksDB, PassesOverTheGapsThatOurLogNames) {
  FileJournal journal;
  WalWriter writer(std::make_unique<MemoryFile>(&journal), {1});
  for (const SequenceNumber first : {1U, 2U, 9U, 10U}) {
    const std::string key = "key" + std::to_string(first);
    ASSERT_TRUE(writer.AddRecord(first, TestGroup{{OurBatch({{true, key, "v"}})}}).ok());
  }
  const rocksdb::Status status = OpenWithLog(journal.contents);
  ASSERT_TRUE(status.ok()) << status.ToString();
  EXPECT_EQ(All(), (Contents{{"key1", "v"}, {"key2", "v"}, {"key9", "v"}, {"key10", "v"}}));
  EXPECT_EQ(db_->GetLatestSequenceNumber(), 10U);
}

}  // namespace
}  // namespace bellwether::testing
