// Records a trace of the write path on real threads, over a log and a memtable that fail when told
// to: record_trace MODE none|log|sync|memtable THREADS WRITES FILE. Each thread makes WRITES
// writes.
//
// Some writes have sync, a callback that fails or one that wants no company; some insert nothing,
// and the next write of their thread inserts (a Prepare and its Commit). About the middle of the
// run one append, sync or insert fails.
#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "bellwether/trace/trace_writer.h"
#include "bellwether/write_path/write_path.h"
#include "stress/checked_sync.h"
#include "stress/modes.h"

namespace bellwether::model {
namespace {

struct TestBatch {
  std::uint32_t count = 0;
  std::uint32_t Count() const { return count; }
  std::size_t ByteSize() const { return 16; }
};

// Fails once, at its n-th call; 0: never.
class Fault {
 public:
  explicit Fault(std::uint64_t call) : call_(call) {}
  Status Next() {
    return ++calls_ == call_ ? Status::IOError("injected", "000001.log", 0, EIO) : Status::OK();
  }

 private:
  const std::uint64_t call_;
  std::atomic<std::uint64_t> calls_{0};
};

// A record has a byte.
class TestLog {
 public:
  TestLog(std::uint64_t append, std::uint64_t sync) : append_(append), sync_(sync) {}
  template <class Group>
  Status AddRecord(SequenceNumber, const Group&) {
    Status status = append_.Next();
    if (status.ok() && ++records_ > kMaxLogBytes) due_ = true;
    return status;
  }
  Status Sync() { return fails_ ? Status::IOError("injected", "1.log", 0, EIO) : sync_.Next(); }
  std::uint64_t BytesSinceCheckpoint() const { return records_; }
  std::uint64_t LogNumber() const { return 1; }

  bool due() const { return due_; }
  void NeverDue() { due_ = false; }
  // REQUIRES: nothing is appended.
  void Checkpoint() {
    records_ = 0;
    due_ = false;
  }
  void FailEverySync() { fails_ = true; }

  static constexpr std::uint64_t kMaxLogBytes = 10;

 private:
  Fault append_;
  Fault sync_;
  bool fails_ = false;
  std::uint64_t records_ = 0;
  std::atomic<bool> due_{false};
};

class TestMemTable {
 public:
  explicit TestMemTable(std::uint64_t insert) : insert_(insert) {}
  Status InsertInto(const TestBatch&, SequenceNumber) { return insert_.Next(); }

 private:
  Fault insert_;
};

class TestCallback : public WriteCallback {
 public:
  TestCallback(bool fails, bool alone) : fails_(fails), alone_(alone) {}
  Status Callback() override { return fails_ ? Status::Busy("injected", "") : Status::OK(); }
  bool AllowWriteBatching() const override { return !alone_; }

 private:
  const bool fails_;
  const bool alone_;
};

class TestPreReleaseCallback : public PreReleaseCallback {
 public:
  explicit TestPreReleaseCallback(std::uint64_t call) : call_(call) {}
  Status Callback(SequenceNumber, bool, std::uint64_t, std::size_t, std::size_t) override {
    return call_.Next();
  }

 private:
  Fault call_;
};

// Lets a leader look at the log only when somebody is queued behind it, and a memtable leader
// insert only when somebody waits for it.
struct GatedSync : stress::CheckedSync {
  static void OnAction(const char* action, const void* object) {
    stress::CheckedSync::OnAction(action, object);
    if (!gated) return;
    const std::string_view name = action;
    if (name == "LinkOne" && leads) queued = true;
    if (name == "WaitForMemTableWriters_LinkOne") awaited = true;
    if (name == "EnterAsMemTableWriter") Await(awaited);
    if (name != "PreprocessWrite" || leads) return;
    leads = true;
    Await(queued);
  }

  static void Await(const std::atomic<bool>& flag) {
    while (!flag) std::this_thread::yield();
  }

  static inline std::atomic<bool> gated{false};
  static inline std::atomic<bool> leads{false};
  static inline std::atomic<bool> queued{false};
  static inline std::atomic<bool> awaited{false};
};

using Sync = TracingSync<TestBatch, GatedSync>;
using Path = WritePath<Sync, TestBatch, TestLog, TestMemTable>;

enum class Calls { kNone, kCheckpoints, kStalls };

// What the threads share.
struct Shared {
  Path* path;
  TestLog* log;
  PreReleaseCallback* pre_release;
  Calls calls;
  std::mutex checkpoint_mutex;
};

void TakeCheckpoint(Shared* shared) {
  const Status status = shared->path->RunUnbatched([&] {
    shared->log->Checkpoint();
    Sync::OnAction("Checkpoint", nullptr);
    return Status::OK();
  });
  if (!status.ok()) shared->log->NeverDue();
}

// As a Store does: whoever made a checkpoint due comes through here. He lingers, so that others
// meet the stall.
void TakeCheckpointIfDue(Shared* shared, std::uint64_t yields) {
  if (shared->calls != Calls::kStalls || !shared->log->due()) return;
  for (std::uint64_t i = 0; i < yields; ++i) std::this_thread::yield();
  const std::lock_guard<std::mutex> lock(shared->checkpoint_mutex);
  if (shared->log->due()) TakeCheckpoint(shared);
}

void WriteAll(Shared* shared, std::uint64_t seed, std::uint64_t writes) {
  stress::CheckedSync::Seed(seed);
  stress::Random random(seed << 32);
  TestCallback fails(true, false);
  TestCallback alone(false, true);
  bool prepared = false;
  for (std::uint64_t i = 0; i < writes; ++i) {
    WriteOptions options;
    options.sync = random.Percent(10);
    options.disable_memtable = !prepared && random.Percent(30);
    options.disable_wal = !options.sync && !options.disable_memtable && random.Percent(10);
    options.no_slowdown = shared->calls == Calls::kStalls && random.Percent(30);
    options.pre_release_callback = shared->pre_release;
    if (random.Percent(10)) options.callback = random.Percent(50) ? &fails : &alone;
    prepared = options.disable_memtable;
    const std::uint64_t operations = prepared ? 0 : 1 + random.Below(3);
    const TestBatch batch{static_cast<std::uint32_t>(operations)};
    (void)shared->path->Write(options, &batch);
    TakeCheckpointIfDue(shared, random.Below(200));
    if (shared->calls != Calls::kNone && random.Percent(3)) TakeCheckpoint(shared);
  }
}

// See above.
void MeetStall(Shared* shared) {
  const TestBatch batch{1};
  for (std::uint64_t i = 0; i <= TestLog::kMaxLogBytes; ++i) (void)shared->path->Write({}, &batch);
  GatedSync::gated = true;
  std::thread leader([&] { (void)shared->path->Write({}, &batch); });
  GatedSync::Await(GatedSync::leads);
  for (int i = 0; i < 2; ++i) (void)shared->path->Write({.no_slowdown = true}, &batch);
  TakeCheckpoint(shared);
  leader.join();
  GatedSync::gated = false;
}

constexpr std::array<std::string_view, 3> kCalls{"none", "calls", "stalls"};  // as Calls

int Main(const std::vector<std::string>& arguments) {
  const auto mode = std::find_if(stress::kModes.begin(), stress::kModes.end(),
                                 [&](const stress::Mode& m) { return m.name == arguments[0]; });
  const std::string& fault = arguments[1];
  const auto calls = std::find(kCalls.begin(), kCalls.end(), arguments[2]);
  const std::uint64_t threads = std::stoull(arguments[3]);
  const std::uint64_t writes = std::stoull(arguments[4]);
  if (mode == stress::kModes.end() || calls == kCalls.end()) {
    return static_cast<int>(ExitCode::kUsage);
  }
  // Groups have a few writers; one write in ten or so is synced.
  const auto middle = [&](std::string_view met, std::uint64_t parts) {
    return fault == met ? std::max<std::uint64_t>(1, threads * writes / parts) : 0;
  };
  TestLog log(middle("log", 8), middle("sync", 30));
  TestPreReleaseCallback pre_release(middle("pre_release", 3));
  TestMemTable memtable(middle("memtable", 3));
  WritePathOptions options = mode->options;
  options.parallel_stride_threshold = 4;
  if (*calls == "stalls") options.max_log_bytes = TestLog::kMaxLogBytes;
  Path path(options, &log, &memtable, 100);
  Shared shared{&path, &log, &pre_release, static_cast<Calls>(calls - kCalls.begin()), {}};
  Trace trace(writes * 64);
  trace.Begin();
  if (shared.calls == Calls::kStalls) MeetStall(&shared);
  std::vector<std::thread> running;
  for (std::uint64_t t = 0; t < threads; ++t) {
    running.emplace_back([&, t] { WriteAll(&shared, t + 1, writes); });
  }
  for (std::thread& thread : running) thread.join();
  if (fault == "close") log.FailEverySync();
  if (shared.calls != Calls::kNone) (void)path.Close();
  trace.End();
  const Status status = TraceWriter(trace, options, 100).WriteTo(arguments[5]);
  if (!status.ok()) std::fprintf(stderr, "record_trace: %s\n", status.ToString().c_str());
  return static_cast<int>(status.ok() ? ExitCode::kOk : ExitCode::kUsage);
}

}  // namespace
}  // namespace bellwether::model

int main(int argc, char** argv) {
  if (argc != 7) {
    std::fputs(
        "record_trace MODE none|log|sync|pre_release|memtable|close none|calls|stalls THREADS "
        "WRITES FILE\n",
        stderr);
    return 1;
  }
  return bellwether::model::Main(std::vector<std::string>(argv + 1, argv + argc));
}
