#!/usr/bin/python3
"""spec/tlc sim: a seed makes a run the same again, a seeded fault is found, bad input is refused."""

import json
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

TLC = Path(__file__).resolve().parent.parent / "tlc"


class Sim(unittest.TestCase):
    def sim(self, *arguments):
        with tempfile.TemporaryDirectory() as directory:
            report = Path(directory) / "report.json"
            done = subprocess.run([sys.executable, str(TLC), "sim", *arguments, "--json", str(report)],
                                  capture_output=True, text=True)
            return done, json.loads(report.read_text())["rows"] if report.exists() else []

    def test_a_fault_is_found_and_found_again_by_its_seed(self):
        arguments = ["serial", "--num", "2", "--seed", "7", "--fault", "skipped_reversed"]
        (first, rows), (_, again) = self.sim(*arguments), self.sim(*arguments)
        self.assertEqual(first.returncode, 12, first.stderr)
        line = " ".join(["spec/tlc sim", *arguments])
        self.assertEqual(rows[0]["result"], f"FAILED: INV_GROUP: {line}")
        self.assertEqual([r["figures"]["states"] for r in rows], [r["figures"]["states"] for r in again])

    def test_without_it_all_is_well(self):
        done, rows = self.sim("serial", "--num", "2", "--seed", "7")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertTrue(all(r["figures"]["states"] > 100 for r in rows), rows)

    def refused(self, word, *arguments):
        done, _ = self.sim(*arguments)
        self.assertEqual((done.returncode, done.stdout, len(done.stderr.splitlines())), (1, "", 1), done.stderr)
        self.assertIn(word, done.stderr)

    def test_bad_input(self):
        self.refused("sideways", "sideways")
        self.refused("nothing", "serial", "--fault", "nothing")
        self.refused("ContractFaults", "serial", "--fault", "contract_logged_twice")
        self.refused("--num", "serial", "--num", "0")


if __name__ == "__main__":
    unittest.main()
