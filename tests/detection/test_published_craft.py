"""CRAFT and the link refiner filled like the published ones give their outputs; published names load strictly."""

import hashlib
import os
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from test_craft_network import filled, hashed

from ocr.config import build
from ocr.detection.craft import CRAFT, normalise, published_names
from ocr.detection.detector import Detector
from ocr.detection.link_refiner import LinkRefiner, RefinedCRAFT, published_refiner_names
from ocr.detection.published import convert, recognise

GOLDEN = np.load(Path(__file__).parents[1] / "golden" / "craft_network.npz")
MD5 = "2f8227d2def4037cdb3b34389dcf9ec1"


def published_state(network, names, prefix="module."):
    """The reference filling under the published names."""
    return {prefix + names[k]: filled(names[k], v) for k, v in network.state_dict().items()}


def shapes(state):
    return {k: tuple(v.shape) for k, v in state.items()}


@pytest.fixture(scope="module")
def craft_state():
    return published_state(CRAFT(), published_names())


@pytest.fixture(scope="module")
def refiner_state():
    return published_state(LinkRefiner(), published_refiner_names())


def loaded(state):
    """The network that the weights say they belong to, strictly loaded."""
    published = recognise(shapes(state))
    assert (published.task, published.missing) == ("detection", {})
    network = build(published.network, "published").eval()
    network.load_state_dict(convert(state, published))
    return network


@pytest.mark.parametrize("prefix", ["module.", ""])
def test_refined_craft_gives_the_stored_outputs(craft_state, refiner_state, prefix):
    craft = loaded({k.replace("module.", prefix): v for k, v in craft_state.items()})
    refiner = loaded({k.replace("module.", prefix): v for k, v in refiner_state.items()})
    image = torch.from_numpy((hashed("image", (1, 3, 96, 160)) - 0.5).astype(np.float32) * 4)
    with torch.no_grad():
        scores, feature = craft(image)
        link = refiner(scores, feature)
    np.testing.assert_allclose(scores[0].permute(1, 2, 0), GOLDEN["scores"], atol=1e-4)
    np.testing.assert_allclose(feature[0, :4, ::4, ::4], GOLDEN["feature"], atol=1e-4)
    np.testing.assert_allclose(link[0, 0], GOLDEN["link"], atol=1e-4)
    whole = RefinedCRAFT().eval()
    whole.load_state_dict({**craft.state_dict(), **{f"refiner.{k}": v for k, v in refiner.state_dict().items()}})
    with torch.no_grad():
        both, _ = whole(image)
    np.testing.assert_allclose(both, torch.cat([scores[:, :1], link], 1), atol=1e-5)


def test_refiner_has_the_published_names_shapes_and_size(refiner_state):
    expected = dict(zip(GOLDEN["refiner_names"].tolist(), GOLDEN["refiner_shapes"].tolist(), strict=True))
    assert {k.removeprefix("module."): ",".join(map(str, v)) for k, v in shapes(refiner_state).items()} == expected
    assert len(expected) == 85
    assert sum(p.numel() for p in LinkRefiner().parameters()) == 457_924


def test_other_weights_are_not_recognised():
    assert recognise({}) is None
    assert recognise({"module.FeatureExtraction.ConvNet.0.weight": (64, 1, 3, 3)}) is None


def test_a_missing_or_foreign_weight_does_not_load(refiner_state):
    short = dict(list(refiner_state.items())[1:])
    with pytest.raises(RuntimeError, match=r"smooth1\.conv\.weight"):
        loaded(short)
    with pytest.raises(RuntimeError, match="extra"):
        loaded({**refiner_state, "module.extra": torch.zeros(1)})


@pytest.mark.skipif("OCR_CRAFT_WEIGHTS" not in os.environ, reason="OCR_CRAFT_WEIGHTS names no craft_mlt_25k.pth")
def test_published_checkpoint_finds_drawn_words():
    path = Path(os.environ["OCR_CRAFT_WEIGHTS"])
    assert hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest() == MD5
    network = loaded(torch.load(path, map_location="cpu", weights_only=True))
    image = np.full((160, 320, 3), 255, np.uint8)
    cv2.putText(image, "WELCOME", (30, 90), cv2.FONT_HERSHEY_SIMPLEX, 1.6, (0, 0, 0), 4, cv2.LINE_AA)
    (word,) = Detector(network, long_side=640).detect([image])[0]
    assert len(word.characters) == 7
    assert word.direction == "horizontal"
    with torch.no_grad():
        region = network(normalise(torch.from_numpy(image).permute(2, 0, 1)[None]))[0][:, 0]
    assert 0.7 < region.max() < 1.3
