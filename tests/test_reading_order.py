"""The order in which words are read: lines, columns, blocks, turned pages."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reading_cases import rect, turned

from ocr.reading_order import reading_lines
from ocr.types import Detection, Reading


def ordered(words):
    return [[reading.text for _, reading in line] for line in reading_lines(words)]


@settings(max_examples=60)
@given(st.data())
def test_lines_of_a_turned_page_are_found_again(data):
    """Lines of words with ragged heights and gaps, the page turned, the words shuffled."""
    rng = np.random.default_rng(data.draw(st.integers(0, 10_000)))
    degrees = data.draw(st.floats(-40, 40))
    lines = [[f"{row}.{k}" for k in range(rng.integers(1, 7))] for row in range(rng.integers(1, 8))]
    words = []
    for row, texts in enumerate(lines):
        x = float(rng.uniform(0, 60))
        for text in texts:
            w, h = rng.uniform(20, 120), rng.uniform(18, 24)
            quad = rect(x, 45 * row + rng.uniform(-3, 3), w, h)
            words.append((Detection(turned(quad, degrees), 1.0, degrees + rng.uniform(-2, 2)), Reading(text, 1.0)))
            x += w + rng.uniform(5, 40)
    rng.shuffle(words)
    assert ordered(words) == lines


def test_a_sloping_line_stays_one_line():
    words = [(Detection(rect(60 * k, 6 * k, 50, 20), 1.0), Reading(str(k), 1.0)) for k in (3, 0, 2, 1, 5, 4)]
    assert ordered(words) == [["0", "1", "2", "3", "4", "5"]]


def test_a_headline_does_not_swallow_the_lines_beside_it():
    big = (Detection(rect(0, 0, 100, 90), 1.0), Reading("BIG", 1.0))
    small = [(Detection(rect(120, 30 * k, 80, 20), 1.0), Reading(f"s{k}", 1.0)) for k in range(3)]
    assert sorted(map(tuple, ordered([big, *small]))) == [("BIG",), ("s0",), ("s1",), ("s2",)]
    assert [line for line in ordered([big, *small]) if line != ["BIG"]] == [["s0"], ["s1"], ["s2"]]


def test_a_page_upside_down_and_one_turned_word_among_level_ones():
    words = [
        (Detection(turned(rect(60 * k, 0, 50, 20), 180), 1.0, a), Reading(str(k), 1.0))
        for k, a in enumerate((179, -179, 180))
    ]
    assert ordered(words) == [["0", "1", "2"]]
    level = [(Detection(rect(60 * k, 0, 50, 20), 1.0), Reading(str(k), 1.0)) for k in range(2)]
    spine = (Detection(turned(rect(200, 0, 70, 20), -90, (200, 0)), 1.0, -90), Reading("spine", 1.0))
    assert ordered([spine, *level])[0] == ["0", "1"]
    assert reading_lines([]) == []


def stacked_word(text, x, y, w=20, h=80):
    return Detection(rect(x, y, w, h), 1.0, direction="stacked"), Reading(text, 1.0)


def test_columns_run_down_and_follow_each_other_from_right_to_left():
    words = [stacked_word(f"{c}{k}", 200 - 30 * c, 100 + 95 * k) for c in range(4) for k in range(2)]
    title = (Detection(rect(60, 20, 150, 25), 1.0), Reading("title", 1.0))
    foot = (Detection(rect(60, 320, 150, 25), 1.0), Reading("foot", 1.0))
    columns = [["00", "01"], ["10", "11"], ["20", "21"], ["30", "31"]]
    mixed = [words[i] for i in (5, 0, 3, 6, 1, 7, 4, 2)]
    assert ordered([foot, *mixed, title]) == [["title"], *columns, ["foot"]]


def test_blocks_of_columns_apart_are_read_one_after_the_other():
    upper = [stacked_word(f"u{c}", 300 - 30 * c, 20) for c in range(3)]
    lower = [stacked_word(f"l{c}", 300 - 30 * c, 300) for c in range(3)]
    far = [stacked_word(f"f{c}", 60 - 30 * c, 40) for c in range(2)]
    found = [line[0] for line in ordered([*lower, *far, *upper])]
    assert found == ["u0", "u1", "u2", "f0", "f1", "l0", "l1", "l2"]


@pytest.mark.parametrize("degrees", [0, 20, 90, 180])
def test_columns_of_a_turned_page(degrees):
    words = [stacked_word(str(c), 200 - 30 * c, 100) for c in range(4)]
    lying = [(replace(d, polygon=turned(d.polygon, degrees), angle=degrees), r) for d, r in words]
    assert ordered(lying[::-1]) == [["0"], ["1"], ["2"], ["3"]]


def test_thousands_of_words_are_ordered_quickly():
    words = [(Detection(rect(50 * (k % 40), 30 * (k // 40), 40, 20), 1.0), Reading(str(k), 1.0)) for k in range(3000)]
    assert [int(t) for line in ordered(words) for t in line] == list(range(3000))
