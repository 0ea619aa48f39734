"""The table at the end of a sweep, read from what its runs left on disk.  Nothing heavy is imported here."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

_folders: list[Path] = []


def note(folder: Path) -> None:
    """Remember a run of this process for the table."""
    if folder not in _folders:
        _folders.append(folder)


def summary() -> None:
    """Print one row per run, best first, when this process made several; failed ones show their error."""
    if len(_folders) >= 2:
        show(_folders)


def show(folders: Sequence[Path]) -> None:
    """Print one row per run directory, best score first."""
    from rich.table import Table

    from ocr.terminal import console

    rows = [json.loads(p.read_text(encoding="utf-8")) for f in folders if (p := f / "run.json").is_file()]
    table = Table(title=f"{len(rows)} runs", title_justify="left")
    for column in ("run", "state", "data", "score", "at step", "parameters", "samples/s", "peak MB", "seconds"):
        table.add_column(column, overflow="fold")
    for row in sorted(rows, key=lambda r: -(r["score"] if r["score"] is not None else -1)):
        kinds = "+".join(sorted({d["kind"] for d in row["data"].values()}))
        score = f"{row['select']} {row['score']:.4f}" if row["score"] is not None else "-"
        state = row["status"] if not row["error"] else f"{row['status']}: {row['error'][:60]}"
        speed = f"{row['samples_per_second']:.1f}" if row["samples_per_second"] else "-"
        cells = [row["name"], state, kinds, score, str(row["best_step"]), f"{row['parameters']:,}", speed]
        table.add_row(*cells, f"{row['peak_memory_mb'] or 0:.0f}", f"{row['seconds']:.0f}")
    console().print(table)
