"""The texts that are written: words by frequency, numbers, prices, dates and codes, split into training and test halves."""

from __future__ import annotations

import hashlib
import re
import string
from functools import cache

import numpy as np
from numpy.typing import NDArray

from ocr.render.look import Words

TEST_SHARE = 0.1
"""The share of all texts that only test sets may use."""

VOCABULARY = 60_000
"""How many of the most frequent words are used."""

_PLAIN = re.compile(r"[a-z]+('[a-z]+)?")
# Sample pictures end up on pages that are shown at work.
UNFIT = re.compile(
    r".*(fuck|shit|porn|cunt|nigg|fagg|bitch|slut|whore|rapist|penis|vagina).*|(anal|anus|cock|cum|dick|nazi|nude|rape|raped|sex|sexy|tits)s?"
    r"|.*(変態|痴漢|巨乳|風俗|自殺|射精|精液|性交|勃起|乱交|陰茎|膣|オナニ|オナペ|セフレ|フェラチオ|セックス|エロ|レイプ|ポルノ|ちんこ|まんこ|섹스|씨발|강간|포르노).*|(자지|시발|병신)"
)
_NOT_KEY = re.compile(r"[\W_]")
_VOWELS, _CONSONANTS = "aeiou", "bcdfghjklmnpqrstvwxyz"
_TRIES = 1000


def word_key(text: str) -> str:
    """What makes two texts the same word for the split: letters and digits in lower case."""
    return _NOT_KEY.sub("", text.lower())


def slice_of(text: str) -> str:
    """``"test"`` or ``"train"``, by a hash of the word's key: the same for every case and punctuation of a word."""
    number = int.from_bytes(hashlib.sha1(word_key(text).encode()).digest()[:4], "big")
    return "test" if number < TEST_SHARE * 2**32 else "train"


@cache
def vocabulary(part: str) -> tuple[list[str], NDArray[np.float64]]:
    """The English words of one half of the vocabulary, most frequent first, and their frequencies.

    From wordfreq's list, which is binned by hundredths of a decade.

    Raises:
        ValueError: wordfreq is not installed.
    """
    try:
        import wordfreq
    except ModuleNotFoundError:
        raise ValueError(
            "the words to render come from wordfreq, which is not installed: pip install 'ocr[render]'"
        ) from None

    words: list[str] = []
    frequencies: list[float] = []
    taken = 0
    for level, bucket in enumerate(wordfreq.get_frequency_list("en", "large")):
        for word in bucket:
            if not _PLAIN.fullmatch(word) or (len(word) == 1 and word not in "ai") or UNFIT.fullmatch(word):
                continue
            taken += 1
            if taken > VOCABULARY:
                return words, np.array(frequencies)
            if slice_of(word) == part:
                words.append(word)
                frequencies.append(10.0 ** (-level / 100))
    return words, np.array(frequencies)


@cache
def _cumulative(part: str, flatten: float) -> NDArray[np.float64]:
    weights = vocabulary(part)[1] ** flatten
    return np.cumsum(weights) / weights.sum()


def draw_case(words: Words, rng: np.random.Generator) -> str:
    """``"lower"``, ``"capitalised"`` or ``"upper"``; drawn once a block, because signs keep to one case."""
    return pick(("lower", "capitalised", "upper"), (words.lower, words.capitalised, words.upper), rng)


def draw_text(words: Words, case: str, rng: np.random.Generator) -> str:
    """One text without spaces, with at least one letter or digit, from the look's half of all texts.

    Raises:
        ValueError: no text of the allowed length comes up in this half.
    """
    kinds = ("dictionary", "number", "price", "date", "code")
    weights = (words.dictionary, words.number, words.price, words.date, words.code)
    kind = pick(kinds, weights, rng)
    for _ in range(_TRIES):
        text = _draw_kind(kind, words, case, rng)
        if rng.random() < words.punctuated:
            text = punctuate(text, rng)
        if words.alphanumeric:
            text = "".join(c for c in text if c.isalnum())
        key = word_key(text)
        if key and words.shortest <= len(text) <= words.longest and slice_of(text) == words.slice:
            return text
    raise ValueError(
        f"no text of {words.shortest} to {words.longest} characters in the {words.slice} half after {_TRIES} tries: raise words.longest"
    )


def _draw_kind(kind: str, words: Words, case: str, rng: np.random.Generator) -> str:
    match kind:
        case "dictionary":
            return _dictionary(words, case, rng)
        case "number":
            return _number(rng)
        case "price":
            return _price(rng)
        case "date":
            return _date(case, rng)
        case _:
            return _code(case, rng)


def pick(names: tuple[str, ...], weights: tuple[float, ...], rng: np.random.Generator) -> str:
    """One of the names by its weight."""
    left = rng.random() * sum(weights)
    for name, weight in zip(names, weights, strict=True):
        left -= weight
        if left < 0:
            return name
    return names[-1]


def below(n: int, rng: np.random.Generator) -> int:
    """A whole number from 0 to ``n - 1``."""
    return int(rng.random() * n)


def digits(n: int, rng: np.random.Generator) -> str:
    """``n`` digits."""
    return "".join(string.digits[below(10, rng)] for _ in range(n))


def _cased(text: str, case: str) -> str:
    if case == "upper":
        return text.upper()
    return text[:1].upper() + text[1:] if case == "capitalised" else text


def _dictionary(words: Words, case: str, rng: np.random.Generator) -> str:
    place = int(np.searchsorted(_cumulative(words.slice, words.flatten), rng.random()))
    return _cased(vocabulary(words.slice)[0][place], case)


def _number(rng: np.random.Generator) -> str:
    text = digits(1 + below(5, rng), rng)
    style = below(8, rng)
    if style == 0:
        return text + "%"
    if style == 1:
        return f"{text[:2]}.{digits(1, rng)}"
    if style == 2:
        return "+" + digits(1, rng) + "-" + digits(3, rng) + "-" + digits(4, rng)
    return text


def _price(rng: np.random.Generator) -> str:
    text = str(1 + below(300, rng)) + ("." + digits(2, rng) if rng.random() < 0.7 else "")
    return "$" + text if rng.random() < 0.7 else text


def _date(case: str, rng: np.random.Generator) -> str:
    day, month, year = 1 + below(28, rng), 1 + below(12, rng), 1950 + below(80, rng)
    forms = (f"{day:02d}.{month:02d}.{year}", f"{month}/{day}/{year % 100:02d}", f"{year}", f"{below(24, rng)}:{below(60, rng):02d}",
             f"{1 + below(12, rng)}{'PM' if case == 'upper' else 'pm'}", f"{year}-{month:02d}-{day:02d}")  # fmt: skip
    return forms[below(len(forms), rng)]


def _code(case: str, rng: np.random.Generator) -> str:
    style = below(3, rng)
    if style == 0:  # a number plate or part number
        letters = "".join(string.ascii_uppercase[below(26, rng)] for _ in range(1 + below(3, rng)))
        return letters + ("-" if rng.random() < 0.3 else "") + digits(1 + below(4, rng), rng)
    if style == 1:  # an invented name
        syllables = range(1 + below(3, rng))
        name = "".join(
            _CONSONANTS[below(21, rng)] + _VOWELS[below(5, rng)] + _CONSONANTS[below(21, rng)] * below(2, rng)
            for _ in syllables
        )
        return _cased(name, case)
    alphabet = string.ascii_letters + string.digits
    return "".join(alphabet[below(len(alphabet), rng)] for _ in range(2 + below(6, rng)))


def punctuate(text: str, rng: np.random.Generator) -> str:
    """The text with a mark before, behind or around it."""
    style = below(10, rng)
    if style < 4:
        return text + ".,!:"[style]
    if style == 4:
        return text + "?"
    if style == 5:
        return f"({text})"
    if style == 6:
        return f'"{text}"'
    if style == 7:
        return "#" + text
    if style == 8:
        return text + ";"
    return "@" + text
