"""Texts: two halves that never meet, and the kinds and cases that a look asks for."""

from __future__ import annotations

import dataclasses
import re
from collections import Counter

import pytest

from ocr.render.look import Words, load_look
from ocr.render.words import TEST_SHARE, draw_case, draw_text, slice_of, vocabulary, word_key
from ocr.seeding import generator

STRONG = load_look("synthtext_standin").words


def draws(words: Words, count: int, seed: int = 0) -> list[str]:
    rng = generator(seed, "words")
    return [draw_text(words, draw_case(words, rng), rng) for _ in range(count)]


def test_vocabularies_of_training_and_test_share_no_word() -> None:
    train, test = vocabulary("train")[0], vocabulary("test")[0]
    assert not {word_key(w) for w in train} & {word_key(w) for w in test}
    assert len(test) / (len(train) + len(test)) == pytest.approx(TEST_SHARE, abs=0.01)
    assert len(train) + len(test) == 60_000


def test_the_half_of_a_word_does_not_depend_on_case_or_punctuation() -> None:
    for word in ("hello", "receipt", "a1b2"):
        assert (
            len({slice_of(form) for form in (word, word.upper(), word.title(), f'"{word}"', f"{word},", f"#{word}")})
            == 1
        )


@pytest.mark.parametrize("part", ["train", "test"])
def test_every_text_comes_from_its_half_whatever_its_kind(part: str) -> None:
    words = dataclasses.replace(STRONG, slice=part, punctuated=0.5)
    for text in draws(words, 1500):
        assert slice_of(text) == part
        assert word_key(text)
        assert " " not in text
        assert len(text) <= words.longest
        assert text.isascii()


def test_frequent_words_come_first_and_more_often() -> None:
    texts = Counter(t.lower() for t in draws(dataclasses.replace(STRONG, flatten=1.0), 4000))
    assert texts["the"] + texts["and"] + texts["of"] > 100
    flat = Counter(t.lower() for t in draws(dataclasses.replace(STRONG, flatten=0.0), 4000))
    assert max(flat.values()) < 10


def test_only_the_kinds_asked_for_are_drawn() -> None:
    none = dataclasses.replace(STRONG, dictionary=0, number=0, price=0, date=0, code=0, punctuated=0)
    assert all(t.isdigit() or re.fullmatch(r"[\d%.+-]+", t) for t in draws(dataclasses.replace(none, number=1), 200))
    assert all(re.fullmatch(r"\$?\d+(\.\d\d)?", t) for t in draws(dataclasses.replace(none, price=1), 200))
    assert all(re.fullmatch(r"[a-zA-Z']+", t) for t in draws(dataclasses.replace(none, dictionary=1), 200))


def test_alphanumeric_texts_hold_letters_and_digits_only() -> None:
    words = dataclasses.replace(STRONG, alphanumeric=True, punctuated=0.5, price=0.3, date=0.3)
    assert all(t.isalnum() for t in draws(words, 800))


def test_cases_follow_the_look() -> None:
    words = dataclasses.replace(
        STRONG, dictionary=1, number=0, price=0, date=0, code=0, lower=0, capitalised=0, upper=1
    )
    assert all(t == t.upper() for t in draws(words, 200))


def test_a_length_that_no_text_has_is_an_error() -> None:
    words = dataclasses.replace(STRONG, longest=0)
    with pytest.raises(ValueError, match=r"raise words\.longest"):
        draws(words, 1)
