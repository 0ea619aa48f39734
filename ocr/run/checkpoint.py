"""Checkpoints: written whole or not at all, plain containers only, and enough in them to rebuild the model without ``conf/``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch

from ocr.config import build
from ocr.types import Detects, Reads

FORMAT = 1
LAST = "last.ckpt"
BEST = "best.ckpt"


def save(trainer: pl.Trainer, path: Path) -> None:
    """Write the trainer's state under a temporary name, sync it, and move it to its place."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        trainer.save_checkpoint(temporary, weights_only=False)
        with temporary.open("rb") as stream:
            os.fsync(stream.fileno())
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise ValueError(
            f"cannot write {path} ({error.strerror or error}): the checkpoint before it is untouched"
        ) from error
    except RuntimeError as error:
        # torch's zip writer turns a full disk into a RuntimeError
        temporary.unlink(missing_ok=True)
        raise ValueError(
            f"cannot write {path} ({str(error).splitlines()[0]}): the checkpoint before it is untouched"
        ) from error


def link(source: Path, target: Path) -> None:
    """Give a checkpoint a second name without a second copy."""
    temporary = target.with_name(f".{target.name}.{os.getpid()}")
    temporary.unlink(missing_ok=True)
    os.link(source, temporary)
    temporary.replace(target)


def read(path: str | Path) -> dict[str, Any]:
    """Load a checkpoint of ours without executing anything in it.

    Raises:
        ValueError: there is no such file, it is no checkpoint, or it is not one of this project.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"checkpoint not found: {path}")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise ValueError(
            f"{path} is no checkpoint that can be loaded safely ({type(error).__name__}): give a .ckpt of this project"
        ) from error
    if not isinstance(content, dict) or not isinstance(content.get("ocr"), dict):
        raise ValueError(f"{path} is a torch file but no checkpoint of this project (it has no 'ocr' part)")
    found = content["ocr"].get("format")
    if found != FORMAT:
        raise ValueError(f"{path} has checkpoint format {found}, this version reads {FORMAT}")
    return content


def weights(content: dict[str, Any]) -> dict[str, torch.Tensor]:
    """The network's weights that a checkpoint deploys, under the network's own names."""
    prefix = content["ocr"]["weights"]
    return {k.removeprefix(prefix): v for k, v in content["state_dict"].items() if k.startswith(prefix)}


def deployable(path: str | Path, task: str | None = None, device: str = "cpu", **inference: Any) -> Any:
    """The detector or recogniser in a checkpoint, ready to use.

    Args:
        path: a checkpoint written by training.
        task: ``detection`` or ``recognition`` to insist on one; None takes what is there.
        device: torch device name.
        inference: overrides of what the checkpoint stores for inference, for example ``long_side``.

    Raises:
        ValueError: see :func:`read`; also when the checkpoint is of the other task.
    """
    content = read(path)
    ours = content["ocr"]
    if task is not None and ours["task"] != task:
        raise ValueError(f"{path} is a {ours['task']} checkpoint, a {task} one is needed here")
    network = build(ours["network"], where=f"{path}:network")
    network.load_state_dict(weights(content))
    network.eval().to(device)
    name = "ocr.detection.detector.Detector" if ours["task"] == "detection" else "ocr.recognition.recognizer.Recognizer"
    return build({"_target_": name, **ours["inference"]}, where=f"{path}:inference", network=network, **inference)


def detector(path: str | Path, device: str = "cpu", **inference: Any) -> Detects:
    """The detector in a checkpoint; see :func:`deployable`."""
    found: Detects = deployable(path, "detection", device, **inference)
    return found


def recognizer(path: str | Path, device: str = "cpu", **inference: Any) -> Reads:
    """The recogniser in a checkpoint; see :func:`deployable`."""
    found: Reads = deployable(path, "recognition", device, **inference)
    return found


def initialise(network: torch.nn.Module, path: str | Path) -> list[str]:
    """Copy weights of equal name and shape from a checkpoint into a network; returns the names that stayed as they were.

    Raises:
        ValueError: nothing fits.
    """
    given = weights(read(path))
    own = network.state_dict()
    fitting = {k: v for k, v in given.items() if k in own and own[k].shape == v.shape}
    if not fitting:
        raise ValueError(
            f"init={path}: no weight of it fits this model (it has {len(given)} weights, the model {len(own)})"
        )
    network.load_state_dict(fitting, strict=False)
    return [k for k in own if k not in fitting]
