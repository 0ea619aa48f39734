"""From a scene to what the detector trains on, in a worker process: picture, maps, confidence, words still to be labelled.

Both functions of :class:`SceneEncoder` depend on their arguments alone, so a batch is the same for any number of workers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from ocr.detection.augment import SceneAugment, fit, warp
from ocr.detection.score_maps import Maps, score_maps
from ocr.detection.word_crops import word_frame
from ocr.geometry import Matrix, bounding_quad, crop_quads, polygon_mask, side_lengths, transform
from ocr.types import Image, Points, Quads, Scene, SceneBatch, SceneWord, WeakPicture, WeakWord

TO_MAP = np.diag([0.5, 0.5, 1.0])
"""From picture to map coordinates."""
_GRID = np.stack(np.meshgrid(*[(np.arange(20) + 0.5) / 20] * 2), axis=-1).reshape(-1, 2)


@dataclass(slots=True)
class SceneItem:
    """One training picture; ``weak`` carries sample 0 until it is collated."""

    image: Image
    maps_2hw: Maps
    trust_hw: NDArray[np.float32]
    weak: WeakPicture | None
    key: str


class SceneEncoder:
    """Makes training items of ``size`` x ``size`` pixels.

    A strong scene gets its maps here.  In a weak one, maps stay 0 and every word that can be supervised becomes a
    :class:`~ocr.types.WeakWord`; those at least half inside the training crop are cut out, upright, from the untouched picture.  The
    confidence is 1 except in words that cannot teach anything, where it is 0: ignored words, words without transcription (or with
    spaces only), words without character boxes in a strong scene, words without area, words lower than ``min_height`` pixels in the
    crop, and weak words with less than half of their area in the crop or in the picture, or stacked ones, which the splitters
    cannot read yet.

    Args:
        size: side of the training crop, a multiple of 32.
        augment: None takes the whole picture, scaled to fit.
        crop_height: height of a weak word's crop, a multiple of 16.
        margin: of the picture around the word in its crop, shares of the word's height.
        max_crop_width: wider crops are squeezed to it.
        min_height: least height of a word in the crop, pixels.
        whole_pictures: hand on untouched weak pictures as well, so that they can be read as a whole.
        probes: words of every strong picture that are handed on as if they were weak, to measure the labels.
    """

    def __init__(
        self,
        size: int,
        augment: SceneAugment | None = None,
        crop_height: int = 96,
        margin: float = 0.25,
        max_crop_width: int = 1024,
        min_height: float = 5.0,
        whole_pictures: bool = False,
        probes: int = 0,
    ) -> None:
        if size < 32 or size % 32:
            raise ValueError(f"the detector's training size is {size}: give a multiple of 32")
        if crop_height < 16 or crop_height % 16:
            raise ValueError(f"crop_height is {crop_height}: give a multiple of 16")
        if not 0 <= margin <= 1:
            raise ValueError(f"margin is {margin}: give a share of the word's height from 0 to 1")
        self.size = size
        self.augment = augment
        self.crop_height = crop_height
        self.margin = margin
        self.max_crop_width = max_crop_width
        self.min_height = min_height
        self.whole_pictures = whole_pictures
        self.probes = probes

    def train(self, scene: Scene, rng: np.random.Generator) -> SceneItem:
        """One training item; the random draws come from ``rng`` only."""
        image, matrix = self.view(scene, rng)
        characters: list[Quads] = []
        weak: list[WeakWord] = []
        silent: list[Points] = []
        shape = (self.size // 2, self.size // 2)
        for place, word in enumerate(scene.words):
            polygon = transform(TO_MAP @ matrix, word.polygon)
            touches = _touches(polygon, shape)
            taught = False
            if scene.label_kind == "char" and touches and self._can_train(word, matrix):
                assert word.characters is not None
                characters.append(crop_quads(word.characters, TO_MAP @ matrix))
                taught = True
            elif scene.label_kind == "word" and (touches or self.whole_pictures):
                found = self._weak_word(scene.image, place, word, matrix)
                weak += [found] if found is not None else []
                taught = found is not None and found.crop is not None
            if touches and not taught:
                silent.append(polygon)
        trust_hw = 1 - polygon_mask(shape, silent).astype(np.float32)
        picture = WeakPicture(0, scene.key, TO_MAP @ matrix, weak) if weak else None
        if picture is not None and self.whole_pictures:
            picture.image = scene.image
        if scene.label_kind == "char" and self.probes:
            picture = self._probe(scene, matrix, rng)
        return SceneItem(image, score_maps(shape, characters), trust_hw, picture, scene.key)

    def view(self, scene: Scene, rng: np.random.Generator) -> tuple[Image, Matrix]:
        """The augmented crop of a scene, and the homography that takes picture coordinates there."""
        if self.augment is None:
            matrix = fit(scene.image, self.size)
            return warp(scene.image, matrix, self.size), matrix
        matrix = self.augment.place(scene, self.size, rng)
        return self.augment.recolour(warp(scene.image, matrix, self.size), rng), matrix

    def collate(self, items: Sequence[SceneItem]) -> SceneBatch:
        """A batch of items; weak pictures learn the number of their sample."""
        images_BHWC = np.stack([item.image for item in items])
        return SceneBatch(
            images_BCHW=torch.from_numpy(images_BHWC).permute(0, 3, 1, 2),
            maps_B2hw=torch.from_numpy(np.stack([item.maps_2hw for item in items])),
            trust_Bhw=torch.from_numpy(np.stack([item.trust_hw for item in items])),
            keys=[item.key for item in items],
            weak=[replace(item.weak, sample=i) for i, item in enumerate(items) if item.weak is not None],
        )

    def _can_train(self, word: SceneWord, matrix: Matrix) -> bool:
        if word.ignore or not (word.text or "").strip() or word.characters is None or not len(word.characters):
            return False
        return self._tall_enough(transform(matrix, bounding_quad(word.polygon)))

    def _weak_word(self, image: Image, place: int, word: SceneWord, matrix: Matrix) -> WeakWord | None:
        """The word as it is known, with its crop if it is to be read; None when it cannot be supervised."""
        text = (word.text or "").strip()
        if word.ignore or not text or word.direction == "stacked":
            return None
        frame = word_frame(word.polygon, self.crop_height, self.margin, self.max_crop_width)
        quad = bounding_quad(word.polygon)
        if frame is None or visible_share(quad, image.shape[1], image.shape[0]) < 0.5:
            return None
        found = WeakWord(place, text, word.polygon, frame.window, frame.to_picture)
        placed = transform(matrix, quad)
        if self._tall_enough(placed) and visible_share(placed, self.size, self.size) >= 0.5:
            found.crop = frame.cut(image)
        elif not self.whole_pictures:
            return None
        return found

    def _probe(self, scene: Scene, matrix: Matrix, rng: np.random.Generator) -> WeakPicture | None:
        """A few words of a strong scene, drawn among those that train, as weak words that know the truth."""
        known = [i for i, word in enumerate(scene.words) if self._can_train(word, matrix)]
        words = []
        for place in rng.permutation(known)[: self.probes].tolist():
            word = scene.words[place]
            found = self._weak_word(scene.image, place, word, matrix)
            if found is not None and found.crop is not None:
                words.append(replace(found, characters=word.characters))
        return WeakPicture(0, scene.key, TO_MAP @ matrix, words, probe=True) if words else None

    def _tall_enough(self, quad: Points) -> bool:
        return min(side_lengths(quad)) >= self.min_height


def visible_share(quad: Points, width: int, height: int) -> float:
    """About how much of a quad's area lies inside a picture: the share of 400 points spread over it that do."""
    x, y = _GRID[:, :1], _GRID[:, 1:]
    points = (1 - y) * ((1 - x) * quad[0] + x * quad[1]) + y * ((1 - x) * quad[3] + x * quad[2])
    return float(((points >= 0) & (points < (width, height))).all(axis=1).mean())


def _touches(polygon: Points, shape: tuple[int, int]) -> bool:
    low, high = polygon.min(axis=0), polygon.max(axis=0)
    return bool((high > 0).all() and low[0] < shape[1] and low[1] < shape[0])
