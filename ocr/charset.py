"""Which characters a recogniser knows, and what happens to text outside of them."""

from __future__ import annotations

import string
import unicodedata
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal, get_args

DIGITS_LOWER = string.digits + string.ascii_lowercase
"""The 36 characters of the ICCV 2019 protocol, in the order of the published weights."""
FULL94 = string.digits + string.ascii_letters + string.punctuation
"""94 printable ASCII characters: digits, a-z, A-Z, punctuation, the order of the published case-sensitive weights."""
MOST = 200_000
"""Most characters of a set; Unicode has fewer."""
NAMED = {"digits_lower": DIGITS_LOWER, "case62": string.digits + string.ascii_letters, "full94": FULL94}


def clusters(text: str) -> list[str]:
    """The text cut into what a reader takes for one character each: a base with its marks, a Hangul syllable written as jamo.

    The rules of Unicode's extended grapheme clusters (UAX #29) that matter for text in pictures: combining marks, variation
    selectors, joiners, half-width voicing marks and conjoining jamo stay with what stands before them.
    """
    if text.isascii():
        return list(text)
    found: list[str] = []
    for character in text:
        if found and _continues(found[-1][-1], character):
            found[-1] += character
        else:
            found.append(character)
    return found


def _continues(before: str, character: str) -> bool:
    if before == "\u200d" or character in "\u200d\uff9e\uff9f" or unicodedata.category(character) in ("Mn", "Me", "Mc"):
        return True
    if not "\u1100" <= character <= "\u11ff":
        return False
    vowel, final = "\u1160" <= character <= "\u11a7", "\u11a8" <= character <= "\u11ff"
    open_syllable = "\uac00" <= before <= "\ud7a3" and (ord(before) - 0xAC00) % 28 == 0
    if vowel:
        return "\u1100" <= before <= "\u11a7"
    return final and ("\u1160" <= before <= "\u11ff" or open_syllable)


Unknown = Literal["drop", "map", "error"]
"""What becomes of labels with characters outside the set: they do not train, or those characters are learnt as one class of
their own and read as ``REPLACEMENT``, or the run stops."""
REPLACEMENT = "\ufffd"
UNSEEN = {*map(chr, (0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x2800, 0x3164, 0xFFA0)), *map(chr, range(0xFE00, 0xFE10))}
"""Characters that show nothing though Unicode calls them letters, marks or symbols: fillers and variation selectors."""


class Charset:
    """An ordered set of characters.

    Args:
        characters: in the order of the classes; brought to Unicode's NFC.
        lower: lower-case labels before they are looked up.
        unknown: see :data:`Unknown`.

    Raises:
        ValueError: a character occurs twice or is invisible (control, format and filler characters, any space but the plain one),
            the set is empty, or ``unknown`` is no such policy.
    """

    def __init__(self, characters: str, lower: bool = False, unknown: Unknown = "drop") -> None:
        if len(characters) > MOST:
            raise ValueError(
                f"the charset holds {len(characters):,} characters, more than {MOST:,}: that is no charset"
            )
        text = unicodedata.normalize("NFC", characters)
        if not text:
            raise ValueError(
                "the charset is empty: name one of " + ", ".join(NAMED) + ", a file or a string of characters"
            )
        twice = sorted(c for c, count in Counter(text).items() if count > 1)
        if twice:
            raise ValueError(
                f"the charset holds {', '.join(map(repr, twice[:5]))} more than once: list each character once"
            )
        hidden = [
            f"U+{ord(c):04X}"
            for c in text
            if unicodedata.category(c) in ("Cc", "Cf", "Cn", "Cs") or (c.isspace() and c != " ") or c in UNSEEN
        ]
        if hidden:
            raise ValueError(f"the charset holds invisible characters ({', '.join(hidden[:5])}): remove them")
        if unknown not in get_args(Unknown):
            raise ValueError(f"charset.unknown is {unknown!r}: give {', '.join(get_args(Unknown))}")
        self.policy: Unknown = unknown
        self.characters = text
        self.lower = lower
        self.index = {c: i for i, c in enumerate(text)}

    def __len__(self) -> int:
        return len(self.characters)

    def normalise(self, text: str) -> str:
        """NFC, and lower case when the charset has no upper case to offer."""
        text = unicodedata.normalize("NFC", text)
        return text.lower() if self.lower else text

    def unknown(self, text: str) -> list[str]:
        """Characters of ``text`` (after :meth:`normalise`) that this charset does not hold."""
        return [c for c in self.normalise(text) if c not in self.index]

    def node(self) -> dict[str, Any]:
        """The config node that makes this charset again, without any file."""
        return {
            "_target_": "ocr.charset.Charset",
            "characters": self.characters,
            "lower": self.lower,
            "unknown": self.policy,
        }

    @classmethod
    def from_spec(cls, spec: str, lower: bool | None = None, space: bool = False, unknown: Unknown = "drop") -> Charset:
        """A charset from one of the names in ``NAMED``, from a UTF-8 file (one line or many), or from the characters themselves.

        Args:
            spec: name, path of a file that ends in ``.txt``, or characters.  Spaces at the ends of a file's lines do not count; a
                line that is one space stands for the space.
            lower: None lowers labels exactly when the set holds lower-case letters but no upper-case ones.
            space: add the space, behind the other characters.
            unknown: see :data:`Unknown`.
        """
        if spec in NAMED:
            characters = NAMED[spec]
        elif spec.endswith(".txt"):
            path = Path(spec)
            if not path.is_file():
                raise ValueError(f"charset file not found: {path}; give an existing file or one of {', '.join(NAMED)}")
            characters = "".join(_lines(path))
        else:
            characters = spec
        if lower is None:
            lower = characters == characters.lower() and characters != characters.upper()
        return cls(characters + " " * (space and " " not in characters), lower, unknown)


def _lines(path: Path) -> Iterable[str]:
    try:
        return [line.strip(" ") or line[:1] for line in path.read_text(encoding="utf-8-sig").split("\n")]
    except UnicodeDecodeError as error:
        raise ValueError(
            f"charset file {path} is not UTF-8 ({error.reason} at byte {error.start}): save it as UTF-8"
        ) from None
