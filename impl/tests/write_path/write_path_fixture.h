// What the tests of the write path share: a log that holds the first leader until the writers of
// the test are queued, so that each group is known in advance, and a fixture for every mode.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "bellwether/sync/std_sync.h"
#include "bellwether/write_path/write_path.h"

namespace bellwether {

using Code = Status::Code;

// StdSync, with each action told to the test, and who is about to block.
struct HookedSync : StdSync {
  static inline std::function<void(std::string_view)> on_action = [](std::string_view) {};
  static inline std::function<void()> before_blocking = [] {};
  static inline bool patient = false;  // Linger waits for as long as it takes

  static void Unhook() {
    on_action = [](std::string_view) {};
    before_blocking = [] {};
    patient = false;
  }

  // Who takes it twice is told so, and goes on instead of waiting for himself.
  class Mutex : public std::mutex {
   public:
    void lock() {
      // Relaxed, so that nothing but the mutex itself orders who takes it.
      if (owner_.load(std::memory_order_relaxed) == std::this_thread::get_id()) {
        ADD_FAILURE() << "a mutex is taken twice";
        ++taken_again_;
        return;
      }
      if (!try_lock()) {
        before_blocking();
        std::mutex::lock();
      }
      owner_.store(std::this_thread::get_id(), std::memory_order_relaxed);
    }
    void unlock() {
      if (taken_again_ > 0) {
        --taken_again_;
        return;
      }
      owner_.store({}, std::memory_order_relaxed);
      std::mutex::unlock();
    }

   private:
    std::atomic<std::thread::id> owner_ = std::thread::id();
    int taken_again_ = 0;
  };

  class CondVar : public StdSync::CondVar {
   public:
    void wait(Mutex& mutex) {
      before_blocking();
      StdSync::CondVar::wait(mutex);
    }
  };

  static void OnAction(const char* action, const void*) { on_action(action); }
  template <class Enough>
  static void Linger(const Enough& enough) {
    while (patient && !enough()) std::this_thread::yield();
  }
  template <class Condition>
  static void Assert(const Condition& condition, const char* tag) {
    EXPECT_TRUE(condition()) << tag;
  }
};

struct TestBatch {
  char name = ' ';
  std::uint32_t count = 1;
  std::size_t bytes = 10;
  std::uint32_t Count() const { return count; }
  std::size_t ByteSize() const { return bytes; }
};

class Gate {
 public:
  void Open() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }
  void Pass() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return open_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = false;
};

// A record is the names of its batches, "*" appended for each sync behind it.
struct TestLog {
  Gate* gate = nullptr;                 // the first record passes it
  std::function<void()> before_second;  // pipelined: what the next group waits for, if anything
  std::function<void(std::string_view)> during = [](std::string_view) {};  // a call, by its name
  std::vector<std::string> records;
  std::vector<SequenceNumber> firsts;
  std::string fail_record;
  bool fail_sync = false;

  template <class Group>
  Status AddRecord(SequenceNumber first, const Group& group) {
    during("AddRecord");
    if (records.empty()) gate->Pass();
    if (records.size() == 1 && before_second) before_second();
    std::string record;
    group.ForEach([&](const TestBatch& batch) { record += batch.name; });
    if (record == fail_record) return Status::IOError("append failed", "000001.log", 7, ENOSPC);
    const std::lock_guard lock(mutex);
    records.push_back(record);
    firsts.push_back(first);
    return Status::OK();
  }
  Status Sync() {
    during("Sync");
    if (fail_sync) return Status::IOError("sync failed", "000001.log", 9, EIO);
    const std::lock_guard lock(mutex);
    if (!records.empty()) records.back() += '*';
    return Status::OK();
  }
  std::uint64_t LogNumber() const { return 7; }
  std::uint64_t BytesSinceCheckpoint() const { return bytes; }
  std::size_t Records() {
    const std::lock_guard lock(mutex);
    return records.size();
  }

  std::atomic<std::uint64_t> bytes = 0;
  std::mutex mutex;
};

// Parallel writers insert in any order, so what was inserted is kept sorted.
class TestMemTable {
 public:
  Gate* gate = nullptr;  // passed by the batch that fails
  char fail_at = 0;

  Status InsertInto(const TestBatch& batch, SequenceNumber, std::uint64_t log_ref) {
    if (batch.name == fail_at) {
      if (gate != nullptr) gate->Pass();
      return Status::OutOfMemory("no room");
    }
    const std::lock_guard lock(mutex_);
    inserted_ += batch.name;
    log_refs_.push_back(log_ref);
    return Status::OK();
  }
  std::string Inserted() {
    const std::lock_guard lock(mutex_);
    std::string sorted = inserted_;
    std::sort(sorted.begin(), sorted.end());
    return sorted;
  }
  std::vector<std::uint64_t> LogRefs() const { return log_refs_; }

 private:
  std::mutex mutex_;
  std::string inserted_;
  std::vector<std::uint64_t> log_refs_;
};

class TestCallback : public WriteCallback {
 public:
  TestCallback(Status status, bool allow_write_batching)
      : status_(std::move(status)), allow_write_batching_(allow_write_batching) {}
  Status Callback() override { return status_; }
  bool AllowWriteBatching() const override { return allow_write_batching_; }

 private:
  const Status status_;
  const bool allow_write_batching_;
};

struct Mode {
  const char* name;
  WritePathOptions options;
};

inline WritePathOptions MakeOptions(bool parallel, bool pipelined, bool two_queues,
                                    bool stride = false) {
  return {.allow_concurrent_memtable_write = parallel,
          .enable_pipelined_write = pipelined,
          .two_write_queues = two_queues,
          .max_write_batch_group_size_bytes = 800,
          .max_log_bytes = 100,
          .parallel_stride_threshold = stride ? 2u : 20u};
}

inline const Mode kModes[] = {
    {"serial", MakeOptions(false, false, false)},
    {"parallel", MakeOptions(true, false, false)},
    {"parallel_stride", MakeOptions(true, false, false, true)},
    {"pipelined", MakeOptions(false, true, false)},
    {"pipelined_parallel", MakeOptions(true, true, false)},
    {"pipelined_parallel_stride", MakeOptions(true, true, false, true)},
    {"two_queues", MakeOptions(false, false, true)},
    {"two_queues_parallel", MakeOptions(true, false, true)},
};

class WritePathTest : public ::testing::TestWithParam<Mode> {
 protected:
  WritePathTest() {
    log_.gate = &gate_;
    HookedSync::Unhook();
    HookedSync::on_action = [this](std::string_view action) { Count(action); };
  }

  // Queues a write behind those already queued.
  void Queue(TestBatch batch, bool sync = false) { Queue(batch, WriteOptions{.sync = sync}); }
  void Queue(TestBatch batch, const WriteOptions& options) {
    results_.emplace_back();
    const std::size_t index = results_.size() - 1;
    Start([this, batch, options, index] { results_[index] = path_.Write(options, &batch); });
  }
  void QueueClose() {
    Start([this] { closed_ = path_.Close(); });
  }

  // Lets the first leader go, and waits for all.
  void Run() {
    gate_.Open();
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
    EXPECT_TRUE(path_.Quiet());
  }

  std::vector<Code> Codes() const {
    std::vector<Code> codes;
    for (const WriteResult& result : results_) codes.push_back(result.status.code());
    return codes;
  }

  void Start(std::function<void()> write) {
    const int linked = Linked();
    threads_.emplace_back(std::move(write));
    std::unique_lock lock(mutex_);
    // The first writer has its group to itself: nobody links before it has chosen.
    changed_.wait(lock, [&] { return linked_ > linked && entered_ > 0; });
  }
  void WaitForLinked(int count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return linked_ >= count; });
  }
  void WaitForStall() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return stalls_ > 0; });
  }
  // The first group is through before the second is logged.
  void LogOneByOne() {
    log_.before_second = [this] {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] { return published_ > 0; });
    };
  }
  void Count(std::string_view action) {
    const std::lock_guard lock(mutex_);
    if (action == "LinkOne") ++linked_;
    if (action == "EnterAsBatchGroupLeader") ++entered_;
    if (action == "SetLastSequence") ++published_;
    if (action == "BeginWriteStall") ++stalls_;
    changed_.notify_all();
  }
  int Linked() {
    const std::lock_guard lock(mutex_);
    return linked_;
  }

  Gate gate_;
  TestLog log_;
  TestMemTable memtable_;
  WritePath<HookedSync, TestBatch, TestLog, TestMemTable> path_{GetParam().options, &log_,
                                                                &memtable_, 0};
  std::vector<WriteResult> results_ = [] {
    std::vector<WriteResult> results;
    results.reserve(16);  // threads write into it
    return results;
  }();
  Status closed_ = Status::Aborted("not closed");
  std::vector<std::thread> threads_;
  std::mutex mutex_;
  std::condition_variable changed_;
  int linked_ = 0;
  int entered_ = 0;
  int published_ = 0;
  int stalls_ = 0;
};

}  // namespace bellwether
