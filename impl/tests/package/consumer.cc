// Puts its own log and its own memtable under the write path, as a porter does.
#include <bellwether/sync/std_sync.h>
#include <bellwether/write_path/write_path.h>

#include <cstdint>
#include <cstdio>
#include <string>

namespace {

struct Batch {
  std::string value;
  std::uint32_t Count() const { return 1; }
  std::size_t ByteSize() const { return value.size(); }
};

struct Log {
  std::string records;
  template <class Group>
  bellwether::Status AddRecord(bellwether::SequenceNumber, const Group& group) {
    group.ForEach([&](const Batch& batch) { records += batch.value; });
    return bellwether::Status::OK();
  }
  bellwether::Status Sync() { return bellwether::Status::OK(); }
  std::uint64_t LogNumber() const { return 1; }
  std::uint64_t BytesSinceCheckpoint() const { return records.size(); }
};

struct MemTable {
  std::string values;
  bellwether::Status InsertInto(const Batch& batch, bellwether::SequenceNumber) {
    values += batch.value;
    return bellwether::Status::OK();
  }
};

}  // namespace

int main() {
  Log log;
  MemTable memtable;
  bellwether::WritePath<bellwether::StdSync, Batch, Log, MemTable> path({}, &log, &memtable, 0);
  const Batch batch{"hello"};
  const bellwether::WriteResult result = path.Write({}, &batch);
  const bool ok = result.status.ok() && result.sequence == 1 && path.Close().ok() &&
                  log.records == "hello" && memtable.values == "hello";
  std::puts(ok ? "the consumer's write went through" : "the consumer's write is wrong");
  return ok ? 0 : 1;
}
