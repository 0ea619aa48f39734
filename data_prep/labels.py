"""What a label file says: its words, each with its place in the file, and what could not be understood."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from data_prep.samples import Unusable
from ocr.types import Points, SceneWord

IGNORED = "###"
"""The transcription of a region that neither trains nor counts."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Part of a label file that could not be read: where (``line 3``) and why."""

    where: str
    reason: str


@dataclass(slots=True)
class Labels:
    """Words of one picture; ``where[i]`` is the place of ``words[i]`` in the label file."""

    words: list[SceneWord] = field(default_factory=list)
    where: list[str] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)

    def add(self, word: SceneWord, where: str) -> None:
        """Add a word that was read at ``where``."""
        self.words.append(word)
        self.where.append(where)

    def fault(self, where: str, reason: str) -> None:
        """Note that the label at ``where`` was not understood."""
        self.faults.append(Fault(where, reason))


def lines_of(content: bytes) -> list[str]:
    """Lines of a UTF-8 label file, without byte order mark, carriage returns and empty lines at the end.

    Lines end at line feeds only: ``str.splitlines`` would also cut a transcription at U+0085 or U+2028.

    Raises:
        Unusable: the file is not UTF-8.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise Unusable("label file is not UTF-8", f"line {line}") from None
    return [line.removesuffix("\r") for line in text.rstrip("\r\n").split("\n")]


def labelled(polygon: Points, text: str | None, script: str = "Latin", ignore: bool = False) -> SceneWord:
    """A word with its transcription: ``###`` is one to ignore, an empty text a missing one."""
    ignore = ignore or text == IGNORED
    return SceneWord(polygon, None if text == IGNORED or not text else text, ignore=ignore, script=script)


def points(numbers: list[str]) -> Points:
    """Points from numbers x, y, x, y, ...

    Raises:
        ValueError: one of them is no number, or their count is odd.
    """
    with np.errstate(over="ignore"):
        return np.array([float(n) for n in numbers], np.float64).astype(np.float32).reshape(-1, 2)


def leading_numbers(fields: list[str]) -> int:
    """How many fields from the first on are finite numbers."""
    for count, text in enumerate(fields):
        try:
            finite = math.isfinite(float(text))
        except ValueError:
            return count
        if not finite:
            return count
    return len(fields)


def unquoted(text: str) -> str:
    r"""A text without the double quotes around it, its escaped quotes (``\"`` or ``""``) resolved."""
    if len(text) >= 2 and text[0] == text[-1] == '"':
        return text[1:-1].replace('\\"', '"').replace('""', '"')
    return text
