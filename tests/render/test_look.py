"""Looks: plain data in, one-line errors out; and what the named looks promise about one another."""

from __future__ import annotations

import copy
import itertools
from typing import Any

import numpy as np
import pytest
import yaml

from ocr.render.background import FAMILIES
from ocr.render.binding import Ahead, Chance
from ocr.render.look import Look, Range, Tint, load_look, look_folder

NAMES = sorted(p.stem for p in look_folder().glob("*.yaml"))
STRONG, WEAK = "synthtext_standin", "icdar2015_standin"
TEST_SETS = ("rendered_scenes_v1", "rendered_words_v1")
TRAINING = (STRONG, WEAK, "mjsynth_standin")


def plain(name: str = STRONG) -> dict[str, Any]:
    data: dict[str, Any] = yaml.safe_load((look_folder() / f"{name}.yaml").read_text(encoding="utf-8"))
    return data


@pytest.mark.parametrize("name", NAMES)
def test_every_named_look_loads_under_its_own_name(name: str) -> None:
    look = load_look(name)
    assert look.name == name
    assert set(look.backgrounds) <= set(FAMILIES)


@pytest.mark.parametrize("name", NAMES)
def test_every_key_of_a_named_look_has_a_comment(name: str) -> None:
    lines = (look_folder() / f"{name}.yaml").read_text(encoding="utf-8").splitlines()
    bare = []
    for before, line in itertools.pairwise(lines):
        is_value = ":" in line and not line.lstrip().startswith(("#", "-")) and line.split(":", 1)[1].strip()
        inherits = before.lstrip().startswith("#") or bare[-1:] == [before]
        if is_value and "#" not in line and not inherits and not line.startswith(("name", "  dict", "  lower")):
            bare.append(line)
    grouped = ("number", "price", "date", "code", "capitalised", "upper")
    assert [line for line in bare if line.strip().split(":")[0] not in grouped] == []


def test_the_weak_look_shares_no_font_background_or_colour_with_the_strong_one() -> None:
    strong, weak = load_look(STRONG), load_look(WEAK)
    assert not set(strong.fonts) & set(weak.fonts)
    assert not set(strong.backgrounds) & set(weak.backgrounds)
    for a, b in itertools.product(
        strong.colours.background + strong.colours.text, weak.colours.background + weak.colours.text
    ):
        assert not tints_meet(a, b), f"{a} and {b}"


def tints_meet(a: Tint, b: Tint) -> bool:
    hues = any(a.hue.low + turn <= b.hue.high and b.hue.low <= a.hue.high + turn for turn in (-360, 0, 360))
    return hues and all(
        x.low <= y.high and y.low <= x.high for x, y in ((a.saturation, b.saturation), (a.value, b.value))
    )


@pytest.mark.parametrize("test_set", TEST_SETS)
@pytest.mark.parametrize("training", TRAINING)
def test_test_sets_share_no_font_background_or_word_with_training(test_set: str, training: str) -> None:
    one, other = load_look(test_set), load_look(training)
    assert not set(one.fonts) & set(other.fonts)
    assert not set(one.backgrounds) & set(other.backgrounds)
    assert (one.words.slice, other.words.slice) == ("test", "train")


def test_the_fixed_scenes_are_as_hard_as_announced() -> None:
    look = load_look("rendered_scenes_v1")
    assert (look.layout.height.low, look.layout.height.high) == (8, 64)
    assert (look.layout.rotation.low, look.layout.rotation.high) == (-20, 20)
    assert look.layout.words.low >= 10
    assert look.colours.contrast.low == 30
    assert look.layout.distractors.low >= 1


def change(path: str, value: Any) -> dict[str, Any]:
    data = copy.deepcopy(plain())
    *parents, last = path.split(".")
    node = data
    for key in parents:
        node = node[key]
    node[last] = value
    return data


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("camera.blurr", [0, 1], r"look\.camera: unknown key 'blurr'; did you mean blur"),
        ("letters.width", [1.3, 0.75], r"look\.letters\.width: the range .* is upside down"),
        ("letters.bold.probability", 1.5, r"look\.letters\.bold\.probability: a probability lies in \[0, 1\]"),
        ("letters.bold", 0.5, r"look\.letters\.bold: expected a mapping with probability, range"),
        ("words.slice", "both", r"look\.words\.slice: expected one of 'train', 'val', 'test'"),
        ("words.longest", "many", r"look\.words\.longest: expected int"),
        ("layout.words", 3, r"look\.layout\.words: expected \[low, high\]"),
        ("fonts", [], r"look 'synthtext_standin' names no font"),
        ("backgrounds", [], r"look 'synthtext_standin' names no background"),
        ("words.longest", 0, r"words\.shortest 1 is above words\.longest 0"),
        ("words.dictionary", -1, r"words: a kind of text needs a weight above 0, and none may lie below"),
        ("layout.height", [8, 900], r"layout\.height reaches above the height 384 of picture"),
        (
            "layout.illegible",
            {"probability": 0.5, "range": [4, 20]},
            r"layout\.illegible\.range reaches above the least layout\.height",
        ),
        ("colours.contrast", [28, 300], r"colours\.tone and colours\.contrast reach to 250"),
        ("crop.margin", [-0.6, 0.1], r"crop\.margin below -0\.4 cuts words away"),
        ("letters.width", [0.0, 1.3], r"letters\.width, layout\.height and crop\.height start above 0"),
        ("camera.jpeg", {"probability": 0.5, "range": [40, 130]}, r"camera\.jpeg\.range is a quality from 1 to 100"),
    ],
)
def test_a_wrong_value_is_named_with_its_place(path: str, value: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        Look.from_dict(change(path, value))
    assert "\n" not in str(caught.value)


def test_a_missing_key_is_named() -> None:
    data = plain()
    del data["camera"]["noise"], data["camera"]["jpeg"]
    with pytest.raises(ValueError, match=r"look\.camera: missing noise, jpeg"):
        Look.from_dict(data)


def test_an_unknown_look_lists_similar_names() -> None:
    with pytest.raises(ValueError, match=r"did you mean.*rendered_scenes_v1"):
        load_look("rendered_scene")


def test_draws_cover_the_range_and_integers_include_both_ends() -> None:
    rng = np.random.default_rng(0)
    draws = [Range(2, 5).draw_int(rng) for _ in range(400)]
    assert sorted(set(draws)) == [2, 3, 4, 5]
    logs = np.log([Range(1, 100).draw_log(rng) for _ in range(4000)])
    assert abs(logs.mean() - np.log(100) / 2) < 0.1


def test_draws_made_ahead_are_those_made_one_by_one() -> None:
    ranges, chance = [Range(-1, 3), Range(10, 11), Range(0, 0.5)], Chance(0.5, Range(2, 9))
    one, other = np.random.default_rng(3), np.random.default_rng(3)
    singly = [*(r.draw(one) for r in ranges), *(chance.draw(one) for _ in range(6)), ranges[1].draw_log(one)]
    ahead = Ahead(other, 16)
    drawn = [*(r.draw(ahead) for r in ranges), *(chance.draw(ahead) for _ in range(6)), ranges[1].draw_log(ahead)]
    assert drawn == singly
    assert None in drawn
    assert one.random() == other.random()
