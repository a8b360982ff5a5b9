// One scenario on the real header. The only translation unit of the explorer that includes it: a
// mutant of the header recompiles this file and no other.
#include <algorithm>
#include <new>
#include <optional>

#include "bellwether/write_path/write_path.h"
#include "relacy_tests/scenarios.h"
#include "relacy_tests/test_store.h"

namespace bellwether::relacy {
namespace {

using Path = WritePath<RelacySync, TestBatch, TestLog, TestMemTable>;

// What lives for one execution.
struct World {
  explicit World(const Scenario& s)
      : log(s.fault == Fault::kLog),
        memtable(s.fault == Fault::kMemTable),
        path(WritePathOptions{s.max_write_batch_group_size_bytes}, &log, &memtable, 0) {
    log.ForgetRecords();
  }
  TestLog log;
  TestMemTable memtable;
  Path path;
};

struct Write {
  TestBatch batch;
  bool sync = false;
  WriteResult result;
};

Scenario scenario;
std::array<Write, kMaxOperations> writes;
std::array<Status, kMaxThreads> close_status;
alignas(World) unsigned char world_memory[sizeof(World)];
World* world = nullptr;

int WriteCount() { return scenario.writers * scenario.writes; }

void Construct() {
  for (int i = 0; i < WriteCount(); ++i) {
    const int writer = i / scenario.writes;
    Write& write = writes[static_cast<std::size_t>(i)];
    write.batch = {i + 1, scenario.counts[static_cast<std::size_t>(writer)], scenario.batch_bytes};
    write.sync = (scenario.sync_writers >> writer & 1) != 0;
    write.result = {};
  }
  close_status.fill(Status::OK());
  world = new (world_memory) World(scenario);
}

// INV_ACK, by the caller, right after it was told OK: its slots are there, and reading them is no
// race, whatever order the steps ran in.
void CheckAcknowledged(const Write& write) {
  if (!write.result.status.ok()) return;
  const SequenceNumber first = write.result.sequence;
  Check(first > 0, "INV_SEQUENCE: a write told OK has no sequence");
  for (std::uint32_t i = 0; i < write.batch.count; ++i) {
    Check(world->log.At(first + i) == write.batch.id, "INV_ACK: the log lacks the write");
    const TestMemTable::Entry entry = world->memtable.At(first + i);
    Check(entry.id == write.batch.id && entry.index == i, "INV_ACK: the memtable lacks the write");
    if (write.sync) Check(world->log.Durable(first + i), "INV_ACK: the write is not synced");
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
      Check(entry.id != 0, "INV_PUBLISH: a published sequence is not in the memtable");
      if (s == published) {
        Check(entry.index + 1 == entry.count, "INV_ATOMIC: a part of a batch is published");
      }
    }
    last = published;
  }
}

void CloseTheStore(int thread) {
  const Status status = world->path.Close();
  close_status[static_cast<std::size_t>(thread)] = status;
  if (!status.ok()) return;
  // Nobody writes any more, so this may read what belongs to the leader.
  Check(world->log.Synced() + 1 == world->log.End(), "INV_ACK: Close left the log unsynced");
}

void Thread(int thread) {
  if (thread < scenario.writers) {
    for (int k = 0; k < scenario.writes; ++k) {
      Write& write = writes[static_cast<std::size_t>(thread * scenario.writes + k)];
      WriteOptions options;
      options.sync = write.sync;
      write.result = world->path.Write(options, &write.batch);
      CheckAcknowledged(write);
    }
  } else if (thread < scenario.writers + scenario.readers) {
    ReadPublished();
  } else {
    CloseTheStore(thread);
  }
}

// The record that met the error, if one did: the last that was begun.
int FailedRecord() {
  const auto failed = [](const Write& write) {
    return write.result.status.code() == Status::Code::kUnknownOutcome;
  };
  const bool any = std::any_of(writes.begin(), writes.begin() + WriteCount(), failed);
  return any ? world->log.Records() - 1 : -1;
}

// INV_STATUS: the group that met the error does not know its outcome, what was not logged is
// refused, all others are OK.
void CheckStatus(const Write& write, int failed_record) {
  const Status& status = write.result.status;
  const int record = world->log.RecordOf(write.batch.id);
  if (record < 0) {
    Check(status.code() == Status::Code::kAborted, "INV_STATUS: a write that is not logged");
    Check(scenario.closers > 0 || failed_record >= 0, "INV_STATUS: refused without a reason");
  } else if (record == failed_record) {
    Check(status.code() == Status::Code::kUnknownOutcome, "INV_STATUS: false OK");
    if (scenario.fault == Fault::kLog) {
      Check(status.file() == kTestLogName && status.error_number() == EIO,
            "INV_STATUS: the error lost its file or its errno");
    }
  } else {
    Check(status.ok(), "INV_STATUS: an innocent write failed");
  }
}

void CheckClose() {
  int ok = 0;
  for (int i = 0; i < scenario.closers; ++i) {
    const std::size_t thread = static_cast<std::size_t>(scenario.writers + scenario.readers + i);
    ok += close_status[thread].ok() ? 1 : 0;
  }
  if (scenario.closers > 0 && scenario.fault == Fault::kNone) {
    Check(ok == 1, "INV_STATUS: Close succeeds once");
  }
}

void After() {
  Check(world->path.Quiet(), "INV_QUIET: a writer is left in the queue");
  const int failed_record = FailedRecord();
  SequenceNumber published = 0;
  for (int i = 0; i < WriteCount(); ++i) {
    const Write& write = writes[static_cast<std::size_t>(i)];
    CheckStatus(write, failed_record);
    if (!write.result.status.ok()) continue;
    const SequenceNumber end = write.result.sequence + write.batch.count - 1;
    published = std::max(published, end);
    CheckAcknowledged(write);
  }
  Check(world->path.LastSequence() == published, "INV_PUBLISH: the last sequence at rest");
  for (SequenceNumber s = 1; s <= published; ++s) {
    Check(world->log.At(s) == world->memtable.At(s).id, "INV_SEQUENCE: log and memtable disagree");
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
  return {chosen.writers + chosen.readers + chosen.closers, Construct, Thread, After, Destroy};
}

}  // namespace bellwether::relacy
