"""``ocr cost`` on checkpoints and on models that only a config describes."""

import json
from pathlib import Path
from typing import Any

import pytest

from ocr.cli import main
from ocr.cost.measure import WORDS, How, drawn_maps, measure
from ocr.cost.memory import peak_memory
from ocr.cost.subject import subject
from ocr.detection.postprocess import Thresholds
from ocr.detection.words import find_words
from ocr.run import checkpoint

QUICK = ["--seconds", "0.01", "--device", "cpu"]


def as_json(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    assert main(["cost", *arguments, *QUICK, "--json", "-"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_a_recognizer_from_its_checkpoint(tiny_recognizer: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cost = as_json(capsys, str(tiny_recognizer), "--no-training", "--batch", "3")
    network = checkpoint.recognizer(tiny_recognizer).network  # type: ignore[attr-defined]
    assert cost["parameters"] == sum(p.numel() for p in network.parameters())
    assert cost["file_mb"] == tiny_recognizer.stat().st_size / 1e6
    assert (cost["task"], cost["threads"], cost["training"]) == ("recognition", 1, None)
    (size,) = cost["sizes"]
    assert (size["height"], size["width"], size["batch"]) == (32, 100, 3)
    assert 0 < size["network"]["p50"] <= size["network"]["p95"]
    assert size["memory"]["peak_mb"] > size["memory"]["before_mb"] > 0
    assert size["flops"]["comparison"] < sum(n for kinds in size["flops"]["by_stage"].values() for n in kinds.values())


def test_the_table_names_its_conventions(
    tiny_detector: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written = tmp_path / "cost.json"
    path = str(tiny_detector)
    assert main(["cost", path, "inference=icdar2013", "--no-training", *QUICK, "--json", str(written)]) == 0
    shown = capsys.readouterr().out
    assert "icdar2013 720x960" in shown
    assert "post-processing, ms p50 / p95" in shown
    assert "a multiply-add is 2" in shown
    (size,) = json.loads(written.read_text())["sizes"]
    assert size["post"]["p50"] > 0
    # the padded picture, and maps of half its size
    assert size["flops"]["by_stage"]["post-processing"]["the rest"] == 5 * 368 * 480


@pytest.mark.slow
def test_memory_grows_with_the_batch_and_training_takes_more(tiny_detector: Path) -> None:
    of = subject([str(tiny_detector), "loader.batch_size=3"])
    assert of.settings["loader"]["batch_size"] == 3
    one, four = (peak_memory(of, "inference", batch, (480, 640)).peak_mb for batch in (1, 4))
    training = peak_memory(of, "training", 4, (480, 640)).peak_mb
    assert one is not None
    assert four is not None
    assert training is not None
    assert one < four < training
    cost = measure(of, How(seconds=0.01), ["icdar2013", "ctw1500"])
    assert [(size.title, size.width) for size in cost.sizes] == [("icdar2013", 960), ("ctw1500", 1024)]
    assert cost.training is not None
    assert (cost.training.batch, cost.training.height, cost.training.error) == (3, 96, None)


@pytest.mark.slow
@pytest.mark.parametrize("cell", [["pred=attn", "trans=tps"], ["feat=svtr", "seq=none", "pred=parallel"]])
def test_a_training_step_of_every_kind_of_recognizer(cell: list[str]) -> None:
    narrow = [] if "feat=svtr" in cell else ["feat.channels=32"]
    cost = measure(subject(["model=crnn", *cell, *narrow, "loader.batch_size=2"]), How(seconds=0.01, batch=2))
    assert cost.training is not None
    assert cost.training.error is None
    assert cost.training.peak_mb
    assert cost.file_mb is None


def test_what_failed_in_the_other_process_is_said(tiny_recognizer: Path) -> None:
    peak = peak_memory(subject([str(tiny_recognizer)]), "inference", 1, (32, 100), device="nowhere")
    assert peak.peak_mb is None
    assert "nowhere" in str(peak.error)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([], "nothing to measure: name a checkpoint, or a model: model=craft"),
        (["feat=vgg"], "nothing to measure"),
        (["a.ckpt", "b.ckpt"], "a.ckpt b.ckpt: give one checkpoint"),
        (["none.ckpt"], "checkpoint not found: none.ckpt"),
        (["model=crn"], "there is no model named 'crn'"),
    ],
)
def test_nothing_to_measure_is_one_line(words: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cost", *words]) == 1
    assert says in capsys.readouterr().err


def test_a_checkpoint_keeps_its_model(tiny_recognizer: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cost", str(tiny_recognizer), "feat=vgg"]) == 1
    assert "feat=vgg: a checkpoint brings its own model" in capsys.readouterr().err


def test_all_words_that_post_processing_is_timed_with_are_found() -> None:
    for height, width in ((360, 480), (630, 1120)):
        assert len(find_words(drawn_maps(height, width), Thresholds())) == WORDS
