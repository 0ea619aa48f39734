"""CRAFT's encoders: sizes of the published originals, features where the merge expects them, learning in every parameter."""

import pytest
import torch

from ocr.config import build, compose_config, plain
from ocr.detection.backbones import VGG16BN, MobileNetV2, ResNet
from ocr.detection.craft import CRAFT

ENCODERS = {"vgg16_bn": VGG16BN, "resnet34": ResNet, "mobilenet_v2": MobileNetV2}


def parameters(module):
    return sum(p.numel() for p in module.parameters())


def test_sizes_are_those_of_the_originals_without_their_classifiers():
    """Totals as published with ImageNet weights, less the 1000-class layer and, for MobileNetV2, the 1x1 convolution before it."""
    assert parameters(ResNet()) == 21_797_672 - 513_000
    assert parameters(ResNet(depth=18)) == 11_689_512 - 513_000
    assert parameters(MobileNetV2()) == 3_504_872 - 1_281_000 - (320 * 1280 + 2 * 1280)


def test_a_resnet_has_the_layer_names_of_public_weights():
    names = set(ResNet(0.25).state_dict())
    assert {"conv1.weight", "bn1.running_var", "layer1.0.conv2.weight", "layer4.0.downsample.1.bias"} <= names
    assert "layer1.0.downsample.0.weight" not in names


@pytest.mark.parametrize("encoder", ENCODERS.values(), ids=ENCODERS)
def test_features_have_the_stated_sizes_and_channels(encoder):
    network = encoder(0.25).eval()
    with torch.no_grad():
        features = network(torch.randn(2, 3, 64, 96))
    assert [tuple(f.shape) for f in features] == [
        (2, c, 64 // s, 96 // s) for c, s in zip(network.channels, (2, 4, 8, 16, 16), strict=True)
    ]


@pytest.mark.parametrize("encoder", ENCODERS.values(), ids=ENCODERS)
def test_the_context_sees_more_than_the_skip_of_its_size(encoder):
    """A change of one pixel reaches further in the last feature than in the one before: the last stage is dilated, not strided."""
    torch.manual_seed(0)
    network = encoder(0.25).eval()
    image = torch.randn(1, 3, 32, 1024)
    other = image.clone()
    other[..., 16, 512] += 3
    with torch.no_grad():
        *_, skip, context = [
            (a - b).abs().amax((0, 1)) > 0 for a, b in zip(network(image), network(other), strict=True)
        ]
    assert context.sum() > skip.sum() > 0


@pytest.mark.parametrize("encoder", [ResNet, MobileNetV2])
def test_every_weight_learns(encoder):
    torch.manual_seed(0)
    network = CRAFT(0.25, encoder).train()
    scores, _ = network(torch.randn(2, 3, 64, 64))
    (scores - torch.rand_like(scores)).square().mean().backward()
    still = {name for name, p in network.named_parameters() if p.grad is None or not p.grad.abs().max() > 1e-9}
    # a batch normalisation takes out again what is constant in front of it, also through a linear bottleneck
    assert all(name.endswith("bias") for name in still), still


@pytest.mark.parametrize("name", ENCODERS)
def test_a_choice_on_the_command_line_builds_it(name):
    settings = plain(compose_config(["model=craft", f"backbone={name}", "model.width=0.25"]))
    network = build(settings["model"])
    assert isinstance(network.encoder, ENCODERS[name])
    assert network.encoder.channels == ENCODERS[name](0.25).channels


def test_a_depth_that_is_not_made_of_basic_blocks_is_refused():
    with pytest.raises(ValueError, match="depth 50: choose 18 or 34"):
        ResNet(depth=50)
