------------------------------ MODULE WriteStall ------------------------------
(* What holds the queues of RocksDB's WriteThread still.                        *)
(*                                                                              *)
(* Unbatched: a caller without a batch leads the main queue, alone (it is in no *)
(* group, EnterUnbatched); pipelined, it then waits until the memtable queue is *)
(* empty (WaitForMemTableWriters); with two queues, it then leads the other as  *)
(* well. While it does nothing is logged, inserted or published. The Store's    *)
(* Close and Checkpoint are such calls.                                         *)
(* Stall: a leader that finds the log too large puts write_stall_dummy_ at the  *)
(* tail, where it keeps others from linking, fails the queued writers with      *)
(* no_slowdown, and waits until it is relieved: until somebody waits to lead    *)
(* all queues, or the path is poisoned.                                         *)
EXTENDS MemTableWriters

-----------------------------------------------------------------------------
(* WriteThread::EnterUnbatched: it leads the queue. Others see nothing of it. What its second      *)
(* Writer has to do begins.                                                                        *)
EnterUnbatched(t, exclusive) ==
  /\ pc[t] = "EnterUnbatched"
  /\ pc' = [f \in Frames |->
       IF f = t THEN (IF t = "SECOND" THEN "ExitUnbatched" ELSE exclusive)
       ELSE IF f = "SECOND" /\ t # "SECOND"
            THEN (IF Pipelined THEN "WaitForMemTableWriters" ELSE "LinkOne")
       ELSE pc[f]]
  /\ UNCHANGED <<incarnation, tails, state, links, write_group, result, group, locals, history>>

(* Its second Writer has done what it has to do: t leads all queues. *)
LeadsAll == HasSecond => pc["SECOND"] = (IF Pipelined THEN "Write" ELSE "ExitUnbatched")

(* The call of t has done what it came for: the queues are left, the main one last. *)
LeaveAll(t) ==
  pc' = [f \in Frames |-> IF f = t \/ (f = "SECOND" /\ TwoQueues) THEN "ExitAsBatchGroupLeader" ELSE pc[f]]

(* WriteThread::WaitForMemTableWriters: the load of newest_memtable_writer. Others see nothing of  *)
(* it. Nobody can link into that queue, because the caller leads the other.                        *)
WaitForMemTableWriters(t) ==
  /\ pc[t] = "WaitForMemTableWriters"
  /\ Goto(t, IF newest_memtable_writer = NULL THEN "Write" ELSE "WaitForMemTableWriters_LinkOne")
  /\ UNCHANGED <<incarnation, tails, state, links, write_group, result, group, locals, history>>

(* WriteThread::WaitForMemTableWriters, LinkOne: the CAS that links the marker; it may find that   *)
(* the queue has become empty. Others see the marker at the tail: the leader of that queue.        *)
WaitForMemTableWriters_LinkOne(t) ==
  /\ pc[t] = "WaitForMemTableWriters_LinkOne"
  /\ link_older' = [link_older EXCEPT ![t] = newest_memtable_writer]
  /\ newest_memtable_writer' = Me(t)
  /\ Goto(t, IF newest_memtable_writer = NULL THEN "WaitForMemTableWriters_Store"
             ELSE "WaitForMemTableWriters_AwaitState")
  /\ UNCHANGED <<incarnation, newest_writer, state, link_newer, write_group, result, group, locals, history>>

(* WriteThread::WaitForMemTableWriters, AwaitState: the marker is made leader by the last group    *)
(* before it. Others see nothing of it.                                                            *)
WaitForMemTableWriters_AwaitState(t) ==
  /\ pc[t] = "WaitForMemTableWriters_AwaitState"
  /\ state[t] = "STATE_MEMTABLE_WRITER_LEADER"
  /\ Goto(t, "WaitForMemTableWriters_Store")
  /\ UNCHANGED <<incarnation, tails, state, links, write_group, result, group, locals, history>>

(* WriteThread::WaitForMemTableWriters: the store of null: the queue is empty; the marker dies.    *)
(* Others see the tail, once t has left the main queue.                                            *)
WaitForMemTableWriters_Store(t) ==
  /\ pc[t] = "WaitForMemTableWriters_Store"
  /\ newest_memtable_writer' = NULL
  /\ state' = [state EXCEPT ![t] = "STATE_INIT"]
  /\ link_older' = [link_older EXCEPT ![t] = NULL]
  /\ Goto(t, "Write")
  /\ UNCHANGED <<incarnation, newest_writer, link_newer, write_group, result, group, locals, history>>

(* WriteThread::ExitUnbatched: as ExitAsBatchGroupLeader, from the Writer itself. *)
ExitUnbatched(t) ==
  /\ pc[t] = "ExitAsBatchGroupLeader"
  /\ IsUnbatched(Me(t))
  /\ t # "SECOND" /\ HasSecond => pc["SECOND"] = "Write"
  /\ IF SameAddress(newest_writer, Me(t))
     THEN /\ newest_writer' = NULL
          /\ Goto(t, "Write_Return")
          /\ UNCHANGED <<links, cursor, lifetime_ok>>
     ELSE HandOff(t, Me(t))
  /\ UNCHANGED <<incarnation, newest_memtable_writer, state, write_group, result, group, tail_seen, arrival>>

-----------------------------------------------------------------------------
(* A leader that has not collected its group is refused with all whom it takes. *)
Incomplete(t) ==
  /\ group_status' = [group_status EXCEPT ![t] = "Incomplete"]
  /\ Goto(t, "EnterAsBatchGroupLeader")

(* The queued writers behind the leader t, newest first. *)
RECURSIVE QueuedFrom(_, _)
QueuedFrom(p, t) ==
  IF p = NULL \/ p = Me(t) THEN <<>> ELSE <<p>> \o QueuedFrom(link_older[Address(p)], t)
NewestNoSlowdown(p, t) ==
  LET failing == SelectSeq(QueuedFrom(p, t), LAMBDA w : w \in NoSlowdown)
  IN  IF failing = <<>> THEN NULL ELSE failing[1]
GotoFailing(t, w) ==
  /\ cursor' = [cursor EXCEPT ![t] = w]
  /\ Goto(t, IF w = NULL THEN "EndWriteStall" ELSE "BeginWriteStall_CompleteWriter")

(* WriteThread::BeginWriteStall: the CAS of newest_writer to write_stall_dummy_. Others see the    *)
(* dummy at the tail: from here on nobody links, LinkOne waits, or fails.                          *)
BeginWriteStall(t) ==
  /\ pc[t] = "BeginWriteStall"
  /\ Touch(Range(QueuedFrom(newest_writer, t)))
  /\ link_older' = [link_older EXCEPT ![STALL] = newest_writer]
  /\ newest_writer' = StallDummy
  /\ GotoFailing(t, NewestNoSlowdown(newest_writer, t))
  /\ UNCHANGED <<incarnation, newest_memtable_writer, state, link_newer, write_group, result, group>>
  /\ UNCHANGED <<tail_seen, arrival>>

(* The link_newer of the writer before a failing one, if that has been made: or the repair of links *)
(* would stop there too early.                                                                      *)
Relinked(older, newer) ==
  IF link_newer[Address(older)] = NULL THEN link_newer ELSE [link_newer EXCEPT ![Address(older)] = newer]

(* WriteThread::BeginWriteStall: SetState of one queued writer with no_slowdown, newest first,     *)
(* which is taken out of the queue before; its link_older is read before. Others see it: that      *)
(* writer, who returns.                                                                            *)
BeginWriteStall_CompleteWriter(t) ==
  /\ pc[t] = "BeginWriteStall_CompleteWriter"
  /\ LET w == cursor[t]
         older == link_older[Address(w)]
         newer == CHOOSE p \in {StallDummy} \cup Range(QueuedFrom(newest_writer, t)) : link_older[Address(p)] = w
     IN  /\ Touch({w, older, newer})
         /\ link_older' = Store(link_older, newer, older)
         /\ link_newer' = Relinked(older, newer)
         /\ status' = Store(status, w, "Incomplete")
         /\ state' = Store(state, w, "STATE_COMPLETED")
         /\ GotoFailing(t, NewestNoSlowdown(older, t))
  /\ UNCHANGED <<incarnation, tails, write_group, sequence, group, tail_seen, arrival>>

(* WriteThread::EndWriteStall: the exchange of newest_writer, under stall_mutex_. Others see the   *)
(* tail: who waited links.                                                                         *)
EndWriteStall(t) ==
  /\ pc[t] = "EndWriteStall"
  /\ LET newest == link_older[STALL]
     IN  /\ Touch({newest})
         /\ link_newer' = Store(link_newer, newest, NULL)
         /\ newest_writer' = newest
  /\ link_older' = [link_older EXCEPT ![STALL] = NULL]
  /\ Goto(t, "EnterAsBatchGroupLeader")
  /\ UNCHANGED <<incarnation, newest_memtable_writer, state, write_group, result, group, locals, arrival>>

(* WriteThread::LinkOne, while the queue is stalled: a writer with no_slowdown fails, unlinked.    *)
(* Others see nothing of it.                                                                       *)
LinkOne_NoSlowdown(t) ==
  /\ pc[t] = "LinkOne"
  /\ newest_writer = StallDummy
  /\ Me(t) \in NoSlowdown
  /\ status' = [status EXCEPT ![t] = "Incomplete"]
  /\ state' = [state EXCEPT ![t] = "STATE_COMPLETED"]
  /\ Goto(t, "JoinBatchGroup_AwaitState")
  /\ UNCHANGED <<incarnation, tails, links, write_group, sequence, group, locals, history>>
=============================================================================
