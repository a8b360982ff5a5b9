// Where the threads of a run note each write before they begin it and after it returned.
//
// The table is memory shared with child processes (mmap), so what a child noted outlives its being
// killed. Thread safety: each thread writes its own row; others read once it has ended or died.
// Checkpointed may be called by all.
#pragma once

#include <sys/mman.h>

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include "bellwether/write_path/status.h"
#include "stress/history.h"
#include "stress/workload.h"

namespace bellwether::stress {

// How far a write has come; a transaction goes through the last three.
enum class Phase : uint8_t { kWriting, kPreparing, kPrepared, kDeciding };

class AckTable {
 public:
  struct Slot {
    uint64_t invoked = 0;   // the write, or the prepare
    uint64_t prepared = 0;  // the prepare returned OK
    uint64_t decided = 0;   // the commit or the rollback was invoked
    uint64_t returned = 0;  // the last call
    SequenceNumber sequence = 0;
    Outcome outcome = Outcome::kUnknown;  // of the last call
    Phase phase = Phase::kWriting;
  };

  // A row for each thread, of `capacity` writes. Memory is taken only as far as it is used.
  AckTable(uint32_t threads, uint64_t capacity)
      : threads_(threads),
        capacity_(capacity),
        bytes_(threads * (sizeof(RowHeader) + capacity * sizeof(Slot))),
        memory_(::mmap(nullptr, bytes_, PROT_READ | PROT_WRITE,
                       MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)) {
    if (memory_ == MAP_FAILED) throw std::bad_alloc();
    for (uint32_t thread = 0; thread < threads; ++thread) new (Header(thread)) RowHeader();
  }
  AckTable(const AckTable&) = delete;
  AckTable& operator=(const AckTable&) = delete;
  ~AckTable() { (void)::munmap(memory_, bytes_); }

  uint32_t threads() const { return threads_; }
  uint64_t capacity() const { return capacity_; }

  // How many writes of `thread` were begun, and how many have returned.
  uint64_t Begun(uint32_t thread) const { return Header(thread)->begun.load(); }
  uint64_t Returned(uint32_t thread) const { return Header(thread)->returned.load(); }

  uint64_t Returned() const {
    uint64_t sum = 0;
    for (uint32_t thread = 0; thread < threads_; ++thread) sum += Returned(thread);
    return sum;
  }

  // REQUIRES: fewer than capacity() were begun; the one before has returned.
  void Begin(uint32_t thread, Phase phase = Phase::kWriting) {
    RowHeader* const header = Header(thread);
    const uint64_t n = header->begun.load(std::memory_order::relaxed);
    Row(thread)[n].invoked = Now();
    Row(thread)[n].phase = phase;
    header->begun.store(n + 1);
  }

  // REQUIRES: it was begun as kPreparing.
  void Prepared(uint32_t thread) {
    Slot& slot = Row(thread)[Returned(thread)];
    slot.prepared = Now();
    Enter(Phase::kPrepared, &slot);
  }

  // REQUIRES: it is prepared.
  void Decide(uint32_t thread) {
    Slot& slot = Row(thread)[Returned(thread)];
    slot.decided = Now();
    Enter(Phase::kDeciding, &slot);
  }

  void Return(uint32_t thread, Outcome outcome, SequenceNumber sequence) {
    RowHeader* const header = Header(thread);
    const uint64_t n = header->returned.load(std::memory_order::relaxed);
    Slot& slot = Row(thread)[n];
    slot.returned = Now();
    slot.sequence = sequence;
    slot.outcome = outcome;
    header->returned.store(n + 1);
  }

  // A checkpoint that was called at `invoked` returned OK: all that had returned before is durable.
  void Checkpointed(uint64_t invoked) {
    std::atomic<uint64_t>* const newest = &Header(0)->checkpointed;
    uint64_t seen = newest->load();
    while (seen < invoked && !newest->compare_exchange_weak(seen, invoked)) {
    }
  }

  // When the newest of them was called; 0: there was none.
  uint64_t LastCheckpoint() const { return Header(0)->checkpointed.load(); }

  // The nth write of `thread`, counted from 0. REQUIRES: it was begun.
  Slot Get(uint32_t thread, uint64_t n) const {
    Slot slot = Row(thread)[n];
    if (n < Returned(thread)) return slot;
    slot.returned = kNever;
    slot.sequence = 0;
    slot.outcome = Outcome::kUnknown;
    return slot;
  }

 private:
  struct RowHeader {
    std::atomic<uint64_t> begun{0};
    std::atomic<uint64_t> returned{0};
    std::atomic<uint64_t> checkpointed{0};  // of all threads, in the first row
  };
  static_assert(std::atomic<uint64_t>::is_always_lock_free);  // they are shared by processes

  // Whoever dies in the next call must be seen to have begun it.
  static void Enter(Phase phase, Slot* slot) { std::atomic_ref(slot->phase).store(phase); }

  RowHeader* Header(uint32_t thread) const {
    return reinterpret_cast<RowHeader*>(memory_) + thread;
  }
  Slot* Row(uint32_t thread) const {
    return reinterpret_cast<Slot*>(reinterpret_cast<RowHeader*>(memory_) + threads_) +
           thread * capacity_;
  }

  const uint32_t threads_;
  const uint64_t capacity_;
  const size_t bytes_;
  void* const memory_;
};

}  // namespace bellwether::stress
