"""A run on Weights & Biases: config, curves, pictures, tables of errors and the checkpoint, in one group with the others of its sweep.

Offline where there is no key or no connection; ``wandb sync <run>/wandb/offline-run-*`` hands everything in later.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from netrc import NetrcParseError, netrc
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ocr.sweep import sweep_name
from ocr.types import Image

DATA_FOLDER = "WANDB_DATA_DIR"
"""wandb's environment variable: where it keeps what tables and artifacts hold until that is handed in."""
LONGEST_NAME = 128
"""Characters that a name may have there."""


@dataclass(frozen=True, slots=True)
class Mistake:
    """A sample that was not found or read as it should be: its picture, and what stands in the columns beside it."""

    image: Image
    values: dict[str, Any]


class Tracker:
    """One run there.

    Args:
        folder: the run directory; the run's id is kept in it, so that a resumed run goes on as the same one.
        name: shown name.
        config: shown config; runs of one ``study``, or else of one sweep, are one group.
        project: name of the project.
        upload: whether the checkpoint itself goes along, not only the place where it lies.

    Raises:
        ValueError: wandb is not installed.
    """

    def __init__(self, folder: Path, name: str, config: dict[str, Any], project: str, upload: bool) -> None:
        try:
            import wandb
        except ModuleNotFoundError:
            raise ValueError(
                "logger=wandb: wandb is not installed; pip install wandb, or leave logger=wandb away"
            ) from None
        self.wandb: Any = wandb
        self.folder, self.upload = folder, upload
        identity = folder / "wandb_id"
        if not identity.exists():
            identity.write_text(os.urandom(6).hex())
        group = config.get("study") or sweep_name()
        self.run = self._begin(
            project=safe_name(project),
            name=name,
            group=None if group is None else safe_name(group),
            id=identity.read_text(),
            dir=str(folder),
            config=config,
        )
        # wandb's own counter only grows, and a resumed run repeats steps
        self.run.define_metric("*", step_metric="step")

    def _begin(self, **what: Any) -> Any:
        mode = os.environ.get("WANDB_MODE") or ("online" if _has_key() else "offline")
        settings = self.wandb.Settings(silent=True, console="off")
        try:
            return self.wandb.init(**what, mode=mode, resume="allow", settings=settings)
        except self.wandb.Error as error:
            if mode == "offline":
                raise ValueError(f"logger=wandb: {error}") from error
            print(f"Weights & Biases cannot be reached ({error}): this run is kept for wandb sync", file=sys.stderr)
            return self.wandb.init(**what, mode="offline", resume="allow", settings=settings)

    def log(self, step: int, values: dict[str, Any]) -> None:
        """Values of a step."""
        self.run.log({"step": step, **values})

    def picture(self, step: int, name: str, image: Image) -> None:
        """A picture, H x W x 3 RGB."""
        self.log(step, {f"pictures/{name}": self.wandb.Image(image)})

    def mistakes(self, step: int, name: str, rows: Sequence[Mistake]) -> None:
        """A table with a picture in each row; all rows have the same columns."""
        columns = list(rows[0].values)
        data = [[self.wandb.Image(row.image), *(row.values[column] for column in columns)] for row in rows]
        with self._staged_here():
            self.log(step, {f"mistakes/{name}": self.wandb.Table(columns=["picture", *columns], data=data)})

    def close(self, summary: dict[str, Any], checkpoint: Path) -> None:
        """Finish with a summary and the checkpoint as an artifact."""
        self.run.summary.update(summary)
        named = [part for part in (self.run.group, self.run.name) if part]
        artifact = self.wandb.Artifact(safe_name("-".join(named)), type="model")
        if self.upload:
            # immutable: the file is read where it lies, and not copied to a cache first
            artifact.add_file(str(checkpoint.resolve()), name=checkpoint.name, policy="immutable")
        else:
            artifact.add_reference(checkpoint.resolve().as_uri(), checksum=False)
        with self._staged_here():
            self.run.log_artifact(artifact)
            self.run.finish()

    @contextmanager
    def _staged_here(self) -> Iterator[None]:
        """Let what waits to be handed in wait in the run directory, not in the user's cache, which others empty."""
        if DATA_FOLDER in os.environ:
            yield
            return
        os.environ[DATA_FOLDER] = str(self.folder.absolute() / "wandb")
        try:
            yield
        finally:
            del os.environ[DATA_FOLDER]


def safe_name(name: str) -> str:
    """A name as projects, groups and artifacts may have it: letters, digits, ``-``, ``_`` and ``.``, not too many."""
    return re.sub(r"[^A-Za-z0-9_.-]", "-", name)[:LONGEST_NAME]


def _has_key() -> bool:
    """Whether wandb would find a key without asking for one."""
    if os.environ.get("WANDB_API_KEY"):
        return True
    host = urlsplit(os.environ.get("WANDB_BASE_URL", "https://api.wandb.ai")).hostname or ""
    try:
        return netrc(os.environ.get("NETRC")).authenticators(host) is not None
    except (OSError, NetrcParseError):
        return False
