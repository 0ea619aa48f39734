"""Detection scores by intersection over union, as the ICDAR 2015 and MLT competitions count them, for polygons as well."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from ocr.metrics.detection import Picture, PictureProtocol, PictureRow
from ocr.metrics.overlaps import Overlaps, overlaps, picture_row
from ocr.metrics.regions import Booleans

Crossing = Literal["drop", "clip"]


@dataclass(frozen=True)
class BoxProtocol(PictureProtocol):
    """One-to-one matching by intersection over union.

    Words are taken in the order of the ground truth; each takes the first detection, in the order given, whose IoU
    exceeds ``iou`` and that no word has taken.  Words marked ``ignore`` do not count, and neither does a detection
    that has more than ``ignore_overlap`` of its own area inside one of them.  Counts are summed over all pictures
    before anything is divided.

    Public evaluators differ in what a detection is whose outline crosses itself (the rows say how many there are):
    ``crossing=drop`` does not count it, nor one without area, as those on shapely; ``clip`` takes its even-odd region and its
    shoelace area, as the competitions' own scripts do.  Evaluators that drop detections drop such ground truth as well; here it
    counts, with the region that it encloses.

    Source: ICDAR 2015 robust reading competition, incidental scene text, task 4.1 evaluation; its form for polygons in
    Y. Liu et al., "Tightness-aware evaluation protocol for scene text detection", CVPR 2019.

    Args:
        name: printed beside every number.
        version: raised whenever the same boxes could give another number.
        iou: a match needs more than this, in [0, 1).
        ignore_overlap: share of a detection's own area, in [0, 1).
        crossing: what becomes of detections whose outline crosses itself.

    Raises:
        ValueError: a threshold is outside its range, or ``crossing`` is unknown.
    """

    iou: float = 0.5
    ignore_overlap: float = 0.5
    crossing: Crossing = "drop"

    def __post_init__(self) -> None:
        if self.crossing not in get_args(Crossing):
            raise ValueError(
                f"protocol {self.name}: crossing={self.crossing!r} is unknown; choose one of {', '.join(get_args(Crossing))}"
            )
        for field, value in (("iou", self.iou), ("ignore_overlap", self.ignore_overlap)):
            if not 0 <= value < 1:
                raise ValueError(f"protocol {self.name}: {field}={value} is outside [0, 1): give a share of an area")

    def match(self, picture: Picture) -> PictureRow:
        """Match one picture; see :meth:`~ocr.metrics.detection.PictureProtocol.match`."""
        over = overlaps(picture, shoelace=self.crossing == "clip")
        cared = ~over.swallowed(self.ignore_overlap)
        if self.crossing == "drop":
            cared &= ~over.boxes.crossing
        links = greedy_links(over, cared, self.iou)
        credit = np.asarray(links.any(axis=1), float)
        return picture_row(picture, over, cared, links, credit, np.ones(len(credit)), credit.sum())


def greedy_links(over: Overlaps, cared: Booleans, threshold: float) -> Booleans:
    """Words x detections: each word's partner, first come first served."""
    links = np.zeros(over.iou.shape, bool)
    close = (over.iou > threshold) & ~over.ignored[:, None] & cared
    for t in np.flatnonzero(close.any(axis=1)).tolist():
        partners = np.flatnonzero(close[t])[:1]
        links[t, partners] = True
        close[:, partners] = False
    return links
