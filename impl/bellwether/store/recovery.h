// Recovery: from what a directory holds to a memtable, and to a directory that a new log may join.
//
//   LoadSnapshot      the newest one, whole, goes into the memtable
//   ReadLogs          then each record of the logs behind it; sequences continue within and across
//                     logs
//   CutTail           what stands behind the last record goes, and the cut is made durable
//   RemoveCovered     what the snapshot covers, and logs that an Open left behind half way
// Then the caller begins a new log, and names what is there now (live_files) in a manifest:
//   RemoveEmpty       the log of the last Open, if nothing was written to it
// So opening again and again, also if it fails half way, leaves nothing behind.
//
// Damage; a file that the manifest names and that is not there is damaged from its first byte on
//   tolerate_torn_tail, absolute
//     an error that names file, offset and the way in
//   point_in_time
//     everything behind the damage is given up; if that is the snapshot, an older one with its logs
//     serves, or the logs from the very first on, if they are there
//   skip_corrupt
//     what can be read on either side of it is kept. The caller has to write a snapshot of that
//     (needs_snapshot): the files stay as they are until it is durable
//
// Invariants
//   CRASH_PREFIX      what is recovered is a prefix of the groups logged, with every synced one
//   CRASH_IDEMPOTENT  a crash in here leaves a directory that recovers to the same state: nothing
//                     is changed before all was read, a damaged log is cut after the logs behind it
//                     are gone, so that these never seem to continue it, and what a snapshot covers
//                     goes after the snapshot's name is durable
// On return the newest log is durable as a whole: it may hold writes that were read from the page
// cache and never synced, and the next log must not outlive them.
// Thread safety: one thread, which holds the directory's lock.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bellwether/storage/file_system.h"
#include "bellwether/storage/prepared_transactions.h"
#include "bellwether/storage/snapshot_file.h"
#include "bellwether/storage/wal_reader.h"
#include "bellwether/storage/write_batch.h"
#include "bellwether/store/manifest.h"
#include "bellwether/store/options.h"
#include "bellwether/store/store_files.h"
#include "bellwether/write_path/status.h"

namespace bellwether {

// May throw bad_alloc.
template <class MemTable>
class Recovery {
 public:
  Recovery(FileSystem* file_system, std::string directory, RecoveryMode mode, MemTable* memtable)
      : file_system_(file_system),
        directory_(std::move(directory)),
        mode_(mode),
        memtable_(memtable) {}

  Status Run(RecoveryReport* report) {
    StoreFiles files;
    Status status = ListFiles(file_system_, directory_, &files);
    if (status.ok()) status = FindNamed(files);
    if (status.ok()) status = LoadSnapshot(files.snapshots);
    if (snapshot_missing_ && needs_snapshot()) position_.AcceptGap();
    if (status.ok()) status = ReadLogs(files.logs);
    if (status.ok() && !lost_snapshot_.empty() && report_.records == 0 && base_ == 0) {
      status = Status::Corruption(
          "damaged snapshot, and nothing before it; open with recovery mode skip_corrupt to keep "
          "what can be read",
          lost_snapshot_, 0);
    }
    const bool begins_anew = BeginsAnew(files, report_.records);
    if (status.ok() && begins_anew && LostEverything(files)) status = MissManifest();
    if (status.ok() && !needs_snapshot()) status = CutTail();
    if (status.ok() && !needs_snapshot()) status = RemoveCovered(files);
    report_.last_sequence = LastSequence();
    report_.log_number = begins_anew && !needs_snapshot() ? 1 : files.NextNumber();
    report_.undecided = undecided().size();
    if (!gaps_.empty()) {
      report_.gaps = std::make_shared<const std::vector<RecoveryGap>>(std::move(gaps_));
    }
    *report = report_;
    return status;
  }

  // The transactions that the logs prepare and do not decide. REQUIRES: Run returned OK.
  const PreparedTransactions::Map& undecided() const { return position_.prepared.undecided(); }

  // What has to be there from now on, beside the log that is begun. REQUIRES: as above.
  Manifest live_files() const {
    Manifest live;
    if (base_ != 0) live.snapshots.push_back(base_);
    for (const File& log : logs_) {
      if (log.end > 0) live.logs.push_back(log.number);
    }
    return live;
  }

  // REQUIRES: as above, and the manifest that names live_files is durable.
  Status RemoveEmpty(RecoveryReport* report) {
    Status status = RemoveEmptyLogs(/*named=*/true);
    report->removed_logs = report_.removed_logs;
    return status;
  }

  // What was read has gaps: a new snapshot of it has to take the place of all files that there are.
  bool needs_snapshot() const { return mode_ == RecoveryMode::kSkipCorrupt && skipped_; }

 private:
  struct File {
    uint64_t number = 0;
    std::string path;
    uint64_t size = 0;
    uint64_t end = 0;  // of its last record
  };

  // The visitor of SnapshotReader.
  struct Loader {
    Status Entry(std::string_view key, SequenceNumber sequence, std::string_view value) {
      batch.Clear();
      Status status = batch.Put(key, value);
      if (status.ok()) status = owner->memtable_->InsertInto(batch, sequence);
      ++owner->report_.snapshot_entries;
      newest = std::max(newest, sequence);
      return status;
    }

    Status Prepare(std::string_view encoded) {
      std::string effect;
      return owner->position_.prepared.Apply(encoded, &effect);
    }

    Recovery* owner;
    WriteBatch batch = {};
    SequenceNumber newest = 0;
  };

  std::string PathOf(const std::string& name) const { return directory_ + "/" + name; }

  SequenceNumber LastSequence() const {
    return position_.next_sequence != kAnySequence ? position_.next_sequence - 1
                                                   : position_.at_least - 1;
  }

  bool GoesOnBehindDamage() const {
    return mode_ == RecoveryMode::kPointInTime || mode_ == RecoveryMode::kSkipCorrupt;
  }

  Status FindNamed(const StoreFiles& files) {
    Status status = ReadManifest(file_system_, directory_, files, &named_);
    if (status.code() != Status::Code::kCorruption || !GoesOnBehindDamage()) return status;
    gaps_.push_back({std::string(status.file()), 0, 0, 0, 0, std::string(status.what())});
    return Status::OK();
  }

  Status MissManifest() {
    const std::string path = PathOf(std::string(kManifestName));
    if (!GoesOnBehindDamage()) {
      return Status::Corruption(
          "the list of the store's files is missing, and all that it named; put them back, or open "
          "with recovery mode point_in_time or skip_corrupt to begin anew",
          path, 0);
    }
    gaps_.push_back({path, 0, 0, 0, 0, "missing list of the store's files"});
    return Status::OK();
  }

  // The newest snapshot that is whole, where the mode lets it be another than the newest.
  Status LoadSnapshot(const std::vector<uint64_t>& there) {
    const std::vector<uint64_t> numbers = ThereOrNamed(there, named_.snapshots, 0);
    for (auto number = numbers.rbegin(); number != numbers.rend(); ++number) {
      const std::string path = PathOf(SnapshotName(*number));
      if (!std::binary_search(there.begin(), there.end(), *number)) {
        Status status = MissSnapshot(path);
        if (!status.ok()) return status;
        continue;
      }
      std::string contents;
      Status status = file_system_->ReadFile(path, &contents);
      if (!status.ok()) return status;
      const uint64_t size = contents.size();
      SnapshotReader reader(path, std::move(contents));
      status = reader.Check();
      if (status.ok()) return Load(*number, &reader);
      if (status.code() != Status::Code::kCorruption) return status;
      if (mode_ == RecoveryMode::kSkipCorrupt) return Salvage(*number, path, &reader);
      if (mode_ != RecoveryMode::kPointInTime) {
        return Status::Corruption(
            std::string(status.what()) +
                "; open with recovery mode point_in_time to go back to the state before it, if "
                "that is still there, or with skip_corrupt to keep its whole blocks",
            path, status.offset());
      }
      gaps_.push_back({path, status.offset(), size, 0, 0, std::string(status.what())});
      given_up_.push_back({*number, path, size, 0});
      if (lost_snapshot_.empty()) lost_snapshot_ = path;
    }
    return Status::OK();
  }

  Status MissSnapshot(const std::string& path) {
    if (!GoesOnBehindDamage()) {
      return Status::Corruption(
          "a snapshot of the store is missing; put it back, or open with recovery mode "
          "point_in_time to go back to the state before it, if that is still there, or with "
          "skip_corrupt to keep what the logs behind it hold",
          path, 0);
    }
    gaps_.push_back({path, 0, 0, 0, 0, "missing snapshot"});
    skipped_ = true;
    snapshot_missing_ = true;
    if (mode_ == RecoveryMode::kPointInTime && lost_snapshot_.empty()) lost_snapshot_ = path;
    return Status::OK();
  }

  Status Load(uint64_t number, SnapshotReader* reader) {
    Loader loader{this};
    Status status = reader->Read(&loader);
    base_ = number;
    report_.snapshot_sequence = reader->FindFooter()->sequence;
    position_.next_sequence = report_.snapshot_sequence + 1;
    return status;
  }

  Status Salvage(uint64_t number, const std::string& path, SnapshotReader* reader) {
    Loader loader{this};
    std::vector<SnapshotGap> gaps;
    Status status = reader->Salvage(&loader, &gaps);
    for (SnapshotGap& gap : gaps) {
      gaps_.push_back({path, gap.begin, gap.end, 0, 0, std::move(gap.what)});
    }
    skipped_ = true;
    base_ = number;
    if (const auto footer = reader->FindFooter()) {
      position_.next_sequence = footer->sequence + 1;
    } else {
      position_.next_sequence = loader.newest + 1;
      position_.AcceptGap();
    }
    report_.snapshot_sequence = LastSequence();
    return status;
  }

  Status ReadLogs(const std::vector<uint64_t>& there) {
    for (const uint64_t number : ThereOrNamed(there, named_.logs, base_)) {
      File log{number, PathOf(LogName(number)), 0, 0};
      std::string contents;
      Status status;
      if (!std::binary_search(there.begin(), there.end(), number)) {
        status = MissLog(log);
        if (!status.ok()) return status;
        continue;
      }
      status = file_system_->ReadFile(log.path, &contents);
      if (!status.ok()) return status;
      log.size = contents.size();
      // Created, perhaps preallocated, and never written to.
      const bool blank = contents.find_first_not_of('\0') == std::string::npos;
      if (blank && !ended_) {
        blank_.push_back(std::move(log));
        continue;
      }
      if (ended_ && mode_ == RecoveryMode::kPointInTime) {
        if (!blank && !cut_reported_) AddTailGap();
        given_up_.push_back(std::move(log));
        continue;
      }
      status = blank ? Status::OK() : ReadLog(&log, std::move(contents));
      if (!status.ok()) return status;
      (blank ? blank_ : logs_).push_back(std::move(log));
    }
    return Status::OK();
  }

  Status MissLog(const File& log) {
    if (!GoesOnBehindDamage()) {
      return Status::Corruption(
          "a log of the store is missing, or the snapshot that took its place; put it back, or "
          "open with recovery mode point_in_time to keep everything before it, or with "
          "skip_corrupt "
          "to keep what there is",
          log.path, 0);
    }
    if (ended_ && mode_ == RecoveryMode::kPointInTime) return Status::OK();
    gaps_.push_back({log.path, 0, 0, LastSequence() + 1, 0, "missing log"});
    skipped_ = true;
    if (mode_ == RecoveryMode::kPointInTime) {
      ended_ = true;
      cut_reported_ = true;
    } else {
      position_.AcceptGap();
    }
    return Status::OK();
  }

  Status ReadLog(File* log, std::string contents) {
    // A new log is begun only after the one before it was cut and synced.
    if (ended_) {
      if (mode_ != RecoveryMode::kSkipCorrupt) {
        return Status::Corruption(
            "damaged end of a log before another log; open with recovery mode point_in_time to "
            "keep everything before it",
            logs_.back().path, logs_.back().end);
      }
      AddTailGap();
      skipped_ = true;
      position_.AcceptGap();
    }
    WalReader reader(log->path, std::move(contents), position_);
    Status status = ReadRecords(&reader);
    if (!status.ok()) return status;
    log->end = reader.end_offset();
    position_ = reader.position();
    ended_ = reader.end() != WalEnd::kClean;
    if (mode_ == RecoveryMode::kSkipCorrupt) {
      AddGaps(log->path, reader.gaps());
      // The gap that SkipDefect could not close.
      if (reader.end() == WalEnd::kCorruption) {
        ended_ = false;
        position_.AcceptGap();
      }
    } else if (mode_ == RecoveryMode::kPointInTime && reader.end() == WalEnd::kCorruption) {
      gaps_.push_back({log->path, log->end, log->size, reader.next_sequence(), 0,
                       std::string(reader.Verdict(RecoveryMode::kAbsolute).what())});
      cut_reported_ = true;
    }
    return status;
  }

  Status ReadRecords(WalReader* reader) {
    WalRecord record;
    WriteBatch batch;
    uint64_t records = 0;
    do {
      while (reader->ReadRecord(&record)) {
        if (!gaps_.empty() && gaps_.back().first != 0 && gaps_.back().next == 0) {
          gaps_.back().next = record.sequence;
        }
        Status status = WriteBatch::Parse(record.effect, &batch);
        if (status.ok()) status = memtable_->InsertInto(batch, record.sequence);
        if (!status.ok()) return status;
        ++records;
      }
    } while (mode_ == RecoveryMode::kSkipCorrupt && reader->SkipDefect());
    if (records > 0) ++report_.logs;
    report_.records += records;
    return reader->Verdict(mode_);
  }

  void AddGaps(const std::string& path, const std::vector<WalGap>& gaps) {
    for (const WalGap& gap : gaps) {
      gaps_.push_back({path, gap.begin, gap.end, gap.first, gap.next, gap.what});
    }
    skipped_ = skipped_ || !gaps.empty();
  }

  // A torn end, before another log.
  void AddTailGap() {
    const File& log = logs_.back();
    gaps_.push_back({log.path, log.end, log.size, LastSequence() + 1, 0,
                     "damaged end of a log before another log"});
    cut_reported_ = true;
  }

  Status CutTail() {
    // What was read may have a name that is not durable yet, the manifest or a snapshot, if its
    // process died before that. What goes by its word must not go first.
    Status status = file_system_->SyncDirectory(directory_);
    for (; status.ok() && !given_up_.empty(); given_up_.pop_back()) {
      report_.cut_bytes += given_up_.back().size;
      status = RemoveLog(given_up_.back().path);
    }
    if (status.ok() && report_.removed_logs > 0) status = file_system_->SyncDirectory(directory_);
    // Those before the newest log were made durable before it was begun. One that holds nothing may
    // have been cut to that by an Open that went down before its cut was durable.
    for (const File& log : blank_) {
      if (status.ok()) status = Cut(log);
    }
    if (!status.ok() || logs_.empty()) return status;
    const File& newest = logs_.back();
    report_.cut_bytes += newest.size - newest.end;
    return Cut(newest);
  }

  Status Cut(const File& log) {
    Status status;
    if (log.end < log.size) status = file_system_->Truncate(log.path, log.end);
    return status.ok() ? file_system_->SyncFile(log.path) : status;
  }

  // Logs that hold nothing. One that the manifest names has to stay until the next one is written.
  Status RemoveEmptyLogs(bool named) {
    Status status;
    for (const std::vector<File>* logs : {&logs_, &blank_}) {
      for (const File& log : *logs) {
        const bool is_named =
            std::binary_search(named_.logs.begin(), named_.logs.end(), log.number);
        if (status.ok() && log.end == 0 && is_named == named) status = RemoveLog(log.path);
      }
    }
    return status;
  }

  // Made durable with the name of the new log.
  Status RemoveCovered(const StoreFiles& files) {
    Status status = RemoveEmptyLogs(/*named=*/false);
    for (const uint64_t number : files.logs) {
      if (status.ok() && number < base_) status = RemoveLog(PathOf(LogName(number)));
    }
    for (const uint64_t number : files.snapshots) {
      if (status.ok() && number < base_) {
        status = file_system_->RemoveFile(PathOf(SnapshotName(number)));
      }
    }
    for (const std::string& name : files.unfinished) {
      if (status.ok()) status = file_system_->RemoveFile(PathOf(name));
    }
    return status;
  }

  Status RemoveLog(const std::string& path) {
    Status status = file_system_->RemoveFile(path);
    if (status.ok()) ++report_.removed_logs;
    return status;
  }

  FileSystem* const file_system_;
  const std::string directory_;
  const RecoveryMode mode_;
  MemTable* const memtable_;
  Manifest named_;
  WalPosition position_{1};
  uint64_t base_ = 0;           // number of the snapshot that was read; 0: none
  std::vector<File> logs_;      // up to the one in which the records end
  std::vector<File> blank_;     // those that hold nothing
  std::vector<File> given_up_;  // those behind the end, and damaged snapshots
  std::vector<RecoveryGap> gaps_;
  bool ended_ = false;         // the last log that was read did not end clean
  bool cut_reported_ = false;  // gaps_ says where point_in_time ends
  std::string lost_snapshot_;  // the newest, with point_in_time
  bool snapshot_missing_ = false;
  bool skipped_ = false;
  RecoveryReport report_;
};

}  // namespace bellwether
