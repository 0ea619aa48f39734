"""Pictures in, words out, whatever runs the network: sizes, padding, windows and post-processing, in NumPy and OpenCV."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from ocr.detection.postprocess import Thresholds
from ocr.detection.score_maps import Maps
from ocr.detection.tiling import STRIDE, Tile, check_tiles, tiles
from ocr.detection.words import find_words
from ocr.types import Detection, Image


class ScoreMaps(NamedTuple):
    """Region and affinity map (2, h, w) of one picture, and map pixels per picture pixel along x and y."""

    maps_2hw: Maps
    scale: tuple[float, float]


class WordSearch(ABC):
    """Finds words with score maps; what makes the maps is a subclass's business.

    Args:
        thresholds: see :class:`~ocr.detection.postprocess.Thresholds`; a mapping with its fields is accepted, as a checkpoint
            holds one.
        long_side: pictures are resized so that their longer side has this many pixels, proportions kept (the paper's
            single scale; 960 for ICDAR 2013, 2240 for ICDAR 2015).
        max_enlargement: but never enlarged by more than this factor.
        batch_size: most pictures (or windows of large ones) in one forward; only those of the same padded size share one.
        polygons: curved words come with 14 points in place of their box's four (the paper's output for Total-Text and CTW-1500).
        line_gap: words join into lines over gaps of up to this many word heights, for sets labelled by lines; None: words stay.
        tile: larger pictures go through the network in overlapping windows of this many pixels square, so that memory does not
            grow with the picture; a multiple of 32, None: always whole.
        tile_margin: least distance of a score that counts from where its window was cut off, pixels.

    Raises:
        ValueError: a setting is out of its range.
    """

    def __init__(
        self,
        thresholds: Thresholds | Mapping[str, float] | None = None,
        long_side: int = 1280,
        max_enlargement: float = 1.5,
        batch_size: int = 4,
        polygons: bool = False,
        line_gap: float | None = None,
        tile: int | None = None,
        tile_margin: int = 160,
    ) -> None:
        if long_side < STRIDE:
            raise ValueError(f"the detector's long_side is {long_side}: give at least {STRIDE} pixels")
        self.thresholds = Thresholds(**thresholds) if isinstance(thresholds, Mapping) else thresholds or Thresholds()
        self.long_side = long_side
        self.max_enlargement = max_enlargement
        self.batch_size = batch_size
        self.polygons = polygons
        self.line_gap = line_gap
        check_tiles(tile, tile_margin)
        self.tile, self.tile_margin = tile, tile_margin

    def detect(self, images: Sequence[Image]) -> list[list[Detection]]:
        """Words of every picture (H x W x 3, uint8, RGB), in pixels of that picture."""
        return [
            find_words(stored.maps_2hw, self.thresholds, stored.scale, self.polygons, self.line_gap)
            for stored in self.score_maps(images)
        ]

    def score_maps(self, images: Sequence[Image]) -> list[ScoreMaps]:
        """Score maps of every picture, without the part that covers its padding."""
        resized = [self._resized(image) for image in images]
        maps = [np.empty((2, -(-image.shape[0] // 2), -(-image.shape[1] // 2)), np.float32) for image in resized]
        groups: dict[tuple[int, int], list[tuple[int, Tile]]] = {}
        for i, image in enumerate(resized):
            for tile in tiles(_padded_size(image), self.tile, self.tile_margin):
                groups.setdefault(tile.size, []).append((i, tile))
        for size, members in groups.items():
            for start in range(0, len(members), self.batch_size):
                chunk = members[start : start + self.batch_size]
                scores = self._scores(_padded([tile.cut(resized[i]) for i, tile in chunk], size))
                for (i, tile), part_2hw in zip(chunk, scores, strict=True):
                    tile.paste(part_2hw, maps[i])
        return [
            ScoreMaps(maps_2hw, (small.shape[1] / image.shape[1] / 2, small.shape[0] / image.shape[0] / 2))
            for maps_2hw, small, image in zip(maps, resized, images, strict=True)
        ]

    def zoom(self, height: int, width: int) -> float:
        """Pixels that the network sees per pixel of a picture of this size."""
        return min(self.long_side / max(height, width), self.max_enlargement)

    def _resized(self, image: Image) -> Image:
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.size:
            raise ValueError(
                f"the detector got an array of {image.dtype} {image.shape}: give height x width x 3 uint8 RGB"
            )
        height, width = image.shape[:2]
        scale = self.zoom(height, width)
        size = max(1, int(width * scale)), max(1, int(height * scale))
        return image if size == (width, height) else cv2.resize(image, size, interpolation=cv2.INTER_LINEAR)

    @abstractmethod
    def _scores(self, images_BHWC: NDArray[np.uint8]) -> Maps:
        """Region and affinity maps (B, 2, H/2, W/2) of RGB pictures whose sides are multiples of 32."""


def _padded(images: Sequence[Image], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Pictures as a batch of this size (height, width), black on the right and below, as the released code pads."""
    batch_BHWC = np.zeros((len(images), *size, 3), np.uint8)
    for row, image in zip(batch_BHWC, images, strict=True):
        row[: image.shape[0], : image.shape[1]] = image
    return batch_BHWC


def _padded_size(image: Image) -> tuple[int, int]:
    height, width = image.shape[:2]
    return -(-height // STRIDE) * STRIDE, -(-width // STRIDE) * STRIDE
