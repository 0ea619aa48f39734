"""Copies of pictures are found by their pixels, against slow loops; what was looked at once is not looked at again."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from ocr.data import cache, picture_index
from ocr.data.picture_index import among, pixel_digest, repeats
from ocr.data.store import Store

DIGESTS = st.lists(st.integers(0, 6), max_size=30).map(lambda values: np.array(values, np.uint64))


@given(DIGESTS)
def test_repeats_are_what_stood_earlier(digests: np.ndarray) -> None:
    wanted = [(i, list(digests).index(d)) for i, d in enumerate(digests) if d and d in digests[:i]]
    again, first = repeats(digests)
    assert list(zip(again, first, strict=True)) == wanted


@given(DIGESTS, st.lists(DIGESTS, max_size=3))
def test_among_is_membership_of_whole_pictures(digests: np.ndarray, others: list[np.ndarray]) -> None:
    known = {int(d) for other in others for d in other} - {0}
    assert among(digests, others).tolist() == [i for i, d in enumerate(digests) if int(d) in known]


def saved(image: Image.Image, form: str) -> bytes:
    file = io.BytesIO()
    image.save(file, form)
    return file.getvalue()


def test_the_digest_is_of_pixels_and_size_not_of_the_file() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (6, 10, 3), np.uint8)
    image = Image.fromarray(pixels)
    png, bmp = saved(image, "PNG"), saved(image, "BMP")
    assert png != bmp
    assert pixel_digest(png) == pixel_digest(bmp)
    assert pixel_digest(png)[1:] == (10, 6)
    flat = saved(Image.fromarray(pixels.reshape(10, 6, 3)), "PNG")
    changed = pixels.copy()
    changed[3, 3, 1] ^= 1
    others = [pixel_digest(d)[0] for d in (flat, saved(Image.fromarray(changed), "PNG"))]
    assert len({pixel_digest(png)[0], *others}) == 3
    assert pixel_digest(b"no picture") == (0, 0, 0)


def test_a_set_is_looked_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write_words: Callable[..., Path]
) -> None:
    monkeypatch.setenv("OCR_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(picture_index, "CHUNK", 2)
    store = Store(write_words(tmp_path, count=7))
    done: list[int] = []
    entries = picture_index.picture_index(store, done.append)
    assert sum(done) == 7
    assert entries["width"].tolist() == [40] * 7
    assert [(d, w, h) for d, w, h in entries.tolist()] == [pixel_digest(store.image_bytes(i)) for i in range(7)]
    monkeypatch.setattr(picture_index, "_made", None)
    np.testing.assert_array_equal(picture_index.picture_index(store), entries)


def test_a_cache_that_cannot_be_used_costs_only_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("OCR_CACHE", str(tmp_path / "file"))
    assert cache.cached("kind", "f00", lambda: np.arange(3)).tolist() == [0, 1, 2]
    monkeypatch.setenv("OCR_CACHE", str(tmp_path))
    (tmp_path / "kind-f00.npy").write_bytes(b"\x93NUMPY cut off")
    assert cache.cached("kind", "f00", lambda: np.arange(3)).tolist() == [0, 1, 2]
    assert cache.cached("kind", "f00", lambda: np.arange(9)).tolist() == [0, 1, 2], "mended, and read"
    monkeypatch.delenv("OCR_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    assert cache.cache_folder() == tmp_path / "home" / "ocr"
