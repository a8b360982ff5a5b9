------------------------------ MODULE StallFaults ------------------------------
(* Seeded faults of stalls and of the calls that lead all queues: see Faults.   *)
EXTENDS Faults

(* The bounds of some: every leader stalls, for a while. *)
Always == TRUE

untouched == <<tails, arrival, incarnation, links, group, sequence, status, locals, lifetime_ok, path>>

-----------------------------------------------------------------------------
(* Who is taken out of a stalled queue stays in the link_newer of the writer before (RocksDB #6322). *)
Relinked_not(older, newer) == link_newer

(* That is set even if it was not made yet: the repair of links stops there (RocksDB #7508). *)
Relinked_eager(older, newer) == Queue!Store(link_newer, older, newer)

(* The leader of the second queue stalls the main one, whose leader may stall it too (RocksDB #11130). *)
BeginWriteStall_of_main(t) ==
  /\ Queue!BeginWriteStall(t)
  /\ UNCHANGED <<rest_of_queues, path>>
EndWriteStall_of_main(t) ==
  /\ Relieved
  /\ Queue!EndWriteStall(t)
  /\ UNCHANGED <<rest_of_queues, path>>

(* Who ends a stall does not wait until it has ended: its relief may be gone before the leader looks  *)
(* (as RocksDB #11172, where UnlockWAL returned before the stall had ended).                        *)
RunUnbatched_taken_back(t) ==
  \/ /\ pc[t] = "RunUnbatched"
     /\ relief' = relief + 1
     /\ Goto(t, "RunUnbatched_Back")
     /\ UNCHANGED <<state, untouched>>
  \/ /\ pc[t] = "RunUnbatched_Back"
     /\ relief' = relief - 1
     /\ Goto(t, "LinkOne")
     /\ UNCHANGED <<state, untouched>>
Write_Return_without_relief(t) ==
  /\ Queue!Write_Return(t)
  /\ outcome' = [outcome EXCEPT ![t] = Append(@, <<FinalStatus(t), sequence[t]>>)]
  /\ UNCHANGED <<rest_of_queues, wal, memtable, last_sequence, first_error, failed>>

-----------------------------------------------------------------------------
(* A call that leads all queues begins beside another (as RocksDB #12652: a flush during LockWAL). *)
Environment_two_exclusive(t) ==
  \/ Errors(t)
  \/ /\ pc[t] = "JoinBatchGroup_AwaitState"
     /\ Me(t) \in Unbatched
     /\ \E u \in Threads \ {t} : pc[u] = "Close"
     /\ state' = [state EXCEPT ![t] = "STATE_GROUP_LEADER"]
     /\ Goto(t, "EnterUnbatched")
     /\ UNCHANGED <<relief, untouched>>

(* It waits for the memtable writers under a mutex that they take (as the DB mutex, RocksDB #3923). *)
InsertInto_under_mutex(t) ==
  /\ pc[t] = "InsertInto"
  /\ \A f \in Frames : pc[f] # "WaitForMemTableWriters_AwaitState"
  /\ memtable' = memtable \cup {<<Me(t), sequence[t]>>}
  /\ Goto(t, "SetLastSequence")
  /\ cursor' = [cursor EXCEPT ![t] = NULL]
  /\ UNCHANGED <<queue_vars, links, group, sequence, status, tail_seen, lifetime_ok>>
  /\ UNCHANGED <<wal, last_sequence, first_error, outcome, failed>>

(* It enters the second queue twice, and waits behind itself (RocksDB #5976). *)
EnterUnbatched_twice(t) ==
  IF t # "SECOND"
  THEN Queue!EnterUnbatched(t, "Close") /\ UNCHANGED rest
  ELSE /\ pc[t] = "EnterUnbatched"
       /\ state' = [state EXCEPT ![t] = "STATE_INIT"]
       /\ Goto(t, "JoinBatchGroup_AwaitState")
       /\ UNCHANGED <<relief, untouched>>

(* It does not enter the second queue. *)
EnterUnbatched_main_alone(t) ==
  /\ pc[t] = "EnterUnbatched"
  /\ Goto(t, "Close")
  /\ UNCHANGED <<relief, state, untouched>>
LeadsAll_main_alone == TRUE
LeaveAll_main_alone(t) == Goto(t, "ExitAsBatchGroupLeader")
=============================================================================
