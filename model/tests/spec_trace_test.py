#!/usr/bin/python3
"""The interleavings that conform finds are behaviours of the spec, in every mode: TLC takes them step by step. Changed
ones are rejected at the changed step."""

import json
import os
import subprocess
import sys
import tempfile
import unittest

MODEL, RECORD = sys.argv[1:3]
TLC = os.path.join(os.path.dirname(__file__), "../../spec/tlc")
OK, USAGE, VIOLATION = 0, 1, 12
RUNS = {"serial": None, "parallel": "MemTableError", "pipelined": "PreReleaseError", "pipelined_parallel": "WalError",
        "two_queues": "WalError", "two_queues_parallel": "MemTableError"}  # what goes wrong there
FAULTS = {None: "none", "WalError": "log", "PreReleaseError": "pre_release", "MemTableError": "memtable"}


def next_of_thread(lines, index):
    return next(i for i in range(index + 1, len(lines)) if lines[i].get("thread") == lines[index]["thread"])


class SpecTrace(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.ordered = {mode: cls.order(mode, FAULTS[error]) for mode, error in RUNS.items()}

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    @classmethod
    def path(cls, name):
        return os.path.join(cls.folder.name, name)

    @classmethod
    def order(cls, mode, fault):
        subprocess.run([RECORD, mode, fault, "none", "3", "6", cls.path("trace")], check=True)
        subprocess.run([MODEL, "conform", cls.path("trace"), "--interleaving", cls.path(mode)], check=True,
                       stdout=subprocess.DEVNULL)
        with open(cls.path(mode), encoding="utf-8") as file:
            return [json.loads(line) for line in file]

    def tlc_trace(self, *names):
        report = self.path("report.json")
        done = subprocess.run([TLC, "trace", *map(self.path, names), "--json", report], capture_output=True, text=True,
                              check=False)
        with open(report, encoding="utf-8") as file:
            return done.returncode, {row["what"].split()[-1]: row["result"] for row in json.load(file)["rows"]}

    def find(self, mode, action):
        return next(i for i, line in enumerate(self.ordered[mode]) if line.get("action") == action)

    def write(self, name, lines):
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.writelines(json.dumps(line, separators=(",", ":")) + "\n" for line in lines)

    def test_every_mode(self):
        for mode, error in RUNS.items():
            self.assertTrue(error is None or self.find(mode, error), mode)
        code, results = self.tlc_trace(*RUNS)
        self.assertEqual((code, results), (OK, {mode: "ok" for mode in RUNS}))

    def change(self, name, mode, action, **fields):
        """Where the event stands, with other values."""
        lines, i = list(self.ordered[mode]), self.find(mode, action)
        lines[i] = dict(lines[i], **fields)
        self.write(name, lines)
        return i + 1

    def test_changed_ones_are_rejected_where_they_were_changed(self):
        wanted = {"status": self.change("status", "two_queues", "Write_Return", status="Busy"),
                  "group_size": self.change("group_size", "parallel", "EnterAsBatchGroupLeader", group_size=9)}
        lines, i = list(self.ordered["serial"]), self.find("serial", "SetLastSequence")
        wanted["deleted"] = next_of_thread(lines, i)  # one line up, since one is missing
        self.write("deleted", lines[:i] + lines[i + 1:])
        lines, i = list(self.ordered["two_queues_parallel"]), self.find("two_queues_parallel", "WriteToWAL_FirstError")
        j = next_of_thread(lines, i)
        lines[i], lines[j] = lines[j], lines[i]
        wanted["swapped"] = i + 1
        self.write("swapped", lines)
        code, results = self.tlc_trace(*wanted)
        self.assertEqual(code, VIOLATION)
        for name, line in wanted.items():
            self.assertRegex(results[name], rf"^FAILED: line {line}: t\d write \d+, \w+: no step of the spec")

    def test_what_is_no_whole_trace_is_refused(self):
        whole = self.ordered["serial"]
        for name, lines, words in (
                ("cut", whole[:-1], "the trace is cut off"), ("mode", [dict(whole[0], mode="no_mode"), *whole[1:]], "unknown mode"),
                ("stalls", [dict(whole[0], options={"max_log_bytes": 1}), *whole[1:]], "stalls and unbatched calls"),
                ("unbatched", [whole[0], dict(whole[1], unbatched=True), *whole[2:]], "stalls and unbatched calls"),
                ("action", [*whole[:3], dict(whole[3], action="x y"), *whole[4:]], "line 4:")):
            with self.subTest(name):
                self.write(name, lines)
                done = subprocess.run([TLC, "trace", self.path(name)], capture_output=True, text=True, check=False)
                self.assertEqual(done.returncode, USAGE, done.stdout)
                self.assertIn(words, done.stderr)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
