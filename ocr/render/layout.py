"""Where text stands: words in lines, lines in blocks, blocks in a picture without touching one another."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ocr.geometry import Matrix, rectangle, transform
from ocr.render.bend import edge
from ocr.render.block import Block, Scales, box_at, draw_block
from ocr.render.ink import PlacedWord
from ocr.render.look import Look
from ocr.render.writing import Demand
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
            if self.block.bend is not None:
                placed.append(PlacedWord(word, self.matrix, self.ignore, self.block.bend, (x, y)))
                continue
            placed.append(PlacedWord(word, self.matrix @ np.array([[1.0, 0, x], [0, 1, y], [0, 0, 1]]), self.ignore))
        return placed

    def line_polygons(self) -> list[Points]:
        """The quad around the words of each line; on a bent line a polygon of 18 points."""
        quads = []
        for line in self.block.lines:
            boxes = np.array([box_at(self.block, i) for i in line])
            left, top = boxes[:, 0].min(), boxes[:, 1].min()
            right, bottom = boxes[:, 2].max(), boxes[:, 3].max()
            if self.block.bend is not None:
                outline = edge((left, top, right, bottom))
                bent = np.stack(self.block.bend.forward(outline[:, 0], outline[:, 1]), 1)
                quads.append(transform(self.matrix, bent))
                continue
            quads.append(transform(self.matrix, np.array([[left, top], [right, top], [right, bottom], [left, bottom]])))
        return quads

    def text(self) -> str:
        """The block's text: words separated by spaces, lines by newlines."""
        return "\n".join(" ".join(self.block.words[i].text for i in line) for line in self.block.lines)


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


def place_block(
    page: Page, block: Block, scales: Scales, heights: tuple[float, float], look: Look, rng: np.random.Generator
) -> PlacedBlock | None:
    """Turn and tilt a block and find it a free place, if need be at a smaller scale; None when there is none.

    Tilting changes the heights of words a little; a place where they leave ``heights`` is none.
    """
    degrees = look.layout.rotation.draw(rng) * rng.random()
    turned = look.layout.turned > 0 and rng.random() < look.layout.turned
    if turned:
        degrees = rng.random() * 360 - 180
    angle = np.radians(degrees)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    tilt = look.layout.perspective.draw(rng) * (rng.random((4, 2)) - 0.5)
    tilt = tilt / 2 if turned else _level(block, look, turn, tilt)
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
    corners = rectangle(block.width, block.height) + np.array([block.left, block.top], np.float32)
    matrix: Matrix = cv2.getPerspectiveTransform(corners, quad.astype(np.float32))
    return matrix


def _boxes(block: Block, matrix: Matrix) -> Quads:
    """The quads of a block's words in the picture."""
    boxes = np.array([box_at(block, i) for i in range(len(block.words))])
    return transform(matrix, boxes[:, [0, 1, 2, 1, 2, 3, 0, 3]].reshape(-1, 4, 2))


def _heights(block: Block, matrix: Matrix) -> tuple[float, float]:
    """The least and the greatest height of a block's words in the picture: means of their left and right sides.

    Of vertical words, the widths: means of their top and bottom sides.
    """
    quads = _boxes(block, matrix)
    if block.vertical:
        quads = np.roll(quads, 1, axis=1)
    sides = np.hypot(*np.moveaxis(quads[:, [3, 2]] - quads[:, [0, 1]], 2, 0)).mean(1)
    return float(sides.min()), float(sides.max())


def fill_page(look: Look, page: Page, rng: np.random.Generator, demand: Demand | None = None) -> list[PlacedBlock]:
    """Blocks until the picture holds the number of legible words drawn for it, or nothing fits any more."""
    layout = look.layout
    wanted = layout.words.draw_int(rng)
    placed: list[PlacedBlock] = []
    count, failures = 0, 0
    while count < wanted and failures < _ROUNDS:
        # Every failure lowers what is tried next, so that a crowded picture is filled with small print.
        tallest = max(3 * layout.height.low, layout.height.high * 0.75**failures)
        block = _one_block(look, page, (layout.height.low, min(tallest, layout.height.high)), 0.94, rng, demand)
        if block is None:
            failures += 1
            continue
        placed.append(block)
        count += len(block.block.words)
    small = layout.illegible.draw(rng)
    if small is not None:
        block = _one_block(look, page, (small, small * 2.5), 0.5, rng, demand)
        if block is not None:
            block.ignore = True
            placed.append(block)
    return placed


def _one_block(
    look: Look, page: Page, heights: tuple[float, float], share: float, rng: np.random.Generator, demand: Demand | None
) -> PlacedBlock | None:
    """A block on the page, at most ``share`` of the page wide."""
    block = draw_block(look, heights, share * page.width, rng, demand)
    return block and place_block(page, *block, heights, look, rng)
