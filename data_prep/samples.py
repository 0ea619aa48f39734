"""What a reader of a raw layout hands over, one sample at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from ocr.data.records import Split, Task
from ocr.types import LabelKind, Quads, SceneWord


class Unusable(ValueError):
    """This item cannot be used; the message is the reason it is counted under, so it names no file."""


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


Sample = RawScene | RawWord | Drop


@dataclass(slots=True)
class Job:
    """One split to prepare.

    ``read(item)`` yields samples, or raises :class:`Unusable` when the whole item must go; ``name(item)`` is what is listed then.
    """

    split: Split
    tasks: tuple[Task, ...]
    items: Iterable[Any]
    total: int
    read: Callable[[Any], Iterator[Sample]]
    name: Callable[[Any], str] = str
