"""A feature extractor of mixing blocks: patches look at their neighbours first, and at the whole word later."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import nn

from ocr.recognition.extent import Extent
from ocr.recognition.stages import FeatureExtractor, he_initialise
from ocr.recognition.transformer import FAR, MultiHead, Perceptron, hidden_beyond, initialise, waves

REACH = (3, 5)
"""Rows and columns on each side that local mixing sees: a window of 7 x 11 patches."""
HEAD = 32
"""Features of a head."""


class MixingBlock(nn.Module):
    """One block: attention between the patches, local or global, then a perceptron for each."""

    def __init__(self, features: int, local: bool) -> None:
        super().__init__()
        self.local = local
        self.norm1, self.norm2 = nn.LayerNorm(features), nn.LayerNorm(features)
        self.mixing = MultiHead(features, max(1, features // HEAD))
        self.perceptron = Perceptron(features)

    def forward(self, x_BCHW: torch.Tensor, extent: Extent) -> torch.Tensor:
        """(B, features, H, W) -> the same."""
        height, width = x_BCHW.shape[2:]
        x_BNC = x_BCHW.flatten(2).transpose(1, 2)
        beyond_BW = extent.beyond(width)
        hidden = None if beyond_BW is None else hidden_beyond(beyond_BW.repeat(1, height))
        if self.local:
            window = _window(height, width, x_BCHW.device)
            hidden = window if hidden is None else (window + hidden).clamp(min=FAR)
        x_BNC = x_BNC + self.mixing(normed := self.norm1(x_BNC), normed, hidden)
        x_BNC = x_BNC + self.perceptron(self.norm2(x_BNC))
        return x_BNC.transpose(1, 2).unflatten(2, (height, width))


def _window(height: int, width: int, device: torch.device) -> torch.Tensor:
    """What to add to the scores (1, N, N) of ``height * width`` patches so that each sees its neighbourhood only."""
    rows = torch.arange(height, device=device).repeat_interleave(width)
    columns = torch.arange(width, device=device).repeat(height)
    far = ((rows[:, None] - rows).abs() > REACH[0]) | ((columns[:, None] - columns).abs() > REACH[1])
    return far[None].float() * FAR


class SVTR(FeatureExtractor):
    """The visual model of SVTR (Du et al., IJCAI 2022, section 3): overlapping patches, then three stages of mixing blocks.

    The first half of the blocks mixes locally, the rest globally; between the stages the height is halved.  As in the paper's
    variant of table 5 without rectification, it needs neither a sequence model nor attention behind it.

    Departs from it in four things: positions are waves, not learnt, so that any size can be read; layers are normalised before
    mixing; the last stage keeps its height, which the recogniser averages over; there is no dropout.

    Args:
        in_channels: of the images.
        channels: features of the last stage; the first has a quarter, the second half of them.  256 is the tiny model's.
        blocks: mixing blocks of the three stages.
    """

    title = "SVTR"

    def __init__(self, in_channels: int, channels: int = 256, blocks: Sequence[int] = (3, 6, 3)) -> None:
        super().__init__()
        if channels % 16 or (channels > 4 * HEAD and channels % (4 * HEAD)):
            raise ValueError(
                f"feat.channels is {channels}: give a multiple of 16 up to {4 * HEAD}, or of {4 * HEAD} (heads have {HEAD} features)"
            )
        if len(blocks) != 3 or min(blocks) < 1:
            raise ValueError(f"feat.blocks is {list(blocks)}: give three numbers from 1 on")
        self.out_channels = channels
        widths = (channels // 4, channels // 2, channels)
        self.patch1 = nn.Conv2d(in_channels, widths[0] // 2, 3, stride=2, padding=1, bias=False)
        self.patch1_norm = nn.BatchNorm2d(widths[0] // 2)
        self.patch2 = nn.Conv2d(widths[0] // 2, widths[0], 3, stride=2, padding=1, bias=False)
        self.patch2_norm = nn.BatchNorm2d(widths[0])
        self.merge1 = nn.Conv2d(widths[0], widths[1], 3, stride=(2, 1), padding=1)
        self.merge2 = nn.Conv2d(widths[1], widths[2], 3, stride=(2, 1), padding=1)
        self.norms = nn.ModuleList(nn.LayerNorm(width) for width in widths)
        local, self.stages = sum(blocks) // 2, nn.ModuleList()
        for width, count in zip(widths, blocks, strict=True):
            self.stages.append(nn.ModuleList(MixingBlock(width, local=i < local) for i in range(count)))
            local -= count

    def forward(self, images_BCHW: torch.Tensor, extent: Extent) -> torch.Tensor:
        """(B, C, H, W) -> (B, channels, H / 16, W / 4), rounded up."""
        x = F.gelu(self.patch1_norm(self.patch1(extent.clear(images_BCHW))))
        extent.after(3, 2, 1)
        x = F.gelu(self.patch2_norm(self.patch2(extent.clear(x))))
        extent.after(3, 2, 1)
        x = x + _places(x)
        for stage, norm, merge in zip(self.stages, self.norms, (self.merge1, self.merge2, None), strict=True):
            assert isinstance(stage, nn.ModuleList)
            for block in stage:
                x = block(x, extent)
            x = norm(x.movedim(1, 3)).movedim(3, 1)
            if merge is not None:
                x = merge(extent.clear(x))
        return x

    def initialise(self) -> None:
        """The convolutions of the patches as everywhere, the blocks as transformers are started."""
        initialise(self)
        for layer in (self.patch1, self.patch2):
            he_initialise(layer)


def _places(x_BCHW: torch.Tensor) -> torch.Tensor:
    """Waves over the rows in the first half of the features, over the columns in the second: (C, H, W)."""
    channels, height, width = x_BCHW.shape[1:]
    half = channels // 2
    rows = waves(torch.arange(height, device=x_BCHW.device), half)[:, None].expand(-1, width, -1)
    columns = waves(torch.arange(width, device=x_BCHW.device), half)[None].expand(height, -1, -1)
    return torch.cat([rows, columns], 2).movedim(2, 0).to(x_BCHW.dtype)
