"""Weights of CRAFT, its link refiner and ImageNet encoders as others publish them: what they are, and under our names.

Checkpoints of the authors' code name everything ``basenet.slice1.0.weight``, ``upconv1.conv.0.weight``, ``last_conv.0.weight`` …,
most with ``module.`` before it.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch

from ocr.detection.craft import CRAFT, published_names
from ocr.detection.link_refiner import LinkRefiner, published_refiner_names
from ocr.types import Published

Shapes = Mapping[str, tuple[int, ...]]

CRAFT_MARKS = {"basenet.slice1.0.weight", "upconv1.conv.0.weight"}
REFINER_MARKS = {"last_conv.0.weight", "aspp1.0.weight"}
"""Names that only weights of these networks have."""
PREFIX = "module."


def recognise(names_and_shapes: Shapes) -> Published | None:
    """Whether weights are those of CRAFT or of its link refiner, at the published sizes; None when of neither.

    Args:
        names_and_shapes: of every tensor of the state dict, with or without the ``module.`` that ``DataParallel`` puts first.
    """
    prefix = PREFIX if names_and_shapes and all(name.startswith(PREFIX) for name in names_and_shapes) else ""
    names = {name.removeprefix(prefix) for name in names_and_shapes}
    for marks, network in ((CRAFT_MARKS, CRAFT), (REFINER_MARKS, LinkRefiner)):
        if marks & names:
            return Published("detection", {"_target_": f"{network.__module__}.{network.__qualname__}"}, prefix)
    return None


def convert(state: Mapping[str, torch.Tensor], published: Published) -> dict[str, torch.Tensor]:
    """The weights under our names in float32; names that the network lacks stay as they are.

    Args:
        state: the published state dict.
        published: what :func:`recognise` said of it.
    """
    refiner = published.network["_target_"].endswith(LinkRefiner.__qualname__)
    ours = {theirs: name for name, theirs in (published_refiner_names() if refiner else published_names()).items()}
    given = {name.removeprefix(published.prefix): value for name, value in state.items()}
    return {ours.get(k, k): v.float() if v.is_floating_point() else v for k, v in given.items()}


def encoder_weights(state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The encoder's part of published weights under our names (``encoder.…``), in float32.

    Args:
        state: CRAFT's, as published, or that of torchvision's ``vgg16_bn`` (``features.N.…``) or ResNets.  Other names get
            ``encoder.`` before them.
    """
    published = recognise({name: tuple(value.shape) for name, value in state.items()})
    if published is not None:
        return {name: value for name, value in convert(state, published).items() if name.startswith("encoder.")}
    # the authors' slices number their layers as torchvision's features
    slices = {ours: theirs for ours, theirs in published_names().items() if theirs.startswith("basenet.slice")}
    ours = {"features." + theirs.split(".", 2)[2]: name for name, theirs in slices.items() if "slice5" not in theirs}
    return {
        ours.get(name, f"encoder.{name}"): value.float() if value.is_floating_point() else value
        for name, value in state.items()
    }
