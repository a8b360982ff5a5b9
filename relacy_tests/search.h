// The search over the executions of a test: a tree of choices, walked depth first, each execution
// replayed from its start. A choice is the next thread, or a value (which store a load reads, which
// waiter is woken, whether a weak CAS fails).
//
//   kDfs           every choice: the yardstick
//   kDpor          one execution for each Mazurkiewicz trace: source sets and sleep sets after
//                  Abdulla, Aronis, Jonsson, Sagonas (POPL 2014). Two steps depend on each other if
//                  they share an object and one of them writes it; a mutex is written by lock and
//                  unlock, a condition variable by wait and notify
//   kContextBound  every choice with at most `context_bound` preemptions
//   kRandom        `executions` of an endless sequence of random ones, from number `first` on
//   kReplay        the one execution that `replay` names
//
// A step that waits is not enabled (Step::CanGoOn), and what enables it is no race: the race is
// with the last step that took the enabling value away, so that DPOR is complete for awaits,
// mutexes and condition variables.
//
// A shard explores its part of the tree: every shard walks the first kSplitDepth choices, all of
// them, and each part below belongs to one shard. No choice up there depends on what is found
// below, so the shards need not talk, and the traces that they explore are those of the whole.
//
// Thread safety: none.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "relacy_tests/execution.h"

namespace bellwether::relacy {

enum class Strategy : std::uint8_t { kDfs, kDpor, kContextBound, kRandom, kReplay };

struct SearchOptions {
  Strategy strategy = Strategy::kDpor;
  int context_bound = 0;
  std::uint64_t first = 0;
  std::uint64_t executions = 0;
  std::uint64_t seed = 0;
  std::string replay;
  std::uint64_t shard = 1;  // 1 to shards
  std::uint64_t shards = 1;
  bool hashes_traces = false;  // for trace()
  // A fault of the search itself: steps of this family never depend on each other. The dpor test
  // shows that it is noticed.
  std::optional<Family> ignored_dependence;
};

using Clock = std::array<int, kMaxThreads>;

// The happens-before order of one execution: program order and dependence. Its hash is the same for
// all executions of a Mazurkiewicz trace.
class TraceHash {
 public:
  void Begin();
  void OnStep(int thread, const Step& step);
  void OnChoice(unsigned choice);
  std::uint64_t value();

 private:
  struct Object {
    const void* object;
    Clock writes;  // of all writes so far
    Clock reads;
  };
  void Close();

  std::vector<Object> objects_;
  std::array<Clock, kMaxThreads> clocks_{};
  std::uint64_t step_ = 0;  // hash of the open step
  std::uint64_t sum_ = 0;
};

class Search {
 public:
  explicit Search(SearchOptions options) : options_(std::move(options)) {}

  void BeginExecution();
  // The thread that runs next; `running` are those that have not finished, `current` made the last
  // step (-1 if it has finished). Returns -1 if none can go on: a deadlock.
  int NextThread(unsigned running, int current);
  unsigned NextValue(unsigned limit);
  // True when nothing is left to explore.
  bool EndExecution();

  // The choices of the current execution, as --replay takes them.
  const std::string& choices() const { return choices_; }
  // Of DPOR: one a trace, whatever the order in which it met them. Not counted are those that only
  // repeat others (DPOR met a state whose every enabled thread sleeps) or belong to other shards.
  std::uint64_t executions() const { return runs_ - redundant_ - foreign_; }
  std::uint64_t redundant() const { return redundant_; }
  // How often the test ran.
  std::uint64_t runs() const { return runs_; }
  std::size_t max_depth() const { return max_depth_; }
  // Who ends before the split belongs to the first shard.
  bool last_was_counted() const {
    return !free_ && (!Splits() || nodes_.size() > kSplitDepth || options_.shard == 1);
  }
  // REQUIRES: options.hashes_traces.
  TraceHash& trace() { return trace_; }

 private:
  using Threads = unsigned;  // one bit a thread

  static constexpr std::size_t kSplitDepth = 10;

  struct Node {
    bool is_value = false;
    unsigned limit = 0;   // of a value
    unsigned chosen = 0;  // thread or value
    Threads enabled = 0;
    Threads sleep = 0;
    Threads done = 0;
    Threads backtrack = 0;
    std::array<Step, kMaxThreads> next{};
  };

  struct Event {
    std::size_t node = 0;
    int thread = 0;
    Clock clock{};  // clock[thread] is its number in its thread
    Step step;
    std::uint64_t before = 0;                   // of the first object
    std::array<int, 2> previous_write{-1, -1};  // of the objects
  };

  struct Object {
    const void* object = nullptr;
    int last_write = -1;
    std::array<int, kMaxThreads> last_read{};
  };

  bool Splits() const { return options_.shards > 1 && options_.strategy != Strategy::kRandom; }
  bool BelongsToAnother();
  Threads Enabled(Threads running) const;
  int Explore(Threads enabled, int current);
  void NewNode(Threads enabled, Threads candidates, int current);
  void Sleep(const Node& node, int thread);
  void Record(int thread, std::size_t node);
  void FindRaces(int thread, const Step& step);
  int LastConflict(const Step& step, const Object& object) const;
  void Race(int index, int thread, const Step& step);
  Threads Initials(const Event& event, int thread, const Step& step) const;
  bool Depend(const Step& a, const Step& b) const;
  bool Ignored(const Step& step) const;
  Object& Find(const void* object);
  bool Backtrack();
  // Of the execution, from options.first on: shards take turns.
  std::uint64_t RandomNumber() const { return runs_ * options_.shards + options_.shard - 1; }
  std::uint64_t Random();

  const SearchOptions options_;
  std::vector<Node> nodes_;
  std::size_t depth_ = 0;
  std::vector<Event> events_;
  std::vector<Object> objects_;
  std::array<Clock, kMaxThreads> clocks_{};
  Threads sleep_ = 0;
  bool free_ =
      false;  // the rest of this execution is not explored: it repeats others, or is theirs
  int preemptions_ = 0;
  std::uint64_t random_ = 0;
  std::string choices_;
  std::uint64_t runs_ = 0;
  std::uint64_t redundant_ = 0;
  std::uint64_t foreign_ = 0;
  std::uint64_t parts_ = 0;  // that the split has made so far
  std::size_t max_depth_ = 0;
  TraceHash trace_;
};

}  // namespace bellwether::relacy
