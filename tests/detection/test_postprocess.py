"""Boxes against those of the released post-processing (stored), and at its limits."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from ocr.detection.polygons import word_polygons
from ocr.detection.postprocess import Thresholds, find_boxes, find_components
from ocr.detection.score_maps import score_maps
from ocr.detection.words import find_words

GOLDEN = np.load(Path(__file__).parents[1] / "golden" / "craft_boxes.npz")


def stored_case(case):
    """Maps, thresholds, boxes and polygons by box; the maps are reduced to the levels that the thresholds tell apart."""
    shapes, counts = GOLDEN["shapes"], GOLDEN["counts"]
    pixels = np.concatenate([[0], np.cumsum(shapes.prod(axis=1))])
    firsts = np.concatenate([[0], np.cumsum(counts)])
    levels = GOLDEN["levels"][pixels[case] : pixels[case + 1]].reshape(shapes[case])
    text, link, low = GOLDEN["thresholds"][case].tolist()
    region = np.array([0, (low + text) / 2, text], np.float32)[levels & 3]
    mine = GOLDEN["polygon_case"] == case
    polygons = dict(zip(GOLDEN["polygon_box"][mine].tolist(), GOLDEN["polygons"][mine], strict=True))
    boxes = GOLDEN["boxes"][firsts[case] : firsts[case + 1]]
    return np.stack([region, levels >> 2]).astype(np.float32), Thresholds(text, link, low), boxes, polygons


def same_points(a, b):
    """Whether two quads are one set of points, to a thousandth of a pixel."""
    return np.abs(a[:, None] - b[None]).max(axis=2).min(axis=1).max() <= 1e-3


@pytest.mark.parametrize("case", range(40))
def test_equals_the_released_boxes_and_polygons(case):
    maps, thresholds, expected, polygons = stored_case(case)
    boxes, components = find_components(maps, thresholds)
    assert len(boxes.quads) == len(expected)
    found = word_polygons(components, boxes.quads)
    for k, quad in enumerate(expected):
        (i,) = [i for i, ours in enumerate(boxes.quads) if same_points(ours, quad)]
        assert (found[i] is None) == (k not in polygons)
        if k in polygons:
            np.testing.assert_allclose(found[i], polygons[k], atol=1e-2)


def test_the_stored_cases_are_all_there():
    assert len(GOLDEN["shapes"]) == 40
    assert (len(GOLDEN["boxes"]), len(GOLDEN["polygons"])) == (459, 15)


def word_maps(*rows, shape=(60, 160)):
    words = [np.array([[[x, y], [x + 10, y], [x + 10, y + 16], [x, y + 16]] for x in xs], np.float32) for y, xs in rows]
    return score_maps(shape, words)


def test_one_box_per_word_clockwise_from_the_top_left():
    boxes = find_boxes(word_maps((8, (10, 20, 30, 40)), (34, (12, 22)), (34, (80, 90, 100))), Thresholds())
    assert len(boxes.quads) == 3
    first = boxes.quads[boxes.quads[:, :, 1].mean(1).argmin()]
    # four characters from 10 to 50, rows 8 to 24, as pixel indices; the box may be off by two pixels
    np.testing.assert_allclose(first, [[10, 8], [49, 8], [49, 23], [10, 23]], atol=2)


def test_scores_are_means_over_the_component_and_peaks_its_maximum():
    maps = np.zeros((2, 20, 20), np.float32)
    maps[0, 4:8, 4:14] = np.linspace(0.5, 0.9, 40, dtype=np.float32).reshape(4, 10)
    boxes = find_boxes(maps, Thresholds())
    assert boxes.peaks.tolist() == pytest.approx([0.9])
    assert boxes.scores.tolist() == pytest.approx([0.7])
    assert len(boxes.above(0.9).quads) == 1
    assert len(boxes.above(0.91).quads) == 0


def test_raising_the_text_threshold_afterwards_is_the_same_as_before(rng):
    maps = word_maps((8, (10, 20, 30, 40)), (34, (12, 22)), (34, (80, 90, 100)))
    maps[0, 30:, :60] *= 0.6
    late = find_boxes(maps, Thresholds(text=0.3)).above(0.7)
    early = find_boxes(maps, Thresholds(text=0.7))
    assert len(early.quads) == 2
    np.testing.assert_array_equal(late.quads, early.quads)
    np.testing.assert_array_equal(late.scores, early.scores)


def test_components_of_fewer_than_ten_pixels_are_dropped():
    maps = np.zeros((2, 20, 40), np.float32)
    maps[0, 3, 2:11] = 1
    maps[0, 10, 2:12] = 1
    assert len(find_boxes(maps, Thresholds()).quads) == 1


def test_peak_equal_to_the_text_threshold_stays():
    maps = np.full((2, 12, 12), 0, np.float32)
    maps[0, 3:8, 3:8] = 0.7
    assert len(find_boxes(maps, Thresholds(text=0.7)).quads) == 1
    maps[0, 3:8, 3:8] = np.nextafter(np.float32(0.7), np.float32(0))
    assert len(find_boxes(maps, Thresholds(text=0.7)).quads) == 0


@pytest.mark.parametrize("fill", [0.0, np.nan, -1.0])
def test_empty_maps_give_no_boxes(fill):
    boxes = find_boxes(np.full((2, 16, 24), fill, np.float32), Thresholds())
    assert boxes.quads.shape == (0, 4, 2)
    assert boxes.scores.shape == boxes.peaks.shape == (0,)


def test_nan_counts_as_no_text():
    maps = word_maps((20, (10, 20, 30)))
    whole = find_boxes(maps, Thresholds())
    maps[:, 50:, 140:] = np.nan
    np.testing.assert_array_equal(find_boxes(maps, Thresholds()).quads, whole.quads)
    maps[0] = np.nan
    assert len(find_boxes(maps, Thresholds()).quads) == 0


def test_full_map_gives_one_box_over_all_of_it():
    boxes = find_boxes(np.ones((2, 18, 30), np.float32), Thresholds())
    np.testing.assert_allclose(boxes.quads[0], [[0, 0], [29, 0], [29, 17], [0, 17]], atol=1e-3)


def test_links_alone_are_no_word():
    maps = np.zeros((2, 20, 20), np.float32)
    maps[0, 5:12, 5:12] = 0.45
    maps[1, 5:12, 5:12] = 0.9
    assert len(find_boxes(maps, Thresholds(text=0.4, low=0.5)).quads) == 0


def test_thresholds_outside_their_range_are_refused():
    with pytest.raises(ValueError, match=r"threshold link is 1\.5"):
        Thresholds(link=1.5)


def full_map_boxes(maps, thresholds):
    """Boxes with masks of the whole map for every component: slow, and nothing shared with ours."""
    region, affinity = maps
    text, link = region > thresholds.low, affinity > thresholds.link
    count, labels, statistics, _ = cv2.connectedComponentsWithStats((text | link).astype(np.uint8), connectivity=4)
    found = []
    for label in range(1, count):
        _, _, w, h, area = statistics[label].tolist()
        mask = labels == label
        if area < 10 or region[mask].max() < thresholds.text or not (mask & text).any():
            continue
        grow = int(np.sqrt(area * min(w, h) / (w * h)) * 2)
        segment = cv2.dilate((mask & text).astype(np.uint8), np.ones((1 + grow, 1 + grow), np.uint8))
        found.append((cv2.minAreaRect(cv2.findNonZero(segment)), np.argwhere(segment)[:, ::-1]))
    return found


def test_boxes_of_random_maps_equal_those_of_a_pass_over_the_whole_map(rng):
    """Ragged components that touch the border and fall apart without their links."""
    total = 0
    for _ in range(20):
        maps = cv2.GaussianBlur(rng.random((60, 90, 2), np.float32), (0, 0), rng.uniform(1, 3))
        maps = np.ascontiguousarray((maps - maps.min()).transpose(2, 0, 1)) / np.ptp(maps)
        thresholds = Thresholds(0.7, rng.uniform(0.5, 0.7), rng.uniform(0.5, 0.65))
        boxes, expected = find_boxes(maps, thresholds), full_map_boxes(maps, thresholds)
        assert len(boxes.quads) == len(expected)
        total += len(expected)
        for quad, (rectangle, points) in zip(boxes.quads, expected, strict=True):
            w, h = rectangle[1]
            (x0, y0), (x1, y1) = points.min(axis=0), points.max(axis=0)
            upright = np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], np.float32)
            diamond = abs(1 - max(w, h) / (min(w, h) + 1e-5)) <= 0.1
            assert same_points(quad, upright if diamond else cv2.boxPoints(rectangle))
    assert total > 60


def test_infinite_scores_are_text():
    maps = np.zeros((2, 20, 30), np.float32)
    maps[0, 5:12, 5:20] = np.inf
    assert len(find_boxes(maps, Thresholds()).quads) == 1


def curved_maps(radius=60, n=12):
    """Characters on the upper half of a circle."""
    turn = np.linspace(-1.2, 1.2, n)
    cell = np.array([[-6, -8], [6, -8], [6, 8], [-6, 8]])
    cos, sin = np.cos(turn), np.sin(turn)
    rotation = np.stack([np.stack([cos, -sin], 1), np.stack([sin, cos], 1)], 1)
    centre = np.stack([radius * sin + 90, 90 - radius * cos], axis=1)
    quads = (cell @ rotation.transpose(0, 2, 1) + centre[:, None]).astype(np.float32)
    return score_maps((110, 180), [quads]), quads


def test_curved_word_has_a_polygon_and_a_straight_one_has_none():
    maps, quads = curved_maps()
    (polygon,) = (word.polygon for word in find_words(maps, Thresholds(), polygons=True))
    (box,) = (word.polygon for word in find_words(maps, Thresholds()))
    assert (polygon.shape, box.shape) == ((14, 2), (4, 2))

    def filled(outlines):
        canvas = np.zeros((110, 180), np.uint8)
        for outline in outlines:
            cv2.fillPoly(canvas, [np.round(outline).astype(np.int32)], 1)
        return canvas

    def overlap(outline):
        return (filled(quads) & filled([outline])).sum() / (filled(quads) | filled([outline])).sum()

    assert overlap(polygon) > 0.7
    assert overlap(box) < 0.5
    straight = find_words(word_maps((20, (10, 20, 30, 40, 50))), Thresholds(), polygons=True)
    assert [w.polygon.shape for w in straight] == [(4, 2)]
