"""A run starts from published CRAFT weights as from a checkpoint of ours."""

from pathlib import Path

import pytest
import torch

from ocr.detection.craft import CRAFT, published_names
from ocr.detection.link_refiner import LinkRefiner, RefinedCRAFT, published_refiner_names
from ocr.run.start import content_of, initialise


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(3)
    names = published_names()
    path = tmp_path_factory.mktemp("published") / "craft.pth"
    torch.save({f"module.{names[k]}": v for k, v in CRAFT().state_dict().items()}, path)
    return path


@pytest.mark.parametrize("kind", [CRAFT, RefinedCRAFT])
def test_published_weights_start_a_run(kind: type[CRAFT], weights: Path) -> None:
    torch.manual_seed(4)
    network = kind()
    start = initialise(network, weights)
    assert len(start.kept) == 154
    assert all(name.startswith("refiner.") for name in start.fresh)
    theirs = torch.load(weights, weights_only=True)
    for ours, name in published_names().items():
        assert torch.equal(network.state_dict()[ours], theirs[f"module.{name}"])
    origin = content_of(weights)["origin"]
    assert origin["published"]["file"] == "craft.pth"
    assert len(origin["published"]["sha256"]) == 64


def test_published_refiner_becomes_a_checkpoint_of_its_own(tmp_path: Path) -> None:
    names = published_refiner_names()
    torch.save({names[k]: v for k, v in LinkRefiner().state_dict().items()}, tmp_path / "refiner.pth")
    assert content_of(tmp_path / "refiner.pth")["ocr"]["network"]["_target_"].endswith("LinkRefiner")
