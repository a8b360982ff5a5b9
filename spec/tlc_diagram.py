"""Pictures for spec/tlc: the state machine of one writer, projected from all states that TLC found.

A node is where a writer stands: the state of its Writer, and its pc, the name of its next action. An
edge is an action: the writer's own, or another thread's that changes the writer's state.
"""

import re
import subprocess
from collections import namedtuple
from xml.sax.saxutils import unescape

from tlc_run import SPEC, Failure, require_program, write_atomically
from tlc_text import (EDGE, MECHANISM_ACTION, NODE, STALL_ACTION, UNBATCHED_ACTION, belongs, by_thread,
                      variables_of)

# Of each picture, the configurations whose states it shows: those of spec/mc, and those beside the pictures.
PICTURES = {
    "serial": ("serial", "serial.queued", "Serial2x1PreRelease"),
    "parallel": ("Parallel2x1Errors", "parallel.queued"),
    "pipelined": ("Pipelined2x1Errors", "pipelined.queued"),
    "pipelined_parallel": ("PipelinedParallel2x1Errors", "pipelined_parallel.queued"),
    "two_queues": ("two_queues", "two_queues.queued"),
    "two_queues_parallel": ("two_queues_parallel", "two_queues_parallel.queued"),
    "stalls": ("Serial2x2StallClose", "serial.stalls", "Pipelined1x2Stall", "TwoQueues2x2StallClose"),
    "unbatched": ("serial.unbatched", "pipelined.unbatched", "two_queues.unbatched"),
    "state_word": ("StateWord",),
}
# The mechanisms that no mode has of its own, each with its actions: its picture is of them alone, in all modes.
MECHANISMS = {"stalls": STALL_ACTION, "unbatched": UNBATCHED_ACTION}
# Until it has joined the queue, a writer that may meet a stall is drawn whole.
JOINING = ("Write", "LinkOne", "JoinBatchGroup", "JoinBatchGroup_AwaitState")
# The frames that make unbatched calls, by the configurations: Close, Checkpoint, and the second Writer of either.
SECOND, SECOND_STATE = "SECOND", "its second Writer, "
UNBATCHED_FRAMES = ("t2", "t3", SECOND)
ENVIRONMENT = ("WalError", "MemTableError", "CloseError", "BeginCheckpoint", "SpuriousWake")
FIRST = ("Write", "Run")
GROUPS_OF_STEPS = ("OwnerStep",)
LOCKED_WAITING = "STATE_LOCKED_WAITING"

# source, target: (state, pc); own: it is the writer's own step
Edge = namedtuple("Edge", "source target action own")


def writer_states(picture):
    """The states that a writer must reach in this mode."""
    if picture == "state_word":
        return {LOCKED_WAITING}
    if picture == "unbatched":
        return {"STATE_INIT", "STATE_GROUP_LEADER", SECOND_STATE + "STATE_GROUP_LEADER",
                SECOND_STATE + "STATE_MEMTABLE_WRITER_LEADER"}
    states = {"STATE_INIT", "STATE_GROUP_LEADER", "STATE_COMPLETED"}
    if "parallel" in picture:
        states |= {"STATE_PARALLEL_MEMTABLE_CALLER", "STATE_PARALLEL_MEMTABLE_WRITER"}
    if "pipelined" in picture:
        states |= {"STATE_MEMTABLE_WRITER_LEADER"}
    return states


def expected_actions(picture):
    """The actions that are an edge of that picture: of those that the spec lists, not what few configurations have."""
    module = SPEC / ("StateWord.tla" if picture == "state_word" else "WritePath.tla")
    listed = re.findall(r"^  \\/ (\w+)(?:\([st]\))?$", module.read_text(), re.M)
    if picture in MECHANISMS:
        return {action for action in listed if MECHANISMS[picture].match(action)}
    return {action for action in listed
            if belongs(action, picture) and not MECHANISM_ACTION.match(action) and action not in GROUPS_OF_STEPS}


def values(variables, name):
    return {thread.strip('"'): value.strip('"') for thread, value in by_thread(variables, name).items()}


def word_writers(variables):
    """StateWord: the owner, and who sets its state."""
    word, seen = variables["state"].strip(), variables["seen"].strip()
    state = LOCKED_WAITING if word == "LOCKED_WAITING" else "a state that it has seen" if word == seen else "its goal"
    if variables["enqueued"].strip() == "TRUE":
        state += ", in the queue of the condition variable"
    setters = {setter: ("who sets it", pc, None) for setter, pc in values(variables, "setter").items()}
    return {"owner": (state, variables["owner"].strip().strip('"'), None), **setters}


def writers(variables):
    """Of each writer in a state of the spec: (state, pc, what tells its steps in a loop apart)."""
    if "owner" in variables:
        return word_writers(variables)
    states, cursors = values(variables, "state"), values(variables, "cursor")
    if SECOND in states:
        states[SECOND] = SECOND_STATE + states[SECOND]
    return {thread: (states[thread], pc, cursors[thread]) for thread, pc in values(variables, "pc").items()}


def edges_of(action, before, after):
    """What one step of the spec is to each writer that it concerns, by its thread."""
    for thread, (state, pc, cursor) in before.items():
        new_state, new_pc, new_cursor = after[thread]
        moved = pc != new_pc or cursor != new_cursor
        if moved or state != new_state:
            # The caller of an unbatched call tells its second Writer what to do next.
            own = moved and (thread != SECOND or pc == action)
            yield thread, Edge((state, pc), (new_state, new_pc), action, own)


def is_of(picture, thread, edge):
    """Does this picture show that edge of that writer?"""
    places = edge.source[1], edge.target[1]
    if picture == "stalls":
        stall = STALL_ACTION.match(edge.action) or places[0] in JOINING
        return stall and thread != SECOND and not any(UNBATCHED_ACTION.match(place) for place in places)
    return picture != "unbatched" or thread in UNBATCHED_FRAMES


def project(picture, lines):
    """The edges of one writer, from TLC's dot dump of all states."""
    nodes, steps = {}, set()
    for line in lines:
        if match := EDGE.match(line):
            steps.add(match.groups())
        elif match := NODE.match(line.rstrip("\n")):
            nodes[match[1]] = writers(variables_of(match[2]))
    return {edge for source, target, action in steps
            for thread, edge in edges_of(action, nodes[source], nodes[target]) if is_of(picture, thread, edge)}


def lacks(picture, edges, actions):
    """What the picture ought to show and does not: writer states, and some of `actions`."""
    reached = {state for edge in edges for state, _ in (edge.source, edge.target)}
    drawn = {edge.action for edge in edges}
    return sorted(writer_states(picture) - reached) + sorted(set(actions) - drawn)


def quoted(node):
    return '"%s %s"' % node


def dot_edge(edge):
    style = " color=red fontcolor=red" if edge.action in ENVIRONMENT else ""
    style += "" if edge.own or style else " style=dashed color=blue fontcolor=blue"
    style += " constraint=false" if edge.target[1] in FIRST else ""  # the picture begins with these
    return f'  {quoted(edge.source)} -> {quoted(edge.target)} [label="{edge.action}"{style}];'


def dot_text(picture, edges):
    lines = [f'digraph "{picture}" {{',
             "  // Generated by spec/tlc diagram --write from the states that TLC found: "
             + " ".join(PICTURES[picture]),
             '  fontname="Helvetica";',
             '  node [shape=box style="rounded,filled" fillcolor=white fontname="Helvetica" fontsize=11];',
             '  edge [fontname="Helvetica" fontsize=9];']
    nodes = {node for edge in edges for node in (edge.source, edge.target)}
    for state in sorted({state for state, _ in nodes}):
        lines.append(f'  subgraph "cluster {state}" {{ label="{state}"; style=filled; fillcolor=gray95;')
        lines += [f'    {quoted(node)} [label="{node[1]}"];' for node in sorted(nodes) if node[0] == state]
        lines.append("  }")
    return "\n".join([*lines, *sorted(dot_edge(edge) for edge in edges), "}", ""])


def first_difference(committed, drawn, svg):
    """One line about what is not as it was drawn now, the first edge if there is one; None if all is."""
    old, new = (set(re.findall(r"^  (\".*\" -> .*\]);", text, re.M)) for text in (committed, drawn))
    for edge in sorted(old ^ new):
        return f"{'is gone' if edge in old else 'is new'}: {edge}"
    if committed != drawn:
        return "the edges are the same, the rest of the .dot is not"
    shown = {unescape(label) for label in re.findall(r"<text [^>]*>(.*?)</text>", svg)}
    hidden = sorted(set(re.findall(r'label="(.*?)"', drawn)) - shown)
    return f"the .svg does not show {hidden[0]}" if hidden else None


def write_picture(path, text):
    dot = require_program("dot", "install graphviz (./verify --stage setup)")
    write_atomically(path, text)
    done = subprocess.run([dot, "-Tsvg", str(path)], capture_output=True, text=True)
    if done.returncode != 0:
        raise Failure(f"{path}: dot: {done.stderr.strip().splitlines()[0]}")
    write_atomically(path.with_suffix(".svg"), done.stdout)


def judge_picture(picture, edges, write):
    """What is wrong with a picture, or None: it shows too little, or not what is committed."""
    missing = lacks(picture, edges, expected_actions(picture))
    if missing:
        return "never reached: " + " ".join(missing)
    path = SPEC / "diagrams" / f"{picture}.dot"
    if write:
        write_picture(path, dot_text(picture, edges))
        return None
    return first_difference(path.read_text(), dot_text(picture, edges), path.with_suffix(".svg").read_text())
