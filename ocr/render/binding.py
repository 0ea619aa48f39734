"""Plain data, as loaded from YAML, to frozen dataclasses; every mistake is one line that names the place."""

from __future__ import annotations

import dataclasses
import difflib
import types
import typing
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np


class Ahead:
    """The next ``count`` uniform draws of a generator, made in one call and handed out one by one.

    They are the numbers that single draws would give, at a fraction of the time; who makes them must use them all.
    """

    __slots__ = ("random",)

    def __init__(self, rng: np.random.Generator, count: int) -> None:
        self.random: Callable[[], float] = iter(rng.random(count).tolist()).__next__


Uniform = np.random.Generator | Ahead
"""What hands out uniform numbers in [0, 1)."""


@dataclass(frozen=True, slots=True)
class Range:
    """A closed interval to draw from."""

    low: float
    high: float

    def draw(self, rng: Uniform) -> float:
        """A uniform draw."""
        return self.low + (self.high - self.low) * rng.random()

    def draw_log(self, rng: Uniform) -> float:
        """A draw that is uniform in the logarithm, for sizes."""
        return self.low * (self.high / self.low) ** rng.random()

    def draw_int(self, rng: np.random.Generator) -> int:
        """A uniform draw from the integers of the interval, both ends included."""
        return int(self.low + int(rng.random() * (int(self.high) - int(self.low) + 1)))


@dataclass(frozen=True, slots=True)
class Chance:
    """An effect that occurs with ``probability`` and then with a strength from ``range``."""

    probability: float
    range: Range

    def draw(self, rng: Uniform) -> float | None:
        """The strength, or None when the effect does not occur.  Takes two draws either way."""
        draw = rng.random
        occurs, strength, span = draw() < self.probability, draw(), self.range
        return span.low + (span.high - span.low) * strength if occurs else None


def bind(kind: Any, value: Any, where: str) -> Any:
    """``value`` as an instance of ``kind``: a dataclass, a :class:`Range`, a tuple, a literal or a scalar.

    Raises:
        ValueError: a key is missing or unknown, or a value has another type than its field.
    """
    if isinstance(kind, types.UnionType):
        return None if value is None else bind(typing.get_args(kind)[0], value, where)
    if kind is Range:
        return _range(value, where)
    if dataclasses.is_dataclass(kind):
        return _bind_fields(kind, value, where)
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is tuple and arguments[-1] is Ellipsis:
        if not isinstance(value, list | tuple):
            raise ValueError(f"{where}: expected a list, found {value!r}")
        return tuple(bind(arguments[0], v, f"{where}[{i}]") for i, v in enumerate(value))
    if origin is tuple:
        if not isinstance(value, list | tuple) or len(value) != len(arguments):
            raise ValueError(f"{where}: expected {len(arguments)} values, found {value!r}")
        return tuple(bind(a, v, f"{where}[{i}]") for i, (a, v) in enumerate(zip(arguments, value, strict=True)))
    if origin is Literal:
        if value not in arguments:
            raise ValueError(f"{where}: expected one of {', '.join(map(repr, arguments))}, found {value!r}")
        return value
    return _scalar(kind, value, where)


def _scalar(kind: Any, value: Any, where: str) -> Any:
    accepted = (int, float) if kind is float else kind
    if not isinstance(value, accepted) or (isinstance(value, bool) and kind is not bool):
        raise ValueError(f"{where}: expected {kind.__name__}, found {value!r}")
    if where.endswith("probability") and not 0 <= value <= 1:
        raise ValueError(f"{where}: a probability lies in [0, 1], found {value!r}")
    return kind(value)


def _range(value: Any, where: str) -> Range:
    numbers = isinstance(value, list | tuple) and len(value) == 2 and all(isinstance(v, int | float) for v in value)
    if not numbers:
        raise ValueError(f"{where}: expected [low, high], found {value!r}")
    if value[0] > value[1]:
        raise ValueError(f"{where}: the range {list(value)} is upside down, write [{value[1]}, {value[0]}]")
    return Range(float(value[0]), float(value[1]))


def _bind_fields(kind: Any, value: Any, where: str) -> Any:
    if not isinstance(value, dict):
        raise ValueError(
            f"{where}: expected a mapping with {', '.join(f.name for f in dataclasses.fields(kind))}, found {value!r}"
        )
    hints = typing.get_type_hints(kind)
    for key in value:
        if key not in hints:
            near = difflib.get_close_matches(str(key), hints, n=3, cutoff=0.5) or list(hints)
            raise ValueError(f"{where}: unknown key {key!r}; did you mean {', '.join(near)}?")
    optional = {f.name for f in dataclasses.fields(kind) if f.default is not dataclasses.MISSING}
    missing = [name for name in hints if name not in value and name not in optional]
    if missing:
        raise ValueError(f"{where}: missing {', '.join(missing)}")
    given = {name: hint for name, hint in hints.items() if name in value}
    return kind(**{name: bind(hint, value[name], f"{where}.{name}") for name, hint in given.items()})


def plain(value: Any) -> Any:
    """Dataclasses as dicts, like :func:`dataclasses.asdict` but without the fields that have their default, so that looks which do
    not use a newer field stay what they were; tuples as lists.
    """
    if dataclasses.is_dataclass(value):
        fields = [(f, getattr(value, f.name)) for f in dataclasses.fields(value)]
        return {f.name: plain(v) for f, v in fields if f.default is dataclasses.MISSING or v != f.default}
    return [plain(v) for v in value] if isinstance(value, list | tuple) else value
