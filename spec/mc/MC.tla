---------------------------------- MODULE MC ----------------------------------
(* The workloads of the configurations: which writes have an option. *)
EXTENDS WritePathProperties, Progress, TLC
CONSTANTS t1, t2, t3, t4

NoSync == {}
None == {}
First == {<<t1, 1>>}
Later == {<<t2, 1>>}
Last == {<<t3, 1>>}
FirstSync == {<<t1, 1>>}
LaterSync == {<<t2, 1>>}
LaterSyncs == {<<t2, 1>>, <<t3, 1>>}
MixedSync == {<<t1, 2>>, <<t2, 1>>}
AllSync == AllWrites
SecondOfT1 == {<<t1, 2>>}
SecondOfT2 == {<<t2, 2>>}
OfT4 == {<<t4, 1>>}
OfT2 == {<<t2, 1>>, <<t2, 2>>}
FirstTwo == {<<t1, 1>>, <<t2, 1>>}
(* Two-phase commit: t1 prepares and commits; t2 prepares and rolls back, or writes, then prepares. *)
Commit == {<<t1, 2>>}
CommitSync == {<<t1, 2>>}
Prepare == {<<t1, 1>>}
PrepareAndRollback == {<<t1, 1>>, <<t2, 1>>, <<t2, 2>>}
PrepareTwice == {<<t1, 1>>, <<t2, 2>>}

(* For safety without temporal properties, and workloads that do not tell threads apart. *)
ThreadsAlike == Permutations(Threads)
OthersAlike == Permutations(Threads \ {t3})
ThreeAlike == Permutations({t1, t2, t3})
TwoAlike == Permutations({t1, t2})

(* Constraints: the threads begin, and link themselves, in one order. If they are all alike, that leaves one *)
(* of the states that differ by names alone: as many as TLC's symmetry does, without it.                  *)
Turn(t) == CASE t = t1 -> 1 [] t = t2 -> 2 [] t = t3 -> 3 [] t = t4 -> 4
HasLinked(t) == incarnation[t] > 0 /\ pc[t] # "LinkOne"
InTurn ==
  \A t, u \in Threads : Turn(u) < Turn(t) =>
    /\ incarnation[t] > 0 => incarnation[u] > 0
    /\ HasLinked(t) => HasLinked(u)
=============================================================================
