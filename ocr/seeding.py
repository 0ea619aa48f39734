"""Randomness as a function of (seed, epoch, index): the same for any number of workers and after a resume."""

from __future__ import annotations

import zlib

import numpy as np


def _entropy(seed: int, *place: int | str) -> list[int]:
    return [seed, *(zlib.crc32(p.encode()) if isinstance(p, str) else p for p in place)]


def generator(seed: int, *place: int | str) -> np.random.Generator:
    """A random generator that depends on ``seed`` and ``place`` alone.

    ``place`` names where the draw happens, for example ``("augment", epoch, index)``; integers must not be negative.
    """
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(_entropy(seed, *place))))


def derived_seed(seed: int, *place: int | str) -> int:
    """A 31-bit seed for a library that wants an integer, made the same way as :func:`generator`."""
    return int(np.random.SeedSequence(_entropy(seed, *place)).generate_state(1)[0] >> 1)
