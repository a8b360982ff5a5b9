-------------------------------- MODULE Faults --------------------------------
(* Seeded faults. Each is an operator that its configuration puts in the place  *)
(* of one of the spec's (cfg: `Name <- Name_of_the_fault`), so that the spec    *)
(* itself knows nothing of them. Those that add a step to the protocol replace  *)
(* Environment, which has no fairness. manifest.json says which property each   *)
(* of them violates.                                                            *)
EXTENDS MC

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
     /\ UNCHANGED <<incarnation, state, link_newer, group, sequence, status, cursor, lifetime_ok, path>>

(* A sync writer is taken under a leader that will not sync. *)
Compatible_mixes_sync(leader, w) == TRUE

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
     /\ UNCHANGED <<incarnation, state, links, group, sequence, status, arrival, lifetime_ok, path>>

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
NextSequence_with_gap == last_sequence + 2

(* All writers of a group get the sequence of the first. *)
Numbered_all_alike(members, first) ==
  [t \in Threads |-> IF t \in Queue!Addresses(members) THEN first ELSE sequence[t]]

(* The leader does not check whether the path is poisoned. *)
Poisoned_unchecked == FALSE

(* A refused writer is told that its write may be in the log. *)
Refusal_told_unknown == "UnknownOutcome"

(* The leader goes on without fdatasync. *)
AfterAppend_without_fdatasync(t) == "InsertInto"

(* An error reaches the leader alone; its followers are told OK. *)
GroupStatus_of_leader_only(t) == "OK"

-----------------------------------------------------------------------------
GroupEnd(t) == sequence[Queue!Address(last_writer[t])] + BatchCount - 1
PublishOnly(sequence_number) ==
  /\ last_sequence' = sequence_number
  /\ UNCHANGED <<frame, status, pc, log, synced, memtable, first_error, outcome, failed>>

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
     /\ status[t] = "OK"
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
     /\ status[t] = "UnknownOutcome"
     /\ sequence[t] # 0
     /\ PublishOnly(GroupEnd(t))

(* A failed insert takes the record out of the log: it may be on the disk, and a sync may cover it. *)
Environment_error_truncates_log(t) ==
  /\ MemTableErrors
  /\ pc[t] = "InsertInto"
  /\ cursor[t] = Me(t)
  /\ Poison(t, "MemTableError")
  /\ log' = SubSeq(log, 1, Len(log) - 1)
  /\ UNCHANGED <<queue_vars, links, group, sequence, tail_seen, lifetime_ok>>
  /\ UNCHANGED <<synced, memtable, last_sequence, outcome>>

(* A failed sync does not poison the path. *)
Poison_forgotten(t, action) ==
  /\ status' = [status EXCEPT ![t] = "UnknownOutcome"]
  /\ failed' = failed \cup Members(t)
  /\ cursor' = [cursor EXCEPT ![t] = NULL]
  /\ Goto(t, "ExitAsBatchGroupLeader")
  /\ UNCHANGED first_error

-----------------------------------------------------------------------------
(* The leader reads link_older of a follower after it has completed it. *)
CompleteFollower_reads_link_late(t) ==
  /\ pc[t] = "ExitAsBatchGroupLeader_CompleteFollower"
  /\ Queue!Touch({cursor[t]})
  /\ IF Queue!Live(cursor[t]) /\ state[Queue!Address(cursor[t])] = "STATE_INIT"
     THEN /\ status' = Queue!Store(status, cursor[t], status[t])
          /\ state' = Queue!Store(state, cursor[t], "STATE_COMPLETED")
          /\ UNCHANGED <<pc, cursor>>
     ELSE LET next == link_older[Queue!Address(cursor[t])]
              last == Queue!SameAddress(next, Me(t))
          IN  /\ cursor' = [cursor EXCEPT ![t] = IF last THEN NULL ELSE next]
              /\ Goto(t, IF last THEN "Write_Return" ELSE "ExitAsBatchGroupLeader_CompleteFollower")
              /\ UNCHANGED <<status, state>>
  /\ UNCHANGED <<newest_writer, arrival, incarnation, links, group, sequence, tail_seen, path>>

(* The leader touches a follower after it has completed it, to wake it: std::atomic::notify_one. *)
CompleteFollower_notifies_late(t) ==
  \/ /\ pc[t] = "ExitAsBatchGroupLeader_CompleteFollower"
     /\ tail_seen[t] = NULL
     /\ tail_seen' = [tail_seen EXCEPT ![t] = cursor[t]]
     /\ Queue!Touch({cursor[t]})
     /\ status' = Queue!Store(status, cursor[t], status[t])
     /\ state' = Queue!Store(state, cursor[t], "STATE_COMPLETED")
     /\ cursor' = [cursor EXCEPT ![t] = link_older[Queue!Address(cursor[t])]]
     /\ UNCHANGED <<pc, newest_writer, arrival, incarnation, links, group, sequence, path>>
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
=============================================================================
