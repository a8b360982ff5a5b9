#include "model/trace_file.h"

#include <algorithm>
#include <array>

namespace bellwether::model {
namespace {

using nlohmann::json;

constexpr int kVersion = 1;
constexpr size_t kManyThreads = 100'000;

constexpr std::array<std::string_view, 22> kFields{
    "thread",      "event",    "write",          "action",        "ns",          "writer",
    "read",        "wrote",    "sequence",       "last_sequence", "group_size",  "last_writer",
    "status",      "count",    "bytes",          "sync",          "disable_wal", "disable_memtable",
    "no_slowdown", "callback", "callback_alone", "unbatched"};

// Numbers, and not names, wherever they stand.
constexpr std::array<std::string_view, 6> kNumbers{"ns",         "sequence", "last_sequence",
                                                   "group_size", "count",    "bytes"};

// Of an event: not what the model says, or said by its place in the trace.
constexpr std::array<std::string_view, 5> kPlace{"thread", "event", "write", "action", "ns"};

template <size_t kSize>
bool Holds(const std::array<std::string_view, kSize>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

class Reader {
 public:
  Reader(std::istream& stream, RecordedTrace* trace) : stream_(stream), trace_(trace) {}

  std::optional<TraceProblem> Read() {
    json line;
    if (!Next(&line)) return problem_ ? problem_ : Problem(ExitCode::kUsage, "the file is empty");
    if (!Header(line)) return problem_;
    while (Next(&line)) {
      if (line.contains("end")) return End(line);
      if (!Event(line)) return problem_;
    }
    if (problem_) return problem_;
    return Problem(ExitCode::kIncomplete,
                   "the trace is cut off: its last line, {\"end\": true, …}, is missing; record it "
                   "again");
  }

 private:
  std::optional<TraceProblem> Problem(ExitCode code, const std::string& what) {
    problem_ = TraceProblem{code, "line " + std::to_string(number_) + ": " + what};
    return problem_;
  }
  bool Wrong(const std::string& what, ExitCode code = ExitCode::kUsage) {
    (void)Problem(code, what);
    return false;
  }

  // The next line as an object; false at the end, or if it is none.
  bool Next(json* line) {
    std::string text;
    if (!std::getline(stream_, text)) return false;
    ++number_;
    *line = json::parse(text, nullptr, /*allow_exceptions=*/false);
    if (line->is_object()) return true;
    // A last line without its end was being written.
    if (stream_.eof()) return Wrong("the line is cut off; record it again", ExitCode::kIncomplete);
    return Wrong("not a JSON object; a trace has one on each line");
  }

  // True, and the value, if the line has that number.
  template <class T>
  bool Number(const json& line, const char* name, T* value) {
    const auto field = line.find(name);
    if (field == line.end() || !field->is_number_unsigned()) {
      return Wrong("'" + std::string(name) + "' is missing, or no number");
    }
    *value = field->template get<T>();
    return true;
  }

  bool Header(const json& line) {
    if (!line.contains("bellwether_trace")) {
      return Wrong("not a trace: its first line holds {\"bellwether_trace\": 1, …}");
    }
    int version = 0;
    if (!Number(line, "bellwether_trace", &version)) return false;
    if (version != kVersion) {
      return Wrong("version " + std::to_string(version) +
                   " of the format is unknown; known: " + std::to_string(kVersion));
    }
    size_t threads = 0;
    if (!Number(line, "threads", &threads) ||
        !Number(line, "last_sequence", &trace_->last_sequence)) {
      return false;
    }
    if (threads > kManyThreads) return Wrong("'threads' is more than a trace can have");
    trace_->threads.resize(threads);
    if (!line.contains("mode") || !line["mode"].is_string()) return Wrong("'mode' is missing");
    trace_->mode = line["mode"].get<std::string>();
    const json options = line.value("options", json::object());
    if (!options.is_object()) return Wrong("'options' is no object");
    return Option(options, "max_write_batch_group_size_bytes", 0, &trace_->max_group_bytes) &&
           Option(options, "parallel_stride_threshold", 20, &trace_->stride_threshold) &&
           Option(options, "max_log_bytes", 0, &trace_->max_log_bytes);
  }

  bool Option(const json& options, const char* name, uint64_t unless_told, uint64_t* value) {
    *value = unless_told;
    return !options.contains(name) || Number(options, name, value);
  }

  // "t3" is thread 2.
  bool Thread(const json& line, size_t* thread) {
    const std::string name = line.value("thread", json()).is_string()
                                 ? line["thread"].get<std::string>()
                                 : std::string();
    for (size_t t = 0; t < trace_->threads.size(); t++) {
      if (name != "t" + std::to_string(t + 1)) continue;
      *thread = t;
      return true;
    }
    return Wrong("'thread' has to be one of t1 … t" + std::to_string(trace_->threads.size()));
  }

  bool Event(const json& line) {
    RecordedEvent event;
    event.line = number_;
    if (!Thread(line, &event.thread) || !Number(line, "event", &event.number) ||
        !Number(line, "write", &event.write)) {
      return false;
    }
    const json name = line.value("action", json());
    const std::optional<Action> action =
        name.is_string() ? ParseAction(name.get<std::string>()) : std::nullopt;
    if (!action) return Wrong("the model has no action " + name.dump());
    event.action = *action;
    uint64_t number = 0;
    for (const auto& [field, value] : line.items()) {
      if (!Holds(kFields, field)) return Wrong("unknown field '" + field + "'");
      if (Holds(kNumbers, field) && !Number(line, field.c_str(), &number)) return false;
      if (field == "ns") event.ns = number;
      if (Holds(kPlace, field)) continue;
      event.fields[field] = value.is_string() ? value.get<std::string>() : value.dump();
    }
    return InOrder(event);
  }

  bool InOrder(const RecordedEvent& event) {
    std::vector<RecordedEvent>& before = trace_->threads[event.thread];
    const uint64_t due = before.size() + 1;
    const std::string name = "t" + std::to_string(event.thread + 1);
    if (event.number != due) {
      return Wrong("event " + std::to_string(event.number) + " of " + name +
                       " stands where event " + std::to_string(due) +
                       " is due: one is missing, or two are swapped",
                   ExitCode::kSafety);
    }
    const uint64_t writes = before.empty() ? 0 : before.back().write;
    const bool begins = event.action == Action::Write;
    const uint64_t write = writes + (begins ? 1 : 0);
    if (event.write != write) {
      return Wrong("event " + std::to_string(due) + " of " + name + " is of write " +
                       std::to_string(event.write) + " where write " + std::to_string(write) +
                       " is due",
                   ExitCode::kSafety);
    }
    // Its end says whether the write's callback failed: what follows cannot be judged without it.
    if (begins && !Returned(before)) {
      return Wrong("event " + std::to_string(due) + " of " + name + " begins write " +
                       std::to_string(write) + " where Write_Return of write " +
                       std::to_string(writes) + " is due",
                   ExitCode::kSafety);
    }
    before.push_back(event);
    return true;
  }

  // Whether the thread's last write has its Write_Return; wherever it stands.
  static bool Returned(const std::vector<RecordedEvent>& events) {
    for (size_t i = events.size(); i-- > 0 && events[i].action != Action::Write;) {
      if (events[i].action == Action::Write_Return) return true;
    }
    return events.empty();
  }

  std::optional<TraceProblem> End(const json& line) {
    uint64_t dropped = 0;
    if (!Number(line, "dropped", &dropped)) return problem_;
    if (dropped > 0) {
      return Problem(ExitCode::kIncomplete,
                     std::to_string(dropped) +
                         " events were dropped, so nothing follows from the others; record fewer "
                         "writes, or give the rings more room");
    }
    const json events = line.value("events", json::array());
    for (size_t t = 0; t < trace_->threads.size(); t++) {
      const size_t have = trace_->threads[t].size();
      const bool known = events.is_array() && t < events.size() && events[t].is_number_unsigned();
      if (known && events[t].get<size_t>() == have) continue;
      return Problem(ExitCode::kSafety, "t" + std::to_string(t + 1) + " has " +
                                            std::to_string(have) + " events; the last line says " +
                                            (known ? events[t].dump() : "nothing"));
    }
    if (stream_.peek() != std::char_traits<char>::eof()) {
      return Problem(ExitCode::kUsage, "something follows the last line of the trace");
    }
    return std::nullopt;
  }

  std::istream& stream_;
  RecordedTrace* const trace_;
  size_t number_ = 0;  // of the line
  std::optional<TraceProblem> problem_;
};

}  // namespace

std::optional<TraceProblem> ReadTrace(std::istream& stream, RecordedTrace* trace) {
  return Reader(stream, trace).Read();
}

}  // namespace bellwether::model
