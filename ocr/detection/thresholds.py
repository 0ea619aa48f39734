"""Choosing the post-processing thresholds on a validation set: one forward per picture, any number of thresholds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from ocr.detection.postprocess import Boxes, Thresholds, find_boxes
from ocr.detection.search import ScoreMaps
from ocr.detection.words import detections
from ocr.types import Detection, SceneWord


class Agreement(Protocol):
    """How well detections agree with the truth, each in [0, 1]."""

    @property
    def recall(self) -> float: ...  # noqa: D102
    @property
    def precision(self) -> float: ...  # noqa: D102
    @property
    def hmean(self) -> float: ...  # noqa: D102


class Scorer(Protocol):
    """Compares the detections of every picture with its words."""

    def __call__(self, pictures: Sequence[tuple[list[Detection], list[SceneWord]]]) -> Agreement: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class Grid:
    """The thresholds that are tried, in every combination in which ``text`` is not below ``low``."""

    text: Sequence[float] = (0.4, 0.5, 0.6, 0.7, 0.8)
    link: Sequence[float] = (0.2, 0.3, 0.4)
    low: Sequence[float] = (0.2, 0.3, 0.4, 0.5)


class Candidates(NamedTuple):
    """Boxes of one picture for every (link, low), at the grid's lowest text threshold, and what they are compared with."""

    boxes: dict[tuple[float, float], Boxes]
    scale: tuple[float, float]
    words: list[SceneWord]


def candidates(stored: ScoreMaps, words: list[SceneWord], grid: Grid) -> Candidates:
    """Everything the search needs of one picture; its maps can be forgotten afterwards."""
    lowest = min(grid.text)
    boxes = {
        (link, low): find_boxes(stored.maps_2hw, Thresholds(lowest, link, low))
        for link in grid.link
        for low in grid.low
    }
    return Candidates(boxes, stored.scale, words)


def choose(pictures: Sequence[Candidates], grid: Grid, scorer: Scorer) -> tuple[Thresholds, Agreement]:
    """The thresholds with the largest H-mean and that agreement; the first in the grid's order among equals.

    Raises:
        ValueError: there is no picture, or every ``text`` of the grid is below every ``low``.
    """
    if not pictures:
        raise ValueError("no validation picture to choose detection thresholds on: give the set a validation split")
    best: tuple[Thresholds, Agreement] | None = None
    for link in grid.link:
        for low in grid.low:
            for text in (t for t in grid.text if t >= low):
                found = [(detections(p.boxes[link, low].above(text), p.scale), p.words) for p in pictures]
                agreement = scorer(found)
                if best is None or agreement.hmean > best[1].hmean:
                    best = Thresholds(text, link, low), agreement
    if best is None:
        raise ValueError(
            f"no text threshold of {list(grid.text)} reaches a low threshold of {list(grid.low)}: extend the grid"
        )
    return best
