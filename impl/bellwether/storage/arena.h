// Arena: memory that many threads take and that is given back all at once.
//
// Protocol: Allocate adds to the current block's `used`; whoever finds the block full puts a new
// one, with his own piece already taken, in its place by one CAS. A large piece gets a block of its
// own. Invariants: pieces are disjoint; none moves or is freed before the arena is; what the limit
// or the system refuses is a null pointer, never an exception. Thread safety: Allocate and
// MemoryUsage may be called concurrently, the destructor not.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <new>

#include "bellwether/sync/orders.h"
#include "bellwether/sync/sync.h"

namespace bellwether {

template <SyncPolicy Sync>
class Arena {
 public:
  static constexpr size_t kAlignment = alignof(uint64_t);

  // Takes no more than about `memory_limit` bytes from the system.
  explicit Arena(size_t memory_limit)
      : memory_limit_(memory_limit), current_(nullptr), large_(nullptr), memory_usage_(0) {}
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;
  ~Arena() {
    FreeAll(current_.load(orders::Arena_CurrentLoad));
    FreeAll(large_.load(orders::Arena_LargeLoad));
  }

  // Null if there is no memory.
  void* Allocate(size_t bytes) {
    bytes = (bytes + kAlignment - 1) & ~(kAlignment - 1);
    if (bytes > kLargeSize) return AllocateLarge(bytes);
    Block* block = current_.load(orders::Arena_CurrentLoad);
    for (;;) {
      if (block != nullptr) {
        const size_t offset = block->used.fetch_add(bytes, orders::Arena_UsedAdd);
        if (offset + bytes <= kBlockSize) return block->Data() + offset;
      }
      Block* fresh = NewBlock(kBlockSize, bytes);
      if (fresh == nullptr) return nullptr;
      fresh->previous = block;
      if (current_.compare_exchange_strong(block, fresh, orders::Arena_CurrentCas)) {
        return fresh->Data();
      }
      Free(fresh);
    }
  }

  // What was taken from the system.
  size_t MemoryUsage() const { return memory_usage_.load(orders::Arena_MemoryUsageLoad); }

 private:
  static constexpr size_t kBlockSize = size_t{1} << 20;
  // Bounds what a full block wastes to an eighth.
  static constexpr size_t kLargeSize = kBlockSize / 8;

  struct alignas(kAlignment) Block {
    Block(size_t total, size_t taken) : previous(nullptr), size(total), used(taken) {}
    char* Data() { return reinterpret_cast<char*>(this + 1); }

    Block* previous;
    const size_t size;
    typename Sync::template Atomic<size_t> used;
  };

  void* AllocateLarge(size_t bytes) {
    Block* fresh = NewBlock(bytes, bytes);
    if (fresh == nullptr) return nullptr;
    Block* head = large_.load(orders::Arena_LargeLoad);
    do {
      fresh->previous = head;
    } while (!large_.compare_exchange_weak(head, fresh, orders::Arena_LargeCas));
    return fresh->Data();
  }

  // A block with room for `bytes`, of which `taken` are taken.
  Block* NewBlock(size_t bytes, size_t taken) {
    const size_t size = sizeof(Block) + bytes;
    const size_t before = memory_usage_.fetch_add(size, orders::Arena_MemoryUsageAdd);
    void* memory = nullptr;
    if (size <= memory_limit_ && before <= memory_limit_ - size) memory = std::malloc(size);
    if (memory == nullptr) {
      memory_usage_.fetch_sub(size, orders::Arena_MemoryUsageAdd);
      return nullptr;
    }
    return new (memory) Block(size, taken);
  }

  void Free(Block* block) {
    memory_usage_.fetch_sub(block->size, orders::Arena_MemoryUsageAdd);
    block->~Block();
    std::free(block);
  }

  void FreeAll(Block* newest) {
    while (newest != nullptr) {
      Block* const previous = newest->previous;
      Free(newest);
      newest = previous;
    }
  }

  const size_t memory_limit_;
  typename Sync::template Atomic<Block*> current_;
  typename Sync::template Atomic<Block*> large_;
  typename Sync::template Atomic<size_t> memory_usage_;
};

}  // namespace bellwether
