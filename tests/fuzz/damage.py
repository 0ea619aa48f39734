"""How files are damaged: edits that hypothesis draws, and shrinks when one is found that matters."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from hypothesis import strategies as st

TELLING = [
    *(
        b"\xff\xfe",
        b"\0",
        b"\0" * 40,
        b"1e999",
        b"nan",
        b"-1",
        b",,,",
        b'"',
        b"\r",
        b"\xef\xbb\xbf",
        b"]]",
        b"<",
        b"{",
        b"[",
    ),
    *(
        b"9" * 400,
        b"\xff\xff\xff\xff",
        b"\x00\x00\x00\x80",
        b"\xff\xff\xff\x7f",
        b"\x01\x00\x00\x00",
        b"../",
        b"/etc/",
        b"\xed\xa0\x80",
    ),
    *(
        b"[" * 300,
        b"<a>" * 90,
        b"null",
        b"true",
        b"1e308",
        b"%s%n",
        b"\xe2\x80\xa8",
        b"PK\x03\x04",
        b"cposix\nsystem\n(Vtrue\ntR.",
    ),
]
"""Bytes that mean something to one reader or another."""
Edit = tuple[str, int, Any]

_edits = st.one_of(
    st.tuples(st.just("set"), st.integers(0, 1 << 20), st.binary(min_size=1, max_size=8)),
    st.tuples(st.just("insert"), st.integers(0, 1 << 20), st.sampled_from(TELLING) | st.binary(max_size=12)),
    st.tuples(st.just("cut"), st.integers(0, 1 << 20), st.integers(1, 64)),
    st.tuples(st.just("double"), st.integers(0, 1 << 20), st.integers(1, 200)),
    st.tuples(st.just("end"), st.integers(0, 1 << 20), st.none()),
    st.tuples(st.just("flip"), st.integers(0, 1 << 20), st.integers(0, 7)),
)


def damaged(content: bytes, edits: Sequence[Edit]) -> bytes:
    """The content after the edits, one after the other; places count modulo its length."""
    data = bytearray(content)
    for kind, place, what in edits:
        at = place % (len(data) + 1)
        match kind:
            case "set":
                data[at : at + len(what)] = what
            case "insert":
                data[at:at] = what
            case "cut":
                del data[at : at + what]
            case "double":
                data[at:at] = data[at : at + what]
            case "end":
                del data[at:]
            case "flip" if at < len(data):
                data[at] ^= 1 << what
    return bytes(data)


def files(*seeds: bytes | Callable[[], bytes]) -> st.SearchStrategy[bytes]:
    """Damaged forms of good files, the good ones among them."""
    made = [seed() if callable(seed) else seed for seed in seeds]
    return st.builds(damaged, st.sampled_from(made), st.lists(_edits, max_size=6))


numbers = (
    st.integers(-3, 300) | st.integers(-(2**70), 2**70) | st.floats() | st.sampled_from([8192, 10**6, 2**31, 2**63])
)
texts = st.text(max_size=12) | st.sampled_from(
    ["", "###", "../../x", "/etc/passwd", "a" * 3000, "\ud800", "torch.optim.Adam"]
)


def values(*known: Any) -> st.SearchStrategy[Any]:
    """What JSON or a checkpoint may hold: ``known`` values, numbers, texts, and containers of them."""
    leaves = st.none() | st.booleans() | numbers | texts | st.sampled_from(known or (None,))
    return st.recursive(leaves, lambda v: st.lists(v, max_size=4) | st.dictionaries(texts, v, max_size=4), max_leaves=8)


def changed(content: Any, path: Sequence[int], value: Any, away: bool) -> Any:
    """Containers with one place changed or taken away; ``path`` chooses it, a number for each level."""
    if not path or not isinstance(content, dict | list) or not content:
        return value
    keys = list(content) if isinstance(content, dict) else list(range(len(content)))
    key = keys[path[0] % len(keys)]
    copy: Any = dict(content) if isinstance(content, dict) else list(content)
    if away and len(path) == 1:
        del copy[key]
    else:
        copy[key] = changed(content[key], path[1:], value, away)
    return copy


def structures(*seeds: Any, known: Sequence[Any] = ()) -> st.SearchStrategy[Any]:
    """Good containers with a few places changed."""
    changes = st.lists(st.tuples(st.lists(st.integers(0, 50), max_size=6), values(*known), st.booleans()), max_size=3)

    def apply(seed: Any, changes: list[tuple[list[int], Any, bool]]) -> Any:
        for path, value, away in changes:
            seed = changed(seed, path, value, away)
        return seed

    return st.builds(apply, st.sampled_from(seeds), changes)
