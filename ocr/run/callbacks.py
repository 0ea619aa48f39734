"""Reproducible steps, skipped samples, rows: what happens around every step of a run."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Any

import pytorch_lightning as pl
import torch
from rich.console import Console

from ocr.data.datamodule import Part
from ocr.freed_memory import hand_back_freed_memory
from ocr.gathering import gathered
from ocr.run.logging import Journal
from ocr.run.record import peak_memory_mb
from ocr.run.saving import Checkpoints
from ocr.seeding import derived_seed

FEW_SKIPPED = 10
SKIPPED_SHARE = 0.01
TRIM_EVERY = 200
"""Steps between two times that freed memory is handed back."""
WARM_UP = 5
"""Steps at the start of an attempt that its mean speed leaves out."""


class ReproducibleSteps(pl.Callback):
    """Reseeds torch at every step, so that a resumed run draws what an undisturbed one draws."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Seed by (seed, process, step)."""
        torch.manual_seed(derived_seed(self.seed, "step", trainer.global_rank, trainer.global_step))


class FreedMemory(pl.Callback):
    """Hands back what is free behind a validation, whose pictures have other sizes than training's, and now and then between steps.

    Kept for the next step it spares page faults; kept for ever, every odd size leaves its hole.
    """

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Every :data:`TRIM_EVERY` steps."""
        if trainer.global_step % TRIM_EVERY == 0:
            hand_back_freed_memory()

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Behind all that looks at the validation."""
        hand_back_freed_memory()


class SkippedSamples(pl.Callback):
    """Counts and names samples whose picture cannot be decoded; more than 10 and more than 1 % stop the run.

    In training another sample stands in (``batch.skipped`` names the broken one); validation goes on without it.
    """

    def __init__(self, batch_size: int, console: Console) -> None:
        self.batch_size = batch_size
        self.console = console
        self.keys: dict[str, None] = {}
        self._validation: set[str] = set()

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Look at what the loader had to skip for this batch."""
        self._skipped_in_training(trainer, batch.skipped)

    def _skipped_in_training(self, trainer: pl.Trainer, keys: list[str]) -> None:
        new = [key for key in keys if key not in self.keys]
        if new:
            self.keys.update(dict.fromkeys(new))
            parts: list[Part] = trainer.datamodule.parts  # type: ignore[attr-defined]
            drawn = (trainer.global_step + 1) * self.batch_size * trainer.world_size
            self._report(new, len(self.keys), min(sum(len(part.train) for part in parts), drawn), "training samples")

    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Look at what validation had to go without, and at what other processes had to skip since the last one."""
        samples = trainer.datamodule.validation  # type: ignore[attr-defined]
        told = gathered((list(self.keys), list(samples.undecodable)))
        self._skipped_in_training(trainer, [key for keys, _ in told for key in keys])
        new = [key for _, keys in told for key in keys if key not in self._validation]
        if new:
            self._validation.update(new)
            self._report(new, len(self._validation), len(samples), "validation samples")

    def _report(self, new: list[str], broken: int, of: int, what: str) -> None:
        named = ", ".join(new[:5]) + (f" and {len(new) - 5} more" if len(new) > 5 else "")
        self.console.print(
            f"skipped {broken} of {of:,} {what}, their pictures cannot be decoded: {named}", style="yellow"
        )
        if broken == of or (broken > FEW_SKIPPED and broken > SKIPPED_SHARE * of):
            raise ValueError(
                f"{broken} of {of:,} {what} have pictures that cannot be decoded (the last: {new[-1]}): "
                "`python -m data_prep verify DIR` lists them; prepare the set again"
            )

    def found(self) -> dict[str, Any]:
        """For the record: how many, and the first of them."""
        keys = [*self.keys, *sorted(self._validation)]
        return {"count": len(keys), "first": keys[:FEW_SKIPPED]} if keys else {}

    def state_dict(self) -> dict[str, Any]:
        """The keys seen in training so far."""
        return {"keys": list(self.keys)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on counting."""
        self.keys = dict.fromkeys(state_dict["keys"])


@dataclass(frozen=True, slots=True)
class Pace:
    """Steps done, and the seconds spent on training and on waiting for data."""

    steps: int = 0
    trained: float = 0.0
    waited: float = 0.0

    @property
    def seconds(self) -> float:
        """Both together."""
        return self.trained + self.waited

    def since(self, earlier: Pace) -> Pace:
        """What came after an earlier one."""
        return Pace(self.steps - earlier.steps, self.trained - earlier.trained, self.waited - earlier.waited)


class Rows(pl.Callback):
    """Writes what the module logs to the journal, and speed, waiting and memory beside it.

    Args:
        journal: of the run.
        batch_size: samples per step and process.
        every: steps between rows.
        checkpoints: says how long saving took, which is neither training nor waiting.
    """

    def __init__(self, journal: Journal, batch_size: int, every: int, checkpoints: Checkpoints) -> None:
        self.journal = journal
        self.batch_size = batch_size
        self.every = every
        self.checkpoints = checkpoints
        self._total = self._warm = self._last_row = Pace()
        self._mark = self._saving = self._validation_began = 0.0
        self._samples = 0

    @property
    def total(self) -> Pace:
        """Of this attempt so far."""
        return self._total

    @property
    def pace(self) -> tuple[int, float]:
        """Samples and seconds of this attempt, without its first steps where there are others, and without validation."""
        mean = self._total.since(self._warm) if self._total.steps > self._warm.steps else self._total
        return mean.steps * self._samples, round(mean.seconds, 3)

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start the clock."""
        self._samples = self.batch_size * trainer.world_size
        self._mark = time.perf_counter()

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """What passed since the last step, saving aside, was waiting for data."""
        saved, self._saving = self.checkpoints.seconds - self._saving, self.checkpoints.seconds
        self._total = replace(self._total, waited=self._total.waited + self._lap() - saved)

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """A row every ``every`` steps."""
        steps, trained = self._total.steps + 1, self._total.trained + self._lap()
        self._total = replace(self._total, steps=steps, trained=trained)
        if steps == WARM_UP:
            self._warm = self._total
        if trainer.global_step % self.every == 0:
            self._write(trainer)

    def _lap(self) -> float:
        earlier, self._mark = self._mark, time.perf_counter()
        return self._mark - earlier

    def _write(self, trainer: pl.Trainer) -> None:
        # sorted: a value that is first logged late would stand elsewhere after a resume
        values = {k: float(v) for k, v in sorted(trainer.callback_metrics.items()) if not k.startswith("val/")}
        values["lr"] = float(trainer.optimizers[0].param_groups[0]["lr"])
        self.journal.metrics(trainer.global_step, **values)
        lately, self._last_row = self._total.since(self._last_row), self._total
        gpu = torch.cuda.max_memory_allocated() / 1e6 if torch.cuda.is_available() else 0.0
        self.journal.timing(
            trainer.global_step,
            samples_per_second=round(lately.steps * self._samples / lately.seconds, 2),
            data_wait=round(lately.waited / lately.seconds, 4),
            peak_memory_mb=round(peak_memory_mb(), 1),
            **({"peak_gpu_memory_mb": round(gpu, 1)} if gpu else {}),
        )

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Validation is not training time."""
        self._validation_began = time.perf_counter()

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """A row of validation scores."""
        seconds = time.perf_counter() - self._validation_began
        self._mark += seconds
        values = {k: float(v) for k, v in trainer.callback_metrics.items() if k.startswith("val/")}
        self.journal.metrics(trainer.global_step, **values)
        self.journal.timing(trainer.global_step, validation_seconds=round(seconds, 2))
