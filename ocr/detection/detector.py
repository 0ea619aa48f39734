"""The deployed detector: pictures in, words out.  Training validates, ``ocr evaluate`` scores and the reader reads with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ocr.detection.craft import normalise
from ocr.detection.postprocess import Thresholds
from ocr.detection.score_maps import Maps
from ocr.detection.search import WordSearch


class Detector(WordSearch):
    """Finds words with a CRAFT network.

    Args:
        network: maps normalised pictures (B, 3, H, W) to (scores (B, 2, H/2, W/2), features).
        precision: ``bf16`` runs the network under bfloat16 autocast; an autocast that is already on stays on.
        thresholds, long_side, max_enlargement, batch_size, polygons, line_gap, tile, tile_margin: see
            :class:`~ocr.detection.search.WordSearch`.
    """

    def __init__(
        self,
        network: nn.Module,
        thresholds: Thresholds | Mapping[str, float] | None = None,
        long_side: int = 1280,
        max_enlargement: float = 1.5,
        batch_size: int = 4,
        precision: Literal["fp32", "bf16"] = "fp32",
        polygons: bool = False,
        line_gap: float | None = None,
        tile: int | None = None,
        tile_margin: int = 160,
    ) -> None:
        super().__init__(
            thresholds, long_side, max_enlargement, batch_size, polygons, line_gap, tile, tile_margin=tile_margin
        )
        if precision not in ("fp32", "bf16"):
            raise ValueError(f"the detector's precision is {precision!r}: give fp32 or bf16")
        self.network = network.eval()
        self.precision = precision

    @torch.inference_mode()
    def _scores(self, images_BHWC: NDArray[np.uint8]) -> Maps:
        device = next(self.network.parameters()).device
        images_BCHW = torch.from_numpy(images_BHWC).to(device).permute(0, 3, 1, 2)
        with torch.autocast(
            device.type, torch.bfloat16, enabled=self.precision == "bf16" or torch.is_autocast_enabled(device.type)
        ):
            scores_B2hw, _ = self.network(normalise(images_BCHW))
        array: Maps = scores_B2hw.float().cpu().numpy()
        return array
