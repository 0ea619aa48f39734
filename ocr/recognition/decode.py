"""From the classes a network chose to texts with confidences.  NumPy alone, so that reading needs no torch."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ocr.types import Reading

Ids = NDArray[np.int64]
Probabilities = NDArray[np.float32]


def best_path(ids_T: Ids, probabilities_T: Probabilities, characters: Sequence[str], blank: int = 0) -> Reading:
    """Greedy CTC: repeats merged, blanks dropped (Graves et al., ICML 2006, section 3.2).

    A character is as certain as the most certain frame of its run, and stands in the middle of that run; frames of blanks do not
    count.  An empty text is as certain as its least certain blank.

    Args:
        ids_T: class chosen at each time step; class ``i`` reads ``characters[i]``.
        probabilities_T: its probability, in [0, 1].
        characters: what each class reads; the entry of ``blank`` is never used.
        blank: class of the blank.
    """
    starts = np.flatnonzero(np.diff(ids_T, prepend=-1))
    if not len(starts):
        return Reading("", 1.0, [])
    peaks = np.maximum.reduceat(probabilities_T, starts)
    kept = ids_T[starts] != blank
    confidences = [float(p) for p in peaks[kept]]
    text = "".join(characters[i] for i in ids_T[starts[kept]])
    middles = (starts + np.append(starts[1:], len(ids_T))) / (2 * len(ids_T))
    confidence = math.prod(confidences) if text else float(probabilities_T.min())
    return Reading(text, confidence, confidences, middles[kept].tolist())


def until_end(ids_T: Ids, probabilities_T: Probabilities, characters: Sequence[str], end: int = 1) -> Reading:
    """An autoregressive decoder's text: everything before the first ``end``, or everything when there is none.

    The confidence counts the decision to end as well, where there was one, and so is defined for an empty text.  Classes that
    read as nothing (special tokens in the middle) are dropped.

    Args: as :func:`best_path`; ``end`` is the class that ends the text.
    """
    ends = np.flatnonzero(ids_T == end)
    length = int(ends[0]) if len(ends) else len(ids_T)
    emitted = [
        (characters[i], float(p))
        for i, p in zip(ids_T[:length], probabilities_T[:length], strict=True)
        if characters[i]
    ]
    confidences = [p for _, p in emitted]
    ending = float(probabilities_T[length]) if len(ends) else 1.0
    return Reading("".join(c for c, _ in emitted), math.prod(confidences) * ending, confidences)
