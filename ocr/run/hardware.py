"""What a run computes on: device, precision, threads."""

from __future__ import annotations

import logging
import os
import warnings
from typing import Any

import cv2
import pytorch_lightning as pl
import torch

from ocr.freed_memory import keep_freed_memory
from ocr.seeding import derived_seed

DEFAULT_THREADS = torch.get_num_threads()
"""What torch takes by itself (OMP_NUM_THREADS, or the cores it may use), before any run of this process changed it."""


def check_device(trainer: dict[str, Any], in_sweep: bool) -> None:
    """Refuse hardware that is not there or cannot be used this way.

    Raises:
        ValueError: one line.
    """
    if trainer["accelerator"] in ("gpu", "cuda") and not torch.cuda.is_available():
        raise ValueError(
            "trainer=gpu: torch sees no GPU here (torch.cuda.is_available() is false); trainer=cpu needs none"
        )
    several = str(trainer["strategy"]).startswith("ddp") or trainer["devices"] != 1
    if in_sweep and several and not _task_per_process(trainer):
        raise ValueError(
            "trainer=ddp inside a sweep: every process would compose its own job and train another model; "
            "sweep with one device per job, run ddp without -m, or give each process a SLURM task "
            "(hydra/launcher=slurm hydra.launcher.tasks_per_node=2 trainer.devices=2)"
        )
    synchronise_norms(trainer)


def synchronise_norms(trainer: dict[str, Any]) -> bool:
    """Whether several processes normalise their batches together, as the config says; by itself, where torch can: on GPUs.

    Otherwise each process normalises by the statistics of its own part of the batch, and the running statistics, which validation
    and deployment use, are those of the first process.

    Raises:
        ValueError: it is asked for on a CPU.
    """
    chosen = trainer.get("sync_batchnorm", "auto")
    gpu = trainer["accelerator"] != "cpu" and torch.cuda.is_available()
    if chosen not in ("auto", True, False):
        raise ValueError(f"trainer.sync_batchnorm={chosen}: give auto, true or false")
    if chosen is True and not gpu:
        raise ValueError(
            "trainer.sync_batchnorm=true: torch synchronises batch normalisation on GPUs only; leave it at auto, or give false"
        )
    return gpu if chosen == "auto" else bool(chosen)


def _task_per_process(trainer: dict[str, Any]) -> bool:
    """Whether SLURM has started all processes of this job, each with the same config; then nothing is composed anew."""
    slurm = os.environ.get("SUBMITIT_EXECUTOR") == "slurm"
    return slurm and os.environ.get("SLURM_NTASKS_PER_NODE", os.environ.get("SLURM_NTASKS")) == str(trainer["devices"])


def prepare_torch(threads: int | None, seed: int) -> None:
    """Threads, the seed of the first weights, and silence from Lightning about what is meant to be so."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    for name in ("pytorch_lightning", "lightning_fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
        warnings.filterwarnings("ignore", module=rf"{name}\.")
    warnings.filterwarnings("ignore", message=r".*(does not have many workers|isinstance\(treespec)")
    torch.set_num_threads(threads or DEFAULT_THREADS)
    cv2.setNumThreads(threads or DEFAULT_THREADS)
    keep_freed_memory()
    # Nothing here reads it, and filling it takes a tenth of a step.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.manual_seed(derived_seed(seed, "weights"))


def bf16_in_hardware(accelerator: str) -> bool:
    """Whether bfloat16 is computed, not emulated, on the device that training will use."""
    if accelerator in ("gpu", "cuda", "auto") and torch.cuda.is_available():
        return torch.cuda.is_bf16_supported(including_emulation=False)
    probes = ("_is_avx512_bf16_supported", "_is_amx_tile_supported", "_is_arm_bf16_supported")
    return any(getattr(torch.cpu, name)() for name in probes if hasattr(torch.cpu, name))


def precision(trainer: dict[str, Any]) -> Any:
    """Lightning's name of the precision; ``auto`` is bf16 where the hardware computes it, else fp32."""
    if trainer["precision"] != "auto":
        return trainer["precision"]
    return "bf16-mixed" if bf16_in_hardware(trainer["accelerator"]) else "32-true"


def device_name(trainer: pl.Trainer) -> str:
    """``cpu, 2 threads``, or the GPU's name, with the number of processes where there are several."""
    device = trainer.strategy.root_device
    cpu = f"{device.type}, {torch.get_num_threads()} threads"
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else cpu
    return name if trainer.world_size == 1 else f"{trainer.world_size} x {name}"
