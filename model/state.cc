#include "model/state.h"

#include <map>
#include <string_view>

#include "model/recovery_state.h"
#include "model/tla_text.h"
#include "model/write_thread_model.h"

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
  constexpr std::string_view kNames[] = {"OK",    "WalError", "MemTableError", "PreReleaseError",
                                         "Close", "Crash"};
  return TlaString(kNames[static_cast<size_t>(error)]);
}

std::string Text(const Outcome& outcome) {
  return "<<" + Text(outcome.status) + "," + Text(outcome.sequence) + ">>";
}

std::string Text(const LogRecord& record);
std::string Text(const Entry& entry);
std::string Text(const LogFile& file);

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

std::string Text(Image image) {
  constexpr std::string_view kNames[] = {"whole", "torn", "damaged"};
  return TlaString(kNames[static_cast<size_t>(image)]);
}

std::string Text(const Entry& entry) {
  return "<<" + Text(entry.record) + "," + Text(entry.image) + ">>";
}

std::string Text(const LogFile& file) {
  return "[cache|->" + Text(file.cache) + ",disk|->" + Text(file.disk) + ",uncut|->" +
         Text(file.uncut) + "]";
}

std::string Text(RecoveryMode mode) {
  return TlaString(mode == RecoveryMode::kPointInTime ? "point_in_time" : "tolerate_torn_tail");
}

// A function of the readers; value(r) is the text of its value.
template <class Value>
std::string ReadersText(const Config& config, Value&& value) {
  Sequence<uint8_t, kMaxReaders> readers;
  for (uint8_t r = 0; r < config.readers; r++) readers.Append(r);
  if (readers.empty()) return "<<>>";
  return TlaFunction(
      readers, [](size_t r) { return std::string("r") + std::to_string(r + 1); }, value);
}

std::string FoundText(const Config& config, const WriteSet& found) {
  return TlaSet(AllWrites(config),
                [&](Pointer w) -> std::string { return found.Contains(w) ? Text(w) : ""; });
}

using Variables = std::map<std::string_view, std::string>;

Variables PathVariables(const Config& config, const State& s) {
  const Places threads = Threads(config);
  const Places frames = WithSecond(config, threads);
  const Places places = AllPlaces(config);
  Variables variables = {
      {"arrival", Text(s.arrival)},
      {"cursor", Text(frames, s.cursor)},
      {"failed", FailedText(config, s)},
      {"first_error", Text(s.first_error)},
      {"group_leader", Text(frames, s.group_leader)},
      {"group_size", Text(frames, s.group_size)},
      {"group_status", Text(frames, s.group_status)},
      {"incarnation", Text(frames, s.incarnation)},
      {"last_sequence", Text(s.last_sequence)},
      {"last_writer", Text(frames, s.last_writer)},
      {"lifetime_ok", TlaBool(s.lifetime_ok)},
      {"link_newer", Text(places, s.link_newer)},
      {"link_older", Text(places, s.link_older)},
      {"log", Text(s.log)},
      {"memtable", MemTableText(config, s)},
      {"newest_memtable_writer", Text(s.newest_memtable_writer)},
      {"newest_writer", Text(s.newest_writer)},
      {"outcome", Text(threads, s.outcome)},
      {"pc", Text(frames, s.pc)},
      {"running", Text(frames, s.running)},
      {"sequence", Text(frames, s.sequence)},
      {"state", Text(frames, s.state)},
      {"status", Text(frames, s.status)},
      {"synced", Text(s.synced)},
      {"tail_seen", Text(frames, s.tail_seen)},
      {"write_group", Text(frames, s.write_group)},
  };
  if (config.TwoQueues()) {
    variables["allocated_sequence"] = Text(s.allocated_sequence);
    variables["log_mutex"] = s.log_mutex == 0 ? "NULL" : TlaThread(s.log_mutex - 1u);
    variables["newest_nonmem_writer"] = Text(s.newest_nonmem_writer);
  }
  if (config.Stalls()) {
    variables["checkpoint"] = Text(s.checkpoint);
    variables["relief"] = Text(s.relief);
  }
  return variables;
}

std::string Joined(const Variables& variables) {
  std::string text;
  for (const auto& [name, value] : variables) {
    text.append(text.empty() ? "/\\ " : " /\\ ").append(name).append(" = ").append(value);
  }
  return text;
}

}  // namespace

std::string CanonicalText(const Config& config, const State& s) {
  return Joined(PathVariables(config, s));
}

std::string CanonicalText(const Config& config, const RecoveryState& s) {
  Variables variables = PathVariables(config, s.path);
  variables["base"] = Text(s.base);
  variables["crashes"] = Text(s.crashes);
  variables["files"] = Text(s.files);
  variables["found"] = Text(s.found);
  variables["log_named"] = TlaBool(s.log_named);
  variables["phase"] = s.open() ? TlaString("open") : Text(s.phase);
  variables["recovery_mode"] = Text(s.recovery_mode);
  variables["seen"] = ReadersText(config, [&](size_t r) {
    const auto& keys = s.seen[r];
    return TlaSequence(keys.size, [&](size_t key) { return FoundText(config, keys[key]); });
  });
  variables["snapshot"] = ReadersText(config, [&](size_t r) { return Text(s.snapshot[r]); });
  return Joined(variables);
}

}  // namespace bellwether::model
