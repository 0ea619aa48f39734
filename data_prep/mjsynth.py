"""MJSynth (Jaderberg et al., NIPS Deep Learning Workshop 2014): word crops whose names hold the word, ``NN_WORD_NN.jpg``.

The annotation files list ``./dir/dir/NN_WORD_NN.jpg lexicon_index`` per split; without them every picture trains. The release,
``mjsynth.tar.gz``, is read as it is: in the order of the archive, of which the splits are told apart by 8 bytes a picture.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath

import numpy as np

from data_prep.archives import RawFile
from data_prep.picture import checked
from data_prep.raw import PICTURES, Part, find_part, inner_path
from data_prep.samples import Job, RawWord, Repeated, Sample, Unusable
from ocr.data.records import Split

SPLITS: tuple[Split, ...] = ("train", "val", "test")
FOLDER = "90kDICT32px"
INNER = ("", FOLDER, f"mnt/ramdisk/max/{FOLDER}")
"""Where the archive puts the pictures."""
CHUNK = 256


@dataclass(frozen=True, slots=True)
class Item:
    """A picture by its path below ``90kDICT32px``; no file when an archive does not hold what its list names."""

    path: str
    file: RawFile | None


def add_arguments(_: argparse.ArgumentParser) -> None:
    """``python -m data_prep mjsynth`` needs no arguments of its own."""


def jobs(raw: Path, _: argparse.Namespace) -> list[Job]:
    """A job per annotation file that is not empty, or one for all pictures.

    Raises:
        ValueError: the folder holds no pictures of words.
    """
    folder = next((raw / inner for inner in INNER if any((raw / inner / _list(s)).is_file() for s in SPLITS)), None)
    archive = find_part(raw, "mjsynth")
    found: dict[Split, tuple[Repeated, int]] = {}
    if folder is not None:
        for split in SPLITS:
            if (folder / _list(split)).is_file():
                found[split] = _counted(Repeated(partial(_listed, folder, RawFile(str(folder), _list(split)))))
    elif archive is not None and not archive.place.is_dir():
        found = _from_archive(archive)
    else:
        folder = next((raw / inner for inner in reversed(INNER) if (raw / inner).is_dir()), raw)
        found["train"] = _counted(Repeated(partial(_searched, Part(folder, FOLDER))))
    splits = [
        Job(split, ("recognition",), items, total, words, _path, chunk=CHUNK)
        for split, (items, total) in found.items()
        if total
    ]
    if not splits:
        raise ValueError(
            f"no words in {raw}: expected mjsynth.tar.gz, annotation_train.txt, or pictures NN_WORD_NN.jpg"
        )
    return splits


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


def words(item: Item) -> Iterator[Sample]:
    """The crop of an item.

    Raises:
        Unusable: the picture is not there or cannot be decoded, or its name holds no word.
    """
    path = inner_path(item.path)
    if item.file is None:
        raise Unusable("no such picture")
    data, _ = checked(item.file.read())
    yield RawWord(path, data, label_of(path))


def _list(split: Split) -> str:
    return f"annotation_{split}.txt"


def _path(item: Item) -> str:
    return item.path


def _counted(items: Repeated) -> tuple[Repeated, int]:
    return items, sum(1 for _ in items)


def _listed(folder: Path, annotation: RawFile) -> Iterator[Item]:
    with annotation.open() as lines:
        for path in _paths(lines):
            yield Item(path, RawFile(str(folder), path.replace("\\", "/")))


def _searched(part: Part) -> Iterator[Item]:
    for path, file in part.scan():
        if PurePosixPath(path).suffix.lower() in PICTURES:
            yield Item(path, file)


def _paths(lines: Iterable[bytes]) -> Iterator[str]:
    for line in lines:
        fields = line.decode("utf-8", errors="replace").split()
        if fields:
            yield fields[0]


def _from_archive(archive: Part) -> dict[Split, tuple[Repeated, int]]:
    annotations: dict[Split, RawFile] = {}
    for path, file in archive.scan():
        for split in SPLITS:
            if path.endswith(_list(split)):
                annotations[split] = file
        if len(annotations) == len(SPLITS):
            break
    if not annotations:
        return {"train": _counted(Repeated(partial(_of_archive, archive, None)))}
    found: dict[Split, tuple[Repeated, int]] = {}
    for split, file in annotations.items():
        with file.open() as lines:
            total = sum(1 for _ in _paths(lines))
        found[split] = (Repeated(partial(_of_archive, archive, file)), total)
    return {split: found[split] for split in SPLITS if split in found}


def _of_archive(archive: Part, annotation: RawFile | None) -> Iterator[Item]:
    """Pictures in the order of the archive: all, or those of an annotation file; at the end what the archive lacks."""
    wanted = None
    if annotation is not None:
        with annotation.open() as lines:
            wanted = np.unique(np.fromiter((_mark(p) for p in _paths(lines)), np.int64))
        seen = np.zeros(len(wanted), bool)
    for path, file in archive.scan():
        if PurePosixPath(path).suffix.lower() not in PICTURES:
            continue
        short = path.partition(f"{FOLDER}/")[2] or path
        if wanted is not None:
            place = int(np.searchsorted(wanted, _mark(short)))
            if place == len(wanted) or wanted[place] != _mark(short):
                continue
            seen[place] = True
        yield Item(short, file)
    if annotation is not None and wanted is not None and not seen.all():
        with annotation.open() as lines:
            for path in _paths(lines):
                if not seen[int(np.searchsorted(wanted, _mark(path)))]:
                    yield Item(path, None)


def _mark(path: str) -> int:
    return hash(path.removeprefix("./"))
