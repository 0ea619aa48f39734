"""Large pictures in windows: the same maps and boxes as in one piece, in memory that the windows bound."""

import cv2
import numpy as np
import pytest
import torch
from drawn import Painted, draw_word

from ocr.detection.craft import CRAFT
from ocr.detection.detector import Detector
from ocr.detection.postprocess import Thresholds
from ocr.detection.score_maps import score_maps
from ocr.detection.tiling import RECEPTIVE_RADIUS, tiles


@pytest.mark.parametrize("size", [(32, 32), (512, 512), (544, 1600), (2048, 736)])
@pytest.mark.parametrize(("tile", "margin"), [(512, 96), (256, 0), (320, 144), (None, 128)])
def test_what_counts_covers_the_picture_once_and_keeps_its_distance(size, tile, margin):
    covered = np.zeros(size, int)
    windows = tiles(size, tile, margin)
    assert len({w.size for w in windows}) == 1
    for window in windows:
        for span, length in zip(window, size, strict=True):
            assert span.start % 32 == span.stop % 32 == 0
            assert 0 <= span.start <= span.first < span.last <= span.stop <= length
            assert span.first == 0 or span.first - span.start >= margin
            assert span.last == length or span.stop - span.last >= margin
            assert tile is None or span.stop - span.start <= tile
        covered[window.rows.first : window.rows.last, window.columns.first : window.columns.last] += 1
    assert (covered == 1).all()


def test_beyond_the_receptive_radius_maps_equal_those_of_the_whole_picture(rng):
    torch.manual_seed(2)
    network = CRAFT(0.0625)
    torch.nn.init.kaiming_normal_(network.head5.weight)
    image = rng.integers(0, 256, (90, 1500, 3), np.uint8)
    settings = {"long_side": 1500, "max_enlargement": 1}
    (whole,) = Detector(network, **settings).score_maps([image])
    (tiled,) = Detector(network, **settings, tile=736, tile_margin=RECEPTIVE_RADIUS).score_maps([image])
    assert tiled.scale == whole.scale
    spread = np.ptp(whole.maps_2hw)
    np.testing.assert_allclose(tiled.maps_2hw, whole.maps_2hw, atol=1e-4 * spread)
    (near,) = Detector(network, **settings, tile=736, tile_margin=0).score_maps([image])
    assert np.abs(near.maps_2hw - whole.maps_2hw).max() > 1e-3 * spread, "the seams are nowhere"


class PaintedWords(torch.nn.Module):
    """Perfect maps of white words on black: what a window cuts off is seen as a smaller character of a shorter word."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.seen = []

    def forward(self, images_BCHW):
        self.seen.append(tuple(images_BCHW.shape))
        scores = torch.from_numpy(np.stack([self.maps(image) for image in images_BCHW]))
        return scores, scores

    def maps(self, image):
        white = (image.amin(0) > 1.5).numpy().astype(np.uint8)
        _, word_of = cv2.connectedComponents(cv2.dilate(white, np.ones((1, 25), np.uint8)))
        count, _, boxes, _ = cv2.connectedComponentsWithStats(white)
        words = {}
        for x, y, w, h, _ in sorted(boxes[1:count].tolist()):
            quad = [[x, y], [x + w, y], [x + w, y + h], [x, y + h]]
            words.setdefault(word_of[y + h // 2, x + w // 2], []).append(quad)
        return score_maps(
            (white.shape[0] // 2, white.shape[1] // 2), [np.array(q, np.float32) / 2 for q in words.values()]
        )


def overlap(a, b):
    area, _ = cv2.intersectConvexConvex(a, b)
    return area / (cv2.contourArea(a) + cv2.contourArea(b) - area)


def test_boxes_at_2048_are_those_of_the_whole_picture(rng):
    """Words cross the seams everywhere; the network sees characters that a window cuts off as smaller ones."""
    image = np.zeros((2048, 2048, 3), np.uint8)
    for top in range(10, 2000, 97):
        for left in range(int(rng.integers(5, 60)), 1850, 210):
            draw_word(image, "REGION"[: rng.integers(3, 7)], left, top, (int(rng.integers(16, 28)), 34))
    settings = {"thresholds": Thresholds(), "long_side": 2048, "max_enlargement": 1}
    (whole,) = Detector(PaintedWords(), **settings).detect([image])
    network = PaintedWords()
    (tiled,) = Detector(network, **settings, tile=512, tile_margin=64, batch_size=2).detect([image])
    assert max(np.prod(seen) for seen in network.seen) <= 2 * 3 * 512 * 512
    assert len(tiled) == len(whole) >= 100
    for word in whole:
        best = max(tiled, key=lambda other: overlap(word.polygon, other.polygon))
        assert overlap(word.polygon, best.polygon) >= 0.9
        assert len(best.characters) == len(word.characters)


@pytest.mark.parametrize(("tile", "margin"), [(100, 0), (256, 128), (0, 0), (256, -1)])
def test_windows_without_an_inside_are_refused(tile, margin):
    with pytest.raises(ValueError, match=r"the detector's tile"):
        Detector(Painted(), tile=tile, tile_margin=margin)
