"""What a confidence is worth: whether it says how often a reading is right, and whether it finds the wrong ones."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ocr.metrics.breakdown import Bin

Floats = NDArray[np.float64]

BINS = 15
"""Bins of equal width, as in the paper that made the measure usual."""
COVERAGES = (0.5, 0.8, 0.9, 0.95, 1.0)
"""Shares of the readings, surest first, whose accuracy is reported."""


def expected_calibration_error(confidence: ArrayLike, correct: ArrayLike, bins: int = BINS) -> float:
    """The mean distance between confidence and accuracy over bins of confidence, weighted by samples, in [0, 1].

    Args:
        confidence: n values in [0, 1]; one that is no number counts as 0.
        correct: n booleans.
        bins: of equal width; bin b holds (b/bins, (b+1)/bins], the first one 0 as well.

    Raises:
        ValueError: there is no sample, or the lengths differ.

    Source: C. Guo et al., "On calibration of modern neural networks", ICML 2017, equation 3.
    """
    sure, right = _checked(confidence, correct)
    place = np.clip(np.ceil(sure * bins).astype(int) - 1, 0, bins - 1)
    gap = np.bincount(place, sure, bins) - np.bincount(place, right, bins)
    return float(np.abs(gap).sum() / len(sure))


def risk_coverage(confidence: ArrayLike, correct: ArrayLike) -> tuple[Floats, Floats]:
    """Share of wrong readings among the k surest ones, for k = 1 … n: (coverage k/n, risk), both in [0, 1].

    Readings of equal confidence come in no order, so the risk within such a group is the mean over all orders.

    Raises:
        ValueError: as :func:`expected_calibration_error`.

    Source: Y. Geifman and R. El-Yaniv, "Selective classification for deep neural networks", NeurIPS 2017, section 2.
    """
    sure, right = _checked(confidence, correct)
    order = np.argsort(-sure, kind="stable")
    _, group, sizes = np.unique(-sure[order], return_inverse=True, return_counts=True)
    wrong = np.bincount(group, 1 - right[order])
    k = np.arange(1, len(sure) + 1)
    return k / len(sure), np.cumsum((wrong / sizes)[group]) / k


def area_under_risk_coverage(confidence: ArrayLike, correct: ArrayLike) -> float:
    """The mean risk over all coverages, in [0, 1]; lower is better, and no reading wrong gives 0.

    Raises:
        ValueError: as :func:`expected_calibration_error`.
    """
    return float(risk_coverage(confidence, correct)[1].mean())


def coverage_bins(confidence: ArrayLike, correct: ArrayLike) -> list[Bin]:
    """The accuracy among the surest readings, for each of ``COVERAGES``: how the risk falls when the others are left to people.

    Raises:
        ValueError: as :func:`expected_calibration_error`.
    """
    _, risk = risk_coverage(confidence, correct)
    bins = []
    for coverage in COVERAGES:
        k = max(1, math.ceil(coverage * len(risk)))
        bins.append(Bin("coverage", f"surest {coverage:.0%}", k * (1 - float(risk[k - 1])), k, k, whole=False))
    return bins


def _checked(confidence: ArrayLike, correct: ArrayLike) -> tuple[Floats, Floats]:
    sure, right = np.asarray(confidence, np.float64), np.asarray(correct, np.float64)
    if sure.ndim != 1 or sure.shape != right.shape or not len(sure):
        raise ValueError(f"confidence {sure.shape} and correct {right.shape}: give two lists of one length, not empty")
    return np.clip(np.nan_to_num(sure, nan=0.0), 0, 1), right
