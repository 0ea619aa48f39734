"""Lightning's coat around the recogniser."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, Protocol

import pytorch_lightning as pl
import torch
from pytorch_lightning.utilities.types import OptimizerLRScheduler

from ocr.averaging import WeightAverage
from ocr.finite import clip_finite, require_finite
from ocr.gathering import in_turn, processes, share_buffers, share_of_mean
from ocr.pieces import Pieces
from ocr.recognition.fitting import Tall
from ocr.recognition.four_stage import FourStage
from ocr.recognition.recognizer import Recognizer
from ocr.recognition.samples import normalise
from ocr.types import Reading, Word, WordBatch


class WordScores(Protocol):
    """What a scorer says of words read, for example ``ocr.metrics.words.WordResult``; higher is better."""

    @property
    def word_accuracy(self) -> float:
        """Share of words read exactly, in [0, 1]."""

    @property
    def ned(self) -> float:
        """Mean of 1-NED, in [0, 1]."""


class RecognitionModule(pl.LightningModule):
    """Trains a :class:`FourStage` and validates it through the deployed :class:`Recognizer`.

    Args:
        network: to train.
        network_config: plain containers that build the same network again; kept in the checkpoint.
        optimizer: parameters -> optimiser.
        schedule: optimiser -> learning-rate schedule, stepped after every batch.
        scorer: pairs of true text and reading -> their scores.
        keep_ratio, variable_width, tall: as the encoder of the training samples.
        batch_size: words per forward pass of validation, and of whoever deploys the checkpoint.
        precision: of validation and deployment, ``fp32`` or ``bf16``; that of training is the trainer's.
        ema_decay: of an average of the weights, per step, in [0, 1); it is what validates and is deployed.  None: none.
        channels_last: store images and weights with the channels last, which is faster in bf16.
        pieces: parts in which a batch goes through the network, one after the other (:mod:`ocr.pieces`); with ``variable_width``
            words of like width go together, which spares padding.

    Raises:
        ValueError: ``pieces`` is below 1.
    """

    def __init__(
        self,
        network: FourStage,
        network_config: dict[str, Any],
        optimizer: Callable[..., torch.optim.Optimizer],
        schedule: Callable[..., torch.optim.lr_scheduler.LRScheduler],
        scorer: Callable[[Sequence[tuple[str, Reading]]], WordScores],
        keep_ratio: bool = False,
        batch_size: int = 128,
        precision: Literal["fp32", "bf16"] = "fp32",
        channels_last: bool = True,
        variable_width: bool = False,
        tall: Tall = "keep",
        ema_decay: float | None = None,
        pieces: int = 1,
    ) -> None:
        super().__init__()
        if pieces < 1:
            raise ValueError(f"module.pieces is {pieces}: a batch goes through the network in one part or more")
        self.memory_format = torch.channels_last if channels_last else torch.contiguous_format
        self.network = network
        self.network.to(memory_format=self.memory_format)  # type: ignore[call-overload]  # torch's stubs lack this form
        self.network_config = network_config
        self.make_optimizer, self.make_schedule = optimizer, schedule
        self.scorer = scorer
        self.inference = {
            "keep_ratio": keep_ratio,
            "batch_size": batch_size,
            "precision": precision,
            "variable_width": variable_width,
            "tall": tall,
        }
        self.average = None if ema_decay is None else WeightAverage(network, ema_decay)
        deployed = network if self.average is None else self.average.network
        self.recognizer = Recognizer(deployed, keep_ratio, batch_size, precision, variable_width, tall)
        self.validated: list[list[tuple[str, Reading]]] = []
        self.pieces = Pieces(count=pieces)
        self.keys: list[str] = []

    def deployable(self) -> Recognizer:
        """The recogniser with the present weights."""
        return self.recognizer

    def training_step(self, batch: WordBatch, batch_index: int) -> torch.Tensor:
        """Loss of a batch.

        Raises:
            FloatingPointError: the loss is not a finite number; the message names the batch's keys.
        """
        self.keys = batch.keys
        terms = self.network.pred.terms
        (loss,) = self.pieces.loss(
            len(batch.keys),
            lambda part: self._losses(batch, part),
            lambda part: terms(batch.texts[part]),
            self.network.parameters(),
        )
        if processes() > 1:
            loss = loss * share_of_mean(self.network.pred.terms(batch.texts), loss.device)
        require_finite("loss", loss, batch.keys, self.global_step)
        self.log("train/loss", loss, batch_size=len(batch.texts), sync_dist=True)
        return loss

    def _losses(self, batch: WordBatch, part: slice) -> torch.Tensor:
        """The loss (1,) of a part of a batch, which is as wide as its widest picture."""
        images_BCHW = batch.images_BCHW[part]
        widths_B = None if batch.widths_B is None else batch.widths_B[part]
        if widths_B is not None and self.pieces.count > 1:
            images_BCHW = images_BCHW[..., : int(widths_B.max())]
        images_BCHW = normalise(images_BCHW).contiguous(memory_format=self.memory_format)
        return self.network.loss(images_BCHW, batch.texts[part], widths_B)[None]

    def configure_gradient_clipping(
        self,
        optimizer: torch.optim.Optimizer,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        """Clip the norm, and stop before a gradient that is not finite can spoil the weights.

        A loss scaler (fp16) leaves such steps out by itself.

        Raises:
            FloatingPointError: the gradient is not finite; the message names the batch's keys.
        """
        scaled = getattr(self.trainer.precision_plugin, "scaler", None) is not None
        clip_finite(self.network.parameters(), gradient_clip_val, self.keys, self.global_step, or_skipped=scaled)

    def optimizer_step(self, *args: Any, **kwargs: Any) -> None:
        """Step, then let the average follow: before any callback can save a checkpoint."""
        step = super().optimizer_step
        self.pieces.retry(lambda: step(*args, **kwargs))
        if self.average is not None:
            self.average.update(self.network)

    def on_validation_epoch_start(self) -> None:
        """Forget the readings of the last validation; what is validated is what will be saved."""
        share_buffers(self)
        self.validated.clear()

    def validation_step(self, batch: list[Word], batch_index: int) -> None:
        """Read a list of words."""
        readings = self.recognizer.read([word.image for word in batch])
        self.validated.append(list(zip((word.text for word in batch), readings, strict=True)))

    def on_validation_epoch_end(self) -> None:
        """Log ``val/word_accuracy`` and ``val/ned`` over all words read, on whatever device."""
        scores = self.scorer(in_turn(self.validated))
        self.log("val/word_accuracy", scores.word_accuracy, prog_bar=True)
        self.log("val/ned", scores.ned)

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """The optimiser and its schedule, one tick per step."""
        optimizer = self.make_optimizer(self.network.parameters())
        schedule = self.make_schedule(optimizer)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add what is needed to read with these weights, as plain containers.

        The charset is written out, so that a checkpoint does not depend on a charset file.
        """
        checkpoint["ocr"] = {
            "format": 1,
            "task": "recognition",
            "network": {**self.network_config, "charset": self.network.codec.charset.node()},
            "weights": "network." if self.average is None else "average.network.",
            "inference": dict(self.inference),
        }
