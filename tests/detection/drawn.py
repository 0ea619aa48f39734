"""Drawn scenes and words whose characters are known, and stand-ins for a trained network."""

import cv2
import numpy as np
import torch

from ocr.detection.score_maps import score_maps
from ocr.types import Scene, SceneWord

FONT = cv2.FONT_HERSHEY_SIMPLEX


def draw_word(image, text, left, top, cell=(14, 22), colour=(255, 255, 255)):
    """Draw ``text`` one character per cell; returns the word's polygon and its character quads."""
    width, height = cell
    quads = []
    for i, character in enumerate(text):
        x = left + i * width
        if character.isspace():
            continue
        scale = height / 30
        (w, h), _ = cv2.getTextSize(character, FONT, scale, 2)
        cv2.putText(
            image,
            character,
            (int(x + (width - w) / 2), int(top + (height + h) / 2)),
            FONT,
            scale,
            colour,
            2,
            cv2.LINE_AA,
        )
        quads.append([[x, top], [x + width, top], [x + width, top + height], [x, top + height]])
    right, bottom = left + len(text) * width, top + height
    polygon = np.array([[left, top], [right, top], [right, bottom], [left, bottom]], np.float32)
    return polygon, np.array(quads, np.float32)


def draw_scene(rng, words=("REGION", "LINK", "TEXT", "MAPS"), size=(192, 256), kind="char", key="drawn/0"):
    """A noisy picture with one word per row."""
    background, ink = (30, 220) if rng.random() < 0.5 else (220, 30)
    image = np.clip(rng.normal(background, 8, (*size, 3)), 0, 255).astype(np.uint8)
    labelled = []
    for row, text in enumerate(words):
        left = int(rng.integers(5, size[1] - 14 * len(text) - 5))
        polygon, quads = draw_word(image, text, left, 10 + row * (size[0] - 20) // len(words), colour=(ink,) * 3)
        labelled.append(SceneWord(polygon, text, characters=quads if kind == "char" else None))
    return Scene(image, labelled, key, kind)


class Painted(torch.nn.Module):
    """A network that knows the answer: the perfect maps of pictures whose red channel encodes which picture they are.

    It finds characters as connected white areas, one quad for each (the upright box around it).
    """

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.seen = []

    def forward(self, images_BCHW):
        self.seen.append(tuple(images_BCHW.shape))
        maps = []
        for image in images_BCHW:
            white = (image.amin(0) > 1.5).numpy().astype(np.uint8)
            count, _, boxes, _ = cv2.connectedComponentsWithStats(white)
            order = sorted(range(1, count), key=lambda i: boxes[i][0])
            quads = (
                [[[x, y], [x + w, y], [x + w, y + h], [x, y + h]] for x, y, w, h, _ in boxes[order]] if order else []
            )
            quads = np.array(quads, np.float32).reshape(-1, 4, 2) / 2
            maps.append(score_maps((white.shape[0] // 2, white.shape[1] // 2), [quads]))
        scores = torch.from_numpy(np.stack(maps))
        return scores + 0 * self.weight, scores
