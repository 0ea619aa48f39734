import pytest
import torch
from recognition_cells import CELLS, FEAT, build_cell

from ocr.recognition.extent import Extent
from ocr.recognition.feat import VGG
from ocr.recognition.four_stage import columns
from ocr.recognition.stages import he_initialise
from ocr.recognition.trans import slanted_points

TEXTS = ["word", "a", "Hello2", "zz9"]


@pytest.mark.parametrize("cell", CELLS)
def test_shapes_gradients_and_name(cell):
    torch.manual_seed(0)
    network = build_cell(cell, max_length=6)
    assert network.cell == cell
    if cell.startswith("TPS"):
        # its last layer starts at zero, so that nothing before it has a gradient in the very first step
        torch.nn.init.normal_(network.trans.localisation.points.weight, std=0.01)
    images = torch.rand(4, 1, 32, 100) * 2 - 1
    loss = network.loss(images, TEXTS)
    assert loss.shape == ()
    assert loss.dtype == torch.float32
    loss.backward()
    without = [name for name, p in network.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert without == []
    logits = network(images)
    if cell.endswith("CTC"):
        assert logits.shape == (4, network.codec.time_steps, 37)
    else:
        assert logits.shape in [(4, steps, 38) for steps in range(1, 8)]
        tokens = torch.from_numpy(network.codec.encode(TEXTS)[0])
        assert network(images, tokens[:, :-1]).shape == (4, tokens.shape[1] - 1, 38)


@pytest.mark.parametrize("cell", ["None-VGG-None-CTC", "TPS-RCNN-BiLSTM-Attn", "TPS-ResNet-BiLSTM-CTC"])
def test_bf16_autocast_stays_close_to_fp32(cell):
    torch.manual_seed(0)
    network = build_cell(cell).eval()
    images = torch.rand(2, 1, 32, 100) * 2 - 1
    exact = network.loss(images, ["abc", "de"])
    with torch.autocast("cpu", torch.bfloat16):
        rounded = network.loss(images, ["abc", "de"])
    assert rounded.dtype == torch.float32
    assert rounded.item() == pytest.approx(exact.item(), rel=0.05)


@pytest.mark.parametrize("cell", ["None-VGG-BiLSTM-CTC", "TPS-RCNN-None-Attn", "TPS-ResNet-BiLSTM-Attn"])
def test_state_dict_round_trip_at_another_width(cell):
    torch.manual_seed(0)
    network = build_cell(cell).eval()
    wider = build_cell(cell, width=160)
    wider.load_state_dict(network.state_dict())
    again = build_cell(cell).eval()
    again.load_state_dict(wider.state_dict())
    images = torch.rand(2, 1, 32, 100) * 2 - 1
    with torch.no_grad():
        assert torch.equal(network(images), again(images))


@pytest.mark.parametrize(
    ("feat", "steps"), [("VGG", (24, 31, 39, 63)), ("RCNN", (26, 33, 41, 65)), ("ResNet", (26, 33, 41, 65))]
)
def test_columns_are_those_of_the_published_networks(feat, steps):
    extractor = FEAT[feat](in_channels=1, channels=16)
    before = {k: v.clone() for k, v in extractor.state_dict().items()}
    assert tuple(columns(extractor, 1, 32, width) for width in (100, 128, 160, 256)) == steps
    assert extractor(torch.zeros(1, 1, 32, 160), Extent()).shape[3] == steps[2]
    extent = Extent(torch.tensor([100, 128, 160, 256]))
    extractor(torch.zeros(4, 1, 32, 256), extent)
    assert tuple(extent.widths_B.tolist()) == steps
    assert extractor.training
    fresh = FEAT[feat](in_channels=1, channels=16)
    columns(fresh, 1, 32, 100)
    assert all(torch.equal(v, before[k]) for k, v in fresh.state_dict().items() if "running" in k)


def test_normalising_everywhere_keeps_shapes_and_adds_five_layers():
    plain, normalised = VGG(1, channels=16), VGG(1, channels=16, norm_all=True)
    images = torch.rand(3, 1, 32, 100)
    assert normalised(images, Extent()).shape == plain(images, Extent()).shape == (3, 16, 1, 24)
    added = {name for name, _ in normalised.named_parameters()} - {name for name, _ in plain.named_parameters()}
    assert added == {f"norm{i}.{end}" for i in (1, 2, 3, 4, 7) for end in ("weight", "bias")}
    names = normalised.published_names()
    assert names["conv7"] == "ConvNet.18"
    assert names["norm7"] == "norm7"
    normalised(images, Extent()).sum().backward()
    assert all(p.grad is not None for p in normalised.parameters())


def test_pictures_higher_than_32_are_averaged_over_the_height():
    network = build_cell("None-VGG-None-CTC", height=64)
    assert network(torch.zeros(1, 1, 64, 100)).shape == (1, 24, 37)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"height": 8}, "8x100 pixels are too small for VGG"),
        ({"channels": 2}, "channels is 2"),
        ({"max_length": 0}, "max_length is 0"),
    ],
)
def test_impossible_sizes_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        build_cell("None-VGG-None-CTC", **arguments)


@pytest.mark.parametrize("feat", FEAT)
def test_a_width_that_does_not_divide_is_refused(feat):
    with pytest.raises(ValueError, match=r"feat\.channels is 100: give a multiple of"):
        FEAT[feat](in_channels=1, channels=100)


def test_initialisation_is_the_described_one():
    torch.manual_seed(0)
    network = build_cell("TPS-VGG-BiLSTM-Attn", narrow=False)
    state = network.state_dict()
    points = network.trans.localisation.points
    assert points.weight.abs().max() == 0
    assert torch.equal(points.bias, torch.from_numpy(slanted_points(20)).flatten())
    for name, value in network.named_parameters():
        if "bias" in name.rpartition(".")[2] and not name.startswith("trans.localisation.points"):
            assert value.abs().max() == 0, name
    assert (state["feat.norm5.weight"] == 1).all()
    for name in ("feat.conv6.weight", "seq.layers.0.lstm.weight_hh_l0", "pred.cell.weight_ih", "pred.output.weight"):
        fan_in = state[name][0].numel()
        assert state[name].std().item() == pytest.approx((2 / fan_in) ** 0.5, rel=0.03), name


def test_initialisation_by_torch_leaves_layers_as_they_come():
    torch.manual_seed(0)
    assert build_cell("None-VGG-None-CTC", initialisation="torch").pred.linear.bias.abs().max() > 0
    layer = torch.nn.Linear(4, 3)
    he_initialise(layer)
    assert layer.bias.abs().max() == 0
