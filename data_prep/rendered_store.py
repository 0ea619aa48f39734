"""Rendered text as a prepared set on disk: ``python -m data_prep rendered --set words --language ja --count 5000 --out data``."""

from __future__ import annotations

from collections import Counter
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import cv2
from rich.console import Console

from data_prep.progress import tracked
from data_prep.rendered_pool import rendered_in_order
from ocr.data.store import StoreWriter
from ocr.render.source import RenderedScenes, RenderedWords
from ocr.types import Image, Scene, Word

QUALITY = 93
"""JPEG quality of the samples; the look has put its own compression into the picture before."""

Packed = tuple[bytes, Any, Counter[str]]
"""An encoded picture, the sample without it, and what was replaced on the way."""


def pack(
    task: str,
    languages: tuple[str, ...],
    look: str | None,
    out: Path,
    count: int,
    split: str = "train",
    seed: int = 0,
    workers: int = 1,
) -> Path:
    """Write the first ``count`` samples of a rendered set into ``out/<task>/rendered_<languages>/<split>`` and return that folder.

    They are the samples that ``data=rendered_<language>`` trains on, with JPEG on top.

    Raises:
        ValueError: ``count`` or ``workers`` is not positive, or a language, look or font is missing.
    """
    if count < 1 or seed < 0 or workers < 1:
        raise ValueError(
            f"count {count}, seed {seed} and workers {workers}: count and workers start at 1, the seed at 0"
        )
    name = "rendered_" + "_".join(languages)
    make = partial(_source, task, name, languages, look, seed, split)
    source = make()
    folder = out / task / name / split
    what = f"{count} samples of {name} (look {source.preset.name}, seed {seed}, source {source.fingerprint[:12]})"
    replaced: Counter[str] = Counter()
    console = Console(stderr=True)
    with StoreWriter(folder, source.task, name, source.split, "rendered", what) as store:  # type: ignore[arg-type]
        rendered = rendered_in_order(partial(_chunk, make), count, workers)
        for image, sample, given_way in tracked(rendered, f"render {name}", count, console):
            replaced += given_way
            if isinstance(sample, Scene):
                store.add_scene(image, sample.key, sample.label_kind, sample.words, sample.lines)
            else:
                store.add_word(image, sample.text, sample.key, sample.script, sample.direction, sample.characters)
    told = ", ".join(f"{n:,} for {reason}" for reason, n in replaced.most_common()) or "none"
    console.print(f"{folder}: {count:,} samples; replaced while rendering: {told}", highlight=False, soft_wrap=True)
    return folder


@lru_cache(maxsize=2)
def _source(
    task: str, name: str, languages: tuple[str, ...], look: str | None, seed: int, split: str
) -> RenderedWords | RenderedScenes:
    kind = RenderedWords if task == "recognition" else RenderedScenes
    return kind(name, dict.fromkeys(languages, 1.0), look, seed, split=split)  # type: ignore[arg-type]


def _chunk(make: partial[RenderedWords | RenderedScenes], indices: range) -> list[Packed]:
    source = make()
    packed = []
    for i in indices:
        before = Counter(source.replaced)
        sample: Word | Scene = source[i]
        image, sample.image = _encoded(sample.image), sample.image[:0]
        packed.append((image, sample, source.replaced - before))
    return packed


def _encoded(image: Image) -> bytes:
    done, data = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    assert done
    return bytes(data)
