#!/usr/bin/python3
"""The command line of bellwether_model: bad input gives one line and exit code 1, results their own.

usage: cli_test.py BELLWETHER_MODEL
"""

import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

TOOL = ""


def run(*arguments):
    return subprocess.run([TOOL, *arguments], capture_output=True, text=True, timeout=300, check=False)


class BadInput(unittest.TestCase):
    """What is wrong, in one line, and exit code 1."""

    CASES = [
        ((), "subcommand"),
        (("exlpore",), "exlpore"),
        (("explore", "--no-such-flag"), "--no-such-flag"),
        (("explore", "--mode", "seriall"), "seriall"),
        (("explore", "--writers", "0"), "--writers"),
        (("explore", "--writers", "5"), "--writers"),
        (("explore", "--writers", "two"), "two"),
        (("explore", "--writes", "4"), "--writes"),
        (("explore", "--max-group", "0"), "--max-group"),
        (("explore", "--limit", "0"), "--limit"),
        (("explore", "--sync", "t4.1"), "t4.1"),
        (("explore", "--writes", "1", "--sync", "t1.1,t1.2"), "t1.2"),
        (("explore", "--callback-fails", "t1.9"), "t1.9"),
        (("explore", "--callback-alone", "nobody"), "nobody"),
        (("explore", "--disable-memtable", "t5.1"), "t5.1"),
        (("explore", "--writes", "2", "--commits", "t1.2"), "t1.2"),
        (("explore", "--writes", "2", "--disable-memtable", "t1.1,t1.2", "--commits", "t1.2"), "t1.2"),
        (("explore", "--commits", "t1.1"), "t1.1"),
        (("explore", "--closes", "t9.1"), "t9.1"),
        (("explore", "--closes", "t1.1", "--sync", "t1.1"), "t1.1"),
        (("explore", "--checkpointers", "t4"), "t4"),
        (("explore", "--max-log", "-1"), "--max-log"),
        (("explore", "--pre-release-fails", "t9.1"), "t9.1"),
        (("explore", "--sync", "t1.1", "--disable-wal", "t1.1"), "t1.1"),
        (("explore", "--stride-threshold", "1"), "--stride-threshold"),
        (("explore", "--readers", "3"), "--readers"),
        (("explore", "--crashes", "3"), "--crashes"),
        (("explore", "--crashes", "1", "--crash-kinds", "fire"), "fire"),
        (("explore", "--crashes", "1", "--closes", "t1.1"), "--closes"),
        (("explore", "--readers", "1", "--disable-wal", "t1.1"), "--disable-wal"),
        (("explore", "--crashes", "1", "--mutant", "lost_hand_off"), "lost_hand_off"),
        (("explore", "--mutant", "no_such_mutant"), "no_such_mutant"),
        (("explore", "--states", "/no/such/directory/states"), "/no/such/directory/states"),
        (("explore", "--json", "/no/such/directory/report"), "/no/such/directory/report"),
    ]

    def test_each_is_refused(self):
        for arguments, named in self.CASES:
            with self.subTest(arguments=arguments):
                result = run(*arguments)
                self.assertEqual(result.returncode, 1, result.stderr)
                self.assertEqual(len(result.stderr.splitlines()), 1, result.stderr)
                self.assertIn(named, result.stderr)


class Results(unittest.TestCase):
    """Exit code and report of each result."""

    def report(self, *arguments):
        with tempfile.TemporaryDirectory() as directory:
            path = pathlib.Path(directory, "report.json")
            result = run("explore", "--json", str(path), *arguments)
            report = json.loads(path.read_text())
        self.assertEqual(report["exit"], result.returncode)
        self.assertEqual(report["ok"], result.returncode == 0)
        self.assertEqual(len(report["rows"]), 1)
        return result, report["rows"][0]

    def test_complete(self):
        result, row = self.report("--writers", "2")
        self.assertEqual(result.returncode, 0)
        self.assertEqual(row["result"], "COMPLETE")
        self.assertEqual(row["bounds"], "serial 2x1")
        self.assertEqual(row["figures"]["distinct"], 124)
        self.assertEqual(result.stderr, "")

    def test_every_mode(self):
        for mode, distinct in [("serial", 2294), ("parallel", 3974), ("pipelined", 14294),
                               ("pipelined_parallel", 20258), ("two_queues", 2546),
                               ("two_queues_parallel", 4286)]:
            with self.subTest(mode=mode):
                _, row = self.report("--mode", mode, "--writers", "3", "--writes", "1")
                self.assertEqual((row["result"], row["bounds"]), ("COMPLETE", f"{mode} 3x1"))
                self.assertEqual(row["figures"]["distinct"], distinct)

    def test_the_options_of_writes_are_in_the_bounds(self):
        _, row = self.report("--callback-fails", "t1.1", "--callback-alone", "t2.1", "--disable-memtable",
                             "t3.1", "--stride-threshold", "2", "--writers", "3")
        self.assertEqual(row["bounds"], "serial 3x1 failing callback t1.1 callback alone t2.1 "
                                        "no memtable t3.1 stride 2")

    def test_crashes_and_readers_are_in_the_bounds(self):
        _, row = self.report("--writers", "2", "--readers", "1", "--crashes", "1", "--crash-kinds", "power")
        self.assertEqual((row["result"], row["bounds"]), ("COMPLETE", "serial 2x1 readers 1 crashes 1 (power)"))

    def test_a_lost_name_is_a_counterexample_of_two_crashes(self):
        result, row = self.report("--writers", "2", "--sync", "t2.1", "--crashes", "2", "--mutant", "name_lost")
        self.assertEqual((result.returncode, row["result"]), (12, "FAILED: violates CRASH_PREFIX"))
        self.assertEqual(result.stderr.count(" store Crash\n"), 2)

    def test_a_limit_is_not_a_pass(self):
        result, row = self.report("--writers", "3", "--limit", "100")
        self.assertEqual(result.returncode, 2)
        self.assertTrue(row["result"].startswith("INCOMPLETE"), row)

    def test_faults_have_their_exit_codes(self):
        for mutant, code, named in [("lost_hand_off", 11, "deadlock"), ("lost_sync", 12, "INV_ACK")]:
            with self.subTest(mutant=mutant):
                result, row = self.report("--writers", "2", "--sync", "t2.1", "--mutant", mutant)
                self.assertEqual(result.returncode, code)
                self.assertIn(named, row["result"])
                self.assertIn("   1 t", result.stderr)
                self.assertRegex(result.stderr.splitlines()[-1], f"^reproduce: .* --mutant {mutant}$")

    def test_the_dump_is_the_graph(self):
        with tempfile.TemporaryDirectory() as directory:
            states, edges = pathlib.Path(directory, "states"), pathlib.Path(directory, "edges")
            run("explore", "--writers", "2", "--states", str(states), "--edges", str(edges))
            state_lines = states.read_text().splitlines()
            edge_lines = [line.split() for line in edges.read_text().splitlines()]
        self.assertEqual(len(set(state_lines)), 124)
        self.assertEqual(len(state_lines), 124)
        self.assertEqual({len(fields) for fields in edge_lines}, {3})
        targets = {int(target) for _, _, target in edge_lines}
        self.assertEqual(targets, set(range(2, 125)))
        sources = {int(source) for source, _, _ in edge_lines}
        self.assertEqual(len(set(range(1, 125)) - sources), 4, "final states")


if __name__ == "__main__":
    TOOL = sys.argv.pop(1)
    unittest.main()
