"""Weights of the ICCV 2019 comparison (Baek et al.) as their authors and others publish them: what they are, and under our names.

The code that made them keeps its four stages as ``Transformation``, ``FeatureExtraction``, ``SequenceModeling`` and
``Prediction``; names and shapes tell everything but the order of the characters, the height of the pictures and the longest text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from typing import Any

import torch

from ocr.charset import DIGITS_LOWER, FULL94, Charset
from ocr.recognition.feat import RCNN, VGG, ResNet
from ocr.recognition.four_stage import FourStage
from ocr.recognition.pred import CTC, Attention
from ocr.recognition.seq import BiLSTM, NoSequence
from ocr.recognition.trans import TPS, NoTransformation
from ocr.types import Published

Shapes = Mapping[str, tuple[int, ...]]

HEIGHT, WIDTH, MAX_LENGTH = 32, 100, 25
"""Of all weights that were published with the comparison."""
PUBLISHED_CHARSETS = {36: DIGITS_LOWER, 94: FULL94}
"""By number of characters, those whose order is known."""
GRID_BUFFERS = ("GridGenerator.inv_delta_C", "GridGenerator.P_hat")
"""Constants of the image size, which ours computes itself."""
STAGES = {
    stage.__qualname__: stage
    for stage in (NoTransformation, TPS, VGG, RCNN, ResNet, NoSequence, BiLSTM, CTC, Attention)
}


def recognise(names_and_shapes: Shapes) -> Published | None:
    """Architecture, channels, classes and hidden sizes of published weights; None when they are of no cell of the grid.

    Args:
        names_and_shapes: of every tensor of the state dict, with or without the ``module.`` that ``DataParallel`` puts first.
    """
    prefix = "module." if all(name.startswith("module.") for name in names_and_shapes) else ""
    shapes = {name.removeprefix(prefix): tuple(shape) for name, shape in names_and_shapes.items()}
    feat, seq, pred = _feat(shapes), _seq(shapes), _pred(shapes)
    if feat is None or pred is None:
        return None
    stage, classes = pred
    charset, missing = _charset(classes - (2 if stage["_target_"].endswith("Attention") else 1))
    first = "Transformation.LocalizationNetwork.conv.0.weight"
    in_channels = shapes.get(first) or shapes.get("FeatureExtraction.ConvNet.0.weight") or shapes[_RESNET_STEM]
    network = {
        "_target_": f"{FourStage.__module__}.{FourStage.__qualname__}",
        "charset": charset,
        "trans": _trans(shapes),
        "feat": feat,
        "seq": seq,
        "pred": stage,
        "height": HEIGHT,
        "width": _width(shapes),
        "channels": in_channels[1],
        "max_length": MAX_LENGTH,
    }
    return Published("recognition", network, prefix, missing)


def convert(state: Mapping[str, torch.Tensor], published: Published) -> dict[str, torch.Tensor]:
    """The weights under our names in float32, without the constants of the grid; names that the network lacks stay as they are.

    Args:
        state: the published state dict.
        published: what :func:`recognise` said of it, with nothing missing any more.

    Raises:
        ValueError: the charset has another number of characters than the weights have classes.
    """
    given = {k.removeprefix(published.prefix): v for k, v in state.items() if not k.endswith(GRID_BUFFERS)}
    ours = {theirs: name for name, theirs in published_names(published.network).items()}
    classes = next(given[k] for k in ("Prediction.generator.bias", "Prediction.bias") if k in given).numel()
    characters = len(published.network["charset"]["characters"])
    expected = classes - (2 if "Prediction.generator.bias" in given else 1)
    if characters != expected:
        raise ValueError(
            f"the charset has {characters} characters and the weights read {expected}: "
            "list exactly theirs, in the order of their classes"
        )
    return {ours.get(k, k): v.float() if v.is_floating_point() else v for k, v in given.items()}


def published_names(network: Mapping[str, Any]) -> dict[str, str]:
    """Our name -> published name, for the network that a node of :func:`recognise` builds."""
    parts: dict[str, Any] = {
        kind: partial(STAGES[node["_target_"].rpartition(".")[2]], **{k: v for k, v in node.items() if k[0] != "_"})
        for kind, node in network.items()
        if kind in ("trans", "feat", "seq", "pred")
    }
    sizes: dict[str, Any] = {k: network[k] for k in ("height", "width", "channels", "max_length")}
    with torch.device("meta"):
        built = FourStage(Charset(network["charset"]["characters"]), **parts, **sizes, initialisation="torch")
    return built.published_names()


_RESNET_STEM = "FeatureExtraction.ConvNet.conv0_1.weight"


def _node(stage: type, **options: int) -> dict[str, Any]:
    return {"_target_": f"{stage.__module__}.{stage.__qualname__}", "_partial_": True, **options}


def _trans(shapes: Shapes) -> dict[str, Any]:
    points = shapes.get("Transformation.LocalizationNetwork.localization_fc2.bias")
    last = shapes.get("Transformation.LocalizationNetwork.conv.12.weight")
    if points is None or last is None:
        return _node(NoTransformation)
    return _node(TPS, fiducials=points[0] // 2, channels=last[0])


def _width(shapes: Shapes) -> int:
    """Width of the pictures: the grid's constants have a row per pixel."""
    pixels = shapes.get("Transformation.GridGenerator.P_hat", (HEIGHT * WIDTH,))[0]
    return pixels // HEIGHT if pixels % HEIGHT == 0 else WIDTH


def _feat(shapes: Shapes) -> dict[str, Any] | None:
    of = "FeatureExtraction.ConvNet."
    if _RESNET_STEM in shapes and f"{of}conv4_2.weight" in shapes:
        return _node(ResNet, channels=shapes[f"{of}conv4_2.weight"][0])
    if f"{of}3.wgf_u.weight" in shapes and f"{of}9.weight" in shapes:
        return _node(RCNN, channels=shapes[f"{of}9.weight"][0], iterations=_count(shapes, rf"{of}3\.GRCL\.(\d+)\."))
    if f"{of}0.weight" in shapes and f"{of}18.weight" in shapes:
        return _node(VGG, channels=shapes[f"{of}18.weight"][0])
    return None


def _seq(shapes: Shapes) -> dict[str, Any]:
    layers = _count(shapes, r"SequenceModeling\.(\d+)\.rnn\.")
    if not layers or "SequenceModeling.0.linear.weight" not in shapes:
        return _node(NoSequence)
    return _node(BiLSTM, hidden=shapes["SequenceModeling.0.linear.weight"][0], layers=layers)


def _pred(shapes: Shapes) -> tuple[dict[str, Any], int] | None:
    generator, linear = (shapes.get(f"Prediction.{name}weight") for name in ("generator.", ""))
    if generator is not None:
        return _node(Attention, hidden=generator[1]), generator[0]
    return None if linear is None else (_node(CTC), linear[0])


def _count(shapes: Shapes, pattern: str) -> int:
    return len({found.group(1) for found in map(re.compile(pattern).match, shapes) if found})


def _charset(characters: int) -> tuple[dict[str, Any] | None, dict[str, str]]:
    known = PUBLISHED_CHARSETS.get(characters)
    if known is None:
        return None, {"charset": f"{characters} characters, in the order of the classes"}
    return Charset(known, lower=known == DIGITS_LOWER).node(), {}
