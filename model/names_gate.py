#!/usr/bin/python3
"""One name for each step: actions.def, the spec, the implementation's events and PORTING.md have the same actions."""

import argparse
import os
import re
import sys

OK, USAGE, VIOLATION = 0, 1, 12
ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")

# Events of the implementation that the model does not have, though the spec does. Whoever models one takes it out here.
STALLS = "write stalls: not in the model"
UNBATCHED = "unbatched writers (Close, Checkpoint): not in the model"
NOT_MODELLED = {
    "LinkOne_NoSlowdown": STALLS,
    "PreprocessWrite": STALLS,
    "PreprocessWrite_FirstError": STALLS,
    "BeginWriteStall": STALLS,
    "BeginWriteStall_CompleteWriter": STALLS,
    "EndWriteStall": STALLS,
    "RunUnbatched": UNBATCHED,
    "EnterUnbatched": UNBATCHED,
    "WaitForMemTableWriters": UNBATCHED,
    "WaitForMemTableWriters_LinkOne": UNBATCHED,
    "WaitForMemTableWriters_AwaitState": UNBATCHED,
    "WaitForMemTableWriters_Store": UNBATCHED,
    "Close": UNBATCHED,
    "PreReleaseError": "pre-release callbacks: not in the model",
}
# What the spec does in the place of a user of WritePath::RunUnbatched: no event of the protocol.
USERS = {"BeginCheckpoint", "Checkpoint"}


def read(root, path):
    with open(os.path.join(root, path), encoding="utf-8") as file:
        return file.read()


def without_comments(text):
    return re.sub(r"//.*", "", text)


def of_definition(root):
    text = without_comments(read(root, "model/actions.def"))
    return set(re.findall(r"BELLWETHER_(?:ENVIRONMENT_)?ACTION\(\s*(\w+)\s*,", text))


def of_spec(root):
    """What a thread, or the environment, may do: defined for a thread, and a disjunct of a step."""
    text = read(root, "spec/WritePath.tla")
    defined = set(re.findall(r"^(\w+)\(t\) ==", text, re.M))
    return defined & set(re.findall(r"^ +\\/ (\w+)\(t\)$", text, re.M)) - USERS


def of_implementation(root):
    """The names that events are told by: the string literals of the core that look like names, but for the invariants'."""
    folders = ("impl/bellwether/write_thread", "impl/bellwether/write_path")
    paths = [f"{folder}/{name}" for folder in folders for name in sorted(os.listdir(os.path.join(root, folder)))]
    names = set()
    for path in [*paths, "impl/bellwether/sync/sync.h"]:
        if path.endswith("/status.h"):
            continue
        names |= set(re.findall(r'"([A-Z]\w+)"', without_comments(read(root, path))))
    return {name for name in names if not name.startswith("INV_")}


def of_document(root):
    """First column of the table; `…_Step` goes on the name before it."""
    names = set()
    for line in read(root, "impl/PORTING.md").splitlines():
        if not line.startswith("| `"):
            continue
        whole = ""
        for name in re.findall(r"`([^`]+)`", line.split("|")[1]):
            names.add(whole + name[1:] if name.startswith("…") else name)
            whole = whole if name.startswith("…") else name
    return names


def breaches(root):
    actions = of_definition(root)
    for where, names in (("the spec (spec/WritePath.tla)", of_spec(root)),
                         ("the events of impl/bellwether", of_implementation(root)),
                         ("the table of impl/PORTING.md", of_document(root))):
        for name in sorted(actions - names):
            yield f"{name}: in model/actions.def, but not in {where}"
        for name in sorted(names - actions - set(NOT_MODELLED)):
            yield f"{name}: in {where}, but not in model/actions.def"
    for name in sorted(set(NOT_MODELLED) & actions):
        yield f"{name}: an exception of model/names_gate.py that is no longer needed: take it out there"
    for name in sorted(set(NOT_MODELLED) - of_implementation(root)):
        yield f"{name}: an exception of model/names_gate.py for an event that nobody tells: take it out there"
    for name in sorted(set(NOT_MODELLED) - of_spec(root)):
        yield f"{name}: an exception of model/names_gate.py that the spec does not have"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", default=ROOT, help="the repository")
    root = parser.parse_args().root
    try:
        found = list(breaches(root))
        count = len(of_definition(root))
    except OSError as error:
        print(f"names_gate: {error}", file=sys.stderr)
        return USAGE
    for breach in found:
        print(breach)
    print(f"names: {count} actions, {len(NOT_MODELLED)} events that are not modelled, {len(found)} breaches")
    return VIOLATION if found or count == 0 else OK


if __name__ == "__main__":
    sys.exit(main())
