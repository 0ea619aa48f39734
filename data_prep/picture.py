"""Encoded pictures: check them, turn them upright, encode crops."""

from __future__ import annotations

import io

import cv2
import numpy as np
from PIL import Image as Pillow
from PIL import UnidentifiedImageError

from data_prep.samples import Unusable
from ocr.data.store import decode
from ocr.types import Image

ORIENTATION = 0x0112
MOST_PIXELS = 200_000_000
"""Pixels of the largest picture that is decoded (600 MB): a small file may unpack to any size."""
LARGE = 1 << 20
"""Bytes of a JPEG from which its size is looked at; smaller ones cannot hold too many pixels."""
PNG, JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8"
QUALITY = 95
"""JPEG quality of what is encoded anew: word crops, and pictures that EXIF turns."""


def checked(data: bytes) -> tuple[bytes, Image]:
    """A picture as it goes into a store (encoded bytes) and its pixels.

    The bytes stay as they are, unless EXIF asks for a turn: then they are turned and encoded anew, because labels refer to the
    picture as viewers show it, while the store does not look at EXIF.

    Raises:
        Unusable: the file is empty, has more than ``MOST_PIXELS``, or cannot be decoded completely.
    """
    if not data:
        raise Unusable("empty picture file")
    if _pixels(data) > MOST_PIXELS:
        raise Unusable(f"picture has more than {MOST_PIXELS // 1_000_000} megapixels")
    if _orientation(data) != 1:
        try:
            upright = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
        except cv2.error:
            upright = None
        if upright is None:
            raise Unusable("picture cannot be decoded")
        image = np.asarray(upright, np.uint8)
        return encode(image), image
    decoded = decode(data)
    if decoded is None:
        raise Unusable("picture cannot be decoded")
    return data, decoded


def encode(image: Image) -> bytes:
    """JPEG bytes of an RGB picture."""
    done, data = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    assert done
    return data.tobytes()


def _pixels(data: bytes) -> int:
    """How many pixels a picture says it has; 0 where so few bytes can hardly decode to too many."""
    if data[:8] == PNG:
        return int.from_bytes(data[16:20], "big") * int.from_bytes(data[20:24], "big")
    if len(data) < LARGE and data[:2] == JPEG:
        return 0
    try:
        with Pillow.open(io.BytesIO(data)) as picture:
            return picture.width * picture.height
    except Pillow.DecompressionBombError:
        return MOST_PIXELS + 1
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError):
        return 0


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
