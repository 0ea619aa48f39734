"""Detection scores by intersection over union, as the ICDAR 2015 and MLT competitions count them, for polygons as well."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ocr.metrics.detection import Picture, PictureProtocol, PictureRow
from ocr.metrics.overlaps import Overlaps, overlaps, picture_row
from ocr.metrics.regions import Booleans


@dataclass(frozen=True)
class BoxProtocol(PictureProtocol):
    """One-to-one matching by intersection over union.

    Words are taken in the order of the ground truth; each takes the first detection, in the order given, whose IoU
    exceeds ``iou`` and that no word has taken.  Words marked ``ignore`` do not count, and neither does a detection
    that has more than ``ignore_overlap`` of its own area inside one of them.  Counts are summed over all pictures
    before anything is divided.

    Areas of outlines that cross themselves are those of :class:`~ocr.metrics.regions.Regions`; the rows say how many there were.

    Source: ICDAR 2015 robust reading competition, incidental scene text, task 4.1 evaluation; its form for polygons in
    Y. Liu et al., "Tightness-aware evaluation protocol for scene text detection", CVPR 2019.

    Args:
        name: printed beside every number.
        version: raised whenever the same boxes could give another number.
        iou: a match needs more than this, in [0, 1).
        ignore_overlap: share of a detection's own area, in [0, 1).

    Raises:
        ValueError: a threshold is outside its range.
    """

    iou: float = 0.5
    ignore_overlap: float = 0.5

    def __post_init__(self) -> None:
        for field, value in (("iou", self.iou), ("ignore_overlap", self.ignore_overlap)):
            if not 0 <= value < 1:
                raise ValueError(f"protocol {self.name}: {field}={value} is outside [0, 1): give a share of an area")

    def match(self, picture: Picture) -> PictureRow:
        """Match one picture; see :meth:`~ocr.metrics.detection.PictureProtocol.match`."""
        over = overlaps(picture)
        cared = ~over.swallowed(self.ignore_overlap)
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
