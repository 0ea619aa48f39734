"""From the command line to objects: unions of data sets, one-line errors, and the only place that instantiates a config node."""

from __future__ import annotations

import difflib
import functools
import hashlib
import importlib
import inspect
import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.object_type import ObjectType
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.plugins import Plugins
from hydra.errors import ConfigCompositionException, MissingConfigException
from hydra.plugins.config_source import ConfigLoadError, ConfigResult, ConfigSource
from hydra.plugins.search_path_plugin import SearchPathPlugin
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

Config = DictConfig
"""A composed config."""
_BESIDE = Path(__file__).resolve().parent
CONF = next(p for p in (_BESIDE.parent / "conf", _BESIDE / "conf") if p.is_dir())
"""The configuration folder: the checkout's own, or the copy inside an installed wheel."""

UNION_GROUP = "data"
ALLOWED_TARGETS = (
    "ocr.charset.",
    "ocr.detection.",
    "ocr.metrics.",
    "ocr.recognition.",
    "ocr.render.source.",
    "ocr.run.optim.",
    "torch.optim.",
)
"""Only classes, and constructors on them, that are defined below these can be named by a config or a checkpoint: ``_target_``
from a stranger is code execution, and even here are functions that write files."""
ALLOWED_FUNCTIONS = ("ocr.run.optim.",)
"""Plain functions can be named below these only."""
SHOWN = 80
"""Characters of a key or name that a message shows."""
LONGEST_MESSAGE = 2000
"""Characters of what a class says about its arguments, which may be a stranger's."""
NOT_IDENTITY = (
    "runs",
    "name",
    "study",
    "logger",
    "progress",
    "pictures",
    "loader.workers",
    "loader.time_limit",
    "length.save_every",
    "alarms",
)
"""Keys that change where, how and how safely a run reports, not what it computes."""
OFF = {"length.patience": None, "trainer.halve": False}
"""Keys that came later, by the value that changes nothing: with it a run is the one that was begun before they came."""
PLUGINS = ("submitit_slurm", "submitit_local", "joblib", "optuna")
"""Launchers and sweepers that are packages of their own."""
SHOWN_IN_NAME = ("model", "data", "trans", "feat", "seq", "pred", "seed")
"""Overrides that the name of a run directory spells out."""


# --- data=a+b -----------------------------------------------------------------------------------------------------------


def union_parts(config_path: str) -> list[str] | None:
    """``data/a+b`` -> ``["a", "b"]``; None when the path names no union."""
    group, _, name = config_path.removesuffix(".yaml").rpartition("/")
    parts = name.split("+")
    return parts if group == UNION_GROUP and len(parts) > 1 and all(parts) else None


class UnionSource(ConfigSource):
    """A virtual config source: ``data/a+b`` is answered with a defaults list of its parts, and Hydra composes the rest.

    Nothing is parsed or merged here, so overrides, sweeps and errors stay Hydra's own.  A real file of the same name wins
    because ``conf/`` is searched first.
    """

    @staticmethod
    def scheme() -> str:
        """The URL scheme of the search-path entry."""
        return "union"

    def load_config(self, config_path: str) -> ConfigResult:
        """The config of a union: its parts, then ``_self_``."""
        parts = union_parts(config_path)
        if parts is None:
            raise ConfigLoadError(f"Config not found: {config_path}")
        twice = sorted({p for p in parts if parts.count(p) > 1})
        if twice:
            raise ConfigCompositionException(f"data={'+'.join(parts)} names {', '.join(twice)} more than once")
        return ConfigResult(
            config=OmegaConf.create({"defaults": [*parts, "_self_"]}),
            path=f"{self.scheme()}://{self.path}",
            provider=self.provider,
            header={"package": None},
        )

    def available(self) -> bool:
        """Always."""
        return True

    def is_group(self, config_path: str) -> bool:
        """True for the one group in which ``+`` means union."""
        return config_path == UNION_GROUP

    def is_config(self, config_path: str) -> bool:
        """True when the path names a union."""
        return union_parts(config_path) is not None

    def list(self, config_path: str, results_filter: ObjectType | None) -> list[str]:
        """Unions are endless, so only shell completion gets some: what is typed so far plus one more part."""
        if results_filter == ObjectType.GROUP or config_path != UNION_GROUP:
            return []
        key, _, value = os.environ.get("COMP_LINE", "").split(" ")[-1].partition("=")
        if key.lstrip("+~") != config_path or "+" not in value:
            return []
        head = value.split(",")[-1].rpartition("+")[0]
        return [f"{head}+{name}" for name in names_in(UNION_GROUP) if name not in head.split("+")]


class UnionSearchPath(SearchPathPlugin):
    """Appends the virtual source behind ``conf/``."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        """Add one entry at the end of Hydra's search path."""
        search_path.append(provider="ocr-union", path="union://data")


def register() -> None:
    """Tell Hydra about ``data=a+b``; harmless when called again."""
    plugins = Plugins.instance()
    plugins.register(UnionSource)
    plugins.register(UnionSearchPath)
    # Hydra copies its own store, which nobody changes afterwards, for every group that it lists: half a second of --help
    ConfigStore.__deepcopy__ = lambda store, _memo: store  # type: ignore[attr-defined]


register()


def names_in(group: str) -> list[str]:
    """The options of a config group, sorted."""
    return sorted(p.stem for p in (CONF / group).glob("*.yaml"))


# --- composing ----------------------------------------------------------------------------------------------------------


def compose_config(overrides: list[str], config_name: str = "config") -> DictConfig:
    """Compose as the command line would.

    Raises:
        ValueError: one line that names the place, what was found and the nearest valid names.
    """
    try:
        return _compose(overrides, config_name)
    except Exception as error:
        line = explain(error, overrides)
        if line is None:
            raise
        raise ValueError(line) from error


def _compose(overrides: list[str], config_name: str = "config") -> DictConfig:
    register()  # launchers that start a job in another process empty Hydra's list of plugins there
    running = GlobalHydra.instance().hydra
    GlobalHydra.instance().clear()
    try:
        with initialize_config_dir(str(CONF), version_base="1.3"):
            return compose(config_name, overrides, return_hydra_config=False)
    finally:
        GlobalHydra.instance().hydra = running


def set_names(union: str, model: str) -> list[str]:
    """The sets of a union: a name in ``conf/data`` stands for the sets of its sources, any other (or a path) for itself."""
    names = []
    for part in union.split("+"):
        if part in names_in(UNION_GROUP):
            sources = compose_config([f"model={model}", f"data={part}"]).data.sources
            names += [str(getattr(source.set, "name", source.set)) for source in sources.values()]
        else:
            names.append(part)
    return names


def plain(node: Any) -> Any:
    """A config node as plain dicts and lists with every interpolation resolved: what checkpoints and hashes hold."""
    return OmegaConf.to_container(node, resolve=True) if OmegaConf.is_config(node) else node


def flat(node: Any, prefix: str = "") -> dict[str, Any]:
    """Dotted key -> value of plain nested dicts; an empty dict is a value."""
    if isinstance(node, Mapping) and (node or not prefix):
        return {k: v for key, child in node.items() for k, v in flat(child, f"{prefix}{key}.").items()}
    return {prefix[:-1]: node}


def identity(config: Mapping[str, Any]) -> dict[str, Any]:
    """What of a resolved config decides what is computed, by dotted key."""
    passed = tuple(f"{name}." for name in NOT_IDENTITY)
    return {k: v for k, v in flat(config).items() if not f"{k}.".startswith(passed) and not (k in OFF and v == OFF[k])}


def identity_hash(config: Mapping[str, Any]) -> str:
    """Twelve hex digits over :func:`identity`."""
    return hashlib.sha256(json.dumps(identity(config), sort_keys=True, default=str).encode()).hexdigest()[:12]


# --- the Hydra application that is running, if any ------------------------------------------------------------------------


def sweep_job() -> int | None:
    """The number of this job of ``train.py -m``, from 0; None outside a sweep."""
    running = HydraConfig.initialized() and HydraConfig.get().mode == RunMode.MULTIRUN
    return int(HydraConfig.get().job.num) if running else None


def unnamed_choices() -> list[str]:
    """The command line's overrides that matter to what is computed and that a run's name does not spell out."""
    task = list(HydraConfig.get().overrides.task) if HydraConfig.initialized() else []
    keys = [(o, o.lstrip("+~").split("=")[0]) for o in task]
    passed = tuple(f"{n}." for n in NOT_IDENTITY)
    return [o for o, key in keys if key not in SHOWN_IN_NAME and not f"{key}.".startswith(passed)]


def differences_from_preset(config: DictConfig) -> tuple[str, list[str]]:
    """The preset this run was started from, and one line for each value that differs from it; empty outside a Hydra application."""
    preset = HydraConfig.get().runtime.choices.get("model") if HydraConfig.initialized() else None
    if preset is None:
        return "", []
    old, new = flat(plain(compose_config([f"model={preset}"]))), flat(plain(config))
    lines = []
    for key in [*new, *(k for k in old if k not in new)]:
        if key not in new:
            lines.append(f"{key}: gone, was {json.dumps(old[key])}")
        elif key not in old:
            lines.append(f"{key}: {json.dumps(new[key])}")
        elif old[key] != new[key]:
            lines.append(f"{key}: {json.dumps(new[key])}, was {json.dumps(old[key])}")
    return f"model={preset}", lines


def as_yaml(config: DictConfig, resolve: bool) -> str:
    """The config as YAML, without its empty top-level keys."""
    kept = OmegaConf.masked_copy(config, [str(k) for k in config if config[k] is not None])
    return OmegaConf.to_yaml(kept if not resolve else OmegaConf.create(plain(config)))


def from_yaml(path: Path) -> dict[str, Any]:
    """What :func:`as_yaml` wrote with everything resolved; interpolations of a stranger stay the text they are.

    Raises:
        ValueError: it is not YAML, or holds no keys.
    """
    try:
        loaded = OmegaConf.to_container(OmegaConf.load(path), resolve=False)
    except AssertionError:  # omegaconf's answer to a file that is one number
        raise ValueError(f"{path} holds no keys: it is no config") from None
    except (OSError, UnicodeDecodeError, YAMLError, OmegaConfBaseException, RecursionError) as error:
        raise ValueError(f"{path} cannot be read ({' '.join(str(error).split())[:200]}): it is no config") from None
    if not isinstance(loaded, dict):
        raise ValueError(f"{path} holds no keys: it is no config")
    return {str(key): value for key, value in loaded.items()}


# --- building -----------------------------------------------------------------------------------------------------------


def build(node: Mapping[str, Any], where: str = "config", **extra: Any) -> Any:
    """Construct what a node names by ``_target_``; nested nodes are built first, ``_partial_: true`` gives a functools.partial.

    The only caller of a configured class.  ``extra`` arguments win over the node's.

    Raises:
        ValueError: the target is not allowed or does not exist, or an argument does not fit its signature; the message names the
            node, what was found and the nearest valid names.
    """
    node = plain(node)
    if not isinstance(node, Mapping):
        raise ValueError(f"{where}: {str(node)[:40]!r} is no node with a _target_")
    if "_target_" not in node:
        raise ValueError(
            f"{where}: no _target_ names the class to build; found the keys {', '.join(map(_short, list(node)[:25])) or '(none)'}"
        )
    made_by = target(node["_target_"], where)
    given = {k: v for k, v in node.items() if k not in ("_target_", "_partial_")}
    try:
        arguments = {k: _build_nested(v, f"{where}.{_short(k)}") for k, v in given.items() if k not in extra} | extra
    except RecursionError:
        raise ValueError(f"{where[:80]}: nodes are nested too deeply") from None
    _bind(made_by, arguments, where, partial=bool(node.get("_partial_")))
    if node.get("_partial_"):
        return functools.partial(made_by, **arguments)
    try:
        return made_by(**arguments)
    except ValueError as error:
        said = str(error)
        raise ValueError(
            f"{where}: {said if len(said) <= LONGEST_MESSAGE else said[:LONGEST_MESSAGE] + ' …'}"
        ) from error
    except (TypeError, RuntimeError, ArithmeticError, LookupError, AttributeError, MemoryError) as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise ValueError(
            f"{where}: {getattr(made_by, '__qualname__', made_by)} takes no such arguments ({reason})"
        ) from error


def _short(key: Any) -> str:
    """A key or name of a stranger, as part of one line."""
    return "".join(c if c.isprintable() else "?" for c in str(key)[:SHOWN])


def _build_nested(value: Any, where: str) -> Any:
    """Nodes inside a node; an empty one (``augment=none``) builds to None."""
    if isinstance(value, Mapping):
        if "_target_" in value:
            return build(value, where)
        return {k: _build_nested(v, f"{where}.{_short(k)}") for k, v in value.items()} or None
    return [_build_nested(v, f"{where}[{i}]") for i, v in enumerate(value)] if isinstance(value, list) else value


def target(name: str, where: str) -> Any:
    """The class or function that ``_target_: name`` stands for; raises ValueError when it is not allowed or not there."""
    if (
        not isinstance(name, str)
        or not re.fullmatch(r"(?!_)\w+(?:\.(?!_)\w+)+", name)
        or not name.startswith(ALLOWED_TARGETS)
    ):
        shown = repr(name)[:80]
        raise ValueError(f"{where}._target_: {shown} is not allowed; classes come from {', '.join(ALLOWED_TARGETS)}")
    module_name, _, attribute = name.rpartition(".")
    package, _, owner = module_name.rpartition(".")
    # a class (ocr.x.Class) or a constructor on a class (ocr.x.Class.method)
    for module_path, path in ((module_name, [attribute]), (package, [owner, attribute])):
        try:
            found: Any = importlib.import_module(module_path)
        except ModuleNotFoundError as error:
            if error.name is None or not name.startswith(error.name):
                raise
            continue
        for step in path:
            if not hasattr(found, step):
                raise ValueError(f"{where}._target_: {_short(name)!r} does not exist{nearest(step, dir(found))}")
            found = getattr(found, step)
        # an allowed module also holds what it imports, down to os.system
        if not _may_be_named(found):
            raise ValueError(f"{where}._target_: {_short(name)!r} is not allowed: it is no class of that module")
        return found
    raise ValueError(f"{where}._target_: {_short(name)!r} does not exist: no module {_short(module_name)!r}")


def _may_be_named(found: Any) -> bool:
    module = f"{getattr(found, '__module__', '')}."
    constructs = inspect.isclass(found) or (inspect.ismethod(found) and inspect.isclass(found.__self__))
    return module.startswith(ALLOWED_TARGETS if constructs else ALLOWED_FUNCTIONS) and callable(found)


def _bind(made_by: Any, arguments: Mapping[str, Any], where: str, partial: bool) -> None:
    signature = inspect.signature(made_by)
    accepted = [p.name for p in signature.parameters.values() if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    for key in arguments:
        if key not in accepted:
            label = getattr(made_by, "__qualname__", str(made_by))
            raise ValueError(
                f"{where}.{_short(key)}: {label} takes no argument {_short(key)!r}{nearest(_short(key), accepted)}"
            )
    if not partial:
        required = [p.name for p in signature.parameters.values() if p.default is p.empty and p.name in accepted]
        missing = [name for name in required if name not in arguments]
        if missing:
            raise ValueError(f"{where}: {getattr(made_by, '__qualname__', made_by)} needs {', '.join(missing)}")


# --- one-line errors ----------------------------------------------------------------------------------------------------


def nearest(word: str, valid: list[str], most: int = 3) -> str:
    """``; nearest: a, b`` or, when nothing is near, ``; valid: …``; empty when there is nothing to offer."""
    names = [v for v in valid if not v.startswith("_")]
    close = difflib.get_close_matches(word, names, n=most, cutoff=0.55)
    if close:
        return f"; nearest: {', '.join(close)}"
    return f"; valid: {', '.join(sorted(names)[:25])}" if names else ""


def keys_of(node: Any, prefix: str = "") -> Iterator[str]:
    """Every dotted key of a composed config."""
    if OmegaConf.is_dict(node):
        for key in node:
            yield f"{prefix}{key}"
            child = node._get_node(key)
            yield from keys_of(child, f"{prefix}{key}.")


def explain(error: BaseException, overrides: list[str]) -> str | None:
    """One line for what a user got wrong on the command line; None when the error is not of that kind."""
    if isinstance(error, MissingConfigException):
        return _explain_missing(error)
    if isinstance(error, ConfigCompositionException | OmegaConfBaseException):
        chain = [error, error.__cause__, error.__context__]
        text = " ".join(str(e) for e in chain if e is not None)
        named = re.search(
            r"Could not (?:override|append to config|delete from config)[^']*'([^']+)'|Key '([^']+)' is not in struct",
            text,
        )
        if named:
            return _explain_key(named.group(1) or named.group(2), overrides)
        return " ".join(str(error).split())
    if type(error).__name__ in ("OverrideParseException", "HydraException"):
        return " ".join(str(error).split())
    return None


def _explain_missing(error: MissingConfigException) -> str:
    path = (error.missing_cfg_file or "").removesuffix(".yaml").lstrip("/")
    group, _, name = path.rpartition("/")
    if name in PLUGINS:
        return f"{group}={name} is not installed; it comes with pip install 'ocr[sweeps]'"
    if group.startswith("source/"):
        task = group.partition("/")[2]
        return f"data={name}: {name} has nothing for {task}; what has: {', '.join(names_in(group))}"
    wrong = next((p for p in name.split("+") if p not in names_in(group)), name)
    source = re.search(r"In '([^']+)'", str(error))
    where = (
        f" (asked for by {source.group(1)})" if source and source.group(1) not in ("config", f"{group}/{name}") else ""
    )
    return f"{group}={name}: there is no {group} named {wrong!r}{where}{nearest(wrong, names_in(group), 5)}"


def _explain_key(key: str, overrides: list[str]) -> str:
    kept = [o for o in overrides if o.lstrip("+~").split("=")[0] != key]
    try:
        valid = list(keys_of(_compose(kept)))
    except Exception:  # more than one thing is wrong: the key alone is named
        valid = []
    parent, _, leaf = key.rpartition(".")
    siblings = [v.rpartition(".")[2] for v in valid if v.rpartition(".")[0] == parent]
    if siblings:
        close = difflib.get_close_matches(leaf, siblings, n=3, cutoff=0.55)
        offer = (
            f"; nearest: {', '.join(f'{parent}.{c}'.lstrip('.') for c in close)}"
            if close
            else f"; valid here: {', '.join(siblings[:25])}"
        )
    else:
        offer = nearest(key, valid)
    return f"{key}: there is no such key in the config{offer}"


def split_override(override: str) -> tuple[str, Any]:
    """``a.b=c`` -> (``a.b``, value), by Hydra's own grammar."""
    parsed = OverridesParser.create().parse_override(override)
    return parsed.key_or_group, parsed.value()
