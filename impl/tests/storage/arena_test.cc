#include "bellwether/storage/arena.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <random>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "bellwether/sync/std_sync.h"
#include "interposed_sync.h"

namespace bellwether {
namespace {

using testing::InterposedSync;

using Piece = std::pair<char*, size_t>;

void ExpectDisjoint(std::vector<Piece> pieces) {
  std::sort(pieces.begin(), pieces.end());
  for (size_t i = 1; i < pieces.size(); ++i) {
    ASSERT_LE(pieces[i - 1].first + pieces[i - 1].second, pieces[i].first);
  }
}

TEST(Arena, PiecesAreAlignedDisjointAndWritable) {
  Arena<StdSync> arena(SIZE_MAX);
  std::vector<Piece> pieces;
  std::mt19937 random(1);
  for (int i = 0; i < 20000; ++i) {
    const size_t size = 1 + random() % (i % 1000 == 0 ? 400000 : 500);
    char* piece = static_cast<char*>(arena.Allocate(size));
    ASSERT_NE(piece, nullptr);
    ASSERT_EQ(reinterpret_cast<uintptr_t>(piece) % Arena<StdSync>::kAlignment, 0U);
    std::memset(piece, i, size);
    pieces.emplace_back(piece, size);
  }
  for (size_t i = 0; i < pieces.size(); ++i) {
    const auto [piece, size] = pieces[i];
    ASSERT_EQ(piece[0], static_cast<char>(i));
    ASSERT_EQ(piece[size - 1], static_cast<char>(i));
  }
  ExpectDisjoint(pieces);
}

TEST(Arena, UsageIsWhatWasTaken) {
  Arena<StdSync> arena(SIZE_MAX);
  EXPECT_EQ(arena.MemoryUsage(), 0U);
  size_t taken = 0;
  for (int i = 0; i < 50000; ++i) {
    ASSERT_NE(arena.Allocate(100), nullptr);
    taken += 104;
  }
  EXPECT_GE(arena.MemoryUsage(), taken);
  EXPECT_LE(arena.MemoryUsage(), taken + taken / 4);
}

TEST(Arena, ABlockIsFilledToItsLastByteAndNoFurther) {
  Arena<StdSync> arena(SIZE_MAX);
  const size_t piece = size_t{64} << 10;
  ASSERT_NE(arena.Allocate(piece), nullptr);
  const size_t block = arena.MemoryUsage();
  for (size_t taken = 2 * piece; taken <= size_t{1} << 20; taken += piece) {
    ASSERT_NE(arena.Allocate(piece), nullptr);
  }
  EXPECT_EQ(arena.MemoryUsage(), block);
  ASSERT_NE(arena.Allocate(1), nullptr);
  EXPECT_EQ(arena.MemoryUsage(), 2 * block);
  Arena<StdSync> enough(block), too_little(block - 1);
  EXPECT_NE(enough.Allocate(1), nullptr);
  EXPECT_EQ(too_little.Allocate(1), nullptr);
  EXPECT_EQ(too_little.MemoryUsage(), 0U);
}

// Between the look at the current block and its replacement another thread replaces it.
TEST(Arena, TheBlockOfALostRaceIsGivenBack) {
  Arena<InterposedSync> arena(SIZE_MAX);
  void* others = nullptr;
  InterposedSync::before_cas = [&](std::string_view) {
    InterposedSync::before_cas = nullptr;
    others = arena.Allocate(8);
  };
  void* const own = arena.Allocate(8);
  EXPECT_NE(own, nullptr);
  EXPECT_NE(own, others);
  const size_t usage = arena.MemoryUsage();
  Arena<InterposedSync> one_block(usage);
  EXPECT_NE(one_block.Allocate(8), nullptr);
  EXPECT_EQ(one_block.MemoryUsage(), usage);
}

TEST(Arena, TheLimitIsANullPointerAndSmallerPiecesStillFit) {
  constexpr size_t kLimit = size_t{3} << 20;
  Arena<StdSync> arena(kLimit);
  EXPECT_EQ(arena.Allocate(kLimit), nullptr);
  EXPECT_NE(arena.Allocate(kLimit / 2), nullptr);
  EXPECT_EQ(arena.Allocate(kLimit / 2), nullptr);
  size_t pieces = 0;
  while (arena.Allocate(1000) != nullptr) ++pieces;
  EXPECT_GE(pieces, 1000U);
  EXPECT_LE(arena.MemoryUsage(), kLimit);
  EXPECT_EQ(arena.Allocate(1000), nullptr);
}

TEST(Arena, ThreadsTakeDisjointPieces) {
  constexpr size_t kThreads = 4;
  Arena<StdSync> arena(SIZE_MAX);
  std::vector<std::vector<Piece>> taken(kThreads);
  std::vector<std::thread> threads;
  for (size_t t = 0; t < kThreads; ++t) {
    threads.emplace_back([&arena, &pieces = taken[t], t] {
      std::mt19937 random(static_cast<unsigned>(t));
      for (int i = 0; i < 5000; ++i) {
        const size_t size = 1 + random() % (i % 500 == 0 ? 300000 : 2000);
        auto* piece = static_cast<char*>(arena.Allocate(size));
        std::memset(piece, static_cast<int>(t), size);
        pieces.emplace_back(piece, size);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::vector<Piece> all;
  for (const auto& pieces : taken) all.insert(all.end(), pieces.begin(), pieces.end());
  ExpectDisjoint(all);
}

}  // namespace
}  // namespace bellwether
