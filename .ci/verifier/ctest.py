"""./verify test: every preset built, then one CTest over all of them; its closing lines come last."""

import os

from verifier import plan, process, report, stages


def write_top(root):
    """One CTest file that includes every build, so that one run and one report hold all tests."""
    lines = [f'subdirs("{preset}")\n' for preset in plan.TEST_PRESETS]
    report.write_atomically(os.path.join(root, "build", "CTestTestfile.cmake"), "".join(lines))


def command():
    jobs = str(len(os.sched_getaffinity(0)))
    return ["ctest", "--test-dir", "build", "--parallel", jobs, "--output-on-failure",
            "--no-tests=error", "--output-junit", os.path.join("junit", "ctest.xml")]


def run(root, args):
    """Sets up and builds; then CTest's own output, and ours for its verdict."""
    done = stages.run_in_order(root, ["setup", "build"], args,
                               dict.fromkeys(plan.TEST_PRESETS))
    if not all(stage.ok for stage in done):
        return report.exit_code(done)
    write_top(root)
    code = process.run(command(), root, lambda line: print(line, flush=True))
    # A failed test is, whatever it tests, a conformance violation.
    return report.OK if code == 0 else report.SAFETY
