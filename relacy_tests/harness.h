// Runs one test under one search and says what came of it.
//
// COMPLETE is said only when the tree of executions is exhausted, after at least one execution. A
// failure carries the execution as lanes (threads as columns, in the order in which it happened)
// and the choices that replay it.
//
// Thread safety: none; one exploration at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "relacy_tests/search.h"

namespace bellwether::relacy {

// A test: made afresh for each execution. `thread` runs in its own fiber, the others see all that
// the threads did.
struct Subject {
  int threads = 0;
  std::function<void()> construct;
  std::function<void(int)> thread;
  std::function<void()> after;  // may call Check
  std::function<void()> destroy;
};

enum class Verdict : std::uint8_t { kOk, kIncomplete, kDeadlock, kLivelock, kUnsafe };

struct Outcome {
  Verdict verdict = Verdict::kOk;
  std::string what;  // of a failure: "DATA RACE", "INV_ACK", …
  std::string where;
  std::string choices;  // that replay it
  std::string lanes;
  std::uint64_t executions = 0;  // the failing one included
  std::uint64_t redundant = 0;
  std::size_t depth = 0;
  bool mutated_order_used = false;
};

struct RunOptions {
  SearchOptions search;
  int stale_depth = 1;        // how many older stores a load may still read: 1 or 2
  double time_limit = 0;      // seconds; 0: none
  bool always_lanes = false;  // of the last execution, even if nothing failed
  std::function<void(std::uint64_t)> progress;
  std::function<void(std::uint64_t)> on_trace;  // hash of each execution that is not redundant
};

// REQUIRES: subject.threads is 2 to 6.
Outcome Explore(const Subject& subject, const RunOptions& options);

// The rows of `execution` as text, one column a thread.
std::string Lanes(int threads);

}  // namespace bellwether::relacy
