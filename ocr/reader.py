"""Read pictures: find words, straighten each once, recognise all of them together, put them in reading order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from ocr.character_places import character_quads
from ocr.charset import clusters
from ocr.picture_files import MAX_PIXELS, load_image, shown
from ocr.reading_choice import UNREAD, Candidate, Choice
from ocr.reading_direction import read_so
from ocr.reading_order import reading_lines
from ocr.types import Detection, Detects, Image, Page, Reading, Reads


class Reader:
    """A detector and a recogniser in one.

    Each box is straightened once, by perspective or along its polygon.  The order and spacing of its characters say which
    way it is read and which other way is possible (:mod:`ocr.reading_direction`); where the first leaves doubt the recogniser is
    shown both, and the more plausible reading stays (:mod:`ocr.reading_choice`, also for pictures that lie on their side or
    upside down).
    ``Detection`` says how the word was read: its first corner, direction and angle are those of the text.  Everything is in
    pixels of the picture that was given.

    Each character of the text has a quad in ``Detection.characters`` and a confidence in ``Reading.characters``
    (:mod:`ocr.character_places`).

    Args:
        detector: finds the words.
        recognizer: reads the crops; those of all pictures of a batch go to it in one call, sorted by their proportions.
        max_pixels: larger picture files are refused.
        margin: each crop is larger than its box by this share of the box's height on every side, because CRAFT's boxes cut into
            the outermost letters while recognisers are trained on crops with some room.
    """

    def __init__(self, detector: Detects, recognizer: Reads, max_pixels: int = MAX_PIXELS, margin: float = 0.1) -> None:
        self.detector = detector
        self.recognizer = recognizer
        self.max_pixels = max_pixels
        self.margin = margin
        self.choice = Choice(recognizer)

    def read(self, pictures: Sequence[str | Path | Image], batch: int = 8) -> list[Page]:
        """One page for every picture, in the order given; words in reading order.

        Args:
            pictures: files, or arrays height x width x 3, RGB, uint8 (their page has an empty ``path``).
            batch: how many pictures are in memory at a time.

        Raises:
            ValueError: a file is no picture (see :func:`~ocr.picture_files.load_image`) or an array has another shape or type.
        """
        if batch < 1:
            raise ValueError(f"batch={batch}: read at least one picture at a time")
        return [
            page for start in range(0, len(pictures), batch) for page in self._read(pictures[start : start + batch])
        ]

    def _read(self, pictures: Sequence[str | Path | Image]) -> list[Page]:
        images = [_checked(p) if isinstance(p, np.ndarray) else load_image(p, self.max_pixels) for p in pictures]
        names = ["" if isinstance(p, np.ndarray) else shown(p) for p in pictures]
        found = self.detector.detect(images)
        pages = [
            [Candidate.cut(image, detection, self.margin) for detection in words]
            for image, words in zip(images, found, strict=True)
        ]
        self.choice.choose(pages)
        return [
            Page(name, image.shape[1], image.shape[0], _ordered([self._finished(word) for word in words]))
            for name, image, words in zip(names, images, pages, strict=True)
        ]

    def _finished(self, word: Candidate) -> tuple[Detection, Reading]:
        assert word.way is not None
        reading = word.readings.get(word.way.turn, UNREAD)
        detection = read_so(word.detection, word.way)
        if not reading.text or word.crop is None:
            return detection, reading
        down = word.way.direction == "stacked"
        upright = word.crop.turned(word.way.turn)
        units = clusters(reading.text)
        known = self._centres(reading, [len(unit) for unit in units], down)
        room = self.margin / (1 + 2 * self.margin)
        quads = character_quads(len(units), upright, detection.characters, known, down, room)
        return replace(detection, characters=np.repeat(quads, [len(unit) for unit in units], axis=0)), reading

    def _centres(self, reading: Reading, lengths: Sequence[int], down: bool) -> list[float]:
        """Places of the characters, of which some are written with several code points; none where they are unknown.

        On a stacked word that was read standing, the recogniser's places go across the characters.
        """
        if len(reading.places) != sum(lengths) or (down and not self.choice.turns_tall):
            return []
        ends = np.cumsum(lengths)
        return [float(np.mean(reading.places[end - n : end])) for end, n in zip(ends.tolist(), lengths, strict=True)]


def _ordered(words: list[tuple[Detection, Reading]]) -> list[tuple[Detection, Reading]]:
    return [word for line in reading_lines(words) for word in line]


def _checked(image: Image) -> Image:
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.size:
        found = f"picture array of shape {image.shape} and type {image.dtype}"
        raise ValueError(f"{found}: give height x width x 3, RGB, uint8")
    return image
