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


def photograph(image: Image, camera: Camera, rng: np.random.Generator, sharpness: float = 1.0) -> Image:
    """Something in front of the text, uneven light, glare, blur, motion, loss of resolution, sensor noise and JPEG.

    Each comes with the look's probability and strength.  ``image`` may be changed in place; ``sharpness``, above 0 and
    at most 1, scales blur, motion and the loss of resolution.
    """
    if camera.occlusion is not None and (hidden := camera.occlusion.draw(rng)) is not None:
        occlude(image, hidden, rng)
    light = camera.light.draw(rng)
    if light is not None:
        image = uneven_light(image, light, rng)
    if camera.glare is not None and (glare := camera.glare.draw(rng)) is not None:
        image = shine(image, glare, rng)
    blur = camera.blur.draw(rng)
    if blur is not None:
        image = cv2.GaussianBlur(image, (0, 0), blur * sharpness)
    motion = camera.motion.draw(rng)
    if motion is not None:
        image = motion_blur(image, motion * sharpness, rng)
    resample = camera.resample.draw(rng)
    if resample is not None:
        image = lose_resolution(image, 1 - (1 - resample) * sharpness)
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


def occlude(image: Image, share: float, rng: np.random.Generator) -> None:
    """Hide about ``share`` of the picture behind a bar, a branch or a blob, in place."""
    height, width = image.shape[:2]
    colour = tuple(int(v) for v in rng.integers(0, 256, 3))
    centre = rng.random(2) * (width, height)
    kind = rng.random()
    if kind < 0.6:
        angle = rng.random() * np.pi
        reach = np.array([np.cos(angle), np.sin(angle)]) * (width + height)
        # A bar through the whole picture covers its length times its thickness.
        length = min(width / max(abs(np.cos(angle)), 1e-3), height / max(abs(np.sin(angle)), 1e-3))
        thick = max(1, int(share * width * height / length))
        start, end = (tuple(int(v) for v in centre + sign * reach) for sign in (-1, 1))
        cv2.line(image, start, end, colour, thick, cv2.LINE_AA)
    else:
        radius = np.sqrt(share * width * height / np.pi)
        stretch = 0.5 + rng.random() * 1.5
        axes = (max(1, int(radius * stretch)), max(1, int(radius / stretch)))
        cv2.ellipse(image, (int(centre[0]), int(centre[1])), axes, rng.random() * 180, 0, 360, colour, -1, cv2.LINE_AA)


def shine(image: Image, strength: float, rng: np.random.Generator) -> Image:
    """A bright spot that adds up to ``strength`` times white at its centre and fades away from it."""
    height, width = image.shape[:2]
    rows, columns = max(2, height // 4), max(2, width // 4)
    x, y = rng.random() * columns, rng.random() * rows
    radius = (0.3 + 0.5 * rng.random()) * min(rows, columns) + 1
    across = np.exp(-(((np.arange(columns, dtype=np.float32) - np.float32(x)) / np.float32(radius * 1.6)) ** 2))
    down = np.exp(-(((np.arange(rows, dtype=np.float32) - np.float32(y)) / np.float32(radius)) ** 2))
    spot = (np.outer(down, across) * np.float32(255 * strength)).astype(np.uint8)
    light = cv2.resize(spot, (width, height), interpolation=cv2.INTER_LINEAR)
    return cv2.add(image, cv2.merge([light, light, light]))


def motion_blur(image: Image, length: float, rng: np.random.Generator) -> Image:
    """Average along a line of ``length`` pixels in a random direction, symmetric about each pixel."""
    reach = max(1, int(np.ceil(length / 2)))
    angle = rng.random() * np.pi
    kernel = np.zeros((2 * reach + 1, 2 * reach + 1), np.float32)
    down, across = float(np.sin(angle)), float(np.cos(angle))
    for t in np.linspace(-length / 2, length / 2, 4 * reach + 1).tolist():
        kernel[round(reach + t * down), round(reach + t * across)] += 1
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
    deviates = np.rint(_normal_quantiles() * sigma)
    # Bytes that stand 128 too high are added several times quicker than 16-bit numbers.
    raised = (np.minimum(np.maximum(deviates, -127), 127) + 128).astype(np.uint8)
    noise = cv2.LUT(np.frombuffer(rng.bytes(image.size), np.uint8).reshape(image.shape), raised)
    return cv2.addWeighted(image, 1, noise, 1, -128)


def through_jpeg(image: Image, quality: int) -> Image:
    """What is left of the picture after JPEG compression."""
    _, data = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])
    decoded = cv2.imdecode(data, cv2.IMREAD_COLOR_RGB)
    assert decoded is not None  # it was encoded a line ago
    return decoded
