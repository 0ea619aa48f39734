"""Word accuracy, 1-NED and character error rate under a named folding, and what the confidence is worth.

A protocol says which differences between a label and a reading do not count.  Every label counts in n: one that the
folding empties, or that the model could never have written, is right or wrong like any other.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from rapidfuzz.distance import Levenshtein

from ocr.metrics.calibration import area_under_risk_coverage, expected_calibration_error
from ocr.metrics.score import Interval, bootstrap, picture_sums, wilson
from ocr.types import Reading, Score

Keep = Literal["ascii_alphanumeric", "alphanumeric", "all"]
"""Which characters count: 0-9 A-Z a-z; letters, marks and digits of any script; every character."""
_ASCII_ALPHANUMERIC = frozenset("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")


@dataclass(frozen=True, slots=True)
class WordRow:
    """One compared word.  ``ned`` is the similarity 1-NED of the folded texts; width, height in pixels (0: unknown).

    ``length`` counts the characters of the folded label.
    """

    key: str
    truth: str
    truth_folded: str
    prediction: str
    prediction_folded: str
    correct: bool
    ned: float
    confidence: float
    width: int
    height: int
    length: int


@dataclass(frozen=True)
class WordProtocol:
    """How labels and readings are folded before they are compared for equality.  Calling it scores pairs.

    Folding goes: Unicode normalisation (NFC, or NFKC when ``nfkc``), lower case, ``keep``, white space dropped, O
    read as 0.

    Args:
        name: printed beside every number.
        version: raised whenever the same rows could give another number.
        keep: which characters count on both sides.
        lower: whether case is ignored.
        nfkc: whether compatibility forms (full and half width, ligatures) count as equal.
        drop_space: whether white space is ignored.
        o_as_zero: whether the letter O and the digit 0 count as equal (number plates).

    Raises:
        ValueError: ``keep`` is none of the known classes.
    """

    name: str
    version: str = "1"
    keep: Keep = "all"
    lower: bool = False
    nfkc: bool = False
    drop_space: bool = False
    o_as_zero: bool = False

    def __post_init__(self) -> None:
        if self.keep not in get_args(Keep):
            raise ValueError(
                f"protocol {self.name}: keep={self.keep!r} is unknown; choose one of {', '.join(get_args(Keep))}"
            )

    def fold(self, text: str) -> str:
        """The part of a text that counts; folding twice changes nothing."""
        form: Literal["NFKC", "NFC"] = "NFKC" if self.nfkc else "NFC"
        text = unicodedata.normalize(form, text)
        if self.lower:
            text = text.lower()
        text = "".join(c for c in text if self._counts(c))
        if self.o_as_zero:
            text = text.replace("O", "0").replace("o", "0")
        return unicodedata.normalize(form, text)

    def _counts(self, character: str) -> bool:
        if self.drop_space and character.isspace():
            return False
        if self.keep == "ascii_alphanumeric":
            return character in _ASCII_ALPHANUMERIC
        return self.keep == "all" or unicodedata.category(character)[0] in "LMN"

    def row(self, truth: str, reading: Reading, key: str = "", width: int = 0, height: int = 0) -> WordRow:
        """Compare one label with one reading."""
        wanted, got = self.fold(truth), self.fold(reading.text)
        return WordRow(
            key=key,
            truth=truth,
            truth_folded=wanted,
            prediction=reading.text,
            prediction_folded=got,
            correct=wanted == got,
            ned=similarity(wanted, got),
            confidence=float(reading.confidence),
            width=width,
            height=height,
            length=len(wanted),
        )

    def result(self, rows: Sequence[WordRow]) -> WordResult:
        """The scores of compared words.

        Raises:
            ValueError: there is no word.
        """
        if not rows:
            raise ValueError(f"protocol {self.name}: there is no word to score; is the set empty?")
        return WordResult(self, list(rows))

    def __call__(self, pairs: Sequence[tuple[str, Reading]]) -> WordResult:
        """Score pairs of label and reading; raises ValueError when there are none."""
        return self.result([self.row(truth, reading) for truth, reading in pairs])


@dataclass(frozen=True)
class WordResult:
    """Compared words and their means in [0, 1]; ``ned`` is the mean of 1-NED.

    ``strata`` names, for every row, the list it comes from where several are scored together.
    """

    protocol: WordProtocol
    rows: list[WordRow]
    strata: Sequence[str] | None = None

    @property
    def n(self) -> int:
        """How many words were compared: all of them."""
        return len(self.rows)

    @property
    def word_accuracy(self) -> float:
        """The share of words whose folded texts are equal."""
        return sum(row.correct for row in self.rows) / self.n

    @property
    def ned(self) -> float:
        """The mean of 1-NED."""
        return float(np.mean([row.ned for row in self.rows]))

    @property
    def cer(self) -> float:
        """The character error rate: edits that turn all readings into their labels, over the labels' length; it may exceed 1.

        Raises:
            ZeroDivisionError: the folding empties all labels.
        """
        return sum(self._edits()) / sum(row.length for row in self.rows)

    def _edits(self) -> list[int]:
        return [Levenshtein.distance(row.truth_folded, row.prediction_folded) for row in self.rows]

    @property
    def empty(self) -> int:
        """How many labels the folding emptied; they count, and are right when the reading folds to nothing as well."""
        return sum(not row.truth_folded for row in self.rows)

    def scores(self, set_name: str) -> list[Score]:
        """Word accuracy, 1-NED and character error rate (unless no label holds any) with their bootstrap intervals; the confidence's
        calibration error and risk–coverage area.

        The bootstrap draws pictures, not words (:func:`ocr.metrics.score.picture_sums`), of every list of ``strata`` as many as
        it has.  Where all words are right, or all wrong, every draw is the same, and the accuracy has the Wilson interval.
        """
        accuracy = [float(row.correct) for row in self.rows]
        sure = [row.confidence for row in self.rows]
        scores = [
            self._score(set_name, "word_accuracy", self.word_accuracy, self._interval(accuracy, certain=True)),
            self._score(set_name, "1-NED", self.ned, self._interval([row.ned for row in self.rows])),
        ]
        lengths = [row.length for row in self.rows]
        if any(lengths):
            scores.append(self._score(set_name, "CER", self.cer, self._interval(self._edits(), weights=lengths)))
        return [
            *scores,
            self._score(set_name, "ECE", expected_calibration_error(sure, accuracy), None),
            self._score(set_name, "AURC", area_under_risk_coverage(sure, accuracy), None),
        ]

    def _interval(
        self, values: Sequence[float], certain: bool = False, weights: Sequence[float] | None = None
    ) -> Interval | None:
        if certain and sum(values) in (0, self.n):
            return wilson(int(sum(values)), self.n)
        units, strata = picture_sums([row.key for row in self.rows], values, self.strata, weights)
        return bootstrap(units, lambda sums: sums[:, 0] / np.maximum(sums[:, 1], 1), strata=strata)

    def _score(self, set_name: str, metric: str, value: float, interval: Interval | None) -> Score:
        low, high = interval or (None, None)
        return Score(set_name, self.protocol.name, metric, value, self.n, low, high)


def similarity(truth: str, prediction: str) -> float:
    """1-NED: one minus the edit distance over the length of the longer text, in [0, 1].

    Two empty texts are alike (1); an empty one against any other is not at all (0).

    Source: ICDAR 2019 robust reading challenges (ReCTS, LSVT), 1-N.E.D.; where both texts are empty the formula is
    silent, and the four-stage comparison's published code counts 0, which would call a right answer wrong.
    """
    return float(Levenshtein.normalized_similarity(truth, prediction))
