// What a caller asks of one write, and what it is told.
#pragma once

#include <cstddef>

#include "bellwether/write_path/sequence.h"
#include "bellwether/write_path/status.h"

namespace bellwether {

struct WriteOptions {
  // The write is acknowledged only after the log was synced (fdatasync) behind it.
  bool sync = false;
};

struct WriteResult {
  Status status;
  // Of the first operation of the batch; 0 if the write failed or the batch is empty.
  SequenceNumber sequence = 0;
};

struct WritePathOptions {
  // Upper bound on the bytes of a write group's batches. A group whose leader has a small batch (at
  // most an eighth) is kept small as well, so that a small write does not wait for a large one.
  // RocksDB's option of the same name.
  std::size_t max_write_batch_group_size_bytes = std::size_t{1} << 20;
};

}  // namespace bellwether
