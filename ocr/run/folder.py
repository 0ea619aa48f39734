"""Run directories: named by choices, one config each, one process at a time."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from ocr.config import from_yaml, identity, identity_hash, target, unnamed_choices
from ocr.run.record import RECORD, RunRecord, leads

CONFIG = "config.yaml"
LOCK = ".lock"


def model_name(settings: dict[str, Any]) -> str:
    """``CRAFT``, or the grid cell, for example ``TPS-ResNet-BiLSTM-Attn``."""
    if settings["task"] == "detection":
        return str(settings["model"]["_target_"]).rpartition(".")[2]
    return "-".join(target(settings[stage]["_target_"], stage).title for stage in ("trans", "feat", "seq", "pred"))


def run_folder(settings: dict[str, Any]) -> Path:
    """``<runs>/[<study>/]<name>``; the name is made from the choices, and from a hash of all values when others were changed."""
    name = settings["name"]
    if name is None:
        data = "+".join(settings["data"]["sources"]) if settings.get("data") else "no-data"
        name = f"{model_name(settings)}-{data}-s{settings['seed']}"
        if unnamed_choices():
            name += f"-{identity_hash(settings)[:8]}"
    return Path(settings["runs"]) / (settings["study"] or "") / name


def open_record(folder: Path, settings: dict[str, Any]) -> RunRecord:
    """The record of the run in a directory, or a new one.

    Raises:
        ValueError: the directory holds a run of another config; the message says what differs.
    """
    digest = identity_hash(settings)
    record = RunRecord.read(folder)
    if record is None:
        return RunRecord(
            folder.name,
            settings["task"],
            model_name(settings),
            digest,
            settings["seed"],
            settings["select"],
            overrides=unnamed_choices(),
        )
    if record.config_hash != digest:
        raise ValueError(
            f"{folder} holds a run of another config ({_difference(folder, settings)}): give this one a name=…, or move that away"
        )
    return record


def _difference(folder: Path, settings: dict[str, Any]) -> str:
    path = folder / CONFIG
    old, new = identity(from_yaml(path)) if path.is_file() else {}, identity(settings)
    keys = [k for k in sorted(old.keys() | new.keys()) if old.get(k) != new.get(k)]
    return "; ".join(f"{k}: {old.get(k)} there, {new.get(k)} here" for k in keys[:3]) or "unknown difference"


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Keep other processes out of a run directory; a killed process lets go of it.

    Raises:
        ValueError: another process is training there.
    """
    if not leads():
        yield
        return
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOCK).open("w") as file:
        try:
            # POSIX locks end with the process even when its loader processes live on for a moment
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ValueError(
                f"another process is training in {folder}: wait for it, or give this run another name=…"
            ) from None
        try:
            yield
        finally:
            if not (folder / RECORD).exists():  # it ended before it began: leave no trace
                (folder / LOCK).unlink()
                with suppress(OSError):
                    folder.rmdir()
