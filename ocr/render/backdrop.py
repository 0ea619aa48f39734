"""Backgrounds from a store: textures are painted once per process and cut, flipped and coloured anew for every picture.

Texture number k of a family is the same everywhere, so a picture does not depend on what a process has painted before.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from ocr.render.background import FAMILIES, Palette, draw_palette
from ocr.render.binding import Ahead
from ocr.render.look import Look
from ocr.seeding import generator
from ocr.types import Image

SMALL, LARGE = (224, 640), (800, 800)
"""Height and width of the textures for words and for scenes."""
PER_FAMILY = {SMALL: 16, LARGE: 6}
PHOTO_SHARE = 0.5
"""Of pictures that have a photograph for background, where a folder is given."""
PHOTO_SIDE = 1024
"""Photographs are kept no longer than this, in pixels."""
_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp")


def paint_backdrop(look: Look, palette: Palette, rng: np.random.Generator, height: int, width: int) -> Image:
    """A background picture of one of the look's families in a palette, or a blurred photograph.

    Raises:
        ValueError: there is no such family, or no photograph in the look's folder.
    """
    if look.photos and rng.random() < PHOTO_SHARE:
        return _photo(look.photos, rng, height, width)
    ahead = Ahead(rng, 6)
    family = look.backgrounds[int(ahead.random() * len(look.backgrounds))]
    tone = _cut(family, ahead, height, width)
    if ahead.random() < 0.25:
        palette = palette[::-1]
    return cv2.applyColorMap(tone, np.ascontiguousarray(palette[:, None]))


def draw_backdrop(look: Look, rng: np.random.Generator, height: int, width: int) -> Image:
    """A background in one of the look's colour schemes; see :func:`paint_backdrop`."""
    return paint_backdrop(look, draw_palette(look.colours, rng), rng, height, width)


@lru_cache(maxsize=512)
def _texture(family: str, size: tuple[int, int], number: int) -> NDArray[np.uint8]:
    if family not in FAMILIES:
        raise ValueError(f"no background family {family!r}: choose from {', '.join(FAMILIES)}")
    tone = FAMILIES[family](generator(0, "backdrop", family, *size, number), *size)
    return np.clip(tone * 255, 0, 255).astype(np.uint8)


def _cut(family: str, rng: Ahead, height: int, width: int) -> NDArray[np.uint8]:
    """A piece of a texture of the family, flipped at random; a texture that is too small is enlarged."""
    tall = height > width
    if tall:
        height, width = width, height
    size = SMALL if height <= SMALL[0] and width <= SMALL[1] else LARGE
    texture = _texture(family, size, int(rng.random() * PER_FAMILY[size]))
    scale = max(1.0, height / size[0], width / size[1])
    rows, columns = min(int(height / scale), size[0]), min(int(width / scale), size[1])
    y, x = int(rng.random() * (size[0] - rows + 1)), int(rng.random() * (size[1] - columns + 1))
    piece = texture[y : y + rows, x : x + columns]
    flips = int(rng.random() * 4)
    if flips:
        piece = cv2.flip(piece, flips - 2)
    if piece.shape != (height, width):
        piece = cv2.resize(piece, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.ascontiguousarray(piece.T) if tall else piece


@lru_cache(maxsize=8)
def _photo_files(folder: str) -> tuple[Path, ...]:
    found = sorted(p for p in Path(folder).expanduser().rglob("*") if p.suffix.lower() in _SUFFIXES)
    if not found:
        raise ValueError(f"photos {folder}: no picture in it: name a folder of {', '.join(_SUFFIXES)} files")
    return tuple(found)


@lru_cache(maxsize=24)
def _opened(path: Path) -> Image:
    image = cv2.imread(str(path), cv2.IMREAD_COLOR_RGB)
    if image is None:
        raise ValueError(f"photos: {path} cannot be decoded: remove it")
    scale = PHOTO_SIDE / max(image.shape[:2])
    return image if scale >= 1 else cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)


def _photo(folder: str, rng: np.random.Generator, height: int, width: int) -> Image:
    """A piece of a photograph, out of focus, so that whatever was written in it cannot be read."""
    files = _photo_files(folder)
    image = _opened(files[int(rng.random() * len(files))])
    rows, columns = image.shape[:2]
    scale = min(rows / height, columns / width) * (0.4 + 0.6 * rng.random())
    h, w = max(2, int(height * scale)), max(2, int(width * scale))
    y, x = int(rng.random() * (rows - h + 1)), int(rng.random() * (columns - w + 1))
    piece = cv2.GaussianBlur(image[y : y + h, x : x + w], (0, 0), max(1.5, min(h, w) * (0.006 + 0.02 * rng.random())))
    return cv2.resize(piece, (width, height), interpolation=cv2.INTER_AREA if scale > 1 else cv2.INTER_LINEAR)
