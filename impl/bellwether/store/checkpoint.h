// What a checkpoint does to the directory once the log is rotated (store.h: Checkpoint).
//
//   WriteSnapshot   the memtable at a sequence goes to NNNNNN.snapshot.tmp, that is synced, renamed
//                   and its name made durable
//   RemoveCovered   then the logs and snapshots before NNNNNN go
//
// Invariant: CRASH_PREFIX: nothing is removed before what covers it is durable, with its name.
// Thread safety: one thread at a time, which holds the directory's lock; writers may insert.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "bellwether/storage/file_system.h"
#include "bellwether/storage/prepared_transactions.h"
#include "bellwether/storage/snapshot_file.h"
#include "bellwether/store/store_files.h"
#include "bellwether/write_path/sequence.h"
#include "bellwether/write_path/status.h"

namespace bellwether {

// What a snapshot holds, and where it stands.
template <class MemTable>
struct SnapshotContents {
  const MemTable* memtable;
  SequenceNumber sequence;                     // published
  const PreparedTransactions::Map* undecided;  // at `sequence`
};

namespace internal {

template <class MemTable, class Stopped>
Status FillSnapshot(const SnapshotContents<MemTable>& contents, const Stopped& stopped,
                    SnapshotWriter* writer) {
  typename MemTable::Iterator entry(contents.memtable, contents.sequence);
  for (entry.SeekToFirst(); entry.Valid(); entry.Next()) {
    if (stopped()) return Status::Aborted("the store is closed");
    Status status = writer->Add(entry.key(), entry.sequence(), entry.value());
    if (!status.ok()) return status;
  }
  for (const auto& [xid, prepare] : *contents.undecided) {
    Status status = writer->AddPrepare(prepare);
    if (!status.ok()) return status;
  }
  return writer->Finish();
}

}  // namespace internal

// Leaves nothing behind on failure, if it can. Gives up once stopped() is true. May throw
// bad_alloc.
template <class MemTable, class Stopped>
Status WriteSnapshot(FileSystem* file_system, const std::string& directory, uint64_t number,
                     const SnapshotContents<MemTable>& contents, const Stopped& stopped,
                     uint64_t* bytes) {
  const std::string unfinished = directory + "/" + NumberedName(number, kUnfinishedSuffix);
  const std::string finished = directory + "/" + SnapshotName(number);
  std::unique_ptr<WritableFile> file;
  Status status = file_system->NewWritableFile(unfinished, &file);
  if (!status.ok()) return status;
  SnapshotWriter writer(std::move(file), contents.sequence);
  status = internal::FillSnapshot(contents, stopped, &writer);
  *bytes = writer.size();
  if (status.ok()) status = file_system->RenameFile(unfinished, finished);
  if (!status.ok()) {
    (void)file_system->RemoveFile(unfinished);
    return status;
  }
  return file_system->SyncDirectory(directory);
}

// What cannot be removed now goes with the next checkpoint or the next Open. May throw bad_alloc.
// REQUIRES: snapshot `number` is durable, with its name.
inline void RemoveCovered(FileSystem* file_system, const std::string& directory, uint64_t number) {
  StoreFiles files;
  if (!FindFiles(file_system, directory, &files).ok()) return;
  const auto remove = [&](const std::string& name) {
    (void)file_system->RemoveFile(directory + "/" + name);
  };
  for (const uint64_t log : files.logs) {
    if (log < number) remove(LogName(log));
  }
  for (const uint64_t snapshot : files.snapshots) {
    if (snapshot < number) remove(SnapshotName(snapshot));
  }
  for (const std::string& name : files.unfinished) remove(name);
}

}  // namespace bellwether
