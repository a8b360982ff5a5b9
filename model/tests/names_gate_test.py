#!/usr/bin/python3
"""The names gate: the repository passes; a name that is changed, missing or too many in any place does not."""

import os
import shutil
import subprocess
import tempfile
import unittest

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
GATE = os.path.join(ROOT, "model/names_gate.py")
READ = ("model/actions.def", "spec/WritePath.tla", "spec/Recovery.tla", "impl/PORTING.md", "impl/bellwether/sync/sync.h")


class NamesGate(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        for path in READ:
            os.makedirs(os.path.dirname(os.path.join(self.folder.name, path)), exist_ok=True)
            shutil.copy(os.path.join(ROOT, path), os.path.join(self.folder.name, path))
        for path in ("impl/bellwether/write_thread", "impl/bellwether/write_path"):
            shutil.copytree(os.path.join(ROOT, path), os.path.join(self.folder.name, path))

    def gate(self):
        done = subprocess.run(["/usr/bin/python3", GATE, "--root", self.folder.name], capture_output=True, text=True,
                              check=False)
        return done.returncode, done.stdout + done.stderr

    def change(self, path, old, new):
        path = os.path.join(self.folder.name, path)
        with open(path, encoding="utf-8") as file:
            text = file.read()
        self.assertIn(old, text)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text.replace(old, new))

    def assert_breach(self, *words):
        code, said = self.gate()
        self.assertEqual(code, 12, said)
        for word in words:
            self.assertIn(word, said)

    def test_the_repository_passes(self):
        code, said = self.gate()
        self.assertEqual(code, 0, said)

    def test_renamed_in_the_list(self):
        self.change("model/actions.def", "LinkGroup_SetState", "LinkGroup_Set")
        self.assert_breach("LinkGroup_Set: in model/actions.def, but not in the spec",
                           "LinkGroup_SetState: in the events of impl/bellwether, but not in model/actions.def")

    def test_renamed_in_the_spec(self):
        self.change("spec/WritePath.tla", "LinkGroup_SetState", "LinkGroup_Set")
        self.assert_breach("LinkGroup_Set: in the spec", "LinkGroup_SetState: in model/actions.def, but not in the spec")

    def test_renamed_in_recovery(self):
        self.change("spec/Recovery.tla", "Recover_CutTail", "Recover_Cut")
        self.assert_breach("Recover_Cut: in the spec (spec/Recovery.tla)",
                           "Recover_CutTail: in model/actions.def, but not in the spec (spec/Recovery.tla)")

    def test_missing_of_the_store(self):
        self.change("model/actions.def", "STORE_ACTION(Get,", "STORE_ACTION(Find,")
        self.assert_breach("Find: in model/actions.def", "Get: in the spec (spec/Recovery.tla), but not in model")

    def test_renamed_in_an_event(self):
        self.change("impl/bellwether/write_thread/memtable_writers.h", '"LinkGroup"', '"LinkGroups"')
        self.assert_breach("LinkGroups: in the events", "LinkGroup: in model/actions.def, but not in the events")

    def test_renamed_await(self):
        self.change("impl/bellwether/sync/sync.h", '"JoinBatchGroup_AwaitState"', '"JoinBatchGroup_Await"')
        self.assert_breach("JoinBatchGroup_Await: in the events")

    def test_missing_in_the_document(self):
        self.change("impl/PORTING.md", "| `JoinBatchGroup` |", "| `Join` |")
        self.assert_breach("JoinBatchGroup: in model/actions.def, but not in the table", "Join: in the table")

    def test_what_a_user_does_is_no_event(self):
        self.change("impl/PORTING.md", "| `JoinBatchGroup` |", "| `JoinBatchGroup`, `Checkpoint` |")
        self.assert_breach("Checkpoint: in the table of impl/PORTING.md, but not in model/actions.def")

    def test_an_exception_that_there_is_not(self):
        self.change("model/actions.def", "ACTION(Checkpoint,", "ACTION(MakeCheckpoint,")
        self.assert_breach("Checkpoint: an exception of model/names_gate.py", "MakeCheckpoint: in model/actions.def")


if __name__ == "__main__":
    unittest.main()
