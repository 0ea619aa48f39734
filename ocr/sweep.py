"""The table of runs, and what is known of a sweep at its end, both read from what the runs left on disk.

The jobs of a sweep may run in other processes and on other machines than the one that waits for them: each leaves a note in a
folder that the environment names.  Nothing heavy is imported here.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from ocr.run.record import RunRecord, leads, write_atomically

SWEEP = "OCR_SWEEP"
"""Environment variable: the folder for the notes of this sweep's jobs (:class:`ocr.launching.SweepFolder` sets it)."""

COLUMNS = (
    "run",
    "where it differs",
    "state",
    "recipe",
    "data",
    "score",
    "at step",
    "parameters",
    "samples/s",
    "peak MB",
    "seconds",
)


@dataclass(slots=True)
class Noted:
    """A run: its overrides, and why it failed."""

    folder: Path
    overrides: list[str] = field(default_factory=list)
    error: str | None = None


def note(folder: Path, overrides: list[str], error: str | None = None) -> None:
    """Remember a run of a sweep for its table, and why it failed; outside a sweep nothing is done."""
    kept = os.environ.get(SWEEP)
    if kept is not None and leads():
        path = Path(kept) / f"{hashlib.sha256(str(folder).encode()).hexdigest()[:16]}.json"
        content = asdict(Noted(folder, overrides, error)) | {"folder": str(folder.absolute())}
        write_atomically(path, json.dumps(content, ensure_ascii=False) + "\n")


def failed(folder: Path, error: str) -> None:
    """Remember why a run failed, for it may have left no record."""
    overrides = next((run.overrides for run in noted() if run.folder == folder.absolute()), [])
    note(folder, overrides, error)


def noted() -> list[Noted]:
    """The runs of this process's sweep, in the order in which they were last heard of."""
    kept = os.environ.get(SWEEP)
    paths = sorted(Path(kept).glob("*.json"), key=lambda path: path.stat().st_mtime) if kept is not None else []
    found = [json.loads(path.read_text(encoding="utf-8")) for path in paths]
    return [Noted(Path(each["folder"]), each["overrides"], each["error"]) for each in found]


def sweep_name() -> str | None:
    """What the runs of this sweep have in common; None outside a sweep."""
    kept = os.environ.get(SWEEP)
    return None if kept is None else Path(kept).name


def failures(least: int = 2) -> str | None:
    """``2 of 24 runs failed``; None when the sweep has fewer than ``least`` runs, or all of them finished."""
    runs = noted()
    count = sum(not _finished(run) for run in runs)
    return f"{count} of {len(runs)} runs failed" if count and len(runs) >= least else None


def _finished(run: Noted) -> bool:
    """As its record says: a job that was killed could not say that it failed."""
    record = RunRecord.read(run.folder)
    return run.error is None and record is not None and record.status == "finished"


def summary() -> None:
    """Print one row per run when a sweep made several."""
    runs = noted()
    if len(runs) >= 2:
        show(runs)


def show(runs: Sequence[Noted]) -> None:
    """Print one row per run, best score first; below the table, why runs failed."""
    from rich.table import Table
    from rich.text import Text

    from ocr.terminal import console

    rows = [(run, RunRecord.read(run.folder)) for run in runs]
    overrides = [record.overrides if record else run.overrides for run, record in rows]
    shared = set(overrides[0]).intersection(*overrides)
    cells = {}
    for run, record in sorted(rows, key=lambda row: _rank(row[1])):
        differs = " ".join(o for o in (record.overrides if record else run.overrides) if o not in shared)
        cells[run.folder] = [run.folder.name, differs, *(_cells(record) if record else ["failed"])]
    # room is short, and many runs have no recipe
    recipe = COLUMNS.index("recipe")
    empty = [recipe] if all(row[recipe : recipe + 1] in ([], ["-"]) for row in cells.values()) else []
    table = Table(title=f"{len(runs)} runs", title_justify="left")
    for i, column in enumerate(COLUMNS):
        if i not in empty:
            table.add_column(column, overflow="fold")
    for row in cells.values():
        table.add_row(*(Text(cell) for i, cell in enumerate(row) if i not in empty))
    printer = console()
    printer.print(table)
    began = Counter(record.first_weights for _, record in rows if record and record.first_weights)
    if began:
        line = "; ".join(f"{weights}, {count} runs" for weights, count in began.most_common())
        printer.print(Text(f"first weights: {line}"), soft_wrap=True)
    for run, record in rows:
        error = run.error or (record.error if record else None)
        if error:
            printer.print(Text(f"{run.folder.name}: {error}", style="red"), soft_wrap=True)


def _rank(record: RunRecord | None) -> float:
    """Lower comes first; runs without a score come last."""
    return -record.score if record and record.score is not None else 1.0


def _cells(record: RunRecord) -> list[str]:
    """From the state on."""
    scored = record.score is not None
    return [
        state(record),
        record.recipe or "-",
        "+".join(sorted({part["kind"] for part in record.data.values()})),
        f"{record.select} {record.score:.4f}" if scored else "-",
        str(record.best_step) if scored else "-",
        f"{record.parameters:,}",
        f"{record.samples_per_second:.1f}" if record.samples_per_second else "-",
        f"{record.peak_memory_mb:.0f}" if record.peak_memory_mb else "-",
        f"{record.seconds:.0f}",
    ]


def state(record: RunRecord) -> str:
    """The recorded status; ``killed`` where a run of this machine says that it is running and its process is gone."""
    attempt = record.attempts[-1]
    if record.status != "running" or attempt["host"] != platform.node():
        return record.status
    try:
        os.kill(attempt["pid"], 0)
    except ProcessLookupError:
        return "killed"
    except PermissionError:
        pass
    return "running"
