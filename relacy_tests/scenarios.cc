#include "relacy_tests/scenarios.h"

#include <algorithm>

namespace bellwether::relacy {
namespace {

constexpr WritePathOptions kParallel{.allow_concurrent_memtable_write = true};
constexpr WritePathOptions kPipelined{.enable_pipelined_write = true};
constexpr WritePathOptions kPipelinedParallel{.allow_concurrent_memtable_write = true,
                                              .enable_pipelined_write = true};
constexpr WritePathOptions kTwoQueues{.two_write_queues = true};
constexpr WritePathOptions kTwoQueuesParallel{.allow_concurrent_memtable_write = true,
                                              .two_write_queues = true};
constexpr WritePathOptions kStride{.allow_concurrent_memtable_write = true,
                                   .parallel_stride_threshold = 2};

constexpr WritePathOptions kStalling{.max_log_bytes = 1};

WritePathOptions GroupCap(std::size_t writers) {
  return {.max_write_batch_group_size_bytes = writers};  // a test batch has one byte
}

// The race in the name, in serial mode unless it says otherwise.
void AddSerial(std::vector<Scenario>* all) {
  all->insert(
      all->end(),
      {{.name = "serial_2x1", .what = "two writers"},
       {.name = "serial_2x2", .what = "two writes each: addresses are used again", .writes = 2},
       {.name = "serial_3x1", .what = "three writers", .writers = 3},
       {.name = "serial_3x2", .what = "three writers, two writes each", .writers = 3, .writes = 2},
       {.name = "serial_4x1", .what = "four writers", .writers = 4},
       {.name = "sync_2x1", .what = "a sync writer beside one without", .sync = 0b10},
       {.name = "sync_skipped_3x1",
        .what = "a sync writer skipped by a leader without sync",
        .writers = 3,
        .sync = 0b010},
       {.name = "sync_skipped_4x1",
        .what = "the same, with a newcomer behind them",
        .writers = 4,
        .sync = 0b0010},
       {.name = "reader_2x1",
        .what = "batches of two operations, beside a reader",
        .readers = 1,
        .counts = {2, 2, 1, 1, 1, 1}},
       {.name = "log_error_2x1",
        .what = "any append or sync fails",
        .sync = 0b10,
        .fault = Fault::kLog},
       {.name = "log_error_3x1",
        .what = "any append or sync fails",
        .writers = 3,
        .sync = 0b100,
        .fault = Fault::kLog},
       {.name = "memtable_error_2x1",
        .what = "any insert fails, beside a reader",
        .readers = 1,
        .counts = {2, 1, 1, 1, 1, 1},
        .fault = Fault::kMemTable},
       {.name = "memtable_error_3x1",
        .what = "any insert fails",
        .writers = 3,
        .fault = Fault::kMemTable},
       {.name = "callback_3x1",
        .what = "a failing callback fails its write alone",
        .writers = 3,
        .failing_callback = 0b010},
       {.name = "close_1x1",
        .what = "Close (EnterUnbatched) beside a writer",
        .writers = 1,
        .closers = 1},
       {.name = "close_2x1", .what = "Close (EnterUnbatched) beside two writers", .closers = 1},
       {.name = "close_twice_1x1",
        .what = "two threads call Close beside a writer",
        .writers = 1,
        .closers = 2},
       {.name = "close_log_error_1x1",
        .what = "Close beside a writer; an append or sync fails",
        .writers = 1,
        .closers = 1,
        .fault = Fault::kLog},
       {.name = "group_cap1_3x1",
        .what = "a group holds one writer",
        .writers = 3,
        .options = GroupCap(1)},
       {.name = "group_cap2_3x1",
        .what = "a group holds two writers",
        .writers = 3,
        .options = GroupCap(2)},
       {.name = "gather_2x1",
        .what = "a leader with sync looks who is queued, before it collects its group",
        .sync = 0b11,
        .linger = true},
       {.name = "gather_3x1",
        .what = "the same with three writers",
        .writers = 3,
        .sync = 0b111,
        .linger = true}});
}

void AddBlocking(std::vector<Scenario>* all) {
  all->insert(all->end(), {{.name = "blocking_2x1",
                            .what = "serial: mutex and condition variable",
                            .blocking_wait = true},
                           {.name = "blocking_3x1",
                            .what = "serial: mutex and condition variable",
                            .writers = 3,
                            .blocking_wait = true},
                           {.name = "blocking_parallel_2x1",
                            .what = "parallel: mutex and condition variable",
                            .blocking_wait = true,
                            .options = kParallel},
                           {.name = "blocking_pipelined_2x1",
                            .what = "pipelined: mutex and condition variable",
                            .blocking_wait = true,
                            .options = kPipelined}});
}

void AddParallel(std::vector<Scenario>* all) {
  all->insert(
      all->end(),
      {{.name = "parallel_2x1", .what = "two writers", .options = kParallel},
       {.name = "parallel_2x2", .what = "two writes each", .writes = 2, .options = kParallel},
       {.name = "parallel_3x1", .what = "three writers", .writers = 3, .options = kParallel},
       {.name = "parallel_4x1", .what = "four writers", .writers = 4, .options = kParallel},
       {.name = "parallel_memtable_error_3x1",
        .what = "any insert fails",
        .writers = 3,
        .fault = Fault::kMemTable,
        .options = kParallel},
       {.name = "parallel_reader_2x1",
        .what = "beside a reader",
        .readers = 1,
        .counts = {2, 2, 1, 1, 1, 1},
        .options = kParallel},
       {.name = "stride_3x1",
        .what = "parallel, stride launch from two writers on",
        .writers = 3,
        .options = kStride},
       {.name = "stride_4x1",
        .what = "parallel, stride launch from two writers on",
        .writers = 4,
        .options = kStride}});
}

void AddPipelined(std::vector<Scenario>* all) {
  all->insert(
      all->end(),
      {{.name = "pipelined_2x1", .what = "two writers", .options = kPipelined},
       {.name = "pipelined_2x2", .what = "two writes each", .writes = 2, .options = kPipelined},
       {.name = "pipelined_3x1", .what = "three writers", .writers = 3, .options = kPipelined},
       {.name = "pipelined_4x1", .what = "four writers", .writers = 4, .options = kPipelined},
       {.name = "pipelined_memtable_error_2x1",
        .what = "any insert fails, beside a reader",
        .readers = 1,
        .fault = Fault::kMemTable,
        .options = kPipelined},
       {.name = "pipelined_log_error_2x1",
        .what = "any append or sync fails",
        .sync = 0b10,
        .fault = Fault::kLog,
        .options = kPipelined},
       {.name = "pipelined_callback_3x1",
        .what = "a failing callback",
        .writers = 3,
        .failing_callback = 0b001,
        .options = kPipelined},
       {.name = "pipelined_wal_only_2x1",
        .what = "a write without memtable",
        .disable_memtable = 0b01,
        .options = kPipelined},
       {.name = "pipelined_wal_only_3x1",
        .what = "two writes without memtable, and one with",
        .writers = 3,
        .disable_memtable = 0b110,
        .options = kPipelined},
       {.name = "pipelined_close_1x1",
        .what = "Close drains the memtable queue",
        .writers = 1,
        .closers = 1,
        .options = kPipelined},
       {.name = "pipelined_close_2x1",
        .what = "Close drains the memtable queue",
        .closers = 1,
        .options = kPipelined},
       {.name = "pipelined_checkpoint_2x1",
        .what = "a checkpoint waits for the memtable queue",
        .checkpointers = 1,
        .options = kPipelined},
       {.name = "pipelined_parallel_2x1", .what = "two writers", .options = kPipelinedParallel},
       {.name = "pipelined_parallel_3x1",
        .what = "three writers",
        .writers = 3,
        .options = kPipelinedParallel}});
}

void AddTwoQueues(std::vector<Scenario>* all) {
  all->insert(all->end(), {{.name = "two_queues_1+1",
                            .what = "a writer of each queue",
                            .disable_memtable = 0b10,
                            .options = kTwoQueues},
                           {.name = "two_queues_2+1",
                            .what = "two writers and one without memtable",
                            .writers = 3,
                            .disable_memtable = 0b100,
                            .options = kTwoQueues},
                           {.name = "two_queues_2+2",
                            .what = "two writers of each queue",
                            .writers = 4,
                            .disable_memtable = 0b1100,
                            .options = kTwoQueues},
                           {.name = "two_queues_log_error_1+1",
                            .what = "any append or sync fails",
                            .disable_memtable = 0b10,
                            .fault = Fault::kLog,
                            .options = kTwoQueues},
                           {.name = "two_queues_parallel_2+1",
                            .what = "two writers and one without memtable",
                            .writers = 3,
                            .disable_memtable = 0b100,
                            .options = kTwoQueuesParallel},
                           {.name = "two_queues_close_1+1",
                            .what = "Close leads both queues",
                            .closers = 1,
                            .disable_memtable = 0b10,
                            .options = kTwoQueues}});
}

// max_log_bytes is any number: the log says that it is larger, until a checkpoint.
void AddStalls(std::vector<Scenario>* all) {
  all->insert(all->end(), {{.name = "stall_checkpoint_1x1",
                            .what = "a stalled writer, relieved by a checkpoint",
                            .writers = 1,
                            .checkpointers = 1,
                            .log_size = LogSize::kTooLarge,
                            .options = kStalling},
                           {.name = "stall_checkpoint_2x1",
                            .what = "two writers, relieved by a checkpoint",
                            .checkpointers = 1,
                            .log_size = LogSize::kTooLarge,
                            .options = kStalling},
                           {.name = "stall_no_slowdown_2x1",
                            .what = "a writer with no_slowdown beside a stalled one",
                            .checkpointers = 1,
                            .no_slowdown = 0b10,
                            .log_size = LogSize::kTooLarge,
                            .options = kStalling},
                           {.name = "stall_no_slowdown_3x1",
                            .what = "a writer with no_slowdown between stalled ones",
                            .writers = 3,
                            .checkpointers = 1,
                            .no_slowdown = 0b010,
                            .log_size = LogSize::kTooLarge,
                            .options = kStalling},
                           {.name = "stall_midway_3x1",
                            .what = "a leader that was handed the queue stalls",
                            .writers = 3,
                            .checkpointers = 1,
                            .no_slowdown = 0b010,
                            .log_size = LogSize::kTooLargeAfterARecord,
                            .options = kStalling},
                           {.name = "stall_close_1x1",
                            .what = "a stalled writer, relieved by Close",
                            .writers = 1,
                            .closers = 1,
                            .log_size = LogSize::kTooLarge,
                            .options = kStalling},
                           {.name = "stall_close_2x1",
                            .what = "two writers, relieved by Close",
                            .closers = 1,
                            .log_size = LogSize::kTooLarge,
                            .options = kStalling},
                           {.name = "disable_wal_2x1",
                            .what = "a writer that is not logged beside one that is",
                            .disable_wal = 0b10},
                           {.name = "disable_wal_3x1",
                            .what = "a writer that is not logged between two that are",
                            .writers = 3,
                            .disable_wal = 0b010}});
}

}  // namespace

const std::vector<Scenario>& Scenarios() {
  static const std::vector<Scenario> scenarios = [] {
    std::vector<Scenario> all;
    AddSerial(&all);
    AddBlocking(&all);
    AddParallel(&all);
    AddPipelined(&all);
    AddTwoQueues(&all);
    AddStalls(&all);
    return all;
  }();
  return scenarios;
}

const Scenario* FindScenario(std::string_view name) {
  const auto& all = Scenarios();
  const auto found =
      std::find_if(all.begin(), all.end(), [&](const Scenario& s) { return s.name == name; });
  return found == all.end() ? nullptr : &*found;
}

}  // namespace bellwether::relacy
