"""Rendered data sets: the same sample everywhere, parts of their own, texts that a model can spell."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
import unicodedata

import numpy as np
import pytest

from ocr.charset import FULL94, Charset
from ocr.config import build, compose_config, plain
from ocr.data.records import check_characters
from ocr.render.look import load_language, load_look, spelt_out
from ocr.render.source import RenderedScenes, RenderedWords
from ocr.render.texts import draw_script_text
from ocr.render.vocabulary import part_of, vocabulary
from ocr.seeding import generator
from ocr.types import Word

SMALL = load_look("scene").replace(picture=(256, 256))


def words(**changes: object) -> RenderedWords:
    arguments: dict[str, object] = {
        "name": "rendered_mixed",
        "languages": {"en": 1, "ja": 1, "ko": 1},
        "seed": 3,
    } | changes
    return RenderedWords(**arguments)  # type: ignore[arg-type]


def test_sample_i_of_seed_s_is_the_same_in_any_order_and_in_another_process() -> None:
    one, other = words(), words()
    forward = [one[i] for i in (0, 1, 2, 10**9)]
    backward = [other[i] for i in (10**9, 2, 1, 0)][::-1]
    for a, b in zip(forward, backward, strict=True):
        assert (a.text, a.key, a.script, a.direction) == (b.text, b.key, b.script, b.direction)
        assert a.image.tobytes() == b.image.tobytes()
        np.testing.assert_array_equal(a.characters, b.characters)
    code = """
import hashlib
from ocr.render.source import RenderedWords
words = RenderedWords("rendered_mixed", {"en": 1, "ja": 1, "ko": 1}, seed=3)
print(hashlib.sha256(words[2].image.tobytes()).hexdigest(), words.fingerprint)
"""
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True)
    import hashlib

    assert done.stdout.split() == [hashlib.sha256(forward[2].image.tobytes()).hexdigest(), one.fingerprint]


def test_seeds_splits_and_looks_give_other_pictures_and_fingerprints() -> None:
    base = words()
    others = [words(seed=4), base.open("val"), words(look="clean"), words(languages={"ja": 1})]
    assert len({o.fingerprint for o in [base, *others]}) == 5
    assert len({o[0].image.tobytes() for o in [base, *others]}) == 5


def test_validation_does_not_follow_the_seed_and_has_words_and_fonts_of_its_own() -> None:
    train, val = words(languages={"en": 1}), words(languages={"en": 1}).open("val")
    assert val[5].image.tobytes() == words(languages={"en": 1}, seed=9).open("val")[5].image.tobytes()
    assert not set(train.looks[0].fonts) & set(val.looks[0].fonts)
    assert (len(train), len(val), val.split, val.kind) == (100_000, 500, "val", "rendered")
    simple = load_look("clean")
    held = RenderedWords("held", {"en": 1}, simple, split="val")
    texts = [held[i].text for i in range(30)]
    assert all(part_of(t, simple.words.validation) == "val" for t in texts if " " not in t)


def test_texts_that_cannot_be_learnt_give_way_to_others() -> None:
    digits = words(languages={"en": 1}, look="plates").accepting(lambda t: None if t.isdigit() else "not a number")
    assert all(digits[i].text.isdigit() for i in range(20))
    with pytest.raises(
        ValueError, match=r"finds no text of 1 to 25 characters in the train part that the model can spell"
    ):
        words(look="scene").accepting(lambda t: "never")[0]


def test_what_cannot_be_rendered_is_replaced_and_counted() -> None:
    korean = words(languages={"ko": 1}, look="hard")
    pictures = [korean[i] for i in range(60)]
    assert sum(korean.replaced.values()) > 0
    assert set(korean.replaced) <= {"a glyph is missing", "a vertical form is missing", "illegible"}
    assert all(np.ptp(p.image) > 10 for p in pictures)


@pytest.mark.parametrize("language", ["en", "ja", "ko"])
def test_words_and_scenes_are_labelled_completely(language: str) -> None:
    for sample in (words(languages={language: 1})[i] for i in range(25)):
        assert isinstance(sample, Word)
        check_characters(sample.text, sample.characters)
        assert sample.characters is not None
        assert sample.script == (
            "Latin" if sample.text.isascii() else {"ja": "Japanese", "ko": "Korean", "en": "Latin"}[language]
        )
        if sample.direction == "stacked" and len(sample.characters) > 2:
            assert np.ptp(sample.characters[:, :, 1]) > np.ptp(sample.characters[:, :, 0])
    scene = RenderedScenes("s", {language: 1}, SMALL)[1]
    assert scene.label_kind == "char"
    assert scene.words
    for word in scene.words:
        assert word.characters is not None
        check_characters(word.text, word.characters)
        assert " " not in (word.text or "")


@pytest.mark.parametrize("split", ["train", "val"])
def test_any_share_of_the_texts_can_run_from_top_to_bottom(split: str) -> None:
    def stacked(vertical: float | None) -> float:
        source = words(languages={"en": 1}, look="clean", vertical=vertical).open(split)  # type: ignore[arg-type]
        return float(np.mean([source[i].direction == "stacked" for i in range(60)]))

    assert stacked(0.0) == 0
    assert stacked(None) < 0.15
    assert 0.3 < stacked(0.5) < 0.7
    assert words(vertical=0.5).fingerprint != words().fingerprint == words(vertical=None).fingerprint


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"languages": {}}, r"languages \{\}: name at least one"),
        ({"languages": {"en": 0}}, r"name at least one with a weight above 0"),
        ({"languages": {"en": 2, "ja": -1}}, r"and none below"),
        ({"languages": {"fr": 1}}, r"no language 'fr'.*did you mean"),
        ({"look": "scenery"}, r"no look 'scenery'.*did you mean scene"),
        ({"look": "synthtext_standin"}, r"names fonts of its own"),
        ({"samples": 0}, r"both start at 1"),
        ({"vertical": 1.5}, r"vertical=1\.5: give a probability"),
    ],
)
def test_mistakes_are_one_line(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        words(**changes)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("model", "kind"), [("crnn", RenderedWords), ("craft", RenderedScenes)])
@pytest.mark.parametrize("name", ["rendered", "rendered_en", "rendered_ja", "rendered_ko", "rendered_mixed"])
def test_every_configured_set_can_be_built(model: str, kind: type, name: str) -> None:
    settings = plain(compose_config([f"model={model}", f"data={name}", "render=hard", "seed=7"]))
    (node,) = settings["data"]["sources"].values()
    built = build(node["set"])
    assert isinstance(built, kind)
    assert (built.preset.name, built.seed) == ("hard", 7)


def test_a_preset_is_changed_on_the_command_line_and_scene_is_the_default() -> None:
    changed = plain(compose_config(["data=rendered_ja", "render=clean", "render.camera.blur.probability=1.0"]))
    look = build(changed["data"]["sources"]["rendered_ja"]["set"]).preset
    assert (look.name, look.camera.blur.probability) == ("clean", 1.0)
    default = plain(compose_config(["data=rendered_en+synthtext"]))
    assert list(default["data"]["sources"]) == ["rendered_en", "synthtext"]
    assert build(default["data"]["sources"]["rendered_en"]["set"]).preset.name == "scene"
    assert json.dumps(default)  # what a record holds


@pytest.mark.parametrize(("language", "charset"), [("ja", "japanese"), ("ko", "korean"), ("en", "full94")])
def test_the_charset_of_a_language_spells_its_texts(language: str, charset: str) -> None:
    known = build(plain(compose_config([f"charset={charset}"]))["charset"])
    look = load_look("scene").written_in(load_language(language), "train")
    # strings without sense follow the charset, not the other way round
    words = dataclasses.replace(look.words, random=0.0)
    texts = [draw_script_text(words, load_language(language), "mixed", generator(i), spaces=False) for i in range(200)]
    spelt = sum(not known.unknown(text or "?") for text in texts)
    assert spelt >= 0.95 * len(texts), "nearly all: English prices in pounds and euros are outside of ASCII"


def test_the_charset_of_three_languages_holds_what_its_comment_says() -> None:
    spec = compose_config(["charset=mixed"]).charset.spec
    assert len(Charset.from_spec(spec)) == len(spec) == 4790
    assert set(FULL94 + " ") <= set(spec)
    syllables = {bytes([row, cell]).decode("euc_kr") for row in range(0xB0, 0xC9) for cell in range(0xA1, 0xFF)}
    assert {c for c in spec if "가" <= c <= "힣"} == syllables
    kanji = [c for c in spec if "CJK UNIFIED" in unicodedata.name(c)]
    assert len(kanji) == 2136 + 4
    assert set("亜腕鬱諧𠮟塡剝頰填頬剥叱") <= set(kanji)
    frequent = compose_config(["charset=japanese"]).charset.spec
    assert sorted(set(kanji) - set(frequent)) == sorted("諧逓𠮟塡剝頰")


def test_the_largest_charset_holds_both_standards_and_strings_without_sense_hold_all_of_it() -> None:
    spec = compose_config(["charset=mixed_all"]).charset.spec
    assert len(Charset.from_spec(spec)) == len(spec) == 17_831
    assert spec.startswith(compose_config(["charset=mixed"]).charset.spec)
    cells = (bytes([row, cell]) for row in range(0xB0, 0xF5) for cell in range(0xA1, 0xFF))
    kanji = {code.decode("euc_jp", "ignore") for code in cells} - {""}
    assert len(kanji) == 6355
    assert {c for c in spec if "CJK UNIFIED" in unicodedata.name(c)} == kanji | set("𠮟塡剝頰")
    assert {c for c in spec if "HANGUL" in unicodedata.name(c)} == set(map(chr, range(0xAC00, 0xD7A4)))
    for language in map(load_language, ("ja", "ko")):
        drawn = set(vocabulary(language.vocabulary, "train", 0.1).characters + spelt_out(language.characters))
        assert {c for c in spec if unicodedata.name(c).startswith(("CJK", "HANGUL")[language.name == "ko"])} <= drawn
