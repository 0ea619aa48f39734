"""The labels of a large set, and what was decided about them, scanned once and memory-mapped ever after.

MJSynth has nine million labels: to fetch them one by one takes longer than many a training step that waits for it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from functools import cached_property
from itertools import compress
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from ocr.data.cache import cached
from ocr.data.statistics import Audit, audit
from ocr.data.store import Store

LARGE = 200_000
"""Sets of fewer samples are scanned anew each time: that takes a quarter of a second, and leaves nothing behind."""
CHUNK = 65_536


class LabelIndex(Sequence[str]):
    """All labels of a set in order; a label is decoded when it is asked for.

    Args:
        text: the labels in UTF-8, one after the other, uint8.
        ends: where each of them ends, uint64.
    """

    def __init__(self, text: NDArray[np.uint8], ends: NDArray[np.uint64]) -> None:
        self.text, self.ends = text, ends

    def __len__(self) -> int:
        return len(self.ends)

    @overload
    def __getitem__(self, place: int) -> str: ...
    @overload
    def __getitem__(self, place: slice) -> list[str]: ...
    def __getitem__(self, place: int | slice) -> str | list[str]:
        if isinstance(place, slice):
            return [self[i] for i in range(*place.indices(len(self)))]
        if not -len(self) <= place < len(self):
            raise IndexError(f"label {place} of {len(self)}")
        place %= len(self)
        return str(self.text[self._start(place) : int(self.ends[place])].tobytes(), "utf-8")

    def __iter__(self) -> Iterator[str]:
        for first in range(0, len(self), CHUNK):
            start, ends = self._start(first), self.ends[first : first + CHUNK].tolist()
            text = self.text[start : ends[-1]].tobytes()
            begin = 0
            for end in ends:
                yield str(text[begin : end - start], "utf-8")
                begin = end - start

    def _start(self, place: int) -> int:
        return int(self.ends[place - 1]) if place else 0


class _Scan:
    """One pass over a store's labels, made only when one of its two arrays is asked for."""

    def __init__(self, store: Store) -> None:
        self.store = store

    @cached_property
    def arrays(self) -> tuple[NDArray[np.uint8], NDArray[np.uint64]]:
        text = bytearray()
        ends = np.empty(len(self.store), np.uint64)
        for i, label in enumerate(self.store.each_text()):
            text += label.encode()
            ends[i] = len(text)
        return np.frombuffer(bytes(text), np.uint8), ends


def label_index(store: Store) -> LabelIndex:
    """The index of a store, from the cache or from a scan.

    Raises:
        ValueError: a label is missing or not UTF-8.
    """
    scan = _Scan(store)
    text = cached("labels-1", store.fingerprint, lambda: scan.arrays[0])
    return LabelIndex(text, cached("label-ends-1", store.fingerprint, lambda: scan.arrays[1]))


def remembered(kind: str, fingerprint: str, size: int, make: Callable[[], NDArray[Any]]) -> NDArray[Any]:
    """What ``make`` computes from a set of this fingerprint and size: from the cache when the set is large."""
    return cached(kind, fingerprint, make) if size >= LARGE else make()


def remembered_audit(
    texts: Sequence[str],
    rows: NDArray[np.int64],
    reject: Callable[[str], str | None],
    rule: str,
    fingerprint: str,
    where: str,
) -> tuple[Audit, NDArray[Any]]:
    """:func:`ocr.data.statistics.audit` of some rows of a set, and the rows that it keeps; from the cache when the set is large.

    Args:
        texts: all labels of the set.
        rows: those that are looked at, ascending.
        reject, where: as there.
        rule: what ``reject`` decides by; another rule is another audit.
        fingerprint: of the set.

    Raises:
        ValueError: no label is usable.
    """

    def look() -> Audit:
        return audit(_some(texts, rows), reject, where=where)

    if len(texts) < LARGE:
        found = look()
        return found, rows[found.kept]
    made: list[Audit] = []

    def once() -> Audit:
        made.append(made[0] if made else look())
        return made[0]

    kind = hashlib.blake2b(f"{rule} {len(rows)}".encode() + rows[:: max(1, len(rows) // 999)].tobytes(), digest_size=8)
    # positions fit 32 bits in every set there is, and half the file is half the memory
    kept = cached(f"kept-1-{kind.hexdigest()}", fingerprint, lambda: once().kept.astype(np.uint32))
    said = cached(f"audit-1-{kind.hexdigest()}", fingerprint, lambda: _packed(once()))
    learnable = cached(f"learnable-1-{kind.hexdigest()}", fingerprint, lambda: rows[kept].astype(np.uint32))
    fields = json.loads(said.tobytes())
    return Audit(**{**fields, "where": where, "kept": kept}), learnable


def _some(texts: Sequence[str], rows: NDArray[np.int64]) -> Iterator[str]:
    """The labels at ascending rows, in one pass over all of them: to jump from one to the next takes three times as long."""
    if len(rows) < len(texts) // 2:
        return (texts[i] for i in rows)
    wanted = np.zeros(len(texts), np.bool_)
    wanted[rows] = True
    return compress(texts, wanted.tolist() if len(texts) < LARGE else wanted)


def _packed(result: Audit) -> NDArray[np.uint8]:
    fields = {k: v for k, v in asdict(result).items() if k != "kept"}
    return np.frombuffer(json.dumps(fields, ensure_ascii=False).encode(), np.uint8)
