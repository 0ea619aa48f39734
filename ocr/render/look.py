"""What rendered pictures look like: fonts, words, colours, sizes and effects, as plain data read from ``conf/render/*.yaml``."""

from __future__ import annotations

import dataclasses
import difflib
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import ocr
from ocr.charset import Charset
from ocr.render.binding import Chance, Range, bind


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
    difference between letters and the background right behind them, in grey levels of luma (ITU-R BT.601); ``faint`` takes its place
    for letters that can hardly be seen.
    """

    background: tuple[Tint, ...]
    text: tuple[Tint, ...]
    tone: Range
    contrast: Range
    faint: Chance | None = None


@dataclass(frozen=True, slots=True)
class Words:
    """Which texts are written.  ``slice`` names the part of the vocabulary; the other numbers are relative weights.

    ``validation`` is the share of the training part that is held out for the slice ``val``.

    ``flatten`` is the exponent on word frequencies (1: as in running text, 0: all words alike).  ``alphanumeric`` keeps letters and
    digits only, as a set whose labels live in file names must.
    """

    slice: Literal["train", "val", "test"]
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
    mixed: float = 0.0
    plate: float = 0.0
    email: float = 0.0
    random: float = 0.0
    phrase: float = 0.0
    validation: float = 0.0


@dataclass(frozen=True, slots=True)
class Layout:
    """How text stands in a scene.  Heights are those of word boxes, in pixels; of vertical words, their widths.

    ``receipt`` is the probability that a block is a list of items with prices, ``turned`` that it is turned by any angle; words
    whose letters differ from what is around them by fewer than ``legible`` grey levels in the end are marked "do not care".
    """

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
    receipt: float = 0.0
    turned: float = 0.0
    legible: float = 0.0


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
    arc: Chance | None = None
    wave: Chance | None = None
    texture: Chance | None = None
    emboss: Chance | None = None
    neon: Chance | None = None
    dots: Chance | None = None
    thermal: Chance | None = None


@dataclass(frozen=True, slots=True)
class Camera:
    """What happens to the finished picture."""

    light: Chance
    blur: Chance
    motion: Chance
    resample: Chance
    noise: Chance
    jpeg: Chance
    glare: Chance | None = None
    occlusion: Chance | None = None


@dataclass(frozen=True, slots=True)
class Crop:
    """How a word is cut out of its surroundings.  Margins are in multiples of the word's height.

    ``plate`` is the probability that the word stands on a framed plate.  A crop in which the letters differ
    from what is around them by fewer than ``legible`` grey levels is not returned but replaced.
    """

    height: Range
    margin: Range
    rotation: Range
    perspective: Range
    neighbour: float
    plate: float = 0.0
    legible: float = 0.0


@dataclass(frozen=True, slots=True)
class Language:
    """What is written and in which fonts.

    ``fonts`` and ``held_out`` (for validation) name font sources, see :func:`ocr.render.font_sources.faces_of`.  ``vocabulary`` is a
    language of wordfreq or the path of a text file; ``characters`` are those that strings without sense hold besides the
    vocabulary's (``a-b`` is a range); ``vertical`` is the probability that a text runs from top to bottom, and ``latin`` that it is
    an English one.
    """

    name: str
    script: str
    fonts: tuple[str, ...]
    held_out: tuple[str, ...]
    vocabulary: str
    vertical: float
    latin: float
    characters: str = ""


@dataclass(frozen=True, slots=True)
class Look:
    """Everything that :func:`ocr.render.scene.render_scene` and :func:`ocr.render.word.render_word` need besides a generator.

    ``picture`` is the scene's (height, width) in pixels and ``backgrounds`` are names of :data:`ocr.render.background.FAMILIES`.  A look
    with ``fonts`` (families installed as ``fontpkg-<family>`` packages) writes English in them, in the pictures of the first
    renderer; a preset has none and is completed by :meth:`written_in`.  ``photos`` is a folder of photographs for backgrounds, or empty.
    """

    name: str
    picture: tuple[int, int]
    backgrounds: tuple[str, ...]
    colours: Colours
    words: Words
    layout: Layout
    letters: Letters
    camera: Camera
    crop: Crop
    fonts: tuple[str, ...] = ()
    language: Language | None = None
    photos: str = ""

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Look:
        """A look from plain data, as loaded from YAML.

        Raises:
            ValueError: a key is missing or unknown, a value has another type than the field, a range is upside down, a
                probability lies outside [0, 1], ranges contradict one another, or no font or no background is named.
        """
        look: Look = bind(cls, data, "look")
        if not look.fonts and "fonts" in data:
            raise ValueError(f"look {look.name!r} names no font: list font families, for example [roboto, lora]")
        if not look.backgrounds:
            raise ValueError(
                f"look {look.name!r} names no background: list background families, for example [gradient, brick]"
            )
        _check(look)
        return look

    def written_in(self, language: Language, part: Literal["train", "val", "test"]) -> Look:
        """The look for one part of a language's words, in the fonts kept for that part."""
        fonts = language.fonts if part == "train" or not language.held_out else language.held_out
        return self.replace(fonts=fonts, language=language, words=dataclasses.replace(self.words, slice=part))

    def replace(self, **changes: Any) -> Look:
        """The look with other values, for example ``look.replace(words=...)``."""
        return dataclasses.replace(self, **changes)


def _check(look: Look) -> None:
    """Refuse values that are fine one by one and cannot all be meant."""
    words, layout, letters, crop, jpeg = look.words, look.layout, look.letters, look.crop, look.camera.jpeg.range
    kinds = [words.dictionary, words.number, words.price, words.date, words.code]
    kinds += [words.plate, words.email, words.random, words.phrase]
    unreadable = layout.illegible.range.high if layout.illegible.probability else 0.0
    highest = max(look.colours.tone.high, look.colours.contrast.high)
    least = min(letters.width.low, layout.height.low, crop.height.low)
    checks = [
        (words.shortest <= words.longest, f"words.shortest {words.shortest} is above words.longest {words.longest}"),
        (sum(kinds) > 0 and min(kinds) >= 0, "words: a kind of text needs a weight above 0, and none may lie below"),
        (words.lower + words.capitalised + words.upper + words.mixed > 0, "words: every case has the weight 0"),
        (layout.height.high <= look.picture[0], f"layout.height reaches above the height {look.picture[0]} of picture"),
        (unreadable <= layout.height.low, "layout.illegible.range reaches above the least layout.height"),
        (highest <= 250, "colours.tone and colours.contrast reach to 250 grey levels at most"),
        (crop.margin.low >= -0.4, "crop.margin below -0.4 cuts words away"),
        (least > 0, "letters.width, layout.height and crop.height start above 0"),
        (jpeg.low >= 1 and jpeg.high <= 100, "camera.jpeg.range is a quality from 1 to 100"),
    ]
    for is_right, message in checks:
        if not is_right:
            raise ValueError(f"look {look.name!r}: {message}: change it")


def _conf(group: str) -> Path:
    package = Path(ocr.__file__).parent
    inside = package / "conf" / group
    return inside if inside.is_dir() else package.parent / "conf" / group


def look_folder() -> Path:
    """Where the named looks lie: ``conf/render`` of the checkout, or of the installed package."""
    return _conf("render")


def load_language(name: str) -> Language:
    """A language by the name of its file in ``conf/language``, or by the path of a ``.yaml`` file.

    Raises:
        ValueError: there is no such language, or the file does not describe one.
    """
    path = _named("language", name)
    language: Language = _read(path, lambda data: bind(Language, data, "language"))
    if not language.fonts:
        raise ValueError(f"{path}: language {language.name!r} names no font: list packages or folders of fonts")
    try:
        if language.characters:
            Charset(spelt_out(language.characters))
    except ValueError as error:
        raise ValueError(f"{path}: language.characters: {error}") from None
    return language


def spelt_out(ranges: str) -> str:
    """Characters of which some are given as ranges: ``"x0-4"`` is ``"x01234"``.

    Raises:
        ValueError: a range runs backwards.
    """
    found: list[str] = []
    for first, last, single in re.findall(r"(.)-(.)|(.)", ranges, re.DOTALL):
        if first > last:
            raise ValueError(f"{first}-{last} runs backwards: write {last}-{first}")
        found += [single] if single else map(chr, range(ord(first), ord(last) + 1))
    return "".join(found)


def load_look(name: str) -> Look:
    """A look by the name of its file in ``conf/render``, or by the path of a ``.yaml`` file.

    Raises:
        ValueError: there is no such look, the file does not describe one, or PyYAML is not installed.
    """
    look: Look = _read(_named("render", name), Look.from_dict)
    return look


def _named(group: str, name: str) -> Path:
    kind = "look" if group == "render" else group
    path = Path(name) if name.endswith(".yaml") else _conf(group) / f"{name}.yaml"
    if not path.is_file():
        names = sorted(p.stem for p in _conf(group).glob("*.yaml"))
        near = difflib.get_close_matches(name, names, n=3, cutoff=0.5) or names
        raise ValueError(f"no {kind} {name!r} (looked for {path}); did you mean {', '.join(near)}?")
    return path


def _read(path: Path, make: Callable[[Any], Any]) -> Any:
    try:
        import yaml
    except ModuleNotFoundError:
        raise ValueError("looks are YAML files, and PyYAML is not installed: pip install 'ocr[render]'") from None

    try:
        return make(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (yaml.YAMLError, ValueError) as error:
        raise ValueError(f"{path}: {' '.join(str(error).split())}") from None
