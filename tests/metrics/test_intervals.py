import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from ocr.metrics.score import bootstrap, hmean, mean_and_deviation, picture_sums, ratio, wilson


@given(st.integers(1, 5000), st.data())
def test_wilson_agrees_with_scipy(n, data):
    hits = data.draw(st.integers(0, n))
    theirs = binomtest(hits, n).proportion_ci(0.95, method="wilson")
    assert wilson(hits, n) == pytest.approx((theirs.low, theirs.high), abs=1e-9)


def test_nothing_to_count_has_no_interval():
    assert wilson(0, 0) is None
    assert bootstrap([[1.0]], lambda sums: sums[:, 0]) is None
    assert ratio(0, 0) == 0
    assert hmean(0, 0) == 0


def test_bootstrap_agrees_with_drawing_rows_one_by_one():
    rng = np.random.default_rng(3)
    rows = np.stack([rng.binomial(8, 0.6, 200), np.full(200, 8)], axis=1)
    share = [s[0] / s[1] for s in (rows[rng.integers(200, size=200)].sum(axis=0) for _ in range(4000))]
    ours = bootstrap(rows, lambda sums: sums[:, 0] / sums[:, 1], resamples=4000)
    assert ours == pytest.approx(tuple(np.percentile(share, [2.5, 97.5])), abs=0.002)


def test_bootstrap_does_not_depend_on_the_order_of_rows():
    rows = np.random.default_rng(0).random((50, 2)).round(1)
    assert bootstrap(rows, lambda s: s[:, 0]) == bootstrap(rows[::-1], lambda s: s[:, 0])


def test_bootstrap_covers_the_true_mean_about_as_often_as_it_says():
    rng = np.random.default_rng(11)
    inside = 0
    for _ in range(200):
        low, high = bootstrap(rng.random((60, 1)).round(2), lambda s: s[:, 0] / 60, resamples=400)
        inside += low <= 0.5 <= high
    assert 0.88 <= inside / 200 <= 0.99


def test_equal_rows_leave_no_doubt():
    assert bootstrap([[1, 2]] * 10, lambda s: s[:, 0] / s[:, 1]) == (0.5, 0.5)


def test_parts_of_a_set_keep_their_sizes_in_every_draw():
    rng = np.random.default_rng(5)
    parts = [rng.binomial(1, p, n) for p, n in ((0.9, 300), (0.2, 40))]
    drawn = [
        np.concatenate([part[rng.integers(len(part), size=len(part))] for part in parts]).mean() for _ in range(4000)
    ]
    values = np.concatenate(parts)[:, None]
    ours = bootstrap(values, lambda s: s[:, 0] / 340, resamples=4000, strata=["easy"] * 300 + ["hard"] * 40)
    assert ours == pytest.approx(tuple(np.percentile(drawn, [2.5, 97.5])), abs=0.003)
    apart = bootstrap([[1.0]] * 5 + [[0.0]] * 5, lambda s: s[:, 0] / 10, strata=["a"] * 5 + ["b"] * 5)
    assert apart == (0.5, 0.5), "parts that do not vary leave no doubt about the whole"


def test_words_of_one_picture_are_drawn_together():
    keys = ["s/a#0", "s/a#1", "s/b#0", "", ""]
    units, parts = picture_sums(keys, [1.0, 0.0, 1.0, 1.0, 0.0])
    assert units.tolist() == [[1, 2], [1, 1], [1, 1], [0, 1]]
    assert len(parts) == 4
    units, parts = picture_sums(["s/a", "s/a"], [1.0, 0.0], ["small", "large"])
    assert units.tolist() == [[1, 1], [0, 1]], "a picture of two lists is drawn in each of them"
    assert parts == ["small", "large"]
    # ten pictures of twenty equal words are as uncertain as ten words
    keys = [f"s/{p}#{w}" for p in range(10) for w in range(20)]
    right = [float(p % 2) for p in range(10) for _ in range(20)]
    grouped, _ = picture_sums(keys, right)
    low, high = bootstrap(grouped, lambda s: s[:, 0] / s[:, 1])
    assert high - low > 0.5


def test_mean_and_deviation_over_seeds():
    values = [0.81, 0.84, 0.79, 0.9]
    assert mean_and_deviation(values) == pytest.approx((statistics.mean(values), statistics.stdev(values)))
    assert mean_and_deviation([0.5]) == (0.5, None)
