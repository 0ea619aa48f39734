"""Checkpoints and sets of every release, unpacked as they were written then, load now and mean what they meant."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import pytest
from write import said

from ocr.data.verification import verify

RELEASES = sorted(Path(__file__).parent.glob("*.tar.gz"))


def test_there_is_a_release_and_it_is_small() -> None:
    assert RELEASES
    assert sum(path.stat().st_size for path in RELEASES) < 300_000 * len(RELEASES)


@pytest.mark.parametrize("archive", RELEASES, ids=lambda path: path.name)
def test_a_release_still_loads(archive: Path, tmp_path: Path) -> None:
    with tarfile.open(archive) as packed:
        packed.extractall(tmp_path, filter="data")
    expected = json.loads((tmp_path / "expected.json").read_text(encoding="utf-8"))
    assert verify(tmp_path / "words", every_picture=True) == []
    assert verify(tmp_path / "scenes", every_picture=True) == []
    found = said(tmp_path)
    for name in ("texts", "readings", "polygons", "fingerprints"):
        assert found[name] == expected[name], name
    assert found["confidences"] == pytest.approx(expected["confidences"], rel=1e-3, abs=1e-7)
    assert found["maps"] == pytest.approx(expected["maps"], abs=1e-4)
