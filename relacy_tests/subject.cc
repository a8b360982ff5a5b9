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

// Which writes meet an error.
struct Failing {
  int append = kNoWrite;
  int sync = kNoWrite;
  int release = kNoWrite;  // its PreReleaseCallback
  unsigned inserts = 0;    // one bit a write

  bool none() const {
    return append == kNoWrite && sync == kNoWrite && release == kNoWrite && inserts == 0;
  }
};

// What lives for one execution.
struct World {
  World(const Scenario& s, const Failing& fails)
      : failing(fails),
        log(fails.append, fails.sync, s.log_size),
        memtable(fails.inserts),
        path(s.options, &log, &memtable, 0),
        baton(0) {}
  const Failing failing;
  TestLog log;
  TestMemTable memtable;
  Path path;
  RelacyAtomic<std::uint8_t> baton;  // set on the return that others wait for
};

constexpr orders::LoadOrder kBatonAwait{"baton", std::memory_order::acquire};
constexpr orders::StoreOrder kBatonStore{"baton", std::memory_order::release};

class FailingCallback : public WriteCallback {
 public:
  Status Callback() override { return Status::Busy("injected", ""); }
  bool AllowWriteBatching() const override { return true; }
};

class CallbackThatWantsNoCompany : public WriteCallback {
 public:
  Status Callback() override { return Status::OK(); }
  bool AllowWriteBatching() const override { return false; }
};

class TestPreRelease : public PreReleaseCallback {
 public:
  Status Callback(SequenceNumber sequence, bool is_mem_disabled, std::uint64_t log_number,
                  std::size_t index, std::size_t total) override;
  int id = 0;  // of the write
};

struct Write {
  TestBatch batch;
  TestPreRelease pre_release;
  WriteOptions options;
  WriteResult result;
};

Scenario scenario;
std::array<Write, kMaxWrites> writes;
std::array<Status, kMaxThreads> close_status;
FailingCallback failing_callback;
CallbackThatWantsNoCompany callback_alone;
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
    const int syncs = count + (scenario.closers > 0 ? 1 : 0);
    const int choice = static_cast<int>(Choose(static_cast<unsigned>(count + syncs + 1))) - 1;
    if (choice >= count) failing.sync = choice == 2 * count ? kAnyWrite : choice - count;
    if (choice >= 0 && choice < count) failing.append = choice;
  } else if (scenario.fault == Fault::kMemTable) {
    failing.inserts = Choose(1u << count);
  } else if (scenario.fault == Fault::kEveryInsert) {
    failing.inserts = (1u << count) - 1;
  } else if (scenario.fault == Fault::kPreRelease) {
    failing.release = static_cast<int>(Choose(static_cast<unsigned>(count + 1))) - 1;
  }
  return failing;
}

Status TestPreRelease::Callback(SequenceNumber sequence, bool is_mem_disabled,
                                std::uint64_t log_number, std::size_t index, std::size_t total) {
  const TestBatch& batch = writes[static_cast<std::size_t>(id)].batch;
  Check(log_number == world->log.LogNumber() && world->log.FirstOf(batch) == sequence,
        "INV_SEQUENCE: a pre-release callback gets the sequence of the log");
  Check(is_mem_disabled != batch.inserts && index < total, "INV_STATUS: a pre-release callback");
  return id == world->failing.release
             ? Status::IOError("injected", kTestLogName, world->log.End(), EIO)
             : Status::OK();
}

WriteCallback* CallbackOf(int writer) {
  if (Has(scenario.failing_callback, writer)) return &failing_callback;
  return Has(scenario.callback_alone, writer) ? &callback_alone : nullptr;
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
    write.options.callback = CallbackOf(writer);
    write.pre_release.id = i;
    write.options.pre_release_callback =
        scenario.fault == Fault::kPreRelease ? &write.pre_release : nullptr;
    write.result = {};
  }
  close_status.fill(Status::OK());
  const Failing failing = ChooseFault();
  BeginExecutionInLockstep(failing.release);
  observer.Begin(scenario.options);
  world = new (world_memory) World(scenario, failing);
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
  Check(write.result.log_used == (write.options.disable_wal ? 0 : world->log.LogNumber()),
        "INV_ACK: the caller is told another log");
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

void AwaitBaton() { static_cast<void>(world->baton.Await(1, kBatonAwait, Where::current())); }

void MakeCheckpoint() {
  if (scenario.relief_after != kNoWriter) AwaitBaton();
  const Status status = world->path.RunUnbatched([] {
    // All that were logged are published: reading them is no race.
    for (SequenceNumber s = 1; s < world->log.End(); ++s) {
      Check(world->memtable.At(s).id != kNoWrite, "INV_PUBLISH: logged, and not in the memtable");
    }
    if (!scenario.relief_first) world->log.Checkpoint();
    RelacySync::OnAction("Checkpoint", nullptr);
    return Status::OK();
  });
  Check(status.ok(), "INV_STATUS: a checkpoint is refused");
  if (scenario.relief_first) world->baton.store(1, kBatonStore);
}

void Thread(int thread) {
  if (thread < scenario.writers) {
    if (scenario.relief_first) AwaitBaton();
    for (int k = 0; k < scenario.writes; ++k) {
      Write& write = writes[static_cast<std::size_t>(thread * scenario.writes + k)];
      write.result = world->path.Write(write.options, &write.batch);
      CheckAcknowledged(write);
    }
    if (thread == scenario.relief_after) world->baton.store(1, kBatonStore);
  } else if (thread < scenario.writers + scenario.closers) {
    const auto t = static_cast<std::size_t>(thread);
    close_status[t] = world->path.Close();
    CloseInLockstep(t, close_status[t].ok());
  } else if (thread < scenario.writers + scenario.closers + scenario.checkpointers) {
    MakeCheckpoint();
  } else {
    ReadPublished();
  }
}

// The write met an error itself; others may have failed with it.
bool MetError(const Write& write) {
  const Failing& failing = world->failing;
  const int id = write.batch.id;
  if (world->log.RecordOf(write.batch) == kNoWrite) return false;
  if (id == failing.append || id == failing.release) return true;
  // Only a group whose leader wants it is synced.
  if (id == failing.sync) return write.result.status.code() == Status::Code::kUnknownOutcome;
  return Has(failing.inserts, id) && write.batch.inserts;
}

// A write of this record met an error; of any record: kNoWrite.
bool ErrorIn(int record) {
  for (int i = 0; i < WriteCount(); ++i) {
    const Write& write = writes[static_cast<std::size_t>(i)];
    const bool here = record == kNoWrite || world->log.RecordOf(write.batch) == record;
    if (here && MetError(write)) return true;
  }
  return false;
}

// INV_STATUS of a write that is in the log, or was about to be.
void CheckLogged(const Write& write) {
  const Status& status = write.result.status;
  const bool ok = status.ok();
  const bool unknown = status.code() == Status::Code::kUnknownOutcome;
  const bool all_of_a_record_fail =
      world->failing.inserts == 0 || !scenario.options.enable_pipelined_write;
  if (!ErrorIn(kNoWrite)) {
    Check(ok, "INV_STATUS: a write failed and nothing met an error");
  } else if (MetError(write) ||
             (all_of_a_record_fail && ErrorIn(world->log.RecordOf(write.batch)))) {
    Check(unknown, "INV_STATUS: false OK");
  } else if (!scenario.options.enable_pipelined_write && !scenario.options.two_write_queues) {
    Check(ok, "INV_STATUS: an innocent write failed");
  } else {
    Check(ok || unknown, "INV_STATUS: a logged write is refused");
  }
  if (unknown && world->failing.inserts == 0) {
    Check(status.file() == kTestLogName && status.error_number() == EIO,
          "INV_STATUS: the error lost its file or its errno");
  }
  if (unknown && write.batch.inserts) {
    const SequenceNumber first = world->log.FirstOf(write.batch);
    Check(first == 0 || first > world->path.LastSequence(),
          "INV_PUBLISH: a write whose outcome is unknown is published");
  }
}

void CheckStatus(const Write& write) {
  const Status::Code code = write.result.status.code();
  const bool logged = world->log.RecordOf(write.batch) != kNoWrite;
  Check(!scenario.relief_first || !logged, "LIVE_STALL: a relief outlasts its call");
  if (write.options.disable_wal) {
    Check(!logged, "INV_STATUS: a write with disable_wal is logged");
    Check(write.result.status.ok(), "INV_STATUS: a write failed and nothing met an error");
  } else if (logged) {
    Check(write.options.callback != &failing_callback,
          "INV_STATUS: a write is logged, its callback failed");
    CheckLogged(write);
  } else if (code == Status::Code::kIncomplete) {
    Check(write.options.no_slowdown && scenario.log_size != LogSize::kSmall,
          "LIVE_STALL: no stall to fail for");
  } else if (code == Status::Code::kBusy) {
    Check(write.options.callback == &failing_callback,
          "INV_STATUS: another write's callback status");
  } else {
    Check(code == Status::Code::kAborted, "INV_STATUS: a write is not logged, and not refused");
    Check(ErrorIn(kNoWrite) || scenario.closers > 0, "INV_STATUS: refused without a reason");
  }
}

// INV_GROUP, as far as a group is a record: no more bytes than the cap, and who wants no company
// has none.
void CheckRecord(const Write& write) {
  const int record = world->log.RecordOf(write.batch);
  if (record == kNoWrite) return;
  std::size_t bytes = 0;
  std::size_t batches = 0;
  for (int i = 0; i < WriteCount(); ++i) {
    const TestBatch& batch = writes[static_cast<std::size_t>(i)].batch;
    if (world->log.RecordOf(batch) != record) continue;
    bytes += batch.ByteSize();
    ++batches;
  }
  Check(bytes <= scenario.options.max_write_batch_group_size_bytes,
        "INV_GROUP: a group is larger than its cap");
  Check(batches == 1 || write.options.callback != &callback_alone,
        "INV_GROUP: a write that wants no company is not alone in its group");
}

void CheckClose() {
  int ok = 0;
  for (int i = 0; i < scenario.closers; ++i) {
    const std::size_t thread = static_cast<std::size_t>(scenario.writers + i);
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
  SequenceNumber published = 0;
  for (int i = 0; i < WriteCount(); ++i) {
    const Write& write = writes[static_cast<std::size_t>(i)];
    CheckStatus(write);
    CheckRecord(write);
    CheckAcknowledged(write);
    if (write.result.sequence == 0) continue;
    published = std::max(published, write.result.sequence + write.batch.count - 1);
  }
  Check(world->path.LastSequence() == published, "INV_PUBLISH: the last sequence at rest");
  if (!ErrorIn(kNoWrite) && scenario.disable_wal == 0) {
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
