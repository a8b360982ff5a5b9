"""Runs the stages in order, and says at the end what came out."""

import contextlib
import fcntl
import os
import time

from verifier import build, checks, display, plan, process, report, setup

BUILD_LINES_SHOWN = 40
HEADINGS = ("stage", "what", "bounds", "checked", "time", "result")
ROWS_SHOWN = 20  # of one check; the JSON and JUnit reports hold them all


@contextlib.contextmanager
def lock(root):
    """Two runs in one tree would build and report into the same files."""
    for folder in ("verify", "junit"):
        os.makedirs(os.path.join(root, "build", folder), exist_ok=True)
    with open(os.path.join(root, "build", "verify", "lock"), "w", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise setup.SetupError("verify: another ./verify is at work in this tree; wait for it "
                                   "or use another clone") from None
        yield


def _work(root, stage, args, needed, show):
    """Does the stage's work and returns the lines that explain its failure."""
    if stage.name in ("setup", "build"):
        path = os.path.join(root, "build", "verify", f"{stage.name}.log")
        with open(path, "w", encoding="utf-8") as log:
            if stage.name == "build":
                return build.run(root, stage, show, log, needed)[-BUILD_LINES_SHOWN:]
            return setup.run(root, stage, show, log)
    said = []
    for number, check in enumerate(plan.checks(stage.name, args.depth), start=1):
        said += checks.run(root, stage, check, args, number, show)
    return said


def _run_stage(root, stage, args, needed, show):
    """Fills the stage in. Raises Interrupted, with the stage marked incomplete."""
    start = time.monotonic()
    try:
        said = _work(root, stage, args, needed, show)
    except (setup.SetupError, OSError) as error:
        stage.fail(report.USAGE)
        stage.rows.append(report.Row("set-up", "", "FAILED"))
        said = [str(error) if isinstance(error, setup.SetupError) else f"{stage.name}: {error}"]
    except process.Interrupted as error:
        stage.fail(report.INCOMPLETE)
        stage.rows.append(report.Row(stage.name, "", f"INCOMPLETE: {error.name}"))
        raise
    finally:
        stage.seconds = time.monotonic() - start
    show.end_stage(stage)
    for line in said:
        show.say(line)


def run_in_order(root, names, args, needed):
    """The stages that ran. A failed set-up or build ends the run, a failed check does not."""
    done = []
    # Set-up may be what installs Rich, so it speaks plainly.
    for show, group in ((display.PlainDisplay(names), ["setup"]),
                        (None, [name for name in names if name != "setup"])):
        with show or display.make(group) as here:
            for name in group:
                done.append(report.Stage(name))
                try:
                    _run_stage(root, done[-1], args, needed, here)
                except process.Interrupted as error:
                    here.say(f"verify: {error.name}: stopped; nothing is left running")
                    return done
                if name in ("setup", "build") and not done[-1].ok:
                    return done
    return done


def _shown(rows):
    """The rows of the last table. Of a check with very many, those that failed and one for the rest."""
    for check in dict.fromkeys(row.check for row in rows):
        mine = [row for row in rows if row.check == check]
        if len(mine) <= ROWS_SHOWN:
            yield from mine
            continue
        passed = [row for row in mine if row.passed]
        yield from (row for row in mine if not row.passed)
        if passed:
            yield report.summary(check, plan.unit_of(check), passed)


def _summary(args, data, done):
    total = display.clock(sum(stage.seconds for stage in done))
    if data["ok"]:
        count = sum(len(stage.rows) for stage in done if stage.name in plan.CHECKS)
        return f"verify: ok: {count} checks in {total}, seed {args.seed}"
    bad = next(stage for stage in done if not stage.ok)
    depth = "" if args.depth == "default" else f" --{args.depth}"
    return (f"verify: FAILED in stage {bad.name}: exit {bad.exit} "
            f"({report.EXIT_NAMES[bad.exit]}) after {total}; reproduce: "
            f"./verify{depth} --stage {bad.name} --seed {args.seed}")


def run(root, args):
    """A whole run; returns its exit code."""
    names = plan.with_prerequisites(args.stage, args.depth)
    done = run_in_order(root, names, args, plan.targets(names, args.depth))
    data = report.as_json(done, args.depth, args.seed)
    report.write_junit(os.path.join(root, "build", "junit", "verify.xml"), done)
    for path in filter(None, (os.path.join(root, "build", "verify", "verify.json"), args.json)):
        report.write_json(path, data)
    show = display.make([])
    show.say("")
    show.table([HEADINGS, *([stage.name, row.what, row.bounds, row.count(), row.seconds(), row.result]
                            for stage in done for row in _shown(stage.rows))])
    for table in (report.by_mode([(stage.name, stage.rows) for stage in done]),
                  report.exercised(stage.rows for stage in done),
                  report.measures(stage.rows for stage in done)):
        if table:
            show.say("")
            show.table(table)
    show.say(_summary(args, data, done))
    return data["exit"]
