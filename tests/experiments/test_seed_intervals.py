"""Means over seeds, paired differences, ranks and frontiers, against textbook numbers and definitions."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from experiments.intervals import frontier, mean_difference, over_seeds, rank_correlation, seed_spread


def test_the_spread_between_seeds_is_pooled_over_cells() -> None:
    spread = seed_spread([[0.1, 0.3], [0.5, 0.5], [0.9]])
    assert spread is not None
    assert spread.freedom == 2
    assert spread.deviation == pytest.approx(math.sqrt(0.02 / 2))
    assert seed_spread([[0.1], [0.2]]) is None


def test_one_seed_has_the_interval_of_its_sample() -> None:
    mean = over_seeds([0.5], [0.04], None)
    assert (mean.value, mean.low, mean.high) == pytest.approx((0.5, 0.46, 0.54))
    assert over_seeds([0.5], [None], None).low is None


def test_more_seeds_narrow_only_their_own_part_of_the_interval() -> None:
    spread = seed_spread([[0.48, 0.52]] * 30)
    widths = [over_seeds([0.5] * n, [0.03] * n, spread) for n in (1, 4, 10_000)]
    halves = [w.value - (w.low or 0) for w in widths]
    assert halves[0] > halves[1] > halves[2]
    assert halves[2] == pytest.approx(0.03, abs=1e-5)
    assert spread is not None
    t = stats.t.ppf(0.975, 30)
    assert halves[1] == pytest.approx(math.hypot(0.03, t * spread.deviation / 2))


def test_a_mean_difference_has_students_interval() -> None:
    changes = [1.0, 2.5, 0.5, 3.0, 1.5]
    mean = mean_difference(changes)
    expected = stats.ttest_1samp(changes, 0).confidence_interval(0.95)
    assert (mean.low, mean.high) == pytest.approx(tuple(expected))
    assert mean_difference([2.0]).low is None
    with pytest.raises(ValueError, match="no pair"):
        mean_difference([])


def test_ranks_do_not_ask_by_how_much() -> None:
    first = [1.0, 2.0, 3.0, 50.0, 60.0]
    same = rank_correlation(first, [math.exp(v / 10) for v in first])
    assert same is not None
    assert same.value == pytest.approx(1)
    opposite = rank_correlation(first, [-v for v in first])
    assert opposite is not None
    assert opposite.value == pytest.approx(-1)
    rng = np.random.default_rng(0)
    noisy = rank_correlation(list(rng.random(24)), list(rng.random(24)))
    assert noisy is not None
    assert noisy.low is not None
    assert noisy.high is not None
    assert noisy.low < noisy.value < noisy.high
    assert rank_correlation([1, 2, 3], [1, 2, 3]) is None
    assert rank_correlation([1, 1, 1, 1], [1, 2, 3, 4]) is None


@given(st.dictionaries(st.text(max_size=3), st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=12))
def test_a_frontier_holds_what_nothing_beats(points: dict[str, tuple[int, int]]) -> None:
    kept = {points[name] for name in frontier(points)}
    beaten = {p for p in points.values() if any(q[0] <= p[0] and q[1] >= p[1] and q != p for q in points.values())}
    assert kept == set(points.values()) - beaten
