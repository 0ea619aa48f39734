"""Region scores of single words as a teacher sees them: read word by word from their crops, or all at once in the whole picture."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
import torch
from torch import nn

from ocr.detection.craft import normalise
from ocr.detection.score_maps import Maps
from ocr.detection.search import ScoreMaps
from ocr.types import Image, WeakWord

_WIDTH_STEP = 32
_BUCKET_RATIO = 1.15
_BUCKET_PIXELS = {"cpu": 1 << 17}
"""Most pixels of one forward: what a core's cache holds the features of; other devices want more at once."""
_MANY_PIXELS = 1 << 20


def size_in_map(word: WeakWord) -> tuple[int, int]:
    """Height and width of a word's window in pixels of the half-resolution map."""
    left, top, right, bottom = word.window
    return (bottom - top) // 2, (right - left) // 2


@torch.no_grad()
def read_words(words: list[WeakWord], teacher: nn.Module) -> list[Maps]:
    """The region score (h, w) of every word, without its surroundings, from a few forwards over crops of similar width.

    ``teacher`` is a CRAFT network in evaluation mode; the caller decides on autocast.
    """
    device = next(teacher.parameters()).device
    crops = [_crop(word) for word in words]
    regions: dict[int, Maps] = {}
    for members in _buckets(crops, _BUCKET_PIXELS.get(device.type, _MANY_PIXELS)):
        width = -(-max(crops[i].shape[1] for i in members) // _WIDTH_STEP) * _WIDTH_STEP
        padded = [_widened(crops[i], width) for i in members]
        images_BCHW = torch.from_numpy(np.stack(padded)).to(device).permute(0, 3, 1, 2)
        scores_B2hw, _ = teacher(normalise(images_BCHW))
        region_Bhw = scores_B2hw[:, 0].float().cpu().numpy()
        for i, region in zip(members, region_Bhw, strict=True):
            left, top, right, bottom = words[i].window
            regions[i] = region[top // 2 : bottom // 2, left // 2 : right // 2]
    return [regions[i] for i in range(len(words))]


def word_in_picture(word: WeakWord, stored: ScoreMaps) -> Maps:
    """The region score (h, w) of a word, as high and wide as :func:`read_words` gives it, cut out of its picture's map."""
    height, width = size_in_map(word)
    places = np.stack(np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5), axis=-1)
    in_map = word.to_picture(2 * places + word.window[:2]) * np.array(stored.scale, np.float32) - np.float32(0.5)
    # the picture's border goes on: a word that sticks out of it would lose its last character otherwise
    region: Maps = cv2.remap(stored.maps_2hw[0], in_map, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return region


def _crop(word: WeakWord) -> Image:
    assert word.crop is not None
    return word.crop


def _buckets(crops: list[Image], most: int) -> Iterator[list[int]]:
    """Indices of crops of one height and similar width, as many as go into one forward of ``most`` pixels."""
    members: list[int] = []
    narrowest = (0, 0)
    for i in sorted(range(len(crops)), key=lambda i: crops[i].shape[:2]):
        height, width = crops[i].shape[:2]
        limit = max(narrowest[1] * _BUCKET_RATIO, narrowest[1] + _WIDTH_STEP)
        full = (len(members) + 1) * height * width > most
        if members and (height != narrowest[0] or width > limit or full):
            yield members
            members = []
        if not members:
            narrowest = height, width
        members.append(i)
    if members:
        yield members


def _widened(crop: Image, width: int) -> Image:
    return cv2.copyMakeBorder(crop, 0, 0, 0, width - crop.shape[1], cv2.BORDER_REPLICATE)
