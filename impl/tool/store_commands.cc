// get, scan and load: they open the store.
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "bellwether/store/store.h"
#include "commands.h"

namespace bellwether::tool {
namespace {

// Null, and told, if it cannot be opened.
std::unique_ptr<Store> Open(const std::string& directory, const StoreOptions& options,
                            Report* report) {
  std::unique_ptr<Store> store;
  const Status status = Store::Open(options, directory, &store);
  if (!status.ok()) Fail(status, report);
  return store;
}

void Close(Store* store, Report* report) {
  const Status status = store->Close();
  if (!status.ok()) Fail(status, report);
}

std::string RandomKey(std::mt19937_64* random, uint64_t keys) {
  char key[24];
  const int size = std::snprintf(key, sizeof(key), "key%012llu",
                                 static_cast<unsigned long long>((*random)() % keys));
  return {key, static_cast<size_t>(size)};
}

// What the threads of a load share.
struct Loading {
  Store* store;
  const LoadOptions& options;
  std::atomic<uint64_t> taken = 0;
  std::atomic<uint64_t> deletes = 0;  // tried
  std::mutex mutex = {};
  Status first_error = {};
};

// Returns how many of its operations delete.
uint64_t FillBatch(const LoadOptions& options, std::mt19937_64* random, WriteBatch* batch) {
  const uint64_t keys = options.batches * options.operations;
  uint64_t deletes = 0;
  batch->Clear();
  for (uint32_t i = 0; i < options.operations; ++i) {
    const std::string key = RandomKey(random, keys);
    if ((*random)() % 100 < options.delete_percent) {
      (void)batch->Delete(key);
      ++deletes;
    } else {
      const char fill = static_cast<char>('a' + (*random)() % 26);
      (void)batch->Put(key, std::string(options.value_size, fill));
    }
  }
  return deletes;
}

void LoadThread(uint32_t thread, Loading* loading, Progress* progress) {
  const LoadOptions& options = loading->options;
  const WriteOptions write_options{.sync = options.sync};
  std::mt19937_64 random(options.seed * 64 + thread);
  WriteBatch batch;
  // The last ones are transactions.
  const uint64_t calls = options.batches + options.undecided;
  for (uint64_t done; (done = loading->taken.fetch_add(1)) < calls;) {
    loading->deletes.fetch_add(FillBatch(options, &random, &batch));
    const Status status =
        done < options.batches
            ? loading->store->Write(write_options, &batch).status
            : loading->store->Prepare(write_options, "load" + std::to_string(done), &batch);
    if (!status.ok()) {
      const std::lock_guard<std::mutex> lock(loading->mutex);
      if (loading->first_error.ok()) loading->first_error = status;
      return;
    }
    if (thread == 0) progress->Update(done);
  }
}

}  // namespace

void Get(const std::string& directory, const std::string& key, Report* report) {
  const std::unique_ptr<Store> store = Open(directory, {.create_if_missing = false}, report);
  if (store == nullptr) return;
  std::string value;
  const Status status = store->Get({}, key, &value);
  if (status.ok()) {
    value.push_back('\n');
    (void)std::fwrite(value.data(), 1, value.size(), stdout);
    report->Add({"get", "", "ok", {{"bytes", value.size() - 1}}});
  } else {
    Fail(status, report);
  }
  Close(store.get(), report);
}

void Scan(const std::string& directory, const ScanOptions& options, Report* report) {
  const std::unique_ptr<Store> store = Open(directory, {.create_if_missing = false}, report);
  if (store == nullptr) return;
  std::unique_ptr<Store::Iterator> iterator;
  const Status status = store->NewIterator({}, &iterator);
  if (!status.ok()) return Fail(status, report);
  uint64_t keys = 0;
  for (iterator->Seek(options.from); iterator->Valid() && keys < options.limit; iterator->Next()) {
    if (!options.to.empty() && iterator->key() >= options.to) break;
    std::printf("%s %s\n", Quoted(iterator->key(), SIZE_MAX).c_str(),
                Quoted(iterator->value(), SIZE_MAX).c_str());
    ++keys;
  }
  report->Add({"scan", "", "ok", {{"keys", keys}}});
  Close(store.get(), report);
}

void Load(const std::string& directory, const LoadOptions& options, Report* report) {
  const WritePathOptions write_path{.max_log_bytes = options.max_log_bytes};
  const std::unique_ptr<Store> store =
      Open(directory, {.write_path = write_path, .durable_watermark = options.durable_watermark},
           report);
  if (store == nullptr) return;
  Loading loading{store.get(), options};
  Progress progress(options.progress, "load", "operations");
  const Stopwatch stopwatch;
  std::vector<std::thread> threads;
  for (uint32_t thread = 0; thread < options.threads; ++thread) {
    threads.emplace_back(LoadThread, thread, &loading, &progress);
  }
  for (std::thread& thread : threads) thread.join();
  const double seconds = stopwatch.Seconds();
  if (!loading.first_error.ok()) Fail(loading.first_error, report);
  Close(store.get(), report);
  const Stats stats = store->GetStats();
  const std::string bounds = std::to_string(options.threads) + " threads, " +
                             std::to_string(options.operations) + " operations a batch" +
                             (options.sync ? ", sync" : "");
  const bool ok = report->exit() == ExitCode::kOk;
  report->Add({"load",
               bounds,
               ok ? "ok" : "FAILED",
               {{"operations", stats.writers * options.operations},
                {"deletes", loading.deletes.load()},
                {"batches", stats.writers},
                {"groups", stats.groups},
                {"syncs", stats.syncs},
                {"waits", stats.waits},
                {"checkpoints", stats.checkpoints},
                {"log_bytes", stats.log_bytes},
                {"seconds", seconds}}});
  std::printf("%llu batches in %llu groups, %.2f s, %.0f batches/s\n",
              static_cast<unsigned long long>(stats.writers),
              static_cast<unsigned long long>(stats.groups), seconds,
              static_cast<double>(stats.writers) / seconds);
}

}  // namespace bellwether::tool
