--------------------------------- MODULE Word ---------------------------------
(* What StateWord refines: a word that others set and its owner awaits.         *)
EXTENDS Naturals

VARIABLES
  word,   \* the number of the state that was set last
  seen    \* the number of the state that the owner saw last

Init == word = 0 /\ seen = 0

(* SetState: one step. The next state is set once the owner has seen the last. *)
Set == seen = word /\ word' = word + 1 /\ UNCHANGED seen

(* AwaitState: one step. *)
Await == seen # word /\ seen' = word /\ UNCHANGED word

Spec == Init /\ [][Set \/ Await]_<<word, seen>>
=============================================================================
