// What `bellwether verify` finds: of whole stores, and of stores with damage at each byte of each
// file, where it has to agree with what Open makes of it.

#include "store_view.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "store_fixture.h"

namespace bellwether::tool {
namespace {

class StoreViewTest : public StoreTest {
 protected:
  // A snapshot with a prepare; behind it a log with watermarks, a prepare, a commit and a gap, and
  // one that was begun and holds a write. The store is closed.
  void Fill() {
    options_.durable_watermark = true;
    Reopen();
    for (const char* key : {"a", "b", "c"}) Put(key, std::string(20, *key));
    Prepare("before");
    ASSERT_TRUE(store_->Checkpoint().ok());
    Put("d", "4", kSync);
    Prepare("behind");
    Prepare("decided");
    ASSERT_TRUE(store_->Commit(kSync, "decided").status.ok());
    Put("lost", "1", {.disable_wal = true});
    Put("e", "5", kSync);
    Reopen();
    Put("f", "6", kSync);
    store_.reset();
  }

  void Prepare(const std::string& xid) {
    WriteBatch batch;
    ASSERT_TRUE(batch.Put("of " + xid, "1").ok());
    ASSERT_TRUE(store_->Prepare({}, xid, &batch).ok());
  }

  StoreView View() {
    StoreView view;
    const Status status = ViewStore(&disk_, kDirectory, &view);
    EXPECT_TRUE(status.ok()) << status.ToString();
    return view;
  }

  // Whether the view says so; Open has to agree, and the view to change nothing.
  bool Damaged(const Contents& files) {
    RestoreFiles(files);
    const StoreView view = View();
    EXPECT_EQ(Files(), files);
    const Status status = Open();
    EXPECT_EQ(status.code() == Status::Code::kCorruption, view.Damaged()) << status.ToString();
    if (status.ok()) {
      EXPECT_EQ(store_->GetStats().recovery.undecided, view.undecided.size());
    }
    return view.Damaged();
  }
};

TEST_F(StoreViewTest, SaysWhatIsThere) {
  Fill();
  const StoreView view = View();
  EXPECT_FALSE(view.Damaged());
  ASSERT_EQ(view.snapshots.size(), 1U);
  const SnapshotView& snapshot = view.snapshots[0];
  EXPECT_EQ(snapshot.name, "000002.snapshot");
  EXPECT_EQ(snapshot.entries, 3U);
  EXPECT_EQ(snapshot.prepares, 1U);
  EXPECT_EQ(snapshot.footer->sequence, 3U);
  EXPECT_EQ(snapshot.size, Read(SnapshotFile(2)).size());
  ASSERT_EQ(view.logs.size(), 2U);
  const LogView& log = view.logs[0];
  EXPECT_EQ(log.name, "000002.log");
  EXPECT_EQ(log.records, 5U);
  EXPECT_EQ(log.first_sequence, 4U);
  EXPECT_EQ(log.next_sequence, 8U);
  EXPECT_EQ(log.unlogged, 1U) << "the write with disable_wal";
  EXPECT_EQ(log.end_offset, log.size);
  ASSERT_TRUE(log.watermark.has_value());
  EXPECT_GT(*log.watermark, 0U);
  EXPECT_LT(*log.watermark, log.size);
  EXPECT_TRUE(log.before_another);
  EXPECT_EQ(view.logs[1].first_sequence, 8U);
  EXPECT_EQ(view.undecided.size(), 2U);
  EXPECT_TRUE(view.undecided.contains("before") && view.undecided.contains("behind"));
}

TEST_F(StoreViewTest, EveryFlippedByte) {
  Fill();
  const Contents files = Files();
  ASSERT_EQ(files.size(), 4U);
  uint64_t damaged = 0;
  uint64_t torn = 0;
  for (const auto& [name, contents] : files) {
    for (size_t at = 0; at < contents.size(); ++at) {
      SCOPED_TRACE(name + " byte " + std::to_string(at));
      Contents changed = files;
      changed[name][at] = static_cast<char>(contents[at] ^ (1 << (at % 8)));
      ++(Damaged(changed) ? damaged : torn);
    }
  }
  EXPECT_EQ(torn, files.at("000003.log").size()) << "the last record, and no other";
  EXPECT_GT(damaged, 400U);
}

TEST_F(StoreViewTest, CutAtEveryByte) {
  Fill();
  const Contents files = Files();
  for (const auto& [name, contents] : files) {
    const bool last = name == "000003.log";
    for (size_t size = 0; size < contents.size(); ++size) {
      SCOPED_TRACE(name + " cut to " + std::to_string(size));
      Contents changed = files;
      changed[name].resize(size);
      EXPECT_EQ(Damaged(changed), !last);
      changed[name].resize(contents.size());
      EXPECT_EQ(changed != files && Damaged(changed), changed != files && !last) << "zeros instead";
    }
  }
}

TEST_F(StoreViewTest, EachFileDeleted) {
  Fill();
  const Contents files = Files();
  for (const auto& [name, contents] : files) {
    SCOPED_TRACE(name);
    Contents left = files;
    left.erase(name);
    EXPECT_EQ(Damaged(left), name != "MANIFEST");
    RestoreFiles(left);
    const bool named = View().missing == std::vector<std::string>{name};
    EXPECT_EQ(named, name != "MANIFEST");
  }
}

TEST_F(StoreViewTest, NothingButABlankLog) {
  EXPECT_FALSE(Damaged({{"000001.log", ""}}));
  EXPECT_TRUE(Damaged({{"000002.log", ""}}));
  RestoreFiles({{"000002.log", std::string(100, '\0')}});
  EXPECT_EQ(View().missing, std::vector<std::string>{"MANIFEST"});
  RestoreFiles({});
  Fill();
  Contents files = Files();
  files.erase("MANIFEST");
  files.erase("000003.log");
  EXPECT_FALSE(Damaged(files));
  files["000002.log"].clear();
  EXPECT_FALSE(Damaged(files)) << "the snapshot is the state";
}

TEST_F(StoreViewTest, WhatIsCoveredOrUnfinishedIsNoDamage) {
  Fill();
  Contents files = Files();
  files["000001.log"] = "garbage";
  files["000001.snapshot"] = "garbage";
  files["000009.snapshot.tmp"] = "garbage";
  files["000008.log"] = std::string(100, '\0');
  EXPECT_FALSE(Damaged(files));
  RestoreFiles(files);
  const StoreView view = View();
  EXPECT_TRUE(view.snapshots[0].covered);
  EXPECT_TRUE(view.logs[0].covered);
  EXPECT_TRUE(view.logs[3].blank);
  EXPECT_EQ(view.unfinished, std::vector<std::string>{"000009.snapshot.tmp"});
}

TEST_F(StoreViewTest, ReadsOnBehindDamage) {
  Fill();
  Contents files = Files();
  files["000002.snapshot"].back() ^= 1;
  files["000002.log"][3] ^= 1;
  RestoreFiles(files);
  const StoreView view = View();
  EXPECT_EQ(view.snapshots[0].entries, 3U);
  EXPECT_FALSE(view.snapshots[0].footer.has_value());
  EXPECT_EQ(view.snapshots[0].gaps.size(), 2U) << "the footer, and that the end is missing";
  EXPECT_EQ(view.logs[0].gaps.size(), 1U);
  EXPECT_EQ(view.logs[0].gaps[0].begin, 0U);
  EXPECT_EQ(view.logs[0].records, 4U);
  EXPECT_EQ(view.logs[1].records, 1U);
}

// What is lost in one file is not lost in the next one as well.
TEST_F(StoreViewTest, EachLossIsToldOnce) {
  Fill();
  const Contents files = Files();
  Contents changed = files;
  changed.erase("000002.log");
  RestoreFiles(changed);
  EXPECT_TRUE(View().logs[0].gaps.empty());
  changed = files;
  changed["000002.log"].pop_back();
  RestoreFiles(changed);
  EXPECT_TRUE(View().logs[0].gaps.empty() && View().logs[1].gaps.empty());
  changed = files;
  changed["000003.log"].pop_back();
  changed["000004.log"] = "";
  EXPECT_FALSE(Damaged(changed)) << "nothing was written behind the torn end";

  // The snapshot ends with a delete, so that its newest entry is older than it is.
  RestoreFiles({});
  Reopen();
  Put("a", "1");
  ASSERT_TRUE(store_->Delete({}, "b").status.ok());
  const Contents before = Files();
  ASSERT_TRUE(store_->Checkpoint().ok());
  Put("c", "2", kSync);
  store_.reset();
  changed = Files();
  changed["000001.log"] = before.at("000001.log");
  EXPECT_FALSE(Damaged(changed)) << "the first log is covered";
  RestoreFiles(changed);
  EXPECT_EQ(View().logs[0].records, 2U);
  changed["000002.snapshot"].back() ^= 1;
  RestoreFiles(changed);
  EXPECT_FALSE(View().snapshots[0].gaps.empty());
  EXPECT_TRUE(View().logs[1].gaps.empty());
}

// Each block of what is left is whole.
TEST_F(StoreViewTest, AMissingBlockOfASnapshot) {
  Fill();
  Contents files = Files();
  std::string& snapshot = files["000002.snapshot"];
  snapshot.erase(
      0, kSnapshotHeaderSize + DecodeFixed<uint32_t>(snapshot.data() + kSnapshotLengthOffset));
  EXPECT_TRUE(Damaged(files));
}

TEST_F(StoreViewTest, ForeignFilesAreNamed) {
  Fill();
  Contents files = Files();
  files["CURRENT"] = "MANIFEST-000001";
  RestoreFiles(files);
  EXPECT_EQ(View().foreign, "CURRENT");
  RestoreFiles({});
  StoreView view;
  EXPECT_EQ(ViewStore(&disk_, kDirectory, &view).code(), Status::Code::kInvalidArgument);
}

}  // namespace
}  // namespace bellwether::tool
