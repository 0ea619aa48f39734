"""A batch in pieces has the gradient of the whole, and memory that runs out halves them until they fit."""

import pytest
import torch
from torch import Tensor, nn

from ocr.pieces import Pieces, out_of_memory

SAMPLES, TERMS = 7, torch.tensor([1, 5, 2, 9, 4, 1, 3])


def problem() -> tuple[nn.Module, Tensor, Tensor]:
    torch.manual_seed(1)
    network = nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 1))
    network.register_parameter("idle", nn.Parameter(torch.ones(3)))
    return network.double(), torch.randn(SAMPLES, 4).double(), torch.randn(SAMPLES, 1).double()


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_pieces_add_up_to_the_whole(count: int) -> None:
    network, inputs, targets = problem()

    def losses(part: slice) -> Tensor:
        # a mean over terms of which the samples have different numbers, and a value beside it
        errors = ((network(inputs[part]) - targets[part]) ** 2)[:, 0] * TERMS[part]
        return torch.stack([errors.sum() / TERMS[part].sum(), 2 * errors.sum() / TERMS[part].sum()])

    whole = losses(slice(0, SAMPLES))
    whole[0].backward()
    expected = [p.grad for p in network.parameters()]
    network.zero_grad()
    pieces = Pieces()
    pieces.count = count
    found = pieces.loss(SAMPLES, losses, lambda part: int(TERMS[part].sum()), network.parameters())
    found[0].backward()
    assert torch.allclose(found, whole, rtol=1e-12)
    for parameter, gradient in zip(network.parameters(), expected, strict=True):
        if gradient is None:
            assert parameter.grad is None
        else:
            assert parameter.grad is not None
            assert torch.allclose(parameter.grad, gradient, rtol=1e-12)


@pytest.mark.parametrize(
    "error",
    [torch.OutOfMemoryError("CUDA out of memory"), RuntimeError("DefaultCPUAllocator: can't allocate memory: 8 GB")],
)
def test_pieces_are_halved_until_they_fit(error: Exception) -> None:
    pieces, tries = Pieces(allowed=True), []
    pieces.told = tries.append
    network, inputs, _ = problem()

    def step() -> None:
        pieces.loss(
            SAMPLES,
            lambda part: network(inputs[part]).mean()[None],
            lambda part: part.stop - part.start,
            network.parameters(),
        )
        if SAMPLES / pieces.count > 2:
            raise error

    pieces.retry(step)
    assert pieces.count == 4
    assert tries == [2, 4]


def test_what_halving_cannot_help_is_passed_on() -> None:
    def fail() -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    for pieces in (Pieces(), Pieces(allowed=True)):
        with pytest.raises(torch.OutOfMemoryError):
            pieces.retry(fail)
        assert pieces.count == 1

    network, inputs, _ = problem()

    def fail_on_any_piece() -> None:
        pieces.loss(
            SAMPLES,
            lambda part: network(inputs[part]).mean()[None],
            lambda part: part.stop - part.start,
            network.parameters(),
        )
        fail()

    with pytest.raises(torch.OutOfMemoryError):
        pieces.retry(fail_on_any_piece)
    assert pieces.count == SAMPLES
    assert not out_of_memory(RuntimeError("shape mismatch"))
    assert out_of_memory(MemoryError())
