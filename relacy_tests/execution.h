// What one execution under Relacy tells the scheduler and the reader of a failure: what each thread
// will do next, and what has been done so far.
//
// A thread announces each shared access before it makes it (Step) and the scheduler decides when it
// may. A step that has to wait (an await, a locked mutex, a condition variable) says so in the
// step: the scheduler runs a thread only when it could go on. Nothing ever parks inside Relacy, so
// a blocked thread costs no executions, and a state where nobody can go on is a deadlock.
//
// Thread safety: none; Relacy runs one fiber at a time.
#pragma once

#include <array>
#include <cstdint>
#include <source_location>
#include <string>
#include <string_view>
#include <vector>

namespace bellwether::relacy {

inline constexpr int kMaxThreads = 8;

// What kind of access a step is: the dpor test drops one family's dependence at a time.
enum class Family : std::uint8_t { kStart, kAtomic, kAwait, kMutex, kCondVar };

// What the first object of a step must hold before the thread can go on.
enum class Wants : std::uint8_t { kNothing, kAnyBitOf, kZero };

struct Access {
  const void* object = nullptr;
  bool writes = false;
};

struct Step {
  Family family = Family::kStart;
  std::array<Access, 2> access{};
  Wants wants = Wants::kNothing;
  std::uint64_t mask = 0;  // of kAnyBitOf
  std::uint64_t (*value)(const void*) =
      nullptr;  // reads the first object, outside the memory model

  bool SatisfiedBy(std::uint64_t v) const {
    if (wants == Wants::kAnyBitOf) return (v & mask) != 0;
    return wants == Wants::kNothing || v == 0;
  }
  bool CanGoOn() const { return wants == Wants::kNothing || SatisfiedBy(value(access[0].object)); }
};

// One row of the lanes: an action of the protocol, or one shared access.
struct Row {
  int thread = 0;
  bool action = false;
  std::string_view name;
  const void* object = nullptr;
  std::uint64_t value = 0;
  const char* note = "";  // what the access did: "=", ":=", "cas", "cas failed"
};

struct Execution {
  std::array<Step, kMaxThreads> next{};
  // The atomic whose link loop the thread is in, if that is explored as one step.
  std::array<const void*, kMaxThreads> linking{};
  std::vector<Row> rows;
  std::source_location where;   // of the last plain access: where a race was found
  std::string failed_property;  // the tag of the property that failed, if one did
  std::string explanation;      // more lines about it
  bool mutated_order_used = false;

  void Begin() {
    next.fill(Step{});
    linking.fill(nullptr);
    rows.clear();
    failed_property.clear();
    explanation.clear();
  }

  // A step on a destroyed object must not wait for a value that nobody will store: let it go on,
  // and meet the lifetime check.
  void Destroyed(const void* object) {
    for (Step& step : next) {
      if (step.access[0].object == object || step.access[1].object == object) {
        step.wants = Wants::kNothing;
      }
    }
  }
};

inline Execution execution;

}  // namespace bellwether::relacy
