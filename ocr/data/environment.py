"""One open LMDB environment, with one read transaction, per path and process.

py-lmdb opens a path only once per process, an open environment cannot be pickled, and LMDB forbids its use across a fork: all
stores of a process therefore share what is held here, opened when first needed. A transaction may stay open for good,
because a prepared set is never written again: another version of it is another file.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lmdb
import numpy as np

from ocr.data import pages
from ocr.data.cache import cached

LARGE = 1 << 25
"""Files of fewer bytes are looked over whenever they are opened: that takes a tenth of a second, and leaves nothing behind."""
TURNS = 20
"""Times that a set is looked at anew while a writer keeps replacing it."""


@dataclass(slots=True)
class _Held:
    process: int
    version: tuple[int, ...]
    environment: Any
    transaction: Any

    def close(self) -> None:
        self.transaction.abort()
        self.environment.close()


_held: dict[Path, _Held] = {}


def transaction(folder: Path) -> Any:
    """The read transaction of a folder (an absolute path) in this process; its values are views into the mapped file.

    Raises:
        ValueError: ``data.mdb`` is no LMDB file, is cut short, or holds pages that cannot be followed.
    """
    held = _held.get(folder)
    if held is None or held.process != os.getpid():
        if held is not None:
            # inherited through a fork: py-lmdb counts it as open in this process too
            held.close()
            del _held[folder]
        version, opened = _opened(folder)
        held = _held[folder] = _Held(os.getpid(), version, opened, opened.begin(buffers=True))
    return held.transaction


def _opened(folder: Path) -> tuple[tuple[int, ...], Any]:
    """One and the same file looked over and opened: another one may take its place at any moment in between."""
    for turn in range(TURNS):
        version = _version(folder)
        try:
            opened = _open(folder)
        except ValueError:
            if _version(folder) == version or turn == TURNS - 1:
                raise
            continue
        if _version(folder) == version:
            return version, opened
        opened.close()
    raise ValueError(f"{folder} is replaced faster than it can be opened: wait until it is written")


def forget_replaced(folder: Path) -> None:
    """Close what is held of a folder when another file has taken the place of the one it reads."""
    if is_replaced(folder):
        _held.pop(folder).close()


def is_replaced(folder: Path) -> bool:
    """Whether another file has taken the place of the one that is held of a folder."""
    held = _held.get(folder)
    return held is not None and held.version != _version(folder)


def _version(folder: Path) -> tuple[int, ...]:
    status = (folder / "data.mdb").stat()
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _open(folder: Path) -> Any:
    path = folder / "data.mdb"
    try:
        _look_over(path)
        return lmdb.open(str(folder), readonly=True, lock=False, readahead=False, meminit=False, create=False)
    except pages.CutShort as error:
        raise ValueError(f"{path} {error}; copy or download it again") from None
    except (pages.Unsound, lmdb.Error) as error:
        raise ValueError(
            f"{path} cannot be opened ({error}): it is no LMDB file or damaged; copy or prepare it again"
        ) from None


def _look_over(path: Path) -> None:
    """Refuse a file whose pages cannot be followed; of a large file that was found to be sound a note is kept."""
    if path.stat().st_size < LARGE:
        pages.check(path)
    else:
        cached("pages-1", _note(path.parent), lambda: np.array([pages.check(path)]))


def note_written(folder: Path) -> None:
    """Note that this process wrote a set, so that its pages need not be looked over."""
    if (folder / "data.mdb").stat().st_size >= LARGE:
        cached("pages-1", _note(folder), lambda: np.zeros(1, np.int64))


def _note(folder: Path) -> str:
    return hashlib.blake2b(repr(_version(folder)).encode(), digest_size=16).hexdigest()
