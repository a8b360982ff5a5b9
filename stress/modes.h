// The legal modes of the write path, by the names that every command line uses.
#pragma once

#include <array>
#include <string_view>

#include "bellwether/write_path/write_options.h"

namespace bellwether::stress {

struct Mode {
  std::string_view name;
  WritePathOptions options;
};

inline constexpr std::array<Mode, 6> kModes{{
    {"serial", {}},
    {"parallel", {.allow_concurrent_memtable_write = true}},
    {"pipelined", {.enable_pipelined_write = true}},
    {"pipelined_parallel",
     {.allow_concurrent_memtable_write = true, .enable_pipelined_write = true}},
    {"two_queues", {.two_write_queues = true}},
    {"two_queues_parallel", {.allow_concurrent_memtable_write = true, .two_write_queues = true}},
}};

}  // namespace bellwether::stress
