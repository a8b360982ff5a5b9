#include "relacy_tests/scenarios.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "stress/modes.h"

namespace bellwether::relacy {
namespace {

using stress::kModes;
using stress::Mode;

// The scenarios of one mode.
class OfMode {
 public:
  OfMode(const Mode& mode, std::vector<Scenario>* all) : mode_(mode), all_(all) {
    if (mode.name != "serial") prefix_ = std::string(mode.name) + "_";
  }

  void AddAll() {
    AddPlain();
    AddWrites();
    AddErrors();
    AddUnbatched();
    AddGroups();
    AddStalls();
    AddBlocking();
  }

 private:
  // REQUIRES: the scenario has no name yet; with two queues its last `nonmem` writers insert
  // nothing.
  void Add(const std::string& race, int nonmem, Scenario s) {
    const std::string bounds =
        nonmem == 0 ? std::to_string(s.writers) + "x" + std::to_string(s.writes)
                    : std::to_string(s.writers - nonmem) + "+" + std::to_string(nonmem);
    s.name = race + bounds;
    s.mode = mode_.name;
    s.disable_memtable |= ((1u << nonmem) - 1) << (s.writers - nonmem);
    s.options.allow_concurrent_memtable_write = mode_.options.allow_concurrent_memtable_write;
    s.options.enable_pipelined_write = mode_.options.enable_pipelined_write;
    s.options.two_write_queues = mode_.options.two_write_queues;
    all_->push_back(std::move(s));
  }
  // The race in the name; with two queues the last of several writers inserts nothing.
  void AddRace(const std::string& race, Scenario s) {
    const bool nonmem = mode_.options.two_write_queues && s.writers > 1;
    Add(prefix_ + race + "_", nonmem ? 1 : 0, std::move(s));
  }

  void AddPlain() {
    const std::string name = std::string(mode_.name) + "_";
    Add(name, 0, {.what = "two writers"});
    Add(name, 0, {.what = "two writes each: addresses are used again", .writes = 2});
    Add(name, 0, {.what = "three writers", .writers = 3});
    Add(name, 0, {.what = "three writers, two writes each", .writers = 3, .writes = 2});
    Add(name, 0, {.what = "four writers", .writers = 4});
    Add(name, 0, {.what = "five writers", .writers = 5});
    Add(name, 0, {.what = "six writers", .writers = 6});
    if (!mode_.options.two_write_queues) return;
    Add(name, 1, {.what = "a writer of each queue"});
    Add(name, 1, {.what = "two writers and one without memtable", .writers = 3});
    Add(name, 2, {.what = "two writers of each queue", .writers = 4});
    Add(name, 2, {.what = "three writers and two without memtable", .writers = 5});
    Add(name, 3, {.what = "three writers of each queue", .writers = 6});
  }

  void AddWrites() {
    const std::array<std::uint32_t, kMaxWriters> twos{2, 2, 2, 2, 2, 2};
    AddRace("sync", {.what = "a sync writer beside one without", .sync = 0b10});
    AddRace(
        "sync_skipped",
        {.what = "a sync writer skipped by a leader without sync", .writers = 3, .sync = 0b010});
    AddRace("sync_skipped",
            {.what = "the same, with a newcomer behind them", .writers = 4, .sync = 0b0010});
    AddRace("sync_skipped_twice",
            {.what = "two sync writers skipped, a writer without between them",
             .writers = 4,
             .sync = 0b1010});
    AddRace("gather",
            {.what = "a leader with sync looks who is queued, before it collects its group",
             .sync = 0b11,
             .linger = true});
    AddRace("gather",
            {.what = "the same with three writers", .writers = 3, .sync = 0b111, .linger = true});
    AddRace("reader",
            {.what = "batches of two operations, beside a reader", .readers = 1, .counts = twos});
    AddRace("reader", {.what = "batches of two operations, beside a reader",
                       .writers = 3,
                       .readers = 1,
                       .counts = twos});
    AddRace("callback",
            {.what = "a failing callback fails its write alone", .failing_callback = 0b10});
    AddRace("callback", {.what = "a failing callback fails its write alone",
                         .writers = 3,
                         .failing_callback = 0b010});
    AddRace("callback_alone",
            {.what = "a callback that allows no batching", .writers = 3, .callback_alone = 0b010});
    AddRace("disable_wal",
            {.what = "a writer that is not logged beside one that is", .disable_wal = 0b01});
    AddRace("disable_wal", {.what = "a writer that is not logged between two that are",
                            .writers = 3,
                            .disable_wal = 0b010});
    AddRace("disable_wal_twice", {.what = "two writers that are not logged beside one that is",
                                  .writers = 3,
                                  .disable_wal = 0b011});
    if (mode_.options.two_write_queues) return;
    AddRace("wal_only", {.what = "a write without memtable", .disable_memtable = 0b01});
    AddRace("wal_only", {.what = "two writes without memtable, and one with",
                         .writers = 3,
                         .disable_memtable = 0b110});
  }

  void AddErrors() {
    AddRace("log_error", {.what = "any append or sync fails", .sync = 0b10, .fault = Fault::kLog});
    AddRace(
        "log_error",
        {.what = "any append or sync fails", .writers = 3, .sync = 0b100, .fault = Fault::kLog});
    AddRace("memtable_error", {.what = "any inserts fail, beside a reader",
                               .readers = 1,
                               .counts = {2, 1, 1, 1, 1, 1},
                               .fault = Fault::kMemTable});
    AddRace("memtable_error",
            {.what = "any inserts fail", .writers = 3, .fault = Fault::kMemTable});
    AddRace("pre_release_error",
            {.what = "any pre-release callback fails", .fault = Fault::kPreRelease});
    AddRace("pre_release_error",
            {.what = "any pre-release callback fails", .writers = 3, .fault = Fault::kPreRelease});
  }

  void AddUnbatched() {
    AddRace("close",
            {.what = "Close (EnterUnbatched) beside a writer", .writers = 1, .closers = 1});
    AddRace("close", {.what = "Close (EnterUnbatched) beside two writers", .closers = 1});
    AddRace("close_twice",
            {.what = "two threads call Close beside a writer", .writers = 1, .closers = 2});
    AddRace("close_log_error", {.what = "Close beside a writer; an append or sync fails",
                                .writers = 1,
                                .closers = 1,
                                .fault = Fault::kLog});
    AddRace("checkpoint", {.what = "a checkpoint waits for what is in flight", .checkpointers = 1});
  }

  void AddGroups() {
    // A test batch has one byte.
    AddRace("group_cap1", {.what = "a group holds one writer",
                           .writers = 3,
                           .options = {.max_write_batch_group_size_bytes = 1}});
    AddRace("group_cap2", {.what = "a group holds two writers",
                           .writers = 3,
                           .options = {.max_write_batch_group_size_bytes = 2}});
    if (!mode_.options.allow_concurrent_memtable_write) return;
    const WritePathOptions stride{.parallel_stride_threshold = 2};
    for (int writers = 3; writers <= 5; ++writers) {
      AddRace("stride",
              {.what = "stride launch from two writers on", .writers = writers, .options = stride});
    }
  }

  // max_log_bytes is any number: the log says that it is larger, until a checkpoint.
  void AddStalls() {
    const WritePathOptions stalling{.max_log_bytes = 1};
    const auto stall = [&](const std::string& race, Scenario s) {
      if (s.log_size == LogSize::kSmall) s.log_size = LogSize::kTooLarge;
      s.options = stalling;
      AddRace("stall_" + race, std::move(s));
    };
    stall("checkpoint",
          {.what = "a stalled writer, relieved by a checkpoint", .writers = 1, .checkpointers = 1});
    stall("checkpoint", {.what = "two writers, relieved by a checkpoint", .checkpointers = 1});
    stall("no_slowdown", {.what = "a writer with no_slowdown beside a stalled one",
                          .checkpointers = 1,
                          .no_slowdown = 0b10});
    stall("no_slowdown", {.what = "a writer with no_slowdown between stalled ones",
                          .writers = 3,
                          .checkpointers = 1,
                          .no_slowdown = 0b010});
    stall("no_slowdown_returns",
          {.what = "a writer with no_slowdown returns before the relief, beside a stalled one",
           .checkpointers = 1,
           .no_slowdown = 0b10,
           .relief_after = 1});
    stall("after_relief", {.what = "a relief that ended before a writer with no_slowdown began",
                           .writers = 1,
                           .checkpointers = 1,
                           .no_slowdown = 0b1,
                           .relief_first = true});
    if (mode_.options.enable_pipelined_write) {
      stall("poisoned", {.what = "every insert fails, which ends a stall",
                         .fault = Fault::kEveryInsert,
                         .log_size = LogSize::kTooLargeAfterARecord});
    }
    stall("midway", {.what = "a leader that was handed the queue stalls",
                     .writers = 3,
                     .checkpointers = 1,
                     .no_slowdown = 0b010,
                     .log_size = LogSize::kTooLargeAfterARecord});
    stall("close", {.what = "a stalled writer, relieved by Close", .writers = 1, .closers = 1});
    stall("close", {.what = "two writers, relieved by Close", .closers = 1});
  }

  void AddBlocking() {
    const std::string race = "blocking_" + prefix_;
    const std::string_view what = "mutex and condition variable";
    for (int writers = 2; writers <= 4; ++writers) {
      Add(race, 0, {.what = what, .writers = writers, .blocking_wait = true});
    }
    if (!mode_.options.two_write_queues) return;
    Add(race, 1, {.what = what, .blocking_wait = true});
    Add(race, 1, {.what = what, .writers = 3, .blocking_wait = true});
  }

  const Mode& mode_;
  std::vector<Scenario>* const all_;
  std::string prefix_;
};

}  // namespace

const std::vector<Scenario>& Scenarios() {
  static const std::vector<Scenario> scenarios = [] {
    std::vector<Scenario> all;
    for (const Mode& mode : kModes) OfMode(mode, &all).AddAll();
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
