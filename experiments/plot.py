"""The plots of a report, as pictures: frontiers, learning curves, calibration, confusion of characters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from experiments.intervals import frontier
from ocr.metrics.calibration import BINS, expected_calibration_error
from ocr.types import Image

COLOURS = ("#0072b2", "#d55e00", "#008f6b", "#b0508c", "#8a6d00", "#2f2f2f")
MARKERS = ("o", "s", "^", "D", "v", "P")
FAINT = "#b9c0c9"
SIZE, DOTS = (8.0, 5.0), 120
CONFUSED = 30
"""Characters on the axes of a confusion matrix, those that are confused most."""
Points = Mapping[str, tuple[float, float]]


def _figure(width: float = SIZE[0], height: float = SIZE[1]) -> tuple[Figure, Any]:
    figure = Figure(figsize=(width, height), dpi=DOTS, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def drawn(figure: Figure) -> Image:
    """A figure as a picture."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def frontier_plot(ours: Points, paper: Points, kinds: Mapping[str, tuple[str, str]], unit: str, gain: str) -> Image:
    """Our points with their Pareto front, the paper's faint behind on an axis of their own (right), for scales differ.

    Args:
        ours, paper: cell -> (cost, gain in %).
        kinds: cell -> what its colour and what its marker stand for.
        unit: label of the cost axis.
        gain: label of our gain axis.
    """
    figure, axes = _figure()
    if paper:
        behind = axes.twinx()
        behind.spines["top"].set_visible(False)
        behind.scatter(*zip(*paper.values(), strict=True), s=28, color=FAINT, label="paper")
        front = [paper[name] for name in frontier(paper)]
        behind.plot(*zip(*front, strict=True), color=FAINT, linewidth=1)
        behind.set_ylabel("paper: total accuracy, % (grey)", color="#7d8691")
        behind.tick_params(axis="y", colors="#7d8691")
        axes.set_zorder(behind.get_zorder() + 1)
        axes.patch.set_visible(False)
    if ours:
        _scatter(axes, ours, kinds)
        front = [ours[name] for name in frontier(ours)]
        axes.plot(*zip(*front, strict=True), color="#1b1f24", linewidth=1.2, label="our Pareto front")
        for i, name in enumerate(frontier(ours)):
            left = {"xytext": (-5, 6), "ha": "right"} if i % 2 else {"xytext": (6, -9), "ha": "left"}
            axes.annotate(name, ours[name], textcoords="offset points", fontsize=7, **left)
        axes.legend(fontsize=8, loc="lower right", framealpha=0.9)
    axes.set_xscale("log")
    axes.set_xlabel(unit)
    axes.set_ylabel(gain)
    return drawn(figure)


def _scatter(axes: Any, points: Points, kinds: Mapping[str, tuple[str, str]]) -> None:
    coloured = list(dict.fromkeys(kinds[name][0] for name in points))
    marked = list(dict.fromkeys(kinds[name][1] for name in points))
    for colour, marker in dict.fromkeys(kinds[name] for name in points):
        chosen = [place for name, place in points.items() if kinds[name] == (colour, marker)]
        axes.scatter(
            *zip(*chosen, strict=True),
            s=46,
            color=COLOURS[coloured.index(colour) % len(COLOURS)],
            marker=MARKERS[marked.index(marker) % len(MARKERS)],
            label=f"{colour}, {marker}" if marker else colour,
        )


def curves(runs: Mapping[str, Sequence[tuple[float, float]]], kinds: Mapping[str, tuple[str, str]]) -> Image:
    """Validation score (%) over steps: one line a cell, its colour and dashes by kind, its name at the end."""
    figure, axes = _figure()
    coloured = list(dict.fromkeys(kinds[name][0] for name in runs))
    dashed = list(dict.fromkeys(kinds[name][1] for name in runs))
    seen = set()
    for name, points in runs.items():
        kind = kinds[name]
        style = ("-", "--", ":", "-.")[dashed.index(kind[1]) % 4]
        label = None if kind in seen else ", ".join(part for part in kind if part)
        seen.add(kind)
        colour = COLOURS[coloured.index(kind[0]) % len(COLOURS)]
        axes.plot(*zip(*points, strict=True), color=colour, linestyle=style, linewidth=1.2, label=label)
    axes.set_xlabel("optimiser steps")
    axes.set_ylabel("validation score, %")
    axes.legend(fontsize=8)
    return drawn(figure)


def calibration(rows: Mapping[str, Sequence[Mapping[str, Any]]], kinds: Mapping[str, tuple[str, str]]) -> Image:
    """Accuracy over confidence in 15 bins, one line a cell, and the expected calibration error of each kind."""
    figure, axes = _figure(6.4, 5.6)
    axes.plot([0, 1], [0, 1], color=FAINT, linewidth=1)
    coloured = list(dict.fromkeys(kinds[name][1] for name in rows))
    errors: dict[str, list[float]] = {}
    for name, of_cell in rows.items():
        sure = np.array([row["confidence"] for row in of_cell], float)
        right = np.array([row["correct"] for row in of_cell], float)
        place = np.clip(np.ceil(sure * BINS).astype(int) - 1, 0, BINS - 1)
        counted = np.bincount(place, minlength=BINS)
        filled = counted >= 5
        mean_sure = np.bincount(place, sure, BINS)[filled] / counted[filled]
        mean_right = np.bincount(place, right, BINS)[filled] / counted[filled]
        kind = kinds[name][1]
        colour = COLOURS[coloured.index(kind) % len(COLOURS)]
        axes.plot(mean_sure, mean_right, color=colour, linewidth=0.9, alpha=0.75)
        errors.setdefault(kind, []).append(expected_calibration_error(sure, right))
    for kind, values in errors.items():
        label = f"{kind or 'all'}: mean expected calibration error {np.mean(values):.3f}"
        axes.plot([], [], color=COLOURS[coloured.index(kind) % len(COLOURS)], label=label)
    axes.set_xlabel("confidence")
    axes.set_ylabel("share of words that are right")
    axes.legend(fontsize=8)
    return drawn(figure)


def confusion(pairs: Counter[tuple[str, str]]) -> Image:
    """How often a character (row) was read as another one (column), for the characters confused most; nothing read is ∅."""
    weight: Counter[str] = Counter()
    for (wanted, got), count in pairs.items():
        weight[wanted] += count
        weight[got] += count
    shown = sorted(c for c, _ in weight.most_common(CONFUSED))
    table = np.array([[pairs.get((wanted, got), 0) for got in shown] for wanted in shown], float)
    figure, axes = _figure(7.0, 6.4)
    image = axes.imshow(np.log1p(table), cmap="Blues")
    for row, column in np.argwhere(table >= max(1.0, np.sort(table, axis=None)[-25:].min())):
        dark = table[row, column] > table.max() / 4
        text = f"{table[row, column]:.0f}"
        axes.text(column, row, text, ha="center", va="center", fontsize=6, color="white" if dark else "black")
    axes.set_xticks(range(len(shown)), shown, fontsize=8)
    axes.set_yticks(range(len(shown)), shown, fontsize=8)
    axes.set_xlabel("read")
    axes.set_ylabel("written")
    figure.colorbar(image, label="log (1 + count)", shrink=0.8)
    return drawn(figure)
