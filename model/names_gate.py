#!/usr/bin/python3
"""One name for each step: actions.def, the spec, the implementation's events and PORTING.md have the same actions."""

import argparse
import os
import re
import sys

OK, USAGE, VIOLATION = 0, 1, 12
ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")

# What the spec and the model do in the place of a user of WritePath::RunUnbatched: no event of the core.
USERS = {"BeginCheckpoint", "Checkpoint"}


def read(root, path):
    with open(os.path.join(root, path), encoding="utf-8") as file:
        return file.read()


def without_comments(text):
    return re.sub(r"//.*", "", text)


def of_definition(root, kind=r"(?:ENVIRONMENT_)?ACTION"):
    text = without_comments(read(root, "model/actions.def"))
    return set(re.findall(rf"BELLWETHER_{kind}\(\s*(\w+)\s*,", text))


def of_spec(root):
    """What a thread, or the environment, may do: defined for a thread, and a disjunct of a step."""
    text = read(root, "spec/WritePath.tla")
    defined = set(re.findall(r"^(\w+)\(t\) ==", text, re.M))
    return defined & set(re.findall(r"^ +\\/ (\w+)\(t\)$", text, re.M))


def of_store_spec(root):
    """What a reader, a crash and recovery do: the disjuncts of RecoveryNext and RecoveryStep, but for those that take
    the steps of the write path."""
    text = read(root, "spec/Recovery.tla")
    names = set()
    for whole in ("RecoveryNext", "RecoveryStep"):
        body = re.search(rf"^{whole} ==\n((?: .*\n)+)", text, re.M)
        names |= set(re.findall(r"(?:\\/|:) (\w+)", body[1])) if body else set()
    return names - {"OpenStep", "OpenEnvironment", "OpenDone", "RecoveryStep"}


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
    store = of_definition(root, "STORE_ACTION")
    told = actions - USERS
    for where, wanted, names in (("the spec (spec/WritePath.tla)", actions, of_spec(root)),
                                 ("the events of impl/bellwether", told, of_implementation(root)),
                                 ("the table of impl/PORTING.md", told, of_document(root)),
                                 ("the spec (spec/Recovery.tla)", store, of_store_spec(root))):
        for name in sorted(wanted - names):
            yield f"{name}: in model/actions.def, but not in {where}"
        for name in sorted(names - wanted):
            yield f"{name}: in {where}, but not in model/actions.def"
    for name in sorted(USERS - actions):
        yield f"{name}: an exception of model/names_gate.py that model/actions.def does not have"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", default=ROOT, help="the repository")
    root = parser.parse_args().root
    try:
        found = list(breaches(root))
        count, store = len(of_definition(root)), len(of_definition(root, "STORE_ACTION"))
    except OSError as error:
        print(f"names_gate: {error}", file=sys.stderr)
        return USAGE
    for breach in found:
        print(breach)
    print(f"names: {count} actions, {len(USERS)} of them a user's, and {store} of the store; {len(found)} breaches")
    return VIOLATION if found or count == 0 or store == 0 else OK


if __name__ == "__main__":
    sys.exit(main())
