"""What was computed from a set once and need not be again: arrays on disk, by the fingerprint of the set."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


def cache_folder() -> Path:
    """``OCR_CACHE``, or ``ocr`` in the user's cache folder (``XDG_CACHE_HOME``, ``~/.cache``)."""
    own = os.environ.get("OCR_CACHE")
    return Path(own) if own else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ocr"


def cached(kind: str, fingerprint: str, make: Callable[[], NDArray[Any]]) -> NDArray[Any]:
    """An array that depends on the content of a set alone, memory-mapped from the cache, or made and put there.

    A cache that cannot be written, or a file in it that cannot be read, costs time and nothing else.

    Args:
        kind: what the array is, with the version of how it is made, for example ``pictures-1``.
        fingerprint: of the set.
        make: computes it.
    """
    path = cache_folder() / f"{kind}-{fingerprint.replace(':', '-')}.npy"
    with suppress(OSError, ValueError):
        return np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))
    array = make()
    if not array.size:
        return array  # an empty file cannot be mapped
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with draft.open("wb") as stream:
            np.save(stream, array, allow_pickle=False)
        draft.replace(path)
    except OSError:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
        return array
    with suppress(OSError, ValueError):
        return np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))
    return array


def mapped_from(array: NDArray[Any]) -> Path | None:
    """The file of the cache that an array is mapped from as a whole; another process opens it there instead of being sent a copy."""
    base: Any = array
    while base is not None and not isinstance(base, np.memmap):
        base = getattr(base, "base", None)
    if base is None or base.shape != array.shape or base.dtype != array.dtype or base.filename is None:
        return None
    return Path(base.filename)


def mapped(path: Path) -> NDArray[Any]:
    """The array of :func:`mapped_from`, in this process."""
    return np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))
