"""Encoded pictures: check them, turn them upright, encode crops."""

from __future__ import annotations

import io

import cv2
import numpy as np
from PIL import Image as Pillow
from PIL import UnidentifiedImageError

from data_prep.samples import Unusable
from ocr.data.decoding import decode, most_pixels, too_large
from ocr.types import Image

ORIENTATION = 0x0112
JPEG = b"\xff\xd8"
QUALITY = 95
"""JPEG quality of what is encoded anew: word crops, and pictures that EXIF turns."""


def checked(data: bytes) -> tuple[bytes, Image]:
    """A picture as it goes into a store (encoded bytes) and its pixels.

    The bytes stay as they are, unless EXIF asks for a turn: then they are turned and encoded anew, because labels refer to the
    picture as viewers show it, while the store does not look at EXIF.

    Raises:
        Unusable: the file is empty, has more than :func:`ocr.data.decoding.most_pixels`, or cannot be decoded completely.
    """
    if not data:
        raise Unusable("empty picture file")
    decoded = decode(data)
    if decoded is None:
        if too_large(data):
            raise Unusable(f"picture has more than {most_pixels() // 1_000_000} megapixels")
        raise Unusable("picture cannot be decoded")
    if _orientation(data) == 1:
        return data, decoded
    upright = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
    image = np.asarray(upright, np.uint8)
    return encode(image), image


def encode(image: Image) -> bytes:
    """JPEG bytes of an RGB picture."""
    done, data = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    assert done
    return data.tobytes()


def _orientation(data: bytes) -> int:
    # asking Pillow costs more than decoding a word crop: only where an EXIF block can be
    marks = (b"Exif",) if data[:2] == JPEG else (b"eXIf", b"EXIF")
    if data[:2] not in (b"II", b"MM") and not any(mark in data for mark in marks):
        return 1
    try:
        with Pillow.open(io.BytesIO(data)) as picture:
            return int(picture.getexif().get(ORIENTATION, 1)) or 1
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Pillow.DecompressionBombError):
        return 1
