"""Maps against a slow implementation that goes pixel by pixel, and what happens to boxes that are no quads."""

import cv2
import numpy as np
import pytest

from ocr.detection.score_maps import add_words, affinity_quads, score_maps


def line_crossing(a, b, c, d):
    """Crossing of the lines a-b and c-d, in homogeneous coordinates."""
    p = np.cross(np.cross([*a, 1], [*b, 1]), np.cross([*c, 1], [*d, 1]))
    return p[:2] / p[2]


def slow_map(shape, quads):
    """One Gaussian per quad, pixel by pixel through the inverse of OpenCV's perspective transform; the larger value stays."""
    canvas = np.zeros(shape)
    for quad in np.asarray(quads, np.float64):
        centre = line_crossing(quad[0], quad[2], quad[1], quad[3])
        enlarged = (centre + 1.5 * (quad - centre)).astype(np.float32)
        square = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]], np.float32)
        to_square = cv2.getPerspectiveTransform(enlarged, square)
        for row in range(shape[0]):
            for column in range(shape[1]):
                if cv2.pointPolygonTest(enlarged, (column + 0.5, row + 0.5), False) < 0:
                    continue
                u, v, w = to_square @ [column + 0.5, row + 0.5, 1]
                radius2 = (u / w) ** 2 + (v / w) ** 2
                if radius2 <= 1:
                    canvas[row, column] = max(canvas[row, column], np.exp(-radius2 / (2 * 0.4**2)))
    return canvas


def random_quads(rng, n, extent):
    """Turned, sheared and perspective character boxes, some of them over the border."""
    quads = []
    for _ in range(n):
        w, h, turn = rng.uniform(3, 9), rng.uniform(5, 14), rng.uniform(-np.pi, np.pi)
        box = np.array([[-w, -h], [w, -h], [w, h], [-w, h]]) / 2 + rng.uniform(-1, 1, (4, 2))
        rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
        quads.append(box @ rotation.T + rng.uniform(-4, extent + 4, 2))
    return np.array(quads, np.float32)


def test_region_map_equals_the_slow_one(rng):
    quads = random_quads(rng, 25, 40)
    words = [quads[:9], quads[9:10], quads[10:]]
    maps = score_maps((40, 44), words)
    np.testing.assert_allclose(maps[0], slow_map((40, 44), quads), atol=2e-4)
    links = np.concatenate([affinity_quads(w) for w in words])
    assert len(links) == len(quads) - len(words)


def test_affinity_map_links_neighbours_of_a_word_only(rng):
    row = np.array([[[x, 8], [x + 8, 7], [x + 8, 20], [x, 21]] for x in (2, 10, 18, 32, 40)], np.float32)
    maps = score_maps((28, 52), [row[:3], row[3:]])
    # corners worked out by hand: centroids of the upper and lower triangle of each box
    centre = [line_crossing(q[0], q[2], q[1], q[3]) for q in row]
    upper = [(q[0] + q[1] + c) / 3 for q, c in zip(row, centre, strict=True)]
    lower = [(q[2] + q[3] + c) / 3 for q, c in zip(row, centre, strict=True)]
    links = [[upper[i], upper[i + 1], lower[i + 1], lower[i]] for i in (0, 1, 3)]
    np.testing.assert_allclose(maps[1], slow_map((28, 52), links), atol=2e-4)
    assert maps[1][:, 29].max() == 0, "the gap between the words is linked"


def test_characters_along_a_curved_polygon_and_their_links_equal_the_slow_maps():
    """Two straight edges of each character lie across a ring, as those of a polygon with paired points do."""
    turn = np.linspace(-1.3, 1.3, 8)
    inner, outer = (np.stack([40 + r * np.sin(turn), 44 - r * np.cos(turn)], axis=1) for r in (20, 36))
    quads = np.stack([outer[:-1], outer[1:], inner[1:], inner[:-1]], axis=1).astype(np.float32)
    maps = score_maps((50, 80), [quads])
    np.testing.assert_allclose(maps[0], slow_map((50, 80), quads), atol=2e-4)
    np.testing.assert_allclose(maps[1], slow_map((50, 80), affinity_quads(quads)), atol=2e-4)
    assert (maps[1] > 0.9).sum() >= 6


def test_maps_grow_by_the_larger_value_and_keep_what_is_there(rng):
    first, second = random_quads(rng, 6, 40), random_quads(rng, 6, 40)
    maps = score_maps((40, 40), [first])
    before = maps.copy()
    add_words(maps, [second])
    np.testing.assert_array_equal(maps, np.maximum(before, score_maps((40, 40), [second])))


def test_strong_perspective_leaves_nothing_behind_the_horizon():
    quad = np.array([[[20, 20], [24, 20], [44, 60], [0, 60]]], np.float32)
    np.testing.assert_allclose(score_maps((90, 60), [quad])[0], slow_map((90, 60), quad), atol=2e-4)


def test_stacked_characters_are_linked_downwards():
    column = np.array([[[4, y], [14, y], [14, y + 10], [4, y + 10]] for y in (2, 12, 22)], np.float32)
    turned = np.array([[[y, 4], [y + 10, 4], [y + 10, 14], [y, 14]] for y in (2, 12, 22)], np.float32)
    stacked = score_maps((36, 18), [column])
    level = score_maps((18, 36), [turned])
    np.testing.assert_allclose(stacked[1], level[1].T, atol=1e-5)
    assert stacked[1][12, 9] > 0.9


def test_values_at_the_places_the_documentation_names():
    maps = score_maps((120, 120), [np.array([[[20, 30], [100, 30], [100, 90], [20, 90]]], np.float32)])[0]
    assert maps.max() == pytest.approx(1, abs=1e-3)
    assert np.unravel_index(maps.argmax(), maps.shape) in {(59, 59), (60, 60), (59, 60), (60, 59)}
    edge = (maps[59, 99] + maps[59, 100]) / 2
    assert edge == pytest.approx(0.249, abs=0.01)
    assert maps[59, 119] == pytest.approx(0.044, abs=0.005)
    assert maps[16, 1] == 0, "beyond the inscribed circle"


def test_doubling_all_coordinates_doubles_the_map(rng):
    quads = random_quads(rng, 8, 30)
    small, large = score_maps((32, 32), [quads])[0], score_maps((96, 96), [quads * 3])[0]
    # pixel centre (i + .5) * 3 is the middle of three pixels
    np.testing.assert_allclose(large[1::3, 1::3], small, atol=1e-4)


@pytest.mark.parametrize(
    "quad",
    [
        [[0, 0], [0, 0], [0, 0], [0, 0]],
        [[0, 0], [10, 0], [20, 0], [5, 0]],
        [[np.nan, 0], [10, 0], [10, 10], [0, 10]],
        [[500, 500], [510, 500], [510, 510], [500, 510]],
        [[-30, -30], [-20, -30], [-20, -20], [-30, -20]],
    ],
    ids=["point", "line", "not a number", "far right", "far left"],
)
def test_boxes_without_area_or_outside_draw_nothing(quad):
    quads = np.array([quad], np.float32)
    assert score_maps((30, 30), [quads]).max() == 0


def test_twisted_box_is_drawn_as_the_rectangle_around_it():
    proper = np.array([[[5, 5], [25, 5], [25, 15], [5, 15]]], np.float32)
    twisted = proper[:, [0, 1, 3, 2]]
    np.testing.assert_allclose(score_maps((24, 32), [twisted]), score_maps((24, 32), [proper]), atol=1e-4)


def test_no_words_no_scores():
    assert score_maps((8, 8), []).max() == 0
    assert score_maps((8, 8), [np.zeros((0, 4, 2), np.float32)]).max() == 0
    assert affinity_quads(np.zeros((1, 4, 2), np.float32)).shape == (0, 4, 2)
