#!/usr/bin/python3
"""The seeded faults: each property has one that it alone sees, each past bug has one or a reason why not,
and what spec/tlc says of them is shown able to fail."""

import json
import re
import sys
import types
import unittest
from pathlib import Path

SPEC = Path(__file__).resolve().parent.parent
sys.dont_write_bytecode = True
sys.path.insert(0, str(SPEC))
import tlc_faults  # noqa: E402
import tlc_run  # noqa: E402
import tlc_text  # noqa: E402

MANIFEST = json.loads((SPEC / "manifest.json").read_text())
CLEAN = ["Model checking completed. No error has been found."]
FAULT = {"bounds": "2x1", "expect": "safety", "property": "INV_ACK", "only": True, "what": ""}
# The design's table of invariants: these tags stand in the spec, in impl/ and in the tests.
DESIGN = {"INV_LEADER", "INV_GROUP", "INV_SEQUENCE", "INV_PUBLISH", "INV_ATOMIC", "INV_ACK", "INV_STATUS",
          "INV_LIFETIME", "INV_WAKEUP", "INV_QUIET", "LIVE_COMPLETE", "LIVE_STALL", "CRASH_PREFIX",
          "CRASH_IDEMPOTENT", "LIN"}
REFINEMENTS = {"REFINES_AtomicWrites", "REFINES_AtomicWrites_Crash", "REFINES_Word"}
# Upstream's defects that are present, and its past bugs that a spec can show: each has a row in bugs/README.md.
DEFECTS = {"L1", "L2", "L3", "L7", "L9"}
PAST_BUGS = {"#4143", "#9944", "#4475", "#6322", "#7508", "#11130", "#11172", "#12652", "#10765", "#3923", "#7199",
             "#5976", "#3201", "#4838", "#1730", "#3641", "#5121", "#6113", "#10185", "#13489", "#14313", "#14864",
             "#14681", "tikv#19891"}


def outcome(code, lines, text="INVARIANTS INV_ACK\n"):
    return tlc_text.Outcome(types.SimpleNamespace(name="x", text=text), code, lines, 0.0)


class JudgeFault(unittest.TestCase):
    def judge(self, kind, code, lines, entry=FAULT, **more):
        row, earned = tlc_faults.judge_bug(entry, kind, outcome(code, lines, **more))
        return row["result"], earned

    def test_killed_by_its_property_alone(self):
        self.assertEqual(self.judge("fault", 12, ["Error: Invariant INV_ACK is violated."]), ("killed by INV_ACK", 0))
        for code, line in ((12, "Error: Invariant INV_GROUP is violated."), (11, "Error: Deadlock reached."),
                           (0, "no error")):
            self.assertEqual(self.judge("fault", code, [line])[1], 12)

    def test_a_step_that_the_contract_forbids_is_a_safety_violation(self):
        lines = ["Error: Action property line 90, col 17 to line 90, col 38 of module AtomicWrites is violated."]
        entry = dict(FAULT, property="REFINES_AtomicWrites")
        text = "PROPERTIES REFINES_AtomicWrites\n"
        self.assertEqual(self.judge("fault", 13, lines, entry, text=text)[1], 0)
        self.assertEqual(self.judge("fault", 13, lines, entry, text="PROPERTIES A REFINES_AtomicWrites\n")[1], 12)

    def test_liveness_and_deadlock(self):
        entry = dict(FAULT, expect="liveness", property="LIVE_COMPLETE")
        lines = ["Error: Temporal properties were violated."]
        self.assertEqual(self.judge("fault", 13, lines, entry, text="PROPERTIES LIVE_COMPLETE\n")[1], 0)
        entry = dict(FAULT, expect="deadlock", property=None)
        self.assertEqual(self.judge("fault", 11, ["Error: Deadlock reached."], entry), ("killed by deadlock", 0))

    def test_the_control_must_pass(self):
        self.assertEqual(self.judge("control", 0, CLEAN)[1], 0)
        self.assertEqual(self.judge("control", 12, [])[1], 12)

    def test_nothing_else_may_see_it(self):
        self.assertEqual(self.judge("alone", 0, CLEAN)[1], 0)
        self.assertEqual(self.judge("alone", 12, ["Error: Invariant INV_QUIET is violated."])[1], 12)

    def test_control_and_alone_are_cut_from_the_fault(self):
        text = "INVARIANTS INV_ACK INV_QUIET\nPROPERTIES LIVE_COMPLETE\n\\* The fault:\nCONSTANT A <- B\n"
        self.assertNotIn("<-", tlc_faults.without_fault(text))
        self.assertIn("INVARIANTS INV_QUIET\n", tlc_faults.without_property(text, "INV_ACK"))
        self.assertNotIn("PROPERTIES", tlc_faults.without_property(text, "LIVE_COMPLETE"))
        with self.assertRaises(tlc_run.Failure):
            tlc_faults.without_fault("CONSTANT A <- B\n")


class EveryProperty(unittest.TestCase):
    """Nobody can delete a property unnoticed: it is in the table, defined, checked in a configuration of every
    push, and needed by a fault that passes without it, as a run of `spec/tlc bugs` shows."""

    @staticmethod
    def checked_by(config):
        lines = [line for line in config.read_text().split("\n") if line.startswith(("INVARIANTS ", "PROPERTIES "))]
        return {name for line in lines for name in line.split()[1:]}

    def checked(self, kinds):
        return set().union(*(self.checked_by(SPEC / "mc" / f"{name}.cfg")
                             for name, entry in MANIFEST["mc"].items() if entry["set"] in kinds))

    def test_the_tags_of_the_design_are_properties(self):
        self.assertEqual((DESIGN | REFINEMENTS) - set(MANIFEST["properties"]), set())

    def test_each_is_defined_under_its_name(self):
        text = "\n".join(path.read_text() for path in SPEC.glob("*.tla"))
        for name in MANIFEST["properties"]:
            self.assertTrue(re.search(rf"^{name} ==", text, re.M), name)

    def test_each_is_checked_in_the_push_set_and_nothing_else_is(self):
        self.assertEqual(self.checked({"push"}), set(MANIFEST["properties"]))
        self.assertLessEqual(self.checked({"push", "nightly"}), set(MANIFEST["properties"]))

    def test_each_configuration_of_the_write_path_checks_all_that_holds_in_it(self):
        """The refinement too, but for the largest, which has a smaller brother for it."""
        every = {name for name in MANIFEST["properties"] if name.startswith("INV_")} - {"INV_WAKEUP", "INV_ACK_Crash",
                                                                                        "INV_STATUS_Crash"}
        for name, entry in MANIFEST["mc"].items():
            if entry["module"] == "MC" and entry["expect"] == "ok":
                checked = self.checked_by(SPEC / "mc" / f"{name}.cfg")
                self.assertEqual(every - checked, set(), name)
                self.assertTrue(checked & {"LIVE_COMPLETE", "LIVE_STALL", "ACYCLIC"}, name)
                self.assertTrue("REFINES_AtomicWrites" in checked or name.endswith("Whole"), name)

    def test_each_is_needed_by_a_fault(self):
        needed = {entry["property"] for entry in MANIFEST["bugs"].values() if entry["only"]}
        self.assertEqual(set(MANIFEST["properties"]) - needed, set())

    def test_a_fault_checks_the_property_that_it_names(self):
        for name, entry in MANIFEST["bugs"].items():
            if entry["property"]:
                self.assertIn(entry["property"], self.checked_by(SPEC / "bugs" / f"{name}.cfg"), name)

    def test_only_it_sees_the_fault_means_that_all_others_looked(self):
        """All that can stand beside it: a refinement or a liveness property is alone among the temporal ones."""
        crash = {"INV_STATUS_Crash", "INV_ACK_Crash"}
        path = {name for name in MANIFEST["properties"] if name.startswith("INV_")} - {"INV_WAKEUP",
                                                                                       "INV_PUBLISH_MONOTONE"}
        others = {"Faults": path - crash, "StallFaults": path - crash, "CrashFaults": path - {"INV_STATUS", "INV_ACK"},
                  "StateWordFaults": {"INV_WAKEUP", "INV_LIFETIME"},
                  "ContractFaults": self.checked_by(SPEC / "mc" / "Contract.cfg")}
        steps = {"CRASH_PREFIX", "CRASH_IDEMPOTENT", "LIN"}
        for name, entry in MANIFEST["bugs"].items():
            if entry["only"]:
                looked = self.checked_by(SPEC / "bugs" / f"{name}.cfg")
                self.assertLessEqual(others[entry["module"]] | (steps if entry["property"] in steps else set()),
                                     looked, name)

    def test_a_property_that_no_fault_misses_is_reported(self):
        properties = {"INV_ACK": "", "INV_X": ""}
        self.assertIn("INV_X", tlc_faults.judge_properties(properties, {"INV_ACK"})["result"])
        self.assertEqual(tlc_faults.judge_properties(properties, set(properties))["result"][:3], "ok:")


class PastBugs(unittest.TestCase):
    ROWS = [[cell.strip() for cell in line.strip("|").split("|")]
            for line in (SPEC / "bugs" / "README.md").read_text().split("\n") if line.startswith("| ")][1:]

    def row(self, bug):
        return next((row for row in self.ROWS if re.search(rf"(?<![\w]){bug}\b", row[0])), None)

    def test_each_has_a_row(self):
        for bug in PAST_BUGS | DEFECTS:
            self.assertIsNotNone(self.row(bug), bug)

    def test_a_defect_has_a_fault(self):
        for bug in DEFECTS:
            self.assertTrue(set(re.findall(r"`(\w+)`", self.row(bug)[2])) & set(MANIFEST["bugs"]), bug)

    def test_a_row_gives_faults_that_exist_or_a_reason(self):
        for row in self.ROWS:
            self.assertTrue(row[2], row)
            for name in re.findall(r"`(\w+)`", row[2]):
                self.assertTrue(name in MANIFEST["bugs"], f"{name} in the row of {row[0]}")

    def test_a_fault_of_upstream_stands_in_its_row(self):
        for name, entry in MANIFEST["bugs"].items():
            for bug in re.findall(r"(?:\w[\w/]*)?#\d+|L\d+", entry.get("upstream", "")):
                self.assertIsNotNone(self.row(bug), f"{bug} of {name}")
                self.assertIn(f"`{name}`", self.row(bug)[2], bug)


CONFIG = """SPECIFICATION Spec
CONSTANTS
  Threads = {t1, t2}
  Writes = 2
  SyncWrites <- SecondOfT2
  Checkpointers = {t2}
  BatchCount = 2
INVARIANTS INV_ACK
"""


class Smallest(unittest.TestCase):
    def smaller(self, text=CONFIG):
        return [b.files() for b in tlc_faults.Bounds.of("Faults", text).smaller()]

    def test_the_bounds_of_the_table_are_those_of_the_configuration(self):
        for name, entry in MANIFEST["bugs"].items():
            bounds = tlc_faults.fault_bounds(name, entry)
            callers = len(set(bounds.set("Threads")) - set(bounds.set("Checkpointers")))
            expected = (f"{callers}x{bounds.number('Writes')}" if callers
                        else f"{len(bounds.set('Setters')) + 1} threads, {bounds.number('Lives')} Writer"
                        if bounds.set("Setters") else f"{len(bounds.set('AllWrites'))} write")
            self.assertIn(expected, entry["bounds"], name)

    def test_one_thing_less_in_every_way(self):
        texts = self.smaller()
        self.assertEqual(len(texts), 5)  # one of two threads, one of two writes of each, batches of one
        self.assertEqual(sum("Threads = {t1}" in config for _, config in texts), 2)
        self.assertEqual(sum("Writes = 1" in config for _, config in texts), 2)
        self.assertEqual(sum("BatchCount = 1" in config for _, config in texts), 1)

    def test_the_workload_loses_it_too(self):
        module, config = self.smaller()[0]  # without t1: t2 is called t1
        self.assertIn("Smaller_SyncWrites == {<<t1, 2>>}", module)
        self.assertIn("Checkpointers = {t1}", config)
        self.assertIn("SyncWrites <- Smaller_SyncWrites", config)
        module, config = self.smaller()[1]  # without t2
        self.assertIn("Smaller_SyncWrites == {}", module)
        self.assertIn("Checkpointers = {}", config)
        module, _ = self.smaller()[2]  # without the first write of each: the second is the first
        self.assertIn("Smaller_SyncWrites == {<<t2, 1>>}", module)

    def test_equal_bounds_are_tried_once(self):
        text = CONFIG.replace("SecondOfT2", "None").replace("{t2}", "{}")
        self.assertEqual(len(self.smaller(text)), 3)

    def test_nothing_is_smaller_than_one_write(self):
        text = CONFIG.replace("{t1, t2}", "{t1}").replace("= 2", "= 1").replace("{t2}", "{}")
        self.assertEqual(self.smaller(text), [])

    def test_judgement(self):
        bounds = tlc_faults.Bounds.of("Faults", CONFIG)
        for judge, code, result, earned in (
                (tlc_faults.judge_smaller, 0, "ok: it passes", 0), (tlc_faults.judge_smaller, 12, "ok: it dies", 0),
                (tlc_faults.judge_smaller, 10, "ok: no bounds for it", 0),
                (tlc_faults.judge_smaller, tlc_text.EVALUATION, "ok: no bounds for it", 0),
                (tlc_faults.judge_smaller, tlc_run.INCOMPLETE, "INCOMPLETE", 2),
                (tlc_faults.judge_smaller_control, 0, "FAILED: its bounds are not the smallest", 12),
                (tlc_faults.judge_smaller_control, 11, "ok: no bounds for it", 0),
                (tlc_faults.judge_smaller_control, tlc_run.INCOMPLETE, "INCOMPLETE", 2)):
            row, code = judge("x", bounds, outcome(code, CLEAN))
            self.assertEqual((row["result"][:len(result)], code), (result, earned))


if __name__ == "__main__":
    unittest.main()
