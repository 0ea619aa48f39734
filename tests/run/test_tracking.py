"""Weights & Biases without a connection: everything lies in the run directory, to be handed in later."""

import json
from pathlib import Path

import numpy as np
import pytest

from ocr.run.logging import Journal
from ocr.run.tracking import LONGEST_NAME, Mistake, safe_name


@pytest.fixture
def _offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("WANDB_API_KEY", "WANDB_MODE", "WANDB_DATA_DIR"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HOME", "WANDB_CACHE_DIR", "WANDB_CONFIG_DIR"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    monkeypatch.setenv("NETRC", str(tmp_path / "none"))


@pytest.mark.usefixtures("_offline")
def test_a_run_has_its_group_its_tables_with_pictures_and_its_checkpoint(tmp_path: Path) -> None:
    folder = tmp_path / "TPS+x"
    folder.mkdir()
    best = folder / "best.ckpt"
    best.write_bytes(b"weights" * 100)
    journal = Journal(folder, "TPS+x=1", {"study": "grid: 24 cells", "seed": 1}, wandb=True)
    journal.metrics(5, **{"train/loss": 0.5})
    picture = np.zeros((8, 20, 3), np.uint8)
    wrong = [Mistake(picture + shade, {"truth": "tea", "read": "ten", "key": str(shade)}) for shade in (1, 2)]
    journal.mistakes(5, "validation", wrong)
    journal.mistakes(6, "validation", [])
    journal.close({"word_accuracy": 0.5}, best)
    (offline,) = (folder / "wandb").glob("offline-run-*")
    (table,) = offline.glob("files/media/table/mistakes/*.json")
    content = json.loads(table.read_text())
    assert content["columns"] == ["picture", "truth", "read", "key"]
    assert [row[1:] for row in content["data"]] == [["tea", "ten", "1"], ["tea", "ten", "2"]]
    # the pictures wait in the run directory until they are handed in
    waiting = [path.read_bytes() for path in (folder / "wandb" / "artifacts").rglob("*") if path.is_file()]
    assert sum(content.startswith(b"\x89PNG") for content in waiting) == 2
    (stored,) = offline.glob("*.wandb")
    held = stored.read_bytes()
    for wanted in (b"grid--24-cells", b"grid--24-cells-TPS-x-1", b"train/loss", str(best).encode()):
        assert wanted in held, wanted
    # the checkpoint is handed in from where it lies
    assert best.read_bytes() not in waiting
    assert not list((tmp_path / "home").rglob("artifacts"))


def test_names_are_made_safe() -> None:
    assert safe_name("TPS-ResNet mjsynth+synthtext/s1=é") == "TPS-ResNet-mjsynth-synthtext-s1--"
    assert safe_name("v1.0_x-y") == "v1.0_x-y"
    assert len(safe_name("x" * 500)) == LONGEST_NAME


def test_without_wandb_nothing_is_mirrored(tmp_path: Path) -> None:
    journal = Journal(tmp_path, "a", {})
    journal.mistakes(1, "validation", [Mistake(np.zeros((1, 1, 3), np.uint8), {"read": "a"})])
    journal.metrics(1, loss=1.0)
    journal.close({}, tmp_path / "best.ckpt")
    assert [path.name for path in tmp_path.iterdir()] == ["metrics.jsonl"]
