"""The average of weights against the recursion written out."""

import numpy as np
import pytest
import torch
from torch import nn

from ocr.averaging import WeightAverage


def test_the_average_follows_the_recursion_and_copies_statistics() -> None:
    network = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
    average = WeightAverage(network, 0.9)
    wanted = network[0].weight.detach().numpy().astype(np.float64).copy()
    for step in range(30):
        with torch.no_grad():
            network[0].weight.normal_()
        network[1].running_mean.fill_(step)
        average.update(network)
        decay = min(0.9, (1 + step) / (10 + step))
        wanted = decay * wanted + (1 - decay) * network[0].weight.detach().numpy()
        np.testing.assert_allclose(average.network[0].weight.numpy(), wanted, atol=1e-6)
        assert average.network[1].running_mean.tolist() == [step, step]
    assert not any(p.requires_grad for p in average.parameters())


def test_it_goes_on_counting_from_a_state_dict_and_stays_in_evaluation_mode() -> None:
    network = nn.Linear(2, 2)
    average = WeightAverage(network, 0.5)
    for _ in range(4):
        average.update(network)
    again = WeightAverage(nn.Linear(2, 2), 0.5)
    again.load_state_dict(average.state_dict())
    assert again.updates == 4
    assert torch.equal(again.network.weight, average.network.weight)
    holder = nn.ModuleList([average])
    holder.train()
    assert not average.training
    assert not average.network.training


@pytest.mark.parametrize("decay", [-0.1, 1.0, 2.0])
def test_a_decay_outside_its_range_is_refused(decay: float) -> None:
    with pytest.raises(ValueError, match=f"decay is {decay}"):
        WeightAverage(nn.Linear(1, 1), decay)
