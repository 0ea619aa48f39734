"""The data of a run, as its config describes it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.console import Console

from ocr.config import build
from ocr.data.datamodule import DataModule
from ocr.data.sets import SceneSet, WordSet, open_set


def data_module(settings: dict[str, Any], network: Any) -> DataModule:
    """The training and validation samples of a composed config as plain data; ``network`` says which labels can be learnt.

    Raises:
        ValueError: see :class:`ocr.data.datamodule.DataModule`.
    """
    extra = {}
    if settings["task"] == "recognition":
        extra = {"codec": network.codec, **{k: settings["model"][k] for k in ("height", "width", "channels")}}
    return DataModule(
        root=settings["root"],
        task=settings["task"],
        sources=_sources(settings),
        encoder=build(settings["encoder"], "encoder", **extra),
        seed=settings["seed"],
        overfit=settings["overfit"],
        **settings["loader"],
    )


def _sources(settings: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The nodes of the sources, with the sets built that are made rather than read."""
    nodes = (settings.get("data") or {}).get("sources") or {}
    made = {
        name: build(node["set"], f"data.sources.{name}.set")
        for name, node in nodes.items()
        if isinstance(node["set"], dict)
    }
    return {name: node | {"set": made[name]} if name in made else node for name, node in nodes.items()}


def unseen_sets(root: str, named: list[SceneSet | WordSet], console: Console) -> list[WordSet]:
    """The test sets of words that training must not choose a model on: those named, and every other one below the root.

    One that cannot be opened is named on the console and left out.
    """
    found = {test.fingerprint: test for test in named if isinstance(test, WordSet)}
    for path in sorted((Path(root).expanduser() / "recognition").glob("*/test/data.mdb")):
        try:
            test = open_set(root, "recognition", path.parent.parent.name, "test")
        except ValueError as error:
            console.print(f"not looked at: {error}", style="yellow", highlight=False, markup=False, soft_wrap=True)
            continue
        if isinstance(test, WordSet):
            found.setdefault(test.fingerprint, test)
    return list(found.values())
