"""Faces from ``fontpkg-*`` packages and their glyphs, drawn once and kept."""

from __future__ import annotations

import difflib
import importlib.util
import re
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFont

from ocr.render.generations import Generations

SIZES = (12, 18, 27, 40, 60, 84)
"""Font sizes in pixels at which glyphs are kept; text of any other size is warped down from the next larger one."""

COARSE_SIZES = (21, 42, 84)
"""Font sizes of presets: glyphs are drawn at the largest, and the others are averages of it, so that every glyph is drawn once."""

WEIGHTS = {
    **{"thin": 100, "extralight": 200, "light": 300, "regular": 400, "medium": 500},
    **{"semibold": 600, "bold": 700, "extrabold": 800, "black": 900},
}
"""CSS weights by the names that static font files carry."""

_ABSENT = "\U0010fffe"  # a non-character: every font answers it with its "missing glyph" box
_KERNING_SIZE = 200
_KEPT_BYTES = 128 << 20
"""Of the glyphs and measures of all faces; the oldest are made again when they are needed, so that large scripts do not fill the memory."""
_KERNED = frozenset("AFLPTVWY17.,'\"-")
"""Characters whose slanted or open sides leave a gap beside others; a pair without any of them hardly moves."""
_LAST_KERNED = "\u2dff"
"""Ideographs, kana and Hangul, which come behind it, stand in cells and are not kerned."""
TURNED = frozenset("ー〜～…‥―—「」『』（）【】〔〕〈〉《》［］｛｝＝：")
"""Characters that text from top to bottom turns by a quarter."""
RAISED = frozenset("、。，．ぁぃぅぇぉっゃゅょゎァィゥェォッャュョヮヵヶ")
"""Characters that it moves to the right of the column."""
_FACES = 12
"""At most so many faces of a family are used: more would only thin out what is kept."""


@dataclass(frozen=True, slots=True)
class FaceSpec:
    """One drawable face: a font file and, for a variable font, the place on its axes (in the file's order)."""

    family: str
    path: str
    weight: int
    axes: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Glyph:
    """A glyph's ink as coverage 0..255, cut to its bounding box; ``left`` and ``top`` place it relative to the pen on the baseline."""

    mask: NDArray[np.uint8]
    left: int
    top: int


def package_of(family: str) -> str:
    """The name under which pip knows a family."""
    return f"fontpkg-{family}"


def family_folder(family: str) -> Path:
    """The folder with a family's font files.

    Raises:
        ValueError: the package is not installed.
    """
    module = package_of(family).replace("-", "_")
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        near = difflib.get_close_matches(family, installed_families(), n=2, cutoff=0.7)
        hint = f" (installed and similar: {', '.join(near)})" if near else ""
        raise ValueError(f"font family {family!r} is not installed{hint}: pip install {package_of(family)}")
    return Path(spec.origin).parent / "files"


def installed_families() -> list[str]:
    """Families whose packages are installed, sorted."""
    root = importlib.util.find_spec("fontpkg")
    if root is None or root.origin is None:
        return []
    packages = Path(root.origin).parent.parent.glob("fontpkg_*/files")
    return sorted(p.parent.name.removeprefix("fontpkg_").replace("_", "-") for p in packages)


@cache
def faces(family: str, lightest: int, heaviest: int) -> tuple[FaceSpec, ...]:
    """The faces of a family within a range of CSS weights, in a fixed order.

    A variable font is taken at every hundredth weight and, where it has a width axis, also condensed.  Of more than a dozen faces, a
    dozen evenly spread ones are taken.

    Raises:
        ValueError: the family is not installed or has no face in that range.
    """
    found: list[FaceSpec] = []
    for path in sorted(family_folder(family).glob("*.[to]tf")):
        found += faces_of_file(path, lightest, heaviest, family)
    if not found:
        raise ValueError(f"font family {family!r} has no face of weight {lightest} to {heaviest}: widen letters.weight")
    if len(found) > _FACES:
        found = [found[i * len(found) // _FACES] for i in range(_FACES)]
    return tuple(found)


def faces_of_file(path: Path, lightest: int, heaviest: int, family: str | None = None) -> list[FaceSpec]:
    """The faces of one font file within a range of CSS weights; the family is called like the file unless it is given.

    Raises:
        OSError: the file does not open (variable fonts only; others are opened when they are used).
    """
    family = family or path.stem
    if "[" in path.name:
        return _instances(family, path, lightest, heaviest)
    weight = _static_weight(path)
    return [FaceSpec(family, str(path), weight)] if lightest <= weight <= heaviest else []


def _static_weight(path: Path) -> int:
    style = re.sub(r"italic|oblique", "", path.stem.rpartition("-")[2].lower())
    return WEIGHTS.get(style, 400)


def _instances(family: str, path: Path, lightest: int, heaviest: int) -> list[FaceSpec]:
    axes = ImageFont.truetype(str(path), 16).get_variation_axes()
    names = [_axis_name(a["name"] or "") for a in axes]
    weight_axis = axes[names.index("weight")]
    thinnest, thickest = weight_axis["minimum"] or 400, weight_axis["maximum"] or 400
    low, high = max(thinnest, lightest), min(thickest, heaviest)
    weights = [w for w in range(100, 1000, 100) if low <= w <= high]
    widths = [0.0]
    if "width" in names:
        axis = axes[names.index("width")]
        widths = [float(axis["default"] or 100), float(max(axis["minimum"] or 75, 75))]
    found = []
    for weight in weights:
        for width in widths:
            values = {"weight": float(weight), "width": width}
            place = tuple(values.get(n, float(a["default"] or 0)) for n, a in zip(names, axes, strict=True))
            found.append(FaceSpec(family, str(path), weight, place))
    return found


def _axis_name(name: bytes | str) -> str:
    return (name.decode() if isinstance(name, bytes) else str(name)).lower()


@lru_cache(maxsize=200)
def _opened(spec: FaceSpec, size: int, shaping: bool) -> ImageFont.FreeTypeFont:
    engine = ImageFont.Layout.RAQM if shaping else ImageFont.Layout.BASIC
    font = ImageFont.truetype(spec.path, size, layout_engine=engine)
    if spec.axes:
        font.set_variation_by_axes(list(spec.axes))
    return font


Glyphs = dict[tuple[str, int], Glyph]
"""By character and size; the size is negative for text that runs from top to bottom."""


_kept = Generations(_KEPT_BYTES)


class Face:
    """A face that knows its glyphs, their advances and their kerning, and keeps what it has drawn.

    ``kin`` is a face of the same family whose kerning is used for the pairs that need it most, so that few are measured and once
    a family; without it every pair is kerned as this face says.
    """

    def __init__(self, spec: FaceSpec, kin: Face | None = None) -> None:
        self.spec = spec
        self.kin = kin
        self._probe = SIZES[3] if kin is None else COARSE_SIZES[1]
        self._glyphs: Glyphs = {}
        self._advances: dict[str, float] = {}
        self._kerning: dict[tuple[str, str], float] = {}
        self._depths: dict[str, float] = {}
        self._standing: dict[str, bool] = {}
        self._known: dict[str, bool] = {" ": True}
        self._missing: Glyph | None = None

    def glyph(self, character: str, size: int) -> Glyph:
        """The glyph at one of :data:`SIZES`, or of :data:`COARSE_SIZES` for a face with kin."""
        glyph = self._glyphs.get((character, size))
        return self._keep(character, size, False) if glyph is None else glyph

    def upright(self, character: str, size: int) -> Glyph:
        """The glyph for text that runs from top to bottom, with its vertical form; its pen stands at the top centre of its cell."""
        glyph = self._glyphs.get((character, -size))
        return self._keep(character, size, True) if glyph is None else glyph

    def _keep(self, character: str, size: int, upright: bool) -> Glyph:
        """Make a glyph and keep it; with kin, a smaller one is the average of the next larger one."""
        if self.kin is None:
            glyph = self.draw(character, size, upright)
        elif size == COARSE_SIZES[-1]:
            glyph = _just_drawn(self, character, upright)
        else:
            larger = COARSE_SIZES[COARSE_SIZES.index(size) + 1]
            # Of an alphabet the largest glyphs are all needed before long; of thousands of ideographs they fill the memory.
            kept = larger < COARSE_SIZES[-1] or character <= _LAST_KERNED
            draw = self.upright if upright else self.glyph
            glyph = draw(character, larger) if kept else _just_drawn(self, character, upright)
            glyph = _shrunk(glyph, larger // size)
        glyph = Glyph(_kept.pixels(glyph.mask), glyph.left, glyph.top)
        _kept.add(self._glyphs, (character, -size if upright else size), glyph)
        return glyph

    def draw(self, character: str, size: int, upright: bool) -> Glyph:
        """A glyph that is drawn anew."""
        # A cluster of several code points needs shaping; a single one is itself.
        font = self._largest() if self.kin is not None else _opened(self.spec, size, upright or len(character) > 1)
        if upright:
            return _cut_out(font.getmask2(character, "L", anchor="st", direction="ttb"))
        return _cut_out(font.getmask2(character, "L", anchor="ls"))

    def _largest(self) -> ImageFont.FreeTypeFont:
        """The font at the largest coarse size; one for all that is drawn and measured, for opened fonts take megabytes."""
        return _opened(self.spec, COARSE_SIZES[-1], True)

    def depth(self, character: str) -> float:
        """How far the pen moves down in text that runs from top to bottom, in em."""
        depth = self._depths.get(character)
        if depth is None:
            length = self._largest().getlength(character, direction="ttb")
            depth = length / COARSE_SIZES[-1]
            _kept.add(self._depths, character, depth)
        return depth

    def has_upright(self, text: str) -> bool:
        """Whether the face has a vertical form for every character of the text that needs one: turned marks, placed small kana.

        A font without the OpenType feature ``vert`` answers with the horizontal glyph, which shows in the place or shape of the ink.
        """
        return all(self._stands(c) for c in text if c in TURNED or c in RAISED)

    def _stands(self, character: str) -> bool:
        stands = self._standing.get(character)
        if stands is None:
            size = self._probe
            flat, upright = self.glyph(character, size), self.upright(character, size)
            if not (flat.mask.size and upright.mask.size):
                stands = False
            elif character in TURNED:
                stands = flat.mask.shape != upright.mask.shape
            else:
                in_cell = flat.left + flat.mask.shape[1] / 2 - self.advance(character) * size / 2
                stands = upright.left + upright.mask.shape[1] / 2 - in_cell > 0.03 * size
            _kept.add(self._standing, character, stands)
        return stands

    def advance(self, character: str) -> float:
        """How far the pen moves, in em."""
        advance = self._advances.get(character)
        if advance is None:
            size = _KERNING_SIZE if self.kin is None else COARSE_SIZES[-1]
            advance = _opened(self.spec, size, True).getlength(character) / size
            _kept.add(self._advances, character, advance)
        return advance

    def kerning(self, left: str, right: str) -> float:
        """What the font adds to the left character's advance before the right one, in em (mostly negative)."""
        if self.kin is not None:
            return self.kin.kerning(left, right) if left in _KERNED or right in _KERNED else 0.0
        kern = self._kerning.get((left, right))
        return self._measure_kerning(left, right) if kern is None else kern

    def _measure_kerning(self, left: str, right: str) -> float:
        if left > _LAST_KERNED or right > _LAST_KERNED:
            return 0.0
        font = _opened(self.spec, _KERNING_SIZE, True)
        # Letters are drawn one by one, so a pair must not be measured as a ligature.
        length = font.getlength(left + right, features=["-liga", "-clig", "-calt"]) / _KERNING_SIZE
        kern = length - self.advance(left) - self.advance(right)
        _kept.add(self._kerning, (left, right), kern)
        return kern

    def has(self, text: str) -> bool:
        """Whether the face has its own glyph, with ink, for every character of the text (spaces need none)."""
        known = self._known
        for character in text:
            owned = known.get(character)
            if owned is None:
                owned = self._has(character)
            if not owned:
                return False
        return True

    def _has(self, character: str) -> bool:
        size = self._probe
        if self._missing is None:
            self._missing = self.glyph(_ABSENT, size)
        glyph = self.glyph(character, size)
        owned = glyph.mask.size > 0 and not _same(glyph, self._missing)
        _kept.add(self._known, character, owned)
        return owned


def _same(a: Glyph, b: Glyph) -> bool:
    return (a.left, a.top) == (b.left, b.top) and np.array_equal(a.mask, b.mask)


def _cut_out(drawn: tuple[Any, tuple[int, int]]) -> Glyph:
    """The tight mask of what Pillow drew, and its place relative to the pen."""
    core, (left, top) = drawn
    if not all(core.size):
        return Glyph(np.zeros((0, 0), np.uint8), 0, 0)
    image = Image.Image()._new(core)
    inked = image.getbbox()
    if inked is None:
        return Glyph(np.zeros((0, 0), np.uint8), 0, 0)
    if inked != (0, 0, *image.size):
        image = image.crop(inked)
    return Glyph(np.asarray(image), int(left) + inked[0], int(top) + inked[1])


def _shrunk(glyph: Glyph, factor: int) -> Glyph:
    """The glyph at a whole fraction of its size: means of ``factor`` x ``factor`` pixels, aligned with the pen."""
    height, width = glyph.mask.shape
    if not height:
        return glyph
    left, top = glyph.left // factor, glyph.top // factor
    right, bottom = -(-(glyph.left + width) // factor), -(-(glyph.top + height) // factor)
    padded = np.zeros(((bottom - top) * factor, (right - left) * factor), np.uint8)
    y, x = glyph.top - top * factor, glyph.left - left * factor
    padded[y : y + height, x : x + width] = glyph.mask
    return Glyph(cv2.resize(padded, (right - left, bottom - top), interpolation=cv2.INTER_AREA), left, top)


@lru_cache(maxsize=256)
def _just_drawn(face: Face, character: str, upright: bool) -> Glyph:
    """A glyph at the largest coarse size, kept while a few words are made: they ask for a smaller one first, to measure it."""
    return face.draw(character, COARSE_SIZES[-1], upright)


@lru_cache(maxsize=512)
def open_face(spec: FaceSpec, kin: FaceSpec | None = None) -> Face:
    """The face of a spec, kept for the life of the process; ``kin`` is the face of the family whose kerning is used.

    Raises:
        ValueError: the file is not a font.
    """
    try:
        _opened(spec, SIZES[0], False)
    except OSError as error:
        raise ValueError(
            f"font file {spec.path} does not open ({error}): reinstall {package_of(spec.family)}"
        ) from None
    return Face(spec, None if kin is None else open_face(kin))


def draw_face(families: tuple[str, ...], lightest: int, heaviest: int, rng: np.random.Generator) -> Face:
    """A face drawn evenly over families, then over the faces of the family."""
    family = families[int(rng.random() * len(families))]
    specs = faces(family, lightest, heaviest)
    return open_face(specs[int(rng.random() * len(specs))])
