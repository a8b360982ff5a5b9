#include "model/explorer.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "model/properties.h"
#include "model/recovery_model.h"
#include "model/write_path_model.h"

namespace bellwether::model {

namespace {

// Of the bytes: two states are equal exactly when those are.
template <class State>
uint32_t Hash(const State& state) {
  constexpr uint64_t kMultiplier = 0x9E3779B97F4A7C15ull;
  uint64_t hash = kMultiplier;
  const char* bytes = reinterpret_cast<const char*>(&state);
  for (size_t offset = 0; offset < sizeof(State); offset += sizeof(uint64_t)) {
    uint64_t word = 0;
    std::memcpy(&word, bytes + offset, std::min(sizeof(word), sizeof(State) - offset));
    hash = (hash ^ word) * kMultiplier;
    hash ^= hash >> 32;
  }
  return static_cast<uint32_t>(hash);
}

template <class State>
bool Equal(const State& a, const State& b) {
  return std::memcmp(&a, &b, sizeof(State)) == 0;
}

constexpr uint64_t kStatesBetweenProgress = 4096;

}  // namespace

template <class Steps>
SearchOutcome BasicExplorer<Steps>::Run(uint64_t limit,
                                        const std::function<void(uint64_t)>& on_progress) {
  slots_.assign(1024, {});
  taken_.assign(kActionCount, 0);
  const State initial = steps_.Initial();
  Insert(initial, kNone, {});
  generated_ = 1;
  uint64_t level_end = 1;  // states below it are at most `depth_` deep
  depth_ = 1;
  violated_ = FirstViolated(steps_.config(), initial);
  if (!violated_.empty()) return Outcome::kViolation;
  for (uint32_t index = 0; index < states_.size(); index++) {
    if (index == level_end) {
      level_end = states_.size();
      depth_++;
    }
    if (index % kStatesBetweenProgress == 0) on_progress(states_.size());
    const uint64_t generated_before = generated_;
    if (!Expand(index)) return Outcome::kViolation;
    if (generated_ == generated_before && !steps_.IsFinal(states_[index])) {
      violated_ = "deadlock";
      counterexample_ = PathTo(index);
      return Outcome::kDeadlock;
    }
    if (states_.size() > limit) return Outcome::kLimit;
  }
  return Outcome::kComplete;
}

template <class Steps>
bool BasicExplorer<Steps>::Expand(uint32_t index) {
  const State source = states_[index];
  steps_.ForEach(source, [&](Action action, uint8_t thread, const State& next) {
    if (violated_.empty()) Take(index, source, {action, thread}, next);
  });
  return violated_.empty();
}

template <class Steps>
void BasicExplorer<Steps>::Take(uint32_t index, const State& source, Step step, const State& next) {
  generated_++;
  taken_[static_cast<size_t>(step.action)]++;
  const size_t known = states_.size();
  const uint32_t target = Insert(next, index, step);
  violated_ = FirstViolated(steps_.config(), source, next);
  if (violated_.empty() && target == known) violated_ = FirstViolated(steps_.config(), next);
  if (violated_.empty()) return;
  counterexample_ = PathTo(index);
  counterexample_.push_back({index, step, target});
}

template <class Steps>
size_t BasicExplorer<Steps>::SlotOf(const State& state, uint32_t hash) const {
  const size_t mask = slots_.size() - 1;
  size_t slot = hash & mask;
  while (slots_[slot].index != kNone &&
         (slots_[slot].hash != hash || !Equal(states_[slots_[slot].index], state))) {
    slot = (slot + 1) & mask;
  }
  return slot;
}

template <class Steps>
uint32_t BasicExplorer<Steps>::Insert(const State& state, uint32_t parent, Step step) {
  const uint32_t hash = Hash(state);
  Slot& slot = slots_[SlotOf(state, hash)];
  if (slot.index != kNone) return slot.index;
  const uint32_t index = static_cast<uint32_t>(states_.size());
  slot = {index, hash};
  states_.push_back(state);
  origins_.push_back({parent, step});
  if (states_.size() * 2 > slots_.size()) Grow();
  return index;
}

template <class Steps>
void BasicExplorer<Steps>::Grow() {
  std::vector<Slot> grown(slots_.size() * 2);
  const size_t mask = grown.size() - 1;
  for (const Slot& old : slots_) {
    if (old.index == kNone) continue;
    size_t slot = old.hash & mask;
    while (grown[slot].index != kNone) slot = (slot + 1) & mask;
    grown[slot] = old;
  }
  slots_ = std::move(grown);
}

template <class Steps>
std::vector<Edge> BasicExplorer<Steps>::PathTo(uint32_t index) const {
  std::vector<Edge> path;
  for (; origins_[index].parent != kNone; index = origins_[index].parent) {
    path.push_back({origins_[index].parent, origins_[index].step, index});
  }
  std::reverse(path.begin(), path.end());
  return path;
}

template <class Steps>
void BasicExplorer<Steps>::ForEachEdge(const std::function<void(const Edge&)>& visit) const {
  for (uint32_t index = 0; index < states_.size(); index++) {
    steps_.ForEach(states_[index], [&](Action action, uint8_t thread, const State& next) {
      visit({index, {action, thread}, slots_[SlotOf(next, Hash(next))].index});
    });
  }
}

template class BasicExplorer<PathSteps>;
template class BasicExplorer<RecoverySteps>;

}  // namespace bellwether::model
