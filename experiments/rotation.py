"""How much of rendered scenes is found and read, whichever way they lie: end-to-end H-mean by angle and direction.

    python -m experiments.rotation DETECTOR RECOGNIZER                            three languages, every 15 degrees
    python -m experiments.rotation DETECTOR RECOGNIZER --language en --step 90 --scenes 4 --direction horizontal
    python -m experiments.rotation DETECTOR RECOGNIZER --out rotation             figures as JSON lines, a page, drawn pictures

A scene's text is all horizontal, all turned (each block by an angle of its own), or all stacked; then the whole picture is turned about
its middle onto a larger canvas.  A word counts when a box overlaps it by more than half (IoU) and its text is right but for case
(``ocr.metrics.spotting``).  Scenes have words and fonts that training does not use.  The last lines compare each direction, and
the mean over all angles, with horizontal text in upright pictures.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from rich.console import Console
from rich.table import Table

from ocr import page as html
from ocr.draw import draw_words
from ocr.geometry import transform
from ocr.metrics.detection import DetectionResult
from ocr.metrics.iou import BoxProtocol
from ocr.metrics.spotting import Spotting
from ocr.metrics.words import WordProtocol
from ocr.reader import Reader
from ocr.render.look import Look, Range, load_language, load_look
from ocr.render.scene import render_scene
from ocr.run import checkpoint
from ocr.seeding import generator
from ocr.terminal import console
from ocr.types import Image, Points, Scene, SceneWord

LANGUAGES = ("en", "ja", "ko")
DIRECTIONS = ("horizontal", "rotated", "stacked")
FOUND = BoxProtocol("found")
READ = Spotting(name="end_to_end", folding=WordProtocol("unicode", keep="all", lower=True, nfkc=True))
SHARE = 0.95
"""Part of the upright horizontal H-mean that every other direction and the mean over the angles should reach."""


def look_of(language: str, direction: str, preset: str, size: int) -> Look:
    """A preset with all of its text in one direction and upright pictures.

    Raises:
        ValueError: there is no such preset or language.
    """
    spoken = dataclasses.replace(load_language(language), vertical=float(direction == "stacked"), latin=0.0)
    look = load_look(preset).written_in(spoken, "test")
    still = Range(0.0, 0.0)
    layout = dataclasses.replace(look.layout, rotation=still, turned=float(direction == "rotated"))
    letters = dataclasses.replace(look.letters, arc=None, wave=None)
    return look.replace(layout=layout, letters=letters, picture=(size, size))


def turned(scene: Scene, degrees: float) -> Scene:
    """The scene turned counter-clockwise by any angle, on a canvas that holds all of it."""
    height, width = scene.image.shape[:2]
    angle = np.radians(degrees)
    cos, sin = float(np.cos(angle)), float(np.sin(angle))
    size = [round(abs(width * cos) + abs(height * sin)), round(abs(width * sin) + abs(height * cos))]
    matrix = np.array([[cos, sin, 0.0], [-sin, cos, 0.0], [0.0, 0.0, 1.0]])
    matrix[:2, 2] = np.array(size) / 2 - matrix[:2, :2] @ (width / 2, height / 2)
    # warpAffine samples at pixel indices, our coordinates put pixel centres at .5
    shift = np.array([[1, 0, -0.5], [0, 1, -0.5], [0, 0, 1]])
    placed = (shift @ matrix @ np.linalg.inv(shift))[:2]
    grey = [int(v) for v in np.median(scene.image.reshape(-1, 3), axis=0)]
    image: Image = cv2.warpAffine(scene.image, placed, size, flags=cv2.INTER_LINEAR, borderValue=grey)
    return Scene(image, [_turned_word(word, matrix) for word in scene.words], scene.key, scene.label_kind)


def _turned_word(word: SceneWord, matrix: np.ndarray) -> SceneWord:
    polygon: Points = transform(matrix, word.polygon)
    return dataclasses.replace(word, polygon=polygon, characters=None)


def scenes(language: str, direction: str, preset: str, size: int, count: int) -> list[Scene]:
    """Upright scenes, the same ones in every call."""
    look = look_of(language, direction, preset, size)
    return [
        render_scene(look, generator(11, "rotation", language, direction, i), *look.picture, key=f"{language}/{i}")
        for i in range(count)
    ]


@dataclasses.dataclass(frozen=True, slots=True)
class Cell:
    """One figure: the end-to-end and the detection H-mean of pictures of one language and direction at one angle."""

    language: str
    direction: str
    angle: float
    hmean: float
    found: float
    words: int


def measured(
    reader: Reader, upright: Sequence[Scene], language: str, direction: str, angle: float
) -> tuple[Cell, tuple[Image, str]]:
    """A figure, and the first picture as it was read."""
    lying = [turned(scene, angle) for scene in upright]
    pages = reader.read([scene.image for scene in lying], batch=4)
    pairs = [([d for d, _ in page.words], scene.words) for page, scene in zip(pages, lying, strict=True)]
    texts = [[reading.text for _, reading in page.words] for page in pages]
    truth = sum(not word.ignore for scene in lying for word in scene.words)
    cell = Cell(language, direction, angle, _hmean(READ(pairs, texts=texts)), _hmean(FOUND(pairs)), truth)
    caption = f"{language}, {direction}, {angle:g} degrees: end-to-end {cell.hmean:.3f}"
    return cell, (draw_words(lying[0].image, pages[0].words), caption)


def _hmean(result: DetectionResult) -> float:
    return next(score.value for score in result.scores("") if score.metric == "hmean")


def tables(cells: Sequence[Cell]) -> Iterator[Table]:
    """One table per language: angles down, directions across."""
    for language in dict.fromkeys(cell.language for cell in cells):
        own = [cell for cell in cells if cell.language == language]
        directions = list(dict.fromkeys(cell.direction for cell in own))
        table = Table(title=f"{language}: end-to-end H-mean (detection alone)", title_justify="left")
        for column in ("angle", *directions):
            table.add_column(column, justify="right")
        for angle in dict.fromkeys(cell.angle for cell in own):
            row = {cell.direction: f"{cell.hmean:.3f} ({cell.found:.3f})" for cell in own if cell.angle == angle}
            table.add_row(f"{angle:g}", *(row.get(direction, "") for direction in directions))
        yield table


def figures(cells: Sequence[Cell]) -> Iterator[tuple[str, float, float | None]]:
    """Name, value and target of the closing lines."""
    for language in dict.fromkeys(cell.language for cell in cells):
        own = [cell for cell in cells if cell.language == language]
        upright = [c.hmean for c in own if c.direction == "horizontal" and c.angle == 0]
        base = upright[0] if upright else None
        for direction in dict.fromkeys(cell.direction for cell in own):
            values = [cell.hmean for cell in own if cell.direction == direction]
            zero = [cell.hmean for cell in own if cell.direction == direction and cell.angle == 0]
            target = None if base is None else SHARE * base
            if zero:
                yield f"{language}_{direction}_upright", zero[0], None if direction == "horizontal" else target
            yield f"{language}_{direction}_mean_over_angles", float(np.mean(values)), target


def write(out: Path, cells: Sequence[Cell], drawn: Sequence[tuple[Image, str]]) -> Path:
    """Figures as JSON lines, and a page with curves and pictures."""
    out.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps(dataclasses.asdict(cell)) for cell in cells]
    (out / "rotation.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    curves = []
    for language in dict.fromkeys(cell.language for cell in cells):
        own = [cell for cell in cells if cell.language == language]
        series = [
            html.Series(d, [c.angle for c in own if c.direction == d], [c.hmean for c in own if c.direction == d])
            for d in dict.fromkeys(cell.direction for cell in own)
        ]
        curves.append(
            html.line_chart(series, language, "angle of the picture, degrees", "end-to-end H-mean", (0.0, 1.0))
        )
    document = html.page(
        "Reading turned pictures",
        "Rendered scenes; none of this was measured on photographs.",
        html.section("By angle", html.charts(curves)),
        html.section("Pictures", html.gallery(html.picture(image, caption, 640) for image, caption in drawn)),
    )
    return html.write_page(out / "index.html", document)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print; 1 when a checkpoint or a name is wrong."""
    parser = argparse.ArgumentParser(prog="python -m experiments.rotation", description=__doc__.partition("\n")[0])
    parser.add_argument("detector", type=Path, help="checkpoint of a detector")
    parser.add_argument("recognizer", type=Path, help="checkpoint of a recogniser")
    parser.add_argument("--language", action="append", help=f"repeatable (default: {', '.join(LANGUAGES)})")
    parser.add_argument("--direction", action="append", choices=DIRECTIONS, help="repeatable (default: all)")
    parser.add_argument("--step", type=float, default=15.0, help="degrees between the angles (default: 15)")
    parser.add_argument("--scenes", type=int, default=8, help="per language and direction (default: 8)")
    parser.add_argument("--look", default="clean", help="preset of conf/render (default: clean)")
    parser.add_argument("--size", type=int, default=640, help="side of the upright scenes, pixels (default: 640)")
    parser.add_argument(
        "--long-side", type=int, help="longer side at which pictures are searched (default: the checkpoint's)"
    )
    parser.add_argument("--out", type=Path, help="folder for figures, page and pictures (default: none)")
    arguments = parser.parse_args(argv)
    out = console()
    try:
        reader, looks = _prepared(arguments)
    except ValueError as error:
        out.print(f"error: {error}", style="red", highlight=False, markup=False)
        return 1
    cells, drawn = _measure_all(reader, looks, arguments, out)
    for table in tables(cells):
        out.print(table)
    for name, value, target in figures(cells):
        judged = "" if target is None else f" target {target:.4g} {'ok' if value >= target else 'short'}"
        out.print(f"figure {name} {value:.4g} hmean{judged}", highlight=False)
    if arguments.out:
        out.print(f"page: {write(arguments.out, cells, drawn)}", highlight=False, soft_wrap=True)
    return 0


def _prepared(arguments: argparse.Namespace) -> tuple[Reader, list[tuple[str, str]]]:
    if arguments.step <= 0 or arguments.scenes < 1:
        raise ValueError(
            f"--step {arguments.step:g} --scenes {arguments.scenes}: give a step above 0 and one scene at least"
        )
    inference: dict[str, Any] = {} if arguments.long_side is None else {"long_side": arguments.long_side}
    pairs = [(a, b) for a in arguments.language or LANGUAGES for b in arguments.direction or DIRECTIONS]
    for language, direction in pairs:
        look_of(language, direction, arguments.look, arguments.size)
    detector = checkpoint.detector(arguments.detector, **inference)
    return Reader(detector, checkpoint.recognizer(arguments.recognizer)), pairs


def _measure_all(
    reader: Reader, pairs: Sequence[tuple[str, str]], arguments: argparse.Namespace, out: Console
) -> tuple[list[Cell], list[tuple[Image, str]]]:
    cells: list[Cell] = []
    drawn: list[tuple[Image, str]] = []
    for language, direction in pairs:
        began = time.perf_counter()
        upright = scenes(language, direction, arguments.look, arguments.size, arguments.scenes)
        for angle in np.arange(0.0, 360.0, arguments.step).tolist():
            cell, picture = measured(reader, upright, language, direction, angle)
            cells.append(cell)
            drawn.append(picture)
        seconds = time.perf_counter() - began
        out.print(f"{language} {direction}: {len(upright)} scenes, {seconds:.0f} s", highlight=False)
    return cells, drawn


if __name__ == "__main__":
    sys.exit(main())
