"""Deployed weights as safetensors: half the size, the same reading, and nothing that could be executed."""

import json
import struct

import numpy as np
import pytest
import torch

pytest.importorskip("safetensors")

from safetensors.torch import save_file

from ocr.cli import main
from ocr.run import checkpoint
from ocr.run.packed_weights import pack, unpack

OURS = {"format": 1, "task": "recognition", "network": {"_target_": "x"}, "weights": "network.", "inference": {}}


def test_a_half_precision_recognizer_reads_like_its_checkpoint(tiny_recognizer, tmp_path, capsys):
    out = tmp_path / "small.safetensors"
    assert main(["export", str(tiny_recognizer), "--to", "safetensors", "--half", "--out", str(out)]) == 0
    assert "matrices in fp16" in capsys.readouterr().out
    whole, small = checkpoint.deployable(tiny_recognizer), checkpoint.deployable(out, "recognition")
    for name, weight in whole.network.state_dict().items():
        np.testing.assert_allclose(small.network.state_dict()[name], weight, rtol=2**-11, atol=2**-24)
    assert (small.fit.keywords, small.batch_size) == (whole.fit.keywords, whole.batch_size)
    assert len(small.read([np.zeros((32, 90, 3), np.uint8)] * 2)) == 2
    weights = sum(t.numel() for t in checkpoint.weights(checkpoint.read(tiny_recognizer)).values())
    assert out.stat().st_size < 2.4 * weights


def test_without_half_the_weights_come_back_bit_for_bit(tmp_path):
    state = {"linear.weight": torch.randn(3, 4), "norm.running_var": torch.rand(4), "norm.count": torch.tensor(7)}
    pack(OURS, state, tmp_path / "all.safetensors")
    content = unpack(tmp_path / "all.safetensors")
    assert all(torch.equal(content["state_dict"][name], tensor) for name, tensor in state.items())
    assert content["ocr"] == {**OURS, "weights": ""}


def test_half_keeps_vectors_whole_and_gives_float32_back(tmp_path):
    state = {"linear.weight": torch.randn(3, 4), "norm.running_var": torch.full((4,), 1e-9)}
    pack(OURS, state, tmp_path / "half.safetensors", half=True)
    back = unpack(tmp_path / "half.safetensors")["state_dict"]
    assert back["linear.weight"].dtype == torch.float32
    assert torch.equal(back["linear.weight"], state["linear.weight"].half().float())
    assert torch.equal(back["norm.running_var"], state["norm.running_var"])


def test_weights_beyond_fp16_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"linear\.weight has weights that do not fit into fp16"):
        pack(OURS, {"linear.weight": torch.full((2, 2), 1e6)}, tmp_path / "half.safetensors", half=True)
    assert list(tmp_path.iterdir()) == []


def test_files_of_strangers_are_refused_in_one_line(tmp_path):
    path = tmp_path / "other.safetensors"
    save_file({"x": torch.zeros(2)}, path)
    with pytest.raises(ValueError, match="none of this project"):
        checkpoint.read(path)
    whole = path.read_bytes()
    path.write_bytes(whole[:-4])
    with pytest.raises(ValueError, match="only a part of one"):
        checkpoint.read(path)
    path.write_bytes(struct.pack("<Q", 2**60) + b"{}")
    with pytest.raises(ValueError, match="no safetensors file"):
        checkpoint.read(path)
    save_file({"x": torch.zeros(2)}, path, {"ocr": json.dumps({**OURS, "format": 9})})
    with pytest.raises(ValueError, match="format 9"):
        checkpoint.read(path)
    evil = {**OURS, "network": {"_target_": "os.system", "command": "true"}}
    save_file({"x": torch.zeros(2)}, path, {"ocr": json.dumps(evil)})
    with pytest.raises(ValueError, match="not allowed"):
        checkpoint.deployable(path)


def test_options_that_contradict_each_other_are_refused(tiny_recognizer, capsys):
    for options, said in [
        (["--half"], "--half is for"),
        (["--to", "safetensors", "--int8", "dynamic"], "--int8 is for"),
        (["--int8", "static"], "needs --data"),
    ]:
        assert main(["export", str(tiny_recognizer), *options]) == 1
        assert said in capsys.readouterr().err
