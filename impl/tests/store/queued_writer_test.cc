// A write that waits behind another one: what it is told when the log fails meanwhile.

#include <gtest/gtest.h>

#include <cerrno>
#include <memory>
#include <string_view>
#include <thread>

#include "store_fixture.h"
#include "stress/modes.h"
#include "write_path_fixture.h"

namespace bellwether {
namespace {

using stress::FileOperation;

class QueuedWriterTest : public StoreTest, public testing::WithParamInterface<stress::Mode> {
 protected:
  using HookedStore = BasicStore<HookedSync>;

  void SetUp() override {
    HookedSync::on_action = [](std::string_view) {};
    const StoreOptions options{.write_path = GetParam().options, .file_system = &disk_};
    const Status status = HookedStore::Open(options, kDirectory, &hooked_);
    ASSERT_TRUE(status.ok()) << status.ToString();
  }

  std::unique_ptr<HookedStore> hooked_;
};

// It is queued before the rotation fails, and leads after it. Nothing of it is logged.
TEST_P(QueuedWriterTest, ARotationThatFailsRefusesIt) {
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
  HookedSync::on_action = [](std::string_view) {};
  EXPECT_EQ(failed.error_number(), EIO);
  EXPECT_EQ(failed.file(), Log(1));
  EXPECT_EQ(told.code(), Code::kAborted) << told.ToString();
  EXPECT_EQ(told.error_number(), EIO);
  EXPECT_EQ(hooked_->Close().error_number(), EIO);
  EXPECT_TRUE(hooked_->Quiet());
}

INSTANTIATE_TEST_SUITE_P(EveryMode, QueuedWriterTest, testing::ValuesIn(stress::kModes),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace bellwether
