"""SynthText in the Wild (Gupta, Vedaldi and Zisserman, CVPR 2016): ``gt.mat`` and the pictures it names.

``gt.mat`` holds four cell arrays of one row, an entry per picture: ``imnames``; ``wordBB`` and ``charBB``, 2 x 4 x N corners with
x in row 0 and y in row 1, clockwise (2 x 4 when there is one box); ``txt``, blocks of text with line feeds and padding. A word is
a run of non-space characters, and each of its characters has a box.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from data_prep import mat5
from data_prep.archives import RawFile
from data_prep.boxes import all_usable, cut_word, words_of
from data_prep.picture import checked, encode
from data_prep.raw import Part, find_file, find_part
from data_prep.samples import Drop, Job, RawScene, RawWord, Repeated, Sample, Unusable
from ocr.charset import clusters
from ocr.data.records import Task
from ocr.types import Image, Quads, SceneWord

FIELDS = ("imnames", "wordBB", "charBB", "txt")
TASKS: dict[str, tuple[Task, ...]] = {
    "detection": ("detection",),
    "recognition": ("recognition",),
    "both": ("detection", "recognition"),
}


@dataclass(frozen=True, slots=True)
class Item:
    """An entry of ``gt.mat``: the picture, or why there is none, and the undecoded cells of its labels."""

    name: str
    file: RawFile | str
    words: bytes
    characters: bytes
    texts: bytes
    order: str


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``python -m data_prep synthtext``."""
    parser.add_argument(
        "--task",
        choices=list(TASKS),
        default="both",
        help="scenes for a detector, word crops for a recogniser, or both",
    )


def jobs(raw: Path, args: argparse.Namespace) -> list[Job]:
    """The one split of SynthText, ``train``; ``gt.mat`` is gone through once, cell by cell.

    Raises:
        ValueError: ``gt.mat`` is not there or not of its form.
    """
    truth = find_file(raw, "gt.mat|SynthText/gt.mat")
    pictures = find_part(raw, "." if (raw / "gt.mat").is_file() else "SynthText")
    if truth is None or pictures is None:
        raise ValueError(
            f"no gt.mat in {raw}: --raw is the folder that holds gt.mat and the numbered folders of pictures, or SynthText.zip"
        )
    tasks = TASKS[args.task]
    place = f"{truth.container}/{truth.path}"
    try:
        file = mat5.MatFile(truth.open)
    except mat5.Malformed as error:
        raise ValueError(
            f"{place} cannot be read ({error}): it is not a MATLAB 5 file, or not all of it is there"
        ) from None
    total = _entries(place, file)
    return [
        Job("train", tasks, Repeated(partial(items, place, file, pictures)), total, partial(samples, tasks), name_of)
    ]


def items(place: str, file: mat5.MatFile, pictures: Part) -> Iterator[Item]:
    """The entries of ``gt.mat`` in its order; only one of them is in memory.

    Raises:
        ValueError: the file is damaged.
    """
    try:
        for name_cell, words, characters, texts in zip(*map(file.cells, FIELDS), strict=True):
            name = "".join(mat5.decoded(name_cell, file.order).ravel()[:1])
            try:
                picture: RawFile | str = pictures.find(name)
            except Unusable as error:
                picture = str(error)
            yield Item(name, picture, words, characters, texts, file.order)
    except mat5.Malformed as error:
        raise ValueError(f"{place} cannot be read ({error}): download it again") from None


def name_of(item: Item) -> str:
    """Path of a picture as ``gt.mat`` has it."""
    return item.name


def samples(tasks: tuple[Task, ...], item: Item) -> Iterator[Sample]:
    """The scene and the word crops of one picture.

    Raises:
        Unusable: the picture or its labels as a whole.
    """
    words = labels(item)
    if isinstance(item.file, str):
        raise Unusable(item.file)
    data, image = checked(item.file.read())
    kept = []
    for number, (raw_word, found) in enumerate(
        zip(words, all_usable(words, image.shape[1], image.shape[0]), strict=True)
    ):
        what = f"{item.name}#{number} {raw_word.text}"
        if isinstance(found, Unusable):
            yield from _drops(str(found), what, tasks)
            continue
        word, fault = found
        kept.append(word)
        if fault:
            yield from _drops(fault, what, tasks)
        elif "recognition" in tasks:
            yield _crop(image, word, f"{item.name}#{number}")
    if "detection" in tasks:
        yield RawScene(item.name, data, kept, "char")


def labels(item: Item) -> list[SceneWord]:
    """Words of one picture with their character quads, as the file has them.

    Raises:
        Unusable: boxes are not 2 x 4 x N, or do not fit the text, or the cells are damaged.
    """
    try:
        boxes, characters, blocks = (
            mat5.decoded(cell, item.order) for cell in (item.words, item.characters, item.texts)
        )
    except mat5.Malformed:
        raise Unusable("entry of gt.mat is damaged") from None
    words, quads = _quads(boxes), _quads(characters)
    texts = " ".join(str(block) for block in blocks.ravel()).split()
    if len(texts) != len(words):
        raise Unusable("number of words is not the number of word boxes")
    if sum(len(clusters(text)) for text in texts) != len(quads):
        raise Unusable("number of characters is not the number of character boxes")
    return words_of(words, texts, quads)


def _entries(place: str, file: mat5.MatFile) -> int:
    missing = [f for f in FIELDS if f not in file.variables or file.variables[f].kind != mat5.CELL]
    if missing:
        raise ValueError(f"{place} has no cell array {', '.join(missing)}: it is not the gt.mat of SynthText")
    counts = {f: int(np.prod(file.variables[f].shape)) for f in FIELDS}
    if len({*counts.values()}) != 1:
        listed = ", ".join(f"{f} {n}" for f, n in counts.items())
        raise ValueError(f"{place}: the arrays are of different lengths ({listed}): it is damaged")
    return counts[FIELDS[0]]


def _crop(image: Image, word: SceneWord, name: str) -> Sample:
    assert word.text is not None
    try:
        crop, characters = cut_word(image, word)
    except Unusable as error:
        return Drop("recognition", str(error), f"{name} {word.text}")
    return RawWord(name, encode(np.ascontiguousarray(crop)), word.text, characters=characters)


def _drops(reason: str, what: str, tasks: tuple[Task, ...]) -> Iterator[Drop]:
    for task in tasks:
        yield Drop(task, reason, what)


def _quads(boxes: mat5.Value) -> Quads:
    if boxes.size == 0:
        return np.zeros((0, 4, 2), np.float32)
    if boxes.ndim == 2:
        boxes = boxes[..., None]
    if boxes.ndim != 3 or boxes.shape[:2] != (2, 4) or boxes.dtype.kind not in "fiu":
        raise Unusable("boxes are not 2 x 4 x N")
    with np.errstate(over="ignore"):
        return np.ascontiguousarray(boxes.transpose(2, 1, 0), np.float32)
