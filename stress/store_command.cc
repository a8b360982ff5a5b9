// bellwether_stress store: what the store is for, on a real disk. A child process writes its
// batches from many threads, with and without sync; the clock is on the production policy. Then it
// goes on writing, is killed (-9) at a random moment with writes in flight, and the store is opened
// again and compared, batch by batch.

#include <algorithm>
#include <chrono>
#include <cmath>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "stress/child.h"
#include "stress/commands.h"
#include "stress/ledger.h"
#include "stress/workers.h"

namespace bellwether::stress {

namespace {

// Room for what the threads write between the end of the measurement and the kill.
constexpr uint64_t kExtraWrites = 200'000;
constexpr uint64_t kMicrosToKill = 50'000;

// What the child says about the part that was measured.
struct Measured {
  std::atomic<bool> done{false};
  uint64_t batches = 0;
  uint64_t ended = 0;  // by the clock of Now()
  double seconds = 0;
  Stats stats;
};

struct Setting {
  bool sync = false;
  uint32_t threads = 8;
};

std::string Repeat(const Options& options, const Mode& mode, uint32_t threads) {
  char seconds[32];
  (void)std::snprintf(seconds, sizeof(seconds), "%g", options.seconds);
  return "store --mode " + std::string(mode.name) + " --threads " + std::to_string(threads) +
         " --batches " + std::to_string(options.batches) + " --seconds " + seconds + " --seed " +
         std::to_string(options.seed) + (options.pin ? " --pin" : "");
}

// The child. Ends only if something is wrong.
int WriteAndMeasure(const Options& options, const StoreOptions& store_options,
                    const std::string& directory, const Workload& workload,
                    const std::vector<uint64_t>& first, AckTable* table, Measured* measured) {
  std::unique_ptr<Store> store;
  if (const Status status = Store::Open(store_options, directory, &store); !status.ok()) {
    PrintError("bellwether_stress", "child: " + status.ToString());
    return static_cast<int>(ExitCode::kUsage);
  }
  Workers<Store> workers(workload, {.seed = options.seed, .pin = options.pin}, first, store.get(),
                         table);
  const Stopwatch stopwatch;
  workers.Start();
  while (table->Returned() < options.batches && stopwatch.Seconds() < options.seconds) {
    std::this_thread::sleep_for(std::chrono::microseconds(200));
  }
  measured->seconds = stopwatch.Seconds();
  measured->ended = Now();
  measured->batches = table->Returned();
  measured->stats = store->GetStats();
  measured->done.store(true);
  workers.Join();
  PrintError("bellwether_stress", "child: the writers stopped before they were killed");
  return static_cast<int>(ExitCode::kSafety);
}

// Of the writes that returned while the clock was on; in microseconds.
void AddLatencies(const AckTable& table, uint64_t ended, nlohmann::ordered_json* figures) {
  std::vector<uint64_t> nanos;
  for (uint32_t thread = 0; thread < table.threads(); ++thread) {
    for (uint64_t n = 0; n < table.Returned(thread); ++n) {
      const AckTable::Slot slot = table.Get(thread, n);
      if (slot.returned <= ended) nanos.push_back(slot.returned - slot.invoked);
    }
  }
  std::sort(nanos.begin(), nanos.end());
  const auto percentile = [&](double p) {
    if (nanos.empty()) return 0.0;
    const double rank = std::ceil(p * static_cast<double>(nanos.size()));
    return static_cast<double>(nanos[static_cast<size_t>(std::max(rank, 1.0)) - 1]) / 1000.0;
  };
  (*figures)["p50_us"] = percentile(0.50);
  (*figures)["p99_us"] = percentile(0.99);
  (*figures)["p999_us"] = percentile(0.999);
}

// Of all batches that were acknowledged. `first`: as Workers have it.
void AddOperations(const Workload& workload, const AckTable& table,
                   const std::vector<uint64_t>& first, nlohmann::ordered_json* figures) {
  uint64_t puts = 0;
  uint64_t deletes = 0;
  for (uint32_t thread = 0; thread < table.threads(); ++thread) {
    for (uint64_t n = 0; n < table.Returned(thread); ++n) {
      for (const KeyOperation& operation :
           workload.Operations(MakeWriteId(thread, first[thread] + n))) {
        ++(operation.deletion ? deletes : puts);
      }
    }
  }
  (*figures)["puts"] = puts;
  (*figures)["deletes"] = deletes;
}

uint64_t LargestGroup(const Stats& stats) {
  for (size_t size = stats.group_sizes.size(); size > 0; --size) {
    if (stats.group_sizes[size - 1] > 0) return size - 1;
  }
  return 0;
}

nlohmann::ordered_json Figures(const Measured& measured, const AckTable& table) {
  nlohmann::ordered_json figures = {{"operations", measured.batches}};
  const Stats& stats = measured.stats;
  const auto groups = static_cast<double>(std::max<uint64_t>(stats.groups, 1));
  figures["batches_per_second"] =
      std::round(static_cast<double>(measured.batches) / std::max(measured.seconds, 1e-9));
  figures["group_mean"] = std::round(100 * static_cast<double>(stats.writers) / groups) / 100;
  figures["group_max"] = LargestGroup(stats);
  figures["syncs"] = stats.syncs;
  figures["waits"] = stats.waits;
  figures["log_mb"] = std::round(static_cast<double>(stats.log_bytes) / 1e4) / 100;
  AddLatencies(table, measured.ended, &figures);
  return figures;
}

// Opens the store that was killed and compares it with what the child noted.
std::optional<Violation> Verify(const StoreOptions& store_options, const std::string& directory,
                                const AckTable& table, Ledger* ledger) {
  ledger->EndLife(table, /*closed=*/false);
  std::unique_ptr<Store> store;
  if (const Status status = Store::Open(store_options, directory, &store); !status.ok()) {
    return Violation{"kOpen", status.ToString()};
  }
  return ledger->CheckRecovered(PosixFileSystem::Default(), directory, *store,
                                Survival::kAcknowledged);
}

std::optional<Violation> RunOne(const Options& options, const Mode& mode, const Setting& setting,
                                const std::string& directory, ReportRow* row) {
  const Workload workload({.seed = options.seed,
                           .keys = 100'000,
                           .max_operations = 4,
                           .max_value_size = 112,
                           .sync_percent = setting.sync ? 100U : 0U});
  const StoreOptions store_options{.write_path = mode.options};
  Ledger ledger(workload, setting.threads);
  const AckTable table(setting.threads, options.batches + kExtraWrites);
  const Shared<Measured> measured;
  Child child([&] {
    return WriteAndMeasure(options, store_options, directory, workload, ledger.next_number(),
                           const_cast<AckTable*>(&table), &*measured);
  });
  Progress progress(options.progress, row->what, "operations");
  while (!measured->done.load() && child.Running()) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    progress.Update(table.Returned());
  }
  Random random(options.seed + (setting.sync ? 1 : 0));
  std::this_thread::sleep_for(std::chrono::microseconds(random.Below(kMicrosToKill)));
  const std::string ended = child.Kill();
  if (!ended.empty()) return Violation{"child", ended};
  row->figures = Figures(*measured, table);
  AddOperations(workload, table, ledger.next_number(), &row->figures);
  const Stopwatch stopwatch;
  std::optional<Violation> violation = Verify(store_options, directory, table, &ledger);
  row->figures["verified"] = ledger.acknowledged();
  row->figures["in_flight"] = [&] {
    uint64_t in_flight = 0;
    for (uint32_t t = 0; t < table.threads(); ++t) in_flight += table.Begun(t) - table.Returned(t);
    return in_flight;
  }();
  row->figures["verify_seconds"] = stopwatch.Seconds();
  if (measured->batches < options.batches) {
    row->result = "ok (time-bound: " + std::to_string(measured->batches) + " batches)";
  }
  return violation;
}

}  // namespace

void RunStoreStage(const Options& options, Report* report) {
  for (const Mode& mode : options.modes) {
    for (const uint32_t threads : options.threads) {
      for (const bool sync : {false, true}) {
        const Stopwatch stopwatch;
        const std::string command = Repeat(options, mode, threads);
        ReproduceCommand() = "bellwether_stress " + command;
        ReportRow row{"store, " + std::string(mode.name) + (sync ? ", sync" : ", no sync"),
                      Plural(threads, "thread") + ", " + std::to_string(options.batches) +
                          " batches" + ", killed, reopened",
                      "ok",
                      {},
                      std::string(mode.name)};
        WorkDirectory directory(options.directory);
        if (directory.path().empty()) {
          PrintError("bellwether_stress", directory.error());
          report->Fail(ExitCode::kUsage);
          return;
        }
        const std::optional<Violation> violation =
            RunOne(options, mode, {sync, threads}, directory.path() + "/store", &row);
        row.figures["seconds"] = stopwatch.Seconds();
        if (violation) {
          directory.Keep();
          ReportViolation(*violation, ExitCode::kDataLost, command, &row, report);
        } else if (row.figures["operations"] == 0) {
          ReportViolation({"no operation", "nothing was acknowledged, so nothing was checked"},
                          ExitCode::kIncomplete, command, &row, report);
        }
        report->Add(std::move(row));
      }
    }
  }
}

}  // namespace bellwether::stress
