"""What a file of weights from a stranger may ask of this machine, looked at before it gets it."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from ocr.config import build

LARGEST_NUMBER = 8192
"""Largest number in the node of a network (widths, layers, sizes in pixels), far above those of any network here."""
MOST_NODES = 1000
"""Values in the node of a network, nested ones included."""
DEEPEST = 20
"""Levels of nodes inside of nodes."""


def check_file(path: Path) -> None:
    """Refuse an archive of torch that is packed: torch writes none, and a packed one unpacks to any size.

    Raises:
        ValueError: as the end of a sentence about the file.
    """
    if not zipfile.is_zipfile(path):
        return  # torch's older form, which holds no more than its bytes
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise ValueError(f"is a damaged archive ({type(error).__name__})") from None
    if any(m.compress_type != zipfile.ZIP_STORED for m in members) or (
        sum(m.file_size for m in members) > path.stat().st_size
    ):
        raise ValueError("is a packed archive, which torch does not write and which may unpack to any size")


def check_tensors(tensors: Mapping[str, Any]) -> None:
    """Refuse tensors that are larger than what is stored of them: a view of one number may claim any shape.

    Raises:
        ValueError: as the end of a sentence about the file.
    """
    for name, tensor in tensors.items():
        if not isinstance(name, str) or not isinstance(tensor, torch.Tensor) or tensor.layout != torch.strided:
            raise ValueError(f"holds something else than tensors by name: {str(name)[:60]!r}")
        if tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
            raise ValueError(
                f"names the shape {'x'.join(map(str, tensor.shape))} for {name[:60]}, of which less is stored"
            )


def planned(node: Any, where: str) -> Any:
    """The network that a node names, with names and shapes of its weights but no memory for them.

    Raises:
        ValueError: see :func:`ocr.config.build`; also a number beyond :data:`LARGEST_NUMBER`.
    """
    _check_numbers(node, where)
    with torch.device("meta"):
        network = build(node, where)
    if not isinstance(network, torch.nn.Module):
        raise ValueError(f"{where}: {type(network).__name__} is no network")
    return network


def _check_numbers(node: Any, where: str) -> None:
    """Look at every value of nested containers, without recursion: those of a stranger may be nested to any depth."""
    waiting, seen = [(node, 0)], 0
    while waiting:
        value, depth = waiting.pop()
        seen += 1
        if seen > MOST_NODES or depth > DEEPEST:
            raise ValueError(f"{where}: holds more than {MOST_NODES:,} values, or is more than {DEEPEST} levels deep")
        if isinstance(value, Mapping | list | tuple):
            waiting += [(v, depth + 1) for v in (value.values() if isinstance(value, Mapping) else value)]
        elif isinstance(value, int | float) and not abs(value) <= LARGEST_NUMBER:
            raise ValueError(f"{where}: holds the number {value:g}, beyond {LARGEST_NUMBER:,}")
