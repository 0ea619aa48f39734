"""What becomes of memory that a network's activations have left: glibc keeps it for the next ones, or gives it back to the system.

Activations are freed and allocated anew in every pass.  By default each of them is mapped and its pages are faulted in again, thousands a
step (``make bench-craft`` prints both), which takes a third of the time in which a small network reads a picture (``make bench-read``).
Nothing here does anything under another C library.
"""

from __future__ import annotations

import ctypes
import sys

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""glibc's names for its ``mallopt`` parameters, malloc.h."""
_LARGEST_INT = 2**31 - 1


def keep_freed_memory(megabytes: int | None = None) -> None:
    """Ask glibc not to hand freed blocks back to the system, or only what is more than so much in one piece at the end of its heap."""
    c_library = _glibc()
    if c_library is not None:
        c_library.mallopt(_TRIM_THRESHOLD, _LARGEST_INT if megabytes is None else megabytes << 20)
        c_library.mallopt(_MMAP_THRESHOLD, _LARGEST_INT)


def hand_back_freed_memory() -> None:
    """Give the system back what is free now; the next passes fault in again what they need of it."""
    c_library = _glibc()
    if c_library is not None:
        c_library.malloc_trim(0)


def _glibc() -> ctypes.CDLL | None:
    c_library = ctypes.CDLL(None) if sys.platform.startswith("linux") else None
    return c_library if hasattr(c_library, "gnu_get_libc_version") else None
