"""Several processes that train together, forked from the test: cheaper than Lightning's, which each import everything anew."""

import multiprocessing
import os
import socket
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import pytest
import pytorch_lightning as pl
from recipes import overrides
from torch.nn.modules.batchnorm import _BatchNorm

from ocr.config import compose_config
from ocr.run.train import _Callbacks, train

DDP = ["trainer=ddp", "trainer.accelerator=cpu"]
LIMIT = 600
"""Seconds after which processes that have not ended hang."""


def together(work: Callable[[int], Any], world: int = 2) -> None:
    """Run ``work(rank)`` in processes that Lightning takes for the ranks of one run; every one must end well."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        place = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(probe.getsockname()[1]), "WORLD_SIZE": str(world)}

    cv2.setNumThreads(1)  # a forked process would wait for the threads of OpenCV's pool, which it does not have

    def begin(rank: int) -> None:
        os.environ.update(place, LOCAL_RANK=str(rank), NODE_RANK="0")
        try:
            work(rank)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        sys.stdout.flush()
        os._exit(0)

    ranks = [multiprocessing.get_context("fork").Process(target=begin, args=[rank]) for rank in range(world)]
    for rank in ranks:
        rank.start()
    for rank in ranks:
        rank.join(LIMIT)
        rank.kill()
        rank.join()
    assert [rank.exitcode for rank in ranks] == [0] * world


def train_together(root: Path, runs: Path, recipe: str, *more: str, world: int = 2) -> None:
    """The run of :func:`recipes.run` with several processes."""
    config = compose_config(overrides(root, runs, recipe, *DDP, f"trainer.devices={world}", *more))
    together(lambda _: train(config), world)


class Frozen(pl.Callback):
    """Batch normalisation by its stored statistics, in training too."""

    def on_train_batch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, index: int) -> None:
        for layer in pl_module.modules():
            if isinstance(layer, _BatchNorm):
                layer.eval()


class Keys(pl.Callback):
    """A line with the keys of every batch, in a file for every process."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def on_train_batch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, index: int) -> None:
        with (self.folder / f"keys-{trainer.global_rank}").open("a") as stream:
            stream.write(" ".join(batch.keys) + "\n")


def with_callbacks(monkeypatch: pytest.MonkeyPatch, *callbacks: pl.Callback) -> None:
    """Have every run use these as well."""
    in_order = _Callbacks.in_order
    monkeypatch.setattr(_Callbacks, "in_order", lambda self: [*callbacks, *in_order(self)])
