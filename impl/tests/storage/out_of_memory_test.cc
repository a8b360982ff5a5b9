// The n-th allocation fails, for every n until none does: no exception leaves the storage layer,
// and what it did before stays as it was.
#include <gtest/gtest.h>

#include <cstdlib>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bellwether/storage/memtable.h"
#include "bellwether/storage/posix_file_system.h"
#include "bellwether/storage/wal_reader.h"
#include "bellwether/storage/wal_writer.h"
#include "bellwether/sync/std_sync.h"
#include "test_log.h"

namespace {

constexpr int kNever = -1;
int allocations_left = kNever;
bool once = false;  // one allocation fails, and those behind it do not
bool failed = false;

}  // namespace

// Not inlined, lest the compiler see a free of what it believes to come from another new.
[[gnu::noinline]] void* operator new(size_t size) {
  if (allocations_left == 0) {
    failed = true;
    if (once) allocations_left = kNever;
    throw std::bad_alloc();
  }
  if (allocations_left > 0) --allocations_left;
  if (void* memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, size_t) noexcept { std::free(memory); }

namespace bellwether {
namespace {

// Runs `operation` with its first, second, ... allocation failing, until it meets no failure.
template <class Operation>
void ForEachAllocation(const Operation& operation, bool fails_once) {
  once = fails_once;
  bool met = true;
  int runs = 0;
  for (int n = 0; met; ++n, ++runs) {
    SCOPED_TRACE("allocation " + std::to_string(n));
    failed = false;
    allocations_left = n;
    ASSERT_NO_THROW(operation());
    allocations_left = kNever;
    met = failed;
  }
  EXPECT_GT(runs, 1) << "an operation that never allocates tests nothing";
}

template <class Operation>
void ForEachAllocation(const Operation& operation) {
  for (const bool fails_once : {false, true}) ForEachAllocation(operation, fails_once);
}

// The outcome of one operation, looked at while memory is there again.
void ExpectOkUnlessFailed(const Status& status) {
  allocations_left = kNever;
  EXPECT_EQ(status.code(), failed ? Status::Code::kOutOfMemory : Status::Code::kOk);
}

TEST(OutOfMemory, WriteBatch) {
  const std::string value(1000, 'v');
  ForEachAllocation([&] {
    WriteBatch batch;
    uint32_t taken = 0;
    for (const size_t size : {1U, 100U, 1000U}) {
      if (batch.Put("key", std::string_view(value).substr(0, size)).ok()) ++taken;
    }
    ExpectOkUnlessFailed(batch.status());
    EXPECT_EQ(batch.Count(), taken);
    EXPECT_EQ(FindBatchDefect(batch.Data()), nullptr);
    EXPECT_EQ(batch.status().ok(), !failed);
  });
}

TEST(OutOfMemory, WriteBatchParse) {
  const WriteBatch batch = testing::BatchOfSize(100);
  ForEachAllocation([&] {
    WriteBatch parsed;
    ExpectOkUnlessFailed(WriteBatch::Parse(batch.Data(), &parsed));
    EXPECT_EQ(parsed.Count(), failed ? 0U : 1U);
  });
}

TEST(OutOfMemory, WalWriterAppendsNothingThenAndNeverAgain) {
  const testing::TestGroup group{{testing::BatchOfSize(2 * kWalBlockSize)}};
  ForEachAllocation([&] {
    const int budget = std::exchange(allocations_left, kNever);
    testing::FileJournal journal;
    journal.contents.reserve(8 * kWalBlockSize);
    WalWriter writer(std::make_unique<testing::MemoryFile>(&journal));
    allocations_left = budget;
    const Status status = writer.AddRecord(1, group);
    ExpectOkUnlessFailed(status);
    EXPECT_EQ(journal.contents.empty(), failed);
    EXPECT_EQ(writer.AddRecord(2, group).ok(), !failed);
  });
}

TEST(OutOfMemory, WalReaderIsAnErrorInEveryMode) {
  const testing::TestLog log = testing::BuildLogOfSizes({100, 2 * kWalBlockSize, 100});
  WriteBatch prepare, commit;
  ASSERT_TRUE(prepare.Put(std::string(100, 'k'), "v").ok() && prepare.MarkPrepare("x").ok());
  ASSERT_TRUE(commit.MarkCommit("x", prepare).ok());
  const std::string marks = testing::BuildLog({prepare, commit}).contents;
  for (const std::string& contents : {log.contents, log.contents.substr(0, 200), marks}) {
    WalRecord record;
    ForEachAllocation([&] {
      const int budget = std::exchange(allocations_left, kNever);
      WalReader reader("000001.log", contents, 1);
      allocations_left = budget;
      while (reader.ReadRecord(&record)) {
      }
      allocations_left = kNever;
      // The detail of a defect may be lost for want of memory, but never its code.
      const Status absolute = reader.Verdict(RecoveryMode::kAbsolute);
      EXPECT_EQ(absolute.ok(), !failed && reader.end() == WalEnd::kClean);
      if (absolute.code() == Status::Code::kOutOfMemory) {
        EXPECT_FALSE(reader.Verdict(RecoveryMode::kPointInTime).ok());
        EXPECT_FALSE(reader.Verdict(RecoveryMode::kTolerateTornTail).ok());
        EXPECT_FALSE(reader.SkipDefect()) << "nothing is damaged";
      } else {
        EXPECT_NE(reader.end(), WalEnd::kCorruption);
      }
    });
  }
}

TEST(OutOfMemory, PosixFileSystem) {
  FileSystem* const fs = PosixFileSystem::Default();
  std::string pattern = ::testing::TempDir() + "bellwether_XXXXXX";
  ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
  const std::string directory = pattern;
  const std::string path = directory + "/a file with a name too long to be kept in place";
  const std::string other = path + ".other";
  const std::string missing = path + ".missing";
  ForEachAllocation([&] {
    std::unique_ptr<WritableFile> file;
    ExpectOkUnlessFailed(fs->NewWritableFile(path, &file));
    EXPECT_EQ(file == nullptr, failed);
    (void)fs->RemoveFile(path);
  });
  std::unique_ptr<WritableFile> file;
  ASSERT_TRUE(fs->NewWritableFile(path, &file).ok());
  ASSERT_TRUE(file->Append(std::string(100, 'x')).ok());
  ForEachAllocation([&] {
    std::string contents;
    ExpectOkUnlessFailed(fs->ReadFile(path, &contents));
    EXPECT_EQ(contents.size(), failed ? 0U : 100U);
  });
  ForEachAllocation([&] {
    std::vector<std::string> names;
    ExpectOkUnlessFailed(fs->ListDirectory(directory, &names));
    EXPECT_EQ(names.size(), failed ? 0U : 1U);
  });
  ForEachAllocation([&] {
    std::unique_ptr<FileLock> lock;
    ExpectOkUnlessFailed(fs->LockFile(other, &lock));
    EXPECT_EQ(lock == nullptr, failed);
  });
  ForEachAllocation([&] { EXPECT_FALSE(fs->RenameFile(missing, other).ok()); });
  EXPECT_TRUE(fs->RemoveFile(path).ok());
  EXPECT_TRUE(fs->RemoveFile(other).ok());
  EXPECT_EQ(::rmdir(directory.c_str()), 0);
}

}  // namespace
}  // namespace bellwether
