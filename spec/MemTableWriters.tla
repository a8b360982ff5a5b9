---------------------------- MODULE MemTableWriters ----------------------------
(* The memtable phase of RocksDB's WriteThread.                                 *)
(*                                                                              *)
(* Parallel (allow_concurrent_memtable_write): the leader launches every writer *)
(* of its group, each inserts its own batch, and the last to finish acts for    *)
(* the leader, whose delegate it is.                                            *)
(* Pipelined (enable_pipelined_write): the leader of the log hands its group to *)
(* a second queue, whose leader inserts while the next group is logged. During  *)
(* that hand-over a dummy in the frame of the leader holds the group's place in *)
(* the first queue, so that nobody leads it, and so that the writers of the     *)
(* group can be queued again without being taken for its tail (RocksDB #4143).  *)
EXTENDS WriteThread

CONSTANT
  StrideThreshold   \* parallel_stride_threshold: groups of at least this size are launched by callers

-----------------------------------------------------------------------------
(* The root of the size: the leader and each caller launch about as many writers. *)
Stride(size) == CHOOSE n \in 1..size : n * n <= size /\ (n + 1) * (n + 1) > size

(* The group of t inserts: in parallel, if that is allowed and there is company. *)
InsertsInParallel(t) == Parallel /\ group_size[t] > 1
WithCallers(t) == group_size[t] >= StrideThreshold

(* WriteThread::LaunchParallelMemTableWriters: the store of running. Others see it once they are   *)
(* launched.                                                                                       *)
LaunchParallelMemTableWriters(t) ==
  /\ pc[t] = "LaunchParallelMemTableWriters"
  /\ running' = [running EXCEPT ![t] = group_size[t]]
  /\ IF WithCallers(t) /\ Stride(group_size[t]) > 1
     THEN /\ cursor' = [cursor EXCEPT ![t] = link_newer[t]]
          /\ Goto(t, "LaunchParallelMemTableWriters_SetState")
     ELSE /\ Goto(t, IF WithCallers(t) THEN "SetMemWritersEachStride_Caller"
                     ELSE "LaunchParallelMemTableWriters_Leader")
          /\ UNCHANGED cursor
  /\ UNCHANGED <<incarnation, tails, state, links, write_group, result, history, tail_seen>>
  /\ UNCHANGED <<group_leader, last_writer, group_size, group_status>>

(* WriteThread::LaunchParallelMemTableWriters, a small group: the leader's own state. Others see   *)
(* nothing of it: nobody looks at it now.                                                          *)
LaunchParallelMemTableWriters_Leader(t) ==
  /\ pc[t] = "LaunchParallelMemTableWriters_Leader"
  /\ state' = [state EXCEPT ![t] = "STATE_PARALLEL_MEMTABLE_WRITER"]
  /\ cursor' = [cursor EXCEPT ![t] = link_newer[t]]
  /\ Goto(t, "LaunchParallelMemTableWriters_SetState")
  /\ UNCHANGED <<incarnation, tails, links, write_group, result, group, history, tail_seen>>

(* WriteThread::LaunchParallelMemTableWriters, SetState of one writer, oldest first: of all in a   *)
(* small group, of the callers in a large one. Others see it: that writer, who inserts, or         *)
(* launches others, at once.                                                                       *)
LaunchParallelMemTableWriters_SetState(t) ==
  /\ pc[t] = "LaunchParallelMemTableWriters_SetState"
  /\ LET w == cursor[t]
         launched == Position(Group(t), Address(w)) - 1
         done == launched = (IF WithCallers(t) THEN Stride(group_size[t]) ELSE group_size[t]) - 1
     IN  /\ Touch({w})
         /\ state' = Store(state, w, IF WithCallers(t) THEN "STATE_PARALLEL_MEMTABLE_CALLER"
                                     ELSE "STATE_PARALLEL_MEMTABLE_WRITER")
         /\ cursor' = [cursor EXCEPT ![t] = IF done THEN NULL ELSE link_newer[Address(w)]]
         /\ Goto(t, IF ~done THEN "LaunchParallelMemTableWriters_SetState"
                    ELSE IF WithCallers(t) THEN "SetMemWritersEachStride_Caller"
                    ELSE InsertLabel(t))
  /\ UNCHANGED <<incarnation, tails, links, write_group, result, group, arrival, tail_seen>>

(* The writer that is `Stride` places behind p in the group of t, or NULL. *)
EachStride(t, p) ==
  LET members == Group(Frame(t))
      place == Position(members, Address(p)) + Stride(group_size[Frame(t)])
  IN  IF place > Len(members) THEN NULL ELSE members[place]
GotoEachStride(t, p) ==
  LET next == EachStride(t, p)
  IN  /\ cursor' = [cursor EXCEPT ![t] = next]
      /\ Goto(t, IF next = NULL THEN InsertLabel(t) ELSE "SetMemWritersEachStride")

(* WriteThread::SetMemWritersEachStride, by the leader or a caller: its own state. Others see      *)
(* nothing of it.                                                                                  *)
SetMemWritersEachStride_Caller(t) ==
  /\ pc[t] = "SetMemWritersEachStride_Caller"
  /\ Touch(Range(Group(Frame(t))))
  /\ state' = [state EXCEPT ![t] = "STATE_PARALLEL_MEMTABLE_WRITER"]
  /\ GotoEachStride(t, Me(t))
  /\ UNCHANGED <<incarnation, tails, links, write_group, result, group, arrival, tail_seen>>

(* WriteThread::SetMemWritersEachStride, SetState of each writer that stands a multiple of the     *)
(* stride behind it. Others see it: that writer, who inserts at once.                              *)
SetMemWritersEachStride(t) ==
  /\ pc[t] = "SetMemWritersEachStride"
  /\ Touch({cursor[t]})
  /\ state' = Store(state, cursor[t], "STATE_PARALLEL_MEMTABLE_WRITER")
  /\ GotoEachStride(t, cursor[t])
  /\ UNCHANGED <<incarnation, tails, links, write_group, result, group, arrival, tail_seen>>

(* What follows once a group is inserted, or is not to be. The delegate, pipelined or not, reads    *)
(* the group in its leader's frame.                                                                 *)
PublishLabel(outcome_of_group) ==
  IF outcome_of_group = "OK" THEN "SetLastSequence"
  ELSE IF SharesFirstError THEN "SetLastSequence_FirstError"
  ELSE "Poison"
ExitLabel == IF Pipelined THEN "ExitAsMemTableWriter" ELSE "ExitAsBatchGroupLeader"

(* WriteThread::CompleteParallelMemTableWriter: fetch_sub of running. Who finds that it was the    *)
(* last acts for the leader. Others see how many are left.                                         *)
CompleteParallelMemTableWriter(t) ==
  /\ pc[t] = "CompleteParallelMemTableWriter"
  /\ Touch({write_group[t]})
  /\ running' = [running EXCEPT ![Frame(t)] = @ - 1]
  /\ Goto(t, IF running[Frame(t)] > 1 THEN "CompleteParallelMemTableWriter_AwaitState"
             ELSE PublishLabel(group_status[Frame(t)]))
  /\ UNCHANGED <<incarnation, tails, state, links, write_group, result, locals, arrival>>
  /\ UNCHANGED <<group_leader, last_writer, group_size, group_status>>

(* WriteThread::CompleteParallelMemTableWriter, AwaitState of those who were not the last. Others  *)
(* see nothing of it.                                                                              *)
CompleteParallelMemTableWriter_AwaitState(t) ==
  /\ pc[t] = "CompleteParallelMemTableWriter_AwaitState"
  /\ state[t] = "STATE_COMPLETED"
  /\ Goto(t, "Write_Return")
  /\ UNCHANGED <<incarnation, tails, state, links, write_group, result, group, locals, history>>

(* WriteThread::ExitAsBatchGroupFollower: SetState of the leader, last: the group is in his frame. *)
(* Others see it: the leader, who returns.                                                         *)
ExitAsBatchGroupFollower(t) ==
  /\ pc[t] = "ExitAsBatchGroupFollower"
  /\ Touch({write_group[t]})
  /\ state' = Store(state, write_group[t], "STATE_COMPLETED")
  /\ Goto(t, "Write_Return")
  /\ UNCHANGED <<incarnation, tails, links, write_group, result, group, locals, arrival>>

-----------------------------------------------------------------------------
(* Who goes on to the memtable queue, if the group has this status. *)
GoesOn(w, group_outcome) == group_outcome = "OK" /\ Inserts(w)

(* The newest follower among `members` that does not, or NULL. *)
NewestLeaving(members, group_outcome) ==
  LET leaving == SelectSeq(Tail(members), LAMBDA w : ~GoesOn(w, group_outcome))
  IN  IF leaving = <<>> THEN NULL ELSE leaving[Len(leaving)]
Older(members, w) == SubSeq(members, 1, Position(members, Address(w)) - 1)

(* After the followers that leave: the leader, if it leaves; then the memtable queue, if any remain. *)
GotoLeaving(t, next) ==
  /\ cursor' = [cursor EXCEPT ![t] = next]
  /\ Goto(t, IF next # NULL THEN "ExitAsBatchGroupLeader_CompleteFollower"
             ELSE IF GoesOn(Me(t), group_status[t]) THEN "LinkGroup"
             ELSE "ExitAsBatchGroupLeader_CompleteLeader")

(* WriteThread::ExitAsBatchGroupLeader, pipelined: the strong CAS of newest_writer from            *)
(* last_writer to the dummy; or newer writers were seen, and the dummy is linked between. Others   *)
(* see the tail, and link behind it; nobody leads while the dummy stands there.                    *)
ExitAsBatchGroupLeader_Dummy(t) ==
  /\ pc[t] = "ExitAsBatchGroupLeader_Dummy"
  /\ IF SameAddress(newest_writer, last_writer[t])
     THEN /\ newest_writer' = Dummy
          /\ UNCHANGED <<links, lifetime_ok>>
     ELSE LET newer == CreateMissingNewerLinks(newest_writer, link_newer)
              next_leader == newer[Address(last_writer[t])]
          IN  /\ Touch(CreateMissingNewerLinks_Walked(newest_writer, link_newer)
                         \cup {last_writer[t], next_leader})
              /\ link_older' = Store(link_older, next_leader, Dummy)
              /\ link_newer' = [newer EXCEPT ![DUMMY] = next_leader]
              /\ UNCHANGED newest_writer
  /\ status' = [a \in Frames |-> IF a \in Addresses(Group(t)) THEN group_status[t] ELSE status[a]]
  /\ GotoLeaving(t, NewestLeaving(Group(t), group_status[t]))
  /\ UNCHANGED <<incarnation, newest_memtable_writer, state, write_group, sequence, group, tail_seen, arrival>>

(* WriteThread::ExitAsBatchGroupLeader, pipelined: SetState of a follower that does not go on      *)
(* (CompleteFollower), taken out of the group first; link_older is read before. Others see it:     *)
(* that follower, who returns.                                                                     *)
ExitAsBatchGroupLeader_CompletePipelined(t) ==
  /\ pc[t] = "ExitAsBatchGroupLeader_CompleteFollower"
  /\ Pipelined
  /\ LET w == cursor[t]
         older == link_older[Address(w)]
         newer == link_newer[Address(w)]
         last == w = last_writer[t]
     IN  /\ Touch({w, older} \cup (IF last THEN {} ELSE {newer}))
         /\ link_newer' = Store(link_newer, older, IF last THEN NULL ELSE newer)
         /\ link_older' = IF last THEN link_older ELSE Store(link_older, newer, older)
         /\ last_writer' = IF last THEN [last_writer EXCEPT ![t] = older] ELSE last_writer
         /\ group_size' = [group_size EXCEPT ![t] = @ - 1]
         /\ state' = Store(state, w, "STATE_COMPLETED")
         /\ GotoLeaving(t, NewestLeaving(Older(Group(t), w), group_status[t]))
  /\ UNCHANGED <<incarnation, tails, write_group, result, group_leader, group_status, running, tail_seen, arrival>>

(* WriteThread::ExitAsBatchGroupLeader, pipelined: the leader's own state, if it does not go on    *)
(* (CompleteLeader): the next member leads what remains. Others see nothing of it.                 *)
ExitAsBatchGroupLeader_CompleteLeader(t) ==
  /\ pc[t] = "ExitAsBatchGroupLeader_CompleteLeader"
  /\ state' = [state EXCEPT ![t] = "STATE_COMPLETED"]
  /\ group_size' = [group_size EXCEPT ![t] = @ - 1]
  /\ IF group_size[t] > 1
     THEN /\ Touch({link_newer[t]})
          /\ link_older' = Store(link_older, link_newer[t], NULL)
          /\ group_leader' = [group_leader EXCEPT ![t] = link_newer[t]]
          /\ Goto(t, "LinkGroup")
     ELSE /\ Goto(t, "ExitAsBatchGroupLeader")
          /\ UNCHANGED <<link_older, group_leader, lifetime_ok>>
  /\ UNCHANGED <<incarnation, tails, link_newer, write_group, result, last_writer, group_status, running>>
  /\ UNCHANGED <<locals, arrival>>

(* WriteThread::LinkGroup: the CAS of newest_memtable_writer that succeeds. Others see the new     *)
(* tail, and the leader of that queue, from it, the group; links and group of the first queue mean *)
(* nothing in it.                                                                                  *)
LinkGroup(t) ==
  /\ pc[t] = "LinkGroup"
  /\ LET members == Addresses(Group(t))
     IN  /\ Touch(Range(Group(t)))
         /\ link_newer' = [a \in Places |-> IF a \in members THEN NULL ELSE link_newer[a]]
         /\ write_group' = [a \in Frames |-> IF a \in members THEN NULL ELSE write_group[a]]
  /\ link_older' = Store(link_older, group_leader[t], newest_memtable_writer)
  /\ newest_memtable_writer' = last_writer[t]
  /\ Goto(t, IF newest_memtable_writer = NULL THEN "LinkGroup_SetState" ELSE "ExitAsBatchGroupLeader")
  /\ UNCHANGED <<incarnation, newest_writer, state, result, group, locals, arrival>>

(* WriteThread::ExitAsBatchGroupLeader, pipelined: SetState of the group's leader: the memtable    *)
(* queue was empty, so it leads it. Others see it: that writer, who may be another than t.         *)
LinkGroup_SetState(t) ==
  /\ pc[t] = "LinkGroup_SetState"
  /\ Touch({group_leader[t]})
  /\ state' = Store(state, group_leader[t], "STATE_MEMTABLE_WRITER_LEADER")
  /\ Goto(t, "ExitAsBatchGroupLeader")
  /\ UNCHANGED <<incarnation, tails, links, write_group, result, group, locals, arrival>>

(* WriteThread::ExitAsBatchGroupLeader, pipelined: the dummy leaves the queue, by the strong CAS   *)
(* from it to null, or because the writer behind it leads next. Others see the tail: who links to  *)
(* null leads.                                                                                     *)
ExitAsBatchGroupLeader_Pipelined(t) ==
  /\ pc[t] = "ExitAsBatchGroupLeader"
  /\ Pipelined /\ ~IsUnbatched(Me(t))
  /\ IF SameAddress(newest_writer, Dummy)
     THEN /\ newest_writer' = NULL
          /\ Goto(t, "ExitAsBatchGroupLeader_AwaitState")
          /\ UNCHANGED <<links, cursor, lifetime_ok>>
     ELSE HandOff(t, Dummy)
  /\ UNCHANGED <<incarnation, newest_memtable_writer, state, write_group, result, group, tail_seen, arrival>>

(* WriteThread::ExitAsBatchGroupLeader, pipelined: AwaitState of the leader's own next state; then *)
(* its WriteGroup of the first queue dies. Others see nothing of it.                               *)
ExitAsBatchGroupLeader_AwaitState(t) ==
  /\ pc[t] = "ExitAsBatchGroupLeader_AwaitState"
  /\ state[t] # "STATE_GROUP_LEADER"
  /\ ClearGroup(t)
  /\ Goto(t, Called(t))
  /\ UNCHANGED <<incarnation, tails, state, links, write_group, result, locals, history>>

-----------------------------------------------------------------------------
(* A marker ends the group; the cap does only if its leader inserts for all. *)
SelectMemTableGroup(queue) ==
  LET unmarked == IF Second \in Range(queue) THEN SubSeq(queue, 1, Position(queue, "SECOND") - 1) ELSE queue
  IN  IF Parallel \/ Len(unmarked) <= MaxGroup THEN unmarked ELSE SubSeq(unmarked, 1, MaxGroup)

(* WriteThread::EnterAsMemTableWriter: the load of newest_memtable_writer. The group is all who    *)
(* are queued up to it, in the order of the log. Others see nothing of it.                         *)
EnterAsMemTableWriter(t) ==
  /\ pc[t] = "EnterAsMemTableWriter"
  /\ LET newer == CreateMissingNewerLinks(newest_memtable_writer, link_newer)
         queue == Chain(Me(t), newest_memtable_writer, newer)
     IN  /\ Touch(CreateMissingNewerLinks_Walked(newest_memtable_writer, link_newer)
                    \cup Walked(queue, newest_memtable_writer))
         /\ link_newer' = newer
         /\ TakeGroup(t, SelectMemTableGroup(queue))
  /\ Goto(t, "EnterAsMemTableWriter_FirstError")
  /\ UNCHANGED <<incarnation, tails, state, link_older, result, locals, arrival>>

(* The next of the group to complete, oldest first, the leader last. *)
GotoMembers(t) ==
  LET oldest == write_group[t]
      alone == last_writer[Frame(t)] = oldest
  IN  /\ cursor' = [cursor EXCEPT ![t] = IF alone THEN NULL ELSE link_newer[Address(oldest)]]
      /\ Goto(t, IF alone THEN "ExitAsMemTableWriter_CompleteLeader" ELSE "ExitAsMemTableWriter_CompleteWriter")

(* WriteThread::ExitAsMemTableWriter: the strong CAS of newest_memtable_writer from last_writer to *)
(* null; or newer writers were seen, and the one behind last_writer leads next. Others see the     *)
(* tail: the leader of a group that links to null leads that queue.                                *)
ExitAsMemTableWriter(t) ==
  /\ pc[t] = "ExitAsMemTableWriter"
  /\ LET last == last_writer[Frame(t)]
         newer == CreateMissingNewerLinks(newest_memtable_writer, link_newer)
         next_leader == newer[Address(last)]
     IN  IF SameAddress(newest_memtable_writer, last)
         THEN /\ Touch({write_group[t]})
              /\ newest_memtable_writer' = NULL
              /\ GotoMembers(t)
              /\ UNCHANGED links
         ELSE /\ Touch(CreateMissingNewerLinks_Walked(newest_memtable_writer, link_newer)
                         \cup {write_group[t], last, next_leader})
              /\ link_newer' = newer
              /\ link_older' = Store(link_older, next_leader, NULL)
              /\ cursor' = [cursor EXCEPT ![t] = next_leader]
              /\ Goto(t, "ExitAsMemTableWriter_SetState")
              /\ UNCHANGED newest_memtable_writer
  /\ UNCHANGED <<incarnation, newest_writer, state, write_group, result, group, tail_seen, arrival>>

(* WriteThread::ExitAsMemTableWriter: SetState of the next leader of the memtable queue. Others    *)
(* see it: that writer, and no other.                                                              *)
ExitAsMemTableWriter_SetState(t) ==
  /\ pc[t] = "ExitAsMemTableWriter_SetState"
  /\ Touch({cursor[t]})
  /\ state' = Store(state, cursor[t], "STATE_MEMTABLE_WRITER_LEADER")
  /\ GotoMembers(t)
  /\ UNCHANGED <<incarnation, tails, links, write_group, result, group, tail_seen, arrival>>

(* WriteThread::ExitAsMemTableWriter: SetState of one writer, oldest first; link_newer is read     *)
(* before. Others see it: that writer, who returns.                                                *)
ExitAsMemTableWriter_CompleteWriter(t) ==
  /\ pc[t] = "ExitAsMemTableWriter_CompleteWriter"
  /\ LET w == cursor[t]
         last == w = last_writer[Frame(t)]
     IN  /\ Touch({w, write_group[t]})
         /\ status' = Store(status, w, GroupStatus(t))
         /\ state' = Store(state, w, "STATE_COMPLETED")
         /\ cursor' = [cursor EXCEPT ![t] = IF last THEN NULL ELSE link_newer[Address(w)]]
         /\ Goto(t, IF last THEN "ExitAsMemTableWriter_CompleteLeader" ELSE "ExitAsMemTableWriter_CompleteWriter")
  /\ UNCHANGED <<incarnation, tails, links, write_group, sequence, group, tail_seen, arrival>>

(* WriteThread::ExitAsMemTableWriter: SetState of the leader, last: the group is in his frame.     *)
(* Others see it: the leader, who returns, unless it is t itself.                                  *)
ExitAsMemTableWriter_CompleteLeader(t) ==
  /\ pc[t] = "ExitAsMemTableWriter_CompleteLeader"
  /\ Touch({write_group[t]})
  /\ status' = Store(status, write_group[t], LeaderStatus(t))
  /\ state' = Store(state, write_group[t], "STATE_COMPLETED")
  /\ Goto(t, "Write_Return")
  /\ UNCHANGED <<incarnation, tails, links, write_group, sequence, group, locals, arrival>>

-----------------------------------------------------------------------------
(* t holds the leadership of the memtable queue. *)
LeadsMemTable(t) ==
  /\ Pipelined
  /\ \/ /\ state[t] = "STATE_MEMTABLE_WRITER_LEADER"
        /\ pc[t] \notin {"ExitAsMemTableWriter_CompleteWriter", "ExitAsMemTableWriter_CompleteLeader"}
     \/ running[t] > 0
     \/ Finishing(t)
     \/ pc[t] \in {"ExitAsMemTableWriter", "ExitAsMemTableWriter_SetState"}

INV_LEADER ==
  /\ Cardinality({t \in Frames : Here(t) /\ Leads(t)}) <= 1
  /\ Cardinality({t \in Frames : LeadsMemTable(t)}) <= 1

(* The group in the frame of t is a whole one of the memtable queue. *)
IsMemTableGroup(t) ==
  /\ Pipelined
  /\ last_writer[t] # NULL
  /\ \E u \in Threads : LeadsMemTable(u) /\ write_group[u] = Me(t)

MemTableGroupIsSound(t) ==
  LET members == Group(t)
  IN  /\ members[Len(members)] = last_writer[t]
      /\ Len(members) = group_size[t]
      /\ Parallel \/ Len(members) <= MaxGroup
      /\ \A w \in Range(members) : write_group[Address(w)] = Me(t) /\ Inserts(w)

INV_GROUP ==
  /\ \A t \in Threads : IsBatchGroup(t) => GroupIsSound(t)
  /\ \A t \in Threads : IsMemTableGroup(t) => MemTableGroupIsSound(t)
  /\ QueueIsInOrder
  \* no writer is in two groups: who is still to be completed is in the group of whoever does it
  /\ \A t \in Threads :
       /\ pc[t] \in {"ExitAsBatchGroupLeader_CompleteFollower", "ExitAsMemTableWriter_CompleteWriter"}
       /\ Live(cursor[t])
       => write_group[Address(cursor[t])] = write_group[t]

(* The memtable queue, oldest first. *)
RECURSIVE MemTableQueueUpTo(_)
MemTableQueueUpTo(p) ==
  IF p = NULL THEN <<>> ELSE Append(MemTableQueueUpTo(link_older[Address(p)]), p)
MemTableQueue == MemTableQueueUpTo(newest_memtable_writer)
=============================================================================
