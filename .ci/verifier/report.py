"""What was found: rows of stages, as a table's cells, JSON, JUnit and one exit code."""

import json
import os
import signal
from dataclasses import dataclass, field
from xml.etree import ElementTree

OK, USAGE, INCOMPLETE, SAFETY = 0, 1, 2, 12
EXIT_NAMES = {
    0: "ok", 1: "usage or set-up", 2: "incomplete", 10: "assumption", 11: "deadlock",
    12: "safety", 13: "liveness", 14: "data lost or wrong after a fault",
}
COUNTS = ("states", "distinct", "executions", "operations", "edges")
CRASHES = {signal.SIGABRT, signal.SIGSEGV, signal.SIGBUS, signal.SIGILL, signal.SIGFPE}


# How a row's result begins that is a find and not a search: no state need have been visited for it.
FINDS = ("killed", "violates")
FAMILIES = ("COMPLETE", "ok", *FINDS)


@dataclass
class Row:
    """One thing that was checked, and what came out. `check` names the plan's command that said so,
    `mode` the mode of the write path that it is about, if of one."""
    what: str
    bounds: str
    result: str
    figures: dict = field(default_factory=dict)
    check: str = ""
    mode: str = ""

    @property
    def passed(self):
        return not self.result.startswith(("FAILED", "INCOMPLETE"))

    def counted(self):
        """The one number a reader wants, with its unit: distinct states before all visited, …"""
        for key, unit in (("distinct", "states"), ("states", "states"),
                          ("executions", "executions"), ("operations", "operations"),
                          ("edges", "edges")):
            if key in self.figures:
                return self.figures[key], unit
        return 0, ""

    def count(self):
        number, unit = self.counted()
        return f"{number:,} {unit}" if unit else ""

    def seconds(self):
        value = self.figures.get("seconds")
        return "" if value is None else f"{value:.1f} s"


# What is measured, not counted: how the `store` stage's figures are called to a reader.
WORDY = ("bounds", "how many", "result")  # begins with a number, reads as text
MEASURES = (("batches_per_second", "batches/s", ",.0f"), ("group_mean", "group mean", ".1f"),
            ("group_max", "group max", ",.0f"), ("p50_us", "p50 µs", ",.0f"),
            ("p99_us", "p99 µs", ",.0f"), ("p999_us", "p99.9 µs", ",.0f"))


# What the runs of the `stress` stage went through; a row that counts stalls counts all of it.
EXERCISED = tuple((key, heading, ",.0f") for key, heading in (
    ("stalls", "stalls"), ("stall_refusals", "refused by them"), ("checkpoints", "checkpoints"),
    ("groups", "groups"), ("syncs", "syncs"), ("prepares", "prepares"), ("commits", "commits"),
    ("rollbacks", "rollbacks"), ("unlogged", "not logged"), ("callbacks_failed", "callbacks failed"),
    ("operations", "operations")))


def _figures(stages, title, columns):
    """One line of cells for each row that has the first of these figures, below their headings; else nothing."""
    lines = [[row.what, row.bounds, *(format(row.figures.get(key, 0), style)
                                      for key, _, style in columns)]
             for rows in stages for row in rows if columns[0][0] in row.figures]
    return [[title, "bounds", *(name for _, name, _ in columns)], *lines] if lines else []


def measures(stages):
    return _figures(stages, "measured", MEASURES)


def exercised(stages):
    return _figures(stages, "exercised", EXERCISED)


# What stands for each mode, by the stage that says it: the sum of a figure over the mode's rows.
BY_MODE = (("states as TLC's", "model", "distinct"), ("edges as TLC's", "model", "edges"),
           ("executions", "relacy", "executions"),
           ("edges in lockstep", "relacy", "model_edges_reached"),
           ("of the model's", "relacy", "model_edges"))


def by_mode(stages):
    """One line of cells for each mode that rows of (stage, its rows) are about, below their headings."""
    rows = [(stage, row) for stage, rows in stages for row in rows if row.mode and row.passed]
    if not any(name == "relacy" for name, _ in rows):
        return []

    def line(mode):
        own = [(stage, row) for stage, row in rows if row.mode == mode]
        sums = [sum(row.figures.get(key, 0) for name, row in own
                    if name == stage and not row.result.startswith("killed")) for _, stage, key in BY_MODE]
        killed = sum(row.result.startswith("killed") for name, row in own if name == "relacy")
        return [mode, *(f"{number:,}" for number in (*sums, killed))]

    return [["mode", *(heading for heading, _, _ in BY_MODE), "mutants killed"],
            *(line(mode) for mode in dict.fromkeys(row.mode for _, row in rows))]


def numeric_columns(table):
    """For each column: whether what stands below its heading are numbers, to be aligned as such."""
    return [all(cell[:1].isdigit() for cell in column[1:] if cell) and column[0] not in WORDY
            for column in zip(*table)]


def summary(check, unit, rows):
    """Many rows of one check as one: how many, their sums, and how many came out how."""
    figures = {"seconds": sum(row.figures.get("seconds", 0) for row in rows)}
    for number, name in (row.counted() for row in rows):
        if name:
            figures[name] = figures.get(name, 0) + number
    families = [next((name for name in FAMILIES if row.result.startswith(name)), row.result)
                for row in rows]
    counts = [f"{families.count(name)} {name}" for name in dict.fromkeys(families)]
    return Row(check, f"{len(rows)} {unit}{'s' * (len(rows) != 1)}", ", ".join(counts), figures,
               check)


@dataclass
class Stage:
    """One stage of the run; `exit` is that of its first check that failed."""
    name: str
    rows: list = field(default_factory=list)
    seconds: float = 0.0
    exit: int = OK

    @property
    def ok(self):
        return self.exit == OK

    def fail(self, code):
        if self.exit == OK:
            self.exit = code


def normal_exit(code):
    """A tool's exit code as one of ours: a crash is a safety violation, being killed is set-up."""
    if code in EXIT_NAMES:
        return code
    return SAFETY if -code in CRASHES else USAGE


def name_of_exit(code):
    """How a command ended, in words."""
    if code < 0:
        return f"ended by {signal.Signals(-code).name}"
    return f"exit {code}: {EXIT_NAMES.get(code, 'no exit code of ours')}"


def read_tool_report(path, exited):
    """The rows of a tool's JSON report and what is wrong with it ('' when nothing is)."""
    try:
        with open(path, encoding="utf-8") as file:
            data = json.load(file)
        rows = [Row(row["what"], row["bounds"], row["result"], row["figures"],
                    mode=row.get("mode", ""))
                for row in data["rows"]]
        ok, code = data["ok"], data["exit"]
        for row in rows:
            for text in (row.what, row.bounds, row.result, row.mode):
                if not isinstance(text, str):
                    return [], f"the report's row {row} holds something else than text"
            if not all(isinstance(value, (int, float)) for value in row.figures.values()):
                return [], f"the report's row '{row.what}' has a figure that is no number"
    except OSError as error:
        return [], f"wrote no report ({error.strerror})"
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        return [], f"wrote a report that is not the agreed JSON ({type(error).__name__}: {error})"
    if ok != (code == OK) or code != exited:
        return rows, f"the report says ok={ok} and exit={code}, the tool ended with {exited}"
    return rows, vacuous(rows)


def vacuous(rows):
    """Why these rows checked nothing, or ''. A check of nothing never counts as passed."""
    if not rows:
        return "the report has no rows: nothing was checked"
    for row in rows:
        counts = [row.figures[key] for key in COUNTS if key in row.figures]
        if row.passed and not row.result.startswith(FINDS) and (not counts or min(counts) <= 0):
            return f"'{row.what}' reports no state, execution or operation: nothing was checked"
    return ""


def exit_code(stages):
    return next((stage.exit for stage in stages if not stage.ok), OK)


def as_json(stages, depth, seed):
    code = exit_code(stages)
    return {
        "ok": code == OK, "exit": code, "depth": depth, "seed": seed,
        "stages": [{
            "name": stage.name, "ok": stage.ok, "seconds": round(stage.seconds, 1),
            "rows": [vars(row) for row in stage.rows],
        } for stage in stages],
    }


def write_atomically(path, text):
    temporary = f"{path}.{os.getpid()}.tmp"
    with open(temporary, "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(temporary, path)


def write_json(path, data):
    write_atomically(path, json.dumps(data, indent=1) + "\n")


def write_junit(path, stages):
    """One test suite a stage, one test case a row."""
    root = ElementTree.Element("testsuites", name="verify")
    for stage in stages:
        failed = sum(not row.passed for row in stage.rows)
        suite = ElementTree.SubElement(root, "testsuite", name=stage.name,
                                       tests=str(len(stage.rows)), failures=str(failed),
                                       time=f"{stage.seconds:.1f}")
        for row in stage.rows:
            name = f"{row.what} · {row.bounds}" if row.bounds else row.what
            case = ElementTree.SubElement(suite, "testcase", classname=stage.name, name=name,
                                          time=f"{row.figures.get('seconds', 0):.1f}")
            if not row.passed:
                ElementTree.SubElement(case, "failure", message=row.result)
    write_atomically(path, ElementTree.tostring(root, encoding="unicode",
                                                xml_declaration=True) + "\n")
