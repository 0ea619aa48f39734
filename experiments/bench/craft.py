"""``make bench-craft``: the paper-size CRAFT in bf16 with the channels last against fp32 in the default layout, the loss, and what
a narrow network's step costs with and without page faults and with other encoders.

The limit to compare with: forward and backward are dense convolutions, so no ratio can be much better than that of the library's
convolutions alone, which is printed; batch normalisation, ReLU and enlarging move memory and take the rest.
"""

from __future__ import annotations

import multiprocessing
import resource
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from experiments.bench.turns import figure, in_turns
from ocr.detection.backbones import VGG16BN, Backbone, MobileNetV2, ResNet
from ocr.detection.craft import CRAFT
from ocr.detection.loss import detection_loss
from ocr.freed_memory import keep_freed_memory
from ocr.run.hardware import bf16_in_hardware
from ocr.run.record import forget_peak_memory, peak_memory_mb

SEARCHED = (736, 1280)
"""Height and width of the picture that is searched, pixels."""
TRAINED = (768, 768)
LAYERS = ((64, 768), (128, 384), (256, 192), (512, 96))
"""Channels and side of the encoder's inner layers for a picture of that size."""
ROUNDS = 3
FAST, PLAIN = "bf16, channels last", "fp32, default layout"


class Setup:
    """A network in one precision and layout on one device, and a step of it."""

    def __init__(
        self, name: str, device: str, width: float = 1.0, backbone: Callable[[float], Backbone] = VGG16BN
    ) -> None:
        self.device, self.fast = torch.device(device), name == FAST
        self.layout = torch.channels_last if self.fast else torch.contiguous_format
        torch.manual_seed(1)
        network: Any = CRAFT(width, backbone).to(self.device)
        self.network = network.to(memory_format=self.layout)
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=1e-4)

    def pictures(self, size: tuple[int, int], count: int = 1) -> Tensor:
        """Random pictures (count, 3, h, w)."""
        images: Tensor = torch.randn(count, 3, *size, device=self.device)
        return images.contiguous(memory_format=self.layout)

    def scores(self, images_BCHW: Tensor) -> Tensor:
        """Region and affinity scores, float32."""
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.fast):
            return self.network(images_BCHW)[0].float()

    @torch.no_grad()
    def search(self, images_BCHW: Tensor) -> None:
        """A forward in evaluation mode."""
        self.network.eval()
        self.scores(images_BCHW)
        self.wait()

    def train(self, images_BCHW: Tensor) -> None:
        """A training step on a target with a tenth of the pixels positive."""
        self.network.train()
        b, _, h, w = images_BCHW.shape
        maps = torch.rand(b, 2, h // 2, w // 2, device=self.device)
        maps = maps * (maps < 0.1) * 10
        loss = detection_loss(self.scores(images_BCHW), maps, torch.ones_like(maps[:, 0]))
        self.optimizer.zero_grad()
        loss.total.backward()
        self.optimizer.step()
        self.wait()

    def wait(self) -> None:
        """Until the device has done what was asked."""
        if self.device.type == "cuda":
            torch.cuda.synchronize()


def peak_memory(name: str, device: str, train: bool) -> float:
    """Peak memory in MB of one search or one step, in a process of its own."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return float(pool.apply(_peak_memory, (name, device, train)))


def _peak_memory(name: str, device: str, train: bool) -> float:
    torch.set_num_threads(1)
    forget_peak_memory()
    setup = Setup(name, device)
    (setup.train if train else setup.search)(setup.pictures(TRAINED if train else SEARCHED))
    return peak_memory_mb()


def network(device: str) -> None:
    """Forward and training step of both setups in turns, and their memory."""
    setups = {name: Setup(name, device) for name in (PLAIN, FAST)}
    for what, size in (("forward", SEARCHED), ("training step", TRAINED)):
        train = what != "forward"
        ways: dict[str, Callable[[], None]] = {
            name: partial(s.train if train else s.search, s.pictures(size)) for name, s in setups.items()
        }
        seconds = in_turns(ways, ROUNDS)
        print(f"{what}, one picture of {size[1]} x {size[0]}, {device}, {torch.get_num_threads()} threads:")
        for name, value in seconds.items():
            print(f"  {name:24s} {value:7.3f} s  {peak_memory(name, device, train):7.0f} MB at its peak")
        figure(f"craft_{what.replace(' ', '_')}", seconds[PLAIN] / seconds[FAST], "times", 2.5)


def convolutions(device: str) -> None:
    """What the library's convolutions alone gain, on the encoder's inner layers at the size of a training step."""
    seconds = {name: np.zeros(2) for name in (PLAIN, FAST)}
    for channels, side in LAYERS:
        ways = {}
        for name in seconds:
            of = {"dtype": torch.bfloat16 if name == FAST else torch.float32, "device": device}
            layout = torch.channels_last if name == FAST else torch.contiguous_format
            x, gradient = (torch.randn(1, channels, side, side, **of).contiguous(memory_format=layout) for _ in "xg")
            weight = torch.randn(channels, channels, 3, 3, **of).contiguous(memory_format=layout)
            ways[name, 0] = partial(_forward, x, weight)
            ways[name, 1] = partial(_backward, gradient, x, weight)
        for (name, part), value in in_turns(ways, ROUNDS).items():
            seconds[name][part] += value
    gained = seconds[PLAIN] / seconds[FAST]
    step = seconds[PLAIN].sum() / seconds[FAST].sum()
    print(f"the library's convolutions alone: forward {gained[0]:.2f} times, backward {gained[1]:.2f}, both {step:.2f}")


def _forward(x: Tensor, weight: Tensor) -> None:
    torch.conv2d(x, weight, None, 1, 1)
    if x.is_cuda:
        torch.cuda.synchronize()


def _backward(gradient: Tensor, x: Tensor, weight: Tensor) -> None:
    arguments = [weight.shape[0]], [1, 1], [1, 1], [1, 1], False, [0, 0], 1, [True, True, False]
    torch.ops.aten.convolution_backward(gradient, x, weight, *arguments)
    if x.is_cuda:
        torch.cuda.synchronize()


def narrow(device: str) -> None:
    """Steps of the demo's size with every encoder, and on the CPU with and without freed memory given back to the system."""
    batch, size, width = 4, (256, 256), 0.25
    encoders: dict[str, Callable[[float], Backbone]] = {
        "vgg16_bn": VGG16BN,
        "resnet34": ResNet,
        "mobilenet_v2": MobileNetV2,
    }
    setups = {name: Setup(FAST, device, width, encoder) for name, encoder in encoders.items()}
    seconds = in_turns({name: partial(s.train, s.pictures(size, batch)) for name, s in setups.items()}, 9)
    print(f"training step, width {width:g}, {batch} pictures of {size[1]} x {size[0]}:")
    for name, value in seconds.items():
        print(f"  {name:24s} {1e3 * value:7.0f} ms")
    if device == "cpu":
        for keep in (False, True):
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                milliseconds, faults = pool.apply(_faulting, (keep, batch, size, width))
            print(
                f"  memory {'kept' if keep else 'given back'}: {milliseconds:.0f} ms of CPU, {faults:.0f} page faults a step"
            )


def _faulting(keep: bool, batch: int, size: tuple[int, int], width: float) -> tuple[float, float]:
    """CPU milliseconds and page faults of a step, in a process of its own."""
    torch.set_num_threads(1)
    if keep:
        keep_freed_memory()
    setup, rounds = Setup(FAST, "cpu", width), 15
    images = setup.pictures(size, batch)
    for _ in range(3):
        setup.train(images)
    before = resource.getrusage(resource.RUSAGE_SELF)
    for _ in range(rounds):
        setup.train(images)
    after = resource.getrusage(resource.RUSAGE_SELF)
    used = (after.ru_utime + after.ru_stime) - (before.ru_utime + before.ru_stime)
    return 1e3 * used / rounds, (after.ru_minflt - before.ru_minflt) / rounds


def loss(device: str) -> None:
    """The loss against a plain masked squared error, forward and backward; a fourteenth of the pixels are positive."""
    generator = torch.Generator().manual_seed(1)
    scores = torch.rand(8, 2, 384, 384, generator=generator).to(device).requires_grad_()
    maps = (torch.rand(8, 2, 384, 384, generator=generator) ** 30).to(device)
    trust = torch.ones(8, 384, 384, device=device)

    def plain() -> None:
        (((scores - maps) ** 2 * trust[:, None]).sum() / trust.sum()).backward()

    seconds = in_turns({"masked": plain, "ours": lambda: detection_loss(scores, maps, trust).total.backward()}, 9)
    print(f"loss on 8 x 2 x 384 x 384: masked squared error {1e3 * seconds['masked']:.1f} ms")
    print(f"                           with hard negatives  {1e3 * seconds['ours']:.1f} ms")
    figure("detection_loss", seconds["ours"] / seconds["masked"], "times a masked squared error", 3, at_most=True)


def main() -> None:
    """On the GPU where there is one, else on the CPU with the threads of OMP_NUM_THREADS."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    keep_freed_memory()
    if not bf16_in_hardware(device):
        print("this machine emulates bf16: the ratios below are not what other hardware gives")
    convolutions(device)
    network(device)
    narrow(device)
    loss(device)


if __name__ == "__main__":
    main()
