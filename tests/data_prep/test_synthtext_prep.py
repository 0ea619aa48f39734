from __future__ import annotations

import io
import zipfile

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from data_prep.boxes import all_usable, usable
from data_prep.samples import Unusable
from ocr.data.sets import open_set
from ocr.types import SceneWord

SCENES, CROPS = "detection/synthtext/train", "recognition/synthtext/train"


def scenes(result):
    return list(open_set(result.root, "detection", "synthtext", "train"))


def crops(result):
    return list(open_set(result.root, "recognition", "synthtext", "train"))


def test_one_command_writes_scenes_and_crops(synthtext, entry, prepare):
    result = prepare("synthtext", synthtext(entry("Hello\nwor!"), entry("abc")))
    assert result.status == 0
    first, second = scenes(result)
    assert [w.text for w in first.words] == ["Hello", "wor!"]
    assert (first.key, first.label_kind) == ("synthtext/1/ballet_0_0.jpg", "char")
    assert [w.text for w in second.words] == ["abc"]
    words = crops(result)
    assert [w.text for w in words] == ["Hello", "wor!", "abc"]
    assert [w.key for w in words] == [
        "synthtext/1/ballet_0_0.jpg#0",
        "synthtext/1/ballet_0_0.jpg#1",
        "synthtext/2/ballet_1_0.jpg#0",
    ]
    assert result.out.splitlines()[0].startswith("detection synthtext/train: 2 samples; none dropped; kind real")
    assert result.out.splitlines()[1].startswith("recognition synthtext/train: 3 samples")


@pytest.mark.parametrize("task", ["detection", "recognition"])
def test_one_task_alone(synthtext, entry, prepare, task):
    result = prepare("synthtext", synthtext(entry("ab")), "--task", task)
    assert [p.name for p in result.root.iterdir()] == [task]


def test_row_0_of_the_boxes_is_x(synthtext, entry, prepare):
    result = prepare("synthtext", synthtext(entry("abc", "de")))
    (scene,) = scenes(result)
    np.testing.assert_allclose(scene.words[0].polygon, [[10, 10], [34, 10], [34, 22], [10, 22]])
    np.testing.assert_allclose(scene.words[1].characters[1], [[18, 24], [26, 24], [26, 36], [18, 36]])


def test_one_box_is_an_array_without_its_third_axis(synthtext, entry, prepare):
    one_character = entry("x")
    result = prepare("synthtext", synthtext(one_character))
    (scene,) = scenes(result)
    assert scene.words[0].text == "x"
    assert scene.words[0].characters.shape == (1, 4, 2)
    np.testing.assert_allclose(scene.words[0].polygon, one_character.words[0])


def test_text_comes_in_padded_blocks_with_line_feeds(synthtext, entry, prepare):
    blocks = ["  Lorem\n\n ipsum   ", "dolor      ", "\n\tsit"]
    result = prepare("synthtext", synthtext(entry(*blocks)))
    (scene,) = scenes(result)
    assert [w.text for w in scene.words] == ["Lorem", "ipsum", "dolor", "sit"]
    assert [len(w.characters) for w in scene.words] == [5, 5, 5, 3]
    assert np.all(scene.words[2].characters[0] == [[10, 38], [18, 38], [18, 50], [10, 50]])


def test_pictures_whose_boxes_do_not_fit_the_text_are_dropped(synthtext, entry, prepare):
    few_words, few_characters = entry("ab cd"), entry("abc")
    few_words.words = few_words.words[:1]
    few_characters.characters = few_characters.characters[:2]
    result = prepare("synthtext", synthtext(entry("fine"), few_words, few_characters))
    reasons = {
        "number of words is not the number of word boxes": 1,
        "number of characters is not the number of character boxes": 1,
    }
    assert result.dropped(SCENES) == result.dropped(CROPS) == reasons
    assert result.listed(SCENES) == [
        "number of words is not the number of word boxes\t2/ballet_1_0.jpg",
        "number of characters is not the number of character boxes\t3/ballet_2_0.jpg",
    ]
    assert len(scenes(result)) == 1


def test_boxes_may_leave_the_picture_but_not_lie_outside(synthtext, entry, prepare):
    moved = entry("left", "gone", "here")
    for k, shift in ((0, -20), (1, -200)):
        moved.words[k, :, 0] += shift
        moved.characters[4 * k : 4 * k + 4, :, 0] += shift
    result = prepare("synthtext", synthtext(moved))
    (scene,) = scenes(result)
    assert [w.text for w in scene.words] == ["left", "here"]
    assert scene.words[0].polygon[:, 0].min() == -10
    assert scene.words[0].characters is not None
    assert result.dropped(SCENES) == {"word box lies outside the picture": 1}
    # 22 of the 32 pixels of "left" are in the picture: too few to read it
    assert [w.text for w in crops(result)] == ["here"]
    assert result.dropped(CROPS) == {"word box lies outside the picture": 1, "word reaches out of the picture": 1}


@pytest.mark.parametrize(
    ("box", "reason"),
    [
        (np.zeros((4, 2)), "word box has no area"),
        (np.array([[10, 10], [40, 10], [50, 10], [20, 10]]), "word box has no area"),
        (np.full((4, 2), np.nan), "word box is not numbers"),
        (np.array([[-9e3, -9e3], [9e3, -9e3], [9e3, 9e3], [-9e3, 9e3]]), "word box is larger than the picture"),
    ],
)
def test_words_without_a_usable_box_are_dropped(synthtext, entry, prepare, box, reason):
    broken = entry("bad", "good")
    broken.words[0] = box
    result = prepare("synthtext", synthtext(broken))
    assert result.dropped(SCENES) == result.dropped(CROPS) == {reason: 1}
    assert result.listed(SCENES) == [f"{reason}\t1/ballet_0_0.jpg#0 bad"]
    assert [w.text for w in scenes(result)[0].words] == ["good"]


def test_a_twisted_word_box_becomes_an_area_to_ignore(synthtext, entry, prepare):
    twisted = entry("bow", "tie")
    twisted.words[0] = twisted.words[0][[0, 2, 1, 3]]
    result = prepare("synthtext", synthtext(twisted))
    bow, tie = scenes(result)[0].words
    assert (bow.ignore, bow.characters, tie.ignore) == (True, None, False)
    assert {tuple(p) for p in bow.polygon.tolist()} == {(10, 10), (34, 10), (34, 22), (10, 22)}
    assert result.dropped(SCENES) == {"word ignored: sides of its box cross": 1}
    assert [w.text for w in crops(result)] == ["tie"]


@pytest.mark.parametrize("box", [np.full((4, 2), 12.0), np.array([[18, 10], [26, 22], [26, 10], [18, 22]])])
def test_a_broken_character_box_makes_the_word_one_to_ignore(synthtext, entry, prepare, box):
    broken = entry("abc", "def")
    broken.characters[1] = box
    result = prepare("synthtext", synthtext(broken))
    first, second = scenes(result)[0].words
    assert (first.ignore, first.characters, first.text) == (True, None, "abc")
    assert (second.ignore, len(second.characters)) == (False, 3)
    assert result.dropped(SCENES) == {"word ignored: a character box has no area or crossing sides": 1}


def test_boxes_that_run_backwards_are_turned_clockwise(synthtext, entry, prepare):
    backwards = entry("ab")
    backwards.words = backwards.words[:, [0, 3, 2, 1]]
    backwards.characters = backwards.characters[:, [0, 3, 2, 1]]
    (scene,) = scenes(prepare("synthtext", synthtext(backwards)))
    np.testing.assert_allclose(scene.words[0].polygon, entry("ab").words[0])
    np.testing.assert_allclose(scene.words[0].characters, entry("ab").characters)


def test_pictures_that_cannot_be_read_are_counted(synthtext, entry, prepare, picture):
    raw = synthtext(
        entry("fine"),
        entry("half", image=picture(1)[:2000]),
        entry("none", image=b""),
        entry("gone", name="9/gone.jpg"),
        entry("evil", name="../../evil.jpg"),
    )
    (raw.parent.parent / "evil.jpg").write_bytes(picture(1))
    result = prepare("synthtext", raw)
    assert len(scenes(result)) == 1
    assert result.dropped(CROPS) == {
        "picture cannot be decoded": 1,
        "empty picture file": 1,
        "no such picture": 1,
        "path leaves the raw folder": 1,
    }


def paint(quad, colour, image):
    """Fill an upright rectangle or any convex quad of an image."""
    ys, xs = np.mgrid[: image.shape[0], : image.shape[1]] + 0.5
    inside = np.ones(image.shape[:2], bool)
    for (x0, y0), (x1, y1) in zip(quad, np.roll(quad, -1, axis=0), strict=True):
        inside &= (x1 - x0) * (ys - y0) - (y1 - y0) * (xs - x0) >= 0
    image[inside] = colour


@pytest.mark.parametrize("angle", [0, 20, -40, 70, -90, 180])
def test_character_boxes_of_a_crop_lie_on_their_characters(synthtext, entry, prepare, angle):
    colours = np.array([[250, 0, 0], [0, 250, 0], [0, 0, 250]])
    turned = entry("abc")
    t = np.radians(angle)
    rotation = np.array([[np.cos(t), np.sin(t)], [-np.sin(t), np.cos(t)]])
    centre, scale = np.array([60.0, 50.0]), 2.5
    for name in ("words", "characters"):
        quads = getattr(turned, name)
        setattr(turned, name, (quads - [22, 16]) * scale @ rotation + centre)
    image = np.full((100, 120, 3), 128, np.uint8)
    for quad, colour in zip(turned.characters, colours, strict=True):
        paint(quad, colour, image)
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG")
    turned.image = file.getvalue()
    (word,) = crops(prepare("synthtext", synthtext(turned)))
    upright = abs(angle) <= 45
    box = turned.words[0]
    expected = np.ceil(box.max(0)) - np.floor(box.min(0)) if upright else np.array([60, 30])
    assert word.image.shape[:2] == tuple(expected[::-1].astype(int))
    for quad, colour in zip(word.characters, colours, strict=True):
        x, y = quad.mean(0)
        assert np.abs(word.image[int(y), int(x)].astype(int) - colour).max() < 40
    if not upright:
        # rectified: the characters stand side by side from left to right
        assert np.all(np.diff(word.characters.mean(1)[:, 0]) > 15)


def test_words_too_small_to_read_give_no_crop(synthtext, entry, prepare):
    small = entry("tiny", "fine")
    small.words[0] = [[10, 10], [42, 10], [42, 13], [10, 13]]
    result = prepare("synthtext", synthtext(small))
    assert [w.text for w in crops(result)] == ["fine"]
    assert result.dropped(CROPS) == {"word is less than 4 pixels high or wide": 1}
    assert len(scenes(result)[0].words) == 2


def test_a_turned_exif_picture_agrees_with_its_boxes(synthtext, entry, prepare, picture):
    exif = Image.Exif()
    exif[0x0112] = 6
    (scene,) = scenes(prepare("synthtext", synthtext(entry("abc", image=picture(0, 60, 100, exif=exif)))))
    assert scene.image.shape == (60, 100, 3)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"MATLAB 7.3 MAT-file, Platform: GLNXA64" + bytes(600), "cannot be read"),
        (b"not a mat file", "cannot be read"),
        ({"imnames": np.zeros((1, 2))}, "has no cell array imnames, wordBB, charBB, txt"),
    ],
)
def test_another_gt_mat_is_refused_in_one_line(tmp_path, prepare, content, message):
    if isinstance(content, bytes):
        (tmp_path / "gt.mat").write_bytes(content)
    else:
        savemat(tmp_path / "gt.mat", content)
    result = prepare("synthtext", tmp_path)
    assert result.status == 1
    assert message in result.error
    assert result.error.count("\n") == 1


def test_a_gt_mat_that_is_cut_short_is_refused(synthtext, entry, prepare):
    raw = synthtext(entry("one"), entry("two"))
    path = raw / "gt.mat"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    result = prepare("synthtext", raw)
    assert (result.status, result.root.exists()) == (1, False)
    assert "cannot be read" in result.error


def test_a_folder_without_gt_mat_is_refused(tmp_path, prepare):
    result = prepare("synthtext", tmp_path)
    assert (result.status, result.root.exists()) == (1, False)
    assert f"no gt.mat in {tmp_path}" in result.error


@pytest.mark.parametrize("seed", range(4))
def test_words_are_judged_alike_one_by_one_and_all_together(seed):
    rng = np.random.default_rng(seed)

    def quad(x, y, w, h):
        corners = np.array([[x, y], [x + w, y], [x + w, y + h], [x, y + h]])
        match rng.integers(0, 12):
            case 0:
                corners = corners[[0, 2, 1, 3]]
            case 1:
                corners = corners[[0, 3, 2, 1]]
            case 2:
                corners[rng.integers(0, 4)] = np.nan
            case 3:
                corners[:] = corners[0]
            case 4:
                corners += rng.uniform(-300, 300, 2)
            case 5:
                corners[2] = corners[:2].mean(0) - [0, h / 2]
        return np.float32(corners + rng.normal(0, 0.3, (4, 2)))

    words = []
    for _ in range(60):
        n, x, y = int(rng.integers(1, 5)), *rng.uniform(0, 150, 2)
        boxes = [np.float32([[0, 0], [6, 0], [6, 10], [0, 10]]) + np.float32([x + 6 * k, y]) for k in range(n)]
        if rng.random() < 0.2:
            boxes[-1] = quad(x, y, 6, 10)
        words.append(SceneWord(quad(x, y, 6 * n, 10), "x" * n, characters=np.stack(boxes)))
    quick = 0
    for word, found in zip(words, all_usable(words, 200, 160), strict=True):
        if isinstance(found, Unusable):
            with pytest.raises(Unusable, match=str(found)):
                usable(word, 200, 160)
            continue
        (ours, fault), (theirs, reason) = found, usable(word, 200, 160)
        assert (fault, ours.ignore) == (reason, theirs.ignore)
        np.testing.assert_array_equal(ours.polygon, theirs.polygon)
        if theirs.characters is not None:
            np.testing.assert_array_equal(ours.characters, theirs.characters)
            quick += 1
    assert quick > 10


def test_the_release_is_read_from_its_zip(synthtext, entry, prepare, tmp_path):
    raw = synthtext(entry("Hello\nwor!"), entry("abc"))
    expected = [prepare("synthtext", raw).manifest(place).fingerprint for place in (SCENES, CROPS)]
    packed = tmp_path / "packed"
    packed.mkdir()
    with zipfile.ZipFile(packed / "SynthText.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(raw.rglob("*")):
            archive.write(path, path.relative_to(raw.parent))
    result = prepare("synthtext", packed)
    assert [result.manifest(place).fingerprint for place in (SCENES, CROPS)] == expected
    assert [p.name for p in packed.iterdir()] == ["SynthText.zip"]


def test_damage_inside_gt_mat_is_reported_and_nothing_is_published(synthtext, entry, prepare):
    raw = synthtext(*(entry("word", "more") for _ in range(20)))
    path = raw / "gt.mat"
    content = bytearray(path.read_bytes())
    rng = np.random.default_rng(0)
    refused = 0
    for _ in range(25):
        damaged = bytearray(content)
        for at in rng.integers(128, len(content), 4):
            damaged[at] = rng.integers(0, 256)
        path.write_bytes(damaged)
        result = prepare("synthtext", raw, "--name", "damaged")
        if result.status:
            refused += 1
            assert "gt.mat" in result.error or "would be empty" in result.error
            assert result.error.count("\n") == 1
    assert refused > 2


def test_a_character_is_what_a_reader_takes_for_one(synthtext, entry, prepare):
    marked = entry("ab cde")
    # one box for e and its accent
    marked.blocks = ["ab cde\u0301"]
    (scene,) = scenes(prepare("synthtext", synthtext(marked)))
    assert [(w.text, len(w.characters)) for w in scene.words] == [("ab", 2), ("cde\u0301", 3)]
