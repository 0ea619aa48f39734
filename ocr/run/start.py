"""Weights that a run starts from, also where the charset or the size of the pictures is another one."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from ocr.config import build
from ocr.detection.published import encoder_weights
from ocr.recognition.four_stage import FourStage
from ocr.recognition.stages import ClassAxis
from ocr.run import checkpoint
from ocr.run.published import import_weights, read_state

SHOWN = 40
"""Characters, or names of weights, that one line of the report lists."""


@dataclass(slots=True)
class Start:
    """What became of the network's weights: names by fate, and characters by fate where the last layer was given others."""

    path: str
    kept: list[str] = field(default_factory=list)
    by_character: list[str] = field(default_factory=list)
    fresh: list[str] = field(default_factory=list)
    kept_classes: list[str] = field(default_factory=list)
    fresh_classes: list[str] = field(default_factory=list)
    left_classes: list[str] = field(default_factory=list)
    sizes: str = ""
    setting: str = "init"

    def lines(self) -> list[str]:
        """The report, a few lines."""
        total = len(self.kept) + len(self.by_character) + len(self.fresh)
        named = f" ({', '.join(self.fresh[:4])}{' …' if len(self.fresh) > 4 else ''})" if self.fresh else ""
        lines = [f"{self.setting}={self.path}: {len(self.fresh)} of {total} weights start fresh{named}"]
        if self.sizes:
            lines.append(f"  pictures of {self.sizes} pixels; no weight depends on that")
        if self.by_character:
            lines.append(f"  rows kept by character in {', '.join(self.by_character)}:")
            counted = (("kept", self.kept_classes), ("fresh", self.fresh_classes), ("left out", self.left_classes))
            lines += [f"  {fate} {len(names)}: {_listed(names)}" for fate, names in counted if names]
        return lines


def initialise(network: torch.nn.Module, path: str | Path) -> Start:
    """Copy weights of equal name and shape from a checkpoint into a network; those with a row per character by character.

    Raises:
        ValueError: nothing fits, or see :func:`content_of`.
    """
    content = content_of(path)
    given, own = checkpoint.weights(content), network.state_dict()
    old = content["ocr"]["network"]
    start = Start(str(path), sizes=_sizes(old, network))
    tokens = _tokens(old, network)
    axes = network.class_axes() if isinstance(network, FourStage) else {}
    if tokens is not None:
        before, now = tokens
        start.kept_classes = [t for t in now if t in before]
        start.fresh_classes = [t for t in now if t not in before]
        start.left_classes = [t for t in before if t not in now]
    chosen = {}
    for name, value in own.items():
        theirs = given.get(name)
        if theirs is not None and name in axes and (tokens is None or tokens[0] != tokens[1]):
            moved = None if tokens is None else _by_character(theirs, value, axes[name], *tokens)
            fate, theirs = (start.fresh if moved is None else start.by_character), moved
        else:
            fits = theirs is not None and theirs.shape == value.shape
            fate, theirs = (start.kept, theirs) if fits else (start.fresh, None)
        fate.append(name)
        if theirs is not None:
            chosen[name] = theirs
    if not start.kept:
        raise ValueError(
            f"init={path}: no weight of it fits this model (it has {len(given)} weights, the model {len(own)})"
        )
    network.load_state_dict(chosen, strict=False)
    return start


def first_weights(settings: dict[str, Any], init: dict[str, Any] | None) -> str:
    """Where a run's weights came from, as every table of scores says it: a file, or the law they were drawn by.

    Args:
        settings: a composed config as plain data.
        init: the run record's particulars of a file, or None.
    """
    law = settings["model"].get("initialisation", "he")
    drawn = "He initialisation" if law == "he" else f"{law}'s initialisation"
    if init is None:
        return drawn
    path = "/".join(Path(init["path"]).parts[-2:])
    if init.get("part") == "encoder":
        return f"encoder of {path}, the rest {drawn}"
    return f"{path} ({init['first_weights']})" if init.get("first_weights") else path


def initialise_encoder(network: torch.nn.Module, path: str | Path) -> Start:
    """Copy an encoder's weights into a detector: torchvision's ``vgg16_bn`` or ResNet, or the encoder of any CRAFT checkpoint.

    Raises:
        ValueError: the network is no detector, no convolution fits, or see :func:`content_of` and
            :func:`ocr.run.published.read_state`.
    """
    own = network.state_dict()
    if not any(name.startswith("encoder.") for name in own):
        raise ValueError(
            f"backbone_init={path}: only detectors such as model=craft have an encoder that starts from it"
        )
    ours = Path(path).suffix == ".ckpt"
    given = checkpoint.weights(content_of(path)) if ours else encoder_weights(read_state(Path(path)))
    chosen = {
        name: value
        for name, value in given.items()
        if name.startswith("encoder.") and name in own and own[name].shape == value.shape
    }
    if not any(value.dim() > 1 for value in chosen.values()):
        raise ValueError(
            f"backbone_init={path}: no convolution of it fits this encoder: choose the backbone= and model.width= it was trained with"
        )
    network.load_state_dict(chosen, strict=False)
    return Start(str(path), list(chosen), fresh=[name for name in own if name not in chosen], setting="backbone_init")


def content_of(path: str | Path) -> dict[str, Any]:
    """A checkpoint's content; published weights (``.pth``) become one first.

    Raises:
        ValueError: see :func:`ocr.run.checkpoint.read` and :func:`ocr.run.published.import_weights`.
    """
    return import_weights(Path(path)).content if Path(path).suffix == ".pth" else checkpoint.read(path)


def _tokens(old: dict[str, Any], network: torch.nn.Module) -> tuple[list[str], list[str]] | None:
    """Classes of the old network and of the new one, where both predictions are of one kind."""
    if not isinstance(network, FourStage):
        return None
    kind, codec = type(network.pred), network.codec
    if old.get("pred", {}).get("_target_") != f"{kind.__module__}.{kind.__qualname__}":
        return None
    charset = build(old["charset"], "charset")
    return [*codec.special, *charset.characters, *(["[UNK]"] if charset.policy == "map" else [])], codec.tokens


def _by_character(
    theirs: torch.Tensor, own: torch.Tensor, axis: ClassAxis, before: list[str], now: list[str]
) -> torch.Tensor | None:
    """Our fresh weight with the rows of all characters that theirs knows; None when more than the classes differs."""
    start, dim = axis.start, axis.dim
    if theirs.dim() != own.dim() or theirs.shape[dim] != start + len(before):
        return None
    if [n for d, n in enumerate(theirs.shape) if d != dim] != [n for d, n in enumerate(own.shape) if d != dim]:
        return None
    place = {token: start + i for i, token in enumerate(before)}
    pairs = [(i, i) for i in range(start)] + [(start + i, place[t]) for i, t in enumerate(now) if t in place]
    to, source = (torch.tensor(indices) for indices in zip(*pairs, strict=True))
    return own.clone().index_copy_(dim, to, theirs.to(own.dtype).index_select(dim, source))


def _sizes(old: dict[str, Any], network: torch.nn.Module) -> str:
    """``32x100 where they were 48x160``, or nothing when the pictures are of one size."""
    if not isinstance(network, FourStage):
        return ""
    before, now = (old.get("height", 32), old.get("width", 100)), (network.height, network.width)
    return "" if before == now else f"{now[0]}x{now[1]} where they were {before[0]}x{before[1]}"


def _listed(tokens: list[str]) -> str:
    return " ".join(tokens[:SHOWN]) + (" …" if len(tokens) > SHOWN else "")
