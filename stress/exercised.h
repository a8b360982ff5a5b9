// What the runs of a command have exercised, so that none passes for a test of what never happened.
//
// The counts stand in memory that is shared with children, so those of a child that is killed are
// there too. Thread safety: all functions may be called concurrently, but Reset.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "stress/child.h"

namespace bellwether::stress {

enum class Mechanism : uint8_t {
  kGroups,          // led to the log
  kSyncs,           // of groups
  kCheckpoints,     // that rotated the log: called, or due by max_log_bytes
  kStalls,          // begun
  kStallRefusals,   // no_slowdown writes that met a stall
  kCallbackErrors,  // write callbacks that failed
  kUnlogged,        // disable_wal writes that were acknowledged
  kPrepares,
  kCommits,
  kRollbacks,
};

inline constexpr std::array<std::string_view, 10> kMechanismNames{
    "groups",           "syncs",    "checkpoints", "stalls",  "stall_refusals",
    "callbacks_failed", "unlogged", "prepares",    "commits", "rollbacks"};

class Exercised {
 public:
  // REQUIRES: nothing runs.
  static void Reset() {
    for (auto& count : *Counts()) count = 0;
  }

  static void Note(Mechanism mechanism) {
    (*Counts())[static_cast<size_t>(mechanism)].fetch_add(1, std::memory_order::relaxed);
  }

  // The actions of the protocol that are counted (SyncPolicy::OnAction).
  static void NoteAction(std::string_view action) {
    switch (action.front()) {
      case 'W':
        if (action == "WriteToWAL") Note(Mechanism::kGroups);
        if (action == "WriteToWAL_Sync") Note(Mechanism::kSyncs);
        break;
      case 'B':
        if (action == "BeginWriteStall") Note(Mechanism::kStalls);
        break;
      case 'C':
        if (action == "Checkpoint") Note(Mechanism::kCheckpoints);
        break;
      default:
        break;
    }
  }

  static void AddTo(nlohmann::ordered_json* figures) {
    for (size_t i = 0; i < kMechanismNames.size(); ++i) {
      (*figures)[std::string(kMechanismNames[i])] = (*Counts())[i].load();
    }
  }

  // The names of those that never happened. A single thread meets no stall: it takes the checkpoint
  // itself that its own group made due.
  static std::string Missing(uint32_t threads) {
    std::string missing;
    for (size_t i = 0; i < kMechanismNames.size(); ++i) {
      const auto mechanism = static_cast<Mechanism>(i);
      const bool stalls = mechanism == Mechanism::kStalls || mechanism == Mechanism::kStallRefusals;
      if ((*Counts())[i].load() != 0 || (stalls && threads == 1)) continue;
      missing += (missing.empty() ? "" : ", ") + std::string(kMechanismNames[i]);
    }
    return missing;
  }

 private:
  using Array = std::array<std::atomic<uint64_t>, kMechanismNames.size()>;

  static const Shared<Array>& Counts() {
    static const Shared<Array> counts;
    return counts;
  }
};

}  // namespace bellwether::stress
