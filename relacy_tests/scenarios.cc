#include "relacy_tests/scenarios.h"

#include <algorithm>

namespace bellwether::relacy {

const std::vector<Scenario>& Scenarios() {
  static const std::vector<Scenario> scenarios = {
      {.name = "serial_2x1", .what = "two writers, one write each"},
      {.name = "serial_2x2", .what = "two writers, two writes each: addresses are used again",
       .writes = 2},
      {.name = "serial_3x1", .what = "three writers, one write each", .writers = 3},
      {.name = "blocking_2x1", .what = "two writers that block on mutex and condition variable",
       .blocking_wait = true},
      {.name = "blocking_3x1", .what = "three writers that block", .writers = 3,
       .blocking_wait = true},
      {.name = "sync_skipped_3x1",
       .what = "a sync writer behind a leader without sync: skipped and grafted",
       .writers = 3, .sync_writers = 0b010},
      {.name = "sync_2x1", .what = "a sync writer beside one without", .sync_writers = 0b10},
      {.name = "batches_reader_2x1", .what = "batches of two operations, beside a reader",
       .readers = 1, .counts = {2, 2, 1, 1, 1, 1}},
      {.name = "log_error_2x1", .what = "any append or sync fails", .sync_writers = 0b10,
       .fault = Fault::kLog},
      {.name = "log_error_3x1", .what = "any append or sync fails", .writers = 3,
       .sync_writers = 0b100, .fault = Fault::kLog},
      {.name = "memtable_error_2x1", .what = "any insert fails, beside a reader", .readers = 1,
       .counts = {2, 1, 1, 1, 1, 1}, .fault = Fault::kMemTable},
      {.name = "memtable_error_3x1", .what = "any insert fails", .writers = 3,
       .fault = Fault::kMemTable},
      {.name = "close_1x1", .what = "Close (EnterUnbatched) beside a writer", .writers = 1,
       .closers = 1},
      {.name = "close_2x1", .what = "Close (EnterUnbatched) beside two writers", .closers = 1},
      {.name = "close_twice_1x1", .what = "two threads call Close beside a writer", .writers = 1,
       .closers = 2},
      {.name = "close_log_error_1x1", .what = "Close beside a writer, any append or sync fails",
       .writers = 1, .closers = 1, .fault = Fault::kLog},
      {.name = "group_cap1_3x1", .what = "a group holds one writer", .writers = 3,
       .max_write_batch_group_size_bytes = 1},
      {.name = "group_cap2_3x1", .what = "a group holds two writers", .writers = 3,
       .max_write_batch_group_size_bytes = 2},
  };
  return scenarios;
}

const Scenario* FindScenario(std::string_view name) {
  const auto& all = Scenarios();
  const auto found =
      std::find_if(all.begin(), all.end(), [&](const Scenario& s) { return s.name == name; });
  return found == all.end() ? nullptr : &*found;
}

}  // namespace bellwether::relacy
