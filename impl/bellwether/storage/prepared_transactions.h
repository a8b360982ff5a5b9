// PreparedTransactions: the transactions that a log has prepared and not decided yet.
//
// Protocol: Apply each record of the logs, in order; what is left when they end are the undecided
// ones. Invariant: a record that is refused changes nothing. Thread safety: as std::map.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "bellwether/storage/batch_format.h"
#include "bellwether/storage/write_batch.h"
#include "bellwether/write_path/status.h"

namespace bellwether {

class PreparedTransactions {
 public:
  using Map = std::map<std::string, WriteBatch, std::less<>>;

  PreparedTransactions() = default;
  // What is undecided where the logs begin.
  explicit PreparedTransactions(Map undecided) : undecided_(std::move(undecided)) {}

  // By xid: the prepare.
  const Map& undecided() const { return undecided_; }

  // Takes in the marks of a record, and puts into *effect what the record makes readable: its own
  // operations, and those of the prepares that it commits, in order, as one batch. NotFound: it
  // commits what was not prepared. Corruption: it prepares anew what is undecided.
  // REQUIRES: FindBatchDefect(record) is null.
  Status Apply(std::string_view record, std::string* effect) {
    effect->assign(record.substr(0, kBatchHeaderSize));
    Reader reader{this, effect};
    Status status = IterateBatch(record, &reader);
    if (!status.ok()) return status;
    EncodeFixed(effect->data() + kBatchCountOffset, reader.count);
    for (auto& [xid, prepare] : reader.changes) {
      if (prepare.has_value()) {
        undecided_.insert_or_assign(xid, std::move(*prepare));
      } else {
        undecided_.erase(xid);
      }
    }
    return status;
  }

 private:
  // No value: decided.
  using Changes = std::map<std::string, std::optional<WriteBatch>, std::less<>>;

  // The handler that IterateBatch calls.
  struct Reader {
    Status Put(std::string_view key, std::string_view value) {
      if (in_prepare) return prepare.Put(key, value);
      effect->push_back(static_cast<char>(ValueType::kTypeValue));
      PutLengthPrefixed(effect, key);
      PutLengthPrefixed(effect, value);
      ++count;
      return Status::OK();
    }

    Status Delete(std::string_view key) {
      if (in_prepare) return prepare.Delete(key);
      effect->push_back(static_cast<char>(ValueType::kTypeDeletion));
      PutLengthPrefixed(effect, key);
      ++count;
      return Status::OK();
    }

    Status MarkBeginPrepare() {
      in_prepare = true;
      prepare.Clear();
      return Status::OK();
    }

    Status MarkEndPrepare(std::string_view xid) {
      in_prepare = false;
      if (Find(xid) != nullptr) {
        return Status::Corruption("prepare of a transaction that is prepared already", "", 0);
      }
      Status status = prepare.MarkPrepare(xid);
      if (status.ok()) changes.insert_or_assign(std::string(xid), prepare);
      return status;
    }

    Status MarkCommit(std::string_view xid) {
      const WriteBatch* const found = Find(xid);
      if (found == nullptr) return Status::NotFound("commit of a transaction that is not prepared");
      WriteBatch commit;
      Status status = commit.MarkCommit(xid, *found);
      if (!status.ok()) return status;
      effect->append(commit.Operations().substr(commit.WalOperations().size()));
      count += commit.Count();
      changes.insert_or_assign(std::string(xid), std::nullopt);
      return status;
    }

    Status MarkRollback(std::string_view xid) {
      changes.insert_or_assign(std::string(xid), std::nullopt);
      return Status::OK();
    }

    const WriteBatch* Find(std::string_view xid) const {
      if (const auto change = changes.find(xid); change != changes.end()) {
        return change->second.has_value() ? &*change->second : nullptr;
      }
      const auto found = owner->undecided_.find(xid);
      return found != owner->undecided_.end() ? &found->second : nullptr;
    }

    const PreparedTransactions* owner;
    std::string* effect;
    uint32_t count = 0;
    bool in_prepare = false;
    WriteBatch prepare = {};
    Changes changes = {};
  };

  Map undecided_;
};

}  // namespace bellwether
