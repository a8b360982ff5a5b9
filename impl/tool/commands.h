// The commands of `bellwether`. Each adds to the report what it found, and says the rest on stdout;
// what went wrong is one line on stderr.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "bellwether/write_path/status.h"
#include "model/tool_report.h"

namespace bellwether::tool {

struct LoadOptions {
  uint64_t batches = 10000;
  uint32_t operations = 1;      // a batch
  uint32_t delete_percent = 0;  // of them
  uint32_t value_size = 100;
  uint32_t threads = 1;
  uint64_t seed = 1;
  uint64_t undecided = 0;      // transactions that are left prepared
  uint64_t max_log_bytes = 0;  // 0: no checkpoint is taken
  bool durable_watermark = false;
  bool sync = false;
  bool progress = false;
};

struct ScanOptions {
  std::string from;
  std::string to;  // not included; empty: to the end
  uint64_t limit = UINT64_MAX;
};

void DumpWal(const std::string& file, bool whole_values, Report* report);
void Verify(const std::string& directory, Report* report);
void Load(const std::string& directory, const LoadOptions& options, Report* report);
void Get(const std::string& directory, const std::string& key, Report* report);
void Scan(const std::string& directory, const ScanOptions& options, Report* report);

// One line on stderr, and the exit code that belongs to it.
void Fail(const Status& status, Report* report);

// In quotes, on one line; cut to `limit` bytes, and then its size behind it.
std::string Quoted(std::string_view text, size_t limit);

}  // namespace bellwether::tool
