------------------------------- MODULE WritePath -------------------------------
(* A write's way from the caller to the memtable: RocksDB's DBImpl::WriteImpl.  *)
(* The queue (WriteThread) is composed with the log, the memtable, publication  *)
(* and the errors of the environment; the whole refines AtomicWrites.           *)
(*                                                                              *)
(* Failure semantics. An error of the log or of the memtable fails every writer *)
(* of the group that met it ("UnknownOutcome": recovery decides), publishes     *)
(* nothing of it and poisons the path: every later leader refuses its group     *)
(* ("Aborted": not logged) and still hands over, so that nobody hangs.          *)
EXTENDS Naturals, Sequences, FiniteSets

CONSTANTS
  Threads,          \* the callers of Write
  Writes,           \* how many writes each of them issues, one after the other
  SyncWrites,       \* the writes with sync = true: a set of <<thread, number>>
  MaxGroup,         \* max_write_batch_group_size_bytes, counted in writers
  NULL,
  Options,          \* the RocksDB options that are on: {} is serial mode
  BatchCount,       \* operations in every batch; each consumes a sequence number
  WalErrors,        \* may an append or a sync fail?
  MemTableErrors    \* may an insert fail?

LegalOptions == {{}}
Operations == 1..BatchCount

ASSUME Options \in LegalOptions
ASSUME Writes \in Nat /\ MaxGroup \in Nat \ {0} /\ BatchCount \in Nat \ {0}
ASSUME SyncWrites \subseteq Threads \X (1..Writes)
ASSUME WalErrors \in BOOLEAN /\ MemTableErrors \in BOOLEAN

VARIABLES
  \* the queue, its Writers and WriteGroups: see WriteThread
  pc, incarnation, newest_writer, state, link_older, link_newer, write_group, sequence, status,
  last_writer, group_size, tail_seen, cursor, arrival, lifetime_ok,
  \* the path; its writer is the leader of the queue
  log,              \* the records, oldest first: <<sequence of its first operation, its writers>>
  synced,           \* how many records fdatasync has made durable
  memtable,         \* the batches wholly inserted: <<writer, sequence>>
  last_sequence,    \* published: readers see everything up to it; atomic
  first_error,      \* "OK", or the action that poisoned the path
  \* what callers were told; by the caller
  outcome,          \* of each thread, the results <<status, sequence>> of its writes that returned
  \* history, for the properties alone
  failed            \* the writers of the groups that met an error

Queue == INSTANCE WriteThread

queue_vars == <<newest_writer, arrival, incarnation, state>>
links == <<link_older, link_newer>>
group == <<write_group, last_writer, group_size>>
locals == <<tail_seen, cursor>>
path == <<log, synced, memtable, last_sequence, first_error, outcome, failed>>
vars == <<pc, queue_vars, links, group, sequence, status, locals, lifetime_ok, path>>

Me(t) == Queue!Me(t)
Group(t) == Queue!Group(t)
Members(t) == Queue!Range(Group(t))
Goto(t, label) == pc' = [pc EXCEPT ![t] = label]

Init ==
  /\ Queue!Init
  /\ log = <<>>
  /\ synced = 0
  /\ memtable = {}
  /\ last_sequence = 0
  /\ first_error = "OK"
  /\ outcome = [t \in Threads |-> <<>>]
  /\ failed = {}

-----------------------------------------------------------------------------
(* Joining and leading: the actions of WriteThread, which leave the path alone. *)
Write(t) == Queue!Write(t) /\ UNCHANGED path
LinkOne(t) == Queue!LinkOne(t) /\ UNCHANGED path
JoinBatchGroup(t) == Queue!JoinBatchGroup(t) /\ UNCHANGED path
JoinBatchGroup_AwaitState(t) == Queue!JoinBatchGroup_AwaitState(t) /\ UNCHANGED path
EnterAsBatchGroupLeader(t) == Queue!EnterAsBatchGroupLeader(t) /\ UNCHANGED path
EnterAsBatchGroupLeader_Graft(t) == Queue!EnterAsBatchGroupLeader_Graft(t) /\ UNCHANGED path

(* The sequence of the first operation of each writer of a group that starts at `first`. *)
Numbered(members, first) ==
  [t \in Threads |-> IF t \in Queue!Addresses(members)
                     THEN first + BatchCount * (Queue!Position(members, t) - 1)
                     ELSE sequence[t]]

NextSequence == last_sequence + 1
Poisoned == first_error # "OK"
Refusal == "Aborted"
AfterAppend(t) == IF Me(t) \in SyncWrites THEN "WriteToWAL_Sync" ELSE "InsertInto"

(* DBImpl::WriteGroupToWAL: the group becomes one record of the log. A poisoned path refuses it. *)
(* Others see nothing of either: the log and first_error belong to the leader.                   *)
WriteToWAL(t) ==
  /\ pc[t] = "WriteToWAL"
  /\ Queue!Touch(Members(t))
  /\ IF Poisoned
     THEN /\ status' = [status EXCEPT ![t] = Refusal]
          /\ Goto(t, "ExitAsBatchGroupLeader")
          /\ UNCHANGED <<log, sequence, cursor>>
     ELSE /\ log' = Append(log, <<NextSequence, Group(t)>>)
          /\ sequence' = Numbered(Group(t), NextSequence)
          /\ cursor' = [cursor EXCEPT ![t] = Me(t)]
          /\ Goto(t, AfterAppend(t))
          /\ UNCHANGED status
  /\ UNCHANGED <<queue_vars, links, group, tail_seen, synced, memtable, last_sequence, first_error, outcome, failed>>

(* DBImpl::WriteGroupToWAL: fdatasync of the log, if the leader has sync. *)
WriteToWAL_Sync(t) ==
  /\ pc[t] = "WriteToWAL_Sync"
  /\ synced' = Len(log)
  /\ Goto(t, "InsertInto")
  /\ UNCHANGED <<queue_vars, links, group, sequence, status, locals, lifetime_ok>>
  /\ UNCHANGED <<log, memtable, last_sequence, first_error, outcome, failed>>

(* The group of t meets the error `action`: it fails, and the path is poisoned (DBImpl::WALIOStatusCheck). *)
Poison(t, action) ==
  /\ first_error' = action
  /\ status' = [status EXCEPT ![t] = "UnknownOutcome"]
  /\ failed' = failed \cup Members(t)
  /\ cursor' = [cursor EXCEPT ![t] = NULL]
  /\ Goto(t, "ExitAsBatchGroupLeader")

(* Environment: the append fails (what it left in the log is torn), or the sync (the record is in  *)
(* the log, whether on the disk nobody knows).                                                     *)
WalError(t) ==
  /\ WalErrors
  /\ \/ pc[t] = "WriteToWAL" /\ ~Poisoned
     \/ pc[t] = "WriteToWAL_Sync"
  /\ Poison(t, "WalError")
  /\ UNCHANGED <<queue_vars, links, group, sequence, tail_seen, lifetime_ok>>
  /\ UNCHANGED <<log, synced, memtable, last_sequence, outcome>>

(* WriteBatchInternal::InsertInto: the batch of one writer of the group, oldest first. Readers do  *)
(* not see it: it is newer than last_sequence.                                                     *)
InsertInto(t) ==
  /\ pc[t] = "InsertInto"
  /\ LET w == cursor[t]
         last == w = last_writer[t]
     IN  /\ Queue!Touch({w})
         /\ memtable' = memtable \cup {<<w, sequence[Queue!Address(w)]>>}
         /\ cursor' = [cursor EXCEPT ![t] = IF last THEN NULL ELSE link_newer[Queue!Address(w)]]
         /\ Goto(t, IF last THEN "SetLastSequence" ELSE "InsertInto")
  /\ UNCHANGED <<queue_vars, links, group, sequence, status, tail_seen>>
  /\ UNCHANGED <<log, synced, last_sequence, first_error, outcome, failed>>

(* Environment: the insert fails. The record is in the log, a part of the batch may be in the       *)
(* memtable, and neither is ever published.                                                         *)
MemTableError(t) ==
  /\ MemTableErrors
  /\ pc[t] = "InsertInto"
  /\ Poison(t, "MemTableError")
  /\ UNCHANGED <<queue_vars, links, group, sequence, tail_seen, lifetime_ok>>
  /\ UNCHANGED <<log, synced, memtable, last_sequence, outcome>>

(* VersionSet::SetLastSequence: the release store with which readers see the group, whole. *)
SetLastSequence(t) ==
  /\ pc[t] = "SetLastSequence"
  /\ Queue!Touch({last_writer[t]})
  /\ last_sequence' = sequence[Queue!Address(last_writer[t])] + BatchCount - 1
  /\ Goto(t, "ExitAsBatchGroupLeader")
  /\ UNCHANGED <<queue_vars, links, group, sequence, status, locals>>
  /\ UNCHANGED <<log, synced, memtable, first_error, outcome, failed>>

(* Leaving: the actions of WriteThread. *)
ExitAsBatchGroupLeader(t) == Queue!ExitAsBatchGroupLeader(t) /\ UNCHANGED path
ExitAsBatchGroupLeader_SetState(t) == Queue!ExitAsBatchGroupLeader_SetState(t) /\ UNCHANGED path
ExitAsBatchGroupLeader_CompleteFollower(t) ==
  Queue!ExitAsBatchGroupLeader_CompleteFollower(t) /\ UNCHANGED path

(* DBImpl::Write returns to its caller: the WriteResult. *)
Write_Return(t) ==
  /\ Queue!Write_Return(t)
  /\ outcome' = [outcome EXCEPT ![t] = Append(@, <<status[t], IF status[t] = "OK" THEN sequence[t] ELSE 0>>)]
  /\ UNCHANGED <<log, synced, memtable, last_sequence, first_error, failed>>

-----------------------------------------------------------------------------
Step(t) ==
  \/ Write(t)
  \/ LinkOne(t)
  \/ JoinBatchGroup(t)
  \/ JoinBatchGroup_AwaitState(t)
  \/ EnterAsBatchGroupLeader(t)
  \/ EnterAsBatchGroupLeader_Graft(t)
  \/ WriteToWAL(t)
  \/ WriteToWAL_Sync(t)
  \/ InsertInto(t)
  \/ SetLastSequence(t)
  \/ ExitAsBatchGroupLeader(t)
  \/ ExitAsBatchGroupLeader_SetState(t)
  \/ ExitAsBatchGroupLeader_CompleteFollower(t)
  \/ Write_Return(t)

Environment(t) ==
  \/ WalError(t)
  \/ MemTableError(t)

AllReturned == \A t \in Threads : ~Queue!InFlight(t) /\ incarnation[t] = Writes

(* The workload is over: not a deadlock. *)
Done == AllReturned /\ UNCHANGED vars

Next ==
  \/ \E t \in Threads : Step(t) \/ Environment(t)
  \/ Done

(* Every thread that can take a step takes one eventually; the environment need not fail. *)
Fairness == \A t \in Threads : WF_vars(Step(t))

Spec == Init /\ [][Next]_vars
FairSpec == Spec /\ Fairness

-----------------------------------------------------------------------------
INV_LEADER == Queue!INV_LEADER
INV_GROUP == Queue!INV_GROUP
INV_LIFETIME == Queue!INV_LIFETIME

FirstSequence(i) == log[i][1]
WritersOf(i) == log[i][2]
EndSequence(i) == FirstSequence(i) + BatchCount * Len(WritersOf(i)) - 1
LogEnd == IF log = <<>> THEN 0 ELSE EndSequence(Len(log))

(* Where writer w stands in the log: {<<record, sequence>>}. *)
Places(w) ==
  UNION {{<<i, FirstSequence(i) + BatchCount * (j - 1)>> : j \in {j \in 1..Len(WritersOf(i)) : WritersOf(i)[j] = w}} :
           i \in 1..Len(log)}

AllWrites == Threads \X (1..Writes)
Returned(w) == w[2] <= Len(outcome[w[1]])
StatusOf(w) == outcome[w[1]][w[2]][1]
SequenceOf(w) == outcome[w[1]][w[2]][2]

INV_SEQUENCE ==
  /\ \A i \in 1..Len(log) : FirstSequence(i) = 1 + (IF i = 1 THEN 0 ELSE EndSequence(i - 1))
  /\ \A w \in AllWrites : Cardinality(Places(w)) <= 1
  /\ \A entry \in memtable : \E place \in Places(entry[1]) : place[2] = entry[2]

INV_PUBLISH ==
  /\ last_sequence <= LogEnd
  /\ \A w \in AllWrites : \A place \in Places(w) :
       place[2] <= last_sequence => <<w, place[2]>> \in memtable
INV_PUBLISH_MONOTONE == [][last_sequence' >= last_sequence]_vars

(* A reader sees the operations up to last_sequence: all of a batch or nothing of it. *)
INV_ATOMIC ==
  \A w \in AllWrites : \A place \in Places(w) :
    \/ last_sequence < place[2]
    \/ place[2] + BatchCount - 1 <= last_sequence

INV_ACK ==
  \A w \in AllWrites : Returned(w) /\ StatusOf(w) = "OK" =>
    \E place \in Places(w) :
      /\ place[2] = SequenceOf(w)
      /\ w \in SyncWrites => place[1] <= synced
      /\ <<w, place[2]>> \in memtable
      /\ place[2] + BatchCount - 1 <= last_sequence

INV_STATUS ==
  \A w \in AllWrites : Returned(w) =>
    /\ StatusOf(w) = "UnknownOutcome" <=> w \in failed
    /\ StatusOf(w) = "Aborted" => first_error # "OK" /\ Places(w) = {}
    /\ StatusOf(w) \in {"OK", "UnknownOutcome", "Aborted"}

INV_QUIET ==
  (\A t \in Threads : ~Queue!InFlight(t)) =>
    /\ newest_writer = NULL
    /\ arrival = <<>>
    /\ first_error = "OK" => last_sequence = LogEnd

(* Every write of the workload completes. *)
LIVE_COMPLETE == <>AllReturned

(* The contract, and how the path keeps it. *)
Contract == INSTANCE AtomicWrites WITH
  DurableWrites <- SyncWrites,
  log <- [i \in 1..Len(log) |-> WritersOf(i)],
  durable <- synced,
  published <- Cardinality({i \in 1..Len(log) : EndSequence(i) <= last_sequence}),
  outcome <- [w \in AllWrites |->
                IF Returned(w) THEN StatusOf(w)
                ELSE IF incarnation[w[1]] >= w[2] THEN "pending" ELSE "idle"]
REFINES_AtomicWrites == Contract!Spec
=============================================================================
