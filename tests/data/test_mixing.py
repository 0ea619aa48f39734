"""The order of training samples: exact ratios, every sample once a pass, and any step can be started from."""

from collections import Counter
from itertools import islice, zip_longest

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ocr.data.mixing import CYCLE, Draw, MixedBatchSampler, Mixture, RoundRobinBatches, quotas, shares


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


@pytest.mark.parametrize(
    ("weights", "batch", "wanted"),
    [
        ([None, None], 192, [96, 96]),
        ([None, None, None], 12, [4, 4, 4]),
        ([1.0, 5.0], 6, [1, 5]),
        ([0.7, 0.2, 0.1], 10, [7, 2, 1]),
        ([1.0, 0.0], 7, [7, 0]),
    ],
)
@pytest.mark.parametrize("world", [1, 2, 3])
def test_quotas_hold_in_every_batch_of_every_process(
    weights: list[float | None], batch: int, wanted: list[int], world: int
) -> None:
    sizes = [1000, 17, 5][: len(weights)]
    for rank in range(world):
        mixture = Mixture(sizes, weights, 3, exact_batch=batch)
        for draws in islice(MixedBatchSampler(mixture, batch, rank=rank, world=world), 40):
            counts = Counter(d.source for d in draws)
            assert [counts[source] for source in range(len(weights))] == wanted


def test_processes_with_quotas_share_every_pass_and_resume_anywhere() -> None:
    def batches(rank: int, start: int, count: int) -> list[list[Draw]]:
        mixture = Mixture([24, 5], [None, None], 8, exact_batch=4)
        return list(islice(MixedBatchSampler(mixture, 4, start=start, rank=rank, world=2), count))

    together = [draw for a, b in zip(batches(0, 0, 60), batches(1, 0, 60), strict=True) for draw in (*a, *b)]
    for source, size in ((0, 24), (1, 5)):
        visits = Counter((d.epoch, d.index) for d in together if d.source == source)
        assert set(visits.values()) == {1}, "a sample came twice in one pass"
        whole = max(epoch for epoch, _ in visits)
        assert {(e, i) for e in range(whole) for i in range(size)} <= set(visits), "a pass left a sample out"
    for rank in (0, 1):
        assert batches(rank, 17, 43) == batches(rank, 0, 60)[17:]


def test_without_quotas_the_order_is_what_it_was() -> None:
    united = Mixture([30, 10], [None, None], 0)
    first = Counter(united[i].source for i in range(CYCLE))
    assert first == {0: CYCLE * 3 // 4, 1: CYCLE // 4}
    assert [united[i].source for i in range(8)] == [0, 0, 1, 0, 0, 0, 1, 0]


@pytest.mark.parametrize(
    ("weights", "batch", "multiple"), [([None, None], 191, 2), ([1.0, 5.0], 8, 6), ([None, None, None], 16, 3)]
)
def test_quotas_that_cannot_hold_are_refused(weights: list[float | None], batch: int, multiple: int) -> None:
    with pytest.raises(ValueError, match=rf"batch of {batch} .* multiple of {multiple}") as caught:
        quotas(weights, batch)
    assert "\n" not in str(caught.value)


@settings(max_examples=60)
@given(st.lists(st.integers(0, 6), min_size=1, max_size=4).filter(any), st.integers(1, 12), st.integers(2, 4))
def test_quotas_of_processes_are_those_of_one_with_the_whole_batch(parts: list[int], whole: int, world: int) -> None:
    batch = sum(parts) * whole
    weights, sizes = [float(p) for p in parts], [7 + p for p in parts]
    split = Mixture(sizes, weights, 5, exact_batch=batch)
    alone = Mixture(sizes, weights, 5, exact_batch=batch * world)
    assert [split[i] for i in range(3 * batch * world)] == [alone[i] for i in range(3 * batch * world)]


@given(st.integers(0, 40), st.integers(1, 9), st.integers(1, 5))
def test_batches_go_round_the_processes_and_none_comes_twice(count: int, size: int, world: int) -> None:
    ranks = [RoundRobinBatches(count, size, rank, world) for rank in range(world)]
    assert all(len(rank) == len(list(rank)) >= 1 for rank in ranks), "every process must take part"
    turns = zip_longest(*ranks, fillvalue=[])
    together = [batch for turn in turns for batch in turn if batch]
    assert together == [batch for batch in RoundRobinBatches(count, size) if batch]
    assert [place for batch in together for place in batch] == list(range(count))
