"""What the data of a run looks like: histograms and samples, on the terminal and as one HTML page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from ocr import page
from ocr.data.datamodule import DataModule, Part
from ocr.data.histograms import Histogram, binned, scene_histograms, word_histograms
from ocr.data.picture_index import picture_index
from ocr.data.sets import SceneSet, WordSet
from ocr.data.store import UndecodableImage
from ocr.draw import TRUTH, contact_sheet, draw_polygons, printable
from ocr.metrics.word_shape import word_shape
from ocr.run.inspection import Finding
from ocr.types import Image, Scene, SceneWord

MOST_SCENES = 20_000
"""Scenes whose words are measured; of a larger set as many, evenly spread."""
MOST_MADE = 200
"""Samples that are made of a set that never ends."""
SHOWN_WORDS, SHOWN_SCENES = 24, 6
BAR = 30
"""Characters of the longest bar on the terminal."""


@dataclass(slots=True)
class Described:
    """A source with its histograms, some samples with their captions, and what ``histograms`` count."""

    part: Part
    counted: str
    histograms: list[Histogram]
    samples: list[tuple[Image, str]]


def describe(data: DataModule) -> list[Described]:
    """Histograms and samples of every source: of its whole set, whatever of it trains."""
    return [_words(part) if _of_words(part) else _scenes(part) for part in data.parts]


def _of_words(part: Part) -> bool:
    return part.set.task == "recognition"


def _words(part: Part) -> Described:
    chosen = _evenly(len(part.set), SHOWN_WORDS)
    if isinstance(part.set, WordSet):
        entries = picture_index(part.set.store)
        histograms = word_histograms(part.set.texts(), entries["width"], entries["height"])
        counted = f"all {len(part.set):,} words"
        shown: list[Any] = _decodable(part, chosen)
    else:
        made: list[Any] = [part.set[i] for i in range(MOST_MADE)]
        shapes = np.array([word.image.shape[:2] for word in made])
        histograms = word_histograms([word.text for word in made], shapes[:, 1], shapes[:, 0])
        counted, shown = f"{MOST_MADE} words made now", made[:SHOWN_WORDS]
    return Described(part, counted, histograms, [(_colour(word.image), word.text) for word in shown])


def _scenes(part: Part) -> Described:
    if isinstance(part.set, SceneSet):
        chosen = _evenly(len(part.set), MOST_SCENES)
        scenes: list[Any] = [part.set.without_picture(i) for i in chosen]
        counted = f"{'all ' if len(chosen) == len(part.set) else ''}{len(chosen):,} scenes"
        shown: list[Any] = _decodable(part, _evenly(len(part.set), SHOWN_SCENES))
    else:
        scenes = [part.set[i] for i in range(MOST_MADE // 4)]
        counted, shown = f"{len(scenes)} scenes made now", scenes[:SHOWN_SCENES]
    words = [word for scene in scenes for word in scene.words if not word.ignore]
    shapes = [word_shape(word) for word in words]
    histograms = [
        binned("words in a picture", [len(scene.words) for scene in scenes], (1, 2, 3, 5, 8, 12, 20, 50, 100)),
        *scene_histograms([w.text or "" for w in words], [s.height for s in shapes], [s.aspect for s in shapes]),
        _runs([shape.run for shape in shapes]),
    ]
    return Described(part, counted, histograms, [(_outlined(scene), scene.key) for scene in shown])


def _runs(runs: Sequence[str]) -> Histogram:
    names = ["horizontal", "rotated", "vertical"]
    return Histogram("direction", names, [sum(run == name for run in runs) for name in names])


def _evenly(count: int, most: int) -> list[int]:
    return sorted({int(i) for i in np.linspace(0, count - 1, min(count, most))})


def _decodable(part: Part, places: Sequence[int]) -> list[Any]:
    found = []
    for place in places:
        try:
            found.append(part.set[place])
        except UndecodableImage:
            continue
    return found


def _colour(image: Image) -> Image:
    return image if image.ndim == 3 else np.repeat(image[..., None], 3, axis=2)


def _outlined(scene: Scene) -> Image:
    return draw_polygons(scene.image, [([_polygon(word) for word in scene.words], TRUTH)])


def _polygon(word: SceneWord) -> Any:
    return np.asarray(word.polygon, np.float32)


def show_described(described: Sequence[Described], console: Console) -> None:
    """The histograms of every source as bars."""
    for each in described:
        console.print(f"\n[bold]{each.part.name}[/bold] ({each.counted})", highlight=False)
        for histogram in each.histograms:
            table = Table(title=histogram.title, title_justify="left", box=None, pad_edge=False, show_header=False)
            most = max(histogram.counts, default=0) or 1
            for label, count, share in zip(histogram.labels, histogram.counts, histogram.shares(), strict=True):
                table.add_row(label, f"{count:,}", f"{100 * share:.1f} %", "█" * round(BAR * count / most))
            console.print(table, markup=False)


def write_stats_page(path: Path, described: Sequence[Described], findings: Sequence[Finding]) -> Path:
    """Everything on one page: what the sets are, what cannot be learnt, histograms and samples."""
    manifests = [_manifest(each.part) for each in described]
    rows = [
        (f.source, f.reason, f.effect, f.count, _percent(f), ", ".join(map(printable, f.examples))) for f in findings
    ]
    columns = ("Source", "What", "Training", "Count", "Share", "Examples")
    head = [page.section("Data", page.data_table(manifests))]
    if rows:
        head.append(page.section("Labels and pictures", page.table(columns, rows)))
    sections = [page.section(f"{each.part.name}: {each.counted}", *_source(each)) for each in described]
    names = " + ".join(each.part.name for each in described)
    lead = "What a training run would see: counts, shapes and samples of every source."
    return page.write_page(path, page.page(f"Data: {names}", lead, *head, *sections))


def _manifest(part: Part) -> dict[str, Any]:
    if isinstance(part.set, WordSet | SceneSet):
        manifest = part.set.manifest
        return {
            k: getattr(manifest, k)
            for k in ("name", "task", "split", "kind", "count", "dropped", "source", "fingerprint")
        }
    shown = {"count": len(part.set), "dropped": {}, "source": "made while training, without end"}
    return {k: getattr(part.set, k) for k in ("name", "task", "split", "kind", "fingerprint")} | shown


def _percent(finding: Finding) -> str:
    return f"{100 * finding.count / finding.of:.1f} %" if finding.of else "–"


def _source(each: Described) -> list[page.Html]:
    bars = [_bars(histogram) for histogram in each.histograms]
    if not each.samples:
        return bars
    images, captions = zip(*each.samples, strict=True)
    cell = (200, 80) if each.part.set.task == "recognition" else (420, 320)
    sheet = contact_sheet(images, [printable(caption) for caption in captions], cell=cell)
    return [page.picture(sheet, "samples from all over the set"), *bars]


def _bars(histogram: Histogram) -> page.Html:
    most = max(histogram.counts, default=0) or 1
    rows = [
        (label, count, f"{100 * share:.1f} %", "█" * round(BAR * count / most))
        for label, count, share in zip(histogram.labels, histogram.counts, histogram.shares(), strict=True)
    ]
    return page.table((histogram.title, "Count", "Share", ""), rows)
