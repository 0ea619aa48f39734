"""Texts of any language: words by frequency, phrases, numbers, prices, dates, plates, e-mail, codes and random strings."""

from __future__ import annotations

import operator
import string
from collections.abc import Callable
from functools import lru_cache

import numpy as np

from ocr.render.look import Language, Words, spelt_out
from ocr.render.vocabulary import Vocabulary, part_of, vocabulary
from ocr.render.words import below, digits, pick, punctuate, word_key

_KINDS = ("dictionary", "number", "price", "date", "code", "plate", "email", "random", "phrase")
_LATIN = string.ascii_letters + string.digits
_weights = operator.attrgetter(*_KINDS)
_PARTS = ("dictionary", "number", "price", "date", "code")
"""What phrases are made of."""
_weights_of_parts = operator.attrgetter(*_PARTS)
_TRIES = 200
_KANA = "あいうえかきくけこさすせそたちつてとなにぬねのはひふほまみむめもやゆよらりるろわ"
_REGIONS = (
    "品川",
    "横浜",
    "大阪",
    "名古屋",
    "札幌",
    "福岡",
    "京都",
    "神戸",
    "仙台",
    "広島",
    "足立",
    "練馬",
    "湘南",
    "千葉",
    "大宮",
)
_PLATE_SYLLABLES = "가나다라마거너더러머버서어저고노도로모보소오조구누두루무부수우주하허호"
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DOMAINS = ("com", "net", "org", "co.uk", "de", "co.jp", "jp", "co.kr", "kr", "io", "info")


def draw_case(words: Words, rng: np.random.Generator) -> str:
    """``"lower"``, ``"capitalised"``, ``"upper"`` or ``"mixed"``; drawn once a block, because signs keep to one case."""
    return pick(
        ("lower", "capitalised", "upper", "mixed"), (words.lower, words.capitalised, words.upper, words.mixed), rng
    )


def draw_script_text(
    words: Words,
    language: Language,
    case: str,
    rng: np.random.Generator,
    vertical: bool = False,
    spaces: bool = True,
    accept: Callable[[str], bool] | None = None,
) -> str | None:
    """A text from the look's part of all texts, or None when none of the allowed length comes up.

    Args:
        words: kinds, cases and lengths.
        language: what is written; now and then an English text.
        case: of :func:`draw_case`.
        rng: where the draws come from.
        vertical: only texts that run from top to bottom well: no lower-case Latin, and Latin or digits for at most six characters.
        spaces: whether there are phrases, and plates and dates keep theirs.
        accept: further condition, for example what a charset can spell.
    """
    weights = _weights(words)
    if not spaces:
        weights = (*weights[:-1], 0.0)
    for _ in range(_TRIES):
        latin = language.vocabulary == "en" or rng.random() < language.latin
        source = "en" if latin else language.vocabulary
        script = "Latin" if latin else language.script
        kind = pick(_KINDS, weights, rng)
        listed = vocabulary(source, words.slice, words.validation)
        if kind == "random":
            text = _random(_LATIN if latin else _alphabet(listed, language.characters, accept), rng)
        else:
            text = _draw_kind(kind, script, words, listed, "upper" if vertical else case, rng)
        if rng.random() < words.punctuated and not vertical:
            text = _mark(text, script, rng)
        if not spaces:
            text = text.replace(" ", "")
        if words.alphanumeric:
            text = "".join(c for c in text if c.isalnum())
        # The parts of a phrase come from the right part of the vocabulary already.
        whole = kind == "phrase" or part_of(text, words.validation) == words.slice
        fits = words.shortest <= len(text) <= words.longest and (not vertical or _runs_down(text))
        if fits and whole and word_key(text) and (accept is None or accept(text)):
            return text
    return None


def script_of(text: str, language: Language) -> str:
    """The script of a text: the language's own, or Latin."""
    return "Latin" if text.isascii() else language.script


def _runs_down(text: str) -> bool:
    narrow = [c for c in text if c.isascii()]
    return len(narrow) <= 6 and not any(c in narrow for c in (*string.ascii_lowercase, *".,:;@#\"'()%$-/"))


def _draw_kind(kind: str, script: str, words: Words, listed: Vocabulary, case: str, rng: np.random.Generator) -> str:
    match kind:
        case "dictionary":
            return _word(words, listed, case, rng)
        case "number":
            return _number(rng)
        case "price":
            return _price(script, rng)
        case "date":
            return _date(script, rng)
        case "plate":
            return _plate(script, rng)
        case "email":
            return _email(words, listed, rng)
        case "phrase":
            return _phrase(words, listed, script, case, rng)
        case _:
            return _code(rng)


def _word(words: Words, listed: Vocabulary, case: str, rng: np.random.Generator) -> str:
    place = int(listed.cumulative(words.flatten).searchsorted(rng.random()))
    text = listed.words[min(place, len(listed.words) - 1)]
    match case:
        case "upper":
            return text.upper()
        case "capitalised":
            return text[:1].upper() + text[1:]
        case "mixed":
            return "".join(c.upper() if rng.random() < 0.5 else c for c in text)
        case _:
            return text


def _phrase(words: Words, listed: Vocabulary, script: str, case: str, rng: np.random.Generator) -> str:
    """Two to four words, or more where the look has room for them; between them the numbers, prices, dates and codes of the look."""
    count = 2 + below(max(3, words.longest // 8), rng)
    gap = ("" if rng.random() < 0.7 else "・") if script == "Japanese" else " "
    return gap.join(_part(words, listed, script, case, rng) for _ in range(count))


def _part(words: Words, listed: Vocabulary, script: str, case: str, rng: np.random.Generator) -> str:
    weights = _weights_of_parts(words)
    for _ in range(_TRIES):
        kind = pick(_PARTS, weights, rng) if sum(weights) else "dictionary"
        text = _draw_kind(kind, script, words, listed, case, rng)
        if kind == "dictionary" or part_of(text, words.validation) == words.slice:
            return text
    return _word(words, listed, case, rng)


def _number(rng: np.random.Generator) -> str:
    text = digits(1 + below(5, rng), rng)
    forms = (text, text, text + "%", f"{1 + below(99, rng)}.{digits(1 + below(2, rng), rng)}", f"No.{text}",
             f"{1 + below(99, rng)},{digits(3, rng)}", f"0{1 + below(9, rng)}-{digits(4, rng)}-{digits(4, rng)}",
             f"{1 + below(20, rng)}F", f"{text[:3]}km", f"{text[:3]}g", f"+{digits(2, rng)} {digits(3, rng)} {digits(4, rng)}")  # fmt: skip
    return forms[below(len(forms), rng)]


def _price(script: str, rng: np.random.Generator) -> str:
    amount = f"{10 * (1 + below(2000, rng)):,}"
    if script == "Japanese":
        return (f"¥{amount}", f"{amount}円", f"税込{amount}円", f"{amount}円(税別)")[below(4, rng)]
    if script == "Korean":
        return (f"₩{amount}", f"{amount}원", f"{amount}0원", amount)[below(4, rng)]
    cents = f"{below(300, rng)}.{digits(2, rng)}"
    return (f"${cents}", f"£{cents}", f"€{cents}", cents, f"{cents}€", f"${below(100, rng)}")[below(6, rng)]


def _date(script: str, rng: np.random.Generator) -> str:
    day, month, year = 1 + below(28, rng), 1 + below(12, rng), 1950 + below(90, rng)
    hour, minute = below(24, rng), below(60, rng)
    forms = [f"{day:02d}.{month:02d}.{year}", f"{month}/{day}/{year % 100:02d}", f"{year}-{month:02d}-{day:02d}", f"{hour}:{minute:02d}",
             f"{year}", f"{year}/{month:02d}/{day:02d}"]  # fmt: skip
    if script == "Japanese":
        era = ("令和", "平成", "昭和")[below(3, rng)]
        forms += [f"{year}年{month}月{day}日", f"{month}月{day}日", f"{era}{1 + below(30, rng)}年", f"{hour}時{minute}分",
                  f"{'月火水木金土日'[below(7, rng)]}曜日", f"{hour}時~{below(24, rng)}時"]  # fmt: skip
    elif script == "Korean":
        forms += [f"{year}년 {month}월 {day}일", f"{month}월 {day}일", f"{'월화수목금토일'[below(7, rng)]}요일", f"{hour}시 {minute}분",
                  f"오전 {1 + below(11, rng)}시"]  # fmt: skip
    else:
        forms += [f"{1 + below(12, rng)}{('am', 'PM', 'AM', 'pm')[below(4, rng)]}",
                  f"{day} {_MONTHS[month - 1]} {year}"]  # fmt: skip
    return forms[below(len(forms), rng)]


def _plate(script: str, rng: np.random.Generator) -> str:
    if script == "Japanese":
        return (f"{_REGIONS[below(len(_REGIONS), rng)]} {digits(3, rng)} {_KANA[below(len(_KANA), rng)]} "
                f"{digits(2, rng)}-{digits(2, rng)}")  # fmt: skip
    if script == "Korean":
        syllable = _PLATE_SYLLABLES[below(len(_PLATE_SYLLABLES), rng)]
        return f"{digits(2 + below(2, rng), rng)}{syllable} {digits(4, rng)}"
    gap = (" ", "", "-", " ")[below(4, rng)]
    forms = (_capitals(3, rng) + gap + digits(4, rng), _capitals(3, rng) + gap + digits(3, rng), digits(3, rng) + gap + _capitals(3, rng),
             _capitals(2, rng) + digits(2, rng) + gap + _capitals(3, rng), digits(1, rng) + _capitals(3, rng) + digits(3, rng),
             _capitals(1 + below(3, rng), rng) + gap + _capitals(2, rng) + " " + digits(1 + below(4, rng), rng),
             "".join(_CODE[below(len(_CODE), rng)] for _ in range(5 + below(3, rng))))  # fmt: skip
    return forms[below(len(forms), rng)]


_CODE = string.ascii_uppercase + string.digits


def _capitals(n: int, rng: np.random.Generator) -> str:
    return "".join(string.ascii_uppercase[below(26, rng)] for _ in range(n))


def _email(words: Words, listed: Vocabulary, rng: np.random.Generator) -> str:
    english = listed if listed.words[0].isascii() else vocabulary("en", words.slice, words.validation)
    one, two = (_word(words, english, "lower", rng) for _ in range(2))
    domain = _DOMAINS[below(len(_DOMAINS), rng)]
    forms = (
        f"{one}@{two}.{domain}",
        f"www.{one}.{domain}",
        f"{one}.{domain}",
        f"@{one}{below(100, rng)}",
        f"{one}_{two}",
    )
    return forms[below(len(forms), rng)]


@lru_cache(maxsize=16)
def _alphabet(listed: Vocabulary, more: str, accept: Callable[[str], bool] | None) -> str:
    """The vocabulary's characters and more, but only what is accepted: of longer strings nearly all would be refused."""
    every = dict.fromkeys(listed.characters + spelt_out(more))
    return "".join(c for c in every if accept is None or accept(c)) or listed.characters


def _random(alphabet: str, rng: np.random.Generator) -> str:
    """Characters without sense, the rare ones as often as the frequent ones: what a language model cannot guess."""
    return "".join(alphabet[below(len(alphabet), rng)] for _ in range(1 + below(6, rng)))


def _code(rng: np.random.Generator) -> str:
    letters = _capitals(1 + below(3, rng), rng)
    return letters + ("", "-", "/")[below(3, rng)] + digits(1 + below(4, rng), rng)


def _mark(text: str, script: str, rng: np.random.Generator) -> str:
    if script == "Japanese":
        style = below(7, rng)
        return (f"「{text}」", f"{text}。", f"{text}、", f"（{text}）", f"【{text}】", f"{text}！", f"〈{text}〉")[
            style
        ]
    return punctuate(text, rng)
