"""The looks that the demo and the fixed test sets are made of give the pictures they have always given."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from ocr.render.look import load_look
from ocr.render.scene import render_blocks
from ocr.render.word import render_word
from ocr.seeding import generator

KEPT: dict[str, list[str]] = json.loads(
    (Path(__file__).parents[1] / "golden" / "rendered_looks.json").read_text(encoding="utf-8")
)
"""By look, the first 16 hex digits of the SHA-256 over a word and a scene: pictures, texts and labels."""


def digest(name: str, index: int) -> str:
    look = load_look(name)
    content = hashlib.sha256()
    word = render_word(look, generator(0, name, "train", index))
    assert word.characters is not None
    content.update(word.image.tobytes() + word.text.encode() + word.characters.tobytes())
    content.update(str(word.image.shape).encode())
    rendered = render_blocks(look, generator(0, name, "train", index), *look.picture)
    content.update(rendered.scene.image.tobytes() + "|".join(rendered.blocks).encode())
    for labelled in rendered.scene.words:
        assert labelled.characters is not None
        content.update(labelled.polygon.tobytes() + labelled.characters.tobytes() + bytes([labelled.ignore]))
    for line in rendered.scene.lines or []:
        content.update(line.tobytes())
    return content.hexdigest()[:16]


@pytest.mark.parametrize("name", KEPT)
def test_a_few_samples_are_what_they_were(name: str) -> None:
    for index in (0, 7, 19):
        assert digest(name, index) == KEPT[name][index], f"sample {index}"


@pytest.mark.slow
@pytest.mark.parametrize("name", KEPT)
def test_all_kept_samples_are_what_they_were(name: str) -> None:
    assert [digest(name, i) for i in range(20)] == KEPT[name]
