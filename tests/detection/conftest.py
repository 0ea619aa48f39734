"""Fixtures of the detection tests."""

import numpy as np
import pytest


@pytest.fixture
def rng():
    return np.random.default_rng(7)


@pytest.fixture
def painted():
    from drawn import Painted  # not above: the part that needs no torch is tested without it

    return Painted().eval()
