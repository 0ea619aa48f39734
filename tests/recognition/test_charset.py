"""Charsets of any script, and what becomes of labels outside of them."""

import unicodedata
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocr.charset import REPLACEMENT, UNSEEN, Charset
from ocr.recognition.codec import AttentionCodec, CTCCodec

visible = st.text(st.characters(categories=["L", "N", "P", "S"]), min_size=1, max_size=30)


@given(visible)
def test_any_script_in_the_order_given(text):
    letters = "".join(dict.fromkeys(unicodedata.normalize("NFC", text)))
    letters = "".join(c for c in letters if c not in UNSEEN) or "a"
    charset = Charset(letters)
    assert charset.characters == letters
    assert not charset.unknown(letters)
    assert Charset(**{k: v for k, v in charset.node().items() if k != "_target_"}).node() == charset.node()


def test_decomposed_labels_are_composed():
    charset = Charset("aé한")
    assert charset.normalise("e\u0301\u1112\u1161\u11ab") == "é한"
    assert Charset("e\u0301a").characters == "éa"


@pytest.mark.parametrize(
    "hidden", ["\u200b", "\ufeff", "\t", "\n", "\u3000", "\u00a0", "\u00ad", "\u3164", "\ufe0f", "\u2800"]
)
def test_invisible_characters_are_refused(hidden):
    with pytest.raises(ValueError, match=f"invisible characters \\(U\\+{ord(hidden):04X}\\)"):
        Charset(f"ab{hidden}c")


@pytest.mark.parametrize("twice", ["aba", "é e\u0301"])
def test_duplicates_are_refused_after_composing(twice):
    with pytest.raises(ValueError, match="more than once"):
        Charset(twice)


def test_a_file_one_character_a_line_or_many(tmp_path: Path) -> None:
    for content, expected in [
        ("あ\nい\nう\n", "あいう"),
        ("abc \r\n", "abc"),
        ("ab\n \ncd", "ab cd"),
        ("\ufeffxyz", "xyz"),
    ]:
        (tmp_path / "set.txt").write_bytes(content.replace("\r\n", "\n").encode())
        assert Charset.from_spec(str(tmp_path / "set.txt")).characters == expected
    (tmp_path / "set.txt").write_bytes("abc".encode("utf-16"))
    with pytest.raises(ValueError, match="is not UTF-8"):
        Charset.from_spec(str(tmp_path / "set.txt"))
    with pytest.raises(ValueError, match="charset file not found"):
        Charset.from_spec("nowhere.txt")


def test_the_space_is_asked_for():
    assert Charset.from_spec("case62").unknown("a b") == [" "]
    assert Charset.from_spec("case62", space=True).unknown("a b") == []
    assert Charset.from_spec("a b", space=True).characters == "a b"


def test_dropping_mapping_and_stopping():
    dropping, mapping, stopping = (CTCCodec(Charset("abc", unknown=p), 9, 24) for p in ("drop", "map", "error"))
    assert (dropping.reject("añb"), mapping.reject("añb")) == ("out of charset", None)
    with pytest.raises(ValueError, match=r"the label 'añb' holds 'ñ' outside the charset, and charset\.unknown=error"):
        stopping.reject("añb")
    assert stopping.reject("abc") is None
    with pytest.raises(ValueError, match=r"charset\.unknown is 'skip'"):
        Charset("abc", unknown="skip")


@pytest.mark.parametrize(
    "codec", [CTCCodec(Charset("abc", unknown="map"), 9, 24), AttentionCodec(Charset("abc", unknown="map"), 9)]
)
def test_mapped_characters_are_one_class_behind_the_others(codec):
    plain = type(codec)(Charset("abc"), *([9, 24] if isinstance(codec, CTCCodec) else [9]))
    assert codec.classes == plain.classes + 1
    assert codec.tokens[-1] == "[UNK]"
    tokens = codec.encode(["añb€"])[0]
    written = tokens[:, 1:] if isinstance(codec, AttentionCodec) else tokens
    assert codec.decode(written, np.ones(written.shape, np.float32))[0].text == f"a{REPLACEMENT}b{REPLACEMENT}"
