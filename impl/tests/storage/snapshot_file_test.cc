// The snapshot file: less, more or other than what was written is never taken for whole, and
// Salvage reads the blocks that are. (Damage at each byte: checkpoint_failure_test.)
#include "bellwether/storage/snapshot_file.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "test_log.h"

namespace bellwether {
namespace {

using testing::FileJournal;
using testing::MemoryFile;

struct Item {
  std::string key;
  SequenceNumber sequence;
  std::string value = "v";
};

WriteBatch Prepared(const std::string& xid) {
  WriteBatch batch;
  EXPECT_TRUE(batch.Put("k", "v").ok() && batch.MarkPrepare(xid).ok());
  return batch;
}

std::string Write(SequenceNumber sequence, const std::vector<Item>& items,
                  const std::vector<std::string>& xids = {}) {
  FileJournal journal;
  SnapshotWriter writer(std::make_unique<MemoryFile>(&journal), sequence);
  for (const Item& item : items) {
    EXPECT_TRUE(writer.Add(item.key, item.sequence, item.value).ok());
  }
  for (const std::string& xid : xids) EXPECT_TRUE(writer.AddPrepare(Prepared(xid)).ok());
  EXPECT_TRUE(writer.Finish().ok());
  EXPECT_EQ(journal.syncs, 1);
  EXPECT_EQ(journal.closes, 1);
  EXPECT_EQ(writer.size(), journal.contents.size());
  return journal.contents;
}

// With a right CRC.
std::string RawBlock(SnapshotBlock type, std::string_view payload) {
  std::string block(kSnapshotHeaderSize, '\0');
  EncodeFixed(block.data() + kSnapshotLengthOffset, static_cast<uint32_t>(payload.size()));
  block[kSnapshotTypeOffset] = static_cast<char>(type);
  block.append(payload);
  const std::string_view covered = std::string_view(block).substr(kSnapshotLengthOffset);
  EncodeFixed(block.data(), MaskCrc(Crc32c(covered)));
  return block;
}

std::string Footer(const std::string& file) {
  return file.substr(file.size() - kSnapshotFooterSize);
}
std::string Body(const std::string& file) {
  return file.substr(0, file.size() - kSnapshotFooterSize);
}

// The visitor of SnapshotReader.
struct Seen {
  Status Entry(std::string_view key, SequenceNumber, std::string_view) {
    keys.emplace_back(key);
    return Status::OK();
  }
  Status Prepare(std::string_view) {
    ++prepares;
    return Status::OK();
  }

  std::vector<std::string> keys;
  size_t prepares = 0;
};

bool Whole(const std::string& file) {
  const Status status = SnapshotReader("snapshot", file).Check();
  EXPECT_TRUE(status.ok() || status.code() == Status::Code::kCorruption) << status.ToString();
  return status.ok();
}

Seen Salvage(const std::string& file, size_t gaps) {
  Seen seen;
  std::vector<SnapshotGap> found;
  EXPECT_TRUE(SnapshotReader("snapshot", file).Salvage(&seen, &found).ok());
  EXPECT_EQ(found.size(), gaps);
  return seen;
}

// Entries in blocks of their own.
std::vector<Item> LargeItems() {
  std::vector<Item> items;
  for (const char* key : {"a", "b", "c"}) {
    items.push_back({key, 7, std::string(kSnapshotBlockSize, *key)});
  }
  return items;
}

TEST(SnapshotFile, ReadsWhatWasWritten) {
  const std::string file = Write(9, {{"a", 9}, {"b", 1}}, {"x", "y"});
  Seen seen;
  SnapshotReader reader("snapshot", file);
  EXPECT_TRUE(reader.Read(&seen).ok());
  EXPECT_EQ(seen.keys, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(seen.prepares, 2U);
  EXPECT_EQ(reader.FindFooter()->sequence, 9U);
  EXPECT_TRUE(Whole(Write(0, {}))) << "an empty state";
}

TEST(SnapshotFile, AMissingOrDoubledBlockIsNoticed) {
  const std::string file = Write(9, LargeItems(), {"x"});
  const size_t block = Body(Write(9, {LargeItems()[0]})).size();
  std::string without = file, doubled = file;
  without.erase(block, block);
  doubled.insert(block, file.substr(block, block));
  EXPECT_FALSE(Whole(without));
  EXPECT_FALSE(Whole(doubled));
  EXPECT_FALSE(Whole(file.substr(0, 3 * block) + Footer(file))) << "without its prepares";
  EXPECT_FALSE(Whole(file + Footer(file)));
  EXPECT_FALSE(Whole(Body(file)));
}

TEST(SnapshotFile, WhatNoWriterWritesIsNoSnapshot) {
  EXPECT_FALSE(Whole(Write(9, {{"a", 1}, {"a", 2}}))) << "one key twice";
  EXPECT_FALSE(Whole(Write(9, {{"b", 1}, {"a", 2}}))) << "keys out of order";
  EXPECT_FALSE(Whole(Write(9, {{"a", 10}}))) << "newer than the state";
  const std::string entry = Body(Write(9, {{"a", 1}})), prepare = Body(Write(9, {}, {"x"}));
  const std::string footer = Footer(Write(9, {{"a", 1}}, {"x"}));
  EXPECT_TRUE(Whole(entry + prepare + footer));
  EXPECT_FALSE(Whole(prepare + entry + footer));
  const std::string no_batch = RawBlock(SnapshotBlock::kPrepares, "\x03xyz");
  EXPECT_FALSE(Whole(no_batch + Footer(Write(9, {}, {"x"}))));
  const std::string cut = RawBlock(SnapshotBlock::kEntries, std::string(8, '\0') + "\x05key");
  EXPECT_FALSE(Whole(cut + Footer(Write(9, {{"a", 1}}))));
}

TEST(SnapshotFile, WhatIsNoFooterIsNotTakenForOne) {
  // Entries of a footer's size; a footer of another size.
  const std::string entries = Body(Write(9, {{"abcdefg", 9, "1234567"}}));
  ASSERT_EQ(entries.size(), kSnapshotFooterSize);
  EXPECT_FALSE(SnapshotReader("snapshot", entries).FindFooter().has_value());
  const std::string shorter = RawBlock(SnapshotBlock::kFooter, std::string(16, '\0'));
  EXPECT_FALSE(SnapshotReader("snapshot", shorter + "12345678").FindFooter().has_value());
  // A value that ends as a snapshot does, in a file without its own end.
  const std::string inner = Write(9, {{"a", 1}});
  EXPECT_FALSE(Whole(Body(Write(9, {{"a", 1, inner}}))));
}

TEST(SnapshotFile, SalvageLosesTheBlockThatIsDamaged) {
  std::string file = Write(9, LargeItems(), {"x"});
  file[100] ^= 1;
  const Seen seen = Salvage(file, 1);
  EXPECT_EQ(seen.keys, (std::vector<std::string>{"b", "c"}));
  EXPECT_EQ(seen.prepares, 1U);
  EXPECT_EQ(Salvage(Body(file), 2).keys.size(), 2U) << "and its end";
}

// The length survived, so what stands in the damaged value is not taken for blocks.
TEST(SnapshotFile, SalvageReadsNoSnapshotInADamagedValue) {
  std::vector<Item> items = LargeItems();
  items[0].value += Body(Write(9, {{"ab", 1}}));
  std::string file = Write(9, items);
  file[100] ^= 1;
  EXPECT_EQ(Salvage(file, 1).keys, (std::vector<std::string>{"b", "c"}));
}

TEST(SnapshotFile, AnErrorOfTheFileIsTold) {
  for (const int append : {1, 2}) {
    FileJournal journal;
    journal.fail_append = append;
    SnapshotWriter writer(std::make_unique<MemoryFile>(&journal), 9);
    ASSERT_TRUE(writer.Add("a", 1, "v").ok());
    EXPECT_EQ(writer.Finish().code(), Status::Code::kIOError);
    EXPECT_EQ(journal.syncs, 0);
  }
  FileJournal journal;
  journal.fail_sync = 1;
  SnapshotWriter writer(std::make_unique<MemoryFile>(&journal), 9);
  EXPECT_EQ(writer.Finish().code(), Status::Code::kIOError);
}

}  // namespace
}  // namespace bellwether
