#!/usr/bin/python3
"""Counterexamples as tables of threads against steps: of a safety violation, a deadlock, a write that
never returns, and a loop, each of a seeded fault; and of damaged output."""

import argparse
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

SPEC = Path(__file__).resolve().parent.parent
WORK = tempfile.TemporaryDirectory()
os.environ["BELLWETHER_TLC_WORK"] = WORK.name
sys.dont_write_bytecode = True
sys.path.insert(0, str(SPEC))
from tlc_run import Job, Runner, module_path  # noqa: E402
from tlc_text import trace_table  # noqa: E402

# The mutex of a Writer is not fair: spurious wakes take it for ever.
UNFAIR = r"""---- MODULE Unfair ----
EXTENDS StateWord
UnfairSpec == Spec /\ WF_vars(OwnerStep) /\ \A s \in Setters : WF_vars(SetterStep(s))
====
"""
FAULTS = ("linkone_without_cas", "lost_handoff_deadlock", "lost_handoff")


def jobs():
    for name in FAULTS:
        yield Job("bugs", name, module_path("bugs", "Faults"), SPEC / "bugs" / f"{name}.cfg")
    module = Path(WORK.name) / "Unfair.tla"
    module.write_text(UNFAIR)
    text = (SPEC / "mc" / "StateWord.cfg").read_text().replace("FairSpec", "UnfairSpec")
    yield Job("bugs", "unfair", module, None, text=text.replace("REFINES_Word ", ""))


class Counterexamples(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        runner = Runner(argparse.Namespace(workers=2, progress=False))
        cls.outputs = {outcome.job.name: outcome.job.directory / "output.txt" for outcome in runner.run_all(list(jobs()))}

    def table(self, name):
        head, *steps, error = trace_table(self.outputs[name].read_text())
        self.threads = [cell.strip() for cell in head.split("|")[1:-1]]
        return steps, error.strip(" |")

    def test_safety(self):
        steps, error = self.table("linkone_without_cas")
        self.assertEqual(self.threads, ["t1", "t2"])
        self.assertEqual(error, "Invariant INV_LEADER is violated.")
        self.assertIn("newest_writer := <<t2, 1>>", steps[-1])
        for step in steps:
            number, first, second, *_ = [cell.strip() for cell in step.split("|")]
            self.assertTrue(number.isdigit() and bool(first) != bool(second), f"one thread takes a step: {step}")

    def test_deadlock(self):
        steps, error = self.table("lost_handoff_deadlock")
        self.assertEqual(error, "Deadlock reached.")
        self.assertIn("Write_Return", steps[-1])

    def test_the_readme_shows_it_as_it_is(self):
        shown = (SPEC / "README.md").read_text().split("     step | t1", 1)[1].split("\n\n", 1)[0].splitlines()
        table = trace_table(self.outputs["lost_handoff_deadlock"].read_text())
        cells = [[[cell.strip() for cell in line.split("|")] for line in lines[1:]] for lines in (shown, table)]
        self.assertEqual(*cells)

    def test_who_waits_for_ever(self):
        steps, error = self.table("lost_handoff")
        self.assertEqual(error, "Temporal properties were violated.")
        self.assertEqual(steps[-1].strip(), "* | for ever: nobody takes a step")

    def test_a_loop_is_marked(self):
        steps, _ = self.table("unfair")
        self.assertEqual(self.threads, ["owner", "s1", "s2"])
        marked = [step.startswith("*") for step in steps[:-1]]
        self.assertEqual(marked, sorted(marked))
        loop = [cell for step in steps[:-1] if step.startswith("*") for cell in step.replace(";", "|").split("|")]
        loop = {cell.strip() for cell in loop}
        self.assertLessEqual({"BlockingAwaitState_Lock", "BlockingAwaitState_Wait", "SpuriousWake"}, loop)
        self.assertRegex(steps[-1], r"for ever: the steps marked \*, again and again \(back to step \d+\)")

    def test_the_command_prints_it(self):
        done = subprocess.run([sys.executable, str(SPEC / "tlc"), "trace", str(self.outputs["lost_handoff"])],
                              capture_output=True, text=True)
        self.assertEqual(done.stdout.splitlines(), trace_table(self.outputs["lost_handoff"].read_text()))
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_the_printed_commands_run(self):
        """-n prints what a shell can run anywhere: here a fault and its control."""
        done = subprocess.run([sys.executable, str(SPEC / "tlc"), "-n", "bugs", "sequence_gap"], cwd="/",
                              capture_output=True, text=True)
        fault, control, _ = done.stdout.splitlines()
        self.assertEqual([subprocess.run(command, shell=True, cwd=WORK.name, capture_output=True).returncode
                          for command in (fault, control)], [12, 0])

    def test_damaged_output_is_refused_or_printed(self):
        """Cut off anywhere, or with a piece missing, it never ends in anything but a table or ValueError."""
        for output in self.outputs.values():
            text = output.read_text()
            text = text[:text.find("coverage statistics")]
            for cut in range(0, len(text), 97):
                for damaged in (text[:cut], text[:cut] + text[cut + 50:]):
                    try:
                        trace_table(damaged)
                    except ValueError:
                        pass


if __name__ == "__main__":
    unittest.main()
