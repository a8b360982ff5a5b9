----------------------------- MODULE AtomicWrites -----------------------------
(* What a caller is promised: a write takes effect in one step, in the order of *)
(* a log, durably if it asked for that, or it fails and has no effect that      *)
(* anybody can see before a recovery.                                           *)
(*                                                                              *)
(* The log is a sequence of groups; a group is a sequence of writes that are    *)
(* logged, made durable and published together.                                 *)
EXTENDS Naturals, Sequences, FiniteSets

CONSTANTS
  AllWrites,     \* every write that is ever submitted
  DurableWrites, \* those that are acknowledged only when they are durable (sync = true)
  UnseenWrites   \* those that put nothing where readers look (disable_memtable: Prepare)

VARIABLES
  log,         \* the groups, oldest first
  durable,     \* how many groups survive a crash for certain
  published,   \* how many groups readers see
  outcome      \* of each write: "idle", "pending", or what its caller was told

contract_vars == <<log, durable, published, outcome>>

GroupOf(w) == {i \in 1..Len(log) : \E j \in 1..Len(log[i]) : log[i][j] = w}
Logged(w) == GroupOf(w) # {}
LoggedUpTo(w, n) == \E i \in GroupOf(w) : i <= n

Refusals == {"Aborted", "CallbackFailed"}
Outcomes == {"idle", "pending", "OK", "UnknownOutcome"} \cup Refusals

Init ==
  /\ log = <<>>
  /\ durable = 0
  /\ published = 0
  /\ outcome = [w \in AllWrites |-> "idle"]

(* The call begins. *)
Submit(w) ==
  /\ outcome[w] = "idle"
  /\ outcome' = [outcome EXCEPT ![w] = "pending"]
  /\ UNCHANGED <<log, durable, published>>

(* The orders in which a set of writes may stand in a group. *)
Orders(writes) ==
  {s \in [1..Cardinality(writes) -> writes] : \A i, j \in DOMAIN s : i # j => s[i] # s[j]}

(* Some of the pending writes are appended to the log, as one group, in some order. *)
AppendGroup ==
  /\ \E writes \in SUBSET {w \in AllWrites : outcome[w] = "pending" /\ ~Logged(w)} \ {{}} :
       \E group \in Orders(writes) : log' = Append(log, group)
  /\ UNCHANGED <<durable, published, outcome>>

(* A prefix of the log becomes durable. *)
MakeDurable ==
  /\ \E n \in durable + 1 .. Len(log) : durable' = n
  /\ UNCHANGED <<log, published, outcome>>

(* A prefix of the log becomes visible, in one step; no write in it has been reported as failed. *)
Publish ==
  /\ \E n \in published + 1 .. Len(log) :
       /\ published' = n
       /\ \A w \in AllWrites : LoggedUpTo(w, n) => outcome[w] \in {"pending", "OK"}
  /\ UNCHANGED <<log, durable, outcome>>

(* What the caller of w may rely on: it is in the log and, if it is to be seen, seen. *)
Holds(w) == LoggedUpTo(w, IF w \in UnseenWrites THEN Len(log) ELSE published)

(* The caller is told that its write holds. *)
Acknowledge(w) ==
  /\ outcome[w] = "pending"
  /\ Holds(w)
  /\ w \in DurableWrites => LoggedUpTo(w, durable)
  /\ outcome' = [outcome EXCEPT ![w] = "OK"]
  /\ UNCHANGED <<log, durable, published>>

(* The caller is told that nobody sees its write, and that a recovery decides whether it holds. *)
Fail(w) ==
  /\ outcome[w] = "pending"
  /\ ~LoggedUpTo(w, published)
  /\ outcome' = [outcome EXCEPT ![w] = "UnknownOutcome"]
  /\ UNCHANGED <<log, durable, published>>

(* The caller is told that its write was not even logged, by the path or by its own callback. *)
Refuse(w) ==
  /\ outcome[w] = "pending"
  /\ ~Logged(w)
  /\ \E refusal \in Refusals : outcome' = [outcome EXCEPT ![w] = refusal]
  /\ UNCHANGED <<log, durable, published>>

Next ==
  \/ \E w \in AllWrites : Submit(w) \/ Acknowledge(w) \/ Fail(w) \/ Refuse(w)
  \/ AppendGroup
  \/ MakeDurable
  \/ Publish

Spec == Init /\ [][Next]_contract_vars

-----------------------------------------------------------------------------
(* What follows from the steps above, checked on this module alone. *)
TypeOK ==
  /\ outcome \in [AllWrites -> Outcomes]
  /\ durable \in 0..Len(log)
  /\ published \in 0..Len(log)
  /\ \A i \in 1..Len(log) : log[i] # <<>>

LoggedOnce == \A w \in AllWrites : Cardinality(GroupOf(w)) <= 1

AcknowledgedHolds ==
  \A w \in AllWrites :
    outcome[w] = "OK" => /\ Holds(w)
                         /\ w \in DurableWrites => LoggedUpTo(w, durable)

FailedIsUnseen ==
  \A w \in AllWrites : outcome[w] \in {"UnknownOutcome"} \cup Refusals => ~LoggedUpTo(w, published)
=============================================================================
