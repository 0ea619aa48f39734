"""What a stage of the recogniser must offer, so that a new one is a class and a YAML file.

A stage is created by :class:`ocr.recognition.four_stage.FourStage`, which supplies what the neighbours fix:

========================  ==========================================================================
stage                     constructor arguments supplied
========================  ==========================================================================
transformation            ``in_channels``, ``height``, ``width``
feature extractor         ``in_channels``
sequence model            ``in_features``
prediction                ``in_features``, ``charset``, ``max_length``, ``time_steps``
========================  ==========================================================================

Everything else (widths, depths) comes from the configuration.

Pictures of a batch may differ in width; they are padded on the right then, and the stages are told how far each reaches: the first
two by an :class:`ocr.recognition.extent.Extent` that the feature extractor keeps up to date, the last two by the number of
columns of each picture.  Padding must not change what is read.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import nn

from ocr.recognition.codec import Codec
from ocr.recognition.extent import Extent


@dataclass(frozen=True, slots=True)
class ClassAxis:
    """Where the classes of the codec lie in a parameter: along axis ``dim``, from index ``start`` on."""

    dim: int
    start: int = 0


class Stage(nn.Module, ABC):
    """A part of the recogniser.  ``title`` is its name in the name of the cell, for example ``TPS`` in ``TPS-ResNet-BiLSTM-Attn``."""

    title: ClassVar[str]

    def published_names(self) -> dict[str, str]:
        """Module path inside this stage -> module path of the published weights inside theirs.

        A stage without a published counterpart keeps its own paths.
        """
        return {
            path: path
            for path, module in self.named_modules()
            if next(module.parameters(recurse=False), None) is not None
        }

    def initialise(self) -> None:
        """Fresh weights as in the ICCV 2019 comparison; a stage with a start of its own overrides this."""
        he_initialise(self)


@torch.no_grad()
def he_initialise(module: nn.Module) -> None:
    """Fresh weights as the ICCV 2019 comparison describes them: He's normal for every matrix, 1 for scales, 0 for biases.

    Matrices are drawn with fan-in and gain √2 (He et al., ICCV 2015), those of LSTMs and linear layers included; forget gates get
    no bias of their own.  Draws from PyTorch's global generator, like every layer of PyTorch.
    """
    for name, parameter in module.named_parameters():
        if "bias" in name.rpartition(".")[2]:
            nn.init.zeros_(parameter)
        elif parameter.dim() > 1:
            nn.init.kaiming_normal_(parameter)
        else:
            nn.init.ones_(parameter)


class Transformation(Stage):
    """Images to rectified images of the same shape."""

    @abstractmethod
    def forward(self, images_BCHW: torch.Tensor, extent: Extent) -> torch.Tensor:
        """(B, C, H, W) in [-1, 1] -> the same; the pictures reach as far as ``extent`` says, before and after."""


class FeatureExtractor(Stage):
    """Images to feature columns; ``out_channels`` is the number of features."""

    out_channels: int

    @abstractmethod
    def forward(self, images_BCHW: torch.Tensor, extent: Extent) -> torch.Tensor:
        """(B, C, H, W) in [-1, 1] -> (B, out_channels, h, T); ``extent`` counts columns afterwards."""


class SequenceModel(Stage):
    """Context between the columns; ``out_features`` is the number of features it returns."""

    out_features: int

    @abstractmethod
    def forward(self, features_BTC: torch.Tensor, columns_B: torch.Tensor | None = None) -> torch.Tensor:
        """(B, T, in_features) -> (B, T, out_features); ``columns_B`` counts each picture's own columns, None: all T."""


class Prediction(Stage):
    """Columns to characters.  Owns the codec, because what the classes mean and what the loss is are one decision."""

    codec: Codec

    @abstractmethod
    def forward(
        self,
        features_BTC: torch.Tensor,
        tokens_BT: torch.Tensor | None = None,
        columns_B: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """(B, T, in_features) -> logits (B, steps, K).

        Args:
            features_BTC: the columns.
            tokens_BT: what was written before each step, where the prediction is autoregressive and teacher-forced.
            columns_B: number of each picture's own columns; None: all T.
        """

    @abstractmethod
    def loss(self, features_BTC: torch.Tensor, texts: list[str], columns_B: torch.Tensor | None = None) -> torch.Tensor:
        """Mean loss over the batch, a float32 scalar; ``columns_B`` as in :meth:`forward`."""

    @abstractmethod
    def terms(self, texts: list[str]) -> int:
        """Over how many terms :meth:`loss` is a mean, for processes that share a batch."""

    @abstractmethod
    def class_axes(self) -> dict[str, ClassAxis]:
        """The parameters that hold something for every class, so that weights can be given another charset."""
