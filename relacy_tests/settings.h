// What one run asks of the policy (relacy_sync.h).
//
// Thread safety: none; set before an exploration.
#pragma once

#include <atomic>  // memory_order
#include <cstdint>
#include <string>

namespace bellwether::relacy {

// One memory order that is weakened for a run.
struct OrderMutation {
  enum class Field : std::uint8_t { kOrder, kSuccess, kFailure };
  std::string entry;  // of orders.h; empty: none
  Field field = Field::kOrder;
  std::memory_order order = std::memory_order::relaxed;
};

struct Settings {
  bool blocking_wait = false;  // SpinUntil gives up at once
  bool linger = false;         // Linger looks once
  bool spurious = false;  // a weak CAS and a wait on a condition variable each fail once per object
  bool link_loop_as_one_step = false;
  bool assertions = true;  // of the header: each reads a shared word, so it is a step more a write
  bool lockstep = false;   // the model follows, if it has all that the scenario does
  bool coverage = false;   // and what of it was reached is counted, swaps of steps included
  OrderMutation mutation;
  void (*on_action)(const char* action, const void* writer) = nullptr;  // who follows, if anybody
};

inline Settings settings;

}  // namespace bellwether::relacy
