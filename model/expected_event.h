// expected_event.h: what an event of a trace has to say, if it is a given step of the model.
//
// Thread safety: functions of their arguments.

#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "model/tla_text.h"
#include "model/write_path_model.h"

namespace bellwether::model {
inline namespace BELLWETHER_MODEL_BOUNDS {

using ExpectedFields = std::vector<std::pair<std::string_view, std::string>>;

// The model counts writes where the engine counts operations: write number n of the log ends with
// the engine's sequence end(n).
class Sequences {
 public:
  explicit Sequences(uint64_t last_sequence) { end_[0] = last_sequence; }

  uint64_t end(uint8_t n) const { return end_[n]; }
  uint64_t first(uint8_t n) const { return end_[n - 1u] + 1; }
  void Add(uint8_t n, uint64_t count) { end_[n] = end_[n - 1u] + count; }
  // Number n becomes number n - shift.
  void Forget(uint8_t shift, uint8_t last) {
    for (size_t n = shift; n <= last; n++) end_[n - shift] = end_[n];
  }

 private:
  std::array<uint64_t, 256> end_ = {};
};

inline std::string PointerName(Pointer p) {
  if (p.null()) return "null";
  return p.thread() == kDummyPlace ? "dummy" : TlaThread(p.thread());
}

inline std::string StateName(WriterState state) {
  switch (state) {
    case STATE_INIT:
      return "STATE_INIT";
    case STATE_GROUP_LEADER:
      return "STATE_GROUP_LEADER";
    case STATE_MEMTABLE_WRITER_LEADER:
      return "STATE_MEMTABLE_WRITER_LEADER";
    case STATE_PARALLEL_MEMTABLE_CALLER:
      return "STATE_PARALLEL_MEMTABLE_CALLER";
    case STATE_PARALLEL_MEMTABLE_WRITER:
      return "STATE_PARALLEL_MEMTABLE_WRITER";
    case STATE_COMPLETED:
      return "STATE_COMPLETED";
  }
  return {};
}

inline std::string StatusName(WriteStatus status) {
  switch (status) {
    case WriteStatus::kOK:
      return "OK";
    case WriteStatus::kUnknownOutcome:
      return "UnknownOutcome";
    case WriteStatus::kAborted:
      return "Aborted";
    case WriteStatus::kCallbackFailed:
      return "CallbackFailed";
    case WriteStatus::kIncomplete:
      return "Incomplete";
  }
  return {};
}

// Thread t took an action, which led from `before` to `after`.
class ExpectedEvent {
 public:
  // REQUIRES: all of these outlive it.
  ExpectedEvent(const Config& config, const Sequences& sequences, const State& before,
                const State& after, size_t t)
      : config_(config), sequences_(sequences), before_(before), after_(after), t_(t) {}

  ExpectedFields Of(Action action) {
    Fill(action);
    return std::move(fields_);
  }

 private:
  void Add(std::string_view name, std::string value) {
    fields_.emplace_back(name, std::move(value));
  }
  void AddTail(Pointer read, Pointer wrote) {
    Add("read", PointerName(read));
    Add("wrote", PointerName(wrote));
  }
  // Of the write queue that t is in.
  void AddWriteTail() {
    if (config_.UsesNonmem(Me(before_, t_))) {
      return AddTail(before_.newest_nonmem_writer, after_.newest_nonmem_writer);
    }
    AddTail(before_.newest_writer, after_.newest_writer);
  }
  void AddMemTableTail() { AddTail(before_.newest_memtable_writer, after_.newest_memtable_writer); }
  // The Writer whose state is stored.
  void AddStored(Pointer w) {
    Add("writer", PointerName(w));
    if (!w.null()) Add("wrote", StateName(At(after_.state, w)));
  }
  void AddOwn() { AddStored(Me(before_, t_)); }
  void AddGroup() {
    Add("group_size", std::to_string(after_.group_size[t_]));
    Add("last_writer", PointerName(after_.last_writer[t_]));
  }

  void Fill(Action action) {
    const Pointer me = Me(before_, t_);
    switch (action) {
      case Action::LinkOne:
      case Action::EnterAsBatchGroupLeader_Graft:
        Add("writer", PointerName(me));
        return AddWriteTail();
      case Action::JoinBatchGroup_AwaitState:
      case Action::ExitAsBatchGroupLeader_AwaitState:
      case Action::CompleteParallelMemTableWriter_AwaitState:
        Add("writer", PointerName(me));
        return Add("read", StateName(before_.state[t_]));
      case Action::EnterAsBatchGroupLeader:
        Add("writer", PointerName(me));
        AddWriteTail();
        return AddGroup();
      case Action::EnterAsMemTableWriter:
        Add("writer", PointerName(me));
        AddMemTableTail();
        return AddGroup();
      case Action::WriteToWAL_FirstError:
      case Action::EnterAsMemTableWriter_FirstError:
        Add("writer", PointerName(me));
        return Add("read", TlaLower(before_.first_error != FirstError::kOK));
      case Action::SetLastSequence_FirstError:
        Add("writer", PointerName(before_.write_group[t_]));
        return Add("read", TlaLower(before_.first_error != FirstError::kOK));
      case Action::WalError:
      case Action::PreReleaseError:
      case Action::Poison:
        Add("read", TlaLower(before_.first_error != FirstError::kOK));
        return Add("wrote", "true");
      default:
        return FillPath(action);
    }
  }

  void FillPath(Action action) {
    const Pointer me = Me(before_, t_);
    switch (action) {
      case Action::WriteToWAL:
        Add("writer", PointerName(me));
        // Refused: the group has none.
        if (after_.group_status[t_] != WriteStatus::kOK) return;
        return Add("last_sequence", std::to_string(sequences_.end(LogEnd())));
      case Action::WriteToWAL_Sync:
        return Add("writer", PointerName(me));
      case Action::InsertInto: {
        const Pointer w = Inserted();
        Add("writer", PointerName(w));
        return Add("sequence", std::to_string(sequences_.first(At(before_.sequence, w))));
      }
      case Action::MemTableError:
        return Add("writer", PointerName(Inserted()));
      case Action::SetLastSequence:
        Add("writer", PointerName(before_.write_group[t_]));
        return Add("wrote", std::to_string(sequences_.end(after_.last_sequence)));
      case Action::LaunchParallelMemTableWriters:
        Add("writer", PointerName(me));
        return Add("wrote", std::to_string(after_.running[t_]));
      case Action::CompleteParallelMemTableWriter:
        Add("writer", PointerName(me));
        Add("read", std::to_string(before_.running[Frame(before_, t_)]));
        return Add("wrote", std::to_string(after_.running[Frame(before_, t_)]));
      case Action::Write_Return:
        return FillReturn(after_.outcome[t_].last());
      default:
        return FillStates(action);
    }
  }

  void FillReturn(const Outcome& outcome) {
    Add("writer", PointerName(Me(before_, t_)));
    Add("status", StatusName(outcome.status));
    const bool has = outcome.sequence != 0 &&
                     sequences_.end(outcome.sequence) >= sequences_.first(outcome.sequence);
    Add("sequence", std::to_string(has ? sequences_.first(outcome.sequence) : 0));
  }

  void FillStates(Action action) {
    switch (action) {
      case Action::JoinBatchGroup:
      case Action::LaunchParallelMemTableWriters_Leader:
      case Action::SetMemWritersEachStride_Caller:
      case Action::ExitAsBatchGroupLeader_CompleteLeader:
        return AddOwn();
      case Action::LaunchParallelMemTableWriters_SetState:
      case Action::SetMemWritersEachStride:
      case Action::ExitAsBatchGroupLeader_SetState:
      case Action::ExitAsBatchGroupLeader_CompleteFollower:
      case Action::ExitAsMemTableWriter_SetState:
      case Action::ExitAsMemTableWriter_CompleteWriter:
        return AddStored(before_.cursor[t_]);
      case Action::ExitAsBatchGroupFollower:
      case Action::ExitAsMemTableWriter_CompleteLeader:
        return AddStored(before_.write_group[t_]);
      case Action::LinkGroup_SetState:
        return AddStored(before_.group_leader[t_]);
      case Action::LinkGroup:
        Add("writer", PointerName(before_.last_writer[t_]));
        return AddMemTableTail();
      case Action::ExitAsBatchGroupLeader_Dummy:
        Add("writer", "dummy");
        return AddWriteTail();
      case Action::ExitAsBatchGroupLeader:
        Add("writer",
            config_.Pipelined() ? "dummy" : PointerName(before_.last_writer[Frame(before_, t_)]));
        return AddWriteTail();
      case Action::ExitAsMemTableWriter:
        Add("writer", PointerName(before_.write_group[t_]));
        return AddMemTableTail();
      default:
        return;
    }
  }

  uint8_t LogEnd() const { return after_.allocated_sequence; }
  Pointer Inserted() const {
    return InsertsOwn(before_, t_) ? Me(before_, t_) : before_.cursor[t_];
  }
  static std::string TlaLower(bool value) { return value ? "true" : "false"; }

  const Config& config_;
  const Sequences& sequences_;
  const State& before_;
  const State& after_;
  const size_t t_;
  ExpectedFields fields_;
};

}  // namespace BELLWETHER_MODEL_BOUNDS
}  // namespace bellwether::model
