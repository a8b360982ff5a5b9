------------------------------ MODULE MCRecovery ------------------------------
(* The workloads of the configurations with crashes and readers. *)
EXTENDS Recovery, MC
CONSTANT r1

SecondSync == {<<t1, 2>>}
=============================================================================
