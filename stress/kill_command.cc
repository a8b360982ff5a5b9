// bellwether_stress kill: a child process writes to a store in a real directory, is killed (-9) at
// a random moment, perhaps while it still recovers, and the store is opened again and compared.
// The page cache outlives the child, so every acknowledged batch has to be there.

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "stress/child.h"
#include "stress/commands.h"
#include "stress/ledger.h"
#include "stress/workers.h"

namespace bellwether::stress {

namespace {

using CheckedStore = BasicStore<CheckedSync>;

constexpr uint64_t kWritesOfOneThread = 4096;
constexpr uint64_t kLivesOfOneStore = 8;
constexpr uint64_t kWritesOfOneLife = 500;
constexpr uint64_t kMicrosOfOneLife = 20'000;
constexpr size_t kMaxLogBytes = size_t{4} << 10;

struct KillResult {
  std::optional<Violation> violation;
  uint64_t lives = 0;
  uint64_t acknowledged = 0;
  uint64_t dropped = 0;
  uint64_t decided_later = 0;
};

std::string Repeat(const Options& options, const Mode& mode, uint32_t threads) {
  return "kill --mode " + std::string(mode.name) + " --threads " + std::to_string(threads) +
         " --seed " + std::to_string(options.seed) + " --count " + std::to_string(options.count) +
         (options.pin ? " --pin" : "");
}

// The child: writes until it is killed.
int WriteForEver(const StoreOptions& store_options, const std::string& directory,
                 const Workload& workload, const WorkerOptions& worker_options,
                 const std::vector<uint64_t>& first, AckTable* table) {
  std::unique_ptr<CheckedStore> store;
  if (const Status status = CheckedStore::Open(store_options, directory, &store); !status.ok()) {
    PrintError("bellwether_stress", "child: " + status.ToString());
    return static_cast<int>(ExitCode::kDataLost);
  }
  Workers<CheckedStore> workers(workload, worker_options, first, store.get(), table);
  workers.Start();
  workers.Join();
  // Its table is full; it still has to be killed, with nothing in flight.
  for (;;) ::pause();
}

// One store, killed again and again, until there were most_lives of all stores.
void KillOne(const Options& options, const Mode& mode, uint32_t threads, uint64_t store_number,
             uint64_t most_lives, Progress* progress, KillResult* result) {
  Random random(Mix(options.seed) + (store_number << 32));
  const WorkDirectory parent(options.directory);
  if (parent.path().empty()) {
    result->violation = Violation{"directory", parent.error()};
    return;
  }
  const std::string directory = parent.path() + "/store";
  const Workload workload({.seed = options.seed + store_number,
                           .sync_percent = 20,
                           .transaction_percent = 30,
                           .callback_percent = 10,
                           .disable_wal_percent = 10,
                           .no_slowdown_percent = 20});
  StoreOptions store_options{.write_path = mode.options};
  store_options.write_path.max_log_bytes = kMaxLogBytes;
  Ledger ledger(workload, threads);
  for (uint64_t life = 0; life < kLivesOfOneStore && result->lives < most_lives; ++life) {
    AckTable table(threads, kWritesOfOneThread);
    const WorkerOptions worker_options{
        .seed = random.Next(), .checkpoint_per_mille = 2, .pin = options.pin};
    Child child([&] {
      return WriteForEver(store_options, directory, workload, worker_options, ledger.next_number(),
                          &table);
    });
    // Half of them are let come to writing first: so far, however fast the machine is.
    const uint64_t writes = random.Percent(50) ? 1 + random.Below(kWritesOfOneLife) : 0;
    while (table.Returned() < writes && child.Running()) {
      std::this_thread::sleep_for(std::chrono::microseconds(100));
    }
    std::this_thread::sleep_for(std::chrono::microseconds(random.Below(kMicrosOfOneLife)));
    const std::string ended = child.Kill();
    ++result->lives;
    if (!ended.empty()) {
      result->violation = Violation{"child", ended};
      return;
    }
    ledger.EndLife(table, /*closed=*/false);
    std::unique_ptr<CheckedStore> store;
    const Status status = CheckedStore::Open(store_options, directory, &store);
    result->violation = status.ok() ? ledger.CheckRecovered(PosixFileSystem::Default(), directory,
                                                            *store, Survival::kAcknowledged)
                                    : Violation{"kOpen", status.ToString()};
    if (result->violation) return;
    ledger.DecideRecovered(store.get(), &random);
    progress->Update(result->acknowledged + ledger.acknowledged());
  }
  result->acknowledged += ledger.acknowledged();
  result->dropped += ledger.dropped();
  result->decided_later += ledger.decided_later();
}

}  // namespace

void RunKill(const Options& options, Report* report) {
  for (const Mode& mode : options.modes) {
    for (const uint32_t threads : options.threads) {
      const Stopwatch stopwatch;
      const std::string command = Repeat(options, mode, threads);
      ReproduceCommand() = "bellwether_stress " + command;
      Exercised::Reset();
      ReportRow row{"kill -9, " + std::string(mode.name),
                    std::to_string(options.count) + " lives" + ", " + Plural(threads, "thread") +
                        ", seed " + std::to_string(options.seed),
                    "ok",
                    {},
                    std::string(mode.name)};
      Progress progress(options.progress, row.what, "operations");
      KillResult result;
      const auto lives = [&] { return CountUntilExercised(options.count, threads); };
      for (uint64_t store = 0; result.lives < lives() && !result.violation; ++store) {
        KillOne(options, mode, threads, store, lives(), &progress, &result);
      }
      row.figures = {{"operations", result.acknowledged},
                     {"kills", result.lives},
                     {"dropped", result.dropped},
                     {"decided_later", result.decided_later},
                     {"seconds", stopwatch.Seconds()}};
      Exercised::AddTo(&row.figures);
      if (result.violation) {
        const bool set_up = result.violation->rule == "directory";
        ReportViolation(*result.violation, set_up ? ExitCode::kUsage : ExitCode::kDataLost, command,
                        &row, report);
      } else if (result.acknowledged == 0) {
        ReportViolation({"no operation", "nothing was acknowledged, so nothing was checked"},
                        ExitCode::kIncomplete, command, &row, report);
      } else if (options.count >= kEnough) {
        CheckExercised(threads, command, &row, report);
      }
      report->Add(std::move(row));
    }
  }
}

}  // namespace bellwether::stress
