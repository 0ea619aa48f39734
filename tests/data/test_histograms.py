"""Bins and characters against counting one by one."""

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ocr.data.histograms import binned, text_histograms, word_histograms


@given(st.lists(st.integers(0, 40)), st.lists(st.integers(1, 30), min_size=1, max_size=6, unique=True).map(sorted))
def test_bins_hold_what_lies_between_their_edges(values: list[int], edges: list[int]) -> None:
    histogram = binned("x", values, edges)
    limits = [-1, *edges, 10**6]
    assert histogram.counts == [sum(a <= v < b for v in values) for a, b in pairwise(limits)]
    assert len(histogram.labels) == len(histogram.counts)
    assert sum(histogram.shares()) == (1 if values else 0) or abs(sum(histogram.shares()) - 1) < 1e-9


def test_bins_are_named_by_what_they_hold() -> None:
    assert binned("x", [], (1, 2, 4)).labels == ["< 1", "1", "2–3", "4 and more"]
    assert binned("x", [], (0.5, 1, 2), whole=False).labels == ["< 0.5", "0.5 to 1", "1 to 2", "2 and more"]


def test_characters_are_counted_composed_and_by_kind() -> None:
    length, kinds, characters = text_histograms(["Cafe\u0301 5", "", "한!"])
    assert dict(zip(kinds.labels, kinds.counts, strict=True)) == {
        "upper case": 1,
        "lower case": 3,
        "spaces": 1,
        "digits": 1,
        "letters without case": 1,
        "punctuation": 1,
    }
    counted = dict(zip(characters.labels, characters.counts, strict=True))
    assert (counted["é"], counted["U+0020"], counted["한"]) == (1, 1, 1)
    assert dict(zip(length.labels, length.counts, strict=True)) == dict.fromkeys(length.labels, 0) | {
        "< 1": 1,
        "2": 1,
        "6": 1,
    }


def test_pictures_are_wide_square_or_tall_and_broken_ones_count_nowhere() -> None:
    widths, heights = np.array([100, 30, 20, 0, 31]), np.array([31, 30, 80, 0, 30])
    by_title = {h.title: h for h in word_histograms(["a"] * 5, widths, heights)}
    assert by_title["orientation"].counts == [1, 2, 1]
    assert sum(by_title["height, pixels"].counts) == 4
    aspect = by_title["width over height"]
    assert dict(zip(aspect.labels, aspect.counts, strict=True))["3 to 4"] == 1
