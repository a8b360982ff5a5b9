// The witness checker accepts a true history and rejects each way of breaking it.

#include "stress/witness_checker.h"

#include <gtest/gtest.h>

namespace bellwether::stress {
namespace {

class WitnessCheckerTest : public testing::Test {
 protected:
  // Ten writes of two threads, one after the other, and a read of everything after each.
  WitnessCheckerTest() : workload_({.seed = 5, .keys = 4, .max_operations = 4}) {
    Replay replay(workload_);
    uint64_t clock = 0;
    for (uint64_t n = 0; n < 10; ++n) {
      WriteEvent write;
      write.id = MakeWriteId(static_cast<uint32_t>(n % 2), 1 + n / 2);
      write.invoked = ++clock;
      write.returned = ++clock;
      write.sequence = last_ + 1;
      write.count = static_cast<uint32_t>(workload_.Operations(write.id).size());
      write.outcome = Outcome::kAcknowledged;
      replay.Apply(write.id, write.sequence);
      last_ = write.last();
      writes_.push_back(write);
      ReadEvent read;
      read.invoked = ++clock;
      read.returned = ++clock;
      read.snapshot = last_;
      for (uint32_t key = 0; key < workload_.keys(); ++key) {
        read.observations.push_back({key, replay.Get(key, last_)});
      }
      reads_.push_back(read);
    }
  }

  std::string_view Rule() const {
    const std::optional<Violation> violation = CheckWitness(workload_, writes_, reads_, last_);
    return violation ? violation->rule : "none";
  }

  // The first write with more than one operation.
  WriteEvent& LargeWrite() {
    return *std::find_if(writes_.begin(), writes_.end(),
                         [](const WriteEvent& write) { return write.count > 1; });
  }

  const Workload workload_;
  std::vector<WriteEvent> writes_;
  std::vector<ReadEvent> reads_;
  SequenceNumber last_ = 0;
};

TEST_F(WitnessCheckerTest, AcceptsATrueHistory) { EXPECT_EQ(Rule(), "none"); }

TEST_F(WitnessCheckerTest, AcceptsOverlappingWritesInEitherOrder) {
  reads_.clear();
  for (WriteEvent& write : writes_) {
    write.invoked = 1;
    write.returned = 100;
  }
  EXPECT_EQ(Rule(), "none");
}

TEST_F(WitnessCheckerTest, MissingWrite) {
  writes_.erase(writes_.begin() + 4);
  EXPECT_EQ(Rule(), "kContiguous");
}

TEST_F(WitnessCheckerTest, MissingLastWrite) {
  writes_.pop_back();
  EXPECT_EQ(Rule(), "kContiguous");
}

// What a write with disable_wal leaves: its sequences, and nothing else.
TEST_F(WitnessCheckerTest, LostWrite) {
  writes_[4].id = kLostWrite;
  EXPECT_EQ(Rule(), "kValue") << "its values are still read";
  reads_.clear();
  EXPECT_EQ(Rule(), "none");
}

TEST_F(WitnessCheckerTest, SequenceTakenTwice) {
  writes_[5].sequence = writes_[4].sequence;
  EXPECT_EQ(Rule(), "kDuplicate");
}

TEST_F(WitnessCheckerTest, WriteLoggedTwice) {
  WriteEvent again = writes_[3];
  again.sequence = last_ + 1;
  last_ = again.last();
  writes_.push_back(again);
  EXPECT_EQ(Rule(), "kDuplicate");
}

TEST_F(WitnessCheckerTest, SwappedWrites) {
  // Each keeps its own times and takes the other's place in the order.
  reads_.clear();
  WriteEvent& first = writes_[2];
  WriteEvent& second = writes_[3];
  second.sequence = first.sequence;
  first.sequence = second.sequence + second.count;
  EXPECT_EQ(Rule(), "kRealTime");
}

TEST_F(WitnessCheckerTest, StaleRead) {
  reads_[6].snapshot = reads_[5].snapshot;
  reads_[6].observations = reads_[5].observations;
  EXPECT_EQ(Rule(), "kRealTime");
}

TEST_F(WitnessCheckerTest, ReadFromTheFuture) {
  reads_[5].snapshot = reads_[6].snapshot;
  reads_[5].observations = reads_[6].observations;
  EXPECT_EQ(Rule(), "kRealTime");
}

TEST_F(WitnessCheckerTest, ReadsThatGoBack) {
  // Two reads while a write is in flight: the second may not miss what the first saw.
  writes_[9].returned = 1000;
  ReadEvent before = reads_[8];
  before.invoked = 950;
  before.returned = 960;
  reads_[9].invoked = 930;
  reads_[9].returned = 940;
  reads_.push_back(before);
  EXPECT_EQ(Rule(), "kRealTime");
}

TEST_F(WitnessCheckerTest, SnapshotInsideABatch) {
  ReadEvent& read = reads_.front();
  read.snapshot = LargeWrite().sequence;
  read.invoked = 0;
  read.returned = kNever;
  read.observations.clear();
  EXPECT_EQ(Rule(), "kTornBatch");
}

TEST_F(WitnessCheckerTest, LostUpdate) {
  // Thread 0 wrote its marker in between.
  reads_[7].observations[0].value = reads_[5].observations[0].value;
  EXPECT_EQ(Rule(), "kValue");
}

TEST_F(WitnessCheckerTest, ForeignValue) {
  reads_[2].observations[1].value = kForeignValue;
  EXPECT_EQ(Rule(), "kValue");
}

TEST_F(WitnessCheckerTest, ValueOutOfNowhere) {
  reads_[0].observations[1].value = ValueId{writes_[1].id, 0};
  EXPECT_EQ(Rule(), "kValue");
}

TEST(WorkloadTest, DecodesItsOwnValuesOnly) {
  const Workload workload({.seed = 9, .keys = 4, .max_operations = 6});
  uint32_t puts = 0;
  for (uint64_t number = 1; number < 50; ++number) {
    const WriteId id = MakeWriteId(3, number);
    uint32_t index = 0;
    for (const KeyOperation& operation : workload.Operations(id)) {
      const ValueId value{id, index++};
      if (operation.deletion) continue;
      ++puts;
      std::string text = workload.Value(value);
      EXPECT_EQ(workload.Decode(operation.key, text), value);
      EXPECT_EQ(workload.Decode(operation.key + 1, text), std::nullopt) << "another key's";
      EXPECT_EQ(workload.Decode(operation.key, text + "x"), std::nullopt);
      for (char& byte : text) {
        byte = static_cast<char>(byte ^ 1);
        EXPECT_EQ(workload.Decode(operation.key, text), std::nullopt);
        byte = static_cast<char>(byte ^ 1);
      }
    }
  }
  EXPECT_GT(puts, 100U);
}

}  // namespace
}  // namespace bellwether::stress
