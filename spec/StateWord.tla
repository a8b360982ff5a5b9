------------------------------- MODULE StateWord -------------------------------
(* The state word of a Writer: RocksDB's WriteThread::AwaitState,               *)
(* BlockingAwaitState and SetState.                                             *)
(*                                                                              *)
(* The owner of the Writer awaits states that others set, one after the other.  *)
(* It spins, then blocks: STATE_LOCKED_WAITING obliges whoever sets the state   *)
(* to use the mutex. With the last state it returns, and its frame holds the    *)
(* next Writer: nobody may touch the old one then. A condition variable may     *)
(* wake spuriously; looking at the state and enqueuing are two steps.           *)
EXTENDS Naturals, FiniteSets

CONSTANTS
  Setters,   \* the threads that set states
  Changes,   \* how many states are set in the life of a Writer, the last terminal
  Lives,     \* how many Writers live in the owner's frame, one after the other
  OWNER,     \* the owner, as holder of the mutex
  NOBODY,
  LOCKED_WAITING  \* STATE_LOCKED_WAITING; the states that are awaited are numbers

VARIABLES
  owner,      \* where the owner stands; by the owner
  life,       \* the number of its Writer; by the owner
  seen,       \* the number of the state that it saw last; by the owner
  state,      \* the word: the number of the state set last, or LOCKED_WAITING; atomic; by both
  expected,   \* what the owner's CAS expects; by the owner
  mutex,      \* who holds the Writer's mutex; by both
  enqueued,   \* the owner is in the queue of the condition variable; by the owner, and who notifies
  setter,     \* where each setter stands; by the setter
  loaded,     \* what its CAS expects; by the setter
  target,     \* <<life, number>> of the state that it sets; by the setter
  begun,      \* how many states of this life somebody has begun to set; by them; their order is given from outside
  set,        \* history: how many are set; by the setter
  lifetime_ok \* history: FALSE once a Writer was touched after its owner may have returned; by the setter

vars == <<owner, life, seen, state, expected, mutex, enqueued, setter, loaded, target, begun, set, lifetime_ok>>
owner_vars == <<owner, life, seen, expected>>
setter_vars == <<setter, loaded, target, begun, set, lifetime_ok>>

Init ==
  /\ owner = "Run"
  /\ life = 1
  /\ seen = 0
  /\ state = 0
  /\ expected = 0
  /\ mutex = NOBODY
  /\ enqueued = FALSE
  /\ setter = [s \in Setters |-> "Idle"]
  /\ loaded = [s \in Setters |-> 0]
  /\ target = [s \in Setters |-> <<0, 0>>]
  /\ begun = 0
  /\ set = 0
  /\ lifetime_ok = TRUE

Goal(value) == value # LOCKED_WAITING /\ value # seen

-----------------------------------------------------------------------------
(* The owner saw a goal: it goes on, and after the last state returns. *)
Saw(value) ==
  /\ seen' = value
  /\ owner' = IF value = Changes THEN "Return" ELSE "Run"

(* WriteThread::JoinBatchGroup, and whoever else calls AwaitState: what the owner does between two *)
(* states. Others see nothing of it.                                                               *)
Run ==
  /\ owner = "Run"
  /\ owner' = "AwaitState_Load"
  /\ UNCHANGED <<life, seen, expected, state, mutex, enqueued, setter_vars>>

(* WriteThread::AwaitState: the load of the spin that sees a goal. Others see nothing of it. *)
AwaitState_Load ==
  /\ owner = "AwaitState_Load"
  /\ Goal(state)
  /\ Saw(state)
  /\ UNCHANGED <<life, expected, state, mutex, enqueued, setter_vars>>

(* WriteThread::BlockingAwaitState: it has spun enough; the load before the CAS. Others see        *)
(* nothing of it.                                                                                  *)
BlockingAwaitState_Load ==
  /\ owner = "AwaitState_Load"
  /\ ~Goal(state)
  /\ expected' = state
  /\ owner' = "BlockingAwaitState_Cas"
  /\ UNCHANGED <<life, seen, state, mutex, enqueued, setter_vars>>

(* WriteThread::BlockingAwaitState: the CAS to STATE_LOCKED_WAITING. If it fails, the goal was met *)
(* meanwhile. Others see it: who sets the state has to use the mutex.                              *)
BlockingAwaitState_Cas ==
  /\ owner = "BlockingAwaitState_Cas"
  /\ IF state = expected
     THEN /\ state' = LOCKED_WAITING
          /\ owner' = "BlockingAwaitState_Lock"
          /\ UNCHANGED seen
     ELSE Saw(state) /\ UNCHANGED state
  /\ expected' = 0
  /\ UNCHANGED <<life, mutex, enqueued, setter_vars>>

(* WriteThread::BlockingAwaitState: the lock of the mutex. Others see it: who sets the state waits *)
(* for it.                                                                                         *)
BlockingAwaitState_Lock ==
  /\ owner = "BlockingAwaitState_Lock"
  /\ mutex = NOBODY
  /\ mutex' = OWNER
  /\ owner' = "BlockingAwaitState_LockedLoad"
  /\ UNCHANGED <<life, seen, expected, state, enqueued, setter_vars>>

(* WriteThread::BlockingAwaitState: the predicate, under the mutex. Others see nothing of it. *)
BlockingAwaitState_LockedLoad ==
  /\ owner = "BlockingAwaitState_LockedLoad"
  /\ owner' = IF state = LOCKED_WAITING THEN "BlockingAwaitState_Wait" ELSE "BlockingAwaitState_Unlock"
  /\ UNCHANGED <<life, seen, expected, state, mutex, enqueued, setter_vars>>

(* WriteThread::BlockingAwaitState, condition_variable::wait: it enqueues and gives up the mutex.  *)
(* Others see the mutex, and whom they notify.                                                     *)
BlockingAwaitState_Wait ==
  /\ owner = "BlockingAwaitState_Wait"
  /\ enqueued' = TRUE
  /\ mutex' = NOBODY
  /\ owner' = "BlockingAwaitState_Wake"
  /\ UNCHANGED <<life, seen, expected, state, setter_vars>>

(* WriteThread::BlockingAwaitState: it was notified, and is to take the mutex again. Others see    *)
(* nothing of it.                                                                                  *)
BlockingAwaitState_Wake ==
  /\ owner = "BlockingAwaitState_Wake"
  /\ ~enqueued
  /\ owner' = "BlockingAwaitState_Lock"
  /\ UNCHANGED <<life, seen, expected, state, mutex, enqueued, setter_vars>>

(* WriteThread::BlockingAwaitState: the unlock; it saw its goal under the mutex. Others see the    *)
(* mutex.                                                                                          *)
BlockingAwaitState_Unlock ==
  /\ owner = "BlockingAwaitState_Unlock"
  /\ mutex' = NOBODY
  /\ Saw(state)
  /\ UNCHANGED <<life, expected, state, enqueued, setter_vars>>

(* DBImpl::Write: the call returns. The frame is used for the next Writer: its mutex is free, and  *)
(* nobody waits. Others see nothing of it: whoever touches the old Writer now touches the next.    *)
Return ==
  /\ owner = "Return"
  /\ life < Lives
  /\ life' = life + 1
  /\ owner' = "Run"
  /\ seen' = 0
  /\ state' = 0
  /\ mutex' = NOBODY
  /\ enqueued' = FALSE
  /\ begun' = 0
  /\ set' = 0
  /\ UNCHANGED <<expected, setter, loaded, target, lifetime_ok>>

(* Environment: condition_variable::wait ends for no reason. Others see nothing of it. *)
SpuriousWake ==
  /\ enqueued
  /\ enqueued' = FALSE
  /\ UNCHANGED <<owner_vars, state, mutex, setter_vars>>

-----------------------------------------------------------------------------
Touch(s) == lifetime_ok' = (lifetime_ok /\ target[s][1] = life /\ owner # "Return")
Goto(s, label) == setter' = [setter EXCEPT ![s] = label]
Leave(s) ==
  /\ setter' = [setter EXCEPT ![s] = "Idle"]
  /\ target' = [target EXCEPT ![s] = <<0, 0>>]

(* WriteThread::SetState: the load. The next state is due once the owner has seen the last. Others *)
(* see nothing of it.                                                                              *)
SetState_Load(s) ==
  /\ setter[s] = "Idle"
  /\ owner # "Return"
  /\ begun = seen
  /\ begun' = begun + 1
  /\ target' = [target EXCEPT ![s] = <<life, begun + 1>>]
  /\ loaded' = [loaded EXCEPT ![s] = IF state = LOCKED_WAITING THEN 0 ELSE state]
  /\ Goto(s, IF state = LOCKED_WAITING THEN "SetState_Lock" ELSE "SetState_Cas")
  /\ UNCHANGED <<owner_vars, state, mutex, enqueued, set, lifetime_ok>>

(* WriteThread::SetState: the CAS. If it succeeds nothing may be touched any more; if not, the     *)
(* owner waits locked. Others see the state: the owner, who may return.                            *)
SetState_Cas(s) ==
  /\ setter[s] = "SetState_Cas"
  /\ Touch(s)
  /\ IF state = loaded[s]
     THEN /\ state' = target[s][2]
          /\ set' = set + 1
          /\ Leave(s)
     ELSE /\ Goto(s, "SetState_Lock")
          /\ UNCHANGED <<state, set, target>>
  /\ loaded' = [loaded EXCEPT ![s] = 0]
  /\ UNCHANGED <<owner_vars, mutex, enqueued, begun>>

(* WriteThread::SetState: the lock of the mutex, for an owner that waits locked. Others see it:    *)
(* the owner waits for it.                                                                         *)
SetState_Lock(s) ==
  /\ setter[s] = "SetState_Lock"
  /\ mutex = NOBODY
  /\ Touch(s)
  /\ mutex' = s
  /\ Goto(s, "SetState_LockedStore")
  /\ UNCHANGED <<owner_vars, state, enqueued, loaded, target, begun, set>>

(* WriteThread::SetState: the store, under the mutex. Others see the state: the owner, if it wakes *)
(* by itself, but it cannot have the mutex yet.                                                    *)
SetState_LockedStore(s) ==
  /\ setter[s] = "SetState_LockedStore"
  /\ Touch(s)
  /\ state' = target[s][2]
  /\ set' = set + 1
  /\ Goto(s, "SetState_Notify")
  /\ UNCHANGED <<owner_vars, mutex, enqueued, loaded, target, begun>>

(* WriteThread::SetState, condition_variable::notify_one. Others see it: the owner wakes. *)
SetState_Notify(s) ==
  /\ setter[s] = "SetState_Notify"
  /\ Touch(s)
  /\ enqueued' = FALSE
  /\ Goto(s, "SetState_Unlock")
  /\ UNCHANGED <<owner_vars, state, mutex, loaded, target, begun, set>>

(* WriteThread::SetState: the unlock. Others see the mutex: the owner may have it, return, and     *)
(* destroy it.                                                                                     *)
SetState_Unlock(s) ==
  /\ setter[s] = "SetState_Unlock"
  /\ Touch(s)
  /\ mutex' = NOBODY
  /\ Leave(s)
  /\ UNCHANGED <<owner_vars, state, enqueued, loaded, begun, set>>

-----------------------------------------------------------------------------
OwnerStep ==
  \/ Run
  \/ AwaitState_Load
  \/ BlockingAwaitState_Load
  \/ BlockingAwaitState_Cas
  \/ BlockingAwaitState_Lock
  \/ BlockingAwaitState_LockedLoad
  \/ BlockingAwaitState_Wait
  \/ BlockingAwaitState_Wake
  \/ BlockingAwaitState_Unlock
  \/ Return

(* The rest of a SetState that has begun. *)
SetterStep(s) ==
  \/ SetState_Cas(s)
  \/ SetState_Lock(s)
  \/ SetState_LockedStore(s)
  \/ SetState_Notify(s)
  \/ SetState_Unlock(s)

AllSeen == owner = "Return" /\ life = Lives
Done == AllSeen /\ (\A s \in Setters : setter[s] = "Idle") /\ UNCHANGED vars

Next ==
  \/ OwnerStep
  \/ \E s \in Setters : SetState_Load(s) \/ SetterStep(s)
  \/ SpuriousWake
  \/ Done

(* Spurious wakes may take the mutex again and again: it must be fair to who sets the state. *)
Fairness ==
  /\ WF_vars(OwnerStep)
  /\ \A s \in Setters : SF_vars(SetState_Lock(s))
  /\ \A s \in Setters : WF_vars(SetterStep(s))
  /\ WF_vars(\E s \in Setters : SetState_Load(s))

Spec == Init /\ [][Next]_vars
FairSpec == Spec /\ Fairness

-----------------------------------------------------------------------------
(* A waiter that is enqueued while its goal is met is about to be notified. *)
INV_WAKEUP == enqueued /\ set # seen => \E s \in Setters : setter[s] = "SetState_Notify"
INV_LIFETIME == lifetime_ok
LIVE_COMPLETE == <>AllSeen

(* The word of all lives, one after the other. *)
Abstract == INSTANCE Word WITH
  word <- (life - 1) * Changes + set,
  seen <- (life - 1) * Changes + seen
REFINES_Word == Abstract!Spec
=============================================================================
