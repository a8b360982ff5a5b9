#!/usr/bin/python3
"""Traces of real runs conform in every mode, with and without faults; changed ones are rejected where they were changed."""

import json
import os
import re
import subprocess
import sys
import tempfile
import unittest

MODEL, STRESS, RECORD, MUTANT = sys.argv[1:5]
FORMAT = os.path.join(os.path.dirname(__file__), "../../impl/bellwether/trace/README.md")
MODES = ("serial", "parallel", "pipelined", "pipelined_parallel", "two_queues", "two_queues_parallel")
FAULTS = {"none": "Write_Return", "log": "WalError", "sync": "WalError", "pre_release": "PreReleaseError",
          "memtable": "MemTableError"}  # what it is told by
# Of runs with unbatched calls; `stalls` has stalls too. Their first events are the same at each time.
CALLS = {"none calls": "Close", **{f"{fault} stalls": told for fault, told in FAULTS.items()},
         "close stalls": "CloseError"}
STALLS = ("PreprocessWrite", "LinkOne_NoSlowdown", "BeginWriteStall", "BeginWriteStall_CompleteWriter", "EndWriteStall",
          "RunUnbatched", "EnterUnbatched", "Checkpoint", "Close")
STALLS_SHARED = (*STALLS, "PreprocessWrite_FirstError")
STALLS_PIPELINED = (*STALLS_SHARED, "WaitForMemTableWriters", "WaitForMemTableWriters_LinkOne",
                    "WaitForMemTableWriters_AwaitState", "WaitForMemTableWriters_Store")
STALLS_OF = {"serial": STALLS, "parallel": STALLS, "pipelined": STALLS_PIPELINED,
             "pipelined_parallel": STALLS_PIPELINED, "two_queues": STALLS_SHARED, "two_queues_parallel": STALLS_SHARED}
OK, USAGE, INCOMPLETE, VIOLATION = 0, 1, 2, 12
RUNS = 20  # of real threads, until one has what is to be changed
THREADS, WRITES = "8", "150"
FEW = ("3", "10")  # for what happens before the threads begin
MIDDLE = 1000  # changes are made behind that event, where the threads are well mixed


def record(mode, fault, path, calls="none", size=(THREADS, WRITES)):
    """Writes with failing callbacks, and some that insert nothing; one append, sync, callback or insert fails."""
    told = FAULTS[fault] if calls == "none" else CALLS[f"{fault} {calls}"]
    for _ in range(RUNS):
        subprocess.run([RECORD, mode, fault, calls, *size, path], check=True)
        with open(path, encoding="utf-8") as file:
            trace = [json.loads(line) for line in file]
        if any(event.get("action") == told for event in trace):
            return trace
    raise AssertionError(f"{RUNS} runs of {mode} without a {told}")


def without(trace, index):
    """The trace less one event, told as if it had never been: the later ones of its thread count on."""
    thread = trace[index]["thread"]
    changed = [dict(line) for line in trace[:index] + trace[index + 1:]]
    for event in changed[index:-1]:
        event["event"] -= event["thread"] == thread
    changed[-1]["events"] = list(changed[-1]["events"])
    changed[-1]["events"][int(thread[1:]) - 1] -= 1
    return changed


def next_of_thread(trace, index):
    return next(i for i in range(index + 1, len(trace)) if trace[i].get("thread") == trace[index]["thread"])


def swapped(trace, index):
    """The trace with what the event tells exchanged for what the next one of its thread does."""
    other = next_of_thread(trace, index)
    place = ("thread", "event", "write")
    changed = list(trace)
    for here, there in ((index, other), (other, index)):
        changed[here] = {**{k: v for k, v in trace[there].items() if k not in place},
                         **{k: trace[here][k] for k in place}}
    return changed


class Conform(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.traces = {f"{mode} {fault}": record(mode, fault, os.path.join(cls.folder.name, f"{mode} {fault}"))
                      for mode in MODES for fault in FAULTS}
        cls.traces |= {f"{mode} {kind}": record(mode, kind.split()[0], os.path.join(cls.folder.name, f"{mode} {kind}"),
                                                kind.split()[1]) for mode in MODES for kind in CALLS}
        cls.short = {mode: record(mode, "none", os.path.join(cls.folder.name, f"{mode} short"), "stalls", FEW)
                     for mode in MODES}

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

    def find_stall(self, mode, action, wanted=lambda event: True):
        """The same in a short trace with stalls, whose first ones always happen."""
        trace = list(self.short[mode])
        return trace, next(i for i, event in enumerate(trace) if event.get("action") == action and wanted(event))

    def find(self, name, action, wanted=lambda event: True):
        """The trace, and where such an event stands in it: well within, if nothing fails there."""
        first = MIDDLE if name.endswith(" none") else 0
        for _ in range(RUNS):
            trace = list(self.traces[name])
            for i, event in enumerate(trace):
                if i > first and event.get("action") == action and wanted(event):
                    return trace, i
            mode, fault, *calls = name.split()
            self.traces[name] = record(mode, fault, os.path.join(self.folder.name, name), *calls)
        raise AssertionError(f"{RUNS} runs of {name} without a {action}")

    def test_real_runs_of_the_store_conform(self):
        for mode in MODES:
            with self.subTest(mode):
                path = os.path.join(self.folder.name, mode)
                subprocess.run([STRESS, "run", "--mode", mode, "--threads", "8", "--seconds", "20", "--file-system",
                                "simulated", "--trace", path], check=True, stdout=subprocess.DEVNULL)
                done = subprocess.run([MODEL, "conform", path], capture_output=True, text=True, check=False)
                self.assertEqual(done.returncode, OK, done.stderr)
                self.assertGreater(int(re.search(r'"events":(\d+)', done.stdout)[1]), 10 * MIDDLE)
                with open(path, encoding="utf-8") as file:
                    told = {json.loads(line).get("action") for line in file}
                # Whether a write meets a stall is up to the scheduler.
                self.assertLessEqual({"PreprocessWrite", "RunUnbatched", "Checkpoint", "Close"}, told)

    def test_lines_may_stand_in_any_order_between_threads(self):
        header, *events, end = self.traces["pipelined_parallel none"]
        code, said = self.conform([header, *sorted(events, key=lambda e: e["ns"] // 50000), end])
        self.assertEqual(code, OK, said)

    def test_clocks_that_differ_reject_nothing(self):
        for kind in (f"{mode} {calls}" for mode in MODES for calls in ("none", "none stalls")):
            header, *events, end = self.traces[kind]
            skewed = [{**e, "ns": e["ns"] + 500000 * (e["thread"] == "t3")} for e in events]
            without_clock = [{k: v for k, v in e.items() if k != "ns"} for e in events]
            for name, changed in (("skewed", skewed), ("none", without_clock)):
                with self.subTest(f"{kind} {name}"):
                    code, said = self.conform([header, *changed, end])
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
                  ("pipelined", "ExitAsMemTableWriter", "read", "t99"),
                  ("two_queues", "LinkOne", "wrote", "t99"), ("two_queues", "WriteToWAL", "last_sequence", 7),
                  ("two_queues", "WriteToWAL_FirstError", "read", True),
                  ("two_queues_parallel", "ExitAsBatchGroupLeader", "read", "t99"),
                  ("two_queues_parallel", "CompleteParallelMemTableWriter", "read", 99)]
        for mode, action, field, value in cases:
            with self.subTest(f"{mode} {action} {field}"):
                trace, i = self.find(f"{mode} none", action, lambda event: event.get(field, value) != value)
                trace[i] = dict(trace[i], **{field: value})
                self.assert_rejected_at(trace, i, f"'{field}' is")

    def test_a_write_without_a_callback_is_not_told_that_it_failed(self):
        trace, i = self.find("pipelined none", "Write", lambda event: "callback" not in event)
        place = (trace[i]["thread"], trace[i]["write"])
        i = next(k for k in range(i, len(trace)) if (trace[k]["thread"], trace[k]["write"]) == place
                 and trace[k]["action"] == "Write_Return")
        trace[i] = dict(trace[i], status="CallbackFailed")
        self.assert_rejected_at(trace, i, "'status' is CallbackFailed, not OK")

    def test_swapped_events_of_a_thread_are_rejected_at_the_first(self):
        for mode in ("serial", "two_queues", "two_queues_parallel"):
            with self.subTest(mode):
                trace, i = self.find(f"{mode} none", "WriteToWAL")
                self.assert_rejected_at(swapped(trace, i), i, "not enabled; enabled there:")

    def test_a_deleted_event_is_rejected_at_the_next(self):
        for mode, action in (("serial", "WriteToWAL"), ("serial", "ExitAsBatchGroupLeader_SetState"),
                             ("parallel", "LaunchParallelMemTableWriters"), ("pipelined", "WriteToWAL_FirstError"),
                             ("two_queues", "WriteToWAL_FirstError"), ("two_queues_parallel", "WriteToWAL")):
            with self.subTest(f"{mode} {action}"):
                trace, i = self.find(f"{mode} none", action)
                following = next_of_thread(trace, i) - 1
                self.assert_rejected_at(without(trace, i), following, "not enabled; enabled there:")

    def test_a_write_that_does_not_return(self):
        trace = self.traces["serial none"]
        ends = {event["thread"]: k for k, event in enumerate(trace) if "action" in event}
        # A return is also what tells that a callback failed.
        last = next(k for k in ends.values() if trace[k]["status"] != "CallbackFailed")
        code, said = self.conform(without(trace, last))
        self.assertEqual(code, VIOLATION, said)
        self.assertIn("Write_Return is due", said)

    def test_a_write_that_begins_before_the_last_returned(self):
        trace, i = self.find("parallel none", "Write_Return")
        self.assert_rejected_at(without(trace, i), next_of_thread(trace, i) - 1, "where Write_Return of write")

    def test_lines_that_are_missing_or_out_of_order(self):
        trace, i = self.find("serial none", "WriteToWAL")
        self.assert_rejected_at(trace[:i] + trace[i + 1:],
                                next(k for k in range(i + 1, len(trace)) if trace[k]["thread"] == trace[i]["thread"]) - 1,
                                "one is missing, or two are swapped")
        trace, i = self.find("serial none", "InsertInto")
        j = next(k for k in range(i + 1, len(trace)) if trace[k]["thread"] == trace[i]["thread"])
        trace[i], trace[j] = trace[j], trace[i]
        self.assert_rejected_at(trace, i, "one is missing, or two are swapped")

    def test_what_is_no_whole_trace_is_said_in_one_line(self):
        lines = [json.dumps(line) for line in self.traces["serial none"]]
        whole = "\n".join(lines) + "\n"
        header = self.traces["serial none"][0]
        cases = (
            ("cut off", "\n".join(lines[:-1]) + "\n", INCOMPLETE, "cut off"),
            ("cut within a line", whole[:len(whole) // 2], INCOMPLETE, "cut off"),
            ("empty", "", USAGE, "the file is empty"),
            ("not JSON", "\n".join([*lines[:50], "no json", *lines[50:]]) + "\n", USAGE, "line 51: not a JSON object"),
            ("no trace", '{"ok": true}\n', USAGE, "not a trace"),
            ("version", "\n".join([json.dumps({**header, "bellwether_trace": 99}), *lines[1:]]), USAGE, "version 99"),
            ("action", whole.replace('"LinkOne"', '"LinkTwo"', 1), USAGE, 'no action "LinkTwo"'),
            ("field", whole.replace('"wrote"', '"wrought"', 1), USAGE, "unknown field 'wrought'"),
            ("count", whole.replace('"count": 1', '"count": "one"', 1), USAGE, "'count' is missing, or no number"),
            ("sequence", whole.replace('"sequence": ', '"sequence": -', 1), USAGE, "'sequence' is missing, or no number"),
            ("threads", whole.replace('"threads": 8', '"threads": 88888888888', 1), USAGE, "'threads' is more than"),
            ("options", json.dumps({**header, "options": 7}), USAGE, "'options' is no object"),
            ("option", whole.replace('"parallel_stride_threshold": 4', '"parallel_stride_threshold": null', 1), USAGE,
             "'parallel_stride_threshold' is missing, or no number"),
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

    def test_the_format_names_the_fields_of_every_action(self):
        with open(FORMAT, encoding="utf-8") as file:
            rows = [line.split("|")[1:3] for line in file if re.match(r"\| `[A-Z]", line)]
        documented = {action: set(re.findall(r"`(\w+)`", fields))
                      for actions, fields in rows for action in re.findall(r"`(\w+)`", actions)}
        recorded = {}
        for trace in self.traces.values():
            for event in trace[1:-1]:
                fields = set(event) - {"thread", "event", "write", "action", "ns"}
                recorded[event["action"]] = recorded.get(event["action"], set()) | fields
        self.assertLessEqual(set(recorded), set(documented))
        for action, fields in recorded.items():
            self.assertEqual(fields, documented[action], action)

    def test_a_porter_may_record_less(self):
        needed = ("thread", "event", "write", "action", "count", "sync", "disable_wal", "disable_memtable", "no_slowdown",
                  "unbatched", "callback", "callback_alone", "status", "read", "sequence")
        for kind in ("parallel none", "pipelined none stalls", "two_queues none stalls"):
            with self.subTest(kind):
                header, *events, end = self.traces[kind]
                less = [{field: event[field] for field in needed if field in event} for event in events]
                code, said = self.conform([header, *less, end])
                self.assertEqual(code, OK, said)

    def test_a_limit_is_not_reported_as_a_result(self):
        path = os.path.join(self.folder.name, "serial none")
        done = subprocess.run([MODEL, "conform", path, "--limit", "100"], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, INCOMPLETE)
        self.assertRegex(done.stderr, "INCOMPLETE: no interleaving was found within 100 tried actions")

    def test_the_interleaving_is_the_trace_in_another_order(self):
        out = os.path.join(self.folder.name, "order")
        subprocess.run([MODEL, "conform", os.path.join(self.folder.name, "parallel none"), "--interleaving", out],
                       check=True, stdout=subprocess.DEVNULL)
        with open(out, encoding="utf-8") as file:
            ordered = [json.loads(line) for line in file]
        trace = self.traces["parallel none"]
        self.assertEqual((ordered[0], ordered[-1]), (trace[0], trace[-1]))
        place = lambda event: (event["thread"], event["event"])  # noqa: E731
        self.assertEqual(sorted(ordered[1:-1], key=place), sorted(trace[1:-1], key=place))
        self.assertEqual(self.conform(ordered)[0], OK)

    def test_runs_with_faults_conform(self):
        for mode in MODES:
            for fault, action in FAULTS.items():
                with self.subTest(f"{mode} {fault}"):
                    trace = self.traces[f"{mode} {fault}"]
                    code, said = self.conform(trace)
                    self.assertEqual(code, OK, said)
                    self.assertTrue(any(event.get("action") == action for event in trace))
                    told = {event["status"] for event in trace if "status" in event}
                    wanted = {"OK", "CallbackFailed"} | (set() if fault == "none" else {"UnknownOutcome", "Aborted"})
                    self.assertLessEqual(wanted, told)

    def test_runs_with_stalls_and_unbatched_calls_conform(self):
        for mode in MODES:
            for kind in CALLS:
                with self.subTest(f"{mode} {kind}"):
                    trace = self.traces[f"{mode} {kind}"]
                    code, said = self.conform(trace)
                    self.assertEqual(code, OK, said)
            self.assertLessEqual(set(STALLS_OF[mode]), {event.get("action") for event in self.short[mode]})

    def test_a_corrupted_value_of_a_stall_or_a_call_is_rejected_at_its_event(self):
        cases = (("PreprocessWrite", "read", 5), ("LinkOne_NoSlowdown", "wrote", "STATE_GROUP_LEADER"),
                 ("BeginWriteStall", "read", "t99"), ("BeginWriteStall", "wrote", "t99"),
                 ("BeginWriteStall_CompleteWriter", "writer", "t99"), ("EndWriteStall", "read", "t99"),
                 ("EndWriteStall", "wrote", "stall_dummy"), ("RunUnbatched", "read", 9), ("RunUnbatched", "wrote", 9),
                 ("EnterUnbatched", "writer", "t99"), ("Close", "read", True), ("Close", "wrote", False),
                 ("PreprocessWrite_FirstError", "read", True), ("WaitForMemTableWriters", "read", "t99"),
                 ("WaitForMemTableWriters_LinkOne", "read", "t99"), ("WaitForMemTableWriters_LinkOne", "wrote", None),
                 ("WaitForMemTableWriters_AwaitState", "read", "STATE_GROUP_LEADER"),
                 ("WaitForMemTableWriters_Store", "wrote", "t99"))
        for mode in MODES:
            for action, field, value in cases:
                if action not in STALLS_OF[mode]:
                    continue
                with self.subTest(f"{mode} {action} {field}"):
                    trace, i = self.find_stall(mode, action, lambda event: field in event)
                    trace[i] = dict(trace[i], **{field: value})
                    self.assert_rejected_at(trace, i, f"'{field}' is")

    def test_the_second_writer_of_a_call_is_followed(self):
        for mode in ("two_queues", "two_queues_parallel"):
            for action, field, value in (("LinkOne", "wrote", None), ("ExitAsBatchGroupLeader", "writer", "t99")):
                with self.subTest(f"{mode} {action}"):
                    trace, i = self.find_stall(mode, "EnterUnbatched")
                    while trace[i]["action"] != action:
                        i = next_of_thread(trace, i)
                    trace[i] = dict(trace[i], **{field: value})
                    self.assert_rejected_at(trace, i, f"'{field}' is")

    def test_a_deleted_or_swapped_event_of_a_stall_or_a_call_is_rejected_where_it_is_missed(self):
        for mode in MODES:
            for action in STALLS_OF[mode]:
                trace, i = self.find_stall(mode, action,
                                           lambda event: event["action"] != "PreprocessWrite" or "read" in event)
                with self.subTest(f"{mode} {action} deleted"):
                    self.assert_rejected_at(without(trace, i), next_of_thread(trace, i) - 1, "not enabled; enabled there:")
                with self.subTest(f"{mode} {action} swapped"):
                    self.assert_rejected_at(swapped(trace, i), i, "not enabled; enabled there:")

    def test_a_stall_that_was_told_to_a_writer_which_waits_for_it_is_rejected(self):
        for mode in MODES:
            with self.subTest(mode):
                trace, i = self.find_stall(mode, "LinkOne_NoSlowdown")
                place = (trace[i]["thread"], trace[i]["write"])
                begin = next(k for k, event in enumerate(trace) if event.get("action") == "Write"
                             and (event["thread"], event["write"]) == place)
                trace[begin] = {field: value for field, value in trace[begin].items() if field != "no_slowdown"}
                self.assert_rejected_at(trace, i, "not enabled; enabled there:")

    def test_a_write_path_whose_unbatched_calls_are_wrong_is_rejected(self):
        for mode, calls, words in (("two_queues", "calls", r"(Checkpoint|Close): not enabled"),
                                   ("pipelined", "calls", r"(Checkpoint|Close): not enabled"),
                                   ("serial", "stalls", r"'read' is \d, not \d")):
            with self.subTest(mode):
                path = os.path.join(self.folder.name, "mutant")
                subprocess.run([MUTANT, mode, "none", calls, *FEW, path], check=True)
                with open(path, encoding="utf-8") as file:
                    code, said = self.conform_text(file.read())
                self.assertEqual(code, VIOLATION, said)
                self.assertRegex(said, words)

    def test_a_corrupted_error_is_rejected_at_its_event(self):
        cases = [("serial log", "WalError", "wrote", False), ("pipelined sync", "WalError", "read", True),
                 ("two_queues pre_release", "PreReleaseError", "read", True),
                 ("parallel memtable", "Poison", "wrote", False), ("two_queues log", "WalError", "read", True),
                 ("two_queues_parallel memtable", "MemTableError", "writer", "t99"),
                 ("two_queues memtable", "SetLastSequence_FirstError", "read", True),
                 ("pipelined close stalls", "CloseError", "wrote", False),
                 ("two_queues close stalls", "CloseError", "read", True)]
        for name, action, field, value in cases:
            with self.subTest(f"{name} {action} {field}"):
                trace, i = self.find(name, action)
                trace[i] = dict(trace[i], **{field: value})
                self.assert_rejected_at(trace, i, f"'{field}' is")

    def test_a_false_ok_is_rejected(self):
        for mode in MODES:
            for fault in ("log", "sync", "pre_release", "memtable"):
                with self.subTest(f"{mode} {fault}"):
                    trace, i = self.find(f"{mode} {fault}", "Write_Return",
                                         lambda event: event["status"] == "UnknownOutcome")
                    trace[i] = dict(trace[i], status="OK")
                    self.assert_rejected_at(trace, i, "'status' is OK, not UnknownOutcome")

    def test_an_error_that_is_not_told_is_rejected_at_what_follows(self):
        for name, action in (("serial log", "WalError"), ("pipelined_parallel memtable", "MemTableError"),
                             ("parallel pre_release", "PreReleaseError"),
                             ("parallel memtable", "Poison"), ("two_queues log", "WalError"),
                             ("two_queues_parallel sync", "WalError"), ("two_queues_parallel memtable", "Poison")):
            with self.subTest(f"{name} {action}"):
                trace, i = self.find(name, action)
                following = next_of_thread(trace, i) - 1
                self.assert_rejected_at(without(trace, i), following)

    def test_an_error_before_the_step_that_meets_it_is_rejected_there(self):
        for mode in ("pipelined", "pipelined_parallel", "two_queues", "two_queues_parallel"):
            with self.subTest(mode):
                trace, error = self.find(f"{mode} log", "WalError")
                i = max(k for k in range(error) if trace[k].get("thread") == trace[error]["thread"])
                self.assertEqual(trace[i]["action"], "WriteToWAL_FirstError")
                self.assert_rejected_at(swapped(trace, i), i, "not enabled")

    def test_the_other_queue_is_logged_between_its_neighbours(self):
        """A group that inserts nothing says between which groups of the main queue it was logged."""
        for mode in ("two_queues", "two_queues_parallel"):
            trace = self.traces[f"{mode} none"]
            nonmem = {(event["thread"], event["write"]) for event in trace if event.get("disable_memtable")}
            logged = [i for i, event in enumerate(trace) if event.get("action") == "WriteToWAL"
                      and (event["thread"], event["write"]) in nonmem]
            i = logged[len(logged) // 2]
            for value in (7, trace[i]["last_sequence"] + 500, 10**9):
                with self.subTest(f"{mode} {value}"):
                    changed = list(trace)
                    changed[i] = dict(trace[i], last_sequence=value)
                    self.assert_rejected_at(changed, i, "'last_sequence' is")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
