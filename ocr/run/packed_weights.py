"""The deployed weights alone, as safetensors: a small file with nothing in it that could be executed.

What a checkpoint says of its network and of inference stands in the file's metadata as JSON; training state is left out.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

KEY = "ocr"
"""Key of our part of the metadata."""


def pack(ours: Mapping[str, Any], state: Mapping[str, torch.Tensor], path: Path, half: bool = False) -> None:
    """Write a network's weights with what is needed to read with them.

    Args:
        ours: the part ``ocr`` of a checkpoint.
        state: the weights under the network's own names (:func:`ocr.run.checkpoint.weights`).
        path: the file.
        half: matrices and kernels as fp16; biases, scales and batch statistics stay fp32, for they are small and their
            range is not.

    Raises:
        ValueError: a weight does not fit into fp16, or the file cannot be written.
    """
    tensors = {name: _packed(name, tensor, half) for name, tensor in state.items()}
    draft = path.with_name(f".{path.name}")
    try:
        draft.write_bytes(save(tensors, {KEY: json.dumps({**ours, "weights": ""})}))
        draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise ValueError(f"cannot write {path} ({error}): make room or name another file") from None


def _packed(name: str, tensor: torch.Tensor, half: bool) -> torch.Tensor:
    if not half or not tensor.is_floating_point() or tensor.dim() < 2:
        return tensor.clone().contiguous()
    packed = tensor.to(torch.float16)
    if not torch.isfinite(packed).all():
        raise ValueError(f"{name} has weights that do not fit into fp16: export without --half")
    return packed.contiguous()


def unpack(path: Path) -> dict[str, Any]:
    """What :func:`pack` wrote, as the content of a checkpoint; weights come back as fp32.

    Raises:
        ValueError: the file is damaged, or none of this project.
    """
    try:
        with safe_open(path, framework="pt") as file:
            text = (file.metadata() or {}).get(KEY)
            state = {name: _unpacked(file.get_tensor(name)) for name in file.keys()}  # noqa: SIM118  (no mapping)
        ours = None if text is None else json.loads(text)
    except (OSError, SafetensorError, ValueError) as error:
        raise ValueError(
            f"{path} is no safetensors file that can be loaded, or only a part of one ({type(error).__name__}): get it again"
        ) from None
    if not isinstance(ours, dict):
        raise ValueError(
            f"{path} is a safetensors file but none of this project: make one with ocr export --to safetensors"
        )
    return {KEY: ours, "state_dict": state}


def _unpacked(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.float() if tensor.dtype == torch.float16 else tensor
