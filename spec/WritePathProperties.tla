-------------------------- MODULE WritePathProperties --------------------------
(* What a write path keeps, and the contract that it refines: the tags are those of the design.  *)
EXTENDS WritePath

INV_LEADER == Queue!INV_LEADER /\ (TwoQueues => Nonmem!INV_LEADER)
INV_GROUP == Queue!INV_GROUP /\ (TwoQueues => Nonmem!QueueIsInOrder)
INV_LIFETIME == Queue!INV_LIFETIME

(* Where writer w stands in the log: {<<record, sequence>>}. *)
Places(w) ==
  UNION {{<<i, FirstSequence(i) + Operations(WritersOf(i), j - 1)>> : j \in {j \in 1..Len(WritersOf(i)) : WritersOf(i)[j] = w}} :
           i \in 1..Len(log)}

Returned(w) == w[2] <= Len(outcome[w[1]])
StatusOf(w) == outcome[w[1]][w[2]][1]
SequenceOf(w) == outcome[w[1]][w[2]][2]

INV_SEQUENCE ==
  /\ allocated_sequence = LogEnd
  /\ \A i \in 1..Len(log) : FirstSequence(i) = 1 + (IF i = 1 THEN 0 ELSE EndSequence(i - 1))
  /\ \A w \in AllWrites : Cardinality(Places(w)) <= 1
  /\ \A entry \in memtable : \E place \in Places(entry[1]) : place[2] = entry[2]
  \* a commit stands behind its prepare
  /\ \A w \in Commits : \A place \in Places(w) :
       \E prepared \in Places(<<w[1], w[2] - 1>>) : prepared[1] < place[1]
  \* the memtable queue stands in the order of the log, without a hole
  /\ LET queue == SelectSeq(Queue!MemTableQueue, LAMBDA w : w # Second)
     IN  \A i \in 2..Len(queue) :
           sequence[Queue!Address(queue[i])] = sequence[Queue!Address(queue[i - 1])] + BatchCount

INV_PUBLISH ==
  /\ last_sequence <= LogEnd
  /\ \A w \in AllWrites : Inserts(w) =>
       \A place \in Places(w) : place[2] <= last_sequence => <<w, place[2]>> \in memtable
  \* what a checkpoint covers is published: its records are no longer needed
  /\ \A i \in 1..checkpoint : EndSequence(i) <= last_sequence
INV_PUBLISH_MONOTONE == [][last_sequence' >= last_sequence]_vars

(* A reader sees the operations up to last_sequence: all of a batch or nothing of it. *)
INV_ATOMIC ==
  \A w \in AllWrites : Inserts(w) =>
    \A place \in Places(w) :
      \/ last_sequence < place[2]
      \/ place[2] + BatchCount - 1 <= last_sequence

(* What a write relies on that was told OK. *)
AcknowledgementHolds(w) ==
  \E place \in Places(w) :
    /\ w \in SyncWrites => place[1] <= synced
    /\ Inserts(w) => /\ place[2] = SequenceOf(w)
                     /\ <<w, place[2]>> \in memtable
                     /\ place[2] + BatchCount - 1 <= last_sequence

INV_ACK ==
  /\ \A w \in AllWrites : Returned(w) /\ StatusOf(w) = "OK" => AcknowledgementHolds(w)
  \* a path that was closed stays as it is, and is durable
  /\ \A w \in Closes : Returned(w) /\ StatusOf(w) = "OK" =>
       synced = Len(log) /\ last_sequence = LogEnd /\ first_error = "Close"

(* Was the caller of w told what concerns it, on a path that was poisoned or not? *)
StatusIsRight(w, poisoned) ==
  /\ StatusOf(w) = "UnknownOutcome" <=> w \in failed
  /\ StatusOf(w) = "Aborted" => poisoned /\ Places(w) = {}
  /\ StatusOf(w) = "Incomplete" => w \in NoSlowdown /\ Places(w) = {}
  /\ StatusOf(w) = "CallbackFailed" <=> w \in CallbackFails /\ StatusOf(w) # "Incomplete"
  /\ StatusOf(w) = "CallbackFailed" => Places(w) = {}
  /\ StatusOf(w) = "OK" => w \notin PreReleaseFails
  /\ StatusOf(w) \in {"OK", "UnknownOutcome", "Aborted", "CallbackFailed", "Incomplete"}
INV_STATUS == \A w \in AllWrites : Returned(w) => StatusIsRight(w, first_error # "OK")

INV_QUIET ==
  (\A t \in Frames : ~Queue!InFlight(t)) =>
    /\ newest_writer = NULL
    /\ newest_memtable_writer = NULL
    /\ newest_nonmem_writer = NULL
    /\ arrival = <<>>
    /\ log_mutex = NULL
    /\ relief = 0
    /\ first_error \in {"OK", "Close"} => last_sequence = allocated_sequence /\ allocated_sequence = LogEnd

(* Every write of the workload completes. *)
LIVE_COMPLETE == <>AllReturned

(* A write with no_slowdown returns, whether a stall ends or not; and all return if each stall ends. *)
Stalled == \E t \in Threads : pc[t] = "EndWriteStall" /\ ~Relieved
LIVE_STALL ==
  /\ \A w \in NoSlowdown : incarnation[w[1]] = w[2] ~> Returned(w)
  /\ []<>(~Stalled) => <>AllReturned

(* The contract, and how the path keeps it. Readers see the groups up to the last that inserted and *)
(* is published.                                                                                    *)
Published ==
  {i \in 1..Len(log) : EndSequence(i) >= FirstSequence(i) /\ EndSequence(i) <= last_sequence}
Contract == INSTANCE AtomicWrites WITH
  DurableWrites <- SyncWrites,
  UnseenWrites <- DisableMemtable,
  Readers <- {},   \* readers and crashes: see Recovery
  recovered <- 0,
  snapshot <- <<>>,
  seen <- <<>>,
  log <- [i \in 1..Len(log) |-> WritersOf(i)],
  durable <- synced,
  published <- CHOOSE n \in Published \cup {0} : \A i \in Published : i <= n,
  outcome <- [w \in AllWrites |->
                IF Returned(w) THEN (IF StatusOf(w) = "Incomplete" THEN "Aborted" ELSE StatusOf(w))
                ELSE IF incarnation[w[1]] >= w[2] THEN "pending" ELSE "idle"]
(* Most steps leave alone all that the contract looks at: TLC need not try them as each of its actions. *)
Promised == <<log, synced, last_sequence, outcome, incarnation>>
REFINES_AtomicWrites ==
  Contract!Init /\ [][Promised' = Promised \/ Contract!Next]_Contract!contract_vars
=============================================================================
