#!/usr/bin/python3
"""The kill matrix: every mutant of the header dies in the scenario that is named for it, in the way that is named.

Order mutants weaken one entry of sync/orders.h at run time. Structural mutants edit copies of headers and compile the
one file that includes them. The unmutated header passes the same scenarios. A weakening that no entry of the matrix
speaks of is an error, so a new order cannot come without its mutant; so is a past bug without one.

A mutant that dies of LOCKSTEP has to pass without the model: only the comparison with the model sees it. Each mode that
the model follows has one.

Exit codes: 0 ok, 1 usage or set-up, 10 the matrix does not fit the header, 12 a mutant lives.
"""

import argparse
import concurrent.futures
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass

HERE = os.path.dirname(os.path.abspath(__file__))
MATRIX = os.path.join(HERE, "mutants.json")
ROOT = os.path.dirname(os.path.dirname(HERE))
README = os.path.join(os.path.dirname(HERE), "README.md")
# What a mutated subject.cc links, in order.
LIBRARIES = ("relacy_tests/libbellwether_relacy_tool.a", "relacy_tests/libbellwether_relacy_search.a",
             "model/libbellwether_model_lib.a")
PRECOMPILED = ("relacy_tests/lockstep.h", "relacy_tests/relacy_sync.h")
BEGIN, END = "<!-- mutants: run_mutants.py --update writes this table -->", "<!-- end of mutants -->"
WEAKER = {"acq_rel": ("acquire", "release"), "acquire": ("relaxed",), "release": ("relaxed",),
          "seq_cst": ("acq_rel",), "relaxed": ()}
DEATHS = (11, 12, 13)
TIME_LIMIT = 400  # seconds of one exploration, which ends what hangs: the longest takes some ten
MODES = ("serial", "parallel", "pipelined", "pipelined_parallel", "two_queues", "two_queues_parallel")
MOST_SURVIVORS = 0.1  # of all mutants


class MatrixError(Exception):
    """One line: what of the matrix does not fit."""


def name_of(mutant):
    return mutant.get("name") or mutant["order"]


@dataclass
class Verdict:
    mutant: dict
    code: int
    result: str
    executions: int
    mode: str = ""
    seconds: float = 0.0  # with its build

    def name(self):
        return name_of(self.mutant)

    def died(self):
        kind = self.result.removeprefix("FAILED ")
        wanted = self.mutant["dies"]
        return self.code in DEATHS and (wanted == "*" or kind.startswith(wanted))


def weakenings(orders_h):
    """Every `ENTRY.field=order` that is one step weaker than an entry of orders.h."""
    pattern = r"inline constexpr (\w+)Order\s+(\w+)\{\s*\"(\w+)\",\s*((?:std::memory_order::\w+,?\s*)+)\}"
    found = re.findall(pattern, orders_h)
    if len(found) != len(re.findall(r"^inline constexpr \w+Order\b", orders_h, re.M)) or not found:
        raise MatrixError("sync/orders.h: not every entry was understood; adapt weakenings()")
    for kind, name, _, text in found:
        fields = ("success", "failure") if kind == "Cas" else ("order",)
        for field, order in zip(fields, re.findall(r"memory_order::(\w+)", text)):
            for weaker in WEAKER[order]:
                yield f"{name}.{field}={weaker}"


def mode_of(scenario):
    return max((mode for mode in MODES if scenario.startswith(mode + "_")), key=len, default="serial")


def check_mutants(matrix):
    mutants = matrix["orders"] + matrix["structural"]
    bugs = {bug.strip() for mutant in mutants for bug in mutant.get("bug", "").split(",")}
    for bug in matrix["past_bugs"]:
        if bug not in bugs:
            raise MatrixError(f"mutants.json: no mutant of the past bug {bug}")
    followed = {mode_of(m["scenario"]) for m in matrix["structural"] if m.get("dies", "").startswith("LOCKSTEP")}
    for mode in MODES:
        if mode not in followed:
            raise MatrixError(f"mutants.json: no mutant of mode {mode} that only the model in lockstep sees")
    for mutant in mutants:
        if len(mutant.get("survives", "x" * 80)) < 80:
            raise MatrixError(f"mutants.json: {name_of(mutant)}: a survivor needs its argument")
    survivors = sum("survives" in mutant for mutant in mutants)
    if survivors > MOST_SURVIVORS * len(mutants):
        raise MatrixError(f"mutants.json: {survivors} of {len(mutants)} mutants survive, more than one in ten")


def check_complete(matrix, orders_h):
    wanted = {w for w in weakenings(orders_h) if not w.startswith(tuple(matrix["outside"]))}
    named = [mutant["order"] for mutant in matrix["orders"]]
    for order in sorted(wanted - set(named)):
        raise MatrixError(f"mutants.json: no mutant {order}: name its killer, or argue why it survives")
    for order in named:
        if order not in wanted or named.count(order) > 1:
            raise MatrixError(f"mutants.json: {order} is no weakening of sync/orders.h, or stands twice")


def edits_of(mutant):
    """{header: its edits}."""
    return {mutant["file"]: mutant["edits"], **mutant.get("also", {})}


def mutated(source, name, mutant):
    for old, new in edits_of(mutant)[name]:
        if source.count(old) != 1:
            raise MatrixError(f"{name}: mutant {mutant['name']}: its text stands there "
                              f"{source.count(old)} times, not once; adapt mutants.json: {old.strip()[:60]!r}")
        source = source.replace(old, new)
    return source


class Bench:
    """Builds and runs."""

    def __init__(self, args):
        self.args = args
        self.impl = os.path.join(ROOT, "impl")
        self.explorer = os.path.join(args.build, "relacy_tests", "bellwether_relacy")
        self.libraries = [os.path.join(args.build, library) for library in LIBRARIES]
        self.work = os.path.join(args.build, "relacy_tests", "mutants")
        self.precompiled = os.path.join(self.work, "precompiled.h")
        os.makedirs(self.work, exist_ok=True)

    def header(self, name):
        with open(os.path.join(self.impl, "bellwether", name), encoding="utf-8") as file:
            return file.read()

    def build(self, mutant):
        folder = os.path.join(self.work, mutant["name"])
        for name in edits_of(mutant):
            path = os.path.join(folder, "bellwether", name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w", encoding="utf-8") as file:
                file.write(mutated(self.header(name), name, mutant))
        program = os.path.join(folder, "bellwether_relacy")
        # The edited copies are found first; all else is the headers as they are.
        self.compile(f"mutant {mutant['name']}", folder, "-include", self.precompiled,
                     os.path.join(ROOT, "relacy_tests", "subject.cc"), *self.libraries, "-o", program)
        return program

    def precompile(self):
        """What subject.cc includes and no mutant edits: read once, not for each mutant."""
        with open(self.precompiled, "w", encoding="utf-8") as file:
            file.write("".join(f'#include "{name}"\n' for name in PRECOMPILED))
        self.compile("what all mutants include", self.work, "-x", "c++-header", self.precompiled, "-o",
                     self.precompiled + ".gch")

    def compile(self, what, folder, *args):
        command = [self.args.compiler, "-std=c++20", "-O0", "-fno-lifetime-dse", "-DBELLWETHER_MODEL_SIX", "-w", "-I",
                   folder, "-I", self.impl, "-I", ROOT, *args]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise MatrixError(f"{what} does not compile: "
                              + next((l for l in done.stderr.splitlines() if "error" in l), "?"))

    def explore(self, program, mutant, extra=()):
        with tempfile.TemporaryDirectory(dir=self.work) as folder:
            report = os.path.join(folder, "report.json")
            command = [program, "--scenario", mutant["scenario"], *mutant["args"].split(), *extra,
                       "--time-limit", str(TIME_LIMIT), "--json", report]
            try:
                done = subprocess.run(command, capture_output=True, text=True, check=False,
                                      timeout=3 * TIME_LIMIT)
            except subprocess.TimeoutExpired:
                return Verdict(mutant, 2, "NO REPORT, one of its executions does not end", 0)
            if not os.path.exists(report):
                last = (done.stderr.splitlines() or ["no message"])[-1]
                return Verdict(mutant, done.returncode, f"NO REPORT, {last}", 0)
            with open(report, encoding="utf-8") as file:
                row = json.load(file)["rows"][0]
        return Verdict(mutant, done.returncode, row["result"], row["figures"]["executions"], row.get("mode", ""))

    def kill(self, mutant):
        start = time.monotonic()
        verdict = self.judge(mutant)
        verdict.seconds = time.monotonic() - start
        return verdict

    def judge(self, mutant):
        # The model in lockstep would find most of them first: each property has to find its own.
        if "order" in mutant:
            return self.explore(self.explorer, mutant, ("--mutant", mutant["order"], "--no-lockstep"))
        program = self.build(mutant)
        alone = self.explore(program, mutant, ("--no-lockstep",))
        if not mutant["dies"].startswith("LOCKSTEP"):
            return alone
        if alone.result != "COMPLETE":
            return Verdict(mutant, alone.code, f"WITHOUT THE MODEL {alone.result}", alone.executions)
        return self.explore(program, mutant)


class Progress:
    """What is going on: at most two lines a second on stderr, if asked for."""

    def __init__(self, enabled):
        self.enabled, self.executions, self.lock = enabled, 0, threading.Lock()
        self.started = self.last = time.monotonic()

    def step(self, done):
        with self.lock:
            now = time.monotonic()
            if done.exception() is None:
                self.executions += done.result().executions
            if not self.enabled or now - self.last < 0.5:
                return
            self.last = now
            line = {"what": "mutants", "done": self.executions, "unit": "executions",
                    "elapsed": round(now - self.started, 1)}
            print(f"progress {json.dumps(line)}", file=sys.stderr, flush=True)


def controls(mutants):
    """The unmutated header in each scenario that kills something."""
    chosen = {(m["scenario"], m["args"]): {"name": f"unmutated, {m['scenario']} {m['args']}".strip(),
                                           "scenario": m["scenario"], "args": m["args"]}
              for m in mutants}
    return list(chosen.values())


def table(verdicts, matrix):
    lines = ["| mutant | what it breaks | past bug | killed by | how | executions |", "|---|---|---|---|---|---:|"]
    for v in verdicts:
        m = v.mutant
        what = m.get("fault", "the order is weaker")
        by = f"{m['scenario']} {m['args']}".strip()
        how = v.result.removeprefix("FAILED ").split(" at ")[0].split(":")[0]
        lines.append(f"| {v.name()} | {what} | {m.get('bug', '')} | {by} | {how} | {v.executions} |")
    lines += ["", "Survivors, each with its argument:", ""]
    survivors = [m for m in matrix["orders"] + matrix["structural"] if "survives" in m]
    lines += [f"- `{name_of(m)}`. {m['survives']}" for m in survivors]
    return "\n".join(lines)


def update_readme(text, write):
    with open(README, encoding="utf-8") as file:
        readme = file.read()
    before, begin, rest = readme.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise MatrixError(f"README.md: no '{BEGIN}' … '{END}'")
    fresh = f"{before}{begin}\n{text}\n{end}{after}"
    if write:
        with open(README, "w", encoding="utf-8") as file:
            file.write(fresh)
    elif fresh != readme:
        raise MatrixError("relacy_tests/README.md: its table of mutants is not what was found; --update writes it")


def report_rows(verdicts):
    return [{"what": v.name(), "bounds": f"{v.mutant['scenario']} {v.mutant['args']}".strip(), "mode": v.mode,
             "result": "killed by " + v.result.removeprefix("FAILED ") if v.died() else f"LIVES: {v.result}",
             "figures": {"executions": v.executions, "seconds": round(v.seconds, 1)}} for v in verdicts]


def write_json(path, code, rows):
    with open(path + ".tmp", "w", encoding="utf-8") as file:
        json.dump({"ok": code == 0, "exit": code, "rows": rows}, file, indent=2)
    os.replace(path + ".tmp", path)


def run(args):
    with open(MATRIX, encoding="utf-8") as file:
        matrix = json.load(file)
    bench = Bench(args)
    check_complete(matrix, bench.header("sync/orders.h"))
    check_mutants(matrix)
    mutants = [m for m in matrix["orders"] + matrix["structural"] if "survives" not in m]
    if args.only:
        mutants = [m for m in mutants if name_of(m) == args.only]
    if not mutants:
        raise MatrixError(f"no mutant {args.only}")
    for mutant in matrix["structural"]:
        for name in edits_of(mutant):
            mutated(bench.header(name), name, mutant)
    bench.precompile()
    progress = Progress(args.progress)
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        kills = [pool.submit(bench.kill, m) for m in mutants]
        for kill in kills:
            kill.add_done_callback(progress.step)
        passes = [pool.submit(bench.explore, bench.explorer, c) for c in controls(mutants)]
        verdicts = [k.result() for k in kills]
        unmutated = [p.result() for p in passes]
    lives = [v for v in verdicts if not v.died()]
    for v in verdicts:
        print(f"{'killed' if v.died() else 'LIVES '}  {v.name():52} {v.result}  ({v.executions} executions)")
    for v in lives:
        print(f"run_mutants.py: {v.name()} lives in {v.mutant['scenario']}: {v.result}; "
              f"again: --only {v.name()}", file=sys.stderr)
    sick = [c for c in unmutated if c.code != 0 or c.result not in ("COMPLETE", "ok")]
    for c in sick:
        print(f"run_mutants.py: {c.name()}: {c.result}, so its kills say nothing", file=sys.stderr)
    code = 12 if lives or sick else 0
    survivors = sum("survives" in m for m in matrix["orders"] + matrix["structural"])
    print(f"{len(verdicts) - len(lives)} of {len(verdicts)} mutants killed, {survivors} survive with an argument, "
          f"{len(unmutated) - len(sick)} of {len(unmutated)} scenarios pass unmutated")
    if not args.only and code == 0:
        update_readme(table(verdicts, matrix), args.update)
    if args.json:
        write_json(args.json, code, report_rows(verdicts))
    return code


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", default=os.path.join(ROOT, "build", "relacy"),
                        help="where preset relacy has built bellwether_relacy")
    parser.add_argument("--compiler", default="g++")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only", help="one mutant by its name")
    parser.add_argument("--update", action="store_true", help="write the table of relacy_tests/README.md")
    parser.add_argument("--json", help="write the report")
    parser.add_argument("--progress", action="store_true", help="progress lines on stderr")
    args = parser.parse_args()
    try:
        return run(args)
    except (MatrixError, OSError) as error:
        print(f"run_mutants.py: {error}", file=sys.stderr)
        return 10 if isinstance(error, MatrixError) else 1


if __name__ == "__main__":
    sys.exit(main())
