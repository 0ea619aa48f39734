"""Whether a picture shows what another one shows, after it was scaled or compressed anew.

ArT's training pictures include test pictures of Total-Text and CTW-1500 under other names.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from ocr.data.decoding import decode
from ocr.data.store import Store
from ocr.types import Image

SIDE = 32
ALIKE = 0.975
"""Correlation of two thumbnails from which they are of one picture. Over 239 real pictures, scaled to 37 % and saved at quality
40, it is .98 to 1 with the picture itself, at most .97 with the next frame of a film, and at most .92 with any other."""


@dataclass(frozen=True, slots=True)
class Shown:
    """Thumbnails (n x 1024) of pictures that must not occur again, and their keys."""

    thumbnails: NDArray[np.float32]
    keys: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.keys)

    def holding(self, data: bytes) -> str | None:
        """The key of a picture that shows the same as an encoded one; None when there is none."""
        image = decode(data)
        if image is None:
            return None
        correlations = self.thumbnails @ thumbnail(image)
        nearest = int(np.argmax(correlations))
        return self.keys[nearest] if correlations[nearest] >= ALIKE else None


def shown_in(folders: Iterable[Path]) -> Shown:
    """The pictures of prepared sets.

    Raises:
        ValueError: a folder holds no prepared set.
    """
    thumbnails, keys = [np.zeros((0, SIDE * SIDE), np.float32)], []
    for folder in folders:
        store = Store(folder)
        thumbnails.append(np.stack([thumbnail(store.image(i)) for i in range(len(store))]))
        keys += store.keys()
    return Shown(np.concatenate(thumbnails), tuple(keys))


def thumbnail(image: Image) -> NDArray[np.float32]:
    """The brightness of 32 x 32 patches with mean 0 and norm 1 (all 0 for a picture of one colour): 1024 numbers."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    small = cv2.resize(grey, (SIDE, SIDE), interpolation=cv2.INTER_AREA).astype(np.float32).ravel()
    small -= small.mean()
    return np.asarray(small / max(float(np.linalg.norm(small)), 1.0), np.float32)
