"""Randomness as a function of (seed, epoch, index): the same for any number of workers and after a resume."""

from __future__ import annotations

import zlib

import numpy as np


def _sequence(seed: int, *place: int | str) -> np.random.SeedSequence:
    words = [seed, *[zlib.crc32(p.encode()) if isinstance(p, str) else p for p in place]]
    # What fits into 32 bits is one word of entropy either way; an array of words is not taken apart number by number.
    small = max(words) < 1 << 32 and min(words) >= 0
    return np.random.SeedSequence(np.array(words, np.uint32) if small else words)


def generator(seed: int, *place: int | str) -> np.random.Generator:
    """A random generator that depends on ``seed`` and ``place`` alone.

    ``place`` names where the draw happens, for example ``("augment", epoch, index)``; integers must not be negative.
    """
    return np.random.Generator(np.random.PCG64(_sequence(seed, *place)))


def derived_seed(seed: int, *place: int | str) -> int:
    """A 31-bit seed for a library that wants an integer, made the same way as :func:`generator`."""
    return int(_sequence(seed, *place).generate_state(1)[0] >> 1)
