"""Windows over pictures that are too large for one forward, and which part of each window's maps counts.

Neighbouring windows overlap by at least two margins and are cut in the middle of their overlap, so every map pixel that counts is at
least a margin away from where its window was cut off.  With a margin of :data:`RECEPTIVE_RADIUS` the maps of the VGG16-BN network
are those of the whole picture; far less is enough in practice, because a unit's influence falls off quickly with distance.
"""

from __future__ import annotations

from itertools import pairwise, product
from typing import NamedTuple

import numpy as np

from ocr.detection.score_maps import Maps
from ocr.types import Image

STRIDE = 32
"""Sizes and places of windows are multiples of this many pixels."""
RECEPTIVE_RADIUS = 272
"""Pixels beyond which nothing changes a score of the VGG16-BN network (rounded up to a multiple of 16)."""


class Span(NamedTuple):
    """Along one axis: where a window lies and which part of it counts, pixels."""

    start: int
    stop: int
    first: int
    last: int


class Tile(NamedTuple):
    """A window of a padded picture."""

    rows: Span
    columns: Span

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of what the network sees, pixels."""
        return self.rows.stop - self.rows.start, self.columns.stop - self.columns.start

    def cut(self, image: Image) -> Image:
        """The window's part of the picture; smaller than ``size`` where the picture ends."""
        return image[self.rows.start : self.rows.stop, self.columns.start : self.columns.stop]

    def paste(self, maps_2hw: Maps, whole_2hw: Maps) -> None:
        """Write the part that counts of the window's half-resolution maps into those of the picture."""
        height, width = whole_2hw.shape[1:]
        (top, _, y0, y1), (left, _, x0, x1) = (np.array(span) // 2 for span in self)
        y1, x1 = min(y1, height), min(x1, width)
        whole_2hw[:, y0:y1, x0:x1] = maps_2hw[:, y0 - top : y1 - top, x0 - left : x1 - left]


def check_tiles(tile: int | None, margin: int) -> None:
    """Refuse windows that leave nothing between their margins.

    Raises:
        ValueError: one line.
    """
    if margin < 0:
        raise ValueError(f"the detector's tile margin is {margin}: give 0 pixels or more")
    if tile is not None and (tile % STRIDE or tile < 2 * margin + STRIDE):
        raise ValueError(
            f"the detector's tile is {tile} with a margin of {margin}: give a multiple of {STRIDE} from {2 * margin + STRIDE} on"
        )


def tiles(size: tuple[int, int], tile: int | None, margin: int) -> list[Tile]:
    """Windows of at most ``tile`` x ``tile`` pixels over a padded picture of ``size`` (height, width); None: one window over all.

    All windows of a picture are of one size, and what counts of them covers the picture once.
    """
    return [Tile(rows, columns) for rows, columns in product(*(_spans(length, tile, margin) for length in size))]


def _spans(length: int, tile: int | None, margin: int) -> list[Span]:
    if tile is None or length <= tile:
        return [Span(0, length, 0, length)]
    step = (tile - 2 * margin) // STRIDE * STRIDE
    starts = [*range(0, length - tile, step), length - tile]
    cuts = [0, *((a + tile + b) // 2 for a, b in pairwise(starts)), length]
    return [Span(start, start + tile, cuts[i], cuts[i + 1]) for i, start in enumerate(starts)]
