"""CLEval: detection, and detection with reading, scored by characters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from ocr.metrics.detection import Picture, PictureProtocol, PictureRow
from ocr.metrics.overlaps import Overlaps, overlaps, picture_row, remeasured
from ocr.metrics.pseudo_characters import MOST, SLIGHT, box_aspect, pseudo_centres, word_length
from ocr.metrics.regions import Booleans, Indices, Regions, inside

Singles = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Characters:
    """The pseudo characters of a picture's words: how many each word has, and which (rows) lie in which detections (columns).

    ``owner`` is the word of each.
    """

    lengths: Indices
    owner: Indices
    held: Booleans

    @property
    def counts(self) -> Indices:
        """Characters of each word in each detection, words x detections."""
        return counted(self.owner, self.held, len(self.lengths))

    def only(self, links: Booleans) -> Characters:
        """Without what lies in detections that the word is not linked with."""
        return Characters(self.lengths, self.owner, self.held & links[self.owner])

    def found(self) -> Indices:
        """How many characters of each word lie in any detection."""
        return np.bincount(self.owner, self.held.any(axis=1), minlength=len(self.lengths)).astype(np.int64)


@dataclass(frozen=True)
class CLEval(PictureProtocol):
    """Counts the pseudo characters of words that lie inside detections.

    A detection belongs to a word when it holds one of its characters and at least ``area_precision`` of the detection lies in
    the word; several words may share one detection when together they fill that much of it.  Recall is the share of characters
    that are found; precision is the same characters over all characters in detections (once for each) and those that false
    alarms are assumed to hold.  Each further detection of a word, and each further word of a detection, costs
    ``granularity`` characters.  Words to ignore, less what words that count cover of them, take out the detections that they
    fill to ``area_precision``.

    With ``texts`` the characters that count are those of the longest common subsequence of a word and of what was read in its
    detections, in the order of the characters they hold; each read character is used once.

    Where we depart from the public package: outlines of more than four points are scored as well (the package fails on them),
    see :func:`~ocr.metrics.pseudo_characters.pseudo_centres`; a word without a known text has as many characters as its shape
    suggests; stacked words are cut from top to bottom whatever their shape.  Kept for equal numbers: a false alarm is assumed to
    hold one character unless it is taller than wide.

    Source: Y. Baek et al., "CLEval: character-level evaluation for text detection and recognition tasks", CVPR workshops 2020;
    details as in the public package, version 0.1.1.

    Args:
        name: printed beside every number.
        version: raised whenever the same boxes could give another number.
        texts: compare what was read, too (end to end).
        case_sensitive: whether case counts when texts are compared.
        area_precision: share of a detection, in [0, 1].
        granularity: characters that a split or a merge costs, at least 0.
        tall: boxes whose width over height is less are cut from bottom to top.

    Raises:
        ValueError: a number is outside its range.
    """

    texts: bool = False
    case_sensitive: bool = True
    area_precision: float = 0.3
    granularity: float = 1.0
    tall: float = 0.5

    def __post_init__(self) -> None:
        self._check_shares(area_precision=self.area_precision)
        if self.granularity < 0 or self.tall < 0:
            raise ValueError(f"protocol {self.name}: granularity and tall are at least 0")

    @property
    def needs_texts(self) -> bool:
        """Whether detections must come with what was read in them."""
        return self.texts

    def match(self, picture: Picture) -> PictureRow:
        """Match one picture; see :meth:`~ocr.metrics.detection.PictureProtocol.match`."""
        over = overlaps(picture, shoelace=True)
        over = remeasured(picture, over, without(over.words, over.ignored, ~over.ignored), over.boxes)
        characters = self._characters(picture, over.boxes)
        counts = characters.counts
        # single precision, as in the package: it decides thirds
        precision = over.precision.astype(np.float32)
        cared = self._cared(over, precision, counts)
        links = self._links(over, precision, counts, cared)
        characters = characters.only(links)
        penalty = self.granularity * np.clip(links.sum(axis=1) - 1, 0, None)
        merge_penalty = self.granularity * float(np.clip(links.sum(axis=0) - 1, 0, None).sum())
        if self.texts:
            found, read = self._read(picture, links, characters, cared)
        else:
            found = characters.found()
            read = characters.held.sum() + self._assumed(picture, cared & ~links.any(axis=0))
        return picture_row(
            picture,
            over,
            cared,
            links,
            found - penalty,
            characters.lengths.astype(float),
            float(found.sum()) - merge_penalty,
            float(read),
            int(characters.held.sum() - characters.held.any(axis=1).sum()),
        )

    def _characters(self, picture: Picture, boxes: Regions) -> Characters:
        lengths = np.array([word_length(word) for word in picture.truth], np.int64)
        centres = [np.zeros((0, 2))]
        for word, length in zip(picture.truth, lengths.tolist(), strict=True):
            stacked = word.direction == "stacked"
            vertical = stacked or box_aspect(word.polygon) < self.tall
            points = pseudo_centres(word.polygon, length, vertical)
            centres.append(points[::-1] if stacked else points)
        drawn = np.array([len(c) for c in centres[1:]], np.int64)
        held = inside(np.concatenate(centres), boxes.outlines)
        return Characters(lengths, np.repeat(np.arange(len(drawn)), drawn), held)

    def _cared(self, over: Overlaps, precision: Singles, counts: Indices) -> Booleans:
        """Detections that are not filled by words to ignore, one alone or those together of which they hold characters."""
        ignored = precision[over.ignored]
        together = (ignored * (counts[over.ignored] > 0)).sum(axis=0)
        return np.asarray(
            ~((ignored >= self.area_precision).any(axis=0) | (together >= self.area_precision)) | ~over.ignored.any()
        )

    def _links(self, over: Overlaps, precision: Singles, counts: Indices, cared: Booleans) -> Booleans:
        """Words x detections: one to one, one to many and many to one, none of which excludes another."""
        counting = ~over.ignored[:, None] & cared
        touching = (counts > 0) & counting
        hit = (precision >= self.area_precision) & (counts > 0)
        alone = (hit.sum(axis=1) == 1)[:, None] & (hit.sum(axis=0) == 1)
        hit_counting = hit & counting
        split = hit_counting & (hit_counting.sum(axis=1) >= 2)[:, None]
        filled = (precision * touching).sum(axis=0) >= self.area_precision
        merged = touching & filled & (touching.sum(axis=0) >= 2)
        return np.asarray((hit_counting & alone) | split | merged)

    def _assumed(self, picture: Picture, boxes: Booleans) -> int:
        """Characters that detections without a word are assumed to hold."""
        aspects = [box_aspect(picture.found[d].polygon) for d in np.flatnonzero(boxes).tolist()]
        return sum(min(round(0.5 + 1 / (SLIGHT + aspect)), MOST) for aspect in aspects)

    def _read(self, picture: Picture, links: Booleans, characters: Characters, cared: Booleans) -> tuple[Indices, int]:
        """Characters of each word that were read, and all characters read in detections that count."""
        left = [text if self.case_sensitive else text.upper() for text in picture.texts]
        read = sum(len(left[d]) for d in np.flatnonzero(cared).tolist())
        found = np.zeros(len(picture.truth), np.int64)
        for t in np.flatnonzero(links.any(axis=1)).tolist():
            text = picture.truth[t].text or ""
            order = _reading_order(np.flatnonzero(links[t]).tolist(), characters.held[characters.owner == t])
            common = longest_common(text if self.case_sensitive else text.upper(), "".join(left[d] for d in order))
            found[t] = len(common)
            for character in common:
                d = next(d for d in order if character in left[d])
                left[d] = left[d].replace(character, "", 1)
        return found, read


def without(words: Regions, some: Booleans, others: Booleans) -> Regions:
    """Regions, of which ``some`` lose what ``others`` cover of them."""
    if not some.any() or not others.any():
        return words
    chosen, rest = np.flatnonzero(some), words.shapes[others]
    pairs = shapely.STRtree(rest).query(words.shapes[chosen], predicate="intersects")
    if not pairs.size:
        return words
    shapes = words.shapes.copy()
    for i, j in pairs.T.tolist():
        shapes[chosen[i]] = shapely.difference(shapes[chosen[i]], rest[j])
    return words.with_shapes(shapes)


def counted(owner: Indices, held: Booleans, words: int) -> Indices:
    """How many of each word's rows are set in each column, words x columns."""
    row, column = np.nonzero(held)
    size = words, held.shape[1]
    return np.bincount(owner[row] * size[1] + column, minlength=size[0] * size[1]).reshape(size)


def longest_common(a: str, b: str) -> str:
    """The longest common subsequence; among equals the one that skips the end of ``b`` first."""
    if a == b:
        return a
    table = [[0] * (len(b) + 1) for _ in range(len(a) + 1)]
    for i, x in enumerate(a, 1):
        above, row = table[i - 1], table[i]
        for j, y in enumerate(b, 1):
            row[j] = above[j - 1] + 1 if x == y else max(above[j], row[j - 1])
    i, j, common = len(a), len(b), []
    while i and j:
        if a[i - 1] == b[j - 1]:
            common.append(a[i - 1])
            i, j = i - 1, j - 1
        elif table[i - 1][j] > table[i][j - 1]:
            i -= 1
        else:
            j -= 1
    return "".join(reversed(common))


def _reading_order(boxes: Sequence[int], held: Booleans) -> list[int]:
    """Detections of a word in the order of the characters (rows) they hold; each character brings in one.

    Of those that are left over at the end only the first is taken, as in the public package.
    """
    waiting, order = list(boxes), []
    for character in held:
        if len(waiting) == 1:
            break
        first = next((d for d in waiting if character[d]), None)
        if first is not None:
            waiting.remove(first)
            order.append(first)
    return order + waiting[:1]
