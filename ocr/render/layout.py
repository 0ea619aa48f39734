"""Where text stands: words in lines, lines in blocks, blocks in a picture without touching one another."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ocr.geometry import Matrix, rectangle, transform
from ocr.render.fonts import Face, draw_face
from ocr.render.ink import PlacedWord, SetWord, Style, draw_style, ink_height, set_word, size_above
from ocr.render.look import Layout, Look
from ocr.render.words import draw_case, draw_text
from ocr.types import Points, Quads

GRID = 4
"""Pixels per cell of the map of what is taken."""

CORNERS = np.array([[-1.0, -1], [1, -1], [1, 1], [-1, 1]])
"""Of a square around the origin, clockwise from the top left."""
_PLACES = 8
"""How many places are tried for one block."""
_SHRINKS = (1.0, 0.75, 0.55)
"""The scales that are tried for one block, in parts of the first."""
_ROUNDS = 12
"""After how many blocks without a place the picture counts as full."""


@dataclass(slots=True)
class Block:
    """Lines of text in one style, upright, in pixels of the style's kept size; the block's top-left corner is the origin.

    ``origins`` holds the start of every word's baseline (x, y); ``lines`` the indices of each line's words.
    """

    style: Style
    words: list[SetWord]
    origins: list[tuple[float, float]]
    lines: list[list[int]]
    width: float
    height: float

    @property
    def lowest_word(self) -> float:
        """Height of the word with the least ink from top to bottom."""
        return min(w.height for w in self.words)

    @property
    def tallest_word(self) -> float:
        """Height of the word with the most ink from top to bottom."""
        return max(w.height for w in self.words)


@dataclass(slots=True)
class PlacedBlock:
    """A block with its homography into the picture; ``corners`` are those of the block and a margin around it."""

    block: Block
    matrix: Matrix
    corners: Points
    ignore: bool = False

    def words(self) -> list[PlacedWord]:
        """The block's words in reading order."""
        placed = []
        for word, (x, y) in zip(self.block.words, self.block.origins, strict=True):
            placed.append(PlacedWord(word, self.matrix @ np.array([[1.0, 0, x], [0, 1, y], [0, 0, 1]]), self.ignore))
        return placed

    def line_polygons(self) -> list[Points]:
        """The quad around the words of each line."""
        quads = []
        for line in self.block.lines:
            boxes = np.array([_box_at(self.block, i) for i in line])
            left, top = boxes[:, 0].min(), boxes[:, 1].min()
            right, bottom = boxes[:, 2].max(), boxes[:, 3].max()
            quads.append(transform(self.matrix, np.array([[left, top], [right, top], [right, bottom], [left, bottom]])))
        return quads

    def text(self) -> str:
        """The block's text: words separated by spaces, lines by newlines."""
        return "\n".join(" ".join(self.block.words[i].text for i in line) for line in self.block.lines)


def _box_at(block: Block, i: int) -> tuple[float, float, float, float]:
    """A word's rectangle in its block, lean included."""
    left, top, right, bottom = block.words[i].leaning_box
    x, y = block.origins[i]
    return x + left, y + top, x + right, y + bottom


def draw_texts(look: Look, style: Style, rng: np.random.Generator) -> list[list[str]]:
    """Lines of texts for one block; texts that the face has no glyphs for are replaced by others."""
    case = draw_case(look.words, rng)
    lines = []
    for _ in range(look.layout.lines.draw_int(rng)):
        count = look.layout.words_per_line.draw_int(rng)
        lines.append([drawable_text(look, style.face, case, rng) for _ in range(count)])
    return lines


def drawable_text(look: Look, face: Face, case: str, rng: np.random.Generator) -> str:
    """A text that the face has all glyphs for.

    Raises:
        ValueError: a hundred texts in a row need other glyphs.
    """
    for _ in range(100):
        text = draw_text(look.words, case, rng)
        if face.has(text):
            return text
    raise ValueError(
        f"font {face.spec.path} lacks glyphs for 100 texts in a row: take {face.spec.family} out of the look's fonts"
    )


@dataclass(frozen=True, slots=True)
class Spread:
    """Distances inside a block in em, and where its lines are flush (0: left, 0.5: middle, 1: right)."""

    word_gap: float
    line_gap: float
    align: float

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
        indent = spread.align * (width - lengths[k])
        lines.append(list(range(len(words), len(words) + len(row))))
        words += row
        origins += [(x + indent, baseline) for x in starts[k]]
    return Block(style, words, origins, lines, width, bottom)


class Page:
    """The part of a picture that is still free, kept as a coarse map."""

    def __init__(self, height: int, width: int) -> None:
        self.height, self.width = height, width
        self.taken: NDArray[np.uint8] = np.zeros((-(-height // GRID), -(-width // GRID)), np.uint8)

    def free(self, corners: NDArray[np.float64]) -> bool:
        """Whether a convex quad touches nothing that is taken."""
        (left, top), (right, bottom) = corners.min(0).tolist(), corners.max(0).tolist()
        x, y = max(int(left) // GRID, 0), max(int(top) // GRID, 0)
        window = self.taken[y : int(bottom) // GRID + 2, x : int(right) // GRID + 2]
        if not cv2.countNonZero(window):
            return True
        mask = np.zeros_like(window)
        cv2.fillConvexPoly(mask, np.rint(corners / GRID - (x, y)).astype(np.int32), 1)
        return not cv2.countNonZero(mask & window)

    def take(self, corners: NDArray[np.float64]) -> None:
        """Mark a convex quad as taken."""
        cv2.fillConvexPoly(self.taken, np.rint(corners / GRID).astype(np.int32), 1)


@dataclass(frozen=True, slots=True)
class Scales:
    """How many pixels of the picture one pixel of a block's kept size may become, and the one to try first."""

    least: float
    first: float


def draw_block(
    look: Look, heights: tuple[float, float], room: float, rng: np.random.Generator
) -> tuple[Block, Scales] | None:
    """A block whose words are all between two heights in pixels, and its scales; None when not even one word fits.

    ``room`` is the widest it may become, in pixels.
    """
    letters = look.letters
    face = draw_face(look.fonts, int(letters.weight.low), int(letters.weight.high), rng)
    style = draw_style(letters, face, rng)
    lines = draw_texts(look, style, rng)
    spread = Spread.draw(look.layout, rng)
    low, high = heights
    target = low * (high / low) ** rng.random()
    measured = [ink_height(t, style) for line in lines for t in line]
    if max(measured) > high / low * min(measured):
        return None
    size = size_above(min(target / min(measured), high / max(measured)))
    rows = [[set_word(text, style, size) for text in line] for line in lines]
    while rows:
        block = set_block(rows, style, size, spread)
        least, most = low / block.lowest_word, high / block.tallest_word
        widest = room / (block.width * style.width)
        if least <= min(most, widest):
            return block, Scales(least, min(max(target / block.lowest_word, least), most, widest))
        # Too wide even at the least height: shorten the longest line.
        longest = max(rows, key=lambda words: sum(len(w.text) for w in words))
        longest.pop()
        rows = [words for words in rows if words]
    return None


def place_block(
    page: Page, block: Block, scales: Scales, heights: tuple[float, float], look: Look, rng: np.random.Generator
) -> PlacedBlock | None:
    """Turn and tilt a block and find it a free place, if need be at a smaller scale; None when there is none.

    Tilting changes the heights of words a little; a place where they leave ``heights`` is none.
    """
    angle = np.radians(look.layout.rotation.draw(rng) * rng.random())
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    tilt = _level(block, look, turn, look.layout.perspective.draw(rng) * (rng.random((4, 2)) - 0.5))
    for shrink in _SHRINKS:
        scale = max(scales.first * shrink, scales.least)
        quad = _turned(block, scale, turn, tilt)
        low, high = _heights(block, _matrix(block, quad))
        margin = 3 + 0.3 * block.tallest_word * scale
        around = quad + (CORNERS * margin) @ turn.T
        origin = around.min(0)
        space = np.array([page.width, page.height]) - (around.max(0) - origin)
        if space.min() < 0 or low < heights[0] or high > heights[1]:
            continue
        for shift in rng.random((_PLACES, 2)) * space - origin:
            corners = around + shift
            if page.free(corners):
                page.take(corners)
                return PlacedBlock(block, _matrix(block, quad + shift), corners.astype(np.float32))
    return None


def _turned(block: Block, scale: float, turn: NDArray[np.float64], tilt: NDArray[np.float64]) -> NDArray[np.float64]:
    """The corners of a block around the origin."""
    width, height = block.width * scale * block.style.width, block.height * scale
    corners: NDArray[np.float64] = (tilt * min(width, height) + CORNERS * (width / 2, height / 2)) @ turn.T
    return corners


def _level(block: Block, look: Look, turn: NDArray[np.float64], tilt: NDArray[np.float64]) -> NDArray[np.float64]:
    """The tilt, halved until no word is turned farther than the look allows."""
    allowed = look.layout.rotation
    for _ in range(6):
        d = np.diff(_boxes(block, _matrix(block, _turned(block, 1.0, turn, tilt))), axis=1)
        along = d[:, 0] - d[:, 2]
        degrees = np.degrees(np.arctan2(-along[:, 1], along[:, 0]))
        if allowed.low <= degrees.min() and degrees.max() <= allowed.high:
            return tilt
        tilt = tilt / 2
    return np.zeros_like(tilt)


def _matrix(block: Block, quad: NDArray[np.float64]) -> Matrix:
    matrix: Matrix = cv2.getPerspectiveTransform(rectangle(block.width, block.height), quad.astype(np.float32))
    return matrix


def _boxes(block: Block, matrix: Matrix) -> Quads:
    """The quads of a block's words in the picture."""
    boxes = np.array([_box_at(block, i) for i in range(len(block.words))])
    return transform(matrix, boxes[:, [0, 1, 2, 1, 2, 3, 0, 3]].reshape(-1, 4, 2))


def _heights(block: Block, matrix: Matrix) -> tuple[float, float]:
    """The least and the greatest height of a block's words in the picture: means of their left and right sides."""
    quads = _boxes(block, matrix)
    sides = np.hypot(*np.moveaxis(quads[:, [3, 2]] - quads[:, [0, 1]], 2, 0)).mean(1)
    return float(sides.min()), float(sides.max())


def fill_page(look: Look, page: Page, rng: np.random.Generator) -> list[PlacedBlock]:
    """Blocks until the picture holds the number of legible words drawn for it, or nothing fits any more."""
    layout = look.layout
    wanted = layout.words.draw_int(rng)
    placed: list[PlacedBlock] = []
    count, failures = 0, 0
    while count < wanted and failures < _ROUNDS:
        # Every failure lowers what is tried next, so that a crowded picture is filled with small print.
        tallest = max(3 * layout.height.low, layout.height.high * 0.75**failures)
        block = _one_block(look, page, (layout.height.low, min(tallest, layout.height.high)), 0.94, rng)
        if block is None:
            failures += 1
            continue
        placed.append(block)
        count += len(block.block.words)
    small = layout.illegible.draw(rng)
    if small is not None:
        block = _one_block(look, page, (small, small * 2.5), 0.5, rng)
        if block is not None:
            block.ignore = True
            placed.append(block)
    return placed


def _one_block(
    look: Look, page: Page, heights: tuple[float, float], share: float, rng: np.random.Generator
) -> PlacedBlock | None:
    """A block on the page, at most ``share`` of the page wide."""
    drawn = draw_block(look, heights, share * page.width, rng)
    return drawn and place_block(page, *drawn, heights, look, rng)
