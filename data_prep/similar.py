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

from ocr.data.store import Store, decode
from ocr.types import Image

SIDE = 16
FARTHEST = 20
"""Bits out of 256 in which two encodings of a picture may differ; different photographs differ in about half."""


@dataclass(frozen=True, slots=True)
class Shown:
    """The fingerprints (n x 32 bytes) of pictures that must not occur again, and their keys."""

    prints: NDArray[np.uint8]
    keys: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.keys)

    def holding(self, data: bytes) -> str | None:
        """The key of a picture that shows the same as an encoded one; None when there is none."""
        image = decode(data)
        if image is None:
            return None
        bits = np.unpackbits(self.prints ^ fingerprint(image), axis=1).sum(1)
        nearest = int(np.argmin(bits))
        return self.keys[nearest] if bits[nearest] <= FARTHEST else None


def shown_in(folders: Iterable[Path]) -> Shown:
    """The pictures of prepared sets.

    Raises:
        ValueError: a folder holds no prepared set.
    """
    prints, keys = [np.zeros((0, SIDE * SIDE // 8), np.uint8)], []
    for folder in folders:
        store = Store(folder)
        prints.append(np.stack([fingerprint(store.image(i)) for i in range(len(store))]))
        keys += store.keys()
    return Shown(np.concatenate(prints), tuple(keys))


def fingerprint(image: Image) -> NDArray[np.uint8]:
    """Whether each of 16 x 16 patches is brighter than its right neighbour, as 32 bytes."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    small = cv2.resize(grey, (SIDE + 1, SIDE), interpolation=cv2.INTER_AREA).astype(np.int16)
    return np.packbits((small[:, :-1] > small[:, 1:]).ravel())
