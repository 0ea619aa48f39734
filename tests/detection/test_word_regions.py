"""Reading words in batches of few shapes: what comes out does not depend on the company."""

import numpy as np
import pytest
import torch

from ocr.detection.word_regions import read_words
from ocr.types import WeakWord

MOST = 1 << 17


class Local(torch.nn.Module):
    """Scores that depend on what lies around a place, up to where the picture ends."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.layer = torch.nn.Conv2d(3, 2, 31, stride=2, padding=15)
        self.shapes = []

    def forward(self, images_BCHW):
        self.shapes.append(tuple(images_BCHW.shape))
        return self.layer(images_BCHW), images_BCHW


def word(width, rng, height=64):
    crop = rng.integers(0, 256, (height, width, 3), np.uint8)
    return WeakWord(0, "word", np.zeros((4, 2)), (16, 16, width - 16, height - 16), lambda points: points, crop)


def test_a_word_alone_and_in_company_is_read_alike():
    rng, network = np.random.default_rng(0), Local().eval()
    words = [word(int(w), rng, h) for w, h in zip(rng.integers(20, 300, 40) * 2, [64] * 30 + [48] * 10, strict=True)]
    together = read_words(words, network)
    for one, region in zip(words, together, strict=True):
        height, width, _ = one.crop.shape
        assert region.shape == (height // 2 - 16, width // 2 - 16)
        np.testing.assert_allclose(region, read_words([one], network)[0], atol=1e-4)


def test_forwards_have_few_shapes_and_fit_into_a_cache():
    rng, network = np.random.default_rng(1), Local().eval()
    for _ in range(60):
        read_words([word(int(w), rng) for w in rng.integers(24, 400, rng.integers(1, 20)) * 2], network)
    assert sum(shape[0] for shape in network.shapes) >= 500
    assert len(set(network.shapes)) < 50
    for count, _, height, width in network.shapes:
        assert count & (count - 1) == 0, "a power of two"
        assert count == 1 or count * height * width <= MOST
        assert width % 32 == 0


@pytest.mark.parametrize(("width", "read_at"), [(40, 64), (96, 96), (98, 128), (258, 320), (700, 704), (706, 864)])
def test_widths_are_rounded_up_to_one_of_few(width, read_at):
    network = Local().eval()
    read_words([word(width, np.random.default_rng(0))], network)
    assert network.shapes == [(1, 3, 64, read_at)]
