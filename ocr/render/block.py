"""Blocks of text: lines or columns of words in one style, straight or bent, before they have a place in a picture."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np

from ocr.render.bend import Bend, Wave, arc_over, bent_box
from ocr.render.ink import SetWord, Style, draw_style, drawn, ink_height, set_word, size_above
from ocr.render.look import Layout, Look
from ocr.render.writing import (
    Demand,
    Writing,
    draw_case_of,
    draw_face_of,
    draw_writing,
    drawable_text,
    measuring_size,
    sizes_of,
)


@dataclass(slots=True)
class Block:
    """Lines of text in one style, upright, in pixels of the style's kept size; the block's top-left corner is the origin.

    ``origins`` holds the start of every word's baseline (x, y), or the top centre of its column in a vertical block, whose lines are
    columns from right to left; ``lines`` the indices of each line's words.  A block with a ``bend`` reaches from ``left`` and
    ``top`` over its width and height when it is bent.
    """

    style: Style
    words: list[SetWord]
    origins: list[tuple[float, float]]
    lines: list[list[int]]
    width: float
    height: float
    bend: Bend | None = None
    left: float = 0.0
    top: float = 0.0

    @property
    def vertical(self) -> bool:
        """Whether its texts run from top to bottom."""
        return self.words[0].vertical

    @property
    def lowest_word(self) -> float:
        """Height of the word with the least ink from top to bottom."""
        return min(w.height for w in self.words)

    @property
    def tallest_word(self) -> float:
        """Height of the word with the most ink from top to bottom."""
        return max(w.height for w in self.words)


def box_at(block: Block, i: int) -> tuple[float, float, float, float]:
    """A word's rectangle in its block, lean included."""
    left, top, right, bottom = block.words[i].leaning_box
    x, y = block.origins[i]
    return x + left, y + top, x + right, y + bottom


def draw_texts(look: Look, writing: Writing, rng: np.random.Generator, demand: Demand | None = None) -> list[list[str]]:
    """Lines of texts for one block; texts that the face has no glyphs for are replaced by others.

    Raises:
        ValueError: the face lacks glyphs for a hundred texts in a row.
    """
    lines = []
    for _ in range(look.layout.lines.draw_int(rng)):
        count = look.layout.words_per_line.draw_int(rng)
        lines.append([_text(look, writing, rng, demand) for _ in range(count)])
    return lines


def _text(look: Look, writing: Writing, rng: np.random.Generator, demand: Demand | None) -> str:
    text = drawable_text(look, writing, rng, demand)
    if text is None:
        spec = writing.face.spec
        raise ValueError(
            f"font {spec.path} lacks glyphs for 100 texts in a row: take {spec.family} out of the look's fonts"
        )
    return text


_KINDS = ("dictionary", "date", "code", "plate", "email", "random", "phrase")


def draw_list(look: Look, writing: Writing, rng: np.random.Generator, demand: Demand | None) -> list[list[str]]:
    """The lines of a receipt or menu: one to three words and a price."""
    none = dict.fromkeys(_KINDS, 0.0)
    prices = look.replace(words=dataclasses.replace(look.words, number=0.25, price=0.75, punctuated=0.0, **none))  # type: ignore[arg-type]
    count = max(3, look.layout.lines.draw_int(rng))
    lines = []
    for _ in range(count):
        items = [_text(look, writing, rng, demand) for _ in range(1 + int(rng.random() * 3))]
        lines.append([*items, _text(prices, writing, rng, demand)])
    return lines


@dataclass(frozen=True, slots=True)
class Spread:
    """Distances inside a block in em, and where its lines are flush (0: left, 0.5: middle, 1: right).

    In a ``listed`` block the last word of every line is flush right, as prices are.
    """

    word_gap: float
    line_gap: float
    align: float
    listed: bool = False

    @classmethod
    def draw(cls, layout: Layout, rng: np.random.Generator) -> Spread:
        """Distances within the look's ranges."""
        return cls(layout.word_gap.draw(rng), layout.line_gap.draw(rng), (0.0, 0.0, 0.5, 1.0)[int(rng.random() * 4)])


def set_block(rows: list[list[SetWord]], style: Style, size: int, spread: Spread) -> Block:
    """Put lines of words below one another."""
    # Wide letter spacing needs wider spaces, or words fall apart into letters.
    word_gap = (spread.word_gap + 2 * max(style.spacing, 0)) * size
    starts: list[list[float]] = []
    lengths: list[float] = []
    for row in rows:
        x = 0.0
        starts.append([])
        for word in row:
            left, top, right, bottom = word.box
            # Rectangles around leaning words must not meet either.
            gap = max(word_gap, abs(style.slant) * (bottom - top) + 0.05 * size)
            starts[-1].append(x - left)
            x += right - left + gap
        lengths.append(x - gap)
    width = max(lengths)
    words: list[SetWord] = []
    lines: list[list[int]] = []
    origins: list[tuple[float, float]] = []
    bottom = 0.0
    for k, row in enumerate(rows):
        # Ink decides the distance of lines: nothing of one line may reach into the next.
        baseline = bottom + (spread.line_gap * size if k else 0.0) - min(w.box[1] for w in row)
        bottom = baseline + max(w.box[3] for w in row)
        indent = 0.0 if spread.listed else spread.align * (width - lengths[k])
        if spread.listed:
            starts[k][-1] += width - lengths[k]
        lines.append(list(range(len(words), len(words) + len(row))))
        words += row
        origins += [(x + indent, baseline) for x in starts[k]]
    return Block(style, words, origins, lines, width, bottom)


def set_columns(rows: list[list[SetWord]], style: Style, size: int, spread: Spread) -> Block:
    """Put columns of vertical words beside one another, from right to left."""
    gap = (spread.word_gap + 2 * max(style.spacing, 0)) * size
    words: list[SetWord] = []
    lines: list[list[int]] = []
    origins: list[tuple[float, float]] = []
    x, height = 0.0, 0.0
    for k, column in enumerate(rows):
        x -= (spread.line_gap * size if k else 0.0) + max(w.leaning_box[2] for w in column)
        y = 0.0
        lines.append(list(range(len(words), len(words) + len(column))))
        for word in column:
            words.append(word)
            origins.append((x, y - word.box[1]))
            y += word.box[3] - word.box[1] + gap
        height = max(height, y - gap)
        x += min(w.leaning_box[0] for w in column)
    return Block(style, words, [(a - x, b) for a, b in origins], lines, -x, height)


@dataclass(frozen=True, slots=True)
class Scales:
    """How many pixels of the picture one pixel of a block's kept size may become, and the one to try first."""

    least: float
    first: float


def draw_block(
    look: Look, heights: tuple[float, float], room: float, rng: np.random.Generator, demand: Demand | None = None
) -> tuple[Block, Scales] | None:
    """A block whose words are all between two heights in pixels, and its scales; None when not even one word fits.

    ``room`` is the widest it may become, in pixels; a vertical block may become as high.
    """
    writing, style, lines, listed = _written(look, rng, demand)
    spread = dataclasses.replace(Spread.draw(look.layout, rng), listed=listed)
    low, high = heights
    target = low * (high / low) ** rng.random()
    sizes = sizes_of(look)
    measured = [ink_height(t, style, measuring_size(look), writing.vertical) for line in lines for t in line]
    if max(measured) > high / low * min(measured):
        return None
    size = size_above(min(target / min(measured), high / max(measured)), sizes)
    rows = [[set_word(text, style, size, writing.vertical) for text in line] for line in lines]
    while rows:
        block = (set_columns if writing.vertical else set_block)(rows, style, size, spread)
        least, most = low / block.lowest_word, high / block.tallest_word
        widest = room / (block.width * style.width)
        if writing.vertical:
            widest = min(widest, room / block.height)
        if least <= min(most, widest):
            _bend(block, look, rng)
            return block, Scales(least, min(max(target / block.lowest_word, least), most, widest))
        # Too wide even at the least height: shorten the longest line.
        longest = max(rows, key=lambda words: sum(len(w.text) for w in words))
        longest.pop()
        rows = [words for words in rows if words]
    return None


def _written(
    look: Look, rng: np.random.Generator, demand: Demand | None
) -> tuple[Writing, Style, list[list[str]], bool]:
    """How a block is written, its texts, and whether they are a list; the first renderer drew the face and style before the case."""
    if look.language is None:
        face = draw_face_of(look, rng)
        style = draw_style(look.letters, face, rng)
        writing = Writing(face, draw_case_of(look, rng))
        return writing, style, draw_texts(look, writing, rng), False
    writing, first = draw_writing(look, rng, demand)
    style = draw_style(look.letters, writing.face, rng)
    listed = not writing.vertical and bool(rng.random() < look.layout.receipt)
    lines = (draw_list if listed else draw_texts)(look, writing, rng, demand)
    lines[0][0] = first
    return writing, style, lines, listed


def _bend(block: Block, look: Look, rng: np.random.Generator) -> None:
    """Bend a short block along an arc or a wave, now and then."""
    arc, wave = drawn(look.letters.arc, rng), drawn(look.letters.wave, rng)
    if block.vertical or len(block.lines) > 2 or len(block.words[0].units) < 3 or not (arc or wave):
        return
    box = (0.0, 0.0, block.width, block.height)
    if arc:
        block.bend = arc_over(box, arc)
    else:
        length = block.width * (0.6 + 0.9 * rng.random())
        block.bend = Wave(wave * block.words[0].size, length, float(rng.random() * 2 * np.pi))
    block.left, block.top, right, bottom = bent_box(block.bend, box)
    block.width, block.height = right - block.left, bottom - block.top
