"""Word crops in, readings out, whatever runs the network: fitting, batching and order, in NumPy alone."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import groupby
from typing import get_args

from ocr.recognition.fitting import Pixels, Tall, content_width, fit, turns
from ocr.types import Image, Reading


class CropReader(ABC):
    """Reads word crops of any size; what runs the network is a subclass's business.

    Args:
        height, width, channels: what the network takes, in pixels.
        keep_ratio, variable_width, tall: as in training (:func:`ocr.recognition.fitting.fit`).
        batch_size: crops per forward pass.

    Raises:
        ValueError: a setting is out of its range.
    """

    equal_widths = False
    """Whether only crops of one width may share a forward pass."""

    def __init__(
        self,
        height: int,
        width: int,
        channels: int,
        keep_ratio: bool = False,
        variable_width: bool = False,
        tall: Tall = "keep",
        batch_size: int = 128,
    ) -> None:
        if batch_size < 1:
            raise ValueError(f"batch_size is {batch_size}: give at least 1")
        if tall not in get_args(Tall):
            raise ValueError(f"tall is {tall!r}: give {' or '.join(get_args(Tall))}")
        self.keep_ratio, self.variable_width, self.tall = keep_ratio, variable_width, tall
        self.batch_size = batch_size
        self.height, self.width = height, width
        self.fit = partial(
            fit,
            height=height,
            width=width,
            channels=channels,
            keep_ratio=keep_ratio,
            variable_width=variable_width,
            tall=tall,
        )

    def read(self, images: Sequence[Image]) -> list[Reading]:
        """One reading per picture (H x W x 3 RGB or H x W grey, uint8, any size), in the order given."""
        pixels = [self.fit(image) for image in images]
        readings: dict[int, Reading] = {}
        for places in self._batches([p.shape[1] for p in pixels]):
            readings |= zip(places, self._read_batch([pixels[i] for i in places]), strict=True)
            widest = max(pixels[i].shape[1] for i in places)
            for i in places:
                readings[i].places = self._on_picture(readings[i].places, images[i].shape, widest)
        return [readings[i] for i in range(len(images))]

    def _on_picture(self, places: list[float], shape: tuple[int, ...], batch_width: int) -> list[float]:
        """Places on a batch's width as places on the picture (height, width, …) itself, without what it was padded with."""
        if not self.keep_ratio and not self.variable_width:
            return places
        seen = shape[1::-1] if turns(shape, self.tall) else shape
        factor = batch_width / content_width(seen, self.height, self.width)
        return [min(1.0, place * factor) for place in places]

    def _batches(self, widths: Sequence[int]) -> Iterator[list[int]]:
        """Neighbours in width share a batch, so that little of it is padding."""
        order = sorted(range(len(widths)), key=lambda i: widths[i])
        runs = (list(run) for _, run in groupby(order, lambda i: widths[i])) if self.equal_widths else [order]
        for run in runs:
            for start in range(0, len(run), self.batch_size):
                yield run[start : start + self.batch_size]

    @abstractmethod
    def _read_batch(self, pixels: Sequence[Pixels]) -> list[Reading]:
        """Readings of fitted pictures."""
