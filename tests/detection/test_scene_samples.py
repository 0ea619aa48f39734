"""What the encoder makes of strong and weak scenes, usable and unusable words."""

import numpy as np
import pytest
import torch
from drawn import draw_scene, draw_word

from ocr.detection.augment import SceneAugment, fit
from ocr.detection.samples import SceneEncoder, visible_share
from ocr.detection.score_maps import score_maps
from ocr.geometry import polygon_mask, transform
from ocr.seeding import generator
from ocr.types import Scene, SceneWord


def same(a, b):
    """Bitwise equality of two items."""
    arrays = [(a.image, b.image), (a.maps_2hw, b.maps_2hw), (a.trust_hw, b.trust_hw)]
    if a.weak is not None:
        arrays += [(a.weak.to_map, b.weak.to_map)]
        arrays += [(x.crop, y.crop) for x, y in zip(a.weak.words, b.weak.words, strict=True)]
    return all(np.array_equal(x, y) for x, y in arrays)


@pytest.mark.parametrize("kind", ["char", "word"])
def test_item_depends_on_scene_and_generator_alone(rng, kind):
    scenes = [draw_scene(rng, kind=kind, key=f"drawn/{i}") for i in range(3)]
    untouched = [s.image.copy() for s in scenes]
    encoder = SceneEncoder(96, SceneAugment())
    forth = [encoder.train(s, generator(1, "augment", 0, i)) for i, s in enumerate(scenes)]
    back = [SceneEncoder(96, SceneAugment()).train(scenes[i], generator(1, "augment", 0, i)) for i in (2, 1, 0)][::-1]
    assert all(same(a, b) for a, b in zip(forth, back, strict=True))
    assert not same(forth[0], encoder.train(scenes[0], generator(1, "augment", 1, 0)))
    assert all(np.array_equal(s.image, image) for s, image in zip(scenes, untouched, strict=True))


def test_strong_scene_gets_maps_of_its_moved_characters(rng):
    scene = draw_scene(rng)
    augment = SceneAugment()
    item = SceneEncoder(128, augment).train(scene, generator(3))
    matrix = np.diag([0.5, 0.5, 1]) @ augment.place(scene, 128, generator(3))
    expected = score_maps((64, 64), [transform(matrix, w.characters) for w in scene.words])
    np.testing.assert_allclose(item.maps_2hw, expected, atol=1e-5)
    assert item.maps_2hw[0].max() > 0.8
    assert not item.weak


def test_bright_ink_lies_under_the_region_score(rng):
    """Looks at pixels instead of matrices: where the score is high there is ink nearby, and nowhere else."""
    image = np.zeros((200, 300, 3), np.uint8)
    polygon, quads = draw_word(image, "WORDS", 60, 80, cell=(30, 40))
    scene = Scene(image, [SceneWord(polygon, "WORDS", characters=quads)], "k/0", "char")
    augment = SceneAugment(
        colour=0, grey=0, invert=0, blur=0, noise=0, compression=0, word_height=(30, 50), rotation=20
    )
    for seed in range(5):
        item = SceneEncoder(128, augment).train(scene, generator(seed))
        ink = item.image[:, :, 0].reshape(64, 2, 64, 2).mean((1, 3)) / 255
        region = item.maps_2hw[0]
        assert ink[region < 0.01].max(initial=0) < 0.1
        assert ink[region > 0.3].mean() > 5 * ink[region < 0.1].mean() + 0.1


def word(left, top, width=60, height=20, **fields):
    corners = [[left, top], [left + width, top], [left + width, top + height], [left, top + height]]
    return SceneWord(np.array(corners, np.float32), **{"text": "abc", **fields})


def one_word_item(labelled, kind="word", size=128):
    image = np.full((size, size, 3), 90, np.uint8)
    return SceneEncoder(size).train(Scene(image, [labelled], "k/0", kind), generator(0))


QUADS = np.array([[[20, 20], [40, 20], [40, 40], [20, 40]]], np.float32)


@pytest.mark.parametrize(
    ("labelled", "kind"),
    [
        (word(20, 20, ignore=True), "word"),
        (word(20, 20, text=None), "word"),
        (word(20, 20, text="   "), "word"),
        (word(20, 20, direction="stacked"), "word"),
        (word(20, 20, height=4), "word"),
        (word(20, 20, width=4), "word"),
        (word(105, 20), "word"),
        (word(20, 20, ignore=True, characters=QUADS), "char"),
        (word(20, 20, text=None, characters=QUADS), "char"),
        (word(20, 20), "char"),
        (word(20, 20, height=4, characters=QUADS), "char"),
    ],
    ids=[
        "ignored",
        "no text",
        "spaces",
        "stacked",
        "low",
        "narrow",
        "cut off",
        "strong ignored",
        "strong no text",
        "no characters",
        "strong low",
    ],
)
def test_words_that_cannot_teach_are_neither_text_nor_background(labelled, kind):
    item = one_word_item(labelled, kind)
    inside = polygon_mask((64, 64), [labelled.polygon / 2]).astype(bool)
    assert inside.any()
    assert item.trust_hw[inside].max() == 0
    assert item.trust_hw[~inside].min() == 1
    assert item.maps_2hw.max() == 0
    assert not item.weak


def test_degenerate_weak_words_break_nothing():
    for corners in (
        [[20, 20]] * 4,
        [[20, 20], [80, 20], [140, 20], [50, 20]],
        [[20, 20], [80, 40], [80, 20], [20, 40]],
    ):
        item = one_word_item(SceneWord(np.array(corners, np.float32), "abc"))
        assert np.isfinite(item.trust_hw).all()
        for weak in item.weak.words if item.weak else []:
            assert np.isfinite(weak.to_picture(np.zeros((1, 2)))).all()


def test_word_outside_of_the_crop_leaves_no_trace():
    item = one_word_item(word(300, 20))
    assert not item.weak
    assert item.trust_hw.min() == 1


def test_weak_words_are_cut_from_the_untouched_picture_and_know_their_way(rng):
    scene = draw_scene(rng, kind="word")
    augment = SceneAugment(rotation=15, invert=1)
    item = SceneEncoder(128, augment, crop_height=48).train(scene, generator(5))
    assert item.weak.words
    assert item.maps_2hw.max() == 0
    np.testing.assert_allclose(item.weak.to_map, np.diag([0.5, 0.5, 1]) @ augment.place(scene, 128, generator(5)))
    for weak in item.weak.words:
        polygon = scene.words[weak.place].polygon
        assert scene.words[weak.place].text == weak.text
        left, top, right, bottom = weak.window
        assert weak.crop.shape == (48, right + left, 3)
        assert (top, bottom) == (8, 40)
        assert right - left == pytest.approx(32 * np.ptp(polygon[:, 0]) / np.ptp(polygon[:, 1]), abs=1)
        # inverted colours would give a correlation of -1
        x, y = polygon[0].astype(int)
        source = scene.image[y : y + 22, x : x + int(np.ptp(polygon[:, 0]))]
        rows, columns = np.linspace(top, bottom - 1, 22).astype(int), np.linspace(left, right - 1, source.shape[1])
        shrunk = weak.crop[rows][:, columns.astype(int)]
        assert np.corrcoef(shrunk.ravel(), source.ravel())[0, 1] > 0.8
        corners = np.array([[left, top], [right, top], [right, bottom], [left, bottom]])
        np.testing.assert_allclose(weak.to_picture(corners), polygon, atol=1e-3)


def test_half_visible_is_enough():
    assert len(one_word_item(word(94, 20)).weak.words) == 1
    assert one_word_item(word(102, 20)).weak is None


def test_polygon_is_cut_by_its_bounding_quad_but_ignored_by_its_own_shape():
    bow = np.array([[20, 40], [50, 30], [80, 40], [80, 60], [50, 50], [20, 60]], np.float32)
    assert len(one_word_item(SceneWord(bow, "curved")).weak.words) == 1
    item = one_word_item(SceneWord(bow, "curved", ignore=True))
    silent = item.trust_hw == 0
    assert np.array_equal(silent, polygon_mask((64, 64), [bow / 2]).astype(bool))


def test_extreme_proportions_are_squeezed():
    item = one_word_item(word(2, 20, width=120, height=6, text="x" * 60))
    assert item.weak.words[0].crop.shape == (96, 1024, 3)


def test_visible_share_against_a_mask(rng):
    for _ in range(20):
        quad = rng.uniform(-40, 100, 2) + np.array([[0, 0], [50, 10], [45, 40], [-5, 30]])
        padded = polygon_mask((300, 300), [quad.astype(np.float32) + 100])
        assert visible_share(quad.astype(np.float32), 64, 64) == pytest.approx(
            padded[100:164, 100:164].sum() / padded.sum(), abs=0.06
        )


def test_word_that_is_mostly_outside_of_the_picture_cannot_teach():
    """The training crop may reach beyond the picture, where there is nothing to read."""
    scene = Scene(np.full((100, 128, 3), 90, np.uint8), [word(20, 92, height=20)], "k/0", "word")
    item = SceneEncoder(128).train(scene, generator(0))
    assert item.weak is None
    assert item.trust_hw[47:55, 12:38].max() == 0


def test_words_of_five_pixels_and_two_thousand_words():
    encoder = SceneEncoder(256, crop_height=16)
    words = [word(3 + 6.2 * (i % 40), 2 + 5.01 * (i // 40), 6, 5) for i in range(2000)]
    item = encoder.train(Scene(np.zeros((256, 256, 3), np.uint8), words, "k/0", "word"), generator(0))
    assert len(item.weak.words) == 2000
    assert {w.crop.shape[0] for w in item.weak.words} == {16}
    assert one_word_item(word(20, 20, 40, 4.9)).weak is None


def test_whole_pictures_hand_on_the_picture_and_the_words_outside_of_the_crop(rng):
    scene = draw_scene(rng, size=(192, 600), kind="word")
    augment = SceneAugment(word_height=(20, 22), zoom=(1, 1), rotation=0)
    plain = SceneEncoder(96, augment).train(scene, generator(4))
    whole = SceneEncoder(96, augment, whole_pictures=True).train(scene, generator(4))
    assert whole.weak.image is scene.image
    assert plain.weak.image is None
    assert [w.place for w in whole.weak.words] == [0, 1, 2, 3]
    assert [w.place for w in whole.weak.words if w.crop is not None] == [w.place for w in plain.weak.words]
    assert len(plain.weak.words) < 4
    assert np.array_equal(plain.trust_hw, whole.trust_hw)


def test_probes_are_words_of_strong_pictures_that_know_the_truth(rng):
    scene = draw_scene(rng)
    plain, probing = (
        SceneEncoder(256).train(scene, generator(1)),
        SceneEncoder(256, probes=2).train(scene, generator(1)),
    )
    assert plain.weak is None
    assert np.array_equal(plain.maps_2hw, probing.maps_2hw)
    assert probing.weak.probe
    assert len(probing.weak.words) == 2
    for found in probing.weak.words:
        assert np.array_equal(found.characters, scene.words[found.place].characters)
        assert found.crop is not None


def test_collating_numbers_the_weak_words(rng):
    encoder = SceneEncoder(96)
    items = [
        encoder.train(draw_scene(rng, kind=k, key=f"drawn/{i}"), generator(i))
        for i, k in enumerate(["char", "word", "word"])
    ]
    batch = encoder.collate(items)
    assert batch.images_BCHW.shape == (3, 3, 96, 96)
    assert batch.images_BCHW.dtype == torch.uint8
    assert batch.maps_B2hw.shape == (3, 2, 48, 48)
    assert batch.trust_Bhw.shape == (3, 48, 48)
    assert batch.keys == ["drawn/0", "drawn/1", "drawn/2"]
    assert [(p.sample, p.key, len(p.words)) for p in batch.weak] == [(1, "drawn/1", 4), (2, "drawn/2", 4)]
    assert np.array_equal(batch.images_BCHW[1].permute(1, 2, 0).numpy(), items[1].image)


def test_without_augmentation_the_whole_picture_is_there(rng):
    scene = draw_scene(rng)
    item = SceneEncoder(128).train(scene, generator(0))
    expected = score_maps(
        (64, 64), [transform(np.diag([0.5, 0.5, 1]) @ fit(scene.image, 128), w.characters) for w in scene.words]
    )
    np.testing.assert_allclose(item.maps_2hw, expected, atol=1e-5)


@pytest.mark.parametrize("arguments", [{"size": 100}, {"size": 0}, {"size": 64, "crop_height": 60}])
def test_sizes_the_network_cannot_take_are_refused(arguments):
    with pytest.raises(ValueError, match="give a multiple of"):
        SceneEncoder(**arguments)
