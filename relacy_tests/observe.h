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
struct NonmemQueueTag {
  friend constexpr auto MemberOf(NonmemQueueTag);
};
struct AllocatedSequenceTag {
  friend constexpr auto MemberOf(AllocatedSequenceTag);
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
struct NewestMemTableWriterTag {
  friend constexpr auto MemberOf(NewestMemTableWriterTag);
};
struct StallDummyTag {
  friend constexpr auto MemberOf(StallDummyTag);
};
template struct Reveal<QueueTag, &Path::write_thread_>;
template struct Reveal<NonmemQueueTag, &Path::nonmem_write_thread_>;
template struct Reveal<AllocatedSequenceTag, &Path::allocated_sequence_>;
template struct Reveal<LastSequenceTag, &Path::last_sequence_>;
template struct Reveal<FirstErrorTag, &Path::first_error_>;
template struct Reveal<NewestWriterTag, &Queue::newest_writer_>;
template struct Reveal<NewestMemTableWriterTag, &Queue::newest_memtable_writer_>;
template struct Reveal<StallDummyTag, &Queue::write_stall_dummy_>;

class Observer {
 public:
  using Writer = Queue::Writer;

  void Begin(const WritePathOptions& options) {
    writers_ = {};
    caller_ = model::kMaxThreads;
    dummy_ = nullptr;
    allocated_sequence_ = 0;
    pipelined_ = options.enable_pipelined_write;
  }

  // Tells the model what thread `thread` did, and what there is to see.
  void OnAction(const Path& path, const char* name, const void* writer, std::size_t thread) {
    const Action action = ActionOf(name);
    Frame& own = writers_[thread];
    if (action == Action::Write) own = {static_cast<const Writer*>(writer), own.incarnation + 1, 0};
    const std::size_t actor = ActorOf(action, static_cast<const Writer*>(writer), thread);
    if (action == Action::ExitAsBatchGroupLeader_Dummy) dummy_ = writer;
    if (action == Action::WriteToWAL || action == Action::WalError) {
      SeeSequences(path, *own.writer);
    }
    model::Observed seen;
    SeePath(path, &seen);
    seen.writer = ToPointer(writer);
    SeeLoaded(action, thread, &seen);
    SeeWriters(&seen);
    if (action == Action::Write_Return) seen.status[thread] = StatusTold(*own.writer);
    if (GroupIsAlive(action)) SeeGroup(*own.writer, &seen);
    FollowInLockstep(action, actor, seen);
    Forget(action, thread);
  }

 private:
  using Action = model::Action;
  struct Frame {
    const Writer* writer = nullptr;  // null: no write in flight
    std::size_t incarnation = 0;
    SequenceNumber sequence = 0;
  };

  // The thread, or the place of the second Writer of its unbatched call, if that acts.
  std::size_t ActorOf(Action action, const Writer* writer, std::size_t thread) {
    Frame& second = writers_[model::kSecondPlace];
    if (action == Action::WaitForMemTableWriters_LinkOne) second.writer = writer;
    if (IsOfMarker(action)) return model::kSecondPlace;
    if (action == Action::LinkOne && writer != writers_[thread].writer) {
      second.writer = writer;
      caller_ = thread;
    }
    if (caller_ != thread) return thread;
    if (action == Action::ExitAsBatchGroupLeader) second_leaves_ = writer == second.writer;
    const bool acts = action == Action::ExitAsBatchGroupLeader_SetState ? second_leaves_
                                                                        : writer == second.writer;
    return acts ? model::kSecondPlace : thread;
  }

  static bool IsOfMarker(Action action) {
    return action == Action::WaitForMemTableWriters ||
           action == Action::WaitForMemTableWriters_LinkOne ||
           action == Action::WaitForMemTableWriters_AwaitState ||
           action == Action::WaitForMemTableWriters_Store;
  }

  // What dies with the action.
  void Forget(Action action, std::size_t thread) {
    if (action == Action::Write_Return) writers_[thread].writer = nullptr;
    const bool second_dies = action == Action::WaitForMemTableWriters_Store ||
                             (action == Action::Write_Return && caller_ == thread);
    if (!second_dies) return;
    writers_[model::kSecondPlace].writer = nullptr;
    caller_ = model::kMaxThreads;
  }

  // Sequences belong to the leader who gives them out: they are looked at when it says that it has.
  void SeeSequences(const Path& path, const Writer& leader) {
    allocated_sequence_ = (path.*MemberOf(AllocatedSequenceTag())).Peek();
    for (Frame& frame : writers_) {
      if (frame.writer == nullptr) continue;
      if (frame.writer->write_group.Peek() != leader.write_group.Peek()) continue;
      frame.sequence = frame.writer->sequence.Peek();
    }
  }

  // An address that no Writer in flight has is told apart from all of them.
  model::Pointer ToPointer(const void* address) const {
    if (address == nullptr) return {};
    for (std::size_t f = 0; f < model::kFrames; ++f) {
      if (writers_[f].writer == address) return {f, writers_[f].incarnation};
    }
    if (address == stall_dummy_) return model::kStallDummy;
    if (address == nonmem_stall_dummy_) return model::kNonmemStallDummy;
    return address == dummy_ ? model::kDummy : model::Pointer(model::kPlaces, 0);
  }

  void SeePath(const Path& path, model::Observed* seen) {
    const auto& queue = path.*MemberOf(QueueTag());
    const auto& nonmem_queue = path.*MemberOf(NonmemQueueTag());
    stall_dummy_ = &(queue.*MemberOf(StallDummyTag()));
    nonmem_stall_dummy_ = &(nonmem_queue.*MemberOf(StallDummyTag()));
    seen->newest_writer = ToPointer((queue.*MemberOf(NewestWriterTag())).Newest());
    seen->newest_memtable_writer = ToPointer((queue.*MemberOf(NewestMemTableWriterTag())).Newest());
    seen->newest_nonmem_writer = ToPointer((nonmem_queue.*MemberOf(NewestWriterTag())).Newest());
    seen->allocated_sequence = static_cast<std::uint8_t>(allocated_sequence_);
    seen->last_sequence = static_cast<std::uint8_t>((path.*MemberOf(LastSequenceTag())).Newest());
    seen->poisoned = (path.*MemberOf(FirstErrorTag())).Newest() != nullptr;
  }

  // What the thread's last access has loaded, unless that is a read-modify-write that succeeded.
  // Two actions look at the log, or the tail, before the last access.
  void SeeLoaded(Action action, std::size_t thread, model::Observed* seen) const {
    const auto row = std::find_if(
        execution.rows.rbegin(), execution.rows.rend(),
        [&](const Row& r) { return r.thread == static_cast<int>(thread) && !r.action; });
    if (row == execution.rows.rend()) return;
    const std::string_view note = row->note;
    seen->loads = note.starts_with("=") || note.starts_with("cas failed") ||
                  action == Action::PreprocessWrite || action == Action::LinkOne_NoSlowdown;
    seen->stalls = row->name == orders::Relief_Load.name && row->value == 0;
    seen->loaded = ToPointer(FromWord<const void*>(row->value));
    seen->loaded_poisoned = row->value != 0;
  }

  void SeeWriters(model::Observed* seen) const {
    for (std::size_t f = 0; f < model::kFrames; ++f) {
      const Writer* const w = writers_[f].writer;
      if (w == nullptr) continue;
      const std::uint8_t state = w->state.Newest();
      seen->blocked[f] = state == STATE_LOCKED_WAITING;
      seen->state[f] = ToState(state);
      seen->sequence[f] = static_cast<std::uint8_t>(writers_[f].sequence);
      seen->status[f] = ToStatus(w->status.Peek());
    }
  }

  static model::WriterState ToState(std::uint8_t state) {
    switch (state) {
      case STATE_GROUP_LEADER:
        return model::STATE_GROUP_LEADER;
      case STATE_MEMTABLE_WRITER_LEADER:
        return model::STATE_MEMTABLE_WRITER_LEADER;
      case STATE_PARALLEL_MEMTABLE_CALLER:
        return model::STATE_PARALLEL_MEMTABLE_CALLER;
      case STATE_PARALLEL_MEMTABLE_WRITER:
        return model::STATE_PARALLEL_MEMTABLE_WRITER;
      case STATE_COMPLETED:
        return model::STATE_COMPLETED;
      default:
        return model::STATE_INIT;
    }
  }

  static model::WriteStatus ToStatus(const Status& status) {
    if (status.ok()) return model::WriteStatus::kOK;
    if (status.code() == Status::Code::kIncomplete) return model::WriteStatus::kIncomplete;
    const bool refused = status.code() == Status::Code::kAborted;
    return refused ? model::WriteStatus::kAborted : model::WriteStatus::kUnknownOutcome;
  }

  static model::WriteStatus StatusTold(const Writer& w) {
    if (!w.callback_status.Peek().ok()) return model::WriteStatus::kCallbackFailed;
    return ToStatus(w.status.Peek());
  }

  // The acting thread's Writer points at a group that is alive, and nobody else is at it: not after
  // it was left (a Writer keeps its pointer), and not while the writers behind it are completed.
  bool GroupIsAlive(Action action) const {
    switch (action) {
      case Action::EnterAsBatchGroupLeader:
      case Action::EnterAsBatchGroupLeader_Graft:
      case Action::WriteToWAL_FirstError:
      case Action::WriteToWAL:
      case Action::WriteToWAL_Sync:
      case Action::WalError:
      case Action::PreReleaseError:
      case Action::ExitAsBatchGroupLeader_Dummy:
      case Action::EnterAsMemTableWriter:
      case Action::EnterAsMemTableWriter_FirstError:
      case Action::LaunchParallelMemTableWriters:
      case Action::LaunchParallelMemTableWriters_Leader:
      case Action::LaunchParallelMemTableWriters_SetState:
      case Action::SetMemWritersEachStride_Caller:
      case Action::SetMemWritersEachStride:
      case Action::InsertInto:
      case Action::MemTableError:
      case Action::CompleteParallelMemTableWriter:
      case Action::SetLastSequence:
      case Action::SetLastSequence_FirstError:
      case Action::Poison:
      case Action::ExitAsMemTableWriter:
      case Action::ExitAsMemTableWriter_SetState:
        return true;
      case Action::ExitAsBatchGroupLeader:
        return !pipelined_;
      default:
        return false;
    }
  }

  void SeeGroup(const Writer& w, model::Observed* seen) const {
    const auto* const group = w.write_group.Peek();
    if (group == nullptr) return;
    seen->last_writer = ToPointer(group->last_writer.Peek());
    seen->group_size = static_cast<std::uint8_t>(group->size.Peek());
    seen->running = static_cast<std::uint8_t>(group->running.Newest());
  }

  model::PerFrame<Frame> writers_{};
  std::size_t caller_ = model::kMaxThreads;  // whose second Writer is known, two queues
  bool second_leaves_ = false;               // its queue, and not the caller the main one
  SequenceNumber allocated_sequence_ = 0;    // looked at when sequences are, for the same reason
  const void* dummy_ = nullptr;              // of the newest pipelined exit
  const void* stall_dummy_ = nullptr;
  const void* nonmem_stall_dummy_ = nullptr;
  bool pipelined_ = false;
};

}  // namespace bellwether::relacy
