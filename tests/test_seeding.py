"""Generators depend on the seed and the place alone, in numpy's own way."""

from __future__ import annotations

import zlib

import numpy as np
import pytest

from ocr.seeding import derived_seed, generator


@pytest.mark.parametrize(
    "place", [(), ("augment", 3, 0), (2**32 - 1,), (2**32, "a"), (np.int64(7), "日本"), (10**12, 5)]
)
def test_a_generator_is_numpys_for_the_numbers_and_the_crc_of_the_names(place: tuple[int | str, ...]) -> None:
    numbers = [11, *(zlib.crc32(p.encode()) if isinstance(p, str) else int(p) for p in place)]
    expected = np.random.default_rng(np.random.SeedSequence(numbers))
    assert generator(11, *place).random(5).tolist() == expected.random(5).tolist()
    assert derived_seed(11, *place) == int(np.random.SeedSequence(numbers).generate_state(1)[0]) // 2


def test_negative_numbers_are_refused() -> None:
    with pytest.raises(ValueError, match="non-negative"):
        generator(0, -1)
