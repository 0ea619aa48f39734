"""Post-processing: ours against a pass over the whole map for every component.

The map is 1280 x 960 with 720 words; a second one of the same size has three.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from experiments.bench.turns import figure, in_turns
from ocr.detection.postprocess import Thresholds, find_boxes
from ocr.detection.score_maps import score_maps
from ocr.detection.words import find_words
from ocr.seeding import generator
from ocr.types import Quads

SIZE = (960, 1280)
COLUMNS, ROWS = 24, 30


def dense_words(rng: np.random.Generator) -> list[Quads]:
    """720 words of three to six characters, 12 to 18 map pixels high, on a grid."""
    words = []
    for cell in range(COLUMNS * ROWS):
        x = cell % COLUMNS * SIZE[1] / COLUMNS + rng.uniform(3, 6)
        y = cell // COLUMNS * SIZE[0] / ROWS + rng.uniform(3, 9)
        height = rng.uniform(12, 18)
        lefts = x + 7 * np.arange(rng.integers(3, 7))
        words.append(
            np.array([[[a, y], [a + 7, y], [a + 7, y + height], [a, y + height]] for a in lefts.tolist()], np.float32)
        )
    return words


def full_frame_boxes(maps_2hw: NDArray[np.float32], thresholds: Thresholds) -> list[NDArray[np.float32]]:
    """The same boxes with masks of the whole map for every component, as the released code has them."""
    region, affinity = maps_2hw
    text, link = region > thresholds.low, affinity > thresholds.link
    count, labels, statistics, _ = cv2.connectedComponentsWithStats((text | link).astype(np.uint8), connectivity=4)
    quads = []
    for label in range(1, count):
        x, y, w, h, area = statistics[label].tolist()
        if area < 10:
            continue
        component = labels == label
        if region[component].max() < thresholds.text:
            continue
        segment = np.zeros(region.shape, np.uint8)
        segment[component] = 255
        segment[link & ~text] = 0
        grow = int(np.sqrt(area * min(w, h) / (w * h)) * 2)
        rows, columns = slice(max(y - grow, 0), y + h + grow + 1), slice(max(x - grow, 0), x + w + grow + 1)
        kernel = cv2.getStructuringElement(cv2.MORPH_RECT, (1 + grow, 1 + grow))
        segment[rows, columns] = cv2.dilate(segment[rows, columns], kernel)
        rows_set, columns_set = np.nonzero(segment)
        points = np.stack([columns_set, rows_set], axis=1).astype(np.int32)
        quad = cv2.boxPoints(cv2.minAreaRect(points))
        first, second = np.linalg.norm(quad[0] - quad[1]), np.linalg.norm(quad[1] - quad[2])
        if abs(1 - max(first, second) / (min(first, second) + 1e-5)) <= 0.1:
            (x0, y0), (x1, y1) = points.min(axis=0), points.max(axis=0)
            quad = np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], np.float32)
        quads.append(np.roll(quad, -int(quad.sum(axis=1).argmin()), axis=0))
    return quads


def main() -> None:
    """Time the dense and the sparse map; all ways find the same boxes first."""
    cv2.setNumThreads(1)
    words, thresholds = dense_words(generator(1, "bench", "boxes")), Thresholds()
    for name, chosen, rounds in (("dense", words, 3), ("sparse", words[:: COLUMNS * ROWS // 2], 15)):
        maps = score_maps(SIZE, chosen)
        expected = np.array(full_frame_boxes(maps, thresholds))
        np.testing.assert_allclose(
            np.sort(find_boxes(maps, thresholds).quads, axis=0), np.sort(expected, axis=0), atol=1e-3
        )
        ways = {
            "full frame per component": lambda maps=maps: full_frame_boxes(maps, thresholds),
            "boxes": lambda maps=maps: find_boxes(maps, thresholds),
            "boxes, scores, characters, directions": lambda maps=maps: find_words(maps, thresholds),
            "the same with polygons": lambda maps=maps: find_words(maps, thresholds, polygons=True),
        }
        seconds = in_turns(ways, rounds)
        print(f"{name} map, {SIZE[1]} x {SIZE[0]}, {len(expected)} words:")
        for way, value in seconds.items():
            print(f"  {way:40s} {1e3 * value:9.2f} ms")
        slow, boxes, full, _ = seconds.values()
        figure(f"boxes_{name}", slow / boxes, "times", 40 if name == "dense" else 1)
        figure(f"words_{name}", slow / full, "times", 15 if name == "dense" else 1)


if __name__ == "__main__":
    main()
