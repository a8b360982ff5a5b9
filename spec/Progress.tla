------------------------------- MODULE Progress -------------------------------
(* Termination without a search for cycles. Every step of a finite workload     *)
(* raises a number (ACYCLIC), so no behaviour takes steps for ever; without     *)
(* deadlock the last state of a fair one is that in which all have returned: an *)
(* error of the environment is possible only where its thread can take a step,  *)
(* too. So ACYCLIC and freedom from deadlock are LIVE_COMPLETE, at the price of *)
(* an invariant, and, unlike it, with symmetry. Checkpointers call for ever:    *)
(* their configurations need LIVE_STALL.                                        *)
EXTENDS WritePath

(* The order in which a call goes through its actions. Those that it takes more than once go from    *)
(* one writer to the next, and change its state or insert its batch.                                *)
Unbatching == <<"RunUnbatched", "WaitForMemTableWriters", "WaitForMemTableWriters_LinkOne",
                "WaitForMemTableWriters_AwaitState", "WaitForMemTableWriters_Store", "LinkOne", "JoinBatchGroup",
                "JoinBatchGroup_AwaitState", "EnterUnbatched", "Close", "Checkpoint", "ExitUnbatched">>
Logging == <<"PreprocessWrite", "PreprocessWrite_FirstError", "BeginWriteStall", "BeginWriteStall_CompleteWriter",
             "EndWriteStall", "EnterAsBatchGroupLeader", "EnterAsBatchGroupLeader_Graft", "WriteToWAL_FirstError",
             "WriteToWAL", "WriteToWAL_Sync", "PreReleaseError">>
LeavingPipelined == <<"ExitAsBatchGroupLeader_Dummy", "ExitAsBatchGroupLeader_CompleteFollower",
                      "ExitAsBatchGroupLeader_CompleteLeader", "LinkGroup", "LinkGroup_SetState",
                      "ExitAsBatchGroupLeader", "ExitAsBatchGroupLeader_SetState",
                      "ExitAsBatchGroupLeader_AwaitState">>
MemTablePhase == <<"EnterAsMemTableWriter", "EnterAsMemTableWriter_FirstError", "LaunchParallelMemTableWriters",
                   "LaunchParallelMemTableWriters_Leader", "LaunchParallelMemTableWriters_SetState",
                   "SetMemWritersEachStride_Caller", "SetMemWritersEachStride", "InsertInto",
                   "CompleteParallelMemTableWriter", "CompleteParallelMemTableWriter_AwaitState",
                   "SetLastSequence_FirstError", "SetLastSequence", "Poison", "ExitAsMemTableWriter",
                   "ExitAsMemTableWriter_SetState", "ExitAsMemTableWriter_CompleteWriter",
                   "ExitAsMemTableWriter_CompleteLeader">>
Leaving == <<"ExitAsBatchGroupLeader", "ExitAsBatchGroupLeader_SetState", "ExitAsBatchGroupLeader_CompleteFollower",
             "ExitAsBatchGroupFollower">>
Way ==
  Unbatching \o Logging \o (IF Pipelined THEN LeavingPipelined \o MemTablePhase ELSE MemTablePhase \o Leaving)
    \o <<"Write_Return">>
PlaceOnWay == [label \in Queue!Range(Way) |-> CHOOSE i \in 1..Len(Way) : Way[i] = label]

(* A Writer's state never goes back. *)
StateOrder == <<"STATE_INIT", "STATE_GROUP_LEADER", "STATE_MEMTABLE_WRITER_LEADER",
                "STATE_PARALLEL_MEMTABLE_CALLER", "STATE_PARALLEL_MEMTABLE_WRITER", "STATE_COMPLETED">>
PlaceOfState == [s \in Queue!Range(StateOrder) |-> CHOOSE i \in 1..Len(StateOrder) : StateOrder[i] = s]

(* The weights: a step on its way is worth more than any change of its state, a call more than its way *)
(* and that of the second Writer.                                                                    *)
StepWeight == Len(StateOrder)
CallWeight == 2 * StepWeight * (Len(Way) + 1)

LeadsUnbatched(t) ==
  /\ pc[t] # "Write"
  /\ Me(t) \in Unbatched
  /\ PlaceOnWay[pc[t]] > PlaceOnWay["EnterUnbatched"]

(* The second Writer of an unbatched call is through when it is back at "Write", until that returns. *)
StepsOf(f) ==
  IF pc[f] # "Write" THEN PlaceOnWay[pc[f]]
  ELSE IF f = "SECOND" /\ \E t \in Threads : LeadsUnbatched(t) THEN Len(Way) + 1
  ELSE 0
CallsOf(f) == IF pc[f] = "Write" \/ f = "SECOND" THEN incarnation[f] ELSE incarnation[f] - 1

ProgressOf(f) == CallWeight * CallsOf(f) + StepWeight * StepsOf(f) + PlaceOfState[state[f]]
RECURSIVE Total(_)
Total(frames) ==
  IF frames = {} THEN 0 ELSE LET f == CHOOSE f \in frames : TRUE IN ProgressOf(f) + Total(frames \ {f})
Progress == Total(Frames) + Cardinality(memtable)

ACYCLIC == [][Progress' > Progress]_vars
=============================================================================
