"""From a cropped word to what the network sees.  Training, evaluation and reading all go through :func:`fit` and :func:`normalise`."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from ocr.recognition.codec import Codec
from ocr.types import Image, Word, WordBatch

Pixels = NDArray[np.uint8]
"""Height x width x channels."""


def fit(image: Pixels, height: int, width: int, channels: int, keep_ratio: bool = False) -> Pixels:
    """The picture at the network's size: (height, width, channels) uint8.

    An axis that shrinks is averaged (``INTER_AREA``), one that grows is interpolated with OpenCV's cubic kernel; published results
    were made with Pillow's bicubic filter, which differs by one or two grey levels on average.  Grey is OpenCV's luma.

    Args:
        image: H x W x 3 RGB or H x W grey, uint8.
        height, width: in pixels.
        channels: 1 (grey) or 3 (RGB).
        keep_ratio: scale to ``height`` with the aspect ratio kept, at most ``width`` wide, and repeat the last column; without it
            the picture is stretched.

    Raises:
        ValueError: the picture is empty, not uint8, or has neither one nor three channels.
    """
    image = _with_channels(image, channels)
    across = width
    if keep_ratio:
        across = min(width, max(1, math.ceil(height * image.shape[1] / image.shape[0])))
    image = _resized(image, height, across)
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


def _resized(image: Pixels, height: int, width: int) -> Pixels:
    shrunk = (min(height, image.shape[0]), min(width, image.shape[1]))
    if shrunk != image.shape[:2]:
        image = np.asarray(cv2.resize(image, shrunk[::-1], interpolation=cv2.INTER_AREA), np.uint8)
    if shrunk != (height, width):
        image = np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)
    return image


def collate_pixels(images: Sequence[Pixels]) -> torch.Tensor:
    """Pictures of one size as a batch: (B, C, H, W) uint8, stored with the channels last."""
    return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2)


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

    Args:
        codec: of the network; it decides which labels can be learnt.
        height, width, channels, keep_ratio: see :func:`fit`.
        augment: takes an RGB picture and a random generator and returns a picture, or None for pictures as they are.
    """

    def __init__(
        self,
        codec: Codec,
        height: int = 32,
        width: int = 100,
        channels: int = 1,
        keep_ratio: bool = False,
        augment: Callable[[Image, np.random.Generator], Image] | None = None,
    ) -> None:
        self.codec = codec
        self.height, self.width, self.channels, self.keep_ratio = height, width, channels, keep_ratio
        self.augment = augment

    def reject(self, text: str) -> str | None:
        """Why a label cannot be learnt, or None (:meth:`ocr.recognition.codec.Codec.reject`)."""
        return self.codec.reject(text)

    def train(self, word: Word, rng: np.random.Generator) -> TrainingWord:
        """The word's picture, augmented and at the network's size, with its text untouched."""
        image = word.image if self.augment is None else self.augment(word.image, rng)
        return TrainingWord(fit(image, self.height, self.width, self.channels, self.keep_ratio), word.text, word.key)

    def collate(self, items: Sequence[TrainingWord]) -> WordBatch:
        """Samples as one batch; the images stay uint8 until they are on the device."""
        return WordBatch(collate_pixels([i.pixels for i in items]), [i.text for i in items], [i.key for i in items])
