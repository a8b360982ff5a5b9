// Writes a Trace as NDJSON: a header, one line for each event, a last line that says it is whole.
// README.md in this folder says what each field means.
//
// Thread safety: none. REQUIRES: the trace has ended.
#pragma once

#include <algorithm>
#include <array>
#include <cerrno>
#include <cinttypes>
#include <cstdio>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "bellwether/trace/tracing_sync.h"
#include "bellwether/write_path/status.h"
#include "bellwether/write_path/write_options.h"

namespace bellwether {

inline constexpr int kTraceVersion = 1;

// The mode that these options make, as every command line calls it.
inline std::string_view ModeName(const WritePathOptions& options) {
  const bool parallel = options.allow_concurrent_memtable_write;
  if (options.two_write_queues) return parallel ? "two_queues_parallel" : "two_queues";
  if (options.enable_pipelined_write) return parallel ? "pipelined_parallel" : "pipelined";
  return parallel ? "parallel" : "serial";
}

class TraceWriter {
 public:
  // `last_sequence`: what was published when the trace began.
  TraceWriter(const Trace& trace, const WritePathOptions& options, SequenceNumber last_sequence)
      : trace_(trace),
        options_(options),
        last_sequence_(last_sequence),
        names_(NameAddresses(trace)) {}

  // Replaces `path`.
  Status WriteTo(const std::string& path) const {
    std::FILE* const file = std::fopen(path.c_str(), "w");
    if (file == nullptr) return Status::IOError("cannot write the trace", path, 0, errno);
    bool ok = Put(file, Header());
    for (const Entry& entry : Entries()) ok = ok && Put(file, Line(entry));
    ok = ok && Put(file, End());
    const int error = ok ? 0 : errno;
    if (std::fclose(file) == 0 && ok) return Status::OK();
    return Status::IOError("cannot write the trace", path, 0, error != 0 ? error : errno);
  }

 private:
  // What the value of an access is, and which of its sides it has.
  enum class Value { kWriter, kState, kNumber, kError };
  struct Access {
    std::string_view order;
    Value value;
    bool reads;
    bool writes;
  };
  static constexpr std::array kAccesses = std::to_array<Access>({
      Access{orders::LinkOne_Cas.name, Value::kWriter, true, true},
      Access{orders::EnterAsBatchGroupLeader_Load.name, Value::kWriter, true, false},
      Access{orders::EnterAsBatchGroupLeader_GraftCas.name, Value::kWriter, true, true},
      Access{orders::ExitAsBatchGroupLeader_Load.name, Value::kWriter, true, false},
      Access{orders::ExitAsBatchGroupLeader_Cas.name, Value::kWriter, true, true},
      Access{orders::ExitAsBatchGroupLeader_DummyCas.name, Value::kWriter, true, true},
      Access{orders::LinkGroup_Cas.name, Value::kWriter, true, true},
      Access{orders::EnterAsMemTableWriter_Load.name, Value::kWriter, true, false},
      Access{orders::ExitAsMemTableWriter_Cas.name, Value::kWriter, true, true},
      Access{orders::WaitForMemTableWriters_Load.name, Value::kWriter, true, false},
      Access{orders::WaitForMemTableWriters_Store.name, Value::kWriter, false, true},
      Access{orders::EndWriteStall_Exchange.name, Value::kWriter, true, true},
      Access{orders::OwnState_Store.name, Value::kState, false, true},
      Access{orders::AwaitState_Load.name, Value::kState, true, false},
      Access{orders::BlockingAwaitState_Load.name, Value::kState, true, false},
      Access{orders::BlockingAwaitState_Cas.name, Value::kState, true, false},
      Access{orders::BlockingAwaitState_LockedLoad.name, Value::kState, true, false},
      // A waiter that blocks has STATE_LOCKED_WAITING: what the store replaces says nothing.
      Access{orders::SetState_Cas.name, Value::kState, false, true},
      Access{orders::SetState_LockedStore.name, Value::kState, false, true},
      Access{orders::LaunchParallelMemTableWriters_Store.name, Value::kNumber, false, true},
      Access{orders::CompleteParallelMemTableWriter_FetchSub.name, Value::kNumber, true, true},
      Access{orders::SetLastSequence_Store.name, Value::kNumber, false, true},
      Access{orders::Relief_FetchAdd.name, Value::kNumber, true, true},
      Access{orders::Relief_Load.name, Value::kNumber, true, false},
      Access{orders::Poison_Cas.name, Value::kError, true, true},
      Access{orders::FirstError_Load.name, Value::kError, true, false},
  });

  struct Entry {
    const TraceEvent* event;
    std::size_t thread;
    std::size_t number;  // of the event in its thread, from 1
    std::uint64_t write;
  };

  static bool Put(std::FILE* file, const std::string& line) {
    return std::fwrite(line.data(), 1, line.size(), file) == line.size() &&
           std::fputc('\n', file) != EOF;
  }

  static std::string ThreadName(std::size_t thread) { return 't' + std::to_string(thread + 1); }

  // Every Writer lives in its thread's frame, so its address names the thread: a write's own, the
  // second of an unbatched call, and a dummy, which may all have the same address in their turn.
  static std::map<std::uint64_t, std::string> NameAddresses(const Trace& trace) {
    constexpr std::array<std::string_view, 4> kOwn{
        "Write", "LinkOne", "WaitForMemTableWriters_LinkOne", "ExitAsBatchGroupLeader_Dummy"};
    std::map<std::uint64_t, std::string> names;
    for (std::size_t t = 0; t < trace.rings().size(); ++t) {
      for (const TraceEvent& event : trace.rings()[t]->events) {
        if (Holds(kOwn, event.action)) names[event.object] = ThreadName(t);
        if (event.action == std::string_view("BeginWriteStall")) {
          names[event.object] = "stall_dummy";
        }
      }
    }
    return names;
  }

  template <std::size_t kSize>
  static bool Holds(const std::array<std::string_view, kSize>& names, std::string_view name) {
    return std::find(names.begin(), names.end(), name) != names.end();
  }

  std::vector<Entry> Entries() const {
    std::vector<Entry> entries;
    for (std::size_t t = 0; t < trace_.rings().size(); ++t) {
      std::uint64_t write = 0;
      std::size_t number = 0;
      for (const TraceEvent& event : trace_.rings()[t]->events) {
        if (event.action == std::string_view("Write")) ++write;
        entries.push_back({&event, t, ++number, write});
      }
    }
    std::stable_sort(entries.begin(), entries.end(),
                     [](const Entry& a, const Entry& b) { return a.event->time < b.event->time; });
    return entries;
  }

  static std::string Number(std::string_view name, std::uint64_t value) {
    return ",\"" + std::string(name) + "\":" + std::to_string(value);
  }
  static std::string Text(std::string_view name, std::string_view value) {
    return ",\"" + std::string(name) + "\":\"" + std::string(value) + '"';
  }
  static std::string Bool(std::string_view name, bool value) {
    return ",\"" + std::string(name) + "\":" + (value ? "true" : "false");
  }

  std::string Header() const {
    std::string line = "{\"bellwether_trace\":" + std::to_string(kTraceVersion);
    line += Text("mode", ModeName(options_)) + Number("threads", trace_.rings().size());
    line += Number("last_sequence", last_sequence_);
    line += ",\"options\":{\"max_write_batch_group_size_bytes\":" +
            std::to_string(options_.max_write_batch_group_size_bytes);
    line += Number("max_log_bytes", options_.max_log_bytes);
    return line + Number("parallel_stride_threshold", options_.parallel_stride_threshold) + "}}";
  }

  std::string Line(const Entry& entry) const {
    const TraceEvent& event = *entry.event;
    std::string line = "{\"thread\":\"" + ThreadName(entry.thread) + '"';
    line += Number("event", entry.number) + Number("write", entry.write);
    line += Text("action", event.action) + Number("ns", event.time);
    return line + Detail(event) + AccessOf(event) + '}';
  }

  std::string Detail(const TraceEvent& event) const {
    const std::string_view action = event.action;
    if (action == "Write") return Options(event);
    std::string text;
    const auto named = names_.find(event.object);
    if (named != names_.end()) text = Text("writer", named->second);
    if (action == "InsertInto") return text + Number("sequence", event.first);
    if (action == "EnterAsBatchGroupLeader" || action == "EnterAsMemTableWriter") {
      return text + Number("group_size", event.first) + Pointer("last_writer", event.second);
    }
    if (action == "WriteToWAL" && event.first == 1) {
      return text + Number("last_sequence", event.second);
    }
    if (action == "Write_Return" && event.first != kTraceNoStatus) {
      return text + Text("status", StatusName(event.first)) + Number("sequence", event.second);
    }
    return text;
  }

  static std::string Options(const TraceEvent& event) {
    std::string text = Number("count", event.first >> 8) + Number("bytes", event.second);
    if ((event.first & kTraceSync) != 0) text += Bool("sync", true);
    if ((event.first & kTraceDisableWal) != 0) text += Bool("disable_wal", true);
    if ((event.first & kTraceDisableMemtable) != 0) text += Bool("disable_memtable", true);
    if ((event.first & kTraceNoSlowdown) != 0) text += Bool("no_slowdown", true);
    if ((event.first & kTraceUnbatched) != 0) text += Bool("unbatched", true);
    if ((event.first & kTraceCallback) != 0) text += Bool("callback", true);
    if ((event.first & kTraceCallbackAlone) != 0) text += Bool("callback_alone", true);
    return text;
  }

  // Of the others the last access before them is none of the protocol's.
  static bool IsAccess(std::string_view action) {
    constexpr std::array<std::string_view, 7> kNone{
        "Write",         "WriteToWAL", "WriteToWAL_Sync", "InsertInto",
        "MemTableError", "Checkpoint", "Write_Return"};
    return !Holds(kNone, action);
  }

  std::string AccessOf(const TraceEvent& event) const {
    if (event.order == nullptr || !IsAccess(event.action)) return {};
    for (const Access& access : kAccesses) {
      if (access.order != event.order) continue;
      return (access.reads ? ValueOf("read", access.value, event.read) : "") +
             (access.writes ? ValueOf("wrote", access.value, event.wrote) : "");
    }
    return {};
  }

  std::string ValueOf(std::string_view name, Value value, std::uint64_t word) const {
    switch (value) {
      case Value::kWriter:
        return Pointer(name, word);
      case Value::kState:
        return Text(name, StateName(word));
      case Value::kNumber:
        return Number(name, word);
      case Value::kError:
        return Bool(name, word != 0);
    }
    return {};
  }

  std::string Pointer(std::string_view name, std::uint64_t word) const {
    if (word == 0) return ",\"" + std::string(name) + "\":null";
    const auto named = names_.find(word);
    return Text(name, named == names_.end() ? std::string_view("unknown") : named->second);
  }

  static std::string_view StateName(std::uint64_t state) {
    switch (state) {
      case STATE_INIT:
        return "STATE_INIT";
      case STATE_GROUP_LEADER:
        return "STATE_GROUP_LEADER";
      case STATE_MEMTABLE_WRITER_LEADER:
        return "STATE_MEMTABLE_WRITER_LEADER";
      case STATE_PARALLEL_MEMTABLE_WRITER:
        return "STATE_PARALLEL_MEMTABLE_WRITER";
      case STATE_COMPLETED:
        return "STATE_COMPLETED";
      case STATE_PARALLEL_MEMTABLE_CALLER:
        return "STATE_PARALLEL_MEMTABLE_CALLER";
      default:
        return "STATE_LOCKED_WAITING";
    }
  }

  static std::string_view StatusName(std::uint64_t code) {
    if (code == kTraceCallbackFailed) return "CallbackFailed";
    switch (static_cast<Status::Code>(code)) {
      case Status::Code::kOk:
        return "OK";
      case Status::Code::kAborted:
        return "Aborted";
      case Status::Code::kUnknownOutcome:
        return "UnknownOutcome";
      case Status::Code::kIncomplete:
        return "Incomplete";
      default:
        return "unknown";
    }
  }

  std::string End() const {
    std::string line = "{\"end\":true,\"events\":[";
    for (const auto& ring : trace_.rings()) {
      if (line.back() != '[') line += ',';
      line += std::to_string(ring->events.size());
    }
    return line + ']' + Number("dropped", trace_.dropped()) + '}';
  }

  const Trace& trace_;
  const WritePathOptions options_;
  const SequenceNumber last_sequence_;
  const std::map<std::uint64_t, std::string> names_;
};

}  // namespace bellwether
