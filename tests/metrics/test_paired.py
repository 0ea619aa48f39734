"""McNemar's test against scipy's binomial test, and the interval of a difference against drawing words one by one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from ocr.metrics.paired import compare, mcnemar


@given(st.integers(0, 400), st.integers(0, 400))
def test_mcnemar_is_the_exact_binomial_test(only_first: int, only_second: int) -> None:
    wanted = binomtest(only_first, only_first + only_second).pvalue if only_first + only_second else 1.0
    assert mcnemar(only_first, only_second) == pytest.approx(wanted, rel=1e-9, abs=1e-300)


def test_mcnemar_of_many_words_neither_overflows_nor_takes_long() -> None:
    assert mcnemar(4000, 4539) == pytest.approx(binomtest(4000, 8539).pvalue, rel=1e-6)
    assert mcnemar(0, 8539) == 0.0
    assert mcnemar(4270, 4269) == pytest.approx(1.0)


def test_no_difference_is_no_evidence() -> None:
    assert mcnemar(0, 0) == mcnemar(7, 7) == 1.0
    assert mcnemar(0, 1) == 1.0
    assert mcnemar(0, 6) == pytest.approx(2 / 64)


def test_a_comparison_counts_and_bounds() -> None:
    rng = np.random.default_rng(2)
    first, second = rng.random(300) < 0.7, rng.random(300) < 0.8
    c = compare([f"s/{i}" for i in range(300)], first, second)
    assert (c.n, c.first, c.second) == (300, first.mean(), second.mean())
    assert (c.only_first, c.only_second) == ((first & ~second).sum(), (second & ~first).sum())
    assert c.difference == pytest.approx(second.mean() - first.mean())
    change = second.astype(float) - first
    drawn = [change[rng.integers(300, size=300)].mean() for _ in range(4000)]
    assert c.interval == pytest.approx(tuple(np.percentile(drawn, [2.5, 97.5])), abs=0.006)
    back = compare([f"s/{i}" for i in range(300)], second, first)
    assert (back.p, back.difference) == (c.p, -c.difference)


def test_words_of_one_picture_make_the_interval_wider() -> None:
    first, second = [False] * 200, [i % 40 < 20 for i in range(200)]
    apart = compare([f"s/{i}" for i in range(200)], first, second).interval
    together = compare([f"s/{i // 20}#{i}" for i in range(200)], first, second).interval
    assert apart is not None
    assert together is not None
    assert together[1] - together[0] > 2 * (apart[1] - apart[0])


def test_nothing_to_compare_is_refused() -> None:
    with pytest.raises(ValueError, match="no word to compare"):
        compare([], [], [])
    assert compare(["s/1"], [True], [False]).interval is None
