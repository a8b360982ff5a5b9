// bellwether_stress run: threads write and read as fast as they can; at the end the whole history
// is checked, the store is closed, opened again and compared.

#include <chrono>
#include <functional>
#include <memory>
#include <numeric>
#include <optional>
#include <string>
#include <thread>

#include "bellwether/trace/trace_writer.h"
#include "stress/commands.h"
#include "stress/ledger.h"
#include "stress/simulated_file_system.h"
#include "stress/workers.h"

namespace bellwether::stress {

namespace {

using TracedSync = TracingSync<WriteBatch, CheckedSync>;

// Bounds the memory of a history; a run that reaches it ends early.
constexpr uint64_t kWritesOfOneRun = 2'000'000;
// A traced run ends early too: its rings hold every event, even if one thread leads all writes.
constexpr uint64_t kWritesOfATrace = 5'000;
constexpr size_t kEventsOfAThread = 16 * kWritesOfATrace;
// Some twenty writes: the log is often too large.
constexpr size_t kMaxLogBytes = size_t{4} << 10;
constexpr uint32_t kCheckpointPerMille = 1;
// A run in which something has not happened yet goes on for so many times its seconds.
constexpr double kPatience = 60;

// The model that judges traces has no checkpoints, stalls or disable_wal: a traced run writes
// plainly.
WorkloadOptions WorkloadOf(const Options& options) {
  WorkloadOptions workload{.seed = options.seed, .sync_percent = 5};
  if (!options.trace.empty()) return workload;
  workload.transaction_percent = 20;
  workload.callback_percent = 10;
  workload.disable_wal_percent = 10;
  workload.no_slowdown_percent = 20;
  return workload;
}

std::string Repeat(const Options& options, const Mode& mode, uint32_t threads) {
  char seconds[32];
  (void)std::snprintf(seconds, sizeof(seconds), "%g", options.seconds);
  return "run --mode " + std::string(mode.name) + " --threads " + std::to_string(threads) +
         " --seconds " + seconds + " --seed " + std::to_string(options.seed) + " --file-system " +
         options.file_system + (options.pin ? " --pin" : "") +
         (options.trace.empty() ? "" : " --trace " + options.trace);
}

struct RunResult {
  std::optional<Violation> violation;
  ExitCode code = ExitCode::kSafety;
  uint64_t operations = 0;
  uint64_t reads = 0;
};

// Writes and reads until the time is up and all has happened that has to; then checks what was
// seen. Leaves the store closed.
template <SyncPolicy Sync>
void Live(const Options& options, uint32_t threads, const Workload& workload,
          BasicStore<Sync>* store, Ledger* ledger, Progress* progress, RunResult* result,
          const std::function<void()>& at_rest) {
  const uint64_t most = options.trace.empty() ? kWritesOfOneRun : kWritesOfATrace;
  AckTable table(threads, kWritesOfOneRun / threads);
  Workers<BasicStore<Sync>> workers(
      workload,
      {.seed = options.seed,
       .writes = most,
       .read_percent = 30,
       .checkpoint_per_mille = options.trace.empty() ? kCheckpointPerMille : 0U,
       .pin = options.pin},
      ledger->next_number(), store, &table);
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
  at_rest();
  std::vector<ReadEvent> reads = workers.TakeReads();
  ledger->EndLife(table, /*closed=*/false);
  result->operations = ledger->acknowledged();
  result->reads = reads.size();
  if (!store->Quiet()) {
    result->violation = Violation{"INV_QUIET", "the queue is not empty at rest"};
  } else if (workers.failures() != 0) {
    result->violation = Violation{"INV_ACK", "a call failed, though nothing was wrong"};
  } else {
    result->violation = ledger->CheckLive(*store, std::move(reads));
  }
  const Status status = store->Close();
  if (!result->violation && !status.ok()) result->violation = Violation{"close", status.ToString()};
}

// Live, and what its threads did goes to the file of the trace.
void LiveTraced(const Options& options, const Mode& mode, uint32_t threads,
                const Workload& workload, BasicStore<TracedSync>* store, Ledger* ledger,
                Progress* progress, RunResult* result) {
  Trace trace(kEventsOfAThread);
  const SequenceNumber last_sequence = store->GetSnapshot().sequence();
  trace.Begin();
  Live(options, threads, workload, store, ledger, progress, result, [&] { trace.End(); });
  const Status status = TraceWriter(trace, mode.options, last_sequence).WriteTo(options.trace);
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
  if (options.trace.empty()) store_options.write_path.max_log_bytes = kMaxLogBytes;
  Ledger ledger(workload, threads);
  Progress progress(options.progress, "run " + std::string(mode.name), "operations");
  for (int life = 0; life < 2 && !result.violation; ++life) {
    std::unique_ptr<BasicStore<Sync>> store;
    if (const Status status = BasicStore<Sync>::Open(store_options, directory, &store);
        !status.ok()) {
      result.violation = Violation{"open", status.ToString()};
      result.code = life == 0 ? ExitCode::kUsage : ExitCode::kDataLost;
    } else if (life == 0) {
      if constexpr (std::is_same_v<Sync, TracedSync>) {
        LiveTraced(options, mode, threads, workload, store.get(), &ledger, &progress, &result);
      } else {
        Live(options, threads, workload, store.get(), &ledger, &progress, &result, [] {});
      }
    } else {
      result.violation =
          ledger.CheckRecovered(file_system, directory, *store, Survival::kAcknowledged);
      if (result.violation && IsLoss(*result.violation)) result.code = ExitCode::kDataLost;
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
