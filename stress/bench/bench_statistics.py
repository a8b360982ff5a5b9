"""What a benchmark may conclude from its slices: medians of paired ratios, with their uncertainty.

A quad is A B B A or B A A B: whatever drifts linearly while it runs costs both sides the same.
"""

import random
import statistics
from typing import NamedTuple

OK, INCOMPLETE, FAILED = 0, 2, 10

QUADS_MIN = 60
RESAMPLES = 4000
CONFIDENCE = 0.95
# How far from 1 the interval of A against A may lie before nothing else is believed either.
SAME = 0.03


class Interval(NamedTuple):
    median: float
    low: float
    high: float

    def __str__(self):
        return f"{self.median:.2f} [{self.low:.2f}, {self.high:.2f}]"


def quad_ratio(order, seconds):
    """How many times as fast as A B was. `order` is a permutation of AABB, `seconds` of each."""
    total = {"A": 0.0, "B": 0.0}
    for side, each in zip(order, seconds, strict=True):
        total[side] += each
    return total["A"] / total["B"]


def median_interval(values, seed=1):
    """The median, and the percentile bootstrap's interval for it."""
    draw = random.Random(seed)
    medians = sorted(statistics.median(draw.choices(values, k=len(values)))
                     for _ in range(RESAMPLES))
    cut = round((1 - CONFIDENCE) / 2 * RESAMPLES)
    return Interval(statistics.median(values), medians[cut], medians[-1 - cut])


def judge(ratio, quads, bar, same):
    """(exit code, result) of one gate cell; `same` is the interval of A against A."""
    if same.low > 1 + SAME or same.high < 1 - SAME:
        return INCOMPLETE, f"INCOMPLETE: A against A is {same}: the machine is not quiet"
    if ratio.low < bar:
        return FAILED, f"FAILED: the interval begins at {ratio.low:.3f}, below {bar}"
    if quads < QUADS_MIN:
        return INCOMPLETE, f"INCOMPLETE: {quads} quads, not {QUADS_MIN}"
    return OK, "ok"
