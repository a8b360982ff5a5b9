---------------------------- MODULE ContractFaults ----------------------------
(* Seeded faults of the contract: a promise that AtomicWrites no longer makes. *)
EXTENDS AtomicWrites

(* A write is acknowledged before it is durable. *)
Acknowledge_not_durable(w) ==
  /\ outcome[w] = "pending"
  /\ LoggedUpTo(w, published)
  /\ outcome' = [outcome EXCEPT ![w] = "OK"]
  /\ UNCHANGED <<log_vars, reader_vars>>

(* A write is acknowledged before readers see it. *)
Acknowledge_not_published(w) ==
  /\ outcome[w] = "pending"
  /\ LoggedUpTo(w, IF w \in DurableWrites THEN durable ELSE Len(log))
  /\ outcome' = [outcome EXCEPT ![w] = "OK"]
  /\ UNCHANGED <<log_vars, reader_vars>>

(* A write that readers already see is reported as failed. *)
Fail_published(w) ==
  /\ outcome[w] = "pending"
  /\ outcome' = [outcome EXCEPT ![w] = "UnknownOutcome"]
  /\ UNCHANGED <<log_vars, reader_vars>>

(* A write is logged again, by whoever retries it. *)
AppendGroup_twice ==
  /\ Len(log) < 3
  /\ \E w \in {w \in AllWrites : outcome[w] = "pending"} : log' = Append(log, <<w>>)
  /\ UNCHANGED <<durable, published, recovered, outcome, reader_vars>>

(* What is not logged yet is called durable. *)
MakeDurable_ahead ==
  /\ \E n \in durable + 1 .. Len(log) + 1 : durable' = n
  /\ UNCHANGED <<log, published, recovered, outcome, reader_vars>>

(* A crash takes what was durable. *)
CrashAndRecover_of_all ==
  /\ log' = <<>>
  /\ durable' = 0
  /\ published' = 0
  /\ recovered' = 0
  /\ outcome' = [w \in AllWrites |->
                   CASE outcome[w] = "pending" -> "UnknownOutcome"
                     [] outcome[w] = "OK" -> "Lost"
                     [] OTHER -> outcome[w]]
  /\ snapshot' = NoSnapshot
  /\ seen' = NoSnapshot

(* A reader finds some of the writes that were published in one step. *)
Read_some(r) ==
  /\ snapshot[r] # <<>>
  /\ seen[r] = <<>>
  /\ \E some \in SUBSET {w \in AllWrites \ UnseenWrites : LoggedUpTo(w, snapshot[r][1])} :
       seen' = [seen EXCEPT ![r] = <<some>>]
  /\ UNCHANGED <<log_vars, outcome, snapshot>>
=============================================================================
