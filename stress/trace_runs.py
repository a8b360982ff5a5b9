#!/usr/bin/python3
"""Records a run on real threads in each mode, and checks that it is a behaviour of the model."""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time

OK, USAGE = 0, 1
MODES = ("serial", "parallel", "pipelined", "pipelined_parallel", "two_queues", "two_queues_parallel")


def parse(arguments):
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stress", required=True, help="bellwether_stress")
    parser.add_argument("--model", required=True, help="bellwether_model")
    parser.add_argument("--seed", default="1")
    parser.add_argument("--runs", type=int, default=3, help="so many in each mode")
    parser.add_argument("--json", metavar="FILE", help="write the rows there")
    parser.add_argument("--progress", action="store_true", help="progress lines on stderr")
    return parser.parse_args(arguments)


def report_of(argv, path):
    """Runs a tool; its exit code and its rows."""
    code = subprocess.run([*argv, "--json", path], stdout=subprocess.DEVNULL, check=False).returncode
    with open(path, encoding="utf-8") as file:
        return code, json.load(file)["rows"]


def check(options, mode, seed, folder):
    """A recorded run: exit code and row."""
    trace, path = os.path.join(folder, "trace.ndjson"), os.path.join(folder, "report.json")
    code, rows = report_of([options.stress, "run", "--mode", mode, "--threads", "8", "--seconds", "20", "--file-system",
                            "simulated", "--seed", str(seed), "--trace", trace], path)
    if code == OK:
        code, rows = report_of([options.model, "conform", trace], path)
    row = rows[0]
    row["what"], row["bounds"] = f"trace conforms, {mode}", f"8 threads, seed {seed}"
    row["figures"]["operations"] = row["figures"].pop("events", 0)
    return code, row


def main(arguments):
    options = parse(arguments)
    started = time.monotonic()
    worst, rows = OK, []
    with tempfile.TemporaryDirectory() as folder:
        for mode in MODES:
            for run in range(options.runs):
                code, row = check(options, mode, int(options.seed) + run, folder)
                worst = worst or code
                rows.append(row)
                print(f"{row['what']}: {row['bounds']}: {row['result']}", flush=True)
                if options.progress:
                    print("progress", json.dumps({"what": row["what"], "done": len(rows), "unit": "executions",
                                                  "elapsed": round(time.monotonic() - started, 1)}),
                          file=sys.stderr, flush=True)
    if options.json:
        temporary = f"{options.json}.tmp"
        with open(temporary, "w", encoding="utf-8") as file:
            json.dump({"ok": worst == OK, "exit": worst, "rows": rows}, file, indent=2)
        os.replace(temporary, options.json)
    return worst


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except (OSError, ValueError) as error:
        print(f"trace_runs: {error}", file=sys.stderr)
        sys.exit(USAGE)
