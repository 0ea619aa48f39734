"""The deployed detector with a network that gives perfect maps: coordinates, batches, reading direction, thresholds."""

from dataclasses import dataclass

import cv2
import numpy as np
import pytest
import torch
from drawn import Painted

from ocr.config import compose_config, plain
from ocr.detection.detector import Detector
from ocr.detection.postprocess import Boxes, Thresholds
from ocr.detection.thresholds import Grid, candidates, choose
from ocr.detection.words import detections
from ocr.types import SceneWord


class Blobs(torch.nn.Module):
    """Region score 1 exactly on the white parts of the picture, by averaging 2 x 2 pixels; no affinity."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(1))
        self.seen = []

    def forward(self, images_BCHW):
        self.seen.append(tuple(images_BCHW.shape))
        region = torch.nn.functional.avg_pool2d((images_BCHW.amin(1, keepdim=True) > 1.5).float(), 2)
        scores = torch.cat([region, torch.zeros_like(region)], dim=1) * self.weight
        return scores, scores


def picture(size, *boxes):
    image = np.zeros((*size, 3), np.uint8)
    for x0, y0, x1, y1 in boxes:
        image[y0:y1, x0:x1] = 255
    return image


def centre_and_size(polygon):
    return polygon.mean(axis=0), np.ptp(polygon, axis=0)


@pytest.mark.parametrize("size", [(200, 300), (193, 301), (64, 640)])
@pytest.mark.parametrize("long_side", [256, 300, 512])
def test_boxes_come_back_centred_on_the_words(size, long_side):
    x, y = size[1] // 2, size[0] // 3
    image = picture(size, (x, y, x + 60, y + 24))
    detector = Detector(Blobs(), Thresholds(0.6, 0.4, 0.4), long_side=long_side, max_enlargement=3)
    (found,) = detector.detect([image])
    assert len(found) == 1
    centre, extent = centre_and_size(found[0].polygon)
    # the dilation of the released post-processing is lopsided by one map pixel at most
    pixel = 2 * max(size) / long_side
    np.testing.assert_allclose(centre, [x + 30, y + 12], atol=0.6 * pixel + 0.5)
    assert abs(extent - [60, 24]).max() < 2 * pixel + 12


def test_map_pixel_indices_become_centres_in_the_picture():
    """Independent of the dilation: index i is coordinate i + .5 of a map at half of a resized picture."""
    quads = np.array([[[0, 0], [9, 0], [9, 4], [0, 4]]], np.float32)
    boxes = Boxes(quads, np.array([0.8], np.float32), np.array([0.9], np.float32))
    (word,) = detections(boxes, (0.25, 0.5))
    np.testing.assert_allclose(word.polygon, [[2, 1], [38, 1], [38, 9], [2, 9]])
    assert word.score == pytest.approx(0.8)
    assert (word.angle, word.direction) == (0, "horizontal")


def test_scale_is_exact_where_the_resized_size_is_rounded():
    stored = Detector(Blobs(), long_side=100).score_maps([picture((333, 777), (5, 5, 50, 30))])[0]
    assert stored.maps_2hw.shape == (2, 21, 50)
    assert stored.scale == (100 / 777 / 2, 42 / 333 / 2)


def test_padding_is_black_and_never_seen_in_the_maps():
    network = Blobs()
    stored = Detector(network, long_side=90, max_enlargement=1).score_maps([picture((50, 90), (80, 40, 90, 50))])[0]
    assert network.seen == [(1, 3, 64, 96)]
    assert stored.maps_2hw.shape == (2, 25, 45)
    assert stored.maps_2hw[0, -1, -1] == 1


def test_pictures_of_one_padded_size_share_a_forward_and_keep_their_order():
    network = Blobs()
    images = [
        picture((100, 120), (10, 10, 60, 40)),
        picture((40, 40)),
        picture((97, 121), (50, 50, 100, 80)),
        picture((100, 120)),
    ]
    detector = Detector(network, Thresholds(0.6, 0.4, 0.4), long_side=200, max_enlargement=1, batch_size=2)
    found = detector.detect(images)
    assert [len(f) for f in found] == [1, 0, 1, 0]
    assert sorted(network.seen) == [(1, 3, 64, 64), (1, 3, 128, 128), (2, 3, 128, 128)]
    alone = [detector.detect([image])[0] for image in images]
    for together, single in zip(found, alone, strict=True):
        assert [d.polygon.tolist() for d in together] == [d.polygon.tolist() for d in single]


def test_no_pictures_no_forward():
    assert Detector(Painted()).detect([]) == []


@pytest.mark.parametrize(
    ("turn", "angle", "direction"),
    [
        (0, 0, "horizontal"),
        (-10, 10, "horizontal"),
        (30, -30, "rotated"),
        (-40, 40, "rotated"),
        (60, -60, "rotated"),
        (-70, 70, "rotated"),
        (75, -75, "rotated"),
    ],
)
def test_reading_starts_at_the_left_and_runs_along_the_word(turn, angle, direction):
    """``turn`` is clockwise as seen; the released box starts at the corner with the smallest x + y."""
    radians = np.radians(turn)
    rotation = np.array([[np.cos(radians), -np.sin(radians)], [np.sin(radians), np.cos(radians)]])
    quad = (np.array([[-40, -8], [40, -8], [40, 8], [-40, 8]]) @ rotation.T + 100).astype(np.float32)
    start = int(quad.sum(1).argmin())
    boxes = Boxes(np.roll(quad, -start, axis=0)[None], np.ones(1, np.float32), np.ones(1, np.float32))
    (word,) = detections(boxes, (1.0, 1.0))
    assert word.angle == pytest.approx(angle, abs=0.01)
    assert word.direction == direction
    top = np.linalg.norm(word.polygon[1] - word.polygon[0])
    assert top == pytest.approx(80, abs=0.01)


@pytest.mark.parametrize("height", [15, 40, 200])
def test_upright_box_is_left_to_the_reader(height):
    quad = np.array([[[0, 0], [8, 0], [8, height], [0, height]]], np.float32)
    (word,) = detections(Boxes(quad, np.ones(1, np.float32), np.ones(1, np.float32)), (1.0, 1.0))
    assert word.angle == 0


@pytest.mark.parametrize(
    "image", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3), np.float32), np.zeros((0, 4, 3), np.uint8)]
)
def test_arrays_that_are_no_picture_are_refused(image):
    with pytest.raises(ValueError, match="height x width x 3 uint8 RGB"):
        Detector(Blobs()).detect([image])


def test_settings_out_of_range_are_refused():
    with pytest.raises(ValueError, match="long_side is 8"):
        Detector(Blobs(), long_side=8)
    with pytest.raises(ValueError, match="precision is 'fp8'"):
        Detector(Blobs(), precision="fp8")


def test_thresholds_can_come_from_a_checkpoint():
    detector = Detector(Blobs(), {"text": 0.6, "link": 0.3, "low": 0.2})
    assert detector.thresholds == Thresholds(0.6, 0.3, 0.2)


@dataclass
class Counted:
    """Agreement by counting: every detection over a true centre is a hit."""

    recall: float
    precision: float

    @property
    def hmean(self):
        return 2 * self.recall * self.precision / max(self.recall + self.precision, 1e-9)


def count_hits(pictures):
    hits = found = true = 0
    for detected, words in pictures:
        centres = [w.polygon.mean(axis=0) for w in words]
        hits += sum(any(cv2.pointPolygonTest(d.polygon, c.tolist(), False) > 0 for d in detected) for c in centres)
        found, true = found + len(detected), true + len(words)
    return Counted(hits / max(true, 1), hits / max(found, 1))


def test_chosen_thresholds_are_the_best_of_the_grid_by_trying_them_all(rng):
    images = [picture((96, 160), (10, 10, 60, 30), (90, 50, 150, 70)) for _ in range(3)]
    truth = [[SceneWord(np.array([[10, 10], [60, 10], [60, 30], [10, 30]], np.float32), "a")] for _ in images]
    network = Blobs()
    detector = Detector(network, long_side=160, max_enlargement=1)
    stored = detector.score_maps(images)
    for maps in stored:
        # the true word is fainter at its ends, the false alarm is faint throughout
        maps.maps_2hw[0, :, :30] *= np.linspace(0.35, 0.95, 30, dtype=np.float32)
        maps.maps_2hw[0, :, 30:] *= 0.55
    grid = Grid(text=(0.4, 0.5, 0.6, 0.9), link=(0.3,), low=(0.2, 0.45))
    forwards = len(network.seen)
    thresholds, agreement = choose(
        [candidates(m, w, grid) for m, w in zip(stored, truth, strict=True)], grid, count_hits
    )
    assert len(network.seen) == forwards
    assert agreement.hmean == 1
    assert thresholds.text in (0.6, 0.9)

    def hmean_at(text, link, low):
        from ocr.detection.postprocess import find_boxes

        found = [detections(find_boxes(m.maps_2hw, Thresholds(text, link, low)), m.scale) for m in stored]
        return count_hits(list(zip(found, truth, strict=True))).hmean

    tried = {(t, k, lo): hmean_at(t, k, lo) for t in grid.text for k in grid.link for lo in grid.low if t >= lo}
    assert agreement.hmean == max(tried.values())
    assert tried[thresholds.text, thresholds.link, thresholds.low] == agreement.hmean
    assert min(tried.values()) < 1


def test_choosing_without_pictures_or_without_a_possible_threshold_is_refused():
    with pytest.raises(ValueError, match="no validation picture"):
        choose([], Grid(), count_hits)
    grid = Grid(text=(0.2,), low=(0.5,))
    stored = Detector(Blobs(), long_side=64).score_maps([picture((64, 64))])[0]
    with pytest.raises(ValueError, match="extend the grid"):
        choose([candidates(stored, [], grid)], grid, count_hits)


@pytest.mark.parametrize(
    ("preset", "long_side", "thresholds"),
    [
        ("released", 1280, (0.7, 0.4, 0.4)),
        ("icdar2013", 960, (0.7, 0.2, 0.4)),
        ("icdar2015", 2240, (0.85, 0.2, 0.5)),
        ("icdar2017_mlt", 2560, (0.7, 0.4, 0.4)),
        ("msra_td500", 1600, (0.7, 0.4, 0.4)),
        ("totaltext", 1280, (0.7, 0.4, 0.4)),
        ("ctw1500", 1024, (0.7, 0.4, 0.4)),
    ],
)
def test_presets_are_those_of_the_paper(preset, long_side, thresholds):
    settings = plain(compose_config(["model=craft", f"inference={preset}"]))["inference"]
    detector = Detector(Blobs(), **settings)
    assert (detector.long_side, detector.thresholds) == (long_side, Thresholds(*thresholds))
    assert (detector.line_gap is not None) == (preset == "msra_td500")
    assert detector.polygons == (preset in ("totaltext", "ctw1500"))


def test_without_a_preset_the_checkpoint_decides():
    assert "inference" not in compose_config(["model=craft"])


def test_words_of_a_line_join_where_the_detector_is_told_to():
    image = picture((100, 240), (20, 40, 80, 60), (100, 40, 200, 60))
    settings = {"long_side": 240, "max_enlargement": 1}
    assert len(Detector(Blobs(), **settings).detect([image])[0]) == 2
    (line,) = Detector(Blobs(), **settings, line_gap=2.0).detect([image])[0]
    assert np.ptp(line.polygon[:, 0]) > 175
