"""The README's results table: generated from a report of ./verify, and checked for drift."""

import json
import os
import re
import sys

from verifier import plan, report

STAGES = ("spec", "model", "relacy", "stress", "store")
BEGIN = "<!-- results: ./verify readme --write build/verify/verify.json -->"
END = "<!-- end of results -->"
HEADINGS = ("stage", "what", "how many", "checked", "time", "result")
# Counts that a seed and bounds determine. How many operations fit into a time they do not.
EXACT_UNITS = ("states", "executions", "edges")


class ReadmeError(Exception):
    """One line: what cannot be read."""


def _summaries(rows):
    for check in dict.fromkeys(row.check for row in rows):
        yield report.summary(check, plan.unit_of(check), [row for row in rows if row.check == check])


def read_report(path):
    """[(stage, its rows)] of the stages that check something."""
    try:
        with open(path, encoding="utf-8") as file:
            data = json.load(file)
        return [(stage["name"], [report.Row(**each) for each in stage["rows"]])
                for stage in data["stages"] if stage["name"] in STAGES]
    except OSError as error:
        raise ReadmeError(f"readme: {path}: {error.strerror}; ./verify --json writes it") from None
    except (ValueError, KeyError, TypeError) as error:
        raise ReadmeError(f"readme: {path}: no report of ./verify ({error!r})") from None


def table_of(stages):
    """The table's rows: one for each check."""
    return [[stage, row.what, row.bounds, row.count(), row.seconds(), row.result]
            for stage, rows in stages for row in _summaries(rows)]


def _split(root):
    path = os.path.join(root, "README.md")
    with open(path, encoding="utf-8") as file:
        text = file.read()
    before, begin, rest = text.partition(BEGIN)
    inside, end, after = rest.partition(END)
    if not begin or not end:
        raise ReadmeError(f"readme: README.md has no '{BEGIN}' … '{END}' around its table")
    return path, before + begin, inside, end + after


def rows_of_readme(root):
    _, _, inside, _ = _split(root)
    rows = [[cell.strip() for cell in line.strip("|").split("|")]
            for line in inside.strip().partition("\n\n")[0].splitlines()]
    if len(rows) < 3 or tuple(rows[0]) != HEADINGS or {len(row) for row in rows} != {len(HEADINGS)}:
        raise ReadmeError("readme: README.md holds no results table; ./verify readme --write")
    return rows[2:]


def _markdown(rows):
    cells = [[str(cell).replace("|", "∣") for cell in row] for row in rows]
    rule = ["---:" if numeric else "---" for numeric in report.numeric_columns(cells)]
    return "".join("| " + " | ".join(row) + " |\n" for row in [cells[0], rule, *cells[1:]])


def write(root, stages):
    """The table of checks, the same by mode, then what was measured on the way: that nothing compares."""
    path, before, _, after = _split(root)
    text = _markdown([HEADINGS, *table_of(stages)])
    for table in (report.by_mode(stages), report.measures(rows for _, rows in stages)):
        if table:
            text += "\n" + _markdown(table)
    report.write_atomically(path, f"{before}\n{text}{after}")


def _key(row):
    return tuple(row[:3])


def _exact(row):
    """What must be equal: the result, and the count if it is a determined one."""
    return (row[3] if row[3].endswith(EXACT_UNITS) else re.sub(r"[\d,]+", "N", row[3]), row[5])


def differences(readme, found):
    """One line for each row that only one side has, or that both have with other figures."""
    old, new = ({_key(row): _exact(row) for row in rows} for rows in (readme, found))
    for key in sorted(old.keys() | new.keys()):
        name = " · ".join(key)
        if key not in new:
            yield f"README.md: '{name}' is not in the report"
        elif key not in old:
            yield f"README.md: '{name}' of the report is missing"
        elif old[key] != new[key]:
            yield f"README.md: '{name}' says {old[key]}, the report says {new[key]}"


def compare(root, path):
    return list(differences(rows_of_readme(root), table_of(read_report(path))))


def run(root, check, new):
    """./verify readme: 12 when the table is not that of the report."""
    try:
        if new:
            write(root, read_report(new))
            return report.OK
        wrong = compare(root, check)
    except ReadmeError as error:
        print(error, file=sys.stderr)
        return report.USAGE
    for line in wrong:
        print(line, file=sys.stderr)
    return report.SAFETY if wrong else report.OK
