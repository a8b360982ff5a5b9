// The memtable phase of WriteThread: writers that insert in parallel, and the second queue of
// pipelined writes.
//
//   parallel: LaunchParallelMemTableWriters calls every writer of a group;
//     CompleteParallelMemTableWriter counts them down, and the last acts for the leader
//   pipelined: a logged group is linked into the memtable queue (LinkGroup) in log order; the
//     oldest there leads (EnterAsMemTableWriter), inserts for all or launches them, and hands that
//     queue on (ExitAsMemTableWriter)
//
// The pipelined exit must link its group before the next leader can link a group of its own, and
// complete writers whose addresses may then be queued again. Therefore a dummy in its frame takes
// the place of the group in the log queue first: nobody leads while it stands there (INV_SEQUENCE,
// INV_LEADER; without it RocksDB lost queues, its issue 4143).
//
// Included by write_thread.h, which declares and documents the functions.
#pragma once

#include <cstddef>

#include "bellwether/write_thread/write_thread.h"

namespace bellwether {

template <SyncPolicy Sync, class Batch>
State WriteThread<Sync, Batch>::ExitAsPipelinedBatchGroupLeader(WriteGroup* write_group) {
  Writer* const leader = write_group->leader.Get();
  Writer* const last_writer = write_group->last_writer.Get();
  const Status status = write_group->status.Get();
  Writer dummy(WriteOptions{}, nullptr);
  InsertDummy(&dummy, last_writer);

  for (Writer* w = last_writer; w != leader;) {
    // Read before CompleteFollower: a completed follower may return (INV_LIFETIME).
    Writer* const next = w->link_older.Get();
    w->status.Set(status);
    if (!w->ShouldWriteToMemtable()) CompleteFollower(w, write_group);
    w = next;
  }
  leader->status.Set(status);
  if (!leader->ShouldWriteToMemtable()) CompleteLeader(write_group);

  if (write_group->size.Get() > 0 && LinkGroup(write_group, &newest_memtable_writer_)) {
    SetState(write_group->leader.Get(), STATE_MEMTABLE_WRITER_LEADER, "LinkGroup_SetState");
  }
  HandOff(&dummy);
  return AwaitState(leader, STATE_MEMTABLE_WRITER_LEADER | kMemTableStates,
                    ExitAsBatchGroupLeader_AwaitState);
}

// Puts `dummy` into the queue behind last_writer; the group is then out of it.
template <SyncPolicy Sync, class Batch>
void WriteThread<Sync, Batch>::InsertDummy(Writer* dummy, Writer* last_writer) {
  Writer* head = newest_writer_.load(orders::ExitAsBatchGroupLeader_Load);
  if (head != last_writer || !newest_writer_.compare_exchange_strong(
                                 head, dummy, orders::ExitAsBatchGroupLeader_DummyCas)) {
    CreateMissingNewerLinks(head);
    Writer* const next_leader = last_writer->link_newer.Get();
    next_leader->link_older.Set(dummy);
    dummy->link_newer.Set(next_leader);
  }
  Sync::OnAction("ExitAsBatchGroupLeader_Dummy", dummy);
}

// Takes a follower out of the group, and completes it.
template <SyncPolicy Sync, class Batch>
void WriteThread<Sync, Batch>::CompleteFollower(Writer* w, WriteGroup* write_group) {
  Writer* const older = w->link_older.Get();
  if (w == write_group->last_writer.Get()) {
    older->link_newer.Set(nullptr);
    write_group->last_writer.Set(older);
  } else {
    Writer* const newer = w->link_newer.Get();
    older->link_newer.Set(newer);
    newer->link_older.Set(older);
  }
  write_group->size.Set(write_group->size.Get() - 1);
  SetState(w, STATE_COMPLETED, "ExitAsBatchGroupLeader_CompleteFollower");
}

// Takes the leader out of its group: the next member leads what remains.
template <SyncPolicy Sync, class Batch>
void WriteThread<Sync, Batch>::CompleteLeader(WriteGroup* write_group) {
  Writer* const leader = write_group->leader.Get();
  if (write_group->size.Get() > 1) {
    Writer* const next = leader->link_newer.Get();
    next->link_older.Set(nullptr);
    write_group->leader.Set(next);
  }
  write_group->size.Set(write_group->size.Get() - 1);
  leader->state.store(STATE_COMPLETED, orders::OwnState_Store);
  Sync::OnAction("ExitAsBatchGroupLeader_CompleteLeader", leader);
}

// Appends the group to the memtable queue as it is. True if the queue was empty: the group's leader
// leads it.
template <SyncPolicy Sync, class Batch>
bool WriteThread<Sync, Batch>::LinkGroup(WriteGroup* write_group, Tail* newest_writer) {
  Writer* const leader = write_group->leader.Get();
  Writer* const last_writer = write_group->last_writer.Get();
  // Links and group of the log queue mean nothing in this one.
  for (Writer* w = last_writer;; w = w->link_older.Get()) {
    w->link_newer.Set(nullptr);
    w->write_group.Set(nullptr);
    if (w == leader) break;
  }
  Writer* newest = newest_writer->load(orders::LinkGroup_Load);
  do {
    leader->link_older.Set(newest);
  } while (!newest_writer->compare_exchange_weak(newest, last_writer, orders::LinkGroup_Cas));
  Sync::OnAction("LinkGroup", last_writer);
  return newest == nullptr;
}

template <SyncPolicy Sync, class Batch>
void WriteThread<Sync, Batch>::EnterAsMemTableWriter(Writer* leader, WriteGroup* write_group) {
  Writer* const newest_writer = newest_memtable_writer_.load(orders::EnterAsMemTableWriter_Load);
  CreateMissingNewerLinks(newest_writer);
  leader->write_group.Set(write_group);
  write_group->leader.Set(leader);
  std::size_t size = 1;
  std::size_t group_bytes = leader->batch->ByteSize();
  Writer* last_writer = leader;
  // Order is the log's, so a marker, or a batch too large for a leader that inserts for all, ends
  // the group.
  while (last_writer != newest_writer) {
    Writer* const w = last_writer->link_newer.Get();
    if (w->batch == nullptr) break;
    group_bytes += w->batch->ByteSize();
    if (!options_.allow_concurrent_memtable_write && group_bytes > MaxGroupSize(*leader)) break;
    w->write_group.Set(write_group);
    last_writer = w;
    ++size;
  }
  write_group->last_writer.Set(last_writer);
  write_group->size.Set(size);
  write_group->last_sequence.Set(last_writer->sequence.Get() + last_writer->batch->Count() - 1);
  Sync::OnAction("EnterAsMemTableWriter", leader);
}

template <SyncPolicy Sync, class Batch>
void WriteThread<Sync, Batch>::ExitAsMemTableWriter(WriteGroup* write_group) {
  Writer* const leader = write_group->leader.Get();
  Writer* const last_writer = write_group->last_writer.Get();
  const Status status = write_group->status.Get();
  Writer* newest = last_writer;
  if (newest_memtable_writer_.compare_exchange_strong(newest, nullptr,
                                                      orders::ExitAsMemTableWriter_Cas)) {
    Sync::OnAction("ExitAsMemTableWriter", leader);
  } else {
    CreateMissingNewerLinks(newest);
    Writer* const next_leader = last_writer->link_newer.Get();
    next_leader->link_older.Set(nullptr);
    Sync::OnAction("ExitAsMemTableWriter", leader);
    SetState(next_leader, STATE_MEMTABLE_WRITER_LEADER, "ExitAsMemTableWriter_SetState");
  }
  for (Writer* w = leader;;) {
    // Read before the state: a completed writer may return (INV_LIFETIME).
    Writer* const next = w == last_writer ? nullptr : w->link_newer.Get();
    w->status.Set(status);
    if (w != leader) SetState(w, STATE_COMPLETED, "ExitAsMemTableWriter_CompleteWriter");
    if (next == nullptr) break;
    w = next;
  }
  // Last, because the group lives in the leader's frame.
  SetState(leader, STATE_COMPLETED, "ExitAsMemTableWriter_CompleteLeader");
}

template <SyncPolicy Sync, class Batch>
void WriteThread<Sync, Batch>::LaunchParallelMemTableWriters(WriteGroup* write_group) {
  const std::size_t size = write_group->size.Get();
  Writer* const leader = write_group->leader.Get();
  write_group->running.store(size, orders::LaunchParallelMemTableWriters_Store);
  Sync::OnAction("LaunchParallelMemTableWriters", leader);
  if (size < options_.parallel_stride_threshold) {
    leader->state.store(STATE_PARALLEL_MEMTABLE_WRITER, orders::OwnState_Store);
    Sync::OnAction("LaunchParallelMemTableWriters_Leader", leader);
    Writer* w = leader;
    for (std::size_t i = 1; i < size; ++i) {
      w = w->link_newer.Get();
      SetState(w, STATE_PARALLEL_MEMTABLE_WRITER, "LaunchParallelMemTableWriters_SetState");
    }
    return;
  }
  // The first `stride` writers, the leader among them, each launch the writers at every stride-th
  // place behind them.
  const std::size_t stride = Stride(size);
  Writer* w = leader;
  for (std::size_t i = 1; i < stride; ++i) {
    w = w->link_newer.Get();
    SetState(w, STATE_PARALLEL_MEMTABLE_CALLER, "LaunchParallelMemTableWriters_SetState");
  }
  SetMemWritersEachStride(leader);
}

// The root of the size: the leader and each caller then launch about as many writers.
template <SyncPolicy Sync, class Batch>
std::size_t WriteThread<Sync, Batch>::Stride(std::size_t size) {
  std::size_t stride = 1;
  while ((stride + 1) * (stride + 1) <= size) ++stride;
  return stride;
}

template <SyncPolicy Sync, class Batch>
void WriteThread<Sync, Batch>::SetMemWritersEachStride(Writer* w) {
  WriteGroup* const write_group = w->write_group.Get();
  Writer* const last_writer = write_group->last_writer.Get();
  const std::size_t stride = Stride(write_group->size.Get());
  w->state.store(STATE_PARALLEL_MEMTABLE_WRITER, orders::OwnState_Store);
  Sync::OnAction("SetMemWritersEachStride_Caller", w);
  std::size_t place = 0;
  for (Writer* v = w; v != last_writer;) {
    v = v->link_newer.Get();
    if (++place % stride == 0) {
      SetState(v, STATE_PARALLEL_MEMTABLE_WRITER, "SetMemWritersEachStride");
    }
  }
}

template <SyncPolicy Sync, class Batch>
bool WriteThread<Sync, Batch>::CompleteParallelMemTableWriter(Writer* w, const Status& status) {
  WriteGroup* const write_group = w->write_group.Get();
  if (!status.ok()) {
    Writer* const leader = write_group->leader.Get();
    leader->state_mutex.lock();
    write_group->status.Set(status);
    leader->state_mutex.unlock();
  }
  const std::size_t running =
      write_group->running.fetch_sub(1, orders::CompleteParallelMemTableWriter_FetchSub);
  Sync::OnAction("CompleteParallelMemTableWriter", w);
  if (running == 1) return true;
  AwaitState(w, STATE_COMPLETED, CompleteParallelMemTableWriter_AwaitState);
  return false;
}

template <SyncPolicy Sync, class Batch>
void WriteThread<Sync, Batch>::WaitForMemTableWriters() {
  const bool empty = newest_memtable_writer_.load(orders::WaitForMemTableWriters_Load) == nullptr;
  Sync::OnAction("WaitForMemTableWriters", nullptr);
  if (empty) return;
  Writer marker(WriteOptions{}, nullptr);
  if (!LinkOne(&marker, &newest_memtable_writer_, "WaitForMemTableWriters_LinkOne")) {
    AwaitState(&marker, STATE_MEMTABLE_WRITER_LEADER, WaitForMemTableWriters_AwaitState);
  }
  newest_memtable_writer_.store(nullptr, orders::WaitForMemTableWriters_Store);
  Sync::OnAction("WaitForMemTableWriters_Store", nullptr);
}

}  // namespace bellwether
