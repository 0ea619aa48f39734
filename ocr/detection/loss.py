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
    trust = trust_Bhw.flatten(1)[:, None]
    error = (scores - maps) ** 2
    with torch.no_grad():
        chosen, count = _chosen_pixels(error, maps, trust)
        weight = chosen * trust / count.clamp(min=1)[..., None]
    region, affinity = (error * weight).sum(-1).mean(0).unbind()
    return DetectionLoss(region + affinity, region, affinity)


def _chosen_pixels(error_BMn: Tensor, maps_BMn: Tensor, trust_B1n: Tensor) -> tuple[Tensor, Tensor]:
    """Weight in [0, 1] of every pixel before trust (1 for positives and hard negatives), and |P| + k, both per map."""
    cared = trust_B1n > 0
    above = maps_BMn > POSITIVE
    positive = above & cared
    negative = ~above & cared
    positives, negatives = positive.sum(-1), negative.sum(-1)
    wanted = torch.where(positives > 0, positives * NEGATIVES_PER_POSITIVE, NEGATIVES_WITHOUT_POSITIVE)
    k = torch.minimum(wanted, negatives)
    hard = largest(torch.where(negative, error_BMn, -1.0), k)
    return hard + positive, positives + k


def largest(values: Tensor, k: Tensor) -> Tensor:
    """Marks the ``k`` largest values along the last axis (float32; negative values never count).

    Each of ``values.shape[:-1]`` has its own ``k`` (int64, at most the number of values not below 0).  Values that tie
    for the last places share them equally, so a mark may be a fraction and the marks of a row add up to its ``k``.

    A radix selection over the bits of the floats, whose order is that of the integers they spell: three histograms
    instead of a sort.
    """
    bits = values.contiguous().view(torch.int32)
    prefix = torch.zeros_like(k)
    missing = k
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
        prefix = (prefix << width) | found
    tie = bits == prefix[..., None]
    share = missing / tie.sum(-1).clamp(min=1)
    return (bits > prefix[..., None]) + tie * share[..., None]
