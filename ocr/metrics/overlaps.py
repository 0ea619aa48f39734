"""How words and detections of a picture overlap, and the record that follows from what was matched."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ocr.metrics.detection import Picture, PictureRow, WordFate
from ocr.metrics.regions import Booleans, Regions, common_areas, pixel_boxes, regions, share
from ocr.metrics.score import Floats
from ocr.metrics.word_shape import word_shape


@dataclass(frozen=True, slots=True)
class Overlaps:
    """How the words (rows) and detections (columns) of one picture overlap: shares of areas, 0 where there is none.

    ``recall`` is the common share of the word, ``precision`` that of the detection; ``ignored`` marks words.
    """

    words: Regions
    boxes: Regions
    ignored: Booleans
    iou: Floats
    recall: Floats
    precision: Floats

    def swallowed(self, most: float) -> Booleans:
        """Which detections have more than a share of their area in one ignored word."""
        return np.asarray((self.precision[self.ignored] > most).any(axis=0))


def overlaps(picture: Picture, upright: bool = False, shoelace: bool = False) -> Overlaps:
    """Measure one picture.

    Args:
        picture: words and detections.
        upright: measure the pixels of the upright boxes around the polygons.
        shoelace: the areas of outlines that cross themselves, see :func:`~ocr.metrics.regions.regions`.

    Raises:
        ValueError: a polygon holds coordinates that are not finite numbers.
    """
    place = picture.key or "a picture"
    words, boxes = [w.polygon for w in picture.truth], [d.polygon for d in picture.found]
    if upright:
        words, boxes = pixel_boxes(words), pixel_boxes(boxes)
    return measured(
        picture,
        regions(words, f"{place}, ground truth", shoelace),
        regions(boxes, f"{place}, detections", shoelace),
    )


def measured(picture: Picture, words: Regions, boxes: Regions) -> Overlaps:
    """The overlaps of the regions of a picture's words and detections."""
    common = common_areas(words.shapes, boxes.shapes)
    union = words.areas[:, None] + boxes.areas[None, :] - common
    return Overlaps(
        words,
        boxes,
        np.array([w.ignore for w in picture.truth], bool),
        np.divide(common, union, out=np.zeros(common.shape), where=union > 0),
        share(common, words.areas, "rows"),
        share(common, boxes.areas, "columns"),
    )


def remeasured(picture: Picture, over: Overlaps, words: Regions, boxes: Regions) -> Overlaps:
    """The overlaps after something was cut off words or boxes; the old ones when nothing was."""
    return over if words is over.words and boxes is over.boxes else measured(picture, words, boxes)


def picture_row(
    picture: Picture,
    over: Overlaps,
    cared: Booleans,
    links: Booleans,
    credit: Floats,
    weight: Floats,
    precision_credit: float,
    cared_detections: float | None = None,
    overlapping: int = 0,
) -> PictureRow:
    """The record of a matched picture.

    Args:
        picture: what was compared.
        over: its overlaps.
        cared: which detections count.
        links: words x detections, what was matched with what.
        credit: per word, what it adds to recall's numerator.
        weight: per word, what it adds to the denominator.
        precision_credit: precision's numerator.
        cared_detections: its denominator; None: the number of detections that count.
        overlapping: characters found more than once.
    """
    wanted = picture.cared
    return PictureRow(
        key=picture.key,
        recall_credit=float(credit[wanted].sum()),
        cared_truth=float(weight[wanted].sum()),
        precision_credit=float(precision_credit),
        cared_detections=float(cared.sum() if cared_detections is None else cared_detections),
        words=_fates(picture, over, cared, links, credit, weight),
        false_alarms=np.flatnonzero(cared & ~links.any(axis=0)).tolist(),
        crossing=int(over.boxes.crossing.sum()),
        splits=int((links.sum(axis=1) > 1).sum()),
        merges=int((links.sum(axis=0) > 1).sum()),
        overlaps=overlapping,
    )


def _fates(
    picture: Picture, over: Overlaps, cared: Booleans, links: Booleans, credit: Floats, weight: Floats
) -> list[WordFate]:
    # what was matched, and where nothing was, the one that overlaps best
    iou, best = over.iou * cared, links.copy()
    lost = np.flatnonzero(~links.any(axis=1) & iou.any(axis=1))
    if len(lost):
        best[lost, iou[lost].argmax(axis=1)] = True
    best_iou = np.minimum((iou * best).max(axis=1, initial=0.0), 1.0).tolist()
    area_recall = np.minimum((over.recall * cared * best).sum(axis=1), 1.0).tolist()
    matched: list[list[int]] = [[] for _ in picture.truth]
    for t, d in np.argwhere(links).tolist():
        matched[t].append(d)
    fates = []
    for t in picture.cared:
        height, aspect, run = word_shape(picture.truth[t])
        fates.append(
            WordFate(
                text=picture.truth[t].text,
                height=height * picture.zoom,
                aspect=aspect,
                run=run,
                credit=float(credit[t]),
                weight=float(weight[t]),
                detections=matched[t],
                iou=best_iou[t],
                area_recall=area_recall[t],
            )
        )
    return fates
