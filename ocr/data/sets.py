"""Prepared sets as plain Python sequences."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np

from ocr.data.label_index import LARGE, label_index
from ocr.data.records import Kind, Manifest, Split, Task, check_place, split_by_folder
from ocr.data.store import Store
from ocr.types import Image, Scene, Word

NAMED_SETS = [
    "ctw1500",
    "cute80",
    "icdar2003",
    "icdar2003_860",
    "icdar2003_867",
    "icdar2013",
    "icdar2013_857",
    "icdar2013_1015",
    "icdar2015",
    "icdar2015_1811",
    "icdar2017_mlt",
    "icdar2019_art",
    "icdar2019_mlt",
    "iiit5k",
    "mjsynth",
    "msra_td500",
    "rects",
    "svt",
    "svtp",
    "synthtext",
    "totaltext",
    "union14m",
]
"""Sets that ``data_prep`` prepares by their own name; any other goes through its ``scenes`` or ``words``."""


NO_PICTURE: Image = np.zeros((0, 0, 3), np.uint8)


class MissingSet(ValueError):
    """The set is not there; everything else that can be wrong with a set is a plain ``ValueError``."""


class _PreparedSet:
    task: Task

    def __init__(self, folder: Path) -> None:
        self.store = Store(folder)
        if self.store.manifest.task != self.task:
            raise ValueError(
                f"{folder} holds a {self.store.manifest.task} set, and {self.task} needs a {self.task} set"
            )

    def __len__(self) -> int:
        return len(self.store)

    @property
    def manifest(self) -> Manifest:
        """What the set is."""
        return self.store.manifest

    @property
    def name(self) -> str:
        """Name of the set."""
        return self.manifest.name

    @property
    def split(self) -> Split:
        """``train``, ``val`` or ``test``."""
        return self.manifest.split

    @property
    def kind(self) -> Kind:
        """``rendered`` for stand-ins, otherwise ``real``."""
        return self.manifest.kind

    @property
    def fingerprint(self) -> str:
        """Fingerprint of the content."""
        return self.manifest.fingerprint

    @property
    def count(self) -> int:
        """Number of samples."""
        return self.manifest.count

    def key(self, index: int) -> str:
        """Key of a sample, without its picture."""
        return self.store.key(index)

    def keys(self) -> list[str]:
        """All keys in order, without any picture."""
        return self.store.keys()

    def each_key(self) -> Iterator[str]:
        """:meth:`keys` one by one, for sets of which no list should be made."""
        return self.store.each_key()


class SceneSet(_PreparedSet):
    """Scenes of a detection set: ``len(set)``, ``set[i]``.

    Raises:
        ValueError: see :class:`ocr.data.store.Store`; ``set[i]`` raises ``UndecodableImage``.
    """

    task = "detection"

    def __getitem__(self, index: int) -> Scene:
        return self.store.scene(index)

    def without_picture(self, index: int) -> Scene:
        """The scene with an empty picture: what is known of one whose picture cannot be decoded."""
        return self.store.scene(index, NO_PICTURE)


class WordSet(_PreparedSet):
    """Words of a recognition set: ``len(set)``, ``set[i]``, ``set.texts()``.

    Raises:
        ValueError: see :class:`ocr.data.store.Store`; ``set[i]`` raises ``UndecodableImage``.
    """

    task = "recognition"

    def __getitem__(self, index: int) -> Word:
        return self.store.word(index)

    def grey(self, index: int) -> Word:
        """``set[index]`` with its picture decoded straight to grey, height x width, and without what else is known of it."""
        return self.store.grey_word(index)

    def without_picture(self, index: int) -> Word:
        """The word with an empty picture: what is known of one whose picture cannot be decoded."""
        return self.store.word(index, NO_PICTURE)

    def texts(self) -> Sequence[str]:
        """All transcriptions in order, without any picture; of a large set memory-mapped."""
        return self.store.texts() if len(self) < LARGE else label_index(self.store)


def open_set(root: str | Path, task: str, name: str, split: str) -> SceneSet | WordSet:
    """Open a prepared set.

    ``name`` is the set's name, and the set is ``<root>/<task>/<name>/<split>``; or it is a path (it holds a slash) to a folder with a
    ``data.mdb``, or to one with a folder per split. A public LMDB without a manifest counts as the split asked for, unless
    its own folder or one of the two above it is named for another (``training``, ``validation``, ``evaluation``); it is
    never taken for a validation split without such a name, because it may well be the training set itself.

    Raises:
        MissingSet: the set is not there; the message says where it was looked for, and the commands that prepare it or
            render a stand-in.
        ValueError: it is of another task or split, or it cannot be read.
    """
    check_place(task, split, "real")
    sequence = SceneSet if task == "detection" else WordSet
    if os.sep in name:
        return _at_path(sequence, Path(name).expanduser(), cast(Split, split))
    folder = Path(root).expanduser() / task / name / split
    if not (folder / "data.mdb").is_file():
        raise MissingSet(_missing(Path(root), task, name, split))
    opened = sequence(folder)
    if (opened.name, opened.split) != (name, split) and not opened.manifest.foreign:
        raise ValueError(
            f"{folder} holds {opened.name}/{opened.split}, not {name}/{split}: put the folder back where it was, or prepare {name}"
        )
    return opened


def is_validation(key: str, share: float = 0.05) -> bool:
    """Whether a sample of a training set without a validation split is held out: by the SHA-1 of its key alone.

    What stands after ``#`` does not count, so the crops of one picture (``set/picture#3``) stay on one side, the side of
    the picture itself.
    """
    digest = hashlib.sha1(key.partition("#")[0].encode(), usedforsecurity=False).digest()
    return int.from_bytes(digest[:8], "big") < share * 2**64


def _at_path(sequence: Any, path: Path, split: Split) -> SceneSet | WordSet:
    folder = path if (path / "data.mdb").is_file() else path / split
    if not (folder / "data.mdb").is_file():
        raise MissingSet(
            f"no set in {path}: neither {path / 'data.mdb'} nor {folder / 'data.mdb'} exists; give the folder of an LMDB"
        )
    opened: SceneSet | WordSet = sequence(folder)
    held = opened.split
    if opened.manifest.foreign:
        held = split_by_folder(folder.absolute()) or ("train" if split == "val" else split)
    if held != split:
        raise MissingSet(
            f"{folder} is a {held} split, and a {split} split was asked for: choose another folder or split"
        )
    return opened


def _missing(root: Path, task: str, name: str, split: str) -> str:
    folder = root / task / name / split
    there = sorted(p.parent.name for p in (root / task / name).glob("*/data.mdb"))
    instead = f" (there is: {', '.join(there)})" if there else ""
    if name in NAMED_SETS:
        command = f"python -m data_prep {name} --raw DIR --out {root}"
    elif re.fullmatch(r"rendered(_[a-z]{2})+", name):
        languages = name.removeprefix("rendered_").replace("_", ",")
        what = "scenes" if task == "detection" else "words"
        return (
            f"{task} set {name}, split {split}, is not there: looked for {folder / 'data.mdb'}{instead}\n"
            f"  render it: python -m data_prep rendered --set {what} --language {languages} --split {split} --out {root}"
        )
    else:
        command = f"python -m data_prep {'scenes' if task == 'detection' else 'words'} --name {name} --split {split} --raw DIR --out {root}"
    return (
        f"{task} set {name}, split {split}, is not there: looked for {folder / 'data.mdb'}{instead}\n"
        f"  prepare it: {command}\n"
        f"  or render a stand-in: make demo-data, and add root=data/demo"
    )
