"""Rendered text as a data set: endless, indexable, and never on disk."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, Self

import cv2
import numpy as np

from ocr.render import VERSION
from ocr.render.binding import plain
from ocr.render.look import Language, Look, load_language, load_look
from ocr.render.scene import render_blocks
from ocr.render.vocabulary import Part, vocabulary
from ocr.render.word import render_word
from ocr.render.writing import Demand, usable
from ocr.seeding import generator
from ocr.types import Scene, SceneWord, Word

PRESET = "scene"
"""The preset where none is named."""


class _Rendered:
    """Samples by index; sample i of a seed is the same picture on every machine and in any number of processes.

    Training samples follow the seed; validation samples do not (so that runs with other seeds can be compared), and have words and
    fonts of their own.

    Args:
        name: of the set, in keys and records.
        languages: what is written, with relative weights (0: not at all): names of ``conf/language``.
        look: a preset by name, as a mapping or loaded, or None for ``scene``.
        seed: of the training samples.
        samples: how many count as one pass; training never sees one twice, however long it takes.
        validation: number of validation samples.
        split: which part this is; :meth:`open` gives the others.
        vertical: probability that a text runs from top to bottom, in [0, 1], for all languages; None: each language's own.

    Raises:
        ValueError: a language or preset does not exist, a weight is below 0 or none is above, no installed font can write a language,
            or ``vertical`` is outside its range.
    """

    task: Literal["detection", "recognition"]
    kind: Literal["rendered"] = "rendered"
    endless = True

    def __init__(
        self,
        name: str,
        languages: Mapping[str, float],
        look: str | Mapping[str, Any] | Look | None = None,
        seed: int = 0,
        samples: int = 100_000,
        validation: int = 500,
        split: Part = "train",
        vertical: float | None = None,
    ) -> None:
        languages = dict(languages)
        if any(weight < 0 for weight in languages.values()) or not sum(languages.values()):
            raise ValueError(f"languages {languages}: name at least one with a weight above 0, and none below")
        if samples < 1 or validation < 1:
            raise ValueError(f"samples={samples} and validation={validation}: both start at 1")
        if vertical is not None and not 0 <= vertical <= 1:
            raise ValueError(f"vertical={vertical}: give a probability in [0, 1], or null for each language's own")
        self.name, self.seed, self.split = name, seed, split
        self.samples, self.validation = samples, validation
        self.preset = _preset(look)
        self.languages: dict[str, float] = {k: float(v) for k, v in languages.items() if v}
        self.vertical = vertical
        spoken = [self._language(language) for language in self.languages]
        self._spoken: list[Language] = spoken
        self.looks = [self.preset.written_in(language, split) for language in spoken]
        for one in self.looks:
            usable(one)
        self._shares = np.cumsum([*self.languages.values()]) / sum(self.languages.values())
        self.demand = Demand()

    def open(self, split: Part) -> Self:
        """Another part of the same set."""
        sizes = self.samples, self.validation
        return type(self)(self.name, self.languages, self.preset, self.seed, *sizes, split, self.vertical)

    def accepting(self, reject: Callable[[str], str | None]) -> Self:
        """The set with texts for which ``reject`` gives no reason against them; others take their places."""
        opened = self.open(self.split)
        opened.demand.accept = _Accepted(reject)
        return opened

    @property
    def replaced(self) -> Counter[str]:
        """By reason, how many texts and crops this process has replaced because they could not be rendered."""
        return self.demand.replaced

    @property
    def count(self) -> int:
        """Number of samples of one pass."""
        return self.samples if self.split == "train" else self.validation

    def __len__(self) -> int:
        return self.count

    @property
    def fingerprint(self) -> str:
        """SHA-256 over everything that decides what the pictures look like."""
        fonts = [
            [source, *((Path(spec.path).name, Path(spec.path).stat().st_size, spec.axes) for spec in specs)]
            for look in self.looks
            for source, specs in usable(look)
        ]
        words = [
            hashlib.sha256("\n".join(vocabulary(s.vocabulary, self.split, self._held_out()).words).encode()).hexdigest()
            for s in self._spoken
        ]
        content = [
            VERSION,
            plain(self.preset),
            [plain(s) for s in self._spoken],
            self.languages,
            self.seed,
            self.split,
            fonts,
            words,
        ]
        return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()

    def key(self, index: int) -> str:
        """Key of a sample."""
        return f"{self.name}/{self.split}-{self._seed()}-{index}"

    def _language(self, name: str) -> Language:
        language = load_language(name)
        return language if self.vertical is None else dataclasses.replace(language, vertical=self.vertical)

    def _held_out(self) -> float:
        return self.preset.words.validation

    def _seed(self) -> int:
        return self.seed if self.split == "train" else 0

    def _drawn(self, index: int) -> tuple[Look, np.random.Generator]:
        """The look of a sample, whose language is drawn first, and the generator that draws everything else."""
        if index < 0:
            raise IndexError(f"{self.name}: sample {index}: numbers start at 0")
        rng = generator(self._seed(), self.name, self.split, index)
        return self.looks[int(np.searchsorted(self._shares, rng.random(), side="right"))], rng


class RenderedWords(_Rendered):
    """Word crops for a recogniser; see :class:`_Rendered`."""

    task = "recognition"

    def __getitem__(self, index: int) -> Word:
        look, rng = self._drawn(index)
        return render_word(look, rng, self.key(index), self.demand)

    def grey(self, index: int) -> Word:
        """The word with its picture in grey (height x width, luma)."""
        word = self[index]
        word.image = cv2.cvtColor(word.image, cv2.COLOR_RGB2GRAY)
        return word


class RenderedScenes(_Rendered):
    """Scenes with character quads for a detector; see :class:`_Rendered`."""

    task = "detection"

    def __getitem__(self, index: int) -> Scene:
        look, rng = self._drawn(index)
        return render_blocks(look, rng, *look.picture, self.key(index), self.demand).scene


class RenderedLines(_Rendered):
    """Scenes labelled by lines of text, as CTW-1500 is, for a link refiner; see :class:`_Rendered`.

    Every line is one word of the scene, ignored where all that stands in it is.
    """

    task = "detection"

    def __getitem__(self, index: int) -> Scene:
        look, rng = self._drawn(index)
        rendered = render_blocks(look, rng, *look.picture, self.key(index), self.demand)
        scene, words = rendered.scene, iter(rendered.scene.words)
        lines = []
        texts = (text for block in rendered.blocks for text in block.split("\n"))
        for polygon, text in zip(scene.lines or [], texts, strict=True):
            parts = [next(words) for _ in text.split(" ")]
            ignore = all(word.ignore for word in parts)
            lines.append(SceneWord(polygon, text, ignore, None, parts[0].script, parts[0].direction))
        return Scene(scene.image, lines, scene.key, "word", scene.lines)


class _Accepted:
    """Turns "why not" into "whether"; a class, so that it travels to other processes."""

    def __init__(self, reject: Callable[[str], str | None]) -> None:
        self.reject = reject

    def __call__(self, text: str) -> bool:
        return self.reject(text) is None


def _preset(look: str | Mapping[str, Any] | Look | None) -> Look:
    if isinstance(look, Look):
        return look
    preset = load_look(look or PRESET) if look is None or isinstance(look, str) else Look.from_dict(dict(look))
    if preset.fonts:
        raise ValueError(
            f"render={preset.name} names fonts of its own, as stand-ins do: choose a preset such as {PRESET}, clean or hard"
        )
    return preset
