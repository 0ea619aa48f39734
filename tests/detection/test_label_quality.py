"""What is said about pseudo labels, and the floor under which they do not train."""

import numpy as np
import pytest
from drawn import Painted
from test_pseudo_labels import blocks_word, weak_batch, weak_word

from ocr.detection.label_cache import Label
from ocr.detection.label_quality import LabelQuality, Observed, characters_right, observe, together
from ocr.detection.pseudo_labels import Labelled, Labeller, splice
from ocr.detection.splitting import Watershed
from ocr.types import WeakPicture, WeakWord


def squares(*lefts, side=10.0):
    return np.array([[[x, 0], [x + side, 0], [x + side, side], [x, side]] for x in lefts], np.float32)


def test_share_of_characters_with_enough_overlap():
    truth = squares(0, 10, 20)
    assert characters_right(truth, truth) == 3
    assert characters_right(squares(3, 12, 24), truth) == 2  # IoU .54, .67, .43
    assert characters_right(squares(3, 12, 24), truth, 0.6) == 1
    assert characters_right(np.zeros((0, 4, 2), np.float32), truth) == 0
    turn = np.array([[0.6, -0.8], [0.8, 0.6]], np.float32)
    assert characters_right(squares(3, 12, 24) @ turn, truth @ turn) == 2


def observed(text, *, confidence=1.0, found=None, fallback=False, count=1, truth=None, quads=None):
    word = WeakWord(0, text, squares(0)[0], (0, 0, 2, 2), np.asarray, characters=truth)
    label = Label(squares(0) if quads is None else quads, confidence, len(text) if found is None else found, fallback)
    if truth is not None:
        return observe(Labelled(probes=[(word, label)]))
    return observe(Labelled([(WeakPicture(0, "k", np.eye(3), [word]), word, label)] * count))


def test_averages_follow_the_batches():
    quality = LabelQuality()
    quality.add(observed("ab c"))
    assert quality.values == {"confidence": 1.0, "fallbacks": 0.0, "exact": 0.0}
    for _ in range(200):
        quality.add(observed("abc", confidence=0.5, fallback=True))
    assert quality.values["confidence"] == pytest.approx(0.5, abs=0.01)
    assert quality.values["fallbacks"] == pytest.approx(1, abs=0.01)
    assert quality.values["exact"] == pytest.approx(1, abs=0.01)
    quality.add(observed("a", truth=squares(0, 10), quads=squares(1)))
    assert quality.values["characters"] == 0.5
    before = dict(quality.values)
    quality.add(Observed())
    assert quality.values == before


def test_falling_under_the_floor_holds_back_and_recovering_lets_go():
    quality = LabelQuality(floor=0.7)
    quality.add(observed("abc", confidence=0.5, count=40))
    assert not quality.held_back, "too few words to judge"
    quality.add(observed("abc", confidence=0.5, count=40))
    assert quality.held_back
    for _ in range(100):
        quality.add(observed("abc", count=40))
    assert not quality.held_back
    quality.add(observed("ab", truth=squares(0, 10), quads=squares(50)))
    assert quality.held_back, "measured characters are believed before the confidence"
    other = LabelQuality(floor=0.7)
    other.load_state(quality.state())
    assert other == quality
    with pytest.raises(ValueError, match="floor"):
        LabelQuality(floor=1.5)


def test_words_held_back_are_neither_text_nor_background(painted):
    image = np.zeros((128, 192, 3), np.uint8)
    polygon, _ = blocks_word(image, "abcd", 20, 10)
    batch = weak_batch([(0, "abcd", polygon, image)])
    splice(batch, Labeller(Watershed(), 0).label(batch, painted, 0), held_back=True)
    assert batch.maps_B2hw.max() == 0
    assert set(batch.trust_Bhw.unique().tolist()) == {0, 1}
    assert batch.trust_Bhw[0, 10, 20] == 0


def test_probes_are_labelled_beside_weak_words_only_and_never_drawn():
    image = np.zeros((128, 192, 3), np.uint8)
    polygon, quads = blocks_word(image, "abcd", 20, 10)
    other, _ = blocks_word(image, "efghi", 20, 70)
    probe = WeakPicture(
        0, "s/0", np.diag([0.5, 0.5, 1]), [weak_word(0, image, "abcd", polygon, characters=quads)], probe=True
    )
    network, labeller = Painted().eval(), Labeller(Watershed(), 10)
    batch = weak_batch([])
    batch.weak = [probe]
    assert labeller.label(batch, network, 0) == Labelled()
    assert not network.seen
    batch = weak_batch([(0, "efghi", other, image)])
    batch.weak.append(probe)
    done = labeller.label(batch, network, 0)
    splice(batch, done)
    assert [len(done.words), len(done.probes), done.read] == [1, 1, 2]
    assert batch.maps_B2hw[0, 0, :30].max() == 0
    quality = LabelQuality()
    quality.add(observe(done))
    assert quality.values["characters"] == 1


def test_what_processes_observe_together_is_what_one_would_have_observed():
    parts = [observed("abc", confidence=0.3, found=2), observed("ab", truth=squares(0, 10), quads=squares(1))]
    parts.append(observed("abcd", confidence=0.7, fallback=True, count=2))
    parts[0].read, parts[2].read, parts[2].whole = 4, 5, 1
    whole = together(parts)
    assert whole == Observed([0.3, 0.7, 0.7], [False, True, True], [False, True, True], 1, 2, 9, 1)
    assert together(parts[:1]) == parts[0]
