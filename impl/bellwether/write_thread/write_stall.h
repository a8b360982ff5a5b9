// Write stalls of WriteThread: a leader holds the queue still until it is relieved.
//
//   BeginWriteStall: write_stall_dummy_ becomes the tail; queued writers with no_slowdown fail
//   … the leader waits; LinkOne fails writers with no_slowdown, and lets all others wait …
//   EndWriteStall: the dummy leaves the tail, and who waited links
//
// Invariants
//   LIVE_STALL  a stalled write completes when the stall ends; a no_slowdown write fails at once
//   INV_GROUP   the writers that stay keep their order and their links: link_newer is rewritten
//   only
//               where it was made already, or CreateMissingNewerLinks would stop too early
//
// Included by write_thread.h, which declares and documents the functions.
#pragma once

#include "bellwether/write_thread/write_thread.h"

namespace bellwether {

template <SyncPolicy Sync, class Batch>
template <class Relieved>
void WriteThread<Sync, Batch>::WriteStall(Writer* w, const Relieved& relieved) {
  BeginWriteStall(w);
  stall_mutex_.lock();
  while (!relieved()) stall_cv_.wait(stall_mutex_);
  stall_mutex_.unlock();
  EndWriteStall();
}

template <SyncPolicy Sync, class Batch>
void WriteThread<Sync, Batch>::NotifyStall() {
  // With the mutex, so that nobody is between the look at `relieved` and the wait.
  stall_mutex_.lock();
  stall_cv_.notify_all();
  stall_mutex_.unlock();
}

template <SyncPolicy Sync, class Batch>
void WriteThread<Sync, Batch>::BeginWriteStall(Writer* leader) {
  LinkOne(&write_stall_dummy_, &newest_writer_, "BeginWriteStall");
  Writer* newer = &write_stall_dummy_;
  for (Writer* w = newer->link_older.Get(); w != leader;) {
    Writer* const older = w->link_older.Get();
    if (w->no_slowdown) {
      newer->link_older.Set(older);
      if (older->link_newer.Get() != nullptr) older->link_newer.Set(newer);
      FailForStall(w);
      SetState(w, STATE_COMPLETED, "BeginWriteStall_CompleteWriter");
    } else {
      newer = w;
    }
    w = older;
  }
}

template <SyncPolicy Sync, class Batch>
void WriteThread<Sync, Batch>::EndWriteStall() {
  Writer* const newest = write_stall_dummy_.link_older.Get();
  newest->link_newer.Set(nullptr);
  stall_mutex_.lock();
  newest_writer_.exchange(newest, orders::EndWriteStall_Exchange);
  Sync::OnAction("EndWriteStall", newest);
  stall_cv_.notify_all();
  stall_mutex_.unlock();
}

// Returns the tail once it is not the dummy.
template <SyncPolicy Sync, class Batch>
typename WriteThread<Sync, Batch>::Writer* WriteThread<Sync, Batch>::WaitForStallEnd(
    Tail* newest_writer) {
  stall_mutex_.lock();
  Writer* newest = newest_writer->load(orders::LinkOne_Load);
  while (newest == &write_stall_dummy_) {
    stall_cv_.wait(stall_mutex_);
    newest = newest_writer->load(orders::LinkOne_Load);
  }
  stall_mutex_.unlock();
  return newest;
}

template <SyncPolicy Sync, class Batch>
void WriteThread<Sync, Batch>::FailForStall(Writer* w) {
  w->status.Set(Status::Incomplete("the write path is stalled, and the write has no_slowdown"));
}

}  // namespace bellwether
