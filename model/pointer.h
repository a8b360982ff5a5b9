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

// The explorer wants its states small, a trace has many threads: the model is compiled for both,
// and types of other bounds are other types.
#ifdef BELLWETHER_MODEL_WIDE
#define BELLWETHER_MODEL_BOUNDS wide
#else
#define BELLWETHER_MODEL_BOUNDS narrow
#endif

namespace bellwether::model {
inline namespace BELLWETHER_MODEL_BOUNDS {

#ifdef BELLWETHER_MODEL_WIDE
inline constexpr size_t kMaxThreads = 12;
inline constexpr size_t kMaxWrites = 8;  // of each thread
#else
inline constexpr size_t kMaxThreads = 4;
inline constexpr size_t kMaxWrites = 3;  // of each thread
#endif
inline constexpr size_t kPlaces = kMaxThreads + 1;  // where Writers are: the threads, and the dummy
inline constexpr size_t kDummyPlace = kMaxThreads;

class Pointer {
 public:
  constexpr Pointer() = default;
  constexpr Pointer(size_t thread, size_t incarnation)
      : value_(static_cast<uint8_t>((thread + 1) << 4 | incarnation)) {}

  constexpr bool null() const { return value_ == 0; }
  // REQUIRES, for both: not null.
  constexpr size_t thread() const { return static_cast<size_t>(value_ >> 4) - 1; }
  constexpr size_t incarnation() const { return value_ & 0xf; }

  friend constexpr bool operator==(Pointer, Pointer) = default;

 private:
  uint8_t value_ = 0;
};

// Pipelined: the Writer that holds a leaving group's place in the queue.
inline constexpr Pointer kDummy{kDummyPlace, 0};

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

using Writers = Sequence<Pointer, kMaxThreads>;

}  // namespace BELLWETHER_MODEL_BOUNDS
}  // namespace bellwether::model
