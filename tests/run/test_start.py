"""What a run keeps of the weights it starts from when the charset or the pictures' size is another one."""

import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from ocr.charset import Charset
from ocr.run import checkpoint
from ocr.run.start import first_weights, initialise

sys.path.insert(0, str(Path(__file__).parents[1] / "recognition"))
from recognition_cells import build_cell


def saved(network: Any, path: Path) -> Path:
    pred = type(network.pred)
    node = {
        "charset": network.codec.charset.node(),
        "pred": {"_target_": f"{pred.__module__}.{pred.__qualname__}"},
        "height": network.height,
        "width": network.width,
    }
    ours = {"format": 1, "task": "recognition", "network": node, "weights": "network.", "inference": {}}
    state = {f"network.{k}": v for k, v in network.state_dict().items()}
    checkpoint.write({"ocr": ours, "state_dict": state, "global_step": 0}, path)
    return path


def cell(kind: str, charset: str, **arguments: Any) -> Any:
    return build_cell(f"None-VGG-BiLSTM-{kind}", charset, initialisation="torch", **arguments)


@pytest.mark.parametrize("kind", ["CTC", "Attn"])
def test_rows_follow_their_characters(kind: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    old, new = cell(kind, "abcd"), cell(kind, "dxbéa")
    fresh = {k: v.clone() for k, v in new.state_dict().items()}
    start = initialise(new, saved(old, tmp_path / "a.ckpt"))
    special = list(old.codec.special)
    assert start.kept_classes == [*special, "d", "b", "a"]
    assert (start.fresh_classes, start.left_classes) == (["x", "é"], ["c"])
    before, now, theirs = old.codec.tokens, new.codec.tokens, old.state_dict()
    changed = {"linear.weight", "linear.bias"} if kind == "CTC" else {"output.weight", "output.bias", "cell.weight_ih"}
    assert {name.removeprefix("pred.") for name in start.by_character} == changed
    for name, value in new.state_dict().items():
        if name.removeprefix("pred.") not in changed:
            assert torch.equal(value, theirs[name]), name
            continue
        if name.endswith("weight_ih"):
            assert torch.equal(value[:, :12], theirs[name][:, :12]), "what does not depend on the characters"
            value, source, own = value[:, 12:].T, theirs[name][:, 12:].T, fresh[name][:, 12:].T
        else:
            source, own = theirs[name], fresh[name]
        for i, token in enumerate(now):
            assert torch.equal(value[i], source[before.index(token)] if token in before else own[i]), token
    said = "\n".join(start.lines())
    assert "left out 1: c" in said
    assert "fresh 2: x é" in said


def test_an_order_of_its_own_is_not_taken_for_the_same_charset(tmp_path: Path) -> None:
    old, new = cell("CTC", "abc"), cell("CTC", "cab")
    initialise(new, saved(old, tmp_path / "a.ckpt"))
    assert torch.equal(new.pred.linear.weight[[0, 2, 3, 1]], old.pred.linear.weight)


def test_the_same_charset_keeps_everything_at_another_size(tmp_path: Path) -> None:
    old = build_cell("TPS-VGG-None-CTC", "abc")
    new = build_cell("TPS-VGG-None-CTC", "abc", height=48, width=160)
    start = initialise(new, saved(old, tmp_path / "a.ckpt"))
    assert (start.by_character, start.fresh) == ([], [])
    assert start.lines()[1:] == ["  pictures of 48x160 where they were 32x100 pixels; no weight depends on that"]


def test_an_unknown_class_is_a_class(tmp_path: Path) -> None:
    old, new = cell("CTC", "abc"), cell("CTC", "abc")
    mapping = build_cell("None-VGG-BiLSTM-CTC", "abc")
    mapping.pred = type(mapping.pred)(12, Charset("abc", unknown="map"), 25, 24)
    assert initialise(mapping, saved(old, tmp_path / "a.ckpt")).fresh_classes == ["[UNK]"]
    assert initialise(new, saved(mapping, tmp_path / "b.ckpt")).left_classes == ["[UNK]"]


def test_another_prediction_starts_fresh(tmp_path: Path) -> None:
    start = initialise(cell("Attn", "abc"), saved(cell("CTC", "abc"), tmp_path / "a.ckpt"))
    assert start.by_character == []
    assert all(name.startswith("pred.") for name in start.fresh)


def test_nothing_that_fits_is_refused(tmp_path: Path) -> None:
    path = saved(cell("CTC", "abc"), tmp_path / "a.ckpt")
    with pytest.raises(ValueError, match="no weight of it fits this model"):
        initialise(torch.nn.Linear(3, 3), path)


def test_tables_say_where_the_first_weights_came_from() -> None:
    detector = {"model": {"width": 1.0}}
    assert first_weights(detector, None) == "He initialisation"
    assert first_weights({"model": {"initialisation": "torch"}}, None) == "torch's initialisation"
    encoder = {"path": "weights/vgg16_bn.pth", "part": "encoder"}
    assert first_weights(detector, encoder) == "encoder of weights/vgg16_bn.pth, the rest He initialisation"
    whole = {"path": "a/b/strong/best.ckpt", "first_weights": "He initialisation"}
    assert first_weights(detector, whole) == "strong/best.ckpt (He initialisation)"
