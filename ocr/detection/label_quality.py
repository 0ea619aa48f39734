"""How good pseudo labels are: counted for every batch, averaged over the recent ones, and judged against a floor.

Weak supervision fails silently where nobody looks: a teacher that gets worse finds fewer characters, everything becomes a fallback, and the
loss goes on falling.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import cv2
import numpy as np

from ocr.detection.pseudo_labels import Labelled, length
from ocr.geometry import signed_area
from ocr.types import Points, Quads

_MEMORY = 0.97
"""What a step's average keeps of the last one's."""
_ENOUGH = 50
"""Words before a judgement."""


def characters_right(found: Quads, truth: Quads, iou: float = 0.5) -> int:
    """How many true character quads (n, 4, 2) are met by a found one (m, 4, 2) with at least this IoU.

    From .5 on one found character cannot meet two true ones that lie side by side.
    """
    return sum(any(_iou(t, f) >= iou for f in found) for t in truth)


def _iou(a: Points, b: Points) -> float:
    common = cv2.intersectConvexConvex(a, b)[0]
    return float(common / max(abs(signed_area(a)) + abs(signed_area(b)) - common, 1e-9))


@dataclass(slots=True)
class Observed:
    """What one step says of its labels, as numbers alone: per word that reaches the loss, per true character of a measured word, in all."""

    confidence: list[float] = field(default_factory=list)
    fallbacks: list[bool] = field(default_factory=list)
    exact: list[bool] = field(default_factory=list)
    right: int = 0
    true: int = 0
    read: int = 0
    whole: int = 0


def observe(labelled: Labelled) -> Observed:
    """What a batch says of its labels."""
    labels = [(word.text, label) for _, word, label in labelled.words]
    known = [(label, word.characters) for word, label in labelled.probes if word.characters is not None]
    return Observed(
        [label.confidence for _, label in labels],
        [label.fallback for _, label in labels],
        [label.found == length(text) for text, label in labels],
        sum(characters_right(label.quads, truth) for label, truth in known),
        sum(len(truth) for _, truth in known),
        labelled.read,
        labelled.whole,
    )


def together(parts: Sequence[Observed]) -> Observed:
    """What the batches of several processes say, as if they were one."""
    whole = Observed()
    for part in parts:
        for entry in fields(Observed):
            setattr(whole, entry.name, getattr(whole, entry.name) + getattr(part, entry.name))
    return whole


@dataclass(slots=True)
class LabelQuality:
    """Averages over recent steps, and what they decide.

    ``confidence`` (mean s_conf), ``fallbacks`` (share) and ``exact`` (share of words in which as many characters were found as the text
    has) are of words that reached the loss; ``characters`` is the share of true characters with IoU >= .5 in words of strong pictures,
    labelled only to be measured.  A value is missing until there was something to measure.

    Args:
        floor: least quality, in [0, 1]: the share of right characters or, where none is known, the mean confidence, which estimates it.
            Under it the weak words are held back from the loss; the teacher goes on labelling, so they return when it has recovered.
    """

    floor: float = 0.0
    values: dict[str, float] = field(default_factory=dict)
    words: int = 0
    held_back: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.floor <= 1:
            raise ValueError(f"the floor of the pseudo labels' quality is {self.floor}: give a share from 0 to 1")

    def add(self, observed: Observed) -> None:
        """Count a step, and judge."""
        if observed.confidence:
            self._average("confidence", observed.confidence)
            self._average("fallbacks", observed.fallbacks)
            self._average("exact", observed.exact)
        if observed.true:
            self._average("characters", [observed.right / observed.true])
        self.words += len(observed.confidence)
        self.held_back = self.words >= _ENOUGH and self.quality < self.floor

    def _average(self, name: str, new: Sequence[float]) -> None:
        mean = float(np.mean(new))
        self.values[name] = _MEMORY * self.values.get(name, mean) + (1 - _MEMORY) * mean

    @property
    def quality(self) -> float:
        """What the floor is compared with; 1 while nothing is known."""
        return self.values.get("characters", self.values.get("confidence", 1.0))

    def state(self) -> dict[str, Any]:
        """Plain containers."""
        return {"values": dict(self.values), "words": self.words, "held_back": self.held_back}

    def load_state(self, state: dict[str, Any]) -> None:
        """Take up what :meth:`state` gave."""
        self.values, self.words, self.held_back = dict(state["values"]), state["words"], state["held_back"]
