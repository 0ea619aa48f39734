"""Between texts and the class numbers of a prediction.  NumPy alone, so that reading needs no torch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ocr.charset import REPLACEMENT, Charset
from ocr.recognition.decode import Ids, Probabilities, best_path, until_end
from ocr.types import Reading


class Codec(ABC):
    """What the classes of a prediction mean.

    Args:
        charset: the characters; they follow the special tokens, in order.  Where it maps unknown characters, their class is the last.
        max_length: longest text, characters.
    """

    special: Sequence[str]
    """Names of the special tokens, which come first."""

    def __init__(self, charset: Charset, max_length: int) -> None:
        if max_length < 1:
            raise ValueError(f"max_length is {max_length}: give at least 1 character")
        self.charset = charset
        self.max_length = max_length
        maps = charset.policy == "map"
        self.readable = [*("" for _ in self.special), *charset.characters, *([REPLACEMENT] if maps else [])]
        self.tokens = [*self.special, *charset.characters, *(["[UNK]"] if maps else [])]

    @property
    def rule(self) -> str:
        """Everything that :meth:`reject` decides by, as one line: where it is the same, so is every decision."""
        steps = getattr(self, "time_steps", None)
        return f"{type(self).__name__} {self.charset.node()} max_length={self.max_length} time_steps={steps}"

    @property
    def classes(self) -> int:
        """Number of classes, special tokens included."""
        return len(self.readable)

    def reject(self, text: str) -> str | None:
        """Why this label cannot be learnt (``empty``, ``out of charset``, ``too long`` …), or None when it can.

        Raises:
            ValueError: a character is outside the charset, and ``charset.unknown`` is ``error``.
        """
        text = self.charset.normalise(text)
        if not text:
            return "empty"
        if self.charset.policy != "map" and (unknown := self.charset.unknown(text)):
            if self.charset.policy == "error":
                raise ValueError(
                    f"the label {text!r} holds {', '.join(map(repr, unknown[:3]))} outside the charset, and "
                    "charset.unknown=error: add what is missing to the charset, or choose drop or map"
                )
            return "out of charset"
        if len(text) > self.max_length:
            return "too long"
        return None

    def numbers(self, text: str) -> list[int]:
        """Classes of the characters of ``text``.

        Raises:
            ValueError: a character is outside the charset, or the text is too long.
        """
        text = self.charset.normalise(text)
        unknown = self.charset.unknown(text)
        if unknown and self.charset.policy != "map":
            raise ValueError(
                f"{text!r} holds {', '.join(map(repr, unknown[:3]))} outside the charset: filter labels by reject()"
            )
        if len(text) > self.max_length:
            raise ValueError(
                f"{text!r} has {len(text)} characters, max_length is {self.max_length}: filter labels by reject()"
            )
        last = len(self.charset)
        return [len(self.special) + self.charset.index.get(c, last) for c in text]

    @abstractmethod
    def encode(self, texts: Sequence[str]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Targets (B, longest), padded with 0, and their lengths (B,) in characters."""

    @abstractmethod
    def decode(self, ids_BT: Ids, probabilities_BT: Probabilities) -> list[Reading]:
        """Readings of the classes chosen at each step and their probabilities."""


class CTCCodec(Codec):
    """Class 0 is the blank; then the charset.

    Args:
        charset, max_length: see :class:`Codec`.
        time_steps: columns T that the network gives; a label needs one for each character and one between equal neighbours.
    """

    special = ("[blank]",)

    def __init__(self, charset: Charset, max_length: int, time_steps: int) -> None:
        super().__init__(charset, max_length)
        self.time_steps = time_steps

    def reject(self, text: str) -> str | None:
        """As :meth:`Codec.reject`, and ``CTC infeasible`` when no alignment with T columns exists."""
        reason = super().reject(text)
        if reason is None and steps_needed(self.charset.normalise(text)) > self.time_steps:
            return "CTC infeasible"
        return reason

    def encode(self, texts: Sequence[str]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Characters (B, longest), padded with the blank, and lengths (B,)."""
        rows = [self.numbers(text) for text in texts]
        return _padded(rows), np.array([len(row) for row in rows], np.int64)

    def decode(self, ids_BT: Ids, probabilities_BT: Probabilities) -> list[Reading]:
        """Best path of every row (:func:`ocr.recognition.decode.best_path`)."""
        return [best_path(ids, p, self.readable) for ids, p in zip(ids_BT, probabilities_BT, strict=True)]


class AttentionCodec(Codec):
    """Class 0 starts a text and pads it, class 1 ends it; then the charset."""

    special = ("[GO]", "[s]")
    end = 1

    def encode(self, texts: Sequence[str]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Rows [GO], characters, [s], padding: (B, longest + 2), and lengths (B,) in characters.

        All but the last column are the decoder's inputs, all but the first its targets.
        """
        rows = [self.numbers(text) for text in texts]
        return _padded([[0, *row, self.end] for row in rows]), np.array([len(row) for row in rows], np.int64)

    def decode(self, ids_BT: Ids, probabilities_BT: Probabilities) -> list[Reading]:
        """Text of every row up to its end (:func:`ocr.recognition.decode.until_end`)."""
        return [until_end(ids, p, self.readable, self.end) for ids, p in zip(ids_BT, probabilities_BT, strict=True)]


def steps_needed(text: str) -> int:
    """Time steps that CTC needs for ``text``: its length, and a blank between equal neighbours."""
    return len(text) + sum(a == b for a, b in pairwise(text))


def _padded(rows: list[list[int]]) -> NDArray[np.int64]:
    padded = np.zeros((len(rows), max((len(row) for row in rows), default=0)), np.int64)
    for target, row in zip(padded, rows, strict=True):
        target[: len(row)] = row
    return padded
