"""Encoders for CRAFT: the paper's VGG16-BN, a ResNet and a light one of inverted residuals.

All give features at the same five places, so the U-shaped merge is the same.  As in the paper's encoder the deepest stride is 16:
where the originals halve the resolution a last time, the stage is dilated by 2 instead.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor, nn
from torch.nn import functional as F


def scaled(channels: int, width: float) -> int:
    """Channels of a layer under a width multiplier: a multiple of 8, never fewer than 16."""
    return max(16, round(channels * width / 8) * 8)


class ConvNorm(nn.Module):
    """Convolution and batch normalisation, without activation.  The convolution has a bias because the released weights do."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 3) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2)
        self.norm = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) to (B, outputs, H, W)."""
        out: Tensor = self.norm(self.conv(x))
        return out


class Backbone(nn.Module, ABC):
    """What CRAFT's merge needs of an encoder.

    ``channels`` are those of the five outputs of :meth:`forward`, finest first.
    """

    channels: tuple[int, int, int, int, int]

    @abstractmethod
    def forward(self, images_BCHW: Tensor) -> list[Tensor]:
        """Features at 1/2, 1/4, 1/8, 1/16 and, with more context, again 1/16 of the input's size (H and W multiples of 16)."""


class VGG16BN(Backbone):
    """The paper's: VGG16 with batch normalisation (Simonyan and Zisserman, 2015) up to conv5_2, and a dilated context block.

    Two things in the released weights are easy to miss and are kept here:

    * the skips from 1/2, 1/4 and 1/8 resolution are rectified, the skip from 1/16 is not, and neither is the context block
      (the released code gets this from in-place ReLUs at the start of the stage that follows);
    * the deepest stride is 16: the last pooling has stride 1 and its convolution is dilated by 6.
    """

    def __init__(self, width: float = 1.0) -> None:
        super().__init__()
        c1, c2, c3, c4, c5 = (scaled(c, width) for c in (64, 128, 256, 512, 1024))
        self.conv1_1 = ConvNorm(3, c1)
        self.conv1_2 = ConvNorm(c1, c1)
        self.conv2_1 = ConvNorm(c1, c2)
        self.conv2_2 = ConvNorm(c2, c2)
        self.conv3_1 = ConvNorm(c2, c3)
        self.conv3_2 = ConvNorm(c3, c3)
        self.conv3_3 = ConvNorm(c3, c3)
        self.conv4_1 = ConvNorm(c3, c4)
        self.conv4_2 = ConvNorm(c4, c4)
        self.conv4_3 = ConvNorm(c4, c4)
        self.conv5_1 = ConvNorm(c4, c4)
        self.conv5_2 = ConvNorm(c4, c4)
        self.context1 = nn.Conv2d(c4, c5, 3, padding=6, dilation=6)
        self.context2 = nn.Conv2d(c5, c5, 1)
        self.channels = (c2, c3, c4, c4, c5)

    def forward(self, images_BCHW: Tensor) -> list[Tensor]:
        """See :class:`Backbone`."""
        x = F.relu(self.conv1_1(images_BCHW), inplace=True)
        x = F.relu(self.conv1_2(x), inplace=True)
        x = F.relu(self.conv2_1(F.max_pool2d(x, 2)), inplace=True)
        half = F.relu(self.conv2_2(x), inplace=True)
        x = F.relu(self.conv3_1(F.max_pool2d(half, 2)), inplace=True)
        quarter = F.relu(self.conv3_2(x), inplace=True)
        x = F.relu(self.conv3_3(quarter), inplace=True)
        x = F.relu(self.conv4_1(F.max_pool2d(x, 2)), inplace=True)
        eighth = F.relu(self.conv4_2(x), inplace=True)
        x = F.relu(self.conv4_3(eighth), inplace=True)
        x = F.relu(self.conv5_1(F.max_pool2d(x, 2)), inplace=True)
        sixteenth = self.conv5_2(x)
        context = self.context2(self.context1(F.max_pool2d(sixteenth, 3, stride=1, padding=1)))
        return [half, quarter, eighth, sixteenth, context]


class BasicBlock(nn.Module):
    """Two 3x3 convolutions around a shortcut (He et al., CVPR 2016, figure 2)."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1, dilation: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, padding=dilation, dilation=dilation, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=dilation, dilation=dilation, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.downsample = (
            nn.Identity()
            if stride == 1 and inputs == outputs
            else nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) to (B, outputs, H / stride, W / stride)."""
        inner = F.relu(self.bn1(self.conv1(x)), inplace=True)
        return F.relu(self.bn2(self.conv2(inner)) + self.downsample(x), inplace=True)


class ResNet(Backbone):
    """ResNet of basic blocks (He et al., CVPR 2016, table 1); its layers have torchvision's names, so those weights load.

    The skip at 1/2 is the stem before its pooling; the last stage stays at 1/16 and is dilated by 2.

    Args:
        width: multiplier on every layer's channels.
        depth: 18 or 34.
    """

    def __init__(self, width: float = 1.0, depth: int = 34) -> None:
        super().__init__()
        blocks = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3)}
        if depth not in blocks:
            raise ValueError(f"a ResNet of depth {depth}: choose 18 or 34, which are made of basic blocks")
        c1, c2, c3, c4 = (scaled(c, width) for c in (64, 128, 256, 512))
        n1, n2, n3, n4 = blocks[depth]
        self.conv1 = nn.Conv2d(3, c1, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(c1)
        self.layer1 = _stage(c1, c1, n1)
        self.layer2 = _stage(c1, c2, n2, stride=2)
        self.layer3 = _stage(c2, c3, n3, stride=2)
        self.layer4 = _stage(c3, c4, n4, dilation=2)
        self.channels = (c1, c1, c2, c3, c4)

    def forward(self, images_BCHW: Tensor) -> list[Tensor]:
        """See :class:`Backbone`."""
        half = F.relu(self.bn1(self.conv1(images_BCHW)), inplace=True)
        quarter = self.layer1(F.max_pool2d(half, 3, stride=2, padding=1))
        eighth = self.layer2(quarter)
        sixteenth = self.layer3(eighth)
        return [half, quarter, eighth, sixteenth, self.layer4(sixteenth)]


def _stage(inputs: int, outputs: int, count: int, stride: int = 1, dilation: int = 1) -> nn.Sequential:
    first = BasicBlock(inputs, outputs, stride, dilation)
    return nn.Sequential(first, *(BasicBlock(outputs, outputs, 1, dilation) for _ in range(count - 1)))


class InvertedResidual(nn.Sequential):
    """Widen by ``expansion``, filter each channel alone, narrow without activation (Sandler et al., CVPR 2018, section 3.3)."""

    def __init__(self, inputs: int, outputs: int, expansion: int, stride: int = 1, dilation: int = 1) -> None:
        middle = inputs * expansion
        widen = [nn.Conv2d(inputs, middle, 1, bias=False), nn.BatchNorm2d(middle), nn.ReLU6(inplace=True)]
        super().__init__(
            *(widen if expansion > 1 else []),
            nn.Conv2d(middle, middle, 3, stride, padding=dilation, dilation=dilation, groups=middle, bias=False),
            nn.BatchNorm2d(middle),
            nn.ReLU6(inplace=True),
            nn.Conv2d(middle, outputs, 1, bias=False),
            nn.BatchNorm2d(outputs),
        )
        self.shortcut = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) to (B, outputs, H / stride, W / stride)."""
        inner: Tensor = super().forward(x)
        return x + inner if self.shortcut else inner


class MobileNetV2(Backbone):
    """The light one: MobileNetV2 (Sandler et al., CVPR 2018, table 2) without its last 1x1 convolution.

    Its last stride of 2 becomes a dilation of 2, and the layers behind it form the context.
    """

    def __init__(self, width: float = 1.0) -> None:
        super().__init__()
        c0, c1, c2, c3, c4, c5, c6, c7 = (scaled(c, width) for c in (32, 16, 24, 32, 64, 96, 160, 320))
        self.stem = nn.Sequential(nn.Conv2d(3, c0, 3, 2, 1, bias=False), nn.BatchNorm2d(c0), nn.ReLU6(inplace=True))
        self.half_size = _residuals(c0, c1, 1, expansion=1)
        self.quarter = _residuals(c1, c2, 2, stride=2)
        self.eighth = _residuals(c2, c3, 3, stride=2)
        self.sixteenth = nn.Sequential(_residuals(c3, c4, 4, stride=2), _residuals(c4, c5, 3))
        self.context = nn.Sequential(_residuals(c5, c6, 3, dilation=2), _residuals(c6, c7, 1, dilation=2))
        self.channels = (c1, c2, c3, c5, c7)

    def forward(self, images_BCHW: Tensor) -> list[Tensor]:
        """See :class:`Backbone`."""
        features = [self.half_size(self.stem(images_BCHW))]
        for stage in (self.quarter, self.eighth, self.sixteenth, self.context):
            features.append(stage(features[-1]))
        return features


def _residuals(
    inputs: int, outputs: int, count: int, stride: int = 1, dilation: int = 1, expansion: int = 6
) -> nn.Sequential:
    first = InvertedResidual(inputs, outputs, expansion, stride, dilation)
    return nn.Sequential(first, *(InvertedResidual(outputs, outputs, expansion, 1, dilation) for _ in range(count - 1)))
