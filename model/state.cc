#include "model/state.h"

#include <string_view>

#include "model/tla_text.h"

namespace bellwether::model {

namespace {

std::string Text(Pointer p) {
  if (p.null()) return "NULL";
  return TlaSequence(2, [&](size_t i) {
    if (i == 1) return std::to_string(p.incarnation());
    return p == kDummy ? std::string("DUMMY") : TlaThread(p.thread());
  });
}

std::string Text(uint8_t number) { return std::to_string(number); }
std::string Text(Action pc) { return TlaString(ActionName(pc)); }

std::string Text(WriterState state) {
  constexpr std::string_view kNames[] = {"STATE_INIT",
                                         "STATE_GROUP_LEADER",
                                         "STATE_MEMTABLE_WRITER_LEADER",
                                         "STATE_PARALLEL_MEMTABLE_CALLER",
                                         "STATE_PARALLEL_MEMTABLE_WRITER",
                                         "STATE_COMPLETED"};
  return TlaString(kNames[state]);
}

std::string Text(WriteStatus status) {
  constexpr std::string_view kNames[] = {"OK", "UnknownOutcome", "Aborted", "CallbackFailed"};
  return TlaString(kNames[static_cast<size_t>(status)]);
}

std::string Text(FirstError error) {
  constexpr std::string_view kNames[] = {"OK", "WalError", "MemTableError"};
  return TlaString(kNames[static_cast<size_t>(error)]);
}

std::string Text(const Outcome& outcome) {
  return "<<" + Text(outcome.status) + "," + Text(outcome.sequence) + ">>";
}

std::string Text(const LogRecord& record);

template <class T, size_t kCapacity>
std::string Text(const Sequence<T, kCapacity>& sequence) {
  return TlaSequence(sequence.size, [&](size_t i) { return Text(sequence[i]); });
}

std::string Text(const LogRecord& record) {
  return "<<" + Text(record.first_sequence) + "," + Text(record.writers) + ">>";
}

template <class T>
std::string Text(const Config& config, const PerThread<T>& function) {
  return TlaThreadFunction(config.threads, [&](size_t t) { return Text(function[t]); });
}

// A function of the places: TLC prints DUMMY behind the threads, as the .cfg files declare it.
std::string PlacesText(const Config& config, const PerPlace<Pointer>& function) {
  const std::string threads =
      TlaThreadFunction(config.threads, [&](size_t t) { return Text(function[t]); });
  if (!config.Pipelined()) return threads;
  return threads.substr(0, threads.size() - 1) + "@@DUMMY:>" + Text(function[kDummyPlace]) + ")";
}

// {<<writer,sequence>>}
std::string MemTableText(const Config& config, const State& s) {
  return TlaSet(AllWrites(config), [&](Pointer w) -> std::string {
    const uint8_t sequence = s.memtable[w.thread()][w.incarnation() - 1];
    return sequence == 0 ? "" : "<<" + Text(w) + "," + Text(sequence) + ">>";
  });
}

std::string FailedText(const Config& config, const State& s) {
  return TlaSet(AllWrites(config),
                [&](Pointer w) -> std::string { return s.Failed(w) ? Text(w) : ""; });
}

}  // namespace

std::string CanonicalText(const Config& config, const State& s) {
  std::string text;
  const auto variable = [&](std::string_view name, const std::string& value) {
    text.append(text.empty() ? "/\\ " : " /\\ ").append(name).append(" = ").append(value);
  };
  const bool two_queues = config.TwoQueues();
  if (two_queues) variable("allocated_sequence", Text(s.allocated_sequence));
  variable("arrival", Text(s.arrival));
  variable("cursor", Text(config, s.cursor));
  variable("failed", FailedText(config, s));
  variable("first_error", Text(s.first_error));
  variable("group_leader", Text(config, s.group_leader));
  variable("group_size", Text(config, s.group_size));
  variable("group_status", Text(config, s.group_status));
  variable("incarnation", Text(config, s.incarnation));
  variable("last_sequence", Text(s.last_sequence));
  variable("last_writer", Text(config, s.last_writer));
  variable("lifetime_ok", TlaBool(s.lifetime_ok));
  variable("link_newer", PlacesText(config, s.link_newer));
  variable("link_older", PlacesText(config, s.link_older));
  variable("log", Text(s.log));
  if (two_queues) {
    variable("log_mutex", s.log_mutex == 0 ? "NULL" : TlaThread(s.log_mutex - 1u));
  }
  variable("memtable", MemTableText(config, s));
  variable("newest_memtable_writer", Text(s.newest_memtable_writer));
  if (two_queues) variable("newest_nonmem_writer", Text(s.newest_nonmem_writer));
  variable("newest_writer", Text(s.newest_writer));
  variable("outcome", Text(config, s.outcome));
  variable("pc", Text(config, s.pc));
  variable("running", Text(config, s.running));
  variable("sequence", Text(config, s.sequence));
  variable("state", Text(config, s.state));
  variable("status", Text(config, s.status));
  variable("synced", Text(s.synced));
  variable("tail_seen", Text(config, s.tail_seen));
  variable("write_group", Text(config, s.write_group));
  return text;
}

}  // namespace bellwether::model
