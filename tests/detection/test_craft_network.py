"""The network against the released one (stored outputs), and its behaviour in training."""

import zlib
from pathlib import Path

import numpy as np
import pytest
import torch

from ocr.detection.craft import CRAFT, normalise, published_names

GOLDEN = Path(__file__).parents[1] / "golden" / "craft_network.npz"


def hashed(name, shape):
    """Numbers in [0, 1) that depend on a name and a position, by the mixing that the stored outputs were made with."""
    mask = np.uint64(0xFFFFFFFF)
    position = np.arange(int(np.prod(shape, dtype=np.int64)), dtype=np.uint64)
    x = (position * np.uint64(2654435761) + np.uint64(zlib.crc32(name.encode())) * np.uint64(40503)) & mask
    x = ((x ^ (x >> np.uint64(15))) * np.uint64(2246822519)) & mask
    return ((x ^ (x >> np.uint64(13))).astype(np.float64) / 2**32).reshape(shape)


def filled(name, tensor):
    """A weight of the reference filling for one published name."""
    u = hashed(name, tuple(tensor.shape))
    if name.endswith("num_batches_tracked"):
        return torch.zeros_like(tensor)
    if name.endswith("running_var"):
        u = 0.5 + u
    elif name.endswith("running_mean"):
        u = 0.2 * (u - 0.5)
    elif tensor.dim() > 1:
        u = (u - 0.5) * 2.4 * np.sqrt(3 / np.prod(tensor.shape[1:]))
    else:
        u = 0.2 * (u - 0.5) if name.endswith("bias") else 0.8 + 0.4 * u
    return torch.from_numpy(np.asarray(u, np.float32))


@pytest.fixture(scope="module")
def reference():
    network = CRAFT().eval()
    names = published_names()
    network.load_state_dict({key: filled(names[key], value) for key, value in network.state_dict().items()})
    return network


def test_equals_the_released_network(reference):
    golden = np.load(GOLDEN)
    image = torch.from_numpy((hashed("image", (1, 3, 96, 160)) - 0.5).astype(np.float32) * 4)
    with torch.no_grad():
        scores, feature = reference(image)
    np.testing.assert_allclose(scores[0].permute(1, 2, 0), golden["scores"], atol=1e-4)
    np.testing.assert_allclose(feature[0, :4, ::4, ::4], golden["feature"], atol=1e-4)


def test_published_names_and_shapes_are_those_of_the_released_checkpoint(reference):
    golden = np.load(GOLDEN)
    names = published_names()
    ours = {names[key]: ",".join(map(str, value.shape)) for key, value in reference.state_dict().items()}
    assert ours == dict(zip(golden["names"].tolist(), golden["shapes"].tolist(), strict=True))
    assert len(ours) == 154


def test_paper_size_has_the_published_number_of_parameters(reference):
    assert sum(p.numel() for p in reference.parameters()) == 20_770_466


def test_every_parameter_learns_except_biases_that_a_norm_cancels():
    torch.manual_seed(0)
    network = CRAFT(0.05).train()
    scores, _ = network(torch.randn(2, 3, 64, 64))
    (scores - torch.rand_like(scores)).square().mean().backward()
    still = {name for name, p in network.named_parameters() if p.grad is None or not p.grad.abs().max() > 1e-9}
    # a batch normalisation takes out again what is constant in front of it, also through the linear context block
    silent = {name for name, _ in network.named_parameters() if name.endswith("conv.bias")}
    silent |= {"encoder.context1.bias", "encoder.context2.bias", "encoder.conv5_2.norm.bias"}
    assert still <= silent, still - silent


@pytest.mark.parametrize("size", [(16, 16), (48, 112), (32, 16)])
def test_maps_have_half_the_size_of_any_picture_of_whole_strides(size):
    network = CRAFT(0.05).eval()
    scores, feature = network(torch.randn(1, 3, *size))
    assert scores.shape == (1, 2, size[0] // 2, size[1] // 2)
    assert feature.shape == (1, network.feature_channels, size[0] // 2, size[1] // 2)


def test_other_sizes_are_refused_in_one_line():
    with pytest.raises(ValueError, match="got pictures of 40x64: pad"):
        CRAFT(0.05)(torch.randn(1, 3, 40, 64))
    with pytest.raises(ValueError, match="width is 0"):
        CRAFT(0)


def test_bf16_and_channels_last_give_the_same_maps_in_float32():
    torch.manual_seed(1)
    network = CRAFT(0.25).eval()
    torch.nn.init.kaiming_normal_(network.head5.weight)
    image = torch.randn(1, 3, 64, 96)
    with torch.no_grad():
        plain, _ = network(image)
        network.to(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16):
            fast, _ = network(image.contiguous(memory_format=torch.channels_last))
    assert fast.dtype == torch.float32
    assert (fast - plain).abs().max() < 0.05 * plain.abs().max()


def test_pixels_are_normalised_by_imagenet_statistics():
    image = torch.tensor([0, 128, 255], dtype=torch.uint8).view(1, 3, 1, 1)
    expected = [(0 - 0.485) / 0.229, (128 / 255 - 0.456) / 0.224, (1 - 0.406) / 0.225]
    np.testing.assert_allclose(normalise(image).flatten(), expected, rtol=1e-5)
