"""Which characters a recogniser knows, and what happens to text outside of them."""

from __future__ import annotations

import string
import unicodedata
from collections.abc import Iterable
from pathlib import Path

DIGITS_LOWER = string.digits + string.ascii_lowercase
"""The 36 characters of the ICCV 2019 protocol, in the order of the published weights."""
FULL94 = string.digits + string.ascii_letters + string.punctuation
"""94 printable ASCII characters: digits, a-z, A-Z, punctuation, the order of the published case-sensitive weights."""
NAMED = {"digits_lower": DIGITS_LOWER, "case62": string.digits + string.ascii_letters, "full94": FULL94}


class Charset:
    """An ordered set of characters.

    Raises:
        ValueError: a character occurs twice, is invisible (a control or format character), or the set is empty.
    """

    def __init__(self, characters: str, lower: bool = False) -> None:
        text = unicodedata.normalize("NFC", characters)
        if not text:
            raise ValueError(
                "the charset is empty: name one of " + ", ".join(NAMED) + ", a file or a string of characters"
            )
        twice = sorted({c for c in text if text.count(c) > 1})
        if twice:
            raise ValueError(
                f"the charset holds {', '.join(map(repr, twice[:5]))} more than once: list each character once"
            )
        hidden = [
            f"U+{ord(c):04X}"
            for c in text
            if unicodedata.category(c) in ("Cc", "Cf", "Cn", "Cs") or (c.isspace() and c != " ")
        ]
        if hidden:
            raise ValueError(f"the charset holds invisible characters ({', '.join(hidden[:5])}): remove them")
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

    @classmethod
    def from_spec(cls, spec: str, lower: bool | None = None) -> Charset:
        """A charset from one of the names in ``NAMED``, from a UTF-8 file (one line or many), or from the characters themselves.

        ``lower=None`` lowers labels exactly when the set holds lower-case letters but no upper-case ones.
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
        return cls(characters, lower)


def _lines(path: Path) -> Iterable[str]:
    try:
        return path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise ValueError(
            f"charset file {path} is not UTF-8 ({error.reason} at byte {error.start}): save it as UTF-8"
        ) from None
