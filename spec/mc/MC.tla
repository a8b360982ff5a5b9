---------------------------------- MODULE MC ----------------------------------
(* The workloads of the configurations: which writes have an option. *)
EXTENDS WritePath, TLC
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

(* For safety without temporal properties, and workloads that do not tell threads apart. *)
ThreadsAlike == Permutations(Threads)
=============================================================================
