"""Watching weak supervision: one line when weak words are held back or return, and a sheet of the same words' pseudo labels over time.

The paper shows the latter for one word (Baek et al., CVPR 2019, figure 5).
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytorch_lightning as pl
import torch
from rich.console import Console

from ocr.detection.module import DetectionModule
from ocr.detection.splitting import Split
from ocr.detection.word_regions import read_words, size_in_map
from ocr.draw import contact_sheet, draw_polygons, overlay
from ocr.geometry import signed_area
from ocr.run.logging import Journal
from ocr.types import Image, Quads, SceneBatch, WeakWord

COLUMNS = 8
"""Moments on a sheet: the first one and the last ones."""
CELL = (220, 80)
GREEN = (60, 220, 60)
ORANGE = (255, 150, 40)


class LabelWatch(pl.Callback):
    """Follows a few of the first weak words that a run sees.

    Args:
        journal: of the run.
        console: for the lines.
        every: steps between moments; the step that completes the words to follow is one, too.
        most: words to follow; 0: no sheet.
    """

    def __init__(self, journal: Journal, console: Console, every: int, most: int) -> None:
        self.journal = journal
        self.console = console
        self.every = every
        self.most = most
        self.words: dict[str, WeakWord] = {}
        self.moments: list[tuple[list[Image], list[str]]] = []
        self._held_back = False

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Tell when the floor has been crossed; follow the words."""
        if not isinstance(pl_module, DetectionModule) or not isinstance(batch, SceneBatch):
            return
        self._tell(pl_module, trainer.global_step)
        self._follow(batch)
        step = trainer.global_step
        complete = len(self.words) == self.most and not self.moments
        if self.words and (complete or step % self.every == 0):
            self._add_moment(pl_module, step)
            self.journal.picture(step, "pseudo_labels", self.sheet())

    def _tell(self, module: DetectionModule, step: int) -> None:
        quality = module.label_quality
        if quality.held_back == self._held_back:
            return
        self._held_back = quality.held_back
        measured = "share of right characters" if "characters" in quality.values else "mean confidence"
        line = f"step {step}: pseudo labels: {measured} {quality.quality:.2f}, floor {quality.floor:.2f}: "
        told = "weak words are held back from the loss" if self._held_back else "weak words train again"
        self.console.print(line + told, style="yellow" if self._held_back else None, highlight=False)

    def _follow(self, batch: SceneBatch) -> None:
        """Take up words until the first moment: the largest of every picture first."""
        if self.moments or len(self.words) >= self.most:
            return
        ranked = []
        for picture in (p for p in batch.weak if not p.probe):
            readable = [word for word in picture.words if word.crop is not None]
            readable.sort(key=lambda word: -abs(signed_area(word.polygon)))
            ranked += [(rank, f"{picture.key}#{word.place}", word) for rank, word in enumerate(readable)]
        ranked.sort(key=lambda entry: entry[:2])
        self.words.update({name: word for _, name, word in ranked[: self.most - len(self.words)]})

    def _add_moment(self, module: DetectionModule, step: int) -> None:
        words = list(self.words.values())
        regions = [np.zeros(size_in_map(word), np.float32) for word in words]
        if module.labeller.splitter.needs_scores:
            regions = read_words(words, module.teacher.network)
        splits = [module.labeller.splitter(region, word.text) for region, word in zip(regions, words, strict=True)]
        tiles = [_tile(word, region, split) for word, region, split in zip(words, regions, splits, strict=True)]
        captions = [f"{step:,}: {split.confidence:.2f} {w.text}" for w, split in zip(words, splits, strict=True)]
        self.moments = [*self.moments[:1], *self.moments[1:][-(COLUMNS - 2) :], (tiles, captions)]

    def sheet(self) -> Image:
        """One row for every word, one column for every moment."""
        rows = range(len(self.words))
        tiles = [tiles[i] for i in rows for tiles, _ in self.moments]
        captions = [captions[i] for i in rows for _, captions in self.moments]
        return contact_sheet(tiles, captions, columns=len(self.moments), cell=CELL)

    def state_dict(self) -> dict[str, Any]:
        """The words and what was seen of them, so that a resumed run goes on with its sheet."""
        words = [
            {"key": key, "text": w.text, "window": list(w.window), "crop": torch.from_numpy(np.asarray(w.crop))}
            for key, w in self.words.items()
        ]
        moments = [{"tiles": [torch.from_numpy(t) for t in tiles], "captions": list(c)} for tiles, c in self.moments]
        return {"words": words, "moments": moments, "held_back": self._held_back}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on."""
        nowhere = np.zeros((0, 2), np.float32)
        self.words = {
            w["key"]: WeakWord(0, w["text"], nowhere, tuple(w["window"]), np.asarray, w["crop"].numpy())
            for w in state_dict["words"]
        }
        self.moments = [([t.numpy() for t in m["tiles"]], list(m["captions"])) for m in state_dict["moments"]]
        self._held_back = state_dict["held_back"]


def _tile(word: WeakWord, region: np.ndarray, split: Split) -> Image:
    """The word under its region score with its pseudo labels: green, or orange where they are a fallback."""
    assert word.crop is not None
    left, top, right, bottom = word.window
    image = overlay(np.ascontiguousarray(word.crop[top:bottom, left:right]), region)
    x0, y0, x1, y1 = 2 * split.boxes.T
    quads: Quads = np.stack([x0, y0, x1, y0, x1, y1, x0, y1], axis=1).reshape(-1, 4, 2)
    tile = draw_polygons(image, [(list(quads), ORANGE if split.fallback else GREEN)])
    scale = min(CELL[0] / tile.shape[1], CELL[1] / tile.shape[0])
    size = max(1, int(tile.shape[1] * scale)), max(1, int(tile.shape[0] * scale))
    small: Image = cv2.resize(tile, size, interpolation=cv2.INTER_AREA)
    return small
