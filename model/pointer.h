// pointer.h: a pointer to a Writer, as the spec has it: <<thread, incarnation>>, or NULL.
//
// A Writer lives in the frame of the calling thread, so the thread is its address and the number of
// the write its incarnation. A CAS compares addresses (SameAddress); == also tells incarnations
// apart.
//
// Thread safety: a plain value.

#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <type_traits>

// The explorer wants its states small, Relacy runs six writers, a trace has many threads: the model
// is compiled for each, and types of other bounds are other types.
#ifdef BELLWETHER_MODEL_WIDE
#define BELLWETHER_MODEL_BOUNDS wide
#elif defined(BELLWETHER_MODEL_SIX)
#define BELLWETHER_MODEL_BOUNDS six
#else
#define BELLWETHER_MODEL_BOUNDS narrow
#endif

namespace bellwether::model {
inline namespace BELLWETHER_MODEL_BOUNDS {

#ifdef BELLWETHER_MODEL_WIDE
inline constexpr size_t kMaxThreads = 13;
inline constexpr size_t kMaxWrites = 8;  // of each thread
#elif defined(BELLWETHER_MODEL_SIX)
inline constexpr size_t kMaxThreads = 6;
inline constexpr size_t kMaxWrites = 2;  // of each thread
#else
inline constexpr size_t kMaxThreads = 4;
inline constexpr size_t kMaxWrites = 3;  // of each thread
#endif
// Where Writers are: in the frames of the threads, the second of an unbatched call, in that of the
// dummy, and in WriteThread itself.
inline constexpr size_t kSecondPlace = kMaxThreads;
inline constexpr size_t kFrames = kMaxThreads + 1;  // what takes steps
inline constexpr size_t kDummyPlace = kFrames;
inline constexpr size_t kStallPlace = kFrames + 1;
inline constexpr size_t kNonmemStallPlace = kFrames + 2;
inline constexpr size_t kPlaces = kFrames + 3;

class Pointer {
 public:
  constexpr Pointer() = default;
  constexpr Pointer(size_t thread, size_t incarnation)
      : value_(static_cast<uint8_t>(thread * kIncarnations + incarnation + 1)) {}

  constexpr bool null() const { return value_ == 0; }
  // NULL is of no thread. REQUIRES, for incarnation: not null.
  constexpr size_t thread() const { return (value_ - 1u) / kIncarnations; }
  constexpr size_t incarnation() const { return (value_ - 1u) % kIncarnations; }

  friend constexpr bool operator==(Pointer, Pointer) = default;

 private:
  static constexpr size_t kIncarnations = kMaxWrites + 1;  // before its first write a thread has 0
  static_assert(kPlaces * kIncarnations < 256);

  uint8_t value_ = 0;
};

// The second Writer of an unbatched call: in the second write queue, or the marker in the memtable
// queue.
inline constexpr Pointer kSecond{kSecondPlace, 0};
// Pipelined: the Writer that holds a leaving group's place in the queue.
inline constexpr Pointer kDummy{kDummyPlace, 0};
// write_stall_dummy_ of each write queue.
inline constexpr Pointer kStallDummy{kStallPlace, 0};
inline constexpr Pointer kNonmemStallDummy{kNonmemStallPlace, 0};

constexpr bool SameAddress(Pointer a, Pointer b) {
  if (a.null() || b.null()) return a == b;
  return a.thread() == b.thread();
}

// A sequence without heap. What lies behind its end stays zero, so that equal sequences have equal
// bytes.
template <class T, size_t kCapacity>
struct Sequence {
  std::conditional_t<(kCapacity < 256), uint8_t, uint16_t> size = 0;
  std::array<T, kCapacity> items = {};

  // REQUIRES: size < kCapacity.
  constexpr void Append(T item) { items[size++] = item; }
  constexpr const T& operator[](size_t i) const { return items[i]; }
  constexpr bool empty() const { return size == 0; }
  constexpr const T& last() const { return items[size - 1u]; }

  constexpr const T* begin() const { return items.data(); }
  constexpr const T* end() const { return items.data() + size; }

  constexpr bool Contains(T item) const {
    for (const T& have : *this) {
      if (have == item) return true;
    }
    return false;
  }

  // The first n items. REQUIRES: n <= size.
  constexpr Sequence Prefix(size_t n) const {
    Sequence prefix;
    for (size_t i = 0; i < n; i++) prefix.Append(items[i]);
    return prefix;
  }

  // The items of which `keep` is true, in their order.
  template <class Predicate>
  constexpr Sequence Select(Predicate&& keep) const {
    Sequence selected;
    for (const T& item : *this) {
      if (keep(item)) selected.Append(item);
    }
    return selected;
  }

  friend constexpr bool operator==(const Sequence&, const Sequence&) = default;
};

using Writers = Sequence<Pointer, kFrames>;

}  // namespace BELLWETHER_MODEL_BOUNDS
}  // namespace bellwether::model
