"""How well words of rendered scenes are found, by language, direction and height.

    python -m experiments.heights DETECTOR                                three languages, upright, turned and stacked text
    python -m experiments.heights DETECTOR --language ja --look scene --scenes 40

A scene's text is all horizontal, all turned (each block by an angle of its own), or all stacked, in words and fonts that training does
not use (the scenes of ``experiments.rotation``).  Recall of a range of heights is that of its words.  Its precision counts the boxes
that found one of them, and the boxes that found nothing and are themselves as high.  Height is across the reading direction.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.progress import track
from rich.table import Table

from experiments.rotation import DIRECTIONS, FOUND, LANGUAGES, look_of, scenes
from ocr.metrics.detection import PictureRow
from ocr.metrics.score import hmean
from ocr.metrics.word_shape import word_shape
from ocr.run import checkpoint
from ocr.terminal import console
from ocr.types import Detection, Detects, SceneWord

INFINITE = float("inf")
RANGES = ((0.0, 12.0), (12.0, 24.0), (24.0, INFINITE))
"""Heights in pixels of the picture; a range holds its lower end."""
GROUP = 8
"""Pictures searched at a time."""


@dataclasses.dataclass(frozen=True, slots=True)
class Found:
    """One figure of the table: words of a range of heights, those found, and boxes of that height that found nothing."""

    words: int
    right: int
    wrong: int

    @property
    def hmean(self) -> float:
        """Harmonic mean of recall and precision, 0 where nothing was found."""
        boxes = self.right + self.wrong
        return hmean(self.right / self.words if self.words else 0.0, self.right / boxes if boxes else 0.0)


def found(pictures: Sequence[tuple[Sequence[Detection], PictureRow]], low: float, high: float) -> Found:
    """What became of the words of one range of heights; pictures are pairs of all their boxes and of how these were matched."""
    words = [word for _, row in pictures for word in row.words if low <= word.height < high]
    strays = [word_shape(SceneWord(boxes[i].polygon, None)).height for boxes, row in pictures for i in row.false_alarms]
    return Found(len(words), sum(word.found for word in words), sum(low <= height < high for height in strays))


def searched(
    detector: Detects, language: str, direction: str, look: str, size: int, count: int
) -> Iterator[tuple[Sequence[Detection], PictureRow]]:
    """Boxes of every scene, and how they were matched."""
    made = scenes(language, direction, look, size, count)
    for start in range(0, len(made), GROUP):
        group = made[start : start + GROUP]
        for scene, boxes in zip(group, detector.detect([scene.image for scene in group]), strict=True):
            yield boxes, FOUND.row(boxes, scene.words, scene.key)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print; 1 when a checkpoint or a name is wrong."""
    parser = argparse.ArgumentParser(prog="python -m experiments.heights", description=__doc__.partition("\n")[0])
    parser.add_argument("detector", type=Path, help="checkpoint of a detector")
    parser.add_argument("--language", action="append", help=f"repeatable (default: {', '.join(LANGUAGES)})")
    parser.add_argument("--direction", action="append", choices=DIRECTIONS, help="repeatable (default: all)")
    parser.add_argument("--look", default="scene", help="preset of conf/render (default: scene)")
    parser.add_argument("--scenes", type=int, default=24, help="per language and direction (default: 24)")
    parser.add_argument("--size", type=int, default=640, help="side of the scenes, pixels (default: 640)")
    parser.add_argument("--long-side", type=int, help="longer side of the search, pixels (default: the checkpoint's)")
    arguments = parser.parse_args(argv)
    out = console()
    pairs = [(a, b) for a in arguments.language or LANGUAGES for b in arguments.direction or DIRECTIONS]
    try:
        if arguments.scenes < 1:
            raise ValueError(f"--scenes {arguments.scenes}: give one at least")
        for language, direction in pairs:
            look_of(language, direction, arguments.look, arguments.size)
        inference = {} if arguments.long_side is None else {"long_side": arguments.long_side}
        detector = checkpoint.detector(arguments.detector, **inference)
    except ValueError as error:
        out.print(f"error: {error}", style="red", highlight=False, markup=False)
        return 1
    table = _table(arguments.look)
    for language, direction in track(pairs, console=out, transient=True, disable=not out.is_terminal):
        pictures = list(searched(detector, language, direction, arguments.look, arguments.size, arguments.scenes))
        table.add_row(language, direction, *_shown(pictures))
    out.print(table)
    return 0


def _table(look: str) -> Table:
    table = Table(title=f"H-mean (IoU .5) on rendered scenes, look {look}; words in brackets")
    for column in ("", "direction"):
        table.add_column(column)
    for column in (*(_label(*r) for r in RANGES), "all", "recall", "precision"):
        table.add_column(column, justify="right")
    return table


def _shown(pictures: Sequence[tuple[Sequence[Detection], PictureRow]]) -> list[str]:
    cells = [found(pictures, low, high) for low, high in (*RANGES, (0.0, INFINITE))]
    whole = FOUND.result([row for _, row in pictures])
    return [*(f"{cell.hmean:.3f} ({cell.words})" for cell in cells), f"{whole.recall:.3f}", f"{whole.precision:.3f}"]


def _label(low: float, high: float) -> str:
    if low == 0:
        return f"under {high:g} px"
    return f"from {low:g} px" if high == INFINITE else f"{low:g} to {high:g} px"


if __name__ == "__main__":
    sys.exit(main())
