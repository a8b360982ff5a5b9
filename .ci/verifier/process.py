"""Child processes: run one, read its lines as they come, and leave none behind.

verify adopts orphans (PR_SET_CHILD_SUBREAPER), so that whatever a tool started, in whatever session,
is found below this process and ended with it.
"""

import ctypes
import os
import selectors
import signal
import subprocess
import time

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
TERM_GRACE_SECONDS = 3.0
TICK_SECONDS = 0.25

_libc = ctypes.CDLL(None, use_errno=True)


class Interrupted(BaseException):
    """SIGINT, SIGTERM or SIGHUP reached verify."""

    def __init__(self, number):
        super().__init__(signal.Signals(number).name)
        self.name = signal.Signals(number).name


class TimeLimit(Exception):
    """A command was still running at its limit; it has been ended."""


def install():
    """Adopts orphans and turns the signals that end verify into one exception."""
    _libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)

    def interrupt(number, _frame):
        for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(each, signal.SIG_IGN)
        raise Interrupted(number)

    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, interrupt)


def _children_of_all():
    children = {}
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat", encoding="utf-8", errors="replace") as file:
                fields = file.read().rpartition(")")[2].split()
        except OSError:
            continue
        if fields[0] != "Z":
            children.setdefault(int(fields[1]), []).append(int(name))
    return children


def descendants():
    """The live processes below this one. Asked twice before the answer is none: one whose parent ends while
    the processes are listed may be missed once, then it is this process's own child."""
    return _descendants() or _descendants()


def _descendants():
    children = _children_of_all()
    found, todo = [], [os.getpid()]
    while todo:
        for child in children.get(todo.pop(), []):
            found.append(child)
            todo.append(child)
    return found


def _signal_all(pids, number):
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue


def _reap():
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return


def end_all():
    """Ends every descendant: politely first, so that a tool can end its own children, then for good."""
    deadline = time.monotonic() + TERM_GRACE_SECONDS
    _signal_all(descendants(), signal.SIGTERM)
    while descendants() and time.monotonic() < deadline:
        time.sleep(0.02)
    while left := descendants():
        _signal_all(left, signal.SIGKILL)
        time.sleep(0.02)
    _reap()


def _child_setup():
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, signal.SIG_DFL)


def _read_lines(child, on_line, tick, limit):
    """Feeds `on_line` until the child ends its output. Raises TimeLimit at `limit` seconds."""
    start, rest, ended = time.monotonic(), b"", False
    with selectors.DefaultSelector() as selector:
        selector.register(child.stdout, selectors.EVENT_READ)
        while True:
            if selector.select(TICK_SECONDS):
                data = os.read(child.stdout.fileno(), 65536)
                if not data:
                    break
                *lines, rest = (rest + data).split(b"\n")
                for line in lines:
                    on_line(line.decode(errors="replace").rstrip("\r"))
            elif ended:
                break  # What it said last has been read: it had ended before the select.
            else:
                ended = child.poll() is not None
            if limit and time.monotonic() - start > limit:
                raise TimeLimit()
            tick()
    if rest:
        on_line(rest.decode(errors="replace"))


def run(argv, cwd, on_line, tick=lambda: None, env=None, limit=None):
    """Runs a command and returns its exit code (negative: the signal that ended it).

    Whether it returns or raises (OSError, TimeLimit, Interrupted), nothing that it started is left.
    """
    child = None
    try:
        child = subprocess.Popen(argv, cwd=cwd, env=env, stdin=subprocess.DEVNULL,
                                 stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                 start_new_session=True, preexec_fn=_child_setup)
        _read_lines(child, on_line, tick, limit)
        return child.wait(limit)
    except subprocess.TimeoutExpired:
        raise TimeLimit() from None
    finally:
        if child:
            child.stdout.close()
        end_all()
