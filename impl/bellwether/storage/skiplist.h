// SkipList: an ordered set of versioned entries to which many threads add, and which readers walk
// without locks.
//
// Order: key ascending, then tag (sequence << 8 | type) descending, so that a key's newest version
// comes first. Protocol: a node is filled while nobody knows it, then linked level by level from
// the bottom, each by one CAS of its predecessor's link; a lost CAS looks for the place again from
// that predecessor on. Nothing is ever unlinked. Invariants: each level is sorted and a subset of
// the one below; a node that a reader reaches is whole (INV_ATOMIC rests on it, together with the
// published sequence). Thread safety: Insert and all reads may be called concurrently.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>
#include <string_view>

#include "bellwether/storage/arena.h"
#include "bellwether/storage/write_batch.h"
#include "bellwether/sync/orders.h"
#include "bellwether/sync/sync.h"
#include "bellwether/write_path/sequence.h"

namespace bellwether {

// The version of a key: newer ones are greater.
inline constexpr uint64_t PackTag(SequenceNumber sequence, ValueType type) {
  return (sequence << 8) | static_cast<uint64_t>(type);
}

template <SyncPolicy Sync>
class SkipList {
 public:
  class Node;

  // REQUIRES: arena outlives this.
  explicit SkipList(Arena<Sync>* arena) : arena_(arena), height_(1) {}
  SkipList(const SkipList&) = delete;
  SkipList& operator=(const SkipList&) = delete;

  // False if there is no memory. REQUIRES: no entry with this key and tag; key and value within the
  // limits of a WriteBatch.
  bool Insert(std::string_view key, uint64_t tag, std::string_view value) {
    const int node_height = HeightFor(tag);
    Node* const node = NewNode(node_height, key, tag, value);
    if (node == nullptr) return false;
    int height = height_.load(orders::SkipList_HeightLoad);
    while (height < node_height &&
           !height_.compare_exchange_weak(height, node_height, orders::SkipList_HeightCas)) {
    }
    Place places[kMaxHeight];
    Place place{head_, nullptr};
    for (int level = std::max(height, node_height) - 1; level >= 0; --level) {
      place = FindPlace(key, tag, level, place);
      places[level] = place;
    }
    for (int level = 0; level < node_height; ++level) LinkAt(places[level], level, node);
    return true;
  }

  // The first entry not before (key, tag), or null.
  const Node* Seek(std::string_view key, uint64_t tag) const {
    Place place{head_, nullptr};
    for (int level = height_.load(orders::SkipList_HeightLoad) - 1; level >= 0; --level) {
      place = FindPlace(key, tag, level, place);
    }
    return place.next;
  }

  const Node* First() const { return head_[0].next.load(orders::SkipList_NextLoad); }

  static const Node* Next(const Node* node) {
    return node->tower()[0].next.load(orders::SkipList_NextLoad);
  }

 private:
  static constexpr int kMaxHeight = 12;
  static constexpr int kBranchingBits = 2;

  struct Level {
    typename Sync::template Atomic<Node*> next{nullptr};
  };

  // Where an entry belongs on one level: behind `tower`, before `next`.
  struct Place {
    Level* tower;
    Node* next;
  };

  // One in four nodes reaches the next level. A hash of the sequence is as good as a coin and needs
  // no state that threads would share.
  static int HeightFor(uint64_t tag) {
    uint64_t hash = tag * 0x9e3779b97f4a7c15U;
    hash ^= hash >> 32;
    hash *= 0xd6e8feb86659fd93U;
    return std::min(kMaxHeight, 1 + std::countl_zero(hash | 1) / kBranchingBits);
  }

  Node* NewNode(int height, std::string_view key, uint64_t tag, std::string_view value) {
    const size_t tower_size = static_cast<size_t>(height) * sizeof(Level);
    void* const memory = arena_->Allocate(sizeof(Node) + tower_size + key.size() + value.size());
    return memory == nullptr ? nullptr : new (memory) Node(height, key, tag, value);
  }

  // The place of (key, tag) on a level, given one at or before it on that level or on the level
  // above.
  static Place FindPlace(std::string_view key, uint64_t tag, int level, Place from) {
    // What stopped the walk above stops it here, without another look at its key.
    const Node* const not_before = from.next;
    for (;;) {
      from.next = from.tower[level].next.load(orders::SkipList_NextLoad);
      if (from.next == nullptr || from.next == not_before || !from.next->Before(key, tag)) {
        return from;
      }
      from.tower = from.next->tower();
    }
  }

  void LinkAt(Place place, int level, Node* node) {
    for (;;) {
      node->tower()[level].next.store(place.next, orders::SkipList_OwnStore);
      Node* expected = place.next;
      if (place.tower[level].next.compare_exchange_strong(expected, node,
                                                          orders::SkipList_LinkCas)) {
        return;
      }
      place = FindPlace(node->key(), node->tag(), level, place);
    }
  }

  Arena<Sync>* const arena_;
  typename Sync::template Atomic<int> height_;
  // Mutable, because Insert and Seek walk by the same code.
  mutable Level head_[kMaxHeight];
};

// An entry: this header, then its tower, then the bytes of key and value, in one piece, so that a
// step of a walk costs one cache miss.
template <SyncPolicy Sync>
class SkipList<Sync>::Node {
 public:
  std::string_view key() const { return {bytes(), key_size_}; }
  std::string_view value() const { return {bytes() + key_size_, value_size_}; }
  uint64_t tag() const { return tag_; }
  SequenceNumber sequence() const { return tag_ >> 8; }
  ValueType type() const { return static_cast<ValueType>(tag_ & 0xff); }

 private:
  friend class SkipList;

  static_assert(kMaxKeySize < (size_t{1} << 24) && kMaxValueSize <= UINT32_MAX);

  Node(int height, std::string_view key, uint64_t tag, std::string_view value)
      : tag_(tag),
        value_size_(static_cast<uint32_t>(value.size())),
        height_(static_cast<uint32_t>(height) & 0xff),
        key_size_(static_cast<uint32_t>(key.size()) & 0xffffff) {
    for (int level = 0; level < height; ++level) new (tower() + level) Level();
    if (!key.empty()) std::memcpy(bytes(), key.data(), key.size());
    if (!value.empty()) std::memcpy(bytes() + key.size(), value.data(), value.size());
  }

  bool Before(std::string_view other_key, uint64_t other_tag) const {
    const int order = key().compare(other_key);
    return order < 0 || (order == 0 && tag_ > other_tag);
  }

  Level* tower() const { return reinterpret_cast<Level*>(const_cast<Node*>(this) + 1); }
  char* bytes() const { return reinterpret_cast<char*>(tower() + height_); }

  const uint64_t tag_;
  const uint32_t value_size_;
  const uint32_t height_ : 8;
  const uint32_t key_size_ : 24;
};

}  // namespace bellwether
