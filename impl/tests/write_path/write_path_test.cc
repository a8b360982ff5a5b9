// Write groups, one interleaving at a time, in every mode.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <thread>

#include "tests/write_path/write_path_fixture.h"

namespace bellwether {
namespace {

using ::testing::ElementsAre;

TEST_P(WritePathTest, WritersBehindALeaderFormOneGroup) {
  Queue({'a'});
  Queue({'b', 3});
  Queue({'c'});
  Queue({'d', 2});
  Run();
  EXPECT_THAT(log_.records, ElementsAre("a", "bcd"));
  EXPECT_THAT(log_.firsts, ElementsAre(1u, 2u));
  EXPECT_EQ(memtable_.Inserted(), "abcd");
  EXPECT_EQ(path_.LastSequence(), 7u);
  EXPECT_EQ(results_[1].sequence, 2u);
  EXPECT_EQ(results_[3].sequence, 6u);
}

TEST_P(WritePathTest, AnEmptyBatchIsLoggedAndTakesNoSequence) {
  Queue({'a', 0});
  Queue({'b', 1});
  Run();
  EXPECT_THAT(log_.records, ElementsAre("a", "b"));
  EXPECT_EQ(results_[0].sequence, 0u);
  EXPECT_EQ(results_[1].sequence, 1u);
  EXPECT_EQ(path_.LastSequence(), 1u);
}

TEST_P(WritePathTest, ASyncWriterIsSkippedByALeaderThatDoesNotSyncAndLeadsNext) {
  Queue({'a'});
  Queue({'b'});
  Queue({'c'}, /*sync=*/true);
  Queue({'d'});
  Queue({'e'}, /*sync=*/true);
  Queue({'f'});
  Run();
  EXPECT_THAT(log_.records, ElementsAre("a", "bdf", "ce*"));
}

TEST_P(WritePathTest, ASyncLeaderTakesEverybody) {
  Queue({'a'});
  Queue({'b'}, /*sync=*/true);
  Queue({'c'});
  Run();
  EXPECT_THAT(log_.records, ElementsAre("a", "bc*"));
}

TEST_P(WritePathTest, ASyncLeaderWaitsForAsManyAsTheGroupBeforeHad) {
  Queue({'a'});
  Queue({'b'}, /*sync=*/true);
  Queue({'c'});
  Run();
  HookedSync::patient = true;
  std::vector<std::thread> writers;
  for (const char name : {'d', 'e'}) {
    writers.emplace_back([this, name] {
      const TestBatch batch{name};
      EXPECT_TRUE(path_.Write({.sync = true}, &batch).status.ok());
    });
  }
  for (std::thread& writer : writers) writer.join();
  EXPECT_EQ(log_.records.size(), 3u);
  EXPECT_EQ(log_.records.back().size(), 3u) << "one sync for both: " << log_.records.back();
}

TEST_P(WritePathTest, AWriterThatLinksBeforeTheGraftComesAfterTheSkippedOnes) {
  int entered = 0;
  std::thread newcomer;
  HookedSync::on_action = [&](std::string_view action) {
    Count(action);
    // The second leader has chosen its group, and not grafted yet: a newcomer makes its CAS fail.
    if (action != "EnterAsBatchGroupLeader" || ++entered != 2) return;
    newcomer = std::thread([this] {
      const TestBatch batch{'e'};
      EXPECT_TRUE(path_.Write({}, &batch).status.ok());
    });
    WaitForLinked(5);
  };
  Queue({'a'});
  Queue({'b'});
  Queue({'c'}, /*sync=*/true);
  Queue({'d'});
  Run();
  newcomer.join();
  EXPECT_THAT(log_.records, ElementsAre("a", "bd", "ce*"));
}

TEST_P(WritePathTest, TheByteCapCutsAGroup) {
  Queue({'a'});
  Queue({'b', 1, 300});
  Queue({'c', 1, 300});
  Queue({'d', 1, 300});
  Queue({'e', 1, 200});
  Run();
  EXPECT_THAT(log_.records, ElementsAre("a", "bce", "d"));
}

TEST_P(WritePathTest, ASmallLeaderKeepsItsGroupSmall) {
  Queue({'a'});
  Queue({'b', 1, 100});
  Queue({'c', 1, 60});
  Queue({'d', 1, 60});
  Run();
  EXPECT_THAT(log_.records, ElementsAre("a", "bc", "d"));
}

TEST_P(WritePathTest, ALogErrorFailsTheWholeGroupAndPoisonsThePath) {
  LogOneByOne();
  log_.fail_record = "bc";
  Queue({'a'});
  Queue({'b'});
  Queue({'c'});
  Run();
  EXPECT_THAT(Codes(), ElementsAre(Code::kOk, Code::kUnknownOutcome, Code::kUnknownOutcome));
  EXPECT_EQ(memtable_.Inserted(), "a");
  EXPECT_EQ(path_.LastSequence(), 1u);
  EXPECT_EQ(results_[2].status.error_number(), ENOSPC);
  EXPECT_EQ(results_[2].status.file(), "000001.log");
  EXPECT_EQ(results_[2].sequence, 0u);
  EXPECT_EQ(results_[2].log_used, 0u);

  TestBatch later{'d'};
  const WriteResult refused = path_.Write({}, &later);
  EXPECT_EQ(refused.status.code(), Code::kAborted);
  EXPECT_EQ(refused.status.error_number(), ENOSPC);
  EXPECT_THAT(log_.records, ElementsAre("a"));
  EXPECT_EQ(path_.Close().error_number(), ENOSPC);
}

TEST_P(WritePathTest, ASyncErrorFailsTheWholeGroupAndPublishesNothingOfIt) {
  LogOneByOne();
  Queue({'a'});
  Queue({'b'}, /*sync=*/true);
  Queue({'c'});
  log_.fail_sync = true;
  Run();
  EXPECT_THAT(Codes(), ElementsAre(Code::kOk, Code::kUnknownOutcome, Code::kUnknownOutcome));
  EXPECT_EQ(memtable_.Inserted(), "a");
  EXPECT_EQ(path_.LastSequence(), 1u);
}

TEST_P(WritePathTest, AMemTableErrorFailsTheWholeGroupAndPublishesNothingOfIt) {
  LogOneByOne();
  memtable_.fail_at = 'c';
  Queue({'a'});
  Queue({'b'});
  Queue({'c'});
  Queue({'d'});
  Run();
  EXPECT_THAT(Codes(), ElementsAre(Code::kOk, Code::kUnknownOutcome, Code::kUnknownOutcome,
                                   Code::kUnknownOutcome));
  EXPECT_EQ(memtable_.Inserted(),
            GetParam().options.allow_concurrent_memtable_write ? "abd" : "ab");
  EXPECT_EQ(path_.LastSequence(), 1u);
  const TestBatch later{'e'};
  EXPECT_EQ(path_.Write({}, &later).status.code(), Code::kAborted);
}

TEST_P(WritePathTest, CloseWaitsForItsTurnAndRefusesWhoComesLater) {
  Queue({'a'});
  QueueClose();
  Queue({'b'}, /*sync=*/true);
  Run();
  EXPECT_THAT(log_.records, ElementsAre("a*"));
  EXPECT_TRUE(closed_.ok());
  EXPECT_THAT(Codes(), ElementsAre(Code::kOk, Code::kAborted));
  EXPECT_EQ(path_.Close().code(), Code::kAborted);
}

TEST_P(WritePathTest, AGroupThatIsLoggedBehindAFailedOneIsNotPublished) {
  Gate insert;
  memtable_.gate = &insert;
  memtable_.fail_at = 'a';
  Queue({'a'});
  Queue({'b'});
  gate_.Open();
  if (GetParam().options.enable_pipelined_write) {
    while (log_.Records() < 2) std::this_thread::yield();
  }
  insert.Open();
  Run();
  const bool logged = GetParam().options.enable_pipelined_write;
  EXPECT_THAT(Codes(),
              ElementsAre(Code::kUnknownOutcome, logged ? Code::kUnknownOutcome : Code::kAborted));
  EXPECT_EQ(path_.LastSequence(), 0u);
  EXPECT_EQ(memtable_.Inserted(), "");
}

TEST_P(WritePathTest, AFailingCallbackFailsItsWriteAlone) {
  TestCallback fails(Status::Busy("conflict", ""), true);
  TestCallback passes(Status::OK(), true);
  Queue({'a'});
  Queue({'b'});
  Queue({'c'}, WriteOptions{.callback = &fails});
  Queue({'d'}, WriteOptions{.callback = &passes});
  Run();
  EXPECT_THAT(log_.records, ElementsAre("a", "bd"));
  EXPECT_EQ(memtable_.Inserted(), "abd");
  EXPECT_THAT(Codes(), ElementsAre(Code::kOk, Code::kOk, Code::kBusy, Code::kOk));
  EXPECT_EQ(results_[3].sequence, 3u);
  EXPECT_EQ(path_.LastSequence(), 3u);
}

TEST_P(WritePathTest, ALeaderWhoseCallbackFailsStillWritesItsGroup) {
  TestCallback fails(Status::Busy("conflict", ""), true);
  Queue({'a'});
  Queue({'b'}, WriteOptions{.sync = true, .callback = &fails});
  Queue({'c'}, /*sync=*/true);
  Queue({'d'});
  Run();
  EXPECT_THAT(log_.records, ElementsAre("a", "cd*"));
  EXPECT_EQ(memtable_.Inserted(), "acd");
  EXPECT_THAT(Codes(), ElementsAre(Code::kOk, Code::kBusy, Code::kOk, Code::kOk));
}

TEST_P(WritePathTest, AGroupOfFailedCallbacksLogsNothing) {
  TestCallback fails(Status::Busy("conflict", ""), true);
  Queue({'a'});
  Queue({'b'}, WriteOptions{.sync = true, .callback = &fails});
  Run();
  EXPECT_THAT(log_.records, ElementsAre("a"));
  EXPECT_EQ(path_.LastSequence(), 1u);
}

TEST_P(WritePathTest, ACallbackThatRefusesCompanyIsLoggedAlone) {
  TestCallback alone(Status::OK(), false);
  Queue({'a'});
  Queue({'b'});
  Queue({'c'}, WriteOptions{.callback = &alone});
  Queue({'d'});
  Run();
  EXPECT_THAT(log_.records, ElementsAre("a", "bd", "c"));
}

TEST_P(WritePathTest, ALeaderThatRefusesCompanyLeadsAlone) {
  TestCallback alone(Status::OK(), false);
  Queue({'a'});
  Queue({'b'}, WriteOptions{.callback = &alone});
  Queue({'c'});
  Run();
  EXPECT_THAT(log_.records, ElementsAre("a", "b", "c"));
}

TEST_P(WritePathTest, AWriteWithoutMemtableIsLoggedAndTakesNoSequence) {
  Queue({'a'});
  Queue({'p', 3}, WriteOptions{.disable_memtable = true});
  Queue({'b'});
  Run();
  EXPECT_EQ(memtable_.Inserted(), "ab");
  EXPECT_THAT(Codes(), ElementsAre(Code::kOk, Code::kOk, Code::kOk));
  EXPECT_EQ(results_[1].sequence, 0u);
  EXPECT_EQ(results_[2].sequence, 2u);
  EXPECT_EQ(path_.LastSequence(), 2u);
  const std::size_t logged = log_.records.size();
  EXPECT_EQ(logged, GetParam().options.two_write_queues ? 3u : 2u);
}

// What a pre-release callback was told, in the order of the calls.
struct TestPreReleaseCallback : PreReleaseCallback {
  TestPreReleaseCallback(std::vector<std::string>* calls, std::function<Status()> then)
      : calls_(calls), then_(std::move(then)) {}
  Status Callback(SequenceNumber sequence, bool is_mem_disabled, std::uint64_t log_number,
                  std::size_t index, std::size_t total) override {
    calls_->push_back(std::to_string(sequence) + (is_mem_disabled ? "-" : "+") + " log " +
                      std::to_string(log_number) + ", " + std::to_string(index) + " of " +
                      std::to_string(total));
    return then_();
  }

 private:
  std::vector<std::string>* const calls_;
  const std::function<Status()> then_;
};

TEST_P(WritePathTest, PreReleaseCallbacksRunInTheOrderOfTheLogBetweenLogAndMemtable) {
  std::vector<std::string> calls;
  TestPreReleaseCallback callback(&calls, [&] {
    EXPECT_EQ(log_.Records(), 2u);
    EXPECT_EQ(memtable_.Inserted().find_first_of("bcd"), std::string::npos);
    EXPECT_LT(path_.LastSequence(), 2u);
    return Status::OK();
  });
  TestCallback failing(Status::Busy("no", ""), true);
  Queue({'a'});
  Queue({'b', 2}, {.pre_release_callback = &callback});
  Queue({'c'}, {.callback = &failing, .pre_release_callback = &callback});
  Queue({'d'});
  Queue({'e'}, {.pre_release_callback = &callback});
  Run();
  EXPECT_THAT(calls, ElementsAre("2+ log 7, 0 of 2", "5+ log 7, 1 of 2"));
  EXPECT_THAT(log_.records, ElementsAre("a", "bde"));
  EXPECT_EQ(path_.LastSequence(), 5u);
}

TEST_P(WritePathTest, APreReleaseCallbackThatFailsFailsItsGroupAndPoisonsThePath) {
  LogOneByOne();
  std::vector<std::string> calls;
  TestPreReleaseCallback callback(&calls, [] { return Status::Busy("not now", "place"); });
  Queue({'a'});
  Queue({'b'});
  Queue({'c'}, {.pre_release_callback = &callback});
  Queue({'d'}, {.pre_release_callback = &callback});
  Run();
  EXPECT_THAT(Codes(), ElementsAre(Code::kOk, Code::kUnknownOutcome, Code::kUnknownOutcome,
                                   Code::kUnknownOutcome));
  EXPECT_EQ(results_[1].status.file(), "place") << "the error keeps its detail";
  EXPECT_THAT(calls, ElementsAre("3+ log 7, 0 of 2")) << "the first error ends it";
  EXPECT_EQ(memtable_.Inserted(), "a");
  EXPECT_EQ(path_.LastSequence(), 1u);
  const TestBatch later{'e'};
  EXPECT_EQ(path_.Write({}, &later).status.code(), Code::kAborted);
}

TEST_P(WritePathTest, AWriteIsToldItsLogAndAMemtableThePreparesLog) {
  std::vector<std::string> calls;
  TestPreReleaseCallback callback(&calls, [] { return Status::OK(); });
  gate_.Open();
  const TestBatch prepare{'p'};
  const WriteResult prepared =
      path_.Write({.disable_memtable = true, .pre_release_callback = &callback}, &prepare);
  EXPECT_EQ(prepared.log_used, 7u);
  EXPECT_THAT(calls, ElementsAre("1- log 7, 0 of 1"));
  const TestBatch commit{'c'};
  EXPECT_EQ(path_.Write({.log_ref = prepared.log_used}, &commit).log_used, 7u);
  EXPECT_EQ(path_.Write({.disable_wal = true, .log_ref = 3}, &commit).log_used, 0u);
  EXPECT_THAT(memtable_.LogRefs(), ElementsAre(7u, 3u));
}

TEST(WritePathOptions, PipelinedExcludesTwoQueues) {
  const auto check = WritePath<HookedSync, TestBatch, TestLog, TestMemTable>::CheckOptions;
  EXPECT_EQ(check(MakeOptions(false, true, true)).code(), Code::kInvalidArgument);
  for (const Mode& mode : kModes) EXPECT_TRUE(check(mode.options).ok()) << mode.name;
}

TEST_P(WritePathTest, ANullBatchIsRefused) {
  EXPECT_EQ(path_.Write({}, nullptr).status.code(), Code::kInvalidArgument);
  EXPECT_EQ(Linked(), 0);
}

INSTANTIATE_TEST_SUITE_P(EveryMode, WritePathTest, ::testing::ValuesIn(kModes),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace bellwether
