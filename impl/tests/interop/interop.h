// What both interoperation tests share: a directory, the one log in it, and batches that meet the
// edges of the format.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "../storage/test_log.h"
#include "bellwether/storage/wal_reader.h"
#include "bellwether/storage/write_batch.h"

namespace bellwether::testing {

using Contents = std::map<std::string, std::string>;

struct Operation {
  bool put = true;
  std::string key;
  std::string value;
};
using Operations = std::vector<Operation>;

// Writes of one and of many operations, empty and binary keys and values, deletions of what is and
// of what is not there; records that straddle blocks, and one that fills three.
inline std::vector<Operations> SampleWrites() {
  std::vector<Operations> writes;
  for (int i = 0; i < 40; ++i) {
    Operations write;
    for (int n = 0; n <= i % 4; ++n) {
      const std::string key = "key" + std::to_string((7 * i + n) % 50);
      write.push_back({(i + n) % 5 != 0, key, std::string(static_cast<size_t>(i * 37), 'v') + key});
    }
    writes.push_back(std::move(write));
  }
  writes.push_back({{true, "", ""}, {true, std::string("\0\xff\x80", 3), std::string(3, '\0')}});
  for (size_t size : {kWalBlockSize - 100, kWalBlockSize, 3 * kWalBlockSize}) {
    writes.push_back({{true, "large" + std::to_string(size), std::string(size, 'l')}});
  }
  writes.push_back({{false, "key1", ""}, {true, "key1", "again"}, {false, "key2", ""}});
  return writes;
}

inline WriteBatch OurBatch(const Operations& write) {
  WriteBatch batch;
  for (const Operation& operation : write) {
    const Status status =
        operation.put ? batch.Put(operation.key, operation.value) : batch.Delete(operation.key);
    EXPECT_TRUE(status.ok());
  }
  return batch;
}

inline TestLog OurLog(const std::vector<Operations>& writes) {
  std::vector<WriteBatch> batches;
  for (const Operations& write : writes) batches.push_back(OurBatch(write));
  return BuildLog(batches);
}

// The log of these writes as a store with preallocation and watermarks leaves it when it dies:
// every third write was synced, and zeros follow the last one.
inline std::string OurPreallocatedLog(const std::vector<Operations>& writes) {
  FileJournal journal;
  WalWriter writer(std::make_unique<MemoryFile>(&journal), {1, /*durable_watermark=*/true});
  SequenceNumber sequence = 1;
  for (size_t i = 0; i < writes.size(); ++i) {
    EXPECT_TRUE(writer.AddRecord(sequence, TestGroup{{OurBatch(writes[i])}}).ok());
    EXPECT_TRUE(i % 3 != 0 || writer.Sync().ok());
    sequence += writes[i].size();
  }
  return journal.contents + std::string(3 * kWalBlockSize, '\0');
}

inline Contents ContentsAfter(const std::vector<Operations>& writes) {
  Contents contents;
  for (const Operations& write : writes) {
    for (const auto& [put, key, value] : write) {
      contents.erase(key);
      if (put) contents[key] = value;
    }
  }
  return contents;
}

inline SequenceNumber CountOperations(const std::vector<Operations>& writes) {
  SequenceNumber count = 0;
  for (const Operations& write : writes) count += write.size();
  return count;
}

class InteropTest : public ::testing::Test {
 protected:
  InteropTest() {
    std::string name = ::testing::TempDir() + "bellwether_interop_XXXXXX";
    EXPECT_NE(::mkdtemp(name.data()), nullptr);
    root_ = name;
    directory_ = root_ / "db";
  }
  ~InteropTest() override { std::filesystem::remove_all(root_); }

  // Of the newest log in the directory.
  std::filesystem::path LogPath() const {
    std::filesystem::path newest;
    for (const auto& entry : std::filesystem::directory_iterator(directory_)) {
      if (entry.path().extension() == ".log") newest = std::max(newest, entry.path());
    }
    EXPECT_FALSE(newest.empty());
    return newest;
  }

  std::string ReadLog() const {
    std::ifstream file(LogPath(), std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  void WriteLog(std::string_view contents) const {
    std::ofstream file(LogPath(), std::ios::binary | std::ios::trunc);
    file << contents;
    EXPECT_TRUE(file.flush().good());
  }

  // The first record of the newest log.
  SequenceNumber FirstSequence() const {
    WalReader reader("log", ReadLog(), kAnySequence);
    WalRecord record;
    EXPECT_TRUE(reader.ReadRecord(&record));
    return record.sequence;
  }

  std::filesystem::path root_;
  std::filesystem::path directory_;
};

// … with a store of the peer's in that directory.
template <class DB, class PeerStatus, class Iterator>
class PeerTest : public InteropTest {
 protected:
  virtual PeerStatus Open() = 0;

  // A store whose only contents are the log.
  PeerStatus OpenWithLog(std::string_view log) {
    EXPECT_TRUE(Open().ok());
    db_.reset();
    WriteLog(log);
    return Open();
  }

  Contents All() const {
    Contents contents;
    const std::unique_ptr<Iterator> iterator(db_->NewIterator({}));
    for (iterator->SeekToFirst(); iterator->Valid(); iterator->Next()) {
      contents[iterator->key().ToString()] = iterator->value().ToString();
    }
    EXPECT_TRUE(iterator->status().ok());
    return contents;
  }

  std::unique_ptr<DB> db_;
};

}  // namespace bellwether::testing
