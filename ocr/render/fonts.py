"""Faces from ``fontpkg-*`` packages and their glyphs, drawn once and kept."""

from __future__ import annotations

import difflib
import importlib.util
import re
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

SIZES = (12, 18, 27, 40, 60, 84)
"""Font sizes in pixels at which glyphs are kept; text of any other size is warped down from the next larger one."""

WEIGHTS = {
    **{"thin": 100, "extralight": 200, "light": 300, "regular": 400, "medium": 500},
    **{"semibold": 600, "bold": 700, "extrabold": 800, "black": 900},
}
"""CSS weights by the names that static font files carry."""

_ABSENT = "\U0010fffe"  # a non-character: every font answers it with its "missing glyph" box
_KERNING_SIZE = 200
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
        if "[" in path.name:
            found += _instances(family, path, lightest, heaviest)
        else:
            weight = _static_weight(path)
            if lightest <= weight <= heaviest:
                found.append(FaceSpec(family, str(path), weight))
    if not found:
        raise ValueError(f"font family {family!r} has no face of weight {lightest} to {heaviest}: widen letters.weight")
    if len(found) > _FACES:
        found = [found[i * len(found) // _FACES] for i in range(_FACES)]
    return tuple(found)


def _static_weight(path: Path) -> int:
    style = re.sub(r"italic|oblique", "", path.stem.rpartition("-")[2].lower())
    return WEIGHTS.get(style, 400)


def _instances(family: str, path: Path, lightest: int, heaviest: int) -> list[FaceSpec]:
    axes = ImageFont.truetype(str(path), 16).get_variation_axes()
    names = [_axis_name(a["name"]) for a in axes]
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


@lru_cache(maxsize=160)
def _opened(spec: FaceSpec, size: int, shaping: bool) -> ImageFont.FreeTypeFont:
    engine = ImageFont.Layout.RAQM if shaping else ImageFont.Layout.BASIC
    font = ImageFont.truetype(spec.path, size, layout_engine=engine)
    if spec.axes:
        font.set_variation_by_axes(list(spec.axes))
    return font


class Face:
    """A face that knows its glyphs, their advances and their kerning, and keeps what it has drawn."""

    def __init__(self, spec: FaceSpec) -> None:
        self.spec = spec
        self._glyphs: dict[tuple[str, int], Glyph] = {}
        self._advances: dict[str, float] = {}
        self._kerning: dict[tuple[str, str], float] = {}
        self._known: dict[str, bool] = {" ": True}
        self._missing: Glyph | None = None

    def glyph(self, character: str, size: int) -> Glyph:
        """The glyph at one of :data:`SIZES`."""
        key = (character, size)
        glyph = self._glyphs.get(key)
        if glyph is None:
            glyph = self._glyphs[key] = _draw(_opened(self.spec, size, False), character, size)
        return glyph

    def advance(self, character: str) -> float:
        """How far the pen moves, in em."""
        advance = self._advances.get(character)
        if advance is None:
            font = _opened(self.spec, _KERNING_SIZE, True)
            advance = self._advances[character] = font.getlength(character) / _KERNING_SIZE
        return advance

    def kerning(self, left: str, right: str) -> float:
        """What the font adds to the left character's advance before the right one, in em (mostly negative)."""
        pair = (left, right)
        kern = self._kerning.get(pair)
        if kern is None:
            font = _opened(self.spec, _KERNING_SIZE, True)
            # Letters are drawn one by one, so a pair must not be measured as a ligature.
            length = font.getlength(left + right, features=["-liga", "-clig", "-calt"]) / _KERNING_SIZE
            kern = self._kerning[pair] = length - self.advance(left) - self.advance(right)
        return kern

    def has(self, text: str) -> bool:
        """Whether the face has its own glyph, with ink, for every character of the text (spaces need none)."""
        return all(self._has(c) for c in text)

    def _has(self, character: str) -> bool:
        known = self._known.get(character)
        if known is None:
            size = SIZES[len(SIZES) // 2]
            if self._missing is None:
                self._missing = self.glyph(_ABSENT, size)
            glyph = self.glyph(character, size)
            known = self._known[character] = glyph.mask.size > 0 and not _same(glyph, self._missing)
        return known


def _same(a: Glyph, b: Glyph) -> bool:
    return (a.left, a.top) == (b.left, b.top) and np.array_equal(a.mask, b.mask)


def _draw(font: ImageFont.FreeTypeFont, character: str, size: int) -> Glyph:
    x0, y0, x1, y1 = font.getbbox(character, anchor="ls")
    margin = 1 + size // 12
    left, top = int(x0) - margin, int(y0) - margin
    image = Image.new("L", (max(1, int(x1) + margin - left), max(1, int(y1) + margin - top)))
    ImageDraw.Draw(image).text((-left, -top), character, fill=255, font=font, anchor="ls")
    mask = np.asarray(image)
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not len(rows):
        return Glyph(np.zeros((0, 0), np.uint8), 0, 0)
    tight = np.ascontiguousarray(mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1])
    return Glyph(tight, left + int(columns[0]), top + int(rows[0]))


@lru_cache(maxsize=512)
def open_face(spec: FaceSpec) -> Face:
    """The face of a spec, kept for the life of the process.

    Raises:
        ValueError: the file is not a font.
    """
    try:
        _opened(spec, SIZES[0], False)
    except OSError as error:
        raise ValueError(
            f"font file {spec.path} does not open ({error}): reinstall {package_of(spec.family)}"
        ) from None
    return Face(spec)


def draw_face(families: tuple[str, ...], lightest: int, heaviest: int, rng: np.random.Generator) -> Face:
    """A face drawn evenly over families, then over the faces of the family."""
    family = families[int(rng.random() * len(families))]
    specs = faces(family, lightest, heaviest)
    return open_face(specs[int(rng.random() * len(specs))])
