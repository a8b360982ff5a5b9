"""What a person sees while verify works, and the tables at its end."""

import importlib
import importlib.util
import sys
import time

from verifier import report

PLAIN_SECONDS_BETWEEN_LINES = 5.0


def clock(seconds):
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


class Work:
    """What is being done now, and how fast."""

    def __init__(self, stage, what):
        self.stage, self.what, self.count = stage, what, ""
        self.start = time.monotonic()

    def elapsed(self):
        return time.monotonic() - self.start

    def progress(self, what, done, unit, elapsed):
        """`done` of `unit` after `elapsed` seconds of the tool's own clock."""
        self.what = what
        self.count = f"{done:,} {unit}"
        if elapsed > 0:
            self.count += f" · {done / elapsed:,.0f}/s"

    def line(self):
        return " · ".join(part for part in (self.what, self.count, clock(self.elapsed())) if part)


class PlainDisplay:
    """One line when something begins or ends, and one every few seconds while it goes on."""

    def __init__(self, stages):
        self.work, self.last = None, 0.0
        self.width = max(map(len, stages), default=0)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return False

    def say(self, text):
        print(text, flush=True)

    def begin(self, stage, what):
        self.work, self.last = Work(stage, what), time.monotonic()
        self.say(f"{stage:{self.width}}  {what} …")
        return self.work

    def tick(self):
        if self.work and time.monotonic() - self.last >= PLAIN_SECONDS_BETWEEN_LINES:
            self.last = time.monotonic()
            self.say(f"{self.work.stage:{self.width}}  … {self.work.line()}")

    def end_stage(self, stage):
        self.work = None
        self.say(f"{stage.name:{self.width}}  {'ok' if stage.ok else 'FAILED'}"
                 f"  {clock(stage.seconds)}")

    def table(self, rows):
        """Headings, then rows."""
        widths = [max(map(len, column)) for column in zip(*rows)]
        for row in rows:
            self.say("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())


class RichDisplay:
    """On a terminal: all stages, redrawn in place."""

    def __init__(self, stages):
        console, live = (importlib.import_module(f"rich.{name}") for name in ("console", "live"))
        self.console = console.Console(highlight=False)
        # Refreshed by tick() alone: no thread may be alive where children are forked.
        self.live = live.Live(console=self.console, auto_refresh=False)
        self.state = {stage: ("·", "dim", "") for stage in stages}
        self.work = None

    def __enter__(self):
        self.live.__enter__()
        return self

    def __exit__(self, *exc):
        self.work = None
        self.tick()
        return self.live.__exit__(*exc)

    def say(self, text):
        self.console.print(text, markup=False, soft_wrap=True)

    def begin(self, stage, what):
        self.work = Work(stage, what)
        self.tick()
        return self.work

    def tick(self):
        text, table = importlib.import_module("rich.text"), importlib.import_module("rich.table")
        grid = table.Table.grid(padding=(0, 2))
        grid.add_column(no_wrap=True)
        grid.add_column(no_wrap=True)
        grid.add_column(no_wrap=True, overflow="ellipsis")
        for stage, (glyph, style, note) in self.state.items():
            if self.work and self.work.stage == stage:
                glyph, style, note = "▸", "bold cyan", self.work.line()
            grid.add_row(text.Text(glyph, style), text.Text(stage, style), text.Text(note))
        self.live.update(grid, refresh=True)

    def end_stage(self, stage):
        self.work = None
        self.state[stage.name] = (("✓", "green") if stage.ok else ("✗", "bold red")) + (
            clock(stage.seconds),)
        self.tick()

    def table(self, rows):
        """Headings, then rows."""
        text, table = importlib.import_module("rich.text"), importlib.import_module("rich.table")
        box = importlib.import_module("rich.box")
        grid = table.Table(box=box.SIMPLE_HEAD, pad_edge=False)
        for heading, numeric in zip(rows[0], report.numeric_columns(rows)):
            grid.add_column(heading, justify="right" if numeric else "left")
        for row in rows[1:]:
            *cells, last = row
            bad = last.startswith(("FAILED", "INCOMPLETE"))
            grid.add_row(*map(text.Text, cells), text.Text(last, "bold red" if bad else "green"))
        self.console.print(grid)


def rich_is_there():
    """Rich is installed by the setup stage, perhaps a moment ago."""
    importlib.invalidate_caches()
    return importlib.util.find_spec("rich") is not None


def make(stages):
    """Rich on a terminal, plain lines off it (or under another Python that has no Rich)."""
    return (RichDisplay if sys.stdout.isatty() and rich_is_there() else PlainDisplay)(stages)
