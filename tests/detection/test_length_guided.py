"""Splitting with the length known: places, honesty of the confidence, words without any evidence."""

from itertools import combinations, pairwise

import cv2
import numpy as np
import pytest
from scipy.signal import find_peaks, peak_prominences

from ocr.detection.length_guided import (
    COLUMNS,
    LengthGuided,
    _evidence,
    _space_evidence,
    along,
    expected_widths,
    prominences,
)
from ocr.detection.score_maps import score_maps
from ocr.detection.splitting import Watershed


def word_map(widths, height=32, gap=0.0):
    """The perfect region map of characters side by side over the whole map, and the edges between them."""
    edges = np.concatenate([[0], np.cumsum(widths)]).astype(np.float32)
    quads = np.array(
        [[[a + gap, 0], [b - gap, 0], [b - gap, height], [a + gap, height]] for a, b in pairwise(edges)], np.float32
    )
    return score_maps((height, int(edges[-1])), [quads])[0], edges


def overlap(boxes, edges):
    """IoU of boxes and the true pieces, along the word."""
    left, right = np.maximum(boxes[:, 0], edges[:-1]), np.minimum(boxes[:, 2], edges[1:])
    common = np.clip(right - left, 0, None)
    return common / (boxes[:, 2] - boxes[:, 0] + np.diff(edges) - common)


@pytest.mark.parametrize("scale", [1.0, 0.35])
def test_known_characters_come_back_with_full_confidence(scale):
    region, edges = word_map([14, 8, 20, 11, 16, 7])
    split = LengthGuided()(region * scale, "abcdef")
    assert (split.found, split.confidence, split.fallback) == (6, 1.0, False)
    assert overlap(split.boxes, edges).min() > 0.65
    assert overlap(split.boxes, edges).mean() > 0.8
    assert np.all(split.boxes[:, 1] == 0)
    assert np.all(split.boxes[:, 3] == 32)
    assert split.boxes[0, 0] == 0
    assert split.boxes[-1, 2] == pytest.approx(76)


def test_score_wins_over_usual_widths_where_it_is_clear():
    region, edges = word_map([14] * 6)
    split = LengthGuided()(region, "WiWiWi")
    blind = LengthGuided()(region * 0, "WiWiWi")
    assert split.confidence == 1
    assert overlap(split.boxes, edges).min() > 0.65
    assert overlap(split.boxes, edges).mean() > overlap(blind.boxes, edges).mean() + 0.05


def test_smeared_map_defeats_the_watershed_but_not_the_length():
    """As a young teacher gives it: one long ridge that is hardly lower between the characters."""
    region, edges = word_map([13, 17, 12, 18, 15])
    smeared = cv2.GaussianBlur(region, (0, 0), 4.0) + np.float32(0.4)
    assert Watershed()(smeared, "abcde").fallback
    split = LengthGuided()(smeared, "abcde")
    assert overlap(split.boxes, edges).min() > 0.75
    assert split.found == 5


@pytest.mark.parametrize("value", [0, 0.7, np.nan, -0.3])
def test_score_that_says_nothing_leaves_the_usual_widths_and_half_confidence(value):
    split = LengthGuided()(np.full((32, 120), value, np.float32), "mill")
    assert (split.confidence, split.fallback) == (0.5, True)
    shares = (split.boxes[:, 2] - split.boxes[:, 0]) / 120
    np.testing.assert_allclose(shares, expected_widths("mill", 0.35), atol=1.5 / (4 * COLUMNS))


@pytest.mark.parametrize(
    ("text", "most"), [("abcde", 0.81), ("abcdef", 0.67), ("abcdefgh", 0.5), ("abc", 0.7), ("ab", 0.5)]
)
def test_confidence_falls_with_every_character_that_the_map_does_not_show(text, most):
    region, _ = word_map([14] * 4)
    split = LengthGuided()(region, text)
    assert len(split.boxes) == len(text)
    assert split.confidence <= most
    assert split.found == min(4, len(text))


def test_right_number_in_the_wrong_places_is_not_trusted():
    """Three characters crowd into the left third; pieces that shut out the rest would be unusually narrow and wide."""
    region = np.zeros((32, 96), np.float32)
    region[:, :21] = word_map([7, 7, 7])[0]
    split = LengthGuided(regularity=50)(region, "abc")
    assert split.found == 3
    assert split.confidence == 0.5


def test_more_confident_splits_are_better():
    rng = np.random.default_rng(5)
    confidence, quality = [], []
    for _ in range(150):
        widths = rng.integers(8, 24, 6)
        region, edges = word_map(widths)
        noise = cv2.GaussianBlur(rng.normal(0, 1, region.shape).astype(np.float32), (0, 0), 3) * rng.uniform(0, 4)
        split = LengthGuided()(cv2.GaussianBlur(region, (0, 0), rng.uniform(0.5, 6)) + noise, "aaaaaa")
        confidence.append(split.confidence)
        quality.append(overlap(split.boxes, edges).mean())
    sure, unsure = np.array(confidence) > 0.9, np.array(confidence) == 0.5
    assert min(sure.sum(), unsure.sum()) > 20
    assert np.array(quality)[sure].mean() > np.array(quality)[unsure].mean() + 0.05


def test_spaces_take_room_but_have_no_box():
    region = np.zeros((32, 100), np.float32)
    region[:, :40], region[:, 60:] = word_map([20, 20])[0], word_map([20, 20])[0]
    split = LengthGuided()(region, " ab cd ")
    assert len(split.boxes) == 4
    assert split.boxes[1, 2] == pytest.approx(40, abs=4)
    assert split.boxes[2, 0] == pytest.approx(60, abs=4)
    assert split.confidence == 1


def test_stretch_of_one_letter_and_of_sixty():
    alone = LengthGuided()(word_map([20])[0], "x")
    np.testing.assert_allclose(alone.boxes, [[0, 0, 20, 32]])
    assert (alone.found, alone.confidence) == (1, 1.0)
    region, edges = word_map([8] * 60)
    split = LengthGuided()(region, "x" * 60)
    assert split.found == 60
    assert overlap(split.boxes, edges).min() > 0.8


@pytest.mark.parametrize("shape", [(1, 1), (2, 3), (32, 5), (3, 200)])
def test_map_smaller_than_the_text_still_gives_every_character_a_box(shape):
    boxes = LengthGuided()(np.random.default_rng(1).random(shape, np.float32), "abcdefgh").boxes
    assert boxes.shape == (8, 4)
    assert (boxes[:, 2] > boxes[:, 0]).all()
    np.testing.assert_allclose(boxes[1:, 0], boxes[:-1, 2])


def test_cuts_are_the_best_of_all_ways_to_cut():
    """Every way to cut a short word, by an objective written down anew."""
    rng = np.random.default_rng(2)
    for text in ("abc", "iwm", "a b"):
        splitter, wanted = LengthGuided(), expected_widths(text, 0.35) * 36
        profile = cv2.GaussianBlur(rng.random((1, 36)).astype(np.float32), (0, 0), 2)[0]
        profile /= profile.max()

        def value(cuts, profile=profile, text=text, wanted=wanted):
            total = 0.0
            for (a, b), character, want in zip(pairwise(cuts), text, wanted, strict=True):
                if not 2 <= b - a <= 36:
                    return -np.inf
                u = (np.arange(a, b) + 0.5 - a) / (b - a)
                shape = np.exp(-((u - 0.5) ** 2) / (2 * 0.3**2))
                agreement = (
                    profile[a:b] @ (shape - shape.mean()) if character != " " else (profile.mean() - profile[a:b]).sum()
                )
                total += agreement - 0.5 * 6 * 0.04 * np.log(1 + (np.log((b - a) / want) / 0.2) ** 2)
            return total

        best = max(((0, a, b, 36) for a, b in combinations(range(1, 36), 2)), key=value)
        assert value(splitter._cuts((_evidence(profile), _space_evidence(profile)), text, 0.5)) == pytest.approx(
            value(best), abs=1e-4
        )


def test_prominences_against_scipy():
    rng = np.random.default_rng(3)
    for _ in range(20):
        profile = cv2.GaussianBlur(rng.random((1, 80)).astype(np.float32), (0, 0), 1.5)[0]
        padded = np.pad(profile, 1)
        places = find_peaks(padded)[0]
        expected = dict(zip(places - 1, peak_prominences(padded, places)[0], strict=True))
        found = dict(prominences(profile))
        assert found.keys() == expected.keys()
        for place, rise in found.items():
            assert rise == pytest.approx(expected[place], abs=1e-6)


def test_profile_of_a_map():
    region = np.zeros((10, 4), np.float32)
    region[2:8] = [0.0, 0.5, 2.0, np.nan]
    np.testing.assert_allclose(along(region, 4), [0, 0.5, 1, 0])
    region[4] = [0.4, 0, 0, 0]
    np.testing.assert_allclose(along(region, 4, np.max), [0.4, 0.5, 1, 0])
    region[4] = region[3]
    np.testing.assert_allclose(along(region, 8), [0, 0.125, 0.375, 0.625, 0.875, 0.75, 0.25, 0])


def test_expected_widths_lie_between_letters_and_regular_spacing():
    np.testing.assert_allclose(expected_widths("iiWW", 1.0), 0.25)
    apart = expected_widths("iW", 0.0)
    assert apart[1] / apart[0] > 3
    np.testing.assert_allclose(expected_widths("東京", 0.0), 0.5)
    assert expected_widths("東a", 0.0)[0] > 0.6
    assert expected_widths("weird ☃", 0.2).sum() == pytest.approx(1)


@pytest.mark.parametrize(
    "arguments", [{"regularity": 0}, {"evenness": 1.5}, {"faintest": 0}, {"prominence": 2}, {"agreement": -1}]
)
def test_arguments_out_of_range_are_refused(arguments):
    with pytest.raises(ValueError, match=next(iter(arguments))):
        LengthGuided(**arguments)


def test_leaning_letters_are_counted_though_their_mean_has_no_valleys():
    height, pitch, count = 32, 12, 6
    y, x = np.mgrid[:height, : pitch * count + height].astype(np.float32)
    leaning = sum(
        np.exp(-0.5 * (((x - pitch * (i + 0.5) - 0.9 * (height - y)) / 3) ** 2 + ((y - 16) / 8) ** 2))
        for i in range(count)
    )
    split = LengthGuided()(leaning.astype(np.float32), "abcdef")
    mean = along(leaning, 72)
    assert sum(rise > 0.02 for _, rise in prominences(mean / mean.max())) < count
    assert split.found == count
