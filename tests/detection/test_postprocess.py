"""Boxes against those of the released post-processing (stored), and at its limits."""

from pathlib import Path

import numpy as np
import pytest

from ocr.detection.postprocess import Thresholds, find_boxes
from ocr.detection.score_maps import score_maps

GOLDEN = np.load(Path(__file__).parents[1] / "golden" / "craft_boxes.npz")
CASES = sorted({key.split("/")[0] for key in GOLDEN})


def as_point_sets(quads):
    return [quad[np.lexsort(quad.round(2).T)] for quad in quads]


@pytest.mark.parametrize("case", CASES)
def test_equals_the_released_boxes(case):
    maps = np.stack([GOLDEN[f"{case}/region"], GOLDEN[f"{case}/affinity"]]).astype(np.float32) / 255
    text, link, low = GOLDEN[f"{case}/thresholds"].tolist()
    boxes = find_boxes(maps, Thresholds(text, link, low))
    expected = GOLDEN[f"{case}/boxes"]
    assert len(boxes.quads) == len(expected) > 0
    for ours, theirs in zip(as_point_sets(boxes.quads), as_point_sets(expected), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-3)


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
