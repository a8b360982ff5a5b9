// What stands in a store's directory: read as recovery reads it in its default mode, but each file
// to its end, also behind damage; without the lock, and without a change.
//
// Invariant: Damaged() is what Store::Open would call kCorruption. Thread safety: one thread; a
// store that is open meanwhile may look damaged.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "bellwether/storage/file_system.h"
#include "bellwether/storage/log_annotation.h"
#include "bellwether/storage/snapshot_file.h"
#include "bellwether/storage/wal_reader.h"
#include "bellwether/store/store_files.h"
#include "bellwether/write_path/status.h"

namespace bellwether::tool {

struct SnapshotView {
  bool Damaged() const { return !covered && !gaps.empty(); }

  std::string name;
  uint64_t size = 0;
  uint64_t entries = 0;  // those that can be read
  uint64_t prepares = 0;
  std::optional<SnapshotFooter> footer;  // if that can be read
  std::vector<SnapshotGap> gaps;         // none: it is whole
  bool covered = false;                  // a newer one stands for it
};

struct LogView {
  bool Damaged() const {
    if (covered || blank) return false;
    return end == WalEnd::kCorruption || (end != WalEnd::kClean && before_another);
  }

  std::string name;
  uint64_t size = 0;
  uint64_t records = 0;
  SequenceNumber first_sequence = 0;
  SequenceNumber next_sequence = 0;
  uint64_t unlogged = 0;              // sequences that it says are in no log (disable_wal)
  std::optional<uint64_t> watermark;  // the last one: everything before that offset was synced
  uint64_t end_offset = 0;
  WalEnd end = WalEnd::kClean;  // kCorruption: somewhere, perhaps not at the end
  std::vector<WalGap> gaps;
  bool blank = false;           // nothing but zeros, if anything
  bool covered = false;         // a snapshot stands for it
  bool before_another = false;  // a log that holds something follows
};

struct StoreView {
  bool Damaged() const {
    bool damaged = manifest_damaged || !missing.empty();
    for (const SnapshotView& snapshot : snapshots) damaged = damaged || snapshot.Damaged();
    for (const LogView& log : logs) damaged = damaged || log.Damaged();
    return damaged;
  }

  std::vector<SnapshotView> snapshots;
  std::vector<LogView> logs;
  bool manifest_damaged = false;
  std::vector<std::string> missing;     // names: of the manifest, or of what it names
  std::vector<std::string> unfinished;  // names
  std::string foreign;                  // a name that is none of a store's
  PreparedTransactions::Map undecided;
};

// Reads a log that continues *position, and leaves that behind it. Each record goes to `visit`.
template <class Visit>
LogView ViewLog(std::string name, std::string contents, WalPosition* position, const Visit& visit) {
  LogView view;
  view.size = contents.size();
  view.blank = contents.find_first_not_of('\0') == std::string::npos;
  WalReader reader(name, std::move(contents), *position);
  bool corrupt = false;
  do {
    for (WalRecord record; reader.ReadRecord(&record); ++view.records) {
      if (view.records == 0) view.first_sequence = record.sequence;
      const LogAnnotations annotations = GetAnnotations(record.batch);
      if (annotations.gap) view.unlogged += annotations.gap->next - annotations.gap->first;
      if (annotations.synced) view.watermark = annotations.synced;
      visit(record);
    }
    corrupt = corrupt || reader.end() == WalEnd::kCorruption;
  } while (reader.SkipDefect());
  view.name = std::move(name);
  view.end = corrupt ? WalEnd::kCorruption : reader.end();
  view.end_offset = reader.end_offset();
  view.next_sequence = reader.next_sequence();
  view.gaps = reader.gaps();
  *position = reader.position();
  return view;
}

// InvalidArgument if neither a log nor a snapshot is there.
Status ViewStore(FileSystem* file_system, const std::string& directory, StoreView* view);

}  // namespace bellwether::tool
