#include "relacy_tests/search.h"

#include <algorithm>
#include <bit>
#include <cstdio>
#include <cstdlib>

namespace bellwether::relacy {
namespace {

unsigned Bit(int thread) { return 1u << thread; }
int Lowest(unsigned threads) { return std::countr_zero(threads); }

void Join(Clock& clock, const Clock& other) {
  for (std::size_t i = 0; i < clock.size(); ++i) clock[i] = std::max(clock[i], other[i]);
}

std::uint64_t Mix(std::uint64_t hash, std::uint64_t value) {
  hash ^= value + 0x9e3779b97f4a7c15u + (hash << 6) + (hash >> 2);
  hash *= 0xff51afd7ed558ccdu;
  return hash ^ (hash >> 33);
}

// The test did not repeat itself: every later statement about it would be worthless.
[[noreturn]] void NotDeterministic() {
  std::fputs(
      "bellwether_relacy: the test is not deterministic (it made another choice when it was "
      "replayed); remove what it reads beside its own state\n",
      stderr);
  std::abort();
}

}  // namespace

// --- TraceHash
// ------------------------------------------------------------------------------------

void TraceHash::Begin() {
  objects_.clear();
  clocks_ = {};
  step_ = 0;
  sum_ = 0;
}

void TraceHash::OnStep(int thread, const Step& step) {
  Close();
  Clock& clock = clocks_[static_cast<std::size_t>(thread)];
  ++clock[static_cast<std::size_t>(thread)];
  for (const Access& access : step.access) {
    if (access.object == nullptr) continue;
    auto found = std::find_if(objects_.begin(), objects_.end(),
                              [&](const Object& o) { return o.object == access.object; });
    if (found == objects_.end()) found = objects_.insert(found, Object{access.object, {}, {}});
    Join(clock, found->writes);
    if (access.writes) Join(clock, found->reads);
  }
  for (const Access& access : step.access) {
    for (Object& object : objects_) {
      if (object.object == access.object) Join(access.writes ? object.writes : object.reads, clock);
    }
  }
  step_ = Mix(Mix(1, static_cast<std::uint64_t>(thread)), static_cast<std::uint64_t>(step.family));
  for (int c : clock) step_ = Mix(step_, static_cast<std::uint64_t>(c));
}

void TraceHash::OnChoice(unsigned choice) { step_ = Mix(step_, choice); }

void TraceHash::Close() {
  sum_ += step_;  // the same for every order of independent steps
  step_ = 0;
}

std::uint64_t TraceHash::value() {
  Close();
  return sum_;
}

// --- Search: choices
// ------------------------------------------------------------------------------

void Search::BeginExecution() {
  depth_ = 0;
  events_.clear();
  objects_.clear();
  clocks_ = {};
  sleep_ = 0;
  free_ = false;
  preemptions_ = 0;
  random_ = Mix(Mix(0, options_.seed), options_.first + RandomNumber());
  choices_.clear();
  trace_.Begin();
}

std::uint64_t Search::Random() {
  random_ += 0x9e3779b97f4a7c15u;  // splitmix64
  std::uint64_t z = random_;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

Search::Threads Search::Enabled(Threads running) const {
  Threads enabled = 0;
  for (Threads rest = running; rest != 0; rest &= rest - 1) {
    const int thread = Lowest(rest);
    if (execution.next[static_cast<std::size_t>(thread)].CanGoOn()) enabled |= Bit(thread);
  }
  return enabled;
}

int Search::NextThread(unsigned running, int current) {
  // Up to its first step a thread touches nothing shared: no choice.
  for (Threads rest = running; rest != 0; rest &= rest - 1) {
    const int thread = Lowest(rest);
    if (execution.next[static_cast<std::size_t>(thread)].family == Family::kStart) return thread;
  }
  const Threads enabled = Enabled(running);
  if (enabled == 0) return -1;
  if (current >= 0 && (enabled & Bit(current)) == 0) current = -1;
  const int thread = Explore(enabled, current);
  choices_.push_back(static_cast<char>('0' + thread));
  if (options_.hashes_traces) {
    trace_.OnStep(thread, execution.next[static_cast<std::size_t>(thread)]);
  }
  return thread;
}

int Search::Explore(Threads enabled, int current) {
  const int first = current >= 0 ? current : Lowest(enabled);
  if (options_.strategy == Strategy::kReplay) {
    const std::size_t at = choices_.size();
    const int thread = at < options_.replay.size() ? options_.replay[at] - '0' : first;
    if (thread < 0 || thread >= kMaxThreads || (enabled & Bit(thread)) == 0) return first;
    return thread;
  }
  if (options_.strategy == Strategy::kRandom) {
    auto skip = Random() % static_cast<unsigned>(std::popcount(enabled));
    for (; skip != 0; --skip) enabled &= enabled - 1;
    return Lowest(enabled);
  }
  if (free_ || BelongsToAnother()) return first;
  if (depth_ == nodes_.size()) {
    Threads candidates = enabled & ~sleep_;
    if (options_.strategy == Strategy::kContextBound && current >= 0 &&
        preemptions_ >= options_.context_bound) {
      candidates = Bit(current);
    }
    if (candidates == 0) {
      free_ = true;
      ++redundant_;
      return first;
    }
    NewNode(enabled, candidates, current);
  }
  const Node& node = nodes_[depth_];
  if (node.is_value || node.enabled != enabled) NotDeterministic();
  const int thread = static_cast<int>(node.chosen);
  if (current >= 0 && thread != current) ++preemptions_;
  if (options_.strategy == Strategy::kDpor) {
    Record(thread, depth_);
    Sleep(nodes_[depth_], thread);
  }
  ++depth_;
  max_depth_ = std::max(max_depth_, depth_);
  return thread;
}

void Search::NewNode(Threads enabled, Threads candidates, int current) {
  Node node;
  node.enabled = enabled;
  node.sleep = sleep_;
  node.chosen = static_cast<unsigned>(
      current >= 0 && (candidates & Bit(current)) != 0 ? current : Lowest(candidates));
  const bool dpor = options_.strategy == Strategy::kDpor;
  const bool all = !dpor || (Splits() && depth_ < kSplitDepth);
  node.backtrack = all ? candidates : Bit(static_cast<int>(node.chosen));
  if (dpor) node.next = execution.next;
  nodes_.push_back(node);
}

unsigned Search::NextValue(unsigned limit) {
  unsigned value = 0;
  if (options_.strategy == Strategy::kReplay) {
    const std::size_t at = choices_.size();
    if (at < options_.replay.size() && options_.replay[at] >= 'a') {
      value = std::min(static_cast<unsigned>(options_.replay[at] - 'a'), limit - 1);
    }
  } else if (options_.strategy == Strategy::kRandom) {
    value = static_cast<unsigned>(Random() % limit);
  } else if (!free_ && !BelongsToAnother()) {
    if (depth_ == nodes_.size()) {
      Node node;
      node.is_value = true;
      node.limit = limit;
      nodes_.push_back(node);
    }
    const Node& node = nodes_[depth_];
    if (!node.is_value || node.limit != limit) NotDeterministic();
    value = node.chosen;
    ++depth_;
  }
  choices_.push_back(static_cast<char>('a' + value));
  if (options_.hashes_traces) trace_.OnChoice(value);
  return value;
}

bool Search::EndExecution() {
  ++runs_;
  if (!free_ && !last_was_counted()) ++foreign_;
  if (options_.strategy == Strategy::kReplay) return true;
  if (options_.strategy == Strategy::kRandom) {
    return RandomNumber() >= options_.executions;
  }
  return Backtrack();
}

// At the split: the shards take turns.
bool Search::BelongsToAnother() {
  const bool splits_here = Splits() && depth_ == kSplitDepth && nodes_.size() == kSplitDepth;
  if (!splits_here || parts_++ % options_.shards == options_.shard - 1) return false;
  free_ = true;
  ++foreign_;
  return true;
}

// Takes back choices until one has an alternative left.
bool Search::Backtrack() {
  while (!nodes_.empty()) {
    Node& node = nodes_.back();
    if (node.is_value) {
      if (++node.chosen < node.limit) return false;
    } else {
      node.done |= Bit(static_cast<int>(node.chosen));
      const Threads left = node.backtrack & node.enabled & ~node.done & ~node.sleep;
      if (left != 0) {
        node.chosen = static_cast<unsigned>(Lowest(left));
        return false;
      }
    }
    nodes_.pop_back();
  }
  return true;
}

// --- Search: dependence
// ---------------------------------------------------------------------------

bool Search::Ignored(const Step& step) const { return step.family == options_.ignored_dependence; }

bool Search::Depend(const Step& a, const Step& b) const {
  if (Ignored(a) && Ignored(b)) return false;
  for (const Access& x : a.access) {
    for (const Access& y : b.access) {
      if (x.object != nullptr && x.object == y.object && (x.writes || y.writes)) return true;
    }
  }
  return false;
}

// Those that were explored from this node, or slept there already, need not run again until a step
// that depends on theirs was made.
void Search::Sleep(const Node& node, int thread) {
  Threads sleep = 0;
  for (Threads rest = (node.sleep | node.done) & ~Bit(thread); rest != 0; rest &= rest - 1) {
    const int other = Lowest(rest);
    if (!Depend(node.next[static_cast<std::size_t>(other)],
                node.next[static_cast<std::size_t>(thread)])) {
      sleep |= Bit(other);
    }
  }
  sleep_ = sleep;
}

Search::Object& Search::Find(const void* object) {
  for (Object& known : objects_) {
    if (known.object == object) return known;
  }
  Object fresh;
  fresh.object = object;
  fresh.last_read.fill(-1);
  objects_.push_back(fresh);
  return objects_.back();
}

void Search::Record(int thread, std::size_t node) {
  const Step step = nodes_[node].next[static_cast<std::size_t>(thread)];
  Event event;
  event.node = node;
  event.thread = thread;
  event.step = step;
  if (step.value != nullptr) event.before = step.value(step.access[0].object);
  const bool ignored = Ignored(step);
  if (!ignored) FindRaces(thread, step);

  Clock& clock = clocks_[static_cast<std::size_t>(thread)];
  const int self = static_cast<int>(events_.size());
  for (std::size_t i = 0; i < step.access.size() && !ignored; ++i) {
    const Access& access = step.access[i];
    if (access.object == nullptr) continue;
    Object& object = Find(access.object);
    event.previous_write[i] = object.last_write;
    if (object.last_write >= 0) {
      Join(clock, events_[static_cast<std::size_t>(object.last_write)].clock);
    }
    for (int read : object.last_read) {
      if (access.writes && read >= 0) Join(clock, events_[static_cast<std::size_t>(read)].clock);
    }
    if (access.writes) {
      object.last_write = self;
    } else {
      object.last_read[static_cast<std::size_t>(thread)] = self;
    }
  }
  ++clock[static_cast<std::size_t>(thread)];
  event.clock = clock;
  events_.push_back(event);
}

void Search::FindRaces(int thread, const Step& step) {
  for (const Access& access : step.access) {
    if (access.object == nullptr) continue;
    const Object object = Find(access.object);
    const bool waits = step.wants != Wants::kNothing && access.object == step.access[0].object;
    Race(waits ? LastConflict(step, object) : object.last_write, thread, step);
    for (int read : object.last_read) {
      if (access.writes) Race(read, thread, step);
    }
  }
}

// A step that waits could not have run before the write that let it go on. It races with the last
// write before which it could.
int Search::LastConflict(const Step& step, const Object& object) const {
  int write = object.last_write;
  while (write >= 0) {
    const Event& event = events_[static_cast<std::size_t>(write)];
    const std::size_t slot = event.step.access[0].object == object.object ? 0 : 1;
    // The value before is known for the first object of a step; leaving a mutex in a wait (the
    // second) found it locked.
    if (slot == 0 && step.SatisfiedBy(event.before)) return write;
    write = event.previous_write[slot];
  }
  return -1;
}

// `event` and the next step of `thread` depend on each other, and nothing orders them: see to it
// that the other order is explored.
void Search::Race(int index, int thread, const Step& step) {
  if (index < 0) return;
  const Event& event = events_[static_cast<std::size_t>(index)];
  const auto owner = static_cast<std::size_t>(event.thread);
  if (event.thread == thread ||
      event.clock[owner] <= clocks_[static_cast<std::size_t>(thread)][owner]) {
    return;
  }
  Node& node = nodes_[event.node];
  const Threads initials = Initials(event, thread, step);
  if ((initials & (node.backtrack | node.sleep)) != 0) return;
  node.backtrack |= (initials & Bit(thread)) != 0 ? Bit(thread) : Bit(Lowest(initials));
}

// The threads that can be the first of an execution in which the step of `thread` comes before
// `event`: of the steps since then that do not happen after it, those that happen after no other.
Search::Threads Search::Initials(const Event& event, int thread, const Step& step) const {
  const auto owner = static_cast<std::size_t>(event.thread);
  std::vector<const Event*> kept;
  Threads seen = 0;
  Threads initials = 0;
  const auto after_none = [&](const Clock& clock) {
    return std::none_of(kept.begin(), kept.end(), [&](const Event* earlier) {
      const auto t = static_cast<std::size_t>(earlier->thread);
      return clock[t] >= earlier->clock[t];
    });
  };
  for (auto i = static_cast<std::size_t>(&event - events_.data()) + 1; i < events_.size(); ++i) {
    const Event& later = events_[i];
    if (later.clock[owner] >= event.clock[owner]) continue;
    if ((seen & Bit(later.thread)) == 0 && after_none(later.clock)) initials |= Bit(later.thread);
    seen |= Bit(later.thread);
    kept.push_back(&later);
  }
  const bool depends = std::any_of(
      kept.begin(), kept.end(), [&](const Event* earlier) { return Depend(earlier->step, step); });
  if ((seen & Bit(thread)) == 0 && !depends &&
      after_none(clocks_[static_cast<std::size_t>(thread)])) {
    initials |= Bit(thread);
  }
  return initials;
}

}  // namespace bellwether::relacy
