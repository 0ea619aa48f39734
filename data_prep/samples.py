"""What a reader of a raw layout hands over, one sample at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ocr.data.records import Split, Task
from ocr.types import LabelKind, Quads, SceneWord


class Unusable(ValueError):
    """This item cannot be used; the message is the reason it is counted under, so it names no file.

    ``where`` says at which place of its file (``line 3``), when that is known.
    """

    def __init__(self, reason: str, where: str = "") -> None:
        super().__init__(reason)
        self.where = where


@dataclass(slots=True)
class RawScene:
    """A picture in reading orientation (encoded) with its words; ``id`` is its path inside the raw folder."""

    id: str
    image: bytes
    words: list[SceneWord]
    label_kind: LabelKind


@dataclass(slots=True)
class RawWord:
    """A word crop (encoded); ``id`` is its path inside the raw folder, or that of its picture and ``#`` and its number."""

    id: str
    image: bytes
    text: str
    script: str = "Latin"
    direction: str = "horizontal"
    characters: Quads | None = None


@dataclass(slots=True)
class Drop:
    """Part of an item that cannot be used: for which task, why, and what (file, line, word)."""

    task: Task
    reason: str
    what: str


@dataclass(frozen=True, slots=True)
class Repeated:
    """A list that is made anew each time it is gone through, so that millions of items need no memory."""

    items: Callable[[], Iterable[Any]]

    def __iter__(self) -> Iterator[Any]:
        return iter(self.items())


Sample = RawScene | RawWord | Drop


@dataclass(slots=True)
class Job:
    """One split to prepare.

    ``read(item)`` yields samples, or raises :class:`Unusable` when the whole item must go; ``name(item)`` is what is listed then.
    Both, and the items, must be picklable: worker processes call them, ``chunk`` items at a time. ``not_in`` are prepared
    sets whose pictures must not occur in this one.
    """

    split: Split
    tasks: tuple[Task, ...]
    items: Iterable[Any]
    total: int
    read: Callable[[Any], Iterator[Sample]]
    name: Callable[[Any], str] = str
    chunk: int = 8
    not_in: tuple[Path, ...] = ()
