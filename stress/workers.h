// The threads of a stress run: each writes batches of its workload, as they are or as transactions,
// notes them in the AckTable, and now and then reads at a snapshot, a new one or one that it has
// held for a while, or takes a checkpoint.
//
// INV_STATUS, its half that a caller can see: a callback that fails is told to its write, and to
// nobody else; only a write with no_slowdown is told of a stall.
//
// Thread safety: one thread starts the workers and waits for them.
#pragma once

#include <pthread.h>
#include <sched.h>

#include <atomic>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "bellwether/store/store.h"
#include "stress/ack_table.h"
#include "stress/checked_sync.h"
#include "stress/history.h"
#include "stress/workload.h"

namespace bellwether::stress {

struct WorkerOptions {
  uint64_t seed = 1;         // of what the workload leaves open: reads, scheduling
  uint64_t writes = kNever;  // of all threads together; fewer if the table is full
  uint32_t read_percent = 0;
  uint32_t checkpoint_per_mille = 0;
  bool pin = false;  // thread n to CPU n, modulo their number
};

// Decodes what a reader found; kForeignValue if no write of the workload put it there.
inline ValueId DecodeValue(const Workload& workload, uint32_t key, std::string_view value) {
  return workload.Decode(key, value).value_or(kForeignValue);
}

// Everything that the store holds at `snapshot`, absent keys included.
template <class AnyStore>
ReadEvent Scan(const Workload& workload, const AnyStore& store, const Snapshot& snapshot) {
  ReadEvent read;
  read.snapshot = snapshot.sequence();
  std::vector<ValueId> values(workload.keys());
  std::unique_ptr<typename AnyStore::Iterator> iterator;
  const Status status = store.NewIterator({.snapshot = &snapshot}, &iterator);
  if (!status.ok()) FailNow(ExitCode::kSafety, "iterator: " + status.ToString());
  for (iterator->SeekToFirst(); iterator->Valid(); iterator->Next()) {
    const std::optional<uint32_t> key = Workload::KeyNumber(iterator->key());
    if (!key.has_value() || *key >= values.size()) {
      read.observations.push_back({key.value_or(0), kForeignValue});
      continue;
    }
    values[*key] = DecodeValue(workload, *key, iterator->value());
  }
  for (uint32_t key = 0; key < workload.keys(); ++key) {
    read.observations.push_back({key, values[key]});
  }
  return read;
}

// Every second one fails its write, some ask for a group of their own.
class WorkloadCallback final : public WriteCallback {
 public:
  WorkloadCallback(WriteId id, bool fails) : id_(id), fails_(fails) {}

  Status Callback() override { return fails_ ? Status::NotFound(Name(id_)) : Status::OK(); }
  bool AllowWriteBatching() const override { return NumberOf(id_) % 4 != 0; }

 private:
  const WriteId id_;
  const bool fails_;
};

template <class AnyStore>
class Workers {
 public:
  // `first[t]`: number of the first write of thread t. REQUIRES: all outlive this.
  Workers(const Workload& workload, const WorkerOptions& options,
          const std::vector<uint64_t>& first, AnyStore* store, AckTable* table)
      : workload_(workload), options_(options), first_(first), store_(store), table_(table) {}

  void Start() {
    reads_.resize(table_->threads());
    for (uint32_t thread = 0; thread < table_->threads(); ++thread) {
      threads_.emplace_back([this, thread] { Run(thread); });
    }
  }

  // Lets each thread finish the operation that it is at.
  void Stop() { stop_.store(true); }

  void Join() {
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
  }

  // Writes that failed, though their callbacks did not.
  uint64_t failures() const { return failures_.load(); }

  // REQUIRES: joined.
  std::vector<ReadEvent> TakeReads() {
    std::vector<ReadEvent> all;
    for (std::vector<ReadEvent>& reads : reads_) {
      std::move(reads.begin(), reads.end(), std::back_inserter(all));
    }
    return all;
  }

 private:
  // Refusals that a thread still asks for after the first failure.
  static constexpr int kFailures = 3;

  struct HeldSnapshot {
    Snapshot snapshot;
    uint64_t invoked = 0;
    uint64_t returned = 0;
  };

  void Run(uint32_t thread) {
    if (options_.pin) Pin(thread);
    Random random(Mix(options_.seed) + thread);
    CheckedSync::Seed(random.Next());
    std::optional<HeldSnapshot> held;
    WriteBatch batch;
    int failures = 0;
    while (!stop_.load(std::memory_order::relaxed) && failures < kFailures) {
      if (random.Percent(options_.read_percent)) Read(thread, &random, &held);
      if (random.Below(1000) < options_.checkpoint_per_mille && !TakeCheckpoint()) ++failures;
      if (table_->Begun(thread) == table_->capacity()) break;
      if (claimed_.fetch_add(1, std::memory_order::relaxed) >= options_.writes) break;
      const WriteId id = MakeWriteId(thread, first_[thread] + table_->Begun(thread));
      if (!WriteOne(thread, id, &batch)) ++failures;
    }
    failures_.fetch_add(static_cast<uint64_t>(failures));
  }

  bool TakeCheckpoint() {
    const uint64_t invoked = Now();
    if (!store_->Checkpoint().ok()) return false;
    table_->Checkpointed(invoked);
    return true;
  }

  // False if it failed, and neither its callback nor a stall that it would not wait for says why.
  bool WriteOne(uint32_t thread, WriteId id, WriteBatch* batch) {
    if (const Status status = workload_.Fill(id, batch); !status.ok()) {
      FailNow(ExitCode::kUsage, "batch: " + status.ToString());
    }
    const CallbackKind kind = workload_.CallbackOf(id);
    WorkloadCallback callback(id, kind == CallbackKind::kFails);
    WriteOptions options{.sync = workload_.Sync(id),
                         .disable_wal = workload_.DisableWal(id),
                         .no_slowdown = workload_.NoSlowdown(id)};
    if (kind != CallbackKind::kNone) options.callback = &callback;
    const Status status = workload_.WayOf(id) == Way::kWrite
                              ? Write(thread, options, *batch)
                              : Transact(thread, options, id, *batch);
    CheckStatus(id, status);
    if (status.ok() && options.disable_wal) Exercised::Note(Mechanism::kUnlogged);
    if (status.IsNotFound()) Exercised::Note(Mechanism::kCallbackErrors);
    if (Stalled(status)) Exercised::Note(Mechanism::kStallRefusals);
    return status.ok() || status.IsNotFound() || Stalled(status);
  }

  Status Write(uint32_t thread, const WriteOptions& options, const WriteBatch& batch) {
    table_->Begin(thread);
    const WriteResult result = store_->Write(options, &batch);
    table_->Return(thread, OutcomeOf(result.status), result.sequence);
    return result.status;
  }

  Status Transact(uint32_t thread, const WriteOptions& options, WriteId id,
                  const WriteBatch& batch) {
    const Way way = workload_.WayOf(id);
    const std::string xid = Workload::Xid(id);
    table_->Begin(thread, Phase::kPreparing);
    WriteResult result{store_->Prepare(options, xid, &batch)};
    if (result.status.ok()) {
      table_->Prepared(thread);
      Exercised::Note(Mechanism::kPrepares);
    }
    if (result.status.ok() && way != Way::kLeaveUndecided) {
      const WriteOptions decide{.sync = options.sync};
      table_->Decide(thread);
      if (way == Way::kCommit) {
        result = store_->Commit(decide, xid);
      } else {
        result.status = store_->Rollback(decide, xid);
      }
      const bool commits = way == Way::kCommit;
      if (result.status.ok()) {
        Exercised::Note(commits ? Mechanism::kCommits : Mechanism::kRollbacks);
      }
    }
    table_->Return(thread, OutcomeOf(result.status), result.sequence);
    return result.status;
  }

  static Outcome OutcomeOf(const Status& status) {
    if (status.ok()) return Outcome::kAcknowledged;
    return status.code() == Status::Code::kUnknownOutcome ? Outcome::kUnknown : Outcome::kRefused;
  }

  static bool Stalled(const Status& status) { return status.code() == Status::Code::kIncomplete; }

  // A stall refuses a write before its callback is called.
  void CheckStatus(WriteId id, const Status& status) const {
    const bool fails = workload_.CallbackOf(id) == CallbackKind::kFails;
    const bool told = status.IsNotFound() && status.what() == Name(id);
    const bool other = status.ok() || status.code() == Status::Code::kUnknownOutcome ||
                       status.code() == Status::Code::kAborted;
    if (fails ? told : other) return;
    if (Stalled(status) && workload_.NoSlowdown(id)) return;
    FailNow(ExitCode::kSafety, "INV_STATUS: " + Name(id) + ", whose callback " +
                                   (fails ? "fails" : "does not fail") + ", was told " +
                                   status.ToString());
  }

  void Read(uint32_t thread, Random* random, std::optional<HeldSnapshot>* held) {
    const bool again = held->has_value() && random->Percent(30);
    if (!again) {
      const uint64_t invoked = Now();
      const Snapshot snapshot = store_->GetSnapshot();
      held->emplace(HeldSnapshot{snapshot, invoked, Now()});
    }
    const Snapshot& snapshot = (*held)->snapshot;
    ReadEvent read;
    if (random->Percent(5)) {
      read = Scan(workload_, *store_, snapshot);
    } else {
      read.snapshot = snapshot.sequence();
      const uint64_t keys = 1 + random->Below(8);
      for (uint64_t i = 0; i < keys; ++i) {
        const auto key = static_cast<uint32_t>(random->Below(workload_.keys()));
        read.observations.push_back({key, Get(snapshot, key)});
      }
    }
    read.invoked = (*held)->invoked;
    read.returned = (*held)->returned;
    reads_[thread].push_back(std::move(read));
  }

  ValueId Get(const Snapshot& snapshot, uint32_t key) const {
    std::string value;
    const Status status = store_->Get({.snapshot = &snapshot}, Workload::Key(key), &value);
    if (status.IsNotFound()) return {};
    return status.ok() ? DecodeValue(workload_, key, value) : kForeignValue;
  }

  static void Pin(uint32_t thread) {
    cpu_set_t cpus;
    CPU_ZERO(&cpus);
    CPU_SET(thread % std::max(1U, std::thread::hardware_concurrency()), &cpus);
    // Where it is not allowed the run is as good without.
    (void)pthread_setaffinity_np(pthread_self(), sizeof(cpus), &cpus);
  }

  const Workload& workload_;
  const WorkerOptions options_;
  const std::vector<uint64_t>& first_;
  AnyStore* const store_;
  AckTable* const table_;
  std::atomic<bool> stop_{false};
  std::atomic<uint64_t> claimed_{0};
  std::atomic<uint64_t> failures_{0};
  std::vector<std::thread> threads_;
  std::vector<std::vector<ReadEvent>> reads_;
};

}  // namespace bellwether::stress
