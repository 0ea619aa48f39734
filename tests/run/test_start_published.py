"""A run starts from published CRAFT weights as from a checkpoint of ours."""

from pathlib import Path

import pytest
import torch

from ocr.detection.craft import CRAFT, published_names
from ocr.detection.link_refiner import LinkRefiner, RefinedCRAFT, published_refiner_names
from ocr.run import checkpoint
from ocr.run.start import content_of, initialise, initialise_encoder


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


@pytest.fixture
def torchvision_vgg(tmp_path: Path) -> Path:
    """A state dict with the names and shapes of torchvision's ``vgg16_bn``, classifier included."""
    torch.manual_seed(5)
    state, index, channels = {}, 0, 3
    for width in (64, 64, 0, 128, 128, 0, 256, 256, 256, 0, 512, 512, 512, 0, 512, 512, 512, 0):
        if not width:
            index += 1
            continue
        layers = {index: torch.nn.Conv2d(channels, width, 3), index + 1: torch.nn.BatchNorm2d(width)}
        state |= {f"features.{i}.{k}": v for i, layer in layers.items() for k, v in layer.state_dict().items()}
        index, channels = index + 3, width
    state["classifier.6.bias"] = torch.zeros(1000)
    torch.save(state, tmp_path / "vgg16_bn.pth")
    return tmp_path / "vgg16_bn.pth"


def test_encoder_starts_from_imagenet_weights(torchvision_vgg: Path) -> None:
    network = CRAFT()
    before = {k: v.clone() for k, v in network.state_dict().items()}
    start = initialise_encoder(network, torchvision_vgg)
    theirs, ours = torch.load(torchvision_vgg, weights_only=True), network.state_dict()
    # the first and the last layer of torchvision's that CRAFT has, by hand
    assert torch.equal(ours["encoder.conv1_1.conv.weight"], theirs["features.0.weight"])
    assert torch.equal(ours["encoder.conv5_2.norm.running_var"], theirs["features.38.running_var"])
    assert torch.equal(ours["encoder.conv3_2.conv.weight"], theirs["features.17.weight"])
    assert len(start.kept) == 12 * 7
    assert all(torch.equal(ours[name], before[name]) for name in start.fresh)
    assert start.lines()[0].startswith(f"backbone_init={torchvision_vgg}: 70 of 154")


def test_encoder_starts_from_published_craft_and_from_our_checkpoints(weights: Path, tmp_path: Path) -> None:
    checkpoint.write(content_of(weights), tmp_path / "craft.ckpt")
    theirs = torch.load(weights, weights_only=True)
    for path in (weights, tmp_path / "craft.ckpt"):
        network = CRAFT()
        head = network.head1.weight.detach().clone()
        assert len(initialise_encoder(network, path).kept) == 88
        assert torch.equal(network.encoder.context1.weight, theirs["module.basenet.slice5.1.weight"])
        assert torch.equal(network.head1.weight, head)


def test_encoders_that_do_not_fit_are_refused_in_one_line(torchvision_vgg: Path) -> None:
    for network, message in ((CRAFT(0.0625), "no convolution of it fits"), (torch.nn.Linear(2, 2), "only detectors")):
        with pytest.raises(ValueError, match=message) as error:
            initialise_encoder(network, torchvision_vgg)
        assert "\n" not in str(error.value)
