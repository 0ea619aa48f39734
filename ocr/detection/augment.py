"""Augmentation of detection scenes: one affine map for picture and labels, and changes of colour that move nothing.

The paper names crops, rotations and colour variation (Baek et al., CVPR 2019, section 4.2).  There is no flip: mirrored
letters are no letters.
"""

from __future__ import annotations

import os
import warnings
from typing import TYPE_CHECKING

import cv2
import numpy as np

from ocr.geometry import Matrix, bounding_quad, rectangle, side_lengths, transform
from ocr.types import Image, Scene

if TYPE_CHECKING:
    import albumentations

Range = tuple[float, float]


class SceneAugment:
    """Random crop, scale, rotation and colour.

    Every crop is taken around one word of the scene, most often with that word at a usable size.

    Args:
        word_height: the height in pixels that the chosen word gets in the crop, log-uniform.
        zoom: but the picture is never scaled beyond these factors.
        rotation: largest turn to either side, degrees.
        brightness, contrast: largest relative change.
        hue, saturation: largest shift, in OpenCV's 8-bit units.
        colour, grey, invert, blur, noise, compression: probability of each kind of change.
        noise_deviation: range of the noise's standard deviation, share of full scale.
        quality: range of the JPEG quality.
    """

    def __init__(
        self,
        word_height: Range = (10.0, 56.0),
        zoom: Range = (0.4, 2.5),
        rotation: float = 10.0,
        brightness: float = 0.3,
        contrast: float = 0.3,
        hue: int = 30,
        saturation: int = 40,
        colour: float = 0.5,
        grey: float = 0.05,
        invert: float = 0.1,
        blur: float = 0.15,
        noise: float = 0.15,
        compression: float = 0.15,
        noise_deviation: Range = (0.01, 0.06),
        quality: tuple[int, int] = (40, 90),
    ) -> None:
        for name, (low, high) in {"word_height": word_height, "zoom": zoom}.items():
            if not 0 < low <= high:
                raise ValueError(
                    f"scene augmentation: {name} is ({low}, {high}): give a range of positive numbers, smaller first"
                )
        self.word_height = word_height
        self.zoom = zoom
        self.rotation = rotation
        os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
        import albumentations as A

        # albumentations only warns about an argument it does not know, and goes on without it
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            self._colour: albumentations.Compose = A.Compose(
                [
                    A.RandomBrightnessContrast(brightness_limit=brightness, contrast_limit=contrast, p=colour),
                    A.HueSaturationValue(hue_shift_limit=hue, sat_shift_limit=saturation, val_shift_limit=0, p=colour),
                    A.ToGray(p=grey),
                    A.InvertImg(p=invert),
                    A.OneOf(
                        [
                            A.GaussianBlur(blur_limit=0, sigma_limit=(0.4, 1.2)),
                            A.MotionBlur(blur_limit=(3, 5)),
                            A.Downscale(scale_range=(0.5, 0.8)),
                        ],
                        p=blur,
                    ),
                    A.GaussNoise(std_range=tuple(noise_deviation), p=noise),
                    A.ImageCompression(quality_range=tuple(quality), p=compression),
                ]
            )

    def place(self, scene: Scene, size: int, rng: np.random.Generator) -> Matrix:
        """A random affine map (3 x 3) from the scene's picture to a crop of ``size`` x ``size``."""
        height, width = scene.image.shape[:2]
        words = [w for w in scene.words if not w.ignore]
        if words:
            quad = bounding_quad(words[int(rng.integers(len(words)))].polygon)
            focus, word_height = quad.mean(axis=0), max(min(side_lengths(quad)), 1.0)
        else:
            focus, word_height = rng.random(2) * (width, height), 24.0
        wanted = np.exp(rng.uniform(*np.log(self.word_height)))
        zoom = float(np.clip(wanted / word_height, *self.zoom))
        angle = np.radians(rng.uniform(-self.rotation, self.rotation))
        centre = focus + rng.uniform(-0.4, 0.4, 2) * size / zoom
        # away from the picture's border while the picture is larger than the crop
        reach = size / zoom / 2
        for axis, extent in enumerate((width, height)):
            centre[axis] = np.clip(centre[axis], reach, extent - reach) if extent > 2 * reach else extent / 2
        c, s = zoom * np.cos(angle), zoom * np.sin(angle)
        linear = np.array([[c, -s], [s, c]])
        matrix = np.eye(3)
        matrix[:2, :2] = linear
        matrix[:2, 2] = size / 2 - linear @ centre
        return matrix

    def recolour(self, image: Image, rng: np.random.Generator) -> Image:
        """A copy with other colours, blur, noise or compression."""
        # every worker's albumentations would draw the same numbers otherwise
        _reseed(self._colour, rng)
        recoloured: Image = self._colour(image=image)["image"]
        return recoloured


def _reseed(transform: albumentations.BasicTransform | albumentations.BaseCompose, rng: np.random.Generator) -> None:
    """Seed a transform and, each anew, those inside it: albumentations hands them one seed, and then they act together or not at all."""
    transform.set_random_seed(int(rng.integers(1 << 31)))
    for inner in getattr(transform, "transforms", ()):
        _reseed(inner, rng)


def fit(image: Image, size: int) -> Matrix:
    """The map that scales a whole picture into a crop of ``size`` x ``size``, top left."""
    scale = size / max(image.shape[:2])
    return np.diag([scale, scale, 1.0])


def warp(image: Image, matrix: Matrix, size: int) -> Image:
    """The picture under an affine map of its coordinates, ``size`` x ``size``, black outside of it."""
    shrink = int(1 / np.sqrt(abs(np.linalg.det(matrix[:2, :2]))))
    if shrink > 1:
        image, matrix = _shrunk(image, matrix, size, shrink)
    # warpAffine samples at pixel indices, our coordinates put pixel centres at .5
    shift = np.array([[1, 0, -0.5], [0, 1, -0.5], [0, 0, 1]])
    index_matrix = shift @ matrix @ np.linalg.inv(shift)
    return cv2.warpAffine(image, index_matrix[:2], (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)


def _shrunk(image: Image, matrix: Matrix, size: int, factor: int) -> tuple[Image, Matrix]:
    """The needed part of the picture averaged over ``factor`` x ``factor`` pixels, so that nothing aliases, and its map."""
    inverse = np.asarray(np.linalg.inv(matrix), np.float64)
    corners = transform(inverse, rectangle(size, size))
    extent = np.array([image.shape[1], image.shape[0]])
    low = np.clip(np.floor(corners.min(axis=0)).astype(int) - factor, 0, np.maximum(extent - factor, 0))
    high = np.clip(np.ceil(corners.max(axis=0)).astype(int) + factor, low + 1, extent)
    high = np.maximum(low + (high - low) // factor * factor, np.minimum(low + factor, extent))
    part = image[low[1] : high[1], low[0] : high[0]]
    width, height = np.maximum((high - low) // factor, 1)
    scale = (high - low) / (width, height)
    back = np.array([[scale[0], 0, low[0]], [0, scale[1], low[1]], [0, 0, 1]], np.float64)
    return cv2.resize(part, (int(width), int(height)), interpolation=cv2.INTER_AREA), matrix @ back
