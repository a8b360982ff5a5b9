// properties.h: the invariants of the spec, under their names.
//
// Thread safety: functions of their arguments.

#pragma once

#include <array>
#include <span>
#include <string_view>

#include "model/config.h"
#include "model/recovery_state.h"
#include "model/state.h"

namespace bellwether::model {

// Holds in every reachable state.
struct Property {
  std::string_view name;
  bool (*holds)(const Config&, const State&);
  bool whatever_crashes = true;  // also where a store may go down
};

// Holds of every step.
struct StepProperty {
  std::string_view name;
  bool (*holds)(const Config&, const State& before, const State& after);
};

std::span<const Property> Properties();
std::span<const StepProperty> StepProperties();

// Of a store that is read from, goes down and recovers; beside those that hold whatever crashes.
struct RecoveryProperty {
  std::string_view name;
  bool (*holds)(const Config&, const RecoveryState&);
};
struct RecoveryStepProperty {
  std::string_view name;
  bool (*holds)(const Config&, const RecoveryState& before, const RecoveryState& after);
};

std::span<const RecoveryProperty> RecoveryProperties();
std::span<const RecoveryStepProperty> RecoveryStepProperties();

// The name of the first property that does not hold; empty if all do.
std::string_view FirstViolated(const Config& config, const State& state);
std::string_view FirstViolated(const Config& config, const State& before, const State& after);
std::string_view FirstViolated(const Config& config, const RecoveryState& state);
std::string_view FirstViolated(const Config& config, const RecoveryState& before,
                               const RecoveryState& after);

}  // namespace bellwether::model
