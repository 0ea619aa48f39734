"""TedEval: detection scored by instance matching and pseudo characters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely

from ocr.metrics.cleval import counted, without
from ocr.metrics.detection import Picture, PictureProtocol, PictureRow
from ocr.metrics.overlaps import Overlaps, overlaps, picture_row, remeasured
from ocr.metrics.pseudo_characters import pseudo_centres, word_length
from ocr.metrics.regions import Booleans, Indices, Regions, centres, inside
from ocr.metrics.score import Floats
from ocr.types import Points


@dataclass(frozen=True)
class TedEval(PictureProtocol):
    """Matches words and detections by area recall and precision, then counts pseudo characters.

    A pair is good when at least ``area_recall`` of the word is inside the detection and at least ``area_precision`` of the
    detection inside the word.  Pairs that are the only good ones of both, words split over several detections, and detections
    over several words are matched, none of which excludes another; a split or merge is refused when its parts turn by ``bend``
    degrees or more, as boxes of several lines do.  A matched word's recall is the share of its pseudo characters that lie in
    exactly one of its detections; a matched detection's precision the share of its words' characters that lie in it.

    Words that count are cut out of those to ignore, which are cut out of the detections; a detection that they filled to
    ``area_precision`` does not count.

    Where we depart from the public script: outlines of more than four points are scored as well, with the middle between their
    first and last point as the left end; a word without a known text has as many characters as its shape suggests (a word without
    characters is found when it is matched).

    Source: C. Y. Lee et al., "TedEval: a fair evaluation metric for scene text detectors", ICDAR 2019 workshop; details as in
    the public script.

    Args:
        name: printed beside every number.
        version: raised whenever the same boxes could give another number.
        area_recall: share of a word, in [0, 1].
        area_precision: share of a detection, in [0, 1].
        bend: degrees, in (0, 90].
        tall: boxes whose bounds are higher than this times their width are cut from bottom to top.

    Raises:
        ValueError: a number is outside its range.
    """

    area_recall: float = 0.4
    area_precision: float = 0.4
    bend: float = 45.0
    tall: float = 1.5

    def __post_init__(self) -> None:
        self._check_shares(area_recall=self.area_recall, area_precision=self.area_precision)
        if not 0 < self.bend <= 90 or self.tall <= 0:
            raise ValueError(f"protocol {self.name}: bend={self.bend} is an angle in (0, 90], tall={self.tall} above 0")

    def match(self, picture: Picture) -> PictureRow:
        """Match one picture; see :meth:`~ocr.metrics.detection.PictureProtocol.match`."""
        over = overlaps(picture, shoelace=True)
        over = remeasured(picture, over, without(over.words, over.ignored, ~over.ignored), over.boxes)
        cared = self._cared(over)
        over = remeasured(picture, over, over.words, _cut(over))
        links = self._links(picture, over, cared)
        owner, held = self._characters(picture, over.boxes)
        held &= links[owner]
        counts = counted(owner, held, len(links))
        lengths = np.bincount(owner, minlength=len(links))
        once = np.bincount(owner, held.sum(axis=1) == 1, minlength=len(links))
        credit = np.divide(once, lengths, out=np.ones(len(links)), where=lengths > 0) * links.any(axis=1)
        expected = (lengths[:, None] * links).sum(axis=0)
        share = np.divide(counts.sum(axis=0), expected, out=np.ones(len(expected)), where=expected > 0)
        precision = float((share * links.any(axis=0)).sum())
        return picture_row(picture, over, cared, links, credit, np.ones(len(links)), precision)

    def _cared(self, over: Overlaps) -> Booleans:
        """Detections that are not filled by words to ignore, one alone or those together that they cover."""
        recall, precision = over.recall[over.ignored], over.precision[over.ignored]
        together = (precision * (recall > self.area_recall)).sum(axis=0)
        filled = (together >= self.area_precision) | (precision > self.area_precision).any(axis=0)
        return np.asarray(~filled | ~over.ignored.any())

    def _links(self, picture: Picture, over: Overlaps, cared: Booleans) -> Booleans:
        counting = ~over.ignored[:, None] & cared
        recall, precision = over.recall, over.precision
        good = (recall >= self.area_recall) & (precision >= self.area_precision)
        links = good & counting & (good.sum(axis=1) == 1)[:, None] & (good.sum(axis=0) == 1)
        for t, d in np.argwhere(links).tolist():
            links[t, d] = _distance(picture, over, t, d) < 1
        ends = (_left_ends([w.polygon for w in picture.truth]), _left_ends([b.polygon for b in picture.found]))
        middles = (centres(over.words.outlines), centres(over.boxes.outlines))
        inner = counting & (precision >= self.area_precision)
        for t in np.flatnonzero(inner.sum(axis=1) >= 2).tolist():
            parts = np.flatnonzero(inner[t])
            if recall[t, parts].sum() >= self.area_recall and self._straight(ends[1][parts], middles[1][parts]):
                links[t, parts] = True
        outer = counting & (recall >= self.area_recall)
        for d in np.flatnonzero(outer.sum(axis=0) >= 2).tolist():
            parts = np.flatnonzero(outer[:, d])
            if precision[parts, d].sum() >= self.area_precision and self._straight(ends[0][parts], middles[0][parts]):
                links[parts, d] = True
        return np.asarray(links)

    def _straight(self, ends: Floats, middles: Floats) -> bool:
        """Whether no part's axis, seen from another part's middle, turns too far."""
        for i in range(len(ends)):
            others = np.delete(middles, i, axis=0)
            to_end, to_middle = ends[i] - others, middles[i] - others
            angle = np.degrees(np.arctan2(to_middle[:, 1], to_middle[:, 0]) - np.arctan2(to_end[:, 1], to_end[:, 0]))
            angle = np.where(angle < 0, angle + 360, angle)
            angle = np.where(angle > 180, 360 - angle, angle)
            if (np.minimum(angle, 180 - angle) >= self.bend).any():
                return False
        return True

    def _characters(self, picture: Picture, boxes: Regions) -> tuple[Indices, Booleans]:
        """The word of each pseudo character, and which characters (rows) lie in which detections (columns)."""
        points, owner = [np.zeros((0, 2))], [np.zeros(0, np.int64)]
        for t in picture.cared:
            word = picture.truth[t]
            flat = np.asarray(word.polygon, np.float64).reshape(-1, 2)
            width, height = np.ptp(flat, axis=0) if len(flat) else (0.0, 0.0)
            points.append(pseudo_centres(word.polygon, word_length(word), bool(width and height / width > self.tall)))
            owner.append(np.full(len(points[-1]), t))
        return np.concatenate(owner), inside(np.concatenate(points), boxes.shapes)


def _cut(over: Overlaps) -> Regions:
    """The detections without what words to ignore cover of them."""
    pairs = np.argwhere((over.recall > 0) & over.ignored[:, None])
    if not len(pairs):
        return over.boxes
    shapes = over.boxes.shapes.copy()
    for t, d in pairs.tolist():
        shapes[d] = shapely.difference(shapes[d], over.words.shapes[t])
    return over.boxes.with_shapes(shapes)


def _left_ends(polygons: Sequence[Points]) -> Floats:
    """The middles between first and last points, n x 2."""
    ends = [(p[0] + p[-1]) / 2 if len(p) else (0.0, 0.0) for p in polygons]
    return np.array(ends, np.float64).reshape(-1, 2)


def _distance(picture: Picture, over: Overlaps, t: int, d: int) -> float:
    """Distance of the centres over the mean diagonal of the outlines."""
    diagonals = _diagonal(picture.truth[t].polygon) + _diagonal(picture.found[d].polygon)
    middles = centres(np.array([over.words.shapes[t], over.boxes.shapes[d]]))
    return 2 * float(np.linalg.norm(middles[0] - middles[1])) / diagonals


def _diagonal(polygon: Points) -> float:
    """Mean diagonal of a quad; of any other outline that of its bounds."""
    p = np.asarray(polygon, np.float64)
    if len(p) == 4:
        return float(np.linalg.norm(p[0] - p[2]) + np.linalg.norm(p[1] - p[3])) / 2
    return float(np.linalg.norm(np.ptp(p, axis=0)))
