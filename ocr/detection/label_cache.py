"""Pseudo labels in picture coordinates, kept for some steps: a picture that comes again is not read again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from ocr.types import Quads


@dataclass(slots=True)
class Label:
    """Characters of one word (n, 4, 2) in picture coordinates; the rest as in :class:`~ocr.detection.splitting.Split`."""

    quads: Quads
    confidence: float
    found: int
    fallback: bool


@dataclass(slots=True)
class CachedPicture:
    """Labels by the words' places, made from step ``made`` on; ``read`` are those whose crop has been read, not the whole picture alone."""

    made: int
    labels: dict[int, Label] = field(default_factory=dict)
    read: set[int] = field(default_factory=set)


class LabelCache:
    """Pictures by key, the oldest first.  A picture is forgotten with all its labels when it is ``max_age`` steps old.

    Processes that train together tell each other their labels after every step (:meth:`take_up`), so that they hold the same: a picture
    is read once whichever process draws it next, and a checkpoint serves any number of processes.

    Args:
        max_age: steps; 0 keeps labels for the step that made them only.
    """

    def __init__(self, max_age: int) -> None:
        if max_age < 0:
            raise ValueError(f"the age limit of pseudo labels is {max_age} steps: give 0 or more")
        self.max_age = max_age
        self.pictures: dict[str, CachedPicture] = {}

    def get(self, key: str, step: int) -> tuple[CachedPicture, bool]:
        """The entry of a picture, and whether it had to be renewed just now."""
        self._forget(step)
        renewed = key not in self.pictures
        if renewed:
            self.pictures[key] = CachedPicture(step)
        return self.pictures[key], renewed

    def take_up(self, step: int, told: Sequence[Mapping[str, CachedPicture]]) -> None:
        """The pictures with new labels of every process, in the order of the ranks; what this process labelled is among them.

        Caches that were equal before are equal afterwards.  Where two processes labelled a word, the label from its crop goes before
        that from the whole picture alone, then the lower rank's before the higher one's: they come from one teacher and differ by
        rounding.
        """
        self._forget(step)
        for pictures in reversed(told):
            for key, theirs in pictures.items():
                own = self.pictures.get(key)
                if own is None or own.made < theirs.made:
                    self.pictures.pop(key, None)
                    own = self.pictures[key] = CachedPicture(theirs.made)
                for place, label in theirs.labels.items():
                    if place in theirs.read or place not in own.read:
                        own.labels[place] = label
                own.read |= theirs.read

    def _forget(self, step: int) -> None:
        while self.pictures and step - next(iter(self.pictures.values())).made > self.max_age:
            del self.pictures[next(iter(self.pictures))]

    def state(self) -> dict[str, Any]:
        """Plain containers and a handful of tensors, whatever the number of words."""
        words = [(i, place, label) for i, p in enumerate(self.pictures.values()) for place, label in p.labels.items()]
        quads = [label.quads for _, _, label in words]
        return {
            "keys": list(self.pictures),
            "made": [p.made for p in self.pictures.values()],
            "read": [sorted(p.read) for p in self.pictures.values()],
            "words": torch.tensor(
                [[i, place, label.found, label.fallback, len(label.quads)] for i, place, label in words]
            ).reshape(-1, 5),
            "confidence": torch.tensor([label.confidence for _, _, label in words], dtype=torch.float64),
            "quads": torch.from_numpy(np.concatenate([np.zeros((0, 4, 2), np.float32), *quads])),
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Take up what :meth:`state` gave."""
        pictures = [CachedPicture(made, {}, set(read)) for made, read in zip(state["made"], state["read"], strict=True)]
        self.pictures = dict(zip(state["keys"], pictures, strict=True))
        quads, start = state["quads"].numpy(), 0
        for (i, place, found, fallback, count), confidence in zip(
            state["words"].tolist(), state["confidence"].tolist(), strict=True
        ):
            own = quads[start : start + count].copy()
            pictures[i].labels[place] = Label(own, confidence, found, bool(fallback))
            start += count
