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

// The thread whose unbatched call leads the main queue: the second Writer is in its frame, if there
// is one. kMaxThreads: there is no such call.
inline size_t Caller(const Config& config, const State& s) {
  for (size_t t = 0; t < config.threads; t++) {
    const bool leads = s.pc[t] == Action::Close || s.pc[t] == Action::Checkpoint ||
                       s.pc[t] == Action::ExitAsBatchGroupLeader;
    if (leads && config.Unbatched(Me(s, t))) return t;
  }
  return kMaxThreads;
}

// The thread whose frame holds the dummy of a pipelined exit; kMaxThreads: there is none.
inline size_t DummyHolder(const Config& config, const State& s) {
  for (size_t t = 0; t < config.threads; t++) {
    if (HasDummy(s, t) && !config.Unbatched(Me(s, t))) return t;
  }
  return kMaxThreads;
}

// A Writer is called by the thread in whose frame it is.
inline std::string WriterName(const Config& config, const State& s, Pointer p) {
  if (p.null()) return "null";
  if (p == kStallDummy || p == kNonmemStallDummy) return "stall_dummy";
  if (p == kSecond) return TlaThread(Caller(config, s));
  return TlaThread(p == kDummy ? DummyHolder(config, s) : p.thread());
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

// Thread t, or the second Writer in its place, took an action, which led from `before` to `after`.
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
  void AddWriter(Pointer w) { Add("writer", Named(w)); }
  std::string Named(Pointer w) const { return WriterName(config_, before_, w); }
  void AddTail(Pointer read, Pointer wrote) {
    Add("read", Named(read));
    Add("wrote", WriterName(config_, after_, wrote));
  }
  // An access of first_error_, of running, of relief.
  void AddPoisoned() { Add("read", TlaLower(before_.first_error != FirstError::kOK)); }
  void AddNumber(uint8_t read, uint8_t wrote) {
    Add("read", std::to_string(read));
    Add("wrote", std::to_string(wrote));
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
    AddWriter(w);
    if (!w.null()) Add("wrote", StateName(At(after_.state, w)));
  }
  void AddOwn() { AddStored(Me(before_, t_)); }
  void AddGroup() {
    Add("group_size", std::to_string(after_.group_size[t_]));
    Add("last_writer", WriterName(config_, after_, after_.last_writer[t_]));
  }

  void Fill(Action action) {
    const Pointer me = Me(before_, t_);
    switch (action) {
      case Action::LinkOne:
      case Action::EnterAsBatchGroupLeader_Graft:
        AddWriter(me);
        return AddWriteTail();
      case Action::JoinBatchGroup_AwaitState:
      case Action::ExitAsBatchGroupLeader_AwaitState:
      case Action::CompleteParallelMemTableWriter_AwaitState:
      case Action::WaitForMemTableWriters_AwaitState:
        AddWriter(me);
        return Add("read", StateName(before_.state[t_]));
      case Action::EnterAsBatchGroupLeader:
        AddWriter(me);
        AddWriteTail();
        return AddGroup();
      case Action::EnterAsMemTableWriter:
        AddWriter(me);
        AddMemTableTail();
        return AddGroup();
      case Action::PreprocessWrite_FirstError:
      case Action::WriteToWAL_FirstError:
      case Action::EnterAsMemTableWriter_FirstError:
        AddWriter(me);
        return AddPoisoned();
      case Action::SetLastSequence_FirstError:
        AddWriter(before_.write_group[t_]);
        return AddPoisoned();
      case Action::WalError:
      case Action::PreReleaseError:
      case Action::Poison:
      case Action::Close:
      case Action::CloseError:
        AddPoisoned();
        return Add("wrote", "true");
      default:
        return FillPath(action);
    }
  }

  void FillPath(Action action) {
    const Pointer me = Me(before_, t_);
    switch (action) {
      case Action::WriteToWAL:
        AddWriter(me);
        // Refused: the group has none.
        if (after_.group_status[t_] != WriteStatus::kOK) return;
        return Add("last_sequence", std::to_string(sequences_.end(LogEnd())));
      case Action::WriteToWAL_Sync:
        return AddWriter(me);
      case Action::InsertInto: {
        const Pointer w = Inserted();
        AddWriter(w);
        return Add("sequence", std::to_string(sequences_.first(At(before_.sequence, w))));
      }
      case Action::MemTableError:
        return AddWriter(Inserted());
      case Action::SetLastSequence:
        AddWriter(before_.write_group[t_]);
        return Add("wrote", std::to_string(sequences_.end(after_.last_sequence)));
      case Action::LaunchParallelMemTableWriters:
        AddWriter(me);
        return Add("wrote", std::to_string(after_.running[t_]));
      case Action::CompleteParallelMemTableWriter:
        AddWriter(me);
        return AddNumber(before_.running[Frame(before_, t_)], after_.running[Frame(before_, t_)]);
      case Action::Write_Return:
        return FillReturn();
      default:
        return FillStall(action);
    }
  }

  void FillStall(Action action) {
    const Pointer me = Me(before_, t_);
    switch (action) {
      case Action::PreprocessWrite:
        AddWriter(me);
        return Add("read", std::to_string(before_.relief));
      case Action::RunUnbatched:
        AddWriter(me);
        return AddNumber(before_.relief, after_.relief);
      case Action::BeginWriteStall:
        AddWriter(StallDummy(config_, before_, t_));
        return AddWriteTail();
      case Action::EndWriteStall:
        AddWriter(At(before_.link_older, StallDummy(config_, before_, t_)));
        return AddWriteTail();
      case Action::EnterUnbatched:
        return AddWriter(me);
      case Action::WaitForMemTableWriters:
        return Add("read", Named(before_.newest_memtable_writer));
      case Action::WaitForMemTableWriters_LinkOne:
        AddWriter(me);
        return AddMemTableTail();
      case Action::WaitForMemTableWriters_Store:
        return Add("wrote", Named(after_.newest_memtable_writer));
      default:
        return FillStates(action);
    }
  }

  void FillReturn() {
    AddWriter(Me(before_, t_));
    if (config_.Unbatched(Me(before_, t_))) return;
    const Outcome outcome = after_.outcome[t_].last();
    Add("status", StatusName(outcome.status));
    const bool has = outcome.sequence != 0 &&
                     sequences_.end(outcome.sequence) >= sequences_.first(outcome.sequence);
    Add("sequence", std::to_string(has ? sequences_.first(outcome.sequence) : 0));
  }

  void FillStates(Action action) {
    switch (action) {
      case Action::JoinBatchGroup:
      case Action::LinkOne_NoSlowdown:
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
      case Action::BeginWriteStall_CompleteWriter:
        return AddStored(before_.cursor[t_]);
      case Action::ExitAsBatchGroupFollower:
      case Action::ExitAsMemTableWriter_CompleteLeader:
        return AddStored(before_.write_group[t_]);
      case Action::LinkGroup_SetState:
        return AddStored(before_.group_leader[t_]);
      case Action::LinkGroup:
        AddWriter(before_.last_writer[t_]);
        return AddMemTableTail();
      case Action::ExitAsBatchGroupLeader_Dummy:
        Add("writer", WriterName(config_, after_, kDummy));
        return AddWriteTail();
      case Action::ExitAsBatchGroupLeader:
        AddWriter(Left());
        return AddWriteTail();
      case Action::ExitAsMemTableWriter:
        AddWriter(before_.write_group[t_]);
        return AddMemTableTail();
      default:
        return;
    }
  }

  // The Writer that leaves its queue with all before it.
  Pointer Left() const {
    if (config_.Unbatched(Me(before_, t_))) return Me(before_, t_);
    return config_.Pipelined() ? kDummy : before_.last_writer[Frame(before_, t_)];
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
