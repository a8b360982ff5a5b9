// The search. Compiled with the wide bounds (pointer.h).
//
// Order. Most events commute with all that other threads may do before them, or can happen at no
// later time: such an event is taken as soon as it fits, and no other order is tried (IsUrgent says
// which, and why). The others are tried in the order of the trace's lines; what was reached once is
// not searched again. Which queue logs next is in the trace too (log_order.h): who is not due
// waits. An event that fits neither now nor later (IsHopeless) ends the search of its order.
//
// Clock. An event happened after the thread's event before it was recorded, and before it was
// recorded itself: the first search keeps to that. What it rejects is searched again without the
// clock, which decides if that search ends soon: clocks of several cores may differ. What is told
// is what the first one met: without the clock, a wrong value may find a place long after its time,
// and what is blamed is an event that has none because of it.

#include "model/conform.h"

#include <algorithm>
#include <unordered_set>
#include <utility>

#include "model/log_order.h"
#include "model/memtable_queue_order.h"
#include "model/replay.h"

namespace bellwether::model {
namespace {

using Fit = Replay::Fit;

// What the clocks of two cores may differ by, and a load may be early.
constexpr uint64_t kClockNs = 1000;
// How long, in actions tried, the search without the clock may be.
constexpr uint64_t kWithoutClock = 1'000'000;

struct Node {
  Replay replay;
  const RecordedEvent* hopeless = nullptr;  // the first one in the trace
  bool walked = false;                      // goes on to the hopeless event, without choices
};

// What others have to do first may be missing: a state, the end of a stall or its beginning,
// relief, or the end of who holds the log.
bool Waits(Action action) {
  switch (action) {
    case Action::LinkOne:
    case Action::LinkOne_NoSlowdown:
    case Action::PreprocessWrite:
    case Action::EndWriteStall:
    case Action::WriteToWAL_FirstError:
    case Action::JoinBatchGroup_AwaitState:
    case Action::ExitAsBatchGroupLeader_AwaitState:
    case Action::CompleteParallelMemTableWriter_AwaitState:
    case Action::WaitForMemTableWriters_AwaitState:
      return true;
    default:
      return false;
  }
}

// May who is to take the event's step take it, now or once others have done something?
bool BelongsTo(const RecordedEvent& event, const Replay& replay) {
  const size_t frame = replay.FrameOf(event);
  const Action pc = replay.state().pc[frame];
  switch (event.action) {
    case Action::WalError:
      return pc == Action::WriteToWAL || pc == Action::WriteToWAL_Sync;
    case Action::MemTableError:
      return pc == Action::InsertInto;
    case Action::LinkOne_NoSlowdown:
      return pc == Action::LinkOne &&
             replay.config().no_slowdown.Contains(Me(replay.state(), frame));
    case Action::Close:
    case Action::CloseError:
      return pc == Action::Close && LeadsAll(replay.config(), replay.state());
    case Action::Checkpoint:
      return pc == event.action && LeadsAll(replay.config(), replay.state());
    default:
      return pc == event.action;
  }
}

// It touches only what belongs to its thread, or waits for what nobody takes back. What a call does
// that leads all queues nobody sees before it has left them.
bool IsLocal(const RecordedEvent& event, const Replay& replay) {
  switch (event.action) {
    case Action::LinkOne:
    case Action::LinkOne_NoSlowdown:
    case Action::LinkGroup:
    case Action::WalError:
    case Action::PreReleaseError:
    case Action::Poison:
    case Action::PreprocessWrite:
    case Action::PreprocessWrite_FirstError:
    case Action::BeginWriteStall:
    case Action::EndWriteStall:
    case Action::RunUnbatched:
    case Action::WaitForMemTableWriters:
    case Action::WaitForMemTableWriters_LinkOne:
    case Action::EnterAsBatchGroupLeader:
    case Action::EnterAsBatchGroupLeader_Graft:
    case Action::ExitAsBatchGroupLeader_Dummy:
    case Action::ExitAsBatchGroupLeader:
    case Action::EnterAsMemTableWriter:
    case Action::ExitAsMemTableWriter:
    case Action::EnterAsMemTableWriter_FirstError:
    case Action::SetLastSequence_FirstError:
    case Action::CompleteParallelMemTableWriter:
    case Action::WriteToWAL_FirstError:
      return false;
    case Action::Write_Return:
      return !replay.Relieves(event.thread);
    default:
      return true;
  }
}

// Whether there is a place for the event at no later time either: its thread is elsewhere, which
// nobody else changes; or what it says is not what only its thread touches.
bool IsHopeless(const RecordedEvent& event, const Fit& fit, const Replay& replay) {
  if (!fit.enabled) return !BelongsTo(event, replay);
  // Nobody links into that queue: it only becomes empty.
  if (event.action == Action::WaitForMemTableWriters) {
    return !fit.difference.empty() && event.Text("read") != "null";
  }
  return !fit.difference.empty() && IsLocal(event, replay);
}

class Search {
 public:
  Search(const RecordedTrace& trace, const Config& config, bool by_clock, uint64_t limit,
         const std::function<void(uint64_t)>& progress)
      : trace_(trace),
        log_order_(config, trace),
        queue_order_(trace),
        by_clock_(by_clock),
        limit_(limit),
        progress_(progress),
        best_{Replay(trace, config)} {}

  Conformance Run() {
    Conformance result;
    result.verdict =
        Explore(&result) ? Conformance::Verdict::kConforms : Conformance::Verdict::kViolation;
    if (result.applied >= limit_) {
      result.verdict = Conformance::Verdict::kIncomplete;
      result.what = "no interleaving was found within " + std::to_string(limit_) +
                    " tried actions; give a higher --limit";
    } else if (result.verdict == Conformance::Verdict::kViolation) {
      result.what = Explain();
      result.steps = best_steps_;
    }
    return result;
  }

 private:
  struct Choice {
    Node node;
    std::vector<size_t> threads;  // still to try, the first one last
    size_t steps;
  };

  // Events that are tried now or never: taking them first loses no interleaving.
  //
  // A tail changes by events that are not urgent (somebody links), or by the one leader of its
  // queue. While a leader is at work no value of the tail comes back: each of its writers links
  // once. So an event of the leader that has recorded which tail it saw fits at one time only, and
  // what else could happen at that time does not touch what it touches. A look at first_error_ that
  // saw null has to come before the poison, one that saw an error fits for ever. So it is with the
  // beginning of a stall, and with a leader's look at the memtable queue of which it keeps the
  // entrance. Of what a thread does because it saw a stall, or saw relief, others see nothing: it
  // can come as early as it fits. The end of a stall, and of relief, does not say what it came
  // after.
  bool IsUrgent(const RecordedEvent& event, const Replay& replay) const {
    switch (event.action) {
      case Action::LinkOne:
      case Action::LinkGroup:
      case Action::WaitForMemTableWriters_LinkOne:
      case Action::WalError:
      case Action::PreReleaseError:
      case Action::Poison:
      case Action::EndWriteStall:
      case Action::RunUnbatched:
        return false;
      case Action::LinkOne_NoSlowdown:
      case Action::PreprocessWrite:
        return true;
      case Action::ExitAsMemTableWriter:
        return event.fields.contains("read") && !queue_order_.MayBeSeen(event, replay);
      case Action::WriteToWAL_FirstError:
        return event.fields.contains("read") && log_order_.Known(event);
      default:
        return IsLocal(event, replay) || event.fields.contains("read");
    }
  }

  // Not before an event of another thread that was over when this one began. When a local event
  // happens nobody sees.
  bool InTime(const RecordedEvent& event, const Replay& replay) const {
    if (!by_clock_ || event.number == 1 || IsLocal(event, replay)) return true;
    const uint64_t began = trace_.threads[event.thread][event.number - 2].ns;
    for (size_t t = 0; t < trace_.threads.size(); t++) {
      const RecordedEvent* const other = replay.Next(t);
      if (other != nullptr && other->ns != 0 && other->ns + kClockNs < began) return false;
    }
    return true;
  }

  // True if all events found their place.
  bool Explore(Conformance* result) {
    Node node = best_;
    std::vector<Choice> choices;
    while (result->applied < limit_) {
      std::vector<size_t> threads = Advance(&node, result);
      const bool known = IsKnown(&node);
      if (known) threads.clear();
      if (node.walked && threads.size() > 1) threads = {threads.front()};
      if (threads.empty() && !known) {
        if (Complete(node.replay)) return true;
        Judge(node, *result);
      }
      progress_(node.replay.total());
      if (!threads.empty() && (threads.size() == 1 || visited_.insert(Key(node.replay)).second)) {
        if (threads.size() > 1) {
          result->choices++;
          choices.push_back({node, {threads.rbegin(), threads.rend()}, result->steps.size()});
        } else {
          Step(threads[0], &node, result);
          continue;
        }
      }
      while (!choices.empty() && choices.back().threads.empty()) choices.pop_back();
      if (choices.empty()) return false;
      Choice& choice = choices.back();
      node = choice.node;
      result->steps.resize(choice.steps);
      const size_t t = choice.threads.back();
      choice.threads.pop_back();
      Step(t, &node, result);
    }
    return false;
  }

  // No order helps a node with a hopeless event. The first such node of each event is walked to it,
  // which tells what else has no place before it; true for the others.
  bool IsKnown(Node* node) {
    if (node->hopeless == nullptr || node->walked) return false;
    node->walked = walked_.insert(node->hopeless).second;
    return !node->walked;
  }

  // Takes what is urgent until nothing is. The threads whose next event fits then, in the order of
  // the lines.
  std::vector<size_t> Advance(Node* node, Conformance* result) const {
    std::vector<size_t> fitting;
    for (bool again = true; again;) {
      again = false;
      fitting.clear();
      for (size_t t = 0; t < trace_.threads.size(); t++) {
        const RecordedEvent* const event = node->replay.Next(t);
        if (event == nullptr || IsBehind(*event, *node)) continue;
        if (!InTime(*event, node->replay)) continue;
        Replay next = node->replay;
        result->applied++;
        const Fit fit = next.Take(*event);
        if (IsHopeless(*event, fit, node->replay)) node->hopeless = event;
        if (!fit.difference.empty() || !log_order_.Due(*event, node->replay)) continue;
        if (!IsUrgent(*event, node->replay)) {
          fitting.push_back(t);
          continue;
        }
        node->replay = next;
        result->steps.push_back(event);
        again = true;
      }
    }
    const auto line = [&](size_t t) { return node->replay.Next(t)->line; };
    std::sort(fitting.begin(), fitting.end(),
              [&](size_t a, size_t b) { return line(a) < line(b); });
    return fitting;
  }

  // Not before the hopeless event in the trace.
  static bool IsBehind(const RecordedEvent& event, const Node& node) {
    return node.hopeless != nullptr && event.line >= node.hopeless->line;
  }

  void Step(size_t t, Node* node, Conformance* result) const {
    const RecordedEvent* const event = node->replay.Next(t);
    result->applied++;
    (void)node->replay.Take(*event);
    result->steps.push_back(event);
  }

  bool Complete(const Replay& replay) const {
    if (replay.total() != trace_.events()) return false;
    for (size_t t = 0; t < trace_.threads.size(); t++) {
      if (InFlight(replay.state(), t)) return false;
    }
    return true;
  }

  // How far a dead end got: a line of the trace, and a number of events.
  using Reach = std::pair<size_t, size_t>;

  // Two hashes, so that two different states are not taken for one.
  static std::string Key(const Replay& replay) {
    std::string bytes(reinterpret_cast<const char*>(&replay.state()), sizeof(replay.state()));
    bytes.append(reinterpret_cast<const char*>(replay.taken().data()), sizeof(replay.taken()));
    const size_t first = std::hash<std::string>()(bytes);
    bytes += '\1';
    const size_t second = std::hash<std::string>()(bytes);
    return std::to_string(first) + ' ' + std::to_string(second);
  }

  // Where thread t cannot go on, and why.
  struct Obstacle {
    const RecordedEvent* event = nullptr;  // null: the thread is done
    Fit fit;
    bool waits = false;  // for another thread
  };

  // REQUIRES: nothing is due.
  Obstacle ObstacleOf(const Node& node, size_t t) const {
    Obstacle found;
    found.event = node.replay.Next(t);
    if (found.event == nullptr) return found;
    Replay next = node.replay;
    const RecordedEvent* event = found.event;
    do {
      const bool at_it = BelongsTo(*event, next);
      found.fit = next.Take(*event);
      found.waits = !found.fit.enabled && at_it && Waits(event->action);
      if (!found.fit.difference.empty()) {
        found.event = event;
        return found;
      }
      // One that fits is not due to be logged: what comes of it?
      event = next.Next(t);
    } while (event != nullptr && LogOrder::OfTheLog(event->action));
    found.fit.difference = "an event of another thread comes before, by the values recorded";
    found.waits = true;
    return found;
  }

  // The first event that does not fit; before it, none that only waits for another thread counts.
  Obstacle FirstUnexplained(const Node& node) const {
    Obstacle first;
    for (size_t t = 0; t < trace_.threads.size(); t++) {
      const Obstacle obstacle = ObstacleOf(node, t);
      if (obstacle.event == nullptr) continue;
      const bool sooner =
          first.event == nullptr || (first.waits && !obstacle.waits) ||
          (first.waits == obstacle.waits && obstacle.event->line < first.event->line);
      if (sooner) first = obstacle;
    }
    return first;
  }

  // `node` is a dead end. What is told in the end is the one that got furthest: up to its line
  // every event has its place, and of several, most events behind it.
  void Judge(const Node& node, const Conformance& result) {
    const Reach reach{FirstLeft(node.replay), node.replay.total()};
    if (reach <= best_reach_) return;
    best_reach_ = reach;
    best_ = node;
    best_steps_ = result.steps;
  }

  // The line of the first event that has no place.
  size_t FirstLeft(const Replay& replay) const {
    size_t line = SIZE_MAX;
    for (size_t t = 0; t < trace_.threads.size(); t++) {
      const RecordedEvent* const event = replay.Next(t);
      if (event != nullptr) line = std::min(line, event->line);
    }
    return line;
  }

  std::string Explain() const {
    const Obstacle first = FirstUnexplained(best_);
    const std::string end = ExplainEnd();
    // Who only waits may do so for a thread that stopped.
    const bool stopped = first.event == nullptr || (first.waits && !end.empty());
    return stopped ? end : Describe(*first.event, first.fit);
  }

  // A thread has no more events, and its write is still in flight. Empty if there is none.
  std::string ExplainEnd() const {
    const State& state = best_.replay.state();
    for (size_t t = 0; t < trace_.threads.size(); t++) {
      if (best_.replay.Next(t) != nullptr || !InFlight(state, t)) continue;
      const bool second =
          Caller(best_.replay.config(), state) == t && InFlight(state, kSecondPlace);
      return TlaThread(t) + " ends within write " + std::to_string(trace_.threads[t].back().write) +
             "; " + std::string(ActionName(state.pc[second ? kSecondPlace : t])) + " is due";
    }
    return {};
  }

  std::string Describe(const RecordedEvent& event, const Fit& fit) const {
    std::string text = "line ";
    text.append(std::to_string(event.line)).append(": ").append(TlaThread(event.thread));
    text.append(" write ").append(std::to_string(event.write)).append(" event ");
    text.append(std::to_string(event.number)).append(", ").append(ActionName(event.action));
    text.append(": ").append(fit.difference);
    text += "; enabled there:";
    const Replay& replay = best_.replay;
    for (const size_t frame : Frames(replay.config())) {
      const Pointer w = Me(replay.state(), frame);
      for (const ActionInfo& info : kActions) {
        if (info.environment || !Enabled(replay.config(), replay.state(), info.action, frame)) {
          continue;
        }
        text.append(" ").append(WriterName(replay.config(), replay.state(), w));
        text.append(" ").append(info.name).append(",");
      }
    }
    if (text.back() == ',') text.pop_back();
    return text;
  }

  const RecordedTrace& trace_;
  const LogOrder log_order_;
  const MemTableQueueOrder queue_order_;
  const bool by_clock_;
  const uint64_t limit_;
  const std::function<void(uint64_t)>& progress_;
  Node best_;  // the best dead end
  Reach best_reach_;
  std::vector<const RecordedEvent*> best_steps_;
  std::unordered_set<std::string> visited_;
  std::unordered_set<const RecordedEvent*> walked_;
};

// Nothing if the model can follow the trace at all; else why not.
std::string Unsupported(const RecordedTrace& trace, Config* config) {
  const auto mode = std::find_if(kModes.begin(), kModes.end(),
                                 [&](const ModeInfo& info) { return info.name == trace.mode; });
  if (mode == kModes.end()) return "conform does not have the mode '" + trace.mode + "' yet";
  if (trace.threads.size() > kMaxThreads) {
    return "the trace has " + std::to_string(trace.threads.size()) +
           " threads, the model at most " + std::to_string(kMaxThreads) + ": record fewer";
  }
  uint64_t most_bytes = 0;
  for (const auto& thread : trace.threads) {
    for (const RecordedEvent& event : thread) {
      most_bytes = std::max(most_bytes, event.Number("bytes"));
    }
  }
  // It counts the cap in writers, the engine in bytes; a small leader's cap is an eighth.
  if (trace.max_group_bytes != 0 && most_bytes * trace.threads.size() > trace.max_group_bytes / 8) {
    return "the batches are so large that max_write_batch_group_size_bytes may end a group, which "
           "the model counts in writers: record smaller batches, or with a larger cap";
  }
  config->mode = mode->mode;
  config->threads = static_cast<uint8_t>(trace.threads.size());
  config->writes = kMaxWrites;
  config->stride_threshold =
      static_cast<uint8_t>(std::min<uint64_t>(trace.stride_threshold, kMaxThreads + 1));
  config->max_group = kMaxThreads;
  // A leader may have to stall: when, the trace says.
  config->max_log = trace.max_log_bytes == 0 ? 0 : 1;
  config->wal_errors = true;
  config->memtable_errors = true;
  return {};
}

}  // namespace

Conformance Conform(const RecordedTrace& trace, uint64_t limit,
                    const std::function<void(uint64_t)>& progress) {
  Config config;
  Conformance result;
  result.what = Unsupported(trace, &config);
  if (!result.what.empty()) {
    result.verdict = Conformance::Verdict::kIncomplete;
    return result;
  }
  const bool has_clock =
      std::any_of(trace.threads.begin(), trace.threads.end(), [](const auto& thread) {
        return std::any_of(thread.begin(), thread.end(), [](const auto& e) { return e.ns != 0; });
      });
  Conformance by_clock;
  if (has_clock) {
    by_clock = Search(trace, config, /*by_clock=*/true, limit, progress).Run();
    if (by_clock.verdict != Conformance::Verdict::kViolation) return by_clock;
  }
  const uint64_t rest = has_clock ? std::min(limit, kWithoutClock) : limit;
  result = Search(trace, config, /*by_clock=*/false, rest, progress).Run();
  if (!has_clock || result.verdict == Conformance::Verdict::kConforms) return result;
  if (result.verdict == Conformance::Verdict::kIncomplete) {
    by_clock.what += " (in the order of the clock; orders against it were too many to try)";
  }
  return by_clock;
}

}  // namespace bellwether::model
