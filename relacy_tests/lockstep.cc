#include "relacy_tests/lockstep.h"

#include <algorithm>
#include <functional>
#include <memory>
#include <optional>

#include "model/tla_text.h"
#include "relacy_tests/relacy_sync.h"

namespace bellwether::relacy {
namespace {

using model::Action;
using model::Config;
using model::History;

using model::Pointer;
using model::State;
using model::Taken;

std::optional<Config> config;
std::optional<model::Lockstep> lockstep;
std::unique_ptr<Coverage> coverage;

std::optional<model::Mode> ModeOf(const WritePathOptions& options) {
  if (options.max_log_bytes != 0) return std::nullopt;
  const bool parallel = options.allow_concurrent_memtable_write;
  if (options.two_write_queues) {
    return parallel ? model::Mode::kTwoQueuesParallel : model::Mode::kTwoQueues;
  }
  if (options.enable_pipelined_write) {
    return parallel ? model::Mode::kPipelinedParallel : model::Mode::kPipelined;
  }
  return parallel ? model::Mode::kParallel : model::Mode::kSerial;
}

// Writes whose batches all have as many operations.
std::optional<Config> ModelOf(const Scenario& s) {
  const WritePathOptions& options = s.options;
  const std::optional<model::Mode> mode = ModeOf(options);
  const auto counts_end = s.counts.begin() + s.writers;
  const bool same = std::all_of(s.counts.begin(), counts_end,
                                [&](std::uint32_t count) { return count == s.counts[0]; });
  if (!mode || s.fault == Fault::kPreRelease || s.fault == Fault::kEveryInsert ||
      s.no_slowdown != 0 || s.disable_wal != 0 || !same || s.closers > 0 || s.checkpointers > 0 ||
      s.writers > static_cast<int>(model::kMaxThreads) ||
      s.writes > static_cast<int>(model::kMaxWrites)) {
    return std::nullopt;
  }
  Config model;
  model.mode = *mode;
  model.threads = static_cast<std::uint8_t>(s.writers);
  model.writes = static_cast<std::uint8_t>(s.writes);
  model.batch_count = static_cast<std::uint8_t>(s.counts[0]);
  model.wal_errors = s.fault == Fault::kLog;
  model.memtable_errors = s.fault == Fault::kMemTable;
  // A batch of a test has one byte.
  model.max_group = static_cast<std::uint8_t>(
      std::min(model::kMaxThreads, options.max_write_batch_group_size_bytes));
  model.stride_threshold = static_cast<std::uint8_t>(
      std::min<std::size_t>(UINT8_MAX, options.parallel_stride_threshold));
  for (const Pointer w : model::AllWrites(model)) {
    const auto has = [&](unsigned writers) { return (writers >> w.thread() & 1) != 0; };
    if (has(s.sync)) model.SetSync(w);
    if (has(s.failing_callback)) model.callback_fails.Add(w);
    if (has(s.callback_alone)) model.callback_alone.Add(w);
    if (has(s.disable_memtable)) model.disable_memtable.Add(w);
  }
  return model;
}

std::string Enabled(const State& state) {
  std::string text;
  for (std::size_t t = 0; t < config->threads; ++t) {
    for (const model::ActionInfo& info : model::kActions) {
      if (!model::Enabled(*config, state, info.action, t)) continue;
      text += (text.empty() ? "" : ", ") + model::TlaThread(t) + " " + std::string(info.name);
    }
  }
  return text.empty() ? "nothing" : text;
}

[[noreturn]] void FailLockstep(std::string_view action, std::size_t thread,
                               std::string_view wrong) {
  const State& before = lockstep->state();
  execution.explanation = "the model before " + model::TlaThread(thread) + " " +
                          std::string(action) + ":\n" + model::CanonicalText(*config, before) +
                          "\nenabled there: " + Enabled(before) + "\n";
  const std::string what = "LOCKSTEP: " + model::TlaThread(thread) + " " + std::string(action) +
                           ": " + std::string(wrong);
  Fail(what.c_str());
}

// Which of two writers came first means nothing if they are in different queues, and no action
// looks at it: states that differ only there are one, so that such LinkOnes commute.
bool ApplyQueueByQueue(const Config& model, Action action, std::size_t t, State* s) {
  if (!model::Apply(model, action, t, s)) return false;
  const auto of_nonmem = [&](Pointer w) { return model.UsesNonmem(w); };
  std::stable_partition(s->arrival.items.begin(), s->arrival.items.begin() + s->arrival.size,
                        std::not_fn(of_nonmem));
  return true;
}

}  // namespace

Coverage::Coverage(const Config& config) : config_(config), explorer_(config, ApplyQueueByQueue) {
  explorer_.Run(UINT64_MAX, [](std::uint64_t) {});
  std::vector<model::Edge> edges;
  explorer_.ForEachEdge([&](const model::Edge& edge) { edges.push_back(edge); });
  std::stable_sort(edges.begin(), edges.end(),
                   [](const auto& a, const auto& b) { return a.source < b.source; });
  first_.assign(explorer_.distinct() + 1, 0);
  for (const model::Edge& edge : edges) {
    transitions_.push_back({edge.step, edge.target});
    ++first_[edge.source + 1];
  }
  for (std::size_t i = 1; i < first_.size(); ++i) first_[i] += first_[i - 1];
  left_ = transitions_.size();
}

Coverage::Transition* Coverage::Find(std::uint32_t state, Taken step) {
  for (std::uint32_t i = first_[state]; i < first_[state + 1]; ++i) {
    Transition& transition = transitions_[i];
    if (transition.step.action == step.action && transition.step.thread == step.thread) {
      return &transition;
    }
  }
  return nullptr;
}

void Coverage::Add(const History& history) {
  std::string key;
  for (const Taken step : history) {
    key += static_cast<char>(step.action);
    key += static_cast<char>(step.thread);
  }
  if (!histories_.insert(std::move(key)).second) return;
  std::uint32_t state = 0;
  for (const Taken step : history) {
    Transition* const transition = Find(state, step);
    transition->taken = true;
    Reach(transition);
    state = transition->target;
  }
  if (left_ > 0) AddSwapped(history);
}

void Coverage::Reach(Transition* transition) {
  if (transition->swapped) return;
  transition->swapped = true;
  --left_;
}

// The parts of the execution, from its own prefixes on, as far as commuting neighbours lead.
void Coverage::AddSwapped(const History& history) {
  reached_.clear();
  for (auto& steps : steps_) steps.clear();
  Prefix prefix = 0;
  std::uint32_t state = 0;
  reached_[prefix] = state;
  open_.assign(1, prefix);
  for (const Taken step : history) {
    steps_[step.thread].push_back(step);
    prefix += One(step.thread);
    state = Find(state, step)->target;
    reached_[prefix] = state;
    open_.push_back(prefix);
  }
  while (!open_.empty()) {
    const Prefix middle = open_.back();
    open_.pop_back();
    for (std::size_t a = 0; a < config_.threads; ++a) {
      const Prefix one_a = One(a);
      const bool can_go_back = CountOf(middle, a) != 0;
      for (std::size_t b = 0; b < config_.threads; ++b) {
        if (a == b) continue;
        Swap(middle, a, b);
        if (!can_go_back) continue;
        Swap(middle - one_a, a, b);
        if (CountOf(middle, b) != 0) Swap(middle - one_a - One(b), a, b);
      }
    }
  }
}

bool Coverage::StepOf(Prefix prefix, std::size_t thread, Taken* step) const {
  const std::size_t taken = CountOf(prefix, thread);
  if (taken >= steps_[thread].size()) return false;
  *step = steps_[thread][taken];
  return true;
}

// From `prefix`, a and then b are reached. If b and then a lead to the same, so is that.
void Coverage::Swap(Prefix prefix, std::size_t a, std::size_t b) {
  const Prefix one_a = One(a);
  const Prefix one_b = One(b);
  const auto from = reached_.find(prefix);
  const auto both = reached_.find(prefix + one_a + one_b);
  if (from == reached_.end() || both == reached_.end() || !reached_.contains(prefix + one_a)) {
    return;
  }
  Taken step_a;
  Taken step_b;
  if (!StepOf(prefix, a, &step_a) || !StepOf(prefix, b, &step_b)) return;
  Transition* const first = Find(from->second, step_b);
  if (first == nullptr) return;
  Transition* const second = Find(first->target, step_a);
  if (second == nullptr || second->target != both->second) return;
  Reach(first);
  Reach(second);
  if (reached_.emplace(prefix + one_b, first->target).second) open_.push_back(prefix + one_b);
}

Coverage::Figures Coverage::Count() const {
  Figures figures;
  std::vector<bool> reached(explorer_.distinct(), false);
  reached[0] = true;
  for (const Transition& transition : transitions_) {
    figures.edges_taken += transition.taken ? 1 : 0;
    figures.edges_swapped += transition.swapped ? 1 : 0;
    if (transition.swapped) reached[transition.target] = true;
  }
  figures.states = explorer_.distinct();
  figures.states_reached =
      static_cast<std::uint64_t>(std::count(reached.begin(), reached.end(), true));
  figures.edges = transitions_.size();
  figures.stale_loads = stale_loads;
  figures.actions = actions;
  return figures;
}

std::string Coverage::Unreached() const {
  std::string text;
  for (std::uint32_t state = 0; state + 1 < first_.size(); ++state) {
    for (std::uint32_t i = first_[state]; i < first_[state + 1]; ++i) {
      const Transition& transition = transitions_[i];
      if (transition.swapped) continue;
      text += model::TlaThread(transition.step.thread) + " " +
              std::string(model::ActionName(transition.step.action)) + " in " +
              model::CanonicalText(config_, explorer_.state(state)) + "\n";
    }
  }
  return text;
}

bool StartLockstep(const Scenario& scenario) {
  config = settings.lockstep ? ModelOf(scenario) : std::nullopt;
  lockstep.reset();
  coverage.reset();
  if (config && settings.coverage) coverage = std::make_unique<Coverage>(*config);
  return config.has_value();
}

void BeginExecutionInLockstep() {
  if (config) lockstep.emplace(*config);
}

void FollowInLockstep(std::string_view action, std::size_t thread, const model::Observed& seen) {
  const std::optional<Action> known = model::ParseAction(action);
  if (!known) FailLockstep(action, thread, "the model has no such action");
  const std::string_view wrong = lockstep->Take(*known, thread, seen);
  if (!wrong.empty()) FailLockstep(action, thread, wrong);
}

void EndExecutionInLockstep() {
  if (!lockstep) return;
  Check(model::IsFinal(*config, lockstep->state()), "LOCKSTEP: the model is not at its end");
  if (coverage == nullptr) return;
  coverage->stale_loads += lockstep->moved();
  coverage->actions += lockstep->history().size;
  coverage->Add(lockstep->history());
}

const Coverage* LockstepCoverage() { return coverage.get(); }

}  // namespace bellwether::relacy
