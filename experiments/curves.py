"""How a run went, in a few rows: its validations, and what its pseudo labels were like at ten moments."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ocr.run.logging import METRICS, read_rows

VALIDATION, WEAK = ("val/word_accuracy", "val/hmean"), "weak/"
MOMENTS = 10
"""Parts of a weakly supervised training whose pseudo labels are averaged: as many as figure 5 of the CVPR 2019 paper shows."""
MOST = 40
"""Validations that are kept, evenly drawn, the last one always."""


def curve(folder: Path) -> list[dict[str, float]]:
    """Rows with ``step`` and either a validation score or the mean quality of pseudo labels up to that step."""
    rows = read_rows(folder / METRICS)
    scores = [{"step": r["step"], key: r[key]} for r in rows for key in VALIDATION if key in r]
    kept = (
        sorted({round(i * (len(scores) - 1) / (MOST - 1)) for i in range(MOST)})
        if len(scores) > MOST
        else range(len(scores))
    )
    return [*(scores[i] for i in kept), *_moments([r for r in rows if any(k.startswith(WEAK) for k in r)])]


def _moments(rows: Sequence[dict[str, Any]]) -> list[dict[str, float]]:
    """Means over equal parts of the steps."""
    if not rows:
        return []
    last, moments = rows[-1]["step"], []
    for part in range(MOMENTS):
        begin, end = part * last / MOMENTS, (part + 1) * last / MOMENTS
        own = [row for row in rows if begin < row["step"] <= end]
        keys = sorted({key for row in own for key in row if key.startswith(WEAK)})
        means = {key: [row[key] for row in own if key in row] for key in keys}
        if own:
            moments.append({"step": round(end), **{key: sum(v) / len(v) for key, v in means.items()}})
    return moments
