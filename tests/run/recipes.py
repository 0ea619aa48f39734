"""Toy-size runs of every kind that must resume exactly, as command-line overrides; how to run them, and what "the same" means."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch

from ocr.config import CONF, compose_config
from ocr.run import checkpoint
from ocr.run.record import RunRecord
from ocr.run.train import train

LENGTH = ["length.max_steps=6", "length.val_every=3", "length.save_every=1", "length.log_every=1"]
COMMON = [*LENGTH, "trainer.threads=1", "optim=adamw", "schedule=one_cycle", "progress=false", "optim.lr=0.001"]
WORDS = [*COMMON, "data=mjsynth", "loader.batch_size=4", "feat.channels=32", "charset=full94"]
SCENES = [
    *COMMON,
    "model=craft",
    "model.width=0.0625",
    "encoder.size=96",
    "loader.batch_size=2",
    "module.long_side=192",
]
RECIPES = {
    "crnn": ["model=crnn", *WORDS, "seq.hidden=16", "augment=words"],
    "attention": ["model=rare", *WORDS, "seq.hidden=16", "pred.hidden=16"],
    "modern": ["model=crnn", "recipe=modern", *WORDS, "seq.hidden=16", "module.ema_decay=0.9"],
    "craft-strong": [*SCENES, "data=synthtext"],
    "craft-weak": [*SCENES, "data=synthtext+icdar2015", "data.sources.icdar2015.weight=1"],
}


def overrides(root: Path, runs: Path, recipe: str, *more: str) -> list[str]:
    """The run directory is ``<runs>/run``."""
    return [*RECIPES[recipe], "loader.workers=0", f"root={root}", f"runs={runs}", "name=run", *more]


def run(root: Path, runs: Path, recipe: str, *more: str) -> float:
    return train(compose_config(overrides(root, runs, recipe, *more)))


def start(*arguments: str, environment: dict[str, str | None] | None = None, **options: Any) -> subprocess.Popen[str]:
    """``python train.py …`` in a process of its own."""
    variables = os.environ | {"OMP_NUM_THREADS": "1"} | (environment or {})
    return subprocess.Popen(
        [sys.executable, str(CONF.parent / "train.py"), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={k: v for k, v in variables.items() if v is not None},
        **options,
    )


def command(*arguments: str, **options: Any) -> tuple[int, str, str]:
    """Its exit status, standard output and standard error."""
    process = start(*arguments, **options)
    output, errors = process.communicate(timeout=600)
    return process.returncode, output, errors


def record(folder: Path) -> RunRecord:
    found = RunRecord.read(folder)
    assert found is not None
    return found


def assert_same(a: Any, b: Any, where: str = "") -> None:
    if isinstance(a, torch.Tensor):
        assert torch.equal(a, b), where
    elif isinstance(a, dict):
        assert a.keys() == b.keys(), where
        for key in a:
            assert_same(a[key], b[key], f"{where}/{key}")
    elif isinstance(a, list | tuple):
        assert len(a) == len(b), where
        for i, (x, y) in enumerate(zip(a, b, strict=True)):
            assert_same(x, y, f"{where}/{i}")
    else:
        assert a == b or (a != a and b != b), f"{where}: {a} {b}"


def assert_same_run(one: Path, other: Path) -> None:
    """Weights, optimiser, rows and scores to the bit."""
    assert (one / "metrics.jsonl").read_bytes() == (other / "metrics.jsonl").read_bytes()
    a, b = (checkpoint.read(folder / checkpoint.LAST) for folder in (one, other))
    for part in (
        "state_dict",
        "optimizer_states",
        "lr_schedulers",
        "ocr",
        "callbacks",
        "global_step",
        *({"labels"} & a.keys()),
    ):
        assert_same(a[part], b[part], part)
    assert_same(*(checkpoint.read(folder / checkpoint.BEST)["state_dict"] for folder in (one, other)), "best")
    first, second = record(one), record(other)
    assert (first.score, first.best_step) == (second.score, second.best_step)
