"""The command line."""

import argparse
import os
import random
import shlex
import sys

from verifier import build, ctest, plan, process, readme, report, setup, stages

HELP = """Checks everything that Bellwether claims, and says what it checked.

  ./verify            all stages: """ + " ".join(plan.STAGES) + """
  ./verify test       builds every preset and runs all tests by one CTest
  ./verify readme     checks the README's table (--check) or writes it (--write) from a --json file

A stage given by --stage brings the stages that it needs (setup, build) with it."""
EXITS = "exit codes: " + ", ".join(f"{code} {name}" for code, name in report.EXIT_NAMES.items())


class Parser(argparse.ArgumentParser):
    """An unusable command line is one line and exit 1."""

    def error(self, message):
        print(f"{self.prog}: {message}; see ./verify --help", file=sys.stderr)
        sys.exit(report.USAGE)


def seed_number(text):
    value = int(text)
    if not 0 <= value < 2**63:
        raise ValueError(text)
    return value


seed_number.__name__ = "seed (0 to 2^63-1)"


def parse(argv):
    parser = Parser(prog="verify", description=HELP, epilog=EXITS, allow_abbrev=False,
                    formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", nargs="?", choices=("test", "readme"), help=argparse.SUPPRESS)
    depth = parser.add_mutually_exclusive_group()
    depth.add_argument("--quick", dest="depth", action="store_const", const="quick",
                       default="default", help="at most 2 minutes after the build")
    depth.add_argument("--nightly", dest="depth", action="store_const", const="nightly",
                       help="larger bounds, for hours")
    parser.add_argument("--stage", action="append", choices=plan.STAGES, metavar="NAME",
                        help="only this stage (may be given more than once)")
    parser.add_argument("--seed", type=seed_number, metavar="N",
                        help="for every random choice (1; a random one under --nightly)")
    parser.add_argument("--json", metavar="FILE", help="for each stage: name, ok, seconds, rows")
    parser.add_argument("-n", dest="dry", action="store_true", help="print the commands, run nothing")
    parser.add_argument("--check", metavar="FILE", help=argparse.SUPPRESS)
    parser.add_argument("--write", metavar="FILE", help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    if args.command and (args.stage or args.json or args.seed is not None
                         or args.depth != "default"):
        parser.error(f"{args.command} takes none of --stage, --seed, --json, --quick, --nightly")
    if (args.command == "readme") != bool(args.check or args.write) or args.check and args.write:
        parser.error("readme takes --check FILE or --write FILE, and nothing else does")
    if args.json and not os.access(os.path.dirname(os.path.abspath(args.json)), os.W_OK):
        parser.error(f"--json: no file can be written at {args.json}; give a writable directory")
    if args.seed is None:
        args.seed = random.randrange(2**31) if args.depth == "nightly" else 1
    return args


def print_commands(root, args):
    if args.command == "test":
        names, needed = ["setup", "build"], dict.fromkeys(plan.TEST_PRESETS)
    else:
        names = plan.with_prerequisites(args.stage, args.depth)
        needed = plan.targets(names, args.depth)
    lines = []
    for stage in names:
        if stage == "setup":
            lines += setup.commands(root)
        elif stage == "build":
            lines += [argv for _, argv in build.commands(needed)]
        else:
            lines += [check.argv(args.seed, args.depth) for check in plan.checks(stage, args.depth)]
    if args.command == "test":
        lines.append(ctest.command())
    for argv in lines:
        print(shlex.join(argv).replace(root + os.sep, ""))


def main(root, argv):
    args = parse(argv)
    if args.command == "readme":
        return readme.run(root, args.check, args.write)
    if args.dry:
        print_commands(root, args)
        return report.OK
    process.install()
    try:
        with stages.lock(root):
            return ctest.run(root, args) if args.command == "test" else stages.run(root, args)
    except setup.SetupError as error:
        print(error, file=sys.stderr)
        return report.USAGE
    except OSError as error:
        print(f"verify: {error}", file=sys.stderr)
        return report.USAGE
    except process.Interrupted as error:
        print(f"verify: {error.name}: stopped; nothing is left running", file=sys.stderr)
        return report.INCOMPLETE
