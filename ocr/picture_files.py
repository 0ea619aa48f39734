"""Picture files to arrays: upright, RGB, and never larger than agreed before they are decoded."""

from __future__ import annotations

import io
import os
import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow
from PIL import ImageOps

from ocr.types import Image

Floats = NDArray[np.float64]

MAX_PIXELS = 80_000_000
"""Larger pictures are refused before they are decoded (a decoded one takes three bytes a pixel)."""
FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "PPM", "JPEG2000")
"""What is decoded.  Not all that Pillow knows: some of its formats start other programs."""


def load_image(path: str | Path, max_pixels: int = MAX_PIXELS, frame: int = 0) -> Image:
    """Decode a picture file upright (EXIF orientation applied): height x width x 3, RGB, uint8.

    Grey, palette, CMYK and 16-bit pictures are converted, 32-bit ones stretched to their range, transparent ones laid
    on white; of an animation or a file of several pages one ``frame`` is taken.

    Raises:
        ValueError: one line: the file is missing, no picture, damaged, or has more than ``max_pixels`` pixels.
    """
    name = shown(path)
    if Path(path).is_dir():
        raise ValueError(f"{name}: is a folder; name picture files")
    return _loaded(Path(path), name, max_pixels, frame)


def decode_image(content: bytes, name: str, max_pixels: int = MAX_PIXELS, frame: int = 0) -> Image:
    """:func:`load_image` for what a file holds; ``name`` begins the message when that is no picture."""
    return _loaded(io.BytesIO(content), name, max_pixels, frame)


def frame_count(path: str | Path) -> int:
    """Pages of a TIFF file, 1 of any other and of one that cannot be read."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Pillow.open(path, formats=("TIFF",)) as picture:
                return int(getattr(picture, "n_frames", 1))
    except Exception:  # decoding it will say what is wrong with it
        return 1


def shown(path: str | Path) -> str:
    """A path as text that can be printed and written as UTF-8, whatever bytes the file's name is made of."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _loaded(source: Path | io.BytesIO, name: str, max_pixels: int, frame: int) -> Image:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _decode(source, name, max_pixels, frame)
    except FileNotFoundError:
        raise ValueError(f"{name}: no such file; check the name") from None
    except OSError as error:
        raise ValueError(f"{name}: cannot be read ({one_line(error)}); is the file complete?") from None


def _decode(source: Path | io.BytesIO, name: str, max_pixels: int, frame: int) -> Image:
    limit = min(max_pixels, 2 * (Pillow.MAX_IMAGE_PIXELS or max_pixels))
    advice = f"the limit is {limit / 1e6:g} megapixels; scale it down first"
    try:
        with Pillow.open(source, formats=FORMATS) as picture:
            if frame:
                picture.seek(frame)
            width, height = picture.size
            if width * height <= limit:
                return _to_rgb(_upright(picture))
    except Pillow.UnidentifiedImageError:
        raise ValueError(f"{name}: not a picture in a known format ({', '.join(FORMATS)}); convert it") from None
    except Pillow.DecompressionBombError:
        raise ValueError(f"{name}: too many pixels; {advice}") from None
    except FileNotFoundError:
        raise
    except Exception as error:  # Pillow's decoders raise whatever a damaged file makes them stumble over
        raise OSError(one_line(error)) from None
    raise ValueError(f"{name}: {width} x {height} pixels are too many; {advice}")


def one_line(error: Exception) -> str:
    """What an exception says, on one line; its kind where it says nothing."""
    return " ".join(str(error).split()) or type(error).__name__


def _upright(picture: Pillow.Image) -> Pillow.Image:
    picture.load()
    try:
        return ImageOps.exif_transpose(picture)
    except Exception:  # damaged EXIF data must not cost the picture
        return picture


def _to_rgb(picture: Pillow.Image) -> Image:
    if picture.mode[0] in "IF":
        values = np.asarray(picture, np.float64)
        grey = values / 257 if picture.mode.startswith("I;16") else _stretched(values)
        return np.repeat(grey.astype(np.uint8)[..., None], 3, axis=2)
    if picture.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in picture.info:
        inked = picture.convert("RGBA")
        paper = Pillow.new("RGBA", inked.size, "white")
        return np.array(Pillow.alpha_composite(paper, inked).convert("RGB"))
    return np.array(picture.convert("RGB"))


def _stretched(values: Floats) -> Floats:
    finite = np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)
    spread = finite.max() - finite.min()
    return (finite - finite.min()) * (255 / spread) if spread else np.zeros_like(finite)
