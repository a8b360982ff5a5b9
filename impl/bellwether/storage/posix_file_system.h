// FileSystem on POSIX calls.
//
// Invariants: EINTR and short writes are completed; fdatasync and fsync are called once per
// request; descriptors do not survive exec. The lock is flock(2), which belongs to the open file,
// so that it also excludes a second holder in the same process, and dies with the process. Thread
// safety: as FileSystem.
#pragma once

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bellwether/storage/file_system.h"

namespace bellwether {

// Owns a descriptor.
class PosixDescriptor {
 public:
  explicit PosixDescriptor(int fd) : fd_(fd) {}
  PosixDescriptor(PosixDescriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  PosixDescriptor& operator=(PosixDescriptor&&) = delete;
  ~PosixDescriptor() { (void)Close(); }

  static PosixDescriptor Open(const std::string& path, int flags) {
    constexpr mode_t kMode = 0644;
    int fd = -1;
    do {
      fd = ::open(path.c_str(), flags | O_CLOEXEC, kMode);
    } while (fd < 0 && errno == EINTR);
    return PosixDescriptor(fd);
  }

  bool valid() const { return fd_ >= 0; }
  int get() const { return fd_; }

  // 0 or -1 with errno. EINTR is no failure: Linux has released the descriptor by then.
  int Close() {
    if (fd_ < 0) return 0;
    const int result = ::close(std::exchange(fd_, -1));
    return result < 0 && errno == EINTR ? 0 : result;
  }

 private:
  int fd_;
};

class PosixWritableFile : public WritableFile {
 public:
  PosixWritableFile(std::string path, PosixDescriptor descriptor)
      : path_(std::move(path)), descriptor_(std::move(descriptor)) {}

  Status Append(std::string_view data) override {
    while (!data.empty()) {
      const ssize_t written = ::write(descriptor_.get(), data.data(), data.size());
      if (written < 0 && errno == EINTR) continue;
      // A write that takes nothing and names no error would loop for ever.
      if (written <= 0) return Status::IOError("write", path_, size_, written < 0 ? errno : EIO);
      size_ += static_cast<uint64_t>(written);
      data.remove_prefix(static_cast<size_t>(written));
    }
    return Status::OK();
  }

  Status Sync() override {
    if (::fdatasync(descriptor_.get()) == 0) return Status::OK();
    return Status::IOError("fdatasync", path_, size_, errno);
  }

  Status Close() override {
    if (descriptor_.Close() == 0) return Status::OK();
    return Status::IOError("close", path_, size_, errno);
  }

  uint64_t size() const override { return size_; }
  const std::string& path() const override { return path_; }

 protected:
  const std::string path_;
  PosixDescriptor descriptor_;
  uint64_t size_ = 0;
};

// Appends over zeros that were written beforehand.
class PosixPreallocatedFile final : public PosixWritableFile {
 public:
  using PosixWritableFile::PosixWritableFile;

  Status FillWithZeros(uint64_t size) {
    const std::string zeros(kPieceSize, '\0');
    Status status;
    while (status.ok() && size_ < size) {
      status = Append(std::string_view(zeros).substr(
          0, static_cast<size_t>(std::min<uint64_t>(kPieceSize, size - size_))));
    }
    size_ = 0;
    if (status.ok() && ::lseek(descriptor_.get(), 0, SEEK_SET) != 0) {
      return Status::IOError("seek", path_, 0, errno);
    }
    return status;
  }

  Status Close() override {
    if (!descriptor_.valid()) return Status::OK();
    int result = 0;
    do {
      result = ::ftruncate(descriptor_.get(), static_cast<off_t>(size_));
    } while (result != 0 && errno == EINTR);
    if (result != 0) return Status::IOError("truncate", path_, size_, errno);
    // A log behind this one must not find zeros at its end.
    if (::fsync(descriptor_.get()) != 0) return Status::IOError("fsync", path_, size_, errno);
    return PosixWritableFile::Close();
  }

 private:
  static constexpr size_t kPieceSize = size_t{1} << 20;
};

class PosixFileLock final : public FileLock {
 public:
  explicit PosixFileLock(PosixDescriptor descriptor) : descriptor_(std::move(descriptor)) {}

 private:
  PosixDescriptor descriptor_;
};

class PosixFileSystem final : public FileSystem {
 public:
  // Lives as long as the process.
  static FileSystem* Default() {
    static PosixFileSystem file_system;
    return &file_system;
  }

  Status NewWritableFile(const std::string& path, std::unique_ptr<WritableFile>* file) override {
    return WithoutExceptions(path, [&] {
      PosixDescriptor descriptor =
          PosixDescriptor::Open(path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND);
      if (!descriptor.valid()) return Status::IOError("create", path, 0, errno);
      *file = std::make_unique<PosixWritableFile>(path, std::move(descriptor));
      return Status::OK();
    });
  }

  Status NewPreallocatedFile(const std::string& path, uint64_t size,
                             std::unique_ptr<WritableFile>* file) override {
    return WithoutExceptions(path, [&] {
      PosixDescriptor descriptor = PosixDescriptor::Open(path, O_WRONLY | O_CREAT | O_EXCL);
      if (!descriptor.valid()) return Status::IOError("create", path, 0, errno);
      auto created = std::make_unique<PosixPreallocatedFile>(path, std::move(descriptor));
      Status status = created->FillWithZeros(size);
      if (status.ok()) {
        *file = std::move(created);
      } else {
        (void)::unlink(path.c_str());
      }
      return status;
    });
  }

  Status ReadFile(const std::string& path, std::string* contents) override {
    return WithoutExceptions(path, [&] {
      const PosixDescriptor descriptor = PosixDescriptor::Open(path, O_RDONLY);
      struct stat info {};
      if (!descriptor.valid() || ::fstat(descriptor.get(), &info) != 0) {
        return Status::IOError("open for reading", path, 0, errno);
      }
      std::string read;
      // One byte more than the size, so that a file read whole is seen to end without growing.
      read.resize(static_cast<size_t>(std::max<off_t>(info.st_size, 0)) + 1);
      size_t size = 0;
      for (;;) {
        const ssize_t n = ::read(descriptor.get(), read.data() + size, read.size() - size);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return Status::IOError("read", path, size, errno);
        if (n == 0) break;
        size += static_cast<size_t>(n);
        if (size == read.size()) read.resize(2 * read.size());
      }
      read.resize(size);
      *contents = std::move(read);
      return Status::OK();
    });
  }

  Status FileExists(const std::string& path, bool* exists) override {
    struct stat info {};
    *exists = ::stat(path.c_str(), &info) == 0;
    if (*exists || errno == ENOENT || errno == ENOTDIR) return Status::OK();
    return Status::IOError("stat", path, 0, errno);
  }

  Status ListDirectory(const std::string& directory, std::vector<std::string>* names) override {
    return WithoutExceptions(directory, [&] {
      const std::unique_ptr<DIR, int (*)(DIR*)> stream(::opendir(directory.c_str()), &::closedir);
      if (stream == nullptr) return Status::IOError("open directory", directory, 0, errno);
      std::vector<std::string> found;
      errno = 0;
      while (const dirent* entry = ::readdir(stream.get())) {
        const std::string_view name = entry->d_name;
        if (name != "." && name != "..") found.emplace_back(name);
        errno = 0;
      }
      if (errno != 0) return Status::IOError("read directory", directory, 0, errno);
      std::sort(found.begin(), found.end());
      *names = std::move(found);
      return Status::OK();
    });
  }

  Status CreateDirectory(const std::string& directory) override {
    constexpr mode_t kMode = 0755;
    if (::mkdir(directory.c_str(), kMode) == 0) return Status::OK();
    const int error = errno;
    struct stat info {};
    const bool is_directory = ::stat(directory.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
    if (error == EEXIST && is_directory) return Status::OK();
    return Status::IOError("create directory", directory, 0, error);
  }

  Status SyncDirectory(const std::string& directory) override {
    return OpenAndSync("fsync of directory", directory, O_RDONLY | O_DIRECTORY);
  }

  // Writes the file over itself first: where an fsync has failed, in this process or in one before
  // it, the kernel takes pages for clean that are not on the disk, and another fsync would pass
  // over them. fsync, not fdatasync: whether the latter carries a size that shrank differs between
  // file systems.
  Status SyncFile(const std::string& path) override {
    return WithoutExceptions(path, [&] {
      const PosixDescriptor descriptor = PosixDescriptor::Open(path, O_RDWR);
      if (!descriptor.valid()) return Status::IOError("open to sync", path, 0, errno);
      Status status = WriteOverItself(descriptor.get(), path);
      if (!status.ok() || ::fsync(descriptor.get()) == 0) return status;
      return Status::IOError("fsync", path, 0, errno);
    });
  }

  Status Truncate(const std::string& path, uint64_t size) override {
    int result = 0;
    do {
      result = ::truncate(path.c_str(), static_cast<off_t>(size));
    } while (result != 0 && errno == EINTR);
    return result == 0 ? Status::OK() : Status::IOError("truncate", path, size, errno);
  }

  Status RemoveFile(const std::string& path) override {
    return ::unlink(path.c_str()) == 0 ? Status::OK() : Status::IOError("remove", path, 0, errno);
  }

  Status RenameFile(const std::string& from, const std::string& to) override {
    if (std::rename(from.c_str(), to.c_str()) == 0) return Status::OK();
    return Status::IOError("rename", from, 0, errno);
  }

  Status LockFile(const std::string& path, std::unique_ptr<FileLock>* lock) override {
    return WithoutExceptions(path, [&] {
      PosixDescriptor descriptor = PosixDescriptor::Open(path, O_RDWR | O_CREAT);
      if (!descriptor.valid()) return Status::IOError("open lock", path, 0, errno);
      int result = 0;
      do {
        result = ::flock(descriptor.get(), LOCK_EX | LOCK_NB);
      } while (result != 0 && errno == EINTR);
      if (result != 0 && errno == EWOULDBLOCK) {
        return Status::Busy("locked by " + LockHolder(descriptor.get()), path);
      }
      if (result != 0) return Status::IOError("lock", path, 0, errno);
      NameLockHolder(descriptor.get());
      *lock = std::make_unique<PosixFileLock>(std::move(descriptor));
      return Status::OK();
    });
  }

 private:
  template <class Operation>
  static Status WithoutExceptions(const std::string& path, const Operation& operation) {
    try {
      return operation();
    } catch (const std::bad_alloc&) {
      return OutOfMemory(path);
    } catch (const std::length_error&) {
      return OutOfMemory(path);
    }
  }

  static Status OutOfMemory(const std::string& path) {
    return Status::IOError("no memory to work on it", path, 0, ENOMEM)
        .With(Status::Code::kOutOfMemory);
  }

  static Status WriteOverItself(int fd, const std::string& path) {
    std::string piece(size_t{1} << 20, '\0');
    off_t offset = 0;
    for (;;) {
      const ssize_t size = ::pread(fd, piece.data(), piece.size(), offset);
      if (size < 0 && errno == EINTR) continue;
      if (size < 0) return Status::IOError("read", path, static_cast<uint64_t>(offset), errno);
      if (size == 0) return Status::OK();
      const ssize_t written = ::pwrite(fd, piece.data(), static_cast<size_t>(size), offset);
      if (written < 0 && errno == EINTR) continue;
      // A write that takes nothing and names no error would loop for ever.
      if (written <= 0) {
        const int error = written < 0 ? errno : EIO;
        return Status::IOError("write", path, static_cast<uint64_t>(offset), error);
      }
      offset += written;
    }
  }

  static Status OpenAndSync(std::string_view what, const std::string& path, int flags) {
    const PosixDescriptor descriptor = PosixDescriptor::Open(path, flags);
    if (descriptor.valid() && ::fsync(descriptor.get()) == 0) return Status::OK();
    return Status::IOError(what, path, 0, errno);
  }

  // The process id in the lock file only helps whoever reads the message, so a full disk is no
  // error.
  static void NameLockHolder(int fd) {
    const std::string pid = std::to_string(::getpid()) + "\n";
    if (::ftruncate(fd, 0) == 0) (void)!::pwrite(fd, pid.data(), pid.size(), 0);
  }

  static std::string LockHolder(int fd) {
    char text[32];
    const ssize_t size = ::pread(fd, text, sizeof(text), 0);
    const std::string_view found(text, size > 0 ? static_cast<size_t>(size) : 0);
    const size_t end = found.find_first_not_of("0123456789");
    if (end == 0 || found.empty()) return "another holder";
    return "process " + std::string(found.substr(0, end));
  }
};

}  // namespace bellwether
