// The threads of a stress run: each writes batches of its workload, notes them in the AckTable, and
// now and then reads at a snapshot.
//
// Thread safety: one thread starts the workers and waits for them.
#pragma once

#include <pthread.h>
#include <sched.h>

#include <atomic>
#include <memory>
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
  bool pin = false;  // thread n to CPU n, modulo their number
};

// Decodes what a reader found; kForeignValue if no write of the workload put it there.
inline ValueId DecodeValue(const Workload& workload, uint32_t key, std::string_view value) {
  return workload.Decode(key, value).value_or(kForeignValue);
}

// Everything that the store holds at `snapshot`, absent keys included.
template <SyncPolicy Sync>
ReadEvent Scan(const Workload& workload, const BasicStore<Sync>& store, const Snapshot& snapshot) {
  ReadEvent read;
  read.snapshot = snapshot.sequence();
  std::vector<ValueId> values(workload.keys());
  std::unique_ptr<typename BasicStore<Sync>::Iterator> iterator;
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

template <SyncPolicy Sync>
class Workers {
 public:
  // `first[t]`: number of the first write of thread t. REQUIRES: all outlive this.
  Workers(const Workload& workload, const WorkerOptions& options,
          const std::vector<uint64_t>& first, BasicStore<Sync>* store, AckTable* table)
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

  void Run(uint32_t thread) {
    if (options_.pin) Pin(thread);
    Random random(Mix(options_.seed) + thread);
    CheckedSync::Seed(random.Next());
    WriteBatch batch;
    int failures = 0;
    while (!stop_.load(std::memory_order::relaxed) && failures < kFailures) {
      if (random.Percent(options_.read_percent)) Read(thread, &random);
      if (table_->Begun(thread) == table_->capacity()) break;
      if (claimed_.fetch_add(1, std::memory_order::relaxed) >= options_.writes) break;
      if (!Write(thread, &batch)) ++failures;
    }
  }

  bool Write(uint32_t thread, WriteBatch* batch) {
    const WriteId id = MakeWriteId(thread, first_[thread] + table_->Begun(thread));
    if (const Status status = workload_.Fill(id, batch); !status.ok()) {
      FailNow(ExitCode::kUsage, "batch: " + status.ToString());
    }
    const WriteOptions write_options{.sync = workload_.Sync(id)};
    table_->Begin(thread);
    const WriteResult result = store_->Write(write_options, batch);
    const Outcome outcome = result.status.ok() ? Outcome::kAcknowledged
                            : result.status.code() == Status::Code::kAborted ? Outcome::kRefused
                                                                             : Outcome::kUnknown;
    table_->Return(thread, outcome, result.sequence);
    return result.status.ok();
  }

  void Read(uint32_t thread, Random* random) {
    const uint64_t invoked = Now();
    const Snapshot snapshot = store_->GetSnapshot();
    const uint64_t returned = Now();
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
    read.invoked = invoked;
    read.returned = returned;
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
  BasicStore<Sync>* const store_;
  AckTable* const table_;
  std::atomic<bool> stop_{false};
  std::atomic<uint64_t> claimed_{0};
  std::vector<std::thread> threads_;
  std::vector<std::vector<ReadEvent>> reads_;
};

}  // namespace bellwether::stress
