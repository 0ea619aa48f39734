from itertools import groupby

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocr.recognition.decode import best_path, until_end

CHARACTERS = ["", "", "a", "b", "ç"]
steps = st.lists(st.tuples(st.integers(0, 4), st.floats(0.0625, 1.0, width=32)), max_size=12)


def arrays(pairs):
    return np.array([i for i, _ in pairs], np.int64), np.array([p for _, p in pairs], np.float32)


@given(steps)
def test_best_path_against_a_slow_one(pairs):
    pairs = [(i, p) for i, p in pairs if i != 1]
    runs = [(i, max(p for _, p in run)) for i, run in groupby(pairs, key=lambda pair: pair[0])]
    reading = best_path(*arrays(pairs), CHARACTERS)
    assert reading.text == "".join(CHARACTERS[i] for i, _ in runs if i != 0)
    assert reading.characters == pytest.approx([p for i, p in runs if i != 0])
    assert len(reading.characters) == len(reading.text)
    if reading.text:
        assert reading.confidence == pytest.approx(np.prod(reading.characters))
    assert 0 < reading.confidence <= 1


def test_an_empty_path_is_as_sure_as_its_least_sure_blank():
    reading = best_path(*arrays([(0, 0.9), (0, 0.6), (0, 0.99)]), CHARACTERS)
    assert (reading.text, reading.characters) == ("", [])
    assert reading.confidence == pytest.approx(0.6)


def test_blanks_do_not_lower_the_confidence():
    assert best_path(*arrays([(0, 0.1), (2, 0.8), (2, 0.5), (0, 0.1)]), CHARACTERS).confidence == pytest.approx(0.8)


@given(steps)
def test_until_end_against_a_slow_one(pairs):
    text, confidences, product = "", [], 1.0
    for i, p in pairs:
        if i == 1:
            product *= p
            break
        if CHARACTERS[i]:
            text, confidences, product = text + CHARACTERS[i], [*confidences, p], product * p
    reading = until_end(*arrays(pairs), CHARACTERS)
    assert reading.text == text
    assert reading.characters == pytest.approx(confidences)
    assert reading.confidence == pytest.approx(product)


def test_a_text_without_an_end_keeps_its_last_character():
    assert until_end(*arrays([(2, 0.9), (3, 0.8), (4, 0.7)]), CHARACTERS).text == "abç"


def test_an_end_at_once_is_an_empty_text_with_the_confidence_of_ending():
    reading = until_end(*arrays([(1, 0.25), (2, 0.9)]), CHARACTERS)
    assert (reading.text, reading.confidence, reading.characters) == ("", pytest.approx(0.25), [])


def test_characters_of_a_path_stand_in_the_middle_of_their_runs():
    reading = best_path(
        *arrays([(0, 0.9), (2, 0.8), (2, 0.5), (0, 0.9), (2, 0.7), (3, 0.9), (0, 0.9), (0, 0.9)]), CHARACTERS
    )
    assert (reading.text, reading.places) == ("aab", [2 / 8, 4.5 / 8, 5.5 / 8])
