// The store as its callers see it: writes, reads, snapshots, close, refusals, errors of the disk.

#include "bellwether/store/store.h"

#include <gmock/gmock.h>
#include <stdlib.h>

#include <cerrno>
#include <filesystem>
#include <thread>

#include "store_fixture.h"

namespace bellwether {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST_F(StoreTest, ReadsWhatWasWritten) {
  Reopen();
  WriteBatch batch;
  ASSERT_TRUE(batch.Put("a", "1").ok());
  ASSERT_TRUE(batch.Put("b", "2").ok());
  ASSERT_TRUE(batch.Delete("a").ok());
  const WriteResult first = store_->Write({}, &batch);
  ASSERT_TRUE(first.status.ok()) << first.status.ToString();
  EXPECT_EQ(first.sequence, 1U);
  EXPECT_EQ(store_->Put(kSync, "c", "3").sequence, 4U);
  EXPECT_EQ(store_->Delete({}, "b").sequence, 5U);
  EXPECT_EQ(Get("a"), "Not found");
  EXPECT_EQ(Get("b"), "Not found");
  EXPECT_EQ(Get("c"), "3");
  EXPECT_EQ(All(), (Contents{{"c", "3"}}));
  EXPECT_TRUE(store_->Quiet());
}

TEST_F(StoreTest, SnapshotsAndIteratorsKeepTheirState) {
  Reopen();
  Put("a", "old");
  Put("b", "old");
  const Snapshot snapshot = store_->GetSnapshot();
  std::unique_ptr<Store::Iterator> iterator;
  ASSERT_TRUE(store_->NewIterator({}, &iterator).ok());
  Put("a", "new");
  Put("c", "new");
  ASSERT_TRUE(store_->Delete({}, "b").status.ok());
  EXPECT_EQ(Get("a", &snapshot), "old");
  EXPECT_EQ(Get("c", &snapshot), "Not found");
  EXPECT_EQ(All(&snapshot), (Contents{{"a", "old"}, {"b", "old"}}));
  EXPECT_EQ(All(), (Contents{{"a", "new"}, {"c", "new"}}));
  iterator->Seek("b");
  ASSERT_TRUE(iterator->Valid());
  EXPECT_EQ(iterator->value(), "old");
  iterator->Next();
  EXPECT_FALSE(iterator->Valid());
}

TEST_F(StoreTest, ReopensWithEverything) {
  Reopen();
  for (int i = 0; i < 100; ++i) Put("key" + std::to_string(i % 7), std::to_string(i));
  const Contents before = All();
  ASSERT_TRUE(store_->Close().ok());
  Reopen();
  EXPECT_EQ(All(), before);
  EXPECT_EQ(store_->GetStats().recovery.last_sequence, 100U);
  EXPECT_EQ(store_->GetStats().recovery.records, 100U);
  EXPECT_EQ(store_->Put({}, "x", "y").sequence, 101U);
}

TEST_F(StoreTest, CloseIsDurableAndFinal) {
  Reopen();
  Put("a", "1");
  ASSERT_TRUE(store_->Close().ok());
  EXPECT_EQ(store_->Close().code(), Status::Code::kAborted);
  EXPECT_EQ(store_->Put({}, "b", "2").status.code(), Status::Code::kAborted);
  EXPECT_EQ(Get("a"), Status::CodeName(Status::Code::kAborted));
  std::unique_ptr<Store::Iterator> iterator;
  EXPECT_EQ(store_->NewIterator({}, &iterator).code(), Status::Code::kAborted);
  for (uint64_t seed = 0; seed < 20; ++seed) {
    disk_.Crash(seed);
    Reopen();
    EXPECT_EQ(Get("a"), "1");
    EXPECT_EQ(Get("b"), "Not found");
  }
}

TEST_F(StoreTest, OpeningAgainAndAgainLeavesOneLog) {
  for (int i = 0; i < 10; ++i) Reopen();
  EXPECT_EQ(Names().size(), 3U) << "the lock, the manifest and one log";
  Put("a", "1");
  for (int i = 0; i < 10; ++i) Reopen();
  EXPECT_EQ(Names().size(), 4U);
  EXPECT_EQ(Get("a"), "1");
}

TEST_F(StoreTest, RefusesBeforeTheQueue) {
  Reopen();
  EXPECT_EQ(store_->Write({}, nullptr).status.code(), Status::Code::kInvalidArgument);
  const std::string long_key(kMaxKeySize + 1, 'k');
  EXPECT_EQ(store_->Put({}, long_key, "").status.code(), Status::Code::kInvalidArgument);
  EXPECT_EQ(store_->Delete({}, long_key).status.code(), Status::Code::kInvalidArgument);
  WriteBatch half;
  ASSERT_TRUE(half.Put("kept", "1").ok());
  ASSERT_FALSE(half.Put(long_key, "2").ok());
  EXPECT_EQ(store_->Write({}, &half).status.code(), Status::Code::kInvalidArgument);
  EXPECT_EQ(store_->Put({.disable_memtable = true}, "a", "1").status.code(),
            Status::Code::kInvalidArgument);
  EXPECT_EQ(store_->Put({.sync = true, .disable_wal = true}, "a", "1").status.code(),
            Status::Code::kInvalidArgument);
  WriteBatch batch;
  EXPECT_EQ(store_->GetStats().groups, 0U);
  EXPECT_TRUE(store_->Write(kSync, &batch).status.ok()) << "an empty batch is a barrier";
  Put("a", "1");
  Reopen();
  EXPECT_EQ(All(), (Contents{{"a", "1"}}));
}

TEST_F(StoreTest, CountsWhatItLogs) {
  Reopen();
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 50; ++i) {
        (void)store_->Put({.sync = i % 10 == 0}, std::to_string(t), std::to_string(i));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  const Stats stats = store_->GetStats();
  uint64_t groups = 0;
  uint64_t writers = 0;
  for (size_t size = 0; size < stats.group_sizes.size(); ++size) {
    groups += stats.group_sizes[size];
    writers += size * stats.group_sizes[size];
  }
  EXPECT_EQ(stats.writers, 200U);
  EXPECT_EQ(writers, 200U);
  EXPECT_EQ(groups, stats.groups);
  EXPECT_GE(stats.syncs, 5U);
  EXPECT_LE(stats.syncs, 20U);
  EXPECT_EQ(stats.log_bytes, Read(Log(1)).size());
}

TEST_F(StoreTest, APreallocatedLogNamesWhatIsSyncedAndIsCutByClose) {
  options_.preallocate_log_bytes = 10000;
  Reopen();
  Put("a", "1", kSync);
  const uint64_t synced = store_->GetStats().log_bytes;
  Put("b", "2");
  EXPECT_EQ(Read(Log(1)).size(), 10000U);
  const std::string second = Read(Log(1)).substr(synced + kWalHeaderSize);
  EXPECT_EQ(GetAnnotations(second).synced, synced);
  ASSERT_TRUE(store_->Close().ok());
  EXPECT_EQ(Read(Log(1)).size(), store_->GetStats().log_bytes);
  Reopen(RecoveryMode::kAbsolute);
  EXPECT_EQ(All(), (Contents{{"a", "1"}, {"b", "2"}}));
}

TEST(DirectoryTest, ParentOf) {
  for (const auto& [directory, parent] : Contents{{"/a", "/"},
                                                  {"/a/", "/"},
                                                  {"/a/b", "/a"},
                                                  {"/a/b//", "/a"},
                                                  {"a", "."},
                                                  {"a/", "."},
                                                  {"a/b", "a"},
                                                  {".", "."},
                                                  {"/", "/"},
                                                  {"//", "/"}}) {
    EXPECT_EQ(ParentOf(directory), parent) << directory;
  }
}

TEST_F(StoreTest, SaysHowMuchMemoryItHolds) {
  Reopen();
  EXPECT_EQ(store_->GetStats().memtable_bytes, 0U);
  const std::string value(3 << 20, 'v');
  Put("a", value);
  const uint64_t held = store_->GetStats().memtable_bytes;
  EXPECT_GE(held, value.size());
  EXPECT_LT(held, 2 * value.size());
  Put("a", value);
  EXPECT_GE(store_->GetStats().memtable_bytes, held + value.size()) << "the old version stays";
}

TEST_F(StoreTest, IllegalOptionsAreRefused) {
  const auto open = [&](const StoreOptions& options, const std::string& directory) {
    return Store::Open(options, directory, &store_);
  };
  StoreOptions options{.file_system = &disk_};
  options.write_path.enable_pipelined_write = true;
  options.write_path.two_write_queues = true;
  EXPECT_EQ(open(options, kDirectory).code(), Status::Code::kInvalidArgument);
  EXPECT_EQ(open({.file_system = nullptr}, kDirectory).code(), Status::Code::kInvalidArgument);
  EXPECT_EQ(open({.file_system = &disk_}, "").code(), Status::Code::kInvalidArgument);
  const Status missing = open({.create_if_missing = false, .file_system = &disk_}, kDirectory);
  EXPECT_EQ(missing.code(), Status::Code::kInvalidArgument);
  EXPECT_THAT(missing.ToString(), HasSubstr(kDirectory));
  std::vector<std::string> names;
  ASSERT_TRUE(disk_.ListDirectory("/", &names).ok());
  EXPECT_TRUE(names.empty()) << "a refused open creates nothing";
}

// One error of the disk: the group that meets it has an unknown outcome, later ones are refused,
// reads go on, and after a reopen everything acknowledged is there.
class DiskErrorTest : public StoreTest {
 protected:
  void MeetError(int error_number) {
    int acknowledged = 0;
    WriteResult result;
    do {
      result = store_->Put(kSync, "key" + std::to_string(acknowledged), std::string(100, 'v'));
      if (result.status.ok()) ++acknowledged;
    } while (result.status.ok() && acknowledged < 1000);
    EXPECT_EQ(result.status.code(), Status::Code::kUnknownOutcome);
    EXPECT_EQ(result.status.error_number(), error_number);
    EXPECT_EQ(result.status.file(), Log(1));
    EXPECT_GT(result.status.offset(), 0U);
    EXPECT_EQ(result.sequence, 0U);
    const WriteResult refused = store_->Put({}, "refused", "");
    EXPECT_EQ(refused.status.code(), Status::Code::kAborted);
    EXPECT_EQ(refused.status.error_number(), error_number);
    EXPECT_EQ(All().size(), static_cast<size_t>(acknowledged));
    EXPECT_FALSE(store_->Close().ok());
    disk_.Crash(1);
    Reopen();
    EXPECT_EQ(Get("refused"), "Not found");
    for (int i = 0; i < acknowledged; ++i) {
      EXPECT_EQ(Get("key" + std::to_string(i)), std::string(100, 'v'));
    }
  }
};

TEST_F(DiskErrorTest, FullDisk) {
  Reopen();
  disk_.SetCapacity(5000);
  MeetError(ENOSPC);
}

TEST_F(DiskErrorTest, WriteError) {
  Reopen();
  disk_.InjectFault({.operation = stress::FileOperation::kAppend, .nth = 20, .short_write = 50});
  MeetError(EIO);
}

TEST_F(DiskErrorTest, SyncErrorIsNeverRetried) {
  Reopen();
  disk_.InjectFault({.operation = stress::FileOperation::kSync, .nth = 20});
  MeetError(EIO);
}

TEST_F(StoreTest, OpenSaysWhatIsWrongAndWhatToDo) {
  Reopen();
  Put("a", "1", kSync);
  Die();
  struct Case {
    stress::FileOperation operation;
    int error_number;
    const char* advice;
  };
  for (const Case& c : {Case{stress::FileOperation::kLock, EROFS, "writable"},
                        Case{stress::FileOperation::kCreate, EACCES, "writable"},
                        Case{stress::FileOperation::kCreate, ENOSPC, "free space"},
                        Case{stress::FileOperation::kSyncDirectory, EIO, "check the disk"},
                        Case{stress::FileOperation::kSyncFile, EIO, "check the disk"}}) {
    disk_.InjectFault({.operation = c.operation, .error_number = c.error_number});
    const Status status = Open();
    EXPECT_EQ(status.code(), Status::Code::kIOError);
    EXPECT_EQ(status.error_number(), c.error_number);
    EXPECT_THAT(std::string(status.file()), HasSubstr(kDirectory));
    EXPECT_THAT(status.ToString(), HasSubstr(c.advice));
    EXPECT_EQ(store_, nullptr);
    disk_.Kill();
  }
  Reopen();
  EXPECT_EQ(Get("a"), "1");
}

// The same on a real directory, where the lock and the paths are the system's.
class RealDirectoryTest : public testing::Test {
 protected:
  RealDirectoryTest() {
    std::string name = (std::filesystem::temp_directory_path() / "store_test.XXXXXX").string();
    EXPECT_NE(::mkdtemp(name.data()), nullptr);
    directory_ = name;
  }
  ~RealDirectoryTest() override { std::filesystem::remove_all(directory_); }

  std::filesystem::path directory_;
  std::unique_ptr<Store> store_;
};

TEST_F(RealDirectoryTest, LivesOnARealDisk) {
  const std::string directory = directory_ / "store/";
  ASSERT_TRUE(Store::Open({}, directory, &store_).ok());
  ASSERT_TRUE(store_->Put({.sync = true}, "a", "1").status.ok());
  store_.reset();
  ASSERT_TRUE(Store::Open({}, directory, &store_).ok());
  std::string value;
  EXPECT_TRUE(store_->Get({}, "a", &value).ok());
  EXPECT_EQ(value, "1");
}

TEST_F(RealDirectoryTest, SecondHolderIsBusy) {
  const std::string directory = directory_ / "store";
  ASSERT_TRUE(Store::Open({}, directory, &store_).ok());
  std::unique_ptr<Store> second;
  const Status busy = Store::Open({}, directory, &second);
  EXPECT_EQ(busy.code(), Status::Code::kBusy);
  EXPECT_EQ(busy.file(), directory + "/LOCK");
  ASSERT_TRUE(store_->Close().ok());
  EXPECT_TRUE(Store::Open({}, directory, &second).ok()) << "Close gives the directory back";
}

TEST_F(RealDirectoryTest, ForeignDirectoryIsLeftAlone) {
  std::filesystem::create_directory(directory_ / "CURRENT");
  const Status foreign = Store::Open({}, directory_, &store_);
  EXPECT_EQ(foreign.code(), Status::Code::kInvalidArgument);
  EXPECT_THAT(foreign.ToString(), HasSubstr("CURRENT"));
  EXPECT_FALSE(std::filesystem::exists(directory_ / "LOCK"));

  const Status no_parent = Store::Open({}, directory_ / "no" / "store", &store_);
  EXPECT_EQ(no_parent.error_number(), ENOENT);
  EXPECT_THAT(no_parent.ToString(), HasSubstr("parent"));
  const Status no_directory = Store::Open({}, "/dev/null", &store_);
  EXPECT_EQ(no_directory.error_number(), ENOTDIR);
  EXPECT_EQ(store_, nullptr);
}

}  // namespace
}  // namespace bellwether
