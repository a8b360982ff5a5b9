// bellwether_stress: the implementation on real threads, against faults, crashes and kill -9.

#include <new>
#include <string>
#include <vector>

#include "stress/commands.h"
#include "stress/mutant_file_system.h"

namespace bellwether::stress {

namespace {

struct CommandLine {
  Options options;
  std::vector<std::string> modes{"serial"};
  std::string json;
};

std::vector<std::string> ModeNames() {
  std::vector<std::string> names;
  for (const Mode& mode : kModes) names.emplace_back(mode.name);
  return names;
}

std::vector<std::string> MutantNames() {
  std::vector<std::string> names;
  for (const MutantName& mutant : kMutants) names.emplace_back(mutant.name);
  return names;
}

// What each command takes, with its defaults.
struct Command {
  const char* name;
  const char* description;
  void (*run)(const Options&, Report*);
  std::vector<uint32_t> threads;
  double seconds;
  uint64_t count;
  bool on_disk;
};

const std::vector<Command>& Commands() {
  static const std::vector<Command> commands{
      {"run",
       "threads write and read; the whole history is checked (the default)",
       RunStress,
       {2, 8, 64},
       3,
       0,
       true},
      {"crash", "power failures on a simulated file system", RunCrash, {1, 4}, 0, 500, false},
      {"mutants",
       "stores that forget a duty must die of the same crashes",
       RunMutants,
       {1, 3},
       0,
       400,
       false},
      {"kill",
       "a child process is killed (-9) again and again over a real directory",
       RunKill,
       {4},
       0,
       40,
       true},
      {"store",
       "throughput and latency on a real log, with and without sync; then kill -9, reopen, "
       "compare",
       RunStoreStage,
       {8},
       120,
       0,
       true},
  };
  return commands;
}

void AddOptions(const Command& command, CLI::App* app, CommandLine* line) {
  Options& options = line->options;
  app->add_option("--mode", line->modes, "modes of the write path")
      ->check(CLI::IsMember(ModeNames()));
  app->add_option("--threads", options.threads, "numbers of threads, one run each")
      ->check(CLI::Range(1U, 64U));
  app->add_option("--seed", options.seed, "what the run is drawn from")
      ->check(CLI::NonNegativeNumber);
  app->add_flag("--pin", options.pin, "thread n runs on CPU n, modulo their number");
  app->add_option("--json", line->json, "file for the report");
  app->add_flag("--progress", options.progress, "progress lines on stderr");
  if (command.seconds > 0) {
    app->add_option("--seconds", options.seconds, "time for one run")
        ->check(CLI::Range(0.1, 86400.0));
  }
  if (command.count > 0) {
    app->add_option("--count", options.count, "how many stores (crash, mutants) or lives (kill)")
        ->check(CLI::Range(uint64_t{1}, uint64_t{1'000'000'000}));
  }
  if (command.on_disk) {
    app->add_option("--directory", options.directory, "where temporary directories are made");
  }
  if (command.run == RunCrash) {
    app->add_option("--mutant", options.mutant, "the duty that the store forgets")
        ->check(CLI::IsMember(MutantNames()));
  }
  if (command.run == RunStress) {
    app->add_option("--file-system", options.file_system, "posix or simulated")
        ->check(CLI::IsMember({"posix", "simulated"}));
    app->add_option("--trace", options.trace,
                    "file for what the threads did, for `bellwether_model conform`");
    app->add_option("--mutant", options.mutant, "the duty that the memtable forgets")
        ->check(CLI::IsMember({"memtable_error_swallowed"}));
  }
  if (command.run == RunStoreStage) {
    app->add_option("--batches", options.batches, "batches to measure, of all threads")
        ->check(CLI::Range(uint64_t{1}, uint64_t{100'000'000}));
  }
}

int Main(int argc, char** argv) {
  CommandLine line;
  CLI::App app("Stress, faults and crashes for Bellwether's write path.", "bellwether_stress");
  std::vector<CLI::App*> subcommands;
  for (const Command& command : Commands()) {
    CLI::App* const sub = app.add_subcommand(command.name, command.description);
    AddOptions(command, sub, &line);
    subcommands.push_back(sub);
  }
  // Without a command the options are those of `run`.
  AddOptions(Commands().front(), &app, &line);
  app.require_subcommand(0, 1);
  if (const std::optional<int> exit_code = ParseCommandLine(app, argc, argv)) return *exit_code;

  size_t chosen = 0;
  for (size_t i = 0; i < subcommands.size(); ++i) {
    if (*subcommands[i]) chosen = i;
  }
  const Command& command = Commands()[chosen];
  Options& options = line.options;
  if (options.threads.empty()) options.threads = command.threads;
  if (options.seconds == 0) options.seconds = command.seconds;
  if (options.count == 0) options.count = command.count;
  if (options.batches == 0) options.batches = 200'000;
  if (options.file_system.empty()) options.file_system = "posix";
  for (const std::string& name : line.modes) {
    for (const Mode& mode : kModes) {
      if (mode.name == name) options.modes.push_back(mode);
    }
  }
  Report report("bellwether_stress");
  command.run(options, &report);
  for (const ReportRow& row : report.rows()) {
    std::printf("%-34s %-44s %s %s\n", row.what.c_str(), row.bounds.c_str(), row.result.c_str(),
                row.figures.dump().c_str());
  }
  return report.Finish(line.json);
}

}  // namespace

}  // namespace bellwether::stress

int main(int argc, char** argv) {
  try {
    return bellwether::stress::Main(argc, argv);
  } catch (const std::exception& error) {
    bellwether::PrintError("bellwether_stress", error.what());
    return static_cast<int>(bellwether::ExitCode::kUsage);
  }
}
