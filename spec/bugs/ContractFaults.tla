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
=============================================================================
