"""Where the jobs of a sweep leave word, whichever engine starts them and on whichever machine they run."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

from hydra.experimental.callback import Callback
from omegaconf import DictConfig

from ocr.sweep import SWEEP


class SweepFolder(Callback):
    """Gives a sweep a folder of its own before its first job starts.

    The folder stands in an environment variable, which every launcher hands on to its jobs; it is named by what was asked for, so
    that a repeated command is the same sweep.
    """

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:  # noqa: ARG002
        """Make the folder, or empty it, and say where it is."""
        asked = "\n".join(config.hydra.overrides.task)
        name = f"sweep-{hashlib.sha256(asked.encode()).hexdigest()[:8]}"
        folder = Path(config.hydra.sweep.dir).absolute() / name
        folder.mkdir(parents=True, exist_ok=True)
        for note in folder.glob("*.json"):
            note.unlink()
        os.environ[SWEEP] = str(folder)
