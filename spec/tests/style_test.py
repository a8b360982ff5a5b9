#!/usr/bin/python3
"""How the spec is written: of every action a comment says which function of RocksDB it is and what other
threads see of it, of every variable who may write it; bullets stand below what they define."""

import re
import sys
import unittest
from pathlib import Path

SPEC = Path(__file__).resolve().parent.parent
# The module that lists actions, and those that define them.
MODULES = {"WritePath": ("WriteThread", "MemTableWriters", "WriteStall", "WritePath"),
           "StateWord": ("StateWord",), "Recovery": ("Recovery",)}
NO_ACTIONS = {"OwnerStep", "Done"}  # a group of them, and the end


def texts():
    return {path.stem: path.read_text() for path in SPEC.glob("*.tla")}


def actions(text):
    """What Next and the definitions that it names list as `\\/ Action(t)`."""
    listed = re.findall(r"^  \\/ (\w+)(?:\([st]\))?$", text, re.M)
    quantified = [name for line in re.findall(r"^  \\/ \\E .* : (.*)$", text, re.M) for name in re.findall(r"(\w+)\(", line)]
    return set(listed + quantified)


def comment_above(lines, i):
    begin = i
    while lines[begin - 1].startswith("(*") and lines[begin - 1].endswith("*)"):
        begin -= 1
    return " ".join(line.strip("(*) ") for line in lines[begin:i])


def definitions(text, name):
    """The comment of each definition of an action that is one itself, not a name for another module's."""
    lines = text.split("\n")
    for i, line in enumerate(lines):
        if re.match(rf"{name}(\(.*\))? ==$", line) and "'" in text.split(line, 1)[1].split("\n\n", 1)[0]:
            yield comment_above(lines, i)


def badly_commented(spec):
    """The actions that lack a comment with RocksDB's function and what others see."""
    for lister, modules in MODULES.items():
        for name in sorted(actions(spec[lister]) - NO_ACTIONS):
            for module in modules:
                for comment in definitions(spec[module], name):
                    says_what = re.search(r"\w+::\w+|^Environment: ", comment)
                    if not says_what or not re.search(r"\bOthers see\b", comment):
                        yield f"{module}!{name}"


def unwritten(spec):
    """The variables of which no comment says who writes them: their own, or that of their part of the list."""
    for module in ("WriteThread", "PathState", "StateWord", "Recovery"):
        declared = re.search(r"^VARIABLES\n((?:  .*\n)+)", spec[module], re.M)[1]
        heading = ""
        for line in declared.splitlines():
            name, _, comment = (part.strip(" ,") for part in line.partition("\\*"))
            if not name:
                heading = comment
            elif "," not in name and not re.search(r"\bby\b", f"{comment} {heading}"):
                yield f"{module}!{name}"


def bullets_beside_definition(text):
    """Definitions whose bullets begin on their first line: an ELSE in the last would swallow what follows."""
    return re.findall(r"^(\w+)(?:\(.*\))? == (?:/\\|\\/)", text, re.M)


class Bullets(unittest.TestCase):
    def test_one_style(self):
        for path in SPEC.rglob("*.tla"):
            self.assertEqual(bullets_beside_definition(path.read_text()), [], path.name)

    def test_the_other_is_found(self):
        self.assertEqual(bullets_beside_definition("A ==\n  /\\ x\nB(t) == /\\ x\n        /\\ y\n"), ["B"])


def without_blanks(text):
    """The formula alone; what stays as it is, is left out."""
    return re.sub(r"\s+", "", text).split("/\\UNCHANGED")[0]


class Readme(unittest.TestCase):
    def test_the_action_that_it_explains_is_that_of_the_spec(self):
        explained = (SPEC / "README.md").read_text().split("    LinkOne(t) ==\n", 1)[1].split("\n\n", 1)[0]
        formulas = "".join(re.split(r"\s{2,}", line.strip())[0] for line in explained.splitlines())
        defined = texts()["WriteThread"].split("\nLinkOne(t) ==\n", 1)[1].split("\n\n", 1)[0]
        self.assertEqual(without_blanks(formulas), without_blanks(defined))
        self.assertGreater(defined.count("/\\"), 5)


class Comments(unittest.TestCase):
    def test_every_action_says_what_it_is_and_what_others_see(self):
        spec = texts()
        self.assertGreater(len(actions(spec["WritePath"])), 50)
        self.assertEqual(list(badly_commented(spec)), [])

    def test_an_action_without_either_is_found(self):
        for old, new in (("WriteThread::LinkOne: the CAS of newest_writer", "The CAS of newest_writer"),
                         ("Others see the new tail", "The tail is new")):
            spec = texts()
            self.assertEqual(spec["WriteThread"].count(old), 1)
            spec["WriteThread"] = spec["WriteThread"].replace(old, new)
            self.assertEqual(list(badly_commented(spec)), ["WriteThread!LinkOne"])

    def test_every_variable_says_who_writes_it(self):
        self.assertEqual(list(unwritten(texts())), [])

    def test_a_variable_without_is_found(self):
        spec = texts()
        spec["PathState"] = spec["PathState"].replace("; by the leader\n  allocated", "\n  allocated", 1)
        self.assertEqual(list(unwritten(spec)), ["PathState!synced"])


if __name__ == "__main__":
    unittest.main()
