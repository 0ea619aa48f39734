"""Seconds in which each detection protocol scores 500 pictures: the real archives where OCR_REAL_PACK has them, drawn ones elsewhere.

Drawn pictures hold ten words with letters 12 to 40 pixels high, a third of them to ignore; detections are shaken copies with
splits, merges, misses and false alarms.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np

from experiments.bench.turns import figure
from ocr.metrics.cleval import CLEval
from ocr.metrics.detection import PictureProtocol
from ocr.metrics.deteval import DetEval, TotalTextDetEval
from ocr.metrics.iou import BoxProtocol
from ocr.metrics.result_files import Found, paired, read_results, read_truth
from ocr.metrics.spotting import Spotting
from ocr.metrics.tedeval import TedEval
from ocr.seeding import generator
from ocr.types import Detection, Points, SceneWord

PICTURES, WORDS = 500, 10
TARGET = 5.0
"""Most seconds for 500 pictures on one core."""
PROTOCOLS = (
    BoxProtocol("iou"),
    DetEval("ic13_deteval"),
    DetEval("deteval", boxes="polygon"),
    TotalTextDetEval("totaltext_deteval"),
    CLEval("cleval"),
    CLEval("cleval_e2e", texts=True),
    TedEval("tedeval"),
    Spotting("ic15_e2e"),
)
ARCHIVES = {"quads": ("ic15_gt", "ic15_pixellink_det"), "polygons": ("ctw1500_gt", "ctw1500_ctd_det")}


class Scored(NamedTuple):
    """What is scored of one picture."""

    name: str
    found: Found
    words: list[SceneWord]


def main() -> None:
    """Time every protocol on quads and on polygons."""
    for kind, (truth, results) in ARCHIVES.items():
        pictures, source = _real(truth, results) or (_drawn(kind), "drawn")
        print(f"{kind}: {len(pictures)} pictures, {sum(len(p.words) for p in pictures)} words, {source}")
        for protocol in PROTOCOLS:
            seconds = min(_seconds(protocol, pictures) for _ in range(2)) * PICTURES / len(pictures)
            figure(f"metrics_{kind}_{protocol.name}", seconds, "s", TARGET, at_most=True)


def _seconds(protocol: PictureProtocol, pictures: list[Scored]) -> float:
    start = time.process_time()
    rows = [protocol.row(p.found.detections, p.words, p.name, p.found.texts) for p in pictures]
    protocol.result(rows).scores("bench")
    return time.process_time() - start


def _real(truth: str, results: str) -> tuple[list[Scored], str] | None:
    folder = Path(os.environ.get("OCR_REAL_PACK", "")) / "eval_refs"
    paths = [folder / f"{name}.zip" for name in (truth, results)]
    if "OCR_REAL_PACK" not in os.environ or not all(path.exists() for path in paths):
        return None
    start = time.process_time()
    pictures = [Scored(*p) for p in paired(read_truth(paths[0]), read_results(paths[1]), (truth, results))]
    return pictures, f"{results} (read in {time.process_time() - start:.2f} s)"


def _drawn(kind: str) -> list[Scored]:
    pictures = []
    for index in range(PICTURES):
        rng = generator(1, "bench", "metrics", index)
        truth = [_strip(rng, 4 if kind == "quads" else 14) for _ in range(WORDS)]
        words = [SceneWord(polygon, "Benchmark", ignore=rng.random() < 1 / 3) for polygon in truth]
        kept = [polygon + rng.normal(0, 1.5, polygon.shape) for polygon in truth if rng.random() < 0.85]
        halves = [np.concatenate([p[: len(p) // 4 + 1], p[-len(p) // 4 - 1 :]]) for p in truth if rng.random() < 0.1]
        found = [*kept, *halves, *(_strip(rng, 4) for _ in range(2))]
        boxes = [Detection(polygon.astype(np.float32), 1.0) for polygon in found]
        pictures.append(Scored(str(index), Found(boxes, ["Benchmark"] * len(boxes)), words))
    return pictures


def _strip(rng: np.random.Generator, points: int) -> Points:
    """A bent strip of text somewhere in a picture of 1280 x 720."""
    height, length = rng.uniform(12, 40), rng.uniform(40, 200)
    x = np.linspace(0, length, points // 2)
    rim = np.stack([x, rng.uniform(-0.2, 0.2) * x * (length - x) / length], axis=1)
    return (np.concatenate([rim, rim[::-1] + np.array([0, height])]) + rng.uniform(0, 1, 2) * [1080, 640]).astype(
        np.float32
    )


if __name__ == "__main__":
    main()
