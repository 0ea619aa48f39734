"""Looking a prepared set over."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from ocr.data.decoding import UndecodableImage
from ocr.data.store import Store

SPOTS = 200
"""Pictures decoded when not all of them are."""
NAMED = 5
"""Faults of one sort that are named before the rest is only counted."""


def verify(
    folder: Path, every_picture: bool = False, tick: Callable[[Iterable[int]], Iterable[int]] = iter
) -> list[str]:
    """What is wrong with a prepared set, one sentence each; an empty list when nothing is.

    Checked are the manifest and its schema, the number of samples, that every entry is there, that keys are unique and
    begin with the set's name, that records parse and pictures decode (``SPOTS`` evenly spread ones, or ``every_picture``),
    and the fingerprint. A public LMDB without a manifest is checked for entries, labels and pictures.

    Args:
        folder: the folder with ``data.mdb``.
        every_picture: decode all pictures.
        tick: wraps the positions that are decoded, for a progress bar.
    """
    try:
        store = Store(Path(folder))
    except ValueError as error:
        return [str(error)]
    missing = store.missing()
    if missing:
        return _named(missing, "the entry {} is missing")
    problems = [] if store.manifest.foreign else _keys(store)
    count = len(store)
    places = (
        range(count) if every_picture else np.unique(np.linspace(0, count - 1, min(SPOTS, count)).astype(int)).tolist()
    )
    problems += _samples(store, tick(places))
    if not store.manifest.foreign and store.digest() != store.fingerprint:
        problems.append(
            f"the content does not have the fingerprint of the manifest, {store.fingerprint}: prepare the set again"
        )
    return problems


def _keys(store: Store) -> list[str]:
    keys = store.keys()
    twice = [key for key, n in Counter(keys).items() if n > 1]
    foreign = [key for key in keys if not key.startswith(store.manifest.name + "/")]
    return _named(twice, "the key {} occurs more than once") + _named(
        foreign, f"the key {{}} does not begin with {store.manifest.name}/"
    )


def _samples(store: Store, places: Iterable[int]) -> list[str]:
    undecodable, unreadable = [], []
    read = store.scene if store.manifest.task == "detection" else store.word
    for place in places:
        try:
            read(place)
        except UndecodableImage as error:
            undecodable.append(error.key)
        except ValueError as error:
            unreadable.append(f"{place}: {error}")
    return _named(undecodable, "the picture of {} cannot be decoded") + _named(unreadable, "cannot read sample {}")


def _named(what: list[str], sentence: str) -> list[str]:
    sentences = [sentence.format(w) for w in what[:NAMED]]
    if len(what) > NAMED:
        sentences.append(f"and {len(what) - NAMED:,} more of this sort")
    return sentences
