"""Rows that a run writes: ``metrics.jsonl`` (only what training computed), ``timing.jsonl``, and Weights & Biases by choice."""

from __future__ import annotations

import json
import os
from netrc import NetrcParseError, netrc
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import cv2

from ocr.run.record import leads, write_atomically
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


class Journal:
    """Appends rows to a run directory, and mirrors them to Weights & Biases when asked; silent in all processes but the first.

    Args:
        folder: the run directory.
        name: the run's name, used by wandb.
        config: the resolved config, shown by wandb.
        wandb: mirror to Weights & Biases; offline when no key is configured.
        project: the wandb project.

    Raises:
        ValueError: wandb is asked for and not installed.
    """

    def __init__(
        self, folder: Path, name: str, config: dict[str, Any], wandb: bool = False, project: str = "ocr"
    ) -> None:
        self.folder = folder
        self.silent = not leads()
        self._run: Any = _wandb_run(folder, name, config, project) if wandb and not self.silent else None

    def cut_back(self, step: int) -> None:
        """Drop the rows behind ``step``: a run resumed there will write them again."""
        for path in (self.folder / METRICS, self.folder / TIMING):
            if path.exists() and not self.silent:
                kept = [row for row in read_rows(path) if row["step"] <= step]
                write_atomically(path, "".join(json.dumps(row) + "\n" for row in kept))

    def metrics(self, step: int, **values: float) -> None:
        """One row of what training computed; the same in a resumed run as in an undisturbed one."""
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
        if self._run is not None:
            import wandb

            self._mirror(step, {f"pictures/{name}": wandb.Image(image)})

    def close(self, summary: dict[str, Any], checkpoint: Path) -> None:
        """Finish the wandb run with its summary and a reference to the checkpoint (the file itself stays here)."""
        if self._run is None:
            return
        import wandb

        self._run.summary.update(summary)
        name = "".join(c if c.isalnum() or c in "-_." else "-" for c in self._run.name)
        artifact = wandb.Artifact(name, type="model")
        artifact.add_reference(checkpoint.resolve().as_uri(), checksum=False)
        self._run.log_artifact(artifact)
        self._run.finish()

    def _append(self, file: str, step: int, values: dict[str, float]) -> None:
        if not self.silent:
            with (self.folder / file).open("a", encoding="utf-8") as stream:
                stream.write(json.dumps({"step": step, **values}) + "\n")

    def _mirror(self, step: int, values: dict[str, Any]) -> None:
        if self._run is not None:
            self._run.log({"step": step, **values})


def _has_key() -> bool:
    """Whether wandb would find a key without asking for one."""
    if os.environ.get("WANDB_API_KEY"):
        return True
    host = urlsplit(os.environ.get("WANDB_BASE_URL", "https://api.wandb.ai")).hostname or ""
    try:
        return netrc(os.environ.get("NETRC")).authenticators(host) is not None
    except (OSError, NetrcParseError):
        return False


def _wandb_run(folder: Path, name: str, config: dict[str, Any], project: str) -> Any:
    try:
        import wandb
    except ModuleNotFoundError:
        raise ValueError(
            "logger=wandb: wandb is not installed; pip install wandb, or leave logger=wandb away"
        ) from None
    mode: Any = os.environ.get("WANDB_MODE") or ("online" if _has_key() else "offline")
    identity = folder / "wandb_id"
    if not identity.exists():
        identity.write_text(os.urandom(6).hex())
    settings = wandb.Settings(silent=True, console="off")
    run = wandb.init(
        project=project,
        name=name,
        id=identity.read_text(),
        resume="allow",
        dir=str(folder),
        config=config,
        mode=mode,
        settings=settings,
    )
    # wandb's own counter only grows, and a resumed run repeats steps
    run.define_metric("*", step_metric="step")
    return run
