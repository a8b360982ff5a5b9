// The manifest: which files of a store have to be there, so that one which is lost is missed.
//
//   MANIFEST := (name of a snapshot or log "\n")* "crc " (8 hexadecimal digits: the CRC-32C of the
//               lines before) "\n"
//
// It is written anew, by rename, whenever a log is begun: after the log's name is durable, and
// before anything is written to it. A snapshot takes the place of all that is named with a smaller
// number, so a checkpoint need not write it a second time. Files that it does not name are taken as
// they are; without a manifest all are. A store that has none and no record begins with log 1, so
// that another log that holds nothing tells of a manifest which was lost with all that it named.
//
// Invariants: what it names was there, durably; nothing is acknowledged in a log that it does not
// name; of what it names, only what a durable snapshot covers is removed. Thread safety: whoever
// holds the directory's lock, one thread at a time.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <iterator>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "bellwether/storage/crc32c.h"
#include "bellwether/storage/file_system.h"
#include "bellwether/store/store_files.h"
#include "bellwether/write_path/status.h"

namespace bellwether {

// Numbers, ascending. May throw bad_alloc, as all below.
struct Manifest {
  std::vector<uint64_t> snapshots;  // none, or one
  std::vector<uint64_t> logs;       // the newest is the one that is written to
};

inline std::string ManifestEnd(std::string_view lines) {
  char end[16];
  const int size = std::snprintf(end, sizeof(end), "crc %08x\n", Crc32c(lines));
  return {end, static_cast<size_t>(size)};
}

inline std::string EncodeManifest(const Manifest& manifest) {
  std::string lines;
  for (const uint64_t number : manifest.snapshots) lines += SnapshotName(number) + "\n";
  for (const uint64_t number : manifest.logs) lines += LogName(number) + "\n";
  return lines + ManifestEnd(lines);
}

// False if it is damaged.
inline bool DecodeManifest(std::string_view text, Manifest* manifest) {
  const size_t end_size = ManifestEnd("").size();
  if (text.size() < end_size) return false;
  std::string_view lines = text.substr(0, text.size() - end_size);
  if (text.substr(lines.size()) != ManifestEnd(lines)) return false;
  while (!lines.empty()) {
    const std::string_view name = lines.substr(0, lines.find('\n'));
    uint64_t number = 0;
    if (ParseLogName(name, &number)) {
      manifest->logs.push_back(number);
    } else if (ParseNumberedName(name, kSnapshotSuffix, &number)) {
      manifest->snapshots.push_back(number);
    } else {
      return false;
    }
    lines.remove_prefix(std::min(lines.size(), name.size() + 1));
  }
  return true;
}

// Empty if there is none. Corruption if it is damaged.
inline Status ReadManifest(FileSystem* file_system, const std::string& directory,
                           const StoreFiles& files, Manifest* manifest) {
  *manifest = {};
  if (!files.manifest) return Status::OK();
  const std::string path = directory + "/" + std::string(kManifestName);
  std::string text;
  Status status = file_system->ReadFile(path, &text);
  if (status.ok() && !DecodeManifest(text, manifest)) {
    *manifest = {};
    return Status::Corruption(
        "damaged list of the store's files; open with recovery mode point_in_time or skip_corrupt "
        "to take those that are there",
        path, 0);
  }
  return status;
}

// Whether nothing was ever written, or everything is lost. `records`: those in the logs.
inline bool BeginsAnew(const StoreFiles& files, uint64_t records) {
  return !files.manifest && files.snapshots.empty() && records == 0;
}

// REQUIRES: BeginsAnew(files, 0).
inline bool LostEverything(const StoreFiles& files) { return files.NextNumber() > 2; }

// On failure the one from before stands, or already this one. REQUIRES: what it names is durable,
// with its name.
inline Status WriteManifest(FileSystem* file_system, const std::string& directory,
                            const Manifest& manifest) {
  const std::string unfinished = directory + "/" + std::string(kUnfinishedManifestName);
  (void)file_system->RemoveFile(unfinished);  // of one who died here
  std::unique_ptr<WritableFile> file;
  Status status = file_system->NewWritableFile(unfinished, &file);
  if (!status.ok()) return status;
  status = file->Append(EncodeManifest(manifest));
  if (status.ok()) status = file->Sync();
  if (status.ok()) status = file->Close();
  if (status.ok()) {
    status = file_system->RenameFile(unfinished, directory + "/" + std::string(kManifestName));
  }
  if (!status.ok()) {
    (void)file_system->RemoveFile(unfinished);
    return status;
  }
  return file_system->SyncDirectory(directory);
}

// The numbers of files that are there or have to be, from `first` on, ascending.
inline std::vector<uint64_t> ThereOrNamed(const std::vector<uint64_t>& there,
                                          const std::vector<uint64_t>& named, uint64_t first) {
  std::vector<uint64_t> numbers;
  std::set_union(there.begin(), there.end(), named.begin(), named.end(),
                 std::back_inserter(numbers));
  numbers.erase(numbers.begin(), std::lower_bound(numbers.begin(), numbers.end(), first));
  return numbers;
}

}  // namespace bellwether
