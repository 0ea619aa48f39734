"""Every picture of a set in a few bytes: a digest of its pixels and its size, so that copies are found among millions."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from ocr.data.cache import cached
from ocr.data.decoding import decode
from ocr.data.store import Store

Digests = NDArray[np.uint64]
ENTRY = np.dtype([("digest", np.uint64), ("width", np.uint16), ("height", np.uint16)])
"""Of one picture; ``digest`` is 0 when it cannot be decoded; sizes in pixels, at most 65,535."""
UNDECODABLE = np.uint64(0)
CHUNK = 1024
"""Pictures that a thread takes at a time."""
KIND = "pictures-1"


def picture_index(store: Store, advance: Callable[[int], None] | None = None) -> NDArray[np.void]:
    """Entries (:data:`ENTRY`) of all pictures in order; made once for a set on all cores, then read from the cache.

    Args:
        store: the set.
        advance: called with the number of pictures done since it was last called.
    """
    return cached(KIND, store.fingerprint, lambda: _made(store, advance))


def pixel_digest(data: bytes) -> tuple[int, int, int]:
    """64 bits of a digest of the RGB pixels and size of an encoded picture, its width and its height; (0, 0, 0) when it is broken.

    The same for a copy in another lossless format; another for a copy that was compressed or scaled again.
    """
    image = decode(data)
    if image is None:
        return 0, 0, 0
    height, width = image.shape[:2]
    digest = hashlib.blake2b(b"%d %d " % (width, height), digest_size=8)
    digest.update(image.tobytes())
    return max(1, int.from_bytes(digest.digest(), "little")), min(width, 65535), min(height, 65535)


def _made(store: Store, advance: Callable[[int], None] | None) -> NDArray[np.void]:
    entries = np.zeros(len(store), ENTRY)
    threads = os.cpu_count() or 1
    with ThreadPoolExecutor(threads) as pool:
        for start, future in _ahead(pool, store, 2 * threads):
            found = future.result()
            entries[start : start + len(found)] = found
            if advance is not None:
                advance(len(found))
    return entries


def _ahead(
    pool: ThreadPoolExecutor, store: Store, most: int
) -> Iterator[tuple[int, Future[list[tuple[int, int, int]]]]]:
    """Chunks in order, ``most`` of them under way: a store is read by one thread, and what is read must not pile up."""
    starts = iter(range(0, len(store), CHUNK))

    def begin(start: int) -> tuple[int, Future[list[tuple[int, int, int]]]]:
        data = [store.image_bytes(i) for i in range(start, min(start + CHUNK, len(store)))]
        return start, pool.submit(lambda: [pixel_digest(each) for each in data])

    waiting = [begin(start) for start in islice(starts, most)]
    while waiting:
        yield waiting.pop(0)
        waiting += [begin(start) for start in islice(starts, 1)]


def repeats(digests: Digests) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Positions of pictures that stood earlier in the list already, ascending, and where each stood first."""
    order = np.argsort(digests, kind="stable")
    ordered = digests[order]
    starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]])) if len(order) else np.zeros(0, int)
    first = np.empty(len(order), np.int64)
    first[order] = order[np.repeat(starts, np.diff(np.append(starts, len(order))))]
    again = np.flatnonzero((first != np.arange(len(first))) & (digests != UNDECODABLE))
    return again, first[again]


def among(digests: Digests, others: Sequence[Digests]) -> NDArray[np.int64]:
    """Positions of pictures that are also in ``others``, ascending; broken ones are nowhere."""
    known = np.unique(np.concatenate([np.zeros(0, np.uint64), *others]))
    known = known[known != UNDECODABLE]
    if not len(known):
        return np.zeros(0, np.int64)
    place = np.minimum(np.searchsorted(known, digests), len(known) - 1)
    return np.flatnonzero(known[place] == digests)
