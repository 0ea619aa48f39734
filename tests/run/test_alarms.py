"""Alarms ring when a run goes wrong, not before, and only once; a resumed run knows what an undisturbed one knows."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from recipes import assert_same, record, run
from rich.console import Console

from ocr.detection.label_quality import LabelQuality
from ocr.detection.module import DetectionModule
from ocr.recognition.four_stage import FourStage
from ocr.run import checkpoint
from ocr.run.alarms.bell import Bell
from ocr.run.alarms.collapse import TeacherCollapse
from ocr.run.alarms.idle import IdleParameters
from ocr.run.alarms.memory import describe
from ocr.run.alarms.not_finite import weights_are_finite
from ocr.run.alarms.starvation import DataStarvation
from ocr.run.alarms.stuck import StuckLoss
from ocr.run.callbacks import Pace
from ocr.types import Scene, SceneBatch, WordBatch


def bell() -> Bell:
    return Bell(Console(quiet=True), [])


def steps_of(alarm: Bell) -> list[int]:
    return [rung["step"] for rung in alarm.rung]


# --- numbers that are none ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", ["loss", "gradient"])
def test_a_number_that_is_none_stops_and_the_state_before_it_is_kept(
    tiny_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    original, steps = FourStage.loss, 0

    def spoilt(self: FourStage, images_BCHW: torch.Tensor, *rest: Any) -> torch.Tensor:
        nonlocal steps
        steps += 1
        loss = original(self, images_BCHW * (torch.nan if steps == 5 and what == "loss" else 1), *rest)
        # the root of zero is zero, and its slope is infinite
        return loss + (0 * loss).sqrt() if steps == 5 and what == "gradient" else loss

    with monkeypatch.context() as patch:
        patch.setattr(FourStage, "loss", spoilt)
        with pytest.raises(
            ValueError, match=rf"the {what} is nan at step 4, batch of mjsynth/.*failure\.ckpt are from"
        ):
            run(tiny_root, tmp_path, "crnn", "feat.norm_all=true")
    kept = checkpoint.read(tmp_path / "run/failure.ckpt")
    before = checkpoint.read(tmp_path / "run/last.ckpt")
    assert kept["global_step"] == before["global_step"] == 4
    for part in ("state_dict", "optimizer_states", "lr_schedulers"):
        assert_same(kept[part], before[part], part)
    assert kept["failure"]["step"] == 4
    assert len(kept["failure"]["keys"]) == 4
    assert all(key in str(record(tmp_path / "run").error) for key in kept["failure"]["keys"])


def test_weights_that_are_not_finite_are_not_saved(
    tiny_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def spoil(self: Any, trainer: Any, module: Any, *rest: Any) -> None:
        if trainer.global_step == 2:
            next(module.parameters()).data.fill_(torch.inf)

    monkeypatch.setattr(StuckLoss, "on_train_batch_end", spoil)
    with pytest.raises(ValueError, match=r"the weights at step 2 are not finite: .*/last\.ckpt is from before it"):
        run(tiny_root, tmp_path, "crnn")
    assert checkpoint.read(tmp_path / "run/last.ckpt")["global_step"] == 1


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_one_number_among_many_is_seen(value: float) -> None:
    network = torch.nn.Linear(100, 100)
    assert weights_are_finite(network)
    with torch.no_grad():
        network.weight[7, 3] = value
    assert not weights_are_finite(network)


# --- the loss is stuck ----------------------------------------------------------------------------------------------------


def losses(kind: str, count: int) -> np.ndarray:
    noise = np.random.default_rng(3).normal(0, 0.3, count)
    falling = np.linspace(4, 1, count)
    return {"falling": falling, "flat": np.full(count, 3.0), "rising": falling[::-1], "exactly": 3 - noise}[
        kind
    ] + noise


@pytest.mark.parametrize(
    ("kind", "best_step", "rings"),
    [
        ("falling", -1, []),
        ("flat", -1, [200]),
        ("rising", -1, [200]),
        ("exactly", -1, [200]),
        ("flat", 150, [400]),
        ("flat", 10**6, []),
    ],
)
def test_a_stuck_loss(kind: str, best_step: int, rings: list[int]) -> None:
    alarm, checkpoints = bell(), SimpleNamespace(best_step=best_step)
    watch = StuckLoss(alarm, checkpoints, 200)  # type: ignore[arg-type]
    for step, loss in enumerate(losses(kind, 600), 1):
        if step == 250:  # a resume changes nothing
            resumed = StuckLoss(alarm, checkpoints, 200)  # type: ignore[arg-type]
            resumed.load_state_dict(watch.state_dict())
            watch = resumed
        watch.on_train_batch_end(SimpleNamespace(global_step=step), None, {"loss": torch.tensor(loss)}, None, 0)  # type: ignore[arg-type]
    assert steps_of(alarm) == rings


# --- parameters without a gradient ----------------------------------------------------------------------------------------


def test_parameters_that_never_had_a_gradient_are_named() -> None:
    class Network(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.used, self.late, self.dead, self.frozen = (torch.nn.Linear(2, 2) for _ in range(4))
            self.frozen.requires_grad_(False)

    network, alarm = Network(), bell()
    watch = IdleParameters(alarm, 10)
    for step in range(20):
        network.zero_grad()
        output = network.used(torch.ones(2)) + network.late(torch.ones(2)) * (step == 8)
        (output + torch.relu(network.dead(torch.ones(2)) - 100)).sum().backward()
        watch.on_before_optimizer_step(SimpleNamespace(global_step=step), network, None)  # type: ignore[arg-type]
    assert steps_of(alarm) == [10]
    assert alarm.rung[0]["line"].startswith("dead.weight, dead.bias (6 numbers) had no gradient")


# --- the teacher ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("course", "rings"),
    [
        ([0.2, 0.5, 0.8, 0.7, 0.6, 0.5], []),
        ([0.2, 0.8, 0.3, 0.2, 0.1], [3]),
        ([0.8, 0.3, 0.5, 0.3, 0.7, 0.3], [2, 6]),
        ([0.8] + [0.1] * 5, [2]),
    ],
)
def test_a_teacher_that_collapses(course: list[float], rings: list[int]) -> None:
    alarm = bell()
    module = DetectionModule.__new__(DetectionModule)
    torch.nn.Module.__init__(module)
    module.label_quality = LabelQuality(words=1000)
    module.labeller = SimpleNamespace(splitter=SimpleNamespace(needs_scores=True))  # type: ignore[assignment]
    watch = TeacherCollapse(alarm, 0.5)
    for step, quality in enumerate(course, 1):
        module.label_quality.values = {"characters": quality, "confidence": 0.9}
        watch.on_train_batch_end(SimpleNamespace(global_step=step), module, None, None, 0)  # type: ignore[arg-type]
    assert steps_of(alarm) == rings


# --- waiting for data -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("waiting", "rings"), [(0.3, []), (0.8, [105])])
def test_waiting_for_data(waiting: float, rings: list[int]) -> None:
    alarm, rows = bell(), SimpleNamespace(total=Pace())
    watch = DataStarvation(alarm, rows, 0.5, workers=2)  # type: ignore[arg-type]
    for step in range(1, 400):
        # starting the workers takes long and is no starvation
        waited = 100.0 if step == 1 else 0.2 * waiting
        rows.total = Pace(step, rows.total.trained + 0.2 * (1 - waiting), rows.total.waited + waited)
        watch.on_train_batch_end(SimpleNamespace(global_step=step), None, None, None, 0)  # type: ignore[arg-type]
    assert steps_of(alarm) == rings
    assert all("80% of the time is waiting for data: loader.workers=4" in rung["line"] for rung in alarm.rung)


# --- memory ---------------------------------------------------------------------------------------------------------------


def out_of_memory_above(samples: int, monkeypatch: pytest.MonkeyPatch) -> None:
    original = FourStage.loss

    def loss(self: FourStage, images_BCHW: torch.Tensor, *rest: Any) -> torch.Tensor:
        if len(images_BCHW) > samples:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB")
        return original(self, images_BCHW, *rest)

    monkeypatch.setattr(FourStage, "loss", loss)


def test_memory_that_runs_out_is_told_with_batch_and_picture(
    tiny_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out_of_memory_above(2, monkeypatch)
    expected = r"out of memory in training at step 0, a batch of 4 pictures of 100 x 32 pixels \(most of it: mjsynth/.*loader\.batch"
    with pytest.raises(ValueError, match=expected):
        run(tiny_root, tmp_path, "crnn")
    assert "trainer.halve=true" in str(record(tmp_path / "run").error)


def test_batches_go_on_in_pieces_that_add_up_to_the_same(
    tiny_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out_of_memory_above(1, monkeypatch)
    run(tiny_root, tmp_path, "crnn", "trainer.halve=true", "length.max_steps=3")
    kept = checkpoint.read(tmp_path / "run/last.ckpt")
    assert kept["callbacks"]["OutOfMemory"]["pieces"] == 4
    (alarm,) = record(tmp_path / "run").alarms
    assert alarm["name"] == "out of memory"
    assert "a batch of 4 pictures of 100 x 32 pixels" in alarm["line"]
    assert "batches are computed in 4 pieces from now on" in alarm["line"]
    assert record(tmp_path / "run").status == "finished"


def test_what_takes_most_of_a_batch() -> None:
    words = WordBatch(torch.zeros(3, 1, 32, 90), ["a"] * 3, ["s/1", "s/2", "s/3"], torch.tensor([10, 90, 40]))
    assert describe(words) == "a batch of 3 pictures of 90 x 32 pixels (most of it: s/2)"
    maps = torch.zeros(1, 2, 8, 8), torch.zeros(1, 8, 8)
    assert describe(SceneBatch(torch.zeros(1, 3, 16, 16), *maps, ["s/7"])).endswith("16 x 16 pixels (most of it: s/7)")
    scenes = [Scene.__new__(Scene) for _ in range(2)]
    for scene, (key, width) in zip(scenes, (("s/1", 30), ("s/2", 70)), strict=True):
        object.__setattr__(scene, "key", key)
        object.__setattr__(scene, "image", np.zeros((10, width, 3), np.uint8))
    assert describe(scenes) == "2 pictures, the largest s/2 of 70 x 10 pixels"
