"""CRAFT and its link refiner as ONNX, at any height and width."""

import numpy as np
import pytest
import torch

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from ocr import export, runtime
from ocr.detection.backbones import MobileNetV2, ResNet
from ocr.detection.craft import CRAFT
from ocr.detection.detector import Detector
from ocr.detection.link_refiner import RefinedCRAFT
from ocr.detection.postprocess import Thresholds

NETWORKS = {"vgg": lambda: CRAFT(0.125), "refined": lambda: RefinedCRAFT(0.125, 0.25)}
BACKBONES = {"resnet": lambda: CRAFT(0.25, ResNet), "mobilenet": lambda: CRAFT(0.25, MobileNetV2)}


def exported(make, path, **settings):
    torch.manual_seed(0)
    network = make().eval()
    # normalised, so that scores are of the size of scores
    with torch.no_grad():
        network.head5.weight.mul_(1 / network.head5.weight.abs().sum())
    detector = Detector(network, **settings)
    return detector, export.to_onnx(detector, path)


@pytest.mark.parametrize("name", NETWORKS)
def test_maps_of_any_size_are_those_of_pytorch(name, tmp_path):
    detector, found = exported(NETWORKS[name], tmp_path / "craft.onnx", long_side=160, batch_size=2)
    assert found["scores"] < 1e-4
    running = runtime.deployable(tmp_path / "craft.onnx", "detection", threads=1)
    noise = np.random.default_rng(0)
    images = [noise.integers(0, 256, (h, w, 3), dtype=np.uint8) for h, w in [(50, 70), (120, 33), (160, 96)]]
    for ours, theirs in zip(running.score_maps(images), detector.score_maps(images), strict=True):
        assert ours.scale == theirs.scale
        np.testing.assert_allclose(ours.maps_2hw, theirs.maps_2hw, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("name", BACKBONES)
def test_the_other_encoders_give_the_maps_of_pytorch(name, tmp_path):
    assert exported(BACKBONES[name], tmp_path / "craft.onnx")[1]["scores"] < 1e-4


def test_settings_travel_in_the_file_and_can_be_overridden(tmp_path):
    settings = {"thresholds": Thresholds(0.6, 0.3, 0.2), "long_side": 96, "polygons": True, "line_gap": 0.5}
    exported(NETWORKS["vgg"], tmp_path / "craft.onnx", **settings)
    running = runtime.deployable(tmp_path / "craft.onnx", threads=1)
    assert running.thresholds == Thresholds(0.6, 0.3, 0.2)
    assert (running.long_side, running.polygons, running.line_gap) == (96, True, 0.5)
    other = runtime.deployable(tmp_path / "craft.onnx", threads=1, long_side=64, thresholds={"text": 0.5})
    assert (other.long_side, other.thresholds.text) == (64, 0.5)
    with pytest.raises(ValueError, match="no setting 'longside'"):
        runtime.deployable(tmp_path / "craft.onnx", longside=64)
    with pytest.raises(ValueError, match="one for recognition is needed"):
        runtime.deployable(tmp_path / "craft.onnx", "recognition")


def test_what_is_no_file_of_ours_is_refused_in_one_line(tmp_path):
    import onnx
    from onnx import TensorProto, helper

    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in ("x", "y")]
    node = helper.make_node("Identity", ["x"], ["y"])
    graph = helper.make_graph([node], "g", values[:1], values[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    for properties, said in [
        ({}, "none of this project"),
        ({"ocr": "{"}, "has format"),
        ({"ocr": '{"format": 1}'}, "damaged"),
    ]:
        helper.set_model_props(model, properties)
        onnx.save(model, tmp_path / "other.onnx")
        with pytest.raises(ValueError, match=said) as caught:
            runtime.deployable(tmp_path / "other.onnx")
        assert "\n" not in str(caught.value)
    whole = (tmp_path / "other.onnx").read_bytes()
    (tmp_path / "cut.onnx").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match="no ONNX file that can be run"):
        runtime.deployable(tmp_path / "cut.onnx")
    with pytest.raises(ValueError, match="model not found"):
        runtime.deployable(tmp_path / "missing.onnx")
    with pytest.raises(ValueError, match="device tpu is not in this ONNX Runtime"):
        runtime.deployable(tmp_path / "other.onnx", device="tpu")
