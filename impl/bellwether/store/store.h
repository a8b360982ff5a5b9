// Store: the embedded default: a WritePath over a log on disk and a memtable.
//
//   Open    lock the directory, recover the snapshot and the logs behind it, begin a new log,
//           durable with its name, and a manifest that names them all
//   Write   WritePath::Write: group commit to the log and the memtable, then publish
//   Prepare, then Commit or Rollback: two-phase commit (transactions.h); what a crash leaves
//           undecided comes back by RecoveredTransactions
//   Get     the newest version up to a snapshot; iterators and snapshots likewise, without locks
//   Sync    an empty write with `sync`: the log is synced behind all that was acknowledged before
//   Checkpoint  lead all queues: sync the log, go on in a new one, take the published sequence;
//           then, while writers go on, write the state at that sequence to a snapshot file, make it
//           durable, and remove the logs and snapshots that it covers. Undecided transactions stand
//           in it
//   Close   wait for the writes in flight, sync, give the directory back
//
// Invariants
//   INV_ACK         a write told OK survives the process, and with `sync` the machine
//   INV_ATOMIC      a reader sees all of a batch or nothing of it
//   CRASH_PREFIX    what Open recovers is a prefix of what was logged
//   INV_STATUS      a failed write says whether it was refused (kAborted, kInvalidArgument: nothing
//                   of it was logged) or is for the next Open to decide (kUnknownOutcome). After an
//                   error of the log every write is refused; reads go on. Nothing throws.
//
// Checkpoints: with write_path.max_log_bytes the writer whose group makes the log larger than that
// takes one before its call returns, whatever its options; others write on into the new log, and
// wait only if that has grown too large as well before the snapshot is durable. One that fails
// leaves the store as it was, is counted (failed_checkpoints), and the next is due after
// max_log_bytes more; the write that ran it is not told. Without max_log_bytes only Checkpoint
// takes one.
//
// disable_wal: such a write is acknowledged when it is readable. It is lost with the process unless
// a Checkpoint that began later returned OK; neither Sync nor Close keeps it.
//
// Limits: all data is in memory. A checkpoint shortens the logs and the next Open, and leaves the
// memtable as it is: overwritten and deleted versions stay in memory until the store is opened
// again. While it writes it takes a block of memory, and Open takes as much as the largest file.
// Thread safety: all functions may be called concurrently, but for the destructor. Iterators belong
// to one thread at a time, and may not outlive their store. After a fork only the parent may use a
// store; the child may not even destroy it (leave by _exit): file and lock are the parent's.
#pragma once

#include <cstdint>
#include <memory>
#include <new>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bellwether/storage/memtable.h"
#include "bellwether/storage/prepared_transactions.h"
#include "bellwether/storage/write_batch.h"
#include "bellwether/store/checkpoint.h"
#include "bellwether/store/counter.h"
#include "bellwether/store/directory.h"
#include "bellwether/store/manifest.h"
#include "bellwether/store/options.h"
#include "bellwether/store/recovery.h"
#include "bellwether/store/store_files.h"
#include "bellwether/store/store_log.h"
#include "bellwether/store/transactions.h"
#include "bellwether/sync/std_sync.h"
#include "bellwether/write_path/write_path.h"

namespace bellwether {

// Table: the memtable; another one than the default is for tests that make it fail.
template <SyncPolicy Policy, class Table = MemTable<Policy>>
class BasicStore {
 public:
  using Iterator = typename Table::Iterator;

  // Opens the store in `directory`, or creates it (its parent has to exist). On failure the
  // directory stays as recoverable as it was, and *store is untouched.
  // Busy, naming the lock: another holder has it open.
  static Status Open(const StoreOptions& options, const std::string& directory,
                     std::unique_ptr<BasicStore>* store) {
    return WithoutExceptions([&] { return WithAdvice(OpenImpl(options, directory, store)); });
  }

  BasicStore(const BasicStore&) = delete;
  BasicStore& operator=(const BasicStore&) = delete;
  // REQUIRES: no other call is in flight.
  ~BasicStore() { (void)Close(); }

  // Makes the operations of `batch` durable (with options.sync) and readable, as one.
  WriteResult Write(const WriteOptions& options, const WriteBatch* batch) {
    if (batch != nullptr && !batch->status().ok()) return {batch->status(), 0};
    if (options.disable_memtable && batch != nullptr && batch->Count() > 0) {
      return {Status::InvalidArgument("disable_memtable with operations that nobody could read: "
                                      "use Prepare for what is to be decided later"),
              0};
    }
    if (batch != nullptr && batch->marked()) {
      return {Status::InvalidArgument(
                  "the batch belongs to a two-phase commit: use Prepare, Commit and Rollback"),
              0};
    }
    return ThenCheckpoint([&] { return write_path_.Write(options, batch); });
  }

  WriteResult Put(const WriteOptions& options, std::string_view key, std::string_view value) {
    WriteBatch batch;
    (void)batch.Put(key, value);
    return Write(options, &batch);
  }

  WriteResult Delete(const WriteOptions& options, std::string_view key) {
    WriteBatch batch;
    (void)batch.Delete(key);
    return Write(options, &batch);
  }

  // The first phase: logs `batch` as transaction `xid` (1 to 512 bytes). After OK it can be
  // committed or rolled back, also by whoever opens the store next; until then nobody reads it.
  // InvalidArgument: the xid is prepared already. Busy: another call works on it.
  // kUnknownOutcome: the next Open decides: either RecoveredTransactions has it, or prepare anew.
  Status Prepare(const WriteOptions& options, std::string_view xid, const WriteBatch* batch) {
    if (batch == nullptr) return Status::InvalidArgument("the batch is null");
    return ThenCheckpoint(
        [&] { return Transact([&] { return transactions_.Prepare(options, xid, *batch); }); });
  }

  // The second phase: what was prepared becomes readable, as one, at the sequence that is returned.
  // After OK, and after OK from Rollback, the xid may be prepared anew. Of two that decide, one
  // wins. NotFound: no undecided transaction has this xid. Busy: another call works on it.
  // kUnknownOutcome: the next Open decides: either RecoveredTransactions has it, or it is decided
  // as was asked. After every other failure it is undecided as before.
  WriteResult Commit(const WriteOptions& options, std::string_view xid) {
    WriteResult result;
    result.status = ThenCheckpoint([&] {
      return Transact([&] {
        result = transactions_.Commit(options, xid);
        return result.status;
      });
    });
    return result;
  }

  // The other second phase: nobody will ever read it. As Commit.
  Status Rollback(const WriteOptions& options, std::string_view xid) {
    return ThenCheckpoint(
        [&] { return Transact([&] { return transactions_.Rollback(options, xid); }); });
  }

  // Those that Open found prepared and undecided, and that are not decided since, ascending by xid.
  // *transactions is untouched unless the result is OK.
  Status RecoveredTransactions(std::vector<RecoveredTransaction>* transactions) const {
    if (transactions == nullptr) return Status::InvalidArgument("the result is null");
    return Transact([&] { return transactions_.Recovered(transactions); });
  }

  // Everything acknowledged before the call is durable when it returns OK.
  Status Sync() {
    const WriteBatch barrier;
    return ThenCheckpoint([&] { return write_path_.Write({.sync = true}, &barrier).status; });
  }

  // Everything acknowledged before the call is durable when it returns OK, disable_wal or not, and
  // the logs from before it are gone. After a failure nothing acknowledged is lost, and unless the
  // log itself failed writes go on.
  Status Checkpoint() {
    checkpoint_mutex_.lock();
    Status status = TakeCheckpoint();
    checkpoint_mutex_.unlock();
    return status;
  }

  // NotFound if `key` has no value in that state. *value is untouched unless the result is OK.
  Status Get(const ReadOptions& options, std::string_view key, std::string* value) const {
    SequenceNumber sequence = 0;
    Status status = FindState(options, value, &sequence);
    if (!status.ok()) return status;
    const std::optional<std::string_view> found = memtable_->Get(key, sequence);
    if (!found.has_value()) return Status::NotFound("the key has no value");
    return WithoutExceptions([&] {
      value->assign(*found);
      return Status::OK();
    });
  }

  // (*values)[i] is the value of keys[i], if it has one: all of one state. *values is untouched
  // unless the result is OK.
  Status MultiGet(const ReadOptions& options, std::span<const std::string_view> keys,
                  std::vector<std::optional<std::string>>* values) const {
    SequenceNumber sequence = 0;
    Status status = FindState(options, values, &sequence);
    if (!status.ok()) return status;
    return WithoutExceptions([&] {
      std::vector<std::optional<std::string>> found;
      found.reserve(keys.size());
      for (const std::string_view key : keys) found.emplace_back(memtable_->Get(key, sequence));
      values->swap(found);
      return Status::OK();
    });
  }

  Snapshot GetSnapshot() const { return Snapshot(write_path_.LastSequence()); }

  // Not positioned yet. Reads one state, from the call on, while writers go on.
  Status NewIterator(const ReadOptions& options, std::unique_ptr<Iterator>* iterator) const {
    SequenceNumber sequence = 0;
    Status status = FindState(options, iterator, &sequence);
    if (!status.ok()) return status;
    return WithoutExceptions([&] {
      *iterator = std::make_unique<Iterator>(memtable_.get(), sequence);
      return Status::OK();
    });
  }

  // Waits for the writes in flight, ends a checkpoint, syncs the log, gives the directory back and
  // refuses whatever comes later. Returns the first error of the write path, if it had one. The
  // second call is refused, perhaps before the first is through.
  Status Close() {
    uint8_t open = 0;
    if (!closed_.compare_exchange_strong(open, 1, orders::Store_CloseCas)) {
      return Status::Aborted("the store is closed");
    }
    checkpoint_mutex_.lock();
    Status status = write_path_.Close();
    Status closed = log_.Close();
    lock_.reset();
    checkpoint_mutex_.unlock();
    return status.ok() ? closed : status;
  }

  Stats GetStats() const {
    Stats stats;
    stats.recovery = recovery_;
    log_.CountInto(&stats);
    stats.waits = waits_.Get();
    stats.checkpoints = checkpoints_.Get();
    stats.failed_checkpoints = failed_checkpoints_.Get();
    stats.snapshot_bytes = snapshot_bytes_.Get();
    stats.memtable_bytes = memtable_->MemoryUsage();
    return stats;
  }

  // INV_QUIET. REQUIRES: no write is in flight.
  bool Quiet() const { return write_path_.Quiet(); }

 private:
  using Log = StoreLog<Policy>;
  using Path = WritePath<Policy, WriteBatch, Log, Table>;

  BasicStore(const StoreOptions& options, std::string directory, std::unique_ptr<FileLock> lock,
             std::unique_ptr<Table> memtable, std::unique_ptr<WritableFile> log,
             const RecoveryReport& recovery, Manifest files,
             const PreparedTransactions::Map& undecided)
      : options_(options),
        directory_(std::move(directory)),
        recovery_(recovery),
        lock_(std::move(lock)),
        memtable_(std::move(memtable)),
        next_number_(recovery.log_number + 1),
        files_(std::move(files)),
        log_(std::move(log), recovery.log_number,
             {.next_sequence = recovery.last_sequence + 1,
              .durable_watermark = options.durable_watermark || options.preallocate_log_bytes != 0},
             options.write_path.max_log_bytes),
        write_path_(options.write_path, &log_, memtable_.get(), recovery.last_sequence),
        transactions_(&write_path_, undecided),
        closed_(0) {}

  static Status OpenImpl(const StoreOptions& options, const std::string& directory,
                         std::unique_ptr<BasicStore>* store) {
    if (store == nullptr) return Status::InvalidArgument("the result is null");
    if (options.file_system == nullptr) return Status::InvalidArgument("no file system is given");
    if (directory.empty() || directory.find('\0') != std::string::npos) {
      return Status::InvalidArgument("the name of the directory is empty or holds a zero byte");
    }
    if (options.recovery_mode > RecoveryMode::kSkipCorrupt) {
      return Status::InvalidArgument("unknown recovery mode");
    }
    FileSystem* const file_system = options.file_system;
    Status status = Path::CheckOptions(options.write_path);
    if (status.ok()) status = PrepareDirectory(file_system, directory, options.create_if_missing);
    if (!status.ok()) return status;
    std::unique_ptr<FileLock> lock;
    status = file_system->LockFile(directory + "/" + std::string(kLockName), &lock);
    if (!status.ok()) return status;

    auto memtable = std::make_unique<Table>();
    RecoveryReport report;
    Recovery<Table> recovery(file_system, directory, options.recovery_mode, memtable.get());
    status = recovery.Run(&report);
    if (!status.ok()) return status;

    std::unique_ptr<WritableFile> log;
    status =
        BeginLog(file_system, directory, report.log_number, options.preallocate_log_bytes, &log);
    Manifest files = recovery.live_files();
    if (status.ok() && recovery.needs_snapshot()) {
      uint64_t bytes = 0;
      status = WriteSnapshot(
          file_system, directory, report.log_number,
          SnapshotContents<Table>{memtable.get(), report.last_sequence, &recovery.undecided()},
          [] { return false; }, &bytes);
      files = {{report.log_number}, {}};
    }
    files.logs.push_back(report.log_number);
    if (status.ok()) status = WriteManifest(file_system, directory, files);
    if (!status.ok()) return status;
    if (recovery.needs_snapshot()) {
      RemoveCovered(file_system, directory, report.log_number);
    } else {
      status = recovery.RemoveEmpty(&report);
      if (!status.ok()) return status;
    }
    store->reset(new BasicStore(options, directory, std::move(lock), std::move(memtable),
                                std::move(log), report, std::move(files), recovery.undecided()));
    return status;
  }

  // Calls `write`, and then takes the checkpoint that it may have made due. The leader that did so
  // comes through here, whatever became of its own write: so no stall waits in vain.
  template <class Write>
  auto ThenCheckpoint(const Write& write) {
    const uint64_t waits = Policy::BlockedWaits();
    auto result = write();
    if (Policy::BlockedWaits() != waits) waits_.AddShared(1);
    if (log_.CheckpointDue()) {
      checkpoint_mutex_.lock();
      if (log_.CheckpointDue()) (void)TakeCheckpoint();
      checkpoint_mutex_.unlock();
    }
    return result;
  }

  // REQUIRES (of all below): checkpoint_mutex_ is held.
  Status TakeCheckpoint() {
    if (Closed()) return Status::Aborted("the store is closed");
    Status status = WithoutExceptions([&] { return WithAdvice(TryCheckpoint()); });
    (status.ok() ? checkpoints_ : failed_checkpoints_).Add(1);
    // Whoever stalls until the log is shorter has to go on, and no write may try again at once.
    if (!status.ok() && log_.CheckpointDue()) {
      const Status put_off = write_path_.RunUnbatched([&] {
        log_.PutOff();
        return Status::OK();
      });
      // A poisoned path logs nothing any more.
      if (!put_off.ok()) log_.NeverDue();
    }
    return status;
  }

  Status TryCheckpoint() {
    const uint64_t number = next_number_++;
    PreparedTransactions::Map undecided;
    SequenceNumber sequence = 0;
    Status status = RotateLog(number, &undecided, &sequence);
    if (!status.ok()) return status;
    uint64_t bytes = 0;
    status = WriteSnapshot(
        options_.file_system, directory_, number,
        SnapshotContents<Table>{memtable_.get(), sequence, &undecided}, [this] { return Closed(); },
        &bytes);
    snapshot_bytes_.Add(bytes);
    if (!status.ok()) return status;
    files_ = {{number}, {number}};
    RemoveCovered(options_.file_system, directory_, number);
    return status;
  }

  // The log goes on in a new file; what was in it up to then is durable, and gave *sequence.
  Status RotateLog(uint64_t number, PreparedTransactions::Map* undecided,
                   SequenceNumber* sequence) {
    std::unique_ptr<WritableFile> file;
    Manifest files = files_;
    files.logs.push_back(number);
    Status status =
        BeginLog(options_.file_system, directory_, number, options_.preallocate_log_bytes, &file);
    const bool named = status.ok();
    if (named) status = WriteManifest(options_.file_system, directory_, files);
    if (status.ok()) {
      status = write_path_.RunUnbatched([&] {
        Status ready = WithoutExceptions([&] {
          *undecided = transactions_.Undecided();
          return Status::OK();
        });
        if (!ready.ok()) return ready;
        *sequence = write_path_.LastSequence();
        Status status_of_log = log_.Rotate(std::move(file), number);
        if (status_of_log.ok()) {
          Policy::OnAction("Checkpoint", nullptr);
        } else {
          // For good: here, so that the writes that are queued already are told the same.
          write_path_.Fail(status_of_log);
        }
        return status_of_log;
      });
    }
    if (status.ok()) {
      files_ = std::move(files);
    } else if (!named || WriteManifest(options_.file_system, directory_, files_).ok()) {
      (void)options_.file_system->RemoveFile(directory_ + "/" + LogName(number));
    }
    return status;
  }

  template <class Operation>
  static Status WithoutExceptions(const Operation& operation) {
    try {
      return operation();
    } catch (const std::bad_alloc&) {
      return Status::OutOfMemory("no memory for the operation");
    } catch (const std::length_error&) {
      return Status::OutOfMemory("no memory for the operation");
    }
  }

  template <class Operation>
  Status Transact(const Operation& operation) const {
    return Closed() ? Status::Aborted("the store is closed") : WithoutExceptions(operation);
  }

  bool Closed() const { return closed_.load(orders::Store_ClosedLoad) != 0; }

  // The sequence to read at, for a call that fills *result. A snapshot of another store may name
  // what is not published here, and one from before this Open what a checkpoint has dropped.
  template <class Result>
  Status FindState(const ReadOptions& options, const Result* result,
                   SequenceNumber* sequence) const {
    if (Closed()) return Status::Aborted("the store is closed");
    if (result == nullptr) return Status::InvalidArgument("the result is null");
    const SequenceNumber last = write_path_.LastSequence();
    *sequence = options.snapshot != nullptr ? options.snapshot->sequence() : last;
    if (*sequence >= recovery_.snapshot_sequence && *sequence <= last) return Status::OK();
    return Status::InvalidArgument(
        "the snapshot is of another store, or from before this one was opened: take a new one");
  }

  const StoreOptions options_;
  const std::string directory_;
  const RecoveryReport recovery_;
  std::unique_ptr<FileLock> lock_;
  const std::unique_ptr<Table> memtable_;
  typename Policy::Mutex checkpoint_mutex_;  // held by who takes a checkpoint, and by Close
  uint64_t next_number_;                     // of a log; guarded by it, as the four below
  Manifest files_;  // those that have to be there: what the next manifest goes on from
  Counter<Policy> waits_;
  Counter<Policy> checkpoints_;
  Counter<Policy> failed_checkpoints_;
  Counter<Policy> snapshot_bytes_;
  Log log_;
  Path write_path_;
  Transactions<Policy, Path> transactions_;
  typename Policy::template Atomic<uint8_t> closed_;
};

using Store = BasicStore<StdSync>;

}  // namespace bellwether
