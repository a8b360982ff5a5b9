// bellwether_relacy: explores scenarios on the real write path. One scenario by name, or all runs
// of a set in runs.json, each with its expected number of executions.
#include <algorithm>
#include <cstdio>
#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include "model/tool_report.h"
#include "relacy_tests/lifetime_probe.h"
#include "relacy_tests/lockstep.h"
#include "relacy_tests/run.h"
#include "relacy_tests/scenarios.h"

namespace bellwether::relacy {
namespace {

constexpr const char* kTool = "bellwether_relacy";

struct CommandLine {
  Run run;
  std::string runs = BELLWETHER_RELACY_RUNS;
  std::string set;
  std::string json;
  std::string unreached;
  std::vector<std::string> add_up;
  bool no_assertions = false;
  bool no_lockstep = false;
  bool no_coverage = false;
  bool list = false;
  bool progress = false;
  bool update = false;
};

const std::vector<std::string> kSets{"quick", "default", "push", "nightly"};

void DefineOptions(CLI::App* app, CommandLine* line) {
  Run& run = line->run;
  app->add_option("--scenario", run.scenario, "explore this scenario (--list prints them)");
  app->add_option(
      "--scheduler", run.scheduler,
      "dpor | dfs | context_bound=K | random=N | random=A-B (from the A-th to the B-th)");
  app->add_option("--stale-depth", run.stale_depth, "how many older stores a load may read: 1, 2");
  app->add_flag("--one-step-links", run.one_step_links, "explore a link loop as one step");
  app->add_flag("--spurious", run.spurious, "weak CAS and waits fail spuriously, once per object");
  app->add_flag("--no-assertions", line->no_assertions, "leave out the header's assertions");
  app->add_flag("--no-lockstep", line->no_lockstep, "do not follow the executions in the model");
  app->add_flag("--no-coverage", line->no_coverage, "do not count the model's edges");
  app->add_option("--mutant", run.mutant, "weaken one order: ENTRY.order|success|failure=ORDER");
  app->add_option("--replay", run.replay, "the one execution with these choices, as lanes");
  app->add_flag("--lanes", run.always_lanes, "print the last execution as lanes");
  app->add_option("--seed", run.seed, "of random=N");
  app->add_option("--shard", run.shard, "I/N: the I-th of N parts; --add-up checks all of them");
  app->add_option("--time-limit", run.time_limit, "seconds; incomplete after that (exit 2)");
  app->add_option("--set", line->set, "all runs of a set: quick | default | push | nightly")
      ->check(CLI::IsMember(kSets));
  app->add_option("--runs", line->runs, "the file of runs");
  app->add_flag("--update", line->update, "write the numbers that were found into the file");
  app->add_option("--json", line->json, "write a report");
  app->add_option(
      "--add-up", line->add_up,
      "explore nothing: the reports of all shards of --set hold the counts of the file");
  app->add_option("--unreached", line->unreached,
                  "write the model's edges that --scenario did not reach");
  app->add_flag("--progress", line->progress, "say how far it is");
  app->add_flag("--list", line->list, "print the scenarios");
}

ExitCode ToExit(Verdict verdict) {
  switch (verdict) {
    case Verdict::kOk:
      return ExitCode::kOk;
    case Verdict::kIncomplete:
      return ExitCode::kIncomplete;
    case Verdict::kDeadlock:
      return ExitCode::kDeadlock;
    case Verdict::kLivelock:
      return ExitCode::kLiveness;
    case Verdict::kUnsafe:
      return ExitCode::kSafety;
  }
  return ExitCode::kSafety;
}

std::string Result(const Run& run, const Outcome& outcome) {
  if (outcome.verdict == Verdict::kIncomplete) return "INCOMPLETE: the time limit was reached";
  if (outcome.verdict != Verdict::kOk) {
    return "FAILED " + outcome.what + (outcome.where.empty() ? "" : " at " + outcome.where);
  }
  const bool exhausts = run.replay.empty() && !run.scheduler.starts_with("random");
  return exhausts ? "COMPLETE" : "ok";
}

void PrintFailure(const Run& run, const Outcome& outcome) {
  std::fputs(outcome.lanes.c_str(), stdout);
  std::printf("%s: %s after %llu executions\nreplay: %s %s --replay %s\n", run.scenario.c_str(),
              Result(run, outcome).c_str(), static_cast<unsigned long long>(outcome.executions),
              kTool, Arguments(run).c_str(), outcome.choices.c_str());
}

// What of the model the executions reached, if it followed them: how many edges, 0 if it did not or
// did not have to reach all.
std::uint64_t ReportCoverage(const std::string& unreached_file, bool wants_all, Report* report,
                             ReportRow* row) {
  const std::optional<Coverage::Figures> counted = LockstepFigures();
  if (!counted) return 0;
  const Coverage::Figures& figures = *counted;
  row->figures["model_states"] = figures.states;
  row->figures["model_states_reached"] = figures.states_reached;
  row->figures["model_edges"] = figures.edges;
  row->figures["model_edges_taken"] = figures.edges_taken;
  row->figures["model_edges_reached"] = figures.edges_swapped;
  row->figures["stale_loads"] = figures.stale_loads;
  std::printf(
      "%-28s in lockstep: %llu actions, %llu stale loads; of the model's %llu states %llu "
      "reached, of its %llu edges %llu (%llu taken)\n",
      "", static_cast<unsigned long long>(figures.actions),
      static_cast<unsigned long long>(figures.stale_loads),
      static_cast<unsigned long long>(figures.states),
      static_cast<unsigned long long>(figures.states_reached),
      static_cast<unsigned long long>(figures.edges),
      static_cast<unsigned long long>(figures.edges_swapped),
      static_cast<unsigned long long>(figures.edges_taken));
  if (!unreached_file.empty()) std::ofstream(unreached_file) << LockstepUnreached();
  if (!wants_all) return 0;
  if (figures.edges_swapped == figures.edges) return figures.edges;
  PrintError(kTool, row->what +
                        ": the model has steps that the implementation never takes; "
                        "--unreached FILE lists them");
  report->Fail(ExitCode::kSafety);
  return 0;
}

std::string What(const Run& run) {
  return run.scenario + ": " + std::string(FindScenario(run.scenario)->what);
}

struct Counts {
  std::uint64_t executions;
  std::uint64_t edges;
};

// Explores, prints and reports one run.
Counts Perform(const Run& run, bool show_progress, const std::string& unreached_file,
               Report* report) {
  Progress progress(show_progress, run.scenario, "executions");
  const Stopwatch stopwatch;
  const Outcome outcome = Execute(run, [&](std::uint64_t done) { progress.Update(done); });
  const std::string result = Result(run, outcome);
  if (outcome.verdict != Verdict::kOk && outcome.verdict != Verdict::kIncomplete) {
    PrintFailure(run, outcome);
  } else {
    if (run.always_lanes || !run.replay.empty()) std::fputs(outcome.lanes.c_str(), stdout);
    std::printf("%-28s %-62s %9llu executions  %s\n", run.scenario.c_str(), Bounds(run).c_str(),
                static_cast<unsigned long long>(outcome.executions), result.c_str());
  }
  std::fflush(stdout);
  report->Fail(ToExit(outcome.verdict));
  ReportRow row;
  row.what = What(run);
  row.bounds = Bounds(run);
  row.result = result;
  row.mode = FindScenario(run.scenario)->mode;
  row.figures["executions"] = outcome.executions;
  row.figures["redundant"] = outcome.redundant;
  row.figures["depth"] = outcome.depth;
  row.figures["seconds"] = stopwatch.Seconds();
  const bool all = result == "COMPLETE" && run.shard.empty() &&
                   (run.scheduler == "dpor" || run.scheduler == "dfs");
  const std::uint64_t edges = ReportCoverage(unreached_file, all, report, &row);
  report->Add(std::move(row));
  return {outcome.executions, edges};
}

std::vector<Run> ReadRuns(const std::string& file) {
  std::ifstream stream(file);
  const auto json = nlohmann::json::parse(stream, nullptr, /*allow_exceptions=*/false);
  if (!json.is_array() || json.empty()) {
    throw RunError{file + ": no list of runs; give --runs the file relacy_tests/runs.json"};
  }
  std::vector<Run> runs;
  for (const auto& entry : json) runs.push_back(RunFromJson(entry));
  return runs;
}

void WriteRuns(const std::string& file, const std::vector<Run>& runs) {
  std::string text = "[\n";
  for (const Run& run : runs) {
    text += (&run == &runs.front() ? "  " : ",\n  ") + ToJson(run).dump();
  }
  std::ofstream(file) << text << "\n]\n";
}

// Each set holds those before it.
bool InSet(const Run& run, const std::string& set) {
  const auto own = std::find(kSets.begin(), kSets.end(), run.set);
  if (own == kSets.end()) {
    throw RunError{run.scenario + ": no set '" + run.set + "'; --help names them"};
  }
  return own <= std::find(kSets.begin(), kSets.end(), set);
}

// What was counted against what the file expects.
void Compare(const Run& run, const Counts& counts, Report* report) {
  const bool edges_differ = run.edges != 0 && counts.edges != run.edges;
  if (counts.executions == run.executions && !edges_differ) return;
  const auto text = [](std::uint64_t executions, std::uint64_t edges) {
    return std::to_string(executions) + " executions and " + std::to_string(edges) +
           " edges of the model";
  };
  PrintError(kTool,
             run.scenario + ": " + text(counts.executions, counts.edges) + ", not " +
                 text(run.executions, run.edges) +
                 ": the header, the model or the search changed; if that is meant, --update");
  report->Fail(ExitCode::kAssumption);
}

void PerformSet(const CommandLine& line, Report* report) {
  if (line.update && !line.run.shard.empty())
    throw RunError{"--update needs the whole, not a shard"};
  std::vector<Run> runs = ReadRuns(line.runs);
  for (Run& run : runs) {
    if (!InSet(run, line.set)) continue;
    run.seed = line.run.seed;
    run.shard = line.run.shard;
    run.time_limit = line.run.time_limit;
    const Counts counts = Perform(run, line.progress, "", report);
    if (report->exit() != ExitCode::kOk) break;
    if (!run.shard.empty()) continue;
    if (!line.update) Compare(run, counts, report);
    run.executions = counts.executions;
    run.edges = counts.edges;
  }
  if (line.update && report->exit() == ExitCode::kOk) WriteRuns(line.runs, runs);
}

// What the row says that some report holds about this run.
std::uint64_t Reported(const std::vector<nlohmann::json>& reports, const Run& run) {
  for (const auto& report : reports) {
    for (const auto& row : report.at("rows")) {
      if (row.at("bounds") != Bounds(run) || row.at("what") != What(run)) continue;
      if (row.at("result") == "COMPLETE" || row.at("result") == "ok") {
        return row.at("figures").at("executions").get<std::uint64_t>();
      }
    }
  }
  throw RunError{"no report says that this was explored: " + Arguments(run)};
}

// The shards' counts against the file's.
void AddUp(const CommandLine& line, Report* report) {
  std::vector<nlohmann::json> reports;
  for (const std::string& file : line.add_up) {
    std::ifstream stream(file);
    reports.push_back(nlohmann::json::parse(stream, nullptr, /*allow_exceptions=*/false));
    if (!reports.back().is_object() || !reports.back().contains("rows")) {
      throw RunError{file + ": no report; give --add-up what --json wrote"};
    }
  }
  for (Run run : ReadRuns(line.runs)) {
    if (!InSet(run, line.set)) continue;
    ReportRow row{What(run), Bounds(run), "COMPLETE", {{"executions", 0}}};
    std::uint64_t executions = 0;
    for (std::size_t shard = 1; shard <= reports.size(); ++shard) {
      run.shard = std::to_string(shard) + "/" + std::to_string(reports.size());
      executions += Reported(reports, run);
    }
    row.figures["executions"] = executions;
    report->Add(std::move(row));
    if (executions == run.executions) continue;
    PrintError(kTool, run.scenario + ": the shards explored " + std::to_string(executions) +
                          " executions, not " + std::to_string(run.executions));
    report->Fail(ExitCode::kAssumption);
  }
}

int List() {
  for (const Scenario& scenario : Scenarios()) {
    std::printf("%-28s %.*s\n", std::string(scenario.name).c_str(),
                static_cast<int>(scenario.what.size()), scenario.what.data());
  }
  return 0;
}

int Main(int argc, char** argv) {
  CLI::App app("Explores the write path under Relacy: interleavings and weak-memory outcomes.",
               kTool);
  CommandLine line;
  DefineOptions(&app, &line);
  if (const auto code = ParseCommandLine(app, argc, argv)) return *code;
  if (!DestructorStoresAreKept()) {
    PrintError(kTool,
               "built without -fno-lifetime-dse: uses of destroyed objects would go unseen; "
               "build with the preset relacy");
    return static_cast<int>(ExitCode::kUsage);
  }
  if (line.list) return List();
  if (line.run.scenario.empty() == line.set.empty() || (line.set.empty() && !line.add_up.empty())) {
    PrintError(
        kTool,
        "give --scenario NAME or --set quick|push|nightly, and that with --add-up; see --help");
    return static_cast<int>(ExitCode::kUsage);
  }
  line.run.assertions = !line.no_assertions;
  line.run.lockstep = !line.no_lockstep;
  line.run.coverage = !line.no_coverage;
  Report report(kTool);
  try {
    if (!line.add_up.empty()) {
      AddUp(line, &report);
    } else if (line.set.empty()) {
      Perform(line.run, line.progress, line.unreached, &report);
    } else {
      PerformSet(line, &report);
    }
  } catch (const RunError& error) {
    PrintError(kTool, error.message);
    return static_cast<int>(ExitCode::kUsage);
  }
  return report.Finish(line.json);
}

}  // namespace
}  // namespace bellwether::relacy

int main(int argc, char** argv) { return bellwether::relacy::Main(argc, argv); }
