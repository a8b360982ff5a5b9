// CheckedSync: StdSync with the protocol's assertions on, and with a scheduler that is unkind.
//
// On few cores threads seldom meet inside the protocol; so after an action a thread now and then
// yields or sleeps, and a waiter now and then blocks without spinning. What happened is counted
// (exercised.h). Thread safety: as StdSync's.
#pragma once

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>

#include "bellwether/sync/std_sync.h"
#include "model/tool_report.h"
#include "stress/exercised.h"
#include "stress/workload.h"

namespace bellwether::stress {

// The command line that repeats the current run; for the message of a failure.
inline std::string& ReproduceCommand() {
  static std::string command;
  return command;
}

[[noreturn]] inline void FailNow(ExitCode code, const std::string& what) {
  PrintError("bellwether_stress", what + "; reproduce: " + ReproduceCommand());
  std::fflush(nullptr);
  std::_Exit(static_cast<int>(code));
}

struct CheckedSync : StdSync {
  // Of the calling thread.
  static void Seed(uint64_t seed) { Generator() = Random(seed); }

  template <class T>
  static T SpinUntil(const Atomic<T>& word, T goal_mask, const orders::LoadOrder& order,
                     const AwaitSite& site) {
    if (Generator().Below(4) == 0) return word.load(order);
    return StdSync::SpinUntil(word, goal_mask, order, site);
  }

  static void OnAction(const char* action, const void*) {
    Exercised::NoteAction(action);
    const uint64_t fate = Generator().Below(512);
    if (fate == 0) {
      std::this_thread::sleep_for(std::chrono::microseconds(20));
    } else if (fate < 24) {
      std::this_thread::yield();
    }
  }

  template <class Condition>
  static void Assert(const Condition& condition, const char* invariant) {
    if (!condition()) FailNow(ExitCode::kSafety, std::string(invariant) + " is violated");
  }

 private:
  static Random& Generator() {
    thread_local Random random(0);
    return random;
  }
};

static_assert(SyncPolicy<CheckedSync>);

}  // namespace bellwether::stress
