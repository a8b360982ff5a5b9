"""The grid as a picture: operations a second by threads, both logarithmic, one panel for each log and batch."""

import math
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 400, 280  # of a panel
LEFT, RIGHT, TOP, BOTTOM = 52, 12, 30, 34
LEGEND = 22
COLUMNS = 2
# Ours blue and green, RocksDB's warm, the rest grey; the second lines of a kind are dashed.
STYLES = {
    "serial": ("#0b5cad", ""), "parallel": ("#2f9bd8", ""), "pipelined": ("#0c8a5f", ""),
    "pipelined_parallel": ("#57c08f", ""), "two_queues": ("#0b5cad", "4 3"),
    "two_queues_parallel": ("#2f9bd8", "4 3"), "rocksdb": ("#c8321e", ""),
    "rocksdb_non_concurrent": ("#e98b1a", ""), "rocksdb_pipelined": ("#c8321e", "4 3"),
    "rocksdb_unordered": ("#e98b1a", "4 3"), "leveldb": ("#8a6bb1", ""),
    "fdatasync": ("#222222", "2 3"), "fdatasync_zero_filled": ("#888888", "2 3"),
}


def style_of(engine):
    return STYLES.get(engine, ("#555555", ""))


def _scale(low, high, start, end):
    """Maps [low, high], by logarithms, to [start, end]."""
    span = math.log(high) - math.log(low) or 1.0
    return lambda value: start + (math.log(value) - math.log(low)) / span * (end - start)


def _decades(low, high):
    return [10.0 ** each for each in range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)]


def _text(x, y, text, anchor="middle", size=11):
    return (f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}">'
            f"{escape(text)}</text>")


def _line(points, color, dash, width):
    dashed = f' stroke-dasharray="{dash}"' if dash else ""
    joined = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return (f'<polyline points="{joined}" fill="none" stroke="{color}" '
            f'stroke-width="{width}"{dashed}/>')


def _name(value):
    return f"{value / 1e6:g} M" if value >= 1e6 else f"{value / 1e3:g} k" if value >= 1e3 else f"{value:g}"


def _panel(title, panel, x0, y0):
    threads = sorted({each for points in panel.values() for each in points})
    rates = [rate for points in panel.values() for rate in points.values()]
    ticks = _decades(min(rates), max(rates))
    left, right = x0 + LEFT, x0 + WIDTH - RIGHT
    top, bottom = y0 + TOP, y0 + HEIGHT - BOTTOM
    x_of = _scale(threads[0], threads[-1], left, right)
    y_of = _scale(ticks[0], ticks[-1], bottom, top)
    parts = [_text((left + right) / 2, y0 + 18, title, size=13)]
    for tick in ticks:
        parts.append(_line([(left, y_of(tick)), (right, y_of(tick))], "#dddddd", "", 1))
        parts.append(_text(left - 6, y_of(tick) + 4, _name(tick), "end"))
    for each in threads:
        parts.append(_text(x_of(each), bottom + 16, str(each)))
    for engine, points in panel.items():
        color, dash = style_of(engine)
        places = [(x_of(each), y_of(points[each])) for each in sorted(points)]
        parts.append(f"<g><title>{escape(engine)}</title>{_line(places, color, dash, 1.8)}")
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.2" fill="{color}"/>' for x, y in places]
        parts.append("</g>")
    return parts


def _legend(engines, y):
    parts = []
    per_row = 4
    for number, engine in enumerate(engines):
        x, row = 20 + (number % per_row) * (COLUMNS * WIDTH - 20) / per_row, number // per_row
        color, dash = style_of(engine)
        parts.append(_line([(x, y + row * LEGEND), (x + 26, y + row * LEGEND)], color, dash, 2.4))
        parts.append(_text(x + 32, y + row * LEGEND + 4, engine, "start"))
    return parts, math.ceil(len(engines) / per_row) * LEGEND


def svg_of(panels):
    """`panels`: {(log, batch): {engine: {threads: operations/s}}}."""
    rows = math.ceil(len(panels) / COLUMNS)
    parts = []
    for number, ((log, batch), panel) in enumerate(panels.items()):
        title = f"{log}, batch {batch}: operations/s by threads"
        parts += _panel(title, panel, number % COLUMNS * WIDTH, number // COLUMNS * HEIGHT)
    engines = sorted({engine for panel in panels.values() for engine in panel},
                     key=lambda engine: (list(STYLES).index(engine) if engine in STYLES else 99, engine))
    legend, height = _legend(engines, rows * HEIGHT + 14)
    width, height = COLUMNS * WIDTH, rows * HEIGHT + height + 10
    body = "\n".join(parts + legend)
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
            f'font-family="sans-serif">\n<rect width="{width}" height="{height}" fill="white"/>\n'
            f"{body}\n</svg>\n")
