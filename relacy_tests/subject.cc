// One scenario on the real header. The only translation unit of the explorer that includes it: a
// mutant of the header recompiles this file and no other.
#include <algorithm>
#include <array>
#include <new>

#include "bellwether/write_path/write_path.h"
#include "relacy_tests/lockstep.h"
#include "relacy_tests/observe.h"
#include "relacy_tests/scenarios.h"
#include "relacy_tests/test_store.h"

namespace bellwether::relacy {
namespace {

// Which write meets the error.
struct Failing {
  int append = kNoWrite;
  int sync = kNoWrite;
  int insert = kNoWrite;

  bool none() const { return append == kNoWrite && sync == kNoWrite && insert == kNoWrite; }
};

// What lives for one execution.
struct World {
  World(const Scenario& s, const Failing& fails)
      : failing(fails),
        log(fails.append, fails.sync, s.log_size),
        memtable(fails.insert),
        path(s.options, &log, &memtable, 0) {}
  const Failing failing;
  TestLog log;
  TestMemTable memtable;
  Path path;
};

class FailingCallback : public WriteCallback {
 public:
  Status Callback() override { return Status::Busy("injected", ""); }
  bool AllowWriteBatching() const override { return true; }
};

struct Write {
  TestBatch batch;
  WriteOptions options;
  WriteResult result;
};

Scenario scenario;
std::array<Write, kMaxWrites> writes;
std::array<Status, kMaxThreads> close_status;
FailingCallback failing_callback;
alignas(World) unsigned char world_memory[sizeof(World)];
World* world = nullptr;
Observer observer;

int WriteCount() { return scenario.writers * scenario.writes; }
bool Has(unsigned writers, int writer) { return (writers >> writer & 1) != 0; }

// The environment chooses once, before the threads start, so that its choice depends on no order.
Failing ChooseFault() {
  Failing failing;
  const int count = WriteCount();
  if (scenario.fault == Fault::kLog) {
    const int choice = static_cast<int>(Choose(static_cast<unsigned>(2 * count + 1))) - 1;
    if (choice >= count) failing.sync = choice - count;
    if (choice >= 0 && choice < count) failing.append = choice;
  } else if (scenario.fault == Fault::kMemTable) {
    failing.insert = static_cast<int>(Choose(static_cast<unsigned>(count + 1))) - 1;
  }
  return failing;
}

void Construct() {
  for (int i = 0; i < WriteCount(); ++i) {
    const int writer = i / scenario.writes;
    const bool inserts = !Has(scenario.disable_memtable, writer);
    Write& write = writes[static_cast<std::size_t>(i)];
    write.batch = {i, scenario.counts[static_cast<std::size_t>(writer)], inserts};
    write.options.sync = Has(scenario.sync, writer);
    write.options.disable_memtable = !inserts;
    write.options.no_slowdown = Has(scenario.no_slowdown, writer);
    write.options.disable_wal = Has(scenario.disable_wal, writer);
    write.options.callback = Has(scenario.failing_callback, writer) ? &failing_callback : nullptr;
    write.result = {};
  }
  close_status.fill(Status::OK());
  BeginExecutionInLockstep();
  observer.Begin(scenario.options);
  world = new (world_memory) World(scenario, ChooseFault());
}

// INV_ACK, by the caller, right after it was told OK: its slots are there, and reading them is no
// race, whatever order the steps ran in.
void CheckAcknowledged(const Write& write) {
  if (!write.result.status.ok()) return;
  const SequenceNumber first = write.result.sequence;
  Check((first > 0) == write.batch.inserts, "INV_SEQUENCE: who inserts has a sequence");
  if (!write.options.disable_wal) {
    const SequenceNumber logged = world->log.FirstOf(write.batch);
    Check(logged > 0, "INV_ACK: the log lacks the write");
    Check(first == 0 || first == logged, "INV_SEQUENCE: the caller's sequence is not the log's");
  }
  if (write.options.sync)
    Check(world->log.Durable(write.batch), "INV_ACK: the write is not synced");
  for (std::uint32_t i = 0; i < write.batch.count && write.batch.inserts; ++i) {
    const TestMemTable::Entry entry = world->memtable.At(first + i);
    Check(entry.id == write.batch.id && entry.index == i, "INV_ACK: the memtable lacks the write");
  }
}

// INV_PUBLISH, INV_ATOMIC: all below the published sequence is there, and ends with a whole batch.
void ReadPublished() {
  SequenceNumber last = 0;
  for (int pass = 0; pass < 2; ++pass) {
    const SequenceNumber published = world->path.LastSequence();
    Check(published >= last, "INV_PUBLISH: the published sequence went back");
    for (SequenceNumber s = last + 1; s <= published; ++s) {
      const TestMemTable::Entry entry = world->memtable.At(s);
      Check(entry.id != kNoWrite, "INV_PUBLISH: a published sequence is not in the memtable");
      if (s == published) {
        Check(entry.index + 1 == entry.count, "INV_ATOMIC: a part of a batch is published");
      }
    }
    last = published;
  }
}

void Thread(int thread) {
  if (thread < scenario.writers) {
    for (int k = 0; k < scenario.writes; ++k) {
      Write& write = writes[static_cast<std::size_t>(thread * scenario.writes + k)];
      write.result = world->path.Write(write.options, &write.batch);
      CheckAcknowledged(write);
    }
  } else if (thread < scenario.writers + scenario.readers) {
    ReadPublished();
  } else if (thread < scenario.writers + scenario.readers + scenario.closers) {
    close_status[static_cast<std::size_t>(thread)] = world->path.Close();
  } else {
    const Status status = world->path.RunUnbatched([] {
      // All that were logged are published: reading them is no race.
      for (SequenceNumber s = 1; s < world->log.End(); ++s) {
        Check(world->memtable.At(s).id != kNoWrite, "INV_PUBLISH: logged, and not in the memtable");
      }
      world->log.Checkpoint();
      return Status::OK();
    });
    Check(status.ok(), "INV_STATUS: a checkpoint is refused");
  }
}

// The write whose record, or whose own insert, met the error; null if none did.
const Write* Offender() {
  const Failing& failing = world->failing;
  const int id = std::max({failing.append, failing.sync, failing.insert});
  if (id == kNoWrite) return nullptr;
  const Write& write = writes[static_cast<std::size_t>(id)];
  const bool logged = world->log.RecordOf(write.batch) != kNoWrite;
  if (failing.insert != kNoWrite && !write.batch.inserts) return nullptr;
  // Only a group whose leader wants it is synced.
  const bool met =
      failing.sync == kNoWrite || write.result.status.code() == Status::Code::kUnknownOutcome;
  return logged && met ? &write : nullptr;
}

// INV_STATUS of a write that is in the log, or was about to be.
void CheckLogged(const Write& write, const Write* offender) {
  const Status& status = write.result.status;
  const bool ok = status.ok();
  const bool unknown = status.code() == Status::Code::kUnknownOutcome;
  const bool same_record = offender != nullptr &&
                           world->log.RecordOf(write.batch) == world->log.RecordOf(offender->batch);
  if (offender == nullptr) {
    Check(ok, "INV_STATUS: a write failed and nothing met an error");
  } else if (&write == offender || (same_record && world->failing.insert == kNoWrite) ||
             (same_record && !scenario.options.enable_pipelined_write)) {
    Check(unknown, "INV_STATUS: false OK");
  } else if (!scenario.options.enable_pipelined_write && !scenario.options.two_write_queues) {
    Check(ok, "INV_STATUS: an innocent write failed");
  } else {
    Check(ok || unknown, "INV_STATUS: a logged write is refused");
  }
  if (unknown && scenario.fault == Fault::kLog) {
    Check(status.file() == kTestLogName && status.error_number() == EIO,
          "INV_STATUS: the error lost its file or its errno");
  }
  if (unknown && write.batch.inserts) {
    const SequenceNumber first = world->log.FirstOf(write.batch);
    Check(first == 0 || first > world->path.LastSequence(),
          "INV_PUBLISH: a write whose outcome is unknown is published");
  }
}

void CheckStatus(const Write& write, const Write* offender) {
  const Status::Code code = write.result.status.code();
  const bool logged = world->log.RecordOf(write.batch) != kNoWrite;
  if (write.options.disable_wal) {
    Check(!logged, "INV_STATUS: a write with disable_wal is logged");
    Check(write.result.status.ok(), "INV_STATUS: a write failed and nothing met an error");
  } else if (logged) {
    Check(write.options.callback == nullptr, "INV_STATUS: a write is logged, its callback failed");
    CheckLogged(write, offender);
  } else if (code == Status::Code::kIncomplete) {
    Check(write.options.no_slowdown && scenario.log_size != LogSize::kSmall,
          "LIVE_STALL: no stall to fail for");
  } else if (code == Status::Code::kBusy) {
    Check(write.options.callback != nullptr, "INV_STATUS: another write's callback status");
  } else {
    Check(code == Status::Code::kAborted, "INV_STATUS: a write is not logged, and not refused");
    Check(offender != nullptr || scenario.closers > 0, "INV_STATUS: refused without a reason");
  }
}

void CheckClose() {
  int ok = 0;
  for (int i = 0; i < scenario.closers; ++i) {
    const std::size_t thread = static_cast<std::size_t>(scenario.writers + scenario.readers + i);
    ok += close_status[thread].ok() ? 1 : 0;
  }
  if (scenario.closers > 0 && world->failing.none())
    Check(ok == 1, "INV_STATUS: Close succeeds once");
  for (int i = 0; i < WriteCount() && ok == 1; ++i) {
    const Write& write = writes[static_cast<std::size_t>(i)];
    Check(world->log.FirstOf(write.batch) == 0 || world->log.Durable(write.batch),
          "INV_ACK: Close left a write unsynced");
  }
}

void After() {
  EndExecutionInLockstep();
  Check(world->path.Quiet(), "INV_QUIET: a writer is left in the queue");
  const Write* const offender = Offender();
  SequenceNumber published = 0;
  for (int i = 0; i < WriteCount(); ++i) {
    const Write& write = writes[static_cast<std::size_t>(i)];
    CheckStatus(write, offender);
    CheckAcknowledged(write);
    if (write.result.sequence == 0) continue;
    published = std::max(published, write.result.sequence + write.batch.count - 1);
  }
  Check(world->path.LastSequence() == published, "INV_PUBLISH: the last sequence at rest");
  if (offender == nullptr && scenario.disable_wal == 0) {
    Check(published + 1 == world->log.End() && !world->log.Gaps(),
          "INV_QUIET: log and published sequence disagree");
  }
  CheckClose();
}

void Destroy() {
  world->~World();
  world = nullptr;
}

}  // namespace

Subject MakeSubject(const Scenario& chosen) {
  scenario = chosen;
  settings.blocking_wait = chosen.blocking_wait;
  settings.linger = chosen.linger;
  if (StartLockstep(chosen)) {
    settings.on_action = [](const char* action, const void* writer) {
      observer.OnAction(world->path, action, writer, static_cast<std::size_t>(CurrentThread()));
    };
  }
  const int threads = chosen.writers + chosen.readers + chosen.closers + chosen.checkpointers;
  return {threads, Construct, Thread, After, Destroy};
}

}  // namespace bellwether::relacy
