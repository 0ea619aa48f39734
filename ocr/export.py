"""Checkpoints as files for elsewhere: ONNX for any runtime, safetensors for PyTorch.

An ONNX file takes pictures as uint8, height x width x channels, normalises them itself, and carries in its metadata all that
:mod:`ocr.runtime` needs to read with it.  Batch, height and width of a detector and batch and width of a recogniser are free.

Networks are exported by tracing (``dynamo=False``), for three reasons: LSTMs stay ONNX's own with a free number of columns, where
the newer exporter fixes it or guards it; it takes a second where that takes half a minute; it works from torch 2.6 on.  What tracing
may get wrong is found afterwards, because every file is run and compared with PyTorch at two sizes.

The comparison is with PyTorch in float64.  In float32 the coefficients of a thin-plate spline are rounded so coarsely (some 1e-5 of the
picture's width) that two orders of summation differ more than everything else together; the file computes the spline in float64.
"""

from __future__ import annotations

import copy
import io
import json
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ocr import __version__
from ocr.attention_loop import close_loop
from ocr.detection import craft
from ocr.detection.detector import Detector
from ocr.detection.tiling import STRIDE
from ocr.recognition.codec import CTCCodec
from ocr.recognition.extent import Extent
from ocr.recognition.four_stage import FourStage
from ocr.recognition.pred import Attention
from ocr.recognition.recognizer import Recognizer
from ocr.recognition.samples import normalise
from ocr.recognition.trans import TPS, border_points
from ocr.runtime import FORMAT, KEY, open_model
from ocr.seeding import generator

OPSET = 20
TOLERANCE = 1e-4
"""Largest difference from PyTorch with which a file is kept; of values above 1 (logits) as a share of the largest."""
Batch = NDArray[np.uint8]
"""Pictures (B, H, W, C)."""


def to_onnx(deployed: Detector | Recognizer, path: Path, origin: Mapping[str, Any] | None = None) -> dict[str, float]:
    """Write a detector or recogniser as ONNX, run it, and compare it with PyTorch at two sizes.

    Args:
        deployed: from a checkpoint (:func:`ocr.run.checkpoint.deployable`), on the CPU.
        path: the file to write.
        origin: goes into the metadata: where the weights are from.

    Returns:
        output name -> largest difference from PyTorch in float64 (see :data:`TOLERANCE`).

    Raises:
        ValueError: an output differs by more than :data:`TOLERANCE`; nothing is written then.
    """
    small, large = check_pictures(deployed)
    model = _detector_model(deployed, small) if isinstance(deployed, Detector) else _recognizer_model(deployed, small)
    onnx.helper.set_model_props(model, {KEY: json.dumps(describe(deployed) | {"origin": dict(origin or {})})})
    draft = path.with_name(f".{path.name}")
    onnx.save(model, draft)
    try:
        found = differences(deployed, draft, [small, large])
        if max(found.values()) > TOLERANCE:
            values = ", ".join(f"{name} {value:.1e}" for name, value in found.items())
            raise ValueError(f"{path} was not written: it differs from PyTorch by more than {TOLERANCE:g} ({values})")
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    return found


# --- what the file says of itself -------------------------------------------------------------------------------------


def describe(deployed: Detector | Recognizer) -> dict[str, Any]:
    """The metadata, as plain containers."""
    shared = {"format": FORMAT, "version": __version__}
    if isinstance(deployed, Detector):
        names = ("long_side", "max_enlargement", "batch_size", "polygons", "line_gap", "tile", "tile_margin")
        return shared | {
            "task": "detection",
            "network": type(deployed.network).__name__,
            "input": {
                "pixels": "uint8, RGB, height x width x 3, padded with black to a multiple of both sides",
                "multiple": STRIDE,
                "normalisation": {"where": "in the graph", "mean": craft.IMAGENET_MEAN, "std": craft.IMAGENET_STD},
            },
            "inference": {"thresholds": asdict(deployed.thresholds), **{n: getattr(deployed, n) for n in names}},
        }
    network, codec = deployed.network, deployed.network.codec
    return shared | {
        "task": "recognition",
        "network": network.cell,
        "input": {
            "pixels": f"uint8, {'grey' if network.channels == 1 else 'RGB'}, height x width x channels",
            "height": network.height,
            "width": network.width,
            "channels": network.channels,
            "normalisation": {"where": "in the graph", "range": [-1, 1]},
        },
        "codec": {
            "kind": "ctc" if isinstance(codec, CTCCodec) else "attention",
            "charset": {k: v for k, v in codec.charset.node().items() if k != "_target_"},
            "max_length": codec.max_length,
            "time_steps": getattr(codec, "time_steps", None),
        },
        "inference": {n: getattr(deployed, n) for n in ("keep_ratio", "variable_width", "tall", "batch_size")},
    }


# --- graphs -----------------------------------------------------------------------------------------------------------


class _Scores(nn.Module):
    """Pictures to score maps."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images_BHWC: Tensor) -> Tensor:
        scores_B2hw: Tensor = self.network(craft.normalise(images_BHWC.permute(0, 3, 1, 2)))[0]
        return scores_B2hw


class _Classes(nn.Module):
    """Pictures to the likeliest classes, their probabilities and all logits."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images_BHWC: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        logits_BTK = self.network(normalise(images_BHWC.permute(0, 3, 1, 2)))
        probabilities_BT, classes_BT = logits_BTK.softmax(2).max(2)
        return classes_BT, probabilities_BT, logits_BTK


class _Memory(nn.Module):
    """Pictures to what an attention decoder looks at."""

    def __init__(self, network: FourStage) -> None:
        super().__init__()
        self.network = network

    def forward(self, images_BHWC: Tensor) -> tuple[Tensor, Tensor]:
        features_BTC, _ = self.network.features(normalise(images_BHWC.permute(0, 3, 1, 2)))
        decoder = self.network.pred
        assert isinstance(decoder, Attention)
        return features_BTC, decoder.column_score(features_BTC)


class _Step(nn.Module):
    """One step of an attention decoder."""

    def __init__(self, decoder: Attention) -> None:
        super().__init__()
        self.decoder = decoder

    def forward(
        self, tokens_B: Tensor, hidden_BH: Tensor, cell_BH: Tensor, features_BTC: Tensor, keys_BTH: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        logits_BK, state = self.decoder.step(tokens_B, (hidden_BH, cell_BH), features_BTC, keys_BTH)
        return logits_BK, *state


class _FreeTPS(nn.Module):
    """Thin-plate-spline rectification of pictures of any width: the grid is computed in the graph, in float64.

    ``TPS`` computes it once for each size, which a trace would take for a constant.
    """

    title = "TPS"
    system_SF: Tensor
    border_F2: Tensor

    def __init__(self, trans: TPS) -> None:
        super().__init__()
        self.localisation = trans.localisation
        self.height = trans.size[0]
        self.register_buffer("system_SF", trans.system_SF.double())
        fiducials = trans.system_SF.shape[1]
        self.register_buffer("border_F2", torch.from_numpy(border_points(fiducials)))

    def forward(self, images_BCHW: Tensor, extent: Extent) -> Tensor:
        points_BF2 = self.localisation(images_BCHW, extent).double()
        width = images_BCHW.shape[3]
        x_W = (2 * torch.arange(width, dtype=torch.float64) + 1) / width - 1
        y_H = (2 * torch.arange(self.height, dtype=torch.float64) + 1) / self.height - 1
        y_HW, x_HW = torch.meshgrid(y_H, x_W, indexing="ij")
        pixels_N2 = torch.stack([x_HW.reshape(-1), y_HW.reshape(-1)], 1)
        squares_NF = ((pixels_N2[:, None] - self.border_F2[None]) ** 2).sum(2)
        kernel_NF = squares_NF * torch.log(squares_NF.sqrt() + 1e-6)
        rows_NS = torch.cat([torch.ones_like(pixels_N2[:, :1]), pixels_N2, kernel_NF], 1)
        # the constants as TPS holds them
        grid_BN2 = (rows_NS.float().double() @ (self.system_SF @ points_BF2)).float()
        grid_BHW2 = grid_BN2.reshape(-1, self.height, width, 2)
        return nn.functional.grid_sample(images_BCHW, grid_BHW2, padding_mode="border", align_corners=True)


def _detector_model(deployed: Detector, pictures: Batch) -> onnx.ModelProto:
    axes = {0: "batch", 1: "height", 2: "width"}
    maps = {0: "batch", 2: "map_height", 3: "map_width"}
    return _traced(_Scores(deployed.network), {"images": (_tensor(pictures), axes)}, {"scores": maps})


def _recognizer_model(deployed: Recognizer, pictures: Batch) -> onnx.ModelProto:
    network = copy.deepcopy(deployed.network).eval()
    if isinstance(network.trans, TPS):
        network.trans = _FreeTPS(network.trans)  # type: ignore[assignment]  # what it does not need of a stage is left out
    axes, images = {0: "batch", 2: "width"}, _tensor(pictures)
    columns = {0: "batch", 1: "steps"}
    if not isinstance(network.pred, Attention):
        outputs = dict.fromkeys(("classes", "probabilities", "logits"), columns)
        return _traced(_Classes(network), {"images": (images, axes)}, outputs)
    memory = _Memory(network)
    encoder = _traced(memory, {"images": (images, axes)}, {"features": columns, "keys": columns})
    with torch.no_grad():
        features_BTC, keys_BTH = memory(images)
    batch, hidden = {0: "batch"}, network.pred.hidden
    state_BH = torch.zeros(len(pictures), hidden)
    inputs = {
        "tokens": (torch.zeros(len(pictures), dtype=torch.long), batch),
        "hidden": (state_BH, batch),
        "cell": (state_BH.clone(), batch),
        "features": (features_BTC, columns),
        "keys": (keys_BTH, columns),
    }
    step = _traced(_Step(network.pred), inputs, dict.fromkeys(("logits", "next_hidden", "next_cell"), batch))
    codec = network.pred.codec
    return close_loop(encoder, step, hidden, codec.classes, codec.end, codec.max_length + 1)


def _traced(
    module: nn.Module, inputs: dict[str, tuple[Tensor, dict[int, str]]], outputs: dict[str, dict[int, str]]
) -> onnx.ModelProto:
    """A module's graph; the axes that are named for an input or output are free."""
    stream = io.BytesIO()
    with torch.no_grad(), warnings.catch_warnings():
        # of the exporter's age, and of Python values in a trace, which the comparison covers
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module.eval(),
            tuple(tensor for tensor, _ in inputs.values()),
            stream,  # type: ignore[arg-type]  # the annotation is that of the newer exporter
            dynamo=False,
            opset_version=OPSET,
            input_names=list(inputs),
            output_names=list(outputs),
            dynamic_axes={name: axes for name, (_, axes) in inputs.items()} | outputs,
        )
    return onnx.load_model_from_string(stream.getvalue())


def _tensor(pictures: Batch) -> Tensor:
    return torch.from_numpy(pictures)


# --- the comparison ---------------------------------------------------------------------------------------------------


def check_pictures(deployed: Detector | Recognizer) -> tuple[Batch, Batch]:
    """Two batches of different number and size of smooth random pictures."""
    if isinstance(deployed, Detector):
        return _smooth(2, 2 * STRIDE, 3 * STRIDE, 3), _smooth(1, 4 * STRIDE, 5 * STRIDE, 3)
    network = deployed.network
    width = network.width
    return (
        _smooth(2, network.height, width, network.channels),
        _smooth(3, network.height, width + width // 2, network.channels),
    )


def _smooth(count: int, height: int, width: int, channels: int) -> Batch:
    noise = generator(0, "export", count, height, width).integers(0, 256, (count, height, width, channels))
    blurred = [cv2.GaussianBlur(one.astype(np.float32), (0, 0), 2).reshape(height, width, channels) for one in noise]
    low, high = np.min(blurred), np.max(blurred)
    return ((np.array(blurred) - low) * (255 / (high - low))).astype(np.uint8)


def differences(deployed: Detector | Recognizer, path: Path, batches: Sequence[Batch]) -> dict[str, float]:
    """Output name -> largest difference of an ONNX file from PyTorch in float64 over some batches."""
    detects = isinstance(deployed, Detector)
    names = ["scores"] if detects else ["probabilities", "logits"]
    exact = copy.deepcopy(deployed.network).double().eval()
    model = open_model(path, threads=1)
    found = dict.fromkeys(names, 0.0)
    for pictures in batches:
        wanted = _exact_outputs(exact, pictures, detects)
        for name, ours, theirs in zip(names, model.run(pictures, names), wanted, strict=True):
            found[name] = max(found[name], _difference(ours, theirs))
    return found


@torch.inference_mode()
def _exact_outputs(network: nn.Module, pictures: Batch, detects: bool) -> list[NDArray[np.float64]]:
    images_BCHW = _tensor(pictures).permute(0, 3, 1, 2).double()
    if detects:
        mean, std = (
            torch.tensor(v, dtype=torch.float64).view(1, 3, 1, 1) * 255
            for v in (craft.IMAGENET_MEAN, craft.IMAGENET_STD)
        )
        return [network((images_BCHW - mean) / std)[0].double().numpy()]
    logits_BTK = network(images_BCHW * (2 / 255) - 1)
    return [logits_BTK.softmax(2).max(2).values.double().numpy(), logits_BTK.double().numpy()]


def _difference(ours: NDArray[Any], theirs: NDArray[np.float64]) -> float:
    """Largest difference; infinite where one stopped sooner, is sure where the other is not, or gives no number at all."""
    if ours.shape != theirs.shape or np.isnan(ours).any() or (np.isneginf(ours) != np.isneginf(theirs)).any():
        return float("inf")
    finite = np.isfinite(theirs)
    largest = np.abs(theirs[finite]).max(initial=1.0)
    return float(np.abs(ours[finite] - theirs[finite]).max(initial=0) / largest)
