------------------------------- MODULE WritePath -------------------------------
(* A write's way from the caller to the memtable: RocksDB's DBImpl::WriteImpl   *)
(* and PipelinedWriteImpl. The queues (WriteThread, MemTableWriters) are        *)
(* composed with the log, the memtable, publication and the errors of the       *)
(* environment; the whole refines AtomicWrites.                                 *)
(*                                                                              *)
(* Modes, by Options: {} serial; allow_concurrent_memtable_write parallel;      *)
(* enable_pipelined_write pipelined; both together pipelined_parallel;          *)
(* two_write_queues two_queues or two_queues_parallel: writes that insert       *)
(* nothing (Prepare, Rollback) have a queue of their own, Nonmem, and meet the  *)
(* others only at the log, under log_mutex (DBImpl::WriteImplWALOnly).          *)
(*                                                                              *)
(* Failure semantics. An error of the log or of the memtable fails every writer *)
(* of the group that met it ("UnknownOutcome": recovery decides), publishes     *)
(* nothing of it and poisons the path: every later leader refuses its group     *)
(* ("Aborted": not logged), or does not insert it if it is logged already       *)
(* ("UnknownOutcome"), and still hands over, so that nobody hangs. A callback   *)
(* that fails, fails its write alone ("CallbackFailed": not logged).            *)
EXTENDS PathState

-----------------------------------------------------------------------------
(* Two queues: an action on the queue that the write of t goes to. *)
UsesNonmem(t) == TwoQueues /\ Me(t) \in NonmemWrites \cup {Second}
InItsQueue(t, main, nonmem) ==
  IF UsesNonmem(t)
  THEN nonmem /\ UNCHANGED newest_writer
  ELSE main /\ UNCHANGED newest_nonmem_writer

(* Joining and leading: the actions of WriteThread, which leave the path alone. *)
Write(t) == t \in Threads \ Checkpointers /\ Queue!Write(t) /\ UNCHANGED rest
LinkOne(t) ==
  /\ InItsQueue(t, Queue!LinkOne(t), Nonmem!LinkOne(t))
  /\ UNCHANGED <<relief, path>>
JoinBatchGroup(t) == Queue!JoinBatchGroup(t) /\ UNCHANGED rest
JoinBatchGroup_AwaitState(t) == Queue!JoinBatchGroup_AwaitState(t) /\ UNCHANGED rest
EnterAsBatchGroupLeader(t) ==
  /\ InItsQueue(t, Queue!EnterAsBatchGroupLeader(t), Nonmem!EnterAsBatchGroupLeader(t))
  /\ UNCHANGED <<relief, path>>
EnterAsBatchGroupLeader_Graft(t) ==
  /\ InItsQueue(t, Queue!EnterAsBatchGroupLeader_Graft(t), Nonmem!EnterAsBatchGroupLeader_Graft(t))
  /\ UNCHANGED <<relief, path>>

-----------------------------------------------------------------------------
(* The first writer at or behind place i of the group of t whose batch is to be inserted, or NULL. *)
NextToInsert(t, i) ==
  LET inserting == SelectSeq(SubSeq(Group(t), i, Len(Group(t))), Inserts)
  IN  IF inserting = <<>> THEN NULL ELSE inserting[1]
GotoInsert(t, w) ==
  /\ cursor' = [cursor EXCEPT ![t] = w]
  /\ Goto(t, IF w = NULL THEN "SetLastSequence" ELSE "InsertInto")

(* The memtable phase of the group of t begins. *)
BeginMemTablePhase(t) ==
  IF Queue!InsertsInParallel(t)
  THEN Goto(t, "LaunchParallelMemTableWriters") /\ UNCHANGED cursor
  ELSE GotoInsert(t, NextToInsert(t, 1))

(* What follows on the log, if all is well. *)
AfterLog(t) == IF Pipelined \/ UsesNonmem(t) THEN Goto(t, ExitFromLog) /\ UNCHANGED cursor ELSE BeginMemTablePhase(t)

(* What follows on the record, and its sync: the pre-release callbacks, which only the leader sees   *)
(* unless one fails.                                                                                *)
AfterRecord(t) ==
  IF Members(t) \cap PreReleaseFails \subseteq CallbackFails
  THEN AfterLog(t) /\ Unlock
  ELSE Goto(t, "PreReleaseError") /\ UNCHANGED <<cursor, log_mutex>>

(* The writers of the group of t that take part in its record. *)
Logged(t) == SelectSeq(Group(t), Queue!Logs)
NeedsSync(t, logged) == logged # <<>> /\ Me(t) \in SyncWrites

(* A poisoned path refuses the group of t: nothing of it is logged. *)
Refuse(t) ==
  /\ group_status' = [group_status EXCEPT ![t] = Refusal]
  /\ Goto(t, ExitFromLog)

(* DBImpl::WriteGroupToWAL, pipelined: the load of first_error, which the leader of the memtable   *)
(* queue may store meanwhile. DBImpl::ConcurrentWriteGroupToWAL, two queues: the lock of           *)
(* log_mutex, which is held over the append and the sync, and then that load. Others see the lock: *)
(* the leader of the other queue waits for it.                                                     *)
WriteToWAL_FirstError(t) ==
  /\ pc[t] = "WriteToWAL_FirstError"
  /\ log_mutex = NULL
  /\ IF Poisoned
     THEN /\ Refuse(t)
          /\ UNCHANGED log_mutex
     ELSE /\ log_mutex' = IF TwoQueues THEN t ELSE NULL
          /\ Goto(t, "WriteToWAL")
          /\ UNCHANGED group_status
  /\ UNCHANGED <<queue_vars, links, write_group, group_leader, last_writer, group_size, running>>
  /\ UNCHANGED <<sequence, status, locals, lifetime_ok, log, synced, allocated_sequence, checkpoint, memtable>>
  /\ UNCHANGED <<last_sequence, first_error, outcome, failed>>

(* DBImpl::WriteGroupToWAL: the callbacks have run; the writers whose callback did not fail become *)
(* one record of the log. Not pipelined, first_error belongs to the leader, who refuses here.      *)
(* Others see nothing of either: the log belongs to the leader.                                    *)
WriteToWAL(t) ==
  /\ pc[t] = "WriteToWAL"
  /\ Queue!Touch(Members(t))
  /\ IF Poisoned /\ ~Queue!SharesFirstError
     THEN /\ Refuse(t)
          /\ UNCHANGED <<log, log_mutex, allocated_sequence, sequence, cursor>>
     ELSE LET logged == Logged(t)
          IN  /\ log' = IF logged = <<>> THEN log ELSE Append(log, <<NextSequence, logged>>)
              /\ sequence' = Numbered(logged, NextSequence)
              /\ allocated_sequence' = NextSequence + Operations(logged, Len(logged)) - 1
              /\ IF NeedsSync(t, logged)
                 THEN Goto(t, "WriteToWAL_Sync") /\ UNCHANGED <<cursor, log_mutex>>
                 ELSE AfterRecord(t)
              /\ UNCHANGED group_status
  /\ UNCHANGED <<queue_vars, links, write_group, group_leader, last_writer, group_size, running, status>>
  /\ UNCHANGED <<tail_seen, synced, checkpoint, memtable, last_sequence, first_error, outcome, failed>>

(* DBImpl::WriteGroupToWAL: fdatasync of the log, if the leader has sync: of all its records, also *)
(* those of the other queue. Behind an error of the log it makes nothing durable, whatever it      *)
(* returns: so none may overlap one that fails. Others see nothing of it; a power loss does.       *)
WriteToWAL_Sync(t) ==
  /\ pc[t] = "WriteToWAL_Sync"
  /\ synced' = IF first_error = "WalError" THEN synced ELSE Len(log)
  /\ AfterRecord(t)
  /\ UNCHANGED <<queue_vars, links, group, sequence, status, tail_seen, lifetime_ok>>
  /\ UNCHANGED <<log, allocated_sequence, checkpoint, memtable, last_sequence, first_error, outcome, failed>>

(* The CAS of first_error from null: only the first error counts. *)
PoisonBy(action) == first_error' = IF first_error = "OK" THEN action ELSE first_error

(* The writers that an error of the group in the frame of thread a concerns. *)
Concerned(a) == {w \in Members(a) : w \notin CallbackFails}

(* The group of t meets an error. *)
FailGroup(t) ==
  /\ group_status' = [group_status EXCEPT ![t] = "UnknownOutcome"]
  /\ failed' = failed \cup Concerned(t)

(* Environment: the append fails (what it left in the log is torn), or the sync (the record is in  *)
(* the log, whether on the disk nobody knows): DBImpl::WALIOStatusCheck poisons the path. Others   *)
(* see first_error: every later leader refuses.                                                    *)
WalError(t) ==
  /\ WalErrors
  /\ \/ /\ pc[t] = "WriteToWAL"
        /\ Queue!SharesFirstError \/ ~Poisoned
        /\ \E w \in Members(t) : Queue!Logs(w) /\ w \notin DisableWal
     \/ pc[t] = "WriteToWAL_Sync"
  /\ PoisonBy("WalError")
  /\ FailGroup(t)
  /\ Goto(t, ExitFromLog)
  /\ Unlock
  /\ UNCHANGED <<queue_vars, links, write_group, group_leader, last_writer, group_size, running>>
  /\ UNCHANGED <<sequence, status, locals, lifetime_ok, log, synced, allocated_sequence, checkpoint, memtable>>
  /\ UNCHANGED <<last_sequence, outcome>>

(* PreReleaseCallback::Callback fails: the write is in the log, so the whole group fails. Others   *)
(* see first_error: every later leader refuses.                                                    *)
PreReleaseError(t) ==
  /\ pc[t] = "PreReleaseError"
  /\ PoisonBy("PreReleaseError")
  /\ FailGroup(t)
  /\ Goto(t, ExitFromLog)
  /\ Unlock
  /\ UNCHANGED <<queue_vars, links, write_group, group_leader, last_writer, group_size, running>>
  /\ UNCHANGED <<sequence, status, locals, lifetime_ok, log, synced, allocated_sequence, checkpoint, memtable>>
  /\ UNCHANGED <<last_sequence, outcome>>

-----------------------------------------------------------------------------
(* Pipelined, the rest of the log's phase and the queue of the memtable; the path is left alone. *)
ExitAsBatchGroupLeader_Dummy(t) == Queue!ExitAsBatchGroupLeader_Dummy(t) /\ UNCHANGED rest
ExitAsBatchGroupLeader_CompleteLeader(t) == Queue!ExitAsBatchGroupLeader_CompleteLeader(t) /\ UNCHANGED rest
LinkGroup(t) == Queue!LinkGroup(t) /\ UNCHANGED rest
LinkGroup_SetState(t) == Queue!LinkGroup_SetState(t) /\ UNCHANGED rest
ExitAsBatchGroupLeader_AwaitState(t) == Queue!ExitAsBatchGroupLeader_AwaitState(t) /\ UNCHANGED rest
EnterAsMemTableWriter(t) == Queue!EnterAsMemTableWriter(t) /\ UNCHANGED rest

(* DBImpl::PipelinedWriteImpl: the load of first_error: behind a group that failed none is         *)
(* published, or its sequence would pass the failed batch. Others see nothing of it. (RocksDB has  *)
(* no such look: L7.)                                                                              *)
EnterAsMemTableWriter_FirstError(t) ==
  /\ pc[t] = "EnterAsMemTableWriter_FirstError"
  /\ IF Poisoned
     THEN /\ FailGroup(t)
          /\ Goto(t, Queue!ExitLabel)
          /\ UNCHANGED cursor
     ELSE /\ BeginMemTablePhase(t)
          /\ UNCHANGED <<group_status, failed>>
  /\ UNCHANGED <<queue_vars, links, write_group, group_leader, last_writer, group_size, running>>
  /\ UNCHANGED <<sequence, status, tail_seen, lifetime_ok, wal, memtable, last_sequence>>
  /\ UNCHANGED <<first_error, outcome>>

(* Launching parallel writers: the actions of MemTableWriters. *)
LaunchParallelMemTableWriters(t) == Queue!LaunchParallelMemTableWriters(t) /\ UNCHANGED rest
LaunchParallelMemTableWriters_Leader(t) == Queue!LaunchParallelMemTableWriters_Leader(t) /\ UNCHANGED rest
LaunchParallelMemTableWriters_SetState(t) == Queue!LaunchParallelMemTableWriters_SetState(t) /\ UNCHANGED rest
SetMemWritersEachStride_Caller(t) == Queue!SetMemWritersEachStride_Caller(t) /\ UNCHANGED rest
SetMemWritersEachStride(t) == Queue!SetMemWritersEachStride(t) /\ UNCHANGED rest
CompleteParallelMemTableWriter(t) == Queue!CompleteParallelMemTableWriter(t) /\ UNCHANGED rest
CompleteParallelMemTableWriter_AwaitState(t) ==
  Queue!CompleteParallelMemTableWriter_AwaitState(t) /\ UNCHANGED rest

InsertsOwn(t) == state[t] = "STATE_PARALLEL_MEMTABLE_WRITER"
Inserting(t) == IF InsertsOwn(t) THEN Me(t) ELSE cursor[t]

(* WriteBatchInternal::InsertInto: the batch of one writer: of each by the leader, oldest first,   *)
(* or its own by a parallel writer. Others see nothing of it: it is newer than last_sequence.      *)
InsertInto(t) ==
  /\ pc[t] = "InsertInto"
  /\ Queue!Touch({Inserting(t)})
  /\ memtable' = memtable \cup {<<Inserting(t), sequence[Queue!Address(Inserting(t))]>>}
  /\ IF InsertsOwn(t)
     THEN Goto(t, "CompleteParallelMemTableWriter") /\ UNCHANGED cursor
     ELSE GotoInsert(t, NextToInsert(t, Queue!Position(Group(t), Queue!Address(cursor[t])) + 1))
  /\ UNCHANGED <<queue_vars, links, group, sequence, status, tail_seen>>
  /\ UNCHANGED <<wal, last_sequence, first_error, outcome, failed>>

(* Environment: WriteBatchInternal::InsertInto fails. The record is in the log, a part of the      *)
(* batch may be in the memtable, and neither is ever published. A parallel writer tells its        *)
(* leader's group, under his state_mutex, which nobody holds for longer than that. Others see it   *)
(* there: who finishes last.                                                                       *)
MemTableError(t) ==
  /\ MemTableErrors
  /\ pc[t] = "InsertInto"
  /\ Queue!Touch({write_group[t]})
  /\ FailGroup(Frame(t))
  /\ cursor' = [cursor EXCEPT ![t] = NULL]
  /\ Goto(t, IF InsertsOwn(t) THEN "CompleteParallelMemTableWriter" ELSE Queue!PublishLabel("UnknownOutcome"))
  /\ UNCHANGED <<queue_vars, links, write_group, group_leader, last_writer, group_size, running>>
  /\ UNCHANGED <<sequence, status, tail_seen, wal, memtable, last_sequence, first_error, outcome>>

-----------------------------------------------------------------------------
(* VersionSet::SetLastSequence: the release store of last_sequence, by the leader of the group or  *)
(* his delegate. Others see the group, whole: every reader.                                        *)
SetLastSequence(t) ==
  /\ pc[t] = "SetLastSequence"
  /\ Queue!Touch({write_group[t]})
  /\ last_sequence' = GroupLastSequence(Frame(t))
  /\ Goto(t, Queue!ExitLabel)
  /\ UNCHANGED <<queue_vars, links, group, sequence, status, locals>>
  /\ UNCHANGED <<wal, memtable, first_error, outcome, failed>>

(* DBImpl::HandleMemTableInsertFailure, where another leader may have poisoned the path: the load  *)
(* of first_error. Others see nothing of it.                                                       *)
SetLastSequence_FirstError(t) ==
  /\ pc[t] = "SetLastSequence_FirstError"
  /\ Goto(t, IF Poisoned THEN Queue!ExitLabel ELSE "Poison")
  /\ UNCHANGED <<queue_vars, links, group, sequence, status, locals, lifetime_ok, path>>

(* DBImpl::HandleMemTableInsertFailure, in the place of SetLastSequence: the CAS of first_error.   *)
(* Others see it: from here on every leader refuses.                                               *)
Poison(t) ==
  /\ pc[t] = "Poison"
  /\ PoisonBy("MemTableError")
  /\ Goto(t, Queue!ExitLabel)
  /\ UNCHANGED <<queue_vars, links, group, sequence, status, locals, lifetime_ok>>
  /\ UNCHANGED <<wal, memtable, last_sequence, outcome, failed>>

(* Leaving: the actions of WriteThread and MemTableWriters. *)
ExitAsBatchGroupLeader(t) ==
  /\ \/ InItsQueue(t, Queue!ExitAsBatchGroupLeader(t), Nonmem!ExitAsBatchGroupLeader(t))
     \/ InItsQueue(t, Queue!ExitUnbatched(t), Nonmem!ExitUnbatched(t))
     \/ Queue!ExitAsBatchGroupLeader_Pipelined(t) /\ UNCHANGED newest_nonmem_writer
  /\ UNCHANGED <<relief, path>>
ExitAsBatchGroupLeader_SetState(t) == Queue!ExitAsBatchGroupLeader_SetState(t) /\ UNCHANGED rest
ExitAsBatchGroupLeader_CompleteFollower(t) ==
  /\ Queue!ExitAsBatchGroupLeader_CompleteFollower(t) \/ Queue!ExitAsBatchGroupLeader_CompletePipelined(t)
  /\ UNCHANGED rest
ExitAsBatchGroupFollower(t) == Queue!ExitAsBatchGroupFollower(t) /\ UNCHANGED rest
ExitAsMemTableWriter(t) == Queue!ExitAsMemTableWriter(t) /\ UNCHANGED rest
ExitAsMemTableWriter_SetState(t) == Queue!ExitAsMemTableWriter_SetState(t) /\ UNCHANGED rest
ExitAsMemTableWriter_CompleteWriter(t) == Queue!ExitAsMemTableWriter_CompleteWriter(t) /\ UNCHANGED rest
ExitAsMemTableWriter_CompleteLeader(t) == Queue!ExitAsMemTableWriter_CompleteLeader(t) /\ UNCHANGED rest

(* Writer::FinalStatus *)
FinalStatus(t) ==
  IF Me(t) \in CallbackFails /\ status[t] # "Incomplete" THEN "CallbackFailed" ELSE status[t]

(* DBImpl::Write returns to its caller: the WriteResult. An unbatched call takes back its relief.  *)
(* Others see relief.                                                                              *)
Write_Return(t) ==
  /\ Queue!Write_Return(t)
  /\ outcome' =
       IF t \notin Threads \ Checkpointers THEN outcome
       ELSE [outcome EXCEPT ![t] =
               Append(@, <<FinalStatus(t), IF FinalStatus(t) = "OK" /\ Inserts(Me(t)) THEN sequence[t] ELSE 0>>)]
  /\ relief' = IF Queue!Stalls /\ Me(t) \in Unbatched THEN relief - 1 ELSE relief
  /\ UNCHANGED <<newest_nonmem_writer, wal, memtable, last_sequence, first_error, failed>>

-----------------------------------------------------------------------------
(* A group of disable_wal writers stands in `log` for its sequences, but not in the file. *)
InFile(i) == Queue!Range(WritersOf(i)) \cap DisableWal = {}
LogTooLarge == Cardinality({i \in checkpoint + 1 .. Len(log) : InFile(i)}) >= MaxLog

(* A stall is to end when somebody waits to lead all queues, or the path is poisoned. *)
Relieved == relief > 0 \/ Poisoned

(* A leader that must stall and has no_slowdown is refused. *)
StallOrRefuse(t) ==
  IF Me(t) \in NoSlowdown
  THEN Queue!Incomplete(t)
  ELSE Goto(t, "BeginWriteStall") /\ UNCHANGED group_status

(* DBImpl::PreprocessWrite: the look at the size of the log, which belongs to the leader (two      *)
(* queues: to the holder of log_mutex), and the load of relief. Others see nothing of it.          *)
PreprocessWrite(t) ==
  /\ pc[t] = "PreprocessWrite"
  /\ log_mutex = NULL
  /\ IF ~LogTooLarge \/ relief > 0 \/ (Poisoned /\ ~Queue!SharesFirstError)
     THEN Goto(t, "EnterAsBatchGroupLeader") /\ UNCHANGED group_status
     ELSE IF Queue!SharesFirstError
     THEN Goto(t, "PreprocessWrite_FirstError") /\ UNCHANGED group_status
     ELSE StallOrRefuse(t)
  /\ UNCHANGED <<queue_vars, links, write_group, group_leader, last_writer, group_size, running>>
  /\ UNCHANGED <<sequence, status, locals, lifetime_ok, path>>

(* DBImpl::PreprocessWrite: the load of first_error, where another leader may store it. Others see *)
(* nothing of it.                                                                                  *)
PreprocessWrite_FirstError(t) ==
  /\ pc[t] = "PreprocessWrite_FirstError"
  /\ IF Poisoned
     THEN Goto(t, "EnterAsBatchGroupLeader") /\ UNCHANGED group_status
     ELSE StallOrRefuse(t)
  /\ UNCHANGED <<queue_vars, links, write_group, group_leader, last_writer, group_size, running>>
  /\ UNCHANGED <<sequence, status, locals, lifetime_ok, path>>

(* The stall: the actions of WriteStall. The leader waits under stall_mutex_ until it is relieved. *)
BeginWriteStall(t) ==
  /\ InItsQueue(t, Queue!BeginWriteStall(t), Nonmem!BeginWriteStall(t))
  /\ UNCHANGED <<relief, path>>
BeginWriteStall_CompleteWriter(t) ==
  /\ InItsQueue(t, Queue!BeginWriteStall_CompleteWriter(t), Nonmem!BeginWriteStall_CompleteWriter(t))
  /\ UNCHANGED <<relief, path>>
EndWriteStall(t) ==
  /\ Relieved
  /\ InItsQueue(t, Queue!EndWriteStall(t), Nonmem!EndWriteStall(t))
  /\ UNCHANGED <<relief, path>>
LinkOne_NoSlowdown(t) ==
  /\ InItsQueue(t, Queue!LinkOne_NoSlowdown(t), Nonmem!LinkOne_NoSlowdown(t))
  /\ UNCHANGED <<relief, path>>

(* WriteThread::EnterUnbatched is to come: who is to lead all queues adds to relief first, so that *)
(* no stall waits for what waits for it. Others see relief: the leader that stalls ends the stall. *)
RunUnbatched(t) ==
  /\ pc[t] = "RunUnbatched"
  /\ relief' = relief + 1
  /\ Goto(t, "LinkOne")
  /\ UNCHANGED <<tails, arrival, incarnation, state, links, group, sequence, status, locals, lifetime_ok, path>>

EnterUnbatched(t) ==
  /\ Queue!EnterUnbatched(t, IF Me(t) \in Closes THEN "Close" ELSE "Checkpoint")
  /\ UNCHANGED rest
WaitForMemTableWriters(t) == Queue!WaitForMemTableWriters(t) /\ UNCHANGED rest
WaitForMemTableWriters_LinkOne(t) == Queue!WaitForMemTableWriters_LinkOne(t) /\ UNCHANGED rest
WaitForMemTableWriters_AwaitState(t) == Queue!WaitForMemTableWriters_AwaitState(t) /\ UNCHANGED rest
WaitForMemTableWriters_Store(t) == Queue!WaitForMemTableWriters_Store(t) /\ UNCHANGED rest

(* DBImpl::Close, by who leads all queues: the log is synced, and the CAS of first_error makes     *)
(* every later leader refuse. A path that is poisoned already gives back its error. Others see     *)
(* first_error.                                                                                    *)
Close(t) ==
  /\ pc[t] = "Close"
  /\ Queue!LeadsAll
  /\ Queue!LeaveAll(t)
  /\ \/ /\ Poisoned
        /\ status' = [status EXCEPT ![t] = Refusal]
        /\ UNCHANGED synced
     \/ /\ ~Poisoned
        /\ synced' = Len(log)
        /\ UNCHANGED status
  /\ PoisonBy("Close")
  /\ UNCHANGED <<queue_vars, links, group, sequence, locals, lifetime_ok>>
  /\ UNCHANGED <<log, allocated_sequence, log_mutex, checkpoint, memtable, last_sequence, outcome, failed>>

(* Environment: the sync of DBImpl::Close fails. The path is closed all the same; whether what was *)
(* logged is durable nobody knows. Others see first_error.                                         *)
CloseError(t) ==
  /\ WalErrors
  /\ pc[t] = "Close"
  /\ ~Poisoned
  /\ Queue!LeadsAll
  /\ Queue!LeaveAll(t)
  /\ status' = [status EXCEPT ![t] = "UnknownOutcome"]
  /\ PoisonBy("Close")
  /\ UNCHANGED <<queue_vars, links, group, sequence, locals, lifetime_ok>>
  /\ UNCHANGED <<wal, memtable, last_sequence, outcome, failed>>

(* DBImpl::SwitchMemtable, for our Store::Checkpoint, by who leads all queues: what was logged is  *)
(* no longer needed. Others see the size of the log, when they look at it next.                    *)
Checkpoint(t) ==
  /\ pc[t] = "Checkpoint"
  /\ Queue!LeadsAll
  /\ Queue!LeaveAll(t)
  /\ checkpoint' = IF Poisoned THEN checkpoint ELSE Len(log)
  /\ UNCHANGED <<queue_vars, links, group, sequence, status, locals, lifetime_ok>>
  /\ UNCHANGED <<log, synced, allocated_sequence, log_mutex, memtable, last_sequence, first_error, outcome, failed>>

(* Environment: somebody wants a checkpoint (Store::Checkpoint): no fairness. Others see nothing   *)
(* of it. Its pointers name the first incarnation each time, so that the states are finitely many. *)
BeginCheckpoint(t) ==
  /\ t \in Checkpointers
  /\ pc[t] = "Write"
  /\ incarnation' = [incarnation EXCEPT ![t] = 1]
  /\ Goto(t, Queue!BeginLabel(<<t, 1>>))
  /\ UNCHANGED <<tails, relief, arrival, state, links, group, sequence, status, locals, lifetime_ok, path>>

-----------------------------------------------------------------------------
Step(t) ==
  \/ Write(t)
  \/ LinkOne(t)
  \/ LinkOne_NoSlowdown(t)
  \/ JoinBatchGroup(t)
  \/ JoinBatchGroup_AwaitState(t)
  \/ PreprocessWrite(t)
  \/ PreprocessWrite_FirstError(t)
  \/ BeginWriteStall(t)
  \/ BeginWriteStall_CompleteWriter(t)
  \/ EndWriteStall(t)
  \/ EnterAsBatchGroupLeader(t)
  \/ EnterAsBatchGroupLeader_Graft(t)
  \/ WriteToWAL_FirstError(t)
  \/ WriteToWAL(t)
  \/ WriteToWAL_Sync(t)
  \/ PreReleaseError(t)
  \/ LaunchParallelMemTableWriters(t)
  \/ LaunchParallelMemTableWriters_Leader(t)
  \/ LaunchParallelMemTableWriters_SetState(t)
  \/ SetMemWritersEachStride_Caller(t)
  \/ SetMemWritersEachStride(t)
  \/ InsertInto(t)
  \/ CompleteParallelMemTableWriter(t)
  \/ CompleteParallelMemTableWriter_AwaitState(t)
  \/ SetLastSequence(t)
  \/ SetLastSequence_FirstError(t)
  \/ Poison(t)
  \/ ExitAsBatchGroupLeader_Dummy(t)
  \/ ExitAsBatchGroupLeader(t)
  \/ ExitAsBatchGroupLeader_SetState(t)
  \/ ExitAsBatchGroupLeader_CompleteFollower(t)
  \/ ExitAsBatchGroupLeader_CompleteLeader(t)
  \/ ExitAsBatchGroupFollower(t)
  \/ LinkGroup(t)
  \/ LinkGroup_SetState(t)
  \/ ExitAsBatchGroupLeader_AwaitState(t)
  \/ EnterAsMemTableWriter(t)
  \/ EnterAsMemTableWriter_FirstError(t)
  \/ ExitAsMemTableWriter(t)
  \/ ExitAsMemTableWriter_SetState(t)
  \/ ExitAsMemTableWriter_CompleteWriter(t)
  \/ ExitAsMemTableWriter_CompleteLeader(t)
  \/ RunUnbatched(t)
  \/ EnterUnbatched(t)
  \/ WaitForMemTableWriters(t)
  \/ WaitForMemTableWriters_LinkOne(t)
  \/ WaitForMemTableWriters_AwaitState(t)
  \/ WaitForMemTableWriters_Store(t)
  \/ Close(t)
  \/ Checkpoint(t)
  \/ Write_Return(t)

Environment(t) ==
  \/ WalError(t)
  \/ MemTableError(t)
  \/ CloseError(t)
  \/ BeginCheckpoint(t)

AllReturned == \A t \in Threads \ Checkpointers : ~Queue!InFlight(t) /\ incarnation[t] = Writes

(* The workload is over: not a deadlock. *)
Done == AllReturned /\ UNCHANGED vars

Next ==
  \/ \E t \in Frames : Step(t) \/ Environment(t)
  \/ Done

(* Every thread that can take a step takes one eventually; the environment need not fail. *)
Fairness == \A t \in Frames : WF_vars(Step(t))

Spec == Init /\ [][Next]_vars
FairSpec == Spec /\ Fairness
=============================================================================
