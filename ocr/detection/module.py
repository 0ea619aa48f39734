"""Lightning's coat around the detector: weak labels by a slowly moving teacher, loss, validation, checkpoint."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any, Literal

import pytorch_lightning as pl
import torch
from pytorch_lightning.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn

from ocr.averaging import WeightAverage
from ocr.detection.craft import normalise
from ocr.detection.detector import Detector
from ocr.detection.label_quality import LabelQuality, Observed, observe, together
from ocr.detection.loss import detection_loss
from ocr.detection.pseudo_labels import Labelled, Labeller, splice
from ocr.detection.splitting import Splitter, Watershed
from ocr.detection.thresholds import Candidates, Grid, Scorer, candidates, choose
from ocr.finite import clip_finite, require_finite
from ocr.gathering import gathered, in_turn, processes, share_buffers
from ocr.pieces import Pieces
from ocr.types import Scene, SceneBatch


class DetectionModule(pl.LightningModule):
    """Trains a CRAFT network with character and word boxes; its teacher labels the words and is what is deployed.

    Args:
        network: to train.
        network_config: plain containers that build the same network again; kept in the checkpoint.
        optimizer: parameters -> optimiser.
        schedule: optimiser -> learning-rate schedule, stepped after every batch.
        scorer: compares detections with the truth; see :class:`~ocr.detection.thresholds.Scorer`.
        ema_decay: of the teacher, per step, in [0, 1).
        splitter: how a weak word becomes characters; None is the paper's watershed.
        label_age: steps for which the pseudo labels of a picture are kept.
        whole_share: pixels of whole weak pictures that the teacher may read, as a share of the pixels that train.
        label_floor: quality of the pseudo labels under which weak words are held back from the loss, see
            :class:`~ocr.detection.label_quality.LabelQuality`; a splitter that needs no teacher is never held back.
        grid: thresholds among which validation chooses; None is the default grid.
        long_side, max_enlargement, batch_size, precision: of validation and deployment, see
            :class:`~ocr.detection.detector.Detector`; the precision of training is the trainer's.
        channels_last: store pictures and weights with the channels last, which is faster in bf16.
    """

    def __init__(
        self,
        network: nn.Module,
        network_config: dict[str, Any],
        optimizer: Callable[..., torch.optim.Optimizer],
        schedule: Callable[..., torch.optim.lr_scheduler.LRScheduler],
        scorer: Scorer,
        ema_decay: float = 0.999,
        splitter: Splitter | None = None,
        label_age: int = 500,
        whole_share: float = 0.2,
        label_floor: float = 0.0,
        grid: Grid | None = None,
        long_side: int = 1280,
        max_enlargement: float = 1.5,
        batch_size: int = 4,
        precision: Literal["fp32", "bf16"] = "fp32",
        channels_last: bool = True,
    ) -> None:
        super().__init__()
        self.memory_format = torch.channels_last if channels_last else torch.contiguous_format
        self.network = network
        self.network.to(memory_format=self.memory_format)  # type: ignore[call-overload]  # torch's stubs lack this form
        self.teacher = WeightAverage(network, ema_decay)
        self.network_config = network_config
        self.make_optimizer, self.make_schedule = optimizer, schedule
        self.scorer = scorer
        self.labeller = Labeller(splitter or Watershed(), label_age, whole_share)
        self.label_quality = LabelQuality(label_floor if self.labeller.splitter.needs_scores else 0.0)
        self.grid = grid or Grid()
        self.detector = Detector(
            self.teacher.network, None, long_side, max_enlargement, batch_size=batch_size, precision=precision
        )
        self.pieces = Pieces()
        self._batch: SceneBatch | None = None
        self._observed = Observed()
        self.validated: list[list[Candidates]] = []

    def deployable(self) -> Detector:
        """The detector with the teacher's present weights and the thresholds of the last validation."""
        return self.detector

    def training_step(self, batch: SceneBatch, batch_index: int) -> Tensor:
        """Label the batch's weak words with the teacher, then the loss.

        Raises:
            FloatingPointError: the loss is not a finite number; the message names the batch's keys.
        """
        self._label(batch)
        total, region, affinity = self.pieces.loss(
            len(batch.keys),
            lambda part: self._losses(batch, part),
            lambda part: part.stop - part.start,
            self.network.parameters(),
        )
        require_finite("loss", total, batch.keys, self.global_step)
        values = {"train/loss": total, "train/region": region, "train/affinity": affinity}
        self.log_dict(values, batch_size=len(batch.keys), sync_dist=True)
        self.log_dict(self._weak_values(self._observed), batch_size=len(batch.keys))
        return total

    def _label(self, batch: SceneBatch) -> None:
        """Put the teacher's labels into a batch, once: a step may be tried again in smaller pieces."""
        if batch is self._batch:
            return
        labelled = self.labeller.label(batch, self.teacher.network, self.global_step, self.detector.score_maps)
        self._observed = self._shared(labelled)
        self.label_quality.add(self._observed)
        splice(batch, labelled, self.label_quality.held_back)
        self._batch = batch

    def _losses(self, batch: SceneBatch, part: slice) -> Tensor:
        """The losses (3,) of a part of a batch: total, region, affinity."""
        images_BCHW = normalise(batch.images_BCHW[part]).contiguous(memory_format=self.memory_format)
        scores_B2hw, _ = self.network(images_BCHW)
        return torch.stack(detection_loss(scores_B2hw, batch.maps_B2hw[part], batch.trust_Bhw[part]))

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
        assert self._batch is not None
        scaled = getattr(self.trainer.precision_plugin, "scaler", None) is not None
        clip_finite(self.network.parameters(), gradient_clip_val, self._batch.keys, self.global_step, or_skipped=scaled)

    def _shared(self, labelled: Labelled) -> Observed:
        """What this step's labels say, those of all processes together; every process takes up the labels of the others."""
        if processes() == 1:
            return observe(labelled)
        told = gathered((observe(labelled), self.labeller.news(labelled)))
        self.labeller.take_up(self.global_step, [news for _, news in told])
        return together([observed for observed, _ in told])

    def _weak_values(self, observed: Observed) -> dict[str, float]:
        """Rows of metrics: this step's numbers of words, recent averages of their quality."""
        counts = {"words": len(observed.confidence), "read": observed.read, "whole_pictures": observed.whole}
        values = {**counts, **self.label_quality.values, "held_back": self.label_quality.held_back}
        return {f"weak/{name}": float(value) for name, value in values.items()}

    def optimizer_step(self, *args: Any, **kwargs: Any) -> None:
        """Step, then let the teacher follow: before any callback can save a checkpoint."""
        step = super().optimizer_step
        self.pieces.retry(lambda: step(*args, **kwargs))
        self.teacher.update(self.network)

    def on_validation_epoch_start(self) -> None:
        """Forget the pictures of the last validation; what is validated is what will be saved."""
        share_buffers(self)
        self.validated.clear()

    def validation_step(self, batch: list[Scene], batch_index: int) -> None:
        """Score maps of a list of scenes, kept as the boxes they give under every threshold."""
        stored = self.detector.score_maps([scene.image for scene in batch])
        found = [candidates(maps, scene.words, self.grid) for maps, scene in zip(stored, batch, strict=True)]
        self.validated.append(found)

    def on_validation_epoch_end(self) -> None:
        """Choose the thresholds and log ``val/hmean``, ``val/recall`` and ``val/precision`` under them."""
        thresholds, agreement = choose(in_turn(self.validated), self.grid, self.scorer)
        self.detector.thresholds = thresholds
        self.validated.clear()
        self.log("val/hmean", agreement.hmean, prog_bar=True)
        self.log_dict({"val/recall": agreement.recall, "val/precision": agreement.precision})
        self.log_dict({f"val/threshold_{k}": v for k, v in asdict(thresholds).items()})

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """The optimiser and its schedule, one tick per step."""
        optimizer = self.make_optimizer(self.network.parameters())
        schedule = self.make_schedule(optimizer)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add what is needed to detect with these weights, as plain containers."""
        detector = self.detector
        checkpoint["ocr"] = {
            "format": 1,
            "task": "detection",
            "network": dict(self.network_config),
            "weights": "teacher.network.",
            "inference": {
                "thresholds": asdict(detector.thresholds),
                "long_side": detector.long_side,
                "max_enlargement": detector.max_enlargement,
                "batch_size": detector.batch_size,
                "precision": detector.precision,
            },
        }
        checkpoint["labels"] = {"cache": [self.labeller.state()], "quality": self.label_quality.state()}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take up the thresholds again; the weights are Lightning's business."""
        self.detector = Detector(self.teacher.network, **checkpoint["ocr"]["inference"])
        self.labeller.load_state(checkpoint["labels"]["cache"][0])
        self.label_quality.load_state(checkpoint["labels"]["quality"])
