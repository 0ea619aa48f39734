"""What every detection protocol keeps of a picture, and the scores it makes of that."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ocr.metrics.breakdown import ASPECT_EDGES, HEIGHT_EDGES, RUNS, Bin, Weighed, by_edges, by_names
from ocr.metrics.score import Floats, Interval, bootstrap, hmean, wilson
from ocr.metrics.word_shape import Run
from ocr.types import Detection, SceneWord, Score


@dataclass(frozen=True, slots=True)
class WordFate:
    """What became of one word that counts.

    ``credit`` out of ``weight`` is what it adds to recall.  ``detections`` are the places, in the list of detections, of what it
    was matched with.  ``area_recall`` is the share of its area inside those, or inside the detection that overlaps it best when
    there is none; ``iou`` is that of the best of them.  ``height`` is in pixels of the evaluated size.
    """

    text: str | None
    height: float
    aspect: float
    run: Run
    credit: float
    weight: float
    detections: list[int]
    iou: float
    area_recall: float

    @property
    def found(self) -> bool:
        """Whether it was found, were it only in part."""
        return self.credit > 0


@dataclass(frozen=True, slots=True)
class PictureRow:
    """One picture's part in every sum.

    Recall is the sum of ``recall_credit`` over that of ``cared_truth``, precision that of ``precision_credit`` over that of
    ``cared_detections``; whether these count words or characters is the protocol's business.  ``false_alarms`` are the places
    of detections that counted and matched nothing.  ``splits`` and ``merges`` count words found by several detections and
    detections that found several words, ``overlaps`` characters found more than once.  ``crossing`` counts detections whose
    outline crosses itself or has no area.
    """

    key: str
    recall_credit: float
    cared_truth: float
    precision_credit: float
    cared_detections: float
    words: list[WordFate]
    false_alarms: list[int]
    crossing: int = 0
    splits: int = 0
    merges: int = 0
    overlaps: int = 0

    @property
    def matches(self) -> int:
        """Words that were found, were it only in part."""
        return sum(word.found for word in self.words)


@dataclass(frozen=True, slots=True)
class Picture:
    """What a protocol compares.

    ``found`` are the detections in the order in which they compete, ``texts`` what was read in them (empty where nothing was);
    ``truth`` are all the picture's words, those to ignore included; ``key`` names the picture.  ``zoom`` is evaluated pixels per
    pixel of the polygons: word heights are reported at the evaluated size.
    """

    found: Sequence[Detection]
    truth: Sequence[SceneWord]
    key: str
    texts: Sequence[str]
    zoom: float

    @property
    def cared(self) -> list[int]:
        """Places of the words that count."""
        return [i for i, word in enumerate(self.truth) if not word.ignore]


@dataclass(frozen=True)
class PictureProtocol(ABC):
    """A way of scoring detections picture by picture.  Calling it scores pictures.

    Args:
        name: printed beside every number.
        version: raised whenever the same boxes could give another number.
    """

    name: str
    version: str = "1"

    @property
    def needs_texts(self) -> bool:
        """Whether detections must come with what was read in them."""
        return False

    @abstractmethod
    def match(self, picture: Picture) -> PictureRow:
        """Match one picture.

        Raises:
            ValueError: a polygon holds coordinates that are not finite numbers.
        """

    def row(
        self,
        found: Sequence[Detection],
        truth: Sequence[SceneWord],
        key: str = "",
        texts: Sequence[str] | None = None,
        zoom: float = 1.0,
    ) -> PictureRow:
        """Match one picture; for the arguments see :class:`Picture`.

        Raises:
            ValueError: a polygon holds coordinates that are not finite numbers, or texts are missing.
        """
        if texts is None and self.needs_texts:
            raise ValueError(f"protocol {self.name} compares what was read: give a text for every detection")
        if texts is not None and len(texts) != len(found):
            raise ValueError(f"{key or 'a picture'}: {len(found)} detections come with {len(texts)} texts")
        return self.match(Picture(found, truth, key, texts if texts is not None else [""] * len(found), zoom))

    def result(self, rows: Sequence[PictureRow]) -> DetectionResult:
        """The scores of matched pictures.

        Raises:
            ValueError: there is no picture.
        """
        if not rows:
            raise ValueError(f"protocol {self.name}: there is no picture to score; is the set empty?")
        return DetectionResult(self, list(rows))

    def __call__(
        self,
        pictures: Sequence[tuple[Sequence[Detection], Sequence[SceneWord]]],
        keys: Sequence[str] | None = None,
        texts: Sequence[Sequence[str]] | None = None,
    ) -> DetectionResult:
        """Score pictures, each a pair (detections, ground truth); ``keys`` name them, ``texts`` go with their detections."""
        named = keys if keys is not None else [""] * len(pictures)
        read = texts if texts is not None else [None] * len(pictures)
        return self.result(
            [self.row(found, truth, key, text) for (found, truth), key, text in zip(pictures, named, read, strict=True)]
        )

    def _check_shares(self, **shares: float) -> None:
        for field, value in shares.items():
            if not 0 <= value <= 1:
                raise ValueError(f"protocol {self.name}: {field}={value} is outside [0, 1]: give a share")


Statistic = Callable[[Floats], Floats]
"""Takes sums of a table's columns, (..., 4), and returns (...)."""


@dataclass(frozen=True)
class DetectionResult:
    """Matched pictures and their sums.  Shares are in [0, 1], and 0 where there is nothing to divide by."""

    protocol: PictureProtocol
    rows: list[PictureRow]

    @property
    def sums(self) -> Floats:
        """Recall's numerator and denominator, precision's numerator and denominator."""
        return self._table().sum(axis=0)

    @property
    def matches(self) -> int:
        """Words found, were it only in part, over all pictures."""
        return sum(row.matches for row in self.rows)

    @property
    def cared_truth(self) -> float:
        """Words (or characters) that count."""
        return float(self.sums[1])

    @property
    def cared_detections(self) -> float:
        """Detections (or characters found in them) that count."""
        return float(self.sums[3])

    @property
    def recall(self) -> float:
        """How much of the ground truth was found."""
        return float(_recall(self.sums))

    @property
    def precision(self) -> float:
        """How much of what was found is right."""
        return float(_precision(self.sums))

    @property
    def hmean(self) -> float:
        """Harmonic mean of recall and precision."""
        return hmean(self.recall, self.precision)

    @property
    def area_recall(self) -> float:
        """Mean share of a found word's area inside its boxes: shrunken boxes show here before they cost a match."""
        shares = [word.area_recall for word in self.words if word.found]
        return float(np.mean(shares)) if shares else 0.0

    @property
    def words(self) -> list[WordFate]:
        """The words that count, of all pictures."""
        return [word for row in self.rows for word in row.words]

    def by_height(self) -> list[Bin]:
        """Recall by letter height at the evaluated size, empty bins included."""
        words = [Weighed(w.height, w.credit, w.weight) for w in self.words]
        return by_edges("word height", "px", HEIGHT_EDGES, words)

    def breakdown(self) -> list[Bin]:
        """Recall by letter height, by length over height, and by direction; empty bins included."""
        return [
            *self.by_height(),
            *by_edges("aspect ratio", "", ASPECT_EDGES, [Weighed(w.aspect, w.credit, w.weight) for w in self.words]),
            *by_names("direction", RUNS, [Weighed(w.run, w.credit, w.weight) for w in self.words]),
        ]

    def scores(self, set_name: str) -> list[Score]:
        """Recall, precision and H-mean with 95 % intervals, and :attr:`area_recall`.

        Counts have Wilson intervals; where a word can be found in part, and for the H-mean, pictures are resampled, and for the
        area recall found words.
        """
        right, truth, good, boxes = self.sums
        whole = good <= boxes and all(w.weight == 1 and w.credit in (0, 1) for w in self.words)
        return [
            self._score(set_name, "recall", _recall, truth, wilson(int(right), int(truth)) if whole else None),
            self._score(set_name, "precision", _precision, boxes, wilson(int(good), int(boxes)) if whole else None),
            self._score(set_name, "hmean", _hmean, truth, None),
            self._area_recall_score(set_name),
        ]

    def _area_recall_score(self, set_name: str) -> Score:
        shares = [[word.area_recall, 1.0] for word in self.words if word.found]
        low, high = bootstrap(shares, lambda sums: sums[:, 0] / np.maximum(sums[:, 1], 1)) or (None, None)
        return Score(set_name, self.protocol.name, "area_recall", self.area_recall, len(shares), low, high)

    def _table(self) -> Floats:
        rows = [[r.recall_credit, r.cared_truth, r.precision_credit, r.cared_detections] for r in self.rows]
        return np.array(rows, np.float64)

    def _score(self, set_name: str, metric: str, statistic: Statistic, n: float, exact: Interval | None) -> Score:
        interval = exact or (bootstrap(self._table(), statistic) if n else None)
        low, high = interval or (None, None)
        return Score(set_name, self.protocol.name, metric, float(statistic(self.sums)), int(n), low, high)


def _recall(sums: Floats) -> Floats:
    return _share(sums[..., 0], sums[..., 1])


def _precision(sums: Floats) -> Floats:
    return _share(sums[..., 2], sums[..., 3])


def _hmean(sums: Floats) -> Floats:
    recall, precision = _recall(sums), _precision(sums)
    return _share(2 * recall * precision, recall + precision)


def _share(part: Floats, whole: Floats) -> Floats:
    return np.maximum(np.divide(part, whole, out=np.zeros(np.shape(part)), where=np.asarray(whole) > 0), 0.0)
