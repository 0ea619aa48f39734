"""``ocr evaluate`` of a detector under presets of conf/inference: both stay in the table, each with what it was searched with."""

from pathlib import Path

import torch

from ocr import cli
from ocr.detection.craft import CRAFT
from ocr.run import checkpoint
from ocr.run.logging import read_rows


def test_scores_under_two_presets_stand_side_by_side(tiny_root: Path, tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = {"_target_": "ocr.detection.craft.CRAFT", "width": 0.0625}
    ours = {"format": 1, "task": "detection", "network": network, "weights": "network.", "inference": {"long_side": 96}}
    state = {f"network.{k}": v for k, v in CRAFT(0.0625).state_dict().items()}
    checkpoint.write({"ocr": ours, "state_dict": state, "global_step": 0}, tmp_path / "craft.ckpt")
    command = ["evaluate", str(tmp_path / "craft.ckpt"), "data=icdar2015", f"root={tiny_root}", "protocol=ic15_iou"]
    assert cli.main(command) == 0
    for _ in range(2):
        assert cli.main([*command, "inference=icdar2013", "inference.max_enlargement=1"]) == 0
    sides = [r["inference"] and r["inference"]["long_side"] for r in read_rows(tmp_path / "predictions/scores.jsonl")]
    assert set(sides) == {None, 960}
    assert sides.count(None) == sides.count(960)
