from pathlib import Path

import pytest
import yaml

from ocr.config import build
from ocr.metrics.benchmark import WordBenchmark
from ocr.metrics.detection import PictureProtocol
from ocr.metrics.words import WordProtocol
from ocr.types import Reading

FILES = sorted((Path(__file__).parents[2] / "conf" / "protocol").glob("*.yaml"))


def load(name):
    path = next(f for f in FILES if f.stem == name)
    return build(yaml.safe_load(path.read_text(encoding="utf-8")), f"protocol={name}")


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_every_protocol_builds_under_its_own_name(path):
    protocol = load(path.stem)
    assert protocol.name == path.stem
    assert isinstance(protocol, PictureProtocol | WordProtocol | WordBenchmark)


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_every_key_is_explained(path):
    keys = [line for line in path.read_text(encoding="utf-8").splitlines() if line and line[0] not in "#_"]
    keys = [line for line in keys if not line.strip().startswith("_") and not line.endswith(":")]
    assert keys
    assert all(" # " in line for line in keys)


@pytest.mark.parametrize(
    ("name", "truth", "prediction", "correct"),
    [
        ("case36", "Open 24h", "OPEN24H", True),
        ("case62", "Open 24h", "OPEN24H", False),
        ("case62", "Open-24h", "Open24h", True),
        ("full94", "Open-24h", "Open24h", False),
        ("unicode", "ＯＰＥＮ　２４", "OPEN24", True),
        ("unicode", "Open", "open", False),
        ("plates", "COO 705", "c00-7o5", True),
        ("case36", "COO705", "C00705", False),
        ("baek2019", "Open-24h", "OPEN24H", True),
        ("dtrb_default_filter", "Open-24h", "OPEN24H", True),
        ("case36_punctuation", "Open-24h", "open-24H", True),
        ("case36_punctuation", "Open-24h", "open24H", False),
    ],
)
def test_shipped_foldings(name, truth, prediction, correct):
    assert load(name).row(truth, Reading(prediction, 1.0)).correct is correct
