#include "model/state.h"

#include <string_view>

#include "model/tla_text.h"

namespace bellwether::model {

namespace {

// The address of a Writer.
std::string PlaceText(size_t place) {
  switch (place) {
    case kSecondPlace:
      return TlaString("SECOND");
    case kDummyPlace:
      return "DUMMY";
    case kStallPlace:
      return TlaString("STALL");
    case kNonmemStallPlace:
      return TlaString("NONMEM_STALL");
    default:
      return TlaThread(place);
  }
}

std::string Text(Pointer p) {
  if (p.null()) return "NULL";
  return "<<" + PlaceText(p.thread()) + "," + std::to_string(p.incarnation()) + ">>";
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
  constexpr std::string_view kNames[] = {"OK", "UnknownOutcome", "Aborted", "CallbackFailed",
                                         "Incomplete"};
  return TlaString(kNames[static_cast<size_t>(status)]);
}

std::string Text(FirstError error) {
  constexpr std::string_view kNames[] = {"OK", "WalError", "MemTableError", "PreReleaseError",
                                         "Close"};
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

using Places = Sequence<uint8_t, kPlaces>;

// A function of `domain`.
template <class T, size_t kSize>
std::string Text(const Places& domain, const std::array<T, kSize>& function) {
  return TlaFunction(domain, PlaceText, [&](size_t place) { return Text(function[place]); });
}

Places Threads(const Config& config) {
  Places threads;
  for (uint8_t t = 0; t < config.threads; t++) threads.Append(t);
  return threads;
}

Places WithSecond(const Config& config, Places places) {
  if (config.HasSecond()) places.Append(kSecondPlace);
  return places;
}

// TLC prints model values as the .cfg files declare them, and then strings as it met them first.
Places AllPlaces(const Config& config) {
  Places places = Threads(config);
  if (config.Pipelined()) places.Append(kDummyPlace);
  if (config.Stalls()) places.Append(kStallPlace);
  places = WithSecond(config, places);
  if (config.Stalls() && config.TwoQueues()) places.Append(kNonmemStallPlace);
  return places;
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
  const Places threads = Threads(config);
  const Places frames = WithSecond(config, threads);
  const Places places = AllPlaces(config);
  const bool two_queues = config.TwoQueues();
  if (two_queues) variable("allocated_sequence", Text(s.allocated_sequence));
  variable("arrival", Text(s.arrival));
  if (config.Stalls()) variable("checkpoint", Text(s.checkpoint));
  variable("cursor", Text(frames, s.cursor));
  variable("failed", FailedText(config, s));
  variable("first_error", Text(s.first_error));
  variable("group_leader", Text(frames, s.group_leader));
  variable("group_size", Text(frames, s.group_size));
  variable("group_status", Text(frames, s.group_status));
  variable("incarnation", Text(frames, s.incarnation));
  variable("last_sequence", Text(s.last_sequence));
  variable("last_writer", Text(frames, s.last_writer));
  variable("lifetime_ok", TlaBool(s.lifetime_ok));
  variable("link_newer", Text(places, s.link_newer));
  variable("link_older", Text(places, s.link_older));
  variable("log", Text(s.log));
  if (two_queues) {
    variable("log_mutex", s.log_mutex == 0 ? "NULL" : TlaThread(s.log_mutex - 1u));
  }
  variable("memtable", MemTableText(config, s));
  variable("newest_memtable_writer", Text(s.newest_memtable_writer));
  if (two_queues) variable("newest_nonmem_writer", Text(s.newest_nonmem_writer));
  variable("newest_writer", Text(s.newest_writer));
  variable("outcome", Text(threads, s.outcome));
  variable("pc", Text(frames, s.pc));
  if (config.Stalls()) variable("relief", Text(s.relief));
  variable("running", Text(frames, s.running));
  variable("sequence", Text(frames, s.sequence));
  variable("state", Text(frames, s.state));
  variable("status", Text(frames, s.status));
  variable("synced", Text(s.synced));
  variable("tail_seen", Text(frames, s.tail_seen));
  variable("write_group", Text(frames, s.write_group));
  return text;
}

}  // namespace bellwether::model
