"""What the benchmark leaves: the report (JSON), every slice (CSV), the plot, and the READMEs' tables."""

import csv
import io
import json
import os
from pathlib import Path

import bench_plot
from bench_slices import BATCHES, BENCH, ENGINES, LOGS, BenchError

GATE_README = BENCH.parent / "README.md"
GRID_README = BENCH / "README.md"
PLOT = BENCH / "grid.svg"
BEGIN = "<!-- results: stress/bench/bench --table -->"
END = "<!-- end of results -->"
LOG_NAMES = {"no_sync": "without sync", "sync": "with sync", "no_wal": "without a log"}


def row(what, bounds, result, figures):
    return {"what": what, "bounds": bounds, "result": result, "figures": figures}


def cell_of(each):
    """(threads, log, batch) of a row's bounds, as Cell's __str__ wrote them."""
    threads, log, batch = each["bounds"].split(", ")
    return int(threads.split()[1]), log, int(batch.split()[1])


def write_atomically(path, text):
    temporary = path.with_name(path.name + ".tmp")
    try:
        temporary.write_text(text, encoding="utf-8")
        os.replace(temporary, path)
    except OSError as error:
        raise BenchError(f"{path}: {error.strerror}") from None


# --- after a run ---------------------------------------------------------------------------------


def csv_of(slices):
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("slice", "engine", "threads", "log", "batch", "operations", "seconds",
                     "cpu_us_per_write", "switches_per_write", "mean_group"))
    for number, each in enumerate(slices, start=1):
        writer.writerow((number, each.engine, *each.cell, each.operations, each.seconds,
                         each.cpu_us_per_write, each.switches_per_write, each.mean_group))
    return text.getvalue()


def line_of(each):
    figures = each["figures"]
    if "low" in figures:
        return (f"{figures['ratio']:.2f} [{figures['low']:.2f}, {figures['high']:.2f}], bar "
                f"{figures['bar']}, {figures['quads']} quads, A against A {figures['same']:.2f} "
                f"[{figures['same_low']:.2f}, {figures['same_high']:.2f}]")
    if "operations_per_second" in figures:
        return f"{figures['operations_per_second']:,.0f} operations/s"
    return ", ".join(f"{name} {value}" for name, value in figures.items())


def write(options, code, rows, slices):
    for each in rows:
        print(f"{each['what']:26} {each['bounds']:32} {each['result']:6} {line_of(each)}")
    report = {"ok": code == 0, "exit": code, "rows": rows}
    write_atomically(options.json, json.dumps(report, indent=1) + "\n")
    write_atomically(options.csv, csv_of(slices))
    if not options.gate:
        write_atomically(options.svg, bench_plot.svg_of(curves(rows)))


def curves(rows):
    """{(log, batch): {engine: {threads: operations/s}}} of a grid's rows."""
    panels = {}
    for each in rows:
        if "operations_per_second" not in each["figures"]:
            continue
        threads, log, batch = cell_of(each)
        panel = panels.setdefault((log, batch), {})
        panel.setdefault(each["what"], {})[threads] = each["figures"]["operations_per_second"]
    return panels


# --- the READMEs ---------------------------------------------------------------------------------


def markdown(head, lines):
    rule = ["---"] + ["---:"] * (len(head) - 1)
    return "".join("| " + " | ".join(line) + " |\n" for line in [head, rule, *lines])


def thousands(value):
    """Operations per second, in thousands, to three figures."""
    value /= 1000
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def gate_table(report):
    head = ["cell", "RocksDB k/s", "ours k/s", "ratio [95 %]", "bar", "A against A [95 %]",
            "CPU µs a write, RocksDB / ours", "of the fdatasync bound", "quads", "result"]
    lines = []
    for each in report["rows"]:
        figures = each["figures"]
        if "low" not in figures:
            continue
        threads, log, batch = cell_of(each)
        bound = f"{figures['of_bound']:.2f}" if "of_bound" in figures else "–"
        lines.append([
            f"{threads} {'thread' if threads == 1 else 'threads'} {LOG_NAMES[log]}, batch {batch}",
            thousands(figures["baseline_operations_per_second"]),
            thousands(figures["engine_operations_per_second"]),
            f"{figures['ratio']:.2f} [{figures['low']:.2f}, {figures['high']:.2f}]",
            f"{figures['bar']}",
            f"{figures['same']:.2f} [{figures['same_low']:.2f}, {figures['same_high']:.2f}]",
            f"{figures['baseline_cpu_us_per_write']:.1f} / "
            f"{figures['engine_cpu_us_per_write']:.1f}",
            bound, str(figures["quads"]), each["result"]])
    names = next((each["what"] for each in report["rows"] if "low" in each["figures"]), "")
    return f"**The gate**: {names}; {machine_of(report)}\n\n" + markdown(head, lines)


def machine_of(report):
    before, after = [each for each in report["rows"] if each["what"] == "machine"]
    return (f"{before['bounds']}, load {before['figures']['load']:.1f} before, "
            f"{after['figures']['seconds']:.0f} s.")


def grid_tables(report):
    panels = curves(report["rows"])
    text = f"**The grid**: medians in thousands of operations a second; {machine_of(report)}\n"
    for log in LOGS:
        for batch in BATCHES:
            panel = panels.get((log, batch))
            if not panel:
                continue
            threads = sorted({each for points in panel.values() for each in points})
            head = [f"{LOG_NAMES[log]}, batch {batch}", *map(str, threads)]
            lines = [[engine] + [thousands(panel[engine][each]) if each in panel[engine] else "–"
                                 for each in threads]
                     for engine in ENGINES if engine in panel]
            text += "\n" + markdown(head, lines)
    return text


def load(path):
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError:
        return None
    except ValueError as error:
        raise BenchError(f"{path}: no report of the benchmark ({error})") from None


def write_between(readme, text):
    before, begin, rest = readme.read_text(encoding="utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise BenchError(f"{readme}: no '{BEGIN}' … '{END}' to write between")
    write_atomically(readme, f"{before}{begin}\n\n{text}\n{end}{after}")


def write_tables(folder):
    """Puts the table of the last gate into stress/README.md, and the last grid into the one here."""
    gate, grid = load(folder / "gate.json"), load(folder / "grid.json")
    if gate is None and grid is None:
        raise BenchError(f"no gate.json and no grid.json in {folder}: measure first (--gate)")
    if gate:
        write_between(GATE_README, gate_table(gate))
    if grid:
        write_between(GRID_README,
                      grid_tables(grid) + "\n![operations a second by threads](grid.svg)\n")
        write_atomically(PLOT, bench_plot.svg_of(curves(grid["rows"])))
