// The rings of a Trace: one for each thread, bounded, silent when nothing records.
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <sstream>
#include <string>
#include <thread>

#include "bellwether/storage/write_batch.h"
#include "bellwether/trace/trace_writer.h"

namespace bellwether {
namespace {

using Sync = TracingSync<WriteBatch>;

std::string Written(const Trace& trace) {
  // Its own: the builds run their tests side by side.
  const std::string path =
      ::testing::TempDir() + "trace_test." + std::to_string(::getpid()) + ".ndjson";
  EXPECT_TRUE(TraceWriter(trace, {.enable_pipelined_write = true}, 7).WriteTo(path).ok());
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  EXPECT_EQ(::unlink(path.c_str()), 0);
  return text.str();
}

TEST(TraceTest, EachThreadHasARingOfItsOwn) {
  Trace trace(100);
  trace.Begin();
  std::thread first([] { Sync::OnAction("JoinBatchGroup", nullptr); });
  std::thread second([] {
    for (int i = 0; i < 3; ++i) Sync::OnAction("JoinBatchGroup", nullptr);
  });
  first.join();
  second.join();
  trace.End();
  ASSERT_EQ(trace.rings().size(), 2U);
  EXPECT_EQ(trace.rings()[0]->events.size() + trace.rings()[1]->events.size(), 4U);
  EXPECT_EQ(trace.dropped(), 0U);
}

TEST(TraceTest, AFullRingSaysWhatItDropped) {
  Trace trace(2);
  trace.Begin();
  for (int i = 0; i < 5; ++i) Sync::OnAction("JoinBatchGroup", nullptr);
  trace.End();
  EXPECT_EQ(trace.rings()[0]->events.size(), 2U);
  EXPECT_EQ(trace.dropped(), 3U);
  EXPECT_NE(Written(trace).find("\"dropped\":3}"), std::string::npos);
}

TEST(TraceTest, NothingIsRecordedBeforeBeginAndAfterEnd) {
  Trace trace(10);
  Sync::OnAction("JoinBatchGroup", nullptr);
  trace.Begin();
  Sync::OnAction("JoinBatchGroup", nullptr);
  trace.End();
  Sync::OnAction("JoinBatchGroup", nullptr);
  ASSERT_EQ(trace.rings().size(), 1U);
  EXPECT_EQ(trace.rings()[0]->events.size(), 1U);
}

TEST(TraceTest, ASecondTraceHasRingsOfItsOwn) {
  for (int i = 0; i < 2; ++i) {
    Trace trace(10);
    trace.Begin();
    Sync::OnAction("JoinBatchGroup", nullptr);
    trace.End();
    ASSERT_EQ(trace.rings().size(), 1U);
    EXPECT_EQ(trace.rings()[0]->events.size(), 1U);
  }
}

TEST(TraceTest, AnEventSaysWhatItsAccessReadAndWrote) {
  Trace trace(10);
  trace.Begin();
  Sync::Atomic<std::size_t> running(3);
  running.fetch_sub(1, orders::CompleteParallelMemTableWriter_FetchSub);
  Sync::OnAction("CompleteParallelMemTableWriter", nullptr);
  Sync::OnAction("JoinBatchGroup", nullptr);
  trace.End();
  const std::string text = Written(trace);
  EXPECT_NE(text.find("\"mode\":\"pipelined\",\"threads\":1,\"last_sequence\":7"),
            std::string::npos);
  EXPECT_NE(text.find("\"read\":3,\"wrote\":2}"), std::string::npos);
  // The access belongs to one event.
  EXPECT_EQ(text.find("\"read\"", text.find("JoinBatchGroup")), std::string::npos);
}

TEST(TraceTest, AFileThatCannotBeWrittenIsNamed) {
  const Trace trace(1);
  const Status status = TraceWriter(trace, {}, 0).WriteTo("/dev/null/trace");
  EXPECT_EQ(status.code(), Status::Code::kIOError);
  EXPECT_NE(status.ToString().find("/dev/null/trace"), std::string::npos);
}

}  // namespace
}  // namespace bellwether
