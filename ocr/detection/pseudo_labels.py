"""Weak supervision (Baek et al., CVPR 2019, section 3.2.2): character boxes for words of which only the box and the text are known.

Every waiting word of a batch is read by the teacher as an upright crop, its region score is split into characters, and the
region and affinity maps of those characters are drawn into the batch together with the confidence

    s_conf(w) = (l - min(l, |l - l_c|)) / l

of a word of l characters (spaces are none) in which l_c were found.  Below .5 the split is thrown away for l pieces of equal
width, and s_conf is set to .5.

Inside a word's polygon the confidence map is s_conf(w); where words overlap, the smaller confidence counts, so that an ignored
word stays ignored, and the larger score.  The Gaussians reach a little beyond the polygon, as they do for known characters.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import nn

from ocr.detection.craft import normalise
from ocr.detection.score_maps import Maps, add_words
from ocr.detection.splitting import Split, Splitter
from ocr.geometry import polygon_mask, transform
from ocr.types import Image, Quads, SceneBatch, WeakWord

_WIDTH_STEP = 32
_BUCKET_RATIO = 1.3
_BUCKET_PIXELS = 1 << 19


@dataclass(frozen=True, slots=True)
class LabelStatistics:
    """How the words of one batch were labelled; rates are shares of ``words`` (0 where there was none)."""

    words: int
    confidence: float
    fallbacks: float
    exact: float


def label_weak_words(batch: SceneBatch, teacher: nn.Module, splitter: Splitter) -> LabelStatistics:
    """Fill maps and confidence of ``batch.weak`` into the batch, in place and on its device.

    ``teacher`` is a CRAFT network in evaluation mode; the caller decides on autocast.
    """
    if not batch.weak:
        return LabelStatistics(0, 0.0, 0.0, 0.0)
    if splitter.needs_scores:
        regions = _region_maps([w.crop for w in batch.weak], teacher)
    else:
        regions = [np.zeros(_map_size(w.crop), np.float32) for w in batch.weak]
    splits = [splitter(region, word.text) for region, word in zip(regions, batch.weak, strict=True)]
    _splice(batch, splits)
    lengths = [sum(not c.isspace() for c in w.text) for w in batch.weak]
    return LabelStatistics(
        words=len(splits),
        confidence=float(np.mean([s.confidence for s in splits])),
        fallbacks=float(np.mean([s.fallback for s in splits])),
        exact=float(np.mean([s.found == length for s, length in zip(splits, lengths, strict=True)])),
    )


def character_quads(split: Split, word: WeakWord) -> Quads:
    """The split's boxes (n, 4, 2) in coordinates of the sample's map."""
    left, top, right, bottom = 2 * split.boxes.T
    corners = np.stack([left, top, right, top, right, bottom, left, bottom], axis=1).reshape(-1, 4, 2)
    return transform(word.to_map, corners)


def _splice(batch: SceneBatch, splits: list[Split]) -> None:
    by_sample: dict[int, list[tuple[WeakWord, Split]]] = {}
    for word, split in zip(batch.weak, splits, strict=True):
        by_sample.setdefault(word.sample, []).append((word, split))
    for sample, labelled in by_sample.items():
        maps_2hw = batch.maps_B2hw[sample].cpu().numpy()
        trust_hw = batch.trust_Bhw[sample].cpu().numpy()
        add_words(maps_2hw, [character_quads(split, word) for word, split in labelled])
        for word, split in labelled:
            inside = polygon_mask(trust_hw.shape, [word.polygon]).view(bool)
            trust_hw[inside] = np.minimum(trust_hw[inside], split.confidence)
        batch.maps_B2hw[sample] = torch.from_numpy(maps_2hw)
        batch.trust_Bhw[sample] = torch.from_numpy(trust_hw)


@torch.no_grad()
def _region_maps(crops: list[Image], teacher: nn.Module) -> list[Maps]:
    """The teacher's region score (h, w) of every crop at half its size, in a few forwards over crops of similar width."""
    device = next(teacher.parameters()).device
    regions: dict[int, Maps] = {}
    for members in _buckets(crops):
        height = crops[members[0]].shape[0]
        width = -(-max(crops[i].shape[1] for i in members) // _WIDTH_STEP) * _WIDTH_STEP
        padded = [_widened(crops[i], width) for i in members]
        images_BCHW = torch.from_numpy(np.stack(padded)).to(device).permute(0, 3, 1, 2)
        scores_B2hw, _ = teacher(normalise(images_BCHW))
        region_Bhw = scores_B2hw[:, 0].float().cpu().numpy()
        for i, region in zip(members, region_Bhw, strict=True):
            regions[i] = region[: height // 2, : _map_size(crops[i])[1]]
    return [regions[i] for i in range(len(crops))]


def _buckets(crops: list[Image]) -> Iterator[list[int]]:
    """Indices of crops of one height and similar width, as many as go into one forward."""
    members: list[int] = []
    narrowest = (0, 0)
    for i in sorted(range(len(crops)), key=lambda i: crops[i].shape[:2]):
        height, width = crops[i].shape[:2]
        limit = max(narrowest[1] * _BUCKET_RATIO, narrowest[1] + _WIDTH_STEP)
        full = (len(members) + 1) * height * width > _BUCKET_PIXELS
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


def _map_size(crop: Image) -> tuple[int, int]:
    return crop.shape[0] // 2, -(-crop.shape[1] // 2)
