#!/usr/bin/python3
"""The pictures of spec/diagrams: an edge that is gone is named, and so is a state that is no longer reached."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

SPEC = Path(__file__).resolve().parent.parent
sys.dont_write_bytecode = True
sys.path.insert(0, str(SPEC))
import tlc_diagram  # noqa: E402
from tlc_diagram import (Edge, dot_text, edges_of, expected_actions, first_difference, is_of, lacks,  # noqa: E402
                         writer_states)
from tlc_run import JAR  # noqa: E402

INIT, LEADER = ("STATE_INIT", "JoinBatchGroup"), ("STATE_GROUP_LEADER", "EnterAsBatchGroupLeader")
JOIN = Edge(INIT, LEADER, "JoinBatchGroup", True)
LEAVE = Edge(LEADER, ("STATE_COMPLETED", "Write_Return"), "ExitAsBatchGroupLeader", True)


def edges_in(picture):
    """The edges of the committed picture."""
    text = (SPEC / "diagrams" / f"{picture}.dot").read_text()
    found = re.findall(r'^  "(.*) (\w+)" -> "(.*) (\w+)" \[label="(\w+)"', text, re.M)
    return {Edge((a, b), (c, d), action, True) for a, b, c, d, action in found}


class Committed(unittest.TestCase):
    """What is in the tree is what Graphviz drew, and a change of it is named."""

    def texts(self, picture):
        path = SPEC / "diagrams" / f"{picture}.dot"
        return path.read_text(), path.with_suffix(".svg").read_text()

    def test_every_picture_is_there(self):
        for picture in tlc_diagram.PICTURES:
            dot, svg = self.texts(picture)
            self.assertIsNone(first_difference(dot, dot, svg), picture)
            self.assertIn(f"(diagrams/{picture}.svg)", (SPEC / "README.md").read_text())

    def test_every_action_of_the_write_path_is_drawn_somewhere(self):
        text = (SPEC / "WritePath.tla").read_text()
        listed = set(re.findall(r"^  \\/ (\w+)\(t\)$", text, re.M))
        self.assertGreater(len(listed), 50)
        self.assertEqual(listed - {edge.action for picture in tlc_diagram.PICTURES for edge in edges_in(picture)}, set())

    def test_each_removed_edge_is_named(self):
        dot, svg = self.texts("serial")
        edges = [line for line in dot.splitlines(keepends=True) if " -> " in line]
        self.assertGreater(len(edges), 20)
        for edge in edges:
            difference = first_difference(dot, dot.replace(edge, ""), svg)
            self.assertEqual(difference, f"is gone: {edge.strip().rstrip(';')}")

    def test_a_new_edge_is_named(self):
        difference = first_difference(dot_text("serial", {JOIN}), dot_text("serial", {JOIN, LEAVE}), "")
        self.assertRegex(difference, "^is new: .*STATE_COMPLETED.*ExitAsBatchGroupLeader")

    def test_another_svg_is_found(self):
        dot, svg = self.texts("serial")
        self.assertIn("LinkOne", first_difference(dot, dot, svg.replace(">LinkOne<", ">LinkTwo<")))


class Projection(unittest.TestCase):
    def test_own_steps_and_those_of_others(self):
        before = {"t1": ("STATE_GROUP_LEADER", "ExitAsBatchGroupLeader_SetState", "<<t2,"),
                  "t2": ("STATE_INIT", "JoinBatchGroup_AwaitState", "NULL")}
        after = {"t1": ("STATE_GROUP_LEADER", "Write_Return", "NULL"),
                 "t2": ("STATE_GROUP_LEADER", "JoinBatchGroup_AwaitState", "NULL")}
        edges = {edge.source[1]: edge.own for _, edge in edges_of("ExitAsBatchGroupLeader_SetState", before, after)}
        self.assertEqual(edges, {"ExitAsBatchGroupLeader_SetState": True, "JoinBatchGroup_AwaitState": False})

    def test_the_second_writer_of_an_unbatched_call_begins_by_a_step_of_its_caller(self):
        before = {"t2": ("STATE_GROUP_LEADER", "EnterUnbatched", "NULL"), "SECOND": ("STATE_INIT", "Write", "NULL")}
        after = {"t2": ("STATE_GROUP_LEADER", "Close", "NULL"), "SECOND": ("STATE_INIT", "LinkOne", "NULL")}
        own = {thread: edge.own for thread, edge in edges_of("EnterUnbatched", before, after)}
        self.assertEqual(own, {"t2": True, "SECOND": False})

    def test_a_mechanism_has_its_own_edges_alone(self):
        stall = Edge(INIT, ("STATE_COMPLETED", "JoinBatchGroup_AwaitState"), "LinkOne_NoSlowdown", True)
        closes = Edge(LEADER, ("STATE_GROUP_LEADER", "EnterUnbatched"), "JoinBatchGroup_AwaitState", True)
        shown = {picture: [(thread, edge.action) for thread in ("t1", "t2") for edge in (JOIN, LEAVE, stall, closes)
                           if is_of(picture, thread, edge)] for picture in ("serial", "stalls", "unbatched")}
        self.assertEqual(len(shown["serial"]), 8)
        self.assertEqual(shown["stalls"], [(t, e) for t in ("t1", "t2") for e in ("JoinBatchGroup", "LinkOne_NoSlowdown")])
        self.assertEqual({thread for thread, _ in shown["unbatched"]}, {"t2"})

    def test_a_step_in_a_loop_is_an_edge(self):
        before, after = ({"t1": ("STATE_GROUP_LEADER", "InsertInto", cursor)} for cursor in ("<<t1,", "<<t2,"))
        self.assertEqual([edge.source == edge.target for _, edge in edges_of("InsertInto", before, after)], [True])

    def test_what_is_not_reached_is_named(self):
        self.assertEqual(lacks("serial", {JOIN, LEAVE}, {"JoinBatchGroup"}), [])
        self.assertEqual(lacks("serial", {JOIN}, {"LinkOne"}), ["STATE_COMPLETED", "LinkOne"])

    def test_of_each_picture_every_state_is_needed(self):
        for picture in tlc_diagram.PICTURES:
            edges, states = edges_in(picture), writer_states(picture)
            self.assertEqual(lacks(picture, edges, expected_actions(picture)), [], picture)
            for state in states:
                without = {edge for edge in edges if state not in (edge.source[0], edge.target[0])}
                self.assertEqual(lacks(picture, without, set())[:1], [state], picture)

    def test_of_each_picture_every_action_is_needed(self):
        for picture in tlc_diagram.PICTURES:
            edges = edges_in(picture)
            for action in expected_actions(picture):
                without = {edge for edge in edges if edge.action != action}
                self.assertIn(action, lacks(picture, without, expected_actions(picture)))


class DeletedTransition(unittest.TestCase):
    """A copy of the spec in which an action can never fire."""

    def diagram(self, picture, module, action):
        with tempfile.TemporaryDirectory() as directory:
            copy = Path(directory) / "spec"
            shutil.copytree(SPEC, copy, ignore=shutil.ignore_patterns("bugs", "__pycache__"))
            text = (copy / module).read_text()
            guard = f'/\\ pc[t] = "{action}"\n'
            self.assertEqual(text.count(guard), 1)
            (copy / module).write_text(text.replace(guard, "/\\ FALSE\n"))
            return subprocess.run([sys.executable, str(copy / "tlc"), "diagram", picture], text=True,
                                  capture_output=True, env={**os.environ, "BELLWETHER_TLC_JAR": str(JAR)})

    def test_its_state_is_missed(self):
        done = self.diagram("parallel", "MemTableWriters.tla", "LaunchParallelMemTableWriters_SetState")
        self.assertEqual(done.returncode, 12, done.stdout + done.stderr)
        self.assertIn("never reached: STATE_PARALLEL_MEMTABLE_CALLER CompleteParallelMemTableWriter ", done.stdout)
        self.assertIn(" LaunchParallelMemTableWriters_SetState ", done.stdout)


if __name__ == "__main__":
    unittest.main()
