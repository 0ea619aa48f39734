import pickle

import cv2
import numpy as np
import pytest
import torch
from PIL import Image as Pillow
from recognition_cells import word_picture

from ocr.charset import Charset
from ocr.recognition.augment import WordAugmentation
from ocr.recognition.codec import CTCCodec
from ocr.recognition.samples import WordEncoder, collate_pixels, fit, normalise
from ocr.types import Word

CODEC = CTCCodec(Charset.from_spec("digits_lower"), 25, 24)


def noise(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize("size", [(1, 1), (3, 500), (400, 2), (32, 100), (31, 64), (600, 1500)])
@pytest.mark.parametrize("keep_ratio", [False, True])
@pytest.mark.parametrize("channels", [1, 3])
def test_any_picture_comes_out_at_the_networks_size(size, keep_ratio, channels):
    pixels = fit(noise(*size), 32, 100, channels, keep_ratio)
    assert pixels.shape == (32, 100, channels)
    assert pixels.dtype == np.uint8


def test_a_picture_of_the_right_size_stays_as_it_is():
    image = noise(32, 100)
    assert np.array_equal(fit(image, 32, 100, 3), image)
    assert np.array_equal(fit(image, 32, 100, 3, keep_ratio=True), image)


def test_keeping_the_ratio_repeats_the_last_column():
    pixels = fit(noise(64, 75), 32, 100, 3, keep_ratio=True)
    assert np.array_equal(pixels[:, :38], fit(noise(64, 75), 32, 38, 3))
    assert (pixels[:, 38:] == pixels[:, 37:38]).all()
    assert np.array_equal(fit(noise(32, 300), 32, 100, 3, keep_ratio=True), fit(noise(32, 300), 32, 100, 3))


def test_grey_and_colour_are_converted_into_each_other():
    grey = noise(32, 100)[:, :, 0]
    assert np.array_equal(fit(grey, 32, 100, 1)[:, :, 0], grey)
    assert np.array_equal(fit(grey, 32, 100, 3), np.repeat(grey[:, :, None], 3, 2))
    red = np.zeros((32, 100, 3), np.uint8)
    red[..., 0] = 255
    assert (fit(red, 32, 100, 1) == 76).all(), "luma of red in RGB order"


@pytest.mark.parametrize("size", [(31, 64), (48, 180), (20, 150), (64, 40)])
def test_resizing_is_near_the_published_bicubic(size):
    """Within the documented grey levels on a soft picture such as a photograph."""
    soft = np.asarray(Pillow.fromarray(noise(8, 20)).resize(size[::-1], Pillow.Resampling.BICUBIC))
    ours = fit(soft, 32, 100, 3).astype(int)
    theirs = np.asarray(Pillow.fromarray(soft).resize((100, 32), Pillow.Resampling.BICUBIC)).astype(int)
    assert np.abs(ours - theirs).mean() < 2


@pytest.mark.parametrize(
    "image", [np.zeros((0, 5, 3), np.uint8), np.zeros((5, 5, 4), np.uint8), np.zeros((5, 5, 3)), np.zeros(5, np.uint8)]
)
def test_what_is_no_picture_is_refused(image):
    with pytest.raises(ValueError, match="a word picture of shape"):
        fit(image, 32, 100, 1)


def test_normalising_maps_bytes_to_minus_one_to_one():
    values = normalise(torch.tensor([[[[0, 255, 51]]]], dtype=torch.uint8))
    torch.testing.assert_close(values, torch.tensor([[[[-1.0, 1.0, -0.6]]]]))


@pytest.mark.parametrize("augment", [None, WordAugmentation(invert=0.5)])
def test_a_sample_is_a_function_of_word_and_generator(augment):
    encoder = pickle.loads(pickle.dumps(WordEncoder(CODEC, augment=augment)))
    word = Word(word_picture("Word", 40, 130), "Word", "set/1")
    before = word.image.copy()
    first = encoder.train(word, np.random.default_rng(3))
    encoder.train(word, np.random.default_rng(4))  # must leave no trace
    np.random.seed(0)  # noqa: NPY002  (the global stream must not matter)
    second = encoder.train(word, np.random.default_rng(3))
    assert np.array_equal(first.pixels, second.pixels)
    assert np.array_equal(word.image, before)
    assert (first.text, first.key) == ("Word", "set/1")


def test_augmentation_varies_with_the_generator():
    encoder = WordEncoder(CODEC, augment=WordAugmentation())
    word = Word(word_picture("Word"), "Word", "set/1")
    pictures = {encoder.train(word, np.random.default_rng(seed)).pixels.tobytes() for seed in range(20)}
    assert len(pictures) > 12


def test_augmentation_switched_off_changes_nothing():
    off = WordAugmentation(0, 0, 0, 0, 0, 0, 0)
    image = word_picture("Word")
    assert np.array_equal(off(image, np.random.default_rng(0)), image)


def test_augmentation_cuts_nothing_off():
    """Marks close to the four corners stay in the picture."""
    image = np.full((32, 120, 3), 255, np.uint8)
    for y, x in [(2, 2), (2, 114), (26, 2), (26, 114)]:
        image[y : y + 4, x : x + 4] = 0
    augment = WordAugmentation(perspective=1, affine=1, blur=0, noise=0, compression=0, colour=0)
    for seed in range(40):
        moved = augment(image, np.random.default_rng(seed))
        assert cv2.connectedComponents((moved[..., 0] < 160).astype(np.uint8))[0] - 1 == 4, seed


def test_transforms_are_chosen_independently():
    """Albumentations' own composition applies all of them or none."""
    augment = WordAugmentation(perspective=0, affine=0, colour=0, invert=0.5, blur=0, noise=0.5, compression=0)
    image = np.full((8, 8, 3), 200, np.uint8)
    results = [augment(image, np.random.default_rng(seed)) for seed in range(400)]
    inverted = np.array([result.mean() < 128 for result in results])
    noisy = np.array([len(np.unique(result)) > 1 for result in results])
    assert 0.4 < inverted.mean() < 0.6
    assert 0.4 < noisy.mean() < 0.6
    assert 0.2 < (inverted & noisy).mean() < 0.3


def test_a_wrong_probability_is_refused():
    with pytest.raises(ValueError, match=r"augment\.blur is 20: give a probability"):
        WordAugmentation(blur=20)


def test_batches_keep_bytes_texts_and_keys():
    encoder = WordEncoder(CODEC)
    words = [Word(word_picture(t), t, f"set/{i}") for i, t in enumerate(["One", "two"])]
    items = [encoder.train(w, np.random.default_rng(0)) for w in words]
    batch = encoder.collate(items)
    assert batch.images_BCHW.shape == (2, 1, 32, 100)
    assert batch.images_BCHW.dtype == torch.uint8
    assert np.array_equal(batch.images_BCHW[1, 0].numpy(), items[1].pixels[:, :, 0])
    assert (batch.texts, batch.keys) == (["One", "two"], ["set/0", "set/1"])
    assert collate_pixels([noise(4, 6)]).shape == (1, 3, 4, 6)


def test_reasons_come_from_the_codec():
    assert WordEncoder(CODEC).reject("a" * 25) == "CTC infeasible"
    assert WordEncoder(CODEC).reject("ok") is None
