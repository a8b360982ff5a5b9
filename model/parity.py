#!/usr/bin/python3
"""Is the C++ model the spec? Compares every state and every edge that TLC and the explorer find.

    model/parity.py [NAME...] [--model BELLWETHER_MODEL] [--nightly] [--json FILE] [--progress]

For each configuration NAME of spec/manifest.json (without names, of each mode 2x1, 2x2, 3x1; with
--nightly, all) the constants are read from its .cfg and given to the explorer; `spec/tlc dump` and
`bellwether_model explore` each write their states, one a line, and their edges, `source action target`
by line numbers of the states. Both are compared as sets, exactly, so configurations with SYMMETRY or a
CONSTRAINT are left out. The first difference is printed in the spec's words.

Exit codes: 0 the same, 1 usage or set-up, 2 interrupted, 12 a difference.
"""

import argparse
import functools
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
SPEC = ROOT / "spec"
OK, USAGE, INCOMPLETE, SAFETY = 0, 1, 2, 12
MODULES = ("MC", "MCRecovery")  # whose configurations are compared
MODES = {  # the RocksDB options that are on
    frozenset(): "serial",
    frozenset(["allow_concurrent_memtable_write"]): "parallel",
    frozenset(["enable_pipelined_write"]): "pipelined",
    frozenset(["allow_concurrent_memtable_write", "enable_pipelined_write"]): "pipelined_parallel",
    frozenset(["two_write_queues"]): "two_queues",
    frozenset(["allow_concurrent_memtable_write", "two_write_queues"]): "two_queues_parallel",
}


WRITE_SETS = {  # constants that are sets of writes, and the explorer's flags
    "SyncWrites": "--sync",
    "CallbackFails": "--callback-fails",
    "CallbackAlone": "--callback-alone",
    "DisableMemtable": "--disable-memtable",
    "DisableWal": "--disable-wal",
    "NoSlowdown": "--no-slowdown",
    "PreReleaseFails": "--pre-release-fails",
    "Commits": "--commits",
    "Closes": "--closes",
}


class SetUpError(Exception):
    """What stands in the way of a comparison, in one line."""


class Difference(Exception):
    """Where the model is not the spec: the first difference, in the spec's words."""


# ---- the configuration: the constants of a .cfg as flags of the explorer


def constants_of(cfg_text):
    """{name: value} of the `name = value` and `name <- definition` lines of a .cfg."""
    return dict(re.findall(r"^\s*(\w+)\s*(?:=|<-)\s*(.+?)\s*$", cfg_text, re.MULTILINE))


def named_writes(name, tla_text, threads, writes):
    """The writes of the operator `name`, as the explorer names them: t1.1, t2.1."""
    definition = re.search(rf"^{name}\s*==\s*(.+?)\s*$", tla_text, re.MULTILINE)
    if definition is None:
        raise SetUpError(f"no module of spec/mc defines {name} on one line")
    if definition[1] == "AllWrites":
        return [f"{thread}.{k}" for thread in threads for k in range(1, writes + 1)]
    pairs = re.findall(r"<<\s*(t\d+)\s*,\s*(\d+)\s*>>", definition[1])
    if not pairs and definition[1] != "{}":
        raise SetUpError(f"spec/mc: {name} is neither AllWrites nor a set of <<thread, number>>")
    return [f"{thread}.{k}" for thread, k in pairs]


def explorer_flags(name):
    """What `bellwether_model explore` needs to explore configuration `name`."""
    path = SPEC / "mc" / f"{name}.cfg"
    constants = constants_of(path.read_text())
    try:
        threads = re.findall(r"t\d+", constants["Threads"])
        writes = int(constants["Writes"])
        flags = ["--mode", MODES[frozenset(re.findall(r"\w+", constants["Options"]))],
                 "--writers", str(len(threads)), "--writes", str(writes),
                 "--max-group", str(min(int(constants["MaxGroup"]), len(threads))),
                 "--batch-count", constants["BatchCount"]]
        if constants["WalErrors"] == "TRUE":
            flags.append("--wal-errors")
        if constants["MemTableErrors"] == "TRUE":
            flags.append("--memtable-errors")
        tla = "".join((SPEC / "mc" / f"{module}.tla").read_text() for module in MODULES)
        for constant, flag in WRITE_SETS.items():
            writes_of = named_writes(constants[constant], tla, threads, writes)
            flags += [flag, ",".join(writes_of)] if writes_of else []
        checkpointers = re.findall(r"t\d+", constants["Checkpointers"])
        flags += ["--checkpointers", ",".join(checkpointers)] if checkpointers else []
        flags += ["--max-log", constants["MaxLog"], "--stride-threshold", constants["StrideThreshold"]]
        if "Crashes" in constants:  # of Recovery.tla
            flags += ["--readers", str(len(re.findall(r"\w+", constants["Readers"]))),
                      "--crashes", constants["Crashes"],
                      "--crash-kinds", ",".join(re.findall(r"\w+", constants["CrashKinds"]))]
    except KeyError as missing:
        raise SetUpError(f"{path.relative_to(ROOT)}: {missing} is not known to model/parity.py") from None
    return flags


def comparable(name, entry):
    """With symmetry, or a constraint, TLC's states are not all the states."""
    if entry["module"] not in MODULES or entry["expect"] != "ok" or entry.get("set") == "unmeasured":
        return False
    if entry["distinct"] > MOST_STATES:
        return False
    text = (SPEC / "mc" / f"{name}.cfg").read_text()
    return not re.search(r"^\s*(SYMMETRY|CONSTRAINT)\b", text, re.MULTILINE)


MOST_STATES = 200_000  # TLC's dump of more is too large to compare
# Of each mode, and what goes down in some; the mechanisms, two crashes among them: tests/parity_test.py.
CROSS_SECTION = re.compile(r"((?!\w*Crash)[A-Za-z]+(2x1|2x2|3x1)|(Parallel|Pipelined|TwoQueues)Crash2x1)")


def manifest():
    """The configurations of the spec, by name."""
    return json.loads((SPEC / "manifest.json").read_text())["mc"]


def chosen(names, nightly):
    """The configurations to compare: those named, or those of the set."""
    table = manifest()
    have = [name for name, entry in table.items() if comparable(name, entry)]
    for name in names:
        if name not in have:
            raise SetUpError(f"there is no configuration {name} to compare; there are {', '.join(have)}")
    return names or [name for name in have if nightly or CROSS_SECTION.fullmatch(name)]


# ---- the graphs


@functools.lru_cache(maxsize=None)
def of_threads(state, name):
    """{thread: value} of the variable `name`, a function of the threads."""
    return dict(pair.split(":>") for pair in variables(state)[name][1:-1].split("@@"))


def step_of(action, source, target):
    """Recovery.tla takes the steps of the write path as OpenStep and OpenEnvironment. Each moves the pc or the
    cursor of the thread that takes it, and of no other; that pc names the step, or what the error hits."""
    if action not in ("OpenStep", "OpenEnvironment"):
        return action
    pc, cursor, next_pc, next_cursor = (of_threads(s, name) for s in (source, target) for name in ("pc", "cursor"))
    labels = {pc[t] for t in pc if (pc[t], cursor[t]) != (next_pc[t], next_cursor[t])}
    if len(labels) != 1:
        return action
    label = labels.pop().strip('"')
    if action == "OpenStep":
        return label
    return {"InsertInto": "MemTableError"}.get(label, "WalError")


class Graph:
    """Distinct states as text, and edges as (source, action, target) of their texts."""

    def __init__(self, who, states_file, edges_file):
        self.who = who
        lines = states_file.read_text().splitlines()
        self.states = set(lines)
        if not lines:
            raise SetUpError(f"{who} dumped no state")
        if len(lines) != len(self.states):
            raise SetUpError(f"{who} dumped {len(lines)} states, of which {len(self.states)} are distinct")
        self.edges = set()
        for number, line in enumerate(edges_file.read_text().splitlines(), start=1):
            fields = line.split()
            if len(fields) != 3 or not all(f.isdigit() and 0 < int(f) <= len(lines) for f in fields[::2]):
                raise SetUpError(f"{who}'s edges, line {number}: not `source action target`: {line!r}")
            source, target = (lines[int(fields[i]) - 1] for i in (0, 2))
            self.edges.add((source, step_of(fields[1], source, target), target))


def variables(state):
    return dict(part.split(" = ", 1) for part in state.removeprefix("/\\ ").split(" /\\ "))


def nearest(state, states):
    """The variables in which `state` differs from the state of `states` most like it."""
    mine = variables(state)
    best = min(((sum(mine.get(k) != v for k, v in variables(other).items()), other)
                for other in states), default=None)
    if best is None:
        return ""
    other = variables(best[1])
    return "\n  most like a state of the other, but for\n" + "\n".join(
        f"    {name} = {mine.get(name)}  not  {other.get(name)}"
        for name in sorted(mine.keys() | other.keys()) if mine.get(name) != other.get(name))


def lines_of(state):
    return "\n".join(f"    /\\ {part}" for part in state.removeprefix("/\\ ").split(" /\\ "))


def changed(source, target):
    """What the step from `source` to `target` changes."""
    before, after = variables(source), variables(target)
    return "\n".join(f"    {name}' = {after[name]}" for name in sorted(after) if after[name] != before[name])


def compare(spec, model):
    """Raises Difference unless both graphs are the same."""
    for have, lack in ((spec, model), (model, spec)):
        extra = have.states - lack.states
        if extra:
            state = min(extra)
            raise Difference(f"{len(extra)} states of {have.who} are none of {lack.who}; the first:\n"
                             + lines_of(state) + nearest(state, lack.states))
    for have, lack in ((spec, model), (model, spec)):
        extra = have.edges - lack.edges
        if extra:
            source, action, target = min(extra)
            other = sorted(a for s, a, t in lack.edges if (s, t) == (source, target))
            named = f" (there it is {', '.join(other)})" if other else ""
            raise Difference(f"{len(extra)} edges of {have.who} are none of {lack.who}{named}; the first: "
                             f"{action}, from\n{lines_of(source)}\n  with\n{changed(source, target)}")


# ---- running both


def run(command, who):
    """Runs one side to its end; if this process is told to end, that side is told first."""
    command = [str(part) for part in command]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        try:
            out, err = child.communicate()
        except BaseException:
            child.terminate()
            child.communicate()
            raise
    if child.returncode != 0:
        said = (err or out).strip().splitlines() or ["it said nothing"]
        raise SetUpError(f"{who} ended with exit code {child.returncode}: {said[0]}; "
                         f"reproduce: {' '.join(command)}")


def dumped(who, command):
    """What one side finds, by a command that writes it to files."""
    with tempfile.TemporaryDirectory() as directory:
        states, edges = (pathlib.Path(directory, kind) for kind in ("states", "edges"))
        run([*command, "--states", states, "--edges", edges], who)
        return Graph(who, states, edges)


def graph_of_spec(name):
    return dumped("the spec", [SPEC / "tlc", "dump", name])


def graph_of_model(name, model, mutant=None):
    """What the explorer finds, and the row of its report."""
    flags = explorer_flags(name) + (["--mutant", mutant] if mutant else [])
    with tempfile.TemporaryDirectory() as directory:
        report = pathlib.Path(directory, "report.json")
        graph = dumped("the model", [model, "explore", "--json", report, *flags])
        return graph, json.loads(report.read_text())["rows"][0]


def check(name, model, mutant):
    """The report's row for configuration `name`."""
    started = time.monotonic()
    model_graph, explored = graph_of_model(name, model, mutant)
    spec_graph = graph_of_spec(name)
    result = "ok"
    try:
        compare(spec_graph, model_graph)
    except Difference as difference:
        result = f"FAILED: {str(difference).splitlines()[0]}"
        print(f"parity {name}: {difference}\n  reproduce: model/parity.py {name}"
              + (f" --mutant {mutant}" if mutant else ""), file=sys.stderr)
    return {"what": f"parity {name}", "bounds": explored["bounds"], "mode": explored["mode"], "result": result,
            "figures": {"distinct": len(spec_graph.states), "edges": len(spec_graph.edges),
                        "seconds": round(time.monotonic() - started, 3)}}


class Parser(argparse.ArgumentParser):
    def error(self, message):
        raise SetUpError(f"{message}; see --help")


def parse(arguments):
    parser = Parser(prog="parity", description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--model", default=ROOT / "build" / "release" / "model" / "bellwether_model",
                        help="the explorer; by default that of the release build")
    parser.add_argument("--nightly", action="store_true", help="every configuration")
    parser.add_argument("--mutant", help=argparse.SUPPRESS)
    parser.add_argument("--json", help="write the report")
    parser.add_argument("--progress", action="store_true", help="progress lines on stderr")
    return parser.parse_args(arguments)


def write_report(path, code, rows):
    temporary = pathlib.Path(f"{path}.tmp")
    temporary.write_text(json.dumps({"ok": code == OK, "exit": code, "rows": rows}, indent=2) + "\n")
    os.rename(temporary, path)


def main(arguments):
    options = parse(arguments)
    started = time.monotonic()
    rows, states = [], 0
    for name in chosen(options.names, options.nightly):
        rows.append(check(name, options.model, options.mutant))
        figures = rows[-1]["figures"]
        states += figures["distinct"]
        print(f"{rows[-1]['what']}: {rows[-1]['bounds']}: {rows[-1]['result']}: {figures['distinct']} "
              f"states, {figures['edges']} edges, {figures['seconds']} s", flush=True)
        if options.progress:
            print("progress", json.dumps({"what": "parity", "done": states, "unit": "states",
                                          "elapsed": round(time.monotonic() - started, 1)}),
                  file=sys.stderr, flush=True)
    if not rows:
        raise SetUpError("spec/manifest.json has no configuration to compare")
    code = OK if all(row["result"] == "ok" for row in rows) else SAFETY
    if options.json:
        write_report(options.json, code, rows)
    return code


def interrupted(*_):
    raise KeyboardInterrupt


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, interrupted)
    try:
        sys.exit(main(sys.argv[1:]))
    except (SetUpError, OSError) as error:
        print(f"parity: {error}", file=sys.stderr)
        sys.exit(USAGE)
    except KeyboardInterrupt:
        print("parity: interrupted", file=sys.stderr)
        sys.exit(INCOMPLETE)
