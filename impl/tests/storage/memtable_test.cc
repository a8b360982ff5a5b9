#include "bellwether/storage/memtable.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "bellwether/sync/std_sync.h"
#include "interposed_sync.h"

namespace bellwether {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Table = MemTable<StdSync>;

WriteBatch Puts(const std::vector<std::pair<std::string, std::string>>& entries) {
  WriteBatch batch;
  for (const auto& [key, value] : entries) EXPECT_TRUE(batch.Put(key, value).ok());
  return batch;
}

WriteBatch Deletes(const std::string& key) {
  WriteBatch batch;
  EXPECT_TRUE(batch.Delete(key).ok());
  return batch;
}

std::string Get(const Table& table, std::string_view key, SequenceNumber snapshot) {
  return std::string(table.Get(key, snapshot).value_or("none"));
}

std::vector<std::string> Scan(const Table& table, SequenceNumber snapshot) {
  std::vector<std::string> found;
  Table::Iterator iterator(&table, snapshot);
  for (iterator.SeekToFirst(); iterator.Valid(); iterator.Next()) {
    found.push_back(std::string(iterator.key()) + "=" + std::string(iterator.value()));
  }
  return found;
}

TEST(MemTable, AnEmptyOneHasNothing) {
  const Table table;
  EXPECT_EQ(Get(table, "a", kMaxSequenceNumber), "none");
  EXPECT_THAT(Scan(table, kMaxSequenceNumber), IsEmpty());
  EXPECT_EQ(table.Operations(), 0U);
}

TEST(MemTable, ASnapshotSeesTheVersionsOfItsTime) {
  Table table;
  ASSERT_TRUE(table.InsertInto(Puts({{"a", "1"}, {"b", "1"}}), 1).ok());
  ASSERT_TRUE(table.InsertInto(Puts({{"a", "2"}}), 3).ok());
  ASSERT_TRUE(table.InsertInto(Deletes("a"), 4).ok());
  ASSERT_TRUE(table.InsertInto(Puts({{"a", ""}, {"c", "3"}}), 5).ok());
  EXPECT_EQ(Get(table, "a", 0), "none");
  EXPECT_EQ(Get(table, "a", 1), "1");
  EXPECT_EQ(Get(table, "b", 1), "none");
  EXPECT_EQ(Get(table, "a", 3), "2");
  EXPECT_EQ(Get(table, "a", 4), "none");
  EXPECT_EQ(Get(table, "a", 5), "");
  EXPECT_EQ(Get(table, "a", kMaxSequenceNumber), "");
  EXPECT_THAT(Scan(table, 0), IsEmpty());
  EXPECT_THAT(Scan(table, 2), ElementsAre("a=1", "b=1"));
  EXPECT_THAT(Scan(table, 3), ElementsAre("a=2", "b=1"));
  EXPECT_THAT(Scan(table, 4), ElementsAre("b=1"));
  EXPECT_THAT(Scan(table, kMaxSequenceNumber), ElementsAre("a=", "b=1", "c=3"));
  EXPECT_EQ(table.Operations(), 6U);
}

TEST(MemTable, TheLastOperationOfABatchOnAKeyWins) {
  Table table;
  WriteBatch batch = Puts({{"a", "1"}, {"a", "2"}});
  ASSERT_TRUE(batch.Delete("b").ok());
  ASSERT_TRUE(batch.Put("b", "3").ok());
  ASSERT_TRUE(table.InsertInto(batch, 1).ok());
  EXPECT_THAT(Scan(table, 4), ElementsAre("a=2", "b=3"));
}

TEST(MemTable, KeysAreAnyBytesInUnsignedOrder) {
  Table table;
  const std::string zero(1, '\0');
  ASSERT_TRUE(
      table.InsertInto(Puts({{"\xff", "4"}, {zero, "2"}, {"", "1"}, {"\x7f", "3"}}), 1).ok());
  EXPECT_THAT(Scan(table, 9), ElementsAre("=1", zero + "=2", "\x7f=3", "\xff=4"));
  EXPECT_EQ(Get(table, "", 9), "1");
}

TEST(MemTable, SeekFindsTheFirstKeyNotBefore) {
  Table table;
  ASSERT_TRUE(table.InsertInto(Puts({{"b", "1"}, {"d", "2"}}), 1).ok());
  Table::Iterator iterator(&table, 2);
  for (const auto& [target, found] :
       std::map<std::string, std::string>{{"", "b"}, {"b", "b"}, {"c", "d"}, {"d", "d"}}) {
    iterator.Seek(target);
    ASSERT_TRUE(iterator.Valid()) << target;
    EXPECT_EQ(iterator.key(), found) << target;
  }
  iterator.Seek("e");
  EXPECT_FALSE(iterator.Valid());
}

TEST(MemTable, ManyVersionsOfAKeyAreSteppedOver) {
  Table table;
  SequenceNumber sequence = 0;
  ASSERT_TRUE(table.InsertInto(Puts({{"a", "1"}}), ++sequence).ok());
  for (int i = 0; i < 1000; ++i) {
    ASSERT_TRUE(table.InsertInto(Puts({{"b", std::to_string(i)}}), ++sequence).ok());
  }
  ASSERT_TRUE(table.InsertInto(Puts({{"c", "1"}}), ++sequence).ok());
  EXPECT_THAT(Scan(table, sequence), ElementsAre("a=1", "b=999", "c=1"));
  EXPECT_THAT(Scan(table, 500), ElementsAre("a=1", "b=498"));
  EXPECT_THAT(Scan(table, 1), ElementsAre("a=1"));
}

TEST(MemTable, WithoutMemoryABatchIsAnErrorAndTheRestStaysReadable) {
  Table table(size_t{5} << 19);
  SequenceNumber sequence = 1;
  Status status;
  while ((status = table.InsertInto(
              Puts({{"key" + std::to_string(sequence), std::string(1000, 'v')}}), sequence))
             .ok()) {
    ++sequence;
  }
  EXPECT_EQ(status.code(), Status::Code::kOutOfMemory);
  EXPECT_GT(sequence, 1500U);
  EXPECT_EQ(table.Operations(), sequence - 1);
  EXPECT_EQ(Scan(table, kMaxSequenceNumber).size(), sequence - 1);
  EXPECT_LE(table.MemoryUsage(), size_t{5} << 19);
}

// One random history over few keys, read at every snapshot, against a map per snapshot.
void ReadsAsAMapAtEverySnapshot() {
  const auto operations = *rc::gen::container<std::vector<std::pair<bool, uint8_t>>>(
      rc::gen::pair(rc::gen::arbitrary<bool>(), rc::gen::inRange<uint8_t>(0, 8)));
  Table table;
  std::vector<std::map<std::string, std::string>> at(1);
  for (const auto& [put, number] : operations) {
    const SequenceNumber sequence = at.size();
    const std::string key = "key" + std::string(number, 'x');
    at.push_back(at.back());
    if (put) {
      at.back()[key] = std::to_string(sequence);
    } else {
      at.back().erase(key);
    }
    RC_ASSERT(table.InsertInto(put ? Puts({{key, at.back()[key]}}) : Deletes(key), sequence).ok());
  }
  for (SequenceNumber snapshot = 0; snapshot < at.size(); ++snapshot) {
    std::vector<std::string> expected;
    for (const auto& [key, value] : at[snapshot]) expected.push_back(key + "=" + value);
    RC_ASSERT(Scan(table, snapshot) == expected);
    for (size_t number = 0; number < 8; ++number) {
      const std::string key = "key" + std::string(number, 'x');
      const auto found = at[snapshot].find(key);
      RC_ASSERT(Get(table, key, snapshot) ==
                (found == at[snapshot].end() ? "none" : found->second));
    }
  }
}

TEST(MemTable, ReadsAsAMapAtEverySnapshot) {
  // The same histories each time, unless the caller asks for others.
  (void)::setenv("RC_PARAMS", "seed=1", 0);
  EXPECT_TRUE(rc::check(ReadsAsAMapAtEverySnapshot));
}

// A competitor links its entry between the search for a place and the CAS, at each CAS in turn and
// on either side of the place.
TEST(MemTable, ALostRaceForAPlaceIsRunAgainFromTheRightOne) {
  using Interposed = testing::InterposedSync;
  size_t lost = 0;
  for (SequenceNumber sequence = 1; sequence < 300; ++sequence) {
    for (const std::string competitor : {"a", "c", "e", "g"}) {
      for (int turn = 0; turn < 3; ++turn) {
        MemTable<Interposed> table;
        ASSERT_TRUE(table.InsertInto(Puts({{"b", "b"}, {"f", "f"}}), 1000).ok());
        int cas = 0;
        Interposed::before_cas = [&](std::string_view order) {
          if (order != orders::SkipList_LinkCas.name || cas++ != turn) return;
          const auto hook = std::exchange(Interposed::before_cas, nullptr);
          ASSERT_TRUE(table.InsertInto(Puts({{competitor, competitor}}), 2000 + sequence).ok());
          ++lost;
        };
        ASSERT_TRUE(table.InsertInto(Puts({{"d", "d"}}), sequence).ok());
        const bool competed = Interposed::before_cas == nullptr;
        Interposed::before_cas = nullptr;
        std::string keys;
        MemTable<Interposed>::Iterator iterator(&table, kMaxSequenceNumber);
        for (iterator.SeekToFirst(); iterator.Valid(); iterator.Next()) keys += iterator.key();
        std::string expected = competed ? "bdf" + competitor : "bdf";
        std::sort(expected.begin(), expected.end());
        ASSERT_EQ(keys, expected) << "sequence " << sequence << " turn " << turn;
        for (const char key : expected) {
          ASSERT_TRUE(table.Get(std::string_view(&key, 1), kMaxSequenceNumber).has_value()) << key;
        }
      }
    }
  }
  EXPECT_GT(lost, 300U * 4U);
}

// All threads insert versions of the same keys; readers check the order while they do.
TEST(MemTable, ThreadsInsertEverythingInOrder) {
  constexpr SequenceNumber kThreads = 4, kBatches = 4000, kKeys = 500;
  Table table;
  std::atomic<int> running = static_cast<int>(kThreads);
  const auto key_of = [](SequenceNumber n) { return "key" + std::to_string(n * 7919 % kKeys); };
  std::vector<std::thread> threads;
  for (SequenceNumber t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (SequenceNumber n = 0; n < kBatches; ++n) {
        const SequenceNumber sequence = 1 + n * kThreads + t;
        EXPECT_TRUE(
            table.InsertInto(Puts({{key_of(sequence), std::to_string(sequence)}}), sequence).ok());
      }
      --running;
    });
  }
  threads.emplace_back([&] {
    while (running.load() > 0) {
      std::string last;
      Table::Iterator iterator(&table, kMaxSequenceNumber);
      for (iterator.SeekToFirst(); iterator.Valid(); iterator.Next()) {
        ASSERT_LT(last, iterator.key());
        last = iterator.key();
        ASSERT_EQ(iterator.value(), std::to_string(iterator.sequence()));
      }
    }
  });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(table.Operations(), kThreads * kBatches);
  for (SequenceNumber sequence = 1; sequence <= kThreads * kBatches; ++sequence) {
    ASSERT_EQ(Get(table, key_of(sequence), sequence), std::to_string(sequence));
  }
}

// A writer publishes each batch after its insertion; whoever acquires the published sequence sees
// both halves of every batch, and nothing of later ones.
TEST(MemTable, APublishedBatchIsSeenWhole) {
  constexpr SequenceNumber kBatches = 10000;
  Table table;
  std::atomic<SequenceNumber> published = 0;
  std::vector<std::thread> readers;
  for (int r = 0; r < 2; ++r) {
    readers.emplace_back([&] {
      SequenceNumber snapshot = 0;
      while (snapshot < 2 * kBatches) {
        snapshot = published.load(std::memory_order_acquire);
        const std::string expected = snapshot == 0 ? "none" : std::to_string(snapshot);
        ASSERT_EQ(Get(table, "left", snapshot), expected);
        ASSERT_EQ(Get(table, "right", snapshot), expected);
      }
    });
  }
  for (SequenceNumber n = 0; n < kBatches; ++n) {
    const SequenceNumber first = 2 * n + 1;
    const std::string value = std::to_string(first + 1);
    ASSERT_TRUE(table.InsertInto(Puts({{"left", value}, {"right", value}}), first).ok());
    published.store(first + 1, std::memory_order_release);
  }
  for (std::thread& reader : readers) reader.join();
}

}  // namespace
}  // namespace bellwether
