"""What rendered pictures look like: fonts, words, colours, sizes and effects, as plain data read from ``conf/render/*.yaml``."""

from __future__ import annotations

import dataclasses
import difflib
import typing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

import ocr


@dataclass(frozen=True, slots=True)
class Range:
    """A closed interval to draw from."""

    low: float
    high: float

    def draw(self, rng: np.random.Generator) -> float:
        """A uniform draw."""
        return self.low + (self.high - self.low) * rng.random()

    def draw_log(self, rng: np.random.Generator) -> float:
        """A draw that is uniform in the logarithm, for sizes."""
        return self.low * (self.high / self.low) ** rng.random()

    def draw_int(self, rng: np.random.Generator) -> int:
        """A uniform draw from the integers of the interval, both ends included."""
        return int(self.low + int(rng.random() * (int(self.high) - int(self.low) + 1)))


@dataclass(frozen=True, slots=True)
class Chance:
    """An effect that occurs with ``probability`` and then with a strength from ``range``."""

    probability: float
    range: Range

    def draw(self, rng: np.random.Generator) -> float | None:
        """The strength, or None when the effect does not occur.  Takes two draws either way."""
        occurs = rng.random() < self.probability
        strength = self.range.draw(rng)
        return strength if occurs else None


@dataclass(frozen=True, slots=True)
class Tint:
    """A box in HSV space: hue in degrees (``low`` may be negative to cross red), saturation and value in [0, 1]."""

    hue: Range
    saturation: Range
    value: Range


@dataclass(frozen=True, slots=True)
class Colours:
    """A colour scheme.  Every picture takes one tint for its background; every block takes one for its letters.

    ``tone`` is the difference between the darkest and the lightest point of a background, in grey levels; ``contrast`` the
    difference between letters and the background right behind them, in grey levels of luma (ITU-R BT.601).
    """

    background: tuple[Tint, ...]
    text: tuple[Tint, ...]
    tone: Range
    contrast: Range


@dataclass(frozen=True, slots=True)
class Words:
    """Which texts are written.  ``slice`` names the half of the vocabulary; the other numbers are relative weights.

    ``flatten`` is the exponent on word frequencies (1: as in running text, 0: all words alike).  ``alphanumeric`` keeps letters and
    digits only, as a set whose labels live in file names must.
    """

    slice: Literal["train", "test"]
    flatten: float
    dictionary: float
    number: float
    price: float
    date: float
    code: float
    punctuated: float
    lower: float
    capitalised: float
    upper: float
    alphanumeric: bool
    shortest: int
    longest: int


@dataclass(frozen=True, slots=True)
class Layout:
    """How text stands in a scene.  Heights are those of word boxes, in pixels."""

    words: Range
    lines: Range
    words_per_line: Range
    height: Range
    line_gap: Range
    word_gap: Range
    rotation: Range
    perspective: Range
    panel: float
    illegible: Chance
    distractors: Range


@dataclass(frozen=True, slots=True)
class Letters:
    """How letters are drawn.  Lengths are in em (multiples of the font size) unless a comment in the configuration says otherwise."""

    weight: Range
    width: Range
    slant: Chance
    spacing: Chance
    bold: Chance
    outline: Chance
    shadow: Chance
    gradient: Chance
    worn: Chance


@dataclass(frozen=True, slots=True)
class Camera:
    """What happens to the finished picture."""

    light: Chance
    blur: Chance
    motion: Chance
    resample: Chance
    noise: Chance
    jpeg: Chance


@dataclass(frozen=True, slots=True)
class Crop:
    """How a word is cut out of its surroundings.  Margins are in multiples of the word's height."""

    height: Range
    margin: Range
    rotation: Range
    perspective: Range
    neighbour: float


@dataclass(frozen=True, slots=True)
class Look:
    """Everything that :func:`ocr.render.scene.render_scene` and :func:`ocr.render.word.render_word` need besides a generator.

    ``picture`` is the scene's (height, width) in pixels, ``fonts`` are families installed as ``fontpkg-<family>`` packages and
    ``backgrounds`` names of :data:`ocr.render.background.FAMILIES`.
    """

    name: str
    picture: tuple[int, int]
    fonts: tuple[str, ...]
    backgrounds: tuple[str, ...]
    colours: Colours
    words: Words
    layout: Layout
    letters: Letters
    camera: Camera
    crop: Crop

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Look:
        """A look from plain data, as loaded from YAML.

        Raises:
            ValueError: a key is missing or unknown, a value has another type than the field, a range is upside down, a
                probability lies outside [0, 1], or no font or no background is named.
        """
        look: Look = _bind(cls, data, "look")
        if not look.fonts:
            raise ValueError(f"look {look.name!r} names no font: list font families, for example [roboto, lora]")
        if not look.backgrounds:
            raise ValueError(
                f"look {look.name!r} names no background: list background families, for example [gradient, brick]"
            )
        return look

    def replace(self, **changes: Any) -> Look:
        """The look with other values, for example ``look.replace(words=...)``."""
        return dataclasses.replace(self, **changes)


def _bind(kind: Any, value: Any, where: str) -> Any:
    if kind is Range:
        return _range(value, where)
    if dataclasses.is_dataclass(kind):
        return _bind_fields(kind, value, where)
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is tuple and arguments[-1] is Ellipsis:
        if not isinstance(value, list | tuple):
            raise ValueError(f"{where}: expected a list, found {value!r}")
        return tuple(_bind(arguments[0], v, f"{where}[{i}]") for i, v in enumerate(value))
    if origin is tuple:
        if not isinstance(value, list | tuple) or len(value) != len(arguments):
            raise ValueError(f"{where}: expected {len(arguments)} values, found {value!r}")
        return tuple(_bind(a, v, f"{where}[{i}]") for i, (a, v) in enumerate(zip(arguments, value, strict=True)))
    if origin is Literal:
        if value not in arguments:
            raise ValueError(f"{where}: expected one of {', '.join(map(repr, arguments))}, found {value!r}")
        return value
    return _scalar(kind, value, where)


def _scalar(kind: Any, value: Any, where: str) -> Any:
    accepted = (int, float) if kind is float else kind
    if not isinstance(value, accepted) or (isinstance(value, bool) and kind is not bool):
        raise ValueError(f"{where}: expected {kind.__name__}, found {value!r}")
    if where.endswith("probability") and not 0 <= value <= 1:
        raise ValueError(f"{where}: a probability lies in [0, 1], found {value!r}")
    return kind(value)


def _range(value: Any, where: str) -> Range:
    numbers = isinstance(value, list | tuple) and len(value) == 2 and all(isinstance(v, int | float) for v in value)
    if not numbers:
        raise ValueError(f"{where}: expected [low, high], found {value!r}")
    if value[0] > value[1]:
        raise ValueError(f"{where}: the range {list(value)} is upside down, write [{value[1]}, {value[0]}]")
    return Range(float(value[0]), float(value[1]))


def _bind_fields(kind: Any, value: Any, where: str) -> Any:
    if not isinstance(value, dict):
        raise ValueError(
            f"{where}: expected a mapping with {', '.join(f.name for f in dataclasses.fields(kind))}, found {value!r}"
        )
    hints = typing.get_type_hints(kind)
    for key in value:
        if key not in hints:
            near = difflib.get_close_matches(str(key), hints, n=3, cutoff=0.5) or list(hints)
            raise ValueError(f"{where}: unknown key {key!r}; did you mean {', '.join(near)}?")
    missing = [name for name in hints if name not in value]
    if missing:
        raise ValueError(f"{where}: missing {', '.join(missing)}")
    return kind(**{name: _bind(hint, value[name], f"{where}.{name}") for name, hint in hints.items()})


def look_folder() -> Path:
    """Where the named looks lie: ``conf/render`` of the checkout, or of the installed package."""
    package = Path(ocr.__file__).parent
    inside = package / "conf" / "render"
    return inside if inside.is_dir() else package.parent / "conf" / "render"


def load_look(name: str) -> Look:
    """A look by the name of its file in ``conf/render``, or by the path of a ``.yaml`` file.

    Raises:
        ValueError: there is no such look, the file does not describe one, or PyYAML is not installed.
    """
    try:
        import yaml
    except ModuleNotFoundError:
        raise ValueError("looks are YAML files, and PyYAML is not installed: pip install 'ocr[render]'") from None

    path = Path(name) if name.endswith(".yaml") else look_folder() / f"{name}.yaml"
    if not path.is_file():
        names = sorted(p.stem for p in look_folder().glob("*.yaml"))
        near = difflib.get_close_matches(name, names, n=3, cutoff=0.5) or names
        raise ValueError(f"no look {name!r} (looked for {path}); did you mean {', '.join(near)}?")
    try:
        return Look.from_dict(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (yaml.YAMLError, ValueError) as error:
        raise ValueError(f"{path}: {' '.join(str(error).split())}") from None
