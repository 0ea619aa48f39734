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
_CACHED_PIXELS, _MANY_PIXELS = 1 << 17, 1 << 20
"""Most pixels of one forward: on a CPU what a core's cache holds the features of; other devices want more at once."""


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
    on_cpu = device.type == "cpu"
    for width, members in _buckets(crops, _CACHED_PIXELS if on_cpu else _MANY_PIXELS, by_twos=on_cpu):
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


def _buckets(crops: list[Image], most: int, by_twos: bool) -> Iterator[tuple[int, list[int]]]:
    """Widths, and the indices of crops of one height that are widened to them: as many as go into one forward of ``most`` pixels.

    There are few widths, and ``by_twos`` the number of crops is a power of two.  On a CPU every layer is compiled for every shape: the
    code of a thousand is kept, and what is dropped for more leaves holes in the heap (experiments/LOG.md).
    """
    alike: dict[tuple[int, int], list[int]] = {}
    for i, crop in enumerate(crops):
        alike.setdefault((crop.shape[0], _wide(crop.shape[1])), []).append(i)
    for (height, width), members in sorted(alike.items()):
        while members:
            count = min(len(members), max(1, most // (height * width)))
            if by_twos:
                count = 1 << (count.bit_length() - 1)
            yield width, members[:count]
            members = members[count:]


def _wide(width: int) -> int:
    """The next of the widths 32, 64, 96, …, 256, 320, 384, 480, 576, …: multiples of 32, from 128 on at most a quarter apart."""
    wide = _WIDTH_STEP
    while wide < width:
        wide += max(1, wide // 4 // _WIDTH_STEP) * _WIDTH_STEP
    return wide


def _widened(crop: Image, width: int) -> Image:
    return cv2.copyMakeBorder(crop, 0, 0, 0, width - crop.shape[1], cv2.BORDER_REPLICATE)
