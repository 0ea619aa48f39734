"""A local page to look at what the models see: boxes, texts, score maps and confidences of a picture, thresholds as sliders.

The network runs once for a picture; a slider moved afterwards only repeats what follows it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import gradio
from numpy.typing import NDArray

from ocr.detection.postprocess import Thresholds
from ocr.detection.search import ScoreMaps
from ocr.detection.words import find_words
from ocr.draw import draw_words, overlay
from ocr.export_text import page_to_text
from ocr.picture_files import load_image
from ocr.reader import Reader
from ocr.types import Detection, Image, Page, Reads

COLUMNS = ["text", "confidence", "detection score", "direction", "angle"]
FONTS = ["system-ui", "sans-serif"]
"""Fonts that need no network."""


class Maps(Protocol):
    """A detector that shows its score maps, for example ``ocr.runtime.RuntimeDetector``."""

    thresholds: Thresholds

    def score_maps(self, images: Sequence[Image]) -> list[ScoreMaps]:
        """Score maps of every picture."""
        ...


class Seen(NamedTuple):
    """A picture and its score maps."""

    image: Image
    maps: ScoreMaps


class View(NamedTuple):
    """What the page shows."""

    boxes: Image
    text: str
    words: list[list[Any]]
    region: Image
    affinity: Image


class _Remembered:
    """A detector of one picture whose maps are known."""

    def __init__(self, maps: ScoreMaps, thresholds: Thresholds) -> None:
        self.maps, self.thresholds = maps, thresholds

    def detect(self, images: list[Image]) -> list[list[Detection]]:
        return [find_words(self.maps.maps_2hw, self.thresholds, self.maps.scale) for _ in images]


def view(seen: Seen, recognizer: Reads, thresholds: Thresholds) -> View:
    """Words of a picture under some thresholds."""
    page = Reader(_Remembered(seen.maps, thresholds), recognizer).read([seen.image])[0]
    region_hw, affinity_hw = (_whole(map_hw, seen) for map_hw in seen.maps.maps_2hw)
    return View(
        draw_words(seen.image, page.words),
        page_to_text(page),
        _rows(page),
        overlay(seen.image, region_hw),
        overlay(seen.image, affinity_hw),
    )


def _whole(map_hw: NDArray[Any], seen: Seen) -> NDArray[Any]:
    """The part of a map that lies over the picture."""
    height, width = seen.image.shape[:2]
    across, down = seen.maps.scale
    return map_hw[: max(1, round(height * down)), : max(1, round(width * across))]


def _rows(page: Page) -> list[list[Any]]:
    return [
        [reading.text, round(reading.confidence, 3), round(word.score, 3), word.direction, round(word.angle, 1)]
        for word, reading in page.words
    ]


def page(detector: Maps, recognizer: Reads) -> gradio.Blocks:
    """The page; nothing of it comes from the network."""
    start = detector.thresholds

    def look(path: str | None, *values: float) -> tuple[Any, ...]:
        if path is None:
            return None, "drop a picture", *([None] * len(View._fields))
        try:
            image = load_image(path)
        except ValueError as error:
            return None, str(error).rpartition("/")[2], *([None] * len(View._fields))
        return again(Seen(image, detector.score_maps([image])[0]), *values)

    def again(seen: Seen | None, *values: float) -> tuple[Any, ...]:
        if seen is None:
            return None, "drop a picture", *([None] * len(View._fields))
        found = view(seen, recognizer, Thresholds(*values))
        return seen, f"words: {len(found.words)}", *found

    with gradio.Blocks(title="ocr", analytics_enabled=False) as blocks:
        seen = gradio.State(None)
        with gradio.Row():
            with gradio.Column():
                given = gradio.Image(
                    type="filepath", label="picture", sources=["upload", "clipboard"], elem_id="picture"
                )
                sliders = [
                    gradio.Slider(0, 1, getattr(start, name), step=0.05, label=label, elem_id=f"threshold-{name}")
                    for name, label in (
                        ("text", "text: least peak of a word's region score"),
                        ("link", "link: affinity that joins pixels"),
                        ("low", "low: region score that joins pixels"),
                    )
                ]
                said = gradio.Textbox("drop a picture", label="found", elem_id="found")
            with gradio.Column():
                outputs = [
                    gradio.Image(label="boxes", elem_id="boxes"),
                    gradio.Textbox(label="text in reading order", elem_id="text", lines=3),
                    gradio.Dataframe(headers=COLUMNS, label="words", elem_id="words"),
                ]
        with gradio.Row():
            outputs += [gradio.Image(label=f"{name} map", elem_id=name) for name in ("region", "affinity")]
        given.change(look, [given, *sliders], [seen, said, *outputs])
        for slider in sliders:
            slider.release(again, [seen, *sliders], [seen, said, *outputs])
    return blocks


def serve(blocks: gradio.Blocks, port: int, host: str = "127.0.0.1", wait: bool = True) -> str:
    """Serve the page on loopback and return its address; ``wait`` until interrupted.

    Raises:
        ValueError: the port is taken.
    """
    try:
        _, address, _ = blocks.launch(
            server_name=host,
            server_port=port,
            share=False,
            quiet=True,
            prevent_thread_lock=not wait,
            max_file_size="40mb",
            theme=gradio.themes.Default(font=FONTS, font_mono=["monospace"]),
            footer_links=[],
            ssr_mode=False,
        )
    except OSError as error:
        raise ValueError(f"--port {port}: {' '.join(str(error).split())[:120]}; choose another") from None
    return str(address)
