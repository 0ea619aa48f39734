"""One training run, from a composed config to a record on disk."""

from __future__ import annotations

import gc
import json
import logging
import os
import time
import warnings
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from rich.table import Table

from ocr import sweep
from ocr.config import build, changed_values, identity_hash, overrides_of_this_run, plain, target
from ocr.data.datamodule import DataModule
from ocr.run import checkpoint
from ocr.run.callbacks import Checkpoints, Interrupted, ProgressLine, ReproducibleSteps, Rows, SkippedSamples
from ocr.run.evaluate import evaluate_checkpoint, print_scores
from ocr.run.logging import Journal
from ocr.run.record import RunRecord, Status, forget_peak_memory, write_atomically
from ocr.seeding import derived_seed
from ocr.terminal import console as make_console

console = make_console()


def train(config: DictConfig) -> float:
    """Train, validate and evaluate what a config describes; repeat a finished run and its score is returned at once.

    Raises:
        ValueError: one line on what is wrong with the config or the data.
        KeyboardInterrupt: asked to stop; everything is saved.
    """
    check(config)
    settings = plain(config)
    folder = run_folder(settings)
    sweep.note(folder)
    record = _open_record(folder, settings)
    if record.status == "finished":
        console.print(
            f"{folder} is finished: {record.select} {record.score:.4f} (the same config; name=… makes another run)"
        )
        return record.score or 0.0
    _show_config(config, folder)
    write_atomically(folder / "config.yaml", OmegaConf.to_yaml(config, resolve=True))
    gc.collect()  # a trainer is full of cycles: the networks of a sweep's earlier runs would stay in memory
    forget_peak_memory()
    try:
        return _run(settings, folder, record)
    except Interrupted as stop:
        raise KeyboardInterrupt(str(stop)) from stop
    except Exception as error:
        if record.status != "failed":
            record.status, record.error = "failed", f"{type(error).__name__}: {error}"
            record.write(folder)
        raise


def check(config: DictConfig) -> None:
    """Refuse what composes but cannot be meant.

    Raises:
        ValueError: one line.
    """
    if config.task is None:
        raise ValueError("no model is chosen; for example model=craft or model=trba")
    if config.task == "detection":
        stages = [s for s in ("trans", "feat", "seq", "pred") if s in config]
        if stages:
            raise ValueError(
                f"{stages[0]}=…: a detector has no such stage; the four stages belong to recognisers such as model=trba"
            )
    length = config.length
    if length.max_steps % length.val_every:
        raise ValueError(
            f"length.max_steps={length.max_steps} is no multiple of length.val_every={length.val_every}: "
            "the last steps would never be validated"
        )
    in_sweep = HydraConfig.initialized() and HydraConfig.get().mode == RunMode.MULTIRUN
    if in_sweep and config.trainer.strategy == "ddp":
        raise ValueError(
            "trainer=ddp inside a sweep: every rank would compose its own job; sweep with one device per job, or run ddp alone"
        )


def model_name(settings: dict[str, Any]) -> str:
    """``CRAFT``, or the grid cell, for example ``TPS-ResNet-BiLSTM-Attn``."""
    if settings["task"] == "detection":
        return str(settings["model"]["_target_"]).rpartition(".")[2]
    return "-".join(target(settings[stage]["_target_"], stage).title for stage in ("trans", "feat", "seq", "pred"))


def run_folder(settings: dict[str, Any]) -> Path:
    """``<runs>/[<study>/]<name>``; the name is made from the choices, and from a hash of the values when some were changed."""
    name = settings["name"]
    if name is None:
        data = "+".join(settings["data"]["sources"]) if settings["data"] else "no-data"
        name = f"{model_name(settings)}-{data}-s{settings['seed']}"
        if changed_values(overrides_of_this_run()):
            name += f"-{identity_hash(settings)[:8]}"
    return Path(settings["runs"]) / (settings["study"] or "") / name


def _open_record(folder: Path, settings: dict[str, Any]) -> RunRecord:
    digest = identity_hash(settings)
    record = RunRecord.read(folder)
    if record is None:
        folder.mkdir(parents=True, exist_ok=True)
        record = RunRecord(
            folder.name, settings["task"], model_name(settings), digest, settings["seed"], settings["select"]
        )
        write_atomically(folder / "identity.json", json.dumps(settings, indent=1, sort_keys=True, default=str))
    elif record.config_hash != digest:
        raise ValueError(
            f"{folder} holds a run of another config ({_difference(folder, settings)}): give this one a name=…, or move that away"
        )
    return record


def _difference(folder: Path, settings: dict[str, Any]) -> str:
    path = folder / "identity.json"
    old = _flat(json.loads(path.read_text())) if path.is_file() else {}
    new = _flat(json.loads(json.dumps(settings, default=str)))
    keys = [k for k in sorted(old.keys() | new.keys()) if old.get(k) != new.get(k)]
    return "; ".join(f"{k}: {old.get(k)} there, {new.get(k)} here" for k in keys[:3]) or "unknown difference"


def _flat(node: Any, prefix: str = "") -> dict[str, Any]:
    if isinstance(node, dict):
        return {k: v for key, child in node.items() for k, v in _flat(child, f"{prefix}{key}.").items()}
    return {prefix[:-1]: node}


def _show_config(config: DictConfig, folder: Path) -> None:
    changed = overrides_of_this_run()
    console.rule(f"[bold]{folder}")
    if changed:
        console.print("differs from the defaults: " + "  ".join(changed), highlight=False, markup=False)
    shown = OmegaConf.to_yaml(
        OmegaConf.masked_copy(config, [str(k) for k in config if config[k] is not None])
    )
    console.print(shown.strip(), style="dim", highlight=False, markup=False)


def _run(settings: dict[str, Any], folder: Path, record: RunRecord) -> float:
    began = time.perf_counter()
    _prepare_torch(settings)
    network = build(settings["model"], "model")
    if settings["init"]:
        kept = checkpoint.initialise(network, settings["init"])
        console.print(
            f"init={settings['init']}: {len(kept)} weights start fresh"
            + (f" ({', '.join(kept[:4])} …)" if kept else "")
        )
    codec = {"codec": network.codec} if settings["task"] == "recognition" else {}
    encoder = build(settings["encoder"], "encoder", **codec, **_input_size(settings))
    data = DataModule(
        root=settings["root"],
        task=settings["task"],
        sources=(settings["data"] or {}).get("sources") or {},
        encoder=encoder,
        seed=settings["seed"],
        overfit=settings["overfit"],
        **settings["loader"],
    )
    module = build(
        settings["module"],
        "module",
        network=network,
        network_config=settings["model"],
        optimizer=build(settings["optim"], "optim"),
        schedule=build(settings["schedule"], "schedule"),
        scorer=build(settings["protocol"], "protocol"),
        precision="bf16" if "bf16" in str(_precision(settings["trainer"])) else "fp32",
    )
    record.data, record.max_steps = data.fingerprints(), settings["length"]["max_steps"]
    record.parameters = sum(p.numel() for p in network.parameters())
    _show_data(data)
    trainer, callbacks = _trainer(settings, folder, record)
    resume = folder / checkpoint.LAST
    step = int(checkpoint.read(resume)["global_step"]) if resume.exists() else 0
    callbacks.rows.journal.cut_back(step)
    record.device, record.precision = _device(trainer), str(trainer.precision)
    record.begin(folder, step)
    if step:
        console.print(f"resuming {resume} at step {step}")
    try:
        if step < settings["length"]["max_steps"]:
            trainer.fit(module, datamodule=data, ckpt_path=resume if step else None, weights_only=True)
    except BaseException as error:
        status: Status = "interrupted" if isinstance(error, Interrupted | KeyboardInterrupt) else "failed"
        record.end(folder, status, trainer.global_step, time.perf_counter() - began, f"{type(error).__name__}: {error}")
        raise
    return _finish(settings, folder, record, callbacks, time.perf_counter() - began)


def _finish(settings: dict[str, Any], folder: Path, record: RunRecord, callbacks: _Callbacks, seconds: float) -> float:
    best = callbacks.checkpoints
    if best.best_step < 0:
        state = checkpoint.read(folder / checkpoint.LAST)["callbacks"]["Checkpoints"]
        best.load_state_dict(state)
    record.score, record.best_step = best.best_score, best.best_step
    record.samples_per_second = callbacks.rows.samples_per_second or record.samples_per_second
    if settings["test"]:
        scores = evaluate_checkpoint(
            folder / checkpoint.BEST, settings["test"].split("+"), settings, folder / "predictions", console
        )
        record.scores = scores
        print_scores(scores, console)
    record.end(folder, "finished", settings["length"]["max_steps"], seconds)
    callbacks.rows.journal.close({settings["select"]: record.score}, folder / checkpoint.BEST)
    console.print(
        f"finished: {settings['select']} {record.score:.4f} at step {record.best_step}; {folder / checkpoint.BEST}",
        highlight=False,
    )
    if settings["overfit"] and record.score < 0.99:
        raise ValueError(
            f"debug=overfit: {settings['select']} {record.score:.3f} < 0.99 on {settings['overfit']} samples: it does not learn"
        )
    return float(record.score)


def _input_size(settings: dict[str, Any]) -> dict[str, Any]:
    return (
        {k: settings["model"][k] for k in ("height", "width", "channels")} if settings["task"] == "recognition" else {}
    )


def _prepare_torch(settings: dict[str, Any]) -> None:
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    warnings.filterwarnings(
        "ignore",
        message=".*(does not have many workers|isinstance\\(treespec|module\\(s\\) in eval mode|`LightningModule.configure_optimizers`|LeafSpec).*",
    )
    torch.set_num_threads(settings["trainer"]["threads"] or os.cpu_count() or 1)
    torch.manual_seed(derived_seed(settings["seed"], "weights"))


def bf16_in_hardware(accelerator: str) -> bool:
    """Whether bfloat16 is computed, not emulated, on the device that training will use."""
    if accelerator in ("gpu", "cuda", "auto") and torch.cuda.is_available():
        return torch.cuda.is_bf16_supported(including_emulation=False)
    probes = ("_is_avx512_bf16_supported", "_is_amx_tile_supported", "_is_arm_bf16_supported")
    return any(getattr(torch.cpu, name)() for name in probes if hasattr(torch.cpu, name))


def _precision(trainer: dict[str, Any]) -> Any:
    if trainer["precision"] != "auto":
        return trainer["precision"]
    return "bf16-mixed" if bf16_in_hardware(trainer["accelerator"]) else "32-true"


class _Callbacks:
    """The callbacks of a run, by name."""

    def __init__(self, settings: dict[str, Any], folder: Path, record: RunRecord) -> None:
        length, batch = settings["length"], settings["loader"]["batch_size"]
        logger = dict(settings["logger"])
        journal = Journal(folder, record.name, settings, **logger)
        self.steps = ReproducibleSteps(settings["seed"])
        self.skipped = SkippedSamples(batch, console)
        self.rows = Rows(journal, batch, length["log_every"])
        self.progress = ProgressLine(record.model, length["max_steps"], batch, console, settings["progress"])
        origin = {"model": record.model, "settings": settings, "config_hash": record.config_hash, "trained_on": record.data}
        self.checkpoints = Checkpoints(folder, settings["select"], length["save_every"], length["val_every"], origin)

    def __iter__(self) -> Any:
        return iter((self.steps, self.skipped, self.rows, self.progress, self.checkpoints))


def _trainer(settings: dict[str, Any], folder: Path, record: RunRecord) -> tuple[pl.Trainer, _Callbacks]:
    callbacks, length, hardware = _Callbacks(settings, folder, record), settings["length"], settings["trainer"]
    trainer = pl.Trainer(
        accelerator=hardware["accelerator"],
        devices=hardware["devices"],
        strategy=hardware["strategy"],
        precision=_precision(hardware),
        deterministic=hardware["deterministic"],
        max_steps=length["max_steps"],
        max_epochs=-1,
        val_check_interval=length["val_every"],
        check_val_every_n_epoch=None,
        gradient_clip_val=length["clip"],
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=list(callbacks),
        default_root_dir=folder,
    )
    return trainer, callbacks


def _device(trainer: pl.Trainer) -> str:
    device = trainer.strategy.root_device
    return (
        torch.cuda.get_device_name(device)
        if device.type == "cuda"
        else f"{device.type}, {torch.get_num_threads()} threads"
    )


def _show_data(data: DataModule) -> None:
    table = Table(title="training data", title_justify="left", box=None, pad_edge=False)
    for column in ("set", "split", "kind", "samples", "trains", "validates", "share", "left out", "fingerprint"):
        table.add_column(column)
    for share, row in zip(data.shares(), data.fingerprints().values(), strict=True):
        left_out = ", ".join(f"{n} {reason}" for reason, n in row["rejected"].items()) or "-"
        kind = row["kind"] if row["kind"] == "real" else f"[yellow]{row['kind']} stand-in"
        numbers = [f"{row[k]:,}" for k in ("count", "train", "validation")]
        table.add_row(row["set"], row["split"], kind, *numbers, f"{share:.1%}", left_out, row["fingerprint"][:12])
    console.print(table)
