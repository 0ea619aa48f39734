"""Exported networks with 8-bit integers for weights, and what that costs on a labelled set."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any, Literal

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_dynamic, quantize_static

from ocr.config import build, compose_config, plain
from ocr.data.decoding import UndecodableImage
from ocr.data.sets import SceneSet, WordSet
from ocr.run.evaluate import evaluate
from ocr.runtime import KEY, Model, RuntimeDetector, deployable, open_model

CALIBRATION = 32
"""Samples that static quantisation measures the layers on; the loss is measured on others."""
METRICS = {"detection": "hmean", "recognition": "word_accuracy"}


class _Recorder(Model):
    """A model that keeps the batches it was given."""

    def __init__(self, model: Model) -> None:
        super().__init__(model.session, model.description)
        self.batches: list[NDArray[np.uint8]] = []

    def run(self, images_BHWC: NDArray[np.uint8], outputs: Any) -> list[NDArray[Any]]:
        self.batches.append(images_BHWC)
        return super().run(images_BHWC, outputs)


class _Batches(CalibrationDataReader):
    def __init__(self, batches: list[NDArray[np.uint8]]) -> None:
        self.left = iter(batches)

    def get_next(self) -> dict[str, NDArray[np.uint8]] | None:
        batch = next(self.left, None)
        return None if batch is None else {"images": batch}


def quantise(source: Path, target: Path, mode: Literal["dynamic", "static"], data: Path) -> None:
    """Write an ONNX file of ours with 8-bit weights.

    ``dynamic`` measures what flows between the layers while the network runs: good for LSTMs and linear layers, slow for convolutions.
    ``static`` measures it once, on the first pictures of a set, cut to size as for reading.

    Raises:
        ValueError: the file or the set cannot be read, or is of the other task.
    """
    # the library says of every model that it was not prepared its way
    logging.disable(logging.WARNING)
    try:
        # layers that never fire have no range
        with np.errstate(all="ignore"):
            _quantise(source, target, mode, data)
    finally:
        logging.disable(logging.NOTSET)
    model = onnx.load(target)
    onnx.helper.set_model_props(model, {p.key: p.value for p in onnx.load(source).metadata_props if p.key == KEY})
    onnx.save(model, target)


def _quantise(source: Path, target: Path, mode: Literal["dynamic", "static"], data: Path) -> None:
    if mode == "dynamic":
        # kernels for 8-bit convolutions take unsigned weights only
        quantize_dynamic(source, target, weight_type=QuantType.QUInt8)
    else:
        quantize_static(
            source,
            target,
            _Batches(_batches(source, data)),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )


def _batches(source: Path, data: Path) -> list[NDArray[np.uint8]]:
    """What the network is given for the first pictures of a set."""
    deployed = deployable(source)
    deployed.model = recorder = _Recorder(deployed.model)
    images = [sample.image for sample in _readable(open_data(data, deployed.model.description["task"]), CALIBRATION)]
    deployed.detect(images) if isinstance(deployed, RuntimeDetector) else deployed.read(images)
    return recorder.batches


def _readable(data: SceneSet | WordSet, most: int) -> Iterator[Any]:
    for index in range(min(most, len(data))):
        try:
            yield data[index]
        except UndecodableImage:
            continue


def open_data(folder: Path, task: str) -> SceneSet | WordSet:
    """The prepared set in a folder.

    Raises:
        ValueError: it is not there, or of the other task.
    """
    if not (folder / "data.mdb").is_file():
        raise ValueError(
            f"no prepared set in {folder}: give the folder of its data.mdb, for example data/{task}/NAME/test"
        )
    return SceneSet(folder) if task == "detection" else WordSet(folder)


@dataclass(frozen=True, slots=True)
class Loss:
    """The same samples with 32-bit and with 8-bit weights: the metric, and seconds for all of them."""

    metric: str
    set: str
    protocol: str
    n: int
    full: float
    int8: float
    full_seconds: float
    int8_seconds: float

    def __str__(self) -> str:
        change = f"{self.metric} {self.int8:.3f} as int8, {self.full:.3f} as fp32 ({self.int8 - self.full:+.3f})"
        speed = f"{self.full_seconds / max(self.int8_seconds, 1e-9):.1f} times as fast"
        return f"{change} on {self.n} samples of {self.set} under {self.protocol}; {speed}"


def loss(full: Path, int8: Path, data: Path, most: int) -> Loss:
    """Read a labelled set with both files; samples that static quantisation was tuned to are left out where there are others.

    Raises:
        ValueError: the set cannot be read, or is of the other task.
    """
    task = open_model(full).description["task"]
    samples = open_data(data, task)
    excerpt: Any = _Excerpt(samples, CALIBRATION if len(samples) > CALIBRATION else 0, most)
    protocol = build(plain(compose_config([f"model={'craft' if task == 'detection' else 'crnn'}"]))["protocol"])
    values, seconds = [], []
    for path in (full, int8):
        deployed = deployable(path)
        start = perf_counter()
        scores = evaluate(deployed, excerpt, protocol).scores
        seconds.append(perf_counter() - start)
        values.append(next(score.value for score in scores if score.metric == METRICS[task]))
    name = f"{samples.name}/{samples.split}"
    return Loss(METRICS[task], name, protocol.name, len(excerpt), *values, *seconds)


class _Excerpt:
    """Some samples of a set in a row, as a set."""

    def __init__(self, data: SceneSet | WordSet, start: int, most: int) -> None:
        self.data, self.start = data, start
        self.count = min(most, len(data) - start)

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Any:
        return self.data[self.start + index]

    def without_picture(self, index: int) -> Any:
        return self.data.without_picture(self.start + index)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.data, name)
