"""Giving boxes of single characters, which a set lists by themselves, to the words or lines that they spell."""

from __future__ import annotations

import numpy as np
import shapely

from data_prep.labels import Labels
from ocr.charset import clusters
from ocr.types import Direction, Points, SceneWord

UNSPELT = "word ignored: the characters in it do not spell it"


def spell(labels: Labels, characters: list[SceneWord]) -> None:
    """Give every word that is not ignored its characters and its direction.

    The characters of a word are the boxes whose centres it holds. In the order of reading, left to right or top to bottom, they
    must spell it; a word that they do not spell is one to ignore, for it has characters that are not known, and is noted.
    """
    known = [c for c in characters if _is_one(c.text)]
    centres = np.array([np.mean(c.polygon, axis=0) for c in known]).reshape(-1, 2)
    for word, where in zip(labels.words, labels.where, strict=True):
        if word.ignore or word.text is None:
            continue
        hull = shapely.convex_hull(shapely.multipoints(word.polygon))
        inside = np.flatnonzero(shapely.contains_xy(hull, centres))
        text = "".join(word.text.split())
        for axis, direction in _axes(word.polygon):
            ordered = inside[np.argsort(centres[inside, axis], kind="stable")]
            if "".join(known[i].text or "" for i in ordered) == text and len(clusters(text)) == len(ordered):
                word.characters = np.stack([known[i].polygon for i in ordered]).astype(np.float32)
                word.direction = direction
                break
        else:
            word.ignore = True
            labels.fault(where, UNSPELT)


def _is_one(text: str | None) -> bool:
    return text is not None and len(clusters(text)) == 1


def _axes(polygon: Points) -> list[tuple[int, Direction]]:
    axes: list[tuple[int, Direction]] = [(0, "horizontal"), (1, "stacked")]
    width, height = np.ptp(polygon, axis=0)
    return axes if width >= height else axes[::-1]
