"""The order of training samples: exact ratios, every sample once a pass, and any step can be started from."""

from collections import Counter
from itertools import islice

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ocr.data.mixing import CYCLE, Draw, MixedBatchSampler, Mixture, shares


@settings(max_examples=40, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 50), min_size=1, max_size=4),
    seed=st.integers(0, 2**31),
    start=st.integers(0, 3 * CYCLE),
)
def test_each_pass_of_a_source_visits_every_sample_once(sizes: list[int], seed: int, start: int) -> None:
    mixture = Mixture(sizes, [None] * len(sizes), seed)
    seen: dict[tuple[int, int], list[int]] = {}
    for position in range(2 * CYCLE):
        draw = mixture[position]
        seen.setdefault((draw.source, draw.epoch), []).append(draw.index)
    for (source, epoch), indices in seen.items():
        assert len(set(indices)) == len(indices), "a sample came twice in one pass"
        if (source, epoch + 1) in seen:
            assert sorted(indices) == list(range(sizes[source])), "a pass left a sample out"
    assert mixture[start] == Mixture(sizes, [None] * len(sizes), seed)[start]


def test_orders_differ_between_passes_and_seeds() -> None:
    first = [Mixture([100], [None], 1)[i].index for i in range(200)]
    assert first[:100] != first[100:]
    assert first != [Mixture([100], [None], 2)[i].index for i in range(200)]


def test_equal_weights_are_exact_in_every_batch() -> None:
    sampler = MixedBatchSampler(Mixture([10, 1000], [1.0, 1.0], 3), batch_size=8)
    for batch in islice(sampler, 300):
        assert Counter(d.source for d in batch) == {0: 4, 1: 4}


def test_one_to_five_is_exact_over_a_cycle_and_even_within() -> None:
    mixture = Mixture([1000, 7], [1.0, 5.0], 0)
    sources = [mixture[i].source for i in range(CYCLE)]
    assert Counter(sources) == {0: CYCLE // 6, 1: CYCLE * 5 // 6}
    gaps = np.diff(np.flatnonzero(np.array(sources) == 0))
    assert gaps.min() == gaps.max() == 6


def test_by_size_when_no_weight_is_given() -> None:
    assert shares([30, 10], [None, None]).tolist() == [0.75, 0.25]


@pytest.mark.parametrize("weights", [[1.0, None], [-1.0, 2.0], [0.0, 0.0]])
def test_weights_that_make_no_sense_are_refused(weights: list[float | None]) -> None:
    with pytest.raises(ValueError, match="weight"):
        shares([5, 5], weights)


def test_a_resumed_sampler_goes_on_where_an_undisturbed_one_would_be() -> None:
    mixture = Mixture([13, 5], [1.0, 3.0], 9)
    whole = list(islice(MixedBatchSampler(mixture, 6), 500))
    for start in (0, 1, 250, 499):
        resumed = list(islice(MixedBatchSampler(Mixture([13, 5], [1.0, 3.0], 9), 6, start=start), 500 - start))
        assert resumed == whole[start:]


def test_processes_share_the_global_batch_without_overlap() -> None:
    mixture = Mixture([40], [None], 0)
    single = list(islice(MixedBatchSampler(mixture, 8), 20))
    ranks = [list(islice(MixedBatchSampler(mixture, 4, rank=r, world=2), 20)) for r in range(2)]
    joined: list[list[Draw]] = [a + b for a, b in zip(*ranks, strict=True)]
    assert joined == single
