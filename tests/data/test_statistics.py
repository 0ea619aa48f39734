from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocr.data.statistics import audit


def too_long_or_foreign(text: str) -> str | None:
    if len(text) > 4:
        return "longer than 4"
    return None if text.isascii() else "not ASCII"


def test_labels_are_sorted_by_reason():
    result = audit(["one", "three", "två", "two", "seven", "två"], too_long_or_foreign)
    np.testing.assert_array_equal(result.kept, [0, 3])
    assert result.counts == {"longer than 4": 2, "not ASCII": 2}
    assert result.examples == {"longer than 4": ["three", "seven"], "not ASCII": ["två"]}
    assert result.rows() == [
        ("kept", "2", "33.3 %", ""),
        ("longer than 4", "2", "33.3 %", "'three', 'seven'"),
        ("not ASCII", "2", "33.3 %", "'två'"),
    ]


@given(st.lists(st.text("abcdeä", max_size=6), min_size=1))
def test_every_label_is_kept_or_counted(texts):
    wanted = [i for i, text in enumerate(texts) if too_long_or_foreign(text) is None]
    if not wanted:
        with pytest.raises(ValueError, match=f"none of the {len(texts)} labels can be used"):
            audit(texts, too_long_or_foreign)
        return
    result = audit(texts, too_long_or_foreign)
    assert result.kept.tolist() == wanted
    assert sum(result.counts.values()) == len(texts) - len(wanted)


def test_no_label_left_says_why():
    with pytest.raises(ValueError, match="mjsynth") as caught:
        audit(["three", "seven", "två"], too_long_or_foreign, where="data.sources.mjsynth")
    message = str(caught.value)
    assert message.startswith("data.sources.mjsynth: none of the 3 labels can be used")
    assert "longer than 4: 2, for example 'three', 'seven'" in message
    assert "not ASCII: 1, for example 'två'" in message


def test_no_labels_at_all_is_an_error():
    with pytest.raises(ValueError, match="there are no labels"):
        audit([], too_long_or_foreign)


def test_the_reason_is_asked_once_per_distinct_label():
    asked = []
    audit(["a", "b", "a", "a"], lambda text: asked.append(text))
    assert asked == ["a", "b"]
