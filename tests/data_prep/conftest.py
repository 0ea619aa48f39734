"""Raw folders for the tests of data_prep, and its command line."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from data_prep.__main__ import main
from ocr.data.records import Manifest


def _picture(number: int = 0, width: int = 100, height: int = 60, form: str = "JPEG", **options: Any) -> bytes:
    pixels = np.random.default_rng(number).integers(0, 256, (height, width, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, form, **options)
    return file.getvalue()


@pytest.fixture
def picture() -> Callable[..., bytes]:
    """An encoded picture of noise: picture(number, width=100, height=60, form="JPEG")."""
    return _picture


@pytest.fixture
def raw(tmp_path: Path) -> Callable[[Mapping[str, str | bytes]], Path]:
    """Write files of a raw folder by path and return the folder."""

    def write(files: Mapping[str, str | bytes]) -> Path:
        for path, content in files.items():
            file = tmp_path / "raw" / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content if isinstance(content, bytes) else content.encode())
        return tmp_path / "raw"

    return write


@dataclass
class Result:
    """What a run of the command line left."""

    status: int
    out: str
    error: str
    root: Path

    def manifest(self, place: str) -> Manifest:
        return Manifest.read(self.root / place)

    def dropped(self, place: str) -> dict[str, int]:
        return self.manifest(place).dropped

    def listed(self, place: str) -> list[str]:
        return (self.root / place / "dropped.tsv").read_text(encoding="utf-8").splitlines()[1:]


@pytest.fixture
def prepare(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., Result]:
    """Run ``python -m data_prep NAME --raw RAW --out … OPTIONS`` in this process."""

    def run(name: str, raw: Path, *options: str) -> Result:
        root = tmp_path / "prepared"
        status = main([name, "--raw", str(raw), "--out", str(root), *options])
        captured = capsys.readouterr()
        return Result(status, captured.out, captured.err, root)

    return run


@dataclass
class SynthEntry:
    """One picture of a gt.mat: blocks of text, and boxes as arrays of shape (n, 4, 2)."""

    blocks: list[str]
    words: np.ndarray
    characters: np.ndarray
    name: str = ""
    image: bytes | None = None


def _boxes(quads: np.ndarray) -> np.ndarray:
    """2 x 4 x N as in the release, and 2 x 4 for one box."""
    boxes = np.asarray(quads, np.float64).transpose(2, 1, 0)
    return boxes[:, :, 0] if boxes.shape[2] == 1 else boxes


@pytest.fixture
def synthtext(tmp_path: Path) -> Callable[..., Path]:
    """Write a SynthText-style raw folder and return it."""

    def write(*entries: SynthEntry) -> Path:
        raw = tmp_path / "SynthText"
        cells = {name: np.empty((1, len(entries)), object) for name in ("imnames", "wordBB", "charBB", "txt")}
        for i, entry in enumerate(entries):
            name = entry.name or f"{i + 1}/ballet_{i}_0.jpg"
            cells["imnames"][0, i] = np.array([name])
            cells["wordBB"][0, i] = _boxes(entry.words)
            cells["charBB"][0, i] = _boxes(entry.characters)
            cells["txt"][0, i] = np.array(entry.blocks)
            if not entry.name:
                (raw / name).parent.mkdir(parents=True, exist_ok=True)
                (raw / name).write_bytes(_picture(i) if entry.image is None else entry.image)
        raw.mkdir(exist_ok=True)
        savemat(raw / "gt.mat", cells)
        return raw

    return write


@pytest.fixture
def entry() -> Callable[..., SynthEntry]:
    """A picture with words on one line each, 8 x 12 pixels a character from (10, 10) on: entry("two words", ...)."""

    def make(*blocks: str, **changes: Any) -> SynthEntry:
        words, characters = [], []
        texts = " ".join(blocks).split()
        for row, text in enumerate(texts):
            top = 10 + 14 * row
            boxes = [rectangle(10 + 8 * k, top, 18 + 8 * k, top + 12) for k in range(len(text))]
            words.append(rectangle(10, top, 10 + 8 * len(text), top + 12))
            characters += boxes
        given = {
            "blocks": list(blocks),
            "words": np.array(words).reshape(-1, 4, 2),
            "characters": np.array(characters).reshape(-1, 4, 2),
        }
        return SynthEntry(**{**given, **changes})

    return make


def rectangle(x0: float, y0: float, x1: float, y1: float) -> np.ndarray:
    """Corners clockwise from the top left."""
    return np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], float)
