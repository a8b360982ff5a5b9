---------------------------- MODULE StateWordFaults ----------------------------
(* Seeded faults of AwaitState and SetState: see Faults. *)
EXTENDS StateWord

(* SetState stores and notifies without the mutex: the owner may be between its look and its wait. *)
SetState_Lock_without_mutex(s) ==
  /\ setter[s] = "SetState_Lock"
  /\ Touch(s)
  /\ Goto(s, "SetState_LockedStore")
  /\ UNCHANGED <<owner_vars, state, mutex, enqueued, loaded, target, begun, set>>

(* SetState stores where it should exchange: STATE_LOCKED_WAITING is overwritten, nobody notifies. *)
SetState_Cas_is_a_store(s) ==
  /\ setter[s] = "SetState_Cas"
  /\ Touch(s)
  /\ state' = target[s][2]
  /\ set' = set + 1
  /\ loaded' = [loaded EXCEPT ![s] = 0]
  /\ Leave(s)
  /\ UNCHANGED <<owner_vars, mutex, enqueued, begun>>

(* SetState notifies after its CAS, as std::atomic's store and notify_one would. *)
SetState_Cas_then_notify(s) ==
  \/ /\ setter[s] = "SetState_Cas"
     /\ Touch(s)
     /\ IF state = loaded[s]
        THEN /\ state' = target[s][2]
             /\ set' = set + 1
             /\ Goto(s, "SetState_NotifyLate")
        ELSE /\ Goto(s, "SetState_Lock")
             /\ UNCHANGED <<state, set>>
     /\ loaded' = [loaded EXCEPT ![s] = 0]
     /\ UNCHANGED <<owner_vars, mutex, enqueued, begun, target>>
  \/ /\ setter[s] = "SetState_NotifyLate"
     /\ Touch(s)
     /\ enqueued' = FALSE
     /\ Leave(s)
     /\ UNCHANGED <<owner_vars, state, mutex, loaded, begun, set>>

(* The owner stores STATE_LOCKED_WAITING where it should exchange: the state it awaits is lost. *)
BlockingAwaitState_Cas_is_a_store ==
  /\ owner = "BlockingAwaitState_Cas"
  /\ state' = LOCKED_WAITING
  /\ owner' = "BlockingAwaitState_Lock"
  /\ expected' = 0
  /\ UNCHANGED <<life, seen, mutex, enqueued, setter_vars>>

(* A state is set before the owner has seen the last: it awaits across an intermediate state. *)
SetState_Load_too_soon(s) ==
  /\ \A other \in Setters : setter[other] = "Idle"
  /\ owner # "Return"
  /\ begun < Changes
  /\ begun' = begun + 1
  /\ target' = [target EXCEPT ![s] = <<life, begun + 1>>]
  /\ loaded' = [loaded EXCEPT ![s] = IF state = LOCKED_WAITING THEN 0 ELSE state]
  /\ Goto(s, IF state = LOCKED_WAITING THEN "SetState_Lock" ELSE "SetState_Cas")
  /\ UNCHANGED <<owner_vars, state, mutex, enqueued, set, lifetime_ok>>

(* Nobody notifies. *)
SetState_Notify_forgotten(s) ==
  /\ setter[s] = "SetState_Notify"
  /\ Touch(s)
  /\ Goto(s, "SetState_Unlock")
  /\ UNCHANGED <<owner_vars, state, mutex, enqueued, loaded, target, begun, set>>

(* The mutex is constructed by the owner when it first blocks, and a parallel writer that reports its *)
(* error locks it all the same: the owner may never have blocked.                                   *)
Constructed ==
  owner \in {"BlockingAwaitState_Lock", "BlockingAwaitState_LockedLoad", "BlockingAwaitState_Wait",
             "BlockingAwaitState_Wake", "BlockingAwaitState_Unlock"}
Environment_reports_under_raw_mutex ==
  \/ /\ enqueued
     /\ enqueued' = FALSE
     /\ UNCHANGED <<owner_vars, state, mutex, setter_vars>>
  \/ /\ owner # "Return"
     /\ mutex = NOBODY
     /\ lifetime_ok' = (lifetime_ok /\ Constructed)
     /\ UNCHANGED <<owner_vars, state, mutex, enqueued, setter, loaded, target, begun, set>>
=============================================================================
