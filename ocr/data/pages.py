"""Whether the pages of an LMDB file can be followed: looked at before the library, which believes what they say.

LMDB takes every offset and page number in a file for true, so a damaged or forged one makes it read beyond the map, which
kills the process.  Here the tree is gone through once, level by level, and every number is compared with what it may be.

Written from the layout that the library's own header comments describe (LMDB 0.9, 64 bit, little-endian): a page begins with its
number, its flags and the ends of its free room, then the offsets of its nodes; a node is the two halves of a size (or of a page
number), flags, the length of a key, the key, and the value.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

MAGIC, VERSION = 0xBEEFC0DE, 1
HEADER, NODE = 16, 8
"""Bytes before the first offset of a page, and before the key of a node."""
BRANCH, LEAF, OVERFLOW = 1, 2, 4
BIG, SEVERAL = 1, 4
"""Flags of a node: its value lies on pages of its own; it holds several values."""
DEEPEST = 32
"""Levels of the deepest tree that the library itself can walk."""
AT_ONCE = 4096
"""Pages looked at together."""
NOTHING = 2**64 - 1
"""The root of an empty tree."""
_DATABASE = np.dtype(
    [("pad", "<u4"), ("flags", "<u2"), ("depth", "<u2"), ("pages", "<u8", 3), ("entries", "<u8"), ("root", "<u8")]
)
_META = np.dtype(
    [
        ("page", "<u8"),
        ("_", "<u2"),
        ("flags", "<u2"),
        ("__", "<u4"),
        ("magic", "<u4"),
        ("version", "<u4"),
        ("address", "<u8"),
        ("map_size", "<u8"),
        ("free", _DATABASE),
        ("main", _DATABASE),
        ("last", "<u8"),
        ("transaction", "<u8"),
    ]
)
Numbers = NDArray[np.int64]


class Unsound(ValueError):
    """What is wrong with the pages of a file."""


class CutShort(Unsound):
    """A file lacks its end."""


@dataclass(slots=True)
class _Tree:
    """The pages of a file in rows of bytes, and which of them were seen."""

    pages: NDArray[np.uint8]
    last: int
    seen: NDArray[np.bool_]

    def visit(self, numbers: Numbers) -> None:
        """Note pages that are referred to; a second reference to a page would let a small file hold any number of entries."""
        if len(numbers) and (numbers.min() < 2 or numbers.max() > self.last):
            raise Unsound("a page lies outside of the file")
        if self.seen[numbers].any() or len(np.unique(numbers)) < len(numbers):
            raise Unsound("a page is referred to twice")
        self.seen[numbers] = True


def check(path: Path) -> int:
    """The number of entries of a file's main database, when all of its pages are sound.

    Raises:
        Unsound: with what is wrong in a few words.
        OSError: the file cannot be read.
    """
    meta, size = _meta(path)
    stored = np.memmap(path, np.uint8, "r")
    count = len(stored) // size
    if int(meta["last"]) >= count:
        needed = (int(meta["last"]) + 1) * size
        raise CutShort(f"is cut short: {len(stored):,} of {needed:,} bytes")
    main = meta["main"]
    depth, root, entries = (int(main[name]) for name in ("depth", "root", "entries"))
    if main["flags"] or depth > DEEPEST:
        raise Unsound("its database is of another kind")
    if root == NOTHING:
        return 0
    tree = _Tree(stored[: count * size].reshape(count, size), int(meta["last"]), np.zeros(count, np.bool_))
    level = np.array([min(root, 2**62)], np.int64)
    tree.visit(level)
    for _ in range(depth - 1):
        level = np.concatenate([_children(tree, level[i : i + AT_ONCE]) for i in range(0, len(level), AT_ONCE)])
        tree.visit(level)
    found = sum(_values(tree, level[i : i + AT_ONCE]) for i in range(0, len(level), AT_ONCE))
    if found != entries:
        raise Unsound(f"it holds {found:,} entries and says {entries:,}")
    return found


def _meta(path: Path) -> tuple[Any, int]:
    """The newer of the two descriptions at the beginning of a file, and the size of its pages."""
    with path.open("rb") as file:
        head = file.read(_META.itemsize)
        first = _description(head)
        size = int(first["free"]["pad"])
        if size < 512 or size > 1 << 15 or size & (size - 1):
            raise Unsound("its pages are of no possible size")
        file.seek(size)
        second = _description(file.read(_META.itemsize))
    if int(second["free"]["pad"]) != size:
        raise Unsound("its pages are of two sizes")
    return (second if first["transaction"] < second["transaction"] else first), size


def _description(head: bytes) -> Any:
    if len(head) < _META.itemsize:
        raise Unsound("it is too short")
    meta = np.frombuffer(head, _META)[0]
    if meta["magic"] != MAGIC or meta["version"] != VERSION or not meta["flags"] & 8:
        raise Unsound("it does not begin as LMDB files do")
    return meta


def _nodes(tree: _Tree, numbers: Numbers, kind: int, least: int) -> tuple[NDArray[np.uint8], Numbers, Numbers, Any]:
    """Pages of a kind with their nodes: the row and place of each, and its four header numbers."""
    pages = tree.pages[numbers]
    size = pages.shape[1]
    head = np.ascontiguousarray(pages[:, :HEADER])
    flags, lower, upper = head.view("<u2").astype(np.int64)[:, 5:8].T
    if (head.view("<u8")[:, 0] != numbers.astype(np.uint64)).any() or (flags & ~0xC010 != kind).any():
        raise Unsound("a page is not what it is referred to as")
    counts = (lower - HEADER) // 2
    if (lower % 2).any() or (lower > upper).any() or (upper > size).any() or (counts < least).any():
        raise Unsound("the nodes of a page have no possible places")
    rows = np.repeat(np.arange(len(pages)), counts)
    within = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
    offsets = pages.view("<u2")[rows, HEADER // 2 + within].astype(np.int64)
    if (offsets % 2).any() or (offsets < upper[rows]).any() or (offsets > size - NODE).any():
        raise Unsound("a node lies outside of its page")
    words = pages.view("<u2")
    headers = np.stack([words[rows, offsets // 2 + i] for i in range(4)]).astype(np.int64)
    if (offsets + NODE + headers[3] > size).any():
        raise Unsound("a key goes on beyond its page")
    return pages, rows, offsets, headers


def _children(tree: _Tree, numbers: Numbers) -> Numbers:
    _, _, _, (low, high, higher, _) = _nodes(tree, numbers, BRANCH, least=2)
    return np.asarray(low | high << 16 | higher << 32, np.int64)


def _values(tree: _Tree, numbers: Numbers) -> int:
    """The number of entries on leaf pages, whose values are all inside of the file."""
    pages, rows, offsets, (low, high, flags, key) = _nodes(tree, numbers, LEAF, least=1)
    if (flags & SEVERAL).any():
        raise Unsound("an entry holds several values")
    length, big = low | high << 16, (flags & BIG).astype(bool)
    begin = offsets + NODE + key
    if (begin + np.where(big, 8, length) > pages.shape[1]).any():
        raise Unsound("a value goes on beyond its page")
    if big.any():
        at = begin[big][:, None] + np.arange(8)
        first = np.ascontiguousarray(pages[rows[big][:, None], at]).view("<u8")[:, 0]
        _apart(tree, np.minimum(first, 2**62).astype(np.int64), length[big])
    return len(rows)


def _apart(tree: _Tree, first: Numbers, length: Numbers) -> None:
    """Compare values on pages of their own with those pages."""
    tree.visit(first)
    heads = np.ascontiguousarray(tree.pages[first, :HEADER])
    flags, count = heads.view("<u2")[:, 5].astype(np.int64), heads.view("<u4")[:, 3].astype(np.int64)
    if (heads.view("<u8")[:, 0] != first.astype(np.uint64)).any() or (flags & ~0xC010 != OVERFLOW).any():
        raise Unsound("the pages of a value are not what they are referred to as")
    if (first + count - 1 > tree.last).any() or (HEADER + length > count * tree.pages.shape[1]).any():
        raise Unsound("a value is longer than its pages")
