// Store: the embedded default: a WritePath over a log on disk and a memtable.
//
//   Open    lock the directory, recover every log in order, begin a new log, durable with its name
//   Write   WritePath::Write: group commit to the log and the memtable, then publish
//   Prepare, then Commit or Rollback: two-phase commit (transactions.h); what a crash leaves
//   undecided
//           comes back by RecoveredTransactions
//   Get     the newest version up to a snapshot; iterators and snapshots likewise, without locks
//   Sync    an empty write with `sync`: the log is synced behind all that was acknowledged before
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
// Limits: all data is in memory, and the logs grow until they are removed by hand.
// Thread safety: all functions may be called concurrently, but for the destructor. Iterators belong
// to one thread at a time, and may not outlive their store.
#pragma once

#include <cerrno>
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
#include "bellwether/storage/write_batch.h"
#include "bellwether/store/options.h"
#include "bellwether/store/recovery.h"
#include "bellwether/store/store_log.h"
#include "bellwether/store/transactions.h"
#include "bellwether/sync/std_sync.h"
#include "bellwether/write_path/write_path.h"

namespace bellwether {

template <SyncPolicy Policy>
class BasicStore {
 public:
  using Iterator = typename MemTable<Policy>::Iterator;

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
    if (options.disable_memtable || options.disable_wal) {
      return {Status::InvalidArgument("a store logs and inserts every batch"), 0};
    }
    if (batch != nullptr && batch->marked()) {
      return {Status::InvalidArgument(
                  "the batch belongs to a two-phase commit: use Prepare, Commit and Rollback"),
              0};
    }
    return write_path_.Write(options, batch);
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
    return Transact([&] { return transactions_.Prepare(options, xid, *batch); });
  }

  // The second phase: what was prepared becomes readable, as one, at the sequence that is returned.
  // After OK, and after OK from Rollback, the xid may be prepared anew. Of two that decide, one
  // wins. NotFound: no undecided transaction has this xid. Busy: another call works on it.
  // kUnknownOutcome: the next Open decides: either RecoveredTransactions has it, or it is decided
  // as was asked. After every other failure it is undecided as before.
  WriteResult Commit(const WriteOptions& options, std::string_view xid) {
    WriteResult result;
    result.status = Transact([&] {
      result = transactions_.Commit(options, xid);
      return result.status;
    });
    return result;
  }

  // The other second phase: nobody will ever read it. As Commit.
  Status Rollback(const WriteOptions& options, std::string_view xid) {
    return Transact([&] { return transactions_.Rollback(options, xid); });
  }

  // Those that Open found prepared and undecided, and that are not decided since, ascending by xid.
  // *transactions is untouched unless the result is OK.
  Status RecoveredTransactions(std::vector<RecoveredTransaction>* transactions) const {
    return Transact([&] { return transactions_.Recovered(transactions); });
  }

  // Everything acknowledged before the call is durable when it returns OK.
  Status Sync() {
    const WriteBatch barrier;
    return write_path_.Write({.sync = true}, &barrier).status;
  }

  // NotFound if `key` has no value in that state. *value is untouched unless the result is OK.
  Status Get(const ReadOptions& options, std::string_view key, std::string* value) const {
    if (Closed()) return Status::Aborted("the store is closed");
    const std::optional<std::string_view> found = memtable_->Get(key, SequenceOf(options));
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
    if (Closed()) return Status::Aborted("the store is closed");
    const SequenceNumber sequence = SequenceOf(options);
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
    if (Closed()) return Status::Aborted("the store is closed");
    return WithoutExceptions([&] {
      *iterator = std::make_unique<Iterator>(memtable_.get(), SequenceOf(options));
      return Status::OK();
    });
  }

  // Waits for the writes in flight, syncs the log, gives the directory back and refuses whatever
  // comes later. Returns the first error of the write path, if it had one. The second call is
  // refused, perhaps before the first is through.
  Status Close() {
    uint8_t open = 0;
    if (!closed_.compare_exchange_strong(open, 1, orders::Store_CloseCas)) {
      return Status::Aborted("the store is closed");
    }
    Status status = write_path_.Close();
    Status closed = log_.Close();
    lock_.reset();
    return status.ok() ? closed : status;
  }

  Stats GetStats() const {
    Stats stats;
    stats.recovery = recovery_;
    log_.CountInto(&stats);
    return stats;
  }

  // INV_QUIET. REQUIRES: no write is in flight.
  bool Quiet() const { return write_path_.Quiet(); }

 private:
  using Log = StoreLog<Policy>;
  using Table = MemTable<Policy>;
  using Path = WritePath<Policy, WriteBatch, Log, Table>;

  BasicStore(const StoreOptions& options, std::unique_ptr<FileLock> lock,
             std::unique_ptr<Table> memtable, std::unique_ptr<WritableFile> log,
             const RecoveryReport& recovery, const PreparedTransactions::Map& undecided)
      : recovery_(recovery),
        lock_(std::move(lock)),
        memtable_(std::move(memtable)),
        log_(std::move(log), recovery.log_number),
        write_path_(options.write_path, &log_, memtable_.get(), recovery.last_sequence),
        transactions_(&write_path_, undecided),
        closed_(0) {}

  static Status OpenImpl(const StoreOptions& options, const std::string& directory,
                         std::unique_ptr<BasicStore>* store) {
    if (options.file_system == nullptr) return Status::InvalidArgument("no file system is given");
    if (directory.empty()) return Status::InvalidArgument("the name of the directory is empty");
    FileSystem* const file_system = options.file_system;
    if (options.write_path.max_log_bytes != 0) {
      return Status::InvalidArgument("max_log_bytes: without checkpoints no write stall would end");
    }
    Status status = Path::CheckOptions(options.write_path);
    if (status.ok()) status = PrepareDirectory(options, directory);
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
    status = BeginLog(file_system, directory, report.log_number, &log);
    if (!status.ok()) return status;
    store->reset(new BasicStore(options, std::move(lock), std::move(memtable), std::move(log),
                                report, recovery.undecided()));
    return status;
  }

  // Creates the directory, durably, if need be. Touches nothing in one that is not a store's.
  static Status PrepareDirectory(const StoreOptions& options, const std::string& directory) {
    FileSystem* const file_system = options.file_system;
    bool exists = false;
    std::vector<uint64_t> logs;
    Status status = file_system->FileExists(directory, &exists);
    if (status.ok() && exists) {
      status = Recovery<Table>::ListLogs(file_system, directory, &logs);
    }
    if (!status.ok() || !logs.empty()) return status;
    if (!options.create_if_missing) {
      return Status::InvalidArgument("no store in " + directory +
                                     "; name another directory, or open with create_if_missing");
    }
    status = file_system->CreateDirectory(directory);
    // Also if it existed: whoever created it may have died before this.
    if (status.ok()) status = file_system->SyncDirectory(Parent(directory));
    return status;
  }

  // Nothing is acknowledged before the file and its name are durable.
  static Status BeginLog(FileSystem* file_system, const std::string& directory, uint64_t number,
                         std::unique_ptr<WritableFile>* log) {
    Status status = file_system->NewWritableFile(directory + "/" + LogName(number), log);
    if (status.ok()) status = (*log)->Sync();
    if (status.ok()) status = file_system->SyncDirectory(directory);
    return status;
  }

  static std::string Parent(const std::string& directory) {
    const size_t end = directory.find_last_not_of('/');
    const size_t slash = end == std::string::npos ? end : directory.find_last_of('/', end);
    if (slash == std::string::npos) return directory.front() == '/' ? "/" : ".";
    return slash == 0 ? "/" : directory.substr(0, slash);
  }

  // Adds what to do to an error of the file system.
  static Status WithAdvice(const Status& status) {
    if (status.code() != Status::Code::kIOError) return status;
    const char* advice = "nothing acknowledged is lost; check the disk, then open again";
    switch (status.error_number()) {
      case ENOSPC:
      case EDQUOT:
        advice = "nothing acknowledged is lost; free space, then open again";
        break;
      case EROFS:
      case EACCES:
      case EPERM:
        advice = "make the directory and its files writable for this process";
        break;
      case ENOENT:
        advice = "create the parent directory first";
        break;
      case ENOTDIR:
        advice = "name a directory, not a file";
        break;
      default:
        break;
    }
    return Status::IOError(std::string(status.what()) + " (" + advice + ")", status.file(),
                           status.offset(), status.error_number());
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

  SequenceNumber SequenceOf(const ReadOptions& options) const {
    return options.snapshot != nullptr ? options.snapshot->sequence() : write_path_.LastSequence();
  }

  const RecoveryReport recovery_;
  std::unique_ptr<FileLock> lock_;
  const std::unique_ptr<Table> memtable_;
  Log log_;
  Path write_path_;
  Transactions<Policy, Path> transactions_;
  typename Policy::template Atomic<uint8_t> closed_;
};

using Store = BasicStore<StdSync>;

}  // namespace bellwether
