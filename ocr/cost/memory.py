"""Peak memory of one inference or of training steps, each in a process of its own: ``python -m ocr.cost.memory < SPECIFICATION``.

A process that has done something else before keeps memory that this would be blamed for.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import torch

from ocr.averaging import WeightAverage
from ocr.config import build
from ocr.cost.subject import Subject
from ocr.cost.timing import fixed_threads
from ocr.detection.loss import detection_loss
from ocr.run.record import forget_peak_memory, peak_memory_mb

STEPS = 2
"""Training steps: the optimiser has its states from the first one on, and the second has them and the gradients."""
What = Literal["inference", "training"]


@dataclass(frozen=True, slots=True)
class Peak:
    """Megabytes (10^6 bytes): the most that was held, and what the process held before there was a network.

    On a GPU what torch has allocated there, else the resident memory of the process.  ``error`` says why there is no number.
    """

    peak_mb: float | None
    before_mb: float
    batch: int
    height: int
    width: int
    error: str | None = None


def peak_memory(
    of: Subject, what: What, batch: int, size: tuple[int, int], device: str = "cpu", threads: int = 1, **inference: Any
) -> Peak:
    """Measure in a fresh process.

    Args:
        of: what to measure.
        what: one forward pass of ``batch`` pictures with what follows it, or :data:`STEPS` steps of training with that batch
            (network, gradients, optimiser and the average of the weights; without the loaders of the data).
        batch: pictures.
        size: of the pictures (height, width), pixels.
        device, threads: of torch.
        inference: arguments of the detector or recogniser.
    """
    specification = {
        "subject": asdict(of),
        "what": what,
        "batch": batch,
        "size": size,
        "device": device,
        "threads": threads,
        "inference": inference,
    }
    done = subprocess.run(
        [sys.executable, "-m", "ocr.cost.memory"],
        input=json.dumps(specification),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode == 0:
        return Peak(**json.loads(done.stdout.splitlines()[-1]))
    if done.returncode == -signal.SIGKILL:
        reason = "killed by the system, which had no memory left: measure a smaller batch"
    else:
        reason = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
    return Peak(None, 0.0, batch, *size, reason)


def measure(
    subject: dict[str, Any],
    what: What,
    batch: int,
    size: tuple[int, int],
    device: str,
    threads: int,
    inference: dict[str, Any],
) -> Peak:
    """In this process; arguments as those of :func:`peak_memory`."""
    of = Subject(**subject)
    before = _held(device)
    with fixed_threads(threads):
        if what == "inference":
            _infer(of, batch, size, device, inference)
        else:
            _train(of, batch, size, device)
    return Peak(_peak(device), before, batch, *size)


def _infer(of: Subject, batch: int, size: tuple[int, int], device: str, inference: dict[str, Any]) -> None:
    deployed = of.deployed(device, batch_size=batch, **inference)
    pictures = np.random.default_rng(0).integers(0, 256, (batch, *size, 3), np.uint8)
    forget_peak_memory()
    (deployed.detect if of.task == "detection" else deployed.read)(list(pictures))


def _train(of: Subject, batch: int, size: tuple[int, int], device: str) -> None:
    settings = of.settings
    network = build(settings["model"], "model").train().to(device)
    decay = settings["module"].get("ema_decay")
    average = None if decay is None else WeightAverage(network, decay)
    optimizer = build(settings["optim"], "optim")(network.parameters())
    loss = _detection_loss if of.task == "detection" else _recognition_loss
    half = "bf16" in _precision(settings["trainer"] | {"accelerator": device.partition(":")[0]})
    forget_peak_memory()
    for _ in range(STEPS):
        with torch.autocast(device.partition(":")[0], torch.bfloat16, enabled=half):
            loss(network, batch, size, device).backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), settings["length"]["clip"])
        optimizer.step()
        optimizer.zero_grad()
        if average is not None:
            average.update(network)


def _precision(trainer: dict[str, Any]) -> str:
    if trainer["precision"] != "auto":
        return str(trainer["precision"])
    from ocr.run import hardware  # brings Lightning along: seconds, and memory that a step does not need

    return str(hardware.precision(trainer))


def _recognition_loss(network: Any, batch: int, size: tuple[int, int], device: str) -> torch.Tensor:
    codec = network.codec
    alphabet = codec.charset.characters
    # neighbours differ: CTC needs no blanks between them, so the longest text fits wherever it can at all
    text = "".join(alphabet[i % len(alphabet)] for i in range(codec.max_length))
    while codec.reject(text) is not None:
        text = text[:-1]
    loss: torch.Tensor = network.loss(torch.rand(batch, network.channels, *size, device=device), [text] * batch)
    return loss


def _detection_loss(network: Any, batch: int, size: tuple[int, int], device: str) -> torch.Tensor:
    scores_B2hw, _ = network(torch.rand(batch, 3, *size, device=device))
    target_B2hw = torch.rand_like(scores_B2hw)
    return detection_loss(scores_B2hw, target_B2hw, torch.ones_like(target_B2hw[:, 0])).total


def _held(device: str) -> float:
    if device.startswith("cuda"):
        return torch.cuda.memory_allocated(device) / 1e6
    forget_peak_memory()
    return peak_memory_mb()


def _peak(device: str) -> float:
    return torch.cuda.max_memory_allocated(device) / 1e6 if device.startswith("cuda") else peak_memory_mb()


if __name__ == "__main__":
    print(json.dumps(asdict(measure(**json.loads(sys.stdin.read())))))
