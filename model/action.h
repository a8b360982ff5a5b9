// action.h: the actions of actions.def as an enum with names.
//
// Thread safety: everything here is constant.

#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace bellwether::model {

enum class Action : uint8_t {
#define BELLWETHER_ACTION(name, meaning) name,
#define BELLWETHER_ENVIRONMENT_ACTION(name, meaning) name,
#define BELLWETHER_STORE_ACTION(name, meaning) name,
#include "model/actions.def"
#undef BELLWETHER_ACTION
#undef BELLWETHER_ENVIRONMENT_ACTION
#undef BELLWETHER_STORE_ACTION
  // No action: where the second Writer stands while its call leads all queues.
  ExitUnbatched,
};

struct ActionInfo {
  Action action;
  std::string_view name;
  std::string_view meaning;
  bool environment;
};

// Those of the write path.
inline constexpr auto kActions = std::to_array<ActionInfo>({
#define BELLWETHER_ACTION(name, meaning) {Action::name, #name, meaning, false},
#define BELLWETHER_ENVIRONMENT_ACTION(name, meaning) {Action::name, #name, meaning, true},
#include "model/actions.def"
#undef BELLWETHER_ACTION
#undef BELLWETHER_ENVIRONMENT_ACTION
});

// Those of the store around it.
inline constexpr auto kStoreActions = std::to_array<ActionInfo>({
#define BELLWETHER_ACTION(name, meaning)
#define BELLWETHER_ENVIRONMENT_ACTION(name, meaning)
#define BELLWETHER_STORE_ACTION(name, meaning) \
  {Action::name, #name, meaning, Action::name == Action::Crash},
#include "model/actions.def"
#undef BELLWETHER_ACTION
#undef BELLWETHER_ENVIRONMENT_ACTION
#undef BELLWETHER_STORE_ACTION
});

inline constexpr size_t kActionCount = kActions.size() + kStoreActions.size();

inline constexpr std::string_view ActionName(Action action) {
  const auto index = static_cast<size_t>(action);
  if (index < kActions.size()) return kActions[index].name;
  return index < kActionCount ? kStoreActions[index - kActions.size()].name : "ExitUnbatched";
}

// Of the write path: the others are in no trace.
inline constexpr std::optional<Action> ParseAction(std::string_view name) {
  for (const ActionInfo& info : kActions) {
    if (info.name == name) return info.action;
  }
  return std::nullopt;
}

}  // namespace bellwether::model
