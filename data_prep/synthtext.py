"""SynthText in the Wild (Gupta, Vedaldi and Zisserman, CVPR 2016): ``gt.mat`` and the pictures it names.

``gt.mat`` holds four cell arrays of one row, an entry per picture: ``imnames``; ``wordBB`` and ``charBB``, 2 x 4 x N corners with
x in row 0 and y in row 1, clockwise (2 x 4 when there is one box); ``txt``, blocks of text with line feeds and padding. A word is
a run of non-space characters, and each of its characters has a box.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.io import loadmat

from data_prep.boxes import cut_word, usable, words_of
from data_prep.picture import checked, encode
from data_prep.raw import read_inside
from data_prep.samples import Drop, Job, RawScene, RawWord, Sample, Unusable
from ocr.data.records import Task
from ocr.types import Image, Quads, SceneWord

FIELDS = ("imnames", "wordBB", "charBB", "txt")
TASKS: dict[str, tuple[Task, ...]] = {
    "detection": ("detection",),
    "recognition": ("recognition",),
    "both": ("detection", "recognition"),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``python -m data_prep synthtext``."""
    parser.add_argument(
        "--task",
        choices=list(TASKS),
        default="both",
        help="scenes for a detector, word crops for a recogniser, or both",
    )


def jobs(raw: Path, args: argparse.Namespace) -> list[Job]:
    """The one split of SynthText, ``train``.

    Raises:
        ValueError: ``gt.mat`` is not there or not of its form.
    """
    folder = next((f for f in (raw, raw / "SynthText") if (f / "gt.mat").is_file()), None)
    if folder is None:
        raise ValueError(
            f"no gt.mat in {raw}: --raw is the folder that holds gt.mat and the numbered folders of pictures"
        )
    tasks = TASKS[args.task]
    reader = Reader(folder, GroundTruth.load(folder / "gt.mat"), tasks)
    return [Job("train", tasks, range(len(reader)), len(reader), reader.samples, reader.name)]


@dataclass(slots=True)
class GroundTruth:
    """The four cell arrays of ``gt.mat``, one entry per picture."""

    names: NDArray[Any]
    words: NDArray[Any]
    characters: NDArray[Any]
    texts: NDArray[Any]

    @classmethod
    def load(cls, path: Path) -> GroundTruth:
        """Read ``gt.mat``; the full release needs some 3 GB of memory and a few minutes.

        Raises:
            ValueError: it is not a MATLAB 5 file with those four arrays, all of one length.
        """
        try:
            content = loadmat(path, variable_names=FIELDS)
        except Exception as error:
            # SciPy meets a damaged file with whatever its parser stumbles over
            raise ValueError(
                f"{path} cannot be read ({error}): it is not a MATLAB 5 file, or not all of it is there"
            ) from None
        missing = [f for f in FIELDS if f not in content or content[f].dtype != object]
        if missing:
            raise ValueError(f"{path} has no cell array {', '.join(missing)}: it is not the gt.mat of SynthText")
        cells = [content[f].ravel() for f in FIELDS]
        if len({len(c) for c in cells}) != 1:
            counts = ", ".join(f"{f} {len(c)}" for f, c in zip(FIELDS, cells, strict=True))
            raise ValueError(f"{path}: the arrays are of different lengths ({counts}): it is damaged")
        return cls(*cells)


class Reader:
    """Turns entries of ``gt.mat`` into scenes and word crops."""

    def __init__(self, folder: Path, truth: GroundTruth, tasks: tuple[Task, ...]) -> None:
        self.folder = folder
        self.truth = truth
        self.tasks = tasks

    def __len__(self) -> int:
        return len(self.truth.names)

    def name(self, index: int) -> str:
        """Path of a picture as ``gt.mat`` has it."""
        return str(np.ravel(self.truth.names[index])[0])

    def samples(self, index: int) -> Iterator[Sample]:
        """The scene and the word crops of one picture.

        Raises:
            Unusable: the picture or its labels as a whole.
        """
        name = self.name(index)
        labelled = self.labels(index)
        data, image = checked(read_inside(self.folder, name))
        words = []
        for number, raw_word in enumerate(labelled):
            try:
                word, fault = usable(raw_word, image.shape[1], image.shape[0])
            except Unusable as error:
                yield from self._drops(str(error), f"{name}#{number} {raw_word.text}", self.tasks)
                continue
            words.append(word)
            if fault:
                yield from self._drops(fault, f"{name}#{number} {raw_word.text}", self.tasks)
            elif "recognition" in self.tasks:
                yield self._crop(image, word, f"{name}#{number}")
        if "detection" in self.tasks:
            yield RawScene(name, data, words, "char")

    def labels(self, index: int) -> list[SceneWord]:
        """Words of one picture with their character quads, as the file has them.

        Raises:
            Unusable: boxes are not 2 x 4 x N, or do not fit the text.
        """
        words, characters = _quads(self.truth.words[index]), _quads(self.truth.characters[index])
        texts = " ".join(str(block) for block in np.ravel(self.truth.texts[index])).split()
        if len(texts) != len(words):
            raise Unusable("number of words is not the number of word boxes")
        if sum(map(len, texts)) != len(characters):
            raise Unusable("number of characters is not the number of character boxes")
        return words_of(words, texts, characters)

    def _crop(self, image: Image, word: SceneWord, name: str) -> Sample:
        assert word.text is not None
        try:
            crop, characters = cut_word(image, word)
        except Unusable as error:
            return Drop("recognition", str(error), f"{name} {word.text}")
        return RawWord(name, encode(np.ascontiguousarray(crop)), word.text, characters=characters)

    @staticmethod
    def _drops(reason: str, what: str, tasks: tuple[Task, ...]) -> Iterator[Drop]:
        for task in tasks:
            yield Drop(task, reason, what)


def _quads(boxes: NDArray[Any]) -> Quads:
    if boxes.size == 0:
        return np.zeros((0, 4, 2), np.float32)
    if boxes.ndim == 2:
        boxes = boxes[..., None]
    if boxes.ndim != 3 or boxes.shape[:2] != (2, 4):
        raise Unusable("boxes are not 2 x 4 x N")
    return np.ascontiguousarray(boxes.transpose(2, 1, 0), np.float32)
