"""From a cropped word to what the network sees: training samples, batches and normalisation (sizes: :mod:`ocr.recognition.fitting`)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch

from ocr.recognition.codec import Codec
from ocr.recognition.fitting import Pixels, Tall, fit, resized, stacked
from ocr.types import Image, Word, WordBatch


def collate_pixels(images: Sequence[Pixels]) -> torch.Tensor:
    """Pictures of one height as a batch: (B, C, H, W) uint8, stored with the channels last; narrow ones have zeros on the right."""
    return torch.from_numpy(stacked(images)).permute(0, 3, 1, 2)


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
        height, width, channels, keep_ratio, variable_width, tall: see :func:`~ocr.recognition.fitting.fit`.
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
            resized(word.image, height, width, row_HW)
            texts.append(word.text)
            keys.append(word.key)
        return WordBatch(torch.from_numpy(batch_BHW).unsqueeze(1), texts, keys)

    def collate(self, items: Sequence[TrainingWord]) -> WordBatch:
        """Samples as one batch; the images stay uint8 until they are on the device.

        Those of variable width are sorted by it: a batch that is computed in pieces is padded less.
        """
        if self.variable_width:
            items = sorted(items, key=lambda item: item.pixels.shape[1])
        images = [i.pixels for i in items]
        widths_B = widths_of(images) if self.variable_width else None
        return WordBatch(collate_pixels(images), [i.text for i in items], [i.key for i in items], widths_B)
