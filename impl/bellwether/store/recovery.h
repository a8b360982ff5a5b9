// Recovery: from what a directory holds to a memtable, and to a directory that a new log may join.
//
//   ListLogs          000001.log, 000002.log, …; any other name means that the directory is not
//   ours ReadLogs          each record goes into the memtable; sequences continue within and across
//   logs CutTail           what stands behind the last record goes, and the cut is made durable
//   RemoveEmptyLogs   so that opening again and again leaves nothing behind
//
// Invariants
//   CRASH_PREFIX      what is recovered is a prefix of the groups logged, with every synced one
//   CRASH_IDEMPOTENT  a crash in here leaves a directory that recovers to the same state: nothing
//                     is changed before all was read, and a damaged log is cut after the logs
//                     behind it are gone, so that these never seem to continue it
// On return the newest log is durable as a whole: it may hold writes that were read from the page
// cache and never synced, and the next log must not outlive them.
// Thread safety: one thread, which holds the directory's lock.
#pragma once

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bellwether/storage/file_system.h"
#include "bellwether/storage/prepared_transactions.h"
#include "bellwether/storage/wal_reader.h"
#include "bellwether/storage/write_batch.h"
#include "bellwether/store/options.h"
#include "bellwether/write_path/status.h"

namespace bellwether {

inline constexpr std::string_view kLockName = "LOCK";
inline constexpr std::string_view kLogSuffix = ".log";
inline constexpr size_t kLogDigits = 6;

inline std::string LogName(uint64_t number) {
  std::string digits = std::to_string(number);
  if (digits.size() < kLogDigits) digits.insert(0, kLogDigits - digits.size(), '0');
  return digits.append(kLogSuffix);
}

// False if `name` is not one that LogName gives, or leaves no number for the next log.
inline bool ParseLogName(std::string_view name, uint64_t* number) {
  const char* const end = name.data() + name.size();
  const auto [digits_end, error] = std::from_chars(name.data(), end, *number);
  return error == std::errc() && digits_end != name.data() && LogName(*number) == name &&
         *number < std::numeric_limits<uint64_t>::max();
}

template <class MemTable>
class Recovery {
 public:
  Recovery(FileSystem* file_system, std::string directory, RecoveryMode mode, MemTable* memtable)
      : file_system_(file_system),
        directory_(std::move(directory)),
        mode_(mode),
        memtable_(memtable) {}

  // The numbers of the logs, ascending. Changes nothing.
  // InvalidArgument, naming the file, if the directory is not that of a store.
  static Status ListLogs(FileSystem* file_system, const std::string& directory,
                         std::vector<uint64_t>* numbers) {
    std::vector<std::string> names;
    Status status = file_system->ListDirectory(directory, &names);
    if (!status.ok()) return status;
    numbers->clear();
    for (const std::string& name : names) {
      uint64_t number = 0;
      if (ParseLogName(name, &number)) {
        numbers->push_back(number);
      } else if (name != kLockName) {
        return Status::InvalidArgument("not the directory of a store: it holds " + directory + "/" +
                                       name + "; give an empty directory or a store's");
      }
    }
    std::sort(numbers->begin(), numbers->end());
    return status;
  }

  Status Run(RecoveryReport* report) {
    if (mode_ == RecoveryMode::kSkipCorrupt) {
      return Status::InvalidArgument(
          "a store does not open with skip_corrupt yet: 'bellwether dump-wal' shows what is left");
    }
    std::vector<uint64_t> numbers;
    Status status = ListLogs(file_system_, directory_, &numbers);
    if (status.ok()) status = ReadLogs(numbers);
    if (status.ok()) status = CutTail();
    if (status.ok()) status = RemoveEmptyLogs();
    report_.last_sequence = position_.next_sequence - 1;
    report_.log_number = numbers.empty() ? 1 : numbers.back() + 1;
    report_.undecided = undecided().size();
    *report = report_;
    return status;
  }

  // The transactions that the logs prepare and do not decide. REQUIRES: Run returned OK.
  const PreparedTransactions::Map& undecided() const { return position_.prepared.undecided(); }

 private:
  struct Log {
    std::string path;
    uint64_t size = 0;
    uint64_t end = 0;  // of its last record
  };

  Status ReadLogs(const std::vector<uint64_t>& numbers) {
    bool ended = false;
    for (const uint64_t number : numbers) {
      Log log{directory_ + "/" + LogName(number), 0, 0};
      std::string contents;
      Status status = file_system_->ReadFile(log.path, &contents);
      if (!status.ok()) return status;
      log.size = contents.size();
      if (ended && mode_ == RecoveryMode::kPointInTime) {
        given_up_.push_back(std::move(log));
        continue;
      }
      // A new log is begun only after the one before it was cut and synced.
      if (ended && log.size > 0) {
        return Status::Corruption(
            "damaged end of a log before another log; open with recovery mode point_in_time to "
            "keep everything before it",
            logs_.back().path, logs_.back().end);
      }
      WalReader reader(log.path, std::move(contents), position_);
      status = ReadRecords(&reader);
      if (!status.ok()) return status;
      log.end = reader.end_offset();
      position_ = reader.position();
      ended = ended || reader.end() != WalEnd::kClean;
      logs_.push_back(std::move(log));
    }
    return Status::OK();
  }

  Status ReadRecords(WalReader* reader) {
    WalRecord record;
    WriteBatch batch;
    uint64_t records = 0;
    while (reader->ReadRecord(&record)) {
      Status status = WriteBatch::Parse(record.effect, &batch);
      if (status.ok()) status = memtable_->InsertInto(batch, record.sequence);
      if (!status.ok()) return status;
      ++records;
    }
    if (records > 0) ++report_.logs;
    report_.records += records;
    return reader->Verdict(mode_);
  }

  Status CutTail() {
    for (; !given_up_.empty(); given_up_.pop_back()) {
      Status status = RemoveLog(given_up_.back().path);
      if (!status.ok()) return status;
      report_.cut_bytes += given_up_.back().size;
    }
    if (removed_) {
      Status status = file_system_->SyncDirectory(directory_);
      if (!status.ok()) return status;
    }
    // Those before the newest log that is not empty were made durable before it was begun.
    for (auto log = logs_.rbegin(); log != logs_.rend(); ++log) {
      if (log->size == 0) continue;
      Status status;
      if (log->end < log->size) status = file_system_->Truncate(log->path, log->end);
      if (status.ok()) status = file_system_->SyncFile(log->path);
      report_.cut_bytes += log->size - log->end;
      return status;
    }
    return Status::OK();
  }

  // Made durable with the name of the new log.
  Status RemoveEmptyLogs() {
    for (const Log& log : logs_) {
      if (log.end > 0) continue;
      Status status = RemoveLog(log.path);
      if (!status.ok()) return status;
    }
    return Status::OK();
  }

  Status RemoveLog(const std::string& path) {
    Status status = file_system_->RemoveFile(path);
    if (!status.ok()) return status;
    removed_ = true;
    ++report_.removed_logs;
    return status;
  }

  FileSystem* const file_system_;
  const std::string directory_;
  const RecoveryMode mode_;
  MemTable* const memtable_;
  WalPosition position_{1};
  std::vector<Log> logs_;      // up to the one in which the records end
  std::vector<Log> given_up_;  // those behind it
  bool removed_ = false;
  RecoveryReport report_;
};

}  // namespace bellwether
