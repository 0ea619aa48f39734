"""Where fonts come from: fontpkg families, any pip package with font files, or a folder; and which of their files can be used."""

from __future__ import annotations

import difflib
import importlib.util
import os
import unicodedata
import warnings
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from ocr.render.fonts import COARSE_SIZES, Face, FaceSpec, faces, faces_of_file, installed_families, open_face

SUFFIXES = (".ttf", ".otf", ".ttc", ".woff", ".woff2")
"""Files that FreeType opens."""
MOST_FACES = 4
"""At most so many faces of one file or family are used."""
PROBED = 60
"""Characters of a vocabulary that a font is tried with, the most frequent ones."""
LEAST_COVERAGE = 0.5
"""Share of them that it must have."""


@cache
def faces_of(source: str, lightest: int, heaviest: int) -> tuple[FaceSpec, ...]:
    """The faces of a font source, in a fixed order.

    A source is a family of a ``fontpkg-*`` package (``lora``); the name of any other installed package that holds font files
    (``pylopdf-fonts-jp``); or a folder (a path with a slash, or one that starts with ``$VARIABLE``).  ``source:PATTERN`` keeps the
    files whose names fit (``pylopdf-fonts-jp:NotoSerif*``).  A source below a variable that is not set has no faces.

    Raises:
        ValueError: there is no such package or folder, or no font file in it.
    """
    name, _, pattern = source.partition(":")
    if "/" not in name and not name.startswith("$"):
        if not pattern and name in installed_families():
            return _few(faces(name, lightest, heaviest))
        folder = _package_folder(name)
    else:
        expanded = os.path.expandvars(name)
        if expanded.startswith("$"):
            _tell_once(f"fonts: {source} is left out, for {expanded.partition('/')[0]} is not set")
            return ()
        folder = Path(expanded).expanduser()
    files = [p for p in sorted(folder.rglob(pattern or "*")) if p.suffix.lower() in SUFFIXES] if folder.is_dir() else []
    if not files:
        what = "holds no font file" if folder.is_dir() else "is no folder"
        fitting = f" that fits {pattern!r}" if pattern else ""
        raise ValueError(
            f"font source {source!r}: {folder} {what}{fitting}: name a folder of {', '.join(SUFFIXES)} files"
        )
    found: list[FaceSpec] = []
    for path in files:
        try:
            found += _few(faces_of_file(path, lightest, heaviest))
        except (OSError, ValueError) as error:
            _tell_once(f"fonts: {path} is left out, for it does not open ({error})")
    return tuple(found)


def usable_faces(
    sources: Sequence[str], lightest: int, heaviest: int, characters: str
) -> list[tuple[str, tuple[FaceSpec, ...]]]:
    """The sources with those of their faces that can write a vocabulary; a source without any is left out.

    Faces that do not open, have no glyph for half of the ``characters``, draw empty glyphs or lie about their metrics are
    left out, each named once in a warning.  Only the first face of a file is looked at.

    Raises:
        ValueError: nothing is left.
    """
    found = []
    for source in sources:
        specs = faces_of(source, lightest, heaviest)
        faults = {
            path: fault_of(next(s for s in specs if s.path == path), characters) for path in {s.path for s in specs}
        }
        for path, fault in sorted(faults.items()):
            if fault:
                _tell_once(f"fonts: {path} is left out, for it {fault}")
        kept = tuple(s for s in specs if not faults[s.path])
        if kept:
            found.append((source, kept))
    if not found:
        raise ValueError(
            f"no font of {', '.join(sources)} can write this vocabulary (weights {lightest} to {heaviest}): "
            "install or name others"
        )
    return found


@cache
def fault_of(spec: FaceSpec, characters: str) -> str | None:
    """What makes a face useless for a vocabulary whose most frequent characters are given, or None."""
    try:
        face = open_face(spec, kin=spec)
        probed = characters[:PROBED]
        own = [c for c in probed if face.has(c)]
    except (OSError, ValueError) as error:
        return f"does not open ({error})"
    if len(own) < LEAST_COVERAGE * len(probed):
        return f"has glyphs for {len(own)} of the {len(probed)} most frequent characters only"
    return _metrics_fault(face, own)


def _metrics_fault(face: Face, characters: Sequence[str]) -> str | None:
    """Advances that do not go with the ink would pile letters up or scatter them."""
    size = COARSE_SIZES[1]
    wrong = 0
    for character in characters:
        mask = face.glyph(character, size).mask
        advance = face.advance(character) * size
        wrong += not (0.3 * mask.shape[1] <= advance <= mask.shape[1] + 1.5 * size and max(mask.shape) <= 3 * size)
    return "states advances that do not fit its glyphs" if wrong > len(characters) / 4 else None


def script_characters(words: Sequence[str], weights: Sequence[float]) -> str:
    """The characters of a vocabulary, most frequent first."""
    counts: dict[str, float] = {}
    for word, weight in zip(words, weights, strict=True):
        for character in word:
            counts[character] = counts.get(character, 0.0) + weight
    letters = (c for c in counts if unicodedata.category(c)[0] in "LN")
    return "".join(sorted(letters, key=lambda c: (-counts[c], c)))


def _few(specs: Sequence[FaceSpec]) -> tuple[FaceSpec, ...]:
    if len(specs) <= MOST_FACES:
        return tuple(specs)
    return tuple(specs[(2 * i + 1) * len(specs) // (2 * MOST_FACES)] for i in range(MOST_FACES))


def _package_folder(name: str) -> Path:
    spec = importlib.util.find_spec(name.replace("-", "_"))
    if spec is None or not spec.submodule_search_locations:
        near = difflib.get_close_matches(name, installed_families(), n=2, cutoff=0.7)
        hint = f" (installed and similar: {', '.join(near)})" if near else ""
        raise ValueError(f"font package {name!r} is not installed{hint}: pip install 'ocr[render]', or name a folder")
    return Path(next(iter(spec.submodule_search_locations)))


@cache
def _tell_once(message: str) -> None:
    warnings.warn(message, stacklevel=4)
