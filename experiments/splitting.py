"""How well words are cut into characters: every splitter, one detector, words whose characters are known.

    python -m experiments.splitting CKPT                                 rendered words of three looks
    python -m experiments.splitting CKPT --look hard --scenes 100        another look
    python -m experiments.splitting CKPT --data SET --root ROOT          the test split of a prepared set with character quads
                                                                         (data_prep scenes --characters makes one of photographs)

Words are read as training reads them.  Per look and splitter: share of characters whose IoU with a found one is at least .5, and .75;
share of words in which as many characters were found as the text has; mean confidence; share of fallbacks.  Then, for the words of
each range of confidence, the mean share of right characters: a confidence that tells the truth rises with it.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from rich.console import Console
from rich.table import Table

from ocr.data.sets import open_set
from ocr.detection.detector import Detector
from ocr.detection.label_cache import Label
from ocr.detection.label_quality import characters_right
from ocr.detection.length_guided import LengthGuided
from ocr.detection.pseudo_labels import as_label, better, length
from ocr.detection.score_maps import Maps
from ocr.detection.splitting import Equal, Split, Splitter, Watershed
from ocr.detection.word_crops import word_frame
from ocr.detection.word_regions import read_words, word_in_picture
from ocr.render.look import load_look
from ocr.render.scene import render_scene
from ocr.run import checkpoint
from ocr.seeding import generator
from ocr.terminal import console
from ocr.types import Scene, WeakWord

LOOKS = ("synthtext_standin", "icdar2015_standin", "rendered_scenes_v1")
RANGES = ((0.5, 0.5), (0.5, 0.75), (0.75, 0.999), (0.999, 1.0))
SHORTEST_SIDE = 8


@dataclass(frozen=True, slots=True)
class Cut:
    """One word: characters it has, how many of them reached IoU .5 and .75, and what its label said."""

    characters: int
    right: int
    close: int
    exact: bool
    label: Label


def rendered(name: str, scenes: int, seed: int) -> Iterator[Scene]:
    """Scenes of a look, with words of the test half of the vocabulary.

    Raises:
        ValueError: there is no such look (at once, before the first scene).
    """
    look = load_look(name)
    look = look.replace(words=dataclasses.replace(look.words, slice="test"))
    return (render_scene(look, generator(seed, "splitting", name, i), *look.picture) for i in range(scenes))


def prepared(root: Path, name: str) -> list[Scene]:
    """The test split of a prepared set of scenes.

    Raises:
        ValueError: it is not there.
    """
    found = open_set(root, "detection", name, "test")
    return [scene for scene in map(found.__getitem__, range(len(found))) if isinstance(scene, Scene)]


class Blind:
    """Length-guided without looking: what text and letter widths alone give.  What a teacher adds is the difference to it."""

    needs_scores = False

    def __call__(self, region_hw: Maps, text: str) -> Split:
        """See :class:`~ocr.detection.splitting.Splitter`."""
        return LengthGuided()(np.zeros_like(region_hw), text)


SPLITTERS: dict[str, Splitter] = {
    "equal": Equal(),
    "watershed": Watershed(),
    "widths_alone": Blind(),
    "length_guided": LengthGuided(),
}


def cut(scene: Scene, detector: Detector, height: int, margin: float, whole: bool) -> dict[str, list[Cut]]:
    """Every usable word of a scene by every splitter."""
    words = []
    for place, word in enumerate(scene.words):
        frame = word_frame(word.polygon, height, margin, 1024)
        if frame is None or word.ignore or not (word.text or "").strip() or word.characters is None:
            continue
        if word.direction == "stacked":
            continue
        if cv2.minAreaRect(word.polygon)[1][0] < SHORTEST_SIDE or cv2.minAreaRect(word.polygon)[1][1] < SHORTEST_SIDE:
            continue
        pixels = frame.cut(scene.image)
        text = (word.text or "").strip()
        words.append(WeakWord(place, text, word.polygon, frame.window, frame.to_picture, pixels, word.characters))
    regions = read_words(words, detector.network)
    stored = detector.score_maps([scene.image])[0] if whole else None
    cuts: dict[str, list[Cut]] = {name: [] for name in SPLITTERS}
    for word, region in zip(words, regions, strict=True):
        for name, splitter in SPLITTERS.items():
            label = as_label(splitter(region, word.text), word)
            if stored is not None and splitter.needs_scores:
                seen = as_label(splitter(word_in_picture(word, stored), word.text), word)
                label = better(label, seen, word.text)
            truth = word.characters
            assert truth is not None
            right, close = (characters_right(label.quads, truth, iou) for iou in (0.5, 0.75))
            cuts[name].append(Cut(len(truth), right, close, label.found == length(word.text), label))
    return cuts


def show(title: str, cuts: dict[str, list[Cut]], out: Console) -> None:
    """The table of one look, and a ``figure`` line for every splitter."""
    count = sum(cut.characters for cut in cuts["equal"])
    table = Table(title=f"{title}: {len(cuts['equal'])} words, {count} characters", title_justify="left")
    for column in ("splitter", "IoU .5", "IoU .75", "exact", "confidence", "fallbacks"):
        table.add_column(column)
    for low, high in RANGES:
        table.add_column(f"{low:g}" if low == high else f"to {high:.2g}")
    for name, own in cuts.items():
        shares = [sum(getattr(c, field) for c in own) / count for field in ("right", "close")]
        means = [float(np.mean([c.exact for c in own])), float(np.mean([c.label.confidence for c in own]))]
        fallbacks = float(np.mean([c.label.fallback for c in own]))
        buckets = [[c.right / c.characters for c in own if in_range(c.label.confidence, *bounds)] for bounds in RANGES]
        told = [f"{np.mean(bucket):.3f} ({len(bucket)})" if bucket else "" for bucket in buckets]
        table.add_row(name, *(f"{v:.3f}" for v in (*shares, *means, fallbacks)), *told)
        out.print(f"figure {title}_{name}_characters_right {shares[0]:.4g} share", highlight=False)
        out.print(f"figure {title}_{name}_exact_length {means[0]:.4g} share", highlight=False)
    out.print(table)


def in_range(confidence: float, low: float, high: float) -> bool:
    """Above ``low`` and up to ``high``; the first range is the point .5."""
    return confidence <= high if low == high else low < confidence <= high


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m experiments.splitting", description=__doc__.partition("\n")[0])
    parser.add_argument("checkpoint", type=Path, help="of a detector")
    parser.add_argument("--look", action="append", help=f"of rendered scenes, repeatable (default: {', '.join(LOOKS)})")
    parser.add_argument("--scenes", type=int, default=30, help="per look (default: 30)")
    parser.add_argument("--seed", type=int, default=7, help="of the rendered scenes (default: 7)")
    parser.add_argument("--data", help="prepared set with character quads, instead of rendered scenes")
    parser.add_argument("--root", type=Path, default=Path("data"), help="root of the prepared sets (default: data)")
    parser.add_argument("--crop-height", type=int, default=96, help="pixels (default: 96)")
    parser.add_argument("--margin", type=float, default=0.25, help="share of the word's height (default: .25)")
    parser.add_argument("--whole", action="store_true", help="read whole pictures as well and keep the better label")
    arguments = parser.parse_args(argv)
    out = console()
    sources: dict[str, Iterable[Scene]]
    try:
        detector = checkpoint.deployable(arguments.checkpoint, "detection")
        if arguments.data:
            sources = {arguments.data: prepared(arguments.root, arguments.data)}
        else:
            sources = {name: rendered(name, arguments.scenes, arguments.seed) for name in arguments.look or LOOKS}
    except ValueError as error:
        out.print(f"error: {error}", style="red", highlight=False, markup=False)
        return 1
    for title, scenes in sources.items():
        cuts: dict[str, list[Cut]] = {name: [] for name in SPLITTERS}
        for scene in scenes:
            found = cut(scene, detector, arguments.crop_height, arguments.margin, arguments.whole)
            for name, own in found.items():
                cuts[name] += own
        show(title, cuts, out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
