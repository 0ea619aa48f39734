"""Weak supervision (Baek et al., CVPR 2019, section 3.2.2): character boxes for words of which only the box and the text are known.

A word is read by the teacher as an upright crop of the untouched picture, its region score is split into characters, and the region and
affinity maps of those characters are drawn into the batch together with the confidence

    s_conf(w) = (l - min(l, |l - l_c|)) / l

of a word of l characters (spaces are none) in which l_c were found.  Below .5 the split is a fallback, and s_conf is set to .5.

Labels live in picture coordinates and are moved by every sample's own transform, so they can be kept while the teacher changes little
(:mod:`ocr.detection.label_cache`).  When a picture's entry is renewed, the whole picture is read too, where that is asked for, and of both
labels of a word the one with the smaller error in the number of characters is kept (as the first author advised in a reply), then the
more confident one.

Inside a word's polygon the confidence map is s_conf(w); where words overlap, the smaller confidence counts, so that an ignored
word stays ignored, and the larger score.  The Gaussians reach a little beyond the polygon, as they do for known characters.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import nn

from ocr.detection.label_cache import CachedPicture, Label, LabelCache
from ocr.detection.score_maps import Maps, add_words
from ocr.detection.search import ScoreMaps
from ocr.detection.splitting import Split, Splitter
from ocr.detection.word_regions import read_words, size_in_map, word_in_picture
from ocr.gathering import processes
from ocr.geometry import polygon_mask, transform
from ocr.types import Image, SceneBatch, WeakPicture, WeakWord

ReadWhole = Callable[[Sequence[Image]], list[ScoreMaps]]
"""Score maps of whole pictures, such as :meth:`ocr.detection.search.WordSearch.score_maps`."""


@dataclass(slots=True)
class Labelled:
    """What one batch brought: the words that reach the loss with their labels, and the measured words with label and truth.

    ``read`` counts the crops that went through the teacher, ``whole`` the whole pictures.  ``fresh`` are the entries of the cache that
    changed.
    """

    words: list[tuple[WeakPicture, WeakWord, Label]] = field(default_factory=list)
    probes: list[tuple[WeakWord, Label]] = field(default_factory=list)
    read: int = 0
    whole: int = 0
    fresh: dict[str, CachedPicture] = field(default_factory=dict)


@dataclass(slots=True)
class News:
    """What one process tells the others after a step: changed entries of its cache, and the pixels that it may still read."""

    fresh: dict[str, CachedPicture]
    allowance: float


class Labeller:
    """Labels the weak words of batches, and remembers.

    Args:
        splitter: how a word becomes characters.
        max_age: steps for which the labels of a picture are kept.
        whole_share: pixels of whole pictures that may be read, in the long run, as a share of the pixels that train.  Where more entries
            are renewed than that allows, the others get the labels of their crops alone.  (Pixels, not seconds: a run stays repeatable.)

    Of several processes each may read its part of the allowance at a step, and what one leaves counts for all at the next.
    """

    def __init__(self, splitter: Splitter, max_age: int, whole_share: float = 0.2) -> None:
        if whole_share < 0:
            raise ValueError(f"the share of whole pictures is {whole_share}: give 0 or more")
        self.splitter = splitter
        self.cache = LabelCache(max_age)
        self.whole_share = whole_share
        self._allowance = 0.0

    def label(self, batch: SceneBatch, teacher: nn.Module, step: int, read_whole: ReadWhole | None = None) -> Labelled:
        """Labels for every word of ``batch.weak`` that has a crop; probes are labelled when there are other words as well.

        ``teacher`` is a CRAFT network in evaluation mode; the caller decides on autocast.  ``read_whole`` is asked for the maps of
        pictures that come with their image, when their entry in the cache is renewed.
        """
        done = Labelled()
        self._allowance /= processes()
        pictures = [p for p in batch.weak if not p.probe]
        if not pictures:
            return done
        entries: dict[str, CachedPicture] = {}
        renewed: list[WeakPicture] = []
        for picture in pictures:
            entries[picture.key], new = self.cache.get(picture.key, step)
            renewed += [picture] if new else []
        if read_whole is not None and self.splitter.needs_scores:
            self._allowance = min(self._allowance, 0.0) + self.whole_share * batch.images_BCHW[:, 0].numel()
            done.whole = self._label_whole(renewed, entries, read_whole)
        waiting = {
            (p.key, w.place): w
            for p in pictures
            for w in p.words
            if w.crop is not None and w.place not in entries[p.key].read
        }
        probes = [w for p in batch.weak if p.probe for w in p.words]
        fresh = self._labels([*waiting.values(), *probes], teacher)
        done.read = len(fresh) if self.splitter.needs_scores else 0
        for ((key, place), word), label in zip(waiting.items(), fresh, strict=False):
            entry = entries[key]
            entry.labels[place] = better(label, entry.labels.get(place), word.text)
            entry.read.add(place)
        done.fresh = {key: entries[key] for key in [*(p.key for p in renewed), *(key for key, _ in waiting)]}
        done.probes = list(zip(probes, fresh[len(waiting) :], strict=True))
        done.words = [(p, w, entries[p.key].labels[w.place]) for p in pictures for w in p.words if w.crop is not None]
        return done

    def _label_whole(
        self, pictures: list[WeakPicture], entries: dict[str, CachedPicture], read_whole: ReadWhole
    ) -> int:
        """Labels for all words of these pictures from the maps of the whole, while there is allowance; returns how many were read."""
        read = 0
        for picture in pictures:
            if picture.image is None or self._allowance <= 0:
                continue
            (stored,) = read_whole([picture.image])
            self._allowance -= 4 * stored.maps_2hw[0].size
            read += 1
            for word in picture.words:
                split = self.splitter(word_in_picture(word, stored), word.text)
                entries[picture.key].labels[word.place] = as_label(split, word)
        return read

    def news(self, labelled: Labelled) -> News:
        """What the other processes must know of this step's labels."""
        return News(labelled.fresh, self._allowance)

    def take_up(self, step: int, told: Sequence[News]) -> None:
        """What every process did at this step, in the order of the ranks: all have the same labels and one allowance afterwards."""
        self.cache.take_up(step, [news.fresh for news in told])
        self._allowance = sum(news.allowance for news in told)

    def state(self) -> dict[str, Any]:
        """Plain containers and tensors: what a resumed run needs to go on as if nothing had happened."""
        return {**self.cache.state(), "allowance": self._allowance}

    def load_state(self, state: dict[str, Any]) -> None:
        """Take up what :meth:`state` gave."""
        self.cache.load_state(state)
        self._allowance = state["allowance"]

    def _labels(self, words: list[WeakWord], teacher: nn.Module) -> list[Label]:
        regions = [np.zeros(size_in_map(word), np.float32) for word in words]
        if self.splitter.needs_scores:
            regions = read_words(words, teacher)
        return [as_label(self.splitter(region, w.text), w) for region, w in zip(regions, words, strict=True)]


def length(text: str) -> int:
    """Characters of a text that have a box: spaces have none."""
    return sum(not c.isspace() for c in text)


def as_label(split: Split, word: WeakWord) -> Label:
    """A split of a word's window, its boxes in picture coordinates."""
    left, top, right, bottom = 2 * split.boxes.T
    corners = np.stack([left, top, right, top, right, bottom, left, bottom], axis=1).reshape(-1, 4, 2)
    return Label(word.to_picture(corners + word.window[:2]), split.confidence, split.found, split.fallback)


def better(one: Label, other: Label | None, text: str) -> Label:
    """The label whose number of characters is nearer to the text's, then the more confident one; the first of equals."""
    if other is None:
        return one
    return min(one, other, key=lambda label: (abs(length(text) - label.found), -label.confidence))


def splice(batch: SceneBatch, labelled: Labelled, held_back: bool = False) -> None:
    """Draw the labels into the batch's maps and its confidence, in place and on its device.

    Held back, nothing is drawn and nothing trusted inside of the words.
    """
    by_sample: dict[int, list[tuple[WeakPicture, WeakWord, Label]]] = {}
    for entry in labelled.words:
        by_sample.setdefault(entry[0].sample, []).append(entry)
    for sample, entries in by_sample.items():
        to_map = entries[0][0].to_map
        maps_2hw: Maps = batch.maps_B2hw[sample].cpu().numpy()
        trust_hw = batch.trust_Bhw[sample].cpu().numpy()
        if not held_back:
            add_words(maps_2hw, [transform(to_map, label.quads) for _, _, label in entries])
        for _, word, label in entries:
            inside = polygon_mask(trust_hw.shape, [transform(to_map, word.polygon)]).view(bool)
            trust_hw[inside] = np.minimum(trust_hw[inside], 0.0 if held_back else label.confidence)
        batch.maps_B2hw[sample] = torch.from_numpy(maps_2hw)
        batch.trust_Bhw[sample] = torch.from_numpy(trust_hw)
