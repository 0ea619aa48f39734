"""Detectors and recognisers by file name: checkpoints (``.ckpt``, ``.safetensors``) run by PyTorch, ``.onnx`` by ONNX Runtime."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ocr.freed_memory import keep_freed_memory
from ocr.types import Detects, Reads

ONNX = ".onnx"
KEPT = 128
"""Megabytes of freed memory that a reading process keeps: more is no faster."""


def deployable(path: str | Path, task: str | None = None, device: str | None = None, **inference: Any) -> Any:
    """What a file holds, ready to use; torch is imported only for files that need it.

    On a CPU the process then keeps up to 128 MB that PyTorch has freed for the next picture (:mod:`ocr.freed_memory`).

    Args:
        path: a file written by training or by ``ocr export``.
        task: ``detection`` or ``recognition`` to insist on one; None takes what is there.
        device: name of a device; None: a GPU for PyTorch where there is one.
        inference: overrides of what the file stores for inference, for example ``long_side``.

    Raises:
        ValueError: see :func:`ocr.run.checkpoint.deployable` and :func:`ocr.runtime.deployable`.
    """
    if Path(path).suffix.lower() == ONNX:
        from ocr import runtime

        return runtime.deployable(path, task, device or "cpu", **inference)
    import torch

    from ocr.run import checkpoint

    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    if device == "cpu":
        keep_freed_memory(KEPT)
    return checkpoint.deployable(path, task, device, **inference)


def detector(path: str | Path, device: str | None = None, **inference: Any) -> Detects:
    """The detector in a file; see :func:`deployable`."""
    found: Detects = deployable(path, "detection", device, **inference)
    return found


def recognizer(path: str | Path, device: str | None = None, **inference: Any) -> Reads:
    """The recogniser in a file; see :func:`deployable`."""
    found: Reads = deployable(path, "recognition", device, **inference)
    return found
