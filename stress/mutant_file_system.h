// A file system that forgets one duty, over another that does them all.
//
// Each mutant stands for one line that a store could have left out. The crash check has to kill
// every one of them, and to pass the same seeds without. Thread safety: as the file system below.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "stress/simulated_file_system.h"

namespace bellwether::stress {

enum class Mutant : uint8_t {
  kNoFdatasync,          // a write is acknowledged before the log is synced
  kFdatasyncRetried,     // a failed sync is tried again, and believed
  kNoDirectoryFsync,     // the name of a new log is not made durable
  kNoParentFsync,        // nor that of the store's directory
  kNoRecoveredLogFsync,  // a recovered log is not made durable before the next is begun
  kRecoveredLogTrusted,  // it is synced, but not written again: a sync that failed before is hidden
  kNoTruncate,           // a torn tail is left in the log
  kShortWriteIgnored,    // an append that took only a part counts as whole
};

struct MutantName {
  Mutant mutant;
  std::string_view name;
};

inline constexpr std::array<MutantName, 8> kMutants{{
    {Mutant::kNoFdatasync, "no_fdatasync"},
    {Mutant::kFdatasyncRetried, "fdatasync_retried"},
    {Mutant::kNoDirectoryFsync, "no_directory_fsync"},
    {Mutant::kNoParentFsync, "no_parent_fsync"},
    {Mutant::kNoRecoveredLogFsync, "no_recovered_log_fsync"},
    {Mutant::kRecoveredLogTrusted, "recovered_log_trusted"},
    {Mutant::kNoTruncate, "no_truncate"},
    {Mutant::kShortWriteIgnored, "short_write_ignored"},
}};

class MutantFileSystem final : public FileSystem {
 public:
  // `directory` is that of the store. Without a mutant it forgets nothing.
  MutantFileSystem(SimulatedFileSystem* below, std::string directory, std::optional<Mutant> mutant)
      : below_(below), directory_(std::move(directory)), mutant_(mutant) {}

  Status NewWritableFile(const std::string& path, std::unique_ptr<WritableFile>* file) override {
    std::unique_ptr<WritableFile> made;
    Status status = below_->NewWritableFile(path, &made);
    if (status.ok()) *file = std::make_unique<File>(this, std::move(made));
    return status;
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
    const Mutant skipping =
        directory == directory_ ? Mutant::kNoDirectoryFsync : Mutant::kNoParentFsync;
    return Is(skipping) ? Status::OK() : below_->SyncDirectory(directory);
  }
  Status SyncFile(const std::string& path) override {
    if (Is(Mutant::kNoRecoveredLogFsync)) return Status::OK();
    return Is(Mutant::kRecoveredLogTrusted) ? below_->FsyncOnly(path) : below_->SyncFile(path);
  }
  Status Truncate(const std::string& path, uint64_t size) override {
    return Is(Mutant::kNoTruncate) ? Status::OK() : below_->Truncate(path, size);
  }
  Status RemoveFile(const std::string& path) override { return below_->RemoveFile(path); }
  Status RenameFile(const std::string& from, const std::string& to) override {
    return below_->RenameFile(from, to);
  }
  Status LockFile(const std::string& path, std::unique_ptr<FileLock>* lock) override {
    return below_->LockFile(path, lock);
  }

 private:
  class File final : public WritableFile {
   public:
    File(const MutantFileSystem* file_system, std::unique_ptr<WritableFile> below)
        : file_system_(file_system), below_(std::move(below)) {}

    Status Append(std::string_view data) override {
      Status status = below_->Append(data);
      return file_system_->Is(Mutant::kShortWriteIgnored) ? Status::OK() : status;
    }
    Status Sync() override {
      if (file_system_->Is(Mutant::kNoFdatasync)) return Status::OK();
      Status status = below_->Sync();
      const bool again = !status.ok() && file_system_->Is(Mutant::kFdatasyncRetried);
      return again ? below_->Sync() : status;
    }
    Status Close() override { return below_->Close(); }
    uint64_t size() const override { return below_->size(); }
    const std::string& path() const override { return below_->path(); }

   private:
    const MutantFileSystem* const file_system_;
    const std::unique_ptr<WritableFile> below_;
  };

  bool Is(Mutant mutant) const { return mutant_ == mutant; }

  SimulatedFileSystem* const below_;
  const std::string directory_;
  const std::optional<Mutant> mutant_;
};

}  // namespace bellwether::stress
