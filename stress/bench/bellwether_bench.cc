// bellwether_bench: one slice of the benchmark: one engine, in a fresh process, writes a fixed
// number of batches in a closed loop from each thread, and what it wrote is read back.
//
// Each thread warms up. The clock runs from the moment that all are let go to the return of the
// last write. Then, with a log, the engine is closed and opened again, and every key has to be
// there with its value.

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <barrier>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <exception>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "bellwether/storage/coding.h"
#include "stress/bench/engine.h"
#include "stress/workload.h"

namespace bellwether::bench {

namespace {

constexpr size_t kKeySize = 16;
constexpr size_t kValueSize = 100;
// Of a record and of an operation in RocksDB's log, beyond key and value.
constexpr size_t kRecordOverhead = 19;
constexpr size_t kOperationOverhead = 3;

const std::map<std::string, LogUse> kLogUses{
    {"no_sync", LogUse::kNoSync}, {"sync", LogUse::kSync}, {"no_wal", LogUse::kNoWal}};
// One thread that appends to a file, and to one filled with zeros, and syncs it.
constexpr std::string_view kBound = "fdatasync";
constexpr std::string_view kBoundZeroFilled = "fdatasync_zero_filled";

struct Slice {
  EngineSetting engine;
  uint32_t threads = 1;
  uint32_t batch = 1;
  uint64_t writes = 1000;  // of each thread, that are measured
  LogUse log_use = LogUse::kNoSync;
  uint64_t handicap_us = 0;
  bool lose_write = false;

  // Memory that is touched for the first time, and what an engine learns about its waits.
  uint64_t WarmUp() const { return writes / 8; }
  uint64_t Writes() const { return WarmUp() + writes; }
  uint64_t Operations() const { return threads * writes * batch; }
};

struct Measured {
  double seconds = 0;
  double cpu_seconds = 0;
  double switches = 0;
  double mean_group = 0;
  uint64_t verified = 0;
};

struct DataLost : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// The n-th operation of a slice: its key is drawn without repetition from all 64-bit words.
class Operation {
 public:
  void Set(uint64_t n) {
    const uint64_t word = stress::Mix(n);
    EncodeFixed(key_, word);
    EncodeFixed(key_ + sizeof(word), stress::Mix(~word));
    // Half of the value compresses, as in the peers' own benchmark.
    for (size_t i = 0; i < kValueSize / 2; i += sizeof(word)) EncodeFixed(value_ + i, word + i);
  }
  std::string_view key() const { return {key_, kKeySize}; }
  std::string_view value() const { return {value_, kValueSize}; }

 private:
  char key_[kKeySize] = {};
  char value_[kValueSize] = {};
};

double Seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
}

// What the process used between construction and StopInto.
class Meter {
 public:
  Meter() : start_(std::chrono::steady_clock::now()) { ::getrusage(RUSAGE_SELF, &usage_); }

  void StopInto(Measured* measured) const {
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start_;
    rusage now{};
    ::getrusage(RUSAGE_SELF, &now);
    measured->seconds = elapsed.count();
    measured->cpu_seconds = Seconds(now.ru_utime) + Seconds(now.ru_stime) -
                            Seconds(usage_.ru_utime) - Seconds(usage_.ru_stime);
    measured->switches =
        static_cast<double>(now.ru_nvcsw + now.ru_nivcsw - usage_.ru_nvcsw - usage_.ru_nivcsw);
  }

 private:
  rusage usage_{};
  const std::chrono::steady_clock::time_point start_;
};

std::unique_ptr<Engine> Open(const EngineSetting& setting) {
  for (const stress::Mode& mode : stress::kModes) {
    if (mode.name == setting.name) return OpenStore(mode, setting);
  }
  return OpenPeer(setting);
}

// Writes `first` to `last` - 1 of a thread.
void Write(const Slice& slice, uint32_t thread, uint64_t first, uint64_t last, Session* session) {
  uint64_t n = (thread * slice.Writes() + first) * slice.batch;
  Operation operation;
  for (uint64_t write = first; write < last; ++write) {
    for (uint32_t i = 0; i < slice.batch; ++i) {
      operation.Set(n++);
      session->Put(operation.key(), operation.value());
    }
    if (slice.lose_write && thread == 0 && write + 1 == slice.Writes()) return;
    session->Write();
    if (slice.handicap_us > 0) {
      std::this_thread::sleep_for(std::chrono::microseconds(slice.handicap_us));
    }
  }
}

// Rethrows the first error that a thread met.
void RunThreads(const Slice& slice, Engine* engine, Measured* measured) {
  std::vector<std::unique_ptr<Session>> sessions;
  for (uint32_t thread = 0; thread < slice.threads; ++thread) {
    sessions.push_back(engine->NewSession(slice.log_use));
  }
  std::vector<std::exception_ptr> errors(slice.threads);
  std::vector<std::thread> threads;
  std::barrier warm(static_cast<std::ptrdiff_t>(slice.threads) + 1);
  std::barrier start(static_cast<std::ptrdiff_t>(slice.threads) + 1);
  for (uint32_t thread = 0; thread < slice.threads; ++thread) {
    threads.emplace_back([&, thread] {
      try {
        Write(slice, thread, 0, slice.WarmUp(), sessions[thread].get());
        warm.arrive_and_wait();
        start.arrive_and_wait();
        Write(slice, thread, slice.WarmUp(), slice.Writes(), sessions[thread].get());
      } catch (...) {
        errors[thread] = std::current_exception();
        warm.arrive_and_drop();
        start.arrive_and_drop();
      }
    });
  }
  warm.arrive_and_wait();
  const Meter meter;
  start.arrive_and_wait();
  for (std::thread& thread : threads) thread.join();
  meter.StopInto(measured);
  for (const std::exception_ptr& error : errors) {
    if (error) std::rethrow_exception(error);
  }
}

uint64_t ReadBack(const Slice& slice, Engine* engine) {
  const uint64_t operations = slice.threads * slice.Writes() * slice.batch;
  Operation operation;
  std::string value;
  for (uint64_t n = 0; n < operations; ++n) {
    operation.Set(n);
    if (!engine->Get(operation.key(), &value) || value != operation.value()) {
      throw DataLost(slice.engine.name + ": operation " + std::to_string(n) + " of " +
                     std::to_string(operations) + " was acknowledged and is not there");
    }
  }
  return operations;
}

Measured MeasureEngine(const Slice& slice) {
  Measured measured;
  std::unique_ptr<Engine> engine = Open(slice.engine);
  RunThreads(slice, engine.get(), &measured);
  measured.mean_group = engine->MeanGroup();
  if (slice.log_use != LogUse::kNoWal) {
    engine->Close();
    engine.reset();
    engine = Open(slice.engine);
  }
  measured.verified = ReadBack(slice, engine.get());
  engine->Close();
  return measured;
}

void CheckCall(bool ok, const char* what) {
  if (!ok) throw EngineError(std::string(what) + ": " + std::strerror(errno));
}

// The bound: each sync carries one write of every thread, and nothing else is done.
Measured MeasureBound(const Slice& slice) {
  if (slice.log_use != LogUse::kSync) throw Unsupported("the bound is that of writes with sync");
  const std::string path = slice.engine.directory + "/log";
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
  CheckCall(fd >= 0, "open");
  const size_t operation_size = kKeySize + kValueSize + kOperationOverhead;
  const std::string record(kRecordOverhead + operation_size * slice.threads * slice.batch, 'r');
  if (slice.engine.name == kBoundZeroFilled) {
    const std::string zeros(record.size(), '\0');
    for (uint64_t write = 0; write < slice.writes; ++write) {
      CheckCall(::write(fd, zeros.data(), zeros.size()) == static_cast<ssize_t>(zeros.size()),
                "write");
    }
    CheckCall(::fsync(fd) == 0 && ::lseek(fd, 0, SEEK_SET) == 0, "fsync");
  }
  Measured measured;
  const Meter meter;
  for (uint64_t write = 0; write < slice.writes; ++write) {
    CheckCall(::write(fd, record.data(), record.size()) == static_cast<ssize_t>(record.size()),
              "write");
    CheckCall(::fdatasync(fd) == 0, "fdatasync");
  }
  meter.StopInto(&measured);
  measured.mean_group = slice.threads;
  CheckCall(::close(fd) == 0, "close");
  return measured;
}

Measured Measure(const Slice& slice) {
  const bool bound = slice.engine.name == kBound || slice.engine.name == kBoundZeroFilled;
  return bound ? MeasureBound(slice) : MeasureEngine(slice);
}

void AddOptions(CLI::App* app, Slice* slice) {
  std::vector<std::string> names = PeerNames();
  for (const stress::Mode& mode : stress::kModes) names.emplace_back(mode.name);
  names.emplace_back(kBound);
  names.emplace_back(kBoundZeroFilled);
  app->add_option("--engine", slice->engine.name, "what is measured")
      ->required()
      ->check(CLI::IsMember(names));
  app->add_option("--directory", slice->engine.directory, "an empty directory on a disk")
      ->required()
      ->check(CLI::ExistingDirectory);
  app->add_option("--library", slice->engine.library, "the shared library of a peer");
  app->add_option("--threads", slice->threads)->check(CLI::Range(1U, 1024U));
  app->add_option("--batch", slice->batch, "operations in a write")->check(CLI::Range(1U, 10000U));
  app->add_option("--writes", slice->writes, "writes of each thread")
      ->check(CLI::Range(uint64_t{1}, uint64_t{100'000'000}));
  app->add_option("--log", slice->log_use, "no_sync, sync or no_wal")
      ->transform(CLI::CheckedTransformer(kLogUses));
  app->add_option("--handicap-us", slice->handicap_us,
                  "seeded fault: sleep this long after each write");
  app->add_flag("--lose-write", slice->lose_write, "seeded fault: the last write is not made");
}

ReportRow RowOf(const Slice& slice, const Measured& measured) {
  const auto operations = static_cast<double>(slice.Operations());
  ReportRow row;
  row.what = slice.engine.name;
  row.bounds = std::to_string(slice.threads) + " threads, " + std::to_string(slice.writes) +
               " writes of each, " + std::to_string(slice.batch) + " operations in a write";
  row.result = "ok";
  row.figures = {{"operations", slice.Operations()},
                 {"seconds", measured.seconds},
                 {"operations_per_second", operations / measured.seconds},
                 {"cpu_us_per_write", measured.cpu_seconds * 1e6 * slice.batch / operations},
                 {"switches_per_write", measured.switches * slice.batch / operations},
                 {"mean_group", measured.mean_group},
                 {"verified", measured.verified}};
  return row;
}

int Main(int argc, char** argv) {
  Slice slice;
  std::string json;
  CLI::App app("One slice of Bellwether's benchmark; stress/bench/bench draws them.",
               "bellwether_bench");
  AddOptions(&app, &slice);
  app.add_option("--json", json, "file for the report");
  if (const std::optional<int> exit_code = ParseCommandLine(app, argc, argv)) return *exit_code;
  Report report("bellwether_bench");
  try {
    report.Add(RowOf(slice, Measure(slice)));
  } catch (const Unsupported& reason) {
    report.Add({slice.engine.name, "", std::string("unsupported: ") + reason.what()});
  } catch (const DataLost& error) {
    PrintError("bellwether_bench", error.what());
    report.Add({slice.engine.name, "", "FAILED: data lost"});
    report.Fail(ExitCode::kDataLost);
  } catch (const std::exception& error) {
    PrintError("bellwether_bench", slice.engine.name + ": " + error.what());
    return static_cast<int>(ExitCode::kUsage);
  }
  for (const ReportRow& row : report.rows()) {
    std::printf("%s %s %s\n", row.what.c_str(), row.result.c_str(), row.figures.dump().c_str());
  }
  return report.Finish(json);
}

}  // namespace

}  // namespace bellwether::bench

int main(int argc, char** argv) {
  try {
    return bellwether::bench::Main(argc, argv);
  } catch (const std::exception& error) {
    bellwether::PrintError("bellwether_bench", error.what());
    return static_cast<int>(bellwether::ExitCode::kUsage);
  }
}
