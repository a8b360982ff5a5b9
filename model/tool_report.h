// tool_report.h: what every command-line tool of Bellwether says, and how.
//
// Protocol:
//   - exit codes are ExitCode, the same for every tool;
//   - `--json FILE` holds {"ok", "exit", "rows": [{"what", "bounds", "result", "figures", "mode"}]}
//     (mode: of the write path, where the row is of one); it is
//     written to a temporary file and renamed, so that a reader never sees half a report;
//   - `--progress` prints `progress {"what", "done", "unit", "elapsed"}` lines to stderr, at most
//     two a second;
//   - a command line that cannot be used gives one line on stderr and exit code 1.
//
// Thread safety: none; one thread reports for its tool.

#pragma once

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace bellwether {

enum class ExitCode : int {
  kOk = 0,
  kUsage = 1,
  kIncomplete = 2,
  kAssumption = 10,
  kDeadlock = 11,
  kSafety = 12,
  kLiveness = 13,
  kDataLost = 14,
};

// One line on stderr: what went wrong, and for an unusable command line what to do about it.
inline void PrintError(std::string_view tool, std::string_view message) {
  std::string line(message);
  std::replace(line.begin(), line.end(), '\n', ' ');
  std::fprintf(stderr, "%.*s: %s\n", static_cast<int>(tool.size()), tool.data(), line.c_str());
}

// Seconds since construction. Only for figures and progress; no check depends on it.
class Stopwatch {
 public:
  double Seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

struct ReportRow {
  std::string what;
  std::string bounds;
  std::string result;
  nlohmann::ordered_json figures = nlohmann::ordered_json::object();  // name -> number
  std::string mode = {};  // of the write path, as the tools call it; empty: of none
};

class Report {
 public:
  explicit Report(std::string tool) : tool_(std::move(tool)) {}

  void Add(ReportRow row) { rows_.push_back(std::move(row)); }

  // The first failure decides the exit code: what comes after it may be its consequence.
  void Fail(ExitCode code) {
    if (exit_ == ExitCode::kOk) exit_ = code;
  }

  ExitCode exit() const { return exit_; }
  const std::vector<ReportRow>& rows() const { return rows_; }

  nlohmann::ordered_json ToJson() const {
    nlohmann::ordered_json rows = nlohmann::ordered_json::array();
    for (const ReportRow& row : rows_) {
      rows.push_back({{"what", row.what},
                      {"bounds", row.bounds},
                      {"result", row.result},
                      {"figures", row.figures}});
      if (!row.mode.empty()) rows.back()["mode"] = row.mode;
    }
    return {{"ok", exit_ == ExitCode::kOk},
            {"exit", static_cast<int>(exit_)},
            {"rows", std::move(rows)}};
  }

  // Writes the report if `json_file` is not empty. Returns the exit code for main().
  int Finish(const std::string& json_file) {
    if (!json_file.empty() && !WriteJson(json_file)) Fail(ExitCode::kUsage);
    return static_cast<int>(exit_);
  }

 private:
  bool WriteJson(const std::string& json_file) const {
    const std::string text =
        ToJson().dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
    const std::string temporary = json_file + ".tmp";
    std::FILE* file = std::fopen(temporary.c_str(), "w");
    bool ok = file != nullptr && std::fwrite(text.data(), 1, text.size(), file) == text.size();
    if (file != nullptr) ok = (std::fclose(file) == 0) && ok;
    ok = ok && std::rename(temporary.c_str(), json_file.c_str()) == 0;
    if (!ok) {
      PrintError(tool_, "cannot write the report " + json_file + ": " + std::strerror(errno) +
                            "; give --json a file in a writable directory");
    }
    return ok;
  }

  std::string tool_;
  ExitCode exit_ = ExitCode::kOk;
  std::vector<ReportRow> rows_;
};

// Rate-limited progress lines. Update() may be called as often as one likes.
class Progress {
 public:
  Progress(bool enabled, std::string what, std::string unit, double seconds_between_lines = 0.5)
      : enabled_(enabled),
        what_(std::move(what)),
        unit_(std::move(unit)),
        seconds_between_lines_(seconds_between_lines),
        next_(seconds_between_lines) {}

  void Update(uint64_t done) {
    if (!enabled_) return;
    const double elapsed = stopwatch_.Seconds();
    if (elapsed < next_) return;
    next_ = elapsed + seconds_between_lines_;
    const nlohmann::ordered_json line = {
        {"what", what_}, {"done", done}, {"unit", unit_}, {"elapsed", elapsed}};
    const std::string text =
        line.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
    std::fprintf(stderr, "progress %s\n", text.c_str());
  }

 private:
  bool enabled_;
  std::string what_;
  std::string unit_;
  double seconds_between_lines_;
  double next_;
  Stopwatch stopwatch_;
};

// Parses the command line; nothing to return means: go on. Help goes to stdout with 0, anything
// wrong is one line on stderr with exit code 1.
inline std::optional<int> ParseCommandLine(CLI::App& app, int argc, const char* const* argv) {
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& success) {
    return app.exit(success);
  } catch (const CLI::ParseError& error) {
    PrintError(app.get_name(), std::string(error.what()) + "; see --help");
    return static_cast<int>(ExitCode::kUsage);
  }
  return std::nullopt;
}

}  // namespace bellwether
