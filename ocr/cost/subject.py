"""What is to be measured: a checkpoint, or a model that a config describes and that has fresh weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ocr.config import build, compose_config, names_in, plain, split_override
from ocr.run import checkpoint

PRESET = {"detection": "model=craft", "recognition": "model=crnn"}
OF_TRAINING = (
    "loader.batch_size",
    "optim",
    "encoder.size",
    "model.max_length",
    "trainer.precision",
    "module.ema_decay",
)
"""What a training step depends on besides the network, by dotted key."""


@dataclass(frozen=True, slots=True)
class Subject:
    """``settings`` are a composed config as plain data; without a ``checkpoint`` its model is built with fresh weights."""

    name: str
    settings: dict[str, Any]
    checkpoint: str | None = None

    @property
    def task(self) -> str:
        """``detection`` or ``recognition``."""
        return str(self.settings["task"])

    def deployed(self, device: str = "cpu", **inference: Any) -> Any:
        """The detector or recogniser."""
        if self.checkpoint is not None:
            return checkpoint.deployable(self.checkpoint, self.task, device, **inference)
        network = build(self.settings["model"], "model").eval().to(device)
        module = self.settings["module"]
        kept = ("batch_size", "long_side") if self.task == "detection" else ("keep_ratio", "variable_width", "tall")
        node = {"_target_": checkpoint.DEPLOYED[self.task], **{key: module[key] for key in kept if key in module}}
        return build(node, "inference", network=network, **inference)


def subject(words: Sequence[str]) -> Subject:
    """What the words of a command line name: at most one path of a checkpoint, and overrides.

    Raises:
        ValueError: nothing is named, or two things, or an override does not fit; one line.
    """
    paths = [word for word in words if "=" not in word or Path(word).is_file()]
    overrides = [word for word in words if word not in paths]
    if len(paths) > 1:
        raise ValueError(f"{' '.join(paths)}: give one checkpoint, or model=NAME")
    if paths:
        return _of_checkpoint(paths[0], overrides)
    if not any(override.startswith(("model=", "experiment=")) for override in overrides):
        raise ValueError(
            f"nothing to measure: name a checkpoint, or a model: {', '.join(f'model={n}' for n in names_in('model'))}"
        )
    settings = plain(compose_config(overrides))
    return Subject(" ".join(overrides), settings)


def _of_checkpoint(path: str, overrides: Sequence[str]) -> Subject:
    content = checkpoint.read(path)
    task = content["ocr"]["task"]
    for override in overrides:
        key = override.lstrip("+~").partition("=")[0]
        if not any(f"{key}.".startswith(f"{kept}.") for kept in ("inference", *OF_TRAINING)):
            raise ValueError(
                f"{override}: a checkpoint brings its own model; what may change is inference, {', '.join(OF_TRAINING)}"
            )
    composed = plain(compose_config([PRESET[task], *overrides]))
    settings = content.get("origin", {}).get("settings") or composed | {"model": content["ocr"]["network"]}
    for override in overrides:
        key, _ = split_override(override)
        _put(settings, key, _at(composed, key))
    return Subject(path, settings, path)


def _at(settings: Any, key: str) -> Any:
    for step in key.split("."):
        settings = settings[step]
    return settings


def _put(settings: dict[str, Any], key: str, value: Any) -> None:
    *parents, leaf = key.split(".")
    for step in parents:
        settings = settings.setdefault(step, {})
    settings[leaf] = value
