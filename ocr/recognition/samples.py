"""From a cropped word to what the network sees.  Training, evaluation and reading all go through :func:`fit` and :func:`normalise`."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from ocr.recognition.codec import Codec
from ocr.types import Image, Word, WordBatch

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
    if tall == "rotate" and image.shape[0] > TALL * image.shape[1]:
        image = np.ascontiguousarray(np.rot90(image))
    across = width
    if keep_ratio or variable_width:
        across = min(width, max(1, math.ceil(height * image.shape[1] / image.shape[0])))
    image = _resized(image, height, across)
    if variable_width:
        width = min(width, max(across, height // 2))
    if across < width:
        image = np.pad(image.reshape(height, across, channels), ((0, 0), (0, width - across), (0, 0)), mode="edge")
    return image.reshape(height, width, channels)


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


def _resized(image: Pixels, height: int, width: int, out: Pixels | None = None) -> Pixels:
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


def collate_pixels(images: Sequence[Pixels]) -> torch.Tensor:
    """Pictures of one height as a batch: (B, C, H, W) uint8, stored with the channels last; narrow ones have zeros on the right."""
    height, _, channels = images[0].shape
    widths = [image.shape[1] for image in images]
    widest = max(widths)
    if min(widths) == widest:
        return torch.from_numpy(np.concatenate(images).reshape(-1, height, widest, channels)).permute(0, 3, 1, 2)
    batch_BHWC = np.zeros((len(images), height, widest, channels), np.uint8)
    for row, image, width in zip(batch_BHWC, images, widths, strict=True):
        row[:, :width] = image
    return torch.from_numpy(batch_BHWC).permute(0, 3, 1, 2)


def widths_of(images: Sequence[Pixels]) -> torch.Tensor:
    """Their widths in pixels, (B,) int64."""
    return torch.tensor([image.shape[1] for image in images])


def normalise(images_BCHW: torch.Tensor) -> torch.Tensor:
    """uint8 -> float32 in [-1, 1], on the device where the images are."""
    return images_BCHW.float().mul_(2 / 255).sub_(1)


@dataclass(slots=True)
class TrainingWord:
    """A word ready for a batch: its picture at the network's size, its text, its key."""

    pixels: Pixels
    text: str
    key: str


class WordEncoder:
    """Turns words into training samples, in a worker; a pure function of (word, rng).

    Without augmentation a grey network's words are asked for in grey (``grey``), which is decoded straight from a JPEG, and no
    generator is made (``chance``).

    Args:
        codec: of the network; it decides which labels can be learnt.
        height, width, channels, keep_ratio, variable_width, tall: see :func:`fit`.
        augment: takes an RGB picture and a random generator and returns a picture, or None for pictures as they are.
    """

    def __init__(
        self,
        codec: Codec,
        height: int = 32,
        width: int = 100,
        channels: int = 1,
        keep_ratio: bool = False,
        variable_width: bool = False,
        tall: Tall = "keep",
        augment: Callable[[Image, np.random.Generator], Image] | None = None,
    ) -> None:
        self.codec = codec
        self.variable_width = variable_width
        self.fit = partial(
            fit,
            height=height,
            width=width,
            channels=channels,
            keep_ratio=keep_ratio,
            variable_width=variable_width,
            tall=tall,
        )
        self.augment = augment
        self.chance = augment is not None
        self.grey = channels == 1 and augment is None
        self.stretched = not keep_ratio and not variable_width and tall == "keep"
        self.size = (height, width)

    @property
    def rule(self) -> str:
        """What :meth:`reject` decides by (:attr:`ocr.recognition.codec.Codec.rule`)."""
        return self.codec.rule

    def reject(self, text: str) -> str | None:
        """Why a label cannot be learnt, or None (:meth:`ocr.recognition.codec.Codec.reject`)."""
        return self.codec.reject(text)

    def train(self, word: Word, rng: np.random.Generator | None) -> TrainingWord:
        """The word's picture, augmented and at the network's size, with its text untouched."""
        image = word.image
        if self.augment is not None:
            assert rng is not None
            image = self.augment(image, rng)
        return TrainingWord(self.fit(image), word.text, word.key)

    def gather(self, words: Iterable[Word], count: int) -> WordBatch:
        """:meth:`train` and :meth:`collate` in one for ``count`` grey words: each is stretched into its place in the batch."""
        if not self.stretched:
            return self.collate([self.train(word, None) for word in words])
        (height, width), texts, keys = self.size, [], []
        batch_BHW = np.empty((count, height, width), np.uint8)
        for row_HW, word in zip(batch_BHW, words, strict=True):
            _resized(word.image, height, width, row_HW)
            texts.append(word.text)
            keys.append(word.key)
        return WordBatch(torch.from_numpy(batch_BHW).unsqueeze(1), texts, keys)

    def collate(self, items: Sequence[TrainingWord]) -> WordBatch:
        """Samples as one batch; the images stay uint8 until they are on the device."""
        images = [i.pixels for i in items]
        widths_B = widths_of(images) if self.variable_width else None
        return WordBatch(collate_pixels(images), [i.text for i in items], [i.key for i in items], widths_B)
