"""What composes but cannot be meant is refused in one line, before anything is written."""

from pathlib import Path

import pytest
import torch
from recipes import run


@pytest.mark.parametrize(
    ("recipe", "more", "expected"),
    [
        ("crnn", ["length.max_steps=5"], r"length\.max_steps=5 is no multiple of length\.val_every=3"),
        ("crnn", ["length.val_every=0"], r"length\.val_every=0: give a whole number from 1 on"),
        ("crnn", ["loader.batch_size=0"], r"loader\.batch_size=0: give a whole number"),
        ("crnn", ["~data"], r"data: no training set is named"),
        ("crnn", ["protocol=ic15_iou"], r"protocol=ic15_iou is for detection, and this is recognition"),
        ("crnn", ["init=nowhere.ckpt"], r"checkpoint not found: nowhere\.ckpt"),
        ("craft-strong", ["feat=vgg"], r"feat=…: a detector has no such stage"),
        ("craft-strong", ["recipe=dtrb"], r"recipe=dtrb: the recipes train recognisers"),
        ("craft-strong", ["protocol=case36"], r"protocol=case36 is for recognition, and this is detection"),
    ],
)
def test_one_line_and_no_trace(tiny_root: Path, tmp_path: Path, recipe: str, more: list[str], expected: str) -> None:
    with pytest.raises(ValueError, match=expected) as caught:
        run(tiny_root, tmp_path / "runs", recipe, *more)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.rglob("*.*"))


def test_no_model_is_no_run(tmp_path: Path) -> None:
    from ocr.config import compose_config
    from ocr.run.train import train

    with pytest.raises(ValueError, match="no model is chosen"):
        train(compose_config(["~model", f"runs={tmp_path}"]))


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_missed_in_one_line(tiny_root: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="trainer=gpu: torch sees no GPU here"):
        run(tiny_root, tmp_path, "crnn", "trainer=gpu")
