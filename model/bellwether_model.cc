// bellwether_model: explores the executable mirror of the spec.

#include <algorithm>
#include <array>
#include <cstdio>
#include <fstream>
#include <new>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "model/conform.h"
#include "model/explorer.h"
#include "model/mutants.h"
#include "model/recovery_mutants.h"
#include "model/tla_text.h"
#include "model/tool_report.h"

namespace bellwether::model {
namespace {

constexpr char kTool[] = "bellwether_model";
constexpr uint64_t kDefaultLimit = 20'000'000;

// An option of writes, given as the set of those that have it.
struct WriteOption {
  const char* flag;
  const char* help;
  const char* bounds;  // the word for it in the bounds
  WriteSet Config::*set;
};

constexpr auto kWriteOptions = std::to_array<WriteOption>({
    {"--sync", "the writes with sync: t1.1,t2.1 (thread.number)", "sync", &Config::sync},
    {"--callback-fails", "the writes whose callback fails", "failing callback",
     &Config::callback_fails},
    {"--callback-alone", "the writes whose callback refuses company", "callback alone",
     &Config::callback_alone},
    {"--disable-memtable", "the writes that are only logged", "no memtable",
     &Config::disable_memtable},
    {"--disable-wal", "the writes that are not logged", "no wal", &Config::disable_wal},
    {"--no-slowdown", "the writes that fail where they would wait for a stall to end",
     "no slowdown", &Config::no_slowdown},
    {"--pre-release-fails", "the writes whose pre-release callback fails",
     "failing pre-release callback", &Config::pre_release_fails},
    {"--commits", "the writes that commit what the write before them, of the same thread, prepared",
     "commit", &Config::commits},
});
constexpr char kCloses[] = "--closes";
constexpr char kProcess[] = "process";
constexpr char kPower[] = "power";

struct ExploreOptions {
  std::string mode = "serial";
  int writers = 3;
  int writes = 1;
  std::array<std::vector<std::string>, kWriteOptions.size()> writes_with;  // "t2.1"
  std::vector<std::string> closes;
  std::vector<std::string> checkpointers;
  int max_log = 0;
  int stride_threshold = 20;
  int max_group = kMaxThreads;
  int batch_count = 1;
  bool wal_errors = false;
  bool memtable_errors = false;
  int readers = 0;
  int crashes = 0;
  std::vector<std::string> crash_kinds = {kProcess, kPower};
  std::string mutant;
  std::string states_file;
  std::string edges_file;
  std::string json_file;
  bool progress = false;
  uint64_t limit = kDefaultLimit;
};

void AddOptions(CLI::App& command, ExploreOptions& o) {
  std::set<std::string> modes;
  for (const ModeInfo& info : kModes) modes.emplace(info.name);
  command.add_option("--mode", o.mode, "the mode of the write path")->check(CLI::IsMember(modes));
  command.add_option("--writers", o.writers, "threads that write")
      ->check(CLI::Range(1, static_cast<int>(kMaxThreads)));
  command.add_option("--writes", o.writes, "writes of each thread")
      ->check(CLI::Range(1, static_cast<int>(kMaxWrites)));
  for (size_t i = 0; i < kWriteOptions.size(); i++) {
    command.add_option(kWriteOptions[i].flag, o.writes_with[i], kWriteOptions[i].help)
        ->delimiter(',');
  }
  command.add_option(kCloses, o.closes, "no writes, but calls of Close")->delimiter(',');
  command
      .add_option("--checkpointers", o.checkpointers,
                  "threads that make checkpoints, endlessly, instead of writes: t2")
      ->delimiter(',');
  command.add_option("--max-log", o.max_log, "the records from which on leaders stall; 0: never")
      ->check(CLI::Range(0, 255));
  command
      .add_option("--stride-threshold", o.stride_threshold,
                  "the size of a group from which on callers launch it")
      ->check(CLI::Range(2, 255));
  command.add_option("--max-group", o.max_group, "the most writers in a group")
      ->check(CLI::Range(1, static_cast<int>(kMaxThreads)));
  command.add_option("--batch-count", o.batch_count, "operations in every batch")
      ->check(CLI::Range(1, 8));
  command.add_flag("--wal-errors", o.wal_errors, "the log may fail");
  command.add_flag("--memtable-errors", o.memtable_errors, "the memtable may fail");
  command.add_option("--readers", o.readers, "threads that read, once in the life of a store")
      ->check(CLI::Range(0, static_cast<int>(kMaxReaders)));
  command.add_option("--crashes", o.crashes, "how often the store goes down, at any step")
      ->check(CLI::Range(0, static_cast<int>(kMaxCrashes)));
  command
      .add_option("--crash-kinds", o.crash_kinds,
                  "process: what is in the page cache stays; power: what is synced")
      ->delimiter(',')
      ->check(CLI::IsMember({kProcess, kPower}));
  command.add_option("--states", o.states_file, "write the distinct states, one a line");
  command.add_option("--edges", o.edges_file,
                     "write the edges, one a line: source, action, target; states by line number");
  command.add_option("--json", o.json_file, "write the report");
  command.add_flag("--progress", o.progress, "progress lines on stderr");
  command.add_option("--limit", o.limit, "distinct states after which to give up (exit code 2)")
      ->check(CLI::PositiveNumber);
  command.add_option("--mutant", o.mutant, "a deliberate fault of the model")->group("");
}

// Adds the writes that are named ("t2.1") to `set`; false, which was said, if one does not exist.
bool AddWrites(const std::string& option, const std::vector<std::string>& names,
               const Config& config, WriteSet* set) {
  for (const std::string& name : names) {
    bool found = false;
    for (const Pointer w : AllWrites(config)) {
      if (name != TlaThread(w.thread()) + "." + std::to_string(w.incarnation())) continue;
      set->Add(w);
      found = true;
    }
    if (found) continue;
    PrintError(kTool, option + ": there is no write " + name + "; they are t1.1 to " +
                          TlaThread(config.threads - 1u) + "." + std::to_string(config.writes) +
                          ", but for those of --closes and --checkpointers");
    return false;
  }
  return true;
}

bool AddCheckpointers(const std::vector<std::string>& names, Config* config) {
  for (const std::string& name : names) {
    size_t t = 0;
    while (t < config->threads && TlaThread(t) != name) t++;
    if (t == config->threads) {
      PrintError(kTool, "--checkpointers: there is no thread " + name + "; they are t1 to " +
                            TlaThread(config->threads - 1u));
      return false;
    }
    config->checkpointers[t] = true;
  }
  return true;
}

// False, which was said, if two options of a write exclude each other.
bool CheckWrites(const Config& config) {
  for (const Pointer w : AllWrites(config)) {
    const std::string name = TlaThread(w.thread()) + "." + std::to_string(w.incarnation());
    if (config.disable_wal.Contains(w) && (config.Sync(w) || config.disable_memtable.Contains(w))) {
      PrintError(kTool,
                 "--disable-wal: " + name + " cannot be in --sync or --disable-memtable too");
      return false;
    }
    if (!config.commits.Contains(w)) continue;
    const Pointer prepare(w.thread(), w.incarnation() - 1);
    const bool prepared =
        w.incarnation() > 1 && config.disable_memtable.Contains(prepare) && config.Logs(prepare);
    if (prepared && config.Inserts(w)) continue;
    PrintError(kTool, "--commits: the write before " + name +
                          " has to be one of --disable-memtable, and itself not");
    return false;
  }
  return true;
}

bool Recovers(const Config& config) { return config.readers > 0 || config.crashes > 0; }

// False, which was said, if the spec has no crash or reader in such a workload.
bool AddRecovery(const ExploreOptions& o, Config* config) {
  const auto has = [&](const char* kind) {
    return std::find(o.crash_kinds.begin(), o.crash_kinds.end(), kind) != o.crash_kinds.end();
  };
  config->readers = static_cast<uint8_t>(o.readers);
  config->crashes = static_cast<uint8_t>(o.crashes);
  config->process_crashes = has(kProcess);
  config->power_losses = has(kPower);
  const bool writes_only =
      o.closes.empty() && o.checkpointers.empty() && o.max_log == 0 && config->disable_wal.empty();
  if (writes_only || !Recovers(*config)) return true;
  PrintError(kTool,
             "--readers and --crashes: the spec has neither beside --closes, --checkpointers, "
             "--max-log or --disable-wal; leave one of them out");
  return false;
}

// Nothing to return means that there is no such workload, which was said.
std::optional<Config> MakeConfig(const ExploreOptions& o) {
  Config config;
  for (const ModeInfo& info : kModes) {
    if (info.name == o.mode) config.mode = info.mode;
  }
  config.threads = static_cast<uint8_t>(o.writers);
  config.writes = static_cast<uint8_t>(o.writes);
  config.max_group = static_cast<uint8_t>(o.max_group);
  config.batch_count = static_cast<uint8_t>(o.batch_count);
  config.wal_errors = o.wal_errors;
  config.memtable_errors = o.memtable_errors;
  config.stride_threshold = static_cast<uint8_t>(o.stride_threshold);
  config.max_log = static_cast<uint8_t>(o.max_log);
  if (!AddWrites(kCloses, o.closes, config, &config.closes)) return {};
  if (!AddCheckpointers(o.checkpointers, &config)) return {};
  for (size_t i = 0; i < kWriteOptions.size(); i++) {
    const WriteOption& option = kWriteOptions[i];
    if (!AddWrites(option.flag, o.writes_with[i], config, &(config.*option.set))) return {};
  }
  if (!CheckWrites(config)) return {};
  if (!AddRecovery(o, &config)) return {};
  return config;
}

// What the mutant of that name does, of those that stand in `file`; `none` without a name. Nothing
// to return means that there is no such mutant, which was said.
template <class Mutants, class Mutant, class Function>
std::optional<Function> FindMutant(const Mutants& mutants, Function Mutant::*does, Function none,
                                   const std::string& name, const char* file) {
  if (name.empty()) return none;
  for (const Mutant& mutant : mutants) {
    if (mutant.name == name) return mutant.*does;
  }
  PrintError(kTool, "--mutant: there is no mutant " + name + "; they stand in " + file);
  return {};
}

std::string Bounds(const ExploreOptions& o) {
  std::string bounds = o.mode + " " + std::to_string(o.writers) + "x" + std::to_string(o.writes);
  for (size_t i = 0; i < kWriteOptions.size(); i++) {
    for (const std::string& write : o.writes_with[i]) {
      bounds.append(" ").append(kWriteOptions[i].bounds).append(" ").append(write);
    }
  }
  for (const std::string& call : o.closes) bounds += " close " + call;
  for (const std::string& thread : o.checkpointers) bounds += " checkpoints by " + thread;
  if (o.max_log > 0) bounds += " stall from " + std::to_string(o.max_log) + " records on";
  if (o.stride_threshold <= o.writers) bounds += " stride " + std::to_string(o.stride_threshold);
  if (o.max_group < o.writers) bounds += " max group " + std::to_string(o.max_group);
  if (o.batch_count != 1) bounds += " batch count " + std::to_string(o.batch_count);
  if (o.wal_errors) bounds += " wal errors";
  if (o.memtable_errors) bounds += " memtable errors";
  if (o.readers > 0) bounds += " readers " + std::to_string(o.readers);
  if (o.crashes > 0) {
    bounds += " crashes " + std::to_string(o.crashes) + " (" +
              CLI::detail::join(o.crash_kinds, ", ") + ")";
  }
  if (!o.mutant.empty()) bounds += " mutant " + o.mutant;
  return bounds;
}

void PrintStep(int number, const Edge& edge) {
  const Step step = edge.step;
  std::string frame = step.thread == kSecondPlace ? "second Writer" : TlaThread(step.thread);
  // Of a reader its number; a crash and recovery are of no thread.
  if (step.action == Action::GetSnapshot || step.action == Action::Get) frame[0] = 'r';
  if (step.action >= Action::Crash && step.action <= Action::Recover) frame = "store";
  std::fprintf(stderr, "%4d %s %s\n", number, frame.c_str(),
               std::string(ActionName(step.action)).c_str());
}

// The behaviour that leads to the violation, its last state, and the search that finds it again.
template <class E>
void PrintCounterexample(const Config& config, const E& explorer, const std::string& command) {
  int number = 0;
  for (const Edge& edge : explorer.counterexample()) PrintStep(++number, edge);
  const uint32_t last =
      explorer.counterexample().empty() ? 0 : explorer.counterexample().back().target;
  std::fprintf(stderr, "%s\nreproduce: %s\n", CanonicalText(config, explorer.state(last)).c_str(),
               command.c_str());
}

// Writes `file` by `print(stream)`; false, which was said, if that failed.
template <class Print>
bool WriteFile(const std::string& file, Print&& print) {
  if (file.empty()) return true;
  std::ofstream stream(file, std::ios::binary);
  print(stream);
  stream.close();
  if (!stream.fail()) return true;
  PrintError(kTool, "cannot write " + file + ": " + std::strerror(errno) +
                        "; give a file in a writable directory");
  return false;
}

template <class E>
bool Dump(const ExploreOptions& o, const Config& config, const E& explorer) {
  const auto count = static_cast<uint32_t>(explorer.distinct());
  return WriteFile(o.states_file,
                   [&](std::ostream& stream) {
                     for (uint32_t i = 0; i < count; i++) {
                       stream << CanonicalText(config, explorer.state(i)) << '\n';
                     }
                   }) &&
         WriteFile(o.edges_file, [&](std::ostream& stream) {
           explorer.ForEachEdge([&](const Edge& edge) {
             stream << edge.source + 1 << ' ' << ActionName(edge.step.action) << ' '
                    << edge.target + 1 << '\n';
           });
         });
}

// The result in words; a failure sets the report's exit code.
std::string Judge(SearchOutcome outcome, std::string_view violated, uint64_t limit,
                  Report* report) {
  switch (outcome) {
    case SearchOutcome::kComplete:
      return "COMPLETE";
    case SearchOutcome::kLimit:
      report->Fail(ExitCode::kIncomplete);
      return "INCOMPLETE: more than " + std::to_string(limit) + " distinct states";
    case SearchOutcome::kDeadlock:
      report->Fail(ExitCode::kDeadlock);
      return "FAILED: deadlock";
    case SearchOutcome::kViolation:
      break;
  }
  report->Fail(ExitCode::kSafety);
  return "FAILED: violates " + std::string(violated);
}

// Searches, and reports what was found.
template <class E>
int Search(const ExploreOptions& o, const Config& config, E& explorer, const std::string& command) {
  Report report(kTool);
  Progress progress(o.progress, "model " + Bounds(o), "states");
  const Stopwatch stopwatch;
  const SearchOutcome outcome =
      explorer.Run(o.limit, [&](uint64_t states) { progress.Update(states); });
  const double seconds = stopwatch.Seconds();
  const std::string result = Judge(outcome, explorer.violated(), o.limit, &report);
  const double rate = static_cast<double>(explorer.distinct()) / seconds;

  std::printf("%s: %s: %llu distinct states, %llu generated, depth %llu, %.3f s, %.0f states/s\n",
              Bounds(o).c_str(), result.c_str(),
              static_cast<unsigned long long>(explorer.distinct()),
              static_cast<unsigned long long>(explorer.generated()),
              static_cast<unsigned long long>(explorer.depth()), seconds, rate);
  report.Add({"model explore",
              Bounds(o),
              result,
              {{"states", explorer.generated()},
               {"distinct", explorer.distinct()},
               {"depth", explorer.depth()},
               {"seconds", seconds},
               {"states_per_second", rate}},
              o.mode});
  if (!explorer.violated().empty()) PrintCounterexample(config, explorer, command);
  if (outcome == SearchOutcome::kComplete && !Dump(o, config, explorer)) {
    report.Fail(ExitCode::kUsage);
  }
  return report.Finish(o.json_file);
}

int Explore(const ExploreOptions& o, const std::string& command) {
  const std::optional<Config> config = MakeConfig(o);
  if (!config) return static_cast<int>(ExitCode::kUsage);
  if (Recovers(*config)) {
    const auto distort = FindMutant(kStoreMutants, &StoreMutant::distort, DistortFunction{nullptr},
                                    o.mutant, "model/recovery_mutants.h");
    if (!distort) return static_cast<int>(ExitCode::kUsage);
    RecoveryExplorer explorer(*config, *distort);
    return Search(o, *config, explorer, command);
  }
  const auto apply =
      FindMutant(kMutants, &Mutant::apply, ApplyFunction{Apply}, o.mutant, "model/mutants.h");
  if (!apply) return static_cast<int>(ExitCode::kUsage);
  Explorer explorer(*config, *apply);
  return Search(o, *config, explorer, command);
}

struct ConformOptions {
  std::string file;
  std::string interleaving_file;
  std::string json_file;
  bool progress = false;
  uint64_t limit = 1'000'000'000;
};

void AddOptions(CLI::App& command, ConformOptions& o) {
  command.add_option("FILE", o.file, "the trace (NDJSON)")->required();
  command.add_option("--interleaving", o.interleaving_file,
                     "write the trace in the order that was found (spec/tlc trace takes it)");
  command.add_option("--json", o.json_file, "write the report");
  command.add_flag("--progress", o.progress, "progress lines on stderr");
  command.add_option("--limit", o.limit, "tried actions after which to give up (exit code 2)")
      ->check(CLI::PositiveNumber);
}

// The trace's own lines, in the order that was found; without the last one if it does not conform.
bool WriteInterleaving(const ConformOptions& o, const Conformance& found) {
  return WriteFile(o.interleaving_file, [&](std::ostream& stream) {
    std::ifstream trace(o.file, std::ios::binary);
    std::vector<std::string> lines;
    for (std::string line; std::getline(trace, line);) lines.push_back(line);
    stream << lines.front() << '\n';
    for (const RecordedEvent* event : found.steps) stream << lines[event->line - 1] << '\n';
    if (found.verdict == Conformance::Verdict::kConforms) stream << lines.back() << '\n';
  });
}

// The row of a trace that was read; a failure sets the report's exit code.
ReportRow JudgeTrace(const ConformOptions& o, const RecordedTrace& trace, Report* report) {
  Progress progress(o.progress, "conform " + trace.mode, "events");
  const Stopwatch stopwatch;
  const Conformance found =
      Conform(trace, o.limit, [&](uint64_t events) { progress.Update(events); });
  ReportRow row{"conform",
                trace.mode + ", " + std::to_string(trace.threads.size()) + " threads",
                "ok",
                {{"events", trace.events()},
                 {"steps", found.applied},
                 {"choices", found.choices},
                 {"seconds", stopwatch.Seconds()}}};
  if (found.verdict == Conformance::Verdict::kIncomplete) {
    row.result = "INCOMPLETE: " + found.what;
    report->Fail(ExitCode::kIncomplete);
  } else if (found.verdict == Conformance::Verdict::kViolation) {
    row.result = "FAILED: no interleaving explains " + found.what;
    report->Fail(ExitCode::kSafety);
  }
  if (!WriteInterleaving(o, found)) report->Fail(ExitCode::kUsage);
  return row;
}

int CheckTrace(const ConformOptions& o) {
  Report report(kTool);
  RecordedTrace trace;
  std::ifstream stream(o.file, std::ios::binary);
  if (!stream) {
    PrintError(kTool, "cannot read " + o.file + ": " + std::strerror(errno));
    return static_cast<int>(ExitCode::kUsage);
  }
  ReportRow row{"conform", o.file, "", {}};
  if (const std::optional<TraceProblem> problem = ReadTrace(stream, &trace)) {
    row.result = "FAILED: " + problem->what;
    report.Fail(problem->code);
  } else {
    row = JudgeTrace(o, trace, &report);
  }
  if (report.exit() == ExitCode::kOk) {
    std::printf("%s: %s: %s %s\n", o.file.c_str(), row.bounds.c_str(), row.result.c_str(),
                row.figures.dump().c_str());
  } else {
    PrintError(kTool, o.file + ": " + row.result);
  }
  report.Add(std::move(row));
  return report.Finish(o.json_file);
}

}  // namespace
}  // namespace bellwether::model

int main(int argc, char** argv) try {
  CLI::App app("The executable mirror of the spec.", "bellwether_model");
  bellwether::model::ExploreOptions explore;
  CLI::App* explore_command =
      app.add_subcommand("explore", "search every reachable state and check every invariant");
  bellwether::model::AddOptions(*explore_command, explore);
  bellwether::model::ConformOptions conform;
  CLI::App* conform_command = app.add_subcommand(
      "conform", "check that a recorded execution (bellwether_stress run --trace) is a behaviour");
  bellwether::model::AddOptions(*conform_command, conform);
  if (const std::optional<int> code = bellwether::ParseCommandLine(app, argc, argv)) return *code;
  if (conform_command->parsed()) return bellwether::model::CheckTrace(conform);
  if (!explore_command->parsed()) {
    bellwether::PrintError(app.get_name(),
                           "a subcommand is required: explore or conform; see --help");
    return static_cast<int>(bellwether::ExitCode::kUsage);
  }
  return bellwether::model::Explore(explore,
                                    CLI::detail::join(std::vector(argv, argv + argc), " "));
} catch (const std::bad_alloc&) {
  bellwether::PrintError("bellwether_model", "INCOMPLETE: out of memory; give smaller bounds");
  return static_cast<int>(bellwether::ExitCode::kIncomplete);
} catch (const std::exception& error) {
  bellwether::PrintError("bellwether_model", error.what());
  return static_cast<int>(bellwether::ExitCode::kUsage);
}
