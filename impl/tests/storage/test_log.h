// Logs in memory: a file that fails on request, groups of batches, and logs of chosen record sizes.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bellwether/storage/file_system.h"
#include "bellwether/storage/wal_reader.h"
#include "bellwether/storage/wal_writer.h"
#include "bellwether/storage/write_batch.h"

namespace bellwether::testing {

// What a MemoryFile did; outlives it.
struct FileJournal {
  std::string contents;
  int appends = 0;
  int syncs = 0;
  int closes = 0;
  int fail_append = 0;  // the number of the append, from 1, that fails after half of its bytes
  int fail_sync = 0;
};

class MemoryFile final : public WritableFile {
 public:
  explicit MemoryFile(FileJournal* journal) : journal_(journal) {}

  Status Append(std::string_view data) override {
    if (++journal_->appends != journal_->fail_append) {
      journal_->contents.append(data);
      return Status::OK();
    }
    journal_->contents.append(data.substr(0, data.size() / 2));
    return Status::IOError("write", path_, size(), ENOSPC);
  }

  Status Sync() override {
    if (++journal_->syncs != journal_->fail_sync) return Status::OK();
    return Status::IOError("fdatasync", path_, size(), EIO);
  }

  Status Close() override {
    ++journal_->closes;
    return Status::OK();
  }
  uint64_t size() const override { return journal_->contents.size(); }
  const std::string& path() const override { return path_; }

 private:
  FileJournal* const journal_;
  const std::string path_ = "000001.log";
};

struct TestGroup {
  std::vector<WriteBatch> batches;

  template <class Visitor>
  void ForEach(const Visitor& visitor) const {
    for (const WriteBatch& batch : batches) visitor(batch);
  }
};

// One put, whose record payload in the log is `payload_size` bytes.
// REQUIRES: payload_size lets the value's length be coded in as many bytes as its estimate.
inline WriteBatch BatchOfSize(size_t payload_size, char fill = 'v') {
  WriteBatch batch;
  size_t overhead = kBatchHeaderSize + 1 + 2 + 1;
  while (true) {
    batch.Clear();
    (void)batch.Put("k", std::string(payload_size - overhead, fill));
    if (batch.ByteSize() == payload_size) return batch;
    overhead += batch.ByteSize() - payload_size;
  }
}

struct TestLog {
  struct Record {
    uint64_t begin = 0;
    uint64_t end = 0;
    SequenceNumber sequence = 0;
    std::string payload;
  };

  std::string contents;
  std::vector<Record> records;

  // The records that end at or before `size`.
  size_t WholeRecords(uint64_t size) const {
    size_t whole = 0;
    while (whole < records.size() && records[whole].end <= size) ++whole;
    return whole;
  }
};

// A log with one batch a record, whose first record has sequence 1.
inline TestLog BuildLog(const std::vector<WriteBatch>& batches) {
  TestLog log;
  FileJournal journal;
  WalWriter writer(std::make_unique<MemoryFile>(&journal));
  SequenceNumber sequence = 1;
  for (const WriteBatch& batch : batches) {
    const uint64_t left = LeftInBlock(journal.contents.size());
    TestLog::Record record;
    record.begin = journal.contents.size() + (left < kWalHeaderSize ? left : 0);
    record.sequence = sequence;
    record.payload = batch.Data();
    EncodeFixed(record.payload.data(), sequence);
    if (!writer.AddRecord(sequence, TestGroup{{batch}}).ok()) return {};
    record.end = journal.contents.size();
    log.records.push_back(std::move(record));
    sequence += batch.Count();
  }
  log.contents = journal.contents;
  return log;
}

inline TestLog BuildLogOfSizes(const std::vector<size_t>& payload_sizes) {
  std::vector<WriteBatch> batches;
  for (size_t i = 0; i < payload_sizes.size(); ++i) {
    batches.push_back(BatchOfSize(payload_sizes[i], static_cast<char>('a' + i % 26)));
  }
  return BuildLog(batches);
}

// A fragment with a right CRC.
inline std::string RawFragment(uint8_t type, std::string_view payload) {
  std::string fragment(kWalHeaderSize, '\0');
  EncodeFixed(&fragment[kWalLengthOffset], static_cast<uint16_t>(payload.size()));
  fragment[kWalTypeOffset] = static_cast<char>(type);
  fragment.append(payload);
  EncodeFixed(fragment.data(), FragmentCrc(std::string_view(fragment).substr(kWalTypeOffset)));
  return fragment;
}

struct ReadResult {
  size_t records = 0;
  bool all_right = true;  // each record read is the one that was written in its place
  WalEnd end = WalEnd::kClean;
  uint64_t end_offset = 0;
  SequenceNumber next_sequence = 0;
  Status tolerate, absolute, point_in_time;
};

inline ReadResult Read(const TestLog& written, std::string contents, SequenceNumber first = 1) {
  ReadResult result;
  WalReader reader("000001.log", std::move(contents), first);
  for (WalRecord record; reader.ReadRecord(&record); ++result.records) {
    result.all_right = result.all_right && result.records < written.records.size() &&
                       record.batch == written.records[result.records].payload &&
                       record.offset == written.records[result.records].begin &&
                       record.sequence == written.records[result.records].sequence;
  }
  result.end = reader.end();
  result.end_offset = reader.end_offset();
  result.next_sequence = reader.next_sequence();
  result.tolerate = reader.Verdict(RecoveryMode::kTolerateTornTail);
  result.absolute = reader.Verdict(RecoveryMode::kAbsolute);
  result.point_in_time = reader.Verdict(RecoveryMode::kPointInTime);
  return result;
}

}  // namespace bellwether::testing
