// The system calls that PosixFileSystem makes: each that makes something durable is made, once, and
// an error of any reaches the caller. No disk would fail here, so the calls are taken over: this
// executable defines them, records them, and lets one fail on request.
#include <dirent.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "bellwether/storage/posix_file_system.h"
#include "bellwether/store/store.h"

namespace {

struct Calls {
  bool recorded = false;
  std::vector<std::string> made = {};
  uint64_t written_in_place = 0;
  std::string fails = {};  // the next of this name, with this error; 0: a write that takes nothing
  int error = 0;
  bool halves_writes_in_place = false;
} calls;

// What `call` returns, unless it has to fail.
template <class Call>
auto Intercept(const char* name, const Call& call) -> decltype(call()) {
  if (!calls.recorded) return call();
  calls.made.emplace_back(name);
  if (calls.fails != name) return call();
  calls.fails.clear();
  errno = calls.error;
  return calls.error == 0 ? 0 : -1;
}

int System(long result) { return static_cast<int>(result); }

}  // namespace

extern "C" {

int open(const char* path, int flags, ...) {
  constexpr mode_t kMode = 0644;
  return Intercept("open",
                   [&] { return System(syscall(SYS_openat, AT_FDCWD, path, flags, kMode)); });
}
int close(int fd) {
  return Intercept("close", [&] { return System(syscall(SYS_close, fd)); });
}
ssize_t write(int fd, const void* data, size_t size) {
  return Intercept("write", [&] { return ssize_t{syscall(SYS_write, fd, data, size)}; });
}
ssize_t pwrite(int fd, const void* data, size_t size, off_t offset) {
  return Intercept("pwrite", [&] {
    const size_t taken = calls.halves_writes_in_place ? (size + 1) / 2 : size;
    const ssize_t result = syscall(SYS_pwrite64, fd, data, taken, offset);
    if (result > 0) calls.written_in_place += static_cast<uint64_t>(result);
    return result;
  });
}
int fsync(int fd) {
  return Intercept("fsync", [&] { return System(syscall(SYS_fsync, fd)); });
}
int fdatasync(int fd) {
  return Intercept("fdatasync", [&] { return System(syscall(SYS_fdatasync, fd)); });
}
int ftruncate(int fd, off_t size) noexcept {
  return Intercept("ftruncate", [&] { return System(syscall(SYS_ftruncate, fd, size)); });
}
int truncate(const char* path, off_t size) noexcept {
  return Intercept("truncate", [&] { return System(syscall(SYS_truncate, path, size)); });
}

}  // extern "C"

namespace bellwether {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class PosixCallsTest : public ::testing::Test {
 protected:
  PosixCallsTest() {
    std::string pattern = ::testing::TempDir() + "bellwether_XXXXXX";
    EXPECT_NE(::mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
    path_ = directory_ + "/file";
  }
  ~PosixCallsTest() override {
    (void)fs_->RemoveFile(path_);
    EXPECT_EQ(::rmdir(directory_.c_str()), 0);
  }

  // What `operation` comes to if the first call of this name fails.
  Status WithFailing(const char* call, int error, const std::function<Status()>& operation) {
    calls = {.recorded = true, .fails = call, .error = error};
    Status status = operation();
    calls.recorded = false;
    EXPECT_TRUE(calls.fails.empty()) << call << " was never called";
    if (!status.ok()) {
      EXPECT_EQ(status.code(), Status::Code::kIOError);
      EXPECT_EQ(status.error_number(), error) << status.ToString();
      EXPECT_THAT(std::string(status.file()), HasSubstr(directory_));
    }
    return status;
  }

  // The calls among `names` that `operation` makes.
  std::vector<std::string> Made(const std::vector<std::string>& names,
                                const std::function<Status()>& operation) {
    calls = {.recorded = true};
    const Status status = operation();
    calls.recorded = false;
    EXPECT_TRUE(status.ok()) << status.ToString();
    std::vector<std::string> made = {};
    for (const std::string& call : calls.made) {
      if (std::find(names.begin(), names.end(), call) != names.end()) made.push_back(call);
    }
    return made;
  }

  std::unique_ptr<WritableFile> Create(uint64_t preallocated = 0) {
    (void)fs_->RemoveFile(path_);
    std::unique_ptr<WritableFile> file;
    const Status status = preallocated == 0 ? fs_->NewWritableFile(path_, &file)
                                            : fs_->NewPreallocatedFile(path_, preallocated, &file);
    EXPECT_TRUE(status.ok()) << status.ToString();
    EXPECT_TRUE(file->Append("contents").ok());
    return file;
  }

  // The descriptors of this process that lie in the directory.
  std::vector<int> Descriptors() const {
    std::vector<int> found;
    for (int fd = 0; fd < 256; ++fd) {
      char target[512];
      const std::string link = "/proc/self/fd/" + std::to_string(fd);
      const ssize_t size = ::readlink(link.c_str(), target, sizeof(target));
      if (size > 0 && std::string(target, static_cast<size_t>(size)).starts_with(directory_)) {
        found.push_back(fd);
      }
    }
    return found;
  }

  FileSystem* const fs_ = PosixFileSystem::Default();
  std::string directory_;
  std::string path_;
};

const std::vector<std::string> kDurable{"fdatasync", "fsync", "ftruncate", "truncate", "close"};

TEST_F(PosixCallsTest, SyncIsOneCallAndIsNeverRetried) {
  const auto file = Create();
  const auto sync = [&] { return file->Sync(); };
  EXPECT_THAT(Made(kDurable, sync), ElementsAre("fdatasync"));
  for (const int error : {EIO, EINTR}) {
    EXPECT_FALSE(WithFailing("fdatasync", error, sync).ok());
    EXPECT_THAT(calls.made, ElementsAre("fdatasync"));
  }
}

TEST_F(PosixCallsTest, AWriteThatTakesNothingIsAnError) {
  const auto file = Create();
  calls = {.recorded = true, .fails = "write", .error = 0};
  EXPECT_EQ(file->Append("more").error_number(), EIO);
  calls.recorded = false;
  EXPECT_TRUE(WithFailing("write", EINTR, [&] { return file->Append("more"); }).ok());
  EXPECT_FALSE(WithFailing("write", ENOSPC, [&] { return file->Append("more"); }).ok());
}

TEST_F(PosixCallsTest, CloseSaysWhatFails) {
  EXPECT_FALSE(WithFailing("close", EIO, [&] { return Create()->Close(); }).ok());
  EXPECT_TRUE(WithFailing("close", EINTR, [&] { return Create()->Close(); }).ok());
}

TEST_F(PosixCallsTest, APreallocatedFileIsCutDurablyWhenItIsClosed) {
  for (const char* call : {"ftruncate", "fsync", "close"}) {
    const auto file = Create(10000);
    EXPECT_FALSE(WithFailing(call, EIO, [&] { return file->Close(); }).ok()) << call;
  }
  const auto file = Create(10000);
  const auto close = [&] { return file->Close(); };
  EXPECT_TRUE(WithFailing("ftruncate", EINTR, close).ok());
  EXPECT_THAT(calls.made, ElementsAre("ftruncate", "ftruncate", "fsync", "close"));
  EXPECT_TRUE(Made(kDurable, close).empty()) << "closed already";
}

TEST_F(PosixCallsTest, AStoreSaysThatItsLogCouldNotBeCut) {
  const std::string directory = directory_ + "/store";
  std::unique_ptr<Store> store;
  ASSERT_TRUE(Store::Open({.preallocate_log_bytes = 10000}, directory, &store).ok());
  EXPECT_FALSE(WithFailing("ftruncate", EIO, [&] { return store->Close(); }).ok());
  store.reset();
  std::vector<std::string> names;
  ASSERT_TRUE(fs_->ListDirectory(directory, &names).ok());
  for (const std::string& name : names) {
    EXPECT_TRUE(fs_->RemoveFile(directory + "/" + name).ok());
  }
  EXPECT_EQ(::rmdir(directory.c_str()), 0);
}

TEST_F(PosixCallsTest, WhatCouldNotBePreallocatedIsRemoved) {
  std::unique_ptr<WritableFile> file;
  const auto create = [&] { return fs_->NewPreallocatedFile(path_, 10000, &file); };
  EXPECT_FALSE(WithFailing("write", ENOSPC, create).ok());
  bool exists = true;
  EXPECT_TRUE(fs_->FileExists(path_, &exists).ok());
  EXPECT_FALSE(exists);
  EXPECT_TRUE(create().ok());
}

TEST_F(PosixCallsTest, ADirectoryIsSynced) {
  const auto sync = [&] { return fs_->SyncDirectory(directory_); };
  EXPECT_THAT(Made(kDurable, sync), ElementsAre("fsync", "close"));
  EXPECT_FALSE(WithFailing("fsync", EIO, sync).ok());
  EXPECT_FALSE(WithFailing("open", EMFILE, sync).ok());
  (void)Create();
  EXPECT_EQ(fs_->SyncDirectory(path_).error_number(), ENOTDIR);
}

TEST_F(PosixCallsTest, AFileIsWrittenOverItselfAndSynced) {
  std::string contents;
  for (int i = 0; contents.size() < (size_t{5} << 19); ++i) contents += std::to_string(i);
  ASSERT_TRUE(Create()->Append(contents).ok());
  contents.insert(0, "contents");
  const auto sync = [&] { return fs_->SyncFile(path_); };
  for (const bool halves : {false, true}) {
    calls = {.recorded = true, .halves_writes_in_place = halves};
    EXPECT_TRUE(sync().ok());
    calls.recorded = false;
    EXPECT_GE(calls.written_in_place, contents.size());
    EXPECT_EQ(std::count(calls.made.begin(), calls.made.end(), "fsync"), 1);
    EXPECT_EQ(*(calls.made.end() - 2), "fsync") << "before the close, behind all writes";
  }
  for (const char* call : {"open", "pwrite", "fsync"}) {
    EXPECT_FALSE(WithFailing(call, EIO, sync).ok()) << call;
  }
  EXPECT_TRUE(WithFailing("pwrite", EINTR, sync).ok());
  std::string read;
  ASSERT_TRUE(fs_->ReadFile(path_, &read).ok());
  EXPECT_TRUE(read == contents);
}

TEST_F(PosixCallsTest, AnInterruptedCallIsMadeAgain) {
  (void)Create();
  std::string read;
  const auto cut = [&] { return fs_->Truncate(path_, 3); };
  EXPECT_TRUE(WithFailing("open", EINTR, [&] { return fs_->ReadFile(path_, &read); }).ok());
  EXPECT_TRUE(WithFailing("truncate", EINTR, cut).ok());
  ASSERT_TRUE(fs_->ReadFile(path_, &read).ok());
  EXPECT_EQ(read, "con");
  EXPECT_FALSE(WithFailing("truncate", EIO, cut).ok());
}

TEST_F(PosixCallsTest, NoDescriptorIsLeftOrSurvivesAnExec) {
  {
    const auto file = Create();
    std::unique_ptr<FileLock> lock;
    ASSERT_TRUE(fs_->LockFile(path_, &lock).ok());
    const std::vector<int> held = Descriptors();
    EXPECT_EQ(held.size(), 2U);
    for (const int fd : held) EXPECT_NE(::fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
    std::string read;
    std::vector<std::string> names;
    std::unique_ptr<WritableFile> none;
    std::unique_ptr<FileLock> second;
    EXPECT_TRUE(fs_->ReadFile(path_, &read).ok());
    EXPECT_TRUE(fs_->ListDirectory(directory_, &names).ok());
    EXPECT_TRUE(fs_->SyncFile(path_).ok());
    EXPECT_TRUE(fs_->SyncDirectory(directory_).ok());
    EXPECT_FALSE(fs_->ReadFile(directory_, &read).ok());
    EXPECT_FALSE(fs_->NewWritableFile(path_, &none).ok());
    EXPECT_FALSE(fs_->LockFile(path_, &second).ok());
    EXPECT_EQ(Descriptors(), held);
  }
  EXPECT_TRUE(Descriptors().empty());
}

}  // namespace
}  // namespace bellwether
