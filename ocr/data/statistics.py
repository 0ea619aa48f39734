"""Which labels of a set a model can learn, and why it cannot learn the others."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

REMEMBERED = 1_000_000
"""Distinct labels whose reason is remembered: a set of millions of them would fill the memory."""
EXAMPLES = 5
"""Labels kept as examples for each reason."""


@dataclass(slots=True)
class Audit:
    """``kept``: positions of the usable labels, ascending; ``counts`` and ``examples``: by reason, what is not usable."""

    where: str
    total: int
    kept: NDArray[np.int64]
    counts: dict[str, int] = field(default_factory=dict)
    examples: dict[str, list[str]] = field(default_factory=dict)

    def rows(self) -> list[tuple[str, str, str, str]]:
        """A table to print: what, count, share, examples; the first row is the kept labels, then reasons by count."""
        rows = [("kept", f"{len(self.kept):,}", _share(len(self.kept), self.total), "")]
        for reason, count in sorted(self.counts.items(), key=lambda item: -item[1]):
            rows.append((reason, f"{count:,}", _share(count, self.total), ", ".join(map(repr, self.examples[reason]))))
        return rows


def audit(texts: Iterable[str], reject: Callable[[str], str | None], where: str = "the set") -> Audit:
    """Sort labels into usable ones and rejected ones.

    Args:
        texts: the labels, gone through once: of millions no list need be made.
        reject: the reason why a label cannot be used, or None; a pure function, called once per distinct label.
        where: what the labels belong to, for messages.

    Raises:
        ValueError: no label is usable; the message says why.
    """
    reasons: dict[str, str | None] = {}
    kept = array("q")
    result = Audit(where, 0, np.zeros(0, np.int64))
    for place, text in enumerate(texts):
        result.total += 1
        try:
            reason = reasons[text]
        except KeyError:
            reason = reject(text)
            if len(reasons) < REMEMBERED:
                reasons[text] = reason
        if reason is None:
            kept.append(place)
            continue
        result.counts[reason] = result.counts.get(reason, 0) + 1
        examples = result.examples.setdefault(reason, [])
        if len(examples) < EXAMPLES and text not in examples:
            examples.append(text)
    if not kept:
        why = "; ".join(f"{reason}: {count}, for example {shown}" for reason, count, _, shown in result.rows()[1:])
        raise ValueError(
            f"{where}: none of the {result.total:,} labels can be used ({why or 'there are no labels'}); "
            "choose a charset or a longest label that fits, or other data"
        )
    result.kept = np.frombuffer(kept, np.int64)
    return result


def _share(count: int, total: int) -> str:
    return f"{100 * count / total:.1f} %" if total else "–"
