"""JSON labels: ReCTS (Zhang et al., ICDAR 2019), a file for each picture, and ArT (Chng et al., ICDAR 2019), one for all.

ReCTS has boxes of single characters beside those of lines; they are given to the line that holds them.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np

from data_prep.labels import Labels, labelled
from data_prep.samples import Unusable
from data_prep.spelling import spell
from ocr.types import SceneWord

ILLEGIBLE = 1


def parse(content: bytes) -> Labels:
    """``{"chars": […], "lines": […]}``, each an object with ``points`` (8 numbers), ``transcription`` and ``ignore``.

    Characters are given to lines by :func:`data_prep.spelling.spell`.

    Raises:
        Unusable: the file is not JSON, or not of this form.
    """
    root = _json(content)
    lines, chars = (root.get(k) if isinstance(root, dict) else None for k in ("lines", "chars"))
    if not isinstance(lines, list) or not isinstance(chars, list):
        raise Unusable("label file does not hold the lists lines and chars", "line 1")
    labels = Labels()
    characters = []
    for number, item in enumerate(chars, 1):
        character = _word(item, "ignore", exactly=4)
        if character is None:
            labels.fault(f"chars {number}", "object does not hold points and transcription")
        else:
            characters.append(character)
    for number, item in enumerate(lines, 1):
        line = _word(item, "ignore", exactly=4)
        if line is None:
            labels.fault(f"lines {number}", "object does not hold points and transcription")
            continue
        labels.add(line, f"lines {number}")
    spell(labels, characters)
    return labels


def parse_index(content: bytes) -> dict[str, Labels]:
    """``{"gt_0": [{"points": [[x, y], …], "transcription": …, "language": …, "illegibility": …}, …], …}``: labels by picture.

    Raises:
        Unusable: the file is not JSON, or not an object of lists.
    """
    twice: list[str] = []

    def first_of_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, value in pairs:
            if name in found:
                twice.append(name)
            found.setdefault(name, value)
        return found

    root = _json(content, first_of_each)
    if not isinstance(root, dict) or not all(isinstance(v, list) for v in root.values()):
        raise Unusable("label file is not an object with a list for each picture", "line 1")
    index = {}
    for name, items in root.items():
        labels = index[name] = Labels()
        for number, item in enumerate(items, 1):
            word = _word(item, "illegibility")
            if word is None:
                labels.fault(f"{name} {number}", "object does not hold points and transcription")
            else:
                labels.add(word, f"{name} {number}")
    for name in twice:
        if name in index:
            index[name].fault(f"{name} 2", "picture is listed twice")
    return index


def _json(content: bytes, pairs: Callable[[list[tuple[str, Any]]], Any] | None = None) -> Any:
    try:
        return json.loads(content.decode("utf-8-sig"), object_pairs_hook=pairs)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise Unusable("label file is not UTF-8", f"line {line}") from None
    except json.JSONDecodeError as error:
        raise Unusable("label file is not JSON", f"line {error.lineno}") from None
    except (RecursionError, ValueError):
        raise Unusable("label file is not JSON", "line 1") from None


def _word(item: Any, ignore: str, exactly: int = 0) -> SceneWord | None:
    if not isinstance(item, dict) or not isinstance(item.get("transcription"), str):
        return None
    try:
        with np.errstate(over="ignore"):
            polygon = np.asarray(item.get("points"), np.float64).astype(np.float32).reshape(-1, 2)
    except (TypeError, ValueError, OverflowError):
        return None
    if not np.isfinite(polygon).all() or len(polygon) < 3 or (exactly and len(polygon) != exactly):
        return None
    script = item.get("language")
    return labelled(
        polygon,
        item["transcription"],
        script if isinstance(script, str) and script else "Latin" if ignore == "illegibility" else "Chinese",
        ignore=item.get(ignore) in (ILLEGIBLE, "1", True),
    )
