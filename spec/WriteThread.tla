------------------------------ MODULE WriteThread ------------------------------
(* The queue of writers and its leader: RocksDB's class WriteThread.            *)
(*                                                                              *)
(* A Writer is one call of Write. It lives in the frame of the calling thread,  *)
(* so its address is used again by the thread's next write: a pointer is        *)
(* <<thread, incarnation>>. A CAS compares addresses only; every dereference    *)
(* checks that this incarnation is alive (Touch). A WriteGroup lives in the     *)
(* frame of its leader and has the leader's address.                            *)
(*                                                                              *)
(* An action is one shared access that others can observe. Failed CAS attempts  *)
(* and spinning are stuttering steps. Plain accesses belong to the action       *)
(* beside them, because the accessor owns the Writer at that time: its caller   *)
(* until LinkOne, then the leader of the queue, then, from its terminal state   *)
(* on, its caller again.                                                        *)
EXTENDS Naturals, Sequences, FiniteSets

CONSTANTS
  Threads,        \* the callers of Write
  Writes,         \* how many writes each of them issues, one after the other
  SyncWrites,     \* the writes with sync = true: a set of <<thread, number>>
  MaxGroup,       \* max_write_batch_group_size_bytes, counted in writers
  NULL

VARIABLES
  pc,             \* where a thread stands: the name of its next action; "Write": no write in flight
  incarnation,    \* the number of the thread's current or last write; by Write
  newest_writer,  \* tail of the queue; by CAS: LinkOne, and the leader to graft and to leave
  \* the Writer of each thread
  state,          \* by its caller (JoinBatchGroup) or the leader of the queue (SetState)
  link_older,     \* by its caller before LinkOne is visible, then by the leader of the queue
  link_newer,     \* by the leader of the queue
  write_group,    \* the leader of the group that it is in; by that leader
  sequence,       \* of its first operation; by the leader of its group
  status,         \* by the leader of its group; the leader's own is that of the group
  \* the WriteGroup of each thread, and the locals of the functions that lead it; by that leader
  last_writer,    \* the newest writer of the group
  group_size,
  tail_seen,      \* EnterAsBatchGroupLeader: the tail that it loaded, which the graft expects
  cursor,         \* the Writer at which it stands: newest skipped, next to insert, next to wake
  \* history, for the properties alone
  arrival,        \* the writers in flight, in the order of their LinkOne
  lifetime_ok     \* FALSE once a dead Writer was dereferenced

States == {"STATE_INIT", "STATE_GROUP_LEADER", "STATE_COMPLETED"}

Address(p) == p[1]
SameAddress(p, q) == IF p = NULL \/ q = NULL THEN p = q ELSE Address(p) = Address(q)
Me(t) == <<t, incarnation[t]>>

InFlight(t) == pc[t] # "Write"
Live(p) == /\ p # NULL
           /\ InFlight(Address(p))
           /\ incarnation[Address(p)] = p[2]

(* The Writers in `pointers` are dereferenced. *)
Touch(pointers) == lifetime_ok' = (lifetime_ok /\ \A p \in pointers : Live(p))

(* p->field := value; through a null pointer nothing is stored: Touch has reported it *)
Store(field, p, value) == IF p = NULL THEN field ELSE [field EXCEPT ![Address(p)] = value]

Range(s) == {s[i] : i \in 1..Len(s)}

(* The writers from `from` to `to` by link_newer; it ends early where the links do. *)
RECURSIVE Chain(_, _, _)
Chain(from, to, newer) ==
  IF from = to \/ newer[Address(from)] = NULL
  THEN <<from>>
  ELSE <<from>> \o Chain(newer[Address(from)], to, newer)

(* What walking such a chain dereferences: NULL if it fell off its end. *)
Walked(chain, to) == Range(chain) \cup (IF chain[Len(chain)] = to THEN {} ELSE {NULL})

(* The members of the group that t leads, oldest first. *)
Group(t) == Chain(Me(t), last_writer[t], link_newer)

(* CreateMissingNewerLinks(head): link_newer, made from head back to the first writer that has it *)
RECURSIVE CreateMissingNewerLinks(_, _)
CreateMissingNewerLinks(head, newer) ==
  LET older == link_older[Address(head)]
  IN  IF older = NULL \/ newer[Address(older)] # NULL
      THEN newer
      ELSE CreateMissingNewerLinks(older, [newer EXCEPT ![Address(older)] = head])

(* What it dereferences. *)
RECURSIVE CreateMissingNewerLinks_Walked(_, _)
CreateMissingNewerLinks_Walked(head, newer) ==
  LET older == link_older[Address(head)]
  IN  IF older = NULL
      THEN {head}
      ELSE IF newer[Address(older)] # NULL
      THEN {head, older}
      ELSE {head} \cup CreateMissingNewerLinks_Walked(older, [newer EXCEPT ![Address(older)] = head])

(* Compatible: may writer w be taken into the group of `leader`? *)
Compatible(leader, w) == w \in SyncWrites => leader \in SyncWrites

(* The group in a queue: its leader, and the compatible writers behind it up to the cap. *)
SelectGroup(queue) ==
  LET leader == Head(queue)
      fitting == SelectSeq(queue, LAMBDA w : w = leader \/ Compatible(leader, w))
  IN  IF Len(fitting) <= MaxGroup THEN fitting ELSE SubSeq(fitting, 1, MaxGroup)

(* The others, which are linked behind the group: in their order. *)
SelectSkipped(queue) == SelectSeq(queue, LAMBDA w : w \notin Range(SelectGroup(queue)))

(* Both links of the writers of `queue`, so that they stand in this order. The oldest keeps its   *)
(* link_older; the newest has no link_newer.                                                      *)
Position(queue, a) == CHOOSE i \in 1..Len(queue) : Address(queue[i]) = a
Addresses(queue) == {Address(queue[i]) : i \in 1..Len(queue)}
LinkedOlder(queue, older) ==
  [a \in Threads |-> IF a \in Addresses(Tail(queue)) THEN queue[Position(queue, a) - 1] ELSE older[a]]
LinkedNewer(queue, newer) ==
  [a \in Threads |->
     IF a \notin Addresses(queue) THEN newer[a]
     ELSE IF a = Address(queue[Len(queue)]) THEN NULL
     ELSE queue[Position(queue, a) + 1]]

(* The writers that a failed graft walks: from the new tail to the one that linked behind `seen`. *)
RECURSIVE Newcomers(_, _)
Newcomers(p, seen) ==
  IF p = NULL \/ SameAddress(link_older[Address(p)], seen)
  THEN <<p>>
  ELSE <<p>> \o Newcomers(link_older[Address(p)], seen)

-----------------------------------------------------------------------------
links == <<link_older, link_newer>>
group == <<write_group, last_writer, group_size>>
result == <<sequence, status>>
Goto(t, label) == pc' = [pc EXCEPT ![t] = label]

Init ==
  /\ pc = [t \in Threads |-> "Write"]
  /\ incarnation = [t \in Threads |-> 0]
  /\ newest_writer = NULL
  /\ state = [t \in Threads |-> "STATE_INIT"]
  /\ link_older = [t \in Threads |-> NULL]
  /\ link_newer = [t \in Threads |-> NULL]
  /\ write_group = [t \in Threads |-> NULL]
  /\ sequence = [t \in Threads |-> 0]
  /\ status = [t \in Threads |-> "OK"]
  /\ last_writer = [t \in Threads |-> NULL]
  /\ group_size = [t \in Threads |-> 0]
  /\ tail_seen = [t \in Threads |-> NULL]
  /\ cursor = [t \in Threads |-> NULL]
  /\ arrival = <<>>
  /\ lifetime_ok = TRUE

(* DBImpl::Write: the next write of t begins; its Writer is constructed. Nobody else can see it. *)
Write(t) ==
  /\ pc[t] = "Write"
  /\ incarnation[t] < Writes
  /\ incarnation' = [incarnation EXCEPT ![t] = @ + 1]
  /\ Goto(t, "LinkOne")
  /\ UNCHANGED <<newest_writer, state, links, group, result, tail_seen, cursor, arrival, lifetime_ok>>

(* WriteThread::LinkOne: the CAS of newest_writer that succeeds. From here on the leader sees it. *)
LinkOne(t) ==
  /\ pc[t] = "LinkOne"
  /\ link_older' = [link_older EXCEPT ![t] = newest_writer]
  /\ newest_writer' = Me(t)
  /\ arrival' = Append(arrival, Me(t))
  /\ Goto(t, IF newest_writer = NULL THEN "JoinBatchGroup" ELSE "JoinBatchGroup_AwaitState")
  /\ UNCHANGED <<incarnation, state, link_newer, group, result, tail_seen, cursor, lifetime_ok>>

(* WriteThread::JoinBatchGroup: it found the queue empty, so it leads. *)
JoinBatchGroup(t) ==
  /\ pc[t] = "JoinBatchGroup"
  /\ state' = [state EXCEPT ![t] = "STATE_GROUP_LEADER"]
  /\ Goto(t, "EnterAsBatchGroupLeader")
  /\ UNCHANGED <<incarnation, newest_writer, links, group, result, tail_seen, cursor, arrival, lifetime_ok>>

(* WriteThread::AwaitState: the load of its own state that sees a goal. *)
JoinBatchGroup_AwaitState(t) ==
  /\ pc[t] = "JoinBatchGroup_AwaitState"
  /\ state[t] \in {"STATE_GROUP_LEADER", "STATE_COMPLETED"}
  /\ Goto(t, IF state[t] = "STATE_GROUP_LEADER" THEN "EnterAsBatchGroupLeader" ELSE "Write_Return")
  /\ UNCHANGED <<incarnation, newest_writer, state, links, group, result, tail_seen, cursor, arrival, lifetime_ok>>

(* WriteThread::EnterAsBatchGroupLeader: the load of newest_writer. Up to the tail that it saw, the *)
(* leader makes the missing link_newer, takes the compatible writers into its group, and links the  *)
(* skipped ones behind them. Others see nothing of it.                                              *)
EnterAsBatchGroupLeader(t) ==
  /\ pc[t] = "EnterAsBatchGroupLeader"
  /\ LET newer == CreateMissingNewerLinks(newest_writer, link_newer)
         queue == Chain(Me(t), newest_writer, newer)
         members == SelectGroup(queue)
         skipped == SelectSkipped(queue)
     IN  /\ Touch(CreateMissingNewerLinks_Walked(newest_writer, link_newer) \cup Walked(queue, newest_writer))
         /\ link_older' = LinkedOlder(members \o skipped, link_older)
         /\ link_newer' = LinkedNewer(members \o skipped, newer)
         /\ write_group' = [a \in Threads |-> IF a \in Addresses(members) THEN Me(t) ELSE write_group[a]]
         /\ last_writer' = [last_writer EXCEPT ![t] = members[Len(members)]]
         /\ group_size' = [group_size EXCEPT ![t] = Len(members)]
         /\ IF skipped = <<>>
            THEN /\ Goto(t, "WriteToWAL")
                 /\ UNCHANGED <<tail_seen, cursor>>
            ELSE /\ Goto(t, "EnterAsBatchGroupLeader_Graft")
                 /\ tail_seen' = [tail_seen EXCEPT ![t] = newest_writer]
                 /\ cursor' = [cursor EXCEPT ![t] = skipped[Len(skipped)]]
  /\ UNCHANGED <<incarnation, newest_writer, state, result, arrival>>

(* WriteThread::EnterAsBatchGroupLeader: the strong CAS of newest_writer from the tail seen to the  *)
(* newest skipped writer. If it failed, writers came since: the oldest of them, which linked behind *)
(* the tail seen, is put behind the newest skipped writer.                                          *)
EnterAsBatchGroupLeader_Graft(t) ==
  /\ pc[t] = "EnterAsBatchGroupLeader_Graft"
  /\ IF SameAddress(newest_writer, tail_seen[t])
     THEN /\ newest_writer' = cursor[t]
          /\ UNCHANGED <<link_older, lifetime_ok>>
     ELSE LET newcomers == Newcomers(newest_writer, tail_seen[t])
          IN  /\ Touch(Range(newcomers))
              /\ link_older' = Store(link_older, newcomers[Len(newcomers)], cursor[t])
              /\ UNCHANGED newest_writer
  /\ tail_seen' = [tail_seen EXCEPT ![t] = NULL]
  /\ cursor' = [cursor EXCEPT ![t] = NULL]
  /\ Goto(t, "WriteToWAL")
  /\ UNCHANGED <<incarnation, state, link_newer, group, result, arrival>>

(* Where the leader goes once the queue is no longer its own: to the followers, newest first. *)
GotoFollowers(t) ==
  LET alone == last_writer[t] = Me(t)
  IN  /\ cursor' = [cursor EXCEPT ![t] = IF alone THEN NULL ELSE last_writer[t]]
      /\ Goto(t, IF alone THEN "Write_Return" ELSE "ExitAsBatchGroupLeader_CompleteFollower")

(* WriteThread::ExitAsBatchGroupLeader: the strong CAS of newest_writer from last_writer to null    *)
(* empties the queue; or the load, or the CAS that failed, saw newer writers: then the one behind   *)
(* last_writer is cut off from the group, to lead next.                                             *)
ExitAsBatchGroupLeader(t) ==
  /\ pc[t] = "ExitAsBatchGroupLeader"
  /\ IF SameAddress(newest_writer, last_writer[t])
     THEN /\ newest_writer' = NULL
          /\ GotoFollowers(t)
          /\ UNCHANGED <<links, lifetime_ok>>
     ELSE LET newer == CreateMissingNewerLinks(newest_writer, link_newer)
              next_leader == newer[Address(last_writer[t])]
          IN  /\ Touch(CreateMissingNewerLinks_Walked(newest_writer, link_newer)
                         \cup {last_writer[t], next_leader})
              /\ link_newer' = newer
              /\ link_older' = Store(link_older, next_leader, NULL)
              /\ cursor' = [cursor EXCEPT ![t] = next_leader]
              /\ Goto(t, "ExitAsBatchGroupLeader_SetState")
              /\ UNCHANGED newest_writer
  /\ UNCHANGED <<incarnation, state, group, result, tail_seen, arrival>>

(* WriteThread::SetState of the next leader: the queue is his, before the followers are completed. *)
ExitAsBatchGroupLeader_SetState(t) ==
  /\ pc[t] = "ExitAsBatchGroupLeader_SetState"
  /\ Touch({cursor[t]})
  /\ state' = Store(state, cursor[t], "STATE_GROUP_LEADER")
  /\ GotoFollowers(t)
  /\ UNCHANGED <<incarnation, newest_writer, links, group, result, tail_seen, arrival>>

(* What the followers of t are told: the leader's own status is that of its group. *)
GroupStatus(t) == status[t]

(* WriteThread::SetState of one follower. It may return, and its Writer die, at once: link_older is *)
(* read before.                                                                                     *)
ExitAsBatchGroupLeader_CompleteFollower(t) ==
  /\ pc[t] = "ExitAsBatchGroupLeader_CompleteFollower"
  /\ LET follower == cursor[t]
         next == link_older[Address(follower)]
         last == SameAddress(next, Me(t))
     IN  /\ Touch({follower})
         /\ status' = Store(status, follower, GroupStatus(t))
         /\ state' = Store(state, follower, "STATE_COMPLETED")
         /\ cursor' = [cursor EXCEPT ![t] = IF last THEN NULL ELSE next]
         /\ Goto(t, IF last THEN "Write_Return" ELSE "ExitAsBatchGroupLeader_CompleteFollower")
  /\ UNCHANGED <<incarnation, newest_writer, links, group, sequence, tail_seen, arrival>>

(* The call returns: its Writer, and the WriteGroup that it led, are dead; their memory is free. *)
Write_Return(t) ==
  /\ pc[t] = "Write_Return"
  /\ state' = [state EXCEPT ![t] = "STATE_INIT"]
  /\ link_older' = [link_older EXCEPT ![t] = NULL]
  /\ link_newer' = [link_newer EXCEPT ![t] = NULL]
  /\ write_group' = [write_group EXCEPT ![t] = NULL]
  /\ sequence' = [sequence EXCEPT ![t] = 0]
  /\ status' = [status EXCEPT ![t] = "OK"]
  /\ last_writer' = [last_writer EXCEPT ![t] = NULL]
  /\ group_size' = [group_size EXCEPT ![t] = 0]
  /\ arrival' = SelectSeq(arrival, LAMBDA p : p # Me(t))
  /\ Goto(t, "Write")
  /\ UNCHANGED <<incarnation, newest_writer, tail_seen, cursor, lifetime_ok>>

-----------------------------------------------------------------------------
(* t holds the leadership: it found the queue empty, or was made leader, and has not given it on. *)
Leads(t) ==
  \/ pc[t] = "JoinBatchGroup"
  \/ /\ state[t] = "STATE_GROUP_LEADER"
     /\ pc[t] \notin {"ExitAsBatchGroupLeader_CompleteFollower", "Write_Return"}

INV_LEADER == Cardinality({t \in Threads : Leads(t)}) <= 1

(* The members of t's group that t may still touch. *)
RECURSIVE OlderChain(_, _)
OlderChain(from, to) ==
  IF from = NULL \/ SameAddress(from, to) THEN {from} ELSE {from} \cup OlderChain(link_older[Address(from)], to)
Members(t) ==
  IF last_writer[t] = NULL THEN {}
  ELSE IF pc[t] = "Write_Return" THEN {Me(t)}
  ELSE IF pc[t] = "ExitAsBatchGroupLeader_CompleteFollower" THEN OlderChain(cursor[t], Me(t))
  ELSE Range(Group(t))

(* Queued, in no group, and not made leader. *)
Waiting(p) == /\ pc[Address(p)] = "JoinBatchGroup_AwaitState"
              /\ state[Address(p)] = "STATE_INIT"
              /\ write_group[Address(p)] = NULL
RECURSIVE WaitingUpTo(_)
WaitingUpTo(p) ==
  IF p = NULL THEN <<>>
  ELSE IF ~Waiting(p) THEN <<>>
  ELSE Append(WaitingUpTo(link_older[Address(p)]), p)

InArrivalOrder(s) == s = SelectSeq(arrival, LAMBDA p : p \in Range(s))

INV_GROUP ==
  \* a group is its leader followed by compatible writers in queue order
  /\ \A t \in Threads :
       Leads(t) /\ last_writer[t] # NULL =>
         LET members == Group(t)
         IN  /\ InArrivalOrder(members)
             /\ members[Len(members)] = last_writer[t]
             /\ Len(members) = group_size[t]
             /\ Len(members) <= MaxGroup
             /\ \A w \in Range(members) : write_group[Address(w)] = Me(t)
             /\ Range(members) \cap SyncWrites # {} => Me(t) \in SyncWrites
  \* no writer is in two groups
  /\ \A t, u \in Threads : t # u => Members(t) \cap Members(u) = {}
  \* skipped writers keep their order and come next: the queue is who waits, in the order of arrival
  /\ (\A t \in Threads : pc[t] # "EnterAsBatchGroupLeader_Graft") =>
       LET waiting == SelectSeq(arrival, Waiting)
       IN  /\ WaitingUpTo(newest_writer) = waiting
           /\ \A t \in Threads : pc[t] = "ExitAsBatchGroupLeader_SetState" => cursor[t] = Head(waiting)

INV_LIFETIME == lifetime_ok
=============================================================================
