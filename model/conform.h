// conform.h: is a recorded execution a behaviour of the model?
//
// A trace has the events of each thread in its order, and no order between threads. What is looked
// for is an interleaving in which every event is an enabled action of the model that reads and
// writes the values that were recorded.
//
// Thread safety: none.

#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "model/trace_file.h"

namespace bellwether::model {

struct Conformance {
  enum class Verdict { kConforms, kViolation, kIncomplete };

  Verdict verdict = Verdict::kConforms;
  // Unless it conforms: the first event that no interleaving explains, and what was enabled
  // instead; or what the search ran out of.
  std::string what;
  // The interleaving, as far as one was found.
  std::vector<const RecordedEvent*> steps;
  uint64_t applied = 0;  // actions that were tried
  uint64_t choices = 0;  // places where more than one order was possible
};

// Gives up (kIncomplete) after `limit` actions tried. `progress` is told how many events have their
// place. REQUIRES: the trace outlives the result.
Conformance Conform(const RecordedTrace& trace, uint64_t limit,
                    const std::function<void(uint64_t)>& progress);

}  // namespace bellwether::model
