// bellwether_stress run: threads write and read as fast as they can; at the end the whole history
// is checked, the store is closed, opened again and compared. Then it lives once more, until an
// insert into its memtable fails: whoever met that is told so, and so is everybody behind him.

#include <chrono>
#include <memory>
#include <numeric>
#include <optional>
#include <string>
#include <thread>

#include "bellwether/trace/trace_writer.h"
#include "stress/commands.h"
#include "stress/faulty_memtable.h"
#include "stress/ledger.h"
#include "stress/simulated_file_system.h"
#include "stress/workers.h"

namespace bellwether::stress {

namespace {

using TracedSync = TracingSync<WriteBatch, CheckedSync>;
template <SyncPolicy Sync>
using FaultyStore = BasicStore<Sync, FaultyMemTable<Sync>>;

// Bounds the memory of a history; a run that reaches it ends early.
constexpr uint64_t kWritesOfOneRun = 2'000'000;
// A traced run ends early too: its rings hold every event, even if one thread leads all writes. A
// transaction is two.
constexpr uint64_t kWritesOfATrace = 5'000;
constexpr size_t kEventsOfAThread = 32 * kWritesOfATrace;
// Some twenty writes: the log is often too large.
constexpr size_t kMaxLogBytes = size_t{4} << 10;
constexpr uint32_t kCheckpointPerMille = 1;
// Of the life in which an insert fails: one of the first, and enough writes to reach it, though not
// all of them insert.
constexpr uint64_t kWritesToFault = 2'000;
constexpr uint64_t kFirstInserts = 500;
// A run in which something has not happened yet goes on for so many times its seconds.
constexpr double kPatience = 60;

WorkloadOptions WorkloadOf(const Options& options) {
  return {.seed = options.seed,
          .sync_percent = 5,
          .transaction_percent = 20,
          .callback_percent = 10,
          .disable_wal_percent = 10,
          .no_slowdown_percent = 20};
}

WorkerOptions WorkersOf(const Options& options, uint64_t writes) {
  return {.seed = options.seed,
          .writes = writes,
          .read_percent = 30,
          .checkpoint_per_mille = kCheckpointPerMille,
          .pin = options.pin};
}

std::string Repeat(const Options& options, const Mode& mode, uint32_t threads) {
  char seconds[32];
  (void)std::snprintf(seconds, sizeof(seconds), "%g", options.seconds);
  return "run --mode " + std::string(mode.name) + " --threads " + std::to_string(threads) +
         " --seconds " + seconds + " --seed " + std::to_string(options.seed) + " --file-system " +
         options.file_system + (options.pin ? " --pin" : "") +
         (options.trace.empty() ? "" : " --trace " + options.trace) +
         (options.mutant.empty() ? "" : " --mutant " + options.mutant);
}

struct RunResult {
  std::optional<Violation> violation;
  ExitCode code = ExitCode::kSafety;
  uint64_t operations = 0;
  uint64_t reads = 0;
  uint64_t memtable_errors = 0;
};

// What holds whenever all threads are through.
template <SyncPolicy Sync>
std::optional<Violation> CheckAtRest(const FaultyStore<Sync>& store, Ledger* ledger,
                                     std::vector<ReadEvent> reads) {
  if (!store.Quiet()) return Violation{"INV_QUIET", "the queue is not empty at rest"};
  return ledger->CheckLive(store, std::move(reads));
}

// Writes and reads until the time is up and all has happened that has to; then checks what was
// seen. Leaves the store closed.
template <SyncPolicy Sync>
void Live(const Options& options, uint32_t threads, const Workload& workload,
          FaultyStore<Sync>* store, Ledger* ledger, Progress* progress, RunResult* result) {
  const uint64_t most = options.trace.empty() ? kWritesOfOneRun : kWritesOfATrace;
  AckTable table(threads, kWritesOfOneRun / threads);
  Workers<FaultyStore<Sync>> workers(workload, WorkersOf(options, most), ledger->next_number(),
                                     store, &table);
  const Stopwatch stopwatch;
  workers.Start();
  const auto goes_on = [&] {
    const double seconds = stopwatch.Seconds();
    if (!options.trace.empty() || seconds < options.seconds) return seconds < options.seconds;
    return !Exercised::Missing(threads).empty() && seconds < kPatience * options.seconds;
  };
  while (goes_on() && table.Returned() < most) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    progress->Update(table.Returned());
  }
  workers.Stop();
  workers.Join();
  std::vector<ReadEvent> reads = workers.TakeReads();
  ledger->EndLife(table, /*closed=*/false);
  result->operations = ledger->acknowledged();
  result->reads = reads.size();
  if (workers.failures() != 0) {
    result->violation = Violation{"INV_ACK", "a call failed, though nothing was wrong"};
  } else {
    result->violation = CheckAtRest(*store, ledger, std::move(reads));
  }
  const Status status = store->Close();
  if (!result->violation && !status.ok()) result->violation = Violation{"close", status.ToString()};
}

// Writes until an insert fails and everything behind it is refused. Leaves the store closed.
template <SyncPolicy Sync>
void LiveToMemTableError(const Options& options, uint32_t threads, const Workload& workload,
                         FaultyStore<Sync>* store, Ledger* ledger, RunResult* result) {
  AckTable table(threads, kWritesToFault);
  Workers<FaultyStore<Sync>> workers(workload, WorkersOf(options, kWritesToFault),
                                     ledger->next_number(), store, &table);
  MemTableFault::Arm(1 + Random(options.seed).Below(kFirstInserts),
                     /*swallowed=*/!options.mutant.empty());
  workers.Start();
  workers.Join();
  const WriteId failed = MemTableFault::Disarm();
  ledger->EndLife(table, /*closed=*/false);
  if (failed == 0) {
    result->violation = Violation{"no error", "no insert failed, so nothing was checked of it"};
    result->code = ExitCode::kIncomplete;
    return;
  }
  ++result->memtable_errors;
  result->violation = ledger->CheckToldUnknown(failed);
  if (!result->violation) result->violation = CheckAtRest(*store, ledger, workers.TakeReads());
  if (!result->violation && store->Close().ok()) {
    result->violation = Violation{"INV_STATUS", "Close does not tell of the memtable's error"};
  }
}

// Live, and what its threads did goes to the file of the trace.
void LiveTraced(const Options& options, const WritePathOptions& path_options, uint32_t threads,
                const Workload& workload, FaultyStore<TracedSync>* store, Ledger* ledger,
                Progress* progress, RunResult* result) {
  Trace trace(kEventsOfAThread);
  const SequenceNumber last_sequence = store->GetSnapshot().sequence();
  trace.Begin();
  Live(options, threads, workload, store, ledger, progress, result);
  trace.End();
  const Status status = TraceWriter(trace, path_options, last_sequence).WriteTo(options.trace);
  if (result->violation || status.ok()) return;
  result->violation = Violation{"trace", status.ToString()};
  result->code = ExitCode::kUsage;
}

template <SyncPolicy Sync>
RunResult RunOne(const Options& options, const Mode& mode, uint32_t threads,
                 FileSystem* file_system, const std::string& directory) {
  RunResult result;
  const Workload workload(WorkloadOf(options));
  StoreOptions store_options{.write_path = mode.options, .file_system = file_system};
  store_options.write_path.max_log_bytes = kMaxLogBytes;
  Ledger ledger(workload, threads);
  Progress progress(options.progress, "run " + std::string(mode.name), "operations");
  constexpr bool kTraced = std::is_same_v<Sync, TracedSync>;
  constexpr int kLives = kTraced ? 1 : 2;
  for (int life = 0; life <= kLives && !result.violation; ++life) {
    std::unique_ptr<FaultyStore<Sync>> store;
    const Status status = FaultyStore<Sync>::Open(store_options, directory, &store);
    if (!status.ok()) {
      result.violation = Violation{"open", status.ToString()};
      result.code = life == 0 ? ExitCode::kUsage : ExitCode::kDataLost;
    } else if (life > 0) {
      result.violation =
          ledger.CheckRecovered(file_system, directory, *store, Survival::kAcknowledged);
      if (result.violation && IsLoss(*result.violation)) result.code = ExitCode::kDataLost;
    }
    if (result.violation || life == kLives) break;
    if constexpr (kTraced) {
      LiveTraced(options, store_options.write_path, threads, workload, store.get(), &ledger,
                 &progress, &result);
    } else if (life == 0) {
      Live(options, threads, workload, store.get(), &ledger, &progress, &result);
    } else {
      LiveToMemTableError(options, threads, workload, store.get(), &ledger, &result);
    }
  }
  return result;
}

}  // namespace

void RunStress(const Options& options, Report* report) {
  if (!options.trace.empty() && options.modes.size() * options.threads.size() != 1) {
    PrintError("bellwether_stress",
               "--trace: a trace is of one run: give one --mode, one --threads");
    report->Fail(ExitCode::kUsage);
    return;
  }
  for (const Mode& mode : options.modes) {
    for (const uint32_t threads : options.threads) {
      const Stopwatch stopwatch;
      const std::string command = Repeat(options, mode, threads);
      ReproduceCommand() = "bellwether_stress " + command;
      Exercised::Reset();
      ReportRow row{"live history, " + std::string(mode.name),
                    Plural(threads, "thread") + ", " + options.file_system + ", seed " +
                        std::to_string(options.seed),
                    "ok",
                    {},
                    std::string(mode.name)};
      SimulatedFileSystem disk;
      WorkDirectory directory(options.directory);
      if (directory.path().empty()) {
        PrintError("bellwether_stress", directory.error());
        report->Fail(ExitCode::kUsage);
        return;
      }
      const bool simulated = options.file_system == "simulated";
      FileSystem* const file_system =
          simulated ? static_cast<FileSystem*>(&disk) : PosixFileSystem::Default();
      const std::string path = simulated ? "/store" : directory.path() + "/store";
      const RunResult result = options.trace.empty()
                                   ? RunOne<CheckedSync>(options, mode, threads, file_system, path)
                                   : RunOne<TracedSync>(options, mode, threads, file_system, path);
      row.figures = {{"operations", result.operations},
                     {"reads", result.reads},
                     {"memtable_errors", result.memtable_errors},
                     {"seconds", stopwatch.Seconds()}};
      Exercised::AddTo(&row.figures);
      if (result.violation) {
        directory.Keep();
        ReportViolation(*result.violation, result.code, command, &row, report);
      } else if (result.operations == 0 || result.reads == 0) {
        ReportViolation({"no operation", "nothing was written or read, so nothing was checked"},
                        ExitCode::kIncomplete, command, &row, report);
      } else if (options.trace.empty()) {
        CheckExercised(threads, command, &row, report);
      }
      report->Add(std::move(row));
    }
  }
}

}  // namespace bellwether::stress
