"""A copy of verify in a folder of its own, with stubs for every tool that it calls."""

import json
import os
import shutil
import stat
import subprocess
import sys
import tempfile
import textwrap
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
sys.path.insert(0, os.path.join(ROOT, ".ci"))

from verifier import plan  # noqa: E402  (found only through the line above)

REPORTING_TOOL = """
import json, sys
report = sys.argv[sys.argv.index("--json") + 1] if "--json" in sys.argv else None
if report:
    with open(report, "w") as file:
        file.write({text!r})
print("reproduce: --seed 7")
sys.exit({code})
"""


def row(what="a thing", bounds="2x1", result="ok", mode="", **figures):
    return {"what": what, "bounds": bounds, "result": result, "mode": mode,
            "figures": figures or {"executions": 3}}


class StubProject(unittest.TestCase):
    """Every stub passes until a test replaces it."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = os.path.realpath(folder.name)
        os.chmod(self.root, 0o777)
        shutil.copy2(os.path.join(ROOT, "verify"), self.root)
        shutil.copytree(os.path.join(ROOT, ".ci", "verifier"),
                        os.path.join(self.root, ".ci", "verifier"))
        self.log = os.path.join(self.root, "calls")
        for name in ("bellwether_model", "bellwether_relacy", "bellwether_stress"):
            for path in self.tool_paths(name):
                self.reports(path)
        self.reports("spec/tlc")
        self.reports("model/parity.py")
        self.reports("stress/trace_runs.py")
        self.reports("relacy_tests/mutants/run_mutants.py")
        for name in ("cmake", "ctest", "apt-get"):
            self.script(f"bin/{name}", "")
        self.script("bin/dpkg-query", """
            import sys
            for package in sys.argv[3:]:
                print(package, "installed")
            """)
        self.script("bin/java", """
            import sys
            print('openjdk version "17.0.1"', file=sys.stderr)
            """)

    @staticmethod
    def tool_paths(name):
        """Where the plan looks for a tool, first the one that is first in its stages."""
        checks = [check for stage in plan.CHECKS.values() for check in stage]
        return list(dict.fromkeys(path for path in (check.argv(1)[0] for check in checks)
                                  if path.endswith("/" + name)))

    def script(self, path, body):
        """A stub that first records its call."""
        path = os.path.join(self.root, path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write("#!/usr/bin/python3 -SE\nimport os, sys\n"
                       f"with open({self.log!r}, 'a') as log:\n"
                       "    print(os.path.basename(sys.argv[0]), *sys.argv[1:], file=log)\n"
                       + textwrap.dedent(body))
        os.chmod(path, os.stat(path).st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)

    def reports(self, path, code=0, rows=None, text=None):
        """A tool that reports these rows and ends with this code."""
        if text is None:
            text = json.dumps({"ok": code == 0, "exit": code,
                               "rows": [row()] if rows is None else rows})
        self.script(path, REPORTING_TOOL.format(text=text, code=code))

    def environment(self):
        return {"PATH": os.path.join(self.root, "bin"), "HOME": self.root, "LC_ALL": "C.UTF-8"}

    def verify(self, *args, **options):
        return subprocess.run([os.path.join(self.root, "verify"), *args], text=True,
                              capture_output=True, check=False, env=self.environment(),
                              cwd=options.pop("cwd", self.root), timeout=300, **options)

    def calls(self):
        if not os.path.exists(self.log):
            return []
        with open(self.log, encoding="utf-8") as file:
            return file.read().splitlines()

    def assert_one_line(self, answer, code, *parts):
        """Nothing on stdout, one line on stderr that says these things."""
        self.assertEqual((answer.returncode, answer.stdout), (code, ""), answer.stderr)
        self.assertEqual(len(answer.stderr.splitlines()), 1, answer.stderr)
        for part in parts:
            self.assertIn(part, answer.stderr)
