"""The benchmark's statistics on samples whose truth is known, and the mistakes that they have to catch."""

import random
import statistics
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
sys.dont_write_bytecode = True

import bench_statistics as stats  # noqa: E402
from bench_statistics import FAILED, INCOMPLETE, OK, Interval, judge, median_interval, quad_ratio  # noqa: E402

QUIET = Interval(1.0, 0.99, 1.01)


class Quads(unittest.TestCase):
    def test_the_ratio_is_that_of_the_speeds(self):
        self.assertAlmostEqual(quad_ratio("ABBA", [2, 1, 1, 2]), 2.0)
        self.assertAlmostEqual(quad_ratio("BAAB", [2, 1, 1, 2]), 0.5)

    def test_linear_drift_cancels_and_would_not_in_another_order(self):
        for order in ("ABBA", "BAAB"):
            self.assertAlmostEqual(quad_ratio(order, [1.0, 1.5, 2.0, 2.5]), 1.0)
        for order in ("AABB", "ABAB"):
            self.assertGreater(abs(quad_ratio(order, [1.0, 1.5, 2.0, 2.5]) - 1.0), 0.1)


class Bootstrap(unittest.TestCase):
    def test_one_value_is_its_own_interval(self):
        self.assertEqual(median_interval([1.5]), Interval(1.5, 1.5, 1.5))

    def test_the_interval_covers_the_true_median_about_as_often_as_it_says(self):
        draw = random.Random(7)
        covered = 0
        tries = 60
        for seed in range(tries):
            # Skewed, as ratios of times are, and with a median of 1.2.
            interval = median_interval([1.2 * draw.lognormvariate(0, 0.2)
                                        for _ in range(stats.QUADS_MIN)], seed)
            self.assertTrue(interval.low <= interval.median <= interval.high)
            covered += interval.low <= 1.2 <= interval.high
        self.assertGreaterEqual(covered, 52)
        # An interval that always covers is too wide to say anything.
        self.assertLess(covered, tries)

    def test_more_quads_say_more(self):
        draw = random.Random(3)
        values = [draw.gauss(1.0, 0.1) for _ in range(240)]
        few, many = median_interval(values[:20]), median_interval(values)
        self.assertLess(many.high - many.low, (few.high - few.low) / 2)

    def test_a_few_slices_that_met_a_hiccup_do_not_move_it(self):
        draw = random.Random(5)
        values = [draw.gauss(1.0, 0.02) for _ in range(54)]
        interval = median_interval(values + [40.0] * 6)
        self.assertLess(interval.high, 1.02)
        self.assertGreater(statistics.mean(values + [40.0] * 6), 4)


class Judgement(unittest.TestCase):
    def test_the_lower_end_decides_and_not_the_median(self):
        self.assertEqual(judge(Interval(1.05, 1.0, 1.1), 60, 1.0, QUIET), (OK, "ok"))
        code, result = judge(Interval(1.05, 0.99, 1.1), 60, 1.0, QUIET)
        self.assertEqual(code, FAILED)
        self.assertIn("0.990", result)

    def test_too_few_quads_are_no_pass(self):
        self.assertEqual(judge(Interval(2.0, 1.9, 2.1), 59, 1.0, QUIET)[0], INCOMPLETE)

    def test_a_against_a_that_is_not_one_spoils_either_answer(self):
        for noisy in (Interval(1.1, 1.04, 1.2), Interval(0.9, 0.8, 0.96)):
            for ratio in (Interval(2.0, 1.9, 2.1), Interval(0.5, 0.4, 0.6)):
                code, result = judge(ratio, 60, 1.0, noisy)
                self.assertEqual(code, INCOMPLETE)
                self.assertIn("not quiet", result)


if __name__ == "__main__":
    unittest.main()
