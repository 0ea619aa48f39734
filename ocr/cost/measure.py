"""The cost of a detector at the papers' picture sizes, or of a recogniser at its own."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ocr.config import compose_config, names_in, plain
from ocr.cost.flops import Flops, count_detector, count_recognizer
from ocr.cost.memory import Peak, peak_memory
from ocr.cost.subject import PRESET, Subject
from ocr.cost.timing import Timing, fixed_threads, time_calls, verdict
from ocr.detection.craft import normalise
from ocr.detection.detector import Detector
from ocr.detection.score_maps import Maps, score_maps
from ocr.detection.tiling import STRIDE
from ocr.detection.words import find_words
from ocr.recognition.pred import Attention
from ocr.recognition.recognizer import Recognizer

WORDS = 20
"""Words on the maps with which a detector's post-processing is timed, of :data:`CHARACTERS` characters each: about twice what a
picture of ICDAR 2015 holds.  They are drawn, so that the time does not depend on what a network finds in a picture of noise."""
CHARACTERS = 7
PROPORTIONS = {"icdar2015": (16, 9)}
"""Width to height of a set's pictures; those of the other sets differ, and 4 to 3 stands for them."""


@dataclass(frozen=True, slots=True)
class AtSize:
    """What one picture size costs: ``network`` and ``post`` for one picture, ``whole`` for ``batch`` of them with resizing."""

    title: str
    height: int
    width: int
    batch: int
    flops: Flops
    network: Timing
    post: Timing
    whole: Timing
    memory: Peak
    verdict: str

    @property
    def throughput(self) -> float:
        """Pictures a second, from pixels to words."""
        return 1000 * self.batch / self.whole.p50


@dataclass(frozen=True, slots=True)
class Cost:
    """Everything that was measured; ``weights_mb`` and ``file_mb`` (None without a file) in megabytes of 10^6 bytes."""

    subject: str
    task: str
    device: str
    threads: int
    precision: str
    parameters: int
    weights_mb: float
    file_mb: float | None
    sizes: list[AtSize]
    training: Peak | None


@dataclass(frozen=True, slots=True)
class How:
    """``seconds`` for each timed call, in all; ``batch``: pictures for the throughput, None: 64 words, or 1 scene (4 on a GPU)."""

    device: str = "cpu"
    threads: int = 1
    batch: int | None = None
    seconds: float = 2.0
    training: bool = True


def measure(of: Subject, how: How, presets: Sequence[str] = (), tell: Callable[[str], None] = lambda _: None) -> Cost:
    """Measure everything.

    Args:
        of: a checkpoint or a model.
        how: device, threads, batch, time.
        presets: of ``conf/inference``, for a detector; none: those of the papers' sets.
        tell: is told what is being measured.
    """
    deployed = of.deployed()
    network = deployed.network
    tensors = [*network.parameters(), *network.buffers()]
    with fixed_threads(how.threads):
        sizes = list(_detector_sizes(of, how, presets, tell) if of.task == "detection" else _words(of, how, tell))
    training = None
    if how.training:
        batch = int(of.settings["loader"]["batch_size"])
        side = of.settings["encoder"].get("size")
        size = (side, side) if of.task == "detection" else (network.height, network.width)
        tell(f"two training steps of {batch} pictures of {size[0]}x{size[1]}")
        training = peak_memory(of, "training", batch, size, how.device, how.threads)
    return Cost(
        of.name,
        of.task,
        device_title(how.device),
        how.threads,
        str(deployed.precision),
        sum(p.numel() for p in network.parameters()),
        sum(t.numel() * t.element_size() for t in tensors) / 1e6,
        Path(of.checkpoint).stat().st_size / 1e6 if of.checkpoint else None,
        sizes,
        training,
    )


def device_title(device: str) -> str:
    """``cpu``, or the name of the GPU."""
    return torch.cuda.get_device_name(device) if device.startswith("cuda") else device


def _words(of: Subject, how: How, tell: Callable[[str], None]) -> Iterator[AtSize]:
    recognizer: Recognizer = of.deployed()
    network, batch = recognizer.network, how.batch or 64
    height, width = network.height, network.width
    flops = count_recognizer(network)
    network.to(how.device)
    pictures = list(np.random.default_rng(0).integers(0, 256, (batch, height, width, 3), np.uint8))
    images_1CHW = torch.rand(1, network.channels, height, width, device=how.device) * 2 - 1
    tell(f"reading words of {height}x{width}")
    with torch.inference_mode(), _longest_texts(network.pred):
        autocast = torch.autocast(how.device.partition(":")[0], torch.bfloat16, enabled=recognizer.precision == "bf16")
        with autocast:
            logits_1TK = network(images_1CHW).float()

        def forward() -> Any:
            with autocast:
                return network(images_1CHW)

        def post() -> Any:
            probabilities_1T, ids_1T = logits_1TK.softmax(2).max(2)
            return network.codec.decode(ids_1T.cpu().numpy(), probabilities_1T.cpu().numpy())

        recognizer.batch_size = batch
        calls = {"network": forward, "post": post, "whole": lambda: recognizer.read(pictures)}
        timings, load = time_calls(calls, how.seconds, how.device)
    memory = peak_memory(of, "inference", batch, (height, width), how.device, how.threads)
    yield AtSize("words", height, width, batch, flops, **timings, memory=memory, verdict=verdict(load, timings))


@contextmanager
def _longest_texts(pred: torch.nn.Module) -> Iterator[None]:
    """Let an attention decoder take all its steps, as on the longest text: what it would see in noise is no matter."""
    if not isinstance(pred, Attention):
        yield
        return
    bias_K = pred.output.bias.detach()
    before = float(bias_K[pred.codec.end])
    bias_K[pred.codec.end] = -math.inf
    try:
        yield
    finally:
        bias_K[pred.codec.end] = before


def _detector_sizes(of: Subject, how: How, presets: Sequence[str], tell: Callable[[str], None]) -> Iterator[AtSize]:
    batch = how.batch or (4 if how.device.startswith("cuda") else 1)
    for name in presets or [n for n in names_in("inference") if n != "released"]:
        inference = plain(compose_config([PRESET["detection"], f"inference={name}"]))["inference"]
        detector: Detector = of.deployed(batch_size=batch, **inference)
        wide, high = PROPORTIONS.get(name, (4, 3))
        width, height = inference["long_side"], round(inference["long_side"] * high / wide)
        padded = tuple(-(-side // STRIDE) * STRIDE for side in (height, width))
        flops = count_detector(detector.network, *padded)
        detector.network.to(how.device)
        tell(f"searching pictures of {width}x{height} ({name})")
        timings, load = time_calls(
            _detector_calls(detector, (height, width), padded, batch, how), how.seconds, how.device
        )
        memory = peak_memory(of, "inference", batch, (height, width), how.device, how.threads, **inference)
        yield AtSize(name, height, width, batch, flops, **timings, memory=memory, verdict=verdict(load, timings))


def _detector_calls(
    detector: Detector, size: tuple[int, int], padded: tuple[int, ...], batch: int, how: How
) -> dict[str, Callable[[], Any]]:
    rng = np.random.default_rng(0)
    pictures = list(rng.integers(0, 256, (batch, *size, 3), np.uint8))
    images_13HW = normalise(torch.from_numpy(rng.integers(0, 256, (1, 3, *padded), np.uint8)).to(how.device))
    maps_2hw = drawn_maps(size[0] // 2, size[1] // 2)
    kind = how.device.partition(":")[0]

    def forward() -> Any:
        with torch.inference_mode(), torch.autocast(kind, torch.bfloat16, enabled=detector.precision == "bf16"):
            return detector.network(images_13HW)

    def post() -> Any:
        return find_words(maps_2hw, detector.thresholds, (0.5, 0.5), detector.polygons, detector.line_gap)

    return {"network": forward, "post": post, "whole": lambda: detector.detect(pictures)}


def drawn_maps(height: int, width: int) -> Maps:
    """Score maps (2, height, width) of :data:`WORDS` words that lean by a few degrees, evenly spread over the map."""
    columns = 4
    rows = WORDS // columns
    tall, wide = 0.35 * height / rows, 0.8 * width / columns / CHARACTERS
    corners = np.array([[0, 0], [wide * 0.9, 0], [wide * 0.9, tall], [0, tall]])
    words = []
    for i in range(WORDS):
        angle = math.radians((i % 5 - 2) * 3)
        turn = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
        start = np.array([(i % columns + 0.1) * width / columns, (i // columns + 0.3) * height / rows])
        quads = np.stack([(corners + np.array([wide * c, 0])) @ turn + start for c in range(CHARACTERS)])
        words.append(quads.astype(np.float32))
    return score_maps((height, width), words)
