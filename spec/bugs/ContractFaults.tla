---------------------------- MODULE ContractFaults ----------------------------
(* Seeded faults of the contract: a promise that AtomicWrites no longer makes. *)
EXTENDS AtomicWrites

(* A write is acknowledged before it is durable. *)
Acknowledge_not_durable(w) ==
  /\ outcome[w] = "pending"
  /\ LoggedUpTo(w, published)
  /\ outcome' = [outcome EXCEPT ![w] = "OK"]
  /\ UNCHANGED <<log, durable, published>>

(* A write that readers already see is reported as failed. *)
Fail_published(w) ==
  /\ outcome[w] = "pending"
  /\ outcome' = [outcome EXCEPT ![w] = "UnknownOutcome"]
  /\ UNCHANGED <<log, durable, published>>

(* A write is logged again, by whoever retries it. *)
AppendGroup_twice ==
  /\ Len(log) < 3
  /\ \E w \in {w \in AllWrites : outcome[w] = "pending"} : log' = Append(log, <<w>>)
  /\ UNCHANGED <<durable, published, outcome>>

(* What is not logged yet is called durable. *)
MakeDurable_ahead ==
  /\ \E n \in durable + 1 .. Len(log) + 1 : durable' = n
  /\ UNCHANGED <<log, published, outcome>>
=============================================================================
