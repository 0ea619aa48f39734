"""Values and pixels in pages: bounded, forgotten oldest first, safe while in use."""

from __future__ import annotations

import os

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocr.render import generations
from ocr.render.generations import Generations


@given(st.lists(st.one_of(st.none(), st.tuples(st.integers(0, 40), st.integers(0, 40))), max_size=120))
def test_what_is_kept_is_the_newest_and_within_the_limit(entries: list[tuple[int, int] | None]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(generations, "PAGE", 4096)
        kept, store = Generations(3 * 4096), {}
        made: dict[int, np.ndarray | None] = {}
        for key, shape in enumerate(entries):
            made[key] = None if shape is None else np.full(shape, key % 251, np.uint8)
            kept.add(store, key, made[key] if shape is None else kept.pixels(made[key]))
            assert kept.held <= 3 * 4096
            assert list(store) == list(range(key + 1))[-len(store) :]
        for key, value in store.items():
            assert (value is None) == (made[key] is None)
            if value is not None:
                np.testing.assert_array_equal(value, made[key])


def test_pixels_in_use_outlive_their_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generations, "PAGE", 4096)
    kept, store = Generations(4096), {}
    first = kept.pixels(np.full((10, 10), 7, np.uint8))
    kept.add(store, 0, first)
    for key in range(1, 60):
        kept.add(store, key, kept.pixels(np.full((30, 30), 9, np.uint8)))
    assert 0 not in store
    assert (first == 7).all()


def test_a_forked_process_writes_into_pages_of_its_own() -> None:
    kept = Generations(1 << 20)
    before = kept.pixels(np.full((4, 4), 1, np.uint8))
    child = os.fork()
    if child == 0:
        before[...] = 2
        kept.pixels(np.full((4, 4), 3, np.uint8))
        os._exit(0)
    os.waitpid(child, 0)
    after = kept.pixels(np.full((4, 4), 4, np.uint8))
    assert (before == 1).all()
    assert (after == 4).all()
