"""From a scene to what the detector trains on, in a worker process: picture, maps, confidence, words still to be labelled.

Both functions of :class:`SceneEncoder` depend on their arguments alone, so a batch is the same for any number of workers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from ocr.detection.augment import SceneAugment, fit, warp
from ocr.detection.score_maps import Maps, score_maps
from ocr.geometry import Matrix, bounding_quad, crop_quads, polygon_mask, rectify, side_lengths, transform
from ocr.types import Image, Points, Quads, Scene, SceneBatch, SceneWord, WeakWord

TO_MAP = np.diag([0.5, 0.5, 1.0])
"""From picture to map coordinates."""
_GRID = np.stack(np.meshgrid(*[(np.arange(20) + 0.5) / 20] * 2), axis=-1).reshape(-1, 2)


@dataclass(slots=True)
class SceneItem:
    """One training picture; ``weak`` words carry sample 0 until they are collated."""

    image: Image
    maps_2hw: Maps
    trust_hw: NDArray[np.float32]
    weak: list[WeakWord]
    key: str


class SceneEncoder:
    """Makes training items of ``size`` x ``size`` pixels.

    A strong scene gets its maps here.  In a weak one, maps stay 0 and every word that can be supervised becomes a
    :class:`~ocr.types.WeakWord`, cut upright from the untouched picture.  The confidence is 1 except in words that
    cannot teach anything, where it is 0: ignored words, words without transcription (or with spaces only), words without
    character boxes in a strong scene, degenerate quads, words lower than ``min_height`` pixels in the crop, and weak
    words with less than half of their area in the crop, or stacked ones, which the splitters cannot read yet.

    Polygons of more than four points are cut out by their minimum-area rectangle.

    Args:
        size: side of the training crop, a multiple of 32.
        augment: None takes the whole picture, scaled to fit.
        crop_height: height of a weak word's crop, a multiple of 16.  The authors' trainer is not public; 64 split real words best.
        max_crop_width: wider crops are squeezed to it.
        min_height: least height of a word in the crop, pixels.
    """

    def __init__(
        self,
        size: int,
        augment: SceneAugment | None = None,
        crop_height: int = 64,
        max_crop_width: int = 1024,
        min_height: float = 5.0,
    ) -> None:
        if size < 32 or size % 32:
            raise ValueError(f"the detector's training size is {size}: give a multiple of 32")
        if crop_height < 16 or crop_height % 16:
            raise ValueError(f"crop_height is {crop_height}: give a multiple of 16")
        self.size = size
        self.augment = augment
        self.crop_height = crop_height
        self.max_crop_width = max_crop_width
        self.min_height = min_height

    def train(self, scene: Scene, rng: np.random.Generator) -> SceneItem:
        """One training item; the random draws come from ``rng`` only."""
        if self.augment is None:
            matrix = fit(scene.image, self.size)
            image = warp(scene.image, matrix, self.size)
        else:
            matrix = self.augment.place(scene, self.size, rng)
            image = self.augment.recolour(warp(scene.image, matrix, self.size), rng)
        characters: list[Quads] = []
        weak: list[WeakWord] = []
        silent: list[Points] = []
        shape = (self.size // 2, self.size // 2)
        for word in scene.words:
            polygon = transform(TO_MAP @ matrix, word.polygon)
            if not _touches(polygon, shape):
                continue
            if scene.label_kind == "char" and self._can_train(word, matrix):
                assert word.characters is not None
                characters.append(crop_quads(word.characters, TO_MAP @ matrix))
            elif scene.label_kind == "word" and (found := self._weak_word(scene.image, word, matrix)) is not None:
                weak.append(found)
            else:
                silent.append(polygon)
        trust_hw = 1 - polygon_mask(shape, silent).astype(np.float32)
        return SceneItem(image, score_maps(shape, characters), trust_hw, weak, scene.key)

    def collate(self, items: Sequence[SceneItem]) -> SceneBatch:
        """A batch of items; weak words learn the number of their sample."""
        images_BHWC = np.stack([item.image for item in items])
        weak = [
            WeakWord(sample, w.text, w.crop, w.to_map, w.polygon)
            for sample, item in enumerate(items)
            for w in item.weak
        ]
        return SceneBatch(
            images_BCHW=torch.from_numpy(images_BHWC).permute(0, 3, 1, 2),
            maps_B2hw=torch.from_numpy(np.stack([item.maps_2hw for item in items])),
            trust_Bhw=torch.from_numpy(np.stack([item.trust_hw for item in items])),
            keys=[item.key for item in items],
            weak=weak,
        )

    def _can_train(self, word: SceneWord, matrix: Matrix) -> bool:
        if word.ignore or not (word.text or "").strip() or word.characters is None or not len(word.characters):
            return False
        return self._tall_enough(transform(matrix, bounding_quad(word.polygon)))

    def _weak_word(self, image: Image, word: SceneWord, matrix: Matrix) -> WeakWord | None:
        """The word as a crop of the untouched picture, or None when it cannot be supervised."""
        text = (word.text or "").strip()
        if word.ignore or not text or word.direction == "stacked":
            return None
        quad = bounding_quad(word.polygon)
        placed = transform(matrix, quad)
        if not self._tall_enough(placed) or visible_share(placed, self.size) < 0.5:
            return None
        try:
            crop, to_picture = rectify(image, quad, self.crop_height, self.max_crop_width)
        except ValueError:
            return None
        return WeakWord(0, text, crop, TO_MAP @ matrix @ to_picture, transform(TO_MAP @ matrix, word.polygon))

    def _tall_enough(self, quad: Points) -> bool:
        return min(side_lengths(quad)) >= self.min_height


def visible_share(quad: Points, size: int) -> float:
    """About how much of a quad's area lies inside a crop: the share of 400 points spread over it that do."""
    x, y = _GRID[:, :1], _GRID[:, 1:]
    points = (1 - y) * ((1 - x) * quad[0] + x * quad[1]) + y * ((1 - x) * quad[3] + x * quad[2])
    return float(((points >= 0) & (points < size)).all(axis=1).mean())


def _touches(polygon: Points, shape: tuple[int, int]) -> bool:
    low, high = polygon.min(axis=0), polygon.max(axis=0)
    return bool((high > 0).all() and low[0] < shape[1] and low[1] < shape[0])
