// A file system that forgets one duty, over another that does them all.
//
// Each mutant stands for one line that a store could have left out. The crash check has to kill
// every one of them, and to pass the same seeds without. Thread safety: as the file system below.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bellwether/store/store_files.h"
#include "stress/simulated_file_system.h"

namespace bellwether::stress {

enum class Mutant : uint8_t {
  kNoFdatasync,          // a write is acknowledged before the log is synced
  kFdatasyncRetried,     // a failed sync is tried again, and believed
  kNoDirectoryFsync,     // the name of a new log is not made durable
  kNoParentFsync,        // nor that of the store's directory
  kNoRecoveredLogFsync,  // a recovered log is not made durable before the next is begun
  kRecoveredLogTrusted,  // it is synced, but not written again: a sync that failed before is hidden
  kEmptyLogTrusted,      // one that reads as empty is not synced: it may have been cut to that
  kNoTruncate,           // a torn tail is left in the log
  kShortWriteIgnored,    // an append that took only a part counts as whole
  kNoRotatedLogFsync,    // a checkpoint goes on in a new log without making the old one durable
  kNoSnapshotFsync,      // … gives its snapshot a name before that is durable
  kNoRenameFsync,        // … removes logs before the name of what covers them is durable
  kNoRecoveryFsync,      // … and so does an Open
  kRenameBeforeFsync,    // a snapshot gets its name first, and is made durable then
  kLogsRemovedEarly,     // a checkpoint removes what its snapshot covers before that is written
  // The memtable's (faulty_memtable.h): an insert that took only a part counts as whole.
  kMemTableErrorSwallowed,
};

struct MutantName {
  Mutant mutant;
  std::string_view name;
};

inline constexpr std::array<MutantName, 16> kMutants{{
    {Mutant::kNoFdatasync, "no_fdatasync"},
    {Mutant::kFdatasyncRetried, "fdatasync_retried"},
    {Mutant::kNoDirectoryFsync, "no_directory_fsync"},
    {Mutant::kNoParentFsync, "no_parent_fsync"},
    {Mutant::kNoRecoveredLogFsync, "no_recovered_log_fsync"},
    {Mutant::kRecoveredLogTrusted, "recovered_log_trusted"},
    {Mutant::kEmptyLogTrusted, "empty_log_trusted"},
    {Mutant::kNoTruncate, "no_truncate"},
    {Mutant::kShortWriteIgnored, "short_write_ignored"},
    {Mutant::kNoRotatedLogFsync, "no_rotated_log_fsync"},
    {Mutant::kNoSnapshotFsync, "no_snapshot_fsync"},
    {Mutant::kNoRenameFsync, "no_rename_fsync"},
    {Mutant::kNoRecoveryFsync, "no_recovery_directory_fsync"},
    {Mutant::kRenameBeforeFsync, "rename_before_fsync"},
    {Mutant::kLogsRemovedEarly, "logs_removed_early"},
    {Mutant::kMemTableErrorSwallowed, "memtable_error_swallowed"},
}};

class MutantFileSystem final : public FileSystem {
 public:
  // `directory` is that of the store. Without a mutant it forgets nothing.
  MutantFileSystem(SimulatedFileSystem* below, std::string directory, std::optional<Mutant> mutant)
      : below_(below), directory_(std::move(directory)), mutant_(mutant) {}

  Status NewWritableFile(const std::string& path, std::unique_ptr<WritableFile>* file) override {
    std::unique_ptr<WritableFile> made;
    return Created(path, below_->NewWritableFile(path, &made), &made, file);
  }
  Status NewPreallocatedFile(const std::string& path, uint64_t size,
                             std::unique_ptr<WritableFile>* file) override {
    std::unique_ptr<WritableFile> made;
    return Created(path, below_->NewPreallocatedFile(path, size, &made), &made, file);
  }
  Status ReadFile(const std::string& path, std::string* contents) override {
    return below_->ReadFile(path, contents);
  }
  Status FileExists(const std::string& path, bool* exists) override {
    return below_->FileExists(path, exists);
  }
  Status ListDirectory(const std::string& directory, std::vector<std::string>* names) override {
    return below_->ListDirectory(directory, names);
  }
  Status CreateDirectory(const std::string& directory) override {
    return below_->CreateDirectory(directory);
  }
  Status SyncDirectory(const std::string& directory) override {
    const bool own = directory == directory_;
    const bool forgotten = Is(own ? Mutant::kNoDirectoryFsync : Mutant::kNoParentFsync) ||
                           (Is(Mutant::kNoRecoveryFsync) && own && recovering_) ||
                           (Is(Mutant::kNoRenameFsync) && own && renamed_.exchange(false));
    return forgotten ? Status::OK() : below_->SyncDirectory(directory);
  }
  Status SyncFile(const std::string& path) override {
    std::string contents;
    const bool forgotten = Is(Mutant::kNoRecoveredLogFsync) ||
                           (Is(Mutant::kEmptyLogTrusted) &&
                            below_->ReadFile(path, &contents).ok() && contents.empty());
    if (forgotten) return Status::OK();
    return Is(Mutant::kRecoveredLogTrusted) ? below_->FsyncOnly(path) : below_->SyncFile(path);
  }
  Status Truncate(const std::string& path, uint64_t size) override {
    return Is(Mutant::kNoTruncate) ? Status::OK() : below_->Truncate(path, size);
  }
  Status RemoveFile(const std::string& path) override { return below_->RemoveFile(path); }
  Status RenameFile(const std::string& from, const std::string& to) override {
    const bool snapshot = from.ends_with(kUnfinishedSuffix);
    if (snapshot) renamed_ = true;
    if (snapshot && Is(Mutant::kRenameBeforeFsync)) return Status::OK();
    return below_->RenameFile(from, to);
  }
  Status LockFile(const std::string& path, std::unique_ptr<FileLock>* lock) override {
    recovering_ = true;
    return below_->LockFile(path, lock);
  }

 private:
  class File final : public WritableFile {
   public:
    File(MutantFileSystem* file_system, std::unique_ptr<WritableFile> below, uint64_t number)
        : file_system_(file_system), below_(std::move(below)), number_(number) {}

    Status Append(std::string_view data) override {
      Status status = below_->Append(data);
      return file_system_->Is(Mutant::kShortWriteIgnored) ? Status::OK() : status;
    }
    Status Sync() override {
      if (file_system_->Is(Mutant::kNoFdatasync)) return Status::OK();
      // Of a log behind which another was begun: that is a rotation.
      const bool rotated = number_ != 0 && number_ != file_system_->newest_log_;
      if (file_system_->Is(Mutant::kNoRotatedLogFsync) && rotated) return Status::OK();
      if (file_system_->Is(Mutant::kNoSnapshotFsync) && path().ends_with(kUnfinishedSuffix)) {
        return Status::OK();
      }
      if (file_system_->Is(Mutant::kRenameBeforeFsync) && path().ends_with(kUnfinishedSuffix)) {
        Status renamed = file_system_->NameSnapshot(path());
        if (!renamed.ok()) return renamed;
      }
      Status status = below_->Sync();
      const bool again = !status.ok() && file_system_->Is(Mutant::kFdatasyncRetried);
      return again ? below_->Sync() : status;
    }
    Status Close() override { return below_->Close(); }
    uint64_t size() const override { return below_->size(); }
    const std::string& path() const override { return below_->path(); }

   private:
    MutantFileSystem* const file_system_;
    const std::unique_ptr<WritableFile> below_;
    const uint64_t number_;  // of a log; 0: something else
  };

  Status Created(const std::string& path, Status status, std::unique_ptr<WritableFile>* made,
                 std::unique_ptr<WritableFile>* file) {
    recovering_ = false;
    uint64_t number = 0;
    if (!ParseLogName(path.substr(path.rfind('/') + 1), &number)) number = 0;
    if (!status.ok()) return status;
    if (number != 0) newest_log_ = number;
    if (Is(Mutant::kLogsRemovedEarly) && path.ends_with(kUnfinishedSuffix)) RemoveOldLogs();
    *file = std::make_unique<File>(this, std::move(*made), number);
    return status;
  }

  Status NameSnapshot(const std::string& unfinished) {
    const size_t stem = unfinished.size() - kUnfinishedSuffix.size();
    return below_->RenameFile(unfinished, unfinished.substr(0, stem).append(kSnapshotSuffix));
  }

  void RemoveOldLogs() {
    StoreFiles files;
    (void)FindFiles(below_, directory_, &files);
    for (const uint64_t log : files.logs) {
      if (log < newest_log_) (void)below_->RemoveFile(directory_ + "/" + LogName(log));
    }
  }

  bool Is(Mutant mutant) const { return mutant_ == mutant; }

  SimulatedFileSystem* const below_;
  const std::string directory_;
  const std::optional<Mutant> mutant_;
  std::atomic<bool> recovering_{false};  // the store is locked, and its log not begun
  std::atomic<bool> renamed_{false};     // … since the directory was synced
  std::atomic<uint64_t> newest_log_{0};
};

}  // namespace bellwether::stress
