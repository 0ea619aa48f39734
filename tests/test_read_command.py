"""``ocr read`` before it reads: models that are not what they should be."""

import os
from pathlib import Path
from typing import Any

import pytest
import torch

from ocr import cli


class Trap:
    """Makes a folder when it is unpickled."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.folder),)


def test_weights_of_a_stranger_are_refused_and_nothing_in_them_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stranger, sprung = tmp_path / "stranger.ckpt", tmp_path / "sprung"
    torch.save({"ocr": {"format": 1}, "state_dict": Trap(sprung)}, stranger)
    sprung.mkdir()
    with pytest.raises(FileExistsError):
        torch.load(stranger, weights_only=False)
    sprung.rmdir()
    models = ["--detector", str(stranger), "--recognizer", str(stranger)]
    assert cli.main(["read", "a.png", *models, "--out", str(tmp_path / "out")]) == 1
    told = capsys.readouterr().err
    assert told.startswith(f"error: {stranger} is no checkpoint that can be loaded safely")
    assert told.count("\n") == 1
    assert not sprung.exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--batch", "0"], "--batch 0: read at least one picture at a time"),
        (["--format", "txt"], "format 'txt': choose"),
    ],
)
def test_options_are_checked_before_the_models_are_loaded(
    options: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    models = ["--detector", "none.ckpt", "--recognizer", "none.ckpt", "--out", str(tmp_path / "out")]
    assert cli.main(["read", "a.png", *models, *options]) == 1
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
