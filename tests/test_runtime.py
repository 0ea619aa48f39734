"""Reading with ONNX files where there is no torch."""

import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from ocr import deployed, export
from ocr.charset import Charset
from ocr.detection.craft import CRAFT
from ocr.detection.detector import Detector
from ocr.detection.postprocess import Thresholds
from ocr.reader import Reader
from ocr.recognition.feat import VGG
from ocr.recognition.four_stage import FourStage
from ocr.recognition.pred import CTC
from ocr.recognition.recognizer import Recognizer
from ocr.recognition.seq import NoSequence
from ocr.recognition.trans import NoTransformation

BLOCKED = ("torch", "pytorch_lightning", "lightning_fabric", "hydra", "omegaconf", "onnx", "wandb")


def bright_is_text() -> CRAFT:
    """A CRAFT whose head takes any feature for a little text, so that an untrained one finds something."""
    torch.manual_seed(0)
    return CRAFT(0.125).eval()


def small_recognizer() -> FourStage:
    torch.manual_seed(0)
    stages = (NoTransformation, lambda in_channels: VGG(in_channels, 32), NoSequence, CTC)
    return FourStage(Charset.from_spec("digits_lower"), *stages).eval()


@pytest.fixture
def picture() -> np.ndarray:
    image = np.full((96, 192, 3), 230, np.uint8)
    for i, word in enumerate(("red", "tea")):
        cv2.putText(image, word, (10 + 90 * i, 60), cv2.FONT_HERSHEY_SIMPLEX, 1.2, (20, 20, 20), 3)
    return image


def test_the_command_reads_a_picture_with_torch_blocked(tmp_path: Path, picture: np.ndarray) -> None:
    network = bright_is_text()
    score = Detector(network, long_side=192).score_maps([picture])[0].maps_2hw[0]
    thresholds = Thresholds(text=0.0, link=1.0, low=float(np.clip(np.quantile(score, 0.9), 0, 1)))
    detector = Detector(network, thresholds, long_side=192)
    recognizer = Recognizer(small_recognizer())
    export.to_onnx(detector, tmp_path / "detector.onnx")
    export.to_onnx(recognizer, tmp_path / "recognizer.onnx")
    cv2.imwrite(str(tmp_path / "picture.png"), picture)
    code = f"""
import sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {BLOCKED!r}:
            raise ImportError(f"{{name}} is not to be imported here")

sys.meta_path.insert(0, Blocked())
from ocr.cli import main
sys.exit(main(["read", "picture.png", "--detector", "detector.onnx", "--recognizer", "recognizer.onnx", "--json", "-"]))
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    got = json.loads(done.stdout)
    (page,) = Reader(detector, recognizer).read([picture])
    assert len(page.words) > 0
    assert [word["text"] for word in got["words"]] == [reading.text for _, reading in page.words]
    for word, (detection, reading) in zip(got["words"], page.words, strict=True):
        np.testing.assert_allclose(word["polygon"], detection.polygon, atol=0.1)
        assert word["confidence"] == pytest.approx(reading.confidence, abs=1e-3)


def test_a_detector_is_not_taken_for_a_recognizer(tmp_path: Path) -> None:
    export.to_onnx(Detector(bright_is_text()), tmp_path / "detector.onnx")
    with pytest.raises(ValueError, match="holds a model for detection, one for recognition is needed here"):
        deployed.recognizer(tmp_path / "detector.onnx")
