"""Every cell of the grid as ONNX: the same numbers as PyTorch, the same texts, and no step more than the texts need."""

import json

import numpy as np
import pytest
import torch
from recognition_cells import CELLS, build_cell, word_picture

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from ocr import export, runtime  # noqa: E402
from ocr.recognition.recognizer import Recognizer  # noqa: E402

WORDS = ["Hello", "queue", "42nd", "x"]
SOME = ["None-VGG-None-CTC", "TPS-VGG-BiLSTM-CTC", "None-VGG-BiLSTM-Attn"]


def network(cell, **arguments):
    torch.manual_seed(0)
    return build_cell(cell, **arguments).eval()


def exported(cell, path, **settings):
    recognizer = Recognizer(network(cell), **settings)
    return recognizer, export.to_onnx(recognizer, path)


@pytest.mark.parametrize("cell", SOME)
def test_a_cell_gives_the_numbers_and_texts_of_pytorch(cell, tmp_path):
    recognizer, found = exported(cell, tmp_path / "cell.onnx")
    assert max(found.values()) < 1e-4
    reader = runtime.deployable(tmp_path / "cell.onnx", "recognition", threads=1)
    images = [word_picture(word, 40, 90 + 20 * i) for i, word in enumerate(WORDS)]
    expected, got = recognizer.read(images), reader.read(images)
    assert [r.text for r in got] == [r.text for r in expected]
    np.testing.assert_allclose([r.confidence for r in got], [r.confidence for r in expected], atol=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("cell", [cell for cell in CELLS if cell not in SOME])
def test_every_cell_gives_the_numbers_of_pytorch(cell, tmp_path):
    _, found = exported(cell, tmp_path / "cell.onnx")
    assert max(found.values()) < 1e-4


def test_the_decoder_stops_when_every_text_has_ended(tmp_path):
    net = network("None-VGG-None-Attn")
    # so sure of the end that only the score of class 1 matters from the first step on
    with torch.no_grad():
        net.pred.output.bias[net.codec.end] = 100.0
    export.to_onnx(Recognizer(net), tmp_path / "ends.onnx")
    model = runtime.open_model(tmp_path / "ends.onnx", threads=1)
    images = np.zeros((3, 32, 100, 1), np.uint8)
    assert [a.shape for a in model.run(images, ["classes", "logits"])] == [(3, 1), (3, 1, net.codec.classes)]
    with torch.no_grad():
        net.pred.output.bias[net.codec.end] = -100.0
    export.to_onnx(Recognizer(net), tmp_path / "never.onnx")
    endless = runtime.open_model(tmp_path / "never.onnx", threads=1)
    assert endless.run(images, ["classes"])[0].shape == (3, net.codec.max_length + 1)


def test_crops_of_their_own_width_are_read_as_with_pytorch(tmp_path):
    recognizer, _ = exported("None-VGG-None-CTC", tmp_path / "cell.onnx", variable_width=True, tall="rotate")
    reader = runtime.deployable(tmp_path / "cell.onnx", threads=1)
    images = [word_picture("wide", 32, 90), word_picture("i", 32, 20), np.rot90(word_picture("tall", 32, 90)).copy()]
    assert [r.text for r in reader.read(images)] == [r.text for r in recognizer.read(images)]
    assert reader.tall == "rotate"
    assert reader.variable_width


def test_the_file_says_all_that_reading_needs(tmp_path):
    exported("None-VGG-None-CTC", tmp_path / "cell.onnx", keep_ratio=True)
    properties = {p.key: p.value for p in onnx.load(tmp_path / "cell.onnx").metadata_props}
    said = json.loads(properties["ocr"])
    assert said["network"] == "None-VGG-None-CTC"
    assert said["codec"]["charset"]["characters"] == "0123456789abcdefghijklmnopqrstuvwxyz"
    assert (said["input"]["height"], said["input"]["width"], said["input"]["channels"]) == (32, 100, 1)
    assert said["inference"]["keep_ratio"]
    assert said["input"]["normalisation"]["range"] == [-1, 1]


def test_a_file_that_differs_from_pytorch_is_not_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(export, "TOLERANCE", 0.0)
    with pytest.raises(ValueError, match="differs from PyTorch by more than"):
        exported("None-VGG-None-CTC", tmp_path / "cell.onnx")
    assert list(tmp_path.iterdir()) == []
