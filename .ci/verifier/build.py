"""The build stage: configures and builds presets, showing how far each is."""

import os
import re

from verifier import process, report

NINJA = re.compile(r"^\[(\d+)/(\d+)\] ")


def commands(needed):
    """needed: {preset: targets, or None for everything}."""
    jobs = str(len(os.sched_getaffinity(0)))
    for preset, targets in needed.items():
        yield preset, ["cmake", "--preset", preset]
        yield preset, ["cmake", "--build", "--preset", preset, "--parallel", jobs,
                       *(["--target", *targets] if targets else [])]


def run(root, stage, display, log, needed):
    """Returns what the failing step said; [] when all is built."""
    for preset, argv in commands(needed):
        said = []
        work = display.begin(stage.name, preset)

        def on_line(line, said=said, work=work):
            print(line, file=log, flush=True)
            said.append(line)
            if match := NINJA.match(line):
                work.count = f"{match[1]} of {match[2]} steps"

        if process.run(argv, root, on_line, display.tick):
            stage.fail(report.USAGE)
            stage.rows.append(report.Row(preset, " ".join(argv), "FAILED to build"))
            return said
        if "--build" in argv:
            stage.rows.append(report.Row(preset, ", ".join(needed[preset] or ["everything"]), "ok"))
    return []
