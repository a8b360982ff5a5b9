// The Sync policy: everything that two threads share goes through one struct, so that one and the
// same header runs in production (StdSync), under a model checker (RelacySync in relacy_tests/) and
// under any other policy.
//
// A policy `S` supplies
//   S::Atomic<T>   load, store, exchange, compare_exchange_{weak,strong}, fetch_add, fetch_sub;
//                  every access names its entry of orders.h
//   S::Plain<T>    plain memory that another thread reads or writes at another time; a checker
//                  looks for races on it
//   S::Mutex       lock, unlock (BasicLockable)
//   S::CondVar     wait(S::Mutex&), notify_one, notify_all; may wake spuriously
//   S::SpinUntil   waits a little for a bit of `goal_mask` in `word`, if waiting there has paid
//                  before (AwaitSite); gives back the last value that it saw
//   S::Linger      may wait a little for enough(), a look at shared state; may give up at any time
//   S::OnAction    told right after each action of the protocol, before the next shared access
//   S::Assert      a condition of the protocol; production does not evaluate it
//   S::kCacheLine  the alignment that keeps two words from sharing a line
//
// Thread safety: Atomic, Mutex and CondVar are for concurrent use, Plain is not: its owner changes
// by a hand-off.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>

#include "bellwether/sync/orders.h"

namespace bellwether {

// A place in the protocol where a writer waits. How long spinning pays depends on what it waits
// for.
struct AwaitSite {
  const char* action;
  std::size_t index;
};

inline constexpr AwaitSite JoinBatchGroup_AwaitState{"JoinBatchGroup_AwaitState", 0};
inline constexpr AwaitSite ExitAsBatchGroupLeader_AwaitState{"ExitAsBatchGroupLeader_AwaitState",
                                                             1};
inline constexpr AwaitSite CompleteParallelMemTableWriter_AwaitState{
    "CompleteParallelMemTableWriter_AwaitState", 2};
inline constexpr AwaitSite WaitForMemTableWriters_AwaitState{"WaitForMemTableWriters_AwaitState",
                                                             3};
inline constexpr std::size_t kAwaitSites = 4;

template <class S>
concept SyncPolicy =
    requires(typename S::template Atomic<std::uint8_t>& atomic,
             const typename S::template Atomic<std::uint8_t>& const_atomic,
             typename S::template Plain<std::uint64_t>& plain,
             const typename S::template Plain<std::uint64_t>& const_plain, typename S::Mutex& mutex,
             typename S::CondVar& cond_var, std::uint8_t value, bool (*condition)()) {
      { const_atomic.load(orders::AwaitState_Load) } -> std::same_as<std::uint8_t>;
      atomic.store(value, orders::SetState_LockedStore);
      { atomic.compare_exchange_weak(value, value, orders::LinkOne_Cas) } -> std::same_as<bool>;
      { atomic.compare_exchange_strong(value, value, orders::SetState_Cas) } -> std::same_as<bool>;
      { const_plain.Get() } -> std::same_as<std::uint64_t>;
      plain.Set(std::uint64_t{0});
      mutex.lock();
      mutex.unlock();
      cond_var.wait(mutex);
      cond_var.notify_one();
      cond_var.notify_all();
      {
        S::SpinUntil(const_atomic, value, orders::AwaitState_Load, JoinBatchGroup_AwaitState)
      } -> std::same_as<std::uint8_t>;
      S::Linger(condition);
      S::OnAction("Write", static_cast<const void*>(nullptr));
      S::Assert(condition, "INV_ACK");
      { S::kCacheLine } -> std::convertible_to<std::size_t>;
    };

}  // namespace bellwether
