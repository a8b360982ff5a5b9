// The file system as the log and the store see it: the seam at which faults are injected.
//
// Protocol: a file is created once, only ever appended to, synced, and closed; a log becomes
// visible by Append, durable by Sync, and its name durable by SyncDirectory of the directory that
// holds it. Invariants: an operation that returns OK did the whole of what was asked (short writes
// and EINTR are completed inside); Sync and SyncDirectory are never retried, because the kernel may
// have marked the pages clean when it reported the error. Errors: a Status with the file, the
// offset and the errno; no exception leaves an operation. Thread safety: a FileSystem may be used
// by many threads; a WritableFile by one at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "bellwether/write_path/status.h"

namespace bellwether {

class WritableFile {
 public:
  WritableFile() = default;
  WritableFile(const WritableFile&) = delete;
  WritableFile& operator=(const WritableFile&) = delete;
  // Closes without syncing; an error is lost, so call Close where it matters.
  virtual ~WritableFile() = default;

  // On failure a prefix of `data` may stand in the file; size() counts the part known to.
  virtual Status Append(std::string_view data) = 0;

  // fdatasync. After a failure the state of the file on the disk is unknown for good.
  virtual Status Sync() = 0;

  // Idempotent. REQUIRES: no Append or Sync afterwards (they fail).
  virtual Status Close() = 0;

  virtual uint64_t size() const = 0;
  virtual const std::string& path() const = 0;
};

// Held until destroyed.
class FileLock {
 public:
  FileLock() = default;
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;
  virtual ~FileLock() = default;
};

class FileSystem {
 public:
  FileSystem() = default;
  FileSystem(const FileSystem&) = delete;
  FileSystem& operator=(const FileSystem&) = delete;
  virtual ~FileSystem() = default;

  // Creates `path`, which must not exist (EEXIST).
  virtual Status NewWritableFile(const std::string& path, std::unique_ptr<WritableFile>* file) = 0;

  // … and writes `size` zeros, so that appending within them does not change what a sync of the
  // file has to carry. Neither size() nor Append counts them; Close cuts off those that are left,
  // durably. Behind a crash they end the file, so a log in it wants durable watermarks.
  virtual Status NewPreallocatedFile(const std::string& path, uint64_t size,
                                     std::unique_ptr<WritableFile>* file) {
    (void)size;
    (void)file;
    return Status::InvalidArgument("this file system does not preallocate " + path);
  }

  // The whole file. `contents` is untouched on failure.
  virtual Status ReadFile(const std::string& path, std::string* contents) = 0;

  // OK with *exists == false if there is no such file; an error if that cannot be told.
  virtual Status FileExists(const std::string& path, bool* exists) = 0;

  // Names in `directory`, sorted, without "." and "..".
  virtual Status ListDirectory(const std::string& directory, std::vector<std::string>* names) = 0;

  // OK if `directory` already is one. The name is durable only after SyncDirectory of its parent.
  virtual Status CreateDirectory(const std::string& directory) = 0;

  // Makes durable which names stand in `directory`.
  virtual Status SyncDirectory(const std::string& directory) = 0;

  // Makes contents and size of an existing file durable, as they read now. That takes more than an
  // fsync: after one that failed the kernel takes pages for clean that are not on the disk.
  virtual Status SyncFile(const std::string& path) = 0;

  // Cuts `path` to `size` bytes. Durable only after SyncFile.
  virtual Status Truncate(const std::string& path, uint64_t size) = 0;

  virtual Status RemoveFile(const std::string& path) = 0;

  // Atomic; replaces `to`. Durable only after SyncDirectory.
  virtual Status RenameFile(const std::string& from, const std::string& to) = 0;

  // Creates `path` if need be and locks it against every other holder, in this process or another:
  // Busy, naming the file, if there is one.
  virtual Status LockFile(const std::string& path, std::unique_ptr<FileLock>* lock) = 0;
};

}  // namespace bellwether
