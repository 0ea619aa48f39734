"""First stage: rectify the picture before it is read."""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import nn

from ocr.recognition.extent import Extent
from ocr.recognition.stages import Transformation


class NoTransformation(Transformation):
    """The picture as it is."""

    title = "None"

    def __init__(self, in_channels: int, height: int, width: int) -> None:  # noqa: ARG002  (every transformation is offered these)
        super().__init__()

    def forward(self, images_BCHW: torch.Tensor, extent: Extent) -> torch.Tensor:  # noqa: ARG002
        """The images themselves."""
        return images_BCHW


class TPS(Transformation):
    """Thin-plate-spline rectification (Shi et al., CVPR 2016, section 3.1; Jaderberg et al., NIPS 2015).

    A small network places ``fiducials`` points along the upper and lower edge of the text; the spline that takes the same number
    of evenly spaced points on the upper and lower border to them says where every output pixel is sampled.

    As in the published weights, output pixels are taken at their centres while sampling treats -1 and 1 as the centres of the
    border pixels (``align_corners=True``), and the first warp is the slanted one of the paper's figure 6(a), not the identity.

    The spline's constants depend on the image size alone; they are no part of the state dict, so weights fit any size.

    Args:
        in_channels: of the images.
        height, width: usual image size in pixels; other sizes work too, at the price of computing their grid when they come.
        fiducials: number of points, even, at least 4.
        channels: features of the localisation network's last layer; its first has an eighth of them.
    """

    title = "TPS"

    def __init__(self, in_channels: int, height: int, width: int, fiducials: int = 20, channels: int = 512) -> None:
        super().__init__()
        if fiducials < 4 or fiducials % 2:
            raise ValueError(
                f"trans.fiducials is {fiducials}: give an even number of at least 4 (half on the upper edge)"
            )
        self.localisation = Localisation(in_channels, fiducials, channels)
        self.size = (height, width)
        self.system_SF: torch.Tensor
        self.pixels_NS: torch.Tensor
        self.register_buffer("system_SF", torch.from_numpy(spline_system(fiducials)), persistent=False)
        self.register_buffer("pixels_NS", torch.from_numpy(pixel_rows(fiducials, height, width)), persistent=False)

    def forward(self, images_BCHW: torch.Tensor, extent: Extent) -> torch.Tensor:
        """(B, C, H, W) -> the same, sampled bilinearly, border pixels repeated outside.

        Each picture is rectified on the grid of its own size.
        """
        points_BF2 = _exact(self.localisation(images_BCHW, extent))
        with torch.autocast(images_BCHW.device.type, enabled=False):
            size = (images_BCHW.shape[2], images_BCHW.shape[3])
            widths_B = extent.widths_B
            grid_BHW2 = self.grid(points_BF2, size) if widths_B is None else self.grids(points_BF2, size, widths_B)
            return F.grid_sample(_exact(images_BCHW), grid_BHW2, padding_mode="border", align_corners=True)

    def grids(self, points_BF2: torch.Tensor, size: tuple[int, int], widths_B: torch.Tensor) -> torch.Tensor:
        """:meth:`grid` for pictures that fill only their own ``widths_B`` of ``size``; what lies beyond samples the right border."""
        height, total = size
        grid_BHW2 = points_BF2.new_ones(len(points_BF2), height, total, 2)
        for width in sorted(set(widths_B.tolist())):
            rows = widths_B == width
            own_BHW2 = self.grid(points_BF2[rows], (height, width))
            # -1 and 1 are the centres of the outermost pixels: of the picture here, of the padded batch there
            x_BHW = (own_BHW2[..., 0].clamp(-1, 1) + 1) * ((width - 1) / max(total - 1, 1)) - 1
            grid_BHW2[rows, :, :width] = torch.stack([x_BHW, own_BHW2[..., 1]], 3)
        return grid_BHW2

    def grid(self, points_BF2: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
        """Where each pixel of an output of ``size`` (height, width) is sampled: (B, H, W, 2), x and y in [-1, 1].

        Two products in float32, as in the published networks, not one with the merged matrix: the spline's coefficients are
        large, and their rounding (some 1e-4 of the picture's width) is part of what those networks compute.
        """
        pixels_NS = self.pixels_NS
        if size != self.size:
            pixels_NS = torch.from_numpy(pixel_rows(points_BF2.shape[1], *size)).to(points_BF2)
        return (pixels_NS @ (self.system_SF @ points_BF2)).unflatten(1, size)

    def initialise(self) -> None:
        """As every stage, but the points keep their start."""
        super().initialise()
        self.localisation.reset_points()

    def published_names(self) -> dict[str, str]:
        """Module paths of the published weights; their grid buffers have no counterpart here."""
        convolutions = {f"localisation.conv{i + 1}": f"LocalizationNetwork.conv.{4 * i}" for i in range(4)}
        norms = {f"localisation.norm{i + 1}": f"LocalizationNetwork.conv.{4 * i + 1}" for i in range(4)}
        heads = {
            "localisation.hidden": "LocalizationNetwork.localization_fc1.0",
            "localisation.points": "LocalizationNetwork.localization_fc2",
        }
        return {**convolutions, **norms, **heads}


class Localisation(nn.Module):
    """Predicts the fiducial points of a picture: four convolutions, the mean over the picture, two linear layers."""

    def __init__(self, in_channels: int, fiducials: int, channels: int) -> None:
        super().__init__()
        if channels % 8:
            raise ValueError(
                f"trans.channels is {channels}: give a multiple of 8 (the first layer has an eighth of it)"
            )
        widths = [in_channels, channels // 8, channels // 4, channels // 2, channels]
        self.conv1, self.conv2, self.conv3, self.conv4 = (
            nn.Conv2d(before, after, 3, padding=1, bias=False) for before, after in pairwise(widths)
        )
        self.norm1, self.norm2, self.norm3, self.norm4 = (nn.BatchNorm2d(width) for width in widths[1:])
        self.hidden = nn.Linear(channels, channels // 2)
        self.points = nn.Linear(channels // 2, 2 * fiducials)
        self.reset_points()

    @torch.no_grad()
    def reset_points(self) -> None:
        """Let every picture start from :func:`slanted_points`."""
        self.points.weight.zero_()
        self.points.bias.copy_(torch.from_numpy(slanted_points(self.points.out_features // 2)).flatten())

    def forward(self, images_BCHW: torch.Tensor, extent: Extent) -> torch.Tensor:
        """(B, C, H, W) -> points (B, F, 2), x and y in about [-1, 1], the upper edge first."""
        inner = Extent(extent.widths_B)  # the picture itself keeps its width
        x = images_BCHW
        for conv, norm in ((self.conv1, self.norm1), (self.conv2, self.norm2), (self.conv3, self.norm3)):
            x = F.relu(F.max_pool2d(norm(conv(inner.clear(x))), 2))
            inner.after(2, 2)
        x = F.relu(self.norm4(self.conv4(inner.clear(x))))
        return self.points(F.relu(self.hidden(_mean(x, inner)))).reshape(-1, self.points.out_features // 2, 2)


def _exact(tensor: torch.Tensor) -> torch.Tensor:
    """In float32 at least."""
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))


def _mean(maps_BCHW: torch.Tensor, extent: Extent) -> torch.Tensor:
    """Mean over each picture's own pixels, (B, C)."""
    if extent.widths_B is None:
        return maps_BCHW.mean((2, 3))
    return extent.clear(maps_BCHW).sum((2, 3)) / (maps_BCHW.shape[2] * extent.widths_B[:, None])


def slanted_points(fiducials: int) -> NDArray[np.float32]:
    """Where the points start: two parallel lines that fall to the right (RARE, figure 6a), (F, 2)."""
    x = np.linspace(-1, 1, fiducials // 2)
    upper = np.stack([x, np.linspace(0, -1, fiducials // 2)], 1)
    lower = np.stack([x, np.linspace(1, 0, fiducials // 2)], 1)
    return np.concatenate([upper, lower]).astype(np.float32)


def border_points(fiducials: int) -> NDArray[np.float64]:
    """The points' places in the rectified picture: evenly along the upper and the lower border, (F, 2)."""
    x = np.linspace(-1, 1, fiducials // 2)
    ones = np.ones_like(x)
    return np.concatenate([np.stack([x, -ones], 1), np.stack([x, ones], 1)])


@lru_cache(maxsize=8)
def spline_system(fiducials: int) -> NDArray[np.float32]:
    """From fiducial points to the spline's coefficients (RARE, equations 1 and 2): (F + 3, F).

    The right-hand side of the linear system ends in three zero rows, so the last three columns of the inverse are not needed.
    """
    points = border_points(fiducials)
    distances = np.linalg.norm(points[:, None] - points[None], axis=2)
    np.fill_diagonal(distances, 1.0)
    system = np.zeros((fiducials + 3, fiducials + 3))
    system[:fiducials, 0] = 1.0
    system[:fiducials, 1:3] = points
    system[:fiducials, 3:] = distances**2 * np.log(distances)
    system[fiducials : fiducials + 2, 3:] = points.T
    system[fiducials + 2, 3:] = 1.0
    return np.linalg.inv(system)[:, :fiducials].astype(np.float32)


@lru_cache(maxsize=32)
def pixel_rows(fiducials: int, height: int, width: int) -> NDArray[np.float32]:
    """From the spline's coefficients to sampling places (RARE, equations 3 and 4): (height * width, F + 3), x varies fastest."""
    x = (2 * np.arange(width) + 1) / width - 1
    y = (2 * np.arange(height) + 1) / height - 1
    pixels = np.stack(np.meshgrid(x, y), axis=2).reshape(-1, 2)
    radii = np.linalg.norm(pixels[:, None] - border_points(fiducials)[None], axis=2)
    kernel = radii**2 * np.log(radii + 1e-6)
    return np.concatenate([np.ones((len(pixels), 1)), pixels, kernel], axis=1).astype(np.float32)
