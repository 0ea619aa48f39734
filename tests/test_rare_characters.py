"""Reading by frequency of the characters: counting is right on readings whose errors are known."""

from __future__ import annotations

import itertools
from collections import Counter

import numpy as np
import pytest

from experiments.rare_characters import DECILES, deciles, main, measured, read_characters, senseless
from ocr.charset import Charset
from ocr.recognition.codec import CTCCodec
from ocr.recognition.recognizer import Recognizer
from ocr.types import Image, Reading


def test_what_stays_when_the_text_is_edited_into_the_reading_is_read() -> None:
    written, read = read_characters([("가나다", "가다"), ("가나", "가나"), ("다", ""), ("나", "나나")])
    assert written == Counter("가나다가나다나")
    assert read == Counter("가다가나나")


def test_strings_hold_what_the_charset_has_in_unseen_fonts_and_come_again() -> None:
    charset = Charset("가각힣뷁0")
    first, again = ([(w.text, w.image.tobytes()) for w in senseless("ko", "clean", charset, 12)] for _ in range(2))
    assert first == again
    assert {c for text, _ in first for c in text} <= set("가각힣뷁")


def test_deciles_cut_the_characters_by_frequency() -> None:
    charset = Charset("".join(map(chr, range(ord("가"), ord("힣") + 1))))
    written = Counter({"이": 4, "뷁": 2})
    found = deciles("ko", charset, written, Counter({"이": 3}))
    assert len(found) == DECILES
    assert sum(len(tenth.characters) for tenth in found) == 11_172, "also those that no frequent word has"
    assert sum(tenth.share for tenth in found) == pytest.approx(1)
    assert all(a.share >= b.share for a, b in itertools.pairwise(found))
    assert (found[0].written, found[0].read) == (4, 3)
    assert [tenth.written for tenth in found if "뷁" in tenth.characters] == [2]


class _Oracle(Recognizer):
    """Knows every text by its picture, and misses one character."""

    def __init__(self, charset: Charset, missed: str, count: int) -> None:
        self.network = type("Network", (), {"codec": CTCCodec(charset, 25, 25)})()  # type: ignore[assignment]
        self.texts = {w.image.tobytes(): w.text.replace(missed, "") for w in senseless("ko", "clean", charset, count)}

    def read(self, images: list[Image]) -> list[Reading]:  # type: ignore[override]
        return [Reading(self.texts[np.ascontiguousarray(image).tobytes()], 1.0) for image in images]


def test_one_missed_character_shows_in_its_decile() -> None:
    charset = Charset("가각힣뷁나다라마바사")
    tenths = measured(_Oracle(charset, "힣", 60), "ko", "clean", 60)
    assert sum(tenth.written for tenth in tenths) > 120
    for tenth in tenths:
        assert tenth.written > 0
        assert tenth.read == (0 if tenth.characters == "힣" else tenth.written)


def test_wrong_names_are_one_line(tmp_path, capsys, tiny_recognizer) -> None:
    for arguments, message in (
        ([str(tiny_recognizer), "--words", "0"], "--words 0: give one at least"),
        ([str(tiny_recognizer), "--look", "nowhere"], "nowhere"),
        ([str(tmp_path / "none.ckpt")], "none.ckpt"),
    ):
        assert main(arguments) == 1
        out, err = capsys.readouterr()
        assert message in out + err
