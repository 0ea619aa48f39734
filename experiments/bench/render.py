"""The text renderer: crops and scenes a second on one core with the default effects, and the memory of a worker.

Every case runs in a process of its own, as a loader's worker does, and is measured after a warm-up: glyphs, kerning and textures are
drawn once and kept, and training lasts longer than that.  The first renderer's look is measured beside the presets.
"""

from __future__ import annotations

import dataclasses
import multiprocessing
import resource
import time
import warnings
from collections.abc import Callable

import cv2
import numpy as np

from experiments.bench.turns import figure
from ocr.render.binding import Range
from ocr.render.look import Look, load_language, load_look
from ocr.render.scene import render_blocks
from ocr.render.word import render_word
from ocr.seeding import generator

WARM_WORDS, WARM_SCENES = 8000, 60
ROUNDS, WORDS, SCENES = 5, 600, 15
TARGETS = {"en": 1500, "ja": 1000, "ko": 1000}


def _fifteen_words(language: str) -> Look:
    """The default preset with 15 words in every scene."""
    look = load_look("scene").written_in(load_language(language), "train")
    return look.replace(layout=dataclasses.replace(look.layout, words=Range(15, 15)))


def _rate(sample: Callable[[int], object], warm: int, count: int) -> float:
    """Median samples a second of processor time over some rounds, after a warm-up."""
    for i in range(warm):
        sample(i)
    rates = []
    for k in range(ROUNDS):
        began = time.process_time()
        for i in range(count):
            sample(warm + k * count + i)
        rates.append(count / (time.process_time() - began))
    return float(np.median(rates))


def _words(language: str) -> tuple[float, float]:
    """Crops a second at 32 x 100, and the memory of the process in MB."""
    look = load_look("scene").written_in(load_language(language), "train")

    def sample(i: int) -> object:
        image = render_word(look, generator(1, "bench", language, i)).image
        return cv2.resize(image, (100, 32), interpolation=cv2.INTER_AREA)

    return _rate(sample, WARM_WORDS, WORDS), _memory()


def _scenes(language: str) -> tuple[float, float]:
    look = _fifteen_words(language)
    rate = _rate(lambda i: render_blocks(look, generator(1, "bench", language, i), 640, 640), WARM_SCENES, SCENES)
    return rate, _memory()


def _first(_: str) -> tuple[float, float]:
    """Crops a second of the first renderer."""
    look = load_look("mjsynth_standin")
    return _rate(lambda i: render_word(look, generator(1, "bench", i)), WARM_WORDS // 4, WORDS // 2), _memory()


def _memory() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _case(measure: Callable[[str], tuple[float, float]], language: str) -> tuple[float, float]:
    with multiprocessing.get_context("spawn").Pool(1, _quiet) as pool:
        return pool.apply(measure, (language,))


def _quiet() -> None:
    cv2.setNumThreads(1)
    warnings.simplefilter("ignore")


def main() -> None:
    """Print the figures."""
    memory = 0.0
    print(f"first renderer (mjsynth_standin): {_case(_first, 'en')[0]:,.0f} crops a second")
    for language, target in TARGETS.items():
        rate, held = _case(_words, language)
        memory = max(memory, held)
        figure(f"words_{language}", rate, "crops/s", target)
    for language in TARGETS:
        rate, held = _case(_scenes, language)
        memory = max(memory, held)
        figure(f"scenes_{language}", rate, "scenes/s", 25)
    figure("worker_memory", memory, "MB", 400, at_most=True)


if __name__ == "__main__":
    main()
