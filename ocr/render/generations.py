"""What faces learn about characters, kept in bounded memory: pixels in pages of their own, forgotten a page at a time.

Glyphs live for thousands of pictures while a picture's arrays come and go.  In one heap the small and lasting ones would pin the large
holes between them, a third of a process after 96,000 words (experiments/LOG.md).  A page is not part of the heap.
"""

from __future__ import annotations

import mmap
from collections import deque
from collections.abc import Hashable
from typing import Any

import numpy as np
from numpy.typing import NDArray

PAGE = 1 << 20
"""Bytes of a page."""
_PRIVATE = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
"""A forked process writes into a page of its own."""
_ENTRY = 250
"""Bytes that a kept number or name takes, about."""
_GLYPH = 500
"""Bytes that a kept glyph takes besides its pixels, about."""


class Generations:
    """At most ``limit`` bytes; the oldest page's entries are forgotten together, and made again when they are needed."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._pages: deque[list[tuple[dict[Any, Any], Hashable]]] = deque()
        self._open()

    def _open(self) -> None:
        self._pages.append([])
        self._pixels = np.frombuffer(mmap.mmap(-1, PAGE, _PRIVATE), np.uint8)
        self._used = self._taken = 0
        while len(self._pages) > max(1, self.limit // PAGE):
            for store, key in self._pages.popleft():
                del store[key]

    def _charge(self, cost: int) -> None:
        if self._taken + cost > PAGE:
            self._open()
        self._taken += cost

    def add(self, store: dict[Any, Any], key: Hashable, value: object) -> None:
        """Keep a small value, until its page is forgotten."""
        self._charge(_ENTRY)
        store[key] = value
        self._pages[-1].append((store, key))

    def pixels(self, mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """A copy of a glyph's coverage in the present page, which lives as long as any of its copies is in use."""
        self._charge(mask.size + _GLYPH - _ENTRY)
        copy = self._pixels[self._used : self._used + mask.size].reshape(mask.shape)
        copy[...] = mask
        self._used += mask.size
        return copy

    @property
    def held(self) -> int:
        """Bytes that the pages stand for, at most."""
        return len(self._pages) * PAGE
