"""Splitting with the length known: the pieces that agree best with the region score and with how wide letters usually are.

The paper counts what a watershed at fixed thresholds finds and compares the count with the text's length; the text itself is used for
nothing else.  In training it is known, so here it decides where to look.  A word of l characters is cut into l pieces (and one for
every inner space) that maximise

    sum over pieces  <profile, Gaussian of the piece>  -  regularity * tau^2 * log(1 + (d / tau)^2),   d = log(width / expected width)

by dynamic programming; the logarithm lets a clear score overrule the expectation.  The profile is the region score along the word, a
share of its own maximum.  The Gaussian is the one that the piece would draw (:mod:`ocr.detection.score_maps`), less its mean, so that
a score without any structure says nothing and the expected widths decide: a young teacher, which sees words but no characters yet, does
no harm.  Expected widths lie between regular spacing and the widths that letters have on the average of many typefaces.  The cutting is
done twice: in the second round ``regularity`` is lower by as much as profile and Gaussians agreed in the first.

No threshold is set beforehand.  Maxima are ranked by prominence (their height over the saddle that joins them to a higher one), which is
what sweeping a threshold from 1 to 0 and counting what appears would give, and as many are taken as the text has characters.  They
are those of the highest score in every column: where letters lean or differ in height, the mean fills the valleys between them.

The confidence is the paper's with another count: l_c are the pieces that hold exactly one of these maxima, so a wrong place
costs as much as a wrong number, and it is tempered by the agreement of the profile with all the Gaussians.  Choosing by the length would
otherwise make every confidence 1.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from ocr.detection.score_maps import ENLARGEMENT, SIGMA, Maps
from ocr.detection.splitting import FALLBACK_CONFIDENCE, Split

Profile = NDArray[np.float32]
"""Region score along a word, (n,)."""

Evidence = tuple[NDArray[np.float32], NDArray[np.float32]]
"""How well a stretch looks like a character, and like a space: row w, column e for the stretch of width w that ends at e."""

COLUMNS = 12
"""Columns of the profile for every character of the text, whatever the word's width."""
_WIDTHS = np.arange(2, 3 * COLUMNS + 1)
"""Widths that a piece can have, columns."""
_TAU = 0.2
"""Deviation of log widths up to which the penalty grows as its square."""
_LEAST_DOUBT = 0.1
_CORE = (0.2, 0.8)
"""Rows of the word that the profile is made of, shares of its height: letters differ in height, their middles do not."""
_GLYPHS = {
    0.45: ".,:;'`|!",
    0.5: "ijl ",
    0.65: 'fItr()[]{}^"°',
    0.75: "-1J/\\",
    0.9: "szcvyxe?*<>",
    1.1: "ShnETZFPYbpq",
    1.2: "CXVRBKA#&",
    1.3: "UGODQHN",
    1.45: "w%",
    1.65: "mM@W",
}
_RELATIVE_WIDTH = {c: width for width, characters in _GLYPHS.items() for c in characters}
"""Advance widths in letters of medium width (1), rounded means over some twenty-five Latin typefaces; characters not listed are 1."""
_FULL_WIDTH = 1.8


class LengthGuided:
    """The splitter described above, on upright words.

    Boxes are as high as the word, as labels of characters are.  They cover it from end to end.

    Args:
        regularity: how much a piece's width may not differ from the expected one; the larger, the less the score counts.
        evenness: expected widths between those of the letters (0) and regular spacing (1).
        faintest: a profile that stays below this score is measured against it instead of its own maximum.
        prominence: a maximum that rises less above its surroundings, as a share of the largest score, is noise.
        agreement: correlation of profile and Gaussians from which on it does not lower the confidence.

    Raises:
        ValueError: an argument is outside of its range.
    """

    needs_scores = True

    def __init__(
        self,
        regularity: float = 3.0,
        evenness: float = 0.35,
        faintest: float = 0.3,
        prominence: float = 0.02,
        agreement: float = 0.6,
    ) -> None:
        if regularity <= 0 or not 0 <= evenness <= 1:
            raise ValueError(
                f"length_guided: regularity {regularity}, evenness {evenness}: need a number above 0 and one from 0 to 1"
            )
        for name, share in {"faintest": faintest, "prominence": prominence, "agreement": agreement}.items():
            if not 0 < share <= 1:
                raise ValueError(f"length_guided: {name} is {share}: give a share above 0 and up to 1")
        self.regularity = regularity
        self.evenness = evenness
        self.faintest = faintest
        self.prominence = prominence
        self.agreement = agreement

    def __call__(self, region_hw: Maps, text: str) -> Split:
        """See :class:`~ocr.detection.splitting.Splitter`; ``found`` counts the maxima, at most l of them."""
        text = text.strip()
        height, width = region_hw.shape
        profile, highest = (along(region_hw, COLUMNS * len(text), of_rows) for of_rows in (np.mean, np.max))
        for score in (profile, highest):
            score /= max(float(score.max()), self.faintest)
        letters = np.array([not c.isspace() for c in text])
        length = int(letters.sum())
        evidence = _evidence(profile), _space_evidence(profile) if not letters.all() else np.zeros(0, np.float32)
        cuts = self._cuts(evidence, text, self.regularity)
        doubt = max(_LEAST_DOUBT, 1 - _correlation(profile, _expected_profile(cuts, letters)))
        cuts = self._cuts(evidence, text, self.regularity * doubt)
        maxima = [at for at, rise in prominences(highest)[:length] if rise >= self.prominence]
        held = np.histogram(maxima, cuts)[0][letters]
        agreement = _correlation(profile, _expected_profile(cuts, letters))
        confidence = float((held == 1).mean()) * min(1.0, max(0.0, agreement) / self.agreement)
        edges = cuts * (width / len(profile))
        boxes = np.stack([edges[:-1], np.zeros(len(text)), edges[1:], np.full(len(text), height)], axis=1)[letters]
        fallback = confidence < FALLBACK_CONFIDENCE
        return Split(boxes.astype(np.float32), max(confidence, FALLBACK_CONFIDENCE), len(maxima), fallback)

    def _cuts(self, evidence: Evidence, text: str, regularity: float) -> NDArray[np.int64]:
        """The ends of the pieces, from 0 to n: the best of all ways to cut (len(text) + 1,)."""
        character, space = evidence
        n = character.shape[1] - 1
        wanted = expected_widths(text, self.evenness) * n
        strength = regularity * _TAU**2 * COLUMNS / 2
        unreachable = np.full(len(_WIDTHS) + 1, -np.inf, np.float32)
        best = np.full(n + 1, -np.inf, np.float32)
        best[0] = 0
        taken = np.empty((len(text), n + 1), np.int64)
        for i, letter in enumerate(text):
            misfit = strength * np.log1p((np.log(_WIDTHS / wanted[i]) / _TAU) ** 2)
            # row w: the best before a piece of width w that ends at each column
            before = sliding_window_view(np.concatenate([unreachable, best]), n + 1)[-1 - _WIDTHS]
            total = before + (space if letter.isspace() else character) - misfit[:, None].astype(np.float32)
            choice = total.argmax(axis=0)
            best = total[choice, np.arange(n + 1)]
            taken[i] = _WIDTHS[choice]
        cuts = [n]
        for row in taken[::-1]:
            cuts.append(cuts[-1] - int(row[cuts[-1]]))
        return np.array(cuts[::-1])


def along(region_hw: Maps, columns: int, of_rows: Callable[..., Any] = np.mean) -> Profile:
    """The mean (or highest) score over a word's middle rows, resampled to ``columns``; scores are clipped to [0, 1], NaN is 0."""
    height, width = region_hw.shape
    top = int(_CORE[0] * height)
    rows = region_hw[top : max(top + 1, int(np.ceil(_CORE[1] * height)))]
    score = of_rows(np.clip(np.nan_to_num(rows), 0, 1), axis=0)
    places = (np.arange(columns) + 0.5) * (width / columns) - 0.5
    return np.interp(places, np.arange(width), score).astype(np.float32)


def expected_widths(text: str, evenness: float) -> NDArray[np.float64]:
    """The share of a word's width that each character of its text is expected to take; they add up to 1."""
    widths = np.array([_relative_width(c) for c in text])
    widths = (1 - evenness) * widths / widths.mean() + evenness
    shares: NDArray[np.float64] = widths / widths.sum()
    return shares


def _relative_width(character: str) -> float:
    if unicodedata.east_asian_width(character) in "WF":
        return _FULL_WIDTH
    return _RELATIVE_WIDTH.get(character, 1.0)


def prominences(profile: Profile) -> list[tuple[int, float]]:
    """Place and prominence of the maxima of a profile, most prominent first; the highest one's is its height."""
    order = np.argsort(-profile, kind="stable")
    peak_of = np.full(len(profile) + 2, -1)  # of the hill that a column belongs to; one column of nothing at either end
    found = []
    for column in order.tolist():
        left, right = peak_of[column], peak_of[column + 2]
        sides = sorted({int(p) for p in (left, right) if p >= 0}, key=lambda p: -profile[p])
        if len(sides) == 2:
            low = sides[1]
            found.append((low, float(profile[low] - profile[column])))
            peak_of[peak_of == low] = sides[0]
        peak_of[column + 1] = sides[0] if sides else column
    last = int(peak_of[1])
    found.append((last, float(profile[last])))
    return sorted(found, key=lambda hill: -hill[1])


def _gaussian(width: int) -> Profile:
    """What a character of ``width`` columns adds to the profile, inside of its own box."""
    place = (np.arange(width) + 0.5) / width - 0.5
    deviation = SIGMA * ENLARGEMENT / 2
    return np.exp(-0.5 * (place / deviation) ** 2).astype(np.float32)


_GAUSSIANS = {int(width): _gaussian(int(width)) for width in _WIDTHS}
_SHAPES = {width: gaussian - gaussian.mean() for width, gaussian in _GAUSSIANS.items()}


def _evidence(profile: Profile) -> NDArray[np.float32]:
    """Row w, column e: how well columns e - width to e look like one character (len(_WIDTHS), n + 1)."""
    evidence = np.full((len(_WIDTHS), len(profile) + 1), -np.inf, np.float32)
    for row, width in zip(evidence, _WIDTHS.tolist(), strict=True):
        if width <= len(profile):
            row[width:] = np.correlate(profile, _SHAPES[width], "valid")
    return evidence


def _space_evidence(profile: Profile) -> NDArray[np.float32]:
    """The same for a space: how far the score stays below the word's mean."""
    total = np.concatenate([[0], np.cumsum(profile.mean() - profile)]).astype(np.float32)
    evidence = np.full((len(_WIDTHS), len(total)), -np.inf, np.float32)
    for row, width in zip(evidence, _WIDTHS.tolist(), strict=True):
        row[width:] = total[width:] - total[: max(0, len(total) - width)]
    return evidence


def _expected_profile(cuts: NDArray[np.int64], letters: NDArray[np.bool_]) -> Profile:
    pieces = [
        _GAUSSIANS[int(w)] if letter else np.zeros(w, np.float32)
        for w, letter in zip(np.diff(cuts), letters, strict=True)
    ]
    return np.concatenate(pieces)


def _correlation(a: Profile, b: Profile) -> float:
    """Pearson's; 0 for a profile without any structure."""
    a, b = a - a.mean(), b - b.mean()
    norm = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(a @ b) / norm if norm > 1e-6 else 0.0
