// WritePath: what happens to a write between the caller and the memtable (RocksDB's
// DBImpl::WriteImpl), over any log and any memtable.
//
//   serial     JoinBatchGroup · EnterAsBatchGroupLeader · WriteToWAL · InsertInto · SetLastSequence
//   · ExitAsBatchGroupLeader parallel   … WriteToWAL · LaunchParallelMemTableWriters · each writer:
//   InsertInto · CompleteParallelMemTableWriter ·
//              the last of them: SetLastSequence · ExitAsBatchGroupLeader or
//              ExitAsBatchGroupFollower
//   pipelined  … WriteToWAL · ExitAsBatchGroupLeader, and the next group is logged while this one
//   goes on with
//              EnterAsMemTableWriter · InsertInto · SetLastSequence · ExitAsMemTableWriter,
//              parallel or not
//   two queues as serial or parallel; writes with disable_memtable go to the log by a queue of
//   their own
//
// Invariants
//   INV_SEQUENCE  sequences are contiguous, in log order: who may append to the log gives them out
//   INV_PUBLISH   last_sequence_ grows, and never passes a batch that is not wholly in the memtable
//   INV_ACK       a write told OK is in the log, synced if it asked, and, if it inserts, published
//   before it returns INV_STATUS    an error of the log or of the memtable fails every writer of
//   the group that met it (kUnknownOutcome) and
//                 poisons the path: every later write is refused with the first error (kAborted), a
//                 group that is logged already is not inserted (kUnknownOutcome), and nobody hangs.
//                 A failing callback fails its write alone.
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

// Called by one thread at a time. AddRecord appends the group's batches (ForEach visits them,
// oldest first) as one record; Sync makes all records so far durable. After an error neither is
// called again.
template <class L, class Group>
concept LogConcept = requires(L& log, const Group& group, SequenceNumber first) {
  { log.AddRecord(first, group) } -> std::same_as<Status>;
  { log.Sync() } -> std::same_as<Status>;
};

// InsertInto makes the operations of a batch readable from sequence `first` on; with
// allow_concurrent_memtable_write it is called by many threads at once. An error may leave a part
// of the batch in the memtable: it is never published.
template <class M, class Batch>
concept MemTableConcept = requires(M& memtable, const Batch& batch, SequenceNumber first) {
  { memtable.InsertInto(batch, first) } -> std::same_as<Status>;
};

template <SyncPolicy Sync, BatchConcept Batch, class Log, MemTableConcept<Batch> MemTable>
  requires LogConcept<Log, WriteGroup<Sync, Batch>>
class WritePath {
 public:
  // `last_sequence` is that of the newest operation which recovery put into the memtable.
  // REQUIRES: log and memtable outlive this; the options are legal (CheckOptions).
  WritePath(const WritePathOptions& options, Log* log, MemTable* memtable,
            SequenceNumber last_sequence)
      : options_(options),
        log_(log),
        memtable_(memtable),
        allocated_sequence_(last_sequence),
        last_sequence_(last_sequence),
        first_error_(nullptr),
        write_thread_(options),
        nonmem_write_thread_(options) {}
  WritePath(const WritePath&) = delete;
  WritePath& operator=(const WritePath&) = delete;

  static Status CheckOptions(const WritePathOptions& options) {
    if (options.enable_pipelined_write && options.two_write_queues) {
      return Status::InvalidArgument(
          "enable_pipelined_write excludes two_write_queues: choose one of them");
    }
    return Status::OK();
  }

  WriteResult Write(const WriteOptions& options, const Batch* batch) {
    if (batch == nullptr) return {Status::InvalidArgument("the batch is null"), 0};
    Writer w(options, batch);
    Sync::OnAction("Write", &w);
    if (options_.two_write_queues && w.disable_memtable) {
      WriteImplWALOnly(&w);
    } else if (options_.enable_pipelined_write) {
      PipelinedWriteImpl(&w);
    } else {
      WriteImpl(&w);
    }
    const Status status = w.FinalStatus();
    const bool published = status.ok() && !w.disable_memtable && batch->Count() > 0;
    const SequenceNumber sequence = published ? w.sequence.Get() : 0;
    Sync::Assert([&] { return !published || Published(sequence, batch->Count()); }, "INV_ACK");
    Sync::OnAction("Write_Return", &w);
    return {status, sequence};
  }

  // The newest sequence that readers may use as a snapshot: everything up to it is in the memtable.
  SequenceNumber LastSequence() const { return last_sequence_.load(orders::LastSequence_Load); }

  // Waits for the writes in flight, syncs the log, and refuses every later write. Returns the first
  // error of the path, if it had one; a second call is refused like a write.
  Status Close() {
    Writer w(WriteOptions{}, nullptr);
    Writer nonmem_w(WriteOptions{}, nullptr);
    write_thread_.EnterUnbatched(&w);
    if (options_.two_write_queues) nonmem_write_thread_.EnterUnbatched(&nonmem_w);
    Status status = FirstError();
    if (status.ok()) {
      status = log_->Sync();
      Poison("Close", &closed_, status.ok() ? Status::Aborted("the write path is closed") : status);
    }
    if (options_.two_write_queues) nonmem_write_thread_.ExitUnbatched(&nonmem_w);
    write_thread_.ExitUnbatched(&w);
    return status;
  }

  // INV_QUIET. REQUIRES: no write is in flight.
  bool Quiet() const { return write_thread_.Quiet() && nonmem_write_thread_.Quiet(); }

 private:
  using Thread = WriteThread<Sync, Batch>;
  using Writer = typename Thread::Writer;
  using Group = typename Thread::WriteGroup;
  using Plain = typename Sync::template Plain<Status>;

  static constexpr std::uint8_t kParallelStates =
      STATE_PARALLEL_MEMTABLE_CALLER | STATE_PARALLEL_MEMTABLE_WRITER;

  void WriteImpl(Writer* w) {
    Group group;
    State state = write_thread_.JoinBatchGroup(w);
    if (state == STATE_GROUP_LEADER) {
      write_thread_.EnterAsBatchGroupLeader(w, &group);
      WriteToWAL(&group);
      if (group.status.Get().ok() && InsertsInParallel(group)) {
        write_thread_.LaunchParallelMemTableWriters(&group);
        state = STATE_PARALLEL_MEMTABLE_WRITER;
      } else {
        InsertInto(&group);
        SetLastSequence(&group);
        write_thread_.ExitAsBatchGroupLeader(&group);
      }
    }
    if ((state & kParallelStates) != 0 && InsertParallel(w, state)) {
      Group* const finished = w->write_group.Get();
      SetLastSequence(finished);
      if (finished->leader.Get() == w) {
        write_thread_.ExitAsBatchGroupLeader(finished);
      } else {
        write_thread_.ExitAsBatchGroupFollower(w);
      }
    }
  }

  void PipelinedWriteImpl(Writer* w) {
    Group memtable_group;  // outlives this call's part as memtable leader
    State state = write_thread_.JoinBatchGroup(w);
    if (state == STATE_GROUP_LEADER) {
      Group wal_group;
      write_thread_.EnterAsBatchGroupLeader(w, &wal_group);
      WriteToWAL(&wal_group);
      state = write_thread_.ExitAsPipelinedBatchGroupLeader(&wal_group);
    }
    if (state == STATE_MEMTABLE_WRITER_LEADER) {
      write_thread_.EnterAsMemTableWriter(w, &memtable_group);
      // An error of an earlier memtable group: this one is logged, and must not be published past
      // it.
      const Status error = FirstError();
      if (!error.ok()) memtable_group.status.Set(error.With(Status::Code::kUnknownOutcome));
      if (error.ok() && InsertsInParallel(memtable_group)) {
        write_thread_.LaunchParallelMemTableWriters(&memtable_group);
        state = STATE_PARALLEL_MEMTABLE_WRITER;
      } else {
        InsertInto(&memtable_group);
        SetLastSequence(&memtable_group);
        write_thread_.ExitAsMemTableWriter(&memtable_group);
      }
    }
    if ((state & kParallelStates) != 0 && InsertParallel(w, state)) {
      Group* const finished = w->write_group.Get();
      SetLastSequence(finished);
      write_thread_.ExitAsMemTableWriter(finished);
    }
  }

  // Two queues: a write that inserts nothing meets the others only at the log.
  void WriteImplWALOnly(Writer* w) {
    if (nonmem_write_thread_.JoinBatchGroup(w) == STATE_COMPLETED) return;
    Group group;
    nonmem_write_thread_.EnterAsBatchGroupLeader(w, &group);
    WriteToWAL(&group);
    nonmem_write_thread_.ExitAsBatchGroupLeader(&group);
  }

  // With two queues there are two who may append.
  void WriteToWAL(Group* group) {
    RunCallbacks(group);
    if (options_.two_write_queues) log_mutex_.lock();
    WriteGroupToWAL(group);
    if (options_.two_write_queues) log_mutex_.unlock();
  }

  void RunCallbacks(Group* group) {
    group->ForEachWriter([](Writer* w) {
      if (w->callback != nullptr) w->callback_status.Set(w->callback->Callback());
    });
  }

  // Gives the group its sequences and appends it as one record. A poisoned path refuses it.
  void WriteGroupToWAL(Group* group) {
    Writer* const leader = group->leader.Get();
    const Status first_error = FirstError();
    if (!first_error.ok()) {
      group->status.Set(first_error.With(Status::Code::kAborted));
      Sync::OnAction("WriteToWAL", leader);
      return;
    }
    const SequenceNumber first = allocated_sequence_.Get() + 1;
    SequenceNumber next = first;
    bool logs = false;
    group->ForEachWriter([&](Writer* w) {
      if (!w->ShouldWriteToWAL()) return;
      logs = true;
      w->sequence.Set(next);
      if (!w->disable_memtable) next += w->batch->Count();
    });
    allocated_sequence_.Set(next - 1);
    group->last_sequence.Set(next - 1);
    Status status = logs ? log_->AddRecord(first, *group) : Status::OK();
    if (status.ok()) Sync::OnAction("WriteToWAL", leader);
    if (status.ok() && logs && leader->sync) {
      status = log_->Sync();
      if (status.ok()) Sync::OnAction("WriteToWAL_Sync", leader);
    }
    if (status.ok()) return;
    group->status.Set(status.With(Status::Code::kUnknownOutcome));
    Poison("WalError", &wal_error_, status);
  }

  bool InsertsInParallel(const Group& group) const {
    return options_.allow_concurrent_memtable_write && group.size.Get() > 1;
  }

  // The leader inserts for all.
  void InsertInto(Group* group) {
    Status status = group->status.Get();
    group->ForEachWriter([&](Writer* w) {
      if (status.ok()) status = InsertOne(w);
    });
    group->status.Set(status);
  }

  Status InsertOne(const Writer* w) {
    if (!w->ShouldWriteToMemtable()) return Status::OK();
    const Status status = memtable_->InsertInto(*w->batch, w->sequence.Get());
    Sync::OnAction(status.ok() ? "InsertInto" : "MemTableError", w);
    return status.ok() ? status : status.With(Status::Code::kUnknownOutcome);
  }

  // A writer inserts its own. True for the last of its group.
  bool InsertParallel(Writer* w, State state) {
    if (state == STATE_PARALLEL_MEMTABLE_CALLER) write_thread_.SetMemWritersEachStride(w);
    return write_thread_.CompleteParallelMemTableWriter(w, InsertOne(w));
  }

  // Publishes the group; a memtable error poisons the path instead.
  void SetLastSequence(Group* group) {
    const Status status = group->status.Get();
    if (status.ok()) {
      last_sequence_.store(group->last_sequence.Get(), orders::SetLastSequence_Store);
      Sync::OnAction("SetLastSequence", group->leader.Get());
    } else if (FirstError().ok()) {
      Poison("Poison", &memtable_error_, status);
    }
  }

  Status FirstError() const {
    const Plain* const first_error = first_error_.load(orders::FirstError_Load);
    return first_error == nullptr ? Status::OK() : first_error->Get();
  }

  // Only the first error counts; `place` belongs to whoever may meet this kind of error, and is
  // written once.
  void Poison(const char* action, Plain* place, const Status& error) {
    place->Set(error);
    const Plain* first_error = nullptr;
    first_error_.compare_exchange_strong(first_error, place, orders::Poison_Cas);
    Sync::OnAction(action, place);
  }

  bool Published(SequenceNumber sequence, std::uint32_t count) const {
    return sequence + count - 1 <= last_sequence_.load(orders::LastSequence_OwnerLoad);
  }

  const WritePathOptions options_;
  Log* const log_;
  MemTable* const memtable_;
  typename Sync::Mutex log_mutex_;  // two queues: guards the log and allocated_sequence_
  typename Sync::template Plain<SequenceNumber> allocated_sequence_;  // belongs to who may append
  Plain wal_error_;                                                   // … too
  Plain memtable_error_;                                              // belongs to who may publish
  Plain closed_;  // belongs to who leads all queues
  alignas(Sync::kCacheLine) typename Sync::template Atomic<SequenceNumber> last_sequence_;
  typename Sync::template Atomic<const Plain*> first_error_;
  Thread write_thread_;
  Thread nonmem_write_thread_;
};

}  // namespace bellwether
