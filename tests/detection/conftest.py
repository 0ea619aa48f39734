"""Fixtures of the detection tests."""

import numpy as np
import pytest
from drawn import Painted


@pytest.fixture
def rng():
    return np.random.default_rng(7)


@pytest.fixture
def painted():
    return Painted().eval()
