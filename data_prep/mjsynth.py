"""MJSynth (Jaderberg et al., NIPS Deep Learning Workshop 2014): word crops whose names hold the word, ``NN_WORD_NN.jpg``.

The annotation files list ``./dir/dir/NN_WORD_NN.jpg lexicon_index`` per split; a folder without them is searched, and all of it trains.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath

from data_prep.picture import checked
from data_prep.raw import PICTURES, inner_path, read_inside
from data_prep.samples import Job, RawWord, Sample, Unusable
from ocr.data.records import Split

SPLITS: tuple[Split, ...] = ("train", "val", "test")
INNER = ("", "90kDICT32px", "mnt/ramdisk/max/90kDICT32px")
"""Where the archive puts the pictures."""


@dataclass(frozen=True, slots=True)
class Repeated:
    """A list that is read from its file each time, so that millions of lines need no memory."""

    lines: Callable[[], Iterable[str]]

    def __iter__(self) -> Iterator[str]:
        return iter(self.lines())


def add_arguments(_: argparse.ArgumentParser) -> None:
    """``python -m data_prep mjsynth`` needs no arguments of its own."""


def jobs(raw: Path, _: argparse.Namespace) -> list[Job]:
    """A job per annotation file that is not empty, or one for the whole folder.

    Raises:
        ValueError: the folder holds no pictures of words.
    """
    folder = next((raw / inner for inner in INNER if any(_annotation(raw / inner, s).is_file() for s in SPLITS)), None)
    found: dict[Split, Repeated] = {}
    if folder is not None:
        for split in SPLITS:
            if _annotation(folder, split).is_file():
                found[split] = Repeated(partial(_listed, _annotation(folder, split)))
    else:
        folder = next((raw / inner for inner in reversed(INNER) if (raw / inner).is_dir()), raw)
        found["train"] = Repeated(partial(_searched, folder))
    counts = {split: sum(1 for _ in paths) for split, paths in found.items()}
    if not any(counts.values()):
        raise ValueError(f"no words in {raw}: expected annotation_train.txt, or pictures named NN_WORD_NN.jpg")
    return [
        Job(split, ("recognition",), paths, counts[split], partial(_words, folder))
        for split, paths in found.items()
        if counts[split]
    ]


def label_of(path: str) -> str:
    """The word in a file name.

    Raises:
        Unusable: the name is of another form.
    """
    parts = PurePosixPath(path).stem.split("_")
    word = "_".join(parts[1:-1])
    if not word:
        raise Unusable("file name is not NN_WORD_NN")
    return word


def _words(folder: Path, path: str) -> Iterator[Sample]:
    data, _ = checked(read_inside(folder, path))
    yield RawWord(inner_path(path), data, label_of(path))


def _annotation(folder: Path, split: Split) -> Path:
    return folder / f"annotation_{split}.txt"


def _listed(path: Path) -> Iterator[str]:
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            fields = line.split()
            if fields:
                yield fields[0]


def _searched(folder: Path) -> Iterator[str]:
    for place, folders, files in os.walk(folder):
        folders.sort()
        for name in sorted(files):
            if PurePosixPath(name).suffix.lower() in PICTURES:
                yield (Path(place) / name).relative_to(folder).as_posix()
