"""What light, lens, sensor and file format do to a finished picture.  None of it moves ink."""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from ocr.render.look import Camera
from ocr.types import Image


@cache
def _normal_quantiles() -> NDArray[np.float32]:
    """Standard normal deviates of the 256 equally likely byte values."""
    from statistics import NormalDist

    return np.array([NormalDist().inv_cdf((i + 0.5) / 256) for i in range(256)], np.float32)


def photograph(image: Image, camera: Camera, rng: np.random.Generator) -> Image:
    """Uneven light, blur, motion, loss of resolution, sensor noise and JPEG, each with the look's probability and strength."""
    light = camera.light.draw(rng)
    if light is not None:
        image = uneven_light(image, light, rng)
    blur = camera.blur.draw(rng)
    if blur is not None:
        image = cv2.GaussianBlur(image, (0, 0), blur)
    motion = camera.motion.draw(rng)
    if motion is not None:
        image = motion_blur(image, motion, rng)
    resample = camera.resample.draw(rng)
    if resample is not None:
        image = lose_resolution(image, resample)
    noise = camera.noise.draw(rng)
    if noise is not None:
        image = add_noise(image, noise, rng)
    jpeg = camera.jpeg.draw(rng)
    if jpeg is not None:
        image = through_jpeg(image, int(jpeg))
    return image


def uneven_light(image: Image, strength: float, rng: np.random.Generator) -> Image:
    """Multiply by a smooth field between ``1 - strength`` and 1."""
    height, width = image.shape[:2]
    field = 1 - strength * rng.random((3, 3), dtype=np.float32)
    # The field is enlarged as 8-bit three-channel values: one multiplication of bytes is several times quicker than of floats.
    small = cv2.merge([np.round(field * 255).astype(np.uint8)] * 3)
    return cv2.multiply(image, cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR), scale=1 / 255)


def motion_blur(image: Image, length: float, rng: np.random.Generator) -> Image:
    """Average along a line of ``length`` pixels in a random direction, symmetric about each pixel."""
    reach = max(1, int(np.ceil(length / 2)))
    angle = rng.random() * np.pi
    kernel = np.zeros((2 * reach + 1, 2 * reach + 1), np.float32)
    for t in np.linspace(-length / 2, length / 2, 4 * reach + 1):
        kernel[round(reach + t * np.sin(angle)), round(reach + t * np.cos(angle))] += 1
    return cv2.filter2D(image, -1, kernel / kernel.sum())


def lose_resolution(image: Image, factor: float) -> Image:
    """Shrink by ``factor`` (below 1) and enlarge again."""
    height, width = image.shape[:2]
    small = cv2.resize(
        image, (max(4, round(width * factor)), max(4, round(height * factor))), interpolation=cv2.INTER_AREA
    )
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)


def add_noise(image: Image, sigma: float, rng: np.random.Generator) -> Image:
    """Normal noise of ``sigma`` grey levels, independent for pixels and channels."""
    table = np.clip(np.round(_normal_quantiles() * sigma), -127, 127).astype(np.int16)
    noise = cv2.LUT(np.frombuffer(rng.bytes(image.size), np.uint8).reshape(image.shape), table)
    return cv2.add(image, noise, dtype=cv2.CV_8U)


def through_jpeg(image: Image, quality: int) -> Image:
    """What is left of the picture after JPEG compression."""
    _, data = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])
    decoded = cv2.imdecode(data, cv2.IMREAD_COLOR_RGB)
    assert decoded is not None  # it was encoded a line ago
    return decoded
