"""Random behaviours for spec/tlc: workloads too large to search, in every mode, the same again for the same seed."""

import os
import re

from tlc_faults import FAULT_MARK
from tlc_run import SPEC, Failure, Job, module_path
from tlc_text import INCOMPLETE, MODES, OK, row

DEPTH = 600  # more steps than any of the workloads has, unless checkpoints follow each other


def mode_options(mode):
    names = sorted(next(options for options, name in MODES.items() if name == mode))
    return "{" + ", ".join(f'"{name}"' for name in names) + "}"


def fault_of(name, entries):
    """The lines that put a fault in the place of the spec's own, and its module."""
    if name not in entries:
        raise Failure(f"unknown fault '{name}': spec/tlc list shows them")
    text = (SPEC / "bugs" / f"{name}.cfg").read_text()
    if entries[name]["module"] != "Faults":
        raise Failure(f"fault '{name}' is none of the write path: sim has no workload for {entries[name]['module']}")
    return text[text.index(FAULT_MARK):]


def sim_jobs(options, manifest):
    """In a directory of this process alone: tests that run side by side simulate the same."""
    unknown = [mode for mode in options.modes if mode not in MODES.values()]
    if unknown:
        raise Failure(f"unknown mode '{unknown[0]}': {' '.join(MODES.values())}")
    fault = fault_of(options.fault, manifest["bugs"]) if options.fault else ""
    for mode in options.modes or MODES.values():
        for name in manifest["sim"]:
            text = (SPEC / "mc" / f"{name}.cfg").read_text()
            text = re.sub(r"^  Options = .*$", f"  Options = {mode_options(mode)}", text, flags=re.M)
            module = module_path("bugs", "Faults") if fault else module_path("mc", "MC")
            job = Job(f"sim/{os.getpid()}", f"{mode}-{name}", module, None, text=text + fault)
            job.arguments = ["-simulate", f"num={options.num}", "-depth", str(DEPTH), "-seed", str(options.seed)]
            yield job


def judge_sim(options, manifest, outcome):
    mode, name = outcome.job.name.split("-")
    checked = re.findall(r"Progress: (\d+) states checked", (outcome.job.directory / "output.txt").read_text())
    outcome.figures.update(behaviours=options.num, states=int(checked[-1]) if checked else 0)
    fault = f" --fault {options.fault}" if options.fault else ""
    again = f"spec/tlc sim {mode} --num {options.num} --seed {options.seed}{fault}"
    wrong = (f"INCOMPLETE: {outcome.stopped}" if outcome.code == INCOMPLETE
             else f"FAILED: {outcome.property or outcome.error}")
    result = f"ok: {again}" if outcome.code == OK else f"{wrong}: {again}"
    return row(f"sim {mode} {name}", manifest["sim"][name]["bounds"], result, outcome), outcome.code
