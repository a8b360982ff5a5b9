// What the tests of the store share: a store on a simulated disk, and its contents as a map.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "bellwether/store/store.h"
#include "stress/simulated_file_system.h"

namespace bellwether {

using Contents = std::map<std::string, std::string>;

class StoreTest : public testing::Test {
 protected:
  static constexpr const char* kDirectory = "/store";
  static constexpr WriteOptions kSync{.sync = true};

  Status Open(RecoveryMode mode = RecoveryMode::kTolerateTornTail) {
    store_.reset();
    StoreOptions options = options_;
    options.recovery_mode = mode;
    options.write_path = write_path_;
    if (options.file_system == PosixFileSystem::Default()) options.file_system = &disk_;
    return Store::Open(options, kDirectory, &store_);
  }

  void Reopen(RecoveryMode mode = RecoveryMode::kTolerateTornTail) {
    const Status status = Open(mode);
    ASSERT_TRUE(status.ok()) << status.ToString();
  }

  // The process dies; the disk stays as it is.
  void Die() {
    disk_.Kill();
    store_.reset();
  }

  void Put(const std::string& key, const std::string& value, const WriteOptions& options = {}) {
    ASSERT_NE(store_, nullptr);
    const WriteResult result = store_->Put(options, key, value);
    ASSERT_TRUE(result.status.ok()) << result.status.ToString();
  }

  std::string Get(const std::string& key, const Snapshot* snapshot = nullptr) const {
    if (store_ == nullptr) return "no store is open";
    std::string value;
    const Status status = store_->Get({.snapshot = snapshot}, key, &value);
    return status.ok() ? value : std::string(Status::CodeName(status.code()));
  }

  Contents All(const Snapshot* snapshot = nullptr) const {
    if (store_ == nullptr) return {{"no store", "is open"}};
    Contents contents;
    std::unique_ptr<Store::Iterator> iterator;
    EXPECT_TRUE(store_->NewIterator({.snapshot = snapshot}, &iterator).ok());
    for (iterator->SeekToFirst(); iterator->Valid(); iterator->Next()) {
      contents.emplace(iterator->key(), iterator->value());
    }
    return contents;
  }

  std::vector<std::string> Names() {
    std::vector<std::string> names;
    EXPECT_TRUE(disk_.ListDirectory(kDirectory, &names).ok());
    return names;
  }

  static std::string Log(uint64_t number) {
    return std::string(kDirectory) + "/" + LogName(number);
  }

  static std::string SnapshotFile(uint64_t number) {
    return std::string(kDirectory) + "/" + SnapshotName(number);
  }

  std::string Read(const std::string& path) {
    std::string contents;
    EXPECT_TRUE(disk_.ReadFile(path, &contents).ok());
    return contents;
  }

  // All files but the lock, by name.
  Contents Files() {
    Contents files;
    for (const std::string& name : Names()) {
      if (name != kLockName) files[name] = Read(std::string(kDirectory) + "/" + name);
    }
    return files;
  }

  // A directory that holds these files, and nothing else, all durable.
  void RestoreFiles(const Contents& files) {
    store_.reset();
    disk_.Kill();
    std::vector<std::string> names;
    if (disk_.ListDirectory(kDirectory, &names).ok()) {
      for (const std::string& name : names) {
        ASSERT_TRUE(disk_.RemoveFile(std::string(kDirectory) + "/" + name).ok());
      }
    }
    ASSERT_TRUE(disk_.CreateDirectory(kDirectory).ok());
    for (const auto& [name, contents] : files) {
      std::unique_ptr<WritableFile> file;
      ASSERT_TRUE(disk_.NewWritableFile(std::string(kDirectory) + "/" + name, &file).ok());
      ASSERT_TRUE(file->Append(contents).ok());
      ASSERT_TRUE(file->Sync().ok());
    }
    ASSERT_TRUE(disk_.SyncDirectory(kDirectory).ok());
    ASSERT_TRUE(disk_.SyncDirectory("/").ok());
  }

  stress::SimulatedFileSystem disk_;
  WritePathOptions write_path_;
  StoreOptions options_;  // but for the mode, the write path, and the disk
  std::unique_ptr<Store> store_;
};

}  // namespace bellwether
