#!/usr/bin/python3
"""README.md as its sources have it: the table of explorations per mode comes from runs.json, and every litmus test has
its row, with what it shows.

Exit codes: 0 ok, 1 usage, 10 the README is not what its sources say (--update writes the table).
"""

import argparse
import json
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
README = os.path.join(HERE, "README.md")
BEGIN, END = "<!-- runs: readme_tables.py --update writes this table -->", "<!-- end of runs -->"
MODES = ("serial", "parallel", "pipelined", "pipelined_parallel", "two_queues", "two_queues_parallel")
HEAD = ("mode", "runs", "executions", "searched to the end", "of these followed", "edges of the model, all reached",
        "at three writers", "random at 4 to 6 writers: push", "nightly, besides")


class ReadmeError(Exception):
    """One line: what does not fit."""


def read(name):
    with open(os.path.join(HERE, name), encoding="utf-8") as file:
        return file.read()


def mode_of(scenario):
    name = scenario.removeprefix("blocking_")
    return max((mode for mode in MODES if name.startswith(mode + "_")), key=len, default="serial")


def writers(scenario):
    """4 of serial_4x1, and of two_queues_2+2."""
    bounds = scenario.rpartition("_")[2]
    first, plus, second = bounds.partition("+")
    return int(first) + int(second) if plus else int(bounds.partition("x")[0])


def row(mode, runs):
    def executions(chosen):
        return sum(run["executions"] for run in chosen)

    def random(nightly):
        return executions(run for run in runs if run["scheduler"].startswith("random") and writers(run["scenario"]) >= 4
                          and (run.get("set") == "nightly") == nightly)

    ended = [run for run in runs if run["scheduler"] in ("dpor", "dfs")]
    followed = [run for run in ended if run.get("lockstep", True)]
    edges = {run["scenario"]: run["edges"] for run in followed if "edges" in run}
    figures = (len(runs), executions(runs), executions(ended), executions(followed), sum(edges.values()),
               edges.get(f"{mode}_3x1", 0), random(False), random(True))
    return f"| {mode} | " + " | ".join(f"{figure:,}" for figure in figures) + " |"


def table(runs):
    lines = ["| " + " | ".join(HEAD) + " |", "|---" + "|---:" * (len(HEAD) - 1) + "|"]
    lines += [row(mode, [run for run in runs if mode_of(run["scenario"]) == mode]) for mode in MODES]
    return "\n".join(lines)


def with_table(readme, text):
    before, begin, rest = readme.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ReadmeError(f"README.md: no '{BEGIN}' … '{END}'")
    return f"{before}{begin}\n{text}\n{end}{after}"


def check_litmus(readme, source):
    tests = {".".join(test) for test in re.findall(r"^TEST\((\w+), (\w+)\)", source, re.M)}
    rows = set(re.findall(r"^\| `((?:Litmus|StockFull)\w*\.\w+)` \|", readme, re.M))
    for test in sorted(tests - rows):
        raise ReadmeError(f"README.md: no row says what {test} of litmus_test.cc shows")
    for test in sorted(rows - tests):
        raise ReadmeError(f"README.md: {test} is no test of litmus_test.cc")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--update", action="store_true", help="write the table")
    args = parser.parse_args()
    try:
        readme = read("README.md")
        fresh = with_table(readme, table(json.loads(read("runs.json"))))
        check_litmus(readme, read("litmus_test.cc"))
        if args.update:
            with open(README, "w", encoding="utf-8") as file:
                file.write(fresh)
        elif fresh != readme:
            raise ReadmeError("README.md: its table of runs is not what runs.json says; --update writes it")
    except ReadmeError as error:
        print(f"readme_tables.py: {error}", file=sys.stderr)
        return 10
    return 0


if __name__ == "__main__":
    sys.exit(main())
