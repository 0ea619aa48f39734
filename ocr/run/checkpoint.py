"""Checkpoints as files: plain containers only, loaded without executing anything, and enough in them to rebuild the model."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

from ocr.config import build
from ocr.run import foreign
from ocr.run.checksum import damage
from ocr.types import Detects, Reads

FORMAT = 1
LAST = "last.ckpt"
PREVIOUS = "previous.ckpt"
"""The save before the last one, while a run is not finished."""
BEST = "best.ckpt"
PACKED = ".safetensors"
"""Ending of a file that holds the deployed weights alone."""
DEPLOYED = {"detection": "ocr.detection.detector.Detector", "recognition": "ocr.recognition.recognizer.Recognizer"}
PARTS = {"format": int, "task": str, "network": dict, "weights": str, "inference": dict}
"""What the part ``ocr`` of a checkpoint holds."""


class Unreadable(ValueError):
    """A file whose bytes are no checkpoint, or no longer one; ``reason`` says in a few words what is wrong with them."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(
            f"{path} is no checkpoint that can be loaded safely, or only a part of one ({reason}): give a .ckpt of this project"
        )
        self.reason = reason


def write(content: dict[str, Any], path: Path) -> None:
    """Write under a temporary name, sync it, and move it to its place: at any moment there is the old file or the new one.

    Raises:
        ValueError: the disk is full or cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as stream:
            torch.save(content, stream)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
        _sync_folder(path.parent)
    except (OSError, RuntimeError) as error:
        temporary.unlink(missing_ok=True)
        reason = _disk_error(error)
        if reason is None:
            raise
        raise ValueError(
            f"cannot write {path} ({reason.strerror or reason}); what was saved before is untouched: "
            "make room and repeat the command"
        ) from error


def _sync_folder(folder: Path) -> None:
    """Let a new name survive a power cut, where the file system knows how to."""
    with suppress(OSError):
        number = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)


def _disk_error(error: BaseException | None) -> OSError | None:
    """The operating system's complaint behind an error of torch's zip writer, which hides it."""
    while error is not None and not isinstance(error, OSError):
        error = error.__cause__ or error.__context__
    return error


def link(source: Path, target: Path) -> None:
    """Give a checkpoint a second name: without a second copy where the file system can do that."""
    # renaming one name of a file to another name of it does nothing and leaves both
    if target.exists() and target.samefile(source):
        return
    temporary = target.with_name(f".{target.name}.{os.getpid()}")
    temporary.unlink(missing_ok=True)
    try:
        os.link(source, temporary)
    except OSError:
        shutil.copyfile(source, temporary)
    temporary.replace(target)


def remove_drafts(folder: Path) -> None:
    """Remove what killed processes left half-written: ``.<name>.<process>`` of every file that is written whole or not at all."""
    for draft in folder.glob(".*.*"):
        if draft.suffix[1:].isdecimal():
            draft.unlink(missing_ok=True)


def read(path: str | Path) -> dict[str, Any]:
    """Load a checkpoint of ours, or weights as ``ocr export --to safetensors`` wrote them, without executing anything in it.

    Raises:
        ValueError: there is no such file, it is no checkpoint, or it is not one of this project.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"checkpoint not found: {path}")
    content = _unpacked(path) if path.suffix == PACKED else _loaded(path)
    if not isinstance(content, dict) or not isinstance(content.get("ocr"), dict):
        raise ValueError(f"{path} is a torch file but no checkpoint of this project (it has no 'ocr' part)")
    ours = content["ocr"]
    if ours.get("format") != FORMAT:
        raise ValueError(
            f"{path} has checkpoint format {' '.join(str(ours.get('format')).split())[:40]}, this version reads {FORMAT}"
        )
    wrong = [name for name, kind in PARTS.items() if not isinstance(ours.get(name), kind)]
    if wrong or ours["task"] not in DEPLOYED or not isinstance(content.get("state_dict"), dict):
        raise ValueError(
            f"{path} is a damaged checkpoint ({', '.join(wrong) or 'task or state_dict'}): give another .ckpt"
        )
    return content


def _unpacked(path: Path) -> dict[str, Any]:
    from ocr.run.packed_weights import unpack

    return unpack(path)


def _loaded(path: Path) -> Any:
    damaged = damage(path)
    if damaged is not None:
        raise Unreadable(path, damaged)
    try:
        foreign.check_file(path)
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise Unreadable(path, type(error).__name__) from error


def weights(content: dict[str, Any]) -> dict[str, torch.Tensor]:
    """The network's weights that a checkpoint deploys, under the network's own names."""
    prefix = content["ocr"]["weights"]
    return {k.removeprefix(prefix): v for k, v in content["state_dict"].items() if str(k).startswith(prefix)}


def deployable(path: str | Path, task: str | None = None, device: str = "cpu", **inference: Any) -> Any:
    """The detector or recogniser in a checkpoint, ready to use.

    Args:
        path: a checkpoint written by training.
        task: ``detection`` or ``recognition`` to insist on one; None takes what is there.
        device: torch device name.
        inference: overrides of what the checkpoint stores for inference, for example ``long_side``.

    Raises:
        ValueError: see :func:`read`; also when the checkpoint is of the other task, or its weights do not fit its network.
    """
    content = read(path)
    ours = content["ocr"]
    if task is not None and ours["task"] != task:
        raise ValueError(f"{path} is a {ours['task']} checkpoint, a {task} one is needed here")
    given = weights(content)
    try:
        foreign.check_tensors(given)
    except ValueError as error:
        raise ValueError(f"{path} {error}: give another .ckpt") from None
    try:
        # without memory first: what a stranger's file names may be of any size
        foreign.planned(ours["network"], f"{path}:network").load_state_dict(given, assign=True)
        network = build(ours["network"], where=f"{path}:network")
        network.load_state_dict(given)
    except RuntimeError as error:
        raise ValueError(
            f"{path}: its weights do not fit the network it names (damaged, or of another version of this project): "
            f"{' '.join(str(error).split())[:200]}"
        ) from error
    network.eval().to(device)
    node = {**ours["inference"], "_target_": DEPLOYED[ours["task"]]}
    return build(node, where=f"{path}:inference", network=network, **inference)


def detector(path: str | Path, device: str = "cpu", **inference: Any) -> Detects:
    """The detector in a checkpoint; see :func:`deployable`."""
    found: Detects = deployable(path, "detection", device, **inference)
    return found


def recognizer(path: str | Path, device: str = "cpu", **inference: Any) -> Reads:
    """The recogniser in a checkpoint; see :func:`deployable`."""
    found: Reads = deployable(path, "recognition", device, **inference)
    return found
