------------------------------ MODULE CrashFaults ------------------------------
(* Seeded faults of recovery, readers, and of what a crash shows. Each is an    *)
(* operator that its configuration puts in the place of one of the spec's.      *)
EXTENDS MCRecovery

(* The leader goes on without fdatasync. *)
NeedsSync_never(t, logged) == FALSE

(* More is recorded as synced than was: the last of it is not on the disk (RocksDB #10185). *)
CurrentLogs_synced_less ==
  LET own == Whole(SubSeq(log, base + 1, Len(log)))
  IN  {[cache |-> own, disk |-> SubSeq(own, 1, synced - base - 1), uncut |-> <<>>]}

(* A reader that believes damage to be the end of nothing: it steps over it (LevelDB's default, and  *)
(* RocksDB's behind a page of zeros), and does not look whether sequences continue.                 *)
RECURSIVE ReadLog_skipping(_, _, _)
ReadLog_skipping(content, i, records) ==
  IF i > Len(content)
  THEN [records |-> records, at |-> i - 1, ended |-> FALSE, corrupt |-> FALSE]
  ELSE ReadLog_skipping(content, i + 1,
                        IF Image(content[i]) = "whole" THEN Append(records, content[i][1]) ELSE records)

(* A torn record is replayed as far as it goes: the first half of its writers. *)
RECURSIVE ReadLog_with_torn(_, _, _)
ReadLog_with_torn(content, i, records) ==
  IF i > Len(content)
  THEN [records |-> records, at |-> i - 1, ended |-> FALSE, corrupt |-> FALSE]
  ELSE IF Yields(content[i], records)
  THEN ReadLog_with_torn(content, i + 1, Append(records, content[i][1]))
  ELSE LET record == content[i][1]
           half == <<record[1], SubSeq(record[2], 1, Len(record[2]) \div 2)>>
       IN  [records |-> IF Image(content[i]) = "torn" THEN Append(records, half) ELSE records,
            at |-> i, ended |-> FALSE, corrupt |-> FALSE]

(* The log that was recovered is not synced: neither its cut, nor what came from the page cache. *)
SyncedFiles_not == files

(* A log that is read as empty is not synced: that may be the cut of a recovery that went down. *)
SyncedFiles_of_records ==
  IF files = <<>> THEN files
  ELSE [files EXCEPT ![Len(files)] = IF @.cache = <<>> THEN @ ELSE Settled(@.cache)]

(* The cut takes the last whole record too. *)
CutAt_before(logs) == Reading(logs).at - 1

(* The directory is not synced: the new log's name is lost (RocksDB #10573). *)
NamesTheLog_not == FALSE

(* A call that the crash has ended is taken for done. *)
ToldNothing_told_ok(t) ==
  IF incarnation[t] > Len(outcome[t]) THEN Append(outcome[t], <<"OK", 0>>) ELSE outcome[t]

(* It is told that it was not logged, though it may have been. *)
ToldNothing_told_aborted(t) ==
  IF incarnation[t] > Len(outcome[t]) THEN Append(outcome[t], <<"Aborted", 0>>) ELSE outcome[t]

(* A log that is refused once is refused for ever. *)
Recover_Refuse_for_ever ==
  /\ phase = "Recover_ReadLogs"
  /\ Reading(files).corrupt
  /\ UNCHANGED recovery_vars

(* Recovery restores the log, and replays nothing of it. *)
Replayed_none(records) == {}

(* A snapshot holds what was acknowledged, not all that is published: what one reader saw another may miss. *)
GetSnapshot_of_acknowledged(r) ==
  /\ phase = "open"
  /\ snapshot[r] = <<>>
  /\ LET ends == {place[2] + BatchCount - 1 : place \in UNION {Places(w) : w \in {w \in AllWrites : Acknowledged(w)}}}
     IN  snapshot' = [snapshot EXCEPT ![r] = <<CHOOSE n \in ends \cup {0} : \A end \in ends : end <= n>>]
  /\ UNCHANGED <<vars, phase, recovery, base, crashes, seen>>

(* A reader takes whatever is in the memtable. *)
Reaches_everything(r) == BatchCount * (Cardinality(AllWrites) + 1)

(* A reader looks at last_sequence anew for every key. *)
Reaches_now(r) == last_sequence
=============================================================================
