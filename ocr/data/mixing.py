"""Which sample stands at which place of training: a closed-form function of (seed, step), so any step can be started from."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ocr.seeding import generator

CYCLE = 840
"""Draws after which the pattern of sources repeats; divisible by 1 to 8, so common ratios are exact in every batch."""


@dataclass(frozen=True, slots=True)
class Draw:
    """Sample ``index`` of source ``source`` in that source's pass number ``epoch``."""

    source: int
    index: int
    epoch: int


def shares(sizes: Sequence[int], weights: Sequence[float | None]) -> NDArray[np.float64]:
    """The share of draws each source gets: by its weight, or, where all weights are None, by its number of samples.

    Raises:
        ValueError: some weights are given and some are not, one is negative, or none is positive.
    """
    if all(w is None for w in weights):
        raw = np.asarray(sizes, np.float64)
    elif any(w is None for w in weights):
        raise ValueError(
            f"source weights {list(weights)}: give every source a weight, or none (null: by number of samples)"
        )
    else:
        raw = np.asarray(weights, np.float64)
    if (raw < 0).any() or not raw.sum() > 0:
        raise ValueError(f"source weights {list(weights)}: weights are not negative and at least one is positive")
    return raw / raw.sum()


def source_pattern(share: NDArray[np.float64], cycle: int = CYCLE) -> NDArray[np.int64]:
    """The source of each of ``cycle`` draws: exact counts by largest remainder, spread as evenly as can be."""
    exact = share * cycle
    counts = np.floor(exact).astype(np.int64)
    for i in np.argsort(counts - exact, kind="stable")[: cycle - counts.sum()]:
        counts[i] += 1
    # a source of count c stands at the middles of c equal parts of the cycle
    places = np.concatenate([(np.arange(c) + 0.5) / c if c else np.zeros(0) for c in counts])
    owners = np.repeat(np.arange(len(counts)), counts)
    return owners[np.argsort(places, kind="stable")]


def quotas(weights: Sequence[float | None], batch_size: int) -> NDArray[np.float64]:
    """The share of each source in every batch: by its weight, or, where all weights are None, the same for all.

    Raises:
        ValueError: as :func:`shares`; or a share of the batch is no whole number of samples.
    """
    equal = all(w is None for w in weights)
    share = shares([1] * len(weights), [1.0] * len(weights) if equal else weights)
    parts = [Fraction(float(s)).limit_denominator(10_000) * batch_size for s in share]
    uneven = [float(part) for part in parts if part.denominator != 1]
    if uneven:
        whole = math.lcm(*((part / batch_size).denominator for part in parts))
        raise ValueError(
            f"loader.exact_quotas: a batch of {batch_size} cannot hold {uneven[0]:.4g} samples of a source; "
            f"choose a loader.batch_size that is a multiple of {whole}, or other weights"
        )
    return share


class Mixture:
    """An endless sequence of draws from several sources; each source is shuffled anew on each of its passes.

    Args:
        sizes: number of samples per source.
        weights: see :func:`shares`.
        seed: the run's seed.
        exact_batch: every so many draws, counted from the first, hold each source's share exactly (:func:`quotas`): with the
            batch size of one process, every batch of every process does.  None: shares hold over ``CYCLE`` draws.

    Raises:
        ValueError: see :func:`shares` and :func:`quotas`.
    """

    def __init__(
        self, sizes: Sequence[int], weights: Sequence[float | None], seed: int, exact_batch: int | None = None
    ) -> None:
        self.sizes = list(sizes)
        self.seed = seed
        share = shares(sizes, weights) if exact_batch is None else quotas(weights, exact_batch)
        self.pattern = source_pattern(share, exact_batch or CYCLE)
        hits = self.pattern[None] == np.arange(len(self.sizes))[:, None]
        self.before = np.cumsum(hits, axis=1) - hits
        self.per_cycle = hits.sum(axis=1)
        self._order = lru_cache(maxsize=2 * len(self.sizes))(self._shuffled)

    def _shuffled(self, source: int, epoch: int) -> NDArray[np.int64]:
        return generator(self.seed, "order", source, epoch).permutation(self.sizes[source])

    def __getitem__(self, position: int) -> Draw:
        """The draw at a position counted from the start of training."""
        cycle, place = divmod(position, len(self.pattern))
        source = int(self.pattern[place])
        taken = cycle * int(self.per_cycle[source]) + int(self.before[source, place])
        epoch, within = divmod(taken, self.sizes[source])
        return Draw(source, int(self._order(source, epoch)[within]), epoch)


class RoundRobinBatches:
    """Places 0 to ``count`` - 1 in batches of consecutive ones, which go round the processes: batch i to rank i modulo ``world``.

    No place comes twice, and batches are the same for any number of processes.  A rank that gets none has an empty batch, because
    every process must take part in validation.
    """

    def __init__(self, count: int, batch_size: int, rank: int = 0, world: int = 1) -> None:
        every = [list(range(first, min(first + batch_size, count))) for first in range(0, count, batch_size)]
        self.batches = every[rank::world] or [[]]

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[list[int]]:
        """Batches of this process."""
        return iter(self.batches)


class MixedBatchSampler:
    """Yields batches of draws from step ``start`` on, without end.

    With several processes each takes its own consecutive part of the global batch, so the order does not depend on their number
    when the global batch is the same.
    """

    def __init__(self, mixture: Mixture, batch_size: int, start: int = 0, rank: int = 0, world: int = 1) -> None:
        self.mixture = mixture
        self.batch_size = batch_size
        self.start = start
        self.rank = rank
        self.world = world

    def __iter__(self) -> Iterator[list[Draw]]:
        """Batches of this process."""
        step = self.start
        while True:
            first = (step * self.world + self.rank) * self.batch_size
            yield [self.mixture[first + i] for i in range(self.batch_size)]
            step += 1
