// One store's lives on a simulated file system, all drawn from one seed.
//
// A life: open (perhaps the power fails in it, perhaps an operation does), some threads write and
// take checkpoints, then the end: the power fails in the middle of an operation, perhaps one of a
// checkpoint, or an operation fails for good, or the process dies, in an operation or between two,
// or the store is closed. After each end the store is opened again and compared with the ledger.
// With one thread a seed repeats its run exactly. Thread safety: one thread runs a scenario.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "stress/checked_sync.h"
#include "stress/faulty_memtable.h"
#include "stress/ledger.h"
#include "stress/mutant_file_system.h"
#include "stress/simulated_file_system.h"
#include "stress/workers.h"

namespace bellwether::stress {

struct ScenarioFigures {
  uint64_t writes = 0;
  uint64_t recovered = 0;
  uint64_t dropped = 0;        // unsynced or unacknowledged ones that a power failure took
  uint64_t decided_later = 0;  // transactions, by another life than prepared them
  uint64_t memtable_errors = 0;
  uint64_t lives = 0;
  uint64_t crashes = 0;
  uint64_t crashes_in_recovery = 0;
  uint64_t point_in_time = 0;  // opens that needed it: pages were lost before others
};

class CrashScenario {
 public:
  CrashScenario(uint64_t seed, const WritePathOptions& mode, uint32_t threads,
                std::optional<Mutant> mutant)
      : random_(Mix(seed)),
        workload_({.seed = seed,
                   .keys = 32,
                   .max_operations = 5,
                   .max_value_size = kValueSizes[random_.Below(std::size(kValueSizes))],
                   .sync_percent = static_cast<uint32_t>(10 + 40 * random_.Below(3)),
                   .transaction_percent = static_cast<uint32_t>(40 * random_.Below(3)),
                   .callback_percent = 10,
                   .disable_wal_percent = static_cast<uint32_t>(30 * random_.Below(2)),
                   .no_slowdown_percent = 20}),
        mutant_(&disk_, kDirectory, mutant),
        swallows_memtable_errors_(mutant == Mutant::kMemTableErrorSwallowed),
        mode_(mode),
        ledger_(workload_, threads),
        threads_(threads) {}

  std::optional<Violation> Run(ScenarioFigures* figures) {
    const uint64_t lives = 2 + random_.Below(3);
    Status status = disk_.CreateDirectory("/disk");
    if (status.ok()) status = disk_.SyncDirectory("/");
    std::optional<Violation> violation;
    if (!status.ok()) violation = Violation{"set-up", status.ToString()};
    for (uint64_t life = 0; life <= lives && !violation; ++life) {
      std::unique_ptr<CheckedStore> store;
      violation = Open(&store, figures);
      const Survival survival = power_failed_ ? Survival::kDurable : Survival::kAcknowledged;
      if (!violation) violation = ledger_.CheckRecovered(&disk_, kDirectory, *store, survival);
      power_failed_ = lost_any_order_ = false;
      if (!violation && life < lives) violation = Live(std::move(store), figures);
    }
    figures->writes += ledger_.acknowledged();
    figures->recovered += ledger_.recovered();
    figures->dropped += ledger_.dropped();
    figures->decided_later += ledger_.decided_later();
    return violation;
  }

 private:
  using CheckedStore = BasicStore<CheckedSync, FaultyMemTable<CheckedSync>>;

  static constexpr const char* kDirectory = "/disk/store";
  static constexpr uint64_t kMaxAttempts = 100;
  static constexpr uint64_t kMaxWrites = 48;  // of one life
  static constexpr uint64_t kFewWrites = 4;  // … so that it often ends with the log's first record
  // Up to the name of its snapshot, made durable, and some of what that covers removed.
  static constexpr uint64_t kStepsOfCheckpoint = 18;
  static constexpr uint64_t kDirectorySyncsOfCheckpoint = 3;  // new log, manifest, snapshot
  // Records within a page, across pages, across blocks.
  static constexpr uint32_t kValueSizes[] = {96, 1000, 9000};

  // Until it succeeds. Whatever happens on the way, the state must stay recoverable.
  std::optional<Violation> Open(std::unique_ptr<CheckedStore>* store, ScenarioFigures* figures) {
    StoreOptions options{.write_path = mode_, .file_system = &mutant_};
    options.write_path.max_write_batch_group_size_bytes = size_t{1} << (10 + random_.Below(11));
    if (random_.Percent(50)) options.write_path.max_log_bytes = size_t{1} << (8 + random_.Below(8));
    for (uint64_t attempt = 0; attempt < kMaxAttempts; ++attempt) {
      const bool disturbed = attempt < 3 && random_.Percent(died_in_checkpoint_ ? 90 : 30);
      if (disturbed) Disturb(/*in_recovery=*/true);
      const Status status = CheckedStore::Open(options, kDirectory, store);
      if (disk_.powered_off()) {
        store->reset();
        Crash(figures);
        ++figures->crashes_in_recovery;
        continue;
      }
      died_in_checkpoint_ = false;
      if (status.ok()) return std::nullopt;
      disk_.Kill();
      const bool may_have_holes = status.code() == Status::Code::kCorruption && lost_any_order_;
      if (may_have_holes && options.recovery_mode != RecoveryMode::kPointInTime) {
        options.recovery_mode = RecoveryMode::kPointInTime;
        ++figures->point_in_time;
      } else if (!disturbed || status.code() != Status::Code::kIOError) {
        return Violation{"kOpen", status.ToString()};
      }
    }
    return Violation{"kOpen", "it never succeeded"};
  }

  std::optional<Violation> Live(std::unique_ptr<CheckedStore> store, ScenarioFigures* figures) {
    ++figures->lives;
    const bool disturbed = random_.Percent(60);
    if (disturbed) Disturb(/*in_recovery=*/false);
    if (random_.Percent(25)) {
      MemTableFault::Arm(1 + random_.Below(kMaxWrites), swallows_memtable_errors_);
    }
    ledger_.DecideRecovered(store.get(), &random_);
    AckTable table(threads_, kMaxWrites);
    Workers<CheckedStore> workers(
        workload_,
        {.seed = random_.Next(),
         .writes = random_.Below(random_.Percent(30) ? kFewWrites : kMaxWrites),
         .read_percent = 20,
         .checkpoint_per_mille = static_cast<uint32_t>(40 * random_.Below(2))},
        ledger_.next_number(), store.get(), &table);
    workers.Start();
    workers.Join();
    const WriteId failed = MemTableFault::Disarm();
    if (!store->Quiet()) return Violation{"INV_QUIET", "the queue is not empty at rest"};

    const bool closes = random_.Percent(30);
    const bool closed = closes && store->Close().ok();
    ledger_.EndLife(table, closed);
    std::optional<Violation> violation;
    if (failed != 0) violation = ledger_.CheckToldUnknown(failed);
    if (failed != 0) ++figures->memtable_errors;
    if (!violation && !closes) violation = ledger_.CheckLive(*store, workers.TakeReads());
    if (violation) return violation;
    if (!closes && !disk_.powered_off() && random_.Percent(25)) {
      DieInCheckpoint(store.get());
    }
    if (random_.Percent(disk_.powered_off() ? 50 : 60)) {
      Crash(figures);
    } else {
      disk_.Kill();
    }
    return std::nullopt;
  }

  // The power fails at one of its steps; or the process dies when its snapshot has a name, which is
  // not durable yet.
  void DieInCheckpoint(CheckedStore* store) {
    if (random_.Percent(50)) {
      disk_.PowerOffAt(1 + random_.Below(kStepsOfCheckpoint));
    } else {
      disk_.InjectFault(
          {.operation = FileOperation::kSyncDirectory, .nth = kDirectorySyncsOfCheckpoint});
    }
    (void)store->Checkpoint();
    died_in_checkpoint_ = true;
  }

  // Lets the power, or one operation, fail a little later.
  void Disturb(bool in_recovery) {
    if (random_.Percent(60)) {
      disk_.PowerOffAt(1 + random_.Below(in_recovery ? 14 : 2 * kMaxWrites));
      return;
    }
    // Those that only an Open does come last.
    static constexpr FileOperation kKinds[] = {
        FileOperation::kAppend,   FileOperation::kSync,          FileOperation::kCreate,
        FileOperation::kRename,   FileOperation::kSyncDirectory, FileOperation::kRemove,
        FileOperation::kTruncate, FileOperation::kSyncFile,      FileOperation::kLock,
        FileOperation::kRead};
    const size_t kinds = std::size(kKinds) - (in_recovery ? 0 : 4);
    const uint64_t kind = random_.Below(kinds);
    disk_.InjectFault({.operation = kKinds[kind],
                       .nth = 1 + random_.Below(in_recovery ? 2
                                                : kind < 2  ? kMaxWrites
                                                            : 6),
                       .error_number = random_.Percent(50) ? ENOSPC : EIO,
                       .sticky = random_.Percent(50),
                       .short_write = random_.Below(200)});
  }

  void Crash(ScenarioFigures* figures) {
    ++figures->crashes;
    power_failed_ = true;
    if (disk_.Crash(random_.Next()) == Loss::kAnyOrder) {
      lost_any_order_ = true;
    }
  }

  Random random_;
  const Workload workload_;
  SimulatedFileSystem disk_;
  MutantFileSystem mutant_;
  const bool swallows_memtable_errors_;
  const WritePathOptions mode_;
  Ledger ledger_;
  const uint32_t threads_;
  // Since the store was last open.
  bool power_failed_ = false;
  bool lost_any_order_ = false;
  bool died_in_checkpoint_ = false;
};

}  // namespace bellwether::stress
