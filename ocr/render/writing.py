"""Which face writes what: faces that can write a look's vocabulary, and texts that a face has all glyphs for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache

import numpy as np

from ocr.render.font_sources import usable_faces
from ocr.render.fonts import COARSE_SIZES, SIZES, Face, FaceSpec, draw_face, open_face
from ocr.render.look import Language, Look
from ocr.render.texts import draw_case as draw_any_case
from ocr.render.texts import draw_script_text
from ocr.render.vocabulary import Part, vocabulary
from ocr.render.words import draw_case, draw_text

_TRIES = 100
_FACES_TRIED = 20


@dataclass(slots=True)
class Demand:
    """What a consumer asks of texts, and what came of it.

    ``accept`` is a condition on texts (what a charset can spell, how long a label may be); ``replaced`` counts by reason what was
    drawn and gave way to another.
    """

    accept: Callable[[str], bool] | None = None
    replaced: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True)
class Writing:
    """How the texts of one block are chosen: a face, a case, and whether they run from top to bottom."""

    face: Face
    case: str
    vertical: bool = False


def sizes_of(look: Look) -> tuple[int, ...]:
    """Font sizes at which the look's glyphs are kept."""
    return SIZES if look.language is None else COARSE_SIZES


def measuring_size(look: Look) -> int:
    """The kept size whose glyphs tell how high a text is; the first renderer measured the largest."""
    return SIZES[-1] if look.language is None else COARSE_SIZES[1]


def draw_face_of(look: Look, rng: np.random.Generator) -> Face:
    """A face drawn evenly over the look's font sources, then over the faces of the source.

    Raises:
        ValueError: no font can write the look's vocabulary.
    """
    if look.language is None:
        return draw_face(look.fonts, int(look.letters.weight.low), int(look.letters.weight.high), rng)
    sources = usable(look)
    _, specs = sources[int(rng.random() * len(sources))]
    return open_face(specs[int(rng.random() * len(specs))], kin=specs[0])


def usable(look: Look) -> list[tuple[str, tuple[FaceSpec, ...]]]:
    """The font sources of a look in a language, with the faces that can write it.

    Raises:
        ValueError: there is none.
    """
    assert look.language is not None
    lightest, heaviest = int(look.letters.weight.low), int(look.letters.weight.high)
    return _usable(look.fonts, lightest, heaviest, look.language, look.words.slice, look.words.validation)


@cache
def _usable(
    fonts: tuple[str, ...], lightest: int, heaviest: int, language: Language, part: Part, validation: float
) -> list[tuple[str, tuple[FaceSpec, ...]]]:
    return usable_faces(fonts, lightest, heaviest, vocabulary(language.vocabulary, part, validation).characters)


def draw_case_of(look: Look, rng: np.random.Generator) -> str:
    """The case of a block."""
    return draw_case(look.words, rng) if look.language is None else draw_any_case(look.words, rng)


def drawable_text(
    look: Look, writing: Writing, rng: np.random.Generator, demand: Demand | None = None, spaces: bool = False
) -> str | None:
    """A text that the face has all glyphs for; those it lacks glyphs for are replaced by others, and counted.

    None when a hundred texts in a row need other glyphs or forms.

    Raises:
        ValueError: no text of the look's length comes up.
    """
    demand = demand or Demand()
    for _ in range(_TRIES):
        if look.language is None:
            text: str | None = draw_text(look.words, writing.case, rng)
        else:
            text = draw_script_text(
                look.words, look.language, writing.case, rng, writing.vertical, spaces, demand.accept
            )
        if text is None:
            raise ValueError(
                f"look {look.name!r} finds no text of {look.words.shortest} to {look.words.longest} characters in the "
                f"{look.words.slice} part that the model can spell: widen words.longest, or take a larger charset"
            )
        if not writing.face.has(text):
            demand.replaced["a glyph is missing"] += 1
        elif writing.vertical and not writing.face.has_upright(text):
            demand.replaced["a vertical form is missing"] += 1
        else:
            return text
    return None


def draw_writing(
    look: Look, rng: np.random.Generator, demand: Demand | None = None, spaces: bool = False
) -> tuple[Writing, str]:
    """A face with a first text that it can write.

    Raises:
        ValueError: twenty faces in a row cannot write a hundred texts each.
    """
    language = look.language
    vertical = language is not None and bool(rng.random() < language.vertical)
    for _ in range(_FACES_TRIED):
        face = draw_face_of(look, rng)
        writing = Writing(face, draw_case_of(look, rng), vertical)
        text = drawable_text(look, writing, rng, demand, spaces)
        if text is not None:
            return writing, text
    raise ValueError(
        f"font {face.spec.path} and others lack glyphs for 100 texts in a row: take {face.spec.family} out of the fonts"
    )
