"""The recogniser: four stages, each of which can be exchanged (Baek et al., ICCV 2019)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

import torch
from torch import nn

from ocr.charset import Charset
from ocr.recognition.codec import Codec
from ocr.recognition.extent import Extent
from ocr.recognition.stages import ClassAxis, FeatureExtractor, Prediction, SequenceModel, Transformation


class FourStage(nn.Module):
    """Transformation, feature extraction, sequence modelling, prediction.

    Columns are the extractor's output averaged over its height, which is 1 for pictures 32 high.

    Pictures of other sizes work as well.  Those of a batch that differ in width are padded on the right, and ``widths_B`` (pixels,
    int64) says how wide each one is: what is read does not depend on the padding.

    Args:
        charset: the characters to read.
        trans, feat, seq, pred: the stages, as callables that still lack what their neighbours fix
            (:mod:`ocr.recognition.stages` lists it); usually ``functools.partial`` objects from the configuration.
        height, width: size of the pictures in pixels; where they differ in width, ``width`` is the largest.
        channels: 1 for grey pictures, 3 for RGB.
        max_length: longest text in characters.
        initialisation: ``he`` as in the ICCV 2019 comparison (:func:`ocr.recognition.stages.he_initialise`), or ``torch``
            for PyTorch's own.

    Raises:
        ValueError: the pictures are too small for the extractor.
    """

    def __init__(
        self,
        charset: Charset,
        trans: Callable[..., Transformation],
        feat: Callable[..., FeatureExtractor],
        seq: Callable[..., SequenceModel],
        pred: Callable[..., Prediction],
        height: int = 32,
        width: int = 100,
        channels: int = 1,
        max_length: int = 25,
        initialisation: Literal["he", "torch"] = "he",
    ) -> None:
        super().__init__()
        if channels not in (1, 3):
            raise ValueError(f"network.channels is {channels}: give 1 (grey) or 3 (RGB)")
        self.height, self.width, self.channels = height, width, channels
        self.trans = trans(in_channels=channels, height=height, width=width)
        self.feat = feat(in_channels=channels)
        self.seq = seq(in_features=self.feat.out_channels)
        self.pred = pred(
            in_features=self.seq.out_features,
            charset=charset,
            max_length=max_length,
            time_steps=columns(self.feat, channels, height, width),
        )
        if initialisation == "he":
            for stage in (self.trans, self.feat, self.seq, self.pred):
                stage.initialise()

    @property
    def codec(self) -> Codec:
        """What the classes of the logits mean."""
        return self.pred.codec

    @property
    def cell(self) -> str:
        """Name of the cell of the grid, for example ``TPS-ResNet-BiLSTM-Attn``."""
        return "-".join(stage.title for stage in (self.trans, self.feat, self.seq, self.pred))

    def features(
        self, images_BCHW: torch.Tensor, widths_B: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Images (B, C, H, W) in [-1, 1] -> feature columns (B, T, features), and each picture's number of them (None: all)."""
        extent = Extent(widths_B)
        maps_BChT = self.feat(self.trans(images_BCHW, extent), extent)
        return self.seq(maps_BChT.mean(2).transpose(1, 2), extent.widths_B), extent.widths_B

    def forward(
        self,
        images_BCHW: torch.Tensor,
        tokens_BT: torch.Tensor | None = None,
        widths_B: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Logits (B, T, K): greedy, or teacher-forced with the previous characters ``tokens_BT`` ([GO] first) where that applies."""
        features_BTC, columns_B = self.features(images_BCHW, widths_B)
        return self.pred(features_BTC, tokens_BT, columns_B)

    def loss(self, images_BCHW: torch.Tensor, texts: list[str], widths_B: torch.Tensor | None = None) -> torch.Tensor:
        """Mean training loss of images (B, C, H, W) in [-1, 1] and their texts, a float32 scalar."""
        features_BTC, columns_B = self.features(images_BCHW, widths_B)
        return self.pred.loss(features_BTC, texts, columns_B)

    def class_axes(self) -> dict[str, ClassAxis]:
        """State-dict key -> where the classes lie, for the weights that a change of the charset concerns."""
        return {f"pred.{name}": axis for name, axis in self.pred.class_axes().items()}

    def published_names(self) -> dict[str, str]:
        """State-dict key -> key of the published weights of the ICCV 2019 comparison (without their ``module.``)."""
        stages = {
            "trans": "Transformation",
            "feat": "FeatureExtraction",
            "seq": "SequenceModeling",
            "pred": "Prediction",
        }
        modules = {
            _join(ours, path): _join(theirs, name)
            for ours, theirs in stages.items()
            for path, name in getattr(self, ours).published_names().items()
        }
        return _keys(modules, self.state_dict())


def _join(*parts: str) -> str:
    return ".".join(part for part in parts if part)


def _keys(modules: Mapping[str, str], state: Mapping[str, torch.Tensor]) -> dict[str, str]:
    """Names of modules spread over the parameters and buffers directly in them."""
    names = {}
    for key in state:
        module, _, tensor = key.rpartition(".")
        names[key] = _join(modules[module], tensor)
    return names


def columns(feat: FeatureExtractor, channels: int, height: int, width: int) -> int:
    """Columns T that ``feat`` gives for pictures of this size, found without computing anything.

    Raises:
        ValueError: the pictures are too small.
    """
    tensors = {name: t.to("meta") for name, t in feat.state_dict().items()}
    training = feat.training
    feat.eval()
    try:
        images = torch.empty(1, channels, height, width, device="meta")
        return int(torch.func.functional_call(feat, tensors, (images, Extent())).shape[3])
    except RuntimeError as error:
        raise ValueError(
            f"pictures of {height}x{width} pixels are too small for {type(feat).__name__}: {error}"
        ) from None
    finally:
        feat.train(training)
