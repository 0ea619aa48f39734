"""The loss against its definition, written out in NumPy, and properties that public trainers of CRAFT get wrong."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ocr.detection.loss import _counted, _kth_by_radix, _kth_on_cpu, detection_loss, largest


def by_definition(scores, maps, trust):
    """The formula of the module, one picture and one map at a time."""
    total = np.zeros(2)
    for b in range(len(scores)):
        for m in range(2):
            error = (scores[b, m] - maps[b, m]).ravel() ** 2
            weight, target = trust[b].ravel(), maps[b, m].ravel()
            positive = (weight > 0) & (target > 0.1)
            negative = (weight > 0) & ~positive
            k = min(3 * positive.sum() if positive.any() else 1000, negative.sum())
            hardest = np.argsort(-error[negative], kind="stable")[:k]
            lost = (weight * error)[positive].sum() + (weight * error)[negative][hardest].sum()
            total[m] += lost / max(positive.sum() + k, 1)
    return total / len(scores)


def example(rng, batch=3, side=24, positives=0.1, ignored=0.2):
    scores = rng.normal(0.1, 0.5, (batch, 2, side, side)).astype(np.float32)
    maps = (rng.random(scores.shape) * (rng.random(scores.shape) < positives)).astype(np.float32)
    trust = rng.choice([0.5, 0.8, 1.0], (batch, side, side)) * (rng.random((batch, side, side)) >= ignored)
    return scores, maps, trust.astype(np.float32)


def loss_of(scores, maps, trust):
    return detection_loss(*(torch.from_numpy(np.ascontiguousarray(a)) for a in (scores, maps, trust)))


@given(
    seed=st.integers(0, 10_000), positives=st.sampled_from([0, 0.01, 0.3, 1.0]), ignored=st.sampled_from([0, 0.5, 1.0])
)
@settings(max_examples=40, deadline=None)
def test_equals_the_definition(seed, positives, ignored):
    scores, maps, trust = example(np.random.default_rng(seed), side=40, positives=positives, ignored=ignored)
    loss = loss_of(scores, maps, trust)
    np.testing.assert_allclose(
        [float(loss.region), float(loss.affinity)], by_definition(scores, maps, trust), rtol=2e-4, atol=1e-7
    )
    assert float(loss.total) == pytest.approx(float(loss.region) + float(loss.affinity))


def test_enlarging_the_ignored_area_changes_nothing(rng):
    scores, maps, trust = example(rng)
    wide = [np.concatenate([a, rng.random(a.shape).astype(np.float32)], axis=-1) for a in (scores, maps)]
    silent = np.concatenate([trust, np.zeros_like(trust)], axis=-1)
    assert float(loss_of(*wide, silent).total) == pytest.approx(float(loss_of(scores, maps, trust).total), rel=1e-5)


def test_each_picture_counts_the_same_however_dense_it_is(rng):
    """Stated per picture: the loss of a batch is the mean of the losses of its pictures."""
    parts = [example(rng, batch=1, positives=p) for p in (0.002, 0.1, 0.9)]
    together = loss_of(*(np.concatenate(a) for a in zip(*parts, strict=True)))
    alone = [float(loss_of(*p).total) for p in parts]
    assert float(together.total) == pytest.approx(np.mean(alone), rel=1e-5)


def test_all_negatives_taken_gives_the_plain_weighted_sum(rng):
    scores, maps, trust = example(rng, batch=1, positives=0.4)
    cared = trust[0] > 0
    plain = sum(((scores[0, m] - maps[0, m]) ** 2 * trust[0])[cared].sum() for m in range(2)) / cared.sum()
    assert float(loss_of(scores, maps, trust).total) == pytest.approx(plain, rel=1e-5)


def test_ranking_looks_at_the_error_and_not_at_the_trust():
    scores = np.zeros((1, 2, 1, 8), np.float32)
    maps = np.zeros_like(scores)
    maps[:, :, 0, 0] = 1
    scores[0, :, 0, 0] = 1
    scores[0, :, 0, 1:] = [0.9, 0.8, 0.7, 0.1, 0.1, 0.1, 0.1]
    trust = np.ones((1, 1, 8), np.float32)
    trust[0, 0, 1:4] = 0.01
    expected = 0.01 * (0.81 + 0.64 + 0.49) / 4
    assert float(loss_of(scores, maps, trust).region) == pytest.approx(expected, rel=1e-5)


def test_nothing_trusted_gives_zero_and_zero_gradient():
    scores = torch.randn(2, 2, 6, 6, requires_grad=True)
    loss = detection_loss(scores, torch.rand(2, 2, 6, 6), torch.zeros(2, 6, 6))
    loss.total.backward()
    assert loss.total.item() == 0
    assert scores.grad.abs().max() == 0


def test_gradient_reaches_positives_and_the_hardest_negatives_only():
    maps = torch.zeros(1, 2, 1, 10)
    maps[..., 0] = 1
    scores = torch.arange(10.0).div(10).expand(1, 2, 1, 10).clone().requires_grad_()
    detection_loss(scores, maps, torch.ones(1, 1, 10)).total.backward()
    assert torch.equal(scores.grad[0, 0, 0] != 0, torch.tensor([True] + [False] * 6 + [True] * 3))


def test_no_copy_to_the_host():
    """On a device without data every read of a value fails; the loss must not need one."""
    scores = torch.empty(2, 2, 8, 8, device="meta", requires_grad=True)
    loss = detection_loss(scores, torch.empty(2, 2, 8, 8, device="meta"), torch.empty(2, 8, 8, device="meta"))
    loss.total.backward()
    assert scores.grad.shape == scores.shape


@given(
    values=st.lists(st.floats(0, 4, width=32) | st.sampled_from([0.0, 0.25, 1.0]), min_size=1, max_size=60),
    share=st.floats(0, 1),
)
@settings(max_examples=150, deadline=None)
def test_largest_counts_exactly_the_largest(values, share):
    row = np.array(values, np.float32)
    k = int(share * len(row))
    marks = largest(torch.from_numpy(row)[None], torch.tensor([k]))[0].numpy()
    assert marks.sum() == pytest.approx(min(k, (row > 0).sum()), abs=1e-4)
    assert (row * marks).sum() == pytest.approx(np.sort(row)[::-1][:k].sum(), rel=1e-5, abs=1e-5)
    assert not marks[row == 0].any()


@given(seed=st.integers(0, 10_000), levels=st.sampled_from([3, 1000]))
@settings(max_examples=40, deadline=None)
def test_the_selection_of_other_devices_finds_the_same(seed, levels):
    rng = np.random.default_rng(seed)
    values = torch.from_numpy(rng.integers(0, levels, (2, 3, 50)).astype(np.float32) / levels)
    k = torch.from_numpy((rng.random((2, 3)) * 51).astype(np.int64))
    ours, other = (_counted(values, *kth(values, k)) for kth in (_kth_on_cpu, _kth_by_radix))
    torch.testing.assert_close(ours, other)
    kth, none = _kth_by_radix(values, torch.zeros_like(k))
    assert not (values >= kth).any()
    assert not none.any()
