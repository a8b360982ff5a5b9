"""The seeded faults for spec/tlc: their runs, what is expected of them, and the smallest bounds at which they die."""

import re

from tlc_run import SPEC, WORK, Failure, Job, module_path
from tlc_text import EXPECTED_EXIT, INCOMPLETE, OK, SAFETY, row

FAULT_MARK = "\\* The fault:"
SMALLER = "Smaller"  # the module that spec/tlc writes for bounds smaller than a fault's own
DEATHS = {EXPECTED_EXIT[name] for name in ("deadlock", "safety", "liveness")}


def without_fault(text):
    if FAULT_MARK not in text:
        raise Failure(f"a configuration in {SPEC / 'bugs'} has no line '{FAULT_MARK}'")
    return text[: text.index(FAULT_MARK)]


def without_property(text, name):
    return "\n".join(re.sub(rf" {name}\b", "", line) if re.match("(INVARIANTS|PROPERTIES) ", line) else line
                     for line in text.split("\n")).replace("INVARIANTS\n", "\n").replace("PROPERTIES\n", "\n")


def bug_jobs(entries):
    """For each fault: the mutated run, the unmutated control at the same bounds, and, if nothing
    else may see the fault, the mutated run without its property. Equal controls run once."""
    jobs, expectations, controls = [], {}, set()
    for name, entry in entries.items():
        module = module_path("bugs", entry["module"])
        config = SPEC / "bugs" / f"{name}.cfg"
        text = config.read_text()
        jobs.append(Job("bugs", name, module, config))
        expectations[name] = (entry, "fault")
        control = without_fault(text)
        if control not in controls:
            controls.add(control)
            jobs.append(Job("bugs", f"{name}-control", module, None, text=control))
            expectations[f"{name}-control"] = (entry, "control")
        if entry["only"]:
            text = without_property(text, entry["property"])
            jobs.append(Job("bugs", f"{name}-alone", module, None, text=text))
            expectations[f"{name}-alone"] = (entry, "alone")
    return jobs, expectations


def judge_bug(entry, kind, outcome):
    name, bounds = outcome.job.name, entry["bounds"]
    if outcome.code == INCOMPLETE:
        return row(f"fault {name}", bounds, f"INCOMPLETE: {outcome.stopped}", outcome), INCOMPLETE
    if kind == "control":
        result = "ok: the spec itself passes" if outcome.code == 0 else f"FAILED: exit {outcome.code} {outcome.error}"
        return row(f"control {name}", bounds, result, outcome), outcome.code
    if kind == "alone":
        seen = f"{outcome.property or outcome.error} (exit {outcome.code})"
        result = (f"ok: only {entry['property']} sees it" if outcome.code == 0
                  else f"FAILED: {seen} sees it too")
        return row(f"fault {name}", bounds, result, outcome), OK if outcome.code == 0 else SAFETY
    expected = EXPECTED_EXIT[entry["expect"]]
    killer = entry["property"] or entry["expect"]
    if outcome.code == expected and outcome.property == entry["property"]:
        return row(f"fault {name}", bounds, f"killed by {killer}", outcome), OK
    seen = f"exit {outcome.code}, {outcome.property or outcome.error or 'no error'}"
    result = f"FAILED: {seen}, expected exit {expected}, {killer}"
    return row(f"fault {name}", bounds, result, outcome), SAFETY


def judge_properties(properties, missed):
    """No property can be taken out of the spec without a fault turning green: `missed` are those for
    which a run showed that, with the property taken out and nothing else."""
    forgotten = sorted(set(properties) - missed)
    result = "FAILED: no fault passes without " + " ".join(forgotten) if forgotten else "ok: a fault turns green"
    return {"what": "any property taken out", "bounds": f"{len(properties)} properties", "result": result,
            "figures": {"properties": len(properties)}}


# --- smaller bounds ------------------------------------------------------------------------------


SETS = {"Threads": 1, "Setters": 1, "AllWrites": 1, "Readers": 0}  # the sets that bound a run, and how small they may be
NUMBERS = {"BatchCount": 1, "Crashes": 0, "Changes": 1, "Lives": 1}


def defined_workloads():
    """The sets of writes that configurations name: `Later == {<<t2, 1>>}`."""
    found = {}
    for path in [*(SPEC / "mc").glob("*.tla"), *(SPEC / "bugs").glob("*.tla")]:
        for name, value in re.findall(r"^(\w+) == (\{.*\})$", path.read_text(), re.M):
            found[name] = {(thread, int(k)) for thread, k in re.findall(r"<<(\w+), (\d+)>>", value)}
    return found


class Bounds:
    """A configuration whose bounds can be made smaller: a thread, a write, a crash … taken out of it
    and of its workloads."""

    def __init__(self, module, text, workloads):
        self.module, self.text, self.workloads = module, text, workloads

    @classmethod
    def of(cls, module, text):
        defined = defined_workloads()
        used = re.findall(r"^  (\w+) <- (\w+)$", text, re.M)
        return cls(module, text, {constant: defined[name] for constant, name in used if name in defined})

    def set(self, name):
        line = re.search(rf"^  {name} = \{{(.*)\}}$", self.text, re.M)
        return [element.strip() for element in line[1].split(",") if element.strip()] if line else []

    def number(self, name):
        line = re.search(rf"^  {name} = (\d+)$", self.text, re.M)
        return int(line[1]) if line else 0

    def describe(self):
        sets = [f"{name} {len(self.set(name))}" for name in SETS if re.search(rf"^  {name} =", self.text, re.M)]
        return ", ".join(sets + [f"{n} {self.number(n)}" for n in ("Writes", *NUMBERS) if self.number(n)])

    def _without_element(self, name, element):
        """The others are called as if that one had never been, so that equal bounds are equal texts."""
        others = [e for e in self.set(name) if e != element]
        called = dict(zip(others, self.set(name)))

        def cut(line):
            kept = [called.get(e.strip(), e.strip()) for e in line[2].split(",") if e.strip() != element]
            return f"{line[1]}{{{', '.join(kept)}}}"

        text = re.sub(r"^(  \w+ = )\{(.*)\}$", cut, self.text, flags=re.M)
        workloads = {constant: {(called.get(t, t), k) for t, k in writes if t != element}
                     for constant, writes in self.workloads.items()}
        return Bounds(self.module, text, workloads)

    def _without_write(self, number):
        workloads = {constant: {(t, k - (k > number)) for t, k in writes if k != number}
                     for constant, writes in self.workloads.items()}
        return Bounds(self.module, self._less("Writes"), workloads)

    def _less(self, name):
        return re.sub(rf"^  {name} = (\d+)$", lambda m: f"  {name} = {int(m[1]) - 1}", self.text, flags=re.M)

    def smaller(self):
        """The next smaller bounds, each by one thing."""
        found = [self._without_element(name, element)
                 for name, least in SETS.items() if len(self.set(name)) > least for element in self.set(name)]
        if self.number("Writes") > 1:
            found += [self._without_write(number) for number in range(1, self.number("Writes") + 1)]
        found += [Bounds(self.module, self._less(name), self.workloads)
                  for name, least in NUMBERS.items() if self.number(name) > least]
        return list({bounds.files(): bounds for bounds in found}.values())

    def files(self):
        """The module and the configuration to run."""
        text, lines = self.text, []
        for constant, writes in sorted(self.workloads.items()):
            text = re.sub(rf"^  {constant} <- \w+$", f"  {constant} <- {SMALLER}_{constant}", text, flags=re.M)
            pairs = ", ".join(f"<<{t}, {k}>>" for t, k in sorted(writes))
            lines.append(f"{SMALLER}_{constant} == {{{pairs}}}")
        head = f"---- MODULE {SMALLER} ----\nEXTENDS {self.module}\n"
        return head + "\n".join(lines) + "\n====\n", text

    def without_fault(self):
        return Bounds(self.module, without_fault(self.text), self.workloads)

    def job(self, name):
        module, text = self.files()
        path = WORK / "smaller" / name / f"{SMALLER}.tla"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(module)
        return Job("smallest", name, path, None, text=text)


def fault_bounds(name, entry):
    return Bounds.of(entry["module"], (SPEC / "bugs" / f"{name}.cfg").read_text())


def dies(outcome):
    return outcome.code in DEATHS and not outcome.has_no_value


def judge_smaller(name, bounds, outcome):
    """A fault at bounds smaller than its own. Some are none: an assumption or an expression of the spec fails
    there; or the spec itself does, as its control shows."""
    what = f"fault {name} at {bounds.describe()}"
    if outcome.code == INCOMPLETE:
        return row(what, bounds.describe(), f"INCOMPLETE: {outcome.stopped}", outcome), INCOMPLETE
    result = "it passes" if outcome.code == 0 else "it dies" if dies(outcome) else "no bounds for it"
    return row(what, bounds.describe(), f"ok: {result}", outcome), OK


def judge_smaller_control(name, bounds, outcome):
    what = f"control {name} at {bounds.describe()}"
    if outcome.code == INCOMPLETE:
        return row(what, bounds.describe(), f"INCOMPLETE: {outcome.stopped}", outcome), INCOMPLETE
    if outcome.code == 0:
        return row(what, bounds.describe(), "FAILED: its bounds are not the smallest", outcome), SAFETY
    return row(what, bounds.describe(), "ok: no bounds for it, the spec itself fails", outcome), OK
