#include <gtest/gtest.h>
#include <leveldb/db.h>
#include <leveldb/dumpfile.h>
#include <leveldb/env.h>
#include <leveldb/write_batch.h>

#include <string>
#include <string_view>
#include <vector>

#include "interop.h"

namespace bellwether::testing {
namespace {

class LevelDB : public PeerTest<leveldb::DB, leveldb::Status, leveldb::Iterator> {
 protected:
  leveldb::Status Open() override {
    leveldb::Options options;
    options.create_if_missing = true;
    options.paranoid_checks = true;
    leveldb::DB* db = nullptr;
    const leveldb::Status status = leveldb::DB::Open(options, directory_.string(), &db);
    db_.reset(db);
    return status;
  }
};

TEST_F(LevelDB, OpensOurLogAndContinuesItsSequences) {
  const std::vector<Operations> writes = SampleWrites();
  ASSERT_TRUE(OpenWithLog(OurLog(writes).contents).ok());
  EXPECT_EQ(All(), ContentsAfter(writes));
  ASSERT_TRUE(db_->Put({}, "next", "value").ok());
  db_.reset();
  EXPECT_EQ(FirstSequence(), CountOperations(writes) + 1);
}

TEST_F(LevelDB, RefusesOurLogWithAFlippedBit) {
  const TestLog log = OurLog(SampleWrites());
  std::string contents = log.contents;
  contents[log.records[3].begin + kWalHeaderSize] ^= 1;
  EXPECT_TRUE(OpenWithLog(contents).IsCorruption());
}

TEST_F(LevelDB, OpensOurLogThatEndsInZeros) {
  const std::vector<Operations> writes = SampleWrites();
  const std::string zeros(3 * kWalBlockSize, '\0');
  const leveldb::Status status = OpenWithLog(OurLog(writes).contents + zeros);
  ASSERT_TRUE(status.ok()) << status.ToString();
  EXPECT_EQ(All(), ContentsAfter(writes));
}

// A watermark is LogData, which LevelDB does not know: better told than half understood.
TEST_F(LevelDB, RefusesOurLogWithWatermarks) {
  EXPECT_TRUE(OpenWithLog(OurPreallocatedLog(SampleWrites())).IsCorruption());
}

class StringFile : public leveldb::WritableFile {
 public:
  leveldb::Status Append(const leveldb::Slice& data) override {
    contents.append(data.data(), data.size());
    return leveldb::Status::OK();
  }
  leveldb::Status Close() override { return leveldb::Status::OK(); }
  leveldb::Status Flush() override { return leveldb::Status::OK(); }
  leveldb::Status Sync() override { return leveldb::Status::OK(); }

  std::string contents;
};

// LevelDB's own dump tells each record's sequence and operations.
TEST_F(LevelDB, DumpsOurLogWithEqualSequences) {
  std::vector<Operations> writes = SampleWrites();
  writes.erase(writes.begin() + 40);  // the dump would escape its keys
  const TestLog log = OurLog(writes);
  ASSERT_TRUE(OpenWithLog("").ok());
  WriteLog(log.contents);
  StringFile dump;
  ASSERT_TRUE(leveldb::DumpFile(leveldb::Env::Default(), LogPath().string(), &dump).ok());
  std::string expected;
  for (size_t i = 0; i < writes.size(); ++i) {
    // LevelDB counts from the start of the block that it had read last.
    const size_t header = dump.contents.find("; sequence ", expected.size());
    ASSERT_NE(header, std::string::npos);
    expected.append(dump.contents, expected.size(), header - expected.size());
    expected += "; sequence " + std::to_string(log.records[i].sequence) + "\n";
    for (const auto& [put, key, value] : writes[i]) {
      expected += put ? "  put '" + key + "' '" + value + "'\n" : "  del '" + key + "'\n";
    }
    ASSERT_EQ(dump.contents.compare(0, expected.size(), expected), 0) << "record " << i;
  }
  EXPECT_EQ(dump.contents, expected);
}

TEST_F(LevelDB, WeReadItsLog) {
  const std::vector<Operations> writes = SampleWrites();
  ASSERT_TRUE(Open().ok());
  for (const Operations& write : writes) {
    leveldb::WriteBatch batch;
    for (const auto& [put, key, value] : write) {
      put ? batch.Put(key, value) : batch.Delete(key);
    }
    ASSERT_TRUE(db_->Write({}, &batch).ok());
  }
  db_.reset();
  const std::string theirs = ReadLog();
  const TestLog ours = OurLog(writes);
  EXPECT_EQ(theirs, ours.contents) << "not byte for byte";
  const ReadResult read = Read(ours, theirs);
  EXPECT_EQ(read.records, writes.size());
  EXPECT_TRUE(read.all_right);
  EXPECT_EQ(read.end, WalEnd::kClean);
}

}  // namespace
}  // namespace bellwether::testing
