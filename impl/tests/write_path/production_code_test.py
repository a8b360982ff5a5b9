#!/usr/bin/python3
"""What is linked in production carries nothing of the checking: the compiler makes the same code of the headers as
they are and of a copy that tells no event and no assertion.

usage: production_code_test.py COMPILER
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

IMPL = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
USE = """
#include "bellwether/sync/std_sync.h"
#include "bellwether/write_path/write_path.h"
struct Batch { std::uint32_t Count() const; std::size_t ByteSize() const; };
struct Log {
  template <class Group> bellwether::Status AddRecord(bellwether::SequenceNumber first, const Group&) { return Append(first); }
  bellwether::Status Append(bellwether::SequenceNumber);
  bellwether::Status Sync();
  std::uint64_t BytesSinceCheckpoint() const;
  std::uint64_t LogNumber() const;
};
struct MemTable { bellwether::Status InsertInto(const Batch&, bellwether::SequenceNumber); };
template class bellwether::WritePath<bellwether::StdSync, Batch, Log, MemTable>;
"""
TOLD = re.compile(r"\b(?:Sync|S)::(?:OnAction|Assert)\(")
POLICIES = ("sync.h", "std_sync.h", "tracing_sync.h")  # they define what the others call
COMPILER = "g++"


def without_calls(text, pattern=TOLD):
    """`text` without the calls that `pattern` begins, and how many they were."""
    kept, end, count = [], 0, 0
    for call in pattern.finditer(text):
        kept.append(text[end:call.start()])
        depth, end = 1, call.end()
        while depth > 0:
            depth += {"(": 1, ")": -1}.get(text[end], 0)
            end += 1
        count += 1
    return "".join([*kept, text[end:]]), count


def numbered_anew(assembly):
    """Labels are numbered as they come, whatever the compiler counted before them; no comments."""
    numbers = {}
    return re.sub(r"\.L[\w.]+", lambda label: f".L{numbers.setdefault(label[0], len(numbers))}",
                  re.sub(r"\s*#.*", "", assembly))


def copy_of_headers(folder, edit):
    """The headers below `folder`, each as `edit(path, text)` makes it."""
    shutil.copytree(os.path.join(IMPL, "bellwether"), os.path.join(folder, "bellwether"))
    for parent, _, files in os.walk(folder):
        for path in (os.path.join(parent, file) for file in files):
            with open(path, encoding="utf-8") as file:
                text = file.read()
            with open(path, "w", encoding="utf-8") as file:
                file.write(edit(os.path.relpath(path, folder), text))


def assembly(edit=None):
    """What the compiler makes of the write path with StdSync, and of headers that are as `edit` makes them."""
    with tempfile.TemporaryDirectory() as folder:
        if edit is not None:
            copy_of_headers(folder, edit)
        done = subprocess.run([COMPILER, "-std=c++20", "-O2", "-w", "-I", IMPL if edit is None else folder, "-S",
                               "-x", "c++", "-", "-o", "-"], input=USE, capture_output=True, text=True, check=False)
    if done.returncode != 0 or "EnterAsBatchGroupLeader" not in done.stdout:
        raise RuntimeError(f"the write path did not compile: {done.stderr}")
    return numbered_anew(done.stdout)


def replaced(name, old, new):
    """An edit of one header."""
    def edit(path, text):
        if os.path.basename(path) != name:
            return text
        if text.count(old) != 1:
            raise RuntimeError(f"{name}: adapt the test, this does not stand there once: {old}")
        return text.replace(old, new)
    return edit


class ProductionCode(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        calls = []

        def untold(path, text):
            if os.path.basename(path) in POLICIES:
                return text
            text, count = without_calls(text)
            calls.append(count)
            return text
        cls.untold = assembly(untold)
        cls.calls = sum(calls)

    def test_the_code_is_the_same_without_events_and_assertions(self):
        self.assertGreater(self.calls, 30, "hardly an event was found: adapt TOLD")
        self.assertTrue(assembly() == self.untold, "an event or an assertion costs something in production")

    def test_a_policy_that_listens_makes_other_code(self):
        listens = replaced("std_sync.h", "static void OnAction(const char*, const void*) {}",
                           "static inline volatile int told;\n"
                           "static void OnAction(const char*, const void*) { told = 1; }")
        self.assertTrue(assembly(listens) != self.untold)

    def test_an_event_that_takes_a_shared_access_makes_other_code(self):
        looks = replaced("write_path.h", 'Sync::OnAction("PreprocessWrite", leader);',
                         'Sync::OnAction("PreprocessWrite", first_error_.load(orders::FirstError_Load));')
        self.assertTrue(assembly(looks) != self.untold)


if __name__ == "__main__":
    COMPILER = sys.argv.pop(1)
    unittest.main()
