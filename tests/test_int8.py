"""8-bit weights: a smaller file that still reads, and a loss that is told."""

import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from ocr import int8, runtime
from ocr.cli import main


@pytest.mark.slow
@pytest.mark.parametrize(
    ("task", "mode"), [("recognition", "dynamic"), ("recognition", "static"), ("detection", "static")]
)
def test_an_export_with_8_bit_weights_tells_its_loss(task, mode, tiny_root, tmp_path, capsys, request):
    name = "rendered_words_v1" if task == "recognition" else "icdar2015"
    checkpoint = request.getfixturevalue("tiny_recognizer" if task == "recognition" else "tiny_detector")
    out, data = tmp_path / "whole.onnx", tiny_root / task / name / "test"
    arguments = ["export", str(checkpoint), "--out", str(out), "--int8", mode, "--data", str(data), "--most", "6"]
    assert main(arguments) == 0
    printed = capsys.readouterr().out
    assert f"{int8.METRICS[task]} 0." in printed
    assert f"samples of {name}/test" in printed
    small = tmp_path / "whole.int8.onnx"
    assert small.stat().st_size < 0.8 * out.stat().st_size
    assert (
        runtime.deployable(small, threads=1).model.description == runtime.deployable(out, threads=1).model.description
    )


def test_a_set_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(ValueError, match="no prepared set in"):
        int8.open_data(tmp_path, "recognition")
