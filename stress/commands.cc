#include "stress/commands.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <system_error>

#include "stress/exercised.h"

namespace bellwether::stress {

void ReportViolation(const Violation& violation, ExitCode code, const std::string& command,
                     ReportRow* row, Report* report) {
  row->result = "FAILED " + std::string(violation.rule) + ": " + violation.what;
  PrintError("bellwether_stress", row->what + ": " + std::string(violation.rule) + ": " +
                                      violation.what + "; reproduce: bellwether_stress " + command);
  report->Fail(code);
}

uint64_t CountUntilExercised(uint64_t count, uint32_t threads) {
  constexpr uint64_t kPatience = 20;
  const bool incomplete = count >= kEnough && !Exercised::Missing(threads).empty();
  return incomplete ? kPatience * count : count;
}

void CheckExercised(uint32_t threads, const std::string& command, ReportRow* row, Report* report) {
  const std::string missing = Exercised::Missing(threads);
  if (missing.empty()) return;
  ReportViolation({"not exercised", "never happened, so nothing was checked of it: " + missing},
                  ExitCode::kIncomplete, command, row, report);
}

WorkDirectory::WorkDirectory(const std::string& parent) {
  std::error_code error;
  const std::filesystem::path base =
      parent.empty() ? std::filesystem::temp_directory_path(error) : std::filesystem::path(parent);
  std::string name = (base / "bellwether_stress.XXXXXX").string();
  if (::mkdtemp(name.data()) != nullptr) {
    path_ = name;
  } else {
    error_ = "cannot make a directory in " + base.string() + ": " + std::strerror(errno) +
             "; give --directory one that exists and is writable";
  }
}

WorkDirectory::~WorkDirectory() {
  std::error_code ignored;
  if (!path_.empty() && !keep_) std::filesystem::remove_all(path_, ignored);
}

}  // namespace bellwether::stress
