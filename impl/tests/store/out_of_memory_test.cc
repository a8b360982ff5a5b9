// No exception crosses the API: every allocation of every call fails in turn.

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <memory>
#include <string>
#include <utility>

#include "bellwether/store/store.h"
#include "failing_new.h"

namespace bellwether {
namespace {

// Calls call() with the nth allocation failing, n = 1, 2, …, until it needs fewer.
template <class Call>
int64_t FailEachAllocation(const Call& call) {
  for (int64_t n = 0;; ++n) {
    allocations_left = n;
    allocation_refused = false;
    call();
    allocations_left = -1;
    if (!allocation_refused) return n;
  }
}

class OutOfMemoryTest : public testing::Test {
 protected:
  OutOfMemoryTest() {
    std::string name = (std::filesystem::temp_directory_path() / "store_oom.XXXXXX").string();
    EXPECT_NE(::mkdtemp(name.data()), nullptr);
    directory_ = name;
  }
  ~OutOfMemoryTest() override {
    store_.reset();
    std::filesystem::remove_all(directory_);
  }

  const std::string key_ = std::string(100, 'k');
  const std::string value_ = std::string(100, 'v');
  std::string directory_;
  std::unique_ptr<Store> store_;
};

TEST_F(OutOfMemoryTest, Open) {
  ASSERT_TRUE(Store::Open({}, directory_, &store_).ok());
  ASSERT_TRUE(store_->Put({}, key_, value_).status.ok());
  store_.reset();
  const int64_t allocations = FailEachAllocation([&] {
    store_.reset();
    (void)Store::Open({}, directory_, &store_);
  });
  EXPECT_GT(allocations, 10);
  ASSERT_NE(store_, nullptr);
  std::string value;
  EXPECT_TRUE(store_->Get({}, key_, &value).ok());
  EXPECT_EQ(value, value_);
}

TEST_F(OutOfMemoryTest, EveryCall) {
  ASSERT_TRUE(Store::Open({}, directory_, &store_).ok());
  ASSERT_TRUE(store_->Put({}, key_, value_).status.ok());
  EXPECT_GT(FailEachAllocation([&] {
              std::string value;
              (void)store_->Get({}, key_, &value);
            }),
            0);
  EXPECT_GT(FailEachAllocation([&] {
              std::unique_ptr<Store::Iterator> iterator;
              const Status status = store_->NewIterator({}, &iterator);
              EXPECT_EQ(status.ok(), iterator != nullptr);
            }),
            0);
  uint64_t acknowledged = 0;
  EXPECT_GT(FailEachAllocation([&] {
              // A log that ran out of memory takes nothing any more: each turn begins with a new
              // one.
              const int64_t left = std::exchange(allocations_left, -1);
              store_.reset();
              ASSERT_TRUE(Store::Open({}, directory_, &store_).ok());
              const std::string key = key_ + std::to_string(left);
              allocations_left = left;
              const WriteResult put = store_->Put({}, key, value_);
              const WriteResult deleted = store_->Delete({}, key_);
              (void)store_->Close();
              allocations_left = -1;
              if (put.status.ok()) ++acknowledged;
              if (deleted.status.ok()) ++acknowledged;
            }),
            0);
  EXPECT_GT(acknowledged, 0U);
  ASSERT_TRUE(Store::Open({}, directory_, &store_).ok());
}

TEST_F(OutOfMemoryTest, TransactionsAndCheckpoints) {
  WriteBatch batch;
  ASSERT_TRUE(batch.Put(key_, value_).ok());
  const std::string key_of_x = std::string(50, 'x');
  ASSERT_TRUE(Store::Open({}, directory_, &store_).ok());
  bool checkpoint = false;
  const int64_t allocations = FailEachAllocation([&] {
    const int64_t left = std::exchange(allocations_left, -1);
    store_.reset();
    ASSERT_TRUE(Store::Open({}, directory_, &store_).ok());
    (void)store_->Rollback({}, key_of_x);
    allocations_left = left;
    const bool prepared = store_->Prepare({}, key_of_x, &batch).ok();
    checkpoint = store_->Checkpoint().ok();
    const bool committed = store_->Commit({}, key_of_x).status.ok();
    std::vector<RecoveredTransaction> recovered;
    (void)store_->RecoveredTransactions(&recovered);
    std::vector<std::optional<std::string>> values;
    const std::string_view keys[] = {key_};
    (void)store_->MultiGet({}, keys, &values);
    allocations_left = -1;
    EXPECT_LE(committed, prepared);
    if (!committed) return;
    store_.reset();
    ASSERT_TRUE(Store::Open({}, directory_, &store_).ok());
    std::string value;
    EXPECT_TRUE(store_->Get({}, key_, &value).ok());
  });
  EXPECT_GT(allocations, 20);
  EXPECT_TRUE(checkpoint) << "with memory enough";
}

}  // namespace
}  // namespace bellwether
