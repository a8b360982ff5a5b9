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
    const StoreOptions options{
        .recovery_mode = mode, .write_path = write_path_, .file_system = &disk_};
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

  std::string Read(const std::string& path) {
    std::string contents;
    EXPECT_TRUE(disk_.ReadFile(path, &contents).ok());
    return contents;
  }

  stress::SimulatedFileSystem disk_;
  WritePathOptions write_path_;
  std::unique_ptr<Store> store_;
};

}  // namespace bellwether
