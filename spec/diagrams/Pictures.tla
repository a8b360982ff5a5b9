-------------------------------- MODULE Pictures --------------------------------
(* For the pictures alone: fewer behaviours, all of them the spec's, that show     *)
(* every step of a writer all the same.                                            *)
EXTENDS MC

(* Four writers, all queued, in one order, before the first of them leads: so many  *)
(* a group needs before some of them are called to launch others.                   *)
InOrder == <<<<t1, 1>>, <<t2, 1>>, <<t3, 1>>, <<t4, 1>>>>
AllLinked == \A t \in Threads : incarnation[t] = 1 /\ pc[t] # "LinkOne"
QueueUpFirst ==
  ~AllLinked =>
    /\ arrival = SubSeq(InOrder, 1, Len(arrival))
    /\ \A t \in Threads : pc[t] \in {"Write", "LinkOne", "JoinBatchGroup", "JoinBatchGroup_AwaitState",
                                     "EnterAsBatchGroupLeader"}

(* Two with no_slowdown come when the log is as large as it may be. *)
NoSlowdownLater == {<<t2, 1>>, <<t3, 1>>}
LogIsFilledFirst == \A t \in {t2, t3} : incarnation[t] = 0 \/ (incarnation[t] = 1 /\ Len(outcome[t1]) > 0)

(* Two queues: who prepares has company by one writer alone. *)
PreparesBesideOne == pc[t3] # "Write" => pc[t2] = "Write"
=============================================================================
