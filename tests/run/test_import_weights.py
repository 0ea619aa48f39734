"""``ocr import-weights`` from a file of others to readings, and what it says of files that do not fit."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ocr import cli
from ocr.run import checkpoint
from ocr.run.published import SHOWN, misfits

sys.path.insert(0, str(Path(__file__).parents[1] / "recognition"))
from recognition_cells import build_cell, word_picture
from test_published_weights import published_state


@pytest.fixture
def network() -> Any:
    torch.manual_seed(0)
    return build_cell("TPS-VGG-BiLSTM-Attn").eval()


def saved(state: Any, folder: Path) -> str:
    torch.save(state, folder / "their.pth")
    return str(folder / "their.pth")


def refusal(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    assert cli.main(["import-weights", *arguments]) == 1
    return capsys.readouterr().err


def test_imported_weights_read_and_are_evaluated(
    network: Any, tiny_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = saved({"state_dict": published_state(network)}, tmp_path)
    assert cli.main(["import-weights", path]) == 0
    said = capsys.readouterr().out
    assert "TPS-VGG-BiLSTM-Attn" in said
    assert "36 characters" in said
    images = [word_picture("apple"), word_picture("42")]
    ours = checkpoint.recognizer(tmp_path / "their.ckpt").read(images)
    from ocr.recognition.recognizer import Recognizer

    assert ours == Recognizer(network).read(images)
    command = [
        "evaluate",
        str(tmp_path / "their.ckpt"),
        "data=rendered_words_v1",
        f"root={tiny_root}",
        "protocol=case36",
    ]
    assert cli.main(command) == 0
    assert (tmp_path / "predictions/scores.jsonl").is_file()


def test_sizes_and_padding_are_kept(network: Any, tmp_path: Path) -> None:
    path = saved(published_state(network), tmp_path)
    options = [
        "--height",
        "48",
        "--max-length",
        "9",
        "--keep-ratio",
        "--variable-width",
        "--out",
        str(tmp_path / "a/b.ckpt"),
    ]
    assert cli.main(["import-weights", path, *options]) == 0
    deployed: Any = checkpoint.recognizer(tmp_path / "a/b.ckpt")
    assert (deployed.network.height, deployed.network.codec.max_length) == (48, 9)
    assert deployed.keep_ratio
    assert deployed.variable_width


def test_a_charset_is_asked_for_where_nothing_tells_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = saved(published_state(build_cell("None-VGG-None-CTC", "xyz")), tmp_path)
    assert "add --charset: 3 characters, in the order of the classes" in refusal([path], capsys)
    assert "has 2 characters and the weights read 3" in refusal([path, "--charset", "xy"], capsys)
    assert cli.main(["import-weights", path, "--charset", "zyx"]) == 0
    deployed: Any = checkpoint.recognizer(tmp_path / "their.ckpt")
    assert deployed.network.codec.charset.characters == "zyx"


def test_what_does_not_fit_is_named_on_one_screen(
    network: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state = published_state(network, "")
    state = {k: v for k, v in state.items() if "localization_fc1" not in k}
    state["Transformation.extra"] = torch.zeros(3)
    state["SequenceModeling.0.rnn.weight_hh_l0"] = torch.zeros(5, 6)
    said = refusal([saved(state, tmp_path)], capsys)
    assert "most like TPS-VGG-BiLSTM-Attn" in said
    assert "the file has, the network has not (1):\n  Transformation.extra  3\n" in said
    assert "Transformation.LocalizationNetwork.localization_fc1.0.weight  8x16" in said
    assert "SequenceModeling.0.rnn.weight_hh_l0  5x6 in the file, 48x12 in the network" in said


def test_another_architecture_is_named_on_one_screen(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = refusal([saved({f"layer{i}.weight": torch.zeros(2, i + 1) for i in range(400)}, tmp_path)], capsys)
    assert "400 weights of no network known here" in said
    assert "layer0.weight  2x1" in said
    assert said.count("\n") < 24


def test_lists_of_misfits_are_short() -> None:
    shown = misfits({f"a{i}": (1,) for i in range(300)}, {f"b{i}": (1,) for i in range(300)})
    assert shown.count("\n") <= 2 * (SHOWN + 2)
    assert f"and {300 - SHOWN} more" in shown
    assert misfits({"a": (1,)}, {"a": (1,)}) == ""


@pytest.mark.parametrize("content", [b"no torch file", None, [1, 2], {"epoch": 3}, {"a": np.float64(1)}])
def test_a_file_without_weights_is_refused(content: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "their.pth"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        torch.save(content, path)
    said = refusal([str(path)], capsys)
    assert said.count("\n") == 1
    assert str(path) in said
