// trace_file.h: a recorded execution, as impl/bellwether/trace/README.md describes it (NDJSON).
//
//   header    version, mode, threads, what was published when the recording began
//   events    of each thread in its order; the order of the lines is only a hint
//   last line how many events each thread has, and how many were lost
//
// Thread safety: plain values.

#pragma once

#include <cstddef>
#include <cstdint>
#include <istream>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/action.h"
#include "model/tool_report.h"

namespace bellwether::model {

// A field of an event, as text: "t1", "null", "STATE_COMPLETED", "17", "true".
using TraceFields = std::map<std::string, std::string, std::less<>>;

struct RecordedEvent {
  Action action = Action::Write;
  size_t thread = 0;
  uint64_t number = 0;  // of the event in its thread, from 1
  uint64_t write = 0;   // of the write in its thread, from 1
  uint64_t ns = 0;      // when it was over; 0: not told
  size_t line = 0;
  TraceFields fields;  // what the event says beside these

  uint64_t Number(std::string_view name) const {
    const auto field = fields.find(name);
    return field == fields.end() ? 0 : std::stoull(field->second);
  }
  // Empty: the event does not say it.
  std::string_view Text(std::string_view name) const {
    const auto field = fields.find(name);
    return field == fields.end() ? std::string_view() : field->second;
  }
  bool Flag(std::string_view name) const { return Text(name) == "true"; }
};

struct RecordedTrace {
  std::string mode;
  uint64_t last_sequence = 0;
  uint64_t max_group_bytes = 0;
  uint64_t stride_threshold = 0;
  uint64_t max_log_bytes = 0;  // 0: no stalls
  std::vector<std::vector<RecordedEvent>> threads;

  size_t events() const {
    size_t events = 0;
    for (const auto& thread : threads) events += thread.size();
    return events;
  }
};

// What is wrong with a trace: one line, and the exit code that it means.
struct TraceProblem {
  ExitCode code = ExitCode::kUsage;
  std::string what;
};

// Reads a whole trace. Not JSON, an unknown version, action or field: kUsage. An event is missing
// or out of order: kSafety. Cut off, or events were lost: kIncomplete.
std::optional<TraceProblem> ReadTrace(std::istream& stream, RecordedTrace* trace);

}  // namespace bellwether::model
