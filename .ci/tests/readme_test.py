"""The README's exact figures are those that the spec and the explorations are held to."""

import json
import os
import subprocess
import unittest

from stub_project import ROOT
from verifier import plan, readme

RELACY_SETS = ("quick", "default")  # what the default run explores; a run without a set is in push


def read(*path):
    with open(os.path.join(ROOT, *path), encoding="utf-8") as file:
        return json.load(file)


class Drift(unittest.TestCase):
    def setUp(self):
        self.rows = {(row[0], row[1]): row for row in readme.rows_of_readme(ROOT)}

    def check(self, stage, number, count):
        """Of the stage's first check: how many, and how many states or executions in all."""
        check = plan.CHECKS[stage][0]
        row = self.rows[(stage, check.what)]
        self.assertEqual(row[2:4], [f"{number} {check.unit}s", count])

    def test_the_spec_is_as_its_manifest_says(self):
        manifest = read("spec", "manifest.json")["mc"]
        pushed = [manifest[name] for name in plan.CONFIGURATIONS.split()]
        states = sum(entry.get("distinct", 0) for entry in pushed)
        self.check("spec", len(pushed), f"{states:,} states")

    def test_the_explorations_are_as_their_list_says(self):
        runs = [run for run in read("relacy_tests", "runs.json")
                if run.get("set", "push") in RELACY_SETS]
        executions = sum(run["executions"] for run in runs)
        self.check("relacy", len(runs), f"{executions:,} executions")

    def test_every_check_of_the_plan_has_a_row_and_passed(self):
        planned = {(stage, check.what) for stage in plan.CHECKS for check in plan.checks(stage, "default")}
        self.assertEqual(set(self.rows), planned)
        for row in self.rows.values():
            self.assertNotIn("FAILED", row[5])
            self.assertNotIn("INCOMPLETE", row[5])


class Example(unittest.TestCase):
    def test_the_cxx_example_compiles(self):
        with open(os.path.join(ROOT, "README.md"), encoding="utf-8") as file:
            code = file.read().split("```cpp\n")[1].split("```")[0]
        include, body = code.split("\n\n", 1)
        source = f"#include <cstdio>\n{include}\nint main() {{\n{body}}}\n"
        answer = subprocess.run(
            ["g++", "-std=c++20", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", "-x", "c++", "-I",
             os.path.join(ROOT, "impl"), "-"], input=source, text=True, capture_output=True,
            check=False)
        self.assertEqual(answer.returncode, 0, answer.stderr)


if __name__ == "__main__":
    unittest.main()
