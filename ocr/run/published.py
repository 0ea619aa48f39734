"""Other people's weights as a checkpoint of ours."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib import import_module, util
from pathlib import Path
from typing import Any

import torch

from ocr.charset import Charset
from ocr.config import build
from ocr.run import checkpoint, foreign
from ocr.types import Published

SHOWN = 6
"""Names listed of every kind of misfit: all of them together fit on one screen."""
KNOWN = "ocr.recognition.published", "ocr.detection.published"
PREFIX = "network."


@dataclass(frozen=True, slots=True)
class Imported:
    """What was made of a file: a checkpoint's content, and what a person wants to check."""

    content: dict[str, Any]
    summary: dict[str, str]


def import_weights(
    path: Path, charset: str | None = None, sizes: Mapping[str, int] | None = None, **inference: Any
) -> Imported:
    """Recognise a published state dict and put it into a checkpoint of ours; nothing in the file is executed.

    Args:
        path: the ``.pth``.
        charset: name, file or characters, where the weights do not tell or tell wrongly.
        sizes: other values of the network's ``height``, ``width`` or ``max_length``.
        inference: what the checkpoint stores for deployment, for example ``keep_ratio``.

    Raises:
        ValueError: the file holds no weights, or those of another network (the names that do not fit, on one screen), or
            something is missing that only a person can tell.
    """
    state = read_state(path)
    shapes = {name: tuple(tensor.shape) for name, tensor in state.items()}
    module, published = _recognised(shapes, path)
    published = _completed(published, charset, sizes or {}, path)
    try:
        converted = module.convert(state, published)
    except (LookupError, ArithmeticError, StopIteration, RuntimeError, TypeError) as error:
        raise ValueError(
            f"{path}: its names and shapes are not those of one network ({type(error).__name__}): give weights as they were published"
        ) from error
    # a network of the size that a stranger's weights claim is built for real only when they fill it
    planned = foreign.planned(published.network, str(path))
    shapes = {k: tuple(v.shape) for k, v in planned.state_dict().items()}
    # a count of batches seen is no weight, and weights from before PyTorch 0.4.1 lack it
    counts = {k: shape for k, shape in shapes.items() if k.endswith("num_batches_tracked")}
    names = planned.published_names() if hasattr(planned, "published_names") else {}
    refused = misfits(counts | {k: tuple(v.shape) for k, v in converted.items()}, shapes, names)
    if refused:
        raise ValueError(f"{path}: most like {_title(planned)}, but these do not fit:\n{refused}")
    network = build(published.network, where=str(path))
    own = network.state_dict()
    converted = {k: own[k] for k in counts} | converted
    ours = {
        "format": checkpoint.FORMAT,
        "task": published.task,
        "network": published.network,
        "weights": PREFIX,
        "inference": inference,
    }
    origin = {"model": _title(network), "published": {"file": path.name, "sha256": _sha256(path)}}
    weights = {PREFIX + k: converted[k] for k in own}
    summary = {"network": _title(network), "weights": f"{sum(p.numel() for p in network.parameters()):,}"}
    summary |= {k: str(v) for k, v in published.network.items() if isinstance(v, int)}
    node = published.network.get("charset")
    if node is not None:
        summary["charset"] = f"{len(node['characters'])} characters: {node['characters'][:60]}"
    return Imported({"ocr": ours, "origin": origin, "state_dict": weights, "global_step": 0}, summary)


def read_state(path: Path) -> dict[str, torch.Tensor]:
    """The tensors of a ``.pth`` by name, from a bare state dict or from one under ``state_dict``, ``model`` or ``net``.

    Raises:
        ValueError: there is no such file, it cannot be loaded safely, or it holds no named tensors.
    """
    if not path.is_file():
        raise ValueError(f"weights not found: {path}")
    try:
        foreign.check_file(path)
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise ValueError(
            f"{path} cannot be loaded safely ({type(error).__name__}): give a .pth that holds a state dict, not a whole model"
        ) from error
    for key in ("state_dict", "model", "net"):
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
    tensors = {k: v for k, v in content.items() if isinstance(v, torch.Tensor)} if isinstance(content, Mapping) else {}
    if not tensors:
        raise ValueError(f"{path} is a torch file without a state dict in it: give a .pth that maps names to tensors")
    try:
        foreign.check_tensors(tensors)
    except ValueError as error:
        raise ValueError(f"{path} {error}: give a .pth that holds a state dict") from None
    return tensors


def _recognised(shapes: Mapping[str, tuple[int, ...]], path: Path) -> tuple[Any, Published]:
    modules = [import_module(name) for name in KNOWN if util.find_spec(name)]
    for module in modules:
        try:
            published = module.recognise(shapes)
        except (LookupError, ArithmeticError):
            continue  # its names, but none of its shapes
        if published is not None:
            return module, published
    rows = [f"  {name}  {_shape(shape)}" for name, shape in list(shapes.items())[:SHOWN]]
    more = f"\n  and {len(shapes) - SHOWN} more" if len(shapes) > SHOWN else ""
    raise ValueError(
        f"{path} holds {len(shapes)} weights of no network known here; their names begin\n"
        + "\n".join(rows)
        + more
        + "\n"
        "known are the four-stage recognisers (FeatureExtraction.ConvNet.…, Prediction.…) and CRAFT (basenet.slice1.…)"
    )


def _completed(published: Published, charset: str | None, sizes: Mapping[str, int], path: Path) -> Published:
    missing = dict(published.missing)
    network = published.network | dict(sizes)
    if charset is not None and "charset" in network:
        network["charset"] = Charset.from_spec(charset).node()
        missing.pop("charset", None)
    if missing:
        asked = "; ".join(f"--{name}: {what}" for name, what in missing.items())
        raise ValueError(f"{path}: the weights do not tell everything, add {asked}")
    return replace(published, network=network, missing=missing)


def misfits(
    given: Mapping[str, tuple[int, ...]], own: Mapping[str, tuple[int, ...]], names: Mapping[str, str] | None = None
) -> str:
    """Which weights do not fit a network, in at most three short lists; empty when all do.

    Args:
        given: name -> shape of the weights.
        own: the same of the network.
        names: the network's names -> those in the file, which are shown where they are known.
    """
    names = names or {}
    lists = {
        "the file has, the network has not": [f"{k}  {_shape(given[k])}" for k in given if k not in own],
        "the network has, the file has not": [f"{names.get(k, k)}  {_shape(own[k])}" for k in own if k not in given],
        "of another shape": [
            f"{names.get(k, k)}  {_shape(given[k])} in the file, {_shape(own[k])} in the network"
            for k in own
            if k in given and given[k] != own[k]
        ],
    }
    lines = []
    for title, rows in lists.items():
        if rows:
            lines += [f"{title} ({len(rows)}):", *(f"  {row}" for row in rows[:SHOWN])]
            lines += [f"  and {len(rows) - SHOWN} more"] if len(rows) > SHOWN else []
    return "\n".join(lines)


def _shape(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape)) or "scalar"


def _title(network: Any) -> str:
    return str(getattr(network, "cell", type(network).__name__))


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
