// The files of a store's directory, by name.
//
//   LOCK                 held by whoever has the store open
//   000007.log           a log; numbers grow
//   000007.snapshot      the state that all logs before number 7 give
//   000007.snapshot.tmp  one that was not finished
//   MANIFEST             the logs and the snapshot that have to be there (manifest.h)
//   MANIFEST.tmp         one that was not finished
//
// Thread safety: pure functions.
#pragma once

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "bellwether/storage/file_system.h"
#include "bellwether/write_path/status.h"

namespace bellwether {

inline constexpr std::string_view kLockName = "LOCK";
inline constexpr std::string_view kManifestName = "MANIFEST";
inline constexpr std::string_view kUnfinishedManifestName = "MANIFEST.tmp";
inline constexpr std::string_view kLogSuffix = ".log";
inline constexpr std::string_view kSnapshotSuffix = ".snapshot";
inline constexpr std::string_view kUnfinishedSuffix = ".snapshot.tmp";
inline constexpr size_t kNumberDigits = 6;

inline std::string NumberedName(uint64_t number, std::string_view suffix) {
  std::string name = std::to_string(number);
  if (name.size() < kNumberDigits) name.insert(0, kNumberDigits - name.size(), '0');
  return name.append(suffix);
}

inline std::string LogName(uint64_t number) { return NumberedName(number, kLogSuffix); }
inline std::string SnapshotName(uint64_t number) { return NumberedName(number, kSnapshotSuffix); }

// False if `name` is not one that NumberedName gives, or leaves no number for the next file.
inline bool ParseNumberedName(std::string_view name, std::string_view suffix, uint64_t* number) {
  const char* const end = name.data() + name.size();
  const auto [digits_end, error] = std::from_chars(name.data(), end, *number);
  return error == std::errc() && digits_end != name.data() &&
         NumberedName(*number, suffix) == name && *number < std::numeric_limits<uint64_t>::max();
}

inline bool ParseLogName(std::string_view name, uint64_t* number) {
  return ParseNumberedName(name, kLogSuffix, number);
}

// All numbers ascend.
struct StoreFiles {
  std::vector<uint64_t> logs;
  std::vector<uint64_t> snapshots;
  std::vector<std::string> unfinished;  // names
  bool manifest = false;
  std::string foreign;  // a name that is none of a store's; empty: there is none

  bool empty() const { return logs.empty() && snapshots.empty() && !manifest; }

  // Behind all that are there.
  uint64_t NextNumber() const {
    uint64_t next = 1;
    if (!logs.empty()) next = std::max(next, logs.back() + 1);
    if (!snapshots.empty()) next = std::max(next, snapshots.back() + 1);
    return next;
  }
};

// May throw bad_alloc.
inline Status FindFiles(FileSystem* file_system, const std::string& directory, StoreFiles* files) {
  std::vector<std::string> names;
  Status status = file_system->ListDirectory(directory, &names);
  if (!status.ok()) return status;
  *files = {};
  for (const std::string& name : names) {
    uint64_t number = 0;
    if (ParseLogName(name, &number)) {
      files->logs.push_back(number);
    } else if (ParseNumberedName(name, kSnapshotSuffix, &number)) {
      files->snapshots.push_back(number);
    } else if (ParseNumberedName(name, kUnfinishedSuffix, &number) ||
               name == kUnfinishedManifestName) {
      files->unfinished.push_back(name);
    } else if (name == kManifestName) {
      files->manifest = true;
    } else if (name != kLockName) {
      files->foreign = name;
    }
  }
  std::sort(files->logs.begin(), files->logs.end());
  std::sort(files->snapshots.begin(), files->snapshots.end());
  return status;
}

// … and nothing else. InvalidArgument, naming the file, if the directory is not that of a store.
inline Status ListFiles(FileSystem* file_system, const std::string& directory, StoreFiles* files) {
  Status status = FindFiles(file_system, directory, files);
  if (!status.ok() || files->foreign.empty()) return status;
  return Status::InvalidArgument("not the directory of a store: it holds " + directory + "/" +
                                 files->foreign + "; give an empty directory or a store's");
}

}  // namespace bellwether
