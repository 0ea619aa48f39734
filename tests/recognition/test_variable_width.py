"""Padding a batch must not change what is read, learnt or how sure it is: every cell, one by one against all together."""

import cv2
import numpy as np
import pytest
import torch
from recognition_cells import CELLS, FEAT, build_cell, word_picture

from ocr.recognition.extent import Extent
from ocr.recognition.recognizer import Recognizer
from ocr.recognition.samples import WordEncoder, collate_pixels, fit, normalise
from ocr.recognition.seq import BiLSTM
from ocr.recognition.trans import TPS
from ocr.types import Word

WIDTHS = [37, 100, 64, 63, 18]


def disturbed(cell):
    """A cell whose weights, statistics and points are all away from their start."""
    torch.manual_seed(0)
    network = build_cell(cell, max_length=6, initialisation="torch")
    for name, value in network.state_dict().items():
        if value.is_floating_point() and ("norm" in name or "bias" in name):
            value += torch.rand_like(value) * 0.2
    if cell.startswith("TPS"):
        torch.nn.init.normal_(network.trans.localisation.points.weight, std=0.05)
    return network.eval()


def batch():
    generator = np.random.default_rng(0)
    pixels = [cv2.resize(generator.integers(0, 256, (4, 6, 1), np.uint8), (w, 32))[:, :, None] for w in WIDTHS]
    return pixels, normalise(collate_pixels(pixels)), torch.tensor(WIDTHS)


@pytest.mark.parametrize(
    "cell", [pytest.param(c, marks=pytest.mark.slow) if "ResNet" in c and "Attn" in c else c for c in CELLS]
)
@torch.no_grad()
def test_padding_changes_neither_logits_nor_loss(cell):
    network = disturbed(cell)
    pixels, images, widths = batch()
    texts = ["ab", "c9", "word", "x", ""]
    together = network(images, widths_B=widths).softmax(2)
    alone = [network(normalise(collate_pixels([p]))).softmax(2)[0] for p in pixels]
    tolerance = 2e-3 if cell.startswith("TPS") else 2e-5  # the spline's coefficients are large, and rounded
    for row, single in zip(together, alone, strict=True):
        torch.testing.assert_close(row[: len(single)], single, atol=tolerance, rtol=0)
        resting = 1 if cell.endswith("Attn") else 0
        assert (row[len(single) :].argmax(1) == resting).all(), "nothing is read in the padding"
    losses = [network.loss(normalise(collate_pixels([p])), [t]).item() for p, t in zip(pixels, texts, strict=True)]
    weights = [len(t) + 1 for t in texts] if cell.endswith("Attn") else [1] * len(texts)
    expected = np.average(losses, weights=weights)
    assert network.loss(images, texts, widths).item() == pytest.approx(expected, rel=5e-3 if tolerance > 1e-3 else 1e-4)


@pytest.mark.parametrize("feat", FEAT)
def test_channels_stay_last_through_all_layers(feat):
    """A layer that puts them in front makes every layer behind it slower, and says nothing."""
    network = build_cell(f"None-{feat}-None-CTC", max_length=6).to(memory_format=torch.channels_last)
    _, images, widths = batch()
    seen = []

    def look(layer, given):
        seen.append(given[0].is_contiguous(memory_format=torch.channels_last))

    for layer in network.feat.modules():
        if isinstance(layer, torch.nn.Conv2d):
            layer.register_forward_pre_hook(look)
    network.loss(images.contiguous(memory_format=torch.channels_last), ["ab"] * len(WIDTHS), widths)
    assert len(seen) > 5
    assert all(seen)


def test_both_ways_through_a_bilstm_agree_in_states_and_gradients():
    torch.manual_seed(0)
    layer = BiLSTM(5, hidden=4, layers=1).layers[0]
    columns_B = torch.tensor([7, 1, 4, 6])
    found = []
    for way in (layer.packed, layer.by_direction):
        features = torch.randn(4, 9, 5, generator=torch.Generator().manual_seed(1), requires_grad=True)
        states = way(features, columns_B)
        gradients = torch.autograd.grad((states * torch.arange(9)[:, None]).sum(), [features, *layer.lstm.parameters()])
        found.append([states, *gradients])
    for packed, by_direction in zip(*found, strict=True):
        torch.testing.assert_close(by_direction, packed, atol=1e-5, rtol=1e-5)
    assert all((states[row, columns:] == 0).all() for states, *_ in found for row, columns in enumerate(columns_B))


@pytest.mark.parametrize("feat", FEAT)
def test_columns_are_those_of_each_picture_alone(feat):
    extractor = FEAT[feat](in_channels=1, channels=16).eval()
    extent = Extent(torch.arange(16, 120))
    with torch.no_grad():
        extractor(torch.zeros(104, 1, 32, 120), extent)
        alone = [extractor(torch.zeros(1, 1, 32, w), Extent()).shape[3] for w in range(16, 120)]
    assert extent.widths_B.tolist() == alone


def test_every_width_has_its_own_grid():
    stage = TPS(1, 32, 100, channels=16)
    points = torch.rand(3, 20, 2) * 1.8 - 0.9
    grids = stage.grids(points, (32, 90), torch.tensor([90, 30, 90]))
    torch.testing.assert_close(grids[[0, 2]], stage.grid(points[[0, 2]], (32, 90)).clamp(-1, 1), atol=1e-5, rtol=0)
    in_pixels = (grids[1, :, :30, 0] + 1) * 89 / 2
    own = (stage.grid(points[1:2], (32, 30))[0, ..., 0].clamp(-1, 1) + 1) * 29 / 2
    torch.testing.assert_close(in_pixels, own, atol=1e-3, rtol=0)


def test_gradients_do_not_flow_from_the_padding():
    network = disturbed("None-VGG-BiLSTM-CTC")
    _, images, widths = batch()
    images.requires_grad_()
    network.loss(images, ["ab", "c9", "ok", "x", "y"], widths).backward()
    for row, width in zip(images.grad, WIDTHS, strict=True):
        assert row[..., width:].abs().max() == 0 if width < 100 else True
        assert row[..., :width].abs().max() > 0


@pytest.mark.parametrize(("size", "width"), [((32, 100), 100), ((64, 100), 50), ((32, 5), 16), ((31, 2000), 320)])
def test_a_picture_keeps_its_proportions_within_limits(size, width):
    picture = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    assert fit(picture, 32, 320, 1, variable_width=True).shape == (32, width, 1)


def test_a_narrow_picture_repeats_its_last_column():
    picture = np.random.default_rng(0).integers(0, 256, (32, 5, 3), np.uint8)
    pixels = fit(picture, 32, 100, 3, variable_width=True)
    assert np.array_equal(pixels[:, :5], picture)
    assert (pixels[:, 5:] == picture[:, 4:]).all()


def test_training_batches_say_how_wide_each_picture_is():
    network = disturbed("None-VGG-None-CTC")
    encoder = WordEncoder(network.codec, variable_width=True)
    sizes = [(32, 40), (32, 90), (64, 64)]
    words = [Word(word_picture("ab", *s), "ab", f"set/{i}") for i, s in enumerate(sizes)]
    made = encoder.collate([encoder.train(w, np.random.default_rng(0)) for w in words])
    assert made.images_BCHW.shape == (3, 1, 32, 90)
    assert made.widths_B.tolist() == [32, 40, 90]
    assert made.keys == ["set/2", "set/0", "set/1"], "those of like width stand together"
    assert WordEncoder(network.codec).collate([WordEncoder(network.codec).train(words[0], None)]).widths_B is None


@pytest.mark.parametrize("cell", ["None-VGG-BiLSTM-CTC", "None-RCNN-None-Attn"])
def test_readings_do_not_depend_on_the_company(cell):
    network = disturbed(cell)
    images = [word_picture("word", 32, w) for w in (100, 30, 77, 90, 41)] + [np.zeros((1, 1, 3), np.uint8)]
    together = Recognizer(network, variable_width=True, batch_size=4).read(images)
    alone = [Recognizer(network, variable_width=True).read([image])[0] for image in images]
    assert [r.text for r in together] == [r.text for r in alone]
    np.testing.assert_allclose([r.confidence for r in together], [r.confidence for r in alone], rtol=1e-3)


@pytest.mark.parametrize("autocast", [False, True])
def test_training_steps_run_in_both_precisions(autocast):
    network = disturbed("TPS-ResNet-BiLSTM-Attn").train()
    _, images, widths = batch()
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        loss = network.loss(images, ["ab", "c9", "word", "x", "y"], widths)
    loss.backward()
    assert all(p.grad.isfinite().all() for p in network.parameters() if p.grad is not None)
