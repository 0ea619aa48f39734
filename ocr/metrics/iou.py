"""Detection scores by intersection over union, as the ICDAR 2015 and MLT competitions count them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import shapely
from numpy.typing import NDArray

from ocr.geometry import bounding_quad, side_lengths
from ocr.metrics.score import Floats, Interval, bootstrap, hmean, ratio, wilson
from ocr.types import Detection, Points, SceneWord, Score

HEIGHT_EDGES = (0.0, 8.0, 12.0, 20.0, 40.0, float("inf"))
"""Word heights in pixels between which recall is reported; a bin holds its lower edge."""


@dataclass(frozen=True, slots=True)
class WordMatch:
    """What became of one word that counts.

    ``iou`` and ``area_recall`` (the share of the word's area inside) belong to its match, or to the best overlapping
    detection that counts when there is none.  ``detection`` is the match's place in the list of detections.
    ``height`` is in pixels.
    """

    text: str | None
    height: float
    found: bool
    iou: float
    area_recall: float
    detection: int | None


@dataclass(frozen=True, slots=True)
class PictureRow:
    """One picture: how many words and detections counted, how many matched, and each word's fate.

    ``false_alarms`` are the places of detections that counted and matched nothing; ``set_aside`` counts the
    detections whose outline crosses itself or has no area.
    """

    key: str
    matches: int
    cared_truth: int
    cared_detections: int
    words: list[WordMatch]
    false_alarms: list[int]
    set_aside: int


@dataclass(frozen=True, slots=True)
class HeightBin:
    """Recall of the words between two heights (pixels, ``upper`` excluded)."""

    lower: float
    upper: float
    found: int
    n: int

    @property
    def label(self) -> str:
        """The bin in words, for example ``8-12 px``."""
        if not self.lower:
            return f"< {self.upper:g} px"
        return f"> {self.lower:g} px" if np.isinf(self.upper) else f"{self.lower:g}-{self.upper:g} px"

    @property
    def recall(self) -> float:
        """Share of these words that were found; 0 where there are none (see ``n``)."""
        return ratio(self.found, self.n)

    @property
    def interval(self) -> Interval | None:
        """The recall's 95 % Wilson interval; None where there are no words."""
        return wilson(self.found, self.n)


@dataclass(frozen=True)
class BoxProtocol:
    """One-to-one matching by intersection over union.  Calling it scores pictures.

    Words are taken in the order of the ground truth; each takes the first detection, in the order given, whose IoU
    exceeds ``iou`` and that no word has taken.  Words marked ``ignore`` do not count, and neither does a detection
    that has more than ``ignore_overlap`` of its own area inside one of them.  Counts are summed over all pictures
    before anything is divided.

    A detection whose outline crosses itself or has no area does not count, as in the public evaluators on shapely;
    the rows say how many there were.  Those evaluators drop such ground truth as well.  Here it counts: a
    self-crossing word stands for the even-odd region of its outline, and one without area stays missed.

    Source: ICDAR 2015 robust reading competition, incidental scene text, task 4.1 evaluation.

    Args:
        name: printed beside every number.
        version: raised whenever the same boxes could give another number.
        iou: a match needs more than this, in [0, 1).
        ignore_overlap: share of a detection's own area, in [0, 1).

    Raises:
        ValueError: a threshold is outside its range.
    """

    name: str
    version: str = "1"
    iou: float = 0.5
    ignore_overlap: float = 0.5

    def __post_init__(self) -> None:
        for field, value in (("iou", self.iou), ("ignore_overlap", self.ignore_overlap)):
            if not 0 <= value < 1:
                raise ValueError(f"protocol {self.name}: {field}={value} is outside [0, 1): give a share of an area")

    def row(self, found: Sequence[Detection], truth: Sequence[SceneWord], key: str = "") -> PictureRow:
        """Match one picture.

        Raises:
            ValueError: a polygon holds coordinates that are not finite numbers.
        """
        words = _repaired(_outlines([w.polygon for w in truth], f"{key or 'a picture'}, ground truth"))
        boxes = _outlines([d.polygon for d in found], f"{key or 'a picture'}, detections")
        simple = shapely.is_valid(boxes)
        boxes[~simple] = shapely.Polygon()
        word_area, box_area = shapely.area(words), shapely.area(boxes)
        common = _intersections(words, boxes)
        with np.errstate(divide="ignore", invalid="ignore"):
            iou = np.nan_to_num(common / (word_area[:, None] + box_area[None, :] - common))
            covered = np.nan_to_num(common / word_area[:, None])
            swallowed = np.nan_to_num(common / box_area[None, :])
        ignored = np.array([w.ignore for w in truth], bool)
        cared = simple & ~(swallowed[ignored] > self.ignore_overlap).any(axis=0)
        partner = _greedy(iou, ~ignored, cared, self.iou)
        return PictureRow(
            key=key,
            matches=len(partner),
            cared_truth=int((~ignored).sum()),
            cared_detections=int(cared.sum()),
            words=[
                _word_match(truth[t], partner.get(t), np.where(cared, iou[t], 0), covered[t])
                for t in np.flatnonzero(~ignored).tolist()
            ],
            false_alarms=sorted(set(np.flatnonzero(cared).tolist()) - set(partner.values())),
            set_aside=int((~simple).sum()),
        )

    def result(self, rows: Sequence[PictureRow]) -> BoxResult:
        """The scores of matched pictures.

        Raises:
            ValueError: there is no picture.
        """
        if not rows:
            raise ValueError(f"protocol {self.name}: there is no picture to score; is the set empty?")
        return BoxResult(self, list(rows))

    def __call__(
        self, pictures: Sequence[tuple[Sequence[Detection], Sequence[SceneWord]]], keys: Sequence[str] | None = None
    ) -> BoxResult:
        """Score pictures, each a pair (detections, ground truth); ``keys`` name them in the rows."""
        named = keys if keys is not None else [""] * len(pictures)
        return self.result([self.row(found, truth, key) for (found, truth), key in zip(pictures, named, strict=True)])


@dataclass(frozen=True)
class BoxResult:
    """Matched pictures and their sums.  Shares are in [0, 1], and 0 where there is nothing to divide by."""

    protocol: BoxProtocol
    rows: list[PictureRow]

    @property
    def matches(self) -> int:
        """Words found, over all pictures."""
        return sum(row.matches for row in self.rows)

    @property
    def cared_truth(self) -> int:
        """Words that count."""
        return sum(row.cared_truth for row in self.rows)

    @property
    def cared_detections(self) -> int:
        """Detections that count."""
        return sum(row.cared_detections for row in self.rows)

    @property
    def set_aside(self) -> int:
        """Detections that did not count because their outline crosses itself or has no area."""
        return sum(row.set_aside for row in self.rows)

    @property
    def recall(self) -> float:
        """Matches over words."""
        return ratio(self.matches, self.cared_truth)

    @property
    def precision(self) -> float:
        """Matches over detections."""
        return ratio(self.matches, self.cared_detections)

    @property
    def hmean(self) -> float:
        """Harmonic mean of recall and precision."""
        return hmean(self.recall, self.precision)

    @property
    def area_recall(self) -> float:
        """Mean share of a found word's area inside its box: shrunken boxes show here before they cost a match."""
        shares = [word.area_recall for row in self.rows for word in row.words if word.found]
        return float(np.mean(shares)) if shares else 0.0

    def by_height(self) -> list[HeightBin]:
        """Recall by word height, one entry for each interval of ``HEIGHT_EDGES``, empty ones included."""
        words = [word for row in self.rows for word in row.words]
        bins = []
        for lower, upper in pairwise(HEIGHT_EDGES):
            inside = [word.found for word in words if lower <= word.height < upper]
            bins.append(HeightBin(lower, upper, sum(inside), len(inside)))
        return bins

    def scores(self, set_name: str) -> list[Score]:
        """Recall and precision with Wilson intervals, H-mean with a bootstrap over pictures; see also :meth:`by_height`."""
        table = [[row.matches, row.cared_truth, row.cared_detections] for row in self.rows]
        spread = bootstrap(table, _hmean_of_sums) if self.cared_truth else None
        protocol = self.protocol.name
        low, high = spread or (None, None)
        return [
            _proportion(set_name, protocol, "recall", self.matches, self.cared_truth),
            _proportion(set_name, protocol, "precision", self.matches, self.cared_detections),
            Score(set_name, protocol, "hmean", self.hmean, self.cared_truth, low, high),
        ]


def word_height(word: SceneWord) -> float:
    """Height of a word's letters in pixels: across the reading direction, from the quad around its polygon."""
    polygon = np.asarray(word.polygon, np.float32)
    if len(polygon) < 3:
        return 0.0
    width, height = side_lengths(bounding_quad(polygon))
    return width if word.direction == "stacked" else height


def _proportion(set_name: str, protocol: str, metric: str, hits: int, n: int) -> Score:
    low, high = wilson(hits, n) or (None, None)
    return Score(set_name, protocol, metric, ratio(hits, n), n, low, high)


def _hmean_of_sums(sums: Floats) -> Floats:
    matches, sides = sums[:, 0], sums[:, 1] + sums[:, 2]
    return 2 * matches / np.maximum(sides, 1)


def _outlines(polygons: Sequence[Points], place: str) -> NDArray[np.object_]:
    """Shapely polygons, not necessarily valid; an outline of fewer than three points collapses to its first."""
    if not polygons:
        return np.empty(0, object)
    outlines = [_outline(polygon, f"{place}, polygon {i}") for i, polygon in enumerate(polygons)]
    owner = np.repeat(np.arange(len(outlines)), [len(o) for o in outlines])
    return shapely.polygons(shapely.linearrings(np.concatenate(outlines), indices=owner))


def _repaired(regions: NDArray[np.object_]) -> NDArray[np.object_]:
    """The even-odd region of every outline, without the lines and points that collapsed parts leave."""
    for i in np.flatnonzero(~shapely.is_valid(regions)):
        parts = shapely.get_parts(shapely.make_valid(regions[i]))
        regions[i] = shapely.union_all(parts[shapely.get_dimensions(parts) == 2])
    return regions


def _outline(polygon: Points, place: str) -> Floats:
    points = np.asarray(polygon, np.float64).reshape(-1, 2)
    if not np.isfinite(points).all():
        raise ValueError(
            f"{place}: {points.tolist()} holds coordinates that are not finite numbers; correct or remove it"
        )
    if len(points) < 3:
        return np.repeat(points[:1] if len(points) else np.zeros((1, 2)), 3, axis=0)
    return points


def _intersections(words: NDArray[np.object_], boxes: NDArray[np.object_]) -> Floats:
    """Intersection areas, words x boxes; only pairs whose bounds meet are computed."""
    common = np.zeros((len(words), len(boxes)))
    if common.size:
        a, b = shapely.bounds(words)[:, None], shapely.bounds(boxes)[None]
        t, d = np.nonzero((a[..., :2] < b[..., 2:]).all(-1) & (b[..., :2] < a[..., 2:]).all(-1))
        common[t, d] = shapely.area(shapely.intersection(words[t], boxes[d]))
    return common


def _greedy(iou: Floats, wanted: NDArray[np.bool_], cared: NDArray[np.bool_], threshold: float) -> dict[int, int]:
    """Word index -> detection index, first come first served."""
    partner: dict[int, int] = {}
    free = cared.copy()
    for t in np.flatnonzero(wanted & (iou > threshold).any(axis=1)).tolist():
        for d in np.flatnonzero((iou[t] > threshold) & free)[:1].tolist():
            partner[t] = d
            free[d] = False
    return partner


def _word_match(word: SceneWord, detection: int | None, iou: Floats, covered: Floats) -> WordMatch:
    best = detection if detection is not None else (int(iou.argmax()) if iou.any() else None)
    return WordMatch(
        text=word.text,
        height=word_height(word),
        found=detection is not None,
        iou=float(iou[best]) if best is not None else 0.0,
        area_recall=min(float(covered[best]), 1.0) if best is not None else 0.0,
        detection=detection,
    )
