"""Pictures and small sets for the tests of the store."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ocr.data.store import StoreWriter


def _picture(number: int, form: str = "PNG", **options: object) -> bytes:
    pixels = np.random.default_rng(number).integers(0, 256, (12, 40, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, form, **options)
    return file.getvalue()


@pytest.fixture
def picture() -> Callable[..., bytes]:
    """An encoded 40 x 12 picture of noise by number: picture(3), picture(3, "JPEG", exif=...)."""
    return _picture


@pytest.fixture
def write_words() -> Callable[..., Path]:
    """Write a recognition set of ``count`` words and return its folder; word i reads "<mark>i"."""

    def write(root: Path, count: int = 5, mark: str = "word", name: str = "toy", split: str = "train") -> Path:
        folder = root / "recognition" / name / split
        with StoreWriter(folder, "recognition", name, split, "real", "a test") as writer:  # type: ignore[arg-type]
            for i in range(count):
                writer.add_word(_picture(i), f"{mark}{i}", f"{name}/{i}.png")
        return folder

    return write
