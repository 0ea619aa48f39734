"""Detectors and recognisers in ONNX files, run by ONNX Runtime: nothing else is needed, torch least of all.

A file that :mod:`ocr.export` wrote says in its metadata what its network takes and gives and how to read with it.  Pictures are
cut to size, and scores and classes become words and texts, by the same NumPy code as with PyTorch (:mod:`ocr.detection.search`,
:mod:`ocr.recognition.crops`).
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from ocr.charset import Charset
from ocr.detection.score_maps import Maps
from ocr.detection.search import WordSearch
from ocr.recognition.codec import AttentionCodec, Codec, CTCCodec
from ocr.recognition.crops import CropReader
from ocr.recognition.fitting import Pixels, stacked
from ocr.types import Reading

FORMAT = 1
KEY = "ocr"
"""Key of our part of the file's metadata, a JSON object."""
PARTS = {"task": str, "input": dict, "inference": dict}
"""What it holds for either task; a recogniser's also has ``codec``."""
PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}
QUIET = 3
"""ONNX Runtime's level of messages: errors only."""


class Model:
    """An open ONNX file of ours: what runs it, and what its metadata say."""

    def __init__(self, session: onnxruntime.InferenceSession, description: dict[str, Any]) -> None:
        self.session, self.description = session, description

    def run(self, images_BHWC: NDArray[np.uint8], outputs: Sequence[str]) -> list[NDArray[Any]]:
        """Outputs by name of pictures as uint8."""
        found: list[NDArray[Any]] = self.session.run(list(outputs), {"images": images_BHWC})
        return found


def open_model(path: str | Path, device: str = "cpu", threads: int = 0) -> Model:
    """Open an ONNX file that :mod:`ocr.export` wrote; nothing in it is executed but its network.

    Args:
        path: the file.
        device: ``cpu``, or ``cuda`` with the GPU build of ONNX Runtime.
        threads: of one operation; 0: as many as ONNX Runtime finds right.

    Raises:
        ValueError: one line: no such file, no ONNX file, none of this project, or of another version of it; a device that
            this ONNX Runtime does not have.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"model not found: {path}")
    provider = PROVIDERS.get(device.partition(":")[0])
    if provider not in onnxruntime.get_available_providers():
        raise ValueError(f"device {device} is not in this ONNX Runtime: give cpu, or install onnxruntime-gpu for cuda")
    options = onnxruntime.SessionOptions()
    options.log_severity_level = QUIET
    options.intra_op_num_threads = threads
    try:
        session = onnxruntime.InferenceSession(path.read_bytes(), options, providers=[provider])
        text = session.get_modelmeta().custom_metadata_map.get(KEY)
    except Exception as error:  # ONNX Runtime's errors share no class of their own
        raise ValueError(
            f"{path} is no ONNX file that can be run, or only a part of one ({type(error).__name__})"
        ) from None
    if text is None:
        raise ValueError(f"{path} is an ONNX file but none of this project: make one with ocr export CKPT --to onnx")
    return Model(session, _description(text, path))


def _description(text: str, path: Path) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        of = found.get("format") if isinstance(found, dict) else "?"
        raise ValueError(f"{path} has format {of}, this version reads {FORMAT}: export its checkpoint again")
    wrong = [name for name, kind in PARTS.items() if not isinstance(found.get(name), kind)]
    if wrong or found["task"] not in ("detection", "recognition"):
        raise ValueError(f"{path} has damaged metadata ({', '.join(wrong) or 'task'}): export its checkpoint again")
    return found


class RuntimeDetector(WordSearch):
    """Finds words with an exported CRAFT.

    Args:
        model: an open file.
        search: settings of :class:`~ocr.detection.search.WordSearch`.
    """

    def __init__(self, model: Model, **search: Any) -> None:
        super().__init__(**search)
        self.model = model

    def _scores(self, images_BHWC: NDArray[np.uint8]) -> Maps:
        scores: Maps = self.model.run(images_BHWC, ["scores"])[0]
        return scores


class RuntimeRecognizer(CropReader):
    """Reads word crops with an exported recogniser.

    Crops of different widths never share a run: what is read would depend on the padding, which the file knows nothing of.

    Args:
        model: an open file.
        reading: settings of :class:`~ocr.recognition.crops.CropReader`.
    """

    equal_widths = True

    def __init__(self, model: Model, **reading: Any) -> None:
        size = model.description["input"]
        super().__init__(size["height"], size["width"], size["channels"], **reading)
        self.model = model
        self.codec = _codec(**model.description["codec"])

    def _read_batch(self, pixels: Sequence[Pixels]) -> list[Reading]:
        ids_BT, probabilities_BT = self.model.run(stacked(pixels), ["classes", "probabilities"])
        return self.codec.decode(ids_BT, probabilities_BT)


def _codec(kind: str, charset: dict[str, Any], max_length: int, time_steps: int | None = None) -> Codec:
    characters = Charset(charset["characters"], charset["lower"], charset["unknown"])
    if kind == "ctc":
        return CTCCodec(characters, max_length, time_steps or max_length)
    return AttentionCodec(characters, max_length)


def deployable(
    path: str | Path, task: str | None = None, device: str = "cpu", threads: int = 0, **inference: Any
) -> RuntimeDetector | RuntimeRecognizer:
    """The detector or recogniser in an ONNX file, ready to use.

    Args:
        path, device, threads: see :func:`open_model`.
        task: ``detection`` or ``recognition`` to insist on one; None takes what is there.
        inference: overrides of what the file stores for inference, for example ``long_side``.

    Raises:
        ValueError: see :func:`open_model`; also when the file is of the other task, or a setting is unknown or out of range.
    """
    model = open_model(path, device, threads)
    found = model.description["task"]
    if task is not None and found != task:
        raise ValueError(f"{path} holds a model for {found}, one for {task} is needed here")
    settings = model.description["inference"] | inference
    known = inspect.signature(WordSearch if found == "detection" else CropReader).parameters
    unknown = [name for name in settings if name not in known]
    if unknown:
        raise ValueError(f"{path}: there is no setting {unknown[0]!r} for {found}; there are {', '.join(known)}")
    try:
        return RuntimeDetector(model, **settings) if found == "detection" else RuntimeRecognizer(model, **settings)
    except (KeyError, TypeError) as error:
        raise ValueError(f"{path} has damaged metadata ({error}): export its checkpoint again") from None
