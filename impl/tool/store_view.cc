#include "store_view.h"

#include <algorithm>
#include <iterator>
#include <string_view>

#include "bellwether/store/manifest.h"

namespace bellwether::tool {
namespace {

// The visitor of SnapshotReader.
struct Counter {
  Status Entry(std::string_view, SequenceNumber sequence, std::string_view) {
    ++entries;
    newest = std::max(newest, sequence);
    return Status::OK();
  }

  Status Prepare(std::string_view encoded) {
    std::string effect;
    Status status = prepared.Apply(encoded, &effect);
    if (status.ok()) ++prepares;
    return status;
  }

  uint64_t entries = 0;
  uint64_t prepares = 0;
  SequenceNumber newest = 0;
  PreparedTransactions prepared = {};
};

// *position: where the logs behind it have to begin.
Status ViewSnapshot(FileSystem* file_system, const std::string& directory, const std::string& name,
                    SnapshotView* view, WalPosition* position) {
  std::string contents;
  Status status = file_system->ReadFile(directory + "/" + name, &contents);
  if (!status.ok()) return status;
  view->name = name;
  view->size = contents.size();
  SnapshotReader reader(name, std::move(contents));
  view->footer = reader.FindFooter();
  const Status defect = reader.Check();
  Counter counter;
  status = reader.Salvage(&counter, &view->gaps);
  if (!status.ok()) return status;
  if (!defect.ok() && view->gaps.empty()) {
    view->gaps.push_back({defect.offset(), view->size, std::string(defect.what())});
  }
  view->entries = counter.entries;
  view->prepares = counter.prepares;
  *position = WalPosition((view->footer ? view->footer->sequence : counter.newest) + 1);
  if (!view->footer) position->AcceptGap();
  position->prepared = std::move(counter.prepared);
  return status;
}

Status ViewLogs(FileSystem* file_system, const std::string& directory,
                const std::vector<uint64_t>& numbers, uint64_t base, WalPosition* position,
                std::vector<LogView>* views) {
  for (const uint64_t number : numbers) {
    const std::string name = LogName(number);
    std::string contents;
    Status status = file_system->ReadFile(directory + "/" + name, &contents);
    if (!status.ok()) return status;
    const bool covered = number < base;
    WalPosition apart = kAnySequence;
    views->push_back(
        ViewLog(name, std::move(contents), covered ? &apart : position, [](const WalRecord&) {}));
    LogView& view = views->back();
    view.covered = covered;
    if (!covered && !view.blank && view.end != WalEnd::kClean) position->AcceptGap();
  }
  bool holds = false;
  for (auto view = views->rbegin(); view != views->rend(); ++view) {
    view->before_another = holds;
    holds = holds || !view->blank;
  }
  return Status::OK();
}

// Those that the manifest names and that are not there, though no snapshot covers them.
void FindMissing(const StoreFiles& files, const Manifest& named, uint64_t base,
                 std::vector<std::string>* missing) {
  const auto find = [&](const std::vector<uint64_t>& there, const std::vector<uint64_t>& numbers,
                        const auto& name) {
    for (const uint64_t number : numbers) {
      const bool found = std::binary_search(there.begin(), there.end(), number);
      if (!found && number >= base) missing->push_back(name(number));
    }
  };
  find(files.snapshots, named.snapshots, SnapshotName);
  find(files.logs, named.logs, LogName);
}

}  // namespace

Status ViewStore(FileSystem* file_system, const std::string& directory, StoreView* view) {
  StoreFiles files;
  Status status = FindFiles(file_system, directory, &files);
  if (!status.ok()) return status;
  if (files.empty()) {
    return Status::InvalidArgument("no log in " + directory + ": name a store's directory");
  }
  Manifest named;
  status = ReadManifest(file_system, directory, files, &named);
  view->manifest_damaged = status.code() == Status::Code::kCorruption;
  if (!status.ok() && !view->manifest_damaged) return status;
  view->unfinished = files.unfinished;
  view->foreign = files.foreign;
  // Among others' files a log may continue what stands there.
  WalPosition position = files.foreign.empty() ? SequenceNumber{1} : kAnySequence;
  uint64_t base = 0;
  for (const uint64_t number : files.snapshots) {
    view->snapshots.emplace_back();
    status = ViewSnapshot(file_system, directory, SnapshotName(number), &view->snapshots.back(),
                          &position);
    if (!status.ok()) return status;
    view->snapshots.back().covered = number != files.snapshots.back();
    base = number;
  }
  FindMissing(files, named, base, &view->missing);
  if (!view->missing.empty()) position.AcceptGap();
  status = ViewLogs(file_system, directory, files.logs, base, &position, &view->logs);
  view->undecided = position.prepared.undecided();
  uint64_t records = 0;
  for (const LogView& log : view->logs) records += log.records;
  if (BeginsAnew(files, records) && LostEverything(files)) {
    view->missing.emplace_back(kManifestName);
  }
  return status;
}

}  // namespace bellwether::tool
