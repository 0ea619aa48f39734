"""Vocabularies of three languages: parts that never meet, and files that say what is wrong with them."""

from __future__ import annotations

import dataclasses
from collections import Counter
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

import ocr
from ocr.charset import clusters
from ocr.render.look import load_language, load_look, spelt_out
from ocr.render.texts import draw_script_text
from ocr.render.vocabulary import part_of, vocabulary
from ocr.render.words import slice_of
from ocr.seeding import generator


@pytest.mark.parametrize(("language", "least"), [("en", 50_000), ("ja", 50_000), ("ko", 20_000)])
def test_parts_share_no_word_and_keep_the_test_half_of_the_first_renderer(language: str, least: int) -> None:
    parts = {p: vocabulary(language, p, 0.05).words for p in ("train", "val", "test")}
    assert len(parts["train"]) > least
    assert not set(parts["train"]) & set(parts["val"])
    assert {slice_of(w) for w in parts["test"]} == {"test"}
    assert {slice_of(w) for w in parts["train"] + parts["val"]} == {"train"}
    assert len(parts["val"]) / (len(parts["val"]) + len(parts["train"])) == pytest.approx(0.05, abs=0.01)
    frequencies = vocabulary(language, "train", 0.05).frequencies
    assert (np.diff(frequencies) <= 0).all()


@pytest.mark.parametrize("part", ["train", "val"])
@pytest.mark.parametrize("name", ["en", "ja", "ko"])
def test_texts_come_from_their_part(name: str, part: str) -> None:
    language, look = load_language(name), load_look("scene").written_in(load_language(name), part)  # type: ignore[arg-type]
    words = dataclasses.replace(look.words, phrase=0.0)
    texts = [draw_script_text(words, language, "lower", generator(i)) or "" for i in range(150)]
    assert all(1 <= len(t) <= look.words.longest for t in texts)
    assert {part_of(t, 0.05) for t in texts} == {part}
    assert len(set(texts)) > 100


def test_phrases_are_made_of_words_of_their_part() -> None:
    look = load_look("scene").written_in(load_language("ko"), "val")
    only = dict.fromkeys(
        ("dictionary", "number", "price", "date", "code", "plate", "email", "random", "punctuated"), 0.0
    )
    words = dataclasses.replace(look.words, phrase=1.0, **only)  # type: ignore[arg-type]
    language = dataclasses.replace(load_language("ko"), latin=0.0)
    listed = set(vocabulary("ko", "val", 0.05).words)
    for i in range(50):
        parts = (draw_script_text(words, language, "lower", generator(i)) or "").split(" ")
        assert 2 <= len(parts) <= 4
        assert set(parts) <= listed


@pytest.mark.parametrize("name", ["en", "ko"])
def test_phrases_of_receipts_hold_numbers_of_their_part_between_words(name: str) -> None:
    look = load_look("receipts").written_in(load_language(name), "test")
    only = dict.fromkeys(("plate", "email", "random", "punctuated"), 0.0)
    words = dataclasses.replace(look.words, phrase=1e6, longest=48, **only)  # type: ignore[arg-type]
    language = dataclasses.replace(load_language(name), latin=0.0)
    phrases = [draw_script_text(words, language, "lower", generator(i)) or "" for i in range(120)]
    assert max(phrase.count(" ") for phrase in phrases) >= 5, "as long as there is room"
    assert 40 < sum(any(c.isdigit() for c in phrase) for phrase in phrases) < 118
    listed = set(vocabulary(name, "test", words.validation).words)
    lone = {part for phrase in phrases for part in phrase.split(" ") if part.isalpha() and part in listed}
    assert len(lone) > 60


def test_vertical_texts_hold_no_lower_case_latin_and_a_condition_is_kept() -> None:
    language, words = load_language("ja"), load_look("scene").words
    for i in range(100):
        text = draw_script_text(words, language, "lower", generator(i), vertical=True)
        assert text is not None
        assert not any(c.isascii() and c.islower() for c in text)
    short = [draw_script_text(words, language, "lower", generator(i), accept=lambda t: len(t) == 2) for i in range(30)]
    assert {len(t or "") for t in short} == {2}
    assert draw_script_text(words, language, "lower", generator(0), accept=lambda t: False) is None


@pytest.mark.parametrize("name", ["ja", "ko"])
def test_strings_without_sense_hold_every_character_that_can_be_spelt_about_as_often(name: str) -> None:
    language, words = dataclasses.replace(load_language(name), latin=0.0), load_look("scene").words
    others = ("dictionary", "number", "price", "date", "code", "plate", "email", "phrase", "punctuated")
    words = dataclasses.replace(words, random=1.0, **dict.fromkeys(others, 0.0))  # type: ignore[arg-type]
    own = set("가힣뷁말" if name == "ko" else "諧逓日本人")
    known = own | set("a가" if name == "ja" else "a日")
    accept = known.issuperset
    drawn = Counter[str]()
    for i in range(400):
        drawn.update(draw_script_text(words, language, "lower", generator(i), accept=accept) or "")
    assert set(drawn) == own, "rare ones that no frequent word has are among them, other scripts are not"
    assert min(drawn.values()) > 0.7 * max(drawn.values())


@pytest.mark.parametrize(("ranges", "expected"), [("", ""), ("a-", "a-"), ("x0-4-", "x01234-"), ("가-각あ", "가각あ")])
def test_ranges_of_characters(ranges: str, expected: str) -> None:
    assert spelt_out(ranges) == expected


@pytest.mark.parametrize(
    ("characters", "message"),
    [
        ("힣-가", r"힣-가 runs backwards: write 가-힣"),
        ("가\\u0007", r"invisible characters \(U\+0007\)"),
        ("가-각각", r"more than once"),
        ("\\u0020-\\U0010FFFF", r"holds 1,\d+,\d+ characters"),
    ],
)
def test_further_characters_that_cannot_be_meant_are_one_line(tmp_path: Path, characters: str, message: str) -> None:
    own = (Path(ocr.__file__).parents[1] / "conf/language/ko.yaml").read_text(encoding="utf-8")
    path = tmp_path / "own.yaml"
    path.write_text(own.replace("가-힣", characters), encoding="utf-8")
    with pytest.raises(ValueError, match=rf"own.yaml: language.characters: .*{message}") as raised:
        load_language(str(path))
    assert "\n" not in str(raised.value)


def test_a_file_of_words_with_and_without_frequencies(tmp_path: Path) -> None:
    path = tmp_path / "words.txt"
    path.write_text("\ufeffalpha\t2\nbeta\t5\r\n\ncafe\u0301\t1\n", encoding="utf-8")
    found = {w for p in ("train", "val", "test") for w in _part(path, p)}
    assert found == {"alpha", "beta", "café"}
    assert _part(path, "train") == sorted(_part(path, "train"), key=["beta", "alpha", "café"].index), "by frequency"


def _part(path: Path, part: str) -> list[str]:
    with suppress(ValueError):  # three words need not fall into all parts
        return vocabulary(str(path), part, 0.0).words  # type: ignore[arg-type]
    return []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"good\nbad\x07word\n", r"line 2: U\+0007 is no printable character"),
        ("good\nodd\u0378\n".encode(), r"line 2: U\+0378 is no printable character"),
        (b"word\toften\n", r"line 1: 'often' is no frequency"),
        (b"word\t-2\n", r"line 1: '-2' is no frequency"),
        (b"\xff\xfe\x00", r"is not UTF-8"),
        (b"...\n!!\n", r"holds no word"),
        (b"", r"holds no word"),
    ],
)
def test_a_bad_file_is_one_line(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "words.txt"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message) as caught:
        vocabulary(str(path), "train", 0.0)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named() -> None:
    with pytest.raises(ValueError, match=r"nowhere\.txt is no file: give one .* en, ja, ko"):
        vocabulary("nowhere.txt", "train", 0.0)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("abc", ["a", "b", "c"]),
        ("e\u0301a", ["e\u0301", "a"]),
        ("か\u3099き", ["か\u3099", "き"]),
        ("ｶﾞｷ", ["ｶﾞ", "ｷ"]),
        ("\u1112\u1161\u11ab\u1100\u1173\u11af", ["\u1112\u1161\u11ab", "\u1100\u1173\u11af"]),
        ("가\u11a8나", ["가\u11a8", "나"]),
        ("한국 어", ["한", "국", " ", "어"]),
        ("👨\u200d👩", ["👨\u200d👩"]),
        ("", []),
    ],
)
def test_grapheme_clusters(text: str, expected: list[str]) -> None:
    assert clusters(text) == expected
