// dump-wal and verify: they read logs as recovery does, and go on behind what it would refuse.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bellwether/storage/log_annotation.h"
#include "bellwether/storage/posix_file_system.h"
#include "bellwether/storage/wal_reader.h"
#include "bellwether/store/recovery.h"
#include "commands.h"

namespace bellwether::tool {
namespace {

constexpr size_t kShownOfAValue = 64;

// How one log reads.
struct LogView {
  std::string name;
  uint64_t size = 0;
  uint64_t records = 0;
  SequenceNumber first_sequence = 0;
  SequenceNumber next_sequence = 0;
  uint64_t end_offset = 0;
  WalEnd end = WalEnd::kClean;  // kCorruption: somewhere, perhaps not at the end
  Status defect;                // the last one
  std::vector<WalGap> gaps;
};

// Reads a log that continues *position, and leaves that behind it.
template <class Visit>
LogView ViewLog(std::string name, std::string contents, WalPosition* position, const Visit& visit) {
  LogView view;
  view.size = contents.size();
  WalReader reader(name, std::move(contents), *position);
  bool corrupt = false;
  do {
    for (WalRecord record; reader.ReadRecord(&record); ++view.records) {
      if (view.records == 0) view.first_sequence = record.sequence;
      visit(record);
    }
    corrupt = corrupt || reader.end() == WalEnd::kCorruption;
    const Status defect = reader.Verdict(RecoveryMode::kAbsolute);
    if (!defect.ok()) view.defect = defect;
  } while (reader.SkipDefect());
  view.name = std::move(name);
  view.end = corrupt ? WalEnd::kCorruption : reader.end();
  view.end_offset = reader.end_offset();
  view.next_sequence = reader.next_sequence();
  view.gaps = reader.gaps();
  *position = reader.position();
  return view;
}

void PrintGap(const std::string& name, const WalGap& gap) {
  std::string sequences = "from sequence " + std::to_string(gap.first) + " on";
  if (gap.next != 0) {
    sequences = gap.next == gap.first ? "no sequence"
                                      : "sequences " + std::to_string(gap.first) + " to " +
                                            std::to_string(gap.next - 1);
  }
  std::printf("%s: CORRUPT offset %llu to %llu, %s lost: %s\n", name.c_str(),
              static_cast<unsigned long long>(gap.begin), static_cast<unsigned long long>(gap.end),
              sequences.c_str(), gap.what.c_str());
}

// Offset by offset, and a row of the report. `last`: no log with records follows.
void Tell(const LogView& view, bool last, Report* report) {
  for (const WalGap& gap : view.gaps) PrintGap(view.name, gap);
  std::string result = "ok";
  const std::string tail = std::to_string(view.end_offset) + " to " + std::to_string(view.size);
  if (view.end == WalEnd::kCorruption) {
    result = "FAILED: corrupt";
  } else if (view.end == WalEnd::kTornTail) {
    result = "torn: offset " + tail + " holds no whole record";
  } else if (view.end == WalEnd::kZeros) {
    result = "zeros: offset " + tail;
  }
  if (view.end != WalEnd::kCorruption && view.end != WalEnd::kClean && !last) {
    result = "FAILED: corrupt, " + result + ", before another log";
  }
  if (result.starts_with("FAILED")) report->Fail(ExitCode::kDataLost);
  std::printf("%s: %llu bytes, %llu records", view.name.c_str(),
              static_cast<unsigned long long>(view.size),
              static_cast<unsigned long long>(view.records));
  if (view.records > 0) {
    std::printf(", from sequence %llu, next %llu",
                static_cast<unsigned long long>(view.first_sequence),
                static_cast<unsigned long long>(view.next_sequence));
  }
  std::printf(": %s\n", result.c_str());
  report->Add({view.name,
               std::to_string(view.size) + " bytes",
               result,
               {{"records", view.records},
                {"first_sequence", view.first_sequence},
                {"next_sequence", view.next_sequence},
                {"end_offset", view.end_offset},
                {"gaps", view.gaps.size()}}});
}

// The handler that prints the operations of a record.
struct Printer {
  Status Put(std::string_view key, std::string_view value) {
    return Line("put " + Quoted(key, SIZE_MAX) + " " + Quoted(value, limit));
  }
  Status Delete(std::string_view key) { return Line("delete " + Quoted(key, SIZE_MAX)); }
  Status LogData(std::string_view blob) { return Line("log data " + Quoted(blob, limit)); }
  Status MarkBeginPrepare() { return Line("begin prepare"); }
  Status MarkEndPrepare(std::string_view xid) { return Line("end prepare " + Xid(xid)); }
  Status MarkCommit(std::string_view xid) { return Line("commit " + Xid(xid)); }
  Status MarkRollback(std::string_view xid) { return Line("rollback " + Xid(xid)); }

  static std::string Xid(std::string_view xid) { return Quoted(xid, SIZE_MAX); }
  static Status Line(const std::string& text) {
    std::printf("  %s\n", text.c_str());
    return Status::OK();
  }

  size_t limit;
};

void PrintRecord(const WalRecord& record, size_t limit) {
  std::printf("offset %llu sequence %llu consumes %u\n",
              static_cast<unsigned long long>(record.offset),
              static_cast<unsigned long long>(record.sequence), record.count);
  const LogAnnotations annotations = GetAnnotations(record.batch);
  if (annotations.gap) {
    std::printf("  gap: sequences %llu to %llu were not logged\n",
                static_cast<unsigned long long>(annotations.gap->first),
                static_cast<unsigned long long>(annotations.gap->next - 1));
  }
  if (annotations.synced) {
    std::printf("  synced up to offset %llu\n",
                static_cast<unsigned long long>(*annotations.synced));
  }
  Printer printer{limit};
  (void)IterateBatch(record.batch, &printer);
}

void TellUndecided(const WalPosition& position, Report* report) {
  const auto& undecided = position.prepared.undecided();
  for (const auto& [xid, prepare] : undecided) {
    std::printf("undecided transaction %s: %u operations\n", Quoted(xid, SIZE_MAX).c_str(),
                prepare.WalCount());
  }
  report->Add({"undecided transactions", "", "ok", {{"transactions", undecided.size()}}});
}

}  // namespace

void DumpWal(const std::string& file, bool whole_values, Report* report) {
  std::string contents;
  const Status status = PosixFileSystem::Default()->ReadFile(file, &contents);
  if (!status.ok()) return Fail(status, report);
  WalPosition position = kAnySequence;
  const size_t limit = whole_values ? SIZE_MAX : kShownOfAValue;
  const LogView view = ViewLog(file, std::move(contents), &position,
                               [limit](const WalRecord& record) { PrintRecord(record, limit); });
  Tell(view, true, report);
  TellUndecided(position, report);
}

void Verify(const std::string& directory, Report* report) {
  FileSystem* const file_system = PosixFileSystem::Default();
  std::vector<std::string> names;
  Status status = file_system->ListDirectory(directory, &names);
  if (!status.ok()) return Fail(status, report);
  std::vector<std::pair<uint64_t, std::string>> logs;
  bool only_logs = true;
  for (const std::string& name : names) {
    uint64_t number = 0;
    if (ParseLogName(name, &number)) {
      logs.emplace_back(number, name);
    } else if (name != kLockName) {
      only_logs = false;
      std::printf("%s: not a log: not looked at\n", name.c_str());
    }
  }
  if (logs.empty()) {
    return Fail(Status::InvalidArgument("no log in " + directory + ": name a store's directory"),
                report);
  }
  std::sort(logs.begin(), logs.end());
  WalPosition position = only_logs ? SequenceNumber{1} : kAnySequence;
  std::vector<LogView> views;
  for (const auto& [number, name] : logs) {
    std::string contents;
    status = file_system->ReadFile(directory + "/" + name, &contents);
    if (!status.ok()) return Fail(status, report);
    views.push_back(ViewLog(name, std::move(contents), &position, [](const WalRecord&) {}));
    if (views.back().end != WalEnd::kClean) position.AcceptGap();
  }
  size_t last = views.size() - 1;
  while (last > 0 && views[last].size == 0) --last;
  for (size_t i = 0; i < views.size(); ++i) Tell(views[i], i >= last, report);
  TellUndecided(position, report);
}

}  // namespace bellwether::tool
