"""The recogniser as it is deployed: pictures in, readings out.  Validation, evaluation and the reader all use it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Literal

import torch
from torch import nn

from ocr.recognition.crops import CropReader
from ocr.recognition.fitting import Pixels, Tall
from ocr.recognition.four_stage import FourStage
from ocr.recognition.samples import collate_pixels, normalise, widths_of
from ocr.types import Image, Reading


class Recognizer(CropReader):
    """Reads word crops of any size, on the device where the network is.

    Args:
        network: with its weights; only put into evaluation mode while it reads.
        keep_ratio, variable_width, tall: as in training (:func:`ocr.recognition.fitting.fit`).
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
        super().__init__(
            network.height, network.width, network.channels, keep_ratio, variable_width, tall, batch_size=batch_size
        )
        if precision not in ("fp32", "bf16"):
            raise ValueError(f"precision is {precision!r}: give fp32 or bf16")
        self.network, self.precision = network, precision

    def read(self, images: Sequence[Image]) -> list[Reading]:
        """One reading per picture (H x W x 3 RGB or H x W grey, uint8, any size), in the order given."""
        with _evaluating(self.network), torch.inference_mode():
            return super().read(images)

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
