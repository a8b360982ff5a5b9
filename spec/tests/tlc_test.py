#!/usr/bin/python3
"""spec/tlc tells right from wrong: every judgement that it makes is shown able to fail."""

import contextlib
import importlib.machinery
import importlib.util
import io
import json
import re
import sys
import tempfile
import types
import unittest
from collections import Counter
from pathlib import Path

SPEC = Path(__file__).resolve().parent.parent
sys.dont_write_bytecode = True
loader = importlib.machinery.SourceFileLoader("tlc", str(SPEC / "tlc"))
tlc = importlib.util.module_from_spec(importlib.util.spec_from_loader("tlc", loader))
loader.exec_module(tlc)
import tlc_text  # noqa: E402
from tlc_faults import Bounds  # noqa: E402

CLEAN = """Model checking completed. No error has been found.
<LinkOne line 73, col 1 to line 73, col 10 of module WritePath>: 12:15
<WalError line 119, col 1 to line 119, col 11 of module WritePath>: 0:0
211 states generated, 138 distinct states found, 0 states left on queue.
The depth of the complete state graph search is 21.""".split("\n")
ENTRY = {"bounds": "2x1", "expect": "ok", "states": 211, "distinct": 138, "depth": 21}
FAULT = {"bounds": "2x1", "expect": "safety", "property": "INV_ACK", "only": True, "what": ""}


def outcome(code, lines, text="INVARIANTS INV_ACK\n"):
    return tlc_text.Outcome(types.SimpleNamespace(name="x", text=text), code, lines, 0.0)


class JudgeConfiguration(unittest.TestCase):
    def judge(self, entry, code, lines):
        row, earned = tlc.judge_mc(entry, outcome(code, lines))
        return row["result"].split(":")[0], earned

    def test_complete(self):
        self.assertEqual(self.judge(ENTRY, 0, CLEAN), ("COMPLETE", 0))

    def test_every_count_matters(self):
        for count in tlc.COUNTS:
            self.assertEqual(self.judge(dict(ENTRY, **{count: 1}), 0, CLEAN), ("FAILED", 12), count)

    def test_counts_missing_on_either_side(self):
        self.assertEqual(self.judge(ENTRY, 0, ["nothing"]), ("FAILED", 12))
        self.assertEqual(self.judge({"bounds": "", "expect": "ok"}, 0, CLEAN), ("FAILED", 12))

    def test_exit_codes_are_passed_on(self):
        for code in (10, 11, 12, 13):
            self.assertEqual(self.judge(ENTRY, code, CLEAN), ("FAILED", code))
        for code, ours in ((75, 12), (150, 1), (151, 1), (255, 1)):
            self.assertEqual(self.judge(ENTRY, code, CLEAN), ("FAILED", ours))

    def test_not_enough_memory(self):
        for line in ("Error: Java ran out of memory.  Running Java with", "java.lang.OutOfMemoryError: Java heap space"):
            row, earned = tlc.judge_mc(ENTRY, outcome(255, [line]))
            self.assertEqual(earned, 2)
            self.assertRegex(row["result"], "^INCOMPLETE: not enough memory: ")

    def test_not_enough_stack(self):
        lines = ["java.lang.StackOverflowError"]
        row, earned = tlc.judge_mc(ENTRY, outcome(1, lines))
        self.assertEqual(earned, 2)
        self.assertRegex(row["result"], "^INCOMPLETE: not enough memory for its stack: ")
        self.assertEqual(self.judge(ENTRY, tlc_text.EVALUATION, lines), ("FAILED", 12))  # a recursion without end

    def test_a_machine_that_does_not_start(self):
        lines = ["Error occurred during initialization of VM", "Could not reserve enough space"]
        row, earned = tlc.judge_mc(ENTRY, outcome(1, lines))
        self.assertEqual((row["result"].split(": ", 2)[2], earned),
                         ("java does not start: Could not reserve enough space", 1))

    def test_a_stopped_run_is_incomplete(self):
        self.assertEqual(self.judge(ENTRY, tlc.INCOMPLETE, CLEAN), ("INCOMPLETE", 2))

    def test_an_assumption_that_holds_is_a_failure(self):
        entry = {"bounds": "", "expect": "assumption"}
        self.assertEqual(self.judge(entry, 10, [])[1], 0)
        self.assertEqual(self.judge(entry, 0, CLEAN), ("FAILED", 12))

    def test_dead_actions(self):
        alive = ["<WalError line 1, col 1 to line 1, col 2 of module WritePath>: 1:1"]
        self.assertIn("WalError", tlc.dead_actions([outcome(0, CLEAN)])[0])
        self.assertEqual(tlc.dead_actions([outcome(0, CLEAN), outcome(0, alive)])[0], "ok")
        self.assertTrue(tlc.dead_actions([]) [0].startswith("FAILED"))


TRACE = """Error: Invariant INV_X is violated.
Error: The behavior up to this point is:
State 1: <Initial predicate>
/\\ pc = (t1 :> "Write" @@ t2 :> "Write")
/\\ tail = NULL

State 2: <LinkOne line 1, col 1 to line 2, col 2 of module WritePath>
/\\ pc = (t1 :> "Write" @@ t2 :> "JoinBatchGroup")
/\\ tail = <<t2, 1>>

"""


class Trace(unittest.TestCase):
    def test_threads_against_steps(self):
        head, step, error = tlc_text.trace_table(TRACE)
        self.assertEqual(error.strip(), "| Invariant INV_X is violated.")
        self.assertEqual([cell.strip() for cell in head.split("|")], ["step", "t1", "t2", "what else changed"])
        self.assertEqual([cell.strip() for cell in step.split("|")], ["2", "", "LinkOne", "tail := <<t2, 1>>"])

    def test_a_wrapped_step_is_called_by_the_pc_of_its_thread(self):
        text = TRACE.replace("<LinkOne", "<OpenStep").replace('t2 :> "Write"', 't2 :> "LinkOne"')
        self.assertEqual(tlc_text.trace_table(text)[1].split("|")[2].strip(), "LinkOne")

    def test_a_crash_is_nobodys_step(self):
        step = tlc_text.trace_table(TRACE.replace("<LinkOne", "<Crash"))[1].split("|")
        self.assertEqual([cell.strip()[:5] for cell in step], ["2", "", "", "Crash"])

    def test_a_reader_has_a_lane_of_its_own(self):
        text = TRACE.replace("tail = NULL", "snapshot = (r1 :> <<>>)\n/\\ seen = (r1 :> <<>>)").replace(
            "tail = <<t2, 1>>", "snapshot = (r1 :> <<2>>)\n/\\ seen = (r1 :> <<>>)").replace("<LinkOne", "<GetSnapshot")
        step = tlc_text.trace_table(text.replace('t2 :> "JoinBatchGroup"', 't2 :> "Write"'))[1]
        self.assertEqual([cell.strip() for cell in step.split("|")], ["2", "GetSnapshot", "", "", "snapshot[r1] := <<2>>"])

    def test_what_fails_prints_its_counterexample(self):
        with tempfile.TemporaryDirectory() as directory:
            failed = types.SimpleNamespace(job=types.SimpleNamespace(directory=Path(directory)))
            printed = io.StringIO()
            with contextlib.redirect_stdout(printed):
                tlc.print_counterexample(failed)
                (Path(directory) / "output.txt").write_text(TRACE)
                tlc.print_counterexample(failed)
        self.assertEqual([line.strip() for line in printed.getvalue().splitlines()],
                         [line.strip() for line in tlc_text.trace_table(TRACE)])

    def test_a_step_in_a_loop_is_told_by_the_cursor(self):
        text = TRACE.replace('t2 :> "JoinBatchGroup"', 't2 :> "Write"')
        text = text.replace("/\\ tail = NULL", "/\\ cursor = (t1 :> NULL @@ t2 :> NULL)").replace(
            "/\\ tail = <<t2, 1>>", "/\\ cursor = (t1 :> <<t2, 1>> @@ t2 :> NULL)")
        self.assertEqual([cell.strip() for cell in tlc_text.trace_table(text)[1].split("|")], ["2", "LinkOne", "", ""])

    def test_no_counterexample(self):
        self.assertEqual(tlc_text.trace_table("Model checking completed."), [])


class CommandLine(unittest.TestCase):
    def test_two_workers_of_a_distributed_run_unless_told(self):
        for workers, arguments in ((2, []), (5, ["--workers", "5"]), (0, ["--workers", "0"])):
            self.assertEqual(tlc.parse(["mc", "--distributed", "Serial2x1", *arguments]).workers, workers)


class Counts(unittest.TestCase):
    def test_the_depth_counts_with_one_worker_alone(self):
        for kind, workers, distributed, last in (("push", 2, False, "depth"), ("nightly", 1, False, "depth"),
                                                 ("nightly", 2, False, "distinct"), ("push", 2, True, "distinct")):
            options = types.SimpleNamespace(workers=workers, distributed=distributed)
            self.assertEqual(tlc.counts_to_compare({"set": kind}, options)[-1], last)


class Sets(unittest.TestCase):
    def test_what_is_unmeasured_runs_by_its_name_alone(self):
        table = {name: {"set": name} for name in ("push", "nightly", "unmeasured")}
        self.assertEqual(tlc.of_sets(table, nightly=False), ["push"])
        self.assertEqual(tlc.of_sets(table, nightly=True), ["push", "nightly"])

    def test_what_has_no_counts_is_unmeasured(self):
        for name, entry in json.loads((SPEC / "manifest.json").read_text())["mc"].items():
            counted = entry["expect"] != "ok" or all(entry.get(count) for count in tlc.COUNTS)
            self.assertEqual(counted, entry["set"] != "unmeasured", name)


def without_constraint(text):
    return re.sub(r"^(SYMMETRY|CONSTRAINT) .*\n", "", text, flags=re.M)


class Workload:
    """What a configuration is a run of: its constants, what it checks, and of each thread what its writes have."""

    def __init__(self, text):
        bounds = Bounds.of("MC", text)
        self.threads = bounds.set("Threads")
        self.roles = Counter(tuple(sorted((constant, k) for constant, writes in bounds.workloads.items()
                                          for t, k in writes if t == thread)) for thread in self.threads)
        self.constants = {line for line in re.findall(r"^  (\w+ (?:=|<-) .*)$", without_constraint(text), re.M)
                          if line.split()[0] not in {"Threads", "StrideThreshold", *bounds.workloads}}
        self.launched_by_callers = bounds.number("StrideThreshold") <= len(self.threads)
        self.checks = {name for line in re.findall(r"^(?:INVARIANTS|PROPERTIES) (.*)$", text, re.M) for name in line.split()}

    def backs(self, larger):
        """Is this the run of a workload with one writer less, which checks no less?"""
        removed = larger.roles - self.roles
        return (len(self.threads) == len(larger.threads) - 1 and removed.total() == 1
                and self.constants == larger.constants and self.checks >= larger.checks
                and self.launched_by_callers == larger.launched_by_callers)


class Symmetry(unittest.TestCase):
    """What TLC's symmetry leaves out, a run without it looks at."""

    TABLE = json.loads((SPEC / "manifest.json").read_text())["mc"]
    TEXTS = {name: (SPEC / "mc" / f"{name}.cfg").read_text() for name, entry in TABLE.items() if entry["module"] == "MC"}
    SYMMETRIC = [name for name, text in TEXTS.items() if "SYMMETRY" in text]
    WHOLE = {name: Workload(text) for name, text in TEXTS.items() if text == without_constraint(text)}

    def backing(self, text):
        return [name for name, smaller in self.WHOLE.items()
                if smaller.backs(Workload(text)) and self.TABLE[name]["set"] != "unmeasured"]

    def test_every_mode_has_one_of_four_writers(self):
        four = {tlc_text.MODES[tlc_text.options_of(self.TEXTS[name])] for name in self.SYMMETRIC if "4x1" in name}
        self.assertEqual(four, set(tlc_text.MODES.values()))

    def test_each_is_backed_by_a_run_without_one_writer_smaller(self):
        for name in self.SYMMETRIC:
            self.assertTrue(self.backing(self.TEXTS[name]), name)

    def test_another_workload_backs_nothing(self):
        text = self.TEXTS["TwoQueuesParallel4x1StallClose"]
        self.assertEqual(self.backing(text), ["TwoQueuesParallel3x1StallClose"])
        for old, new in (("BatchCount = 1", "BatchCount = 2"), ("Closes <- OfT4", "Closes <- None"),
                         ("INV_QUIET", "INV_QUIET INV_MORE"), ("StrideThreshold = 20", "StrideThreshold = 2"),
                         ("DisableMemtable <- Last", "DisableMemtable <- OfT4")):
            self.assertEqual(self.backing(text.replace(old, new)), [], new)

    def test_one_order_leaves_as_many_states(self):
        in_turn = [name for name, text in self.TEXTS.items() if "CONSTRAINT InTurn" in text]
        self.assertTrue(in_turn)
        for name in in_turn:
            symmetric = self.TABLE[name.removesuffix("InTurn")]
            self.assertEqual([self.TABLE[name][count] for count in ("distinct", "depth")],
                             [symmetric[count] for count in ("distinct", "depth")])


class Modes(unittest.TestCase):
    def test_an_action_must_fire_in_the_modes_that_have_it(self):
        dead = ["<LinkGroup line 1, col 1 to line 1, col 2 of module WritePath>: 0:0"]
        for options, result in (('{}', "FAILED: TLC"),
                                ('{"enable_pipelined_write"}', "FAILED: never fires: pipelined:LinkGroup")):
            judged = tlc.dead_actions([outcome(0, dead, f"  Options = {options}\n")])[0]
            self.assertTrue(judged.startswith(result), judged)


class Text(unittest.TestCase):
    def test_a_state_is_one_line_sorted(self):
        label = r'/\\ z = {<<t2, 1>>, <<t1, 1>>}\n/\\ a = (t1 :> \"x\" @@\n  t2 :> <<1,\n 2>>)'
        self.assertEqual(tlc_text.canonical_state(label),
                         r'/\ a = (t1:>"x"@@t2:><<1,2>>) /\ z = {<<t1,1>>,<<t2,1>>}')

    def test_sets_of_pairs(self):
        self.assertEqual(tlc_text.canonical_value("{<<<<t2, 1>>, 3>>, <<<<t1, 1>>, 1>>}"),
                         "{<<<<t1,1>>,1>>,<<<<t2,1>>,3>>}")

    def test_a_changed_table_is_a_difference(self):
        manifest = {"mc": {"A": dict(ENTRY, set="push")}, "bugs": {"b": FAULT}, "properties": {"INV_ACK": "it holds"}}
        text = "".join(f"<!-- {n}: generated by spec/tlc readme --write -->\n<!-- end of {n} -->\n"
                       for n in ("properties", "mc", "bugs"))
        written = tlc_text.readme_with_tables(text, manifest)
        self.assertEqual(tlc_text.readme_with_tables(written, manifest), written)
        manifest["mc"]["A"]["distinct"] = 139
        self.assertNotEqual(tlc_text.readme_with_tables(written, manifest), written)


if __name__ == "__main__":
    unittest.main()
