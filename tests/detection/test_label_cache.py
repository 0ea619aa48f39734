"""Labels that are kept: what is read again and when, which of two labels stays, what survives a checkpoint."""

import copy

import numpy as np
import pytest
import torch
from drawn import Painted
from test_pseudo_labels import TO_MAP, blocks_word, weak_batch

from ocr.detection.detector import Detector
from ocr.detection.label_cache import CachedPicture, Label, LabelCache
from ocr.detection.pseudo_labels import Labeller, News, better, splice
from ocr.detection.splitting import Watershed


def picture(texts=("abcd", "efghij")):
    image = np.zeros((128, 192, 3), np.uint8)
    words = [(0, text, blocks_word(image, text, 20, 10 + 60 * i)[0], image) for i, text in enumerate(texts)]
    return image, words


def test_a_picture_that_comes_again_is_not_read_again_until_its_labels_are_too_old():
    _, words = picture()
    network, labeller = Painted().eval(), Labeller(Watershed(), max_age=10)
    reads = []
    for step in (0, 4, 10, 11, 12):
        batch = weak_batch(words)
        labelled = labeller.label(batch, network, step)
        reads.append(labelled.read)
        splice(batch, labelled)
        assert batch.maps_B2hw[0, 0].max() > 0.9
    assert reads == [2, 0, 0, 2, 0]


def test_only_the_words_that_are_new_in_the_crop_are_read():
    _, words = picture()
    labeller, network = Labeller(Watershed(), 10), Painted().eval()
    batch = weak_batch(words)
    batch.weak[0].words[1].crop = None
    assert (labeller.label(batch, network, 0).read, len(labeller.label(batch, network, 1).words)) == (1, 1)
    assert labeller.label(weak_batch(words), network, 1).read == 1


def test_labels_stay_on_the_ink_when_the_picture_is_augmented_anew(painted):
    _, words = picture()
    labeller = Labeller(Watershed(), 10)
    first, later = weak_batch(words), weak_batch(words)
    later.weak[0].to_map = np.diag([0.25, 0.25, 1]) @ np.array([[1, 0, 30], [0, 1, 60], [0, 0, 1]])
    for step, batch in enumerate((first, later)):
        splice(batch, labeller.label(batch, painted, step))
    y, x = np.unravel_index(first.maps_B2hw[0, 0].argmax(), (64, 96))
    peak = np.linalg.inv(TO_MAP) @ [x + 0.5, y + 0.5, 1]
    x, y, _ = later.weak[0].to_map @ peak
    assert later.maps_B2hw[0, 0, int(y), int(x)] > 0.6


def test_whole_pictures_are_read_when_their_entry_is_renewed_and_the_better_label_stays():
    image, words = picture()
    network = Painted().eval()
    detector = Detector(network, long_side=192, max_enlargement=1)
    asked = []

    def read_whole(images):
        asked.append(len(images))
        return detector.score_maps(images)

    labeller = Labeller(Watershed(), 10, whole_share=1)
    for step in (0, 5, 11):
        labelled = labeller.label(weak_batch(words, image=image), network, step, read_whole)
        assert [label.found for _, _, label in labelled.words] == [4, 6]
    assert asked == [1, 1]


def test_whole_pictures_keep_within_their_share_of_the_pixels_that_train(tmp_path):
    """The network is fed 128 x 192 pixels a step, and a whole picture is as large: a quarter of it is one picture in four steps."""
    image, words = picture(("abcd",))
    network = Painted().eval()
    detector = Detector(network, long_side=192, max_enlargement=1)
    labeller, read = Labeller(Watershed(), 0, whole_share=0.25), []
    for step in range(13):
        if step == 6:
            torch.save(labeller.state(), tmp_path / "state")
            labeller = Labeller(Watershed(), 0, whole_share=0.25)
            labeller.load_state(torch.load(tmp_path / "state", weights_only=True))
        read.append(labeller.label(weak_batch(words, image=image), network, step, detector.score_maps).whole)
    assert read == [1, 0, 0, 0] * 3 + [1]
    with pytest.raises(ValueError, match="share of whole pictures"):
        Labeller(Watershed(), 0, whole_share=-1)


def test_word_seen_only_in_the_whole_picture_is_labelled_from_it():
    """The crop shows nothing; in the whole picture the characters are there, and in the right places."""
    image, words = picture(("abcd",))
    detector = Detector(Painted().eval(), long_side=192, max_enlargement=1)
    batch = weak_batch(words, image=image)
    batch.weak[0].words[0].crop[:] = 0
    blind = Labeller(Watershed(), 10).label(batch, Painted().eval(), 0).words[0][2]
    seen = Labeller(Watershed(), 10).label(batch, Painted().eval(), 0, detector.score_maps).words[0][2]
    assert (blind.fallback, seen.fallback, seen.found) == (True, False, 4)
    np.testing.assert_allclose(seen.quads.mean(axis=1)[:, 0], 27 + 14 * np.arange(4), atol=1.5)


def label(found, confidence):
    return Label(np.zeros((found, 4, 2), np.float32), confidence, found, False)


@pytest.mark.parametrize(
    ("one", "other", "wins"),
    [
        ((4, 0.6), (5, 0.9), "one"),
        ((3, 0.9), (4, 0.6), "other"),
        ((4, 0.6), (4, 0.9), "other"),
        ((3, 0.7), (5, 0.7), "one"),
    ],
)
def test_the_smaller_error_in_length_wins_then_the_confidence(one, other, wins):
    one, other = label(*one), label(*other)
    assert better(one, other, "ab cd") is {"one": one, "other": other}[wins]
    assert better(one, None, "abcd") is one


def test_state_survives_a_checkpoint_to_the_bit(tmp_path):
    rng = np.random.default_rng(0)
    cache = LabelCache(100)
    for i in range(5):
        entry, renewed = cache.get(f"set/{i}", i)
        assert renewed
        for place in range(i):
            quads = rng.normal(size=(int(rng.integers(0, 7)), 4, 2)).astype(np.float32)
            entry.labels[place] = Label(quads, float(rng.random()), int(rng.integers(9)), bool(rng.random() < 0.5))
        entry.read.update(range(i // 2))
    torch.save(cache.state(), tmp_path / "state")
    other = LabelCache(100)
    other.load_state(torch.load(tmp_path / "state", weights_only=True))
    assert list(other.pictures) == list(cache.pictures)
    for key, entry in cache.pictures.items():
        twin = other.pictures[key]
        assert (twin.made, twin.read, list(twin.labels)) == (entry.made, entry.read, list(entry.labels))
        for place, mine in entry.labels.items():
            theirs = twin.labels[place]
            assert np.array_equal(mine.quads, theirs.quads)
            assert (mine.confidence, mine.found, mine.fallback) == (theirs.confidence, theirs.found, theirs.fallback)
    empty = LabelCache(1)
    empty.load_state(LabelCache(1).state())
    assert not empty.pictures


def test_old_pictures_are_forgotten():
    cache = LabelCache(3)
    for step in range(20):
        cache.get(f"set/{step}", step)
    assert list(cache.pictures) == [f"set/{i}" for i in range(16, 20)]
    with pytest.raises(ValueError, match="age limit"):
        LabelCache(-1)


def written(caches):
    """Per cache and picture when it was made, what was read, and the confidence of every label, which says who made it."""
    return [
        {key: (p.made, p.read, {k: v.confidence for k, v in p.labels.items()}) for key, p in cache.pictures.items()}
        for cache in caches
    ]


@pytest.mark.parametrize("world", [1, 2, 3])
def test_processes_that_take_up_each_others_labels_hold_what_one_process_would(world):
    """Against one cache that sees every picture; a picture may be with two processes at once, which see other words of it."""
    rng = np.random.default_rng(world)
    alone, caches = LabelCache(7), [LabelCache(7) for _ in range(world)]

    def label_words(cache, key, step, places):
        entry, renewed = cache.get(key, step)
        new = [place for place in places if place not in entry.read]
        for place in new:  # what a teacher says depends on the word and the step alone
            entry.labels[place] = label(place % 3, (int(key[-1]) * 305 + place * 61 + step) / 2000)
        entry.read.update(new)
        return {key: entry} if renewed or new else {}

    for step in range(60):
        told = []
        for cache in caches:
            fresh = {}
            for _ in range(rng.integers(0, 3)):
                key, places = f"set/{rng.integers(6)}", rng.permutation(5)[: rng.integers(0, 4)].tolist()
                fresh |= label_words(cache, key, step, places)
                label_words(alone, key, step, places)
            told.append(copy.deepcopy(fresh))
        for cache in caches:
            cache.take_up(step, told)
        whole = written([alone])[0]
        alive = {key: entry for key, entry in whole.items() if step - entry[0] <= 7}
        assert written(caches) == [alive] * world
        made = [[p.made for p in cache.pictures.values()] for cache in caches]
        assert made == [sorted(m) for m in made], "the oldest must come first to be forgotten in time"


def test_a_crops_label_goes_before_the_whole_pictures_and_the_lower_ranks_before_the_higher_ones():
    def told(**labels):
        return {"k": CachedPicture(3, {0: label(4, labels["says"])}, {0} if labels["read"] else set())}

    for first, second, wins in (((0.1, True), (0.2, True), 0.1), ((0.1, False), (0.2, True), 0.2)):
        cache = LabelCache(10)
        cache.take_up(3, [told(says=says, read=read) for says, read in (first, second)])
        assert cache.pictures["k"].labels[0].confidence == wins
        assert cache.pictures["k"].read == {0}


def test_processes_share_one_allowance_for_whole_pictures():
    labeller = Labeller(Watershed(), 10, whole_share=1)
    labeller.take_up(0, [News({}, -30.0), News({}, 10.0)])
    assert labeller.state()["allowance"] == -20
