#!/usr/bin/python3
"""The house rules that no compiler checks. `lint.py` prints one line for each breach: where, what, what to do."""

import ast
import os
import re
import sys

FILE_LINES_MAX = 500
FUNCTION_LINES_MAX = 70
CXX = (".h", ".cc", ".def")
TEXT = CXX + (".py", ".tla", ".cfg", ".md", ".txt", ".cmake", ".json", ".xml", "")
DATA = ("LICENSE", ".json")  # lists and texts, not something to split by reason to change
TOP_LEVEL = {"spec", "model", "impl", "relacy_tests", "stress", "CMakeLists.txt", "README.md",
             "verify", "CMakePresets.json", "LICENSE", ".ci", ".clang-format", ".clang-tidy",
             ".gitignore"}
UNLINTED_FOLDERS = {".git", "build", "__pycache__"}
SYNC_FILE = "impl/bellwether/sync/std_sync.h"
SYNC = r"std::(atomic|mutex|condition_variable|thread|jthread|shared_mutex|recursive_mutex)\b"
CORE = ("impl/bellwether/write_thread/", "impl/bellwether/write_path/")


class Rule:
    """A pattern that may not occur in a line of the files that `applies` picks."""

    def __init__(self, name, pattern, advice, applies, code_only=False):
        self.name, self.advice, self.applies = name, advice, applies
        self.pattern, self.code_only = re.compile(pattern), code_only

    def breaches(self, path, lines):
        for number, line in enumerate(lines, start=1):
            if self.pattern.search(without_comment(line) if self.code_only else line):
                yield f"{path}:{number}: {self.name}: {self.advice}"


def without_comment(line):
    """Good enough for one line of our C++: no '//' stands in a string literal of impl/."""
    return line.split("//", 1)[0]


def product(path):
    """The header library itself: not its tests."""
    return path.startswith("impl/bellwether/") and path.endswith(CXX)


RULES = (
    Rule("raw synchronisation", SYNC, "go through Sync (only sync/std_sync.h may name it)",
         lambda path: product(path) and path != SYNC_FILE, True),
    Rule("macro", r"^\s*#\s*(define|undef|ifdef|ifndef|elif|else|if\b)",
         "no macros and no conditional compilation in impl/: use the Sync policy",
         lambda path: product(path) and path != SYNC_FILE),
    Rule("macro", r"^\s*#\s*(define|undef|ifdef|ifndef|if\b(?! defined\(__(x86_64|aarch64)__\)))",
         "the production policy may ask for the processor, and for nothing else",
         lambda path: path == SYNC_FILE),
    Rule("core include", r"#\s*include\s*<(mutex|condition_variable|thread|chrono|shared_mutex)>",
         "the core header stays open to any checker: take it from Sync",
         lambda path: path.startswith(CORE)),
    Rule("fence", r"atomic_thread_fence",
         "TSan does not model fences: state the order at the access", product, True),
    Rule("exception or abort", r"(?<![\w.])(std::)?(assert|abort|terminate)\s*\(|\bthrow\b(?!\(\))",
         "return a Status: no exception, assert or abort crosses the public API",
         lambda path: product(path) and "/sync/" not in path, True),
    Rule("unfinished", r"\b(TO" r"DO|FIX" r"ME|XX" r"X|HA" r"CK)\b",
         "finish it, or file an issue and say nothing here", lambda path: True),
    Rule("registry host", r"\b[\w.-]+\.(debian\.org|maven\.org|pypi\.org|npmjs\.(org|com)|crates\.io)"
         r"|\brepo1?\.maven|\b(pypi|crates)\.(org|io)\b|files\.pythonhosted",
         "name no registry's host: its client knows it", lambda path: True),
    Rule("machine path", r"(?<![\w.$}/])/(work|root|home/\w+)/",
         "no path of one machine: use one below the repository", lambda path: True),
)


def long_cxx_functions(lines):
    """(line, length) of each function body over the limit. Relies on our formatting: a body opens
    with a '{' at a line's end and closes with '}' at the same indentation."""
    opened = None
    for number, line in enumerate(lines, start=1):
        indent = len(line) - len(line.lstrip(" "))
        if opened is None:
            signature = re.match(r"\s*(?!namespace|class|struct|union|enum|concept|extern)\S", line)
            if signature and re.search(r"(\)|const|noexcept|override)\s*(->.*)?\{$", line) and not \
                    re.match(r"\s*(if|for|while|switch|else|do|\}|case|TEST|RC_GTEST)\b", line):
                opened = (number, indent)
        elif line.startswith(" " * opened[1] + "}") and indent == opened[1]:
            if number - opened[0] + 1 > FUNCTION_LINES_MAX:
                yield opened[0], number - opened[0] + 1
            opened = None


def long_python_functions(text):
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            length = node.end_lineno - node.lineno + 1
            if length > FUNCTION_LINES_MAX:
                yield node.lineno, length


def lint_text(path, text):
    """Every breach in one file."""
    lines = text.splitlines()
    for rule in RULES:
        if rule.applies(path):
            yield from rule.breaches(path, lines)
    if not path.endswith(DATA) and len(lines) > FILE_LINES_MAX:
        yield f"{path}:1: file of {len(lines)} lines: at most {FILE_LINES_MAX}: split it by reason to change"
    found = []
    if path.endswith(CXX):
        found = long_cxx_functions(lines)
    elif path.endswith(".py") or text.startswith("#!/usr/bin/python3"):
        found = long_python_functions(text)
    for number, length in found:
        yield f"{path}:{number}: function of {length} lines: at most {FUNCTION_LINES_MAX}"


def lint_names(paths):
    """The fixed top level."""
    for name in sorted({path.split("/")[0] for path in paths} - TOP_LEVEL):
        yield f"{name}:1: top level: only {', '.join(sorted(TOP_LEVEL))} may stand there"


def lint_tree(root):
    names = []
    for folder, below, files in os.walk(root):
        below[:] = sorted(set(below) - UNLINTED_FOLDERS)
        names += (os.path.relpath(os.path.join(folder, name), root) for name in sorted(files))
    breaches = list(lint_names(names))
    linted = [name for name in names if os.path.splitext(name)[1] in TEXT
              and name != ".ci/tests/lint_test.py"]
    for name in linted:
        with open(os.path.join(root, name), encoding="utf-8") as file:
            breaches += lint_text(name, file.read())
    return linted, breaches


def main(root):
    linted, breaches = lint_tree(root)
    for line in breaches:
        print(line)
    print(f"lint: {len(linted)} files, {len(breaches)} breaches")
    if not linted:
        return 1
    return 12 if breaches else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
