"""Score maps: exact Gaussians against one warped patch of 200 x 200 pixels per box, in a window around it.

200 characters in words of five (200 region and 160 affinity boxes), 10 to 22 pixels high, some turned, on maps of 384 x 384.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from experiments.bench.turns import figure, in_turns
from ocr.detection.score_maps import ENLARGEMENT, SIGMA, affinity_quads, diagonal_crossing, score_maps
from ocr.seeding import generator
from ocr.types import Quads

SIDE = 384
WORDS, LETTERS = 40, 5
PATCH = 200


def words(rng: np.random.Generator) -> list[Quads]:
    """Words whose letters are 10 to 22 pixels high and .4 to .8 as wide; every third word leans."""
    placed = []
    for i in range(WORDS):
        height = rng.uniform(10, 22)
        width = height * rng.uniform(0.4, 0.8)
        letter = np.array([[0, 0], [width, 0], [width, height], [0, height]])
        quads = letter + np.stack([np.arange(LETTERS) * width, np.zeros(LETTERS)], axis=1)[:, None]
        turn = rng.uniform(-0.8, 0.8) if i % 3 == 0 else 0.0
        rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
        quads = quads @ rotation.T + rng.uniform(-0.3, 0.3, quads.shape) + rng.uniform(20, SIDE - 80, 2)
        placed.append(quads.astype(np.float32))
    return placed


def patch() -> NDArray[np.float32]:
    """The Gaussian that is warped, cut to a circle."""
    place = (np.arange(PATCH) + 0.5) * 2 / PATCH - 1
    radius2 = place[:, None] ** 2 + place**2
    return np.where(radius2 <= 1, np.exp(-radius2 / (2 * SIGMA**2)), 0).astype(np.float32)


def warped_maps(groups: list[Quads], gaussian: NDArray[np.float32]) -> NDArray[np.float32]:
    """Region and affinity maps with one warp per box."""
    maps = np.zeros((2, SIDE, SIDE), np.float32)
    corners = np.array([[0, 0], [PATCH, 0], [PATCH, PATCH], [0, PATCH]], np.float32)
    for canvas, quads in zip(
        maps, (np.concatenate(groups), np.concatenate([affinity_quads(g) for g in groups])), strict=True
    ):
        centre = diagonal_crossing(quads)[:, None]
        for quad in (centre + ENLARGEMENT * (quads - centre)).astype(np.float32):
            x0, y0 = np.maximum(np.floor(quad.min(axis=0)).astype(int), 0)
            x1, y1 = np.minimum(np.ceil(quad.max(axis=0)).astype(int), SIDE)
            matrix = cv2.getPerspectiveTransform(corners, quad - np.array([x0, y0], np.float32))
            warped = cv2.warpPerspective(gaussian, matrix, (x1 - x0, y1 - y0), flags=cv2.INTER_LINEAR)
            np.maximum(canvas[y0:y1, x0:x1], warped, out=canvas[y0:y1, x0:x1])
    return maps


def main() -> None:
    """Time both; they agree to about what half a pixel of the map makes out, the warp's offset."""
    cv2.setNumThreads(1)
    groups, gaussian = words(generator(1, "bench", "maps")), patch()
    difference = np.abs(score_maps((SIDE, SIDE), groups) - warped_maps(groups, gaussian)).mean()
    assert difference < 0.03, difference
    ways = {
        "one warp per box": lambda: warped_maps(groups, gaussian),
        "exact Gaussians": lambda: score_maps((SIDE, SIDE), groups),
    }
    seconds = in_turns(ways, 31)
    boxes = sum(2 * len(g) - 1 for g in groups)
    print(f"region and affinity of {boxes} boxes on {SIDE} x {SIDE}:")
    for way, value in seconds.items():
        print(f"  {way:20s} {1e3 * value:7.2f} ms")
    slow, fast = seconds.values()
    figure("maps", slow / fast, "times", 3)


if __name__ == "__main__":
    main()
