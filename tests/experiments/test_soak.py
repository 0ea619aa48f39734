"""The slope of memory over steps, against NumPy's fit; what is measured of a process."""

import mmap
import os
from pathlib import Path

import numpy as np
import pytest

from experiments import soak, soak_sweep
from experiments.soak import Sample, family, growth, last_step, memory_mb, sample, student


def test_the_slope_and_its_interval_are_those_of_a_fit_behind_the_warm_up() -> None:
    rng = np.random.default_rng(4)
    steps = 250 * np.arange(1, 31)
    memory = 400 + 0.8 * steps / 1000 + rng.normal(scale=0.5, size=30)
    memory[:10] -= np.linspace(200, 10, 10)  # the warm-up
    found = growth([Sample(int(s), float(m), 9, 3) for s, m in zip(steps, memory, strict=True)])
    fit, covariance = np.polyfit(steps[10:] / 1000, memory[10:], 1, cov=True)
    assert found.count == 20
    assert found.slope == pytest.approx(fit[0])
    assert found.high - found.slope == pytest.approx(2.1009 * covariance[0, 0] ** 0.5, rel=1e-4)
    assert found.slope - found.low == pytest.approx(found.high - found.slope)
    with pytest.raises(ValueError, match="too few"):
        growth([Sample(7, 1.0, 9, 3)] * 30)


@pytest.mark.parametrize(("free", "published"), [(5, 2.5706), (10, 2.2281), (28, 2.0484), (1000, 1.9623)])
def test_students_quantile_is_that_of_the_tables(free: int, published: float) -> None:
    assert student(free) == pytest.approx(published, rel=2e-3)


def test_memory_is_what_the_processes_hold_for_themselves(tmp_path: Path) -> None:
    before = memory_mb(os.getpid())
    held = mmap.mmap(-1, 40_000_000)  # an array could take room that was freed before
    held.write(bytes(len(held)))
    assert memory_mb(os.getpid()) - before == pytest.approx(len(held) / 1e6, abs=4)
    held.close()
    assert family(os.getpid())[0] == os.getpid()
    with (tmp_path / "timing.jsonl").open("w") as rows:
        rows.writelines(f'{{"step": {step}, "samples_per_second": {step}.5}}\n' for step in range(10, 5000, 10))
        rows.write('{"st')
    now = sample(os.getpid(), tmp_path)
    assert (now.step, last_step(tmp_path / "nowhere")) == (4990, 0)
    assert now.files >= 3
    assert now.threads >= 1
    with pytest.raises(ProcessLookupError):
        sample(2**22 + 1, tmp_path)


def test_a_sample_is_the_median_of_what_was_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = iter([50.0, 700.0] + [60.0] * 100)
    monkeypatch.setattr(soak, "memory_mb", lambda pid: next(seen))
    assert soak.usual({"run": 1}, 0.2) == {"run": pytest.approx(50)}
    assert soak.usual({"run": 1}, 1.7) == {"run": pytest.approx(60)}


@pytest.mark.parametrize("content", [None, "", "[]", "{}", '{"attempts": []}'])
def test_a_folder_that_is_no_run_is_one_line(
    tmp_path: Path, content: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    if content is not None:
        (tmp_path / "run.json").write_text(content)
    assert soak.main(["--run", str(tmp_path)]) == 1
    assert capsys.readouterr().err == f"error: {tmp_path} is no run directory with an attempt in its run.json\n"


@pytest.mark.slow
def test_cells_of_a_sweep_leave_no_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(soak_sweep, "WARM_UP", 1)
    before, *_, after = soak_sweep.sweep(tmp_path, 2)
    assert after.files == before.files
