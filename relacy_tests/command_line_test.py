#!/usr/bin/python3
"""bellwether_relacy as a command: bad input, exit codes, reports, replay; and the flag that its build cannot do without."""

import json
import os
import subprocess
import sys
import tempfile
import unittest

TOOL, SOURCE, COMPILER = sys.argv[1:4]
# A mutant of known death: the exit of the leader releases nothing.
RACE = ("--scenario", "serial_2x1", "--mutant", "ExitAsBatchGroupLeader_Cas.success=relaxed")


def tool(*args):
    return subprocess.run([TOOL, *args], capture_output=True, text=True, check=False, timeout=300)


class BadInput(unittest.TestCase):
    def assert_one_line(self, word, *args):
        done = tool(*args)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
        self.assertIn(word, done.stderr)

    def test_each_gives_one_line(self):
        for word, args in (("no_such", ("--scenario", "no_such")),
                           ("--no-such", ("--no-such",)),
                           ("scenario", ()),
                           ("weekly", ("--set", "weekly")),
                           ("fast", ("--scenario", "serial_2x1", "--scheduler", "fast")),
                           ("two", ("--scenario", "serial_2x1", "--scheduler", "context_bound=two")),
                           ("random=0", ("--scenario", "serial_2x1", "--scheduler", "random=0")),
                           ("random=5-5", ("--scenario", "serial_2x1", "--scheduler", "random=5-5")),
                           ("number", ("--scenario", "serial_2x1", "--scheduler", "random=5-x")),
                           ("1 <= I <= N", ("--scenario", "serial_2x1", "--shard", "3/2")),
                           ("1 <= I <= N", ("--scenario", "serial_2x1", "--shard", "0/2")),
                           ("1 <= I <= N", ("--scenario", "serial_2x1", "--shard", "half")),
                           ("1 <= I <= N", ("--scenario", "serial_2x1", "--shard", "1/x")),
                           ("1 <= I <= N", ("--set", "quick", "--shard", "2/1")),
                           ("fewer", ("--scenario", "serial_2x1", "--scheduler", "random=2", "--shard", "1/3")),
                           ("not a shard", ("--set", "quick", "--shard", "1/2", "--update")),
                           ("--add-up", ("--scenario", "serial_2x1", "--add-up", "x")),
                           ("no report", ("--set", "quick", "--add-up", "/dev/null")),
                           ("three values", ("--scenario", "serial_2x1", "--stale-depth", "3")),
                           ("orders.h", ("--scenario", "serial_2x1", "--mutant", "nonsense")),
                           ("no access", ("--scenario", "serial_2x1", "--mutant", "Foo.order=relaxed")),
                           ("runs.json", ("--set", "quick", "--runs", "/dev/null")),
                           ("writable", ("--scenario", "serial_2x1", "--json", "/no/such/folder/x"))):
            with self.subTest(word):
                self.assert_one_line(word, *args)


class Reports(unittest.TestCase):
    def report(self, *args):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "report.json")
            done = tool(*args, "--json", path)
            with open(path, encoding="utf-8") as file:
                report = json.load(file)
        self.assertEqual(report["exit"], done.returncode)
        self.assertEqual(report["ok"], done.returncode == 0)
        return done, report

    def test_a_complete_search_says_so_and_counts(self):
        done, report = self.report("--scenario", "serial_2x1")
        self.assertEqual(done.returncode, 0, done.stderr)
        row = report["rows"][0]
        self.assertEqual(row["result"], "COMPLETE")
        self.assertGreater(row["figures"]["executions"], 0)

    def test_what_is_not_wanted_of_the_model_is_left_out(self):
        for option, counted in (((), True), (("--no-lockstep",), False), (("--no-coverage",), False)):
            with self.subTest(option):
                _, report = self.report("--scenario", "serial_2x1", *option)
                self.assertEqual("model_edges" in report["rows"][0]["figures"], counted)

    def test_a_random_search_is_never_complete(self):
        _, report = self.report("--scenario", "serial_3x1", "--scheduler", "random=500", "--seed", "7")
        self.assertEqual(report["rows"][0]["result"], "ok")
        self.assertEqual(report["rows"][0]["figures"]["executions"], 500)

    def test_a_time_limit_is_incomplete(self):
        done, report = self.report("--scenario", "serial_4x1", "--time-limit", "0.2")
        self.assertEqual(done.returncode, 2)
        self.assertIn("INCOMPLETE", report["rows"][0]["result"])

    def test_a_race_is_a_safety_violation(self):
        done, report = self.report(*RACE)
        self.assertEqual(done.returncode, 12)
        self.assertIn("DATA RACE", report["rows"][0]["result"])

    def test_progress_is_on_stderr(self):
        done = tool("--scenario", "serial_4x1", "--time-limit", "2", "--progress")
        lines = [line for line in done.stderr.splitlines() if line.startswith("progress ")]
        self.assertTrue(lines)
        self.assertEqual(json.loads(lines[0].removeprefix("progress "))["unit"], "executions")

    def test_a_wrong_count_is_an_assumption_that_failed(self):
        with tempfile.TemporaryDirectory() as folder:
            runs = os.path.join(folder, "runs.json")
            with open(runs, "w", encoding="utf-8") as file:
                json.dump([{"scenario": "serial_2x1", "scheduler": "dpor", "set": "quick", "executions": 7}], file)
            self.assertEqual(tool("--set", "quick", "--runs", runs).returncode, 10)
            self.assertEqual(tool("--set", "quick", "--runs", runs, "--update").returncode, 0)
            self.assertEqual(tool("--set", "quick", "--runs", runs).returncode, 0)

    def test_an_update_changes_the_counts_alone(self):
        run = {"scenario": "serial_2x1", "scheduler": "random=5-9", "stale_depth": 2, "one_step_links": True,
               "spurious": True, "assertions": False, "lockstep": False, "coverage": False, "set": "quick",
               "executions": 7}
        with tempfile.TemporaryDirectory() as folder:
            runs = os.path.join(folder, "runs.json")
            with open(runs, "w", encoding="utf-8") as file:
                json.dump([run], file)
            self.assertEqual(tool("--set", "quick", "--runs", runs, "--update").returncode, 0)
            with open(runs, encoding="utf-8") as file:
                self.assertEqual(json.load(file), [run | {"executions": 4}])

    def test_a_run_of_no_set_is_not_left_out(self):
        with tempfile.TemporaryDirectory() as folder:
            runs = os.path.join(folder, "runs.json")
            with open(runs, "w", encoding="utf-8") as file:
                json.dump([{"scenario": "serial_2x1", "scheduler": "dpor", "set": "often", "executions": 210}], file)
            done = tool("--set", "push", "--runs", runs)
            self.assertEqual((done.returncode, done.stdout), (1, ""))
            self.assertIn("often", done.stderr)


class Shards(unittest.TestCase):
    def test_a_matrix_adds_up_to_the_file(self):
        with tempfile.TemporaryDirectory() as folder:
            reports = [os.path.join(folder, f"{i}.json") for i in (1, 2, 3)]
            for i, report in enumerate(reports, 1):
                done = tool("--set", "quick", "--shard", f"{i}/3", "--json", report)
                self.assertEqual(done.returncode, 0, done.stderr)
            done = tool("--set", "quick", "--add-up", *reports)
            self.assertEqual(done.returncode, 0, done.stderr)
            # A shard that is missing, or one in place of another, is noticed.
            self.assertEqual(tool("--set", "quick", "--add-up", *reports[:2]).returncode, 1)
            self.assertEqual(tool("--set", "quick", "--add-up", *reports[:2], reports[0]).returncode, 1)
            with open(reports[0], encoding="utf-8") as file:
                report = json.load(file)
            report["rows"][0]["figures"]["executions"] += 1
            with open(reports[0], "w", encoding="utf-8") as file:
                json.dump(report, file)
            self.assertEqual(tool("--set", "quick", "--add-up", *reports).returncode, 10)


class Replay(unittest.TestCase):
    def test_the_printed_command_shows_the_same_failure(self):
        failed = tool(*RACE)
        command = next(line for line in failed.stdout.splitlines() if line.startswith("replay: "))
        again = tool(*command.split()[2:])
        self.assertEqual(again.returncode, failed.returncode)
        self.assertIn("after 1 executions", again.stdout)

        def lanes(text):
            return [line for line in text.splitlines() if "#" in line]
        self.assertEqual(len(lanes(again.stdout)), len(lanes(failed.stdout)))
        self.assertIn("** LinkOne", again.stdout)


class Flag(unittest.TestCase):
    def test_a_build_without_the_flag_is_noticed(self):
        for flag, code in (("-fno-lifetime-dse", 0), ("-flifetime-dse=2", 1)):
            with self.subTest(flag), tempfile.TemporaryDirectory() as folder:
                program = os.path.join(folder, "probe")
                subprocess.run([COMPILER, "-std=c++20", "-O2", flag, "-I", SOURCE,
                                os.path.join(SOURCE, "relacy_tests", "lifetime_probe_test.cc"), "-o", program],
                               check=True)
                self.assertEqual(subprocess.run([program], check=False).returncode, code)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
