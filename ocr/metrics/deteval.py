"""Detection scores by area recall and precision with splits and merges: DetEval, and Total-Text's variant of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import shapely

from ocr.metrics.detection import Picture, PictureProtocol, PictureRow
from ocr.metrics.overlaps import Overlaps, overlaps, picture_row
from ocr.metrics.regions import Booleans, Indices, Regions
from ocr.metrics.score import Floats

Boxes = Literal["upright", "polygon"]
"""Upright boxes in whole pixels around the polygons, or the polygons themselves."""


class Tally:
    """What was matched so far in one picture: links, each word's credit, and precision's numerator."""

    def __init__(self, over: Overlaps) -> None:
        self.links = np.zeros(over.iou.shape, bool)
        self.credit = np.zeros(len(over.words))
        self.precision = 0.0

    @property
    def free_words(self) -> Booleans:
        """Words that nothing was matched with."""
        return np.asarray(~self.links.any(axis=1))

    @property
    def free_boxes(self) -> Booleans:
        """Detections that nothing was matched with."""
        return np.asarray(~self.links.any(axis=0))

    def add(self, words: Indices, boxes: Indices, recall: float, precision: float) -> None:
        """Link words with detections: each word gains ``recall``, precision's numerator ``precision`` for each detection."""
        self.links[np.ix_(words, boxes)] = True
        self.credit[words] = recall
        self.precision += precision * len(boxes)


@dataclass(frozen=True)
class DetEval(PictureProtocol):
    """Matches one to one, one word to several detections (a split) and several words to one detection (a merge).

    A pair is good when at least ``area_recall`` of the word is inside the detection and at least ``area_precision`` of the
    detection inside the word.  One to one needs a pair that is good, is the only good one of either, overlaps nothing else that
    counts, and whose centres are closer than half the sum of the diagonals.  A split needs two overlapping detections; those
    with enough area precision must cover enough of the word together.  A merge needs two overlapped words; those with enough
    area recall must fill enough of the detection together.  A split or merge that leaves one partner counts as one to one.
    Detections with more than ``area_precision`` of their area in a word to ignore do not count.

    ``boxes=upright`` compares upright boxes in whole pixels and is the competition's own form; ``polygon`` does the same with the
    areas of polygons, which is ours.

    Source: C. Wolf and J.-M. Jolion, "Object count/area graphs for the evaluation of object detection and segmentation
    algorithms", 2006; constants, the overlap rule, unpunished merges and the pixel convention as in the ICDAR 2013 robust
    reading competition, focused scene text, task 2.1 evaluation (DetEval).

    Args:
        name: printed beside every number.
        version: raised whenever the same boxes could give another number.
        boxes: what is compared.
        area_recall: share of a word, in [0, 1].
        area_precision: share of a detection, in [0, 1].
        split_credit: of a split word, and of each of its detections, in [0, 1].
        merge_credit: of each merged word, and of their detection, in [0, 1].

    Raises:
        ValueError: a share is outside its range, or ``boxes`` is unknown.
    """

    boxes: Boxes = "upright"
    area_recall: float = 0.8
    area_precision: float = 0.4
    split_credit: float = 0.8
    merge_credit: float = 1.0

    def __post_init__(self) -> None:
        if self.boxes not in get_args(Boxes):
            raise ValueError(
                f"protocol {self.name}: boxes={self.boxes!r} is unknown; choose one of {', '.join(get_args(Boxes))}"
            )
        self._check_shares(
            area_recall=self.area_recall,
            area_precision=self.area_precision,
            split_credit=self.split_credit,
            merge_credit=self.merge_credit,
        )

    def match(self, picture: Picture) -> PictureRow:
        """Match one picture; see :meth:`~ocr.metrics.detection.PictureProtocol.match`."""
        over = overlaps(picture, upright=self.boxes == "upright")
        cared = ~over.swallowed(self.area_precision)
        tally = Tally(over)
        touching = (over.recall > 0) & ~over.ignored[:, None] & cared
        self._one_to_one(over, touching, tally)
        for t in np.flatnonzero(touching.sum(axis=1) >= 2).tolist():
            self._split(t, over, cared, tally)
        for d in np.flatnonzero(touching.sum(axis=0) >= 2).tolist():
            self._merge(d, over, tally)
        return picture_row(picture, over, cared, tally.links, tally.credit, np.ones(len(over.words)), tally.precision)

    def _one_to_one(self, over: Overlaps, touching: Booleans, tally: Tally) -> None:
        # ignored words and detections compete for "the only good one" too, as in the competition's script
        good = (over.recall >= self.area_recall) & (over.precision >= self.area_precision)
        alone = _only_one(good) & _only_one(touching)
        for t, d in np.argwhere(good & touching & alone).tolist():
            if _distance(over.words, t, over.boxes, d) < 1:
                tally.add(np.array([t]), np.array([d]), 1.0, 1.0)

    def _split(self, t: int, over: Overlaps, cared: Booleans, tally: Tally) -> None:
        if not tally.free_words[t]:
            return
        parts = np.flatnonzero(cared & tally.free_boxes & (over.precision[t] >= self.area_precision))
        if round(float(over.recall[t, parts].sum()), 4) >= self.area_recall:
            credit = 1.0 if len(parts) == 1 else self.split_credit
            tally.add(np.array([t]), parts, credit, credit)

    def _merge(self, d: int, over: Overlaps, tally: Tally) -> None:
        if not tally.free_boxes[d]:
            return
        parts = np.flatnonzero(~over.ignored & tally.free_words & (over.recall[:, d] >= self.area_recall))
        if round(float(over.precision[parts, d].sum()), 4) >= self.area_precision:
            credit = 1.0 if len(parts) == 1 else self.merge_credit
            tally.add(parts, np.array([d]), credit, credit)


@dataclass(frozen=True)
class TotalTextDetEval(PictureProtocol):
    """Total-Text's own form of DetEval, on polygons.

    Shares are rounded to two decimals before they are compared.  A word of which exactly one detection holds more than
    ``area_recall``, and which exactly one detection (not necessarily the same) lies in with more than ``area_precision``, is found,
    even by a detection that found another.  Splits and merges need two overlapping partners and have ``many_credit``; the words
    of a merge need ``area_precision`` as their area recall.  A detection does not count when its area in a word to ignore is more
    than ``ignore_overlap`` of its own area plus one.

    Source: C. K. Ch'ng and C. S. Chan, "Total-Text: toward orientation robustness in scene text detection", IJDAR 2020; rules
    and constants as in the data set's Python evaluation script with its polygon areas (not the raster ones).

    Args:
        name: printed beside every number.
        version: raised whenever the same boxes could give another number.
        area_recall: share of a word, in [0, 1].
        area_precision: share of a detection, in [0, 1].
        many_credit: of split and merged words and of their detections, in [0, 1].
        ignore_overlap: share of a detection's own area, in [0, 1].

    Raises:
        ValueError: a share is outside its range.
    """

    area_recall: float = 0.7
    area_precision: float = 0.6
    many_credit: float = 0.8
    ignore_overlap: float = 0.5

    def __post_init__(self) -> None:
        self._check_shares(
            area_recall=self.area_recall,
            area_precision=self.area_precision,
            many_credit=self.many_credit,
            ignore_overlap=self.ignore_overlap,
        )

    def match(self, picture: Picture) -> PictureRow:
        """Match one picture; see :meth:`~ocr.metrics.detection.PictureProtocol.match`."""
        over = overlaps(picture, shoelace=True)
        swallowed = over.precision * over.boxes.areas / (over.boxes.areas + 1)
        cared = np.asarray(~(swallowed[over.ignored] > self.ignore_overlap).any(axis=0))
        counts = ~over.ignored[:, None] & cared
        recall, precision = np.round(over.recall, 2) * counts, np.round(over.precision, 2) * counts
        tally = Tally(over)
        covering, filling = recall > self.area_recall, precision > self.area_precision
        for t in np.flatnonzero((covering.sum(axis=1) == 1) & (filling.sum(axis=1) == 1)).tolist():
            tally.add(np.array([t]), np.flatnonzero(covering[t]), 1.0, 1.0)
        for t in np.flatnonzero((recall > 0).sum(axis=1) >= 2).tolist():
            if tally.free_words[t]:
                parts = np.flatnonzero((precision[t] >= self.area_precision) & tally.free_boxes)
                if recall[t, parts].sum() >= self.area_recall:
                    self._add(tally, np.array([t]), parts)
        for d in np.flatnonzero((precision > 0).sum(axis=0) >= 2).tolist():
            if tally.free_boxes[d]:
                parts = np.flatnonzero((recall[:, d] >= self.area_precision) & tally.free_words)
                if self._fills(recall[parts, d], precision[parts, d]):
                    self._add(tally, parts, np.array([d]))
        return picture_row(picture, over, cared, tally.links, tally.credit, np.ones(len(over.words)), tally.precision)

    def _add(self, tally: Tally, words: Indices, boxes: Indices) -> None:
        credit = 1.0 if len(words) == len(boxes) == 1 else self.many_credit
        tally.add(words, boxes, credit, credit)

    def _fills(self, recall: Floats, precision: Floats) -> bool:
        """Whether words fill enough of a detection together; a single one must be covered as well as one found alone."""
        return bool(precision.sum() >= self.area_precision and (len(recall) > 1 or recall.sum() >= self.area_recall))


def _only_one(pairs: Booleans) -> Booleans:
    """Pairs whose word and whose detection are in no other."""
    return np.asarray((pairs.sum(axis=1) == 1)[:, None] & (pairs.sum(axis=0) == 1)[None, :])


def _distance(words: Regions, t: int, boxes: Regions, d: int) -> float:
    """Distance of the centres over the mean diagonal of the bounds."""
    a, b = words.shapes[t], boxes.shapes[d]
    diagonals = sum(float(np.hypot(x1 - x0, y1 - y0)) for x0, y0, x1, y1 in (a.bounds, b.bounds))
    return 2 * float(shapely.distance(shapely.centroid(a), shapely.centroid(b))) / diagonals
