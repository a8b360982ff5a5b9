----------------------------- MODULE AtomicWrites -----------------------------
(* What a caller is promised: a write takes effect in one step, in the order of *)
(* a log, durably if it asked for that, or it fails and has no effect that      *)
(* anybody can see before a recovery. A reader sees what the log held at one    *)
(* moment. A crash takes a suffix of the log that was not durable, and no more. *)
(*                                                                              *)
(* The log is a sequence of groups; a group is a sequence of writes that are    *)
(* logged, made durable and published together.                                 *)
EXTENDS Naturals, Sequences, FiniteSets

CONSTANTS
  AllWrites,     \* every write that is ever submitted
  DurableWrites, \* those that are acknowledged only when they are durable (sync = true)
  UnseenWrites,  \* those that put nothing where readers look (disable_memtable: Prepare)
  Readers

VARIABLES
  log,         \* the groups, oldest first
  durable,     \* how many groups survive a crash for certain
  published,   \* how many groups readers see
  recovered,   \* how many groups the last recovery found
  outcome,     \* of each write: "idle", "pending", or what its caller was told
  snapshot,    \* of each reader: <<how many groups it sees>>, once it took one
  seen         \* of each reader: <<the writes that it found>>, once it has read

log_vars == <<log, durable, published, recovered>>
reader_vars == <<snapshot, seen>>
contract_vars == <<log_vars, outcome, reader_vars>>

GroupOf(w) == {i \in 1..Len(log) : \E j \in 1..Len(log[i]) : log[i][j] = w}
Logged(w) == GroupOf(w) # {}
LoggedUpTo(w, n) == \E i \in GroupOf(w) : i <= n

Refusals == {"Aborted", "CallbackFailed"}
(* Lost: acknowledged without being durable, and a crash took it. *)
Outcomes == {"idle", "pending", "OK", "UnknownOutcome", "Lost"} \cup Refusals

NoSnapshot == [r \in Readers |-> <<>>]

Init ==
  /\ log = <<>>
  /\ durable = 0
  /\ published = 0
  /\ recovered = 0
  /\ outcome = [w \in AllWrites |-> "idle"]
  /\ snapshot = NoSnapshot
  /\ seen = NoSnapshot

(* The call begins. *)
Submit(w) ==
  /\ outcome[w] = "idle"
  /\ outcome' = [outcome EXCEPT ![w] = "pending"]
  /\ UNCHANGED <<log_vars, reader_vars>>

(* The orders in which a set of writes may stand in a group. *)
RECURSIVE Orders(_)
Orders(writes) ==
  IF writes = {} THEN {<<>>} ELSE UNION {{Append(order, w) : order \in Orders(writes \ {w})} : w \in writes}

(* Some of the pending writes are appended to the log, as one group, in some order. *)
AppendGroup ==
  /\ \E writes \in SUBSET {w \in AllWrites : outcome[w] = "pending" /\ ~Logged(w)} \ {{}} :
       \E group \in Orders(writes) : log' = Append(log, group)
  /\ UNCHANGED <<durable, published, recovered, outcome, reader_vars>>

(* A prefix of the log becomes durable. *)
MakeDurable ==
  /\ \E n \in durable + 1 .. Len(log) : durable' = n
  /\ UNCHANGED <<log, published, recovered, outcome, reader_vars>>

(* A prefix of the log becomes visible, in one step; no write in it has been reported as failed. *)
Publish ==
  /\ \E n \in published + 1 .. Len(log) :
       /\ published' = n
       /\ \A w \in AllWrites :
            LoggedUpTo(w, n) /\ ~LoggedUpTo(w, published) => outcome[w] \in {"pending", "OK"}
  /\ UNCHANGED <<log, durable, recovered, outcome, reader_vars>>

(* What the caller of w may rely on: it is in the log and, if it is to be seen, seen. *)
Holds(w) == LoggedUpTo(w, IF w \in UnseenWrites THEN Len(log) ELSE published)

(* The caller is told that its write holds. *)
Acknowledge(w) ==
  /\ outcome[w] = "pending"
  /\ Holds(w)
  /\ w \in DurableWrites => LoggedUpTo(w, durable)
  /\ outcome' = [outcome EXCEPT ![w] = "OK"]
  /\ UNCHANGED <<log_vars, reader_vars>>

(* The caller is told that nobody sees its write, and that a recovery decides whether it holds. *)
Fail(w) ==
  /\ outcome[w] = "pending"
  /\ ~LoggedUpTo(w, published)
  /\ outcome' = [outcome EXCEPT ![w] = "UnknownOutcome"]
  /\ UNCHANGED <<log_vars, reader_vars>>

(* The caller is told that its write was not even logged, by the path or by its own callback. *)
Refuse(w) ==
  /\ outcome[w] = "pending"
  /\ ~Logged(w)
  /\ \E refusal \in Refusals : outcome' = [outcome EXCEPT ![w] = refusal]
  /\ UNCHANGED <<log_vars, reader_vars>>

(* A reader takes a snapshot: it will see the groups that are published now, and no other. *)
TakeSnapshot(r) ==
  /\ snapshot[r] = <<>>
  /\ snapshot' = [snapshot EXCEPT ![r] = <<published>>]
  /\ UNCHANGED <<log_vars, outcome, seen>>

(* It reads: every write of those groups, each whole. *)
Read(r) ==
  /\ snapshot[r] # <<>>
  /\ seen[r] = <<>>
  /\ seen' = [seen EXCEPT ![r] = <<{w \in AllWrites \ UnseenWrites : LoggedUpTo(w, snapshot[r][1])}>>]
  /\ UNCHANGED <<log_vars, outcome, snapshot>>

(* It is through with its snapshot. *)
ReleaseSnapshot(r) ==
  /\ snapshot[r] # <<>>
  /\ snapshot' = [snapshot EXCEPT ![r] = <<>>]
  /\ seen' = [seen EXCEPT ![r] = <<>>]
  /\ UNCHANGED <<log_vars, outcome>>

(* A crash, and the recovery after it: of the groups that were not durable a prefix is kept. What is *)
(* kept is durable and visible, whatever its callers were told. Who was waiting is told nothing.     *)
CrashAndRecover ==
  \E n \in durable .. Len(log) :
    /\ log' = SubSeq(log, 1, n)
    /\ durable' = n
    /\ published' = n
    /\ recovered' = n
    /\ outcome' = [w \in AllWrites |->
                     CASE outcome[w] = "pending" -> "UnknownOutcome"
                       [] outcome[w] = "OK" /\ ~LoggedUpTo(w, n) -> "Lost"
                       [] OTHER -> outcome[w]]
    /\ snapshot' = NoSnapshot
    /\ seen' = NoSnapshot

Next ==
  \/ \E w \in AllWrites : Submit(w) \/ Acknowledge(w) \/ Fail(w) \/ Refuse(w)
  \/ AppendGroup
  \/ MakeDurable
  \/ Publish
  \/ \E r \in Readers : TakeSnapshot(r) \/ Read(r) \/ ReleaseSnapshot(r)
  \/ CrashAndRecover

Spec == Init /\ [][Next]_contract_vars

-----------------------------------------------------------------------------
(* What follows from the steps above, checked on this module alone. *)
TypeOK ==
  /\ outcome \in [AllWrites -> Outcomes]
  /\ durable \in 0..Len(log)
  /\ published \in recovered..Len(log)
  /\ \A r \in Readers : snapshot[r] = <<>> \/ snapshot[r][1] \in 0..Len(log)
  /\ \A r \in Readers : seen[r] = <<>> \/ seen[r][1] \subseteq AllWrites
  /\ \A i \in 1..Len(log) : log[i] # <<>>

LoggedOnce == \A w \in AllWrites : Cardinality(GroupOf(w)) <= 1

AcknowledgedHolds ==
  \A w \in AllWrites :
    outcome[w] = "OK" => /\ Holds(w)
                         /\ w \in DurableWrites => LoggedUpTo(w, durable)

(* Until a recovery has decided about it. *)
FailedIsUnseen ==
  \A w \in AllWrites :
    outcome[w] \in {"UnknownOutcome"} \cup Refusals =>
      \/ ~LoggedUpTo(w, published)
      \/ /\ outcome[w] = "UnknownOutcome"
         /\ LoggedUpTo(w, recovered)

(* A crash takes nothing that was acknowledged as durable. *)
DurableIsKept == \A w \in DurableWrites : outcome[w] # "Lost"

(* Of the writes of one group a reader saw all or none; of a write that inserts nothing it sees none. *)
ReadsAreAtomic ==
  \A r \in Readers : seen[r] # <<>> =>
    \A i \in 1..Len(log) :
      LET writes == {log[i][j] : j \in 1..Len(log[i])} \ UnseenWrites
      IN  writes \subseteq seen[r][1] \/ writes \cap seen[r][1] = {}
=============================================================================
