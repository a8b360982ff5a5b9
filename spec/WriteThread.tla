------------------------------ MODULE WriteThread ------------------------------
(* The queue of writers and its leader: RocksDB's class WriteThread. The phase  *)
(* of the memtable (parallel and pipelined writers) is in MemTableWriters.      *)
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
(* until LinkOne, then the leader of the queue that it is in, then, from its    *)
(* terminal state on, its caller again.                                         *)
EXTENDS Naturals, Sequences, FiniteSets

CONSTANTS
  Threads,        \* the callers of Write
  Writes,         \* how many writes each of them issues, one after the other
  Options,        \* the RocksDB options that are on: {} is serial mode
  MaxGroup,       \* max_write_batch_group_size_bytes, counted in writers
  QueueWrites,    \* the writes that come to this queue: with two write queues there are two instances
  \* the options of the writes: sets of <<thread, number>>
  SyncWrites,     \* those with sync = true
  CallbackFails,  \* those whose callback fails
  CallbackAlone,  \* those whose callback refuses company: AllowWriteBatching() is false
  DisableMemtable,\* those with disable_memtable: logged, not inserted (Prepare)
  DisableWal,     \* those with disable_wal: inserted, not logged
  NoSlowdown,     \* those with no_slowdown: they fail where they would wait for a stall to end
  Unbatched,      \* no writes, but calls that lead all queues, without a batch (EnterUnbatched)
  MaxLog,         \* max_log_bytes, counted in records; 0: no stall
  STALL,          \* the address of write_stall_dummy_, the tail while the queue is stalled
  NULL,
  DUMMY           \* pipelined: the address of the Writer that holds a leaving group's place

VARIABLES
  pc,             \* where a thread stands: the name of its next action; by the thread; "Write": none in flight
  incarnation,    \* the number of the thread's current or last write; by Write
  newest_writer,  \* tail of the queue; by CAS: LinkOne, and the leader to graft and to leave
  newest_memtable_writer,  \* pipelined: tail of the memtable queue; by CAS: LinkGroup, its leader to leave
  \* the Writer of each thread
  state,          \* by its caller (OwnState), or by the leader of the queue that it is in (SetState)
  link_older,     \* by its caller before LinkOne is visible, then by the leader of its queue
  link_newer,     \* by the leader of its queue
  write_group,    \* the group that it is in; by the leader of that group
  sequence,       \* of its first operation; by the leader of its group
  status,         \* by the leader of its group, or the leader's delegate
  \* the WriteGroup of each thread; by the thread, or by the last parallel writer, its delegate
  group_leader,   \* its leader: the thread's Writer, unless that left the group (CompleteLeader)
  last_writer,    \* the newest writer of the group
  group_size,
  group_status,   \* also by a parallel writer whose insert failed, under the leader's state_mutex
  running,        \* parallel writers that have not finished; atomic
  \* the locals of the functions that lead a group; by the thread
  tail_seen,      \* EnterAsBatchGroupLeader: the tail that it loaded, which the graft expects
  cursor,         \* the Writer at which it stands: newest skipped, next to insert, next to wake
  \* history, for the properties alone
  arrival,        \* the writers in flight, in the order of their LinkOne; by LinkOne, Write_Return
  lifetime_ok     \* FALSE once a dead Writer was dereferenced; by who does that

Parallel == "allow_concurrent_memtable_write" \in Options
Pipelined == "enable_pipelined_write" \in Options
TwoQueues == "two_write_queues" \in Options
(* Another leader, of the memtable queue or of the other write queue, may poison the path meanwhile: *)
(* then each load of first_error is a step.                                                         *)
SharesFirstError == Pipelined \/ TwoQueues

States == {"STATE_INIT", "STATE_GROUP_LEADER", "STATE_MEMTABLE_WRITER_LEADER",
           "STATE_PARALLEL_MEMTABLE_CALLER", "STATE_PARALLEL_MEMTABLE_WRITER", "STATE_COMPLETED"}

Address(p) == p[1]
SameAddress(p, q) == IF p = NULL \/ q = NULL THEN p = q ELSE Address(p) = Address(q)
Me(t) == <<t, incarnation[t]>>
Here(t) == Me(t) \in QueueWrites

(* The second Writer in the frame of an unbatched call: in the second write queue, or the marker in *)
(* the memtable queue. One such call at a time leads the main queue. It has a place of its own at   *)
(* pc, and takes its steps in turn with its thread.                                                 *)
Second == <<"SECOND", 0>>
HasSecond == Unbatched # {} /\ (Pipelined \/ TwoQueues)
IsUnbatched(w) == w \in Unbatched \/ w = Second
Frames == Threads \cup (IF HasSecond THEN {"SECOND"} ELSE {})

Stalls == MaxLog > 0
StallDummy == <<STALL, 0>>
StallDummies == IF ~Stalls THEN {} ELSE IF TwoQueues THEN {"STALL", "NONMEM_STALL"} ELSE {"STALL"}

(* Where Writers are: the frames of the threads, that of the dummy, and WriteThread itself. One      *)
(* leader at a time leaves the queue, so there is one dummy at a time.                              *)
Places == Frames \cup (IF Pipelined THEN {DUMMY} ELSE {}) \cup StallDummies
Dummy == <<DUMMY, 0>>
HasDummy(t) == pc[t] \in {"ExitAsBatchGroupLeader_CompleteFollower", "ExitAsBatchGroupLeader_CompleteLeader",
                          "LinkGroup", "LinkGroup_SetState", "ExitAsBatchGroupLeader"}

InFlight(t) == pc[t] # "Write"
Live(p) ==
  /\ p # NULL
  /\ IF p = Dummy
     THEN \E t \in Threads : HasDummy(t)
     ELSE \/ Address(p) \in StallDummies
          \/ InFlight(Address(p)) /\ incarnation[Address(p)] = p[2]

(* Writer::ShouldWriteToWAL, ::ShouldWriteToMemtable, as long as its status is OK. *)
Logs(w) == w \notin CallbackFails
Inserts(w) == w \notin CallbackFails /\ w \notin DisableMemtable

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

(* The members of the WriteGroup of t, oldest first. *)
Group(t) == Chain(group_leader[t], last_writer[t], link_newer)

(* The thread in whose frame the group of t is: its leader, for which t acts if it finished last. *)
Frame(t) == Address(write_group[t])

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
Compatible(leader, w) ==
  /\ w \in SyncWrites => leader \in SyncWrites
  /\ w \notin CallbackAlone /\ leader \notin CallbackAlone
  /\ w \in NoSlowdown <=> leader \in NoSlowdown
  /\ w \in DisableWal <=> leader \in DisableWal
  /\ ~IsUnbatched(w)

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
  [a \in Places |-> IF a \in Addresses(Tail(queue)) THEN queue[Position(queue, a) - 1] ELSE older[a]]
LinkedNewer(queue, newer) ==
  [a \in Places |->
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
tails == <<newest_writer, newest_memtable_writer>>
links == <<link_older, link_newer>>
group == <<group_leader, last_writer, group_size, group_status, running>>
result == <<sequence, status>>
locals == <<tail_seen, cursor>>
history == <<arrival, lifetime_ok>>
Goto(t, label) == pc' = [pc EXCEPT ![t] = label]

Init ==
  /\ pc = [t \in Frames |-> "Write"]
  /\ incarnation = [t \in Frames |-> 0]
  /\ newest_writer = NULL
  /\ newest_memtable_writer = NULL
  /\ state = [t \in Frames |-> "STATE_INIT"]
  /\ link_older = [a \in Places |-> NULL]
  /\ link_newer = [a \in Places |-> NULL]
  /\ write_group = [t \in Frames |-> NULL]
  /\ sequence = [t \in Frames |-> 0]
  /\ status = [t \in Frames |-> "OK"]
  /\ group_leader = [t \in Frames |-> NULL]
  /\ last_writer = [t \in Frames |-> NULL]
  /\ group_size = [t \in Frames |-> 0]
  /\ group_status = [t \in Frames |-> "OK"]
  /\ running = [t \in Frames |-> 0]
  /\ tail_seen = [t \in Frames |-> NULL]
  /\ cursor = [t \in Frames |-> NULL]
  /\ arrival = <<>>
  /\ lifetime_ok = TRUE

(* The WriteGroup in the frame of t is constructed, or dies: its fields are as new. *)
ClearGroup(t) ==
  /\ group_leader' = [group_leader EXCEPT ![t] = NULL]
  /\ last_writer' = [last_writer EXCEPT ![t] = NULL]
  /\ group_size' = [group_size EXCEPT ![t] = 0]
  /\ group_status' = [group_status EXCEPT ![t] = "OK"]
  /\ running' = [running EXCEPT ![t] = 0]

(* t collects `members` as its WriteGroup. *)
TakeGroup(t, members) ==
  /\ write_group' = [a \in Frames |-> IF a \in Addresses(members) THEN Me(t) ELSE write_group[a]]
  /\ group_leader' = [group_leader EXCEPT ![t] = Me(t)]
  /\ last_writer' = [last_writer EXCEPT ![t] = members[Len(members)]]
  /\ group_size' = [group_size EXCEPT ![t] = Len(members)]
  /\ UNCHANGED <<group_status, running>>

(* Who is to lead all queues ends a stall first. *)
BeginLabel(w) == IF Stalls /\ IsUnbatched(w) THEN "RunUnbatched" ELSE "LinkOne"

(* DBImpl::Write: the next write of t begins; its Writer is constructed. Others see nothing of it. *)
Write(t) ==
  /\ pc[t] = "Write"
  /\ incarnation[t] < Writes
  /\ incarnation' = [incarnation EXCEPT ![t] = @ + 1]
  /\ Goto(t, BeginLabel(<<t, incarnation[t] + 1>>))
  /\ UNCHANGED <<tails, state, links, write_group, result, group, locals, history>>

(* WriteThread::LinkOne: the CAS of newest_writer that succeeds. Others see the new tail, and the  *)
(* leader, from it, this Writer. While the queue is stalled nobody links: the wait under           *)
(* stall_mutex_ is this guard.                                                                     *)
LinkOne(t) ==
  /\ pc[t] = "LinkOne"
  /\ newest_writer # StallDummy
  /\ link_older' = [link_older EXCEPT ![t] = newest_writer]
  /\ newest_writer' = Me(t)
  /\ arrival' = Append(arrival, Me(t))
  /\ Goto(t, IF newest_writer = NULL THEN "JoinBatchGroup" ELSE "JoinBatchGroup_AwaitState")
  /\ UNCHANGED <<incarnation, newest_memtable_writer, state, link_newer, write_group, result, group, locals>>
  /\ UNCHANGED lifetime_ok

(* What a new leader does. *)
LeaderLabel(t) ==
  IF IsUnbatched(Me(t)) THEN "EnterUnbatched"
  ELSE IF Stalls THEN "PreprocessWrite"
  ELSE "EnterAsBatchGroupLeader"

(* WriteThread::JoinBatchGroup, SetState: it found the queue empty, so it leads. Others see        *)
(* nothing of it: nobody looks at the state of a leader.                                           *)
JoinBatchGroup(t) ==
  /\ pc[t] = "JoinBatchGroup"
  /\ state' = [state EXCEPT ![t] = "STATE_GROUP_LEADER"]
  /\ Goto(t, LeaderLabel(t))
  /\ UNCHANGED <<incarnation, tails, links, write_group, result, group, locals, history>>

(* What a parallel writer does once it is launched. *)
InsertLabel(t) == IF Inserts(Me(t)) THEN "InsertInto" ELSE "CompleteParallelMemTableWriter"

(* What a state calls its writer to. *)
Called(t) ==
  CASE state[t] = "STATE_GROUP_LEADER" -> LeaderLabel(t)
    [] state[t] = "STATE_MEMTABLE_WRITER_LEADER" -> "EnterAsMemTableWriter"
    [] state[t] = "STATE_PARALLEL_MEMTABLE_CALLER" -> "SetMemWritersEachStride_Caller"
    [] state[t] = "STATE_PARALLEL_MEMTABLE_WRITER" -> InsertLabel(t)
    [] state[t] = "STATE_COMPLETED" -> "Write_Return"

(* WriteThread::AwaitState: the load of its own state that sees a goal. Others see nothing of it. *)
JoinBatchGroup_AwaitState(t) ==
  /\ pc[t] = "JoinBatchGroup_AwaitState"
  /\ state[t] # "STATE_INIT"
  /\ Goto(t, Called(t))
  /\ UNCHANGED <<incarnation, tails, state, links, write_group, result, group, locals, history>>

ExitFromLog == IF Pipelined THEN "ExitAsBatchGroupLeader_Dummy" ELSE "ExitAsBatchGroupLeader"
WriteToWAL_Label(t) ==
  IF group_status[t] # "OK" THEN ExitFromLog   \* refused by PreprocessWrite
  ELSE IF SharesFirstError THEN "WriteToWAL_FirstError"
  ELSE "WriteToWAL"

(* WriteThread::EnterAsBatchGroupLeader: the load of newest_writer. Up to the tail that it saw,    *)
(* the leader makes the missing link_newer, takes the compatible writers into its group, and links *)
(* the skipped ones behind them. Others see nothing of it.                                         *)
EnterAsBatchGroupLeader(t) ==
  /\ pc[t] = "EnterAsBatchGroupLeader"
  /\ LET newer == CreateMissingNewerLinks(newest_writer, link_newer)
         queue == Chain(Me(t), newest_writer, newer)
         members == SelectGroup(queue)
         skipped == SelectSkipped(queue)
     IN  /\ Touch(CreateMissingNewerLinks_Walked(newest_writer, link_newer) \cup Walked(queue, newest_writer))
         /\ link_older' = LinkedOlder(members \o skipped, link_older)
         /\ link_newer' = LinkedNewer(members \o skipped, newer)
         /\ TakeGroup(t, members)
         /\ IF skipped = <<>>
            THEN /\ Goto(t, WriteToWAL_Label(t))
                 /\ UNCHANGED locals
            ELSE /\ Goto(t, "EnterAsBatchGroupLeader_Graft")
                 /\ tail_seen' = [tail_seen EXCEPT ![t] = newest_writer]
                 /\ cursor' = [cursor EXCEPT ![t] = skipped[Len(skipped)]]
  /\ UNCHANGED <<incarnation, tails, state, result, arrival>>

(* WriteThread::EnterAsBatchGroupLeader: the strong CAS of newest_writer from the tail seen to the *)
(* newest skipped writer. If it failed, writers came since: the oldest of them, which linked       *)
(* behind the tail seen, is put behind the newest skipped writer. Others see the tail, if the CAS  *)
(* changed it.                                                                                     *)
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
  /\ Goto(t, WriteToWAL_Label(t))
  /\ UNCHANGED <<incarnation, newest_memtable_writer, state, link_newer, write_group, result, group, arrival>>

(* Not pipelined: once the queue is no longer its own, t goes to the followers, newest first. *)
GotoFollowers(t) ==
  LET newest == last_writer[Frame(t)]
      alone == newest = write_group[t]
  IN  /\ cursor' = [cursor EXCEPT ![t] = IF alone THEN NULL ELSE newest]
      /\ Goto(t, IF alone THEN "Write_Return" ELSE "ExitAsBatchGroupLeader_CompleteFollower")

(* What the leader of the group of t, and what his followers are told. *)
LeaderStatus(t) == group_status[Frame(t)]
GroupStatus(t) == group_status[Frame(t)]

(* Who is handed the queue by t, as the newest writer of the group or its dummy is `last`. *)
HandOff(t, last) ==
  LET newer == CreateMissingNewerLinks(newest_writer, link_newer)
      next_leader == newer[Address(last)]
  IN  /\ Touch(CreateMissingNewerLinks_Walked(newest_writer, link_newer) \cup {last, next_leader})
      /\ link_newer' = IF last = Dummy THEN [newer EXCEPT ![DUMMY] = NULL] ELSE newer
      /\ link_older' = Store(link_older, next_leader, NULL)
      /\ cursor' = [cursor EXCEPT ![t] = next_leader]
      /\ Goto(t, "ExitAsBatchGroupLeader_SetState")
      /\ UNCHANGED newest_writer

(* WriteThread::ExitAsBatchGroupLeader: the strong CAS of newest_writer from last_writer to null   *)
(* empties the queue; or the load, or the CAS that failed, saw newer writers: then the one behind  *)
(* last_writer is cut off from the group, to lead next. By the leader or its delegate. Others see  *)
(* the tail: who links to null leads.                                                              *)
ExitAsBatchGroupLeader(t) ==
  /\ pc[t] = "ExitAsBatchGroupLeader"
  /\ ~Pipelined /\ ~IsUnbatched(Me(t))
  /\ status' = Store(status, write_group[t], LeaderStatus(t))
  /\ IF SameAddress(newest_writer, last_writer[Frame(t)])
     THEN /\ newest_writer' = NULL
          /\ Touch({write_group[t]})
          /\ GotoFollowers(t)
          /\ UNCHANGED links
     ELSE HandOff(t, last_writer[Frame(t)])
  /\ UNCHANGED <<incarnation, newest_memtable_writer, state, write_group, sequence, group, tail_seen, arrival>>

(* WriteThread::SetState of the next leader: the queue is his, before the followers are completed. *)
(* Others see it: that writer, and no other.                                                       *)
ExitAsBatchGroupLeader_SetState(t) ==
  /\ pc[t] = "ExitAsBatchGroupLeader_SetState"
  /\ Touch({cursor[t]})
  /\ state' = Store(state, cursor[t], "STATE_GROUP_LEADER")
  /\ IF Pipelined \/ IsUnbatched(Me(t))
     THEN /\ cursor' = [cursor EXCEPT ![t] = NULL]
          /\ Goto(t, IF IsUnbatched(Me(t)) THEN "Write_Return" ELSE "ExitAsBatchGroupLeader_AwaitState")
     ELSE GotoFollowers(t)
  /\ UNCHANGED <<incarnation, tails, links, write_group, result, group, tail_seen, arrival>>

(* WriteThread::SetState of one follower. Others see it: that follower, who may return, and its    *)
(* Writer die, at once: link_older is read before. A delegate completes itself in its turn, and    *)
(* the leader last.                                                                                *)
ExitAsBatchGroupLeader_CompleteFollower(t) ==
  /\ pc[t] = "ExitAsBatchGroupLeader_CompleteFollower"
  /\ ~Pipelined
  /\ LET follower == cursor[t]
         next == link_older[Address(follower)]
         last == SameAddress(next, write_group[t])
     IN  /\ Touch({follower, write_group[t]})
         /\ status' = Store(status, follower, GroupStatus(t))
         /\ state' = Store(state, follower, "STATE_COMPLETED")
         /\ cursor' = [cursor EXCEPT ![t] = IF last THEN NULL ELSE next]
         /\ Goto(t, IF ~last THEN "ExitAsBatchGroupLeader_CompleteFollower"
                    ELSE IF write_group[t] = Me(t) THEN "Write_Return"
                    ELSE "ExitAsBatchGroupFollower")
  /\ UNCHANGED <<incarnation, tails, links, write_group, sequence, group, tail_seen, arrival>>

(* DBImpl::Write: the call returns: its Writer, and the WriteGroup that it led, are dead; their    *)
(* memory is free. Others see nothing of it: nobody may hold a pointer to them.                    *)
Write_Return(t) ==
  /\ pc[t] = "Write_Return"
  /\ state' = [state EXCEPT ![t] = "STATE_INIT"]
  /\ link_older' = [link_older EXCEPT ![t] = NULL]
  /\ link_newer' = [link_newer EXCEPT ![t] = NULL]
  /\ write_group' = [write_group EXCEPT ![t] = NULL]
  /\ sequence' = [sequence EXCEPT ![t] = 0]
  /\ status' = [status EXCEPT ![t] = "OK"]
  /\ ClearGroup(t)
  /\ arrival' = SelectSeq(arrival, LAMBDA p : p # Me(t))
  /\ Goto(t, "Write")
  /\ UNCHANGED <<incarnation, tails, locals, lifetime_ok>>

-----------------------------------------------------------------------------
(* Leaving a group's phase as the leader, or as the last parallel writer in his place. *)
Finishing(t) ==
  pc[t] \in {"SetLastSequence", "SetLastSequence_FirstError", "Poison"}

(* t holds the leadership: it found the queue empty, or was made leader, and has not given it on.   *)
(* While a group inserts in parallel its leader holds it; then the last writer.                     *)
Leads(t) ==
  \/ pc[t] = "JoinBatchGroup"
  \/ pc[t] \in {"ExitAsBatchGroupLeader", "ExitAsBatchGroupLeader_SetState"}
  \/ /\ state[t] = "STATE_GROUP_LEADER"
     /\ pc[t] \notin {"ExitAsBatchGroupLeader_AwaitState", "Write_Return"}
     /\ Pipelined \/ pc[t] # "ExitAsBatchGroupLeader_CompleteFollower"
  \/ Pipelined /\ pc[t] \in {"LinkGroup", "LinkGroup_SetState"}
  \/ ~Pipelined /\ (running[t] > 0 \/ Finishing(t))

(* Queued, in no group, not logged, and not made leader. *)
Waiting(p) ==
  /\ Live(p)
  /\ p \in QueueWrites
  /\ pc[Address(p)] = "JoinBatchGroup_AwaitState"
  /\ state[Address(p)] = "STATE_INIT"
  /\ write_group[Address(p)] = NULL
  /\ sequence[Address(p)] = 0
RECURSIVE WaitingUpTo(_)
WaitingUpTo(p) ==
  IF p = NULL \/ p = Dummy THEN <<>>
  ELSE IF p = StallDummy THEN WaitingUpTo(link_older[STALL])
  ELSE IF ~Waiting(p) THEN <<>>
  ELSE Append(WaitingUpTo(link_older[Address(p)]), p)

InArrivalOrder(s) == s = SelectSeq(arrival, LAMBDA p : p \in Range(s))

(* The group in the frame of t is a whole one of the main queue. *)
IsBatchGroup(t) ==
  IF Pipelined
  THEN /\ pc[t] \in {"EnterAsBatchGroupLeader_Graft", "WriteToWAL_FirstError", "WriteToWAL", "WriteToWAL_Sync",
                     "ExitAsBatchGroupLeader_Dummy", "LinkGroup"}
       /\ group_size[t] > 0
  ELSE /\ last_writer[t] # NULL
       /\ \E u \in Threads : Leads(u) /\ write_group[u] = Me(t)

(* A group is its leader followed by compatible writers in queue order. *)
GroupIsSound(t) ==
  LET members == Group(t)
  IN  /\ InArrivalOrder(members)
      /\ members[Len(members)] = last_writer[t]
      /\ Len(members) = group_size[t]
      /\ Len(members) <= MaxGroup
      /\ \A w \in Range(members) : write_group[Address(w)] = Me(t)
      /\ Range(members) \cap SyncWrites # {} => Me(t) \in SyncWrites
      /\ Range(members) \cap CallbackAlone # {} => Len(members) = 1
      /\ \A options \in {NoSlowdown, DisableWal} : Range(members) \cap options \in {{}, Range(members)}
      /\ \A w \in Range(members) : ~IsUnbatched(w)

(* Skipped writers keep their order and come next: the queue is who waits, in the order of arrival. *)
QueueIsInOrder ==
  (\A t \in Frames : Here(t) => pc[t] # "EnterAsBatchGroupLeader_Graft") =>
    LET waiting == SelectSeq(arrival, Waiting)
    IN  /\ WaitingUpTo(newest_writer) = waiting
        /\ \A t \in Frames : Here(t) /\ pc[t] = "ExitAsBatchGroupLeader_SetState" => cursor[t] = Head(waiting)

INV_LIFETIME == lifetime_ok
=============================================================================
