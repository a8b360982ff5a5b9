// The commands of bellwether_stress. Each adds rows to the report and fails it if something is
// wrong, with one line on stderr that says how to repeat it.
// Thread safety: one thread runs one command.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "model/tool_report.h"
#include "stress/modes.h"
#include "stress/witness_checker.h"

namespace bellwether::stress {

struct Options {
  std::vector<Mode> modes;
  std::vector<uint32_t> threads;
  double seconds = 0;
  uint64_t seed = 1;
  bool pin = false;
  bool progress = false;
  std::string directory;    // parent of what the run writes; empty: that of temporary files
  std::string file_system;  // run: posix or simulated
  uint64_t count = 0;       // crash: stores; kill: lives
  uint64_t batches = 0;     // store
  std::string mutant;       // crash, run
  std::string trace;        // run: file for what the threads did; empty: no trace
};

void RunStress(const Options& options, Report* report);
void RunCrash(const Options& options, Report* report);
void RunMutants(const Options& options, Report* report);
void RunKill(const Options& options, Report* report);
void RunStoreStage(const Options& options, Report* report);

// Fails the report, with the line that repeats the run. `row` gets its result.
void ReportViolation(const Violation& violation, ExitCode code, const std::string& command,
                     ReportRow* row, Report* report);

// So many stores or lives exercise everything that their workload names.
inline constexpr uint64_t kEnough = 20;

// How many stores or lives a run has. Whether threads meet in a stall is up to the machine: one of
// kEnough in which something has not happened yet goes on for so many times `count`.
uint64_t CountUntilExercised(uint64_t count, uint32_t threads);

// Fails the report as incomplete if a mechanism of the workload never happened.
void CheckExercised(uint32_t threads, const std::string& command, ReportRow* row, Report* report);

// A new directory for a run, below options.directory; removed with its contents unless kept.
class WorkDirectory {
 public:
  explicit WorkDirectory(const std::string& parent);
  WorkDirectory(const WorkDirectory&) = delete;
  WorkDirectory& operator=(const WorkDirectory&) = delete;
  ~WorkDirectory();

  // Empty if it could not be made; error() says why.
  const std::string& path() const { return path_; }
  const std::string& error() const { return error_; }
  void Keep() { keep_ = true; }

 private:
  std::string path_;
  std::string error_;
  bool keep_ = false;
};

inline std::string Plural(uint64_t n, std::string_view noun) {
  return std::to_string(n) + " " + std::string(noun) + (n == 1 ? "" : "s");
}

}  // namespace bellwether::stress
