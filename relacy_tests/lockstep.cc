#include "relacy_tests/lockstep.h"

#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "model/tla_text.h"
#include "relacy_tests/relacy_sync.h"
#include "relacy_tests/run.h"

namespace bellwether::relacy {
namespace {

using model::Action;
using model::Config;
using model::History;
using model::Pointer;
using model::State;
using model::Taken;

// The model of a scenario in which the environment does one thing, and what of it was reached.
struct Followed {
  Config config;
  std::unique_ptr<Coverage> coverage;  // null: it is not counted
};

Scenario scenario;
std::vector<Followed> followed;    // one, or, by the pre-release callback that fails, several
const Followed* active = nullptr;  // in this execution
std::optional<model::Lockstep> lockstep;

model::Mode ModeOf(const WritePathOptions& options) {
  const bool parallel = options.allow_concurrent_memtable_write;
  if (options.two_write_queues) {
    return parallel ? model::Mode::kTwoQueuesParallel : model::Mode::kTwoQueues;
  }
  if (options.enable_pipelined_write) {
    return parallel ? model::Mode::kPipelinedParallel : model::Mode::kPipelined;
  }
  return parallel ? model::Mode::kParallel : model::Mode::kSerial;
}

// Has the model all that the scenario does? Who makes unbatched calls makes one, and then each
// writer writes once.
bool InModel(const Scenario& s) {
  const int callers = s.closers + s.checkpointers;
  return s.writers + callers <= static_cast<int>(model::kMaxThreads) &&
         s.writes <= (callers == 0 ? static_cast<int>(model::kMaxWrites) : 1);
}

void SetWrites(const Scenario& s, Config* model) {
  for (const Pointer w : model::AllWrites(*model)) {
    const auto has = [&](unsigned writers) { return (writers >> w.thread() & 1) != 0; };
    if (has(s.sync)) model->SetSync(w);
    if (has(s.failing_callback)) model->callback_fails.Add(w);
    if (has(s.callback_alone)) model->callback_alone.Add(w);
    if (has(s.disable_memtable)) model->disable_memtable.Add(w);
    if (has(s.disable_wal)) model->disable_wal.Add(w);
    if (has(s.no_slowdown)) model->no_slowdown.Add(w);
  }
}

// REQUIRES: InModel(s).
Config ModelOf(const Scenario& s) {
  const WritePathOptions& options = s.options;
  Config model;
  model.mode = ModeOf(options);
  model.threads = static_cast<std::uint8_t>(s.writers + s.closers + s.checkpointers);
  model.writes = static_cast<std::uint8_t>(s.writes);
  for (std::size_t t = 0; t < static_cast<std::size_t>(s.writers); ++t) {
    model.more_operations[t] = static_cast<std::uint8_t>(s.counts[t] - 1);
  }
  model.wal_errors = s.fault == Fault::kLog;
  model.memtable_errors = s.fault == Fault::kMemTable || s.fault == Fault::kEveryInsert;
  model.max_log = options.max_log_bytes == 0 ? 0 : 1;
  // A batch of a test has one byte.
  model.max_group = static_cast<std::uint8_t>(
      std::min(model::kMaxThreads, options.max_write_batch_group_size_bytes));
  model.stride_threshold = static_cast<std::uint8_t>(
      std::min<std::size_t>(UINT8_MAX, options.parallel_stride_threshold));
  const auto first_closer = static_cast<std::size_t>(s.writers);
  const auto first_checkpointer = first_closer + static_cast<std::size_t>(s.closers);
  for (std::size_t t = first_closer; t < first_checkpointer; ++t) model.closes.Add({t, 1});
  for (std::size_t t = first_checkpointer; t < model.threads; ++t) model.checkpointers[t] = true;
  SetWrites(s, &model);
  return model;
}

// One model for each write whose pre-release callback fails, and one for none.
std::vector<Config> ModelsOf(const Scenario& s) {
  if (!InModel(s)) return {};
  const Config none = ModelOf(s);
  std::vector<Config> models{none};
  if (s.fault != Fault::kPreRelease) return models;
  for (const Pointer w : model::AllWrites(none)) {
    models.push_back(none);
    models.back().pre_release_fails.Add(w);
  }
  return models;
}

bool CheckpointWasMade(const Config& model, const State& s) {
  for (std::size_t t = 0; t < model.threads; ++t) {
    if (!model.Checkpoints(t) || s.incarnation[t] == 0) continue;
    const Action next = s.pc[t];
    if (next == Action::ExitAsBatchGroupLeader || next == Action::ExitAsBatchGroupLeader_SetState ||
        next == Action::Write_Return || next == Action::Write) {
      return true;
    }
  }
  return false;
}

bool LogIsTooLarge(const Config& model, const State& s) {
  if (CheckpointWasMade(model, s) && !scenario.relief_first) return false;
  return scenario.log_size == LogSize::kTooLarge ||
         (scenario.log_size == LogSize::kTooLargeAfterARecord && !s.log.empty());
}

bool CheckpointIsDue(const Config& model, const State& s, std::size_t t) {
  if (s.incarnation[t] != 0) return false;
  if (scenario.relief_after == kNoWriter) return true;
  const auto writer = static_cast<std::size_t>(scenario.relief_after);
  return s.incarnation[writer] == model.writes && !model::InFlight(s, writer);
}

bool CheckpointsReturned(const Config& model, const State& s) {
  for (std::size_t t = 0; t < model.threads; ++t) {
    if (model.Checkpoints(t) && (s.incarnation[t] == 0 || model::InFlight(s, t))) return false;
  }
  return true;
}

// What the spec leaves to the environment is as the scenario has it: each checkpointer makes one
// checkpoint, when it may; the log is as large as its size says until then, however many records it
// holds.
bool ApplyInScenario(const Config& model, Action action, std::size_t t, State* s) {
  if (action == Action::BeginCheckpoint && !CheckpointIsDue(model, *s, t)) return false;
  if (action == Action::Write && scenario.relief_first && !CheckpointsReturned(model, *s)) {
    return false;
  }
  if (action == Action::InsertInto && scenario.fault == Fault::kEveryInsert) return false;
  if (action != Action::PreprocessWrite) return model::Apply(model, action, t, s);
  Config sized = model;
  sized.max_log = LogIsTooLarge(model, *s) ? 0 : UINT8_MAX;
  return model::Apply(sized, action, t, s);
}

std::string FrameName(std::size_t frame) {
  return frame == model::kSecondPlace ? "SECOND" : model::TlaThread(frame);
}

std::string Enabled(const State& state) {
  std::string text;
  for (const std::size_t t : model::Frames(active->config)) {
    for (const model::ActionInfo& info : model::kActions) {
      State next = state;
      if (!ApplyInScenario(active->config, info.action, t, &next)) continue;
      text += (text.empty() ? "" : ", ") + FrameName(t) + " " + std::string(info.name);
    }
  }
  return text.empty() ? "nothing" : text;
}

[[noreturn]] void FailLockstep(std::string_view action, std::size_t thread,
                               std::string_view wrong) {
  const State& before = lockstep->state();
  execution.explanation = "the model before " + FrameName(thread) + " " + std::string(action) +
                          ":\n" + model::CanonicalText(active->config, before) +
                          "\nenabled there: " + Enabled(before) + "\n";
  const std::string what =
      "LOCKSTEP: " + FrameName(thread) + " " + std::string(action) + ": " + std::string(wrong);
  Fail(what.c_str());
}

// Which of two writers came first means nothing if they are in different queues, and no action
// looks at it: states that differ only there are one, so that such LinkOnes commute.
bool ApplyQueueByQueue(const Config& model, Action action, std::size_t t, State* s) {
  if (!ApplyInScenario(model, action, t, s)) return false;
  if (action != Action::LinkOne || !model.TwoQueues()) return true;
  const auto of_nonmem = [&](Pointer w) { return model.UsesNonmem(w); };
  std::stable_partition(s->arrival.items.begin(), s->arrival.items.begin() + s->arrival.size,
                        std::not_fn(of_nonmem));
  return true;
}

}  // namespace

Coverage::Coverage(const Config& config)
    : config_(config), frames_(model::Frames(config)), explorer_(config, ApplyQueueByQueue) {
  if (explorer_.Run(UINT64_MAX, [](std::uint64_t) {}) != model::Explorer::Outcome::kComplete) {
    throw RunError{scenario.name +
                   ": its model has a violation of its own: " + std::string(explorer_.violated())};
  }
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
  if (!histories_.insert(std::hash<std::string>()(key)).second) return;
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
    for (const std::size_t a : frames_) {
      const Prefix one_a = One(a);
      const bool can_go_back = CountOf(middle, a) != 0;
      for (const std::size_t b : frames_) {
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
      text += FrameName(transition.step.thread) + " " +
              std::string(model::ActionName(transition.step.action)) + " in " +
              model::CanonicalText(config_, explorer_.state(state)) + "\n";
    }
  }
  return text;
}

bool StartLockstep(const Scenario& chosen) {
  scenario = chosen;
  followed.clear();
  lockstep.reset();
  active = nullptr;
  if (!settings.lockstep) return false;
  for (const Config& model : ModelsOf(chosen)) {
    followed.push_back({model, settings.coverage ? std::make_unique<Coverage>(model) : nullptr});
  }
  return !followed.empty();
}

void BeginExecutionInLockstep(int failing_pre_release) {
  if (followed.empty()) return;
  active = &followed[static_cast<std::size_t>(failing_pre_release + 1)];
  lockstep.emplace(active->config, ApplyQueueByQueue);
}

namespace {

// Two actions show nothing and are not told: who leads all queues of a poisoned path does not do
// what it came for; the second Writer of its call, which has left its queue, dies.
void TakeUntold() {
  for (const std::size_t frame : model::Frames(active->config)) {
    const State& s = lockstep->state();
    const Action next = s.pc[frame];
    const bool refused =
        (next == Action::Close || next == Action::Checkpoint) && model::Poisoned(s);
    const bool dies = next == Action::Write_Return && frame == model::kSecondPlace;
    if (refused || dies) lockstep->TakeUntold(next, frame);
  }
}

}  // namespace

Action ActionOf(const char* name) {
  // Told millions of times, from a few places.
  static std::unordered_map<const void*, Action> known;
  const auto found = known.find(name);
  if (found != known.end()) return found->second;
  const std::optional<Action> action = model::ParseAction(name);
  if (!action) {
    FailLockstep(name, static_cast<std::size_t>(CurrentThread()), "the model has no such action");
  }
  known.emplace(name, *action);
  return *action;
}

void FollowInLockstep(Action action, std::size_t frame, const model::Observed& seen) {
  if (action == Action::Write && active->config.Checkpoints(frame)) {
    action = Action::BeginCheckpoint;
  }
  if (action == Action::ExitAsBatchGroupLeader) TakeUntold();
  const std::string_view wrong = lockstep->Take(action, frame, seen);
  if (!wrong.empty()) FailLockstep(model::ActionName(action), frame, wrong);
}

void CloseInLockstep(std::size_t thread, bool ok) {
  if (!lockstep) return;
  const bool model_ok = lockstep->state().outcome[thread].last().status == model::WriteStatus::kOK;
  Check(ok == model_ok, "LOCKSTEP: what Close returns");
}

void EndExecutionInLockstep() {
  if (!lockstep) return;
  const State& s = lockstep->state();
  const auto frames = model::Frames(active->config);
  Check(model::IsFinal(active->config, s) &&
            std::none_of(frames.begin(), frames.end(),
                         [&](std::size_t frame) { return model::InFlight(s, frame); }),
        "LOCKSTEP: the model is not at its end");
  Coverage* const coverage = active->coverage.get();
  if (coverage == nullptr) return;
  coverage->stale_loads += lockstep->moved();
  coverage->actions += lockstep->history().size;
  coverage->Add(lockstep->history());
}

std::optional<Coverage::Figures> LockstepFigures() {
  std::optional<Coverage::Figures> all;
  for (const Followed& one : followed) {
    if (one.coverage == nullptr) return std::nullopt;
    const Coverage::Figures figures = one.coverage->Count();
    if (!all) all.emplace();
    all->states += figures.states;
    all->states_reached += figures.states_reached;
    all->edges += figures.edges;
    all->edges_taken += figures.edges_taken;
    all->edges_swapped += figures.edges_swapped;
    all->stale_loads += figures.stale_loads;
    all->actions += figures.actions;
  }
  return all;
}

std::string LockstepUnreached() {
  std::string text;
  for (const Followed& one : followed) {
    if (one.coverage != nullptr) text += one.coverage->Unreached();
  }
  return text;
}

}  // namespace bellwether::relacy
