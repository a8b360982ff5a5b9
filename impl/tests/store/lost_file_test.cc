// Each file of a store is deleted by hand, in turn: recovery says so, or nothing acknowledged was
// in it. And the manifest, by which it knows: damaged at each byte.

#include <gmock/gmock.h>

#include <memory>
#include <ostream>
#include <string>

#include "store_fixture.h"

namespace bellwether {
namespace {

using testing::HasSubstr;

struct Story {
  const char* name;
  void (*tell)(class LostFileTest* test);
};

class LostFileTest : public StoreTest, public testing::WithParamInterface<Story> {
 public:
  using StoreTest::Put;
  using StoreTest::Reopen;

  void Prepare(const std::string& xid) {
    WriteBatch batch;
    ASSERT_TRUE(batch.Put("of " + xid, "1").ok());
    ASSERT_TRUE(store_->Prepare(kSync, xid, &batch).ok());
    ++undecided_;
  }

  Status Checkpoint() { return store_->Checkpoint(); }
  // The first one gives the manifest its name.
  void FailSecondRename() {
    disk_.InjectFault({.operation = stress::FileOperation::kRename, .nth = 2});
  }
  const WriteOptions& Sync() const { return kSync; }

 protected:
  // The store as the story leaves it, closed; and what it holds.
  void Tell() {
    RestoreFiles({});
    undecided_ = 0;
    Reopen();
    GetParam().tell(this);
    before_ = All();
    store_.reset();
    files_ = Files();
  }

  bool HoldsEverything() const {
    return All() == before_ && store_->GetStats().recovery.undecided == undecided_;
  }

  static std::string PathOf(const std::string& name) { return kDirectory + ("/" + name); }

  Contents before_;
  uint64_t undecided_ = 0;
  Contents files_;
};

// Told, with the file's name, and unchanged; or everything is there.
TEST_P(LostFileTest, EachFileInTurn) {
  Tell();
  for (const auto& [lost, contents] : files_) {
    SCOPED_TRACE(lost);
    Contents left = files_;
    left.erase(lost);
    for (const RecoveryMode mode : {RecoveryMode::kTolerateTornTail, RecoveryMode::kAbsolute}) {
      RestoreFiles(left);
      const Status status = Open(mode);
      if (status.ok()) {
        EXPECT_TRUE(HoldsEverything()) << "lost, and nobody is told";
        continue;
      }
      EXPECT_EQ(status.code(), Status::Code::kCorruption) << status.ToString();
      // Before the next manifest a snapshot is missed by the logs that it stood for.
      if (!lost.ends_with(kSnapshotSuffix)) {
        EXPECT_EQ(status.file(), PathOf(lost));
      }
      EXPECT_THAT(status.ToString(), HasSubstr("missing"));
      EXPECT_EQ(Files(), left) << "a refused open changes nothing";
    }
  }
}

// The newest log alone is left, perhaps with nothing in it.
TEST_P(LostFileTest, AllButTheNewest) {
  Tell();
  std::string newest;
  for (const auto& [name, contents] : files_) {
    if (name.ends_with(kLogSuffix)) newest = name;
  }
  const Contents left{{"MANIFEST", files_["MANIFEST"]}, {newest, files_[newest]}};
  RestoreFiles(left);
  const Status status = Open();
  if (files_.size() == left.size()) {
    EXPECT_TRUE(status.ok() && HoldsEverything());
    return;
  }
  EXPECT_EQ(status.code(), Status::Code::kCorruption);
  // Without the manifest its number tells, or its sequences if it holds a record.
  const Contents alone{{newest, files_[newest]}};
  for (const RecoveryMode mode : {RecoveryMode::kTolerateTornTail, RecoveryMode::kAbsolute}) {
    RestoreFiles(alone);
    const Status missed = Open(mode);
    EXPECT_EQ(missed.code(), Status::Code::kCorruption);
    EXPECT_EQ(missed.file(), PathOf(files_[newest].empty() ? "MANIFEST" : newest));
    EXPECT_THAT(missed.ToString(), HasSubstr("point_in_time"));
    EXPECT_EQ(Files(), alone);
  }
  Reopen(RecoveryMode::kPointInTime);
  EXPECT_EQ(All(), Contents{});
  ASSERT_NE(store_->GetStats().recovery.gaps, nullptr);
  Reopen();
  EXPECT_EQ(store_->GetStats().recovery.gaps, nullptr);
}

// It names what this version does not know, so it is no list of the store's files.
TEST_P(LostFileTest, AManifestOfAnotherVersion) {
  Tell();
  Contents files = files_;
  const std::string lines = "000099.log\n000099.other\n";
  files["MANIFEST"] = lines + ManifestEnd(lines);
  RestoreFiles(files);
  EXPECT_EQ(Open().code(), Status::Code::kCorruption);
  for (const RecoveryMode mode : {RecoveryMode::kPointInTime, RecoveryMode::kSkipCorrupt}) {
    RestoreFiles(files);
    Reopen(mode);
    EXPECT_TRUE(HoldsEverything());
    EXPECT_EQ(store_->GetStats().recovery.gaps->size(), 1U);
  }
}

TEST_P(LostFileTest, WhateverIsLeftItIsAStores) {
  Tell();
  options_.create_if_missing = false;
  for (const auto& [name, contents] : files_) {
    RestoreFiles({{name, contents}});
    const Status status = Open();
    EXPECT_TRUE(status.ok() || status.code() == Status::Code::kCorruption) << status.ToString();
  }
}

TEST_F(StoreTest, TheFirstOpenMayDieAgainAndAgain) {
  for (int i = 0; i < 3; ++i) {
    // Behind the log and its name, before the manifest.
    disk_.InjectFault({.operation = stress::FileOperation::kRename});
    EXPECT_EQ(Open().code(), Status::Code::kIOError);
    EXPECT_EQ(Files(), (Contents{{"000001.log", ""}}));
    disk_.Kill();
  }
  Reopen();
}

TEST_P(LostFileTest, WhatIsLeftCanBeKept) {
  Tell();
  for (const auto& [lost, contents] : files_) {
    SCOPED_TRACE(lost);
    Contents left = files_;
    left.erase(lost);
    RestoreFiles(left);
    const bool told = !Open().ok();
    for (const RecoveryMode mode : {RecoveryMode::kPointInTime, RecoveryMode::kSkipCorrupt}) {
      RestoreFiles(left);
      const Status status = Open(mode);
      if (!status.ok()) {
        EXPECT_EQ(mode, RecoveryMode::kPointInTime) << status.ToString();
        EXPECT_THAT(status.ToString(), HasSubstr("skip_corrupt"));
        EXPECT_TRUE(lost.ends_with(kSnapshotSuffix)) << "there is nothing before it";
        continue;
      }
      EXPECT_EQ(store_->GetStats().recovery.gaps != nullptr, told);
      const Contents kept = All();
      for (const auto& [key, value] : kept) EXPECT_EQ(before_[key], value);
      Put("later", "1", kSync);
      disk_.Crash(1);
      Reopen(RecoveryMode::kAbsolute);
      Contents later = kept;
      later["later"] = "1";
      EXPECT_EQ(All(), later);
    }
  }
}

TEST_P(LostFileTest, TheManifestDamagedAtEachByte) {
  Tell();
  const std::string whole = files_["MANIFEST"];
  const auto check = [&](const std::string& damaged) {
    Contents files = files_;
    files["MANIFEST"] = damaged;
    for (const RecoveryMode mode : {RecoveryMode::kTolerateTornTail, RecoveryMode::kAbsolute}) {
      RestoreFiles(files);
      const Status status = Open(mode);
      EXPECT_EQ(status.code(), Status::Code::kCorruption);
      EXPECT_EQ(status.file(), PathOf("MANIFEST"));
      EXPECT_THAT(status.ToString(), HasSubstr("point_in_time"));
      EXPECT_EQ(Files(), files);
    }
    for (const RecoveryMode mode : {RecoveryMode::kPointInTime, RecoveryMode::kSkipCorrupt}) {
      RestoreFiles(files);
      Reopen(mode);
      EXPECT_TRUE(HoldsEverything());
      ASSERT_NE(store_->GetStats().recovery.gaps, nullptr);
      EXPECT_EQ(store_->GetStats().recovery.gaps->front().file, PathOf("MANIFEST"));
    }
  };
  for (size_t at = 0; at < whole.size(); ++at) {
    SCOPED_TRACE(at);
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ (1 << (at % 8)));
    check(damaged);
    check(whole.substr(0, at));
  }
  check(whole + "\n");
}

const Story kStories[] = {
    {"OneLog", [](LostFileTest* test) { test->Put("a", "1", test->Sync()); }},
    {"ThreeLogs",
     [](LostFileTest* test) {
       test->Put("a", "1", test->Sync());
       test->Reopen();
       test->Put("b", "2", test->Sync());
       test->Reopen();
     }},
    {"ALogOfPreparesOnly",
     [](LostFileTest* test) {
       test->Prepare("x");
       test->Reopen();
     }},
    {"ACheckpoint",
     [](LostFileTest* test) {
       test->Put("a", "1");
       test->Prepare("x");
       EXPECT_TRUE(test->Checkpoint().ok());
     }},
    {"ACheckpointAndALogBehindIt",
     [](LostFileTest* test) {
       test->Put("a", "1");
       EXPECT_TRUE(test->Checkpoint().ok());
       test->Put("b", "2", test->Sync());
       test->Reopen();
     }},
    {"ACheckpointWithoutItsSnapshot",
     [](LostFileTest* test) {
       test->Put("a", "1");
       test->FailSecondRename();
       EXPECT_FALSE(test->Checkpoint().ok());
       test->Put("b", "2", test->Sync());
     }},
    {"TwoCheckpointsTheSecondWithoutItsSnapshot",
     [](LostFileTest* test) {
       test->Put("a", "1");
       EXPECT_TRUE(test->Checkpoint().ok());
       test->FailSecondRename();
       EXPECT_FALSE(test->Checkpoint().ok());
     }},
    {"TwoCheckpointsWithoutTheirSnapshots",
     [](LostFileTest* test) {
       test->Put("a", "1");
       for (const char* key : {"b", "c"}) {
         test->FailSecondRename();
         EXPECT_FALSE(test->Checkpoint().ok());
         test->Put(key, "2", test->Sync());
       }
       test->FailSecondRename();
       EXPECT_FALSE(test->Checkpoint().ok());
     }},
};

INSTANTIATE_TEST_SUITE_P(EachStory, LostFileTest, testing::ValuesIn(kStories),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace bellwether
