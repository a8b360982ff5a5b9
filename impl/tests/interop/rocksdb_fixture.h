// A store of RocksDB's over a log, and what both sides read there.
#pragma once

#include <gtest/gtest.h>
#include <rocksdb/db.h>
#include <rocksdb/options.h>
#include <rocksdb/transaction_log.h>
#include <rocksdb/write_batch.h>

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "interop.h"

namespace bellwether::testing {

// A record as RocksDB sees it: its sequence, and the batch's bytes behind the sequence.
using Record = std::pair<SequenceNumber, std::string>;

class RocksDB : public PeerTest<rocksdb::DB, rocksdb::Status, rocksdb::Iterator> {
 protected:
  static rocksdb::Options DefaultOptions() {
    rocksdb::Options options;
    options.create_if_missing = true;
    options.wal_recovery_mode = rocksdb::WALRecoveryMode::kAbsoluteConsistency;
    options.avoid_flush_during_recovery = true;  // so that the log stays to be asked about
    return options;
  }

  rocksdb::Status Open() override {
    rocksdb::DB* db = nullptr;
    const rocksdb::Status status = rocksdb::DB::Open(DefaultOptions(), directory_.string(), &db);
    db_.reset(db);
    return status;
  }

  std::vector<Record> RecordsByRocksDB() const {
    std::vector<Record> records;
    std::unique_ptr<rocksdb::TransactionLogIterator> iterator;
    EXPECT_TRUE(db_->GetUpdatesSince(0, &iterator).ok());
    for (; iterator->Valid(); iterator->Next()) {
      rocksdb::BatchResult batch = iterator->GetBatch();
      records.emplace_back(batch.sequence,
                           batch.writeBatchPtr->Data().substr(sizeof(SequenceNumber)));
    }
    EXPECT_TRUE(iterator->status().ok()) << iterator->status().ToString();
    return records;
  }

  std::vector<Record> RecordsByUs(WalEnd end = WalEnd::kClean) const {
    std::vector<Record> records;
    WalReader reader("log", ReadLog(), 1);
    for (WalRecord record; reader.ReadRecord(&record);) {
      records.emplace_back(record.sequence, record.batch.substr(sizeof(SequenceNumber)));
    }
    EXPECT_EQ(reader.end(), end) << reader.Verdict(RecoveryMode::kAbsolute).ToString();
    return records;
  }

  rocksdb::Status Write(const Operations& write) const {
    rocksdb::WriteBatch batch;
    for (const auto& [put, key, value] : write) {
      EXPECT_TRUE((put ? batch.Put(key, value) : batch.Delete(key)).ok());
    }
    return db_->Write({}, &batch);
  }
};

}  // namespace bellwether::testing
