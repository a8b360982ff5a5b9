"""verify itself: its command line, its stages, and every way in which a tool can fail it."""

import json
import os
import signal
import subprocess
import time
import unittest
from xml.etree import ElementTree

from stub_project import StubProject, row


def runs(pid):
    """False also for a zombie: where nobody reaps orphans, that is all that is left of one."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            return file.read().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


class CommandLine(StubProject):
    def test_bad_command_lines_are_one_line_and_exit_1(self):
        for args in (["--nonsense"], ["--stage", "nonsense"], ["nonsense"], ["--seed", "x"],
                     ["--seed", "-1"], ["--quick", "--nightly"], ["test", "--stage", "spec"],
                     ["readme"], ["--json", "no/such/folder/x.json"]):
            with self.subTest(args=args):
                self.assert_one_line(self.verify(*args), 1, "see ./verify --help")
        self.assertEqual(self.calls(), [])

    def test_n_prints_every_stage_and_runs_nothing(self):
        answer = self.verify("-n", "--seed", "77")
        self.assertEqual((answer.returncode, answer.stderr), (0, ""))
        for part in ("apt-get", "spec/tlc setup", "cmake --preset release", "spec/tlc mc",
                     "bellwether_model", "bellwether_relacy", "bellwether_stress", "--seed 77"):
            self.assertIn(part, answer.stdout)
        self.assertNotIn(self.root, answer.stdout)
        self.assertIn("ctest", self.verify("test", "-n").stdout)
        self.assertEqual(self.calls(), [])
        self.assertFalse(os.path.exists(os.path.join(self.root, "build", "verify")))

    def test_a_second_run_in_the_same_tree_is_refused(self):
        self.script("spec/tlc", "import time; time.sleep(30)")
        first = subprocess.Popen([os.path.join(self.root, "verify")], env=self.environment(),
                                 stdout=subprocess.DEVNULL)
        try:
            wait_for(lambda: any(call.startswith("tlc") for call in self.calls()))
            self.assert_one_line(self.verify(), 1, "another ./verify is at work")
        finally:
            first.terminate()
            first.wait()


class Stages(StubProject):
    def run_json(self, *args, code=0):
        path = os.path.join(self.root, "out.json")
        answer = self.verify("--json", path, *args)
        self.assertEqual(answer.returncode, code, answer.stdout + answer.stderr)
        with open(path, encoding="utf-8") as file:
            return json.load(file), answer

    def test_all_stages_in_order_from_any_folder(self):
        path = os.path.join(self.root, "out.json")
        answer = self.verify("--json", path, cwd="/")
        self.assertEqual(answer.returncode, 0, answer.stdout)
        with open(path, encoding="utf-8") as file:
            data = json.load(file)
        self.assertEqual([stage["name"] for stage in data["stages"]],
                         ["setup", "build", "spec", "model", "relacy", "stress", "store"])
        self.assertEqual((data["ok"], data["exit"], data["depth"], data["seed"]),
                         (True, 0, "default", 1))
        for stage in data["stages"]:
            self.assertEqual(set(stage), {"name", "ok", "seconds", "rows"})
            self.assertTrue(stage["rows"], stage)
            for each in stage["rows"]:
                self.assertEqual(set(each), {"what", "bounds", "result", "figures", "check", "mode"})
        self.assertIn("verify: ok", answer.stdout.splitlines()[-1])
        self.assertIn("3 executions", answer.stdout)

    def test_junit_holds_a_suite_for_each_stage(self):
        self.reports("spec/tlc", 12, [row(result="FAILED INV_ACK", states=5)])
        self.script("spec/tlc", TLC_THAT_SETS_UP.format(code=12))
        self.run_json(code=12)
        suites = ElementTree.parse(os.path.join(self.root, "build", "junit", "verify.xml"))
        failures = {suite.get("name"): suite.get("failures") for suite in suites.getroot()}
        self.assertEqual(failures["model"], "0")
        self.assertNotEqual(failures["spec"], "0")

    def test_a_stage_brings_what_it_needs_and_no_more(self):
        data, _ = self.run_json("--stage", "model")
        self.assertEqual([stage["name"] for stage in data["stages"]], ["setup", "build", "model"])
        data, _ = self.run_json("--stage", "spec")
        self.assertEqual([stage["name"] for stage in data["stages"]], ["setup", "spec"])

    def test_the_exit_code_is_the_first_failing_tools_and_the_rest_still_runs(self):
        for code in (1, 2, 10, 11, 12, 13, 14):
            with self.subTest(code=code):
                self.reports(self.tool_paths("bellwether_model")[0], code,
                             [row(result="FAILED here", states=9)])
                for path in self.tool_paths("bellwether_stress"):
                    self.reports(path, 14, [row(result="FAILED later", operations=9)])
                data, answer = self.run_json(code=code)
                ok = {stage["name"]: stage["ok"] for stage in data["stages"]}
                self.assertEqual((ok["model"], ok["relacy"], ok["stress"]), (False, True, False))
                self.assertIn("reproduce: ./verify --stage model --seed 1", answer.stdout)
                self.assertIn("reproduce: --seed 7", answer.stdout)

    def test_a_tool_that_dies_of_a_crash_is_a_safety_violation(self):
        self.script(self.tool_paths("bellwether_relacy")[0], "os.abort()")
        self.run_json(code=12)

    def test_a_check_of_nothing_fails(self):
        relacy = self.tool_paths("bellwether_relacy")[0]
        for rows in ([], [row(executions=0)], [row(seconds=1.0)],
                     [row(), row(what="other", executions=0)]):
            with self.subTest(rows=rows):
                self.reports(relacy, 0, rows)
                _, answer = self.run_json(code=12)
                self.assertIn("nothing was checked", answer.stdout)

    def test_a_report_that_does_not_fit_fails(self):
        relacy = self.tool_paths("bellwether_relacy")[0]
        wrong = {
            "not JSON": "{",
            "no rows": json.dumps({"ok": True, "exit": 0}),
            "ok but exit": json.dumps({"ok": True, "exit": 12, "rows": [row()]}),
            "exit but ended": json.dumps({"ok": False, "exit": 12, "rows": [row()]}),
            "a row short": json.dumps({"ok": True, "exit": 0, "rows": [{"what": "x"}]}),
            "figure": json.dumps({"ok": True, "exit": 0, "rows": [row(executions="many")]}),
            "FAILED row": json.dumps({"ok": True, "exit": 0, "rows": [row(result="FAILED x")]}),
        }
        for name, text in wrong.items():
            with self.subTest(name=name):
                self.reports(relacy, text=text)
                data, _ = self.run_json(code=12)
                self.assertFalse(next(stage["ok"] for stage in data["stages"]
                                      if stage["name"] == "relacy"))
        self.script(relacy, "")
        _, answer = self.run_json(code=12)
        self.assertIn("wrote no report", answer.stdout)

    def test_a_tool_that_cannot_be_run_is_set_up(self):
        os.remove(os.path.join(self.root, self.tool_paths("bellwether_relacy")[0]))
        _, answer = self.run_json(code=1)
        self.assertIn("cannot run", answer.stdout)

    def test_an_incomplete_row_is_not_a_pass(self):
        self.reports(self.tool_paths("bellwether_relacy")[0], 0, [row(result="INCOMPLETE: limit")])
        self.run_json(code=2)

    def test_an_old_report_is_not_read_again(self):
        self.run_json()
        self.script(self.tool_paths("bellwether_relacy")[0], "")
        self.run_json(code=12)

    def test_what_the_store_measures_is_shown(self):
        self.reports(self.tool_paths("bellwether_stress")[-1], 0, [
            row("store, serial, sync", operations=9, batches_per_second=12345.6, group_mean=4.27,
                group_max=8, p50_us=429.0, p99_us=12432.1, p999_us=21786.9)])
        _, answer = self.run_json("--stage", "store")
        self.assertRegex(answer.stdout, r"store, serial, sync +2x1 +12,346 +4\.3 +8 +429 +12,432")

    def test_what_a_stress_run_exercised_is_shown(self):
        self.reports(self.tool_paths("bellwether_stress")[-1], 0, [
            row("kill -9, serial", operations=1234, stalls=7, checkpoints=8, commits=9)])
        _, answer = self.run_json("--stage", "stress")
        self.assertRegex(answer.stdout, r"kill -9, serial +2x1 +7 +0 +8 +0 +0 +0 +9 +0 +0 +0 +1,234")

    def test_what_stands_for_each_mode_is_one_line(self):
        self.reports("model/parity.py", 0, [row(mode="serial", distinct=24, edges=34),
                                            row(mode="pipelined", distinct=1000, edges=2000)])
        self.reports(self.tool_paths("bellwether_relacy")[0], 0, [
            row(mode="serial", executions=7, model_edges=9, model_edges_reached=8),
            row(mode="serial", executions=3, model_edges=1, model_edges_reached=1)])
        self.reports("relacy_tests/mutants/run_mutants.py", 0, [
            row(result="killed by X", mode="serial", executions=100),
            row(result="killed by Y", mode="pipelined", executions=100)])
        _, answer = self.run_json()
        self.assertRegex(answer.stdout, r"serial +24 +34 +10 +9 +10 +1\n")
        self.assertRegex(answer.stdout, r"pipelined +1,000 +2,000 +0 +0 +0 +1\n")

    def test_very_many_rows_are_one_in_the_table_but_what_failed_stands_alone(self):
        rows = [row(f"s{i}", result="COMPLETE", executions=10) for i in range(29)]
        rows += [row("bad", result="FAILED here", executions=7), row("m", result="killed by X")]
        self.reports(self.tool_paths("bellwether_relacy")[0], 12, rows)
        data, answer = self.run_json(code=12)
        lines = [line for line in answer.stdout.splitlines() if line.startswith("relacy")]
        self.assertTrue(any("FAILED here" in line for line in lines))
        self.assertTrue(any("30 explorations" in line and "293 executions" in line
                            and "29 COMPLETE, 1 killed" in line for line in lines), lines)
        stage = next(stage for stage in data["stages"] if stage["name"] == "relacy")
        explored = [row for row in stage["rows"] if row["check"] == "interleavings and stale reads"]
        self.assertEqual(len(explored), 31)

    def test_a_find_needs_no_count(self):
        self.reports("model/parity.py", 0, [row(result="violates its assumption (expected)",
                                                seconds=1.0)])
        self.run_json()

    def test_a_failed_build_ends_the_run_and_shows_what_the_compiler_said(self):
        self.script("bin/cmake", "print('x.cc:1: error: no'); sys.exit(1)")
        data, answer = self.run_json(code=1)
        self.assertEqual([stage["name"] for stage in data["stages"]], ["setup", "build"])
        self.assertIn("x.cc:1: error: no", answer.stdout)

    def test_a_set_up_or_build_tool_that_is_not_there_is_one_line(self):
        for path, stage in (("bin/cmake", "build"), ("spec/tlc", "setup")):
            os.remove(os.path.join(self.root, path))
            data, answer = self.run_json(code=1)
            self.assertEqual(data["stages"][-1]["name"], stage)
            self.assertIn("No such file", answer.stdout)
            self.assertEqual(answer.stderr, "")

    def test_progress_lines_are_not_shown_as_output(self):
        relacy = self.tool_paths("bellwether_relacy")[0]
        self.script(relacy, 'print(\'progress {"what": "s", "done": 5, "unit": "executions", '
                            '"elapsed": 1.5}\'); print("said"); sys.exit(11)')
        _, answer = self.run_json(code=11)
        self.assertIn("said", answer.stdout)
        self.assertNotIn("progress {", answer.stdout)


TLC_THAT_SETS_UP = """
if sys.argv[1] != "setup":
    sys.exit({code})
"""


class TestCommand(StubProject):
    def test_ctest_speaks_last_and_decides(self):
        for code, expected in ((0, 0), (8, 12)):
            self.script("bin/ctest", f"print('100% tests passed'); sys.exit({code})")
            answer = self.verify("test")
            self.assertEqual(answer.returncode, expected, answer.stdout + answer.stderr)
            self.assertEqual(answer.stdout.splitlines()[-1], "100% tests passed")
        with open(os.path.join(self.root, "build", "CTestTestfile.cmake"),
                  encoding="utf-8") as file:
            self.assertEqual(file.read().count("subdirs"), 5)

    def test_a_preset_that_does_not_build_fails_the_run_before_any_test(self):
        self.script("bin/cmake", "sys.exit('tsan' in sys.argv)")
        self.assertEqual(self.verify("test").returncode, 1)
        self.assertFalse(any(call.startswith("ctest") for call in self.calls()))


class Setup(StubProject):
    """What a machine without the packages sees."""

    def without_packages(self):
        self.script("bin/dpkg-query", "print('g++ installed')")

    def as_nobody(self):
        if os.geteuid() != 0:
            return {}
        os.makedirs(os.path.join(self.root, "build"), exist_ok=True)
        for path in (self.log, os.path.join(self.root, "build")):
            open(path, "a", encoding="utf-8").close() if path == self.log else None
            os.chmod(path, 0o777)
        return {"user": 65534}

    def test_without_root_it_prints_the_one_line_to_run(self):
        self.without_packages()
        answer = self.verify("--stage", "setup", **self.as_nobody())
        self.assertEqual(answer.returncode, 1, answer.stdout + answer.stderr)
        line = next(line for line in answer.stdout.splitlines() if "sudo apt-get" in line)
        self.assertIn("relacy-dev", line)
        self.assertNotIn(" g++ ", line)
        self.assertFalse(any(call.startswith("apt-get") for call in self.calls()))

    @unittest.skipIf(os.geteuid(), "installs as root only")
    def test_root_installs_what_is_missing_and_looks_again(self):
        flag = os.path.join(self.root, "installed")
        self.script("bin/dpkg-query", f"""
            if os.path.exists({flag!r}):
                for package in sys.argv[3:]:
                    print(package, "installed")
            """)
        self.script("bin/apt-get", f"open({flag!r}, 'w')")
        self.assertEqual(self.verify("--stage", "setup").returncode, 0)
        installs = [call for call in self.calls() if call.startswith("apt-get")]
        self.assertEqual(len(installs), 1, installs)

    @unittest.skipIf(os.geteuid(), "installs as root only")
    def test_an_apt_get_that_fails_is_asked_again_with_fresh_lists_then_reported(self):
        self.without_packages()
        self.script("bin/apt-get", "sys.exit('update' not in sys.argv)")
        answer = self.verify()
        self.assertEqual(answer.returncode, 1)
        self.assertIn("apt-get could not install", answer.stdout)
        words = [call.split()[5] for call in self.calls() if call.startswith("apt-get")]
        self.assertEqual(words, ["install", "update", "install"])

    def test_java_that_is_missing_or_too_old_is_named(self):
        for body in ("print('openjdk version \"1.8.0_1\"', file=sys.stderr)", None):
            if body is None:
                os.remove(os.path.join(self.root, "bin", "java"))
            else:
                self.script("bin/java", body)
            answer = self.verify("--stage", "setup", **self.as_nobody())
            self.assertEqual(answer.returncode, 1)
            self.assertIn("sudo apt-get", answer.stdout + answer.stderr)
            self.assertIn("default-jre-headless", answer.stdout + answer.stderr)

    def test_a_jar_that_tlc_refuses_ends_the_run_with_its_line(self):
        self.script("spec/tlc", "print('tlc: wrong sha256', file=sys.stderr); sys.exit(1)")
        answer = self.verify()
        self.assertEqual(answer.returncode, 1)
        self.assertIn("tlc: wrong sha256", answer.stdout)
        self.assertFalse(any(call.startswith("cmake") for call in self.calls()))


def wait_for(condition):
    """Polls until it holds; the test's own time limit is the only one."""
    deadline = time.monotonic() + 300
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError("waited 300 s in vain")
        time.sleep(0.02)


# A tool that starts a child in a session of its own, and does not end it when it is ended.
STUBBORN_TOOL = """
import signal, subprocess, time
signal.signal(signal.SIGINT, signal.SIG_IGN)
child = subprocess.Popen(["/usr/bin/sleep", "600"], start_new_session=True)
print(os.getpid(), child.pid, file=open({path!r} + ".new", "w"), flush=True)
os.rename({path!r} + ".new", {path!r})
time.sleep(600)
"""


class Readme(StubProject):
    """The README's table is the report's, up to times."""

    def setUp(self):
        super().setUp()
        self.write_report([self.good(seconds=1.5), self.stressed()])
        with open(os.path.join(self.root, "README.md"), "w", encoding="utf-8") as file:
            file.write("before\n<!-- results: ./verify readme --write build/verify/verify.json "
                       "-->\n<!-- end of results -->\nafter\n")
        self.assertEqual(self.verify("readme", "--write", "report.json").returncode, 0)

    def good(self, states=1234, **figures):
        return dict(row("explored", result="COMPLETE", states=states, **figures), check="explorer")

    def stressed(self, operations=77):
        return dict(row("stressed", operations=operations), check="kill -9")

    def write_report(self, rows):
        with open(os.path.join(self.root, "report.json"), "w", encoding="utf-8") as file:
            json.dump({"stages": [{"name": "build", "rows": [row()]},
                                  {"name": "model", "rows": rows}]}, file)

    def test_what_is_written_is_found_again(self):
        with open(os.path.join(self.root, "README.md"), encoding="utf-8") as file:
            text = file.read()
        self.assertIn("| model | explorer | 1 exploration | 1,234 states | 1.5 s | 1 COMPLETE |", text)
        self.assertTrue(text.startswith("before\n") and text.endswith("after\n"))
        self.assertNotIn("build |", text)
        self.assertNotIn("measured", text)
        self.assertEqual(self.verify("readme", "--check", "report.json").returncode, 0)

    def test_times_and_amounts_of_work_may_differ(self):
        self.write_report([self.good(seconds=9.5), self.stressed(78)])
        self.assertEqual(self.verify("readme", "--check", "report.json").returncode, 0)

    def test_drift_is_found(self):
        good, stressed = self.good(), self.stressed()
        for rows in ([self.good(1235), stressed],
                     [dict(good, result="INCOMPLETE"), stressed],
                     [good], [good, stressed, dict(row(), check="new")]):
            with self.subTest(rows=rows):
                self.write_report(rows)
                answer = self.verify("readme", "--check", "report.json")
                self.assert_one_line(answer, 12, "README.md")

    def test_a_report_that_is_none_is_one_line(self):
        for text in ("{", "[]", '{"stages": [{}]}'):
            with open(os.path.join(self.root, "bad.json"), "w", encoding="utf-8") as file:
                file.write(text)
            self.assert_one_line(self.verify("readme", "--check", "bad.json"), 1, "bad.json")
        self.assert_one_line(self.verify("readme", "--check", "absent.json"), 1, "absent.json")


class Interrupt(StubProject):
    def test_no_child_is_left_behind(self):
        relacy = self.tool_paths("bellwether_relacy")[0]
        for number, tool, args in ((signal.SIGINT, relacy, []), (signal.SIGTERM, "bin/cmake", []),
                                   (signal.SIGHUP, "spec/tlc", []),
                                   (signal.SIGINT, "bin/ctest", ["test"])):
            with self.subTest(signal=number, tool=tool):
                for path in ("bin/cmake", "bin/ctest"):
                    self.script(path, "")
                self.reports("spec/tlc")
                pids = os.path.join(self.root, "pids-" + os.path.basename(tool))
                self.script(tool, STUBBORN_TOOL.format(path=pids))
                process = subprocess.Popen([os.path.join(self.root, "verify"), *args], text=True,
                                           env=self.environment(), stdout=subprocess.PIPE,
                                           stderr=subprocess.STDOUT)
                wait_for(lambda path=pids: os.path.exists(path))
                with open(pids, encoding="utf-8") as file:
                    children = file.read().split()
                process.send_signal(number)
                said = process.communicate(timeout=300)[0]
                self.assertEqual(process.returncode, 2, said)
                self.assertIn("nothing is left running", said)
                for pid in children:
                    self.assertFalse(runs(pid), f"{pid} is left")

    def test_a_tool_that_ends_leaves_no_child_either(self):
        pids = os.path.join(self.root, "pids")
        self.script(self.tool_paths("bellwether_relacy")[0],
                    STUBBORN_TOOL.format(path=pids).replace("time.sleep(600)", "sys.exit(12)"))
        self.assertEqual(self.verify().returncode, 12)
        with open(pids, encoding="utf-8") as file:
            for pid in file.read().split():
                self.assertFalse(runs(pid), f"{pid} is left")


if __name__ == "__main__":
    unittest.main()
