-------------------------------- MODULE Recovery --------------------------------
(* A write path that is read from, goes down at any step, and is recovered: the *)
(* whole promise of AtomicWrites.                                               *)
(*                                                                              *)
(* A crash takes every frame, the queues and the memtable. What is left is the  *)
(* log. A crash of the process leaves it as the page cache has it; a power loss *)
(* keeps what was synced, and of the rest any subset of pages. A record spans   *)
(* two pages: the first holds its beginning and its sequence. So an unsynced    *)
(* record is whole, or torn (its beginning is there, its end is not), or        *)
(* damaged (nothing there that a reader would take for a record's beginning).   *)
(*                                                                              *)
(* Recovery is that of our store (RocksDB's DBImpl::Recover with its own rules; *)
(* impl: Recovery, WalReader). It reads the logs up to the first record that is *)
(* not whole or does not continue the sequence. Without a durable watermark it  *)
(* cannot know whether that record was synced once, so only the beginning of a  *)
(* later record tells: if one is there, the end is called corruption and the    *)
(* open is refused (tolerate_torn_tail), until somebody opens with              *)
(* point_in_time; if none is, it is a torn tail. It cuts what is behind the     *)
(* last record, syncs the log (the records may come from the page cache), then  *)
(* begins a new one, whose name it syncs before the first write.                *)
EXTENDS WritePathProperties

CONSTANTS
  Readers,      \* threads that read, once in the life of a store
  Crashes,      \* how often it goes down
  CrashKinds    \* "process", "power"

ASSUME Crashes \in Nat /\ CrashKinds \subseteq {"process", "power"}

VARIABLES
  phase,          \* "open", or the name of recovery's next action; by whoever opens
  \* what a crash leaves; by recovery
  files,          \* the closed logs, oldest first: see Settled
  base,           \* how many records the last recovery found: the log of this life begins behind them
  log_named,      \* does the current log's name survive a power loss?
  \* recovery's own; by whoever opens
  recovery_mode,  \* "tolerate_torn_tail", or "point_in_time" once an open was refused
  found,          \* the records that it has read
  crashes,        \* how often it went down; by Crash
  \* of each reader; by the reader
  snapshot,       \* <<>>, or <<the sequence up to which it reads>>
  seen            \* for each key of a batch that it has read: the writes in which it found that key

recovery == <<files, log_named, recovery_mode, found>>
reading == <<snapshot, seen>>
memory == <<tails, relief, arrival, state, links, group, sequence, status, locals,
            lifetime_ok>>
recovery_vars == <<vars, phase, recovery, base, crashes, reading>>

NoReads == [r \in Readers |-> <<>>]

RecoveryInit ==
  /\ Init
  /\ phase = "open"
  /\ files = <<>>
  /\ base = 0
  /\ log_named = TRUE
  /\ recovery_mode = "tolerate_torn_tail"
  /\ found = <<>>
  /\ crashes = 0
  /\ snapshot = NoReads
  /\ seen = NoReads

-----------------------------------------------------------------------------
(* Files. The content of one is a sequence of <<record, image>>. `cache` is what is read; `disk`,   *)
(* what a power loss keeps for certain; `uncut`, what was there before a cut that is not synced.    *)
Settled(content) == [cache |-> content, disk |-> content, uncut |-> <<>>]
Whole(records) == [i \in 1..Len(records) |-> <<records[i], "whole">>]
Image(entry) == entry[2]

(* What a power loss may make of an image. *)
Images(image) ==
  CASE image = "whole" -> {"whole", "torn", "damaged"}
    [] image = "torn" -> {"torn", "damaged"}
    [] image = "damaged" -> {"damaged"}

(* Nothing says that damaged pages at the end were ever written: the file may be shorter. *)
RECURSIVE Trimmed(_)
Trimmed(content) ==
  IF content = <<>> \/ Image(content[Len(content)]) # "damaged" THEN content
  ELSE Trimmed(SubSeq(content, 1, Len(content) - 1))

(* What a power loss may leave of a file with this content, of which `safe` is on the disk. *)
RECURSIVE Remains(_, _)
Remains(content, safe) ==
  IF Len(content) <= Len(safe) THEN {content}
  ELSE LET last == content[Len(content)]
       IN  {Append(older, <<last[1], image>>) :
              older \in Remains(SubSeq(content, 1, Len(content) - 1), safe), image \in Images(Image(last))}
AfterPowerLoss(file) ==
  {Trimmed(content) : content \in Remains(file.cache, file.disk)
                                   \cup (IF file.uncut = <<>> THEN {} ELSE Remains(file.uncut, file.disk))}

(* The same for all of them: the logs that recovery may find. *)
RECURSIVE AllAfterPowerLoss(_)
AllAfterPowerLoss(logs) ==
  IF logs = <<>> THEN {<<>>}
  ELSE {<<Settled(content)>> \o others :
          content \in AfterPowerLoss(Head(logs)), others \in AllAfterPowerLoss(Tail(logs))}

(* The log of this life. An append that has failed, or that is under way, may have left its beginning. *)
Half == <<<<NextSequence, <<>>>>, "torn">>
HalfAppended == (\E t \in Threads : pc[t] = "WriteToWAL") \/ (WalErrors /\ Poisoned)
CurrentLogs ==
  LET own == Whole(SubSeq(log, base + 1, Len(log)))
      safe == IF log_named THEN SubSeq(own, 1, synced - base) ELSE <<>>
  IN  {[cache |-> content, disk |-> safe, uncut |-> <<>>] :
         content \in {own} \cup (IF HalfAppended THEN {Append(own, Half)} ELSE {})}

(* The logs at the moment of a crash; empty ones are as good as none. *)
AllLogs ==
  IF phase # "open" THEN {files}
  ELSE {IF current.cache = <<>> THEN files ELSE Append(files, current) : current \in CurrentLogs}

(* A log whose name is lost is lost. *)
Unnamed(logs) == IF log_named \/ phase # "open" THEN logs ELSE SubSeq(logs, 1, Len(files))

-----------------------------------------------------------------------------
(* Environment: the process dies, or the machine does, at any step: also while it recovers. Every  *)
(* frame, the queues, the memtable and the readers are gone. What callers have learnt, and what    *)
(* was logged and published, is kept as history until the recovery is over. Others see nothing     *)
(* more; the next to open the store sees its files.                                                *)
Crash ==
  /\ crashes < Crashes
  /\ crashes' = crashes + 1
  /\ \E logs \in AllLogs, kind \in CrashKinds :
       IF kind = "process" THEN files' = logs ELSE files' \in AllAfterPowerLoss(Unnamed(logs))
  /\ phase' = "Recover_ReadLogs"
  /\ recovery_mode' = "tolerate_torn_tail"
  /\ found' = <<>>
  /\ pc' = [t \in Threads |-> "Write"]
  /\ newest_writer' = NULL
  /\ newest_memtable_writer' = NULL
  /\ newest_nonmem_writer' = NULL
  /\ relief' = 0
  /\ log_mutex' = NULL
  /\ arrival' = <<>>
  /\ state' = [t \in Threads |-> "STATE_INIT"]
  /\ link_older' = [a \in DOMAIN link_older |-> NULL]
  /\ link_newer' = [a \in DOMAIN link_newer |-> NULL]
  /\ write_group' = [t \in Threads |-> NULL]
  /\ group_leader' = [t \in Threads |-> NULL]
  /\ last_writer' = [t \in Threads |-> NULL]
  /\ group_size' = [t \in Threads |-> 0]
  /\ group_status' = [t \in Threads |-> "OK"]
  /\ running' = [t \in Threads |-> 0]
  /\ sequence' = [t \in Threads |-> 0]
  /\ status' = [t \in Threads |-> "OK"]
  /\ tail_seen' = [t \in Threads |-> NULL]
  /\ cursor' = [t \in Threads |-> NULL]
  /\ first_error' = "Crash"
  /\ memtable' = {entry \in memtable : entry[2] <= last_sequence}
  /\ snapshot' = NoReads
  /\ seen' = NoReads
  /\ UNCHANGED <<lifetime_ok, incarnation, log, synced, allocated_sequence, checkpoint, last_sequence, outcome>>
  /\ UNCHANGED <<failed, base, log_named>>

-----------------------------------------------------------------------------
(* Reading. *)
EndOf(record) == record[1] + Operations(record[2], Len(record[2])) - 1
LastOf(records) == IF records = <<>> THEN 0 ELSE EndOf(records[Len(records)])
Continues(record, records) ==
  record[1] = 1 + LastOf(records)

(* Does this entry hold a record that is yielded behind `records`? *)
Yields(entry, records) == Image(entry) = "whole" /\ Continues(entry[1], records)

(* WalReader: where the records of a log end, and how: is a later one behind? *)
BeginsLater(content, i) == \E j \in i + 1 .. Len(content) : Image(content[j]) \in {"whole", "torn"}
EndsInCorruption(content, i) == Image(content[i]) = "whole" \/ BeginsLater(content, i)
RECURSIVE ReadLog(_, _, _)
ReadLog(content, i, records) ==
  IF i > Len(content) THEN [records |-> records, at |-> i - 1, ended |-> FALSE, corrupt |-> FALSE]
  ELSE IF Yields(content[i], records)
  THEN ReadLog(content, i + 1, Append(records, content[i][1]))
  ELSE [records |-> records, at |-> i - 1, ended |-> TRUE, corrupt |-> EndsInCorruption(content, i)]

(* Recovery::ReadLogs: one after the other; `last` is the one in which the records end, `at` the     *)
(* number of its entries that are yielded. A log behind a damaged end is corruption.                *)
RECURSIVE ReadLogs(_, _, _)
ReadLogs(logs, k, so_far) ==
  IF k > Len(logs) THEN so_far
  ELSE IF so_far.ended
  THEN ReadLogs(logs, k + 1, IF logs[k].cache = <<>> THEN so_far ELSE [so_far EXCEPT !.corrupt = TRUE])
  ELSE LET one == ReadLog(logs[k].cache, 1, so_far.records)
       IN  ReadLogs(logs, k + 1, [records |-> one.records, last |-> k, at |-> one.at, ended |-> one.ended,
                                  corrupt |-> one.corrupt])
Reading(logs) ==
  ReadLogs(logs, 1, [records |-> <<>>, last |-> 0, at |-> 0, ended |-> FALSE, corrupt |-> FALSE])

(* DBImpl::Recover (WalReader::Verdict): what the mode does not accept is reported; somebody opens *)
(* again, and gives up what is behind the defect. Others see nothing of it: the store is not open. *)
Recover_Refuse ==
  /\ phase = "Recover_ReadLogs"
  /\ Reading(files).corrupt
  /\ recovery_mode = "tolerate_torn_tail"
  /\ recovery_mode' = "point_in_time"
  /\ UNCHANGED <<vars, phase, files, log_named, found, base, crashes, reading>>

(* DBImpl::Recover (Recovery::ReadLogs): every log is read; nothing is changed. Others see nothing *)
(* of it.                                                                                          *)
Recover_ReadLogs ==
  /\ phase = "Recover_ReadLogs"
  /\ recovery_mode = "point_in_time" \/ ~Reading(files).corrupt
  /\ found' = Reading(files).records
  /\ phase' = IF Reading(files).ended THEN "Recover_CutTail" ELSE "Recover_SyncFile"
  /\ UNCHANGED <<vars, files, log_named, recovery_mode, base, crashes, reading>>

CutAt(logs) == Reading(logs).at

(* DBImpl::Recover (Recovery::CutTail): what is behind the last record goes. (Logs behind a        *)
(* damaged one are removed, and that is made durable, before; it takes damage in a closed log,     *)
(* which a crash does not leave.) Others see nothing of it; the next recovery does.                *)
Recover_CutTail ==
  /\ phase = "Recover_CutTail"
  /\ LET k == Reading(files).last
         cut == SubSeq(files[k].cache, 1, CutAt(files))
     IN  files' = Append(SubSeq(files, 1, k - 1),
                         [cache |-> cut, disk |-> files[k].disk, uncut |-> files[k].cache])
  /\ phase' = "Recover_SyncFile"
  /\ UNCHANGED <<vars, log_named, recovery_mode, found, base, crashes, reading>>

SyncedFiles ==
  IF files = <<>> THEN files
  ELSE [files EXCEPT ![Len(files)] = Settled(@.cache)]

(* DBImpl::Recover: the newest log is made durable: the cut, and what was read from the page cache *)
(* alone. Others see nothing of it; a power loss does.                                             *)
Recover_SyncFile ==
  /\ phase = "Recover_SyncFile"
  /\ files' = SyncedFiles
  /\ phase' = "Recover_NewLog"
  /\ UNCHANGED <<vars, log_named, recovery_mode, found, base, crashes, reading>>

(* DBImpl::Recover (DBImpl::CreateWAL): the new log is created; the empty ones are removed. Others *)
(* see nothing of it.                                                                              *)
Recover_NewLog ==
  /\ phase = "Recover_NewLog"
  /\ log_named' = FALSE
  /\ phase' = "Recover"
  /\ UNCHANGED <<vars, files, recovery_mode, found, base, crashes, reading>>

(* The operations of these records, as the memtable holds them. *)
Replayed(records) ==
  UNION {{<<records[i][2][j], records[i][1] + Operations(records[i][2], j - 1)>> :
            j \in {j \in 1..Len(records[i][2]) : Inserts(records[i][2][j])}} : i \in 1..Len(records)}

(* Where the boundary between two logs is that are durable and whole does not matter. *)
Joined(logs) ==
  IF \A k \in 1..Len(logs) :
       /\ logs[k] = Settled(logs[k].cache)
       /\ \A i \in 1..Len(logs[k].cache) : Image(logs[k].cache[i]) = "whole"
  THEN IF found = <<>> THEN <<>> ELSE <<Settled(Whole(found))>>
  ELSE logs

(* What a caller is told whose call the crash has ended: nothing. *)
ToldNothing(t) ==
  IF incarnation[t] > Len(outcome[t]) THEN Append(outcome[t], <<"UnknownOutcome", 0>>) ELSE outcome[t]

NamesTheLog == TRUE

(* DBImpl::Recover is over: the directory is synced, and the store is open again. Others see what  *)
(* was found, whole.                                                                               *)
Recover ==
  /\ phase = "Recover"
  /\ log_named' = NamesTheLog
  /\ phase' = "open"
  /\ files' = Joined(files)
  /\ recovery_mode' = "tolerate_torn_tail"
  /\ found' = <<>>
  /\ log' = found
  /\ base' = Len(found)
  /\ synced' = Len(found)
  /\ memtable' = Replayed(found)
  /\ last_sequence' = LastOf(found)
  /\ allocated_sequence' = LastOf(found)
  /\ first_error' = "OK"
  /\ outcome' = [t \in Threads |-> ToldNothing(t)]
  /\ failed' = failed \cup {w \in AllWrites : w[2] \in Len(outcome[w[1]]) + 1 .. incarnation[w[1]]}
  /\ UNCHANGED <<pc, incarnation, memory, log_mutex, checkpoint, crashes, reading>>

-----------------------------------------------------------------------------
(* DBImpl::GetSnapshot: the acquire load of last_sequence. Others see nothing of it. *)
GetSnapshot(r) ==
  /\ phase = "open"
  /\ snapshot[r] = <<>>
  /\ snapshot' = [snapshot EXCEPT ![r] = <<last_sequence>>]
  /\ UNCHANGED <<vars, phase, recovery, base, crashes, seen>>

Reaches(r) == snapshot[r][1]

(* DBImpl::Get: one key of every batch (batch w writes its own keys 1 .. BatchCount), as far as    *)
(* the snapshot reaches. Others see nothing of it.                                                 *)
Get(r) ==
  /\ phase = "open"
  /\ snapshot[r] # <<>>
  /\ Len(seen[r]) < BatchCount
  /\ LET key == Len(seen[r]) + 1
         there == {entry[1] : entry \in {entry \in memtable : entry[2] + key - 1 <= Reaches(r)}}
     IN  seen' = [seen EXCEPT ![r] = Append(@, there)]
  /\ UNCHANGED <<vars, phase, recovery, base, crashes, snapshot>>

-----------------------------------------------------------------------------
(* A step of the open write path: what pc[t] names, or an error of the environment. *)
OpenStep(t) ==
  /\ phase = "open"
  /\ Step(t)
  /\ UNCHANGED <<phase, recovery, base, crashes, reading>>
OpenEnvironment(t) ==
  /\ phase = "open"
  /\ Environment(t)
  /\ UNCHANGED <<phase, recovery, base, crashes, reading>>
OpenDone == phase = "open" /\ AllReturned /\ UNCHANGED recovery_vars

RecoveryStep ==
  \/ Recover_Refuse
  \/ Recover_ReadLogs
  \/ Recover_CutTail
  \/ Recover_SyncFile
  \/ Recover_NewLog
  \/ Recover

RecoveryNext ==
  \/ \E t \in Threads : OpenStep(t) \/ OpenEnvironment(t)
  \/ \E r \in Readers : GetSnapshot(r) \/ Get(r)
  \/ Crash
  \/ RecoveryStep
  \/ OpenDone

RecoverySpec == RecoveryInit /\ [][RecoveryNext]_recovery_vars
FairRecoverySpec ==
  /\ RecoverySpec
  /\ \A t \in Frames : WF_recovery_vars(OpenStep(t))
  /\ WF_recovery_vars(RecoveryStep)

-----------------------------------------------------------------------------
Acknowledged(w) == Returned(w) /\ StatusOf(w) = "OK"

(* INV_ACK and INV_STATUS, where a crash may take what was acknowledged without being synced, and end *)
(* the poison.                                                                                      *)
LostToCrash(w) == crashes > 0 /\ w \notin SyncWrites /\ Places(w) = {}
INV_ACK_Crash == \A w \in AllWrites : Acknowledged(w) => AcknowledgementHolds(w) \/ LostToCrash(w)
INV_STATUS_Crash == \A w \in AllWrites : Returned(w) => StatusIsRight(w, first_error # "OK" \/ crashes > 0)

(* After the last crash the store opens, and every write that is left completes. *)
LIVE_COMPLETE_Crash == <>[](phase = "open" /\ AllReturned)

(* Recovery yields a prefix of the logged groups, with everything that was synced, and so every      *)
(* acknowledged sync write.                                                                         *)
CRASH_PREFIX ==
  [][phase # "open" /\ phase' = "open" =>
       /\ \E n \in synced .. Len(log) : log' = SubSeq(log, 1, n)
       /\ \A w \in SyncWrites : Acknowledged(w) => Places(w)' # {}]_recovery_vars

(* No step of recovery changes what another would find, whatever crash comes between. *)
Found(logs) == {Reading(l).records : l \in AllAfterPowerLoss(logs)}
CRASH_IDEMPOTENT ==
  [][phase # "open" /\ crashes' = crashes =>
       /\ Reading(files').records = Reading(files).records
       /\ Found(files') \subseteq Found(files)]_recovery_vars

(* A snapshot holds every write that was acknowledged before it; a reader finds each key of exactly  *)
(* the batches that are in its snapshot as a whole.                                                 *)
EndsUpTo(w, last) == \E place \in Places(w) : place[2] + BatchCount - 1 <= last
LIN ==
  [][\A r \in Readers :
       /\ snapshot[r] = <<>> /\ snapshot'[r] # <<>> =>
            \A w \in AllWrites :
              Acknowledged(w) /\ Inserts(w) /\ Places(w) # {} => EndsUpTo(w, snapshot'[r][1])
       /\ Len(seen'[r]) > Len(seen[r]) =>
            seen'[r][Len(seen'[r])] = {w \in AllWrites : Inserts(w) /\ EndsUpTo(w, snapshot[r][1])}]_recovery_vars

(* The contract. While a recovery is under way it stands as it did at the crash. *)
GroupsUpTo(last) ==
  LET ended == {i \in 1..Len(log) : EndSequence(i) >= FirstSequence(i) /\ EndSequence(i) <= last}
  IN  CHOOSE n \in ended \cup {base} : \A i \in ended \cup {base} : i <= n
WholeContract == INSTANCE AtomicWrites WITH
  DurableWrites <- SyncWrites,
  UnseenWrites <- AllWrites \ {w \in AllWrites : Inserts(w)},
  log <- [i \in 1..Len(log) |-> WritersOf(i)],
  durable <- synced,
  published <- GroupsUpTo(last_sequence),
  recovered <- base,
  outcome <- [w \in AllWrites |->
                IF Returned(w)
                THEN IF StatusOf(w) = "OK" /\ Places(w) = {} THEN "Lost" ELSE StatusOf(w)
                ELSE IF incarnation[w[1]] >= w[2] THEN "pending" ELSE "idle"],
  snapshot <- [r \in Readers |-> IF snapshot[r] = <<>> THEN <<>> ELSE <<GroupsUpTo(snapshot[r][1])>>],
  seen <- [r \in Readers |->
             IF Len(seen[r]) < BatchCount THEN <<>>
             ELSE IF \A key \in 1..BatchCount : seen[r][key] = seen[r][1] THEN <<seen[r][1]>>
             ELSE seen[r]]
WholePromised == <<Promised, base, reading>>
REFINES_AtomicWrites_Crash ==
  WholeContract!Init
  /\ [][WholePromised' = WholePromised \/ WholeContract!Next]_WholeContract!contract_vars
=============================================================================
