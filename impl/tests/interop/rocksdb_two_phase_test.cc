// Two-phase commit in RocksDB's log: we recover what RocksDB recovers, of its logs and of ours.
#include <gtest/gtest.h>
#include <rocksdb/utilities/transaction.h>
#include <rocksdb/utilities/transaction_db.h>
#include <rocksdb/utilities/write_batch_with_index.h>

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "rocksdb_fixture.h"

namespace bellwether::testing {
namespace {

// What recovery gives back.
struct Recovered {
  Contents contents;
  SequenceNumber last_sequence = 0;
  std::map<std::string, std::vector<std::string>> undecided;  // by xid: the operations

  bool operator==(const Recovered&) const = default;
};

// The operations of a batch, by RocksDB's iteration.
struct TheirOperations : rocksdb::WriteBatch::Handler {
  rocksdb::Status PutCF(uint32_t, const rocksdb::Slice& key, const rocksdb::Slice&) override {
    operations.push_back("put " + key.ToString());
    return {};
  }
  rocksdb::Status DeleteCF(uint32_t, const rocksdb::Slice& key) override {
    operations.push_back("delete " + key.ToString());
    return {};
  }
  rocksdb::Status MarkNoop(bool) override { return {}; }

  std::vector<std::string> operations;
};

// … by ours: those inside a prepare as well.
struct OurOperations {
  Status Put(std::string_view key, std::string_view) { return Add("put ", key); }
  Status Delete(std::string_view key) { return Add("delete ", key); }
  Status MarkBeginPrepare() { return Status::OK(); }
  Status MarkEndPrepare(std::string_view) { return Status::OK(); }
  Status MarkCommit(std::string_view) { return Status::OK(); }
  Status MarkRollback(std::string_view) { return Status::OK(); }

  Status Add(const char* what, std::string_view key) {
    operations.push_back(what + std::string(key));
    return Status::OK();
  }

  std::vector<std::string> operations;
};

struct IntoContents {
  Status Put(std::string_view key, std::string_view value) {
    contents->insert_or_assign(std::string(key), std::string(value));
    return Status::OK();
  }
  Status Delete(std::string_view key) {
    contents->erase(std::string(key));
    return Status::OK();
  }

  Contents* contents;
};

Recovered ByUs(const std::string& log) {
  Recovered recovered;
  WalReader reader("log", log, 1);
  for (WalRecord record; reader.ReadRecord(&record);) {
    IntoContents into{&recovered.contents};
    EXPECT_TRUE(IterateBatch(record.effect, &into).ok());
  }
  EXPECT_EQ(reader.end(), WalEnd::kClean) << reader.Verdict(RecoveryMode::kAbsolute).ToString();
  recovered.last_sequence = reader.next_sequence() - 1;
  for (const auto& [xid, prepare] : reader.position().prepared.undecided()) {
    OurOperations ours;
    EXPECT_TRUE(prepare.Iterate(&ours).ok());
    recovered.undecided[xid] = ours.operations;
  }
  return recovered;
}

// The parameter: RocksDB has two write queues.
class RocksDBTwoPhase : public RocksDB, public ::testing::WithParamInterface<bool> {
 protected:
  rocksdb::Status OpenTransactions() {
    rocksdb::TransactionDB* db = nullptr;
    rocksdb::Options options = DefaultOptions();
    options.two_write_queues = GetParam();
    const rocksdb::Status status =
        rocksdb::TransactionDB::Open(options, {}, directory_.string(), &db);
    transactions_ = db;
    db_.reset(db);
    return status;
  }

  std::unique_ptr<rocksdb::Transaction> Prepare(const std::string& xid, const Operations& write) {
    std::unique_ptr<rocksdb::Transaction> transaction(transactions_->BeginTransaction({}));
    EXPECT_TRUE(transaction->SetName(xid).ok());
    for (const auto& [put, key, value] : write) {
      EXPECT_TRUE((put ? transaction->Put(key, value) : transaction->Delete(key)).ok());
    }
    EXPECT_TRUE(transaction->Prepare().ok());
    return transaction;
  }

  Recovered ByRocksDB() {
    Recovered recovered{All(), db_->GetLatestSequenceNumber(), {}};
    std::vector<rocksdb::Transaction*> undecided;
    transactions_->GetAllPreparedTransactions(&undecided);
    for (rocksdb::Transaction* prepared : undecided) {
      const std::unique_ptr<rocksdb::Transaction> transaction(prepared);
      TheirOperations theirs;
      EXPECT_TRUE(transaction->GetWriteBatch()->GetWriteBatch()->Iterate(&theirs).ok());
      recovered.undecided[transaction->GetName()] = theirs.operations;
    }
    return recovered;
  }

  rocksdb::TransactionDB* transactions_ = nullptr;
};

const Operations kX = {{true, "x1", "X"}, {false, "a", ""}, {true, "x2", "X"}};
const Operations kY = {{true, "y1", "Y"}};
const Operations kZ = {{true, "z1", "Z"}};

TEST_P(RocksDBTwoPhase, WeReadItsLog) {
  ASSERT_TRUE(OpenTransactions().ok());
  ASSERT_TRUE(db_->Put({}, "a", "1").ok());
  auto x = Prepare("x", kX), y = Prepare("y", kY), z = Prepare("z", kZ);
  ASSERT_TRUE(db_->Put({}, "b", "1").ok());
  ASSERT_TRUE(x->Commit().ok());
  ASSERT_TRUE(db_->Put({}, "c", "1").ok());
  ASSERT_TRUE(z->Rollback().ok());
  ASSERT_TRUE(db_->Put({}, "d", "1").ok());
  x.reset(), y.reset(), z.reset();
  db_.reset();
  const Recovered ours = ByUs(ReadLog());
  EXPECT_EQ(ours.contents,
            (Contents{{"b", "1"}, {"c", "1"}, {"d", "1"}, {"x1", "X"}, {"x2", "X"}}));
  EXPECT_EQ(ours.last_sequence, 7U);
  EXPECT_EQ(ours.undecided, (std::map<std::string, std::vector<std::string>>{{"y", {"put y1"}}}));
  ASSERT_TRUE(OpenTransactions().ok());
  EXPECT_EQ(ours, ByRocksDB());
}

TEST_P(RocksDBTwoPhase, RecoversFromOurLogWhatWeDo) {
  WriteBatch x = OurBatch(kX), y = OurBatch(kY), z = OurBatch(kZ), commit, rollback;
  ASSERT_TRUE(x.MarkPrepare("x").ok() && y.MarkPrepare("y").ok() && z.MarkPrepare("z").ok());
  ASSERT_TRUE(commit.MarkCommit("x", x).ok() && rollback.MarkRollback("z").ok());
  FileJournal journal;
  WalWriter writer(std::make_unique<MemoryFile>(&journal), {1, /*durable_watermark=*/true});
  const auto put = [](const std::string& key) { return OurBatch({{true, key, "1"}}); };
  ASSERT_TRUE(writer.AddRecord(1, TestGroup{{put("a"), put("b")}}).ok());
  ASSERT_TRUE(writer.AddRecord(3, TestGroup{{x, y}}).ok());
  ASSERT_TRUE(writer.AddRecord(3, TestGroup{{put("c"), z}}).ok());
  ASSERT_TRUE(writer.AddRecord(4, TestGroup{{commit}}).ok());
  ASSERT_TRUE(writer.AddRecord(7, TestGroup{{rollback, put("d")}}).ok());
  ASSERT_TRUE(OpenTransactions().ok());
  db_.reset();
  WriteLog(journal.contents);
  const rocksdb::Status status = OpenTransactions();
  ASSERT_TRUE(status.ok()) << status.ToString();
  const Recovered theirs = ByRocksDB();
  EXPECT_EQ(theirs.last_sequence, 7U);
  EXPECT_EQ(theirs.contents.count("x2"), 1U);
  EXPECT_EQ(theirs.contents.count("y1") + theirs.contents.count("z1"), 0U);
  EXPECT_EQ(theirs, ByUs(journal.contents));
}

INSTANTIATE_TEST_SUITE_P(Queues, RocksDBTwoPhase, ::testing::Bool());

}  // namespace
}  // namespace bellwether::testing
