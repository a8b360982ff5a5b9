// The search. Compiled with the wide bounds (pointer.h).
//
// Forgetting. The model's state keeps the whole history, which a trace is too long for. What no
// later action looks at is dropped (Forget): results, all records but the last, the number of each
// write (its incarnation counts modulo kMaxWrites: a Writer that died so many writes ago is
// dereferenced by nobody, INV_LIFETIME), and sequences count from the oldest that is still used.
//
// Order. Most events commute with all that other threads may do before them, or can happen at no
// later time: such an event is taken as soon as it fits, and no other order is tried (IsUrgent says
// which, and why). The others are tried in the order of the trace's lines; what was reached once is
// not searched again. Which queue logs next is in the trace too (log_order.h): who is not due
// waits.

#include "model/conform.h"

#include <algorithm>
#include <unordered_set>
#include <utility>

#include "model/expected_event.h"
#include "model/log_order.h"

namespace bellwether::model {
namespace {

struct Node {
  State state;
  Config config;
  Sequences sequences;
  LogOrder::Taken taken = {};  // events of each thread
  size_t total = 0;
  const RecordedEvent* lost = nullptr;  // a return that does not fit, and fits at no later time
  bool walked = false;                  // goes on without choices
};

// Why an event does not fit: "not enabled", or what it says and what it had to say.
struct Fit {
  bool enabled = false;
  std::string difference;  // empty: it fits
};

// What others have to do first may be missing: a state, or the end of who holds the log.
bool Waits(Action action) {
  return action == Action::WriteToWAL_FirstError || action == Action::JoinBatchGroup_AwaitState ||
         action == Action::ExitAsBatchGroupLeader_AwaitState ||
         action == Action::CompleteParallelMemTableWriter_AwaitState;
}

class Search {
 public:
  Search(const RecordedTrace& trace, const Config& config, uint64_t limit,
         const std::function<void(uint64_t)>& progress)
      : trace_(trace),
        log_order_(config, trace),
        limit_(limit),
        progress_(progress),
        best_(Start(trace, config)) {}

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

  static Node Start(const RecordedTrace& trace, const Config& config) {
    return Node{Initial(config), config, Sequences(trace.last_sequence), {}, 0};
  }

  const RecordedEvent* Next(const Node& node, size_t t) const {
    const auto& events = trace_.threads[t];
    return node.taken[t] < events.size() ? &events[node.taken[t]] : nullptr;
  }

  // Events that are tried now or never: taking them first loses no interleaving.
  //
  // A tail changes by events that are not urgent (somebody links), or by the one leader of its
  // queue. While a leader is at work no value of the tail comes back: each of its writers links
  // once. So an event of the leader that has recorded which tail it saw fits at one time only, and
  // what else could happen at that time does not touch what it touches. A look at first_error_ that
  // saw null has to come before the poison, one that saw an error fits for ever. All other actions
  // touch only what belongs to their thread, or wait for what nobody takes back.
  bool IsUrgent(const RecordedEvent& event) const {
    switch (event.action) {
      case Action::LinkOne:
      case Action::LinkGroup:
      case Action::WalError:
      case Action::Poison:
        return false;
      case Action::EnterAsBatchGroupLeader:
      case Action::EnterAsBatchGroupLeader_Graft:
      case Action::ExitAsBatchGroupLeader_Dummy:
      case Action::ExitAsBatchGroupLeader:
      case Action::EnterAsMemTableWriter:
      case Action::ExitAsMemTableWriter:
      case Action::EnterAsMemTableWriter_FirstError:
      case Action::SetLastSequence_FirstError:
      case Action::CompleteParallelMemTableWriter:
        return event.fields.contains("read");
      case Action::WriteToWAL_FirstError:
        return event.fields.contains("read") && log_order_.Known(event);
      default:
        return true;
    }
  }

  // The options of the write that begins, and its number in the model.
  void Prepare(const RecordedEvent& event, Node* node) const {
    const size_t t = event.thread;
    const auto k = static_cast<uint8_t>((event.write - 1) % kMaxWrites + 1);
    node->state.incarnation[t] = static_cast<uint8_t>(k - 1);
    const Pointer w(t, k);
    Config& c = node->config;
    Set(&c.sync, w, event.Flag("sync"));
    Set(&c.disable_memtable, w, event.Flag("disable_memtable"));
    Set(&c.callback_alone, w, event.Flag("callback_alone"));
    Set(&c.callback_fails, w, CallbackFails(event));
  }

  static void Set(WriteSet* set, Pointer w, bool contains) {
    set->Remove(w);
    if (contains) set->Add(w);
  }

  // The write's own last event tells.
  bool CallbackFails(const RecordedEvent& begin) const {
    const auto& events = trace_.threads[begin.thread];
    for (size_t i = begin.number; i < events.size() && events[i].write == begin.write; i++) {
      const auto status = events[i].fields.find("status");
      if (status != events[i].fields.end()) return status->second == "CallbackFailed";
    }
    return false;
  }

  Fit Take(const RecordedEvent& event, Node* node) const {
    const size_t t = event.thread;
    if (event.action == Action::Write) Prepare(event, node);
    const State before = node->state;
    if (!Apply(node->config, event.action, t, &node->state)) return {false, "not enabled"};
    if (!node->state.lifetime_ok) return {true, "it touches a Writer that is dead (INV_LIFETIME)"};
    if (event.action == Action::WriteToWAL) Number(before, node);
    Fit fit{true, Difference(event, before, *node)};
    node->taken[t]++;
    node->total++;
    if (event.action == Action::Write_Return) Forget(t, node);
    return fit;
  }

  // The engine's sequences of the writes that were logged.
  void Number(const State& before, Node* node) const {
    if (node->state.log == before.log) return;
    for (const Pointer w : node->state.log.last().writers) {
      if (!node->config.Inserts(w)) continue;
      node->sequences.Add(At(node->state.sequence, w), Count(*node, w));
    }
  }

  // Operations of the write that w is at.
  uint64_t Count(const Node& node, Pointer w) const {
    const auto& events = trace_.threads[w.thread()];
    for (size_t i = node.taken[w.thread()]; i-- > 0;) {
      if (events[i].action == Action::Write) return events[i].Number("count");
    }
    return 0;
  }

  static std::string Difference(const RecordedEvent& event, const State& before,
                                const Node& after) {
    if (event.action == Action::Write) return {};
    const ExpectedFields fields =
        ExpectedEvent(after.config, after.sequences, before, after.state, event.thread)
            .Of(event.action);
    std::string difference;
    for (const auto& [name, recorded] : event.fields) {
      const auto field = std::find_if(fields.begin(), fields.end(),
                                      [&](const auto& f) { return f.first == name; });
      const std::string wanted = field == fields.end() ? "nothing" : field->second;
      if (recorded == wanted) continue;
      if (!difference.empty()) difference.append(", ");
      difference.append("'").append(name).append("' is ").append(recorded);
      difference.append(", not ").append(wanted);
    }
    return difference;
  }

  // Thread t has no write in flight any more.
  static void Forget(size_t t, Node* node) {
    State& s = node->state;
    s.outcome[t] = {};
    s.memtable[t] = {};
    s.failed[t] = 0;
    s.synced = 0;
    if (s.log.size > 1) {
      const LogRecord last = s.log.last();
      s.log = {};
      s.log.Append(last);
    }
    if (s.last_sequence > 100) Renumber(node);
  }

  static void Renumber(Node* node) {
    State& s = node->state;
    const uint8_t end = s.allocated_sequence;
    uint8_t oldest = std::min(s.last_sequence, s.log.last().first_sequence);
    for (const uint8_t sequence : s.sequence) {
      if (sequence != 0) oldest = std::min(oldest, sequence);
    }
    const auto shift = static_cast<uint8_t>(oldest - 1);
    for (uint8_t& sequence : s.sequence) {
      if (sequence != 0) sequence = static_cast<uint8_t>(sequence - shift);
    }
    // What is in the memtable is read by nobody: only that it is there.
    for (auto& writes : s.memtable) {
      for (uint8_t& sequence : writes) sequence = 0;
    }
    s.last_sequence = static_cast<uint8_t>(s.last_sequence - shift);
    s.allocated_sequence = static_cast<uint8_t>(s.allocated_sequence - shift);
    s.log.items[0].first_sequence = static_cast<uint8_t>(s.log.items[0].first_sequence - shift);
    node->sequences.Forget(shift, end);
  }

  // True if all events found their place.
  bool Explore(Conformance* result) {
    Node node = best_;
    std::vector<Choice> choices;
    while (result->applied < limit_) {
      std::vector<size_t> threads = Advance(&node, result);
      const bool known = IsKnownLoss(&node);
      if (known) threads.clear();
      if (node.walked && threads.size() > 1) threads = {threads.front()};
      if (threads.empty() && !known) {
        if (Complete(node)) return true;
        Judge(node, *result);
      }
      progress_(node.total);
      if (!threads.empty() && (threads.size() == 1 || visited_.insert(Key(node)).second)) {
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

  // No order helps a node with a return that does not fit. The first such node of each return is
  // walked to its end, which tells how far it gets; true for the others.
  bool IsKnownLoss(Node* node) {
    if (node->lost == nullptr || node->walked) return false;
    node->walked = walked_.insert(node->lost).second;
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
        const RecordedEvent* const event = Next(*node, t);
        if (event == nullptr) continue;
        Node next = *node;
        result->applied++;
        const Fit fit = Take(*event, &next);
        if (!fit.difference.empty()) {
          if (fit.enabled && event->action == Action::Write_Return) node->lost = event;
          continue;
        }
        if (!log_order_.Due(*event, node->taken,
                            node->sequences.end(node->state.allocated_sequence))) {
          continue;
        }
        if (!IsUrgent(*event)) {
          fitting.push_back(t);
          continue;
        }
        *node = next;
        result->steps.push_back(event);
        again = true;
      }
    }
    std::sort(fitting.begin(), fitting.end(),
              [&](size_t a, size_t b) { return Next(*node, a)->line < Next(*node, b)->line; });
    return fitting;
  }

  void Step(size_t t, Node* node, Conformance* result) const {
    const RecordedEvent* const event = Next(*node, t);
    result->applied++;
    (void)Take(*event, node);
    result->steps.push_back(event);
  }

  bool Complete(const Node& node) const {
    if (node.total != trace_.events()) return false;
    for (size_t t = 0; t < trace_.threads.size(); t++) {
      if (InFlight(node.state, t)) return false;
    }
    return true;
  }

  // How far a dead end got: a line of the trace, and a number of events.
  using Reach = std::pair<size_t, size_t>;

  // Two hashes, so that two different states are not taken for one.
  static std::string Key(const Node& node) {
    std::string bytes(reinterpret_cast<const char*>(&node.state), sizeof(node.state));
    bytes.append(reinterpret_cast<const char*>(node.taken.data()), sizeof(node.taken));
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
    Node next = node;
    Obstacle found;
    do {
      found.event = Next(next, t);
      if (found.event == nullptr) return found;
      const bool at_it = next.state.pc[t] == found.event->action;
      found.fit = Take(*found.event, &next);
      found.waits = !found.fit.enabled && at_it && Waits(found.event->action);
      // One that fits is not due to be logged: what comes of it?
    } while (found.fit.difference.empty() && LogOrder::OfTheLog(found.event->action));
    if (!found.fit.difference.empty()) return found;
    found.event = Next(node, t);
    found.fit.difference = "another group is logged before, by the sequences and errors recorded";
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
    const Reach reach{FirstLeft(node), node.total};
    if (reach <= best_reach_) return;
    best_reach_ = reach;
    best_ = node;
    best_steps_ = result.steps;
  }

  // The line of the first event that has no place.
  size_t FirstLeft(const Node& node) const {
    size_t line = SIZE_MAX;
    for (size_t t = 0; t < trace_.threads.size(); t++) {
      const RecordedEvent* const event = Next(node, t);
      if (event != nullptr) line = std::min(line, event->line);
    }
    return line;
  }

  std::string Explain() const {
    const Obstacle first = FirstUnexplained(best_);
    return first.event == nullptr ? ExplainEnd() : Describe(*first.event, first.fit);
  }

  // All events have their place, and a write is still in flight.
  std::string ExplainEnd() const {
    for (size_t t = 0; t < trace_.threads.size(); t++) {
      if (!InFlight(best_.state, t)) continue;
      return TlaThread(t) + " ends within write " + std::to_string(trace_.threads[t].back().write) +
             "; " + std::string(ActionName(best_.state.pc[t])) + " is due";
    }
    return "nothing";
  }

  std::string Describe(const RecordedEvent& event, const Fit& fit) const {
    std::string text = "line ";
    text.append(std::to_string(event.line)).append(": ").append(TlaThread(event.thread));
    text.append(" write ").append(std::to_string(event.write)).append(" event ");
    text.append(std::to_string(event.number)).append(", ").append(ActionName(event.action));
    text.append(": ").append(fit.difference);
    text += "; enabled there:";
    for (size_t t = 0; t < trace_.threads.size(); t++) {
      for (const ActionInfo& info : kActions) {
        if (info.environment || !Enabled(best_.config, best_.state, info.action, t)) continue;
        text.append(" ").append(TlaThread(t)).append(" ").append(info.name).append(",");
      }
    }
    if (text.back() == ',') text.pop_back();
    return text;
  }

  const RecordedTrace& trace_;
  const LogOrder log_order_;
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
      if (event.Flag("disable_wal") || event.Flag("no_slowdown") || event.Flag("unbatched")) {
        return "conform does not follow disable_wal, no_slowdown and unbatched writers (line " +
               std::to_string(event.line) + ")";
      }
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
  return Search(trace, config, limit, progress).Run();
}

}  // namespace bellwether::model
