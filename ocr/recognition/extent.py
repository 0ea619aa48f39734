"""How far each picture of a padded batch reaches, from the pixels to the columns that are read."""

from __future__ import annotations

import torch


class Extent:
    """The widths of the pictures in a batch, followed through the layers, so that padding changes no result.

    A layer that looks to the side is given maps whose columns beyond each picture's end are zero (:meth:`clear`), which is what
    its own padding puts there when the picture is alone; a layer that changes the width is told to :meth:`after`.  Only the
    statistics that batch normalisation gathers in training still count the padding.

    Args:
        widths_B: width of each picture in pixels (int64); None when all of them fill the batch, and then nothing is done.
    """

    def __init__(self, widths_B: torch.Tensor | None = None) -> None:
        self.widths_B = widths_B

    def clear(self, maps_BCHW: torch.Tensor) -> torch.Tensor:
        """The maps with zeros to the right of each picture's end."""
        beyond_BW = self.beyond(maps_BCHW.shape[3])
        if beyond_BW is None:
            return maps_BCHW
        # masked_fill would write the channels back in front, and every layer behind it would work on them there
        return maps_BCHW * (~beyond_BW)[:, None, None].to(maps_BCHW.dtype)

    def after(self, kernel: int, stride: int = 1, padding: int = 0) -> None:
        """Follow a convolution or pooling with these numbers along the width."""
        if self.widths_B is not None:
            self.widths_B = torch.div(self.widths_B + 2 * padding - kernel, stride, rounding_mode="floor") + 1

    def beyond(self, total: int) -> torch.Tensor | None:
        """True where a column lies beyond its picture's end, (B, ``total``); None when none does."""
        if self.widths_B is None:
            return None
        return torch.arange(total, device=self.widths_B.device) >= self.widths_B[:, None]
