"""CRAFT's network (Baek et al., CVPR 2019, section 3.1 and figure 2): an encoder, a U-shaped merge and a small head.

With its VGG16-BN encoder, layer sizes and the names returned by :func:`published_names` are those of the weights the authors
released.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ocr.detection.backbones import VGG16BN, Backbone, ConvNorm, scaled

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


def normalise(images_BCHW: Tensor) -> Tensor:
    """uint8 RGB to float32 with ImageNet's mean and deviation, on the tensor's own device and in its memory layout."""
    scale = torch.tensor(IMAGENET_STD, device=images_BCHW.device).mul(255).reciprocal().view(1, 3, 1, 1)
    mean = torch.tensor(IMAGENET_MEAN, device=images_BCHW.device).mul(255).view(1, 3, 1, 1)
    return (images_BCHW.float() - mean) * scale


class UpMerge(nn.Module):
    """One step of the merge: 1x1 and 3x3 convolution over a concatenation (the paper's "UpConv block" before its upsampling)."""

    def __init__(self, inputs: int, middle: int, outputs: int) -> None:
        super().__init__()
        self.reduce = ConvNorm(inputs, middle, kernel=1)
        self.smooth = ConvNorm(middle, outputs)

    def forward(self, deep: Tensor, skip: Tensor) -> Tensor:
        """Upsample ``deep`` to the size of ``skip`` (bilinear, corners not aligned) where they differ, and merge."""
        if deep.shape[2:] != skip.shape[2:]:
            deep = F.interpolate(deep, size=skip.shape[2:], mode="bilinear", align_corners=False)
        x = F.relu(self.reduce(torch.cat([deep, skip], dim=1)), inplace=True)
        return F.relu(self.smooth(x), inplace=True)


class CRAFT(nn.Module):
    """Region and affinity scores of a picture at half its resolution.

    Args:
        width: multiplier on every layer's channels; 1.0 is the paper's network (20,770,466 parameters).
        backbone: the encoder, given the width; the paper's by default.
    """

    def __init__(self, width: float = 1.0, backbone: Callable[[float], Backbone] = VGG16BN) -> None:
        super().__init__()
        if not 0 < width <= 4:
            raise ValueError(
                f"CRAFT's width is {width}: give a multiplier above 0 and up to 4 (1.0 is the paper's size)"
            )
        self.encoder = backbone(width)
        half, quarter, eighth, sixteenth, context = self.encoder.channels
        merge = [scaled(c, width) for c in (512, 256, 256, 128, 128, 64, 64, 32)]
        self.merge1 = UpMerge(context + sixteenth, merge[0], merge[1])
        self.merge2 = UpMerge(merge[1] + eighth, merge[2], merge[3])
        self.merge3 = UpMerge(merge[3] + quarter, merge[4], merge[5])
        self.merge4 = UpMerge(merge[5] + half, merge[6], merge[7])
        head = [scaled(c, width) for c in (32, 32, 16, 16)]
        self.head1 = nn.Conv2d(merge[7], head[0], 3, padding=1)
        self.head2 = nn.Conv2d(head[0], head[1], 3, padding=1)
        self.head3 = nn.Conv2d(head[1], head[2], 3, padding=1)
        self.head4 = nn.Conv2d(head[2], head[3], 1)
        self.head5 = nn.Conv2d(head[3], 2, 1)
        self.feature_channels = merge[7]
        self.apply(_initialise)
        # scores begin near 0, which is right for most of a picture
        nn.init.normal_(self.head5.weight, std=0.01)

    def forward(self, images_BCHW: Tensor) -> tuple[Tensor, Tensor]:
        """Scores (B, 2, H/2, W/2), region then affinity, and the features (B, C, H/2, W/2) under them.

        ``images_BCHW`` are normalised (:func:`normalise`); H and W are multiples of 16.  Scores are float32 and not squashed:
        they are regressed towards [0, 1] and may leave it a little.

        Raises:
            ValueError: H or W is not a multiple of 16.
        """
        height, width = images_BCHW.shape[2:]
        if height % 16 or width % 16:
            raise ValueError(f"CRAFT got pictures of {height}x{width}: pad height and width to a multiple of 16 first")
        half, quarter, eighth, sixteenth, context = self.encoder(images_BCHW)
        x = self.merge1(context, sixteenth)
        x = self.merge2(x, eighth)
        x = self.merge3(x, quarter)
        feature = self.merge4(x, half)
        x = F.relu(self.head1(feature), inplace=True)
        x = F.relu(self.head2(x), inplace=True)
        x = F.relu(self.head3(x), inplace=True)
        x = F.relu(self.head4(x), inplace=True)
        return self.head5(x).float(), feature


def _initialise(module: nn.Module) -> None:
    # He et al. 2015.  The paper starts its encoder from ImageNet weights instead.
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        if module.bias is not None:
            nn.init.zeros_(module.bias)


_PUBLISHED_MODULES = {
    "encoder.conv1_1": ("basenet.slice1.0", "basenet.slice1.1"),
    "encoder.conv1_2": ("basenet.slice1.3", "basenet.slice1.4"),
    "encoder.conv2_1": ("basenet.slice1.7", "basenet.slice1.8"),
    "encoder.conv2_2": ("basenet.slice1.10", "basenet.slice1.11"),
    "encoder.conv3_1": ("basenet.slice2.14", "basenet.slice2.15"),
    "encoder.conv3_2": ("basenet.slice2.17", "basenet.slice2.18"),
    "encoder.conv3_3": ("basenet.slice3.20", "basenet.slice3.21"),
    "encoder.conv4_1": ("basenet.slice3.24", "basenet.slice3.25"),
    "encoder.conv4_2": ("basenet.slice3.27", "basenet.slice3.28"),
    "encoder.conv4_3": ("basenet.slice4.30", "basenet.slice4.31"),
    "encoder.conv5_1": ("basenet.slice4.34", "basenet.slice4.35"),
    "encoder.conv5_2": ("basenet.slice4.37", "basenet.slice4.38"),
    **{
        f"merge{i}.{ours}": (f"upconv{i}.conv.{conv}", f"upconv{i}.conv.{norm}")
        for i in (1, 2, 3, 4)
        for ours, conv, norm in (("reduce", 0, 1), ("smooth", 3, 4))
    },
}
_PUBLISHED_PLAIN = {
    "encoder.context1": "basenet.slice5.1",
    "encoder.context2": "basenet.slice5.2",
    **{f"head{i}": f"conv_cls.{2 * (i - 1)}" for i in (1, 2, 3, 4, 5)},
}


def published_names() -> dict[str, str]:
    """Our state-dict key to the key of the released checkpoint (without its ``module.`` prefix), all 154 entries."""
    names: dict[str, str] = {}
    for ours, (conv, norm) in _PUBLISHED_MODULES.items():
        names |= {f"{ours}.conv.{p}": f"{conv}.{p}" for p in ("weight", "bias")}
        parts = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
        names |= {f"{ours}.norm.{p}": f"{norm}.{p}" for p in parts}
    for ours, theirs in _PUBLISHED_PLAIN.items():
        names |= {f"{ours}.{p}": f"{theirs}.{p}" for p in ("weight", "bias")}
    return names
