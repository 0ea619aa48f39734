"""Weak supervision on drawn words whose characters are known, with a teacher that gives perfect maps."""

from itertools import pairwise

import cv2
import numpy as np
import pytest
import torch
from drawn import Painted, draw_word

from ocr.detection.length_guided import LengthGuided
from ocr.detection.pseudo_labels import Labeller, splice
from ocr.detection.samples import SceneEncoder
from ocr.detection.score_maps import score_maps
from ocr.detection.splitting import Equal, Watershed, equal_boxes
from ocr.detection.word_crops import word_frame
from ocr.geometry import polygon_mask, transform
from ocr.types import Scene, SceneBatch, SceneWord, WeakPicture, WeakWord

TO_MAP = np.diag([0.5, 0.5, 1.0])


def boxes_of(quads):
    return np.concatenate([quads.min(axis=1), quads.max(axis=1)], axis=1)


def iou(a, b):
    low, high = np.maximum(a[:, :2], b[:, :2]), np.minimum(a[:, 2:], b[:, 2:])
    common = np.prod(np.clip(high - low, 0, None), axis=1)
    area = [np.prod(x[:, 2:] - x[:, :2], axis=1) for x in (a, b)]
    return common / (area[0] + area[1] - common)


def region_of(widths, height=32, margin=2):
    """The perfect region map of characters of given widths side by side, and their boxes."""
    edges = margin + np.concatenate([[0], np.cumsum(widths)]).astype(np.float32)
    quads = np.array(
        [[[a, margin], [b, margin], [b, height - margin], [a, height - margin]] for a, b in pairwise(edges)],
        np.float32,
    )
    return score_maps((height, int(edges[-1] + margin)), [quads])[0], boxes_of(quads)


@pytest.mark.parametrize("scale", [1.0, 0.4])
def test_watershed_finds_known_characters(scale):
    region, truth = region_of([14, 8, 20, 11, 16, 7])
    split = Watershed()(region * scale, "abcdef")
    assert (split.found, split.confidence, split.fallback) == (6, 1.0, False)
    assert iou(split.boxes, truth).min() > 0.7
    # neither shrunk nor swollen on the average
    ratio = (split.boxes[:, 2] - split.boxes[:, 0]).sum() / (truth[:, 2] - truth[:, 0]).sum()
    assert ratio == pytest.approx(1, abs=0.05)


def test_absolute_thresholds_miss_what_an_unsure_teacher_sees():
    region, _ = region_of([14, 12, 15])
    assert Watershed(relative=False)(region * 0.4, "abc").fallback
    assert not Watershed(relative=False)(region, "abc").fallback


def test_spot_without_a_marker_belongs_to_no_character():
    region, _ = region_of([14, 14], margin=10)
    region[0:3, 0:3] = 0.4
    split = Watershed()(region, "ab")
    assert split.found == 2
    assert split.boxes[0, 0] > 5


@pytest.mark.parametrize(
    ("text", "found", "confidence", "fallback"),
    [
        ("abcd", 4, 1.0, False),
        ("abcde", 4, 0.8, False),
        ("abc", 4, 2 / 3, False),
        ("ab cd", 4, 1.0, False),
        ("ab", 4, 0.5, True),
        ("a", 4, 0.5, True),
        ("abcdefgh", 4, 0.5, False),
        ("abcdefghi", 4, 0.5, True),
    ],
)
def test_confidence_follows_the_paper(text, found, confidence, fallback):
    region, _ = region_of([12, 12, 12, 12])
    split = Watershed()(region, text)
    assert split.found == found
    assert split.confidence == pytest.approx(confidence)
    # (8 - 4) / 8 is exactly one half and stays; "ab" has (2 - 2) / 2 = 0 and falls back
    assert split.fallback == fallback
    assert len(split.boxes) == (len(text.replace(" ", "")) if fallback else found)


@pytest.mark.parametrize(
    "region", [np.zeros((32, 50)), np.full((32, 50), np.nan), np.full((32, 50), -0.3)], ids=["0", "nan", "neg"]
)
def test_teacher_that_sees_nothing_gives_equal_pieces(region):
    split = Watershed()(region.astype(np.float32), "abcde")
    assert (split.confidence, split.fallback) == (0.5, True)
    np.testing.assert_allclose(split.boxes, [[10 * i, 0, 10 * i + 10, 32] for i in range(5)])


def test_equal_pieces_leave_room_for_spaces_but_give_them_no_box():
    boxes = equal_boxes((8, 60), "ab c d")
    np.testing.assert_allclose(boxes[:, 0], [0, 10, 30, 50])
    np.testing.assert_allclose(boxes[:, 2] - boxes[:, 0], 10)


def test_sixty_characters_and_one():
    assert len(Equal()(np.zeros((32, 300), np.float32), "x" * 60).boxes) == 60
    np.testing.assert_allclose(Equal()(np.zeros((32, 20), np.float32), "x").boxes, [[0, 0, 20, 32]])


HEIGHT = 64


def weak_word(place, image, text, polygon, **fields):
    frame = word_frame(polygon, HEIGHT, 0.0, 1024)
    return WeakWord(place, text, polygon, frame.window, frame.to_picture, frame.cut(image), **fields)


def weak_batch(words, size=(128, 192), samples=1, image=None):
    """A batch of black weak pictures and the words (sample, text, polygon, image) in it, as the encoder makes it."""
    weak = []
    for sample in range(samples):
        own = [
            weak_word(i, pixels, text, polygon) for i, (at, text, polygon, pixels) in enumerate(words) if at == sample
        ]
        weak += [WeakPicture(sample, f"k/{sample}", TO_MAP, own, image)] if own else []
    h, w = size[0] // 2, size[1] // 2
    return SceneBatch(
        torch.zeros(samples, 3, *size, dtype=torch.uint8),
        torch.zeros(samples, 2, h, w),
        torch.ones(samples, h, w),
        [f"k/{sample}" for sample in range(samples)],
        weak,
    )


def fill(batch, network, splitter, **arguments):
    """Label and splice as a training step does; the labels."""
    labelled = Labeller(splitter, 0).label(batch, network, 0, **arguments)
    splice(batch, labelled)
    return [label for _, _, label in labelled.words]


def blocks_word(image, text, left, top, cell=(14, 22), gap=4):
    """White blocks stand for characters: what the painted network finds again."""
    polygon, quads = draw_word(image, " " * len(text), left, top, cell)
    quads = []
    for i in range(len(text)):
        x = left + i * cell[0]
        image[top + 2 : top + cell[1] - 2, x + gap // 2 : x + cell[0] - gap // 2] = 255
        quads.append(
            [
                [x + gap / 2, top + 2],
                [x + cell[0] - gap / 2, top + 2],
                [x + cell[0] - gap / 2, top + cell[1] - 2],
                [x + gap / 2, top + cell[1] - 2],
            ]
        )
    return polygon, np.array(quads, np.float32)


def cut(sample, image, text, quad):
    return sample, text, quad, image


def test_known_characters_come_back_as_maps_in_the_right_place(painted):
    image = np.zeros((128, 192, 3), np.uint8)
    first, first_quads = blocks_word(image, "abcd", 20, 10)
    second, second_quads = blocks_word(image, "efghij", 60, 80, cell=(18, 30))
    batch = weak_batch([cut(0, image, "abcd", first), cut(0, image, "efghij", second)])
    labels = fill(batch, painted, Watershed())
    assert [(label.found, label.confidence, label.fallback) for label in labels] == [(4, 1.0, False), (6, 1.0, False)]
    truth = score_maps((64, 96), [first_quads / 2, second_quads / 2])
    error = np.abs(batch.maps_B2hw[0].numpy() - truth)
    assert error.mean() < 0.01
    assert error.max() < 0.5, "a displacement by one map pixel reaches .5 on these narrow characters"
    assert batch.trust_Bhw.min() == 1


def test_turned_word_is_labelled_along_its_direction(painted):
    """The same word cut from a turned picture gives the turned maps: crop coordinates go through ``to_map`` exactly."""
    image = np.zeros((128, 192, 3), np.uint8)
    polygon, quads = blocks_word(image, "abcde", 50, 50)
    turn = np.radians(20)
    c, s = np.cos(turn), np.sin(turn)
    centre = np.array([96, 64])
    matrix = np.eye(3)
    matrix[:2, :2] = [[c, -s], [s, c]]
    matrix[:2, 2] = centre - matrix[:2, :2] @ centre
    batch = weak_batch([cut(0, image, "abcde", polygon)])
    batch.weak[0].to_map = TO_MAP @ matrix
    fill(batch, painted, Watershed())
    truth = score_maps((64, 96), [transform(TO_MAP @ matrix, quads)])
    assert np.abs(batch.maps_B2hw[0].numpy() - truth).mean() < 0.01
    assert np.corrcoef(batch.maps_B2hw[0, 0].numpy().ravel(), truth[0].ravel())[0, 1] > 0.98


def test_trust_is_the_confidence_inside_the_word_and_untouched_outside(painted):
    image = np.zeros((128, 192, 3), np.uint8)
    polygon, _ = blocks_word(image, "abcd", 20, 10)
    batch = weak_batch([cut(0, image, "abcde", polygon)])
    batch.trust_Bhw[0, :, :5] = 0
    fill(batch, painted, Watershed())
    inside = polygon_mask((64, 96), [polygon / 2]).astype(bool)
    trust = batch.trust_Bhw[0].numpy()
    assert np.all(trust[inside] == np.float32(0.8))
    assert np.all(trust[:, :5] == 0)
    assert np.all(trust[:, 5:][~inside[:, 5:]] == 1)


def test_overlapping_words_keep_the_smaller_trust_and_the_larger_score_in_any_order(painted):
    image = np.zeros((128, 192, 3), np.uint8)
    one, _ = blocks_word(image, "abcd", 20, 20)
    other, _ = blocks_word(image, "efgh", 60, 30)
    words = [cut(0, image, "abcde", one), cut(0, image, "efg", other)]
    there, back = weak_batch(words), weak_batch(words[::-1])
    for batch in (there, back):
        batch.trust_Bhw[0, 12:14] = 0
        fill(batch, painted, Watershed())
    assert torch.equal(there.maps_B2hw, back.maps_B2hw)
    assert torch.equal(there.trust_Bhw, back.trust_Bhw)
    both = polygon_mask((64, 96), [one / 2]) & polygon_mask((64, 96), [other / 2])
    both[12:14] = 0
    assert both.any()
    found = [label.confidence for label in fill(weak_batch(words), painted, Watershed())]
    assert np.all(there.trust_Bhw[0].numpy()[both > 0] == np.float32(min(found)))
    assert there.trust_Bhw[0, 12:14].max() == 0, "an ignored area stays ignored"


def test_words_reach_their_own_sample_only(painted):
    image = np.zeros((128, 192, 3), np.uint8)
    polygon, _ = blocks_word(image, "abcd", 20, 10)
    batch = weak_batch([cut(2, image, "abcd", polygon)], samples=4)
    fill(batch, painted, Watershed())
    assert [float(m.max()) > 0.5 for m in batch.maps_B2hw] == [False, False, True, False]


def test_words_of_many_widths_are_read_in_few_forwards_and_like_alone():
    image = np.zeros((256, 512, 3), np.uint8)
    words = []
    for row, text in enumerate(["ab", "abc", "abd", "abcdefghijkl", "abcdefghijkm", "a"]):
        polygon, _ = blocks_word(image, text, 10, 5 + 40 * row)
        words.append(cut(0, image, text, polygon))
    together, network = weak_batch(words, size=(256, 512)), Painted().eval()
    fill(together, network, Watershed())
    assert len(network.seen) < len(words)
    assert all(shape[2] == 64 and shape[3] % 32 == 0 for shape in network.seen)
    alone = weak_batch([], size=(256, 512))
    for word in words:
        alone.weak = weak_batch([word]).weak
        fill(alone, Painted().eval(), Watershed())
    assert torch.equal(alone.maps_B2hw, together.maps_B2hw)


def test_labels_of_a_curved_word_follow_its_curve(painted):
    """Characters on a circle, the word known as a polygon of eighteen points: every label lies on its character."""
    image = np.zeros((160, 240, 3), np.uint8)
    angles = np.radians(np.linspace(-150, -30, 9))
    ring = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    centre, middle = np.array([120, 130]), np.radians(np.linspace(-150, -30, 15)[1::2])
    spots = centre + 95 * np.stack([np.cos(middle), np.sin(middle)], axis=1)
    for x, y in spots:
        cv2.circle(image, (round(x), round(y)), 9, (255, 255, 255), -1)
    polygon = np.concatenate([centre + 107 * ring, (centre + 83 * ring)[::-1]]).astype(np.float32)
    scene = Scene(image, [SceneWord(polygon, "rainbow")], "k/0", "word")
    encoder = SceneEncoder(256)
    batch = encoder.collate([encoder.train(scene, np.random.default_rng(0))])
    batch.weak[0].to_map = TO_MAP
    (label,) = fill(batch, painted, Watershed())
    assert (label.found, label.confidence) == (7, 1.0)
    np.testing.assert_allclose(label.quads.mean(axis=1), spots, atol=3)
    turn = np.degrees(np.arctan2(*(label.quads[:, 1] - label.quads[:, 0])[:, ::-1].T))
    np.testing.assert_allclose(turn, np.degrees(middle) + 90, atol=8)
    for x, y in spots / 2:
        assert batch.maps_B2hw[0, 0, int(y), int(x)] > 0.8


def test_picture_of_two_thousand_words(painted):
    encoder = SceneEncoder(256, crop_height=16)
    corners = np.array([[0, 0], [6, 0], [6, 5.1], [0, 5.1]], np.float32)
    words = [SceneWord(corners + np.float32([3 + 6.2 * (i % 40), 2 + 5.01 * (i // 40)]), "ab") for i in range(2000)]
    scene = Scene(np.zeros((256, 256, 3), np.uint8), words, "k/0", "word")
    batch = encoder.collate([encoder.train(scene, np.random.default_rng(0))])
    labels = fill(batch, painted, LengthGuided())
    assert len(labels) == 2000
    assert {len(label.quads) for label in labels} == {2}
    # nothing to see: every label is a fallback, and is trusted half
    assert batch.trust_Bhw[0, 5:120, 5:120].unique().tolist() == [0.5]
    assert batch.maps_B2hw[0, 0, 5:120, 5:120].max() > 0.5


def test_equal_split_needs_no_teacher():
    image = np.zeros((128, 192, 3), np.uint8)
    polygon, _ = blocks_word(image, "abcd", 20, 10)
    network = Painted().eval()
    batch = weak_batch([cut(0, image, "abcd", polygon)], image=image)
    (label,) = fill(batch, network, Equal(), read_whole=pytest.fail)
    assert not network.seen
    assert (label.fallback, label.confidence) == (True, 0.5)
    np.testing.assert_allclose(label.quads[:, 0, 0], 20 + 14 * np.arange(4), atol=1e-3)
    np.testing.assert_allclose(batch.maps_B2hw[0], score_maps((64, 96), [label.quads / 2]), atol=1e-6)


def test_batch_without_weak_words_stays_as_it_is(painted):
    batch = weak_batch([])
    assert fill(batch, painted, Watershed()) == []
    assert batch.maps_B2hw.max() == 0


def test_swapped_thresholds_are_refused():
    with pytest.raises(ValueError, match="need 0 < background < foreground < 1"):
        Watershed(foreground=0.2, background=0.6)
