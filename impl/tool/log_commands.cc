// dump-wal and verify: they read logs as recovery does, and go on behind what it would refuse.
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>
#include <utility>

#include "bellwether/storage/log_annotation.h"
#include "bellwether/storage/posix_file_system.h"
#include "bellwether/storage/wal_reader.h"
#include "commands.h"
#include "store_view.h"

namespace bellwether::tool {
namespace {

constexpr size_t kShownOfAValue = 64;

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

std::string ResultOf(const LogView& view) {
  if (view.blank) return "blank";
  if (view.covered) return "covered by a snapshot";
  if (view.end == WalEnd::kCorruption) return "FAILED: corrupt";
  if (view.end == WalEnd::kClean) return "ok";
  const std::string tail = std::to_string(view.end_offset) + " to " + std::to_string(view.size);
  const std::string result = view.end == WalEnd::kTornTail
                                 ? "torn: offset " + tail + " holds no whole record"
                                 : "zeros: offset " + tail;
  return view.Damaged() ? "FAILED: corrupt, " + result + ", before another log" : result;
}

// Offset by offset, and a row of the report.
void Tell(const LogView& view, Report* report) {
  for (const WalGap& gap : view.gaps) PrintGap(view.name, gap);
  if (view.Damaged()) report->Fail(ExitCode::kDataLost);
  std::string text =
      std::to_string(view.size) + " bytes, " + std::to_string(view.records) + " records";
  ReportRow row{view.name, std::to_string(view.size) + " bytes", ResultOf(view)};
  row.figures = {{"records", view.records},
                 {"first_sequence", view.first_sequence},
                 {"next_sequence", view.next_sequence},
                 {"end_offset", view.end_offset},
                 {"gaps", view.gaps.size()},
                 {"unlogged", view.unlogged}};
  if (view.records > 0) {
    text += ", from sequence " + std::to_string(view.first_sequence) + ", next " +
            std::to_string(view.next_sequence);
  }
  if (view.unlogged > 0) text += ", " + std::to_string(view.unlogged) + " sequences not logged";
  if (view.watermark) {
    text += ", synced up to offset " + std::to_string(*view.watermark);
    row.figures["watermark"] = *view.watermark;
  }
  std::printf("%s: %s: %s\n", view.name.c_str(), text.c_str(), row.result.c_str());
  report->Add(std::move(row));
}

void Tell(const SnapshotView& view, Report* report) {
  for (const SnapshotGap& gap : view.gaps) {
    std::printf("%s: CORRUPT offset %llu to %llu: %s\n", view.name.c_str(),
                static_cast<unsigned long long>(gap.begin),
                static_cast<unsigned long long>(gap.end), gap.what.c_str());
  }
  if (view.Damaged()) report->Fail(ExitCode::kDataLost);
  ReportRow row{view.name, std::to_string(view.size) + " bytes", "ok"};
  if (!view.gaps.empty()) row.result = "FAILED: corrupt";
  if (view.covered) row.result = "covered by a newer snapshot";
  row.figures = {
      {"entries", view.entries}, {"prepares", view.prepares}, {"gaps", view.gaps.size()}};
  std::string state = "its sequence is lost";
  if (view.footer) {
    state = "the state at sequence " + std::to_string(view.footer->sequence);
    row.figures["sequence"] = view.footer->sequence;
  }
  std::printf("%s: %llu bytes, %llu entries, %llu prepares, %s: %s\n", view.name.c_str(),
              static_cast<unsigned long long>(view.size),
              static_cast<unsigned long long>(view.entries),
              static_cast<unsigned long long>(view.prepares), state.c_str(), row.result.c_str());
  report->Add(std::move(row));
}

// The handler that prints the operations of a record.
struct Printer {
  Status Put(std::string_view key, std::string_view value) {
    return Line("put " + Quoted(key, SIZE_MAX) + " " + Quoted(value, limit));
  }
  Status Delete(std::string_view key) { return Line("delete " + Quoted(key, SIZE_MAX)); }
  // The log's own is told by PrintRecord.
  Status LogData(std::string_view blob) {
    if (blob.starts_with(kAnnotationPrefix)) return Status::OK();
    return Line("log data " + Quoted(blob, limit));
  }
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

void TellUndecided(const PreparedTransactions::Map& undecided, Report* report) {
  report->Add({"undecided transactions", "", "ok", {{"transactions", undecided.size()}}});
  for (const auto& [xid, prepare] : undecided) {
    const std::string what = "undecided transaction " + Quoted(xid, SIZE_MAX);
    std::printf("%s: %u operations\n", what.c_str(), prepare.WalCount());
    report->Add({what, "", "ok", {{"operations", prepare.WalCount()}}});
  }
}

void TellFile(const std::string& name, const std::string& result, Report* report) {
  std::printf("%s: %s\n", name.c_str(), result.c_str());
  report->Add({name, "", result});
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
  Tell(view, report);
  TellUndecided(position.prepared.undecided(), report);
}

void Verify(const std::string& directory, Report* report) {
  StoreView view;
  const Status status = ViewStore(PosixFileSystem::Default(), directory, &view);
  if (!status.ok()) return Fail(status, report);
  for (const SnapshotView& snapshot : view.snapshots) Tell(snapshot, report);
  for (const LogView& log : view.logs) Tell(log, report);
  TellUndecided(view.undecided, report);
  if (view.manifest_damaged) {
    TellFile(std::string(kManifestName), "FAILED: corrupt", report);
    report->Fail(ExitCode::kDataLost);
  }
  for (const std::string& name : view.missing) {
    TellFile(name, "FAILED: missing", report);
    report->Fail(ExitCode::kDataLost);
  }
  for (const std::string& name : view.unfinished) {
    TellFile(name, "unfinished: not part of the store", report);
  }
  if (view.foreign.empty()) return;
  report->Add({view.foreign, "", "FAILED: not a store's file"});
  Fail(Status::InvalidArgument("not the directory of a store: it holds " + view.foreign +
                               "; Open refuses it"),
       report);
}

}  // namespace bellwether::tool
