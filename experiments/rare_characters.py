"""How well a recogniser knows rare characters: the share of them that is read, by decile of a language's characters.

    python -m experiments.rare_characters RECOGNIZER                        Japanese and Korean
    python -m experiments.rare_characters RECOGNIZER --language ja --words 5000 --look scene

Rendered strings without sense, in which rare characters are as frequent as all others and nothing can be guessed, in fonts that
training does not use; only characters that the recogniser knows.  A character counts as read where the shortest way of editing the text
into the reading leaves it as it is.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from rapidfuzz.distance import Levenshtein
from rich.table import Table

from ocr.charset import Charset
from ocr.recognition.recognizer import Recognizer
from ocr.render.look import load_language, load_look, spelt_out
from ocr.render.vocabulary import vocabulary
from ocr.render.word import render_word
from ocr.render.writing import Demand
from ocr.run import checkpoint
from ocr.seeding import generator
from ocr.terminal import console
from ocr.types import Word

LANGUAGES = ("ja", "ko")
DECILES = 10
_OTHER_KINDS = ("dictionary", "number", "price", "date", "code", "plate", "email", "phrase", "punctuated")
_AT_ONCE = 256


@dataclasses.dataclass(frozen=True, slots=True)
class Decile:
    """A tenth of a language's characters: its share of running text, how often they were written, and how often read."""

    characters: str
    share: float
    written: int
    read: int


def senseless(language: str, preset: str, charset: Charset, count: int) -> Iterator[Word]:
    """Strings of characters that the charset has, the same ones in every call, in fonts kept from training.

    Raises:
        ValueError: there is no such preset or language.
    """
    spoken = dataclasses.replace(load_language(language), latin=0.0, vertical=0.0)
    look = load_look(preset).written_in(spoken, "test")
    words = dataclasses.replace(look.words, random=1.0, **dict.fromkeys(_OTHER_KINDS, 0.0))  # type: ignore[arg-type]
    demand = Demand(accept=lambda text: not charset.unknown(text))
    for i in range(count):
        yield render_word(look.replace(words=words), generator(13, "rare", language, i), f"{language}/{i}", demand)


def read_characters(pairs: Sequence[tuple[str, str]]) -> tuple[Counter[str], Counter[str]]:
    """How often each character stands in the texts, and how often it is read, over pairs of text and reading."""
    written, read = Counter[str](), Counter[str]()
    for text, reading in pairs:
        written.update(text)
        for block in Levenshtein.opcodes(text, reading):
            if block.tag == "equal":
                read.update(text[block.src_start : block.src_end])
    return written, read


def deciles(language: str, charset: Charset, written: Counter[str], read: Counter[str]) -> list[Decile]:
    """Tenths of the characters that the language uses and the charset has, most frequent first."""
    spoken = load_language(language)
    listed = vocabulary(spoken.vocabulary, "train", load_look("scene").words.validation)
    frequency = Counter[str]()
    for word, share in zip(listed.words, listed.frequencies, strict=True):
        for character in word:
            frequency[character] += share
    every = dict.fromkeys(listed.characters + spelt_out(spoken.characters))
    known = sorted((c for c in every if not charset.unknown(c)), key=lambda c: -frequency[c])
    total = sum(frequency.values())
    bounds = [len(known) * i // DECILES for i in range(DECILES + 1)]
    tenths = [known[a:b] for a, b in itertools.pairwise(bounds)]
    return [
        Decile(
            "".join(tenth),
            sum(frequency[c] for c in tenth) / total,
            sum(written[c] for c in tenth),
            sum(read[c] for c in tenth),
        )
        for tenth in tenths
    ]


def measured(recognizer: Recognizer, language: str, preset: str, count: int) -> list[Decile]:
    """The deciles of a language as this recogniser reads them."""
    charset = recognizer.network.codec.charset
    waiting: list[Word] = []
    pairs: list[tuple[str, str]] = []
    for place, word in enumerate(senseless(language, preset, charset, count), 1):
        waiting.append(word)
        if len(waiting) == _AT_ONCE or place == count:
            readings = recognizer.read([w.image for w in waiting])
            pairs += [(charset.normalise(w.text), r.text) for w, r in zip(waiting, readings, strict=True)]
            waiting.clear()
    return deciles(language, charset, *read_characters(pairs))


def table(language: str, found: Sequence[Decile]) -> Table:
    """Deciles down."""
    made = Table(title=f"{language}: characters by decile of frequency", title_justify="left")
    for column in ("decile", "characters", "share of text", "written", "read", "first ones"):
        made.add_column(column, justify="left" if column == "first ones" else "right")
    for number, tenth in enumerate(found, 1):
        read = f"{tenth.read / tenth.written:.3f}" if tenth.written else "-"
        made.add_row(
            f"{number}",
            f"{len(tenth.characters)}",
            f"{tenth.share:.4f}",
            f"{tenth.written}",
            read,
            tenth.characters[:8],
        )
    return made


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print; 1 when a checkpoint or a name is wrong."""
    parser = argparse.ArgumentParser(
        prog="python -m experiments.rare_characters", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("recognizer", type=Path, help="checkpoint of a recogniser")
    parser.add_argument("--language", action="append", help=f"repeatable (default: {', '.join(LANGUAGES)})")
    parser.add_argument("--words", type=int, default=3000, help="strings per language (default: 3000)")
    parser.add_argument("--look", default="clean", help="preset of conf/render (default: clean)")
    arguments = parser.parse_args(argv)
    out = console()
    try:
        if arguments.words < 1:
            raise ValueError(f"--words {arguments.words}: give one at least")
        recognizer = checkpoint.recognizer(arguments.recognizer)
        assert isinstance(recognizer, Recognizer)
        for language in arguments.language or LANGUAGES:
            found = measured(recognizer, language, arguments.look, arguments.words)
            out.print(table(language, found))
            written, read = (sum(getattr(tenth, name) for tenth in found) for name in ("written", "read"))
            out.print(f"figure {language}_characters_read {read / written:.4f} share", highlight=False)
    except ValueError as error:
        out.print(f"error: {error}", style="red", highlight=False, markup=False)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
