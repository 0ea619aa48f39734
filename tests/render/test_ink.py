"""Truth by construction: the box of a character holds its ink, whatever is done to the letters."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest

from ocr.charset import clusters
from ocr.geometry import polygon_mask
from ocr.render.fonts import SIZES, faces, open_face
from ocr.render.ink import (
    SOFT_EDGE,
    Coverage,
    PlacedWord,
    Style,
    cover,
    draw_style,
    ink_height,
    set_word,
    thicken,
    warp,
)
from ocr.render.layout import Page, fill_page
from ocr.render.look import Chance, Letters, Look, load_language, load_look
from ocr.render.paint import blend
from ocr.render.word import place_text
from ocr.seeding import generator
from ocr.types import Quads

LOOKS = ("icdar2015_standin", "mjsynth_standin", "rendered_scenes_v1", "rendered_words_v1", "synthtext_standin")
SUBPIXEL = 4
INSIDE = 0.99


def share_inside(placed: PlacedWord, quads: Quads) -> list[float]:
    """For every character: how much of its ink, drawn alone on a canvas ``SUBPIXEL`` times as fine, lies in its quad."""
    fine = np.diag([SUBPIXEL, SUBPIXEL, 1.0])
    origin = quads.reshape(-1, 2).min(0) - 6
    shift = np.array([[1, 0, -origin[0]], [0, 1, -origin[1]], [0, 0, 1]])
    size = np.ceil((quads.reshape(-1, 2).max(0) + 6 - origin) * SUBPIXEL).astype(int)
    magnified = dataclasses.replace(placed, matrix=fine @ shift @ placed.matrix)
    shares = []
    for i, quad in enumerate(quads):
        ink = cover(magnified, (int(size[1]), int(size[0])), only=i, outlined=True)
        assert ink is not None
        canvas = np.zeros((size[1], size[0]), np.float64)
        h, w = ink.alpha.shape
        canvas[ink.y : ink.y + h, ink.x : ink.x + w] = ink.alpha
        assert canvas.sum() > 0, f"no ink for {placed.word.units[i]!r}"
        inside = polygon_mask((int(size[1]), int(size[0])), [(quad - origin) * SUBPIXEL])
        shares.append(float((canvas * inside).sum() / canvas.sum()))
    return shares


def always(letters: Letters, names: tuple[str, ...]) -> Letters:
    """The named effects always at full strength of either sign, the others never."""
    changes = {}
    for field in dataclasses.fields(letters):
        chance = getattr(letters, field.name)
        if isinstance(chance, Chance):
            changes[field.name] = Chance(1.0 if field.name in names else 0.0, chance.range)
    return dataclasses.replace(letters, **changes)


CHAINS = [(), *itertools.combinations(("slant", "spacing", "bold", "outline"), 1), ("slant", "outline"), ("bold", "outline"),
          ("slant", "spacing", "bold", "outline", "shadow", "gradient", "worn")]  # fmt: skip


@pytest.mark.parametrize("chain", CHAINS, ids=lambda c: "+".join(c) or "plain")
def test_ink_lies_in_the_quads_for_every_chain_of_effects(chain: tuple[str, ...]) -> None:
    look = load_look("synthtext_standin")
    look = look.replace(letters=always(look.letters, chain))
    placed = [w for i in range(2) for w in words_of(look, i)]
    for word in placed[:14]:
        assert min(share_inside(word, word.character_quads())) >= INSIDE, word.word.text


def words_of(look: Look, index: int) -> list[PlacedWord]:
    blocks = fill_page(look, Page(*look.picture), generator(7, look.name, index))
    return [w for b in blocks for w in b.words()]


@pytest.mark.parametrize("name", LOOKS)
def test_ink_lies_in_the_quads_of_every_look(name: str) -> None:
    look = load_look(name)
    for word in (w for i in range(2) for w in words_of(look, i)[:8]):
        quads = word.character_quads()
        assert len(quads) == len(word.word.text)
        assert min(share_inside(word, quads)) >= INSIDE, word.word.text


PRESETS = ("clean", "scene", "document", "plates", "receipts", "hard", "first")
EFFECTS = (
    "slant",
    "spacing",
    "bold",
    "outline",
    "shadow",
    "gradient",
    "worn",
    "texture",
    "emboss",
    "neon",
    "dots",
    "thermal",
)


def written(preset: str, language: str, vertical: float | None = None) -> Look:
    spoken = load_language(language)
    if vertical is not None:
        spoken = dataclasses.replace(spoken, vertical=vertical)
    return load_look(preset).written_in(spoken, "train")


def check_truth(placed: PlacedWord) -> None:
    """Ink in its quad, one quad a cluster, quads in reading order, and none much larger than the ink of the whole word."""
    quads = placed.character_quads()
    assert len(quads) == sum(not c.isspace() for c in clusters(placed.word.text))
    assert min(share_inside(placed, quads)) >= INSIDE, placed.word.text
    straight = placed.word.boxes.mean(1) if placed.word.vertical else placed.word.boxes[:, [0, 2]].mean(1)
    if not placed.word.vertical:
        assert (np.diff(straight) > 0).all(), "quads follow the reading order"
    else:
        assert (np.diff(placed.word.boxes[:, [1, 3]].mean(1)) > 0).all()
    along = np.diff(quads.mean(1), axis=0)
    start = quads[:, [1, 2]].mean(1) - quads[:, [0, 3]].mean(1)
    if placed.word.vertical:
        start = quads[:, [2, 3]].mean(1) - quads[:, [0, 1]].mean(1)
    assert ((along * (start[:-1] + start[1:])).sum(1) > 0).all(), "the next character lies in reading direction"


BENT = [(), ("arc",), ("wave",), ("arc", "slant", "outline"), ("wave", "slant", "spacing", "bold")]


@pytest.mark.parametrize("language", ["en", "ja", "ko"])
@pytest.mark.parametrize("chain", [*((e,) for e in EFFECTS), *BENT, EFFECTS], ids=lambda c: "+".join(c) or "plain")
def test_ink_lies_in_the_quads_for_every_chain_of_effects_in_every_script(
    chain: tuple[str, ...], language: str
) -> None:
    look = written("hard", language, vertical=0.5 if "arc" not in chain and "wave" not in chain else 0.0)
    look = look.replace(letters=always(look.letters, chain))
    check_truth(place_text(look, generator(3, language, *chain)).placed)


@pytest.mark.slow
@pytest.mark.parametrize("language", ["en", "ja", "ko"])
@pytest.mark.parametrize("chain", [("arc",), ("wave",), ("slant", "arc", "outline", "spacing"), EFFECTS])
def test_many_words_of_every_chain_tell_the_truth(chain: tuple[str, ...], language: str) -> None:
    for preset in PRESETS:
        look = written(preset, language)
        for effects in (look.letters, always(look.letters, chain)):
            for i in range(10):
                check_truth(place_text(look.replace(letters=effects), generator(5, preset, i, *chain)).placed)


@pytest.mark.parametrize("language", ["en", "ja", "ko"])
@pytest.mark.parametrize("preset", PRESETS)
def test_scenes_of_every_preset_tell_the_truth(preset: str, language: str) -> None:
    look = written(preset, language)
    blocks = fill_page(look, Page(320, 320), generator(4, preset, language))
    words = [w for b in blocks for w in b.words()]
    assert words
    for word in words[:2]:
        check_truth(word)


def test_boxes_of_bent_and_vertical_words_are_hardly_larger_than_the_ink() -> None:
    """Stated margin: 2 pixels and, on a bent line, a fifth of the word's height, for a rectangle holds a bent box."""
    for kind, look in (("arc", written("clean", "en", 0.0)), ("plain", written("clean", "ja", 1.0))):
        look = look.replace(letters=always(look.letters, (kind,)))
        for i in range(5):
            placed = place_text(look, generator(6, i)).placed
            ink = cover(placed, (600, 900))
            assert ink is not None
            rows, columns = np.flatnonzero(ink.alpha.any(1)) + ink.y, np.flatnonzero(ink.alpha.any(0)) + ink.x
            points = placed.character_quads().reshape(-1, 2)
            slack = 2 + (0.2 * placed.word.height if placed.bend is not None else 0.0)
            # what the crop's border cuts off has no ink on the canvas
            assert points[:, 1].max() <= rows[-1] + 1 + slack
            assert points[:, 0].max() <= columns[-1] + 1 + slack


def plain_style(family: str = "roboto", **changes: float) -> Style:
    face = open_face(faces(family, 400, 400)[0])
    names = ("slant", "spacing", "bold", "outline", "shadow", "shadow_angle", "gradient", "worn")
    values = {"width": 1.0, **dict.fromkeys(names, 0.0)}
    return Style(face=face, **(values | changes))


@pytest.mark.parametrize("text", ["Agile", "mono", "I", "jj", "AVAVA", "1,5"])
def test_boxes_are_as_tight_as_stated(text: str) -> None:
    word = set_word(text, plain_style(), 60)
    matrix = np.array([[1.0, 0, 20], [0, 1, 100], [0, 0, 1]])
    placed = PlacedWord(word, matrix)
    ink = cover(placed, (160, 400))
    assert ink is not None
    rows, columns = np.flatnonzero(ink.alpha.any(1)) + ink.y, np.flatnonzero(ink.alpha.any(0)) + ink.x
    polygon = placed.polygon()
    low, high = np.array([columns[0], rows[0]]) - SOFT_EDGE, np.array([columns[-1], rows[-1]]) + 1 + SOFT_EDGE
    np.testing.assert_allclose(polygon.min(0), low, atol=0.01)
    np.testing.assert_allclose(polygon.max(0), high, atol=0.01)
    quads = placed.character_quads()
    np.testing.assert_allclose(quads[:, :2, 1], low[1], atol=0.01)
    np.testing.assert_allclose(quads[:, 2:, 1], high[1], atol=0.01)
    starts = quads[:, 0, 0]
    assert (np.diff(starts) > 0).all()
    gaps = starts[1:] - quads[:-1, 1, 0]
    assert (gaps <= 0.01).all(), "neighbours touch or, where letters are kerned, overlap"


def test_quads_run_clockwise_from_the_top_left_and_lean_with_the_letters() -> None:
    placed = PlacedWord(set_word("lean", plain_style(slant=0.3), 40), np.array([[1.0, 0, 9], [0, 1, 60], [0, 0, 1]]))
    for quad in placed.character_quads():
        height = quad[3, 1] - quad[0, 1]
        assert quad[0, 0] - quad[3, 0] == pytest.approx(0.3 * height, rel=1e-4)
        assert quad[1, 0] > quad[0, 0]
        assert quad[2, 1] > quad[1, 1]
    low, high = placed.character_quads().reshape(-1, 2).min(0), placed.character_quads().reshape(-1, 2).max(0)
    polygon = placed.polygon()
    np.testing.assert_allclose(polygon[0], low, atol=1e-4)
    np.testing.assert_allclose(polygon[2], high, atol=1e-4)


def test_the_height_in_em_foretells_the_height_in_pixels() -> None:
    for text, size in itertools.product(("none", "Tall", "gypsy", "(x)"), SIZES):
        style = plain_style("lora")
        assert ink_height(text, style) * size == pytest.approx(
            set_word(text, style, size).height, abs=1.1 + 0.08 * size
        )


def test_thickening_grows_ink_by_its_radius() -> None:
    mask = np.zeros((41, 41), np.uint8)
    mask[20, 20] = 255
    for radius in (1.0, 2.0, 3.0):
        grown = thicken(mask, radius)
        assert grown[20, 20 + int(radius)] == 255
        assert grown[20, 21 + int(radius)] == 0
    half = thicken(mask, 1.5)
    assert 0 < half[20, 22] < 255
    np.testing.assert_array_equal(thicken(mask, 0.0), mask)


def test_warping_touches_only_the_window_and_keeps_the_place_of_ink() -> None:
    mask = np.full((10, 20), 255, np.uint8)
    moved = warp(mask, np.array([[1.0, 0, 30], [0, 1, 40], [0, 0, 1]]), (100, 100))
    assert moved is not None
    assert moved.alpha.size < 400
    canvas = np.zeros((100, 100), np.uint8)
    canvas[moved.y : moved.y + moved.alpha.shape[0], moved.x : moved.x + moved.alpha.shape[1]] = moved.alpha
    expected = np.zeros((100, 100), np.uint8)
    expected[40:50, 30:50] = 255
    np.testing.assert_array_equal(canvas, expected)
    assert warp(mask, np.array([[1.0, 0, 300], [0, 1, 40], [0, 0, 1]]), (100, 100)) is None


def test_blending_is_a_weighted_mean() -> None:
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (30, 40, 3)).astype(np.uint8)
    before = image.astype(float)
    alpha = rng.integers(0, 256, (10, 12)).astype(np.uint8)
    mask = np.zeros((30, 40, 1))
    mask[5:15, 7:19, 0] = alpha / 255
    colour = np.array([250, 20, 120], np.float32)
    blend(image, Coverage(alpha, 7, 5), colour)
    np.testing.assert_allclose(image, before * (1 - mask) + colour * mask, atol=1.51)


def test_letter_spacing_widens_and_negative_spacing_narrows() -> None:
    widths = [set_word("spacing", plain_style(spacing=s), 40).box[2] for s in (-0.05, 0.0, 0.2)]
    assert widths == sorted(widths)
    assert widths[2] - widths[1] == pytest.approx(6 * 0.2 * 40, abs=6)


def test_ranges_are_respected_by_drawn_styles() -> None:
    look = load_look("synthtext_standin")
    face = open_face(faces("roboto", 400, 400)[0])
    styles = [draw_style(look.letters, face, generator(i)) for i in range(300)]
    for name, span in (
        ("width", look.letters.width),
        ("slant", look.letters.slant.range),
        ("outline", look.letters.outline.range),
    ):
        values = [getattr(s, name) for s in styles if getattr(s, name)]
        assert values
        assert all(min(0, span.low) <= v <= span.high for v in values)


def test_blending_rounds_both_parts_for_every_coverage_and_level() -> None:
    alpha = np.tile(np.arange(256, dtype=np.uint8), (256, 1))
    under, over = (np.repeat(np.arange(256, dtype=np.uint8)[:, None], 256, 1)[::step] for step in (1, -1))
    mixed = np.rint(under * (255.0 - alpha) / 255) + np.rint(over * alpha.astype(float) / 255)
    image = np.repeat(under[:, :, None], 3, 2)
    blend(image, Coverage(alpha, 0, 0), np.repeat(over[:, :1, None], 3, 2).astype(np.float32))
    np.testing.assert_array_equal(image, np.repeat(np.minimum(mixed, 255)[:, :, None], 3, 2))
    for row in (0, 1, 100, 254, 255):
        image = np.repeat(under[row : row + 1, :, None], 3, 2)
        blend(image, Coverage(alpha[:1], 0, 0), np.full(3, over[row, 0], np.float32))
        np.testing.assert_array_equal(image[0, :, 1], np.minimum(mixed[row], 255))
