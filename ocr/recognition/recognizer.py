"""The recogniser as it is deployed: pictures in, readings out.  Validation, evaluation and the reader all use it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Literal, get_args

import torch
from torch import nn

from ocr.recognition.four_stage import FourStage
from ocr.recognition.samples import Pixels, Tall, collate_pixels, fit, normalise, widths_of
from ocr.types import Image, Reading


class Recognizer:
    """Reads word crops of any size, on the device where the network is.

    Args:
        network: with its weights; only put into evaluation mode while it reads.
        keep_ratio, variable_width, tall: as in training (:func:`ocr.recognition.samples.fit`).
        batch_size: crops per forward pass.
        precision: ``fp32``, or ``bf16`` for autocast where the hardware has it.
    """

    def __init__(
        self,
        network: FourStage,
        keep_ratio: bool = False,
        batch_size: int = 128,
        precision: Literal["fp32", "bf16"] = "fp32",
        variable_width: bool = False,
        tall: Tall = "keep",
    ) -> None:
        if batch_size < 1:
            raise ValueError(f"batch_size is {batch_size}: give at least 1")
        if precision not in ("fp32", "bf16"):
            raise ValueError(f"precision is {precision!r}: give fp32 or bf16")
        self.network = network
        if tall not in get_args(Tall):
            raise ValueError(f"tall is {tall!r}: give {' or '.join(get_args(Tall))}")
        self.keep_ratio, self.batch_size, self.precision = keep_ratio, batch_size, precision
        self.variable_width, self.tall = variable_width, tall
        self.fit = partial(
            fit,
            height=network.height,
            width=network.width,
            channels=network.channels,
            keep_ratio=keep_ratio,
            variable_width=variable_width,
            tall=tall,
        )

    def read(self, images: Sequence[Image]) -> list[Reading]:
        """One reading per picture (H x W x 3 RGB or H x W grey, uint8, any size), in the order given."""
        pixels = [self.fit(image) for image in images]
        # neighbours in width share a batch, so that little of it is padding
        order = sorted(range(len(images)), key=lambda i: pixels[i].shape[1])
        readings: dict[int, Reading] = {}
        with _evaluating(self.network), torch.inference_mode():
            for start in range(0, len(order), self.batch_size):
                places = order[start : start + self.batch_size]
                readings |= zip(places, self._read_batch([pixels[i] for i in places]), strict=True)
        return [readings[i] for i in range(len(images))]

    def _read_batch(self, pixels: Sequence[Pixels]) -> list[Reading]:
        network = self.network
        device = next(network.parameters()).device
        images_BCHW = normalise(collate_pixels(pixels).to(device))
        widths_B = widths_of(pixels).to(device) if self.variable_width else None
        with torch.autocast(device.type, torch.bfloat16, enabled=self.precision == "bf16"):
            logits_BTK = network(images_BCHW, widths_B=widths_B)
        probabilities_BT, ids_BT = logits_BTK.float().softmax(2).max(2)
        return network.codec.decode(ids_BT.cpu().numpy(), probabilities_BT.cpu().numpy())


@contextmanager
def _evaluating(network: nn.Module) -> Iterator[None]:
    training = network.training
    network.eval()
    try:
        yield
    finally:
        network.train(training)
