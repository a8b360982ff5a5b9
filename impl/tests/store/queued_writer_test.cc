// A write that waits behind another one: what it is told when the log fails meanwhile, and that
// the statistics count it.

#include <gtest/gtest.h>

#include <cerrno>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <thread>

#include "store_fixture.h"
#include "stress/modes.h"
#include "write_path_fixture.h"

namespace bellwether {
namespace {

using stress::FileOperation;

// Holds the group that it leads.
class HoldingCallback final : public WriteCallback {
 public:
  Status Callback() override {
    leads.Open();
    goes_on.Pass();
    return Status::OK();
  }
  bool AllowWriteBatching() const override { return true; }

  Gate leads;
  Gate goes_on;
};

class QueuedWriterTest : public StoreTest, public testing::WithParamInterface<stress::Mode> {
 protected:
  using HookedStore = BasicStore<HookedSync>;

  ~QueuedWriterTest() override { HookedSync::Unhook(); }

  void Begin(uint64_t max_log_bytes = 0) {
    StoreOptions options{.write_path = GetParam().options, .file_system = &disk_};
    options.write_path.max_log_bytes = max_log_bytes;
    const Status status = HookedStore::Open(options, kDirectory, &hooked_);
    ASSERT_TRUE(status.ok()) << status.ToString();
  }

  std::unique_ptr<HookedStore> hooked_;
};

// It is queued before the rotation fails, and leads after it. Nothing of it is logged.
TEST_P(QueuedWriterTest, ARotationThatFailsRefusesIt) {
  Begin();
  ASSERT_TRUE(hooked_->Put({}, "a", "1").status.ok());
  // After those of the new log and the manifest: of the log that it takes the place of.
  disk_.InjectFault({.operation = FileOperation::kSync, .nth = 3});
  Gate queued;
  Status told;
  std::thread writer;
  const std::thread::id here = std::this_thread::get_id();
  HookedSync::on_action = [&](std::string_view action) {
    if (action == "LinkOne" && std::this_thread::get_id() != here) queued.Open();
    if (action != "EnterUnbatched" || writer.joinable()) return;
    writer = std::thread([&] { told = hooked_->Put({}, "b", "2").status; });
    queued.Pass();
  };
  const Status failed = hooked_->Checkpoint();
  writer.join();
  HookedSync::Unhook();
  EXPECT_EQ(failed.error_number(), EIO);
  EXPECT_EQ(failed.file(), Log(1));
  EXPECT_EQ(told.code(), Code::kAborted) << told.ToString();
  EXPECT_EQ(told.error_number(), EIO);
  EXPECT_EQ(hooked_->Close().error_number(), EIO);
  EXPECT_TRUE(hooked_->Quiet());
}

// Close comes while the snapshot is still to be written.
TEST_P(QueuedWriterTest, ACheckpointGivesUpForAClose) {
  Begin();
  ASSERT_TRUE(hooked_->Put({}, "a", "1").status.ok());
  Gate waits;
  HookedSync::before_blocking = [&] { waits.Open(); };
  std::thread closer;
  HookedSync::on_action = [&](std::string_view action) {
    if (action != "Checkpoint") return;
    closer = std::thread([&] { EXPECT_TRUE(hooked_->Close().ok()); });
    waits.Pass();
  };
  EXPECT_EQ(hooked_->Checkpoint().code(), Code::kAborted);
  closer.join();
  HookedSync::Unhook();
  EXPECT_EQ(hooked_->GetStats().failed_checkpoints, 1U);
}

TEST_P(QueuedWriterTest, OnceForEachWriteThatHadToSleep) {
  Begin();
  for (const char* key : {"a", "b", "c"}) {
    ASSERT_TRUE(hooked_->Put(kSync, key, "1").status.ok());
  }
  EXPECT_EQ(hooked_->GetStats().waits, 0U) << "nobody was in the way";
  HoldingCallback holding;
  HookedSync::before_blocking = [&] { holding.goes_on.Open(); };
  WriteBatch batch;
  ASSERT_TRUE(batch.Put("a", "2").ok());
  std::thread leader(
      [&] { EXPECT_TRUE(hooked_->Write({.callback = &holding}, &batch).status.ok()); });
  holding.leads.Pass();
  EXPECT_TRUE(hooked_->Put({}, "b", "2").status.ok());
  leader.join();
  EXPECT_EQ(hooked_->GetStats().waits, 1U);
}

// The log is too large when the other write comes, and shorter once the first has taken the
// checkpoint that it has made due.
TEST_P(QueuedWriterTest, AStallIsAWait) {
  Begin(/*max_log_bytes=*/100);
  Gate stalled;
  HookedSync::before_blocking = [&] { stalled.Open(); };
  std::thread writer;
  const std::thread::id here = std::this_thread::get_id();
  HookedSync::on_action = [&](std::string_view action) {
    if (action != "Write_Return" || std::this_thread::get_id() != here || writer.joinable()) {
      return;
    }
    writer = std::thread([&] { EXPECT_TRUE(hooked_->Put({}, "b", "2").status.ok()); });
    stalled.Pass();
  };
  EXPECT_TRUE(hooked_->Put({}, "a", std::string(200, '1')).status.ok());
  writer.join();
  HookedSync::Unhook();
  EXPECT_EQ(hooked_->GetStats().waits, 1U);
  EXPECT_EQ(hooked_->GetStats().checkpoints, 1U);
}

INSTANTIATE_TEST_SUITE_P(EveryMode, QueuedWriterTest, testing::ValuesIn(stress::kModes),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace bellwether
