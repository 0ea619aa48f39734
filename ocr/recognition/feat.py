"""Second stage: from the picture to a row of feature columns.

Each extractor takes ``channels``, the features of its last layer: 512 is the published size; smaller numbers narrow every layer in
proportion (for small machines).  Where ReLU meets max-pooling, pooling goes first: the result is the same, on fewer values.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from ocr.recognition.extent import Extent
from ocr.recognition.stages import FeatureExtractor


def _fraction(channels: int, parts: int) -> int:
    if channels < parts or channels % parts:
        raise ValueError(
            f"feat.channels is {channels}: give a multiple of {parts} (the narrowest layer has 1/{parts} of it)"
        )
    return channels // parts


def _halve(x: torch.Tensor, extent: Extent) -> torch.Tensor:
    extent.after(2, 2)
    return F.max_pool2d(x, 2)


def _pool_height(x: torch.Tensor, extent: Extent) -> torch.Tensor:
    """Halve the height; the width grows by one (stride 1, one column of padding on either side).

    What is pooled here is never negative, so that zeros beyond a picture's end do what pooling's own padding does.
    """
    x = extent.clear(x)
    extent.after(2, 1, 1)
    return F.max_pool2d(x, 2, stride=(2, 1), padding=(0, 1))


class VGG(FeatureExtractor):
    """The seven convolutions of CRNN (Shi et al., TPAMI 2017, table 1), as in the ICCV 2019 comparison.

    Differs from CRNN's own: the last two poolings are not padded, so a picture 100 wide gives 24 columns, not 26.

    Args:
        in_channels: of the images.
        channels: features of the last layer.
        norm_all: batch normalisation after every convolution, not only after the fifth and sixth as published.  Ours, for short
            trainings: it learns faster, and weights with and without it do not fit each other.
    """

    title = "VGG"

    def __init__(self, in_channels: int, channels: int = 512, norm_all: bool = False) -> None:
        super().__init__()
        norm = nn.BatchNorm2d if norm_all else nn.Identity
        eighth = _fraction(channels, 8)
        quarter, half = 2 * eighth, 4 * eighth
        self.out_channels = channels
        self.conv1 = nn.Conv2d(in_channels, eighth, 3, padding=1)
        self.conv2 = nn.Conv2d(eighth, quarter, 3, padding=1)
        self.conv3 = nn.Conv2d(quarter, half, 3, padding=1)
        self.conv4 = nn.Conv2d(half, half, 3, padding=1)
        self.conv5 = nn.Conv2d(half, channels, 3, padding=1, bias=False)
        self.norm5 = nn.BatchNorm2d(channels)
        self.conv6 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm6 = nn.BatchNorm2d(channels)
        self.conv7 = nn.Conv2d(channels, channels, 2)
        self.norm1, self.norm2 = norm(eighth), norm(quarter)
        self.norm3, self.norm4 = norm(half), norm(half)
        self.norm7 = norm(channels)

    def forward(self, images_BCHW: torch.Tensor, extent: Extent) -> torch.Tensor:
        """(B, C, 32, W) -> (B, channels, 1, W // 4 - 1)."""
        x = F.relu(self.norm1(_halve(self.conv1(extent.clear(images_BCHW)), extent)))
        x = F.relu(self.norm2(_halve(self.conv2(extent.clear(x)), extent)))
        x = F.relu(self.norm3(self.conv3(extent.clear(x))))
        x = F.relu(self.norm4(F.max_pool2d(self.conv4(extent.clear(x)), (2, 1))))
        x = F.relu(self.norm5(self.conv5(extent.clear(x))))
        x = F.relu(F.max_pool2d(self.norm6(self.conv6(extent.clear(x))), (2, 1)))
        extent.after(2)
        return F.relu(self.norm7(self.conv7(x)))

    def published_names(self) -> dict[str, str]:
        """Module paths of the published weights; those of ``norm_all`` have no counterpart and keep their own."""
        places = {
            "conv1": 0,
            "conv2": 3,
            "conv3": 6,
            "conv4": 8,
            "conv5": 11,
            "norm5": 12,
            "conv6": 14,
            "norm6": 15,
            "conv7": 18,
        }
        return super().published_names() | {name: f"ConvNet.{place}" for name, place in places.items()}


class _IterationNorms(nn.Module):
    """The five normalisations that belong to one iteration."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.input_gate = nn.BatchNorm2d(channels)
        self.state_gate = nn.BatchNorm2d(channels)
        self.input = nn.BatchNorm2d(channels)
        self.state = nn.BatchNorm2d(channels)
        self.gated = nn.BatchNorm2d(channels)


class GatedRecurrentConvolution(nn.Module):
    """One gated recurrent convolution layer (Wang and Hu, NIPS 2017, section 3.1).

    The convolutions are shared by all iterations, each iteration has its own normalisations; what depends on the input alone is
    convolved once.
    """

    def __init__(self, in_channels: int, channels: int, iterations: int) -> None:
        super().__init__()
        self.input_gate = nn.Conv2d(in_channels, channels, 1, bias=False)
        self.state_gate = nn.Conv2d(channels, channels, 1, bias=False)
        self.input = nn.Conv2d(in_channels, channels, 3, padding=1, bias=False)
        self.state = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.first_norm = nn.BatchNorm2d(channels)
        self.norms = nn.ModuleList(_IterationNorms(channels) for _ in range(iterations))

    def forward(self, images_BCHW: torch.Tensor, extent: Extent) -> torch.Tensor:
        """(B, in_channels, H, W) -> (B, channels, H, W)."""
        input_gate, feed = self.input_gate(images_BCHW), self.input(extent.clear(images_BCHW))
        state = F.relu(self.first_norm(feed))
        for norms in self.norms:
            assert isinstance(norms, _IterationNorms)
            gate = torch.sigmoid(norms.input_gate(input_gate) + norms.state_gate(self.state_gate(state)))
            state = F.relu(norms.input(feed) + norms.gated(norms.state(self.state(extent.clear(state))) * gate))
        return state

    def published_names(self) -> dict[str, str]:
        """Module paths of the published weights inside one layer."""
        convolutions = {
            "input_gate": "wgf_u",
            "state_gate": "wgr_x",
            "input": "wf_u",
            "state": "wr_x",
            "first_norm": "BN_x_init",
        }
        norms = {"input_gate": "BN_gfu", "state_gate": "BN_grx", "input": "BN_fu", "state": "BN_rx", "gated": "BN_Gx"}
        of_iterations = {
            f"norms.{i}.{ours}": f"GRCL.{i}.{theirs}" for i in range(len(self.norms)) for ours, theirs in norms.items()
        }
        return {**convolutions, **of_iterations}


class RCNN(FeatureExtractor):
    """The gated recurrent convolutional network of GRCNN (Wang and Hu, NIPS 2017), as in the ICCV 2019 comparison.

    Args:
        in_channels: of the images.
        channels: features of the last layer.
        iterations: of every recurrent layer.
    """

    title = "RCNN"

    def __init__(self, in_channels: int, channels: int = 512, iterations: int = 5) -> None:
        super().__init__()
        eighth = _fraction(channels, 8)
        self.out_channels = channels
        self.conv1 = nn.Conv2d(in_channels, eighth, 3, padding=1)
        self.recurrent1 = GatedRecurrentConvolution(eighth, eighth, iterations)
        self.recurrent2 = GatedRecurrentConvolution(eighth, 2 * eighth, iterations)
        self.recurrent3 = GatedRecurrentConvolution(2 * eighth, 4 * eighth, iterations)
        self.conv2 = nn.Conv2d(4 * eighth, channels, 2, bias=False)
        self.norm2 = nn.BatchNorm2d(channels)

    def forward(self, images_BCHW: torch.Tensor, extent: Extent) -> torch.Tensor:
        """(B, C, 32, W) -> (B, channels, 1, W // 4 + 1)."""
        x = F.relu(_halve(self.conv1(extent.clear(images_BCHW)), extent))
        x = _halve(self.recurrent1(x, extent), extent)
        x = _pool_height(self.recurrent2(x, extent), extent)
        x = _pool_height(self.recurrent3(x, extent), extent)
        extent.after(2)
        return F.relu(self.norm2(self.conv2(x)))

    def published_names(self) -> dict[str, str]:
        """Module paths of the published weights."""
        names = {"conv1": "ConvNet.0", "conv2": "ConvNet.9", "norm2": "ConvNet.10"}
        for ours, theirs in (("recurrent1", 3), ("recurrent2", 5), ("recurrent3", 7)):
            layer = self.get_submodule(ours)
            assert isinstance(layer, GatedRecurrentConvolution)
            names |= {f"{ours}.{path}": f"ConvNet.{theirs}.{name}" for path, name in layer.published_names().items()}
        return names


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions around a shortcut (He et al., CVPR 2016), with a 1x1 convolution on it where the width changes."""

    def __init__(self, in_channels: int, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, channels, 3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(channels)
        self.widens = in_channels != channels
        if self.widens:
            self.shortcut = nn.Conv2d(in_channels, channels, 1, bias=False)
            self.shortcut_norm = nn.BatchNorm2d(channels)

    def forward(self, x_BCHW: torch.Tensor, extent: Extent) -> torch.Tensor:
        """(B, in_channels, H, W) -> (B, channels, H, W)."""
        between = F.relu(self.norm1(self.conv1(extent.clear(x_BCHW))))
        residual = self.norm2(self.conv2(extent.clear(between)))
        shortcut = self.shortcut_norm(self.shortcut(x_BCHW)) if self.widens else x_BCHW
        return F.relu(residual + shortcut)

    def published_names(self) -> dict[str, str]:
        """Module paths of the published weights inside one block."""
        names = {"conv1": "conv1", "norm1": "bn1", "conv2": "conv2", "norm2": "bn2"}
        return names | ({"shortcut": "downsample.0", "shortcut_norm": "downsample.1"} if self.widens else {})


class ResNet(FeatureExtractor):
    """The 29 convolutions of FAN (Cheng et al., ICCV 2017, table 2), as in the ICCV 2019 comparison."""

    title = "ResNet"

    def __init__(self, in_channels: int, channels: int = 512) -> None:
        super().__init__()
        c = _fraction(channels, 16)
        self.out_channels = channels
        self.stem1, self.stem1_norm = nn.Conv2d(in_channels, c, 3, padding=1, bias=False), nn.BatchNorm2d(c)
        self.stem2, self.stem2_norm = nn.Conv2d(c, 2 * c, 3, padding=1, bias=False), nn.BatchNorm2d(2 * c)
        self.blocks1 = _Blocks(2 * c, 4 * c, 1)
        self.conv1, self.norm1 = nn.Conv2d(4 * c, 4 * c, 3, padding=1, bias=False), nn.BatchNorm2d(4 * c)
        self.blocks2 = _Blocks(4 * c, 8 * c, 2)
        self.conv2, self.norm2 = nn.Conv2d(8 * c, 8 * c, 3, padding=1, bias=False), nn.BatchNorm2d(8 * c)
        self.blocks3 = _Blocks(8 * c, channels, 5)
        self.conv3, self.norm3 = nn.Conv2d(channels, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels)
        self.blocks4 = _Blocks(channels, channels, 3)
        self.conv4 = nn.Conv2d(channels, channels, 2, stride=(2, 1), padding=(0, 1), bias=False)
        self.norm4 = nn.BatchNorm2d(channels)
        self.conv5, self.norm5 = nn.Conv2d(channels, channels, 2, bias=False), nn.BatchNorm2d(channels)

    def forward(self, images_BCHW: torch.Tensor, extent: Extent) -> torch.Tensor:
        """(B, C, 32, W) -> (B, channels, 1, W // 4 + 1)."""
        x = F.relu(self.stem1_norm(self.stem1(extent.clear(images_BCHW))))
        x = F.relu(self.stem2_norm(self.stem2(extent.clear(x))))
        x = self.blocks1(_halve(x, extent), extent)
        x = F.relu(self.norm1(self.conv1(extent.clear(x))))
        x = self.blocks2(_halve(x, extent), extent)
        x = F.relu(self.norm2(self.conv2(extent.clear(x))))
        x = self.blocks3(_pool_height(x, extent), extent)
        x = F.relu(self.norm3(self.conv3(extent.clear(x))))
        x = extent.clear(self.blocks4(x, extent))
        extent.after(2, 1, 1)
        x = F.relu(self.norm4(self.conv4(x)))
        extent.after(2)
        return F.relu(self.norm5(self.conv5(x)))

    def published_names(self) -> dict[str, str]:
        """Module paths of the published weights."""
        ends = {
            "stem1": "0_1",
            "stem2": "0_2",
            "conv1": "1",
            "conv2": "2",
            "conv3": "3",
            "conv4": "4_1",
            "conv5": "4_2",
        }
        names: dict[str, str] = {}
        for ours, end in ends.items():
            norm = f"{ours}_norm" if ours.startswith("stem") else ours.replace("conv", "norm")
            names |= {ours: f"ConvNet.conv{end}", norm: f"ConvNet.bn{end}"}
        for path, module in self.named_modules():
            if isinstance(module, ResidualBlock):
                theirs = path.replace("blocks", "ConvNet.layer")
                names |= {f"{path}.{ours}": f"{theirs}.{name}" for ours, name in module.published_names().items()}
        return names


class _Blocks(nn.ModuleList):
    """Residual blocks in a row, the first of which may widen."""

    def __init__(self, in_channels: int, channels: int, count: int) -> None:
        super().__init__(ResidualBlock(channels if i else in_channels, channels) for i in range(count))

    def forward(self, x_BCHW: torch.Tensor, extent: Extent) -> torch.Tensor:
        for block in self:
            x_BCHW = block(x_BCHW, extent)
        return x_BCHW
