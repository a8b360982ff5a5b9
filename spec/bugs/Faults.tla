-------------------------------- MODULE Faults --------------------------------
(* Seeded faults. Each is an operator that its configuration puts in the place  *)
(* of one of the spec's (cfg: `Name <- Name_of_the_fault`), so that the spec    *)
(* itself knows nothing of them. Those that add a step to the protocol replace  *)
(* Environment, which has no fairness. manifest.json says which property each   *)
(* of them violates.                                                            *)
EXTENDS MC

rest_of_queues == <<newest_nonmem_writer, relief>>
frame == <<queue_vars, links, group, sequence, locals, lifetime_ok>>
Errors(t) == WalError(t) \/ MemTableError(t)

-----------------------------------------------------------------------------
(* LinkOne loads the tail and stores it: no CAS. Two writers find the queue empty. *)
LinkOne_without_cas(t) ==
  \/ /\ pc[t] = "LinkOne"
     /\ tail_seen' = [tail_seen EXCEPT ![t] = newest_writer]
     /\ Goto(t, "LinkOne_Store")
     /\ UNCHANGED <<queue_vars, links, group, sequence, status, cursor, lifetime_ok, path>>
  \/ /\ pc[t] = "LinkOne_Store"
     /\ link_older' = [link_older EXCEPT ![t] = tail_seen[t]]
     /\ newest_writer' = Me(t)
     /\ arrival' = Append(arrival, Me(t))
     /\ tail_seen' = [tail_seen EXCEPT ![t] = NULL]
     /\ Goto(t, IF tail_seen[t] = NULL THEN "JoinBatchGroup" ELSE "JoinBatchGroup_AwaitState")
     /\ UNCHANGED <<incarnation, newest_memtable_writer, rest_of_queues, state, link_newer, group, sequence, status>>
     /\ UNCHANGED <<cursor, lifetime_ok, path>>

(* A writer calls itself leader before it has the queue, and takes it back if it was not empty. *)
LinkOne_leads_too_early(t) ==
  \/ /\ pc[t] = "LinkOne"
     /\ state[t] = "STATE_INIT"
     /\ state' = [state EXCEPT ![t] = "STATE_GROUP_LEADER"]
     /\ UNCHANGED <<pc, tails, relief, arrival, incarnation, links, group, sequence>>
     /\ UNCHANGED <<status, locals, lifetime_ok, path>>
  \/ /\ pc[t] = "LinkOne"
     /\ state[t] = "STATE_GROUP_LEADER"
     /\ state' = [state EXCEPT ![t] = "STATE_INIT"]
     /\ link_older' = [link_older EXCEPT ![t] = newest_writer]
     /\ newest_writer' = Me(t)
     /\ arrival' = Append(arrival, Me(t))
     /\ Goto(t, IF newest_writer = NULL THEN "JoinBatchGroup" ELSE "JoinBatchGroup_AwaitState")
     /\ UNCHANGED <<incarnation, newest_memtable_writer, rest_of_queues, link_newer, group, sequence, status, locals>>
     /\ UNCHANGED <<lifetime_ok, path>>

(* A sync writer is taken under a leader that will not sync. *)
Compatible_mixes_sync(leader, w) == TRUE

(* A writer whose callback refuses company is taken into a group. *)
Compatible_ignores_callback(leader, w) == w \in SyncWrites => leader \in SyncWrites

(* The group grows past max_write_batch_group_size_bytes. *)
SelectGroup_without_cap(queue) ==
  SelectSeq(queue, LAMBDA w : w = Head(queue) \/ Queue!Compatible(Head(queue), w))

(* The skipped writers are linked behind the group newest first. *)
SelectSkipped_reversed(queue) ==
  LET skipped == SelectSeq(queue, LAMBDA w : w \notin Queue!Range(Queue!SelectGroup(queue)))
  IN  [i \in 1..Len(skipped) |-> skipped[Len(skipped) + 1 - i]]

(* The graft stores the tail instead of exchanging it: who came since is lost. *)
Environment_graft_stores_tail(t) ==
  \/ Errors(t)
  \/ /\ pc[t] = "EnterAsBatchGroupLeader_Graft"
     /\ newest_writer' = cursor[t]
     /\ tail_seen' = [tail_seen EXCEPT ![t] = NULL]
     /\ cursor' = [cursor EXCEPT ![t] = NULL]
     /\ Goto(t, "WriteToWAL")
     /\ UNCHANGED <<incarnation, newest_memtable_writer, rest_of_queues, state, links, group, sequence, status, arrival>>
     /\ UNCHANGED <<lifetime_ok, path>>

(* The graft is a weak CAS and takes a spurious failure for newcomers: it walks off the end. *)
Environment_graft_weak_cas(t) ==
  \/ Errors(t)
  \/ /\ pc[t] = "EnterAsBatchGroupLeader_Graft"
     /\ newest_writer = tail_seen[t]
     /\ Queue!Touch(Queue!Range(Queue!Newcomers(newest_writer, tail_seen[t])))
     /\ Goto(t, "WriteToWAL")
     /\ UNCHANGED <<queue_vars, links, group, sequence, status, locals, path>>

-----------------------------------------------------------------------------
(* A group leaves a hole in the sequence numbers. *)
NextSequence_with_gap == LogEnd + 2

(* The next group is numbered from what is published: pipelined, a group may lie between. *)
NextSequence_of_published == last_sequence + 1

(* All writers of a group get the sequence of the first. *)
Numbered_all_alike(members, first) ==
  [t \in Threads |-> IF t \in Queue!Addresses(members) THEN first ELSE sequence[t]]

(* A Prepare, which inserts nothing, consumes sequence numbers. *)
Numbered_counts_prepare(logged, first) ==
  [t \in Threads |-> IF t \in Queue!Addresses(logged)
                     THEN first + BatchCount * (Queue!Position(logged, t) - 1)
                     ELSE sequence[t]]

(* The leader's callback failed, so nothing of his group is logged. *)
Logged_not_under_failed_leader(t) ==
  IF Me(t) \in CallbackFails THEN <<>> ELSE SelectSeq(Group(t), Queue!Logs)

(* A writer whose callback failed is logged. *)
Logs_all(w) == TRUE

(* A failed callback is not reported. *)
FinalStatus_without_callback(t) == status[t]

(* The leader does not check whether the path is poisoned. *)
Poisoned_unchecked == FALSE

(* A refused writer is told that its write may be in the log. *)
Refusal_told_unknown == "UnknownOutcome"

(* The leader goes on without fdatasync. *)
NeedsSync_never(t, logged) == FALSE

(* An error reaches the leader alone; its followers are told OK. *)
GroupStatus_of_leader_only(t) == "OK"

(* A delegate tells the error to the followers alone, the leader is told OK. *)
LeaderStatus_not_by_delegate(t) == IF write_group[t] = Me(t) THEN group_status[t] ELSE "OK"

-----------------------------------------------------------------------------
GroupEnd(t) == sequence[Queue!Address(last_writer[t])] + BatchCount - 1
PublishOnly(sequence_number) ==
  /\ last_sequence' = sequence_number
  /\ UNCHANGED <<frame, status, pc, wal, memtable, first_error, outcome, failed>>

(* The group is published before it is in the memtable. *)
Environment_publish_before_insert(t) ==
  \/ Errors(t)
  \/ /\ pc[t] = "InsertInto"
     /\ Queue!Touch({last_writer[t]})
     /\ PublishOnly(GroupEnd(t))

(* The group is published one operation after the other. *)
Environment_publish_by_operation(t) ==
  \/ Errors(t)
  \/ /\ pc[t] = "SetLastSequence"
     /\ last_sequence < GroupEnd(t)
     /\ PublishOnly(last_sequence + 1)

(* The leader stores its own sequence after that of its group. *)
Environment_publish_backwards(t) ==
  \/ Errors(t)
  \/ /\ pc[t] = "ExitAsBatchGroupLeader"
     /\ group_status[t] = "OK"
     /\ PublishOnly(sequence[t] + BatchCount - 1)

(* The end of the group is stored, then the leader's own, then, as it should be, the group's. *)
Environment_publish_newest_first(t) ==
  \/ Errors(t)
  \/ /\ pc[t] = "SetLastSequence"
     /\ PublishOnly(IF last_sequence < GroupEnd(t) THEN GroupEnd(t) ELSE sequence[t] + BatchCount - 1)

(* A group of which an insert failed is published. *)
Environment_publish_after_error(t) ==
  \/ Errors(t)
  \/ /\ pc[t] = "ExitAsBatchGroupLeader"
     /\ group_status[t] = "UnknownOutcome"
     /\ sequence[t] # 0
     /\ PublishOnly(GroupEnd(t))

(* A failed insert takes the record out of the log: it may be on the disk, and a sync may cover it. *)
Environment_error_truncates_log(t) ==
  \/ Errors(t)
  \/ /\ pc[t] = "Poison"
     /\ log' = SubSeq(log, 1, Len(log) - 1)
     /\ allocated_sequence' = FirstSequence(Len(log)) - 1
     /\ PoisonBy("MemTableError")
     /\ Goto(t, "ExitAsBatchGroupLeader")
     /\ UNCHANGED <<queue_vars, links, group, sequence, status, locals, lifetime_ok>>
     /\ UNCHANGED <<synced, log_mutex, checkpoint, memtable, last_sequence, outcome, failed>>

(* A failed sync does not poison the path. *)
PoisonBy_forgotten(action) == UNCHANGED first_error

(* A parallel writer keeps the error of its insert to itself. *)
MemTableError_untold(t) ==
  /\ MemTableErrors
  /\ pc[t] = "InsertInto"
  /\ InsertsOwn(t)
  /\ Goto(t, "CompleteParallelMemTableWriter")
  /\ UNCHANGED <<frame, status, path>>

(* A memtable leader does not look whether a group before his has failed. *)
EnterAsMemTableWriter_unchecked(t) ==
  /\ pc[t] = "EnterAsMemTableWriter_FirstError"
  /\ BeginMemTablePhase(t)
  /\ UNCHANGED <<queue_vars, links, group, sequence, status, tail_seen, lifetime_ok, path>>

-----------------------------------------------------------------------------
(* The leader reads link_older of a follower after it has completed it. *)
CompleteFollower_reads_link_late(t) ==
  /\ pc[t] = "ExitAsBatchGroupLeader_CompleteFollower"
  /\ Queue!Touch({cursor[t]})
  /\ IF Queue!Live(cursor[t]) /\ state[Queue!Address(cursor[t])] = "STATE_INIT"
     THEN /\ status' = Queue!Store(status, cursor[t], group_status[t])
          /\ state' = Queue!Store(state, cursor[t], "STATE_COMPLETED")
          /\ UNCHANGED <<pc, cursor>>
     ELSE LET next == link_older[Queue!Address(cursor[t])]
              last == Queue!SameAddress(next, Me(t))
          IN  /\ cursor' = [cursor EXCEPT ![t] = IF last THEN NULL ELSE next]
              /\ Goto(t, IF last THEN "Write_Return" ELSE "ExitAsBatchGroupLeader_CompleteFollower")
              /\ UNCHANGED <<status, state>>
  /\ UNCHANGED <<tails, relief, arrival, incarnation, links, group, sequence>>
  /\ UNCHANGED <<tail_seen, path>>

(* The leader touches a follower after it has completed it, to wake it: std::atomic::notify_one. *)
CompleteFollower_notifies_late(t) ==
  \/ /\ pc[t] = "ExitAsBatchGroupLeader_CompleteFollower"
     /\ tail_seen[t] = NULL
     /\ tail_seen' = [tail_seen EXCEPT ![t] = cursor[t]]
     /\ Queue!Touch({cursor[t]})
     /\ status' = Queue!Store(status, cursor[t], group_status[t])
     /\ state' = Queue!Store(state, cursor[t], "STATE_COMPLETED")
     /\ cursor' = [cursor EXCEPT ![t] = link_older[Queue!Address(cursor[t])]]
     /\ UNCHANGED <<pc, tails, relief, arrival, incarnation, links, group, sequence>>
     /\ UNCHANGED path
  \/ /\ pc[t] = "ExitAsBatchGroupLeader_CompleteFollower"
     /\ tail_seen[t] # NULL
     /\ Queue!Touch({tail_seen[t]})
     /\ LET last == Queue!SameAddress(cursor[t], Me(t))
        IN  /\ cursor' = [cursor EXCEPT ![t] = IF last THEN NULL ELSE @]
            /\ Goto(t, IF last THEN "Write_Return" ELSE "ExitAsBatchGroupLeader_CompleteFollower")
     /\ tail_seen' = [tail_seen EXCEPT ![t] = NULL]
     /\ UNCHANGED <<queue_vars, links, group, sequence, status, path>>

(* A leader that sees nobody behind its group leaves without clearing the tail. *)
Environment_tail_not_cleared(t) ==
  \/ Errors(t)
  \/ /\ pc[t] = "ExitAsBatchGroupLeader"
     /\ Queue!SameAddress(newest_writer, last_writer[t])
     /\ Queue!GotoFollowers(t)
     /\ UNCHANGED <<queue_vars, links, group, sequence, status, tail_seen, lifetime_ok, path>>

(* A leader that sees newer writers leaves without making one of them the leader. *)
Environment_lost_handoff(t) ==
  \/ Errors(t)
  \/ /\ pc[t] = "ExitAsBatchGroupLeader_SetState"
     /\ Queue!GotoFollowers(t)
     /\ UNCHANGED <<queue_vars, links, group, sequence, status, tail_seen, lifetime_ok, path>>

(* A follower takes a stale state for its goal and returns while its leader still works. *)
Environment_follower_returns_early(t) ==
  \/ Errors(t)
  \/ /\ pc[t] = "JoinBatchGroup_AwaitState"
     /\ write_group[t] # NULL
     /\ Goto(t, "Write_Return")
     /\ UNCHANGED <<queue_vars, links, group, sequence, status, locals, lifetime_ok, path>>
-----------------------------------------------------------------------------
(* The leader counts one parallel writer too few. *)
Launch_counts_too_few(t) ==
  /\ pc[t] = "LaunchParallelMemTableWriters"
  /\ running' = [running EXCEPT ![t] = group_size[t] - 1]
  /\ Goto(t, "LaunchParallelMemTableWriters_Leader")
  /\ UNCHANGED <<queue_vars, links, write_group, group_leader, last_writer, group_size, group_status>>
  /\ UNCHANGED <<sequence, status, locals, lifetime_ok, path>>

(* Who launches by strides steps one place too far. *)
EachStride_too_far(t, p) ==
  LET members == Group(Frame(t))
      place == Queue!Position(members, p[1]) + Queue!Stride(group_size[Frame(t)]) + 1
  IN  IF place > Len(members) THEN NULL ELSE members[place]

(* The delegate completes the leader, in whose frame the group is, before the followers. *)
Environment_group_dies_early(t) ==
  \/ Errors(t)
  \/ /\ pc[t] = "ExitAsBatchGroupLeader_CompleteFollower"
     /\ write_group[t] # Me(t)
     /\ Queue!Touch({write_group[t]})
     /\ state' = Queue!Store(state, write_group[t], "STATE_COMPLETED")
     /\ UNCHANGED <<pc, tails, relief, arrival, incarnation, links, group, sequence>>
     /\ UNCHANGED <<status, locals, path>>

-----------------------------------------------------------------------------
(* Pipelined, no dummy holds the place of the leaving group (before RocksDB #4143): its tail is     *)
(* known by its address, which may be queued again.                                                 *)
Dummy_none(t) ==
  /\ pc[t] = "ExitAsBatchGroupLeader_Dummy"
  /\ tail_seen' = [tail_seen EXCEPT ![t] = last_writer[t]]
  /\ status' = [a \in Threads |-> IF a \in Queue!Addresses(Group(t)) THEN group_status[t] ELSE status[a]]
  /\ Queue!GotoLeaving(t, Queue!NewestLeaving(Group(t), group_status[t]))
  /\ UNCHANGED <<queue_vars, links, group, sequence, lifetime_ok, path>>
Exit_without_dummy(t) ==
  /\ pc[t] = "ExitAsBatchGroupLeader"
  /\ tail_seen' = [tail_seen EXCEPT ![t] = NULL]
  /\ IF Queue!SameAddress(newest_writer, tail_seen[t])
     THEN /\ newest_writer' = NULL
          /\ Goto(t, "ExitAsBatchGroupLeader_AwaitState")
          /\ UNCHANGED <<link_older, cursor, lifetime_ok>>
     ELSE LET newcomers == Queue!Newcomers(newest_writer, tail_seen[t])
              next_leader == newcomers[Len(newcomers)]
          IN  /\ Queue!Touch(Queue!Range(newcomers))
              /\ link_older' = Queue!Store(link_older, next_leader, NULL)
              /\ cursor' = [cursor EXCEPT ![t] = next_leader]
              /\ Goto(t, "ExitAsBatchGroupLeader_SetState")
              /\ UNCHANGED newest_writer
  /\ UNCHANGED <<incarnation, newest_memtable_writer, rest_of_queues, arrival, state, link_newer, group, sequence, status, path>>

(* A follower that does not go on is completed before the dummy stands (before RocksDB #9944). *)
Environment_completes_before_dummy(t) ==
  \/ Errors(t)
  \/ /\ pc[t] = "ExitAsBatchGroupLeader_Dummy"
     /\ LET w == Queue!NewestLeaving(Group(t), group_status[t])
        IN  /\ w # NULL
            /\ Queue!Touch({w})
            /\ state' = Queue!Store(state, w, "STATE_COMPLETED")
     /\ UNCHANGED <<pc, tails, relief, arrival, incarnation, links, group, sequence>>
     /\ UNCHANGED <<status, locals, path>>

(* Who does not fail is completed with the log, before its batch is inserted. *)
GoesOn_never(w, group_outcome) == FALSE

(* The log's queue is handed on before the group is linked into the memtable queue. *)
LinkGroup_after_hand_off(t) ==
  \/ /\ pc[t] = "LinkGroup"
     /\ tail_seen' = [tail_seen EXCEPT ![t] = Queue!Dummy]
     /\ Goto(t, "ExitAsBatchGroupLeader")
     /\ UNCHANGED <<queue_vars, links, group, sequence, status, cursor, lifetime_ok, path>>
  \/ /\ pc[t] = "ExitAsBatchGroupLeader_AwaitState"
     /\ tail_seen[t] = Queue!Dummy
     /\ LET members == Queue!Addresses(Group(t))
        IN  /\ link_newer' = [a \in DOMAIN link_newer |-> IF a \in members THEN NULL ELSE link_newer[a]]
            /\ write_group' = [a \in Threads |-> IF a \in members THEN NULL ELSE write_group[a]]
     /\ link_older' = Queue!Store(link_older, group_leader[t], newest_memtable_writer)
     /\ newest_memtable_writer' = last_writer[t]
     /\ state' = IF newest_memtable_writer # NULL THEN state
                 ELSE Queue!Store(state, group_leader[t], "STATE_MEMTABLE_WRITER_LEADER")
     /\ tail_seen' = [tail_seen EXCEPT ![t] = NULL]
     /\ UNCHANGED <<pc, newest_writer, rest_of_queues, arrival, incarnation, group_leader, last_writer, group_size, group_status>>
     /\ UNCHANGED <<running, sequence, status, cursor, lifetime_ok, path>>

(* Who links a group into the memtable queue makes its leader lead, though the queue is not empty. *)
Environment_two_memtable_leaders(t) ==
  \/ Errors(t)
  \/ /\ pc[t] = "ExitAsBatchGroupLeader"
     /\ group_leader[t] = Me(t)
     /\ state[t] = "STATE_GROUP_LEADER"
     /\ write_group[t] = NULL
     /\ state' = [state EXCEPT ![t] = "STATE_MEMTABLE_WRITER_LEADER"]
     /\ UNCHANGED <<pc, tails, relief, arrival, incarnation, links, group, sequence>>
     /\ UNCHANGED <<status, locals, lifetime_ok, path>>

(* A member keeps its link_newer in the memtable queue: links are not repaired past it (as #7508). *)
Environment_stale_link_newer(t) ==
  \/ Errors(t)
  \/ /\ pc[t] = "LinkGroup"
     /\ link_older' = Queue!Store(link_older, group_leader[t], newest_memtable_writer)
     /\ newest_memtable_writer' = last_writer[t]
     /\ write_group' = [a \in Threads |-> IF a \in Queue!Addresses(Group(t)) THEN NULL ELSE write_group[a]]
     /\ Goto(t, IF newest_memtable_writer = NULL THEN "LinkGroup_SetState" ELSE "ExitAsBatchGroupLeader")
     /\ UNCHANGED <<incarnation, newest_writer, rest_of_queues, arrival, state, link_newer, group_leader, last_writer, group_size>>
     /\ UNCHANGED <<group_status, running, sequence, status, locals, lifetime_ok, path>>

(* A memtable leader that sees newer writers leaves without making one of them the leader. *)
Environment_lost_memtable_handoff(t) ==
  \/ Errors(t)
  \/ /\ pc[t] = "ExitAsMemTableWriter_SetState"
     /\ Queue!GotoMembers(t)
     /\ UNCHANGED <<queue_vars, links, group, sequence, status, tail_seen, lifetime_ok, path>>

(* The last memtable leader leaves without clearing the tail. *)
Environment_memtable_tail_not_cleared(t) ==
  \/ Errors(t)
  \/ /\ pc[t] = "ExitAsMemTableWriter"
     /\ Queue!SameAddress(newest_memtable_writer, last_writer[Frame(t)])
     /\ Queue!GotoMembers(t)
     /\ UNCHANGED <<queue_vars, links, group, sequence, status, tail_seen, lifetime_ok, path>>

(* The leader of a memtable group is completed first: the group is in his frame. *)
Environment_memtable_leader_first(t) ==
  \/ Errors(t)
  \/ /\ pc[t] = "ExitAsMemTableWriter_CompleteWriter"
     /\ write_group[t] # Me(t)
     /\ Queue!Touch({write_group[t]})
     /\ state' = Queue!Store(state, write_group[t], "STATE_COMPLETED")
     /\ UNCHANGED <<pc, tails, relief, arrival, incarnation, links, group, sequence>>
     /\ UNCHANGED <<status, locals, path>>

-----------------------------------------------------------------------------
(* Two queues: the leader of the second publishes what is allocated, as the main one does. *)
Environment_nonmem_publishes(t) ==
  \/ Errors(t)
  \/ /\ pc[t] = "ExitAsBatchGroupLeader"
     /\ UsesNonmem(t)
     /\ PublishOnly(allocated_sequence)

unlocked == <<queue_vars, links, write_group, group_leader, last_writer, group_size, running, sequence, status>>
rest_of_path == <<log, synced, allocated_sequence, checkpoint, memtable, last_sequence, first_error, outcome, failed>>

(* Nobody takes the mutex of the log. *)
FirstError_without_mutex(t) ==
  /\ pc[t] = "WriteToWAL_FirstError"
  /\ IF Poisoned THEN Refuse(t) ELSE Goto(t, "WriteToWAL") /\ UNCHANGED group_status
  /\ UNCHANGED <<unlocked, locals, lifetime_ok, log_mutex, rest_of_path>>

(* A record is appended where the log ended when the leader looked. *)
WriteToWAL_without_mutex(t) ==
  \/ /\ pc[t] = "WriteToWAL"
     /\ tail_seen[t] = NULL
     /\ tail_seen' = [tail_seen EXCEPT ![t] = <<Len(log)>>]
     /\ UNCHANGED <<unlocked, pc, group_status, cursor, lifetime_ok, log_mutex, rest_of_path>>
  \/ /\ pc[t] = "WriteToWAL"
     /\ tail_seen[t] # NULL
     /\ tail_seen' = [tail_seen EXCEPT ![t] = NULL]
     /\ log' = Append(SubSeq(log, 1, tail_seen[t][1]), <<NextSequence, Group(t)>>)
     /\ sequence' = Numbered(Group(t), NextSequence)
     /\ allocated_sequence' = NextSequence + Operations(Group(t), Len(Group(t))) - 1
     /\ AfterLog(t)
     /\ UNCHANGED <<queue_vars, links, group, status, lifetime_ok, synced, log_mutex, checkpoint, memtable>>
     /\ UNCHANGED <<last_sequence, first_error, outcome, failed>>

(* The mutex of the log is released before the sync: one may overlap one that fails. *)
Environment_unlocks_before_sync(t) ==
  \/ Errors(t)
  \/ /\ pc[t] = "WriteToWAL_Sync"
     /\ log_mutex = t
     /\ log_mutex' = NULL
     /\ UNCHANGED <<unlocked, pc, group_status, locals, lifetime_ok, rest_of_path>>

(* The leader looks at first_error before it has the mutex of the log. *)
FirstError_before_lock(t) ==
  \/ /\ pc[t] = "WriteToWAL_FirstError"
     /\ IF Poisoned THEN Refuse(t) ELSE Goto(t, "WriteToWAL_Lock") /\ UNCHANGED group_status
     /\ UNCHANGED <<unlocked, locals, lifetime_ok, log_mutex, rest_of_path>>
  \/ /\ pc[t] = "WriteToWAL_Lock"
     /\ log_mutex = NULL
     /\ log_mutex' = t
     /\ Goto(t, "WriteToWAL")
     /\ UNCHANGED <<unlocked, group_status, locals, lifetime_ok, rest_of_path>>

(* The leader takes the mutex of the log, and then once more. *)
FirstError_locks_twice(t) ==
  \/ /\ pc[t] = "WriteToWAL_FirstError"
     /\ log_mutex = NULL
     /\ log_mutex' = t
     /\ Goto(t, "WriteToWAL_Lock")
     /\ UNCHANGED <<unlocked, group_status, locals, lifetime_ok, rest_of_path>>
  \/ /\ pc[t] = "WriteToWAL_Lock"
     /\ log_mutex = NULL
     /\ Goto(t, "WriteToWAL")
     /\ UNCHANGED <<unlocked, group_status, locals, lifetime_ok, log_mutex, rest_of_path>>

(* A main leader whose append or sync failed keeps the mutex of the log. *)
Unlock_forgotten ==
  log_mutex' = IF log_mutex # NULL /\ ~UsesNonmem(log_mutex) /\ pc'[log_mutex] = ExitFromLog
               THEN log_mutex
               ELSE NULL

-----------------------------------------------------------------------------
(* A stall leaves the queued writers with no_slowdown where they are (before RocksDB #4475). *)
NewestNoSlowdown_none(p, t) == NULL

(* Who waits for a stall to end takes it back and looks at the log again, relieved or not. *)
EndWriteStall_polls(t) ==
  /\ pc[t] = "EndWriteStall"
  /\ newest_writer' = link_older["STALL"]
  /\ link_newer' = Queue!Store(link_newer, link_older["STALL"], NULL)
  /\ link_older' = [link_older EXCEPT !["STALL"] = NULL]
  /\ Goto(t, "PreprocessWrite")
  /\ UNCHANGED <<newest_memtable_writer, newest_nonmem_writer, relief, arrival, incarnation, state, group, sequence>>
  /\ UNCHANGED <<status, locals, lifetime_ok, path>>

(* A stall does not end when somebody waits to lead all queues. *)
Relieved_by_poison == Poisoned

(* Writers with and without disable_wal share a group. *)
Compatible_mixes_wal(leader, w) == ~Queue!IsUnbatched(w)

(* A pre-release callback that fails is not heeded. *)
AfterRecord_unheeded(t) == AfterLog(t) /\ Unlock

(* Nobody waits for the memtable queue to be empty. *)
WaitForMemTableWriters_not(t) ==
  /\ pc[t] = "WaitForMemTableWriters"
  /\ Goto(t, "Write")
  /\ UNCHANGED <<queue_vars, links, group, sequence, status, locals, lifetime_ok, path>>
=============================================================================
