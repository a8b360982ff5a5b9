// WritePath: what happens to a write between the caller and the memtable (RocksDB's
// DBImpl::WriteImpl), over any log and any memtable.
//
//   serial: JoinBatchGroup · EnterAsBatchGroupLeader · WriteToWAL · InsertInto · SetLastSequence ·
//     ExitAsBatchGroupLeader
//   parallel: … WriteToWAL · LaunchParallelMemTableWriters · each writer: InsertInto ·
//     CompleteParallelMemTableWriter · the last: SetLastSequence · ExitAsBatchGroupLeader or
//     ExitAsBatchGroupFollower
//   pipelined: … WriteToWAL · ExitAsBatchGroupLeader, and the next group is logged while this one
//     goes on with EnterAsMemTableWriter · InsertInto (parallel or not) · SetLastSequence ·
//     ExitAsMemTableWriter
//   two queues: as serial or parallel; writes with disable_memtable have a queue of their own, and
//     meet the others only at the log
//
// Invariants
//   INV_SEQUENCE  sequences are contiguous, in log order: who may append gives them out
//   INV_PUBLISH   last_sequence_ grows, and never passes a batch that is not wholly in the memtable
//   INV_ACK       a write told OK is in the log (unless disable_wal), synced if it asked, and, if
//                 it inserts, published before it returns
//   INV_STATUS    an error of the log, of a pre-release callback or of the memtable fails every
//                 writer of the group that met it (kUnknownOutcome) and poisons the path: every
//                 later write is refused with the first error (kAborted), a group that is logged
//                 already is not inserted (kUnknownOutcome), and nobody hangs. A failing write
//                 callback fails its write alone.
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
// oldest first) as one record; Sync makes all records so far durable; LogNumber names the log that
// the next record goes to. After an error none of them is called again.
template <class L, class Group>
concept LogConcept = requires(L& log, const Group& group, SequenceNumber first) {
  { log.AddRecord(first, group) } -> std::same_as<Status>;
  { log.Sync() } -> std::same_as<Status>;
  { log.BytesSinceCheckpoint() } -> std::convertible_to<std::uint64_t>;
  { log.LogNumber() } -> std::convertible_to<std::uint64_t>;
};

// InsertInto makes the operations of a batch readable from sequence `first` on; with
// allow_concurrent_memtable_write it is called by many threads at once. An error may leave a part
// of the batch in the memtable: it is never published. A memtable that keeps the logs of prepares
// alive takes the write's log_ref as well.
template <class M, class Batch>
concept TakesLogRef =
    requires(M& memtable, const Batch& batch, SequenceNumber first, std::uint64_t log_ref) {
      { memtable.InsertInto(batch, first, log_ref) } -> std::same_as<Status>;
    };
template <class M, class Batch>
concept MemTableConcept =
    TakesLogRef<M, Batch> || requires(M& memtable, const Batch& batch, SequenceNumber first) {
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
        relief_(0),
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
    const Status legal = CheckWrite(options, batch);
    if (!legal.ok()) return {legal, 0};
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
    const std::uint64_t log_used = status.ok() ? w.log_used.Get() : 0;
    Sync::Assert([&] { return !published || Published(sequence, batch->Count()); }, "INV_ACK");
    Sync::OnAction("Write_Return", &w);
    return {status, sequence, log_used};
  }

  // The newest sequence that readers may use as a snapshot: everything up to it is in the memtable.
  SequenceNumber LastSequence() const { return last_sequence_.load(orders::LastSequence_Load); }

  // Waits for the writes in flight, syncs the log, and refuses every later write. Returns the first
  // error of the path, if it had one; a second call is refused like a write.
  Status Close() {
    return RunUnbatched([this] {
      const Status status = log_->Sync();
      if (status.ok()) {
        Poison("Close", &closed_, Status::Aborted("the write path is closed"));
      } else {
        Fail(status);
      }
      return status;
    });
  }

  // The log's owner has met an error of it: every later write is refused with that.
  // REQUIRES: called by RunUnbatched's `exclusive`, at most once.
  void Fail(const Status& error) { Poison("CloseError", &closed_, error); }

  // Runs `exclusive`, which returns a Status, while no write is in flight and all that were logged
  // are published; a poisoned path gives back its first error instead. No stall outlasts the call.
  template <class Exclusive>
  Status RunUnbatched(const Exclusive& exclusive) {
    Writer w(WriteOptions{}, nullptr);
    Writer nonmem_w(WriteOptions{}, nullptr);
    Sync::OnAction("Write", &w);
    if (options_.max_log_bytes != 0) {
      relief_.fetch_add(1, orders::Relief_FetchAdd);
      Sync::OnAction("RunUnbatched", &w);
      NotifyStall();
    }
    write_thread_.EnterUnbatched(&w);
    if (options_.two_write_queues) nonmem_write_thread_.EnterUnbatched(&nonmem_w);
    const Status first_error = FirstError();
    Status status = first_error.ok() ? exclusive() : first_error;
    if (options_.two_write_queues) nonmem_write_thread_.ExitUnbatched(&nonmem_w);
    write_thread_.ExitUnbatched(&w);
    if (options_.max_log_bytes != 0) relief_.fetch_sub(1, orders::Relief_FetchAdd);
    Sync::OnAction("Write_Return", &w);
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

  static Status CheckWrite(const WriteOptions& options, const Batch* batch) {
    if (batch == nullptr) return Status::InvalidArgument("the batch is null");
    if (options.disable_wal && (options.sync || options.disable_memtable)) {
      return Status::InvalidArgument("disable_wal excludes sync and disable_memtable");
    }
    return Status::OK();
  }

  void WriteImpl(Writer* w) {
    Group group;
    State state = write_thread_.JoinBatchGroup(w);
    if (state == STATE_GROUP_LEADER) {
      Lead(&write_thread_, w, &group);
      if (group.status.Get().ok() && InsertsInParallel(group)) {
        write_thread_.LaunchParallelMemTableWriters(&group);
        state = STATE_PARALLEL_MEMTABLE_WRITER;
      } else {
        InsertInto(&group);
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
      Lead(&write_thread_, w, &wal_group);
      state = write_thread_.ExitAsPipelinedBatchGroupLeader(&wal_group);
    }
    if (state == STATE_MEMTABLE_WRITER_LEADER) {
      write_thread_.EnterAsMemTableWriter(w, &memtable_group);
      // An error of an earlier memtable group: this one is logged, and must not be published past
      // it.
      const Status error = FirstError();
      Sync::OnAction("EnterAsMemTableWriter_FirstError", w);
      if (!error.ok()) memtable_group.status.Set(error.With(Status::Code::kUnknownOutcome));
      if (error.ok() && InsertsInParallel(memtable_group)) {
        write_thread_.LaunchParallelMemTableWriters(&memtable_group);
        state = STATE_PARALLEL_MEMTABLE_WRITER;
      } else {
        InsertInto(&memtable_group);
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
    Lead(&nonmem_write_thread_, w, &group);
    nonmem_write_thread_.ExitAsBatchGroupLeader(&group);
  }

  // The leader's part up to the log: a stall, the group, its callbacks, its record.
  void Lead(Thread* thread, Writer* w, Group* group) {
    const Status status = PreprocessWrite(thread, w);
    if (w->sync) thread->GatherBatchGroup(w);
    thread->EnterAsBatchGroupLeader(w, group);
    group->status.Set(status);
    if (status.ok()) {
      RunCallbacks(group);
      WriteToWAL(group);
    }
  }

  // Stalls while the log is too large, until a checkpoint is on its way. Who waits for the queue to
  // shrink the log (or to close) must not wait for a stall.
  Status PreprocessWrite(Thread* thread, Writer* leader) {
    if (options_.max_log_bytes == 0) return Status::OK();
    const bool stalls = LogTooLarge() && relief_.load(orders::Relief_Load) == 0;
    Sync::OnAction("PreprocessWrite", leader);
    if (!stalls) return Status::OK();
    const bool poisoned = Poisoned();
    if (FirstErrorIsShared()) Sync::OnAction("PreprocessWrite_FirstError", leader);
    if (poisoned) return Status::OK();
    if (leader->no_slowdown) {
      return Status::Incomplete("the write path is stalled, and the write has no_slowdown");
    }
    thread->WriteStall(leader,
                       [this] { return relief_.load(orders::Relief_Load) > 0 || Poisoned(); });
    return Status::OK();
  }

  bool LogTooLarge() {
    if (options_.two_write_queues) log_mutex_.lock();
    const bool too_large = log_->BytesSinceCheckpoint() > options_.max_log_bytes;
    if (options_.two_write_queues) log_mutex_.unlock();
    return too_large;
  }

  void NotifyStall() {
    if (options_.max_log_bytes == 0) return;
    write_thread_.NotifyStall();
    nonmem_write_thread_.NotifyStall();
  }

  // With two queues there are two who may append.
  void WriteToWAL(Group* group) {
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
    if (FirstErrorIsShared()) Sync::OnAction("WriteToWAL_FirstError", leader);
    if (!first_error.ok()) {
      group->status.Set(first_error.With(Status::Code::kAborted));
      if (!FirstErrorIsShared()) Sync::OnAction("WriteToWAL", leader);
      return;
    }
    const SequenceNumber first = allocated_sequence_.Get() + 1;
    SequenceNumber next = first;
    const std::uint64_t log_number = log_->LogNumber();
    bool logs = false;
    std::size_t pre_release_callbacks = 0;
    group->ForEachWriter([&](Writer* w) {
      if (w->CallbackFailed()) return;
      if (w->ShouldWriteToWAL()) {
        logs = true;
        w->log_used.Set(log_number);
      }
      if (w->pre_release_callback != nullptr) ++pre_release_callbacks;
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
    const char* error = "WalError";
    if (status.ok() && pre_release_callbacks > 0) {
      error = "PreReleaseError";
      status = RunPreReleaseCallbacks(group, pre_release_callbacks);
    }
    if (status.ok()) return;
    group->status.Set(status.With(Status::Code::kUnknownOutcome));
    Poison(error, &wal_error_, status);
  }

  // Up to the first that fails.
  Status RunPreReleaseCallbacks(Group* group, std::size_t total) {
    Status status;
    std::size_t index = 0;
    group->ForEachWriter([&](Writer* w) {
      if (!status.ok() || w->pre_release_callback == nullptr || w->CallbackFailed()) return;
      status = w->pre_release_callback->Callback(w->sequence.Get(), w->disable_memtable,
                                                 w->log_used.Get(), index++, total);
    });
    return status;
  }

  bool InsertsInParallel(const Group& group) const {
    return options_.allow_concurrent_memtable_write && group.size.Get() > 1;
  }

  // The leader inserts for all, and publishes; nothing of a group that is refused or has failed.
  void InsertInto(Group* group) {
    Status status = group->status.Get();
    if (!status.ok()) return;
    group->ForEachWriter([&](Writer* w) {
      if (status.ok()) status = InsertOne(w);
    });
    group->status.Set(status);
    SetLastSequence(group);
  }

  Status InsertOne(const Writer* w) {
    if (!w->ShouldWriteToMemtable()) return Status::OK();
    const Status status = InsertBatch(*w->batch, w->sequence.Get(), w->log_ref);
    Sync::OnAction(status.ok() ? "InsertInto" : "MemTableError", w);
    return status.ok() ? status : status.With(Status::Code::kUnknownOutcome);
  }

  Status InsertBatch(const Batch& batch, SequenceNumber first, std::uint64_t log_ref) {
    if constexpr (TakesLogRef<MemTable, Batch>) {
      return memtable_->InsertInto(batch, first, log_ref);
    } else {
      return memtable_->InsertInto(batch, first);
    }
  }

  // A writer inserts its own. True for the last of its group.
  bool InsertParallel(Writer* w, State state) {
    if (state == STATE_PARALLEL_MEMTABLE_CALLER) write_thread_.SetMemWritersEachStride(w);
    return write_thread_.CompleteParallelMemTableWriter(w, InsertOne(w));
  }

  // Publishes the group; a memtable error poisons the path instead.
  // REQUIRES: the group was inserted, or its status is the memtable's error.
  void SetLastSequence(Group* group) {
    const Status status = group->status.Get();
    if (status.ok()) {
      last_sequence_.store(group->last_sequence.Get(), orders::SetLastSequence_Store);
      Sync::OnAction("SetLastSequence", group->leader.Get());
    } else {
      const bool poisoned = Poisoned();
      if (FirstErrorIsShared()) {
        Sync::OnAction("SetLastSequence_FirstError", group->leader.Get());
      }
      if (!poisoned) Poison("Poison", &memtable_error_, status);
    }
  }

  // Another leader may poison the path meanwhile: each look at first_error_ is a step of its own.
  bool FirstErrorIsShared() const {
    return options_.enable_pipelined_write || options_.two_write_queues;
  }

  bool Poisoned() const { return first_error_.load(orders::FirstError_Load) != nullptr; }

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
    NotifyStall();
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
  typename Sync::template Atomic<std::uint32_t> relief_;  // who waits to lead all queues
  Thread write_thread_;
  Thread nonmem_write_thread_;
};

}  // namespace bellwether
