"""Rendered stand-ins in the raw layouts of the sets they stand in for: ``python -m data_prep rendered``.

Nothing downstream can tell them from a download but the ``RENDERED.json`` beside them, which says what they are.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from rich.console import Console

from data_prep.progress import tracked
from data_prep.rendered_pool import rendered_in_order
from data_prep.rendered_store import pack
from ocr.data.publish import published
from ocr.render import VERSION
from ocr.render.binding import plain
from ocr.render.fonts import faces
from ocr.render.look import Look, load_language, load_look
from ocr.render.scene import render_blocks
from ocr.render.word import render_word
from ocr.render.writing import usable
from ocr.seeding import generator
from ocr.types import Image, Points, SceneWord

MANIFEST = "RENDERED.json"
QUALITY = 93
"""JPEG quality of the files; the look has put its own compression into the picture before."""


@dataclass(frozen=True, slots=True)
class Job:
    """One run of samples: where they go, how they look and what they are part of."""

    folder: Path
    look: Look
    seed: int
    part: str


Record = Any
"""What the parent process needs to know of a sample to write the label files; picklable."""


@dataclass(frozen=True, slots=True)
class Layout:
    """A raw layout: how sample i is rendered and saved (in a worker), and how the label files are written (in the parent).

    ``look``, ``count`` and ``test_count`` are what the demo uses.  A test part has the same look and the test half of the words.
    """

    look: str
    count: int
    sample: Callable[[Job, int], Record]
    finish: Callable[[Path, dict[str, list[Record]]], None]
    test_count: int = 0


def _save(path: Path, image: Image) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if not cv2.imwrite(str(path), cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, QUALITY]):
        raise ValueError(f"cannot write {path}: make room on the disk, or choose another --out")


def _random(job: Job, index: int) -> np.random.Generator:
    return generator(job.seed, job.look.name, job.part, index)


# SynthText: pictures in numbered folders and one gt.mat


def _synthtext_sample(job: Job, index: int) -> Record:
    rendered = render_blocks(job.look, _random(job, index), *job.look.picture)
    name = f"{index // 100 + 1}/standin_{index}_0.jpg"
    _save(job.folder / name, rendered.scene.image)
    words = [word.polygon for word in rendered.scene.words]
    characters = [word.characters for word in rendered.scene.words if word.characters is not None]
    none = np.zeros((0, 4, 2), np.float32)
    return name, np.array([*none, *words]).reshape(-1, 4, 2), np.concatenate([none, *characters]), rendered.blocks


def _synthtext_finish(folder: Path, records: dict[str, list[Record]]) -> None:
    """Write ``gt.mat`` with the release's types: rows of cells, boxes 2 x 4 x N (2 x 4 for one box), texts padded to one length."""
    from scipy.io import savemat

    names, words, characters, texts = zip(*records["train"], strict=True)
    savemat(
        folder / "gt.mat",
        {
            "imnames": _cells([np.array([name]) for name in names]),
            "wordBB": _cells([_boxes(quads).astype(np.float32) for quads in words]),
            "charBB": _cells([_boxes(quads).astype(np.float64) for quads in characters]),
            "txt": _cells([np.array(blocks) for blocks in texts]),
        },
    )


def _boxes(quads: np.ndarray) -> np.ndarray:
    boxes = quads.transpose(2, 1, 0)
    return boxes[:, :, 0] if boxes.shape[2] == 1 else boxes


def _cells(items: list[np.ndarray]) -> np.ndarray:
    cells = np.empty((1, len(items)), object)
    for i, item in enumerate(items):
        cells[0, i] = item
    return cells


# ICDAR 2015, task 4.1: pictures and one text file of word quads each

_ICDAR = {
    "train": ("ch4_training_images", "ch4_training_localization_transcription_gt"),
    "test": ("ch4_test_images", "Challenge4_Test_Task1_GT"),
}


def _icdar_sample(job: Job, index: int) -> Record:
    scene = render_blocks(job.look, _random(job, index), *job.look.picture).scene
    images, labels = _ICDAR[job.part]
    _save(job.folder / images / f"img_{index + 1}.jpg", scene.image)
    path = job.folder / labels / f"gt_img_{index + 1}.txt"
    path.parent.mkdir(exist_ok=True)
    lines = [_quad_line(word, "d") for word in scene.words]
    path.write_bytes(b"\xef\xbb\xbf" + "".join(line + "\r\n" for line in lines).encode())


def _quad_line(word: SceneWord, number: str) -> str:
    corners: Points = np.round(word.polygon).astype(int) if number == "d" else word.polygon
    text = "###" if word.ignore or word.text is None else word.text
    return ",".join([*(format(v, number) for v in corners.reshape(-1).tolist()), text])


def _nothing_to_finish(folder: Path, records: dict[str, list[Record]]) -> None:
    """The label files lie beside the pictures already."""


# Fixed test scenes: images/NAME.jpg and gt/gt_NAME.txt, lines as above with tenths of pixels


def _test_scene_sample(job: Job, index: int) -> Record:
    scene = render_blocks(job.look, _random(job, index), *job.look.picture).scene
    _save(job.folder / "images" / f"scene_{index:03d}.jpg", scene.image)
    path = job.folder / "gt" / f"gt_scene_{index:03d}.txt"
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(_quad_line(word, ".1f") + "\n" for word in scene.words), encoding="utf-8")


# MJSynth: D/D/ID_WORD_INDEX.jpg and annotation files


def _mjsynth_sample(job: Job, index: int) -> Record:
    word = render_word(job.look, _random(job, index))
    folder = f"{index // 10_000 + 1}/{index // 500 % 20 + 1}"
    number = index % 500 + 1
    # The last number of a name is the word's place in the lexicon, which is known only at the end: the parent renames.
    _save(job.folder / folder / f"{number}_{word.text}.jpg", word.image)
    return folder, number, word.text


def _mjsynth_finish(folder: Path, records: dict[str, list[Record]]) -> None:
    words = records["train"]
    lexicon = sorted({text.lower() for _, _, text in words})
    place = {text: i for i, text in enumerate(lexicon)}
    lines: dict[str, list[str]] = {"train": [], "val": [], "test": []}
    for i, (sub, number, text) in enumerate(words):
        name = f"{number}_{text}_{place[text.lower()]}.jpg"
        (folder / sub / f"{number}_{text}.jpg").rename(folder / sub / name)
        split = {0: "val", 1: "test"}.get(i % 20, "train")
        lines[split].append(f"./{sub}/{name} {place[text.lower()]}\n")
    (folder / "lexicon.txt").write_text("".join(word + "\n" for word in lexicon))
    for split, entries in lines.items():
        (folder / f"annotation_{split}.txt").write_text("".join(entries))


# Fixed test words: images/NAME.jpg and labels.tsv


def _test_word_sample(job: Job, index: int) -> Record:
    word = render_word(job.look, _random(job, index))
    name = f"images/word_{index:05d}.jpg"
    _save(job.folder / name, word.image)
    return name, word.text


def _test_word_finish(folder: Path, records: dict[str, list[Record]]) -> None:
    (folder / "labels.tsv").write_text(
        "".join(f"{name}\t{text}\n" for name, text in records["train"]), encoding="utf-8"
    )


SETS = {
    "synthtext": Layout("synthtext_standin", 1500, _synthtext_sample, _synthtext_finish),
    "icdar2015": Layout("icdar2015_standin", 300, _icdar_sample, _nothing_to_finish, test_count=60),
    "mjsynth": Layout("mjsynth_standin", 40_000, _mjsynth_sample, _mjsynth_finish),
    "rendered_scenes_v1": Layout("rendered_scenes_v1", 60, _test_scene_sample, _nothing_to_finish),
    "rendered_words_v1": Layout("rendered_words_v1", 2000, _test_word_sample, _test_word_finish),
}
"""The sets that can be rendered, with their looks and the numbers of samples of the demo."""


TASKS = {"words": "recognition", "scenes": "detection"}
"""Prepared sets, by what they hold."""
PACKED = 1000
"""Samples of a prepared set where no number is given."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``python -m data_prep rendered``."""
    parser.add_argument("--out", type=Path, required=True, help="folder that receives one sub-folder for every set")
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument(
        "--set",
        choices=[*SETS, *TASKS],
        help="the raw layout to render, or words or scenes for a prepared set that needs no further step",
    )
    which.add_argument("--demo", action="store_true", help="render every set that the demo needs")
    parser.add_argument("--count", type=int, help="number of samples (default: what the demo uses)")
    parser.add_argument("--test-count", type=int, help="number of test pictures of icdar2015 (default: 60)")
    parser.add_argument(
        "--look", help="name of a file in conf/render, or a path (default: the set's own look, or scene)"
    )
    parser.add_argument(
        "--language",
        help="name of a file in conf/language, for presets such as scene or hard; of words and scenes several: ja,ko",
    )
    parser.add_argument("--split", choices=["train", "val", "test"], default="train", help="part of words or scenes")
    parser.add_argument(
        "--seed", type=int, default=0, help="sample i of seed s is the same picture everywhere (default: 0)"
    )
    parser.add_argument(
        "--workers",
        type=int,
        default=os.cpu_count() or 1,
        help="processes (default: all cores); any number gives the same files",
    )


def run(args: argparse.Namespace) -> int:
    """Render what the arguments ask for; returns the exit code.

    Raises:
        ValueError: an argument, a look or a font package is wrong or missing, or a folder holds something else.
    """
    if args.set in TASKS:
        languages = tuple((args.language or "en").split(","))
        count = PACKED if args.count is None else args.count
        pack(TASKS[args.set], languages, args.look, args.out, count, args.split, args.seed, args.workers)
        return 0
    for name in SETS if args.demo else [args.set]:
        layout = SETS[name]
        count = layout.count if args.count is None else args.count
        test_count = layout.test_count if args.test_count is None else args.test_count
        render_set(name, args.out, count, test_count, args.look or layout.look, args.seed, args.workers, args.language)
    return 0


def render_set(
    name: str,
    out: Path,
    count: int,
    test_count: int = 0,
    look: str | None = None,
    seed: int = 0,
    workers: int = 1,
    language: str | None = None,
) -> Path:
    """Render one set into ``out/<name>`` and return that folder; returns at once when it is there with the same parameters.

    Raises:
        ValueError: ``name`` is unknown, ``count`` is not positive, ``look``, ``language`` or one of its fonts is missing, ``look`` is a
            preset and no language is named, or ``out/<name>`` holds something that was not rendered.
    """
    if name not in SETS:
        raise ValueError(f"no rendered set {name!r}: choose from {', '.join(SETS)}")
    if count < 1 or test_count < 0 or seed < 0 or workers < 1:
        raise ValueError(
            f"count {count}, test count {test_count}, seed {seed} and workers {workers}: count and workers start at 1, the others at 0"
        )
    layout = SETS[name]
    test_count = test_count if layout.test_count else 0
    chosen = _checked_look(load_look(look or layout.look), language, name)
    manifest = _manifest(name, chosen, count, test_count, seed)
    folder = out / name
    if _rendered_before(folder, manifest):
        Console(stderr=True).print(f"{folder}: rendered before, nothing to do")
        return folder
    with published(folder) as draft:
        records = {}
        for part, number in (("train", count), ("test", test_count)):
            if number:
                part_look = chosen
                if part == "test":
                    part_look = chosen.replace(words=dataclasses.replace(chosen.words, slice="test"))
                label = name if part == "train" else f"{name} test"
                records[part] = _render_all(Job(draft, part_look, seed, part), layout, number, workers, label)
        layout.finish(draft, records)
        (draft / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
    return folder


def _checked_look(look: Look, language: str | None, name: str) -> Look:
    """The look, in the language if one is named, with fonts that are there."""
    if language is not None:
        if look.fonts:
            raise ValueError(f"--language {language}: the look {look.name} has fonts of its own; add --look scene")
        look = look.written_in(load_language(language), "train")
        # In MJSynth's layout the text is part of a file name.
        words = dataclasses.replace(look.words, alphanumeric=look.words.alphanumeric or name == "mjsynth", phrase=0.0)
        look = look.replace(words=words)
        usable(look)
        return look
    if not look.fonts:
        raise ValueError(f"the preset {look.name} does not say what is written: add --language en, ja or ko")
    for family in look.fonts:
        faces(family, int(look.letters.weight.low), int(look.letters.weight.high))
    return look


def _manifest(name: str, look: Look, count: int, test_count: int, seed: int) -> dict[str, Any]:
    digest = hashlib.sha256(json.dumps(plain(look), sort_keys=True).encode()).hexdigest()
    return {
        "kind": "rendered", "set": name, "look": look.name, "look_sha256": digest, "seed": seed, "count": count, "test_count": test_count,
        "fonts": list(look.fonts), "backgrounds": list(look.backgrounds), "words": look.words.slice, "renderer": VERSION,
    }  # fmt: skip


def _rendered_before(folder: Path, manifest: dict[str, Any]) -> bool:
    path = folder / MANIFEST
    if not path.is_file():
        if folder.exists() and any(folder.iterdir()):
            raise ValueError(
                f"{folder} holds files that were not rendered (no {MANIFEST}): choose another --out, so that nothing is lost"
            )
        return False
    try:
        return bool(json.loads(path.read_text(encoding="utf-8")) == manifest)
    except ValueError:
        return False


def _render_all(job: Job, layout: Layout, count: int, workers: int, label: str) -> list[Record]:
    """All samples' records in order, rendered by several processes."""
    done = rendered_in_order(partial(_render_chunk, job, layout), count, workers)
    console = Console(stderr=True)
    began = time.monotonic()
    records = list(tracked(done, f"render {label}", count, console))
    rate = count / max(time.monotonic() - began, 1e-9)
    console.print(f"rendered {label}: {count:,} samples, {rate:,.0f} a second", highlight=False)
    return records


def _render_chunk(job: Job, layout: Layout, indices: range) -> list[Record]:
    return [layout.sample(job, i) for i in indices]
