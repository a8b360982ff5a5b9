// That the simulated disk drops what it must, keeps what it must, and reaches the states between.

#include "stress/simulated_file_system.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <set>

namespace bellwether::stress {
namespace {

constexpr uint64_t kSeeds = 300;

// What the disk holds after `work` and a crash, over many seeds; "-" stands for no such file.
std::set<std::string> AfterCrash(const std::string& path,
                                 const std::function<void(SimulatedFileSystem*)>& work) {
  std::set<std::string> found;
  for (uint64_t seed = 0; seed < kSeeds; ++seed) {
    SimulatedFileSystem disk;
    work(&disk);
    disk.Crash(seed);
    std::string contents = "-";
    (void)disk.ReadFile(path, &contents);
    found.insert(contents);
  }
  return found;
}

std::unique_ptr<WritableFile> Create(SimulatedFileSystem* disk, const std::string& path) {
  std::unique_ptr<WritableFile> file;
  EXPECT_TRUE(disk->NewWritableFile(path, &file).ok());
  return file;
}

std::unique_ptr<WritableFile> CreateDurably(SimulatedFileSystem* disk, const std::string& path) {
  std::unique_ptr<WritableFile> file = Create(disk, path);
  EXPECT_TRUE(disk->SyncDirectory("/").ok());
  return file;
}

using Set = std::set<std::string>;

TEST(SimulatedFileSystemTest, KeepsWhatWasSynced) {
  EXPECT_EQ(AfterCrash("/f",
                       [](SimulatedFileSystem* disk) {
                         const auto file = CreateDurably(disk, "/f");
                         ASSERT_TRUE(file->Append("synced").ok());
                         ASSERT_TRUE(file->Sync().ok());
                       }),
            Set{"synced"});
}

TEST(SimulatedFileSystemTest, SyncOfAFileKeepsNoName) {
  EXPECT_EQ(AfterCrash("/f",
                       [](SimulatedFileSystem* disk) {
                         const auto file = Create(disk, "/f");
                         ASSERT_TRUE(file->Append("synced").ok());
                         ASSERT_TRUE(file->Sync().ok());
                       }),
            (Set{"-", "synced"}));
}

TEST(SimulatedFileSystemTest, UnsyncedAppendsMayBeCutAnywhereOrReadAsZeros) {
  const Set found = AfterCrash("/f", [](SimulatedFileSystem* disk) {
    const auto file = CreateDurably(disk, "/f");
    ASSERT_TRUE(file->Append("ab").ok());
    ASSERT_TRUE(file->Sync().ok());
    ASSERT_TRUE(file->Append("cd").ok());
  });
  const std::string zeros(2, '\0');
  for (const std::string& state : {std::string("ab"), std::string("abc"), std::string("abcd"),
                                   "ab" + zeros, "abc" + zeros.substr(1)}) {
    EXPECT_TRUE(found.contains(state)) << state.size();
  }
  for (const std::string& state : found) EXPECT_EQ(state.substr(0, 2), "ab");
}

TEST(SimulatedFileSystemTest, PagesReachTheDiskInAnyOrder) {
  const std::string page(SimulatedNode::kPageSize, 'x');
  const Set found = AfterCrash("/f", [&](SimulatedFileSystem* disk) {
    const auto file = CreateDurably(disk, "/f");
    ASSERT_TRUE(file->Append(page + page).ok());
  });
  const std::string hole(SimulatedNode::kPageSize, '\0');
  EXPECT_TRUE(found.contains(hole + page)) << "the second page without the first";
  EXPECT_TRUE(found.contains(page + hole));
  EXPECT_TRUE(found.contains(page));
  EXPECT_TRUE(found.contains(page + page));
  EXPECT_TRUE(found.contains(""));
}

TEST(SimulatedFileSystemTest, InOrderLeavesNoHole) {
  for (uint64_t seed = 0; seed < kSeeds; ++seed) {
    SimulatedFileSystem disk;
    const auto file = CreateDurably(&disk, "/f");
    ASSERT_TRUE(file->Append(std::string(5 * SimulatedNode::kPageSize, 'x')).ok());
    if (disk.Crash(seed) != Loss::kInOrder) continue;
    std::string contents;
    ASSERT_TRUE(disk.ReadFile("/f", &contents).ok());
    const size_t end = std::min(contents.find('\0'), contents.size());
    EXPECT_EQ(contents.find('x', end), std::string::npos);
  }
}

TEST(SimulatedFileSystemTest, DirectoryChangesAreKeptOrLostOneByOne) {
  std::set<std::vector<std::string>> found;
  for (uint64_t seed = 0; seed < kSeeds; ++seed) {
    SimulatedFileSystem disk;
    (void)CreateDurably(&disk, "/old");
    (void)Create(&disk, "/new");
    ASSERT_TRUE(disk.RemoveFile("/old").ok());
    disk.Crash(seed);
    std::vector<std::string> names;
    ASSERT_TRUE(disk.ListDirectory("/", &names).ok());
    found.insert(names);
  }
  EXPECT_EQ(found, (std::set<std::vector<std::string>>{{}, {"new"}, {"old"}, {"new", "old"}}));
}

TEST(SimulatedFileSystemTest, RenameIsAtomic) {
  const auto work = [](SimulatedFileSystem* disk) {
    const auto from = Create(disk, "/from");
    ASSERT_TRUE(from->Append("new").ok());
    ASSERT_TRUE(from->Sync().ok());
    const auto to = Create(disk, "/to");
    ASSERT_TRUE(to->Append("old").ok());
    ASSERT_TRUE(to->Sync().ok());
    ASSERT_TRUE(disk->SyncDirectory("/").ok());
    ASSERT_TRUE(disk->RenameFile("/from", "/to").ok());
  };
  EXPECT_EQ(AfterCrash("/to", work), (Set{"old", "new"}));
  EXPECT_EQ(AfterCrash("/from", work), (Set{"-", "new"}));
}

TEST(SimulatedFileSystemTest, TruncateIsDurableAfterSyncFileOnly) {
  const auto work = [](SimulatedFileSystem* disk) {
    const auto file = CreateDurably(disk, "/f");
    ASSERT_TRUE(file->Append("long").ok());
    ASSERT_TRUE(file->Sync().ok());
    ASSERT_TRUE(disk->Truncate("/f", 2).ok());
  };
  EXPECT_EQ(AfterCrash("/f", work), (Set{"lo", "long"}));
  EXPECT_EQ(AfterCrash("/f",
                       [&](SimulatedFileSystem* disk) {
                         work(disk);
                         ASSERT_TRUE(disk->SyncFile("/f").ok());
                       }),
            Set{"lo"});
}

TEST(SimulatedFileSystemTest, AFailedSyncTakesPagesForClean) {
  const auto work = [](SimulatedFileSystem* disk) {
    const auto file = CreateDurably(disk, "/f");
    ASSERT_TRUE(file->Append("lost").ok());
    disk->InjectFault({.operation = FileOperation::kSync});
    ASSERT_EQ(file->Sync().error_number(), EIO);
    EXPECT_TRUE(file->Sync().ok());
    std::string contents;
    ASSERT_TRUE(disk->ReadFile("/f", &contents).ok());
    EXPECT_EQ(contents, "lost") << "the page cache still has it";
  };
  const Set zeros{std::string(4, '\0')};
  EXPECT_EQ(AfterCrash("/f", work), zeros);
  EXPECT_EQ(AfterCrash("/f",
                       [&](SimulatedFileSystem* disk) {
                         work(disk);
                         ASSERT_TRUE(disk->FsyncOnly("/f").ok());
                       }),
            zeros);
  EXPECT_EQ(AfterCrash("/f",
                       [&](SimulatedFileSystem* disk) {
                         work(disk);
                         ASSERT_TRUE(disk->SyncFile("/f").ok());
                       }),
            Set{"lost"});
}

TEST(SimulatedFileSystemTest, FailsTheNthOperation) {
  SimulatedFileSystem disk;
  const auto file = CreateDurably(&disk, "/f");
  disk.InjectFault({.operation = FileOperation::kAppend,
                    .nth = 2,
                    .error_number = ENOSPC,
                    .sticky = true,
                    .short_write = 3});
  EXPECT_TRUE(file->Append("first").ok());
  const Status failed = file->Append("second");
  EXPECT_EQ(failed.error_number(), ENOSPC);
  EXPECT_EQ(failed.offset(), 5U);
  EXPECT_EQ(file->size(), 8U) << "a short write";
  EXPECT_FALSE(file->Append("third").ok());
  EXPECT_TRUE(file->Sync().ok());
}

TEST(SimulatedFileSystemTest, FullDiskWritesShort) {
  SimulatedFileSystem disk;
  const auto file = CreateDurably(&disk, "/f");
  disk.SetCapacity(7);
  EXPECT_TRUE(file->Append("first").ok());
  EXPECT_EQ(file->Append("second").error_number(), ENOSPC);
  std::string contents;
  ASSERT_TRUE(disk.ReadFile("/f", &contents).ok());
  EXPECT_EQ(contents, "firstse");
}

TEST(SimulatedFileSystemTest, WithoutPowerNothingWorks) {
  SimulatedFileSystem disk;
  const auto file = CreateDurably(&disk, "/f");
  disk.PowerOffAt(2);
  EXPECT_TRUE(file->Append("a").ok());
  EXPECT_EQ(file->Append("b").error_number(), EIO);
  EXPECT_TRUE(disk.powered_off());
  std::string contents;
  EXPECT_FALSE(disk.ReadFile("/f", &contents).ok());
  disk.Crash(1);
  EXPECT_TRUE(disk.ReadFile("/f", &contents).ok());
  EXPECT_FALSE(file->Append("c").ok()) << "a handle from before the crash is dead";
}

TEST(SimulatedFileSystemTest, ALockDiesWithItsHolder) {
  SimulatedFileSystem disk;
  std::unique_ptr<FileLock> first;
  std::unique_ptr<FileLock> second;
  ASSERT_TRUE(disk.LockFile("/LOCK", &first).ok());
  EXPECT_EQ(disk.LockFile("/LOCK", &second).code(), Status::Code::kBusy);
  disk.Kill();
  EXPECT_TRUE(disk.LockFile("/LOCK", &second).ok());
  first.reset();
  std::unique_ptr<FileLock> third;
  EXPECT_EQ(disk.LockFile("/LOCK", &third).code(), Status::Code::kBusy);
}

TEST(SimulatedFileSystemTest, EqualSeedsGiveEqualDisks) {
  const auto image = [](uint64_t seed) {
    SimulatedFileSystem disk;
    const auto file = CreateDurably(&disk, "/f");
    EXPECT_TRUE(file->Append(std::string(50'000, 'x')).ok());
    disk.Crash(seed);
    std::string contents;
    EXPECT_TRUE(disk.ReadFile("/f", &contents).ok());
    return contents;
  };
  for (uint64_t seed = 0; seed < 20; ++seed) EXPECT_EQ(image(seed), image(seed));
}

}  // namespace
}  // namespace bellwether::stress
