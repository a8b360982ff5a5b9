// What every tool says: the report file, the progress lines, the exit code of a bad command line.

#include "model/tool_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace bellwether {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

// Its own: the builds run their tests side by side.
std::string TestFile(const std::string& name) {
  return ::testing::TempDir() + "tool_report_test." + std::to_string(::getpid()) + "." + name;
}

TEST(Report, HoldsTheRowsAndTheFirstFailure) {
  const std::string file = TestFile("json");
  Report report("tool");
  report.Add({"what", "bounds", "ok", {{"states", 12}}});
  report.Fail(ExitCode::kDeadlock);
  report.Fail(ExitCode::kSafety);
  EXPECT_EQ(report.Finish(file), 11);
  std::ifstream stream(file);
  EXPECT_EQ(nlohmann::json::parse(stream), nlohmann::json::parse(R"({
    "ok": false, "exit": 11,
    "rows": [{"what": "what", "bounds": "bounds", "result": "ok", "figures": {"states": 12}}]})"));
  EXPECT_FALSE(std::filesystem::exists(file + ".tmp"));
  EXPECT_TRUE(std::filesystem::remove(file));
}

TEST(Report, SaysThatItCannotBeWritten) {
  Report report("tool");
  ::testing::internal::CaptureStderr();
  EXPECT_EQ(report.Finish(TestFile("no/such/directory/report.json")), 1);
  const std::string said = ::testing::internal::GetCapturedStderr();
  EXPECT_THAT(said, StartsWith("tool: cannot write the report "));
  EXPECT_THAT(said, HasSubstr("No such file or directory"));
}

TEST(Report, WithoutAFileWritesNothing) {
  Report report("tool");
  EXPECT_EQ(report.Finish(""), 0);
}

TEST(Progress, IsSilentUnlessAsked) {
  ::testing::internal::CaptureStderr();
  Progress progress(false, "what", "states");
  progress.Update(1);
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "");
}

TEST(Progress, IsLimitedInRate) {
  ::testing::internal::CaptureStderr();
  Progress progress(true, "what", "states", /*seconds_between_lines=*/0);
  progress.Update(7);
  const std::string line = ::testing::internal::GetCapturedStderr();
  EXPECT_THAT(line, StartsWith("progress {\"what\":\"what\",\"done\":7,\"unit\":\"states\","));

  ::testing::internal::CaptureStderr();
  Progress seldom(true, "what", "states", /*seconds_between_lines=*/3600);
  for (uint64_t i = 0; i < 1000; i++) seldom.Update(i);
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "");
}

TEST(ParseCommandLine, OneLineAndExitCodeOne) {
  CLI::App app("", "tool");
  const char* const argv[] = {"tool", "--no-such-flag"};
  ::testing::internal::CaptureStderr();
  EXPECT_EQ(ParseCommandLine(app, 2, argv), 1);
  EXPECT_EQ(::testing::internal::GetCapturedStderr(),
            "tool: The following argument was not expected: --no-such-flag; see --help\n");
}

}  // namespace
}  // namespace bellwether
