"""bellwether_stress as a command: exit codes, the one line of a failure, the report, no leftovers."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import unittest

TOOL = sys.argv.pop(1)


def run(*arguments, **keywords):
    return subprocess.run([TOOL, *arguments], capture_output=True, text=True, timeout=300,
                          **keywords)


def runs(pid):
    """False also for a zombie: where nobody reaps orphans, that is all that is left of one."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            return file.read().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


class BadInput(unittest.TestCase):
    def test_one_clear_line_and_exit_code_1(self):
        for arguments in (["--nonsense"], ["nonsense"], ["run", "--threads", "0"],
                          ["run", "--threads", "65"], ["crash", "--mode", "nonsense"],
                          ["crash", "--mutant", "nonsense"], ["run", "--mutant", "no_fdatasync"], ["crash", "--pin=maybe"],
                          ["run", "--seconds", "-1"], ["run", "--seed", "-1"],
                          ["run", "--file-system", "nonsense"],
                          ["kill", "--batches", "3"], ["store", "--batches", "0"],
                          ["run", "--seconds", "0.1", "--directory", "/nonexistent"],
                          ["kill", "--count", "1", "--directory", "/dev/null"],
                          ["store", "--batches", "1", "--directory", "/nonexistent"],
                          ["crash", "--count", "1", "--json", "/nonexistent/report.json"]):
            with self.subTest(arguments):
                result = run(*arguments)
                self.assertEqual(result.returncode, 1, result.stderr)
                self.assertEqual(len(result.stderr.splitlines()), 1, result.stderr)


class Failure(unittest.TestCase):
    def test_a_mutant_exits_14_with_a_line_that_repeats_it(self):
        result = run("crash", "--threads", "1", "--mutant", "no_fdatasync")
        self.assertEqual(result.returncode, 14)
        line, = result.stderr.splitlines()
        command = line.split("reproduce: bellwether_stress ")[1].split()
        again = run(*command)
        self.assertEqual(again.returncode, 14)
        self.assertEqual(again.stderr, result.stderr)


    def test_a_swallowed_memtable_error_is_seen_in_every_mode(self):
        modes = ["serial", "parallel", "pipelined", "pipelined_parallel", "two_queues",
                 "two_queues_parallel"]
        with tempfile.TemporaryDirectory() as directory:
            result = run("run", "--mode", *modes, "--threads", "2", "--seconds", "0.1",
                         "--directory", directory, "--mutant", "memtable_error_swallowed")
        self.assertEqual(result.returncode, 12, result.stderr)
        for mode, line in zip(modes, result.stderr.splitlines(), strict=True):
            self.assertRegex(line, rf"live history, {mode}: INV_STATUS: write \d+ of thread \d+ met "
                                   "an error.*reproduce: .* --mutant memtable_error_swallowed")


class Report(unittest.TestCase):
    def test_equal_seeds_give_equal_figures(self):
        reports = []
        with tempfile.TemporaryDirectory() as directory:
            for name in ("a", "b"):
                path = os.path.join(directory, name)
                result = run("crash", "--threads", "1", "--count", "50", "--seed", "7",
                             "--json", path)
                self.assertEqual(result.returncode, 0, result.stderr)
                with open(path, encoding="utf-8") as file:
                    reports.append(json.load(file))
        for report in reports:
            self.assertEqual((report["ok"], report["exit"]), (True, 0))
            row, = report["rows"]
            self.assertEqual(row["result"], "ok")
            self.assertGreater(row["figures"].pop("seconds"), 0)
            self.assertGreater(row["figures"]["operations"], 0)
        self.assertEqual(*reports)

    def test_store_says_what_it_measured(self):
        with tempfile.TemporaryDirectory() as directory:
            path = os.path.join(directory, "report.json")
            result = run("store", "--batches", "2000", "--json", path, "--progress",
                         "--directory", directory)
            self.assertEqual(result.returncode, 0, result.stderr)
            with open(path, encoding="utf-8") as file:
                rows = json.load(file)["rows"]
            self.assertEqual(os.listdir(directory), ["report.json"], "nothing is left behind")
        self.assertEqual(len(rows), 2)
        for row in rows:
            for name in ("operations", "batches_per_second", "group_mean", "group_max", "p50_us",
                         "p99_us", "p999_us", "verified"):
                self.assertGreater(row["figures"][name], 0, name)
            self.assertGreaterEqual(row["figures"]["verified"], 2000)
            self.assertGreater(row["figures"]["puts"], 2 * row["figures"]["verified"])
            self.assertGreater(row["figures"]["deletes"], 0)
        self.assertEqual(rows[0]["figures"]["syncs"], 0)
        self.assertGreater(rows[1]["figures"]["syncs"], 0)


class Interrupt(unittest.TestCase):
    def test_no_child_outlives_the_tool(self):
        with tempfile.TemporaryDirectory() as directory:
            tool = subprocess.Popen([TOOL, "store", "--directory", directory],
                                    stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            children = []
            while not children:
                with open(f"/proc/{tool.pid}/task/{tool.pid}/children", encoding="ascii") as file:
                    children = file.read().split()
                time.sleep(0.01)
            tool.send_signal(signal.SIGINT)
            tool.wait(timeout=300)
            for child in children:
                for _ in range(6000):
                    if not runs(child):
                        break
                    time.sleep(0.01)
                self.assertFalse(runs(child))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
