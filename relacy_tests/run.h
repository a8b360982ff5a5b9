// One exploration as the command line and runs.json name it.
#pragma once

#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>

#include "relacy_tests/harness.h"

namespace bellwether::relacy {

struct Run {
  std::string scenario;
  std::string scheduler = "dpor";  // dpor | dfs | context_bound=K | random=N | random=A-B
  int stale_depth = 1;
  bool one_step_links = false;
  bool spurious = false;
  bool assertions = true;
  bool lockstep = true;
  bool coverage = true;  // of the model's edges by a search that is exhausted
  std::string mutant;    // ENTRY.order|success|failure=ORDER
  std::string replay;
  std::uint64_t seed = 1;
  std::string shard;  // I/N; empty: the whole
  double time_limit = 0;
  bool always_lanes = false;
  // Of runs.json: what is expected, and in which sets it runs.
  std::uint64_t executions = 0;
  std::uint64_t edges = 0;  // of the model, all reached; 0: any
  std::string set = "push";
};

// On a run that cannot be made: what is wrong with it, and what would do.
struct RunError {
  std::string message;
};

// Throws RunError.
Run RunFromJson(const nlohmann::json& json);
nlohmann::ordered_json ToJson(const Run& run);

// Throws RunError, before anything is explored.
Outcome Execute(const Run& run, const std::function<void(std::uint64_t)>& progress);

// "dpor, stale depth 1, exact loops".
std::string Bounds(const Run& run);
// The command that makes this run, without the name of the program.
std::string Arguments(const Run& run);

}  // namespace bellwether::relacy
