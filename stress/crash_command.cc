// bellwether_stress crash: many stores, each through a few lives on a simulated file system.
// bellwether_stress mutants: the same crashes kill every store that forgets a duty, and the store
// of the same seed that forgets nothing lives.

#include <optional>
#include <string>

#include "stress/commands.h"
#include "stress/crash_scenario.h"

namespace bellwether::stress {

namespace {

std::optional<Mutant> MutantNamed(std::string_view name) {
  for (const MutantName& known : kMutants) {
    if (known.name == name) return known.mutant;
  }
  return std::nullopt;
}

std::string Repeat(const Mode& mode, uint32_t threads, uint64_t seed, std::string_view mutant) {
  std::string command = "crash --mode " + std::string(mode.name) + " --threads " +
                        std::to_string(threads) + " --seed " + std::to_string(seed) + " --count 1";
  if (!mutant.empty()) command += " --mutant " + std::string(mutant);
  return command;
}

// A mutant that few crashes show gets so many times the stores of the control. It ends with the
// first that dies; which that is, with several threads, no seed says.
constexpr uint64_t kMoreForMutants = 100;

struct CrashResult {
  ScenarioFigures figures;
  std::optional<Violation> violation;
  uint64_t stores = 0;
  uint64_t seed = 0;  // of the last store
};

// Stores of seeds seed, seed + 1, …; stops at the first violation.
CrashResult Crash(const Options& options, const Mode& mode, uint32_t threads,
                  std::string_view mutant) {
  CrashResult result;
  Exercised::Reset();
  Progress progress(options.progress, "crash " + std::string(mode.name), "operations");
  for (; result.stores < CountUntilExercised(options.count, threads) && !result.violation;
       ++result.stores) {
    result.seed = options.seed + result.stores;
    ReproduceCommand() = "bellwether_stress " + Repeat(mode, threads, result.seed, mutant);
    CrashScenario scenario(result.seed, mode.options, threads, MutantNamed(mutant));
    result.violation = scenario.Run(&result.figures);
    progress.Update(result.figures.writes);
  }
  return result;
}

nlohmann::ordered_json Figures(const CrashResult& result, double seconds) {
  const ScenarioFigures& figures = result.figures;
  nlohmann::ordered_json all = {{"operations", figures.writes},
                                {"stores", result.stores},
                                {"recovered", figures.recovered},
                                {"dropped", figures.dropped},
                                {"decided_later", figures.decided_later},
                                {"memtable_errors", figures.memtable_errors},
                                {"lives", figures.lives},
                                {"crashes", figures.crashes},
                                {"crashes_in_recovery", figures.crashes_in_recovery},
                                {"point_in_time", figures.point_in_time},
                                {"seconds", seconds}};
  Exercised::AddTo(&all);
  return all;
}

std::string Bounds(const Options& options, uint32_t threads) {
  return Plural(options.count, "store") + ", " + Plural(threads, "thread") + ", seeds from " +
         std::to_string(options.seed);
}

}  // namespace

void RunCrash(const Options& options, Report* report) {
  for (const Mode& mode : options.modes) {
    for (const uint32_t threads : options.threads) {
      const Stopwatch stopwatch;
      ReportRow row{"power failures, " + std::string(mode.name),
                    Bounds(options, threads),
                    "ok",
                    {},
                    std::string(mode.name)};
      if (!options.mutant.empty()) row.what += ", mutant " + options.mutant;
      const CrashResult result = Crash(options, mode, threads, options.mutant);
      row.figures = Figures(result, stopwatch.Seconds());
      if (result.violation) {
        ReportViolation(*result.violation, ExitCode::kDataLost,
                        Repeat(mode, threads, result.seed, options.mutant), &row, report);
      } else if (result.figures.writes == 0) {
        ReportViolation({"no operation", "nothing was acknowledged, so nothing was checked"},
                        ExitCode::kIncomplete, Repeat(mode, threads, options.seed, options.mutant),
                        &row, report);
      } else if (options.count >= kEnough) {
        CheckExercised(threads, Repeat(mode, threads, options.seed, options.mutant), &row, report);
      }
      report->Add(std::move(row));
    }
  }
}

void RunMutants(const Options& options, Report* report) {
  RunCrash(options, report);
  Options more = options;
  more.count *= kMoreForMutants;
  for (const MutantName& mutant : kMutants) {
    for (const uint32_t threads : options.threads) {
      const Stopwatch stopwatch;
      ReportRow row{"mutant " + std::string(mutant.name), Bounds(more, threads), "", {}};
      const Mode& mode = options.modes.front();
      const CrashResult result = Crash(more, mode, threads, mutant.name);
      row.figures = Figures(result, stopwatch.Seconds());
      Options control = options;
      control.seed = result.seed;
      control.count = 1;
      if (!result.violation) {
        ReportViolation({"survived", "no store died of it, so this check would not see it"},
                        ExitCode::kDataLost, Repeat(mode, threads, options.seed, mutant.name), &row,
                        report);
      } else if (const auto without = Crash(control, mode, threads, "").violation) {
        ReportViolation(*without, ExitCode::kDataLost, Repeat(mode, threads, control.seed, ""),
                        &row, report);
      } else {
        row.result = "killed by " + std::string(result.violation->rule);
      }
      report->Add(std::move(row));
    }
  }
}

}  // namespace bellwether::stress
