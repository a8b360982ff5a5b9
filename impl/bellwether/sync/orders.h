// Every memory order of the implementation, named once. An access passes its entry, and the Sync
// policy resolves it, so that a checker can weaken one order at run time without a trace in the
// headers.
//
// Each entry says what it pairs with and which invariant falls without it. The arguments are those
// of C++20
// ([intro.races], [atomics.order]); "head of a release sequence" is meant in its C++20 sense: a
// release store or read-modify-write, followed by read-modify-writes only.
//
// Who owns what. A Writer belongs to its caller until LinkOne; from then on it belongs to the
// leader of the queue, until the leader stores its state for the last time. The leadership itself
// is handed on by SetState(STATE_GROUP_LEADER), or by the tail going to null
// (ExitAsBatchGroupLeader_Cas) and from null to the next leader (LinkOne_Cas).
#pragma once

#include <atomic>
#include <string_view>

namespace bellwether::orders {

struct LoadOrder {
  std::string_view name;
  std::memory_order order;
};

struct StoreOrder {
  std::string_view name;
  std::memory_order order;
};

// An unconditional read-modify-write.
struct RmwOrder {
  std::string_view name;
  std::memory_order order;
};

// A compare-exchange: both orders are stated.
struct CasOrder {
  std::string_view name;
  std::memory_order success;
  std::memory_order failure;
};

// --- WriteThread: the tail of the queue, newest_writer_
// -------------------------------------------------------------

// Relaxed: only a guess at the tail, which LinkOne_Cas checks.
inline constexpr LoadOrder LinkOne_Load{"LinkOne_Load", std::memory_order::relaxed};

// Release: publishes the Writer's fields and link_older. Pairs with EnterAsBatchGroupLeader_Load,
// with ExitAsBatchGroupLeader_Load and with the failure of the leader's CASes. Later links, grafts
// are read-modify-writes, so they continue the release sequence: an acquire of a newer tail sees
// this Writer too (INV_GROUP). Acquire: who finds null takes over what the last leader left (log,
// sequence, first_error_). Pairs with the release of ExitAsBatchGroupLeader_Cas (INV_LEADER,
// INV_SEQUENCE). Failure is relaxed: the value is only the next guess.
inline constexpr CasOrder LinkOne_Cas{"LinkOne_Cas", std::memory_order::acq_rel,
                                      std::memory_order::relaxed};

// Acquire: the leader reads the fields of every Writer up to this tail. Pairs with the release of
// LinkOne_Cas (INV_GROUP).
inline constexpr LoadOrder EnterAsBatchGroupLeader_Load{"EnterAsBatchGroupLeader_Load",
                                                        std::memory_order::acquire};

// Acquire: the leader walks link_older of every Writer up to this tail. Pairs with the release of
// LinkOne_Cas (INV_GROUP).
inline constexpr LoadOrder GatherBatchGroup_Load{"GatherBatchGroup_Load",
                                                 std::memory_order::acquire};

// Failure acquires: the leader walks the newcomers. Pairs with the release of LinkOne_Cas
// (INV_GROUP). Success needs no order, and acquires only because compilers refuse a failure that is
// stronger: the CAS publishes no Writer that LinkOne_Cas has not published (it continues that
// release sequence), and the links that the graft rewrote are read by this leader, or by the next
// after SetState_Cas.
inline constexpr CasOrder EnterAsBatchGroupLeader_GraftCas{
    "EnterAsBatchGroupLeader_GraftCas", std::memory_order::acquire, std::memory_order::acquire};

// Acquire: if the tail has moved, the leader walks the newcomers. Pairs with the release of
// LinkOne_Cas (INV_LEADER).
inline constexpr LoadOrder ExitAsBatchGroupLeader_Load{"ExitAsBatchGroupLeader_Load",
                                                       std::memory_order::acquire};

// Success releases the leadership and all that goes with it to whoever finds null. Pairs with the
// acquire of LinkOne_Cas (INV_LEADER, INV_SEQUENCE). Failure acquires, as
// ExitAsBatchGroupLeader_Load.
inline constexpr CasOrder ExitAsBatchGroupLeader_Cas{
    "ExitAsBatchGroupLeader_Cas", std::memory_order::release, std::memory_order::acquire};

// Failure acquires, as ExitAsBatchGroupLeader_Load. Success needs no order, and acquires only
// because failure does: the dummy publishes nothing (it continues the release sequence of
// LinkOne_Cas), and the leadership stays.
inline constexpr CasOrder ExitAsBatchGroupLeader_DummyCas{
    "ExitAsBatchGroupLeader_DummyCas", std::memory_order::acquire, std::memory_order::acquire};

// --- WriteThread: the tail of the memtable queue, newest_memtable_writer_
// ---------------------------------------------

// Relaxed: only a guess at the tail, which LinkGroup_Cas checks.
inline constexpr LoadOrder LinkGroup_Load{"LinkGroup_Load", std::memory_order::relaxed};

// Release: publishes the group's links, sequences and statuses. Pairs with
// EnterAsMemTableWriter_Load and with the failure of ExitAsMemTableWriter_Cas (INV_GROUP). Acquire:
// who finds null passes on what the last memtable leader left (memtable, memtable_error_). Pairs
// with the release of ExitAsMemTableWriter_Cas (INV_PUBLISH). Failure is only the next guess.
inline constexpr CasOrder LinkGroup_Cas{"LinkGroup_Cas", std::memory_order::acq_rel,
                                        std::memory_order::relaxed};

// Acquire: the memtable leader reads every Writer up to this tail. Pairs with the release of
// LinkGroup_Cas (INV_GROUP).
inline constexpr LoadOrder EnterAsMemTableWriter_Load{"EnterAsMemTableWriter_Load",
                                                      std::memory_order::acquire};

// Success releases the memtable queue and what goes with it to whoever finds null. Pairs with the
// acquire of LinkGroup_Cas and of WaitForMemTableWriters_Load (INV_PUBLISH). Failure acquires: the
// leader walks the newcomers (LinkGroup_Cas).
inline constexpr CasOrder ExitAsMemTableWriter_Cas{
    "ExitAsMemTableWriter_Cas", std::memory_order::release, std::memory_order::acquire};

// Acquire: null means that all groups are in the memtable. Pairs with ExitAsMemTableWriter_Cas
// (INV_PUBLISH).
inline constexpr LoadOrder WaitForMemTableWriters_Load{"WaitForMemTableWriters_Load",
                                                       std::memory_order::acquire};

// Relaxed: the caller leads both queues, and SetState_Cas hands on to the next leader of the log
// queue, who alone can link.
inline constexpr StoreOrder WaitForMemTableWriters_Store{"WaitForMemTableWriters_Store",
                                                         std::memory_order::relaxed};

// --- WriteThread: the parallel writers of a group that still insert, WriteGroup::running
// --------------------------------

// Relaxed: the SetState_Cas that launches each writer comes after it and releases.
inline constexpr StoreOrder LaunchParallelMemTableWriters_Store{
    "LaunchParallelMemTableWriters_Store", std::memory_order::relaxed};

// Release: what this writer inserted. Acquire: the last one publishes what all have inserted. Each
// pairs with the others, which form one release sequence (INV_PUBLISH, INV_STATUS).
inline constexpr RmwOrder CompleteParallelMemTableWriter_FetchSub{
    "CompleteParallelMemTableWriter_FetchSub", std::memory_order::acq_rel};

// Relaxed: the leader takes its own dummy off the tail. It publishes nothing: the writers in front
// of the dummy were acquired by the LinkOne_Cas that queued it, and the exchange continues their
// release sequence.
inline constexpr RmwOrder EndWriteStall_Exchange{"EndWriteStall_Exchange",
                                                 std::memory_order::relaxed};

// --- WriteThread: the state word of a Writer
// ------------------------------------------------------------------------

// Relaxed: the owner stores into its own Writer, while nobody else may set or read the state.
inline constexpr StoreOrder OwnState_Store{"OwnState_Store", std::memory_order::relaxed};

// Acquire: takes over what came with the state: the leadership, or the status, the sequence and the
// right to free the frame. Pairs with the release of SetState_Cas (INV_ACK, INV_LEADER,
// INV_LIFETIME).
inline constexpr LoadOrder AwaitState_Load{"AwaitState_Load", std::memory_order::acquire};

// Acquire, as AwaitState_Load: the goal may be met between the spinning and the blocking.
inline constexpr LoadOrder BlockingAwaitState_Load{"BlockingAwaitState_Load",
                                                   std::memory_order::acquire};

// Failure acquires: the goal was met instead. Pairs with the release of SetState_Cas (INV_ACK,
// INV_LEADER). Success needs no order (the waiter goes for the mutex, which orders the rest), and
// acquires only because failure does.
inline constexpr CasOrder BlockingAwaitState_Cas{
    "BlockingAwaitState_Cas", std::memory_order::acquire, std::memory_order::acquire};

// Relaxed: under the Writer's mutex, which orders it after SetState_LockedStore.
inline constexpr LoadOrder BlockingAwaitState_LockedLoad{"BlockingAwaitState_LockedLoad",
                                                         std::memory_order::relaxed};

// Relaxed: only a guess, which SetState_Cas checks.
inline constexpr LoadOrder SetState_Load{"SetState_Load", std::memory_order::relaxed};

// Release: hands over with the new state all that the waiter may now use. Pairs with
// AwaitState_Load, with BlockingAwaitState_Load and with the failure of BlockingAwaitState_Cas
// (INV_ACK, INV_LEADER, INV_LIFETIME). Failure is relaxed: the waiter is blocked, and the mutex
// orders the rest.
inline constexpr CasOrder SetState_Cas{"SetState_Cas", std::memory_order::release,
                                       std::memory_order::relaxed};

// Relaxed: under the Writer's mutex, as BlockingAwaitState_LockedLoad.
inline constexpr StoreOrder SetState_LockedStore{"SetState_LockedStore",
                                                 std::memory_order::relaxed};

// --- WritePath: the published sequence
// ------------------------------------------------------------------------------

// Release: a reader of this sequence finds every batch up to it in the memtable. Pairs with
// LastSequence_Load (INV_PUBLISH, INV_ATOMIC).
inline constexpr StoreOrder SetLastSequence_Store{"SetLastSequence_Store",
                                                  std::memory_order::release};

// Acquire: pairs with the release of SetLastSequence_Store (INV_PUBLISH, INV_ATOMIC).
inline constexpr LoadOrder LastSequence_Load{"LastSequence_Load", std::memory_order::acquire};

// Relaxed: read by a writer on its return, which the hand-off has ordered after the publication of
// its group (INV_ACK).
inline constexpr LoadOrder LastSequence_OwnerLoad{"LastSequence_OwnerLoad",
                                                  std::memory_order::relaxed};

// --- WritePath: the first error, first_error_
// ---------------------------------------------------------------------------

// Release: publishes the Status that it points to. Pairs with FirstError_Load (INV_STATUS). Failure
// is relaxed: somebody else's error was first, and is not looked at.
inline constexpr CasOrder Poison_Cas{"Poison_Cas", std::memory_order::release,
                                     std::memory_order::relaxed};

// Acquire: pairs with the release of Poison_Cas (INV_STATUS).
inline constexpr LoadOrder FirstError_Load{"FirstError_Load", std::memory_order::acquire};

// --- WritePath: who waits for the queues and so ends a stall, relief_
// ------------------------------

// Relaxed: the stall's mutex orders it for who waits already; who looks later stalls no longer or
// a little (INV_WAKEUP).
inline constexpr RmwOrder Relief_FetchAdd{"Relief_FetchAdd", std::memory_order::relaxed};

// Relaxed, as Relief_FetchAdd.
inline constexpr LoadOrder Relief_Load{"Relief_Load", std::memory_order::relaxed};

// --- Arena: blocks from which many threads take pieces

// Acquire: the header of the block. Pairs with the release of Arena_CurrentCas.
inline constexpr LoadOrder Arena_CurrentLoad{"Arena_CurrentLoad", std::memory_order::acquire};

// Success releases the header of the new block; failure acquires that of the block which came
// first. Pairs with Arena_CurrentLoad and with its own failure. Success acquires too, because
// compilers refuse a failure that is stronger.
inline constexpr CasOrder Arena_CurrentCas{"Arena_CurrentCas", std::memory_order::acq_rel,
                                           std::memory_order::acquire};

// Relaxed: only divides the block; a piece is used by its taker alone until SkipList_LinkCas.
inline constexpr RmwOrder Arena_UsedAdd{"Arena_UsedAdd", std::memory_order::relaxed};

// Relaxed, both: the list of large blocks is read by the destructor only, which its caller orders
// after every Allocate.
inline constexpr LoadOrder Arena_LargeLoad{"Arena_LargeLoad", std::memory_order::relaxed};
inline constexpr CasOrder Arena_LargeCas{"Arena_LargeCas", std::memory_order::relaxed,
                                         std::memory_order::relaxed};

// Relaxed, both: a count that nothing else hangs on.
inline constexpr RmwOrder Arena_MemoryUsageAdd{"Arena_MemoryUsageAdd", std::memory_order::relaxed};
inline constexpr LoadOrder Arena_MemoryUsageLoad{"Arena_MemoryUsageLoad",
                                                 std::memory_order::relaxed};

// --- SkipList and MemTable

// Acquire: the node behind the link, whole: header, bytes, and its links up to this level. Pairs
// with the release of SkipList_LinkCas (INV_ATOMIC).
inline constexpr LoadOrder SkipList_NextLoad{"SkipList_NextLoad", std::memory_order::acquire};

// Success releases the new node, its link on this level included. Pairs with SkipList_NextLoad
// (INV_ATOMIC). Failure is relaxed: the walk that follows loads the link again.
inline constexpr CasOrder SkipList_LinkCas{"SkipList_LinkCas", std::memory_order::release,
                                           std::memory_order::relaxed};

// Relaxed: a link of one's own node on a level where nobody knows it yet; SkipList_LinkCas
// publishes it.
inline constexpr StoreOrder SkipList_OwnStore{"SkipList_OwnStore", std::memory_order::relaxed};

// Relaxed, both: a height that is too low makes a walk longer, one that is too high finds null
// links; neither makes it wrong.
inline constexpr LoadOrder SkipList_HeightLoad{"SkipList_HeightLoad", std::memory_order::relaxed};
inline constexpr CasOrder SkipList_HeightCas{"SkipList_HeightCas", std::memory_order::relaxed,
                                             std::memory_order::relaxed};

// Relaxed, both: a count that nothing else hangs on.
inline constexpr RmwOrder MemTable_OperationsAdd{"MemTable_OperationsAdd",
                                                 std::memory_order::relaxed};
inline constexpr LoadOrder MemTable_OperationsLoad{"MemTable_OperationsLoad",
                                                   std::memory_order::relaxed};

// --- Store

// Relaxed: a statistic; its writers are ordered by the hand-off, and its readers need no more than
// a value that was true.
inline constexpr LoadOrder Counter_Load{"Counter_Load", std::memory_order::relaxed};
inline constexpr StoreOrder Counter_Store{"Counter_Store", std::memory_order::relaxed};

// Relaxed: as Counter_Load; nothing is lost between those who count at once, because it is one
// access.
inline constexpr RmwOrder Counter_FetchAdd{"Counter_FetchAdd", std::memory_order::relaxed};

// Relaxed: the thread that made a checkpoint due sees its own store when its write returns; whoever
// else looks may be early or late. The checkpoint's mutex decides.
inline constexpr LoadOrder CheckpointDue_Load{"CheckpointDue_Load", std::memory_order::relaxed};
inline constexpr StoreOrder CheckpointDue_Store{"CheckpointDue_Store", std::memory_order::relaxed};

// Relaxed: elects the one caller that closes; what it closes is ordered by the queue.
inline constexpr CasOrder Store_CloseCas{"Store_CloseCas", std::memory_order::relaxed,
                                         std::memory_order::relaxed};

// Relaxed: a read that overlaps Close may go either way.
inline constexpr LoadOrder Store_ClosedLoad{"Store_ClosedLoad", std::memory_order::relaxed};

}  // namespace bellwether::orders
