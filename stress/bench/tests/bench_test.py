"""stress/bench/bench as a command: sane rows, a slower engine reported as slower, lost data, bad input."""

import csv
import json
import subprocess
import sys
import tempfile
import unittest
import unittest.mock
import xml.etree.ElementTree
from pathlib import Path

TOOL = sys.argv.pop(1)
BENCH = Path(__file__).resolve().parent.parent / "bench"
sys.path.insert(0, str(BENCH.parent))
import bench_report  # noqa: E402
from bench_slices import BenchError  # noqa: E402

# Debian's, with assertions: no fair peer, and as good as another to call by its C API.
ROCKSDB = "librocksdb.so.7.8"
# So much slower that no load of the machine hides it.
SLOW = "serial+3000us"
SHORT = ("--cells", "2:no_sync:1", "--quads", "3", "--scale", "0.002")


class Run:
    """One run of the command, with what it left."""

    def __init__(self, *arguments):
        with tempfile.TemporaryDirectory() as folder:
            folder = Path(folder)
            (folder / "data").mkdir()
            files = {kind: folder / f"report.{kind}" for kind in ("json", "csv", "svg")}
            left = [flag for kind, path in files.items() for flag in (f"--{kind}", str(path))]
            done = subprocess.run(
                [sys.executable, str(BENCH), *arguments, "--tool", TOOL, *left,
                 "--directory", str(folder / "data")],
                capture_output=True, text=True, check=False, timeout=300)
            self.code, self.out, self.errors = done.returncode, done.stdout, done.stderr
            self.left = {kind: path.read_text() for kind, path in files.items() if path.exists()}
            self.garbage = list((folder / "data").iterdir())

    def rows(self):
        return json.loads(self.left["json"])["rows"]


class Smoke(unittest.TestCase):
    def test_every_engine_gives_sane_rows(self):
        run = Run("--smoke", "--rounds", "1", "--rocksdb", ROCKSDB)
        self.assertEqual(run.code, 0, run.errors)
        self.assertEqual(run.garbage, [])
        rows = [row for row in run.rows() if row["what"] != "machine"]
        self.assertEqual(len(rows), 3 * 13)
        measured = [row for row in rows if row["result"] == "ok"]
        self.assertEqual({row["what"] for row in measured}, {row["what"] for row in rows})
        for row in rows:
            if row not in measured:
                self.assertRegex(row["result"], "^unsupported: .")
                continue
            figures = row["figures"]
            self.assertGreater(figures["operations_per_second"], 0)
            self.assertLessEqual(figures["lowest"], figures["operations_per_second"])
            self.assertLessEqual(figures["operations_per_second"], figures["highest"])
        self.check_files(run, measured)

    def check_files(self, run, measured):
        slices = list(csv.DictReader(run.left["csv"].splitlines()))
        self.assertEqual(len(slices), len(measured))
        for cell in {(each["threads"], each["log"], each["batch"]) for each in slices}:
            counts = {each["operations"] for each in slices
                      if (each["threads"], each["log"], each["batch"]) == cell
                      and not each["engine"].startswith("fdatasync")}
            self.assertEqual(len(counts), 1, f"{cell}: every engine does the same work")
        plot = xml.etree.ElementTree.fromstring(run.left["svg"])
        circles = list(plot.iter("{http://www.w3.org/2000/svg}circle"))
        self.assertEqual(len(circles), len(measured))


class Gate(unittest.TestCase):
    def test_a_slower_engine_is_reported_as_slower(self):
        run = Run("--gate", *SHORT, "--baseline", "serial", "--engine", SLOW)
        row = run.rows()[0]
        # Slices this short on a busy machine may spoil A against A: then it is no pass either.
        self.assertIn((run.code, row["result"].split()[0]), ((10, "FAILED:"), (2, "INCOMPLETE:")))
        self.assertLess(row["figures"]["high"], 0.9)

    def test_a_faster_one_as_faster_but_three_quads_are_no_pass(self):
        run = Run("--gate", *SHORT, "--baseline", SLOW, "--engine", "serial")
        self.assertEqual(run.code, 2, run.errors)
        row = run.rows()[0]
        self.assertRegex(row["result"], "^INCOMPLETE: ")
        self.assertGreater(row["figures"]["low"], 1.1)
        self.assertEqual(row["figures"]["quads"], 3)
        # A against A was measured apart: three quads of four, of the slow engine alone.
        slices = list(csv.DictReader(run.left["csv"].splitlines()))
        self.assertEqual(len([each for each in slices if each["engine"] == SLOW]), 6 + 12)

    def test_the_bound_is_measured_within_the_quads_with_sync(self):
        run = Run("--gate", "--cells", "2:sync:1", "--quads", "2", "--scale", "0.05",
                  "--baseline", SLOW, "--engine", "serial")
        figures = run.rows()[0]["figures"]
        self.assertGreater(figures["bound_operations_per_second"], 0)
        self.assertGreater(figures["of_bound"], 0)
        engines = [each["engine"] for each in csv.DictReader(run.left["csv"].splitlines())]
        bounds = [number for number, engine in enumerate(engines) if engine == "fdatasync"]
        self.assertEqual(len(bounds), 2)
        for number in bounds:
            self.assertEqual(sorted(engines[number - 2:number] + engines[number + 1:number + 3]),
                             ["serial", "serial", SLOW, SLOW])


class Tables(unittest.TestCase):
    """--table, beside copies of the READMEs."""

    def setUp(self):
        left = tempfile.TemporaryDirectory()
        self.addCleanup(left.cleanup)
        self.folder = Path(left.name)
        self.readmes = {}
        for name in ("GATE_README", "GRID_README"):
            copy = self.folder / f"{name}.md"
            copy.write_text(getattr(bench_report, name).read_text(encoding="utf-8"))
            self.readmes[name] = copy
        places = unittest.mock.patch.multiple(bench_report, PLOT=self.folder / "grid.svg",
                                              **self.readmes)
        places.start()
        self.addCleanup(places.stop)

    def tables_of(self, name):
        text = self.readmes[name].read_text(encoding="utf-8")
        return text.partition(bench_report.BEGIN)[2].partition(bench_report.END)[0]

    def test_a_gate_and_a_grid_replace_what_stood_there(self):
        gate = Run("--gate", *SHORT, "--baseline", SLOW, "--engine", "serial")
        grid = Run("--cells", "3:no_wal:10", "--engines", "serial", "--rounds", "1",
                   "--scale", "0.002")
        (self.folder / "gate.json").write_text(gate.left["json"])
        (self.folder / "grid.json").write_text(grid.left["json"])
        bench_report.write_tables(self.folder)
        line, = [line for line in self.tables_of("GATE_README").splitlines()
                 if line.startswith("| 2 threads without sync, batch 1 |")]
        self.assertIn(gate.rows()[0]["result"], line)
        self.assertIn("| without a log, batch 10 | 3 |", self.tables_of("GRID_README"))
        self.assertNotIn("| 64 |", self.tables_of("GRID_README"))
        xml.etree.ElementTree.fromstring((self.folder / "grid.svg").read_text())
        for name, copy in self.readmes.items():
            before, _, _ = getattr(bench_report, name).read_text().partition(bench_report.BEGIN)
            self.assertTrue(copy.read_text().startswith(before), name)

    def test_without_a_report_and_without_its_place_it_says_so(self):
        with self.assertRaisesRegex(BenchError, "measure first"):
            bench_report.write_tables(self.folder)
        self.readmes["GATE_README"].write_text("nothing")
        with self.assertRaisesRegex(BenchError, "to write between"):
            bench_report.write_between(self.readmes["GATE_README"], "a table")


class Faults(unittest.TestCase):
    def test_a_lost_write_ends_it_with_14_and_a_line_that_repeats_it(self):
        for log in ("no_sync", "sync"):
            run = Run("--gate", "--cells", f"2:{log}:10", "--quads", "1", "--scale", "0.01",
                      "--baseline", "serial+lose_write", "--engine", "serial+lose_write")
            self.assertEqual(run.code, 14, run.errors)
            line, = run.errors.splitlines()
            command = line.split("in an empty directory: ")[1].split()
            with tempfile.TemporaryDirectory() as folder:
                command[command.index("DIRECTORY")] = folder
                again = subprocess.run(command, capture_output=True, check=False, timeout=300)
            self.assertEqual(again.returncode, 14)

    def test_bad_input_is_one_line_and_exit_code_1(self):
        for arguments in (["--nonsense"], ["--cells", "8:sync"], ["--cells", "0:sync:1"],
                          ["--cells", "1:maybe:1"], ["--engines", "nonsense"],
                          ["--engines", "serial+sloth"], ["--gate", "--smoke"], ["--quads", "0"],
                          ["--minutes", "-1"], ["--engines", "rocksdb", "--cells", "1:sync:1",
                                                "--rocksdb", "/nonexistent/librocksdb.so"]):
            with self.subTest(arguments):
                run = Run(*arguments)
                self.assertEqual(run.code, 1, run.errors)
                self.assertEqual(len(run.errors.splitlines()), 1, run.errors)

    def test_dry_run_prints_every_slice_and_leaves_nothing(self):
        run = Run("--gate", *SHORT, "--baseline", "leveldb", "-n")
        self.assertEqual((run.code, len(run.out.splitlines())), (0, 3 * 8))
        self.assertEqual((run.left, run.garbage), ({}, []))


if __name__ == "__main__":
    unittest.main()
