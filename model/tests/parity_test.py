#!/usr/bin/python3
"""The parity check can fail: on each kind of difference, on a mutated model, on a broken dump.

usage: parity_test.py BELLWETHER_MODEL
"""

import pathlib
import subprocess
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
MODEL_FOLDER = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(MODEL_FOLDER))

import parity  # noqa: E402

BELLWETHER_MODEL = ""
STATES = ['/\\ cursor = NULL /\\ pc = "Write"', '/\\ cursor = <<t1,1>> /\\ pc = "LinkOne"']
EDGES = ["1 Write 2", "2 Write_Return 1"]


def graph(who, states=STATES, edges=EDGES):  # read, never changed
    with tempfile.TemporaryDirectory() as directory:
        files = [pathlib.Path(directory, kind) for kind in ("states", "edges")]
        for file, lines in zip(files, (states, edges)):
            file.write_text("".join(f"{line}\n" for line in lines))
        return parity.Graph(who, *files)


class Compare(unittest.TestCase):
    """Each kind of difference is found and named in the spec's words."""

    def difference(self, states=STATES, edges=EDGES):
        with self.assertRaises(parity.Difference) as raised:
            parity.compare(graph("the spec"), graph("the model", states, edges))
        return str(raised.exception)

    def test_the_order_of_the_lines_does_not_matter(self):
        parity.compare(graph("the spec"), graph("the model", STATES[::-1], ["2 Write 1", "1 Write_Return 2"]))

    def test_a_state_that_only_the_spec_has(self):
        said = self.difference(STATES[:1], [])
        self.assertIn("1 states of the spec are none of the model", said)
        self.assertIn('pc = "LinkOne"  not  "Write"', said)

    def test_a_state_that_only_the_model_has(self):
        said = self.difference([*STATES, '/\\ cursor = NULL /\\ pc = "LinkOne"'])
        self.assertIn("1 states of the model are none of the spec", said)
        self.assertIn("/\\ cursor = NULL", said)

    def test_one_value_is_enough(self):
        said = self.difference([STATES[0], STATES[1].replace("<<t1,1>>", "<<t1,2>>")])
        self.assertIn("cursor = <<t1,1>>  not  <<t1,2>>", said)

    def test_an_edge_that_only_the_spec_has(self):
        said = self.difference(edges=EDGES[:1])
        self.assertIn("1 edges of the spec are none of the model; the first: Write_Return", said)
        self.assertIn("cursor' = NULL", said)

    def test_an_edge_that_only_the_model_has(self):
        said = self.difference(edges=[*EDGES, "1 LinkOne 1"])
        self.assertIn("1 edges of the model are none of the spec; the first: LinkOne", said)

    def test_an_edge_by_another_name(self):
        said = self.difference(edges=[EDGES[0].replace("Write", "LinkOne"), EDGES[1]])
        self.assertIn("(there it is LinkOne)", said)


class WrappedSteps(unittest.TestCase):
    """Recovery.tla has one name for all steps of the write path: the pc that moves tells which one it was."""

    @staticmethod
    def state(first, second, cursor="NULL"):
        return f'/\\ cursor = (t1:>NULL@@t2:>{cursor}) /\\ pc = (t1:>"{first}"@@t2:>"{second}")'

    def test_each_by_the_thread_that_moves(self):
        before = self.state("LinkOne", "InsertInto", "<<t1,1>>")
        for action, after, named in [
                ("OpenStep", self.state("JoinBatchGroup", "InsertInto", "<<t1,1>>"), "LinkOne"),
                ("OpenStep", self.state("LinkOne", "InsertInto", "<<t2,1>>"), "InsertInto"),
                ("OpenEnvironment", self.state("LinkOne", "Poison"), "MemTableError"),
                ("Crash", self.state("Write", "Write"), "Crash"),
                ("OpenStep", before, "OpenStep"),
                ("OpenStep", self.state("Write", "Write"), "OpenStep")]:
            self.assertEqual(parity.step_of(action, before, after), named)
        appends = self.state("Write", "WriteToWAL_Sync")
        self.assertEqual(parity.step_of("OpenEnvironment", appends, self.state("Write", "Write_Return")), "WalError")


class BrokenDump(unittest.TestCase):
    """A dump that is not one is no basis for a comparison."""

    def test_each_is_refused(self):
        for states, edges in [([], []), ([STATES[0]] * 2, []), (STATES, ["1 Write"]),
                              (STATES, ["1 Write 3"]), (STATES, ["0 Write 1"]), (STATES, ["1 Write x"])]:
            with self.subTest(states=states, edges=edges), self.assertRaises(parity.SetUpError):
                graph("the spec", states, edges)


class Constants(unittest.TestCase):
    """What a .cfg says, as flags of the explorer."""

    def test_of_a_cfg(self):
        constants = parity.constants_of("CONSTANTS\n  Threads = {t1, t2}\n  SyncWrites <- LaterSync\n")
        self.assertEqual(constants["Threads"], "{t1, t2}")
        self.assertEqual(constants["SyncWrites"], "LaterSync")

    def test_named_writes(self):
        tla = "No == {}\nSome == {<<t1, 2>>, <<t2, 1>>}\nAll == AllWrites\nOdd == Threads\n"
        self.assertEqual(parity.named_writes("No", tla, ["t1"], 2), [])
        self.assertEqual(parity.named_writes("Some", tla, ["t1", "t2"], 2), ["t1.2", "t2.1"])
        self.assertEqual(parity.named_writes("All", tla, ["t1", "t2"], 2), ["t1.1", "t1.2", "t2.1", "t2.2"])
        for name in ("Odd", "Missing"):
            with self.assertRaises(parity.SetUpError):
                parity.named_writes(name, tla, ["t1"], 1)


class Mechanisms(unittest.TestCase):
    """Of each mechanism a model that keeps every property and is not the spec: TLC's graph tells."""

    MUTANTS = {  # of a configuration: the mutants, and what names the difference
        "Serial2x1": {"renamed_sync": "(there it is WriteToWAL); the first: WriteToWAL_Sync"},
        "Serial2x1PreRelease": {"renamed_pre_release": "first_error = "},
        "Serial2x2DisableWal": {"no_wal_fails": "WalError"},
        "Serial2x2Close": {"close_error_is_wal_error": "first_error = "},
        "Serial2x2StallClose": {"relinks_always": "link_newer = ", "failed_arrives": "arrival = "},
        "Pipelined1x2Stall": {"unbatched_in_group": "write_group = ", "checkpoints_too_little": "checkpoint = "},
        "Serial3x1Callbacks": {"prepare_unnumbered": "sequence = "},
        "Serial3x1Alone": {"alone_for_all": "group_size = "},
        "PipelinedParallel2x1Callbacks": {
            "failed_is_numbered": "sequence = ",
            "kept_group": "last_writer = "},
        "TwoQueues2x2": {"unlocks_early": "log_mutex = "},
        "TwoQueuesParallel2x1Errors": {"poison_again": "SetLastSequence_FirstError, from"},
        "SerialCrash2x1": {
            "tears_nothing": "states of the spec are none of the model",
            "recovers_in_peace": "of the spec are none of the model",
            "keeps_found": "found = "},
        "PipelinedParallel2x1Stride": {
            "renamed_caller": "(there it is LaunchParallelMemTableWriters_Leader)"},
        "PipelinedParallel2x1Errors": {
            "launch_kept_cursor": "cursor = ",
            "coarse_enter": "EnterAsMemTableWriter_FirstError",
            "poison_again": "SetLastSequence_FirstError, from"},
    }

    def test_each_is_rejected(self):
        for name, mutants in self.MUTANTS.items():
            spec = parity.graph_of_spec(name)
            parity.compare(spec, parity.graph_of_model(name, BELLWETHER_MODEL)[0])
            for mutant, named in mutants.items():
                with self.subTest(name=name, mutant=mutant):
                    with self.assertRaises(parity.Difference) as raised:
                        parity.compare(spec, parity.graph_of_model(name, BELLWETHER_MODEL, mutant)[0])
                    self.assertIn(named, str(raised.exception))

    def test_what_cannot_be_compared_is_left_out(self):
        have = parity.chosen([], nightly=True)
        for name in ("PipelinedParallel3x1", "Pipelined1x2Stall", "Serial2x2Close", "SerialCrash2x1Errors"):
            self.assertIn(name, have)
        for name in ("Illegal", "Contract", "StateWord", "Parallel4x1Stride", "TwoQueues4x1",
                     "PipelinedParallel4x1InTurn", "PipelinedParallel4x1Whole"):
            self.assertNotIn(name, have)


class Mutants(unittest.TestCase):
    """The whole command: what it prints, and its exit code."""

    def run_parity(self, *arguments):
        return subprocess.run([MODEL_FOLDER / "parity.py", *arguments, "--model", BELLWETHER_MODEL],
                              capture_output=True, text=True, check=False)

    def test_other_states(self):
        result = self.run_parity("Serial2x1", "--mutant", "kept_cursor")
        self.assertEqual(result.returncode, parity.SAFETY, result.stderr)
        self.assertIn("states of the spec are none of the model", result.stderr)
        self.assertIn("    cursor = ", result.stderr)
        self.assertIn("reproduce: model/parity.py Serial2x1", result.stderr)

    def test_bad_input_is_one_line(self):
        for arguments, named in [(["NoSuchConfig"], "NoSuchConfig"), (["--no-such-flag"], "--no-such-flag"),
                                 (["Serial2x1", "--mutant", "none"], "none")]:
            result = self.run_parity(*arguments)
            self.assertEqual(result.returncode, parity.USAGE, result.stderr)
            self.assertEqual(len(result.stderr.splitlines()), 1, result.stderr)
            self.assertIn(named, result.stderr)


if __name__ == "__main__":
    BELLWETHER_MODEL = sys.argv.pop(1)
    unittest.main()
