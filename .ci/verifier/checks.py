"""Runs one check of the plan: the tool, its progress lines, its report, and what to say when it fails."""

import contextlib
import json
import os
import shlex
import time

from verifier import process, report

# A hung tool is incomplete, not a hung CI. Far above what any check takes.
LIMIT_SECONDS = {"quick": 300, "default": 900, "nightly": 4 * 3600}
# A sanitizer's finding is a safety violation and must end the tool with that exit code.
SANITIZERS = {
    "TSAN_OPTIONS": "exitcode=12:halt_on_error=1:second_deadlock_stack=1",
    "ASAN_OPTIONS": "exitcode=12:detect_stack_use_after_return=1",
    "UBSAN_OPTIONS": "exitcode=12:print_stacktrace=1",
}
LINES_SHOWN = 20
PROGRESS = "progress "


def environment():
    return {**os.environ, **{name: f"{value}:{os.environ.get(name, '')}".rstrip(":")
                             for name, value in SANITIZERS.items()}}


def _listener(work, log, said):
    """Takes a tool's lines: progress to the display, everything else to its log."""
    def on_line(line):
        if line.startswith(PROGRESS):
            try:
                now = json.loads(line[len(PROGRESS):])
                work.progress(now["what"], now["done"], now["unit"], now["elapsed"])
                return
            except (ValueError, KeyError, TypeError):
                pass  # A line that only looks like progress is output like any other.
        print(line, file=log, flush=True)
        said.append(line)
    return on_line


def _judge(stage, check, code, rows, wrong):
    """The exit code of this check, and a row that says why where the tool's own rows do not."""
    rows = list(rows)
    if code == report.OK and not wrong:
        bad = next((row for row in rows if not row.passed), None)
        if bad is None:
            return code, rows
        incomplete = bad.result.startswith("INCOMPLETE")
        return (report.INCOMPLETE if incomplete else report.SAFETY), rows
    ended = "" if code == report.OK else report.name_of_exit(code)
    code = report.normal_exit(code) or report.SAFETY
    if all(row.passed for row in rows):
        word = "INCOMPLETE" if code == report.INCOMPLETE else "FAILED"
        reason = "; ".join(filter(None, (ended, wrong)))
        rows.append(report.Row(check.what, "", f"{word}: {reason}"))
    return code, rows


def run(root, stage, check, args, number, display):
    """Runs the check, adds its rows to the stage and returns the lines to print if it failed."""
    base = os.path.join(root, "build", "verify", f"{stage.name}-{number}")
    with contextlib.suppress(FileNotFoundError):
        os.remove(base + ".json")
    argv = check.argv(args.seed, args.depth)
    said, wrong, code, limit = [], "", report.USAGE, LIMIT_SECONDS[args.depth]
    start = time.monotonic()
    work = display.begin(stage.name, check.what)
    with open(base + ".log", "w", encoding="utf-8") as log:
        try:
            code = process.run([os.path.join(root, argv[0]), *argv[1:], "--progress", "--json",
                                base + ".json"], root, _listener(work, log, said), display.tick,
                               environment(), limit)
            rows, wrong = report.read_tool_report(base + ".json", code)
        except process.TimeLimit:
            rows, code = [], report.INCOMPLETE
            wrong = f"still running after {limit} s"
        except OSError as error:
            rows, wrong = [], f"cannot run {argv[0]}: {error.strerror}"
    if len(rows) == 1:
        rows[0].figures.setdefault("seconds", round(time.monotonic() - start, 1))
    code, rows = _judge(stage, check, code, rows, wrong)
    for row in rows:
        row.check = check.what
    stage.rows += rows
    if code == report.OK:
        return []
    stage.fail(code)
    return [*said[-LINES_SHOWN:], f"log: {os.path.relpath(base + '.log', root)}",
            f"reproduce: {shlex.join(argv)}"]
