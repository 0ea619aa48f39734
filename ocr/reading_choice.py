"""Words on their way to a text: what was tried of each, how much sense it made, and which way their picture lies.

Every word is read the likelier way (:mod:`ocr.reading_direction`), and where that leaves doubt also the other one; the more plausible
reading stays.  The words of a picture vote: where most of its text came out another way up, all its words are looked at that way first.
A picture whose words make no sense as it stands is tried in all quarters, by its longest words, and read as it makes most sense.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from ocr.charset import clusters
from ocr.reading_direction import TALL, Way, ways
from ocr.straighten import Crop, straighten
from ocr.types import Detection, Image, Reading, Reads

UNREAD = Reading("", 0.0)
"""The reading of a box that cannot be cut out because it has no area."""
SURE = 0.9
"""A word that is read with at least this plausibility the likelier way is not read the other way."""
FAVOUR = 1.25
"""The other way must make a single word so many times as plausible; in the vote of a picture's words any surplus counts."""
LOST = 0.5
"""Pictures whose words come out less plausible than this on average are tried turned as a whole …"""
PROBES = 6
"""… with so many of their longest words …"""
GAIN = 1.2
"""… and stay turned when that makes those words so many times as plausible."""
LENGTH = 0.5
"""How much it counts against a reading that it has another number of characters than the detector saw."""
OTHERS = (2, 1, 3)
"""Quarters by which a picture can lie wrong; upside down comes first."""


@dataclass(slots=True)
class Candidate:
    """A found word: its straightened crop (None: it has no area), what was read by quarter turns of that, and the way chosen."""

    detection: Detection
    crop: Crop | None
    readings: dict[int, Reading] = field(default_factory=dict)
    way: Way | None = None

    @classmethod
    def cut(cls, image: Image, detection: Detection, margin: float) -> Candidate:
        """Straighten a word; see :func:`ocr.straighten.straighten`."""
        try:
            return cls(detection, straighten(image, detection.polygon, margin))
        except ValueError:
            return cls(detection, None)

    @property
    def seen(self) -> int:
        """Number of characters that the detector saw."""
        return 0 if self.detection.characters is None else len(self.detection.characters)

    @property
    def weight(self) -> int:
        """What the word counts in a vote."""
        return max(1, self.seen)

    def plausible(self, way: Way) -> float:
        """How much sense the word makes, in [0, 1]: its confidence per character, less where their number is not the detector's."""
        reading = self.readings.get(way.turn, UNREAD)
        length = len(clusters(reading.text))
        if not length:
            return 0.0
        agreement = 1.0
        if self.seen > 1:
            agreement = math.exp(-LENGTH * abs(length - self.seen) / max(length, self.seen))
        return float(reading.confidence ** (1 / length)) * agreement


class Choice:
    """Chooses how the words of pictures are read.

    Args:
        recognizer: reads the crops.
    """

    def __init__(self, recognizer: Reads) -> None:
        self.recognizer = recognizer
        # such a recogniser sees stacked characters as a line that runs down: there is nothing to choose between
        self.turns_tall = getattr(recognizer, "tall", "keep") == "rotate"

    def choose(self, pages: Sequence[Sequence[Candidate]]) -> None:
        """Read all words of all pictures and give each its ``way``; few calls of the recogniser, each with crops of all pictures."""
        self._decide(pages, [0] * len(pages))
        turns = self._turns(pages)
        turned = [i for i, quarter in enumerate(turns) if quarter]
        self._decide([pages[i] for i in turned], [turns[i] for i in turned])

    def _decide(self, pages: Sequence[Sequence[Candidate]], quarters: Sequence[int]) -> None:
        """Read the words of pictures that lie turned by so many quarters the likelier way, doubtful ones also the other."""
        words = [(word, *ways(word.detection, q)) for page, q in zip(pages, quarters, strict=True) for word in page]
        self._recognise((word, first) for word, first, _ in words)
        self._recognise(
            (word, second)
            for word, first, second in words
            if word.plausible(first) < SURE and not self._same(word, first)
        )
        for word, first, second in words:
            word.way = second if word.plausible(second) > FAVOUR * word.plausible(first) else first

    def _same(self, word: Candidate, way: Way) -> bool:
        """Whether the recogniser would be shown the same pixels again if it read a stacked word as a line."""
        if not self.turns_tall or way.direction != "stacked" or word.crop is None:
            return False
        height, width = word.crop.turned(way.turn).image.shape[:2]
        return height > TALL * width

    def _turns(self, pages: Sequence[Sequence[Candidate]]) -> list[int]:
        """By how many quarters counter-clockwise each picture would have to be turned to stand upright."""
        turns = [_voted(page) for page in pages]
        lost = [i for i, page in enumerate(pages) if page and not turns[i] and _sense(page, 0) < LOST]
        probes = {i: sorted(pages[i], key=lambda word: -word.seen)[:PROBES] for i in lost}
        self._recognise((word, ways(word.detection, q)[0]) for i in lost for word in probes[i] for q in OTHERS)
        for i in lost:
            best = max(OTHERS, key=lambda q: _sense(probes[i], q))
            if _sense(probes[i], best) > GAIN * _sense(probes[i], 0):
                turns[i] = best
        return turns

    def _recognise(self, tasks: Iterable[tuple[Candidate, Way]]) -> None:
        """Fill in readings that are not there yet, all in one call, crops of like proportions together."""
        new = {
            (id(word), way.turn): (word, way)
            for word, way in tasks
            if word.crop is not None and way.turn not in word.readings
        }
        crops = [
            (word, way.turn, word.crop.turned(way.turn).image) for word, way in new.values() if word.crop is not None
        ]
        crops.sort(key=lambda item: item[2].shape[1] / item[2].shape[0])
        if crops:
            found = self.recognizer.read([image for _, _, image in crops])
            for (word, turn, _), reading in zip(crops, found, strict=True):
                word.readings[turn] = reading


def _voted(page: Sequence[Candidate]) -> int:
    """The quarter that the larger part of a picture's text speaks for, 0 where none is.

    A word speaks for a quarter when it makes more sense the likelier way there than the likelier way upright.
    """
    half = sum(word.weight for word in page) / 2
    for quarter in OTHERS:
        votes = 0
        for word in page:
            upright, first = ways(word.detection)[0], ways(word.detection, quarter)[0]
            if first.turn in word.readings and word.plausible(first) > word.plausible(upright):
                votes += word.weight
        if votes > half:
            return quarter
    return 0


def _sense(page: Sequence[Candidate], quarter: int) -> float:
    """Mean plausibility of words in a picture that lies so, each the likelier way (upright: the way chosen)."""
    total = sum(word.weight for word in page)
    chosen = ((word, ways(word.detection, quarter)[0] if quarter or word.way is None else word.way) for word in page)
    return sum(word.weight * word.plausible(way) for word, way in chosen) / max(total, 1)
