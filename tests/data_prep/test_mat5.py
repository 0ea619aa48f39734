from __future__ import annotations

import io

import numpy as np
import pytest
from scipy.io import loadmat, savemat

from data_prep import mat5
from data_prep.samples import Unusable


def cell(*values):
    cells = np.empty((1, len(values)), object)
    for i, value in enumerate(values):
        cells[0, i] = value
    return cells


def written(variables, **options) -> bytes:
    file = io.BytesIO()
    savemat(file, variables, **options)
    return file.getvalue()


def random_variables(rng):
    numbers = [
        rng.normal(size=(2, 4, 3)),
        rng.integers(0, 200, (1, 5)).astype(np.uint8),
        np.float32([[1.5]]),
        np.zeros((0, 0)),
        rng.integers(-(2**40), 2**40, (3, 2)),
    ]
    texts = [np.array(["one"]), np.array(["two", "three  "]), np.array(["Zwölf 日本"])]
    return {"a": rng.normal(size=(3, 3)), "cells": cell(*numbers, *texts, cell(*texts)), "imnames": cell(*texts)}


def assert_same(ours, theirs):
    assert ours.shape == theirs.shape
    if theirs.dtype == object:
        for a, b in zip(ours.ravel(), theirs.ravel(), strict=True):
            assert_same(a, b)
    else:
        assert np.array_equal(ours, theirs)


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_whole_files_read_as_scipy_reads_them(seed, compressed):
    content = written(random_variables(np.random.default_rng(seed)), do_compression=compressed)
    ours, theirs = mat5.read(content), loadmat(io.BytesIO(content))
    assert set(ours) == {"a", "cells", "imnames"}
    for name, value in ours.items():
        assert_same(value, theirs[name])


@pytest.mark.parametrize("compressed", [False, True])
def test_cells_come_one_by_one(compressed):
    content = written(random_variables(np.random.default_rng(0)), do_compression=compressed)
    theirs = loadmat(io.BytesIO(content))
    file = mat5.MatFile(lambda: io.BytesIO(content))
    assert {name: v.shape for name, v in file.variables.items()} == {"a": (3, 3), "cells": (1, 9), "imnames": (1, 3)}
    streams = [file.cells("cells"), file.cells("imnames")]
    for stream, name in zip(streams, ("cells", "imnames"), strict=True):
        found = [mat5.decoded(c, file.order) for c in stream]
        assert len(found) == theirs[name].size
        for ours, expected in zip(found, theirs[name].ravel(), strict=True):
            assert_same(ours, expected)


def test_structures_become_dicts():
    records = np.array([("train/1.png", "one"), ("train/2.png", "two")], [("ImgName", object), ("GroundTruth", object)])
    (value,) = mat5.read(written({"traindata": records})).values()
    assert [str(r["GroundTruth"][0]) for r in value.ravel()] == ["one", "two"]
    assert [str(r["ImgName"][0]) for r in value.ravel()] == ["train/1.png", "train/2.png"]


@pytest.mark.parametrize("compressed", [False, True])
def test_damaged_files_are_refused_or_read_but_nothing_else(compressed):
    content = written(random_variables(np.random.default_rng(0)), do_compression=compressed)
    rng = np.random.default_rng(5)
    refused = 0
    for _ in range(400):
        damaged = bytearray(content)
        for at in rng.integers(0, len(content), rng.integers(1, 6)):
            damaged[at] = rng.integers(0, 256)
        if rng.random() < 0.3:
            del damaged[rng.integers(0, len(content)) :]
        try:
            mat5.read(bytes(damaged))
        except Unusable:
            refused += 1
        try:
            file = mat5.MatFile(lambda damaged=damaged: io.BytesIO(damaged))
            for name, variable in file.variables.items():
                if variable.kind == mat5.CELL and np.prod(variable.shape) < 1000:
                    for c in file.cells(name):
                        mat5.decoded(c, file.order)
        except mat5.Malformed:
            pass
    assert refused > 100


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "does not begin"), (b"MATLAB 7.3 MAT-file" + bytes(200), "version 7.3"), (b"x" * 300, "does not begin")],
)
def test_other_files_are_refused(content, message):
    with pytest.raises(Unusable, match=message):
        mat5.read(content)
