// WritePath: what happens to a write between the caller and the memtable (RocksDB's
// DBImpl::WriteImpl), over any log and any memtable. One group, led by its oldest writer:
//
//   JoinBatchGroup · EnterAsBatchGroupLeader · WriteToWAL · InsertInto · SetLastSequence ·
//   ExitAsBatchGroupLeader
//
// Invariants
//   INV_SEQUENCE  sequences are contiguous, in log order: the leader alone gives them out, from
//   last_sequence_ on INV_PUBLISH   last_sequence_ grows, and never passes a batch that is not
//   wholly in the memtable INV_ACK       a write told OK is in the log, synced if it asked, and
//   published before it returns INV_STATUS    an error of the log or of the memtable fails every
//   writer of the group that met it (kUnknownOutcome) and
//                 poisons the path: every later write is refused with the first error (kAborted),
//                 and nobody hangs
//
// Thread safety: all functions may be called concurrently.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>

#include "bellwether/sync/orders.h"
#include "bellwether/sync/sync.h"
#include "bellwether/write_path/sequence.h"
#include "bellwether/write_path/status.h"
#include "bellwether/write_path/write_options.h"
#include "bellwether/write_thread/write_thread.h"

namespace bellwether {

// What one write carries. ByteSize counts against max_write_batch_group_size_bytes; each of Count
// operations consumes a sequence number.
template <class B>
concept BatchConcept = requires(const B& batch) {
  { batch.Count() } -> std::convertible_to<std::uint32_t>;
  { batch.ByteSize() } -> std::convertible_to<std::size_t>;
};

// Called by one thread at a time, the leader of the queue. AddRecord appends the group's batches
// (ForEach visits them, oldest first) as one record; Sync makes all records so far durable. After
// an error neither is called again.
template <class L, class Group>
concept LogConcept = requires(L& log, const Group& group, SequenceNumber first) {
  { log.AddRecord(first, group) } -> std::same_as<Status>;
  { log.Sync() } -> std::same_as<Status>;
};

// InsertInto makes the operations of a batch readable from sequence `first` on. An error may leave
// a part of the batch in the memtable: it is never published.
template <class M, class Batch>
concept MemTableConcept = requires(M& memtable, const Batch& batch, SequenceNumber first) {
  { memtable.InsertInto(batch, first) } -> std::same_as<Status>;
};

template <SyncPolicy Sync, BatchConcept Batch, class Log, MemTableConcept<Batch> MemTable>
  requires LogConcept<Log, WriteGroup<Sync, Batch>>
class WritePath {
 public:
  // `last_sequence` is that of the newest operation which recovery put into the memtable.
  // REQUIRES: log and memtable outlive this.
  WritePath(const WritePathOptions& options, Log* log, MemTable* memtable,
            SequenceNumber last_sequence)
      : log_(log),
        memtable_(memtable),
        last_sequence_(last_sequence),
        write_thread_(options.max_write_batch_group_size_bytes) {}
  WritePath(const WritePath&) = delete;
  WritePath& operator=(const WritePath&) = delete;

  WriteResult Write(const WriteOptions& options, const Batch* batch) {
    if (batch == nullptr) return {Status::InvalidArgument("the batch is null"), 0};
    Writer w(batch, options.sync);
    Sync::OnAction("Write", &w);
    WriteImpl(&w);
    const Status status = w.status.Get();
    const SequenceNumber sequence = w.sequence.Get();
    Sync::Assert([&] { return !status.ok() || Published(sequence, batch->Count()); }, "INV_ACK");
    Sync::OnAction("Write_Return", &w);
    return {status, status.ok() && batch->Count() > 0 ? sequence : 0};
  }

  // The newest sequence that readers may use as a snapshot: everything up to it is in the memtable.
  SequenceNumber LastSequence() const { return last_sequence_.load(orders::LastSequence_Load); }

  // Waits for the writes in flight, syncs the log, and refuses every later write. Returns the first
  // error of the path, if it had one; a second call is refused like a write.
  Status Close() {
    Writer w(nullptr, /*writer_sync=*/true);
    write_thread_.EnterUnbatched(&w);
    Status status = first_error_.Get();
    if (status.ok()) {
      status = log_->Sync();
      first_error_.Set(status.ok() ? Status::Aborted("the write path is closed") : status);
    }
    write_thread_.ExitUnbatched(&w);
    return status;
  }

  // INV_QUIET. REQUIRES: no write is in flight.
  bool Quiet() const { return write_thread_.Quiet(); }

 private:
  using Thread = WriteThread<Sync, Batch>;
  using Writer = typename Thread::Writer;
  using Group = typename Thread::WriteGroup;

  void WriteImpl(Writer* w) {
    if (write_thread_.JoinBatchGroup(w) == STATE_COMPLETED) return;
    Group group;
    write_thread_.EnterAsBatchGroupLeader(w, &group);
    SequenceNumber last_sequence = last_sequence_.load(orders::LastSequence_OwnerLoad);
    Status status = WriteToWAL(group, w->sync, &last_sequence);
    if (status.ok()) status = InsertInto(group);
    if (status.ok()) SetLastSequence(w, last_sequence);
    w->status.Set(status);
    write_thread_.ExitAsBatchGroupLeader(group, status);
  }

  // Gives the group its sequences, from *last_sequence + 1 on, and appends it as one record.
  Status WriteToWAL(const Group& group, bool sync, SequenceNumber* last_sequence) {
    Status status = first_error_.Get();
    if (!status.ok()) {
      Sync::OnAction("WriteToWAL", group.leader.Get());
      return status.With(Status::Code::kAborted);
    }
    const SequenceNumber first = *last_sequence + 1;
    group.ForEachWriter([&](Writer* w) {
      w->sequence.Set(*last_sequence + 1);
      *last_sequence += w->batch->Count();
    });
    status = log_->AddRecord(first, group);
    if (!status.ok()) return Poison("WalError", group, status);
    Sync::OnAction("WriteToWAL", group.leader.Get());
    if (!sync) return status;
    status = log_->Sync();
    if (!status.ok()) return Poison("WalError", group, status);
    Sync::OnAction("WriteToWAL_Sync", group.leader.Get());
    return status;
  }

  Status InsertInto(const Group& group) {
    Status status;
    group.ForEachWriter([&](Writer* w) {
      if (!status.ok()) return;
      status = memtable_->InsertInto(*w->batch, w->sequence.Get());
      if (status.ok()) Sync::OnAction("InsertInto", w);
    });
    return status.ok() ? status : Poison("MemTableError", group, status);
  }

  void SetLastSequence(const Writer* leader, SequenceNumber last_sequence) {
    last_sequence_.store(last_sequence, orders::SetLastSequence_Store);
    Sync::OnAction("SetLastSequence", leader);
  }

  // The group that meets an error cannot know what of it is in the log; whoever comes later is
  // refused.
  Status Poison(const char* action, const Group& group, const Status& error) {
    first_error_.Set(error);
    Sync::OnAction(action, group.leader.Get());
    return error.With(Status::Code::kUnknownOutcome);
  }

  bool Published(SequenceNumber sequence, std::uint32_t count) const {
    return sequence + count - 1 <= last_sequence_.load(orders::LastSequence_OwnerLoad);
  }

  Log* const log_;
  MemTable* const memtable_;
  typename Sync::template Plain<Status> first_error_;  // belongs to the leader of the queue
  alignas(Sync::kCacheLine) typename Sync::template Atomic<SequenceNumber> last_sequence_;
  Thread write_thread_;
};

}  // namespace bellwether
