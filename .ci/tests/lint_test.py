"""Style, as a test; and each rule on a sample that breaks it."""

import glob
import os
import shutil
import subprocess
import tempfile
import unittest

import lint

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
CXX_FOLDERS = ("impl", "model", "relacy_tests", "stress")
CORE = "impl/bellwether/write_thread/x.h"
PRODUCT = "impl/bellwether/storage/x.h"


def cxx_files(*endings):
    return sorted(path for folder in CXX_FOLDERS for ending in endings
                  for path in glob.glob(os.path.join(ROOT, folder, "**", "*" + ending),
                                        recursive=True))


class Lint(unittest.TestCase):
    def test_the_tree_is_clean(self):
        linted, breaches = lint.lint_tree(ROOT)
        self.assertGreater(len(linted), 30)
        self.assertEqual(breaches, [], "\n" + "\n".join(breaches))

    def broken(self, path, text, name):
        found = list(lint.lint_text(path, text))
        self.assertEqual(len(found), 1, found)
        self.assertIn(f"{path}:{text.count(chr(10)) or 1}: {name}", found[0])

    def test_each_rule_finds_its_breach(self):
        for path, line, name in (
                (PRODUCT, "  std::atomic<int> x;", "raw synchronisation"),
                (CORE, "  std::mutex m;", "raw synchronisation"),
                (PRODUCT, "std::condition_variable c;", "raw synchronisation"),
                (PRODUCT, "std::thread t;", "raw synchronisation"),
                (PRODUCT, "#define X 1", "macro"),
                (PRODUCT, "#ifdef RL_TEST", "macro"),
                (PRODUCT, "#if defined(X)", "macro"),
                (lint.SYNC_FILE, "#if defined(RL_TEST)", "macro"),
                (CORE, "#include <mutex>", "core include"),
                ("impl/bellwether/write_path/x.h", "#include <chrono>", "core include"),
                (PRODUCT, "  std::atomic_thread_fence(x);", "fence"),
                (PRODUCT, "  throw 1;", "exception or abort"),
                (PRODUCT, "  assert(x);", "exception or abort"),
                (PRODUCT, "  std::abort();", "exception or abort"),
                ("README.md", "TO" + "DO: more", "unfinished"),
                ("model/x.cc", "// FIX" + "ME", "unfinished"),
                ("spec/x.xml", "http://deb." + "debian.org", "registry host"),
                ("spec/x.xml", "https://repo1." + "maven.org/maven2", "registry host"),
                ("README.md", "cd " + "/work/main", "machine path"),
                ("README.md", "see " + "/root/x", "machine path")):
            with self.subTest(line=line):
                self.broken(path, line + "\n", name)

    def test_what_the_rules_allow(self):
        for path, line in (
                (lint.SYNC_FILE, "  std::atomic<int> x;"),
                (lint.SYNC_FILE, "#if defined(__x86_64__)"),
                (PRODUCT, "// std::atomic stands in std_sync.h only"),
                ("impl/tests/x.cc", "#include <thread>"),
                (PRODUCT, "#include <mutex>  // storage may"),
                (PRODUCT, "  static_assert(x);"),
                ("README.md", "below /usr/share and build/work/x")):
            with self.subTest(line=line):
                self.assertEqual(list(lint.lint_text(path, line + "\n")), [])

    def test_a_long_file_and_long_functions(self):
        self.assertEqual(list(lint.lint_text("model/x.cc", "\n" * lint.FILE_LINES_MAX)), [])
        self.assertIn("file of 501 lines",
                      list(lint.lint_text("model/x.cc", "\n" * (lint.FILE_LINES_MAX + 1)))[0])
        for opening, closing in (("int F() {", "}"), ("  Status Write(int a) const {", "  }"),
                                 ("  auto G() -> int {", "  }")):
            for lines, breaches in ((68, 0), (69, 1)):
                text = "\n".join([opening, *["    x();"] * lines, closing, ""])
                self.assertEqual(len(list(lint.lint_text("model/x.h", text))), breaches, opening)
        python = "def f():\n" + "    x()\n" * 70
        self.assertIn("function of 71 lines", list(lint.lint_text("x.py", python))[0])

    def test_the_top_level_is_fixed(self):
        self.assertEqual(list(lint.lint_names(["README.md", "impl/x.h"])), [])
        self.assertEqual(len(list(lint.lint_names(["docs/x.md"]))), 1)

    def test_the_program_says_where_and_fails(self):
        with tempfile.TemporaryDirectory() as folder:
            os.mkdir(os.path.join(folder, "model"))
            with open(os.path.join(folder, "model", "x.cc"), "w", encoding="utf-8") as file:
                file.write("// TO" + "DO\n")
            answer = subprocess.run([os.path.join(ROOT, ".ci", "tests", "lint.py"), folder],
                                    capture_output=True, text=True, check=False)
            self.assertEqual(answer.returncode, 12)
            self.assertIn("model/x.cc:1: unfinished", answer.stdout)


class ClangFormat(unittest.TestCase):
    def check(self, files):
        return subprocess.run(["clang-format-16", "--dry-run", "-Werror", "--style=file", *files],
                              capture_output=True, text=True, check=False, cwd=ROOT)

    def test_every_cxx_file_is_formatted(self):
        files = cxx_files(".h", ".cc")
        self.assertGreater(len(files), 10)
        answer = self.check(files)
        self.assertEqual(answer.returncode, 0, answer.stderr[:4000] + "\nrun clang-format-16 -i")

    def test_a_badly_formatted_file_is_found(self):
        with tempfile.TemporaryDirectory(dir=os.path.join(ROOT, "build")) as folder:
            path = os.path.join(folder, "x.cc")
            with open(path, "w", encoding="utf-8") as file:
                file.write("int  f( ){return 1 ;}\n")
            self.assertNotEqual(self.check([path]).returncode, 0)


class ClangTidy(unittest.TestCase):
    """One translation unit that includes every header of impl/: the checks see templates as they are written."""

    def tidy(self, source):
        isal = subprocess.run(["pkg-config", "--cflags", "libisal"], capture_output=True, text=True,
                              check=True).stdout.split()
        with tempfile.TemporaryDirectory() as folder:
            shutil.copy2(os.path.join(ROOT, ".clang-tidy"), folder)
            path = os.path.join(folder, "all.cc")
            with open(path, "w", encoding="utf-8") as file:
                file.write(source)
            return subprocess.run(
                ["clang-tidy-16", "--quiet", path, "--", "-std=c++20", "-I",
                 os.path.join(ROOT, "impl"), *isal], capture_output=True, text=True, check=False)

    def test_every_header_of_impl(self):
        impl = os.path.join(ROOT, "impl")
        headers = [os.path.relpath(path, impl) for path in cxx_files(".h")
                   if path.startswith(os.path.join(impl, "bellwether"))]
        self.assertGreater(len(headers), 5)
        answer = self.tidy("".join(f'#include "{header}"\n' for header in headers))
        self.assertEqual(answer.returncode, 0, answer.stdout)

    def test_a_bad_line_is_found(self):
        answer = self.tidy("int* F() { return 0; }\n")
        self.assertNotEqual(answer.returncode, 0)
        self.assertIn("modernize-use-nullptr", answer.stdout)


if __name__ == "__main__":
    unittest.main()
