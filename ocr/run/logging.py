"""Rows that a run writes: ``metrics.jsonl`` (only what training computed), ``timing.jsonl``, and Weights & Biases by choice."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from ocr.run.record import write_atomically
from ocr.types import Image

METRICS = "metrics.jsonl"
TIMING = "timing.jsonl"


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


class Journal:
    """Appends rows to a run directory, and mirrors them to Weights & Biases when asked.

    Args:
        folder: the run directory.
        name: the run's name, used by wandb.
        config: the resolved config, shown by wandb.
        wandb: mirror to Weights & Biases; offline when no key is configured.
        project: the wandb project.
    """

    def __init__(
        self, folder: Path, name: str, config: dict[str, Any], wandb: bool = False, project: str = "ocr"
    ) -> None:
        self.folder = folder
        self._run: Any = _wandb_run(folder, name, config, project) if wandb else None

    def cut_back(self, step: int) -> None:
        """Drop the metric rows behind ``step``: a run resumed there will write them again."""
        path = self.folder / METRICS
        kept = [row for row in read_rows(path) if row["step"] <= step]
        if path.exists():
            write_atomically(path, "".join(json.dumps(row) + "\n" for row in kept))

    def metrics(self, step: int, **values: float) -> None:
        """One row of what training computed; the same in a resumed run as in an undisturbed one."""
        self._append(METRICS, {"step": step, **values})
        if self._run is not None:
            self._run.log(values, step=step)

    def timing(self, step: int, **values: float) -> None:
        """One row of times, speed and memory; not comparable between runs."""
        self._append(TIMING, {"step": step, **values})
        if self._run is not None:
            self._run.log({f"timing/{k}": v for k, v in values.items()}, step=step)

    def pictures(self, step: int, name: str, images: list[Image], captions: list[str]) -> None:
        """Sample pictures, saved under ``pictures/`` and mirrored to wandb."""
        import cv2

        out = self.folder / "pictures"
        out.mkdir(exist_ok=True)
        for i, image in enumerate(images):
            cv2.imwrite(str(out / f"{name}-{step:07d}-{i}.jpg"), np.ascontiguousarray(image[..., ::-1]))
        if self._run is not None:
            import wandb

            self._run.log({name: [wandb.Image(i, caption=c) for i, c in zip(images, captions, strict=True)]}, step=step)

    def close(self, summary: dict[str, Any], checkpoint: Path | None) -> None:
        """Finish the wandb run with its summary and a reference to the checkpoint (the file itself stays here)."""
        if self._run is not None:
            self._run.summary.update(summary)
            if checkpoint is not None and checkpoint.exists():
                import wandb

                name = "".join(c if c.isalnum() or c in "-_." else "-" for c in self._run.name)
                artifact = wandb.Artifact(name, type="model")
                artifact.add_reference(checkpoint.resolve().as_uri(), checksum=False)
                self._run.log_artifact(artifact)
            self._run.finish()

    def _append(self, file: str, row: dict[str, Any]) -> None:
        with (self.folder / file).open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(row) + "\n")


def _wandb_run(folder: Path, name: str, config: dict[str, Any], project: str) -> Any:
    import wandb

    has_key = bool(os.environ.get("WANDB_API_KEY")) or wandb.api.api_key is not None
    mode: Any = os.environ.get("WANDB_MODE") or ("online" if has_key else "offline")
    identity = folder / "wandb_id"
    if not identity.exists():
        identity.write_text(os.urandom(6).hex())
    return wandb.init(
        project=project, name=name, id=identity.read_text(), resume="allow", dir=str(folder), config=config, mode=mode
    )
