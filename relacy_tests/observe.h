// What the implementation shows to the model after an action: read from the WritePath itself, past
// its access control and past the memory model, so that looking adds no step, no race and no order.
//
// Thread safety: none; Relacy runs one fiber at a time.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "bellwether/write_path/write_path.h"
#include "relacy_tests/lockstep.h"
#include "relacy_tests/test_store.h"

namespace bellwether::relacy {

using Path = WritePath<RelacySync, TestBatch, TestLog, TestMemTable>;
using Queue = WriteThread<RelacySync, TestBatch>;

// An explicit instantiation may name private members (C++20, [temp.spec] 6).
template <class Tag, auto kMember>
struct Reveal {
  friend constexpr auto MemberOf(Tag) { return kMember; }
};
struct QueueTag {
  friend constexpr auto MemberOf(QueueTag);
};
struct LastSequenceTag {
  friend constexpr auto MemberOf(LastSequenceTag);
};
struct FirstErrorTag {
  friend constexpr auto MemberOf(FirstErrorTag);
};
struct NewestWriterTag {
  friend constexpr auto MemberOf(NewestWriterTag);
};
template struct Reveal<QueueTag, &Path::write_thread_>;
template struct Reveal<LastSequenceTag, &Path::last_sequence_>;
template struct Reveal<FirstErrorTag, &Path::first_error_>;
template struct Reveal<NewestWriterTag, &Queue::newest_writer_>;

class Observer {
 public:
  using Writer = Queue::Writer;

  void Begin() { writers_ = {}; }

  // Tells the model what thread `thread` did, and what there is to see.
  void OnAction(const Path& path, std::string_view action, const void* writer, std::size_t thread) {
    if (action == "Write") {
      writers_[thread] = {static_cast<const Writer*>(writer), writers_[thread].incarnation + 1, 0};
    }
    if (action == "WriteToWAL" || action == "WalError") SeeSequences(*writers_[thread].writer);
    model::Observed seen;
    const auto& queue = path.*MemberOf(QueueTag());
    seen.newest_writer = ToPointer((queue.*MemberOf(NewestWriterTag())).Newest());
    seen.last_sequence = static_cast<std::uint8_t>((path.*MemberOf(LastSequenceTag())).Newest());
    seen.poisoned = (path.*MemberOf(FirstErrorTag())).Newest() != nullptr;
    seen.writer = ToPointer(writer);
    if (action == "EnterAsBatchGroupLeader" || action == "ExitAsBatchGroupLeader") {
      seen.loads = true;
      seen.loaded = ToPointer(LoadedTail(thread, writer));
    }
    for (std::size_t t = 0; t < model::kMaxThreads; ++t) {
      const Writer* const w = writers_[t].writer;
      if (w == nullptr) continue;
      seen.blocked[t] = w->state.Newest() == STATE_LOCKED_WAITING;
      seen.state[t] = ToState(w->state.Newest());
      seen.sequence[t] = static_cast<std::uint8_t>(writers_[t].sequence);
      seen.status[t] = ToStatus(w->status.Peek());
    }
    if (LeadsGroup(action)) SeeGroup(*writers_[thread].writer, &seen);
    FollowInLockstep(action, thread, seen);
    if (action == "Write_Return") writers_[thread].writer = nullptr;
  }

 private:
  struct Frame {
    const Writer* writer = nullptr;  // null: no write in flight
    std::size_t incarnation = 0;
    SequenceNumber sequence = 0;
  };

  // Sequences belong to the leader who gives them out: they are looked at when it says that it has.
  void SeeSequences(const Writer& leader) {
    for (Frame& frame : writers_) {
      if (frame.writer == nullptr) continue;
      if (frame.writer->write_group.Peek() != leader.write_group.Peek()) continue;
      frame.sequence = frame.writer->sequence.Peek();
    }
  }

  // An address that no Writer in flight has is told apart from all of them.
  model::Pointer ToPointer(const void* address) const {
    if (address == nullptr) return {};
    for (std::size_t t = 0; t < model::kMaxThreads; ++t) {
      if (writers_[t].writer == address) return {t, writers_[t].incarnation};
    }
    return {model::kMaxThreads, 0};
  }

  // What `thread` saw of the tail when it last looked at it.
  static const void* LoadedTail(std::size_t thread, const void* last_writer) {
    const auto row = std::find_if(
        execution.rows.rbegin(), execution.rows.rend(),
        [&](const Row& r) { return r.thread == static_cast<int>(thread) && !r.action; });
    if (row == execution.rows.rend()) return nullptr;
    const bool emptied = std::string_view(row->note) == "cas";
    return emptied ? last_writer : FromWord<const void*>(row->value);
  }

  static model::WriterState ToState(std::uint8_t state) {
    if (state == STATE_GROUP_LEADER) return model::STATE_GROUP_LEADER;
    if (state == STATE_COMPLETED) return model::STATE_COMPLETED;
    return model::STATE_INIT;
  }

  static model::WriteStatus ToStatus(const Status& status) {
    if (status.ok()) return model::WriteStatus::kOK;
    const bool refused = status.code() == Status::Code::kAborted;
    return refused ? model::WriteStatus::kAborted : model::WriteStatus::kUnknownOutcome;
  }

  // Of these the acting thread's WriteGroup is alive. (A leader that returns has none any more, and
  // while it completes its followers they may be gone.)
  static bool LeadsGroup(std::string_view action) {
    return action == "EnterAsBatchGroupLeader" || action == "EnterAsBatchGroupLeader_Graft" ||
           action == "WriteToWAL" || action == "WriteToWAL_Sync" || action == "InsertInto" ||
           action == "SetLastSequence" || action == "ExitAsBatchGroupLeader";
  }

  void SeeGroup(const Writer& leader, model::Observed* seen) const {
    const auto* const group = leader.write_group.Peek();
    if (group == nullptr) return;
    seen->last_writer = ToPointer(group->last_writer.Peek());
    seen->group_size = static_cast<std::uint8_t>(group->size.Peek());
    seen->running = static_cast<std::uint8_t>(group->running.Newest());
  }

  std::array<Frame, model::kMaxThreads> writers_{};
};

}  // namespace bellwether::relacy
