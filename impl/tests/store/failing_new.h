// Allocations that fail on request. The replaced operators are in failing_new.cc, out of the
// compiler's sight, which would take them for a mismatch where it inlines only one of them.
#pragma once

#include <cstdint>

namespace bellwether {

// Of this thread: how many allocations succeed before one fails; < 0: all do.
extern thread_local int64_t allocations_left;
extern thread_local bool allocation_refused;

}  // namespace bellwether
