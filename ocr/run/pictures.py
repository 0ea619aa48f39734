"""Sheets of samples that show what a run trains on and what it finds: saved beside the rows, for people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytorch_lightning as pl

from ocr.detection.detector import Detector
from ocr.detection.module import DetectionModule
from ocr.detection.words import find_words
from ocr.draw import contact_sheet, draw_matches, overlay
from ocr.metrics.words import WordRow
from ocr.recognition.module import RecognitionModule
from ocr.run.logging import Journal
from ocr.run.tracking import Mistake
from ocr.types import Image, Scene, SceneBatch, Word, WordBatch

WORDS_PER_SCENE = 6
"""A word takes less room on a sheet than a scene: so many more of them are shown."""


class Pictures(pl.Callback):
    """At every validation a sheet of what was found; at it and at the first step a sheet of what was trained on.

    Args:
        journal: of the run.
        protocol: says what counts as found or read.
        every: steps between validations.
        most: scenes of a sheet (of words, six times as many); 0: no sheets.
    """

    def __init__(self, journal: Journal, protocol: Any, every: int, most: int) -> None:
        self.journal = journal
        self.protocol = protocol
        self.every = every
        self.most = most
        self._scenes: list[Scene] = []
        self._words: dict[bool, list[tuple[Word, WordRow]]] = {}
        self._seen = 0

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """The batch as the network saw it; pseudo labels are in its maps by now."""
        step = trainer.global_step
        if self.most and (step == 1 or step % self.every == 0):
            sheet = scene_batch_sheet if isinstance(batch, SceneBatch) else word_batch_sheet
            self.journal.picture(step, "training", sheet(batch, self.most))

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Forget the last one."""
        self._scenes, self._words, self._seen = [], {False: [], True: []}, 0

    def on_validation_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Keep scenes from all over the validation samples; of words the first that were read wrong, and right."""
        if isinstance(pl_module, RecognitionModule):
            readings = pl_module.validated[-1]
            for word, (_, reading) in zip(batch, readings, strict=True):
                row = self.protocol.row(word.text, reading, word.key)
                self._words[row.correct].append((word, row))
            self._words = {correct: kept[: self.most * WORDS_PER_SCENE] for correct, kept in self._words.items()}
        else:
            total = len(trainer.datamodule.validation) // trainer.world_size  # type: ignore[attr-defined]
            wanted = set(np.linspace(0, total - 1, self.most).astype(int).tolist())
            self._scenes += [scene for i, scene in enumerate(batch, self._seen) if i in wanted]
            self._seen += len(batch)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """What the deployed detector finds in these scenes, or what was read, the wrong words first."""
        words = [*self._words[False], *self._words[True]][: self.most * WORDS_PER_SCENE]
        if words:
            self.journal.picture(trainer.global_step, "validation", word_sheet(words))
            self.journal.mistakes(trainer.global_step, "validation", word_mistakes(self._words[False]))
        elif self._scenes and isinstance(pl_module, DetectionModule):
            sheet, mistakes = scene_sheet(pl_module.deployable(), self._scenes, self.protocol)
            self.journal.picture(trainer.global_step, "validation", sheet)
            self.journal.mistakes(trainer.global_step, "validation", mistakes)


def scene_batch_sheet(batch: SceneBatch, most: int) -> Image:
    """Per training picture: the augmented input, the region map over it, and the confidence map over it."""
    images, captions = [], []
    for i, key in enumerate(batch.keys[:most]):
        image = _picture(batch.images_BCHW[i])
        weak = sum(w.crop is not None for p in batch.weak if p.sample == i and not p.probe for w in p.words)
        region, trust = batch.maps_B2hw[i, 0].cpu().numpy(), batch.trust_Bhw[i].cpu().numpy()
        images += [image, overlay(image, region), overlay(image, trust, strength=0.5)]
        captions += [key, f"{weak} pseudo labels" if weak else "region", "confidence"]
    return contact_sheet(images, captions, columns=3, cell=(320, 320))


def word_batch_sheet(batch: WordBatch, most: int) -> Image:
    """The augmented inputs with their labels."""
    images = [_picture(image) for image in batch.images_BCHW[: most * WORDS_PER_SCENE]]
    return contact_sheet(images, batch.texts[: len(images)], cell=(200, 64))


def scene_sheet(detector: Detector, scenes: Sequence[Scene], protocol: Any) -> tuple[Image, list[Mistake]]:
    """Per scene: boxes found (green) over the truth (blue found, orange missed), and the region score over the picture.

    Also those of the first kind that show a mistake, worst first.
    """
    images, captions, mistakes = [], [], []
    for scene, stored in zip(scenes, detector.score_maps([s.image for s in scenes]), strict=True):
        found = find_words(stored.maps_2hw, detector.thresholds, stored.scale)
        row = protocol.row(found, scene.words, scene.key)
        drawn = draw_matches(scene.image, found, scene.words, [w.found for w in row.words])
        images += [drawn, overlay(scene.image, stored.maps_2hw[0])]
        captions += [scene.key, f"{row.matches} of {row.cared_truth} found, {row.cared_detections} boxes"]
        missed = row.cared_truth - row.recall_credit
        wrong = row.cared_detections - row.precision_credit
        if missed or wrong:
            mistakes.append(Mistake(drawn, {"key": scene.key, "missed": missed, "wrong": wrong, "of": row.cared_truth}))
    mistakes.sort(key=lambda mistake: -mistake.values["missed"] - mistake.values["wrong"])
    return contact_sheet(images, captions, columns=2, cell=(560, 420)), mistakes


def word_mistakes(words: Sequence[tuple[Word, WordRow]]) -> list[Mistake]:
    """Words that were read wrong, the surest first."""
    rows = sorted(words, key=lambda pair: -pair[1].confidence)
    return [
        Mistake(word.image, {"truth": row.truth, "read": row.prediction, "confidence": row.confidence, "key": row.key})
        for word, row in rows
    ]


def word_sheet(words: Sequence[tuple[Word, WordRow]]) -> Image:
    """Words with what was read, and the truth behind it where that was wrong."""
    captions = [
        row.prediction if row.correct else f"{row.prediction or 'nothing'} (not {row.truth})" for _, row in words
    ]
    return contact_sheet([word.image for word, _ in words], captions, cell=(200, 64))


def _picture(image_CHW: Any) -> Image:
    pixels = image_CHW.permute(1, 2, 0).cpu().numpy()
    return np.ascontiguousarray(np.repeat(pixels, 3, axis=2) if pixels.shape[2] == 1 else pixels)
