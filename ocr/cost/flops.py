"""Floating-point operations of one picture, counted operation by operation as torch dispatches them.

Torch's own counter knows products and convolutions; recurrent layers, sampling, norms, pooling and everything elementwise are
added here.  Nothing is computed: the tensors are fakes that have shapes only.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from ocr.recognition.four_stage import FourStage
from ocr.recognition.pred import Attention

CONVENTION = (
    "a multiply-add is 2 and any other operation on a number (also a comparison or an exponential) is 1; biases come with their "
    "product; one picture, the longest text; the longest way through an attention decoder as it runs here: the columns' share of "
    "the score once, one-hot characters looked up"
)
COMPARISON = (
    "2 x multiply-adds of convolutions, linear layers and LSTMs alone, the attention decoder as the ICCV 2019 comparison runs it: "
    "the columns' share of the score in every step, one-hot characters multiplied"
)
POST = "post-processing"
PER_MAP_PIXEL = 5
"""A detector's post-processing by pixel: both scores summed in search of NaN, two thresholds, their union.  What follows works on
components, not on pixels, and mostly on integers: it is in the time alone."""
CONVOLUTION, LINEAR, RECURRENT, PRODUCT, OTHER = "convolutions", "linear layers", "LSTMs", "other products", "the rest"
KINDS = (CONVOLUTION, LINEAR, RECURRENT, PRODUCT, OTHER)

aten = torch.ops.aten
_FREE = {aten.clone, aten._to_copy, aten.copy_}
"""Called pointwise by torch, and only moving data."""


@dataclass(frozen=True, slots=True)
class Flops:
    """Operations by (stage, kind); ``comparison`` is the total under :data:`COMPARISON`, None for a detector.

    Stages are the parts that the network is made of, and :data:`POST`.  ``unknown`` names operations that were left out because
    nobody said what they cost.
    """

    by_stage: dict[str, dict[str, int]]
    comparison: int | None
    unknown: list[str]

    @property
    def total(self) -> int:
        """All of them."""
        return sum(sum(kinds.values()) for kinds in self.by_stage.values())

    def of_stage(self, stage: str) -> int:
        """Those of a stage, 0 when there is none of that name."""
        return sum(self.by_stage.get(stage, {}).values())


def count_recognizer(network: FourStage) -> Flops:
    """Operations to read one picture of the network's own size whose text is as long as it may be."""
    counter = _Counting()
    shapes: list[torch.Size] = []
    with fakes(), counter.watching(network), _inputs_of(network.pred, shapes):
        steps = network.codec.max_length + 1
        device = next(network.parameters()).device
        images_BCHW = torch.empty(1, network.channels, network.height, network.width, device=device)
        logits_BSK = network(images_BCHW, torch.zeros(1, steps, dtype=torch.long, device=device))
        with counter.in_stage(POST):
            logits_BSK.softmax(2).max(2)
    comparison = sum(n for (_, kind), n in counter.counts.items() if kind in (CONVOLUTION, LINEAR, RECURRENT))
    if isinstance(network.pred, Attention):
        comparison -= sum(n for (stage, kind), n in counter.counts.items() if (stage, kind) == ("pred", LINEAR))
        comparison += _published_decoder(network.pred, columns=shapes[0][1], steps=steps)
    return Flops(counter.by_stage(), comparison, sorted(counter.unknown))


def count_detector(network: nn.Module, height: int, width: int) -> Flops:
    """Operations for one picture of this padded size in pixels: the network, and what its maps cost by pixel."""
    counter = _Counting()
    with fakes(), counter.watching(network):
        scores_B2hw, _ = network(torch.empty(1, 3, height, width, device=next(network.parameters()).device))
    counter.counts[POST, OTHER] += PER_MAP_PIXEL * scores_B2hw[0, 0].numel()
    return Flops(counter.by_stage(), None, sorted(counter.unknown))


@contextmanager
def fakes() -> Iterator[None]:
    """Tensors without content; networks built in here take neither memory nor time, and real ones may be used as well."""
    with FakeTensorMode(allow_non_fake_inputs=True):
        yield


def _published_decoder(pred: Attention, columns: int, steps: int) -> int:
    """The attention decoder as the comparison's public code computes it: nothing is shared between its steps."""
    hidden, classes, features = pred.hidden, pred.codec.classes, pred.in_features
    score = columns * (features * hidden + hidden) + hidden * hidden
    cell = 4 * hidden * (features + classes + hidden)
    return 2 * steps * (score + cell + hidden * classes)


@contextmanager
def _inputs_of(module: nn.Module, shapes: list[torch.Size]) -> Iterator[None]:
    handle = module.register_forward_pre_hook(lambda _, inputs: shapes.append(inputs[0].shape))
    try:
        yield
    finally:
        handle.remove()


class _Counting(TorchDispatchMode):
    """Counts what is dispatched, by stage and kind."""

    def __init__(self) -> None:
        super().__init__()
        self.counts: Counter[tuple[str, str]] = Counter()
        self.unknown: set[str] = set()
        self._stage, self._linear = "", False

    def by_stage(self) -> dict[str, dict[str, int]]:
        stages = dict.fromkeys(stage for stage, _ in self.counts)
        return {stage: {kind: self.counts[stage, kind] for kind in KINDS} for stage in stages}

    @contextmanager
    def in_stage(self, stage: str) -> Iterator[None]:
        before, self._stage = self._stage, stage
        yield
        self._stage = before

    @contextmanager
    def watching(self, network: nn.Module) -> Iterator[None]:
        """Count, and know at any moment which part of the network is at work."""
        training, handles = network.training, []
        for name, child in network.named_children():
            handles.append(child.register_forward_pre_hook(lambda *_, name=name: setattr(self, "_stage", name)))
            handles.append(child.register_forward_hook(lambda *_: setattr(self, "_stage", "")))
        for module in network.modules():
            if isinstance(module, nn.Linear):
                handles.append(module.register_forward_pre_hook(lambda *_: setattr(self, "_linear", True)))
                handles.append(module.register_forward_hook(lambda *_: setattr(self, "_linear", False)))
        network.eval()
        try:
            # under inference_mode composite operations would arrive whole
            with torch.no_grad(), self:
                yield
        finally:
            network.train(training)
            for handle in handles:
                handle.remove()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        packet = func._overloadpacket
        if packet in (aten.mkldnn_rnn_layer, aten._cudnn_rnn):
            products, rest = (_mkldnn_lstm if packet is aten.mkldnn_rnn_layer else _cudnn_lstm)(args)
            self._add(RECURRENT, products)
            self._add(OTHER, rest)
        elif packet in flop_registry:
            kind = CONVOLUTION if packet is aten.convolution else LINEAR if self._linear else PRODUCT
            self._add(kind, flop_registry[packet](*args, **(kwargs or {}), out_val=out))
        elif packet in _PRODUCTS:
            self._add(PRODUCT, _PRODUCTS[packet](args, out))
        elif packet in _OTHERS:
            self._add(OTHER, _OTHERS[packet](args, out))
        elif torch.Tag.pointwise in func.tags and packet not in _FREE:
            self._add(OTHER, out.numel())
        elif not func.is_view and packet not in _FREE and str(packet).partition(".")[2] not in _MOVING:
            self.unknown.add(str(packet))
        return out

    def _add(self, kind: str, count: int) -> None:
        self.counts[self._stage or "between", kind] += int(count)


def lstm_flops(steps: int, features: int, hidden: int) -> tuple[int, int]:
    """One layer in one direction over ``steps`` inputs in all: multiply-adds x 2 of its two products, and the rest of its cell.

    The rest: both products added (4 per unit), three sigmoids and a tanh, the new memory (3), its tanh and the output gate.
    """
    return steps * 2 * 4 * hidden * (features + hidden), steps * 13 * hidden


def _mkldnn_lstm(args: Any) -> tuple[int, int]:
    """One layer and direction: input (T, B, I), the weights of the input (4H, I), those of the state (4H, H), two biases …."""
    steps = math.prod(args[0].shape[:-1])
    return lstm_flops(steps, args[1].shape[1], args[2].shape[1])


def _cudnn_lstm(args: Any) -> tuple[int, int]:
    """All layers and directions: their weights are in one list of matrices (of input and state in turn) and biases."""
    steps = math.prod(args[0].shape[:-1])
    matrices = [weight.shape for weight in args[1] if weight.dim() == 2]
    pairs = zip(matrices[::2], matrices[1::2], strict=True)
    each = [lstm_flops(steps, of_input[1], of_state[1]) for of_input, of_state in pairs]
    return sum(products for products, _ in each), sum(rest for _, rest in each)


def _attention(args: Any, _: Any) -> int:
    """Queries by keys, and weights by values: (B, heads, S, d) with (B, heads, T, d)."""
    query, key = args[0].shape, args[1].shape
    return int(4 * math.prod(query[:-1]) * key[-2] * query[-1])


def _sampled(_: Any, out: Any) -> int:
    """Bilinear: 12 per place for its coordinates and four weights, 7 per value for their sum."""
    return int(12 * out[:, 0].numel() + 7 * out.numel())


def _pooled(args: Any, out: Any) -> int:
    kernel = args[1] if len(args[1]) == 2 else args[1] * 2
    return int(math.prod(kernel) * out[0].numel())


def _per_input(factor: int) -> Callable[[Any, Any], int]:
    return lambda args, _: factor * args[0].numel()


_PRODUCTS: dict[Any, Callable[[Any, Any], int]] = {
    aten._scaled_dot_product_flash_attention_for_cpu: _attention,
}
"""Products that torch's counter does not know: arguments and result -> operations."""
_OTHERS: dict[Any, Callable[[Any, Any], int]] = {
    aten._softmax: _per_input(5),  # largest, difference, exponential, sum, quotient
    aten.native_batch_norm: _per_input(2),  # of fixed statistics: a scale and a shift
    aten.native_layer_norm: _per_input(8),  # mean, variance (3), difference and quotient, scale and shift
    aten.max_pool2d_with_indices: _pooled,
    aten.mean: _per_input(1),
    aten.sum: _per_input(1),
    aten.max: _per_input(1),
    aten.grid_sampler_2d: _sampled,
    aten.upsample_bilinear2d: lambda _, out: 7 * out.numel(),
}
"""Operations that are neither products nor elementwise: arguments and result -> operations."""
_MOVING = {
    "_unsafe_view",
    "arange",
    "cat",
    "embedding",
    "empty",
    "new_zeros",
    "promote_types",
    "repeat",
    "stack",
    "zeros",
    "device",
    "detach",
}
"""Operations that make or move data without computing."""
