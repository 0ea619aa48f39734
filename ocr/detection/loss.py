"""The detector's loss: squared error weighted by the confidence map, with hard negatives mined at 1:3.

The weighting is equation 4 of the paper (Baek et al., CVPR 2019, section 3.2.2).  The paper mines hard negatives in its
fine-tuning stage without a formula; after the authors' answers this is done per picture, and for the region and the affinity
map separately because their numbers of positive pixels differ.  For one picture and one map, with target t, score s, trust S:

    P = pixels with S > 0 and t > 0.1        N = the other pixels with S > 0
    k = min(3 |P|, |N|), or min(1000, |N|) where P is empty
    L = (sum over P of S (s - t)^2 + sum over the k pixels of N with the largest (s - t)^2 of S (s - t)^2) / (|P| + k)

Pixels with S = 0 are in no sum and in no count.  L is averaged over the pictures and added up over the two maps.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

POSITIVE = 0.1
NEGATIVES_PER_POSITIVE = 3
NEGATIVES_WITHOUT_POSITIVE = 1000


class DetectionLoss(NamedTuple):
    """``total`` is ``region`` + ``affinity``; each is a mean over the pictures."""

    total: Tensor
    region: Tensor
    affinity: Tensor


def detection_loss(scores_B2hw: Tensor, maps_B2hw: Tensor, trust_Bhw: Tensor) -> DetectionLoss:
    """Loss of float32 scores against target maps in [0, 1] under the confidence map in [0, 1]; 0 where nothing is trusted.

    Nothing is copied to the host, so a GPU is never waited for.
    """
    scores = scores_B2hw.flatten(2)
    maps = maps_B2hw.flatten(2)
    error = torch.square(scores - maps)
    with torch.no_grad():
        weight, count = _weights(error, maps, trust_Bhw.flatten(1)[:, None])
    region, affinity = ((error * weight).sum(-1) / count.clamp(min=1)).mean(0).unbind()
    return DetectionLoss(region + affinity, region, affinity)


def _weights(error_BMn: Tensor, maps_BMn: Tensor, trust_B1n: Tensor) -> tuple[Tensor, Tensor]:
    """What every squared error counts (the trust of positives and hard negatives, else 0), and |P| + k, both per map."""
    trusted, above = _mask(trust_B1n > 0), _mask(maps_BMn > POSITIVE)
    negative = (trusted - above).clamp_(min=0)
    negatives = negative.sum(-1)
    positives = trusted.sum(-1) - negatives
    wanted = torch.where(positives > 0, positives * NEGATIVES_PER_POSITIVE, NEGATIVES_WITHOUT_POSITIVE)
    k = torch.minimum(wanted, negatives)
    return largest(error_BMn * negative, k.long()).add_(above).mul_(trust_B1n), positives + k


def _mask(condition: Tensor) -> Tensor:
    """1.0 and 0.0; read as bytes, because torch converts and adds up booleans slowly on the CPU."""
    return condition.view(torch.uint8).float()


def largest(values: Tensor, k: Tensor) -> Tensor:
    """What each value counts among the ``k`` largest along the last axis (float32, none below 0): 1, or 0; zeros never count.

    Each of ``values.shape[:-1]`` has its own ``k`` (int64, at most the row's length).  Values above 0 that tie for the last
    places share them equally, so what a row counts adds up to its ``k`` as far as it has values above 0.

    On the CPU NumPy's vectorised quickselect finds the k-th value, which keeps the loss near the cost of a plain one (``make
    bench-craft``); on other devices it is a radix selection, which needs nothing from the host.
    """
    return _counted(values, *(_kth_on_cpu(values, k) if values.device.type == "cpu" else _kth_by_radix(values, k)))


def _counted(values: Tensor, kth: Tensor, share: Tensor) -> Tensor:
    """1 above the k-th value, 0 below, and the share of those that tie with it: few passes over the picture."""
    return (values - kth).sign_().add_(share).clamp_(0, 1)


def _kth_on_cpu(values: Tensor, k: Tensor) -> tuple[Tensor, Tensor]:
    """The k-th largest value of each row, infinity for k = 0, and the share of those equal to it that are among the k; both (…, 1).

    Where k takes every value above 0 both are 0.
    """
    rows = values.numpy().reshape(-1, values.shape[-1])
    kth = np.full((len(rows), 1), np.inf, np.float32)
    share = np.zeros((len(rows), 1), np.float32)
    for i, (row, count) in enumerate(zip(rows, k.flatten().tolist(), strict=True)):
        if count and count >= np.count_nonzero(row):
            kth[i] = 0
        elif count:
            chosen = np.partition(row, len(row) - count)[len(row) - count :]
            kth[i] = chosen[0]
            tied = int(np.count_nonzero(row == chosen[0]))  # 0 where the score is not a number
            share[i] = np.count_nonzero(chosen == chosen[0]) / max(1, tied)
    shape = (*k.shape, 1)
    return torch.from_numpy(kth).view(shape), torch.from_numpy(share).view(shape)


def _kth_by_radix(values: Tensor, k: Tensor) -> tuple[Tensor, Tensor]:
    """The same by three histograms over the bits of the floats, whose order is that of the integers they spell."""
    bits = values.contiguous().view(torch.int32)
    prefix = torch.zeros_like(k)
    missing, equal = k, k
    shift = 31
    for width in (10, 10, 11):
        candidate = (bits >> shift) == prefix[..., None]
        shift -= width
        digit = ((bits >> shift) & ((1 << width) - 1)).long()
        histogram = torch.zeros(*k.shape, 1 << width, dtype=torch.int64, device=values.device)
        histogram.scatter_add_(-1, digit, candidate.long())
        at_least = histogram.flip(-1).cumsum(-1).flip(-1)
        found = ((at_least >= missing[..., None]).sum(-1) - 1).clamp(min=0)
        above = at_least - histogram
        missing = missing - above.gather(-1, found[..., None])[..., 0]
        equal = histogram.gather(-1, found[..., None])[..., 0]
        prefix = (prefix << width) | found
    kth = prefix.to(torch.int32).view(torch.float32).where(k > 0, torch.inf)
    share = (missing / equal).where((k > 0) & (kth > 0), 0)
    return kth[..., None], share[..., None]
