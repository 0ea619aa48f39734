"""The words of a language with their frequencies, from wordfreq or a file, split into training, validation and test parts."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ocr.render.font_sources import script_characters
from ocr.render.words import TEST_SHARE, UNFIT, VOCABULARY, word_key

Part = Literal["train", "val", "test"]

_FORMS = {
    "en": re.compile(r"[a-z]{2,}('[a-z]+)?|[ai]"),
    "ja": re.compile(r"[ぁ-ゖァ-ヺー々〆一-鿿]{1,12}"),
    "ko": re.compile(r"[가-힣]{1,10}"),
}
"""What counts as a word of a language; wordfreq's lists hold other scripts at their tails."""


@dataclass(frozen=True, slots=True, eq=False)
class Vocabulary:
    """``words`` of one part, most frequent first, their frequencies, and the characters of the whole list by frequency."""

    words: list[str]
    frequencies: NDArray[np.float64]
    characters: str

    def cumulative(self, flatten: float) -> NDArray[np.float64]:
        """Cumulative shares of the words when frequencies are raised to the power ``flatten``."""
        return _cumulative(self, flatten)


@cache
def _cumulative(vocabulary: Vocabulary, flatten: float) -> NDArray[np.float64]:
    weights = vocabulary.frequencies**flatten
    return np.cumsum(weights) / weights.sum()


def part_of(text: str, validation: float) -> Part:
    """The part a text belongs to, by a hash of its letters and digits: the test part of :func:`ocr.render.words.slice_of`, and
    the share ``validation`` of what is left.
    """
    digest = hashlib.sha1(word_key(text).encode(), usedforsecurity=False).digest()
    number = int.from_bytes(digest[:4], "big") / 2**32
    if number < TEST_SHARE:
        return "test"
    return "val" if number < TEST_SHARE + validation * (1 - TEST_SHARE) else "train"


@cache
def vocabulary(source: str, part: Part, validation: float) -> Vocabulary:
    """One part of a vocabulary.

    Args:
        source: a language of wordfreq (``en``, ``ja``, ``ko``), or the path of a UTF-8 file with one word a line, most frequent first
            or followed by a tab and its frequency.
        part: of the words.
        validation: share of the words outside the test part that validate.

    Raises:
        ValueError: wordfreq is not installed, the file is not there, not UTF-8 or empty, a line of it holds a control character,
            an unassigned code point or something that is no frequency, or no word is left for the part.
    """
    words, frequencies = _listed(source)
    rows = [i for i, word in enumerate(words) if part_of(word, validation) == part]
    if not rows:
        raise ValueError(f"vocabulary {source}: none of its {len(words)} words falls into the {part} part: add words")
    return Vocabulary(
        [words[i] for i in rows], np.array([frequencies[i] for i in rows]), script_characters(words, frequencies)
    )


@cache
def _listed(source: str) -> tuple[list[str], list[float]]:
    entries = _from_wordfreq(source) if source in _FORMS else _from_file(Path(source).expanduser())
    kept: dict[str, float] = {}
    for word, frequency in entries:
        if word_key(word) and not UNFIT.fullmatch(word.lower()) and "sexual" not in word:
            kept.setdefault(word, frequency)
            if len(kept) == VOCABULARY:
                break
    if not kept:
        raise ValueError(f"vocabulary {source}: it holds no word with a letter or digit: list one word a line")
    return list(kept), list(kept.values())


def _from_wordfreq(language: str) -> Iterator[tuple[str, float]]:
    try:
        import wordfreq
    except ModuleNotFoundError:
        raise ValueError(
            "the words to render come from wordfreq, which is not installed: pip install 'ocr[render]'"
        ) from None
    form = _FORMS[language]
    # Its lists are binned by hundredths of a decade.
    for level, bucket in enumerate(wordfreq.get_frequency_list(language, "small" if language == "ko" else "large")):
        for word in bucket:
            word = unicodedata.normalize("NFC", word)
            if form.fullmatch(word):
                yield word, 10.0 ** (-level / 100)
    wordfreq.get_frequency_list.cache_clear()  # tens of megabytes in every worker


def _from_file(path: Path) -> Iterable[tuple[str, float]]:
    if not path.is_file():
        raise ValueError(f"vocabulary {path} is no file: give one with a word a line, or one of {', '.join(_FORMS)}")
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"vocabulary {path} is not UTF-8 ({error.reason} at byte {error.start}): save it as UTF-8"
        ) from None
    entries = []
    for number, line in enumerate(lines, 1):
        word, _, frequency = line.rstrip("\r").partition("\t")
        word = unicodedata.normalize("NFC", word.strip(" "))
        hidden = [c for c in word if unicodedata.category(c) in ("Cc", "Cn", "Co", "Cs")]
        if hidden:
            raise ValueError(
                f"vocabulary {path}, line {number}: U+{ord(hidden[0]):04X} is no printable character: remove it"
            )
        try:
            # Without frequencies the order is taken for Zipf's law.
            weight = float(frequency) if frequency else 1.0 / number
        except ValueError:
            weight = -1.0
        if not 0 <= weight < np.inf:
            raise ValueError(f"vocabulary {path}, line {number}: {frequency!r} is no frequency: write a number above 0")
        if word:
            entries.append((word, weight))
    return sorted(entries, key=lambda entry: -entry[1])
