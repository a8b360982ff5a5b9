"""A recorded execution, in the order that `bellwether_model conform --interleaving` found, as a behaviour of the spec.

TLC takes the recorded steps one by one (a module and a configuration written for it): each has to be an enabled action
of WritePath, by that thread, with the status and the size of the group that were recorded, and every invariant holds
in between. The first that is not is a deadlock to TLC.
"""

import json
import re

from tlc_run import SPEC, WORK, Failure, Job
from tlc_text import INCOMPLETE, MODES, SAFETY, row

BASE = SPEC / "mc" / "Serial2x2.cfg"
FLAGS = {"sync": "SyncWrites", "disable_memtable": "DisableMemtable", "callback_alone": "CallbackAlone",
         "disable_wal": "DisableWal", "no_slowdown": "NoSlowdown"}
DEADLOCK = 11
MOST_THREADS = 1000
MODULE = r"""---- MODULE {name} ----
EXTENDS WritePathProperties, TLC
CONSTANTS {threads}
VARIABLE at  \* the next of the recorded steps

None == {{}}
{sets}
Recorded == <<
{steps}
>>

(* pc names the action that a thread takes next; what the environment does to it, it does not name. *)
Taken(step) ==
  /\ \/ step.action = pc[step.thread] /\ Step(step.thread)
     \/ step.action = "WalError" /\ WalError(step.thread)
     \/ step.action = "MemTableError" /\ MemTableError(step.thread)
  /\ IF step.status = "" THEN TRUE ELSE outcome'[step.thread][Len(outcome'[step.thread])][1] = step.status
  /\ IF step.group_size = 0 THEN TRUE ELSE group_size'[step.thread] = step.group_size

TraceInit == Init /\ at = 1
TraceNext ==
  \/ at <= Len(Recorded) /\ Taken(Recorded[at]) /\ at' = at + 1
  \/ at > Len(Recorded) /\ UNCHANGED <<vars, at>>
====
"""


def parse(path, number, line):
    try:
        value = json.loads(line)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise Failure(f"{path}: line {number}: not a JSON object; a trace has one on each line")
    return value


def is_count(value, most=MOST_THREADS):
    return isinstance(value, int) and 1 <= value <= most


def has_bounds(header):
    options = header.get("options", {})
    return (is_count(header.get("threads")) and isinstance(options, dict)
            and isinstance(options.get("parallel_stride_threshold", 20), int))


def read(path):
    """Header and events; None if this is no recorded trace."""
    lines = path.read_text(errors="replace").splitlines()
    if not lines or not lines[0].startswith('{"bellwether_trace"'):
        return None
    header, *events = [parse(path, number, line) for number, line in enumerate(lines, start=1)]
    if not events or not events[-1].get("end"):
        raise Failure(f"{path}: the trace is cut off: give what bellwether_model conform --interleaving wrote")
    events.pop()
    if not has_bounds(header):
        raise Failure(f"{path}: line 1: 'threads' or 'options' is missing or wrong")
    threads = [f"t{n}" for n in range(1, header["threads"] + 1)]
    for number, event in enumerate(events, start=2):
        named = event.get("thread") in threads and re.fullmatch(r"\w+", str(event.get("action")))
        if not named or not is_count(event.get("write"), most=len(events)):
            raise Failure(f"{path}: line {number}: 'thread', 'write' or 'action' is missing or wrong")
    if header.get("mode") not in MODES.values() or not events:
        raise Failure(f"{path}: line 1: unknown mode {header.get('mode')!r}, or no event")
    if header.get("options", {}).get("max_log_bytes") or any(event.get("unbatched") for event in events):
        raise Failure(f"{path}: stalls and unbatched calls are not checked here, but by bellwether_model conform")
    return header, events


def writes_with(events, wanted):
    writes = sorted({(event["thread"], event["write"]) for event in events if wanted(event)})
    return "{" + ", ".join(f"<<{thread}, {write}>>" for thread, write in writes) + "}"


def step(event):
    status = event.get("status", "")
    size = event.get("group_size", 0)
    if not re.fullmatch(r"\w*", str(status)) or not isinstance(size, int):
        raise Failure(f"'status' or 'group_size' is wrong: {json.dumps(event)}")
    return (f'  [thread |-> {event["thread"]}, action |-> "{event["action"]}", status |-> "{status}", '
            f"group_size |-> {size}]")


def module_text(name, header, events):
    sets = {constant: writes_with(events, lambda event, flag=flag: event.get(flag) is True)
            for flag, constant in FLAGS.items()}
    # Whose callback it was in the group makes no difference: the leader's.
    sets["PreReleaseFails"] = writes_with(events, lambda event: event.get("action") == "PreReleaseError")
    sets["CallbackFails"] = writes_with(events, lambda event: event.get("status") == "CallbackFailed")
    return MODULE.format(name=name, threads=", ".join(f"t{n}" for n in range(1, header["threads"] + 1)),
                         sets="\n".join(f"Recorded{constant} == {value}" for constant, value in sets.items()),
                         steps=",\n".join(map(step, events)))


def config_text(header, events):
    """A configuration of the push set, with the constants of this execution."""
    text = BASE.read_text()
    text = re.sub(r"^PROPERTIES .*\n", "", text, flags=re.M)
    text = re.sub(r"^  t\d+ = t\d+\n", "", text, flags=re.M)
    text = text.replace("SPECIFICATION FairSpec", "INIT TraceInit\nNEXT TraceNext")
    threads = [f"t{n}" for n in range(1, header["threads"] + 1)]
    options = next(options for options, mode in MODES.items() if mode == header["mode"])
    constants = {"Threads": "= {" + ", ".join(threads) + "}",
                 "Writes": f"= {max(event['write'] for event in events)}",
                 "Options": "= {" + ", ".join(f'"{option}"' for option in sorted(options)) + "}",
                 "MaxGroup": f"= {len(threads)}",
                 "StrideThreshold": f"= {header.get('options', {}).get('parallel_stride_threshold', 20)}",
                 "BatchCount": "= 1", "WalErrors": "= TRUE", "MemTableErrors": "= TRUE"}
    constants |= {constant: f"<- Recorded{constant}" for constant in [*FLAGS.values(), "PreReleaseFails", "CallbackFails"]}
    for name, value in constants.items():
        text, count = re.subn(rf"^  {name} (=|<-) .*$", f"  {name} {value}", text, flags=re.M)
        if count != 1:
            raise Failure(f"{BASE}: no constant {name}")
    return text.replace("CONSTANTS\n", "CONSTANTS\n" + "".join(f"  {t} = {t}\n" for t in threads))


def job_of(path, directory, number, header, events):
    name = f"Recorded{number}"
    job = Job(directory, name, WORK / directory / f"{name}.tla", None, text=config_text(header, events))
    job.module.parent.mkdir(parents=True, exist_ok=True)
    job.module.write_text(module_text(name, header, events))
    job.path, job.events, job.asked = path, events, path
    return job


def judge(outcome):
    """The row of the run, and the exit code that it earns."""
    events = outcome.job.events
    what = f"trace {outcome.job.path.name}"
    bounds = f"{len(events)} steps"
    if outcome.code == INCOMPLETE:
        return row(what, bounds, f"INCOMPLETE: {outcome.stopped}", outcome), INCOMPLETE
    if outcome.code == 0 and outcome.figures.get("distinct") == len(events) + 1:
        return row(what, bounds, "ok", outcome), 0
    if outcome.code == DEADLOCK:
        output = (outcome.job.directory / "output.txt").read_text(errors="replace")
        at = int(re.findall(r"^/\\ at = (\d+)$", output, re.M)[-1])
        event = events[at - 1]
        told = f"line {at + 1}: {event['thread']} write {event['write']}, {event['action']}"
        return row(what, bounds, f"FAILED: {told}: no step of the spec there", outcome), SAFETY
    if outcome.property:
        return row(what, bounds, f"FAILED: violates {outcome.property}", outcome), SAFETY
    return row(what, bounds, f"FAILED: exit {outcome.code}: {outcome.error}", outcome), outcome.code or SAFETY
