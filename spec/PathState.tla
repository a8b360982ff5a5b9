------------------------------- MODULE PathState -------------------------------
(* What a write path consists of: its options, its variables and who may write  *)
(* them, its two queues, and what is read off the log. The actions stand in      *)
(* WritePath, the properties in WritePathProperties.                             *)
EXTENDS Naturals, Sequences, FiniteSets

CONSTANTS
  Threads,          \* the callers of Write
  Writes,           \* how many writes each of them issues, one after the other
  Options,          \* the RocksDB options that are on: {} is serial mode
  MaxGroup,         \* max_write_batch_group_size_bytes, counted in writers
  StrideThreshold,  \* parallel_stride_threshold: groups of at least this size are launched by callers
  \* the options of the writes: sets of <<thread, number>>
  SyncWrites,       \* those with sync = true
  CallbackFails,    \* those whose callback fails
  CallbackAlone,    \* those whose callback refuses company
  DisableMemtable,  \* those with disable_memtable
  DisableWal,       \* those with disable_wal
  NoSlowdown,       \* those with no_slowdown
  PreReleaseFails,  \* those whose pre-release callback fails
  Commits,          \* those that commit what the write before them, by the same thread, prepared
  Closes,           \* no writes, but calls of Close
  Checkpointers,    \* threads that make checkpoints, endlessly, instead of writes
  MaxLog,           \* max_log_bytes, counted in records; 0: no stall
  NULL,
  DUMMY,
  BatchCount,       \* operations in every batch; each consumes a sequence number
  WalErrors,        \* may an append or a sync fail?
  MemTableErrors    \* may an insert fail?

Parallel == "allow_concurrent_memtable_write" \in Options
Pipelined == "enable_pipelined_write" \in Options
TwoQueues == "two_write_queues" \in Options
Unbatched == Closes \cup (Checkpointers \X (1..Writes))
AllWrites == (Threads \X (1..Writes)) \ Unbatched

(* Two queues: a write that inserts nothing has a queue of its own. *)
NonmemWrites == IF TwoQueues THEN DisableMemtable ELSE {}

ASSUME Options \subseteq {"allow_concurrent_memtable_write", "enable_pipelined_write", "two_write_queues"}
ASSUME Pipelined => ~TwoQueues
ASSUME Writes \in Nat /\ MaxGroup \in Nat \ {0} /\ BatchCount \in Nat \ {0} /\ StrideThreshold \in Nat \ {0, 1}
ASSUME SyncWrites \cup CallbackFails \cup CallbackAlone \cup DisableMemtable \subseteq AllWrites
ASSUME WalErrors \in BOOLEAN /\ MemTableErrors \in BOOLEAN
ASSUME \A w \in Commits : <<w[1], w[2] - 1>> \in DisableMemtable \ CallbackFails
ASSUME Commits \subseteq AllWrites \ (DisableMemtable \cup CallbackFails)
ASSUME DisableWal \cup NoSlowdown \cup PreReleaseFails \subseteq AllWrites
ASSUME DisableWal \cap (SyncWrites \cup DisableMemtable) = {}
ASSUME Checkpointers \subseteq Threads /\ Closes \subseteq Threads \X (1..Writes) /\ MaxLog \in Nat

VARIABLES
  \* the queues, their Writers and WriteGroups: see WriteThread
  pc, incarnation, newest_writer, newest_memtable_writer, state, link_older, link_newer, write_group,
  sequence, status, group_leader, last_writer, group_size, group_status, running, tail_seen, cursor,
  arrival, lifetime_ok,
  newest_nonmem_writer,  \* two queues: tail of the other queue; as newest_writer, by its own writers and leader
  relief,           \* how many wait to lead all queues; atomic; by them
  \* the path
  log,              \* the records, oldest first: <<sequence of its first operation, its writers>>; by the leader
  synced,           \* how many records fdatasync has made durable; by the leader
  allocated_sequence,  \* the last that was given to an operation; by the leader
  log_mutex,        \* two queues: the leader that may do these three things, or NULL; by the leaders
  checkpoint,       \* how many records the last checkpoint covers; by who leads all queues
  memtable,         \* the batches wholly inserted: <<writer, sequence>>; by whoever inserts
  last_sequence,    \* published: readers see everything up to it; atomic; by who finishes a memtable phase
  first_error,      \* "OK", or the action that poisoned the path; atomic; by CAS, of leaders and delegates
  \* what callers were told; by the caller
  outcome,          \* of each thread, the results <<status, sequence>> of its writes that returned
  \* history, for the properties alone
  failed            \* the writers of the groups that met an error; by who meets it

Queue == INSTANCE WriteStall WITH
  QueueWrites <- (AllWrites \ NonmemWrites) \cup Unbatched,
  STALL <- "STALL"
Second == Queue!Second
Nonmem == INSTANCE WriteStall WITH
  QueueWrites <- NonmemWrites \cup {Second},
  STALL <- "NONMEM_STALL",
  newest_writer <- newest_nonmem_writer
Frames == Queue!Frames

tails == <<newest_writer, newest_memtable_writer, newest_nonmem_writer>>
queue_vars == <<tails, relief, arrival, incarnation, state>>
links == <<link_older, link_newer>>
group == <<write_group, group_leader, last_writer, group_size, group_status, running>>
locals == <<tail_seen, cursor>>
wal == <<log, synced, allocated_sequence, log_mutex, checkpoint>>
path == <<wal, memtable, last_sequence, first_error, outcome, failed>>
rest == <<newest_nonmem_writer, relief, path>>  \* what the main queue does not know
vars == <<pc, queue_vars, links, group, sequence, status, locals, lifetime_ok, path>>

Me(t) == Queue!Me(t)
Frame(t) == Queue!Frame(t)
Group(t) == Queue!Group(t)
Members(t) == Queue!Range(Group(t))
Goto(t, label) == pc' = [pc EXCEPT ![t] = label]
Inserts(w) == Queue!Inserts(w)

Init ==
  /\ Queue!Init
  /\ log = <<>>
  /\ newest_nonmem_writer = NULL
  /\ relief = 0
  /\ synced = 0
  /\ allocated_sequence = 0
  /\ log_mutex = NULL
  /\ checkpoint = 0
  /\ memtable = {}
  /\ last_sequence = 0
  /\ first_error = "OK"
  /\ outcome = [t \in Threads |-> <<>>]
  /\ failed = {}

-----------------------------------------------------------------------------
(* The operations of the first n of these writers. *)
Operations(writers, n) == BatchCount * Cardinality({i \in 1..n : Inserts(writers[i])})

FirstSequence(i) == log[i][1]
WritersOf(i) == log[i][2]
EndSequence(i) == FirstSequence(i) + Operations(WritersOf(i), Len(WritersOf(i))) - 1
LogEnd == IF log = <<>> THEN 0 ELSE EndSequence(Len(log))
NextSequence == allocated_sequence + 1

(* The sequence of the first operation of each of the logged writers of a group that starts at      *)
(* `first`. A writer that inserts nothing consumes none.                                            *)
Numbered(logged, first) ==
  [t \in Frames |-> IF t \in Queue!Addresses(logged)
                     THEN first + Operations(logged, Queue!Position(logged, t) - 1)
                     ELSE sequence[t]]

(* What the last inserting writer of the group of t ends with. *)
GroupLastSequence(t) ==
  LET inserting == SelectSeq(Group(t), Inserts)
  IN  IF inserting = <<>> THEN last_sequence
      ELSE sequence[Queue!Address(inserting[Len(inserting)])] + BatchCount - 1

Poisoned == first_error # "OK"
Refusal == "Aborted"
Unlock == log_mutex' = NULL
ExitFromLog == Queue!ExitFromLog
=============================================================================
