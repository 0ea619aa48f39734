"""Which samples of a set are the images of another: by the bytes of their files, else by their pixels."""

from __future__ import annotations

import hashlib

from ocr.data.picture_index import pixel_digest
from ocr.data.store import Store


def positions_of(subset: Store, whole: Store) -> list[int]:
    """Position in ``whole`` of every image of ``subset``, ascending.

    Images that are equal in ``whole`` are told apart by their labels, without regard to case.

    Raises:
        ValueError: an image is not there, or it cannot be told which of several equal ones is meant.
    """
    for digest in (_file, _pixels):
        places: dict[tuple[object, str], list[int]] = {}
        for place in range(len(whole)):
            places.setdefault((digest(whole, place), whole.text(place).lower()), []).append(place)
        found = [places.get((digest(subset, i), subset.text(i).lower()), []) for i in range(len(subset))]
        missing = [i for i, at in enumerate(found) if not at]
        if missing:
            continue
        twice = [i for i, at in enumerate(found) if len(at) > 1]
        if twice:
            raise ValueError(
                f"{subset.folder}: {subset.key(twice[0])} ({subset.text(twice[0])!r}) stands more than once in "
                f"{whole.folder}, and which is meant cannot be told: remove the duplicates"
            )
        return sorted(at[0] for at in found)
    raise ValueError(
        f"{subset.folder}: {len(missing):,} of {len(subset):,} images are not in {whole.folder} (the first: "
        f"{subset.key(missing[0])}, {subset.text(missing[0])!r}): prepare that set from the same release"
    )


def _file(store: Store, place: int) -> bytes:
    return hashlib.blake2b(store.image_bytes(place), digest_size=16).digest()


def _pixels(store: Store, place: int) -> tuple[int, int, int]:
    return pixel_digest(store.image_bytes(place))
