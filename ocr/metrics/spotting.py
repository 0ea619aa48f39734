"""End-to-end scores: a word counts when it was found and read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ocr.metrics.detection import Picture, PictureProtocol, PictureRow
from ocr.metrics.iou import greedy_links
from ocr.metrics.overlaps import overlaps, picture_row
from ocr.metrics.words import WordProtocol
from ocr.types import Detection, Page, SceneWord

POSSESSIVES = ("'s", "'S")
SPOTTED_RANGES = (("a", "z"), ("A", "Z"), ("À", "ƿ"), ("Ǆ", "ɿ"), ("Ά", "Ͽ"), ("-", "-"))
"""Letters that a word to spot may hold (and the hyphen), as ranges of code points."""
NOT_LETTERS = "×÷·"


@dataclass(frozen=True)
class Spotting(PictureProtocol):
    """Detection by IoU, in which a match counts only if the texts are equal under a folding.

    Words and detections are paired as in :class:`~ocr.metrics.iou.BoxProtocol`, whatever was read; then texts are compared.
    A detection may leave out one of ``optional_ends`` at either end of the word.  With ``words_only`` (the task called word spotting)
    words that are not at least ``least`` letters long or hold anything but letters and inner hyphens are ignored, after a
    possessive 's, outer hyphens and outer ``optional_ends`` were dropped, and nothing more is optional.

    Source: ICDAR 2015 robust reading competition, task 4.4 evaluation (end to end, and word spotting), without lexicons.

    Args:
        name: printed beside every number.
        version: raised whenever the same boxes could give another number.
        folding: which differences between texts do not count.
        iou: a match needs more than this, in [0, 1).
        ignore_overlap: share of a detection's own area in a word to ignore above which it does not count, in [0, 1).
        optional_ends: characters.
        words_only: spot words instead of reading everything.
        least: characters of a word to spot.

    Raises:
        ValueError: a threshold is outside its range.
    """

    folding: WordProtocol = field(default_factory=lambda: WordProtocol("upper", lower=True))
    iou: float = 0.5
    ignore_overlap: float = 0.5
    optional_ends: str = "!?.:,*\"()·[]/' "
    words_only: bool = False
    least: int = 3

    def __post_init__(self) -> None:
        for name, value in (("iou", self.iou), ("ignore_overlap", self.ignore_overlap)):
            if not 0 <= value < 1:
                raise ValueError(f"protocol {self.name}: {name}={value} is outside [0, 1): give a share of an area")

    @property
    def needs_texts(self) -> bool:
        """Detections must come with what was read in them."""
        return True

    def match(self, picture: Picture) -> PictureRow:
        """Match one picture; see :meth:`~ocr.metrics.detection.PictureProtocol.match`."""
        if self.words_only:
            picture = replace(picture, truth=[self._spotted(word) for word in picture.truth])
        over = overlaps(picture, shoelace=True)
        cared = ~over.swallowed(self.ignore_overlap)
        links = greedy_links(over, cared, self.iou)
        for t, d in np.argwhere(links).tolist():
            links[t, d] = self.reads(picture.truth[t].text or "", picture.texts[d])
        credit = np.asarray(links.any(axis=1), float)
        return picture_row(picture, over, cared, links, credit, np.ones(len(credit)), credit.sum())

    def page_row(self, page: Page, truth: Sequence[SceneWord], key: str = "") -> PictureRow:
        """Match what the reader found in one picture."""
        found: list[Detection] = [detection for detection, _ in page.words]
        return self.row(found, truth, key or page.path, [reading.text for _, reading in page.words])

    def reads(self, truth: str, text: str) -> bool:
        """Whether a text counts as that of a word."""
        forms = {truth}
        if not self.words_only:
            starts = truth[:1] != "" and truth[0] in self.optional_ends
            ends = truth[-1:] != "" and truth[-1] in self.optional_ends
            forms |= {truth[1:]} if starts else set()
            forms |= {truth[:-1]} if ends else set()
            forms |= {truth[1:-1]} if starts and ends else set()
        return self.folding.fold(text) in {self.folding.fold(form) for form in forms}

    def _spotted(self, word: SceneWord) -> SceneWord:
        """The word as it must be read, or ignored where it is none to spot."""
        text = word.text or ""
        text = text[:-2] if text.endswith(POSSESSIVES) else text
        text = text.strip("-").translate({ord(c): " " for c in self.optional_ends}).strip()
        wanted = len(text) >= self.least and all(_is_letter(c) for c in text)
        return replace(word, text=text, ignore=word.ignore or not wanted)


def _is_letter(character: str) -> bool:
    return character not in NOT_LETTERS and any(low <= character <= high for low, high in SPOTTED_RANGES)
