---------------------------------- MODULE MC ----------------------------------
(* The workloads of the configurations: which writes have sync. *)
EXTENDS WritePath
CONSTANTS t1, t2, t3

NoSync == {}
FirstSync == {<<t1, 1>>}
LaterSync == {<<t2, 1>>}
MixedSync == {<<t1, 2>>, <<t2, 1>>}
AllSync == AllWrites
=============================================================================
