"""Parity with the published networks of the ICCV 2019 comparison.

``tests/golden/four_stage.npz`` holds, per cell, the number of parameters, a checksum of the published names and shapes, and every
fourth class of the logits that the reference implementation gives when its weights are filled by :func:`fill`.
"""

import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from recognition_cells import CELLS, build_cell

GOLDEN = np.load(Path(__file__).parents[1] / "golden" / "four_stage.npz")


def uniform(name, shape):
    """Numbers in [0, 1) that depend on the name and the position alone."""
    mask = np.uint64(0xFFFFFFFF)
    h = np.arange(int(np.prod(shape)), dtype=np.uint64) * np.uint64(2654435761)
    h = (h + np.uint64(zlib.crc32(name.encode())) * np.uint64(40503)) & mask
    h = ((h ^ (h >> np.uint64(15))) * np.uint64(2246822519)) & mask
    h ^= h >> np.uint64(13)
    return (h.astype(np.float64) / 2**32).reshape(shape)


def fill(name, value):
    """The weight of this published name: a spread that keeps signals alive through the depth."""
    if name.endswith("num_batches_tracked"):
        return torch.zeros_like(value)
    u = uniform(name, tuple(value.shape))
    if name.endswith("running_var"):
        filled = u + 0.5
    elif value.dim() > 1:
        filled = (u - 0.5) * 2.4 * np.sqrt(3 / np.prod(value.shape[1:]))
    elif name.endswith("running_mean") or "bias" in name:
        filled = (u - 0.5) * 0.2
    else:
        filled = 0.8 + 0.4 * u
    return torch.from_numpy(filled.astype(np.float32))


def filled_network(cell):
    network = build_cell(cell, narrow=False, initialisation="torch").eval()
    names = network.published_names()
    network.load_state_dict({ours: fill(names[ours], value) for ours, value in network.state_dict().items()})
    return network


def cells(markers):
    return [pytest.param(cell, marks=pytest.mark.slow) if markers(cell) else cell for cell in CELLS]


def is_deep(cell):
    return "ResNet" in cell and cell != "None-ResNet-None-CTC"


@pytest.mark.parametrize("cell", CELLS)
def test_parameters_names_and_shapes(cell):
    with torch.device("meta"):
        network = build_cell(cell, narrow=False, initialisation="torch")
    assert sum(p.numel() for p in network.parameters()) == GOLDEN[f"{cell}/parameters"]
    names = network.published_names()
    listing = sorted(f"{names[k]} {','.join(map(str, v.shape))}" for k, v in network.state_dict().items())
    assert zlib.crc32("\n".join(listing).encode()) == GOLDEN[f"{cell}/names_crc32"]


@pytest.mark.parametrize("cell", cells(is_deep))
def test_logits(cell):
    """Within 1e-4; cells with TPS within twice the rounding of the published values themselves.

    The golden picture is white noise and the spline's coefficients are large, so the last bit of a fiducial point shows in the third
    decimal of the logits: computed in double precision, the published float32 values of these cells are off by up to .013.
    """
    network = filled_network(cell)
    images = torch.from_numpy(uniform("image", (2, 1, 32, 100)).astype(np.float32)) * 2 - 1
    with torch.inference_mode():
        ours = outputs(network, images, cell)
        exact = outputs(network.double(), images.double(), cell) if cell.startswith("TPS") else {}
    for name, logits in ours.items():
        published = torch.from_numpy(GOLDEN[f"{cell}/{name}"])
        shown = before_the_end(logits) if cell.endswith("Attn") and name == "logits" else np.s_[:]
        bound = 2 * difference(exact[name], published, shown) if exact else 0
        assert difference(logits, published, shown) <= max(1e-4, bound), name
        assert bound < 0.05, "too loose to notice another way of sampling"


def outputs(network, images, cell):
    """Logits by the name under which the published ones are stored."""
    found = {"logits": network(images)}
    if cell.endswith("Attn"):
        found["teacher_forced"] = network(images, torch.from_numpy(GOLDEN[f"{cell}/tokens"].astype(np.int64)))
    return found


def difference(logits, published, shown):
    steps = min(logits.shape[1], published.shape[1])
    return float((logits[:, :, ::4][:, :steps].double() - published[:, :steps].double())[shown].abs().max())


def before_the_end(greedy):
    """Steps up to the end of each text: ours says nothing behind it, the reference goes on to the 26th."""
    ends = greedy.argmax(2) == 1
    return ends.cumsum(1) - ends.long() == 0
