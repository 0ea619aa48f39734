"""What `make audit` and `make licences` conclude, and that the next Hydra has nothing to complain about."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from experiments import compatibility
from experiments.dependencies import binds, licence_of, parsed
from ocr.config import CONF, build, compose_config, names_in, plain

ROOT = Path(__file__).resolve().parents[1]
FLAW = {"id": "PYSEC-1", "fix_versions": ["2.0", "1.9.1"]}


def test_only_a_finding_is_a_finding() -> None:
    clean, flawed = {"name": "a", "version": "1", "vulns": []}, {"name": "b", "version": "1.9", "vulns": [FLAW]}
    assert parsed(json.dumps({"dependencies": [clean, {"name": "c", "skip_reason": "not there"}]}), "") == ([], "")
    assert parsed(json.dumps({"dependencies": [clean, flawed]}), "") == ([("b", "1.9", "PYSEC-1", "2.0, 1.9.1")], "")
    found, why = parsed("", "x\nERROR:pip_audit:Failed to connect to the service: Max retries exceeded\n")
    assert found is None
    assert "Max retries" in why
    assert parsed("", "requests.exceptions: 503 Server Error: Service Unavailable")[0] is None
    with pytest.raises(ValueError, match="pip-audit failed: no such option on line 404"):
        parsed("", "no such option on line 404")


@pytest.mark.parametrize(
    ("licence", "bound"),
    [
        ("MIT", False),
        ("GPL-3.0-only", True),
        ("AGPL-3.0-or-later", True),
        ("LGPL-2.1-only", False),
        ("GPL-2.0 OR MIT", False),
        ("GNU General Public License v3 (GPLv3)", True),
        ("GNU Lesser General Public License v3 (LGPLv3)", False),
    ],
)
def test_licences_that_bind_are_told(licence: str, bound: bool) -> None:
    assert binds(licence) is bound


def test_a_licence_is_found_wherever_it_is_declared() -> None:
    from importlib.metadata import distribution

    assert licence_of(distribution("numpy")).startswith("BSD-3-Clause")
    assert "MIT" in licence_of(distribution("pytest"))


def test_the_matrix_covers_both_ends_of_every_range_and_newer_pythons() -> None:
    cells = {cell.name: cell for cell in compatibility.cells()}
    for name in compatibility.MAIN:
        assert cells[f"{name}-lowest"].packages[0].startswith(f"{name}==")
        assert cells[f"{name}-newest"].packages[0].startswith(f"{name}>=")
    assert {"python-3.12", "python-3.13", "all-lowest", "all-newest"} <= cells.keys()
    for test in (*compatibility.TESTS, *compatibility.TORCH_FREE):
        assert (ROOT / test).exists(), test


def test_what_the_newer_pythons_run_needs_no_training() -> None:
    code = f"""
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "pytorch_lightning", "hydra", "omegaconf", "albumentations", "wandb"):
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Absent())
import pytest
sys.exit(pytest.main(["--collect-only", "-q", "-p", "no:cacheprovider", *{compatibility.TORCH_FREE!r}]))
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-800:]


def test_no_deprecation_of_hydra_or_omegaconf_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hydra warns in this minor of what the next one takes away; here its warnings are errors."""
    monkeypatch.setenv("HYDRA_DEPRECATION_WARNINGS_AS_ERRORS", "1")
    with warnings.catch_warnings():
        warnings.filterwarnings("error", module=r"(hydra|omegaconf)\b.*")
        warnings.filterwarnings("error", category=DeprecationWarning, message=r".*(?i:hydra|omegaconf).*")
        for model in names_in("model"):
            config = compose_config(
                [f"model={model}", "data=synthtext+icdar2015" if "craft" in model else "data=mjsynth"]
            )
            plain(config)
        build(plain(compose_config(["model=crnn", "feat.channels=32", "seq.hidden=8", "charset=digits_lower"]).model))
    command = [sys.executable, "-W", "error::UserWarning:hydra", str(ROOT / "train.py"), "--cfg", "job"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_what_the_next_hydra_refuses_is_not_written() -> None:
    """Sweeps inside of configs and override_dirname (1.4), and instantiate without a list of what is allowed (1.5)."""
    for path in CONF.rglob("*.yaml"):
        text = re.sub(r"#.*", "", path.read_text(encoding="utf-8"))
        assert "override_dirname" not in text, path
        assert not re.search(r"^\s*mode:\s*MULTIRUN", text, re.MULTILINE), path
    for path in [ROOT / "train.py", *(ROOT / "ocr").rglob("*.py"), *(ROOT / "experiments").rglob("*.py")]:
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"hydra\.utils import .*instantiate|hydra\.utils\.instantiate", text), path
        for call in re.findall(r"hydra\.main\(.*?\)|initialize(?:_config_dir|_config_module)?\(.*?\)\)?", text):
            assert "hydra" not in call or "version_base" in call, path
