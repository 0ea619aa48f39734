"""From a cropped word to pixels of the network's size, in NumPy and OpenCV.  Training, evaluation and reading all use it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
"""Height x width x channels."""

Tall = Literal["keep", "rotate"]
"""What becomes of a picture much higher than wide: it stays upright, or is turned a quarter counter-clockwise."""
TALL = 1.5
"""A picture higher than this many times its width is tall."""


def fit(
    image: Pixels,
    height: int,
    width: int,
    channels: int,
    keep_ratio: bool = False,
    variable_width: bool = False,
    tall: Tall = "keep",
) -> Pixels:
    """The picture at the network's size: (height, width, channels) uint8, or narrower with ``variable_width``.

    An axis that shrinks is averaged (``INTER_AREA``), one that grows is interpolated with OpenCV's cubic kernel; published results
    were made with Pillow's bicubic filter, which differs by one or two grey levels on average.  Grey is OpenCV's luma.

    Args:
        image: H x W x 3 RGB or H x W grey, uint8.
        height, width: in pixels.
        channels: 1 (grey) or 3 (RGB).
        keep_ratio: scale to ``height`` with the aspect ratio kept, at most ``width`` wide, and repeat the last column; without it
            the picture is stretched.
        variable_width: as ``keep_ratio``, but the picture keeps its own width, from half of ``height`` to ``width``; a narrower one
            repeats its last column.
        tall: ``rotate`` turns a picture higher than 1.5 times its width a quarter counter-clockwise, as is right for a line
            that runs down the picture; ``keep`` leaves it upright, as is right for stacked letters.

    Raises:
        ValueError: the picture is empty, not uint8, or has neither one nor three channels.
    """
    image = _with_channels(image, channels)
    if turns(image.shape, tall):
        image = np.ascontiguousarray(np.rot90(image))
    across = content_width(image.shape, height, width) if keep_ratio or variable_width else width
    image = resized(image, height, across)
    if variable_width:
        width = min(width, max(across, height // 2))
    if across < width:
        image = np.pad(image.reshape(height, across, channels), ((0, 0), (0, width - across), (0, 0)), mode="edge")
    return image.reshape(height, width, channels)


def turns(shape: tuple[int, ...], tall: Tall) -> bool:
    """Whether a picture of this shape (height, width, …) is turned a quarter counter-clockwise before it is read."""
    return tall == "rotate" and shape[0] > TALL * shape[1]


def content_width(shape: tuple[int, ...], height: int, width: int) -> int:
    """Width in pixels of a picture (height, width, …) scaled to ``height`` with its proportions kept, at most ``width``."""
    return min(width, max(1, math.ceil(height * shape[1] / shape[0])))


def _with_channels(image: Pixels, channels: int) -> Pixels:
    if (
        image.dtype != np.uint8
        or image.size == 0
        or not (image.ndim == 2 or (image.ndim == 3 and image.shape[2] in (1, 3)))
    ):
        raise ValueError(
            f"a word picture of shape {image.shape}, {image.dtype}: give H x W or H x W x 3, uint8, not empty"
        )
    colours = 1 if image.ndim == 2 else image.shape[2]
    if channels == colours:
        return image
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY if channels == 1 else cv2.COLOR_GRAY2RGB), np.uint8)


def resized(image: Pixels, height: int, width: int, out: Pixels | None = None) -> Pixels:
    """The picture at this size, in ``out`` where that is given."""
    high, wide = image.shape[:2]
    grows = high < height or wide < width
    if high > height or wide > width:
        size = (wide if wide < width else width, high if high < height else height)
        image = cv2.resize(image, size, None if grows else out, interpolation=cv2.INTER_AREA)
    if grows:
        return cv2.resize(image, (width, height), out, interpolation=cv2.INTER_CUBIC)
    if out is not None and (high, wide) == (height, width):
        out[:] = image
    return image


def stacked(images: Sequence[Pixels]) -> Pixels:
    """Pictures of one height as a batch: (B, H, W, C); narrow ones have zeros on the right."""
    height, _, channels = images[0].shape
    widths = [image.shape[1] for image in images]
    widest = max(widths)
    if min(widths) == widest:
        return np.concatenate(images).reshape(-1, height, widest, channels)
    batch_BHWC = np.zeros((len(images), height, widest, channels), np.uint8)
    for row, image, width in zip(batch_BHWC, images, widths, strict=True):
        row[:, :width] = image
    return batch_BHWC
