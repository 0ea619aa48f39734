"""What a run leaves: record, rows, pictures, and the mirror of both in Weights & Biases."""

import json
import mmap
import sys
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from recipes import command, overrides, record, run

from ocr.config import compose_config, plain
from ocr.run.callbacks import WARM_UP, Pace, Rows
from ocr.run.folder import run_folder
from ocr.run.logging import Journal, read_rows
from ocr.run.record import RunRecord, forget_peak_memory, peak_memory_mb


def sheet(path: Path) -> Any:
    image = cv2.imread(str(path))
    assert image is not None
    return image


def test_the_record_says_what_a_report_needs(tiny_root: Path, tiny_recognizer: Path) -> None:
    found = record(tiny_recognizer.parent)
    manifest = json.loads((tiny_root / "recognition/mjsynth/train/manifest.json").read_text())
    part = found.data["mjsynth"]
    assert (part["kind"], part["fingerprint"], part["count"]) == ("rendered", manifest["fingerprint"], 60)
    assert part["train"] + part["validation"] == 60
    assert (found.status, found.steps, found.max_steps, found.seed) == ("finished", 6, 6, 1)
    assert found.model == "None-VGG-BiLSTM-CTC"
    assert found.parameters > 10_000
    assert found.versions["torch"]
    assert found.device.startswith("cpu")
    assert [(a["status"], a["from_step"], a["to_step"]) for a in found.attempts] == [("finished", 0, 6)]
    (tiny_recognizer.parent / "config.yaml").read_text().index("_target_: ocr.recognition.four_stage.FourStage")


def test_rows_hold_what_was_computed_and_timing_what_it_took(tiny_recognizer: Path) -> None:
    metrics = read_rows(tiny_recognizer.parent / "metrics.jsonl")
    assert [row["step"] for row in metrics] == [1, 2, 3, 3, 4, 5, 6, 6]
    assert {"step", "train/loss", "lr"} == metrics[0].keys()
    assert {"step", "val/word_accuracy", "val/ned"} == metrics[3].keys()
    timing = read_rows(tiny_recognizer.parent / "timing.jsonl")
    trained = [row for row in timing if "samples_per_second" in row]
    assert len(trained) == 6
    assert all(0 <= row["data_wait"] <= 1 and row["samples_per_second"] > 0 for row in trained)
    assert all(row["peak_memory_mb"] > 100 for row in trained)
    assert sum("validation_seconds" in row for row in timing) == 2


def test_the_mean_speed_leaves_out_the_first_steps_and_validation(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr("ocr.run.callbacks.time.perf_counter", lambda: now)

    class Trainer:
        global_step = 0
        world_size = 2

    class Saves:
        seconds = 0.0

    trainer, saves = Trainer(), Saves()
    rows = Rows(Journal.__new__(Journal), 8, 10**9, saves)  # type: ignore[arg-type]
    rows.on_train_start(trainer, None)  # type: ignore[arg-type]
    for step in range(WARM_UP + 10):
        now += 0.5  # waiting
        rows.on_train_batch_start(trainer, None, None, step)  # type: ignore[arg-type]
        now += 100.0 if step < WARM_UP else 1.5
        trainer.global_step += 1
        rows.on_train_batch_end(trainer, None, None, None, step)  # type: ignore[arg-type]
        now += 7.0  # saving
        saves.seconds += 7.0
    assert rows.pace == (160, pytest.approx(10 * 2.0))
    assert rows._total.since(rows._warm) == Pace(10, pytest.approx(15.0), pytest.approx(5.0))


def test_peak_memory_can_be_measured_anew() -> None:
    # not NumPy's memory: a run asks the C library to keep what is freed
    block = mmap.mmap(-1, 320_000_000)
    block[::4096] = bytes(len(block) // 4096)  # touches every page
    with_block = peak_memory_mb()
    block.close()
    forget_peak_memory()
    assert peak_memory_mb() < with_block - 200


def test_sheets_of_words(tiny_recognizer: Path) -> None:
    folder = tiny_recognizer.parent / "pictures"
    names = ["training-0000001", "training-0000003", "training-0000006", "validation-0000003", "validation-0000006"]
    assert sorted(p.stem for p in folder.iterdir()) == names
    assert all(sheet(p).std() > 5 for p in folder.iterdir())


def test_sheets_of_scenes_show_region_and_confidence(tiny_root: Path, tmp_path: Path) -> None:
    run(tiny_root, tmp_path, "craft-weak", "pictures=2")
    folder = tmp_path / "run/pictures"
    training, validation = sheet(folder / "training-0000006.jpg"), sheet(folder / "validation-0000006.jpg")
    # two scenes, three columns; the region map and the confidence map are in colour
    assert training.shape[1] > 3 * 320
    assert validation.shape[1] > 2 * 560
    third = training.shape[1] // 3
    for column in (1, 2):
        part = training[:320, column * third : (column + 1) * third].astype(int)
        assert np.abs(part[..., 0] - part[..., 2]).max() > 60
    assert not list(folder.glob("training-0000002.jpg"))


def test_no_sheets_where_none_are_wanted(tiny_root: Path, tmp_path: Path) -> None:
    run(tiny_root, tmp_path, "crnn", "pictures=0")
    assert not (tmp_path / "run/pictures").exists()


def test_a_row_cut_off_by_a_kill_is_dropped(tmp_path: Path) -> None:
    journal = Journal(tmp_path, "a", {})
    for step in (1, 2, 3):
        journal.metrics(step, loss=1.0 / step)
        journal.timing(step, seconds=1.0)
    for name in ("metrics.jsonl", "timing.jsonl"):
        with (tmp_path / name).open("a") as stream:
            stream.write('{"step": 4, "lo')
    journal.cut_back(2)
    journal.metrics(3, loss=0.5)
    assert [(r["step"], r["loss"]) for r in read_rows(tmp_path / "metrics.jsonl")] == [(1, 1.0), (2, 0.5), (3, 0.5)]
    assert len(read_rows(tmp_path / "timing.jsonl")) == 2


def test_a_record_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text('{"name": 3')
    with pytest.raises(ValueError, match=r"run\.json is no run record"):
        RunRecord.read(tmp_path)


# --- names ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("overrides", "name"),
    [
        (["model=craft", "data=synthtext+icdar"], "CRAFT-synthtext+icdar2015-s1"),
        (["model=trba", "data=mjsynth", "seed=3"], "TPS-ResNet-BiLSTM-Attn-mjsynth-s3"),
        (
            ["model=trba", "trans=none", "pred=ctc", "study=table1"],
            "table1/None-ResNet-BiLSTM-CTC-mjsynth+synthtext-s1",
        ),
        (["model=crnn", "name=mine"], "mine"),
    ],
)
def test_run_directories_are_named_by_choices(overrides: list[str], name: str) -> None:
    assert run_folder(plain(compose_config([*overrides, "runs=r"]))) == Path("r") / name


@pytest.mark.parametrize(
    ("given", "hashed"),
    [
        (["model=craft", "seed=2", "data=synthtext", "runs=x", "progress=false", "loader.workers=1"], False),
        (["model=crnn", "optim=adam"], True),
        (["model=craft", "model.width=0.25"], True),
        (["model=crnn", "data.sources.mjsynth.weight=2"], True),
        (["experiment=demo_strong"], True),
    ],
)
def test_what_the_name_does_not_say_is_hashed_into_it(
    given: list[str], hashed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ocr import config

    class Running:
        class overrides:  # noqa: N801  Hydra's name
            task = given

    monkeypatch.setattr(config.HydraConfig, "initialized", staticmethod(lambda: True))
    monkeypatch.setattr(config.HydraConfig, "get", staticmethod(lambda: Running))
    folder = run_folder(plain(compose_config(given)))
    assert (folder.name.rpartition("-")[2] not in ("s1", "s2")) == hashed


# --- Weights & Biases -----------------------------------------------------------------------------------------------------


def test_wandb_mirrors_offline_without_a_key_and_changes_nothing(
    tiny_root: Path, tmp_path: Path, tiny_recognizer: Path
) -> None:
    hidden = {"WANDB_API_KEY": None, "WANDB_MODE": None, "HOME": str(tmp_path), "NETRC": str(tmp_path / "none")}
    began = time.time()
    status, output, errors = command(*overrides(tiny_root, tmp_path, "crnn", "logger=wandb"), environment=hidden)
    assert (status, errors) == (0, ""), output
    (offline,) = (tmp_path / "run/wandb").glob("offline-run-*")
    (stored,) = offline.glob("*.wandb")
    assert stored.stat().st_mtime >= began - 1
    assert (tmp_path / "run/metrics.jsonl").read_bytes() == (tiny_recognizer.parent / "metrics.jsonl").read_bytes()
    assert len(list(offline.rglob("*.png"))) == len(list((tmp_path / "run/pictures").iterdir())) == 5
    held = stored.read_bytes()
    for wanted in (b"val/word_accuracy", b"train/loss", b"ocr.recognition.four_stage.FourStage", b"best.ckpt"):
        assert wanted in held, wanted


def test_wandb_that_is_not_installed_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(ValueError, match="logger=wandb: wandb is not installed; pip install wandb"):
        Journal(tmp_path, "a", {}, wandb=True)
    assert not list(tmp_path.iterdir())
