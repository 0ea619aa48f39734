"""Which samples of a set are the images of another: by the bytes of their files, else by their pixels."""

from __future__ import annotations

import hashlib

from ocr.data.store import Store, decode


def positions_of(subset: Store, whole: Store) -> list[int]:
    """Position in ``whole`` of every image of ``subset``, ascending.

    Images that are equal in ``whole`` are told apart by their labels, without regard to case.

    Raises:
        ValueError: an image is not there, or it cannot be told which of several equal ones is meant.
    """
    for digest in (file_digest, pixel_digest):
        places: dict[tuple[bytes, str], list[int]] = {}
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


def file_digest(store: Store, place: int) -> bytes:
    """Of the bytes of a sample's encoded picture."""
    return _digest(store.image_bytes(place))


def pixel_digest(store: Store, place: int) -> bytes:
    """Of a sample's size and RGB pixels: the same for a copy in another lossless format; of the bytes where none can be decoded."""
    data = store.image_bytes(place)
    image = decode(data)
    return _digest(data if image is None else repr(image.shape).encode() + image.tobytes())


def _digest(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=16).digest()
