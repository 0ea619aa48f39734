"""Rows that a run writes: ``metrics.jsonl`` (only what training computed), ``timing.jsonl``, and Weights & Biases by choice."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2

from ocr.run.record import leads, write_atomically
from ocr.run.repetition import Repetition
from ocr.run.tracking import Mistake, Tracker
from ocr.types import Image

METRICS = "metrics.jsonl"
TIMING = "timing.jsonl"
PREDICTIONS = "predictions"
"""Folder of a run directory with the per-sample rows of its evaluations and their scores."""
SCORES = "scores.jsonl"


def read_rows(path: Path) -> list[dict[str, Any]]:
    """The rows of a JSON-lines file; a last line that was cut off by a kill is left out."""
    rows = []
    if path.is_file():
        for line in path.read_text(encoding="utf-8").splitlines():
            try:
                rows.append(json.loads(line))
            except json.JSONDecodeError:
                break
    return rows


def _lies_behind(row: dict[str, Any], step: int, validation_due: bool) -> bool:
    is_validation = any(name.startswith("val") for name in row)
    return bool(row["step"] > step or (row["step"] == step and validation_due and is_validation))


class Journal:
    """Appends rows to a run directory, and mirrors them to Weights & Biases when asked; silent in all processes but the first.

    Args:
        folder: the run directory.
        name: the run's name, used by wandb.
        config: the resolved config, shown by wandb.
        wandb: mirror to Weights & Biases; offline when no key is configured.
        project: the wandb project.
        upload: whether the checkpoint itself goes to wandb.

    Raises:
        ValueError: wandb is asked for and not installed.
    """

    def __init__(
        self,
        folder: Path,
        name: str,
        config: dict[str, Any],
        wandb: bool = False,
        project: str = "ocr",
        upload: bool = True,
    ) -> None:
        self.folder = folder
        self.silent = not leads()
        self.repetition = Repetition()
        self._tracker = Tracker(folder, name, config, project, upload) if wandb and not self.silent else None

    def cut_back(self, step: int, validation_due: bool = False) -> None:
        """Drop the rows behind ``step``, and where that has yet to be validated, those of its validation: they will be written again."""
        for path in (self.folder / METRICS, self.folder / TIMING):
            if path.exists() and not self.silent:
                rows = read_rows(path)
                cut = [row for row in rows if _lies_behind(row, step, validation_due)]
                if path.name == METRICS:
                    self.repetition.expect(cut)
                kept = [row for row in rows if not _lies_behind(row, step, validation_due)]
                write_atomically(path, "".join(json.dumps(row) + "\n" for row in kept))

    def sync(self) -> None:
        """Have the rows on the disk: a checkpoint that promises them is written next."""
        for path in (self.folder / METRICS, self.folder / TIMING):
            if path.exists() and not self.silent:
                with path.open("rb") as stream:
                    os.fsync(stream.fileno())

    def metrics(self, step: int, **values: float) -> None:
        """One row of what training computed; the same in a resumed run as in an undisturbed one."""
        self.repetition.compare(step, values)
        self._append(METRICS, step, values)
        self._mirror(step, values)

    def timing(self, step: int, **values: float) -> None:
        """One row of times, speed and memory; not comparable between runs."""
        self._append(TIMING, step, values)
        self._mirror(step, {f"timing/{k}": v for k, v in values.items()})

    def picture(self, step: int, name: str, image: Image) -> None:
        """A sheet of samples, saved under ``pictures/`` and mirrored to wandb."""
        if self.silent:
            return
        path = self.folder / "pictures" / f"{name}-{step:07d}.jpg"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 90])[1].tobytes())
        if self._tracker is not None:
            self._tracker.picture(step, name, image)

    def mistakes(self, step: int, name: str, rows: Sequence[Mistake]) -> None:
        """Samples that were not found or read as they should be: a table on wandb; beside the rows the sheets show them."""
        if self._tracker is not None and rows:
            self._tracker.mistakes(step, name, rows)

    def close(self, summary: dict[str, Any], checkpoint: Path) -> None:
        """Finish the wandb run with its summary and the checkpoint."""
        if self._tracker is not None:
            self._tracker.close(summary, checkpoint)

    def _append(self, file: str, step: int, values: dict[str, float]) -> None:
        if not self.silent:
            with (self.folder / file).open("a", encoding="utf-8") as stream:
                stream.write(json.dumps({"step": step, **values}) + "\n")

    def _mirror(self, step: int, values: dict[str, Any]) -> None:
        if self._tracker is not None:
            self._tracker.log(step, values)
