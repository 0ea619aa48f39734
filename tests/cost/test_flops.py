"""Operations counted: the published convention on the whole grid, and our own against hand counts and other ways to compute."""

from typing import Any

import pytest
import torch
from torch import nn

from ocr.config import build, compose_config, plain
from ocr.cost.flops import (
    CONVOLUTION,
    LINEAR,
    OTHER,
    PER_MAP_PIXEL,
    POST,
    RECURRENT,
    _cudnn_lstm,
    count_detector,
    count_recognizer,
    fakes,
    lstm_flops,
)
from ocr.recognition.four_stage import FourStage

GFLOPS = {
    "none": {
        "vgg": {"none": (1.235, 1.444), "bilstm": (1.373, 1.487)},
        "rcnn": {"none": (1.535, 1.759), "bilstm": (1.685, 1.806)},
        "resnet": {"none": (10.091, 10.314), "bilstm": (10.240, 10.362)},
    },
    "tps": {
        "vgg": {"none": (1.588, 1.798), "bilstm": (1.726, 1.841)},
        "rcnn": {"none": (1.888, 2.112), "bilstm": (2.038, 2.160)},
        "resnet": {"none": (10.444, 10.667), "bilstm": (10.593, 10.715)},
    },
}
"""2 x multiply-adds of convolutions, linear layers and LSTMs of the published networks, by cell: CTC, then attention."""
CELLS = [
    (trans, feat, seq, pred, value)
    for trans, feats in GFLOPS.items()
    for feat, seqs in feats.items()
    for seq, values in seqs.items()
    for pred, value in zip(("ctc", "attn"), values, strict=True)
]
FEW = [cell for cell in CELLS if cell[:4] in {("none", "vgg", "bilstm", "ctc"), ("tps", "vgg", "none", "attn")}]


def network(*overrides: str) -> FourStage:
    settings = plain(compose_config(["model=crnn", *overrides]))
    built = build(settings["model"], "model")
    assert isinstance(built, FourStage)
    return built


def check_cell(trans: str, feat: str, seq: str, pred: str, gflops: float) -> None:
    with fakes():
        cell = network(f"trans={trans}", f"feat={feat}", f"seq={seq}", f"pred={pred}")
    counted = count_recognizer(cell)
    assert counted.comparison is not None
    assert counted.comparison / 1e9 == pytest.approx(gflops, abs=5.1e-4)
    assert counted.unknown == []


@pytest.mark.parametrize(("trans", "feat", "seq", "pred", "gflops"), FEW)
def test_some_cells_cost_what_the_published_networks_do(
    trans: str, feat: str, seq: str, pred: str, gflops: float
) -> None:
    check_cell(trans, feat, seq, pred, gflops)


@pytest.mark.slow
@pytest.mark.parametrize(("trans", "feat", "seq", "pred", "gflops"), CELLS)
def test_every_cell_of_the_grid_costs_what_the_published_network_does(
    trans: str, feat: str, seq: str, pred: str, gflops: float
) -> None:
    check_cell(trans, feat, seq, pred, gflops)


def test_the_stages_of_a_recognizer_add_up_and_training_mode_is_left_alone() -> None:
    small = network("trans=tps", "trans.channels=32", "feat.channels=32", "seq.hidden=8", "pred=attn", "pred.hidden=8")
    small.train()
    counted = count_recognizer(small)
    assert small.training
    assert all(module.training for module in small.modules())
    assert counted.total == sum(counted.of_stage(stage) for stage in counted.by_stage)
    assert {"trans", "feat", "seq", "pred", POST} <= counted.by_stage.keys()
    # two LSTMs in both directions over 24 columns, the first of 32 features and the second of 8
    assert counted.by_stage["seq"][RECURRENT] == 2 * sum(lstm_flops(24, features, 8)[0] for features in (32, 8))
    # softmax (5) and the most probable class (1) of 38 classes in 26 steps
    assert counted.by_stage[POST][OTHER] == 6 * 38 * 26


@pytest.mark.filterwarnings("ignore:TF32 acceleration")
def test_an_lstm_costs_the_same_whichever_kernel_runs_it() -> None:
    small = network("feat.channels=32", "seq.hidden=8")
    fused = count_recognizer(small).by_stage["seq"]
    with torch.backends.mkldnn.flags(enabled=False):
        apart = count_recognizer(small).by_stage["seq"]
    assert fused[RECURRENT] > 0
    assert apart[RECURRENT] == 0
    # step by step it is made of products, which stand under other kinds then
    assert sum(apart.values()) - apart[OTHER] == sum(fused.values()) - fused[OTHER]
    lstm = nn.LSTM(32, 8, num_layers=2, bidirectional=True)
    layers = [lstm_flops(24, features, 8) for features in (32, 32, 16, 16)]
    assert _cudnn_lstm((torch.empty(24, 1, 32), list(lstm.parameters()))) == tuple(map(sum, zip(*layers, strict=True)))


class Small(nn.Module):
    """A network of which every operation can be counted by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2))
        self.head = nn.Conv2d(4, 2, 1)

    def forward(self, images_BCHW: torch.Tensor) -> tuple[torch.Tensor, None]:
        return self.head(self.body(images_BCHW)), None


def test_a_detector_by_hand() -> None:
    pixels, halved = 32 * 64, 16 * 32
    counted = count_detector(Small(), 32, 64)
    assert counted.by_stage["body"] == {
        **dict.fromkeys(counted.by_stage["body"], 0),
        CONVOLUTION: 2 * pixels * 4 * 3 * 9,
        OTHER: 2 * 4 * pixels + 4 * pixels + 4 * 4 * halved,  # norm, ReLU, windows of four
    }
    assert counted.by_stage["head"][CONVOLUTION] == 2 * halved * 4 * 2
    assert counted.of_stage(POST) == PER_MAP_PIXEL * halved
    assert counted.comparison is None


def test_all_convolutions_of_craft_are_counted() -> None:
    craft = build(plain(compose_config(["model=craft", "model.width=0.125"]))["model"], "model").eval()
    by_hooks = 0

    def add(module: Any, _: Any, out: torch.Tensor) -> None:
        nonlocal by_hooks
        by_hooks += 2 * out.numel() * module.in_channels * module.kernel_size[0] * module.kernel_size[1]

    for module in craft.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(add)
    with torch.no_grad():
        craft(torch.zeros(1, 3, 64, 96))
    one = by_hooks
    counted = count_detector(craft, 64, 96)
    assert counted.unknown == []
    assert sum(kinds[CONVOLUTION] for kinds in counted.by_stage.values()) == one
    assert sum(kinds[LINEAR] for kinds in counted.by_stage.values()) == 0
