"""``make bench-read``: seconds to read a 1280 x 720 picture of 20 words, part by part, and memory for a 4000 x 3000 one.

    make bench-read
    make bench-read PAIR="DETECTOR RECOGNIZER"       checkpoints (default: the newest of runs/demo)

Without checkpoints the demo's networks are timed with random weights; the words are then where they are known to be, so that the other
parts have their work.  The picture is a rendered one and searched at its own size (long side 1280).  On one core and on two, in the
precision that the processor computes, network, post-processing, cropping (with choosing directions, boxes of characters and reading order)
and recognition are timed apart; the median of a few rounds is printed.
"""

from __future__ import annotations

import argparse
import dataclasses
import multiprocessing
import os
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from experiments.bench.turns import figure
from ocr import deployed
from ocr.charset import Charset
from ocr.detection.craft import CRAFT
from ocr.detection.detector import Detector
from ocr.detection.score_maps import score_maps
from ocr.freed_memory import keep_freed_memory
from ocr.metrics.detection import DetectionResult
from ocr.metrics.iou import BoxProtocol
from ocr.metrics.spotting import Spotting
from ocr.reader import Reader
from ocr.recognition.feat import VGG
from ocr.recognition.four_stage import FourStage
from ocr.recognition.pred import CTC
from ocr.recognition.recognizer import Recognizer
from ocr.recognition.seq import NoSequence
from ocr.recognition.trans import NoTransformation
from ocr.render.look import Range, load_language, load_look
from ocr.render.scene import render_scene
from ocr.run.hardware import bf16_in_hardware
from ocr.run.record import forget_peak_memory, peak_memory_mb
from ocr.seeding import generator
from ocr.types import Page, Scene

SIZE, LARGE = (720, 1280), (3000, 4000)
"""Height and width of the pictures, pixels."""
WORDS = 20
LONG_SIDE = 1280
RUNS = Path("runs/demo")
PARTS = ("network", "post-processing", "cropping", "recognition")
TARGET = 0.4
"""Seconds for a picture on two cores, bf16 where the processor has it."""


def scene() -> Scene:
    """A picture with twenty English words."""
    look = load_look("clean").written_in(load_language("en"), "test")
    layout = dataclasses.replace(look.layout, words=Range(WORDS, WORDS), height=Range(24, 60))
    return render_scene(look.replace(layout=layout, picture=SIZE), generator(3, "bench", "read"), *SIZE)


def newest_pair(runs: Path) -> tuple[Path, Path] | None:
    """The newest checkpoints of the demo's runs, None where one is missing."""
    found = []
    for kind in ("detector", "recognizer"):
        paths = sorted(runs.glob(f"{kind}*/best.ckpt"), key=lambda path: path.stat().st_mtime)
        found += paths[-1:]
    return (found[0], found[1]) if len(found) == 2 else None


def reader_of(pair: tuple[Path, Path] | None, precision: str, truth: Scene) -> tuple[Any, Any]:
    """Detector and recogniser of two checkpoints, or the demo's networks with random weights."""
    if pair is not None:
        detector = deployed.detector(pair[0], "cpu", long_side=LONG_SIDE, precision=precision)
        return detector, deployed.recognizer(pair[1], "cpu", precision=precision)
    keep_freed_memory(deployed.KEPT)
    torch.manual_seed(1)
    stages = [NoTransformation, partial(VGG, channels=128, norm_all=True), NoSequence, CTC]
    network = FourStage(Charset.from_spec("digits_lower"), *stages)
    kind: Any = precision
    return Knowing(CRAFT(0.5), truth, kind), Recognizer(network, precision=kind)


class Knowing(Detector):
    """Searches as a detector does, and then puts the score maps of the known words in place of the network's."""

    def __init__(self, network: CRAFT, truth: Scene, precision: Any) -> None:
        super().__init__(network, long_side=LONG_SIDE, precision=precision)
        self.truth = truth

    def _scores(self, images_BHWC: np.ndarray) -> Any:
        maps_B2hw = super()._scores(images_BHWC)
        zoom = min(LONG_SIDE / max(SIZE), self.max_enlargement) / 2
        words = [zoom * word.characters for word in self.truth.words if word.characters is not None]
        return np.stack([score_maps(maps.shape[1:], words) for maps in maps_B2hw])


class Stopwatch:
    """Seconds spent in methods of objects."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)

    def watch(self, owner: Any, method: str, name: str) -> None:
        """Time every call of a method from now on."""
        setattr(owner, method, partial(self._timed, getattr(owner, method), name))

    def _timed(self, call: Callable[..., Any], name: str, *arguments: Any) -> Any:
        began = time.perf_counter()
        result = call(*arguments)
        self.seconds[name] += time.perf_counter() - began
        return result


def timed(pair: tuple[Path, Path] | None, cores: int, precision: str, rounds: int) -> tuple[dict[str, float], Page]:
    """Median seconds of every part of a picture, and what was read; in a process of its own."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])
    torch.set_num_threads(cores)
    cv2.setNumThreads(cores)
    picture = scene()
    detector, recognizer = reader_of(pair, precision, picture)
    watch = Stopwatch()
    for owner, method in ((detector, "detect"), (detector, "score_maps"), (recognizer, "read")):
        watch.watch(owner, method, method)
    reader = Reader(detector, recognizer)
    samples: dict[str, list[float]] = defaultdict(list)
    page = Page("", 0, 0, [])
    for i in range(rounds + 1):
        watch.seconds.clear()
        began = time.perf_counter()
        (page,) = reader.read([picture.image])
        total, spent = time.perf_counter() - began, watch.seconds
        parts = (spent["score_maps"], spent["detect"] - spent["score_maps"], total - spent["detect"] - spent["read"])
        for name, value in zip((*PARTS, "total"), (*parts, spent["read"], total), strict=True):
            if i:
                samples[name].append(value)
    return {name: statistics.median(values) for name, values in samples.items()}, page


def memory(pair: tuple[Path, Path] | None, precision: str) -> tuple[float, float]:
    """Peak memory in megabytes for the large picture, and what the process held before; in a process of its own."""
    picture = scene()
    detector, recognizer = reader_of(pair, precision, picture)
    large = cv2.resize(picture.image, LARGE[::-1], interpolation=cv2.INTER_CUBIC)
    forget_peak_memory()
    before = peak_memory_mb()
    Reader(detector, recognizer).read([large])
    return peak_memory_mb(), before


def apart(call: Callable[..., Any], *arguments: Any) -> Any:
    """The result of a call in a fresh process."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(call, arguments)


def main(argv: Sequence[str] | None = None) -> None:
    """Time and print."""
    parser = argparse.ArgumentParser(prog="python -m experiments.bench.read", description=__doc__)
    parser.add_argument("pair", nargs="*", type=Path, help="checkpoints of a detector and a recogniser")
    parser.add_argument("--rounds", type=int, default=5, help="readings that are timed (default: 5)")
    arguments = parser.parse_args(argv)
    if len(arguments.pair) not in (0, 2):
        parser.error("give a detector and a recogniser, or neither")
    pair = tuple(arguments.pair) or newest_pair(RUNS)
    print(f"pair: {' '.join(map(str, pair)) if pair else 'random weights, known words'}")
    precision = "bf16" if bf16_in_hardware("cpu") else "fp32"
    truth = scene()
    for cores in (1, 2):
        if cores > (os.cpu_count() or 1):
            print(f"{cores} cores: this machine has fewer")
            continue
        seconds, page = apart(timed, pair, cores, precision, arguments.rounds)
        report(cores, precision, seconds, page, truth)
    peak, before = apart(memory, pair, precision)
    print(f"{LARGE[1]} x {LARGE[0]} picture: {peak:.0f} MB at most, {before:.0f} MB before")
    print(f"figure read_peak_memory {peak:.4g} MB")


def report(cores: int, precision: str, seconds: dict[str, float], page: Page, truth: Scene) -> None:
    """The parts, and the total with what it bought."""
    parts = ", ".join(f"{name} {1e3 * seconds[name]:.1f} ms" for name in PARTS)
    found = [detection for detection, _ in page.words]
    texts = [reading.text for _, reading in page.words]
    boxes, words = BoxProtocol("found"), Spotting("end_to_end")
    scores = _hmean(boxes([(found, truth.words)])), _hmean(words([(found, truth.words)], texts=[texts]))
    print(
        f"{cores} core{'s' * (cores > 1)}, {precision}, {SIZE[1]} x {SIZE[0]}, {len(found)} words: {seconds['total']:.3f} s, "
        f"H-mean of the boxes {scores[0]:.3f}, with their texts {scores[1]:.3f}; {parts}"
    )
    for name in PARTS:
        print(f"figure read_{cores}_{name.replace('-', '_')} {seconds[name]:.4g} s")
    if cores == 2:
        figure("read_2_total", seconds["total"], "s", TARGET, at_most=True)
    else:
        print(f"figure read_{cores}_total {seconds['total']:.4g} s")


def _hmean(result: DetectionResult) -> float:
    return next(score.value for score in result.scores("") if score.metric == "hmean")


if __name__ == "__main__":
    main()
