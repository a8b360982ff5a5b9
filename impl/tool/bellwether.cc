// bellwether: looks into a store and its logs (dump-wal, verify, get, scan), and fills one (load).
//
// dump-wal and verify only read, and need no lock. get, scan and load open the store: they recover
// it, and cut off a torn tail as any Open does.
#include <CLI/CLI.hpp>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <string>

#include "commands.h"

namespace bellwether::tool {

void Fail(const Status& status, Report* report) {
  PrintError("bellwether", status.ToString());
  report->Fail(status.code() == Status::Code::kCorruption ? ExitCode::kDataLost : ExitCode::kUsage);
}

std::string Quoted(std::string_view text, size_t limit) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string quoted = "\"";
  for (const char c : text.substr(0, limit)) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      quoted.append({'\\', c});
    } else if (byte >= 0x20 && byte < 0x7f) {
      quoted.push_back(c);
    } else {
      quoted.append({'\\', 'x', kHex[byte >> 4], kHex[byte & 15]});
    }
  }
  quoted.push_back('"');
  if (text.size() > limit) quoted += "... (" + std::to_string(text.size()) + " bytes)";
  return quoted;
}

namespace {

// So that no sum or product of the options is too large.
constexpr uint64_t kMaxBatches = uint64_t{1} << 40;

int Main(int argc, const char* const* argv) {
  CLI::App app("What a store and its logs hold.", "bellwether");
  app.require_subcommand(1);
  app.fallthrough();
  std::string json_file, path, key;
  app.add_option("--json", json_file, "write a report to this file");
  Report report("bellwether");

  CLI::App* dump = app.add_subcommand("dump-wal", "every record of a log, and how it ends");
  dump->add_option("FILE", path)->required();
  bool whole_values = false;
  dump->add_flag("--whole-values", whole_values, "do not cut values to 64 bytes");

  CLI::App* verify = app.add_subcommand("verify", "what is there, what is torn, what is corrupt");
  verify->add_option("DIR", path)->required();

  CLI::App* get = app.add_subcommand("get", "the value of a key; exit code 1 without one");
  get->add_option("DIR", path)->required();
  get->add_option("KEY", key)->required();

  ScanOptions scan_options;
  CLI::App* scan = app.add_subcommand("scan", "keys and values, in order");
  scan->add_option("DIR", path)->required();
  scan->add_option("--from", scan_options.from, "the first key");
  scan->add_option("--to", scan_options.to, "the first key that is not shown");
  scan->add_option("--limit", scan_options.limit, "at most so many keys")
      ->check(CLI::NonNegativeNumber);

  LoadOptions load_options;
  CLI::App* load = app.add_subcommand("load", "write batches of random keys");
  load->add_option("DIR", path)->required();
  load->add_option("--batches", load_options.batches)->check(CLI::Range(uint64_t{1}, kMaxBatches));
  load->add_option("--operations", load_options.operations, "in a batch")
      ->check(CLI::Range(1, 100000));
  load->add_option("--deletes", load_options.delete_percent,
                   "so many percent of the operations delete their key")
      ->check(CLI::Range(0, 100));
  load->add_option("--value-size", load_options.value_size)->check(CLI::Range(0, 1 << 20));
  load->add_option("--threads", load_options.threads)->check(CLI::Range(1, 64));
  load->add_option("--seed", load_options.seed)->check(CLI::NonNegativeNumber);
  load->add_option("--undecided", load_options.undecided,
                   "leave so many transactions prepared, of one batch each")
      ->check(CLI::Range(uint64_t{0}, kMaxBatches));
  load->add_option("--max-log-bytes", load_options.max_log_bytes,
                   "take a checkpoint when the log is larger")
      ->check(CLI::NonNegativeNumber);
  load->add_flag("--durable-watermark", load_options.durable_watermark,
                 "the log says up to where it was synced");
  load->add_flag("--sync", load_options.sync, "each batch is durable before the next one");
  load->add_flag("--progress", load_options.progress);

  if (const auto exit = ParseCommandLine(app, argc, argv)) return *exit;
  if (dump->parsed()) DumpWal(path, whole_values, &report);
  if (verify->parsed()) Verify(path, &report);
  if (get->parsed()) Get(path, key, &report);
  if (scan->parsed()) Scan(path, scan_options, &report);
  if (load->parsed()) Load(path, load_options, &report);
  if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) {
    PrintError("bellwether", "cannot write all of it to the standard output");
    report.Fail(ExitCode::kUsage);
  }
  return report.Finish(json_file);
}

}  // namespace
}  // namespace bellwether::tool

int main(int argc, char** argv) {
  try {
    return bellwether::tool::Main(argc, argv);
  } catch (const std::exception& error) {
    bellwether::PrintError("bellwether", error.what());
    return static_cast<int>(bellwether::ExitCode::kUsage);
  }
}
