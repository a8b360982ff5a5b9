// Lockstep: every explored execution of a scenario that the model covers is one of the spec.
// model/lockstep.h judges each action; here are its beginning and end, its words, and how much of
// the model all executions together have reached.
//
// DPOR runs one of the interleavings that differ only in the order of independent steps. So besides
// the edges that were taken, those count as reached which come of one execution by swapping
// neighbouring steps that commute in the model (`edges_swapped` includes both).
//
// Thread safety: none; Relacy runs one fiber at a time.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "model/explorer.h"
#include "model/lockstep.h"
#include "relacy_tests/scenarios.h"

namespace bellwether::relacy {

// The model's graph, and what of it was reached.
class Coverage {
 public:
  explicit Coverage(const model::Config& config);

  void Add(const model::History& history);

  struct Figures {
    std::uint64_t states = 0;
    std::uint64_t states_reached = 0;
    std::uint64_t edges = 0;
    std::uint64_t edges_taken = 0;
    std::uint64_t edges_swapped = 0;
    std::uint64_t stale_loads = 0;
    std::uint64_t actions = 0;
  };
  Figures Count() const;
  // The edges that were not reached, one a line: "t1 LinkOne in /\ ...".
  std::string Unreached() const;

  std::uint64_t stale_loads = 0;
  std::uint64_t actions = 0;

 private:
  static constexpr std::uint32_t kNone = UINT32_MAX;
  struct Transition {
    model::Step step;
    std::uint32_t target;
    bool taken = false;
    bool swapped = false;
  };
  // How many steps each frame has taken: a part of one execution.
  using Prefix = std::uint64_t;
  static constexpr unsigned kBits = 64 / model::kFrames;
  static Prefix One(std::size_t thread) { return Prefix{1} << (kBits * thread); }
  static std::size_t CountOf(Prefix prefix, std::size_t thread) {
    return prefix >> (kBits * thread) & ((Prefix{1} << kBits) - 1);
  }

  void Reach(Transition* transition);
  Transition* Find(std::uint32_t state, model::Taken step);
  void AddSwapped(const model::History& history);
  void Swap(Prefix prefix, std::size_t a, std::size_t b);
  bool StepOf(Prefix prefix, std::size_t thread, model::Taken* step) const;

  const model::Config config_;
  const model::Sequence<std::uint8_t, model::kFrames> frames_;
  model::Explorer explorer_;
  std::vector<std::uint32_t> first_;  // of each state's transitions, and the end
  std::vector<Transition> transitions_;
  std::size_t left_ = 0;  // of the transitions, how many were not reached
  // Hashes of those that were added: two histories of one hash could only count too little.
  std::unordered_set<std::size_t> histories_;
  // Of the execution whose swaps are looked for.
  model::PerFrame<std::vector<model::Taken>> steps_;
  std::unordered_map<Prefix, std::uint32_t> reached_;
  std::vector<Prefix> open_;
};

// True if the model has all that the scenario does, and settings.lockstep: its executions are then
// followed.
bool StartLockstep(const Scenario& scenario);
// REQUIRES (the next five): StartLockstep returned true, or they do nothing; the number is that of
// the write whose pre-release callback fails, or kNoWrite.
void BeginExecutionInLockstep(int failing_pre_release);
// The action that the code under test tells by this literal. Fails the execution if there is none.
model::Action ActionOf(const char* name);
// Fails the execution if the model cannot follow. `frame` is a thread, or the place of the second
// Writer of an unbatched call.
void FollowInLockstep(model::Action action, std::size_t frame, const model::Observed& seen);
void CloseInLockstep(std::size_t thread, bool ok);
void EndExecutionInLockstep();
// Of the last exploration; nothing if it was not counted.
std::optional<Coverage::Figures> LockstepFigures();
std::string LockstepUnreached();

}  // namespace bellwether::relacy
