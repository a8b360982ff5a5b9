#include "bellwether/storage/posix_file_system.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace bellwether {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class PosixFileSystemTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = ::testing::TempDir() + "bellwether_XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
  }
  void TearDown() override {
    std::vector<std::string> names;
    EXPECT_TRUE(fs_->ListDirectory(directory_, &names).ok());
    for (const std::string& name : names) EXPECT_TRUE(fs_->RemoveFile(Path(name)).ok());
    EXPECT_EQ(::rmdir(directory_.c_str()), 0);
  }

  std::string Path(const std::string& name) const { return directory_ + "/" + name; }

  std::unique_ptr<WritableFile> Create(const std::string& name) {
    std::unique_ptr<WritableFile> file;
    EXPECT_TRUE(fs_->NewWritableFile(Path(name), &file).ok());
    return file;
  }
  std::string Contents(const std::string& name) {
    std::string contents;
    EXPECT_TRUE(fs_->ReadFile(Path(name), &contents).ok());
    return contents;
  }

  FileSystem* const fs_ = PosixFileSystem::Default();
  std::string directory_;
};

TEST_F(PosixFileSystemTest, AppendsSyncsAndReadsBack) {
  std::unique_ptr<WritableFile> file = Create("a");
  ASSERT_TRUE(file->Append("one ").ok());
  ASSERT_TRUE(file->Append("").ok());
  ASSERT_TRUE(file->Append("two").ok());
  EXPECT_EQ(file->size(), 7U);
  EXPECT_EQ(file->path(), Path("a"));
  EXPECT_TRUE(file->Sync().ok());
  EXPECT_TRUE(file->Close().ok());
  EXPECT_TRUE(file->Close().ok());
  EXPECT_EQ(file->Append("late").error_number(), EBADF);
  EXPECT_EQ(file->Sync().error_number(), EBADF);
  EXPECT_EQ(Contents("a"), "one two");
  EXPECT_TRUE(fs_->SyncFile(Path("a")).ok());
  EXPECT_TRUE(fs_->SyncDirectory(directory_).ok());
}

TEST_F(PosixFileSystemTest, APreallocatedFileIsZerosUntilItIsWrittenOrClosed) {
  constexpr size_t kSize = (size_t{1} << 20) + 5000;
  std::unique_ptr<WritableFile> file;
  ASSERT_TRUE(fs_->NewPreallocatedFile(Path("a"), kSize, &file).ok());
  EXPECT_EQ(file->size(), 0U);
  EXPECT_EQ(Contents("a"), std::string(kSize, '\0'));
  ASSERT_TRUE(file->Append("one ").ok());
  ASSERT_TRUE(file->Append("two").ok());
  ASSERT_TRUE(file->Sync().ok());
  EXPECT_EQ(file->size(), 7U);
  EXPECT_EQ(Contents("a"), "one two" + std::string(kSize - 7, '\0'));
  EXPECT_TRUE(file->Close().ok());
  EXPECT_TRUE(file->Close().ok());
  EXPECT_EQ(Contents("a"), "one two");
  EXPECT_EQ(file->Append("late").error_number(), EBADF);
  EXPECT_EQ(fs_->NewPreallocatedFile(Path("a"), kSize, &file).error_number(), EEXIST);
}

TEST_F(PosixFileSystemTest, APreallocatedFileGrowsBehindItsZeros) {
  std::unique_ptr<WritableFile> file;
  ASSERT_TRUE(fs_->NewPreallocatedFile(Path("a"), 3, &file).ok());
  ASSERT_TRUE(file->Append("12345").ok());
  ASSERT_TRUE(file->Close().ok());
  EXPECT_EQ(Contents("a"), "12345");
}

TEST_F(PosixFileSystemTest, AnExistingFileIsNotOpenedForWriting) {
  ASSERT_TRUE(Create("a")->Append("kept").ok());
  std::unique_ptr<WritableFile> file;
  const Status status = fs_->NewWritableFile(Path("a"), &file);
  EXPECT_EQ(status.code(), Status::Code::kIOError);
  EXPECT_EQ(status.error_number(), EEXIST);
  EXPECT_EQ(status.file(), Path("a"));
  EXPECT_EQ(Contents("a"), "kept");
}

TEST_F(PosixFileSystemTest, ListsRenamesTruncatesRemoves) {
  ASSERT_TRUE(Create("b")->Append("12345").ok());
  Create("a");
  std::vector<std::string> names;
  ASSERT_TRUE(fs_->ListDirectory(directory_, &names).ok());
  EXPECT_THAT(names, ElementsAre("a", "b"));
  ASSERT_TRUE(fs_->Truncate(Path("b"), 2).ok());
  ASSERT_TRUE(fs_->RenameFile(Path("b"), Path("a")).ok());
  EXPECT_EQ(Contents("a"), "12");
  bool exists = true;
  ASSERT_TRUE(fs_->FileExists(Path("b"), &exists).ok());
  EXPECT_FALSE(exists);
  ASSERT_TRUE(fs_->RemoveFile(Path("a")).ok());
  ASSERT_TRUE(fs_->ListDirectory(directory_, &names).ok());
  EXPECT_TRUE(names.empty());
}

TEST_F(PosixFileSystemTest, ReadsAFileWhoseSizeIsNotKnownBeforehand) {
  std::string contents;
  ASSERT_TRUE(fs_->ReadFile("/proc/self/status", &contents).ok());
  EXPECT_THAT(contents, HasSubstr("VmPeak"));
}

TEST_F(PosixFileSystemTest, EveryErrorNamesFileAndErrno) {
  const std::string missing = Path("missing");
  const std::string beneath = missing + "/file";
  std::unique_ptr<WritableFile> file;
  std::unique_ptr<FileLock> lock;
  std::string contents = "untouched";
  std::vector<std::string> names;
  for (const auto& [path, status] :
       std::vector<std::pair<std::string, Status>>{{beneath, fs_->NewWritableFile(beneath, &file)},
                                                   {missing, fs_->ReadFile(missing, &contents)},
                                                   {missing, fs_->ListDirectory(missing, &names)},
                                                   {beneath, fs_->CreateDirectory(beneath)},
                                                   {missing, fs_->SyncDirectory(missing)},
                                                   {missing, fs_->SyncFile(missing)},
                                                   {missing, fs_->Truncate(missing, 0)},
                                                   {missing, fs_->RemoveFile(missing)},
                                                   {missing, fs_->RenameFile(missing, Path("x"))},
                                                   {beneath, fs_->LockFile(beneath, &lock)}}) {
    EXPECT_EQ(status.code(), Status::Code::kIOError) << status.ToString();
    EXPECT_EQ(status.error_number(), ENOENT) << status.ToString();
    EXPECT_EQ(status.file(), path) << status.ToString();
  }
  EXPECT_EQ(contents, "untouched");
}

TEST_F(PosixFileSystemTest, WhetherAFileExistsIsKnownOrAnError) {
  Create("file");
  bool exists = false;
  EXPECT_TRUE(fs_->FileExists(Path("file"), &exists).ok() && exists);
  EXPECT_TRUE(fs_->FileExists(Path("file/beneath"), &exists).ok() && !exists);
  EXPECT_TRUE(fs_->FileExists(Path("missing"), &exists).ok() && !exists);
  EXPECT_EQ(fs_->FileExists(Path(std::string(1000, 'x')), &exists).error_number(), ENAMETOOLONG);
}

TEST_F(PosixFileSystemTest, CreateDirectoryTakesAnExistingDirectoryButNoFile) {
  EXPECT_TRUE(fs_->CreateDirectory(directory_).ok());
  Create("file");
  EXPECT_EQ(fs_->CreateDirectory(Path("file")).error_number(), EEXIST);
}

TEST_F(PosixFileSystemTest, ReadingADirectoryIsAnError) {
  std::string contents;
  EXPECT_EQ(fs_->ReadFile(directory_, &contents).error_number(), EISDIR);
}

// The kernel takes what fits below the limit and refuses the rest: a short write, then an error.
TEST_F(PosixFileSystemTest, AFullDiskIsAnErrorAtTheOffsetThatWasReached) {
  constexpr rlim_t kLimit = 1000;
  rlimit old{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &old), 0);
  const auto old_handler = std::signal(SIGXFSZ, SIG_IGN);
  std::unique_ptr<WritableFile> file = Create("a");
  const rlimit limited{kLimit, old.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &limited), 0);
  const Status first = file->Append(std::string(600, 'a'));
  const Status second = file->Append(std::string(600, 'b'));
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &old), 0);
  std::signal(SIGXFSZ, old_handler);
  EXPECT_TRUE(first.ok());
  EXPECT_EQ(second.code(), Status::Code::kIOError);
  EXPECT_EQ(second.error_number(), EFBIG);
  EXPECT_EQ(second.offset(), kLimit);
  EXPECT_EQ(second.file(), Path("a"));
  EXPECT_EQ(file->size(), kLimit);
}

// A pipe whose reader lags makes writes short, and a timer without SA_RESTART interrupts them.
TEST(PosixWritableFile, CompletesShortAndInterruptedWrites) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  struct sigaction action {
  }, old_action{};
  action.sa_handler = [](int) {};
  ASSERT_EQ(::sigaction(SIGALRM, &action, &old_action), 0);
  const itimerval often{{0, 200}, {0, 200}}, never{};
  std::string data;
  for (int i = 0; data.size() < 1'000'000; ++i) data += std::to_string(i);
  std::string received;
  std::thread reader([&] {
    sigset_t alarm;
    sigemptyset(&alarm);
    sigaddset(&alarm, SIGALRM);
    pthread_sigmask(SIG_BLOCK, &alarm, nullptr);
    char piece[5000];
    for (ssize_t n = 1; n > 0;) {
      ::usleep(50);
      n = ::read(ends[0], piece, sizeof(piece));
      if (n > 0) received.append(piece, static_cast<size_t>(n));
    }
  });
  PosixWritableFile file("pipe", PosixDescriptor(ends[1]));
  ASSERT_EQ(::setitimer(ITIMER_REAL, &often, nullptr), 0);
  const Status status = file.Append(data);
  ASSERT_EQ(::setitimer(ITIMER_REAL, &never, nullptr), 0);
  const Status sync = file.Sync();
  EXPECT_TRUE(file.Close().ok());
  reader.join();
  ::close(ends[0]);
  ASSERT_EQ(::sigaction(SIGALRM, &old_action, nullptr), 0);
  EXPECT_TRUE(status.ok()) << status.ToString();
  EXPECT_EQ(received == data, true);
  EXPECT_EQ(file.size(), data.size());
  EXPECT_EQ(sync.error_number(), EINVAL) << "a pipe cannot be synced";
}

TEST_F(PosixFileSystemTest, ASecondHolderOfTheLockIsRefusedAndToldWhoHoldsIt) {
  std::unique_ptr<FileLock> first, second;
  ASSERT_TRUE(fs_->LockFile(Path("LOCK"), &first).ok());
  const Status busy = fs_->LockFile(Path("LOCK"), &second);
  EXPECT_EQ(busy.code(), Status::Code::kBusy);
  EXPECT_EQ(busy.file(), Path("LOCK"));
  EXPECT_THAT(busy.ToString(), HasSubstr("process " + std::to_string(::getpid())));
  EXPECT_EQ(second, nullptr);
  first.reset();
  EXPECT_TRUE(fs_->LockFile(Path("LOCK"), &second).ok());
}

TEST_F(PosixFileSystemTest, ALongerNameOfAnEarlierHolderIsForgotten) {
  ASSERT_TRUE(Create("LOCK")->Append("123456789012345678\n").ok());
  std::unique_ptr<FileLock> lock;
  ASSERT_TRUE(fs_->LockFile(Path("LOCK"), &lock).ok());
  EXPECT_EQ(Contents("LOCK"), std::to_string(::getpid()) + "\n");
}

TEST_F(PosixFileSystemTest, TheLockExcludesOtherProcessesAndDiesWithItsHolder) {
  int ready[2], done[2];
  ASSERT_EQ(::pipe(ready), 0);
  ASSERT_EQ(::pipe(done), 0);
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    std::unique_ptr<FileLock> held;
    char byte = fs_->LockFile(Path("LOCK"), &held).ok() ? 'y' : 'n';
    ::close(done[1]);
    if (::write(ready[1], &byte, 1) != 1 || ::read(done[0], &byte, 1) != 0) ::_exit(1);
    ::_exit(0);
  }
  ::close(done[0]);
  char answer = 0;
  ASSERT_EQ(::read(ready[0], &answer, 1), 1);
  EXPECT_EQ(answer, 'y');
  std::unique_ptr<FileLock> lock;
  const Status busy = fs_->LockFile(Path("LOCK"), &lock);
  EXPECT_EQ(busy.code(), Status::Code::kBusy);
  EXPECT_THAT(busy.ToString(), HasSubstr("process " + std::to_string(child)));
  ::close(done[1]);
  int exit_status = -1;
  ASSERT_EQ(::waitpid(child, &exit_status, 0), child);
  EXPECT_EQ(exit_status, 0);
  EXPECT_TRUE(fs_->LockFile(Path("LOCK"), &lock).ok());
  ::close(ready[0]);
  ::close(ready[1]);
}

}  // namespace
}  // namespace bellwether
