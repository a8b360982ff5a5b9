#!/usr/bin/python3
"""Traces of real runs conform in every mode that the model has; changed ones are rejected where they were changed."""

import json
import os
import re
import subprocess
import sys
import tempfile
import unittest

MODEL, STRESS = sys.argv[1:3]
FORMAT = os.path.join(os.path.dirname(__file__), "../../impl/bellwether/trace/README.md")
MODES = ("serial", "parallel", "pipelined", "pipelined_parallel")
OK, USAGE, INCOMPLETE, VIOLATION = 0, 1, 2, 12
MIDDLE = 3000  # changes are made behind that event, where the threads are well mixed


def record(mode, path):
    subprocess.run([STRESS, "run", "--mode", mode, "--threads", "8", "--seconds", "20", "--file-system", "simulated",
                    "--trace", path], check=True, stdout=subprocess.DEVNULL)
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file]


class Conform(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.traces = {mode: record(mode, os.path.join(cls.folder.name, mode)) for mode in MODES}

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def conform_text(self, text):
        path = os.path.join(self.folder.name, "changed")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        done = subprocess.run([MODEL, "conform", path], capture_output=True, text=True, check=False)
        said = done.stdout if done.returncode == OK else done.stderr
        self.assertEqual(len(said.splitlines()), 1, said)
        return done.returncode, said

    def conform(self, trace):
        return self.conform_text("".join(json.dumps(line) + "\n" for line in trace))

    def assert_rejected_at(self, trace, index, what=""):
        code, said = self.conform(trace)
        self.assertEqual(code, VIOLATION, said)
        line = int(re.search(r" line (\d+):", said)[1])
        if line < index + 1 and trace[line - 1]["thread"] != trace[index]["thread"]:
            # Told before the changed event, as clocks go, and yet it saw what that one had to do.
            self.assertIn("'read' is", said)
            return
        self.assertEqual(line, index + 1, said)
        self.assertIn(what, said)

    def find(self, mode, action, wanted=lambda event: True):
        trace = [dict(line) for line in self.traces[mode]]
        return trace, next(i for i, event in enumerate(trace)
                           if i > MIDDLE and event.get("action") == action and wanted(event))

    def test_real_runs_conform(self):
        for mode in MODES:
            with self.subTest(mode):
                code, said = self.conform(self.traces[mode])
                self.assertEqual(code, OK, said)
                self.assertGreater(len(self.traces[mode]), MIDDLE)

    def test_lines_may_stand_in_any_order_between_threads(self):
        header, *events, end = self.traces["pipelined_parallel"]
        code, said = self.conform([header, *sorted(events, key=lambda e: e["ns"] // 50000), end])
        self.assertEqual(code, OK, said)

    def test_a_corrupted_value_is_rejected_at_its_event(self):
        cases = [("serial", action, field, value) for action, field, value in (
            ("LinkOne", "wrote", "t99"), ("JoinBatchGroup", "wrote", "STATE_COMPLETED"),
            ("EnterAsBatchGroupLeader", "group_size", 99), ("EnterAsBatchGroupLeader", "last_writer", "t99"),
            ("EnterAsBatchGroupLeader", "read", "t99"), ("WriteToWAL", "last_sequence", 7),
            ("InsertInto", "sequence", 7), ("SetLastSequence", "wrote", 7), ("ExitAsBatchGroupLeader", "read", "t99"),
            ("ExitAsBatchGroupLeader_SetState", "writer", "t99"),
            ("ExitAsBatchGroupLeader_CompleteFollower", "wrote", "STATE_GROUP_LEADER"),
            ("JoinBatchGroup_AwaitState", "read", "STATE_PARALLEL_MEMTABLE_WRITER"),
            ("Write_Return", "sequence", 7), ("Write_Return", "status", "Aborted"))]
        cases += [("parallel", "LaunchParallelMemTableWriters", "wrote", 99),
                  ("parallel", "CompleteParallelMemTableWriter", "wrote", 99),
                  ("pipelined", "LinkGroup", "wrote", "t99"), ("pipelined", "EnterAsMemTableWriter", "group_size", 99),
                  ("pipelined", "WriteToWAL_FirstError", "read", True),
                  ("pipelined", "ExitAsMemTableWriter", "read", "t99")]
        for mode, action, field, value in cases:
            with self.subTest(f"{mode} {action} {field}"):
                trace, i = self.find(mode, action, lambda event: field in event)
                trace[i][field] = value
                self.assert_rejected_at(trace, i, f"'{field}' is")

    def test_swapped_events_of_a_thread_are_rejected_at_the_first(self):
        trace, i = self.find("serial", "WriteToWAL")
        j = next(k for k in range(i + 1, len(trace)) if trace[k].get("thread") == trace[i]["thread"])
        place = ("thread", "event", "write")
        first = {**{k: v for k, v in trace[j].items() if k not in place}, **{k: trace[i][k] for k in place}}
        second = {**{k: v for k, v in trace[i].items() if k not in place}, **{k: trace[j][k] for k in place}}
        trace[i], trace[j] = first, second
        self.assert_rejected_at(trace, i, "not enabled; enabled there:")

    def test_a_deleted_event_is_rejected_at_the_next(self):
        for mode, action in (("serial", "WriteToWAL"), ("serial", "ExitAsBatchGroupLeader_SetState"),
                             ("parallel", "LaunchParallelMemTableWriters"), ("pipelined", "WriteToWAL_FirstError")):
            with self.subTest(f"{mode} {action}"):
                trace, i = self.find(mode, action)
                thread = trace[i]["thread"]
                del trace[i]
                for event in trace[i:-1]:
                    event["event"] -= event["thread"] == thread
                trace[-1] = dict(trace[-1], events=list(trace[-1]["events"]))
                trace[-1]["events"][int(thread[1:]) - 1] -= 1
                following = next(k for k in range(i, len(trace)) if trace[k].get("thread") == thread)
                self.assert_rejected_at(trace, following, "not enabled; enabled there:")

    def test_a_write_that_does_not_return(self):
        trace, i = self.find("serial", "Write_Return", lambda event: True)
        thread = trace[i]["thread"]
        last = max(k for k, event in enumerate(trace) if event.get("thread") == thread)
        del trace[last]
        trace[-1] = dict(trace[-1], events=list(trace[-1]["events"]))
        trace[-1]["events"][int(thread[1:]) - 1] -= 1
        code, said = self.conform(trace)
        self.assertEqual(code, VIOLATION, said)
        self.assertIn("Write_Return is due", said)

    def test_lines_that_are_missing_or_out_of_order(self):
        trace, i = self.find("serial", "WriteToWAL")
        self.assert_rejected_at(trace[:i] + trace[i + 1:],
                                next(k for k in range(i + 1, len(trace)) if trace[k]["thread"] == trace[i]["thread"]) - 1,
                                "one is missing, or two are swapped")
        trace, i = self.find("serial", "InsertInto")
        j = next(k for k in range(i + 1, len(trace)) if trace[k]["thread"] == trace[i]["thread"])
        trace[i], trace[j] = trace[j], trace[i]
        self.assert_rejected_at(trace, i, "one is missing, or two are swapped")

    def test_what_is_no_whole_trace_is_said_in_one_line(self):
        lines = [json.dumps(line) for line in self.traces["serial"]]
        whole = "\n".join(lines) + "\n"
        header = self.traces["serial"][0]
        cases = (
            ("cut off", "\n".join(lines[:-1]) + "\n", INCOMPLETE, "cut off"),
            ("cut within a line", whole[:len(whole) // 2], INCOMPLETE, "cut off"),
            ("empty", "", USAGE, "the file is empty"),
            ("not JSON", "\n".join([*lines[:50], "no json", *lines[50:]]) + "\n", USAGE, "line 51: not a JSON object"),
            ("no trace", '{"ok": true}\n', USAGE, "not a trace"),
            ("version", "\n".join([json.dumps({**header, "bellwether_trace": 99}), *lines[1:]]), USAGE, "version 99"),
            ("action", whole.replace('"LinkOne"', '"LinkTwo"', 1), USAGE, 'no action "LinkTwo"'),
            ("field", whole.replace('"wrote"', '"wrought"', 1), USAGE, "unknown field 'wrought'"),
            ("dropped", whole.replace('"dropped": 0', '"dropped": 3'), INCOMPLETE, "3 events were dropped"),
            ("mode", whole.replace('"serial"', '"no_mode"', 1), INCOMPLETE, "does not have the mode"),
        )
        for name, text, wanted, words in cases:
            with self.subTest(name):
                code, said = self.conform_text(text)
                self.assertEqual(code, wanted, said)
                self.assertIn(words, said)

    def test_the_example_of_the_format_conforms(self):
        with open(FORMAT, encoding="utf-8") as file:
            example = re.search(r"```json\n(.*?)```", file.read(), re.S)[1]
        code, said = self.conform_text(example)
        self.assertEqual(code, OK, said)
        self.assertEqual(self.conform_text(example.replace('"sequence":1', '"sequence":2'))[0], VIOLATION)

    def test_a_porter_may_record_less(self):
        needed = ("thread", "event", "write", "action", "count", "sequence", "read", "sync")
        header, *events, end = self.traces["parallel"]
        less = [{field: event[field] for field in needed if field in event} for event in events]
        code, said = self.conform([header, *less, end])
        self.assertEqual(code, OK, said)

    def test_a_limit_is_not_reported_as_a_result(self):
        path = os.path.join(self.folder.name, "serial")
        done = subprocess.run([MODEL, "conform", path, "--limit", "100"], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, INCOMPLETE)
        self.assertRegex(done.stderr, "INCOMPLETE: no interleaving was found within 100 tried actions")

    def test_the_interleaving_has_every_event(self):
        out = os.path.join(self.folder.name, "order")
        subprocess.run([MODEL, "conform", os.path.join(self.folder.name, "parallel"), "--interleaving", out], check=True,
                       stdout=subprocess.DEVNULL)
        with open(out, encoding="utf-8") as file:
            lines = file.read().splitlines()
        self.assertEqual(len(lines), len(self.traces["parallel"]) - 2)
        self.assertTrue(all(re.fullmatch(r"t\d+ \w+", line) for line in lines))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
