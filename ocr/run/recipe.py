"""The name of the recipe that a run was trained by, as it stands in every row of scores."""

from __future__ import annotations

from typing import Any

from ocr.config import compose_config, plain

FIXED = (
    "augment",
    "loader.batch_size",
    "loader.exact_quotas",
    "length.clip",
    "length.max_steps",
    "model.initialisation",
    "module.ema_decay",
    "optim",
    "schedule",
    "trainer.precision",
)
"""What a recipe says, by dotted key."""
FOLLOWS = ("schedule.steps",)
"""What follows from the others."""


def recipe_label(settings: dict[str, Any]) -> str | None:
    """The recipe's name, with the keys in which this run departs from it; None where no recipe was chosen.

    Args:
        settings: a composed config as plain data.
    """
    name = settings.get("recipe")
    if name is None:
        return None
    wanted, found = plain(compose_config(["model=crnn", f"recipe={name}"])), settings
    changed = [key for part in FIXED for key in _changed(part, _at(wanted, part), _at(found, part))]
    return f"{name}, changed: {', '.join(changed)}" if changed else str(name)


def _at(settings: dict[str, Any], key: str) -> Any:
    value: Any = settings
    for step in key.split("."):
        value = (value or {}).get(step)
    return value


def _changed(key: str, wanted: Any, found: Any) -> list[str]:
    """The keys below ``key`` that differ, or itself where it is no mapping or another class."""
    if wanted == found:
        return []
    if not isinstance(wanted, dict) or not isinstance(found, dict) or wanted.get("_target_") != found.get("_target_"):
        return [key]
    below = [f"{key}.{name}" for name in sorted(wanted.keys() | found.keys()) if wanted.get(name) != found.get(name)]
    return [name for name in below if name not in FOLLOWS]
