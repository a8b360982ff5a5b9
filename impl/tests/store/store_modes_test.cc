// What a store promises in every mode of its write path: MultiGet and Sync.

#include <array>
#include <atomic>
#include <optional>
#include <thread>

#include "store_fixture.h"
#include "stress/modes.h"

namespace bellwether {
namespace {

using Values = std::vector<std::optional<std::string>>;

class StoreModesTest : public StoreTest, public testing::WithParamInterface<stress::Mode> {
 protected:
  StoreModesTest() { write_path_ = GetParam().options; }
};

class MultiGetTest : public StoreModesTest {
 protected:
  static constexpr std::array<std::string_view, 6> kKeys{"a", "b", "c", "d", "e", "f"};

  Values MultiGet() const {
    Values values;
    EXPECT_TRUE(store_->MultiGet({}, kKeys, &values).ok());
    return values;
  }

  Values OneByOne() const {
    Values values;
    for (const std::string_view key : kKeys) values.push_back(Get(std::string(key)));
    return values;
  }

  // Reads while a writer replaces all keys at once; stops at the first state that never was.
  template <class Read>
  bool SeesTornState(int reads, const Read& read) {
    std::atomic<bool> stop = false;
    PutAll(0);
    std::thread writer([&] {
      for (int round = 1; !stop; ++round) PutAll(round);
    });
    bool torn = false;
    for (int i = 0; i != reads && !torn; ++i) {
      const Values values = read();
      torn = values != Values(kKeys.size(), values.front());
    }
    stop = true;
    writer.join();
    return torn;
  }

 private:
  void PutAll(int round) {
    WriteBatch batch;
    for (const std::string_view key : kKeys) (void)batch.Put(key, std::to_string(round));
    EXPECT_TRUE(store_->Write({}, &batch).status.ok());
  }
};

TEST_P(MultiGetTest, ReadsEachKey) {
  Reopen();
  Put("a", "old");
  const Snapshot snapshot = store_->GetSnapshot();
  Put("a", "new");
  Put("c", "");
  Values values{"untouched"};
  const std::array<std::string_view, 3> keys{"c", "b", "a"};
  ASSERT_TRUE(store_->MultiGet({}, keys, &values).ok());
  EXPECT_EQ(values, (Values{"", std::nullopt, "new"}));
  ASSERT_TRUE(store_->MultiGet({.snapshot = &snapshot}, keys, &values).ok());
  EXPECT_EQ(values, (Values{std::nullopt, std::nullopt, "old"}));
  ASSERT_TRUE(store_->Close().ok());
  EXPECT_EQ(store_->MultiGet({}, keys, &values).code(), Status::Code::kAborted);
  EXPECT_EQ(values.size(), 3U) << "untouched";
  ASSERT_TRUE(Open().ok());
  ASSERT_TRUE(store_->MultiGet({}, {}, &values).ok());
  EXPECT_TRUE(values.empty());
}

TEST_P(MultiGetTest, AllKeysAreOfOneState) {
  Reopen();
  EXPECT_FALSE(SeesTornState(20'000, [&] { return MultiGet(); }));
}

TEST_P(MultiGetTest, GetsOneByOneWouldBeSeen) {
  Reopen();
  EXPECT_TRUE(SeesTornState(-1, [&] { return OneByOne(); }));
}

INSTANTIATE_TEST_SUITE_P(EveryMode, MultiGetTest, testing::ValuesIn(stress::kModes),
                         [](const auto& info) { return std::string(info.param.name); });

class StoreSyncTest : public StoreModesTest {
 protected:
  // Whether some power failure takes a write that was acknowledged before the barrier.
  template <class Barrier>
  bool Loses(const Barrier& barrier) {
    Reopen();
    for (int i = 0; i < 40; ++i) {
      const std::string key = std::to_string(i);
      Put(key, key);
      EXPECT_TRUE(barrier().ok());
      disk_.Crash(static_cast<uint64_t>(i));
      Reopen(RecoveryMode::kPointInTime);
      if (Get(key) != key) return true;
    }
    return false;
  }
};

TEST_P(StoreSyncTest, EverythingBeforeItIsDurable) {
  EXPECT_FALSE(Loses([&] { return store_->Sync(); }));
  const Stats stats = store_->GetStats();
  EXPECT_TRUE(store_->Sync().ok());
  EXPECT_EQ(store_->GetStats().syncs, stats.syncs + 1);
}

TEST_P(StoreSyncTest, ABarrierThatDoesNotSyncWouldBeSeen) {
  const WriteBatch empty;
  EXPECT_TRUE(Loses([&] { return store_->Write({}, &empty).status; }));
}

TEST_P(StoreSyncTest, SaysWhatFailed) {
  Reopen();
  Put("a", "1");
  disk_.InjectFault({.operation = stress::FileOperation::kSync});
  const Status failed = store_->Sync();
  EXPECT_EQ(failed.code(), Status::Code::kUnknownOutcome);
  EXPECT_EQ(failed.error_number(), EIO);
  EXPECT_EQ(store_->Sync().code(), Status::Code::kAborted) << "a failed sync is never retried";
  EXPECT_EQ(store_->Put({}, "b", "2").status.code(), Status::Code::kAborted);
  EXPECT_EQ(All(), (Contents{{"a", "1"}}));
  Reopen();
  ASSERT_TRUE(store_->Close().ok());
  EXPECT_EQ(store_->Sync().code(), Status::Code::kAborted);
}

INSTANTIATE_TEST_SUITE_P(EveryMode, StoreSyncTest, testing::ValuesIn(stress::kModes),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace bellwether
