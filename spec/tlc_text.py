"""Texts for spec/tlc: what TLC printed, its dot dump as canonical lines, and the tables of README.md."""

import re
from collections import namedtuple

OK, USAGE, INCOMPLETE, SAFETY = 0, 1, 2, 12
EXPECTED_EXIT = {"ok": OK, "assumption": 10, "deadlock": 11, "safety": SAFETY, "liveness": 13}

NODE = re.compile(r'^(-?\d+) \[label="(.*?)"(?:,style = filled)?\];?$')
EDGE = re.compile(r'^(-?\d+) -> (-?\d+) \[label="(\w+)"')
CLOSING = {"{": "}", "(": ")", "<": ">"}


PARALLEL, PIPELINED = "allow_concurrent_memtable_write", "enable_pipelined_write"
TWO_QUEUES = "two_write_queues"
MODES = {frozenset(): "serial", frozenset([PARALLEL]): "parallel", frozenset([PIPELINED]): "pipelined",
         frozenset([PARALLEL, PIPELINED]): "pipelined_parallel",
         frozenset([TWO_QUEUES]): "two_queues", frozenset([PARALLEL, TWO_QUEUES]): "two_queues_parallel"}
PARALLEL_ACTION = re.compile("Launch|SetMemWritersEachStride|CompleteParallel|ExitAsBatchGroupFollower")
PIPELINED_ACTION = re.compile("LinkGroup|(Enter|Exit)AsMemTableWriter|.*(FirstError|Dummy|CompleteLeader)$|"
                              "ExitAsBatchGroupLeader_AwaitState")
SHARED_ERROR_ACTION = re.compile("(WriteToWAL|SetLastSequence)_FirstError")
# The variables that a dump shows only in the configurations that need them: elsewhere they follow from the others.
OPTIONAL_VARIABLES = {"newest_nonmem_writer": TWO_QUEUES, "log_mutex": TWO_QUEUES, "allocated_sequence": TWO_QUEUES,
                      "relief": "MaxLog", "checkpoint": "MaxLog"}
# What begins and ends a run; errors of the environment while a store is open again, which only the
# configurations with errors have.
UNCOUNTED = ("Init", "Done", "RecoveryInit", "OpenDone", "OpenEnvironment")
# A step of the write path that a module wraps: the thread's pc named it.
WRAPPED = ("OpenStep",)
# Nobody's step, though it ends all of them.
NOBODYS = ("Crash", "CrashAndRecover")
# Mechanisms that are not a mode's own: it is enough that their actions fire in one mode.
STALL_ACTION = re.compile("PreprocessWrite|BeginWriteStall|EndWriteStall|LinkOne_NoSlowdown")
UNBATCHED_ACTION = re.compile("RunUnbatched|(Enter|Exit)Unbatched|WaitForMemTableWriters|Close(Error)?$|"
                              "Checkpoint|BeginCheckpoint")
MECHANISM_ACTION = re.compile(f"{STALL_ACTION.pattern}|{UNBATCHED_ACTION.pattern}|PreReleaseError")


def options_of(config_text):
    line = re.search(r"^\s*Options = \{(.*)\}", config_text, re.M)
    return frozenset(re.findall(r'"(\w+)"', line[1])) if line else None


def belongs(action, mode):
    """Must this action fire in some configuration of that mode?"""
    parallel, pipelined = "parallel" in mode, "pipelined" in mode
    if action in UNCOUNTED:
        return False
    if action == "ExitAsBatchGroupFollower":
        return parallel and not pipelined
    if SHARED_ERROR_ACTION.match(action):
        return pipelined or "two_queues" in mode or mode == "other"
    return ((parallel or not PARALLEL_ACTION.match(action) or mode == "other")
            and (pipelined or not PIPELINED_ACTION.match(action) or mode == "other"))


EVALUATION = 75  # TLC: the spec has no value in a state that it reached
OUT_OF_MEMORY = re.compile("Error: Java ran out of memory|java.lang.OutOfMemoryError")
OUT_OF_STACK = "java.lang.StackOverflowError"
NO_JVM = re.compile("Error occurred during initialization of VM|Error: Could not create the Java Virtual Machine")


def tool_exit(code):
    """TLC's exit codes are ours; it has more, for what is wrong with a spec or a configuration as a text."""
    known = {*EXPECTED_EXIT.values(), INCOMPLETE}
    return code if code in known else SAFETY if code == EVALUATION else USAGE


class Outcome:
    """What TLC said: exit code, the property that it saw violated, how much it searched."""

    def __init__(self, job, code, lines, seconds):
        self.job = job
        self.code = tool_exit(code)
        self.has_no_value = code == EVALUATION
        self.seconds = seconds
        self.error = next((line for line in lines if line.startswith("Error:")), "")
        self.stopped = "TLC was stopped"
        if any(OUT_OF_MEMORY.search(line) for line in lines):
            self.code = INCOMPLETE
            self.stopped = "not enough memory: JAVA_TOOL_OPTIONS=-Xmx8g lets TLC have more"
        elif code != EVALUATION and any(line.startswith(OUT_OF_STACK) for line in lines):
            self.code = INCOMPLETE
            self.stopped = "not enough memory for its stack: JAVA_TOOL_OPTIONS=-Xss8m lets TLC have more"
        elif any(NO_JVM.search(line) for line in lines):
            self.error = "java does not start: " + lines[-1]
        if code == EXPECTED_EXIT["liveness"] and self.error.startswith("Error: Action property"):
            # A step that a property or the contract forbids: TLC exits as for liveness, it is safety.
            self.code = SAFETY
        self.property = self._property(lines)
        self.actions = self._actions(lines)
        self.figures = {"seconds": round(seconds, 1)}
        for line in lines:
            if match := re.match(r"(\d+) states generated, (\d+) distinct states found", line):
                self.figures.update(states=int(match[1]), distinct=int(match[2]))
            elif match := re.match(r"The depth of the complete state graph search is (\d+)", line):
                self.figures["depth"] = int(match[1])

    def _property(self, lines):
        for line in lines:
            if match := re.match(r"Error: (?:Invariant|Action property) (\w+) is violated", line):
                return match[1]
            if re.match(r"Error: (Action property line|Temporal properties)", line):
                # TLC does not name these, so a configuration of a fault holds one of them.
                names = properties(self.job.text or self.job.config.read_text())
                return names[0] if len(names) == 1 else "one of " + " ".join(names)
        return None

    @staticmethod
    def _actions(lines):
        """How often each action of the spec led to a state, from the last coverage report."""
        counts = {}
        for line in lines:
            if match := re.match(r"<(\w+) line .* of module (?:WritePath|StateWord|Recovery)>: \d+:(\d+)", line):
                counts[match[1]] = int(match[2])
        return counts

    def mode(self):
        """The mode of the configuration; configurations without Options are a kind of their own."""
        return MODES.get(options_of(self.job.text or self.job.config.read_text()), "other")


def properties(text):
    return [name for line in re.findall(r"^PROPERTIES (.*)$", text, re.M) for name in line.split()]


def safety_of(config_text):
    """The configuration without properties of more than a state: neither a distributed run nor the model has them."""
    return (re.sub(r"^PROPERTIES .*$", "", config_text, flags=re.M)
            .replace("SPECIFICATION Fair", "SPECIFICATION "))


def row(what, bounds, result, outcome):
    return {"what": what, "bounds": bounds, "result": result, "figures": outcome.figures}


def split_set(text):
    """The elements of `{a,b}`, whose commas may also stand inside an element."""
    elements, depth, begin = [], 0, 0
    for i, c in enumerate(text):
        depth += c in "{(<"
        depth -= c in "})>"
        if c == "," and depth == 0:
            elements.append(text[begin:i])
            begin = i + 1
    return elements + [text[begin:]]


def canonical_value(text):
    """No white space; the elements of a set in the order of their text. No string holds a blank,
    and no set of the spec contains another."""
    text = re.sub(r"\s+", "", text).replace(":>", "\0")
    text = re.sub(r"\{([^{}]*)\}", lambda m: "{" + ",".join(sorted(split_set(m[1]))) + "}", text)
    return text.replace("\0", ":>")


def unneeded_variables(config_text):
    """The optional variables that this configuration does not need."""
    used = set(options_of(config_text))
    if re.search(r"^\s*MaxLog = [1-9]", config_text, re.M):
        used.add("MaxLog")
    return {name for name, user in OPTIONAL_VARIABLES.items() if user not in used}


def conjuncts(text):
    """The variables of a state as TLC prints it, by name."""
    return dict(conjunct.split(" = ", 1) for conjunct in re.split(r"^/\\ ", text, flags=re.M)[1:])


def variables_of(label):
    """The same of the label of a node of a dot dump."""
    return conjuncts(label.replace("\\n", "\n").replace('\\"', '"').replace("\\\\", "\\"))


def canonical_state(label, unneeded=frozenset()):
    variables = variables_of(label)
    return " ".join(f"/\\ {name} = {canonical_value(variables[name])}"
                    for name in sorted(variables) if name not in unneeded)


def dump_states_and_edges(path, unneeded=frozenset()):
    """From a dot dump: the distinct states, one a line, sorted; and the edges, one a line, sorted:
    `source action target`, states by their line number. The stuttering of a finished workload is no edge."""
    nodes, raw_edges = {}, set()
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            if match := EDGE.match(line):
                raw_edges.add(match.groups())
            elif match := NODE.match(line.rstrip("\n")):
                nodes[match[1]] = canonical_state(match[2], unneeded)
    states = sorted(set(nodes.values()))
    if len(states) != len(nodes):
        raise OSError(f"{len(nodes)} states, but {len(states)} texts: a variable that tells states apart is left out")
    number = {state: i + 1 for i, state in enumerate(states)}
    edges = {(number[nodes[source]], action, number[nodes[target]])
             for source, target, action in raw_edges if action not in ("Done", "OpenDone")}
    return ("".join(f"{state}\n" for state in states),
            "".join(f"{source} {action} {target}\n" for source, action, target in sorted(edges)))


STEP = re.compile(r"^State (\d+): <(\w+)|^State \d+: (Stuttering)|^Back to state (\d+): <(\w+)", re.M)
Step = namedtuple("Step", "number action variables back_to")
# Of the variables that belong to threads, those whose change the table of a counterexample tells.
TOLD_BY_THREAD = ("state", "outcome", "snapshot", "seen")
STANDING = ("pc", "owner", "setter")


def trace_steps(text):
    """The states of the counterexample in TLC's output, each with the action that led there."""
    begins = list(STEP.finditer(text))
    steps = []
    for here, after in zip(begins, [*begins[1:], None]):
        body = text[here.end():after.start() if after else len(text)].split("\n\n", 1)[0]
        variables = {name: " ".join(value.split()) for name, value in conjuncts(body).items()}
        back_to = int(here[4]) if here[4] else None
        if back_to and back_to <= len(steps):
            variables = steps[back_to - 1].variables
        steps.append(Step(len(steps) + 1, here[2] or here[3] or here[5], variables, back_to))
    return steps


def by_thread(variables, name):
    """The values of a variable that belongs to threads."""
    value = " ".join(variables.get(name, "").split())
    if not value.startswith("(") or "|->" in value:
        return {}
    return dict(entry.split(" :> ", 1) for entry in value[1:-1].strip().split(" @@ "))


def standing(variables):
    """Where each thread stands. In StateWord these are the owner and who sets its state; a reader has its
    snapshot and what it has read."""
    seen = by_thread(variables, "seen")
    places = {reader: snapshot + seen[reader] for reader, snapshot in by_thread(variables, "snapshot").items()}
    places |= {**by_thread(variables, "pc"), **by_thread(variables, "setter")}
    return {**places, "owner": variables["owner"]} if "owner" in variables else places


def moved_thread(before, after):
    """Whose step it was: the thread whose pc changed, or, in a loop, the place at which it stands."""
    for places in (standing, lambda variables: by_thread(variables, "cursor")):
        old, new = places(before), places(after)
        changed = [thread for thread in new if old.get(thread) != new[thread]]
        if len(changed) == 1:
            return changed[0]
    return None


def changes(before, after):
    """What a step changed that others see."""
    for name, value in after.items():
        if value == before.get(name) or name in STANDING or name == "arrival":
            continue
        if ":>" not in value and "|->" not in value:
            yield f"{name} := {value}"
        elif name in TOLD_BY_THREAD:
            old, new = by_thread(before, name), by_thread(after, name)
            yield from (f"{name}[{thread}] := {new[thread]}" for thread in new if new[thread] != old.get(thread))


def trace_table(text):
    """Threads against steps: who did what, and what changed that others see. Steps of a loop that goes
    on for ever are marked; the last line says what is wrong."""
    steps = trace_steps(text)
    if not steps:
        return []
    threads = sorted(standing(steps[0].variables))
    lines = [" | ".join([" step", *(f"{thread:<42}" for thread in threads), "what else changed"])]
    loop = next((step.back_to for step in steps if step.back_to), len(steps))
    for before, step in zip(steps, steps[1:]):
        if step.action == "Stuttering":
            lines.append("    * | for ever: nobody takes a step")
            continue
        action, moved = step.action, moved_thread(before.variables, step.variables)
        moved = None if action in NOBODYS else moved
        if action in WRAPPED and moved:
            action = standing(before.variables)[moved].strip('"')
        cells = [f"{action if thread == moved else '':<42}" for thread in threads]
        told = ([] if moved else [action]) + list(changes(before.variables, step.variables))
        mark = "*" if step.number > loop else " "
        lines.append(" | ".join([f"{mark}{step.number:>4}", *cells, "; ".join(told)]).rstrip())
        if step.back_to:
            lines.append(f"    * | for ever: the steps marked *, again and again (back to step {loop})")
    error = re.search(r"^Error: (.*)", text, re.M)
    return [*lines, f"      | {error[1]}"] if error else lines


def mc_table(manifest):
    lines = ["| configuration | set | bounds (writers x writes) | expected | distinct states | depth |",
             "|---|---|---|---|---|---|"]
    for name, e in manifest["mc"].items():
        lines.append(f"| {name} | {e['set']} | {e['bounds']} | {e['expect']} | "
                     f"{e.get('distinct', '–')} | {e.get('depth', '–')} |")
    return lines


def bugs_table(manifest):
    lines = ["| fault | what it does | smallest bounds | killed by | seen by nothing else | upstream |",
             "|---|---|---|---|---|---|"]
    for name, e in manifest["bugs"].items():
        lines.append(f"| {name} | {e['what']} | {e['bounds']} | {e['property'] or e['expect']} | "
                     f"{'yes' if e['only'] else ''} | {e.get('upstream', '')} |")
    return lines


def properties_table(manifest):
    lines = ["| property | what it says | faults that it alone sees |", "|---|---|---|"]
    for name, statement in manifest["properties"].items():
        faults = [f for f, e in manifest["bugs"].items() if e["only"] and e["property"] == name]
        lines.append(f"| {name} | {statement} | {', '.join(faults)} |")
    return lines


def readme_with_tables(text, manifest):
    for name, table in (("properties", properties_table(manifest)), ("mc", mc_table(manifest)),
                        ("bugs", bugs_table(manifest))):
        begin, end = f"<!-- {name}: generated by spec/tlc readme --write -->", f"<!-- end of {name} -->"
        if begin not in text or end not in text:
            raise OSError(f"spec/README.md: no marker '{begin}' … '{end}'")
        head, rest = text.split(begin, 1)
        text = head + "\n".join([begin, *table, end]) + rest.split(end, 1)[1]
    return text
