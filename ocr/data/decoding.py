"""Encoded pictures to pixels, by one rule for all of the project, and why some are refused before a pixel of them is made."""

from __future__ import annotations

import io
import os
import warnings

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow

from ocr import LIMITED, MOST_PIXELS
from ocr.types import Image

FORMATS = ("JPEG", "PNG", "BMP", "GIF", "TIFF", "WEBP")
"""Formats that are decoded, by Pillow's names; OpenCV knows twice as many, some of which few ever looked over."""
SIGNATURES = (b"\xff\xd8\xff", b"\x89PNG", b"BM", b"GIF8", b"II*\0", b"MM\0*", b"II+\0", b"MM\0+", b"RIFF")
"""How files of these formats begin."""
PNG_FIRST, PNG_COLOUR_TYPE = 0x89, 25
"""First byte of a PNG, and where it says its colour type; 4 and 6 have an alpha channel."""
ROWS = 256
"""Rows of a transparent picture that are laid on white at a time."""
_RGB = cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION
_GREY = cv2.IMREAD_GRAYSCALE | cv2.IMREAD_IGNORE_ORIENTATION


class UndecodableImage(ValueError):
    """The picture of sample ``key`` cannot be decoded; ``why`` says more where more is known."""

    def __init__(self, key: str, where: str, why: str = "") -> None:
        super().__init__(f"the picture of {key} in {where} cannot be decoded{why and f': it {why}'}")
        self.key = key
        self.where = where
        self.why = why

    def __reduce__(self) -> tuple[type[UndecodableImage], tuple[str, str, str]]:
        """An exception must cross from a loader process to the main one."""
        return type(self), (self.key, self.where, self.why)


def decode(data: bytes | memoryview, grey: bool = False) -> Image | None:
    """Decode an encoded picture to RGB, or to height x width grey, by the store's rule; None when that fails.

    EXIF orientation is not applied; 16-bit pictures lose their lower byte; transparent PNGs are laid on white.  A JPEG's grey
    is its own luma, within a level or two of that of its RGB picture.  Pictures of more than :func:`most_pixels`, and of
    formats other than :data:`FORMATS`, count as undecodable; :func:`refusal` tells them from broken ones.
    """
    # of words nearly all are JPEGs, and a batch of them has little time for questions
    jpeg = len(data) > 2 and data[0] == 0xFF and data[1] == 0xD8 and data[2] == 0xFF
    if not (jpeg or bytes(data[:4]).startswith(SIGNATURES)) or (not LIMITED and too_large(bytes(data))):
        return None
    buffer: NDArray[np.uint8] = np.frombuffer(data, np.uint8)
    try:
        if not jpeg and len(data) > PNG_COLOUR_TYPE and data[0] == PNG_FIRST and data[PNG_COLOUR_TYPE] in (4, 6):
            return _on_white(buffer, grey)
        decoded = cv2.imdecode(buffer, _GREY if grey else _RGB)
    except cv2.error:
        return None
    return None if decoded is None else np.asarray(decoded, np.uint8)


def most_pixels() -> int:
    """The limit in force: :data:`ocr.MOST_PIXELS`, or what ``OPENCV_IO_MAX_IMAGE_PIXELS`` said when the program began."""
    try:
        return int(os.environ.get("OPENCV_IO_MAX_IMAGE_PIXELS", MOST_PIXELS))
    except ValueError:
        return MOST_PIXELS


def too_large(data: bytes) -> bool:
    """Whether a picture claims more than :func:`most_pixels`, judged by its header alone."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Pillow.DecompressionBombWarning)
            with Pillow.open(io.BytesIO(data), formats=FORMATS) as picture:
                return picture.width * picture.height > most_pixels()
    except Pillow.DecompressionBombError:
        return True
    except Exception:  # Pillow's parsers raise whatever a damaged header makes them stumble over
        return False


def refusal(data: bytes) -> str:
    """Why :func:`decode` gives nothing for a picture, as the end of a sentence about it."""
    if not data:
        return "is empty"
    if not data[:4].startswith(SIGNATURES):
        return f"is none of {', '.join(FORMATS)}"
    if too_large(data):
        return f"has more than {most_pixels():,} pixels"
    return "is damaged"


def _on_white(buffer: NDArray[np.uint8], grey: bool) -> Image | None:
    decoded = cv2.imdecode(buffer, cv2.IMREAD_UNCHANGED)
    if decoded is None:
        return None
    if decoded.ndim != 3 or decoded.shape[2] != 4:  # grey with alpha comes as BGRA from OpenCV
        return decode(cv2.imencode(".png", decoded)[1].tobytes(), grey)
    on_white = np.empty((*decoded.shape[:2], 3), np.uint8)
    for top in range(0, len(decoded), ROWS):
        part = decoded[top : top + ROWS]
        pixels = (part / (257.0 if part.dtype == np.uint16 else 1.0)).astype(np.float32)
        alpha = pixels[..., 3:] / 255
        on_white[top : top + ROWS] = np.rint(pixels[..., 2::-1] * alpha + 255 * (1 - alpha))
    return np.asarray(cv2.cvtColor(on_white, cv2.COLOR_RGB2GRAY) if grey else on_white, np.uint8)
