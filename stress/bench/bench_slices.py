"""The cells of the benchmark, the engines, and how one slice is run: bellwether_bench, as a fresh process."""

import hashlib
import json
import re
import shutil
import subprocess
import tempfile
import zipfile
from pathlib import Path
from typing import NamedTuple

BENCH = Path(__file__).resolve().parent
BUILD = BENCH.parent.parent / "build"
WORK = BUILD / "bench"
TOOL = BUILD / "release" / "stress" / "bench" / "bellwether_bench"

JAR = WORK / "tools" / "rocksdbjni-10.4.2-linux64.jar"
JAR_SHA256 = "34a9b9ab5bdb128c058363d72a83ab5d0a498a97df9cf1291f1a6e9260bb70b1"
ROCKSDB = WORK / "tools" / "librocksdbjni-linux64.so"
ROCKSDB_SHA256 = "36d6570459a9ed6b01b0de4adae6d19e19cf9671d59ac878e21fc4a6da487607"
LEVELDB = "libleveldb.so.1d"

THREADS = (1, 2, 4, 8, 16, 32, 64)
LOGS = ("no_sync", "sync", "no_wal")
BATCHES = (1, 10)
STORES = ("serial", "parallel", "pipelined", "pipelined_parallel", "two_queues",
          "two_queues_parallel")
ROCKSDBS = ("rocksdb", "rocksdb_non_concurrent", "rocksdb_pipelined", "rocksdb_unordered")
BOUND = "fdatasync"
ENGINES = STORES + ROCKSDBS + ("leveldb", BOUND, "fdatasync_zero_filled")

SLICE_SECONDS_MAX = 300


class BenchError(Exception):
    """One line: what failed and what to do; ends the benchmark with `exit_code`."""

    def __init__(self, message, exit_code=1):
        super().__init__(message)
        self.exit_code = exit_code


class Cell(NamedTuple):
    threads: int
    log: str
    batch: int

    def __str__(self):
        return f"threads {self.threads}, {self.log}, batch {self.batch}"

    def writes(self, scale):
        """Of each thread, the same for every engine: equal operations, since larger memtables are slower."""
        if self.log == "sync":
            total = 180 * max(self.threads, 2)
        else:
            total = 36_000 if self.batch == 1 else 9_000
        return max(1, round(total * scale / self.threads))


def parse_cell(text):
    match = re.fullmatch(r"(\d+):(\w+):(\d+)", text)
    if not match or match[2] not in LOGS or not int(match[1]) or not int(match[3]):
        raise ValueError(f"{text}: a cell is THREADS:{'|'.join(LOGS)}:BATCH, as in 8:sync:1")
    return Cell(int(match[1]), match[2], int(match[3]))


class Engine(NamedTuple):
    """`name`, or with a seeded fault `name+2000us` (so much slower) and `name+lose_write`."""
    name: str
    fault: str = ""

    def __str__(self):
        return self.name + ("+" + self.fault if self.fault else "")

    def fault_flags(self):
        if self.fault == "lose_write":
            return ["--lose-write"]
        return ["--handicap-us", self.fault.removesuffix("us")] if self.fault else []


def parse_engine(text):
    name, _, fault = text.partition("+")
    if name not in ENGINES or (text != name and not re.fullmatch(r"\d+us|lose_write", fault)):
        raise ValueError(f"{text}: an engine is one of {', '.join(ENGINES)}")
    return Engine(name, fault)


class Slice(NamedTuple):
    engine: Engine
    cell: Cell
    operations: int = 0
    seconds: float = 0.0
    cpu_us_per_write: float = 0.0
    switches_per_write: float = 0.0
    mean_group: float = 0.0
    unsupported: str = ""

    def rate(self):
        return self.operations / self.seconds


# --- the peer ------------------------------------------------------------------------------------


def _check(path, expected):
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if digest != expected:
        raise BenchError(f"{path}: wrong sha256 {digest}, expected {expected}: remove it and run "
                         "stress/bench/bench --setup")


def setup():
    """RocksDB's own release build: fetched if it is not there, its checksums verified in any case."""
    if not ROCKSDB.exists():
        if not shutil.which("mvn"):
            raise BenchError("mvn is not on PATH: install maven, it fetches RocksDB once")
        command = ["mvn", "-q", "-B", "-f", str(BENCH / "pom.xml"), "dependency:copy-dependencies",
                   f"-DoutputDirectory={JAR.parent}"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0 or not JAR.exists():
            said = (done.stdout + done.stderr).strip().splitlines()
            raise BenchError(f"{JAR}: mvn could not fetch it: {said[0] if said else 'no output'}")
        _check(JAR, JAR_SHA256)
        with zipfile.ZipFile(JAR) as jar:
            jar.extract(ROCKSDB.name, ROCKSDB.parent)
    _check(ROCKSDB, ROCKSDB_SHA256)


# --- one slice -----------------------------------------------------------------------------------


class Runner:
    """Runs slices, each in a directory of its own, and remembers them in order."""

    def __init__(self, tool, directory, rocksdb, scale):
        self.tool, self.directory, self.rocksdb, self.scale = tool, directory, rocksdb, scale
        self.slices = []
        self._unsupported = {}

    def command(self, engine, cell, directory="DIRECTORY"):
        library = []
        if engine.name in ROCKSDBS:
            library = ["--library", str(self.rocksdb)]
        elif engine.name == "leveldb":
            library = ["--library", LEVELDB]
        return [str(self.tool), "--engine", engine.name, *library, "--threads", str(cell.threads),
                "--log", cell.log, "--batch", str(cell.batch),
                "--writes", str(cell.writes(self.scale)), *engine.fault_flags(),
                "--directory", str(directory)]

    def run(self, engine, cell):
        known = self._unsupported.get((engine, cell.log))
        if known:
            return Slice(engine, cell, unsupported=known)
        with tempfile.TemporaryDirectory(dir=self.directory, prefix="slice.") as directory:
            data, report = Path(directory) / "data", Path(directory) / "report.json"
            data.mkdir()
            command = self.command(engine, cell, data)
            try:
                done = subprocess.run([*command, "--json", str(report)], capture_output=True,
                                      text=True, check=False, timeout=SLICE_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                raise BenchError(f"a slice took {SLICE_SECONDS_MAX} s: {' '.join(command)}", 2) \
                    from None
            except OSError as error:
                raise BenchError(f"{self.tool}: {error.strerror}; cmake --preset release && cmake "
                                 "--build --preset release --target bellwether_bench") from None
            if done.returncode != 0:
                said = done.stderr.strip().splitlines() or [f"ended with {done.returncode}"]
                raise BenchError(f"{said[0]}; reproduce, in an empty directory: "
                                 f"{' '.join(self.command(engine, cell))}",
                                 done.returncode if done.returncode > 0 else 12)
            row = json.loads(report.read_text())["rows"][0]
        return self._note(engine, cell, row)

    def _note(self, engine, cell, row):
        figures = row["figures"]
        if not figures:
            self._unsupported[engine, cell.log] = row["result"]
            return Slice(engine, cell, unsupported=row["result"])
        measured = Slice(engine, cell, round(figures["operations"]), figures["seconds"],
                         figures["cpu_us_per_write"], figures["switches_per_write"],
                         figures["mean_group"])
        self.slices.append(measured)
        return measured
