// The ledger rejects each way in which a disk can differ from what was noted.

#include "stress/ledger.h"

#include <gtest/gtest.h>

#include <functional>

#include "bellwether/storage/wal_writer.h"
#include "stress/simulated_file_system.h"

namespace bellwether::stress {
namespace {

// Three writes of one thread, as a life noted them, against logs that a test makes up.
class LedgerTest : public testing::Test {
 protected:
  static constexpr const char* kDirectory = "/store";

  LedgerTest() : workload_({.seed = 3, .keys = 4, .sync_percent = 100}), table_(1, 10) {
    for (uint64_t n = 1; n <= 3; ++n) {
      WriteBatch batch;
      EXPECT_TRUE(workload_.Fill(MakeWriteId(0, n), &batch).ok());
      table_.Begin(0);
      table_.Return(0, Outcome::kAcknowledged, sequence_);
      sequence_ += batch.Count();
      batches_.push_back(batch);
    }
    EXPECT_TRUE(disk_.CreateDirectory(kDirectory).ok());
  }

  struct Group {
    std::vector<WriteBatch> batches;
    template <class Visitor>
    void ForEach(const Visitor& visitor) const {
      for (const WriteBatch& batch : batches) visitor(batch);
    }
  };

  void Log(const std::vector<Group>& groups) {
    std::unique_ptr<WritableFile> file;
    ASSERT_TRUE(disk_.NewWritableFile(std::string(kDirectory) + "/000001.log", &file).ok());
    WalWriter log(std::move(file));
    SequenceNumber next = 1;
    for (const Group& group : groups) {
      ASSERT_TRUE(log.AddRecord(next, group).ok());
      group.ForEach([&](const WriteBatch& batch) { next += batch.Count(); });
    }
  }

  std::string_view Rule(Survival survival = Survival::kDurable) {
    Ledger ledger(workload_, 1);
    ledger.EndLife(table_, /*closed=*/false);
    std::unique_ptr<Store> store;
    const Status status = Store::Open({.file_system = &disk_}, kDirectory, &store);
    EXPECT_TRUE(status.ok()) << status.ToString();
    const std::optional<Violation> violation =
        ledger.CheckRecovered(&disk_, kDirectory, *store, survival);
    return violation ? violation->rule : "none";
  }

  SimulatedFileSystem disk_;
  const Workload workload_;
  AckTable table_;
  std::vector<WriteBatch> batches_;
  SequenceNumber sequence_ = 1;
};

TEST_F(LedgerTest, AcceptsWhatWasNoted) {
  Log({{{batches_[0]}}, {{batches_[1], batches_[2]}}});
  EXPECT_EQ(Rule(), "none");
}

TEST_F(LedgerTest, LostWrite) {
  Log({{{batches_[0], batches_[1]}}});
  EXPECT_EQ(Rule(), "kLost");
}

TEST_F(LedgerTest, WriteThatMoved) {
  Log({{{batches_[0]}}, {{batches_[2]}}, {{batches_[1]}}});
  EXPECT_EQ(Rule(), "kMoved");
}

TEST_F(LedgerTest, TornBatch) {
  WriteBatch half;
  ASSERT_TRUE(half.Put(Workload::Key(0), workload_.Value({MakeWriteId(0, 4), 0})).ok());
  uint64_t number = 4;
  while (workload_.Operations(MakeWriteId(0, number)).size() < 2) ++number;
  half.Clear();
  ASSERT_TRUE(half.Put(Workload::Key(0), workload_.Value({MakeWriteId(0, number), 0})).ok());
  Log({{{batches_[0], batches_[1], batches_[2], half}}});
  EXPECT_EQ(Rule(), "kTorn");
}

TEST_F(LedgerTest, ForeignBatch) {
  WriteBatch foreign;
  ASSERT_TRUE(foreign.Put("key", "value").ok());
  Log({{{batches_[0], foreign}}});
  EXPECT_EQ(Rule(), "kTorn");
}

TEST_F(LedgerTest, WriteThatWasNeverBegun) {
  WriteBatch unknown;
  ASSERT_TRUE(workload_.Fill(MakeWriteId(0, 4), &unknown).ok());
  Log({{{batches_[0], batches_[1], batches_[2], unknown}}});
  EXPECT_EQ(Rule(), "kPhantom");
}

TEST_F(LedgerTest, WriteThatWasRefused) {
  WriteBatch refused;
  ASSERT_TRUE(workload_.Fill(MakeWriteId(0, 4), &refused).ok());
  table_.Begin(0);
  table_.Return(0, Outcome::kRefused, 0);
  Log({{{batches_[0], batches_[1], batches_[2], refused}}});
  EXPECT_EQ(Rule(), "kPhantom");
}

TEST_F(LedgerTest, WriteInFlightMayBeThereOrNot) {
  table_.Begin(0);
  WriteBatch in_flight;
  ASSERT_TRUE(workload_.Fill(MakeWriteId(0, 4), &in_flight).ok());
  Log({{{batches_[0], batches_[1], batches_[2]}}});
  EXPECT_EQ(Rule(Survival::kAcknowledged), "none");
  for (const char* const name : {"/000001.log", "/000002.log", "/MANIFEST"}) {
    ASSERT_TRUE(disk_.RemoveFile(std::string(kDirectory) + name).ok());
  }
  Log({{{batches_[0], batches_[1], batches_[2], in_flight}}});
  EXPECT_EQ(Rule(Survival::kAcknowledged), "none");
}

// Without sync an acknowledged write may go with the power, but not with the process.
TEST_F(LedgerTest, UnsyncedWriteMayGoWithThePowerOnly) {
  const Workload unsynced({.seed = 3, .keys = 4, .sync_percent = 0});
  Log({{{batches_[0], batches_[1]}}});
  for (const Survival survival : {Survival::kDurable, Survival::kAcknowledged}) {
    Ledger ledger(unsynced, 1);
    ledger.EndLife(table_, /*closed=*/false);
    std::unique_ptr<Store> store;
    ASSERT_TRUE(Store::Open({.file_system = &disk_}, kDirectory, &store).ok());
    const std::optional<Violation> violation =
        ledger.CheckRecovered(&disk_, kDirectory, *store, survival);
    EXPECT_EQ(violation.has_value(), survival == Survival::kAcknowledged);
  }
}

}  // namespace
}  // namespace bellwether::stress
