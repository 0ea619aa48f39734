"""CRAFT's link refiner: a small network that draws the affinity of whole text lines over CRAFT's maps and features.

The paper (Baek et al., CVPR 2019, section 4.3) uses it for CTW-1500 only, whose labels are lines, and does not describe it; sizes
and names are those of the weights that the authors released (457,924 parameters at width 1).  CRAFT stays as it is, and the refined
affinity takes the place of its own.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ocr.detection.backbones import VGG16BN, Backbone, ConvNorm, scaled
from ocr.detection.craft import CRAFT

DILATIONS = (6, 12, 18, 24)


class DilatedBranch(nn.Module):
    """One look at the surroundings: a dilated and two pointwise convolutions down to one map."""

    def __init__(self, inputs: int, middle: int, dilation: int) -> None:
        super().__init__()
        self.wide = nn.Conv2d(inputs, middle, 3, padding=dilation, dilation=dilation)
        self.norm = nn.BatchNorm2d(middle)
        self.mix = ConvNorm(middle, middle, kernel=1)
        self.score = nn.Conv2d(middle, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, h, w) to (B, 1, h, w)."""
        x = F.relu(self.norm(self.wide(x)), inplace=True)
        out: Tensor = self.score(F.relu(self.mix(x), inplace=True))
        return out


class LinkRefiner(nn.Module):
    """Affinity of text lines from CRAFT's two maps and the features under them.

    Args:
        feature_channels: of CRAFT's features; 32 at the paper's size.
        width: multiplier on the refiner's own channels.
    """

    def __init__(self, feature_channels: int = 32, width: float = 1.0) -> None:
        super().__init__()
        if not 0 < width <= 4:
            raise ValueError(f"the link refiner's width is {width}: give a multiplier above 0 and up to 4")
        channels, middle = scaled(64, width), scaled(128, width)
        self.smooth1 = ConvNorm(2 + feature_channels, channels)
        self.smooth2 = ConvNorm(channels, channels)
        self.smooth3 = ConvNorm(channels, channels)
        self.branches = nn.ModuleList(DilatedBranch(channels, middle, dilation) for dilation in DILATIONS)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                # He et al. 2015, as the detector
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                assert module.bias is not None
                nn.init.zeros_(module.bias)

    def forward(self, scores_B2hw: Tensor, features_BChw: Tensor) -> Tensor:
        """Line affinity (B, 1, h, w) in float32, not squashed, of CRAFT's scores and features."""
        x = torch.cat([scores_B2hw.to(features_BChw.dtype), features_BChw], dim=1)
        for smooth in (self.smooth1, self.smooth2, self.smooth3):
            x = F.relu(smooth(x), inplace=True)
        maps = torch.stack([branch(x) for branch in self.branches])
        return maps.sum(0).float()


class RefinedCRAFT(CRAFT):
    """A frozen CRAFT with a link refiner on top, to be trained with text lines; start it from a trained CRAFT with ``init=``.

    Its names are CRAFT's, and ``refiner.…`` beside them.

    Args:
        width: CRAFT's multiplier.
        refiner_width: the refiner's.
        backbone: CRAFT's encoder, given the width.
    """

    def __init__(
        self, width: float = 1.0, refiner_width: float = 1.0, backbone: Callable[[float], Backbone] = VGG16BN
    ) -> None:
        super().__init__(width, backbone)
        self.requires_grad_(False)
        self.refiner = LinkRefiner(self.feature_channels, refiner_width)

    def train(self, mode: bool = True) -> RefinedCRAFT:
        """Switch the refiner alone: CRAFT's batch statistics stay those it was trained with."""
        super().train(False)
        self.training = mode
        self.refiner.train(mode)
        return self

    def forward(self, images_BCHW: Tensor) -> tuple[Tensor, Tensor]:
        """CRAFT's region score, the lines' affinity, and the features; see :meth:`CRAFT.forward`.

        In training the region score, which cannot change, is 0 and so takes no part in a loss against an empty map.
        """
        with torch.no_grad():
            scores_B2hw, feature = super().forward(images_BCHW)
        lines_B1hw = self.refiner(scores_B2hw, feature)
        region_B1hw = torch.zeros_like(lines_B1hw) if self.training else scores_B2hw[:, :1]
        return torch.cat([region_B1hw, lines_B1hw], dim=1), feature


def published_refiner_names() -> dict[str, str]:
    """Our state-dict key to that of the released refiner (without its ``module.`` prefix), all 85 entries."""
    norms = {f"smooth{i + 1}": (f"last_conv.{3 * i}", f"last_conv.{3 * i + 1}") for i in range(3)}
    names: dict[str, str] = {}
    for ours, (conv, norm) in norms.items():
        names |= _pair(f"{ours}.conv", conv) | _norm(f"{ours}.norm", norm)
    for i in range(len(DILATIONS)):
        ours, theirs = f"branches.{i}", f"aspp{i + 1}"
        names |= _pair(f"{ours}.wide", f"{theirs}.0") | _norm(f"{ours}.norm", f"{theirs}.1")
        names |= _pair(f"{ours}.mix.conv", f"{theirs}.3") | _norm(f"{ours}.mix.norm", f"{theirs}.4")
        names |= _pair(f"{ours}.score", f"{theirs}.6")
    return names


def _pair(ours: str, theirs: str) -> dict[str, str]:
    return {f"{ours}.{p}": f"{theirs}.{p}" for p in ("weight", "bias")}


def _norm(ours: str, theirs: str) -> dict[str, str]:
    statistics = ("running_mean", "running_var", "num_batches_tracked")
    return _pair(ours, theirs) | {f"{ours}.{p}": f"{theirs}.{p}" for p in statistics}
