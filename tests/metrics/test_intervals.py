import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from ocr.metrics.score import bootstrap, hmean, ratio, wilson


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
