// properties.h: the invariants of the spec, under their names.
//
// Thread safety: functions of their arguments.

#pragma once

#include <array>
#include <span>
#include <string_view>

#include "model/config.h"
#include "model/state.h"

namespace bellwether::model {

// Holds in every reachable state.
struct Property {
  std::string_view name;
  bool (*holds)(const Config&, const State&);
};

// Holds of every step.
struct StepProperty {
  std::string_view name;
  bool (*holds)(const Config&, const State& before, const State& after);
};

std::span<const Property> Properties();
std::span<const StepProperty> StepProperties();

// The name of the first property that does not hold; empty if all do.
std::string_view FirstViolated(const Config& config, const State& state);
std::string_view FirstViolated(const Config& config, const State& before, const State& after);

}  // namespace bellwether::model
